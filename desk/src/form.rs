//! Forms: which fields the form of an act has, what the user gave, and what is wrong with it.

use std::collections::HashSet;

use async_graphql::parser::types::BaseType;
use chrono::{NaiveDate, NaiveDateTime, TimeZone};
use minijinja::context;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::page::{Stopped, Visit};
use crate::schema::{Schema, base};
use crate::variables::{self, Given};

/// The enum with the collective terms for responsible parties.
const TERMS: &str = "Selector";
/// The most objects that a form offers for a name that fits several.
const MAX_CHOICES: usize = 10;
/// The most characters of the name of an object in a list of choices.
const MAX_NAME_CHARS: usize = 60;

/// How a field of a form is described in `acts.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldWords {
    /// The path in the input of the mutation, such as `deadline.on`.
    pub(crate) name: String,
    /// How it is entered, such as `text` or `day`.
    #[serde(rename = "as")]
    pub(crate) kind: Widget,
    zh: String,
    en: String,
    #[serde(default)]
    hint_zh: String,
    #[serde(default)]
    hint_en: String,
    /// The value that the form begins with: `today`, `this-month` or a literal.
    #[serde(default)]
    value: String,
    /// The path in the object that the act changes, as `begin.graphql` reads it, of the value that the form begins
    /// with, such as `leadUnit.name`.
    #[serde(default)]
    from: String,
    /// The height of a text field in lines.
    rows: Option<u8>,
    /// The buttons that send the form, each with a value of the field.
    #[serde(default)]
    buttons: Vec<ButtonWords>,
}

/// How a button is described in `acts.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ButtonWords {
    /// The value that the field has if this button sends the form.
    value: String,
    zh: String,
    en: String,
}

impl FieldWords {
    /// Returns the label of the field.
    pub(crate) fn label(&self, is_english: bool) -> &str {
        if is_english { &self.en } else { &self.zh }
    }

    /// Returns whether the field begins with a value of the object that the act changes.
    pub(crate) fn has_beginning(&self) -> bool {
        !self.from.is_empty()
    }

    /// Returns whether a name of a form is that of the field or of a part of it.
    pub(crate) fn has(&self, name: &str) -> bool {
        let rest = name.strip_prefix("input.").and_then(|name| name.strip_prefix(&self.name));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// Returns what was given for the field, without blank values and differences of line ends.
    pub(crate) fn said(&self, given: &Given) -> Vec<(String, String)> {
        let own = given.iter().filter(|(name, value)| self.has(name) && !value.trim().is_empty());
        own.map(|(name, value)| (name.clone(), value.replace("\r\n", "\n").trim().to_owned())).collect()
    }
}

/// How a field is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Widget {
    /// Text of several lines.
    Text,
    /// Text of one line.
    Line,
    /// A list of texts, one a line.
    Lines,
    /// A local date.
    Day,
    /// A local date with a time.
    Moment,
    /// A month.
    Month,
    /// A number.
    Number,
    /// A box to tick.
    Check,
    /// Yes or no, to be chosen.
    Yesno,
    /// One value of an enum.
    Choice,
    /// Several values of an enum.
    Choices,
    /// A unit, found by its name.
    Unit,
    /// Several units, found by their names, one a line.
    Units,
    /// A region, found by its name.
    Region,
    /// Several regions, found by their names, one a line.
    Regions,
    /// A round, found by its name.
    Round,
    /// An account, found by the name of its user.
    Account,
    /// Another problem of the same round, found by its number or words of its title.
    Problem,
    /// A complaint case, found by its number or words of its summary.
    Case,
    /// A problem of any round, found by its number or words of its title.
    EarlierProblem,
    /// Another measure of the same problem, found by its number or words of its text.
    Measure,
    /// Responsible parties, one a line: units, found by their names, and collective terms.
    Parties,
    /// How often each kind of check falls due.
    CheckPlans,
    /// The leaders of a measure, one for each post.
    Leaders,
    /// A password.
    Password,
    /// A code that is used once.
    Code,
    /// Quantities of a progress report.
    Quantities,
    /// A value that the button gives with which the form is sent.
    Buttons,
}

