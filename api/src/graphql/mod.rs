//! How a request is answered: documents within limits, read by the planner or carried out by the library.

pub(crate) mod credentials;
pub(crate) mod document;
pub(crate) mod engine;
pub(crate) mod escape;
pub(crate) mod feed;
pub(crate) mod label;
pub(crate) mod limits;
pub(crate) mod listing;
pub(crate) mod literal;
pub(crate) mod member;
pub(crate) mod merging;
pub(crate) mod params;
pub(crate) mod persisted;
pub(crate) mod position;
pub(crate) mod query;
pub(crate) mod ready;
pub(crate) mod rights;
pub(crate) mod schema;
pub(crate) mod share;
pub(crate) mod types;
