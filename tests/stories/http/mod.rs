//! The HTTP interface: which requests it accepts, its limits, and its error messages.

mod away;
mod language;
mod limits;
mod protocol;
mod stopping;

use serde_json::json;

use crate::support::{Answer, Server};

const ANY: &str = "{ __typename }";

fn ask(server: &Server, query: &str) -> Answer {
    server.ask(&json!({ "query": query }), &[])
}

/// An operation with three nested pages, whose size is a variable.
const NESTED: &str = "query($n: Int!) { problems(first: $n) { nodes {
    measures(first: $n) { nodes { assignments(first: $n) { nodes { id } } } } } } }";