impl Widget {
    /// Returns the document that finds the objects that the field names, if it names any.
    fn looked_up(self) -> Option<&'static str> {
        match self {
            Self::Unit | Self::Units | Self::Parties => Some(include_str!("../shared/choices/unit.graphql")),
            Self::Region | Self::Regions => Some(include_str!("../shared/choices/region.graphql")),
            Self::Round => Some(include_str!("../shared/choices/round.graphql")),
            Self::Account => Some(include_str!("../shared/choices/account.graphql")),
            Self::Problem => Some(include_str!("../shared/choices/problem.graphql")),
            Self::Case => Some(include_str!("../shared/choices/case.graphql")),
            Self::EarlierProblem => Some(include_str!("../shared/choices/earlier-problem.graphql")),
            Self::Measure => Some(include_str!("../shared/choices/measure.graphql")),
            _ => None,
        }
    }

    /// Returns whether the field is entered by choosing among what the form offers.
    pub(crate) fn is_chosen(self) -> bool {
        matches!(self, Self::Choice | Self::Choices | Self::Yesno | Self::Day | Self::Moment | Self::Month)
    }

    /// Returns whether the field names several objects, one a line.
    fn is_list(self) -> bool {
        matches!(self, Self::Units | Self::Regions | Self::Parties)
    }

    /// Returns the names in what was given for the field.
    fn names(self, given: &str) -> Vec<&str> {
        let names: Vec<&str> =
            if self.is_list() { given.split(['\n', '、', '；', ';']).collect() } else { vec![given] };
        names.into_iter().map(str::trim).filter(|name| !name.is_empty()).collect()
    }

    /// Returns the name by which the template knows the field.
    fn name(self) -> &'static str {
        match self {
            Self::Text | Self::Lines | Self::Units | Self::Regions | Self::Parties => "text",
            Self::Line
            | Self::Unit
            | Self::Region
            | Self::Round
            | Self::Account
            | Self::Problem
            | Self::Case
            | Self::EarlierProblem
            | Self::Measure => "line",
            Self::Day => "day",
            Self::Moment => "moment",
            Self::Month => "month",
            Self::Number => "number",
            Self::Check => "check",
            Self::Yesno => "yesno",
            Self::Choice => "choice",
            Self::Choices => "choices",
            Self::Password => "password",
            Self::Code => "code",
            Self::Quantities => "quantities",
            Self::CheckPlans => "check-plans",
            Self::Leaders => "leaders",
            Self::Buttons => "buttons",
        }
    }
}

/// What is wrong with a field, or with the form as a whole.
#[derive(Debug, Clone)]
pub(crate) struct Wrong {
    /// The name of the field, such as `input.opinion`; empty if no field is at fault.
    pub(crate) field: String,
    pub(crate) message: String,
    /// Objects to choose from, if a name fits several: ids with what tells them apart.
    pub(crate) choices: Vec<(String, String)>,
    /// Whether someone else has changed the object since the form was shown.
    pub(crate) is_stale: bool,
}

impl Wrong {
    /// Says what is wrong with a field.
    pub(crate) fn of(field: impl Into<String>, message: String) -> Self {
        Self { field: field.into(), message, choices: Vec::new(), is_stale: false }
    }
}

/// The dates that fields may begin with.
pub(crate) struct Now {
    pub(crate) today: String,
    pub(crate) month: String,
}

