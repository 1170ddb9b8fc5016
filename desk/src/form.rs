//! Forms: which fields the form of an act has, what the user gave, and what is wrong with it.

use async_graphql::parser::types::BaseType;
use chrono::{NaiveDate, TimeZone};
use minijinja::context;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::page::{Stopped, Visit};
use crate::schema::{Schema, base};
use crate::variables::{self, Given};

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
    /// Returns the noun whose objects the field names, with the document that finds them.
    fn looked_up(self) -> Option<&'static str> {
        match self {
            Self::Unit | Self::Units => Some(include_str!("../shared/choices/unit.graphql")),
            Self::Region | Self::Regions => Some(include_str!("../shared/choices/region.graphql")),
            Self::Round => Some(include_str!("../shared/choices/round.graphql")),
            Self::Account => Some(include_str!("../shared/choices/account.graphql")),
            _ => None,
        }
    }

    /// Returns the name by which the template knows the field.
    fn name(self) -> &'static str {
        match self {
            Self::Text | Self::Lines | Self::Units | Self::Regions => "text",
            Self::Line | Self::Unit | Self::Region | Self::Round | Self::Account => "line",
            Self::Day => "day",
            Self::Month => "month",
            Self::Number => "number",
            Self::Check => "check",
            Self::Yesno => "yesno",
            Self::Choice => "choice",
            Self::Choices => "choices",
            Self::Password => "password",
            Self::Code => "code",
            Self::Quantities => "quantities",
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
}

/// The dates that fields may begin with.
pub(crate) struct Now {
    pub(crate) today: String,
    pub(crate) month: String,
}

/// Returns the values of an object with which the fields of a form begin.
pub(crate) fn beginnings(words: &[FieldWords], object: &Value) -> Given {
    let begin = |field: &FieldWords| {
        let texts = texts(object, &field.from);
        (!texts.is_empty()).then(|| (format!("input.{}", field.name), texts.join("\n")))
    };
    words.iter().filter(|field| field.has_beginning()).filter_map(begin).collect()
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
        let wrong = wrongs.iter().find(|wrong| wrong.field == name);
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
            label => if is_english { &words.en } else { &words.zh },
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

/// Reads the input of a mutation from a form. Names of objects are looked up; numbers have to be numbers.
pub(crate) async fn input(
    visit: &Visit<'_>,
    words: &[FieldWords],
    input: &str,
    given: &Given,
) -> Result<Result<Map<String, Value>, Vec<Wrong>>, Stopped> {
    let mut given = given.clone();
    let mut wrongs = Vec::new();
    for field in words {
        let name = format!("input.{}", field.name);
        match field.kind {
            Widget::Number => {
                let text = variables::first(&given, &name).unwrap_or_default();
                if !text.is_empty() && text.trim().replace([',', '，'], "").parse::<f64>().is_err() {
                    let message = visit.words("请只填写数字", "Enter a number only");
                    wrongs.push(Wrong { field: name, message, choices: Vec::new() });
                }
            }
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
            kind => {
                if let Some(document) = kind.looked_up() {
                    look_up(visit, document, &name, (&mut given, &mut wrongs)).await?;
                }
            }
        }
    }
    if wrongs.is_empty() {
        Ok(Ok(variables::of_input(&visit.desk.schema, input, "input.", &given)))
    } else {
        Ok(Err(wrongs))
    }
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
        let is_emptied = given.iter().any(|(known, _)| *known == name) && variables::first(given, &name).is_none();
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
    document: &str,
    name: &str,
    (given, wrongs): (&mut Given, &mut Vec<Wrong>),
) -> Result<(), Stopped> {
    let is_id = |text: &str| {
        text.split_once('_').is_some_and(|(noun, key)| {
            noun.bytes().all(|letter| letter.is_ascii_lowercase()) && key.parse::<i64>().is_ok()
        })
    };
    let mut kept: Given = Vec::new();
    for (known, value) in std::mem::take(given) {
        if known != name {
            kept.push((known, value));
            continue;
        }
        for text in value.split(['\n', '、', '；', ';']).map(str::trim).filter(|text| !text.is_empty()) {
            if is_id(text) {
                kept.push((name.to_owned(), text.to_owned()));
                continue;
            }
            let variables = Map::from_iter([("text".to_owned(), Value::String(text.to_owned()))]);
            let found = visit.ask(document, variables).await?;
            let mut nodes = found["found"]["nodes"].as_array().cloned().unwrap_or_default();
            nodes.retain(|node| node["name"].as_str().is_some_and(|name| name.contains(text)));
            nodes.truncate(10);
            let word = |node: &Value, field: &str| node[field].as_str().unwrap_or_default().to_owned();
            let exact: Vec<&Value> = nodes.iter().filter(|node| word(node, "name") == text).collect();
            let one = match (exact.as_slice(), nodes.as_slice()) {
                ([one], _) => Some(*one),
                ([], [one]) => Some(one),
                _ => None,
            };
            if let Some(one) = one {
                kept.push((name.to_owned(), word(one, "id")));
                continue;
            }
            let label = |node: &Value| {
                let place = node["region"]["name"].as_str().unwrap_or_default();
                (word(node, "id"), format!("{} {place}", word(node, "name")).trim().to_owned())
            };
            let message = if nodes.is_empty() {
                visit.words(
                    &format!("没有找到“{text}”，请核对名称"),
                    &format!("Nothing is called “{text}”: check the name"),
                )
            } else {
                visit.words(&format!("“{text}”有多个，请选择"), &format!("“{text}” fits several: choose one"))
            };
            wrongs.push(Wrong { field: name.to_owned(), message, choices: nodes.iter().map(label).collect() });
            kept.push((name.to_owned(), text.to_owned()));
        }
    }
    *given = kept;
    Ok(())
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
            message: error["message"].as_str().unwrap_or_default().to_owned(),
            choices: Vec::new(),
        }
    };
    payload["errors"].as_array().into_iter().flatten().map(one).collect()
}
