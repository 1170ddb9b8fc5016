//! The schema is checked in and fully described, and the examples of the API guide run.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::World;
use crate::support::socket::Socket;

#[test]
fn the_schema_is_the_one_checked_in() {
    let output = Command::new(env!("CARGO_BIN_EXE_rectify")).arg("schema").output().unwrap();
    let schema = String::from_utf8(output.stdout).unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/api/schema.graphql");
    let kept = std::fs::read_to_string(path).unwrap();
    assert_eq!(schema, kept, "the schema has changed: review the difference, then run `make schema`");
}

#[test]
fn every_type_field_argument_and_value_is_described() {
    let schema = api::sdl();
    let mut described = false;
    let mut bare = Vec::new();
    for line in schema.lines().map(str::trim) {
        let words = line.starts_with('"') || line.ends_with("\"\"\"");
        let is_value = !line.is_empty() && line.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_');
        let keywords = ["type ", "enum ", "input ", "interface ", "scalar "];
        let is_type = keywords.iter().any(|keyword| line.starts_with(keyword));
        let is_field = line.starts_with(|letter: char| letter.is_ascii_lowercase())
            && (line.contains(": ") || line.ends_with('('))
            && !line.starts_with("query:")
            && !line.starts_with("mutation:")
            && !line.starts_with("subscription:");
        if (is_value || is_type || is_field) && !words && !described && !line.starts_with("directive") {
            bare.push(line.to_owned());
        }
        // A description of several lines ends with a line of its own.
        described = words || (described && !is_value && !is_type && !is_field && !line.is_empty());
    }
    assert_eq!(bare, Vec::<String>::new());
}

#[test]
fn the_guide_s_operations_run_as_written() {
    let world = World::sqlite();
    world.done(&["demo"]);
    let server = world.serve();
    let mut socket = Socket::open(&server);
    let guide = guide();
    let operations = operations(&guide);
    assert!(operations.len() > 10, "{operations:?}");
    for (document, runs) in operations {
        for (time, variables) in runs.iter().enumerate() {
            if document.starts_with("subscription") {
                // An invalid subscription would be refused before the operation after it is answered.
                socket.subscribe("watch", document, variables);
                socket.subscribe("after", "{ __typename }", &json!({}));
                assert_eq!(socket.hear()["id"], "after", "{document}");
                continue;
            }
            let data = server.data(document, variables);
            let payload = &data[data.as_object().unwrap().keys().next().unwrap()];
            if document.starts_with("mutation") && time == 0 {
                assert_eq!(payload["errors"], json!([]), "{document}");
            }
            assert!(!payload.is_null(), "{document}\n{data:#}");
        }
    }
}

#[test]
fn the_guide_explains_every_code_and_every_limit() {
    let guide = guide();
    let codes = include_str!("../../api/src/error.rs").lines().filter_map(|line| line.trim().strip_prefix("Self::"));
    let codes: Vec<&str> = codes.filter_map(|line| line.split_once("=> \"")?.1.strip_suffix("\",")).collect();
    let limits = include_str!("../../src/config.default.toml").lines();
    let limits: Vec<&str> = limits
        .filter(|line| line.starts_with("max_"))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .collect();
    assert!(codes.len() > 15 && limits.len() > 10);
    let bare: Vec<&&str> =
        codes.iter().chain(&limits).filter(|word| !guide.contains(&format!("\n| `{word}` |"))).collect();
    assert_eq!(bare, Vec::<&&str>::new());
}

fn guide() -> String {
    std::fs::read_to_string("docs/api.md").unwrap()
}

/// Returns the operations of the guide, each with the variables of the JSON blocks that follow it.
fn operations(guide: &str) -> Vec<(&str, Vec<Value>)> {
    let mut found: Vec<(&str, Vec<Value>)> = Vec::new();
    for block in guide.split("\n```").skip(1).step_by(2) {
        match block.split_once('\n') {
            Some(("graphql", document)) => found.push((document, Vec::new())),
            Some(("json", variables)) => found.last_mut().unwrap().1.push(serde_json::from_str(variables).unwrap()),
            _ => {}
        }
    }
    for (_, runs) in &mut found {
        if runs.is_empty() {
            runs.push(json!({}));
        }
    }
    found
}