/// Returns the values of an object with which the fields of a form begin.
pub(crate) fn beginnings(words: &[FieldWords], object: &Value, schema: &Schema, is_english: bool) -> Given {
    let begin = |field: &FieldWords| -> Given {
        let name = format!("input.{}", field.name);
        match field.kind {
            Widget::CheckPlans => {
                let plans = object[&field.from].as_array().into_iter().flatten();
                plans.map(|plan| (format!("{name}.{}", word(plan, "kind")), word(plan, "every").to_owned())).collect()
            }
            Widget::Leaders => {
                let leaders = object[&field.from].as_array().into_iter().flatten();
                leaders.map(|one| (format!("{name}.{}", word(one, "post")), word(one, "name").to_owned())).collect()
            }
            Widget::Parties => {
                let parties = object[&field.from]["nodes"].as_array().into_iter().flatten();
                let named = |party: &Value| match (&party["unit"], party["selector"].as_str()) {
                    (_, Some(term)) => schema.label(TERMS, term, is_english),
                    (Value::Null, None) => word(party, "raw").to_owned(),
                    (unit, None) => word(unit, "name").to_owned(),
                };
                vec![(name, parties.map(named).collect::<Vec<_>>().join("\n"))]
            }
            Widget::Choices => texts(object, &field.from).into_iter().map(|text| (name.clone(), text)).collect(),
            _ => {
                let texts = texts(object, &field.from);
                if texts.is_empty() { Vec::new() } else { vec![(name, texts.join("\n"))] }
            }
        }
    };
    words.iter().filter(|field| field.has_beginning()).flat_map(begin).collect()
}

/// Returns the texts at a path such as `leadUnit.name`; of a list, those of its elements.
fn texts(value: &Value, path: &str) -> Vec<String> {
    match value {
        Value::Array(all) => all.iter().flat_map(|one| texts(one, path)).collect(),
        Value::Object(fields) => {
            let (name, rest) = path.split_once('.').unwrap_or((path, ""));
            fields.get(name).map(|value| texts(value, rest)).unwrap_or_default()
        }
        Value::String(text) => vec![text.clone()],
        Value::Number(number) => number.as_f64().map(|number| number.to_string()).into_iter().collect(),
        Value::Bool(is) => vec![is.to_string()],
        Value::Null => Vec::new(),
    }
}

/// Describes the fields of a form for its template, with what was given and what is wrong.
pub(crate) fn fields(
    words: &[FieldWords],
    (schema, input): (&Schema, &str),
    (given, wrongs): (&Given, &[Wrong]),
    is_english: bool,
    now: &Now,
) -> Vec<minijinja::Value> {
    let field = |words: &FieldWords| {
        let name = format!("input.{}", words.name);
        let of = schema.at(input, &words.name);
        let is_required = of.is_some_and(|of| !of.of.nullable && !of.has_default);
        let chosen: Vec<&str> = given.iter().filter(|(known, _)| *known == name).map(|(_, v)| v.as_str()).collect();
        let begin = match words.value.as_str() {
            "today" => now.today.as_str(),
            "this-month" => now.month.as_str(),
            value => value,
        };
        let value = chosen.first().copied().unwrap_or(begin);
        let wrong = wrongs.iter().find(|wrong| words.has(&wrong.field));
        let options = of.and_then(|of| schema.values(&base(&of.of.base)).map(|values| (base(&of.of.base), values)));
        let options: Vec<minijinja::Value> = options.map_or_else(Vec::new, |(kind, values)| {
            let option = |(code, _): &(String, String)| {
                let is_chosen = if chosen.is_empty() { code == begin } else { chosen.contains(&code.as_str()) };
                context! { value => code, label => schema.label(&kind, code, is_english), is_chosen }
            };
            values.iter().map(option).collect()
        });
        let choices: Vec<minijinja::Value> = wrong
            .map(|wrong| wrong.choices.iter().map(|(id, label)| context! { value => id, label }).collect())
            .unwrap_or_default();
        let button = |button: &ButtonWords| {
            let label = if is_english { &button.en } else { &button.zh };
            context! { value => &button.value, label }
        };
        context! {
            name,
            kind => words.kind.name(),
            label => words.label(is_english),
            hint => if is_english { &words.hint_en } else { &words.hint_zh },
            is_required,
            value,
            rows => words.rows.unwrap_or(5),
            options,
            choices,
            buttons => words.buttons.iter().map(button).collect::<Vec<_>>(),
            error => wrong.map(|wrong| &wrong.message),
        }
    };
    words.iter().map(field).collect()
}

