//! The desk: pages for the people who do the work. It is a client of the API in the same process: each page is a
//! GraphQL document and a template, each act the form of a mutation. What a page lacks is added to the schema, so that
//! every client has it.
//!
//! A page is a folder in `pages/`: `page.toml` says at which address and for whom, `page.graphql` what it reads, and
//! `page.html` how it looks. `acts.toml` has the words of the forms of all mutations; what they take is read from the
//! schema.

// The futures of the merged GraphQL schema nest one level per merged part; only optimised builds compute the layout of
// the whole nest.
#![recursion_limit = "256"]

mod act;
mod asset;
mod export;
mod files;
mod form;
mod import;
mod link;
mod live;
mod month;
mod multipart;
mod page;
mod schema;
mod session;
mod sign_in;
mod state;
mod variables;
mod view;

pub use state::{Options, Unbuilt, routes};
