//! The schema is checked in, and every word of it is explained.

use std::process::Command;

#[test]
fn the_schema_is_the_one_checked_in() {
    let output = Command::new(env!("CARGO_BIN_EXE_rectify")).arg("schema").output().unwrap();
    let schema = String::from_utf8(output.stdout).unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/api/schema.graphql");
    let kept = std::fs::read_to_string(path).unwrap();
    assert_eq!(schema, kept, "the schema has changed: look at the difference, then run `make schema`");
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
        // Descriptions of several lines end with a line of their own.
        described = words || (described && !is_value && !is_type && !is_field && !line.is_empty());
    }
    assert_eq!(bare, Vec::<String>::new());
}