/// Reads the input of a mutation from a form, and says what is wrong with it. Names of objects are looked up; numbers
/// have to be numbers.
pub(crate) async fn input(
    visit: &Visit<'_>,
    words: &[FieldWords],
    input: &str,
    given: &Given,
) -> Result<(Map<String, Value>, Vec<Wrong>), Stopped> {
    let mut given = given.clone();
    let mut wrongs = not_numbers(visit, words, input, &given);
    for field in words {
        let name = format!("input.{}", field.name);
        match field.kind {
            // A day where a moment is expected means its end.
            Widget::Day
                if visit.desk.schema.at(input, &field.name).is_some_and(|of| base(&of.of.base) == "DateTime") =>
            {
                for (_, value) in given.iter_mut().filter(|(known, _)| *known == name) {
                    let end = value.parse::<NaiveDate>().ok().and_then(|day| day.and_hms_opt(23, 59, 59));
                    let end = end.and_then(|end| visit.desk.options.zone.from_local_datetime(&end).latest());
                    if let Some(end) = end {
                        *value = end.to_rfc3339();
                    }
                }
            }
            Widget::Moment => {
                for (_, value) in given.iter_mut().filter(|(known, _)| *known == name) {
                    let zone = visit.desk.options.zone;
                    let read = local_time(value).and_then(|local| zone.from_local_datetime(&local).earliest());
                    match read {
                        Some(read) => *value = read.to_rfc3339(),
                        None if value.trim().is_empty() => {}
                        None => {
                            let message = visit.words(
                                "请填写日期和时间，如 2026-12-01 09:30",
                                "Enter a date and a time, such as 2026-12-01 09:30",
                            );
                            wrongs.push(Wrong::of(name.clone(), message));
                        }
                    }
                }
            }
            Widget::Parties => read_parties(visit, &name, (&mut given, &mut wrongs)).await?,
            Widget::CheckPlans => read_rows(&name, ("kind", "every"), &mut given),
            Widget::Leaders => read_rows(&name, ("post", "name"), &mut given),
            kind if kind.looked_up().is_some() => {
                look_up(visit, kind, &name, (&mut given, &mut wrongs)).await?;
            }
            _ => {}
        }
    }
    Ok((variables::of_input(&visit.desk.schema, input, "input.", &given), wrongs))
}

/// Says which fields of a form should have a number and have none.
fn not_numbers(visit: &Visit<'_>, words: &[FieldWords], input: &str, given: &Given) -> Vec<Wrong> {
    let found = variables::no_numbers(&visit.desk.schema, input, "input.", given);
    let shown = found.into_iter().filter(|(name, ..)| words.iter().any(|field| field.has(name)));
    let wrong = |(name, text, is_whole): (&str, &str, bool)| {
        let row = name.split('.').find_map(|part| part.parse::<usize>().ok());
        let place = row.map(|row| visit.words(&format!("第 {} 行：", row + 1), &format!("Row {}: ", row + 1)));
        let message = if is_whole {
            visit.words(&format!("“{text}”不是整数，请只填写整数"), &format!("“{text}” is not a whole number"))
        } else {
            visit.words(&format!("“{text}”不是数字，请只填写数字"), &format!("“{text}” is not a number"))
        };
        Wrong::of(name, place.unwrap_or_default() + &message)
    };
    shown.map(wrong).collect()
}

/// Reads a date with a time, as a browser sends it or as a person types it.
fn local_time(text: &str) -> Option<NaiveDateTime> {
    let text = text.trim().replace(' ', "T");
    ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"].iter().find_map(|form| NaiveDateTime::parse_from_str(&text, form).ok())
}

/// Clears what was emptied in a form that edits an object: the field becomes null, and a list becomes empty.
pub(crate) fn clear(
    schema: &Schema,
    words: &[FieldWords],
    input: &str,
    given: &Given,
    values: &mut Map<String, Value>,
) {
    for field in words.iter().filter(|field| field.kind != Widget::Password && field.kind != Widget::Code) {
        let name = format!("input.{}", field.name);
        let is_emptied = given.iter().any(|(known, _)| *known == name) && field.said(given).is_empty();
        let Some(of) = schema.at(input, &field.name).filter(|of| is_emptied && of.of.nullable) else { continue };
        let empty = if matches!(of.of.base, BaseType::List(_)) { Value::Array(Vec::new()) } else { Value::Null };
        if !field.name.contains('.') {
            values.insert(field.name.clone(), empty);
        }
    }
}

