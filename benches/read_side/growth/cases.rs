//! The typical requests of an interface, generated from its schema: every list of the query root in every order, with
//! every filter, grouped by every dimension and by every two, and the statistics by every dimension.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Outcome;

/// The number of rows of a page.
const PAGE: u32 = 20;
/// Words to search for: one that many texts contain, and one that none does.
const WORDS: [&str; 2] = ["生态", "没有的词"];

/// What is read of the schema.
pub(crate) const SCHEMA: &str = "{ __schema { types { name
    fields { name type { ...Type } args { name type { ...Type } } }
    inputFields { name type { ...Type } } enumValues { name } } } }
    fragment Type on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// A request with its title.
pub(crate) struct Case {
    /// What it asks, in words.
    pub(crate) title: String,
    /// The body of the request.
    pub(crate) body: String,
}

/// The rows that filters refer to.
pub(crate) struct Samples {
    /// Today in the ledger's time zone and 30 days before, `YYYY-MM-DD`.
    pub(crate) days: [String; 2],
    /// Global ids of the nation and of a province.
    pub(crate) regions: [String; 2],
    /// The global id of a round.
    pub(crate) round: String,
}

/// A schema, as introspection describes it.
pub(crate) struct Schema<'s>(BTreeMap<&'s str, &'s Value>);

impl<'s> Schema<'s> {
    /// Reads the answer to [`SCHEMA`].
    pub(crate) fn read(answer: &'s Value) -> Outcome<Self> {
        let types = answer.pointer("/data/__schema/types").and_then(Value::as_array).ok_or("no introspection")?;
        Ok(Self(types.iter().filter_map(|of| Some((of["name"].as_str()?, of))).collect()))
    }

    /// Returns all cases.
    pub(crate) fn cases(&self, samples: &Samples) -> Vec<Case> {
        let mut cases = Vec::new();
        for field in self.list("Query", "fields") {
            let (name, of) = (text(&field["name"]), innermost(&field["type"]));
            if let Some(noun) = of.strip_suffix("Connection")
                && !arguments(field).iter().any(|(_, needed, _)| *needed)
            {
                self.lists(name, noun, field, samples, &mut cases);
            }
            if name == "statistics" {
                self.statistics(field, samples, &mut cases);
            }
        }
        cases
    }

    fn lists(&self, field: &str, noun: &str, described: &Value, samples: &Samples, cases: &mut Vec<Case>) {
        let nodes = format!("nodes {{ {} }}", self.scalars(noun).join(" "));
        let mut add = |title: String, arguments: &str, selected: &str| {
            let query = format!("{{ {field}{arguments} {{ {selected} }} }}");
            cases.push(Case { title, body: json!({ "query": query }).to_string() });
        };
        let page = |more: &str| format!("(first: {PAGE}{more})");
        add(field.to_owned(), &page(""), &nodes);
        for key in self.values(&format!("{noun}OrderField")) {
            for direction in ["ASC", "DESC"] {
                let order = format!(", orderBy: [{{field: {key}, direction: {direction}}}]");
                add(format!("{field} by {key} {direction}"), &page(&order), &nodes);
            }
        }
        let filter = arguments(described).into_iter().find(|(name, ..)| *name == "filter");
        for (title, filter) in filter.map_or_else(Vec::new, |(_, _, of)| self.filters(of, samples)) {
            add(format!("{field} [{title}]"), &page(&format!(", filter: {{{filter}}}")), &nodes);
            add(format!("{field} [{title}] totalCount"), &format!("(filter: {{{filter}}})"), "totalCount");
        }
        let dimensions = self.values(&format!("{noun}Dimension"));
        for (index, one) in dimensions.iter().enumerate() {
            for other in &dimensions[index..] {
                let by = if one == other { (*one).to_owned() } else { format!("{one}, {other}") };
                let groups = format!("groups(by: [{by}]) {{ keys {{ key label }} aggregate {{ count }} }}");
                add(format!("{field} groups {}", by.replace(", ", "×")), "", &groups);
            }
        }
    }

