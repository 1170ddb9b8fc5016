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
        if line.starts_with("\"\"\"") || line.ends_with("\"\"\"") {
            described = true;
            continue;
        }
        let names = line.starts_with("type ")
            || line.starts_with("enum ")
            || line.starts_with("input ")
            || line.starts_with("interface ")
            || line.starts_with("scalar ")
            || line.contains(": ")
            || (!line.is_empty() && line.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_'));
        let declares = !line.starts_with("directive") && !line.starts_with("schema") && !line.starts_with("query:") && !line.starts_with("mutation:");
        if names && declares && !described {
            bare.push(line.to_owned());
        }
        described = false;
    }
    assert_eq!(bare, Vec::<String>::new());
}