/// Replaces the names of objects in a field by their ids. A name that fits none or several is wrong.
async fn look_up(
    visit: &Visit<'_>,
    widget: Widget,
    name: &str,
    (given, wrongs): (&mut Given, &mut Vec<Wrong>),
) -> Result<(), Stopped> {
    let on = variables::first(given, "on").map(str::to_owned);
    let mut kept: Given = Vec::new();
    for (known, value) in std::mem::take(given) {
        if known != name {
            kept.push((known, value));
            continue;
        }
        for text in widget.names(&value) {
            let id = match find(visit, widget, text, on.as_deref()).await? {
                Ok(id) => id,
                Err(wrong) => {
                    wrongs.push(Wrong { field: name.to_owned(), ..wrong });
                    text.to_owned()
                }
            };
            kept.push((name.to_owned(), id));
        }
    }
    *given = kept;
    Ok(())
}

/// Replaces the lines of a field by the responsible parties that they name: `name.0.unitId`, `name.1.selector` and so
/// on.
async fn read_parties(
    visit: &Visit<'_>,
    name: &str,
    (given, wrongs): (&mut Given, &mut Vec<Wrong>),
) -> Result<(), Stopped> {
    let schema = &visit.desk.schema;
    let own = given.iter().filter(|(known, _)| known == name);
    let lines = own.flat_map(|(_, value)| Widget::Parties.names(value)).map(str::to_owned).collect::<Vec<_>>();
    for (place, line) in lines.iter().enumerate() {
        let is_meant = |code: &str| [false, true].iter().any(|en| schema.label(TERMS, code, *en) == *line);
        let term = schema.values(TERMS).unwrap_or_default().iter().find(|(code, _)| is_meant(code));
        if let Some((code, _)) = term {
            given.push((format!("{name}.{place}.selector"), code.clone()));
            continue;
        }
        match find(visit, Widget::Parties, line, None).await? {
            Ok(id) => given.push((format!("{name}.{place}.unitId"), id)),
            Err(wrong) => wrongs.push(Wrong { field: name.to_owned(), ..wrong }),
        }
    }
    Ok(())
}

/// Adds the rows of a list with one row at most for each value of an enum. Those of a check plan are `name.0.kind` and
/// `name.0.every` and so on, from the intervals that were chosen for kinds of check, such as `name.SPOT_CHECK`.
fn read_rows(name: &str, (code, text): (&str, &str), given: &mut Given) {
    let kind = |known: &str| Some(known.strip_prefix(name)?.strip_prefix('.')?.to_owned());
    let chosen = given.iter().filter(|(_, value)| !value.trim().is_empty());
    let rows: Vec<_> = chosen.filter_map(|(known, value)| Some((kind(known)?, value.clone()))).collect();
    for (place, (kind, value)) in rows.into_iter().enumerate() {
        given.push((format!("{name}.{place}.{code}"), kind));
        given.push((format!("{name}.{place}.{text}"), value));
    }
}

