//! One door of the house: GraphQL over HTTP. `http` speaks the protocol, `schema` puts the nouns together, every noun has
//! one file with its type, its filter, its order and what is done to it.

mod assignment;
mod change;
mod check;
mod context;
mod deadline;
mod document;
mod engine;
mod error;
mod events;
mod filter;
mod graphiql;
mod group;
mod http;
mod limits;
mod mail;
mod measure;
mod order;
mod persisted;
mod problem;
mod progress_report;
mod query;
mod rate;
mod region;
mod request;
mod response;
mod responsible_party;
mod round;
mod scalar;
mod schedule;
mod schema;
mod statistics;
mod types;
mod unit;
mod websocket;

pub use context::{Clock, Door, Occurrences, Policy};
pub use http::{Probe, routes};
pub use limits::Limits;
pub use schema::sdl;
