//! GraphQL over HTTP. `http` says how a request came in, `graphql` how it is answered, `noun` what it speaks of, `part` what
//! nouns are made of. Imports run one way: `http` → `graphql` → `noun` → `part` → `context` → `gate` → `error`; the only
//! circle is inside `noun`, where a problem has measures and a measure its problem.

// The future of a merged schema nests one level for each type that it is merged from.
#![recursion_limit = "256"]

mod context;
mod error;
mod gate;
mod graphql;
mod http;
mod language;
mod noun;
mod part;

pub use context::{Limits, Occurrences, Oidc, Options, Services, Streams};
pub use gate::Clock;
pub use graphql::schema::sdl;
pub use http::connections::{Bounds, Connection, Connections, in_flight};
pub use http::headers::{headers, is_https};
pub use http::request::is_loopback;
pub use http::routes::{readiness, routes};
pub use http::state::Probe;