    fn statistics(&self, field: &Value, samples: &Samples, cases: &mut Vec<Case>) {
        let values = |name: &str| {
            let found = arguments(field).into_iter().find(|(argument, ..)| *argument == name);
            found.map_or_else(Vec::new, |(_, _, of)| self.values(of))
        };
        for (place, region) in ["nation", "province"].iter().zip(&samples.regions) {
            for by in values("by") {
                for count in values("count") {
                    let query = format!(
                        "{{ statistics(by: {by}, count: {count}, filter: {{region: {{within: \"{region}\"}}}}) \
                         {{ total {{ all overdue }} rows {{ key label all overdue }} }} }}"
                    );
                    let title = format!("statistics by {by} of {count} in {place}");
                    cases.push(Case { title, body: json!({ "query": query }).to_string() });
                }
            }
        }
    }

    /// Returns typical filters, each with its title.
    fn filters(&self, of: &str, samples: &Samples) -> Vec<(String, String)> {
        let mut filters = Vec::new();
        let [today, before] = &samples.days;
        for field in self.list(of, "inputFields") {
            let (name, kind) = (text(&field["name"]), innermost(&field["type"]));
            let mut add = |title: &str, value: &str| {
                filters.push((format!("{name} {title}"), format!("{name}: {value}")));
            };
            match kind {
                "Boolean" => {
                    add("true", "true");
                    add("false", "false");
                }
                "TextFilter" => {
                    for word in WORDS {
                        add(&format!("search {word}"), &format!("{{search: \"{word}\"}}"));
                    }
                    add("eq", "{eq: \"1\"}");
                    add("startsWith", "{startsWith: \"加快\"}");
                }
                "DateFilter" => {
                    add("gte..lte", &format!("{{gte: \"{before}\", lte: \"{today}\"}}"));
                    add("isNull", "{isNull: true}");
                }
                "DateTimeFilter" => add("gte", &format!("{{gte: \"{before}T00:00:00Z\"}}")),
                "NumberFilter" => add("gte", "{gte: 1}"),
                "SubtreeFilter" => {
                    let [nation, province] = &samples.regions;
                    add("nation", &format!("{{within: \"{nation}\"}}"));
                    add("province", &format!("{{within: \"{province}\"}}"));
                }
                relation if relation.ends_with("RelationFilter") => {
                    add("isNull", "{isNull: true}");
                    if relation == "InspectionRoundRelationFilter" {
                        add("eq", &format!("{{eq: \"{}\"}}", samples.round));
                    }
                }
                other => {
                    for value in self.values(other).iter().take(3) {
                        add(value, &format!("[{value}]"));
                    }
                }
            }
        }
        filters
    }

    /// Returns the fields of a type that have neither arguments nor fields.
    fn scalars(&self, of: &str) -> Vec<&'s str> {
        let is_plain = |field: &&Value| {
            let kind = innermost(&field["type"]);
            let is_leaf = self.0.get(kind).is_some_and(|of| of["fields"].is_null());
            is_leaf && arguments(field).is_empty()
        };
        let mut names: Vec<&str> = self.list(of, "fields").iter().filter(is_plain).map(|f| text(&f["name"])).collect();
        names.push("__typename");
        names
    }

    fn values(&self, of: &str) -> Vec<&'s str> {
        self.list(of, "enumValues").iter().map(|value| text(&value["name"])).collect()
    }

    fn list(&self, of: &str, part: &str) -> &'s [Value] {
        let found: Option<&'s Value> = self.0.get(of).copied();
        found.and_then(|of| of[part].as_array()).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Returns the arguments of a field: name, whether it must be given, and type.
fn arguments(field: &Value) -> Vec<(&str, bool, &str)> {
    let arguments = field["args"].as_array().map(Vec::as_slice).unwrap_or_default();
    let is_needed = |argument: &Value| argument["type"]["kind"] == "NON_NULL";
    let kinds = arguments.iter().map(|argument| innermost(&argument["type"]));
    let names = arguments.iter().map(|argument| (text(&argument["name"]), is_needed(argument)));
    names.zip(kinds).map(|((name, is_needed), kind)| (name, is_needed, kind)).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Returns the name of a type without its lists and non-nulls.
fn innermost(of: &Value) -> &str {
    if of["ofType"].is_object() { innermost(&of["ofType"]) } else { text(&of["name"]) }
}
