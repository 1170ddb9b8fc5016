//! The schema is checked in and fully described, and the examples of the API guide run.

use std::process::Command;

use async_graphql::Positioned;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{BaseType, InterfaceType, ObjectType, Type, TypeKind, TypeSystemDefinition};
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

/// Every description of the schema, each with the path of what it describes.
fn descriptions() -> Vec<(String, String, bool)> {
    let mut found = Vec::new();
    let mut add = |path: String, description: &Option<Positioned<String>>, is_value: bool| {
        found.push((path, description.as_ref().map(|text| text.node.clone()).unwrap_or_default(), is_value));
    };
    for definition in parse_schema(api::sdl()).unwrap().definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let (ty, name) = (&definition.node, definition.node.name.node.to_string());
        add(name.clone(), &ty.description, false);
        match &ty.kind {
            TypeKind::Object(ObjectType { fields, .. }) | TypeKind::Interface(InterfaceType { fields, .. }) => {
                for field in fields.iter().map(|field| &field.node) {
                    let path = format!("{name}.{}", field.name.node);
                    add(path.clone(), &field.description, false);
                    for argument in field.arguments.iter().map(|argument| &argument.node) {
                        add(format!("{path}({})", argument.name.node), &argument.description, false);
                    }
                }
            }
            TypeKind::InputObject(input) => {
                for field in input.fields.iter().map(|field| &field.node) {
                    add(format!("{name}.{}", field.name.node), &field.description, false);
                }
            }
            TypeKind::Enum(listed) => {
                for value in listed.values.iter().map(|value| &value.node) {
                    add(format!("{name}.{}", value.value.node), &value.description, true);
                }
            }
            TypeKind::Scalar | TypeKind::Union(_) => {}
        }
    }
    found
}

#[test]
fn every_type_field_argument_and_value_is_described() {
    let described = descriptions();
    assert!(described.len() > 1_000, "{}", described.len());
    let is_brief = |text: &str| text.split_whitespace().count() < 3;
    let brief: Vec<&str> =
        described.iter().filter(|(_, text, _)| is_brief(text)).map(|(path, ..)| path.as_str()).collect();
    assert_eq!(brief, Vec::<&str>::new(), "a description says what it is of in three words or more");
    let is_chinese = |text: &str| text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));
    let is_labelled = |text: &str| text.split_once(" · ").is_some_and(|(label, _)| is_chinese(label));
    let bare: Vec<&str> = described
        .iter()
        .filter(|(_, text, is_value)| *is_value && !is_labelled(text))
        .map(|(path, ..)| path.as_str())
        .collect();
    assert_eq!(bare, Vec::<&str>::new(), "the description of an enum value begins with its Chinese label");
}

#[test]
fn enum_values_have_labels_for_screens() {
    let world = World::sqlite();
    let server = world.serve();
    let query = "{ enumLabels(names: [\"Status\", \"Nothing\"]) { name values { value label description } } }";
    let labels = server.data(query, &json!({}))["enumLabels"].clone();
    assert_eq!(labels.as_array().unwrap().len(), 1, "an unknown name is skipped");
    let values = labels[0]["values"].as_array().unwrap();
    // The labels of a status are the names that mails, exports and errors use.
    for status in <entity::assignment::Status as sea_orm::Iterable>::iter() {
        let code = sea_orm::ActiveEnum::to_value(&status);
        let value = values.iter().find(|value| value["value"] == code.as_str()).unwrap();
        assert_eq!(value["label"], ledger::rule::workflow::status_name(status), "{code}");
        assert!(value["description"].as_str().unwrap().ends_with('.'), "{value}");
    }
    let all = server.data("{ enumLabels { name values { value } } }", &json!({}))["enumLabels"].clone();
    assert!(all.as_array().unwrap().len() > 40, "every enum of the schema");
}