/// Finds the object that a text names: by its id, its name, the name with the region in brackets, its number, or a part
/// of its name. `on` is the object that the act is on, which is not found. Returns its id, or what is wrong.
async fn find(
    visit: &Visit<'_>,
    widget: Widget,
    text: &str,
    on: Option<&str>,
) -> Result<Result<String, Wrong>, Stopped> {
    let is_id = text.split_once('_').is_some_and(|(noun, key)| {
        noun.bytes().all(|letter| letter.is_ascii_lowercase()) && key.parse::<i64>().is_ok()
    });
    if is_id {
        return Ok(Ok(text.to_owned()));
    }
    let mut nodes = nodes(visit, widget, text, on).await?;
    if let (true, Some((name, place))) = (nodes.is_empty(), with_place(text)) {
        nodes = self::nodes(visit, widget, name, on).await?;
        nodes.retain(|node| word(node, "name") == name && place_of(node) == place);
    }
    let exact: Vec<&Value> =
        nodes.iter().filter(|node| ["name", "number"].map(|of| word(node, of)).contains(&text)).collect();
    let fitting: Vec<&Value> = if exact.is_empty() { nodes.iter().collect() } else { exact };
    if let [one] = fitting.as_slice() {
        return Ok(Ok(word(one, "id").to_owned()));
    }
    let mut wrong = Wrong::of("", String::new());
    let several = (format!("“{text}”有多个，请"), format!("“{text}” fits several: "));
    wrong.message = if fitting.is_empty() {
        visit.words(&format!("没有找到“{text}”，请核对名称"), &format!("Nothing is called “{text}”: check the name"))
    } else if widget.is_list() {
        // The other lines of the field stay as they are.
        let names: Vec<_> =
            fitting.iter().take(3).map(|node| format!("{}（{}）", word(node, "name"), place_of(node))).collect();
        let names = names.join(visit.words("、", ", ").as_str());
        visit.words(
            &format!("{}写明地区，如：{names}", several.0),
            &format!("{}add the region, such as {names}", several.1),
        )
    } else {
        wrong.choices = fitting.iter().take(MAX_CHOICES).map(|node| choice(node)).collect();
        visit.words(&format!("{}选择", several.0), &format!("{}choose one", several.1))
    };
    Ok(Err(wrong))
}

/// Reads the objects whose names contain all words of a text or whose number it is.
async fn nodes(visit: &Visit<'_>, widget: Widget, text: &str, on: Option<&str>) -> Result<Vec<Value>, Stopped> {
    let Some(document) = widget.looked_up() else { return Ok(Vec::new()) };
    // A document may not declare a variable that it does not use.
    let variables = [("text", Some(text)), ("on", on)].into_iter().filter_map(|(name, value)| {
        let is_declared = document.contains(&format!("${name}:"));
        Some((name.to_owned(), Value::from(value?))).filter(|_| is_declared)
    });
    let found = visit.ask(document, variables.collect()).await?;
    let mut nodes = Vec::new();
    listed(&found, &mut nodes);
    let mut seen = HashSet::new();
    nodes.retain(|node| {
        let mut words = text.split_whitespace();
        let is_meant = words.all(|one| word(node, "name").contains(one)) || word(node, "number") == text;
        is_meant && Some(word(node, "id")) != on && seen.insert(word(node, "id").to_owned())
    });
    Ok(nodes)
}

/// Collects the nodes of all lists in an answer.
fn listed(answer: &Value, nodes: &mut Vec<Value>) {
    for (name, value) in answer.as_object().into_iter().flatten() {
        match value.as_array() {
            Some(all) if name == "nodes" => nodes.extend(all.iter().cloned()),
            _ => listed(value, nodes),
        }
    }
}

/// Takes a name with its region in brackets apart.
fn with_place(text: &str) -> Option<(&str, &str)> {
    text.strip_suffix(['）', ')'])?.rsplit_once(['（', '('])
}

/// Returns a text of an object; empty if it has none.
fn word<'a>(node: &'a Value, field: &str) -> &'a str {
    node[field].as_str().unwrap_or_default()
}

/// Returns the name of the region of an object; empty if it has none.
fn place_of(node: &Value) -> &str {
    word(&node["region"], "name")
}

/// Returns the id of an object with what tells it apart from others of the same name.
fn choice(node: &Value) -> (String, String) {
    let name: String = word(node, "name").chars().take(MAX_NAME_CHARS).collect();
    let words = [word(node, "number"), name.as_str(), place_of(node)];
    let label = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    (word(node, "id").to_owned(), label)
}

