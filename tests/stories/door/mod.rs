//! What the front door lets in, how much of it, and what it says to those whom it turns away.

mod away;
mod language;
mod limits;
mod protocol;

use serde_json::json;

use crate::support::{Answer, Server};

const ANY: &str = "{ __typename }";

fn ask(server: &Server, query: &str) -> Answer {
    server.ask(&json!({ "query": query }), &[])
}

/// Measures below problems, the pages as large as the caller says.
const NESTED: &str = "query($n: Int!) { problems(first: $n) { nodes {
    measures(first: $n) { nodes { assignments(first: $n) { nodes { id } } } } } } }";