/// Booleans that the contract names otherwise than the rules do.
const OTHER_BOOLEANS: &[(&str, &str)] =
    &[("Deadline", "ongoing"), ("Deadline", "immediate"), ("Schedule", "enabled"), ("EditScheduleInput", "enabled")];

/// Checks the rules of "Names and deprecation" in the guide.
#[test]
fn names_follow_the_rules_of_the_guide() {
    let is_one_of = |ty: &Type, wanted: &[String]| match &ty.base {
        BaseType::Named(name) => wanted.iter().any(|one| name == one.as_str()),
        BaseType::List(_) => false,
    };
    let mut types = Vec::new();
    let mut enums = Vec::new();
    for definition in parse_schema(api::sdl()).unwrap().definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let name = definition.node.name.node.to_string();
        match definition.node.kind {
            TypeKind::Enum(_) => enums.push(name),
            kind => types.push((name, kind)),
        }
    }
    let boolean = ["Boolean".to_owned()];
    let mut broken = Vec::new();
    let mut check = |of: &str, name: &str, ty: &Type| {
        let is_question = ["is", "has", "can"]
            .iter()
            .any(|word| name.strip_prefix(word).is_some_and(|rest| rest.starts_with(char::is_uppercase)));
        if is_one_of(ty, &boolean) && !is_question && !OTHER_BOOLEANS.contains(&(of, name)) {
            broken.push(format!("{of}.{name}: {ty} is not named as a question"));
        }
        if of.ends_with("Filter") && is_one_of(ty, &enums) {
            broken.push(format!("{of}.{name}: {ty} takes no list"));
        }
    };
    let mut mutations = Vec::new();
    for (of, kind) in &types {
        match kind {
            TypeKind::Object(object) => {
                for field in object.fields.iter().map(|field| &field.node) {
                    check(of, &field.name.node, &field.ty.node);
                    if of == "Mutation" {
                        let arguments = field.arguments.iter().map(|one| &one.node);
                        let arguments = arguments.map(|one| format!("{}: {}", one.name.node, one.ty.node));
                        mutations.push((field.name.node.to_string(), arguments.collect::<Vec<_>>()));
                    }
                }
            }
            TypeKind::InputObject(input) => {
                for member in input.fields.iter().map(|member| &member.node) {
                    check(of, &member.name.node, &member.ty.node);
                }
            }
            _ => {}
        }
    }
    for (name, arguments) in mutations {
        let wanted = match name.as_str() {
            "signOut" => Vec::new(),
            "signInAsDemo" => vec!["accountId: ID!".to_owned()],
            _ => vec![format!("input: {}{}Input!", name[..1].to_uppercase(), &name[1..])],
        };
        if arguments != wanted {
            broken.push(format!("{name}({}) does not take its input", arguments.join(", ")));
        }
    }
    assert_eq!(broken, Vec::<String>::new());
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

/// Endings of the names of types that have no id, as the guide and the lint of the schema state them.
const KEYLESS: [&str; 6] = ["Aggregate", "Connection", "Count", "Edge", "Group", "Payload"];

#[test]
fn the_guide_lists_the_types_without_an_id() {
    let is_root = |name: &str| ["Query", "Mutation", "Subscription"].contains(&name);
    let mut keyless = Vec::new();
    for definition in parse_schema(api::sdl()).unwrap().definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let name = definition.node.name.node.to_string();
        let TypeKind::Object(object) = definition.node.kind else { continue };
        let has_id = object.fields.iter().any(|field| field.node.name.node == "id");
        if !has_id && !is_root(&name) && !KEYLESS.iter().any(|ending| name.ends_with(ending)) {
            keyless.push(name);
        }
    }
    keyless.sort();
    let guide = guide();
    let (_, list) = guide.split_once("const KEYLESS = [").unwrap();
    let (list, _) = list.split_once(']').unwrap();
    let told: Vec<&str> = list.split('\'').skip(1).step_by(2).collect();
    assert_eq!(told, keyless);
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