/// Reads the errors that a mutation returned.
pub(crate) fn errors(payload: &Value, words: &[FieldWords]) -> Vec<Wrong> {
    let one = |error: &Value| {
        let path: Vec<&str> = error["path"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        // The error of an element or of a part belongs to the field that has it.
        let field = words.iter().map(|field| format!("input.{}", field.name)).find(|name| {
            let path = path.join(".");
            path == *name || path.starts_with(&format!("{name}."))
        });
        Wrong {
            field: field.unwrap_or_default(),
            is_stale: error["code"] == "STALE_VERSION",
            ..Wrong::of("", error["message"].as_str().unwrap_or_default().to_owned())
        }
    };
    payload["errors"].as_array().into_iter().flatten().map(one).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SDL: &str = "enum Selector { \"各县（区） · Every county.\" ALL_COUNTIES }";

    fn field(name: &str, kind: &str, from: &str) -> FieldWords {
        serde_json::from_value(json!({ "name": name, "as": kind, "from": from, "zh": "", "en": "" })).unwrap()
    }

    #[test]
    fn a_form_begins_with_the_values_of_its_object() {
        let schema = Schema::read(SDL).unwrap();
        let object = json!({
            "number": null, "budget": 12.0, "deadline": { "raw": "长期坚持" },
            "domains": [{ "name": "水" }, { "name": "矿山" }],
            "checkPlans": [{ "kind": "SPOT_CHECK", "every": "NEVER" }],
            "leaders": [{ "post": "LEAD", "name": "副市长 李某某" }],
            "parties": { "nodes": [
                { "raw": "县政府", "unit": { "name": "白河县人民政府" }, "selector": null },
                { "raw": "各县（区）委、政府", "unit": null, "selector": "ALL_COUNTIES" },
            ] },
        });
        let fields = [
            field("number", "line", "number"),
            field("budget", "number", "budget"),
            field("deadline", "line", "deadline.raw"),
            field("domains", "lines", "domains.name"),
            field("plans", "check-plans", "checkPlans"),
            field("parties", "parties", "parties"),
            field("leaders", "leaders", "leaders"),
            field("reason", "text", ""),
        ];
        let wanted = [
            ("input.budget", "12"),
            ("input.deadline", "长期坚持"),
            ("input.domains", "水\n矿山"),
            ("input.plans.SPOT_CHECK", "NEVER"),
            ("input.parties", "白河县人民政府\n各县（区）"),
            ("input.leaders.LEAD", "副市长 李某某"),
        ];
        let wanted = wanted.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let begun = beginnings(&fields, &object, &schema, false);
        assert_eq!(begun, wanted);
        let sent: Given = vec![("input.domains".to_owned(), "水\r\n矿山\r\n".to_owned())];
        assert_eq!(fields[3].said(&sent), fields[3].said(&begun), "line ends are no change");
        let mut sent: Given = vec![
            ("input.leaders".to_owned(), String::new()),
            ("input.leaders.LEAD".to_owned(), String::new()),
            ("input.leaders.CASE".to_owned(), "王某某".to_owned()),
        ];
        assert!(!fields[6].said(&sent).is_empty(), "a list with a row is not empty");
        read_rows("input.leaders", ("post", "name"), &mut sent);
        let rows = [("input.leaders.0.post", "CASE"), ("input.leaders.0.name", "王某某")];
        assert_eq!(sent[3..], rows.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(fields[4].has("input.plans.SPOT_CHECK") && !fields[4].has("input.planned"));
    }

    #[test]
    fn a_time_is_read_as_a_browser_sends_it_and_as_a_person_types_it() {
        let time = |text| local_time(text).map(|at| at.to_string());
        assert_eq!(time("2026-12-01T09:30"), Some("2026-12-01 09:30:00".to_owned()));
        assert_eq!(time(" 2026-12-01 09:30:15 "), Some("2026-12-01 09:30:15".to_owned()));
        assert_eq!(time("2026-12-01"), None, "a day alone has no time");
    }

    #[test]
    fn a_name_may_carry_its_region() {
        assert_eq!(with_place("水利局（洛隆县）"), Some(("水利局", "洛隆县")));
        assert_eq!(with_place("水利局"), None);
        assert_eq!(Widget::Parties.names("水利局、 各县（区）\r\n\r\n林草局"), ["水利局", "各县（区）", "林草局"]);
        assert_eq!(Widget::Measure.names(" 排查、整治 "), ["排查、整治"], "a text has such signs itself");
    }
}
