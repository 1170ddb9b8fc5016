//! The GraphQL API over HTTP. `http` receives requests, `graphql` answers them, `noun` defines the types, queries and
//! mutations of the schema, and `part` has the building blocks that nouns share.
//!
//! Imports go in one direction: `http` → `graphql` → `noun` → `part` → `context` → `gate` → `error`. There are two
//! cycles: inside `noun`, where a problem has measures and a measure has its problem; and `part::reread` uses the query
//! root of `graphql::schema`, which every payload of a mutation has.

// The future that executes a merged schema nests one level for each type that the schema is merged from.
#![recursion_limit = "256"]

mod client;
mod context;
mod error;
mod gate;
mod graphql;
mod http;
mod installation;
mod language;
mod metrics;
mod noun;
mod part;

pub use client::{Client, ImportPlace, Refusal, Session, Submitted, decoded};
pub use context::{
    Explain, Explaining, JobRunning, JobSummary, Limits, MailText, Occurrences, Oidc, Options, Preview, Previewing,
    Reminding, RunJob, Services, Simulate, Simulated, Simulating, Streams, Unwritable,
};
pub use gate::Clock;
pub use gate::lanes::Load;
pub use graphql::listing::{Column, ColumnKind};
pub use graphql::schema::sdl;
pub use http::briefing::BriefingFormat;
pub use http::compression::short_as_they_are;
pub use http::connections::{Bounds, Connection, Connections, in_flight};
pub use http::export::{ExportedList, TableFormat};
pub use http::form::form;
pub use http::headers::{headers, is_https};
pub use http::observe::{Observing, observe};
pub use http::request::is_loopback;
pub use http::routes::{Api, readiness};
pub use http::state::Probe;
pub use installation::{
    EffectiveSetting, Examine, Examined, ExaminedDatabase, ExaminedDisk, ExaminedJob, ExaminedOutbox, Examining,
    Installation, SettingSource,
};
pub use language::{in_words, prefers_english};
pub use noun::audit::act_in_words;
