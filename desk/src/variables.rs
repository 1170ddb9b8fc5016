//! Values of variables and inputs: the text that a browser sends, as JSON of the type that the schema or the document
//! declares.

use async_graphql::parser::types::{BaseType, DocumentOperations, ExecutableDocument, Type};
use chrono::NaiveDate;
use serde_json::{Map, Value};

use crate::schema::{Field, Schema, base};

/// Names with the values that a browser gave to them, in their order. A name may occur several times.
pub(crate) type Given = Vec<(String, String)>;

/// Returns the first value of a name that is not blank.
pub(crate) fn first<'a>(given: &'a Given, name: &str) -> Option<&'a str> {
    given.iter().find(|(known, value)| known == name && !value.trim().is_empty()).map(|(_, value)| value.as_str())
}

/// Reads the variables that a document declares from the values of the same names. A value that does not fit the type
/// is left out, as if it had not been given, so that an address that someone has edited still shows the page.
pub(crate) fn of_document(document: &ExecutableDocument, schema: &Schema, given: &Given) -> Map<String, Value> {
    let operation = match &document.operations {
        DocumentOperations::Single(operation) => Some(&operation.node),
        DocumentOperations::Multiple(operations) => operations.values().next().map(|one| &one.node),
    };
    let mut variables = Map::new();
    for definition in operation.iter().flat_map(|operation| &operation.variable_definitions) {
        let name = definition.node.name.node.as_str();
        let of = &definition.node.var_type.node;
        let fitting: Vec<&str> = all(given, name).into_iter().filter(|text| fits(schema, of, text)).collect();
        if let Some(value) = value(of, &fitting) {
            variables.insert(name.to_owned(), value);
        }
    }
    // A page before a cursor is the last of those before it.
    if variables.contains_key("before") && !variables.contains_key("last") {
        let declared = |name: &str| {
            let mut definitions = operation.iter().flat_map(|operation| &operation.variable_definitions);
            definitions.find(|definition| definition.node.name.node == name)
        };
        if let (Some(first), Some(_)) = (declared("first"), declared("last")) {
            let default = first.node.default_value.as_ref().and_then(|value| value.node.clone().into_json().ok());
            variables.insert("last".to_owned(), default.unwrap_or(Value::from(50)));
            variables.insert("first".to_owned(), Value::Null);
        }
    }
    variables
}

/// Returns whether a text is a value of a type: dates have to be dates, and enum values those of the schema.
fn fits(schema: &Schema, of: &Type, text: &str) -> bool {
    let name = base(&of.base);
    match schema.values(&name) {
        Some(values) => values.iter().any(|(code, _)| code == text),
        None => name != "Date" || text.parse::<NaiveDate>().is_ok(),
    }
}

/// Reads an input object from the values of its fields. `prefix` is what stands before their names, such as `input.`.
pub(crate) fn of_input(schema: &Schema, input: &str, prefix: &str, given: &Given) -> Map<String, Value> {
    let fields = schema.inputs(input).unwrap_or_default();
    let read = |field: &Field| {
        let name = format!("{prefix}{}", field.name);
        let of = base(&field.of.base);
        let value = if schema.inputs(&of).is_none() {
            value(&field.of, &all(given, &name))
        } else if matches!(field.of.base, BaseType::List(_)) {
            list(schema, &of, &name, given)
        } else {
            Some(Value::Object(of_input(schema, &of, &format!("{name}."), given)))
                .filter(|value| value.as_object().is_some_and(|fields| !fields.is_empty()))
        };
        value.map(|value| (field.name.clone(), value))
    };
    fields.iter().filter_map(read).collect()
}

/// Reads a list of input objects, whose fields are named `name.0.field`, `name.1.field` and so on. An object without
/// any value is left out. A list whose fields are all blank is empty, and so is one of which only `name` itself was
/// sent; a list of which nothing was sent is left out.
fn list(schema: &Schema, of: &str, name: &str, given: &Given) -> Option<Value> {
    let mut places: Vec<usize> = given
        .iter()
        .filter_map(|(known, _)| known.strip_prefix(name)?.strip_prefix('.')?.split('.').next()?.parse().ok())
        .collect();
    places.sort_unstable();
    places.dedup();
    let is_shown = !places.is_empty() || given.iter().any(|(known, _)| known == name);
    let object = |place: usize| of_input(schema, of, &format!("{name}.{place}."), given);
    let objects = places.into_iter().map(object).filter(|fields| !fields.is_empty()).map(Value::Object);
    is_shown.then(|| Value::Array(objects.collect()))
}

/// Returns the names under `prefix` whose values should be numbers and are not, with the values and whether they should
/// be whole.
pub(crate) fn no_numbers<'a>(
    schema: &Schema,
    input: &str,
    prefix: &str,
    given: &'a Given,
) -> Vec<(&'a str, &'a str, bool)> {
    let check = |(name, text): &'a (String, String)| {
        let path = name.strip_prefix(prefix)?;
        let parts: Vec<&str> = path.split('.').filter(|part| part.parse::<usize>().is_err()).collect();
        let is_whole = match base(&schema.at(input, &parts.join("."))?.of.base).as_str() {
            "Int" => true,
            "Float" => false,
            _ => return None,
        };
        let is_number = number(text).is_some_and(|number| !is_whole || number.fract() == 0.0);
        (!text.trim().is_empty() && !is_number).then_some((name.as_str(), text.trim(), is_whole))
    };
    given.iter().filter_map(check).collect()
}

/// Reads a number as people write it: also with full-width digits, spaces, and commas between groups of three digits.
fn number(text: &str) -> Option<f64> {
    let plain = |letter: char| match letter {
        '０'..='９' => char::from_u32(u32::from(letter) - u32::from('０') + u32::from('0')).unwrap_or(letter),
        '．' | '。' => '.',
        '，' => ',',
        '－' | '−' => '-',
        '＋' => '+',
        other => other,
    };
    let text: String = text.chars().filter(|letter| !letter.is_whitespace()).map(plain).collect();
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut groups = whole.trim_start_matches(['-', '+']).split(',');
    let first = groups.next().unwrap_or_default();
    let is_grouped = whole.contains(',');
    let is_group = |group: &str| group.len() == 3 && group.bytes().all(|digit| digit.is_ascii_digit());
    if is_grouped && !((1..=3).contains(&first.len()) && groups.all(is_group)) {
        return None;
    }
    // Digits only: Rust would read `inf` and `1e9` as well.
    let digits = |letter: char| letter.is_ascii_digit() || matches!(letter, '.' | ',' | '-' | '+');
    if !text.chars().all(digits) {
        return None;
    }
    format!("{}{rest}", whole.replace(',', "")).parse().ok()
}

/// Returns the values of a name that are not blank.
fn all<'a>(given: &'a Given, name: &str) -> Vec<&'a str> {
    given.iter().filter(|(known, value)| known == name && !value.trim().is_empty()).map(|(_, v)| v.as_str()).collect()
}

/// Writes a whole number without decimals.
#[expect(clippy::cast_possible_truncation, reason = "a number that is too large becomes the largest, which is refused")]
fn whole(number: f64) -> Value {
    Value::from(number as i64)
}

/// Reads a value of a type.
fn value(of: &Type, given: &[&str]) -> Option<Value> {
    match &of.base {
        BaseType::List(inner) => {
            // A text area gives one value, with one element of the list on each line.
            let lines = given.iter().flat_map(|value| value.lines()).map(str::trim).filter(|line| !line.is_empty());
            let values: Vec<Value> = lines.filter_map(|line| value(inner, &[line])).collect();
            Some(Value::Array(values)).filter(|_| !given.is_empty())
        }
        BaseType::Named(name) => {
            let text = given.first()?;
            match name.as_str() {
                "Int" => number(text).filter(|number| number.fract() == 0.0).map(whole),
                "Float" => number(text).map(Value::from),
                "Boolean" => Some(Value::Bool(matches!(*text, "true" | "on" | "1"))),
                // Forms send line ends as CR LF.
                _ => Some(Value::String(text.replace("\r\n", "\n"))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SDL: &str = "input MeasureInput { quantities: [QuantityInput!]! = [], units: [ID!], count: Int }
        input QuantityInput { label: String!, done: Float }";

    fn read(given: &[(&str, &str)]) -> Value {
        let schema = Schema::read(SDL).unwrap();
        let given: Given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Value::Object(of_input(&schema, "MeasureInput", "input.", &given))
    }

    #[test]
    fn a_number_is_read_as_people_write_it() {
        for (text, number) in
            [("3.2", 3.2), (" １２．５ ", 12.5), ("1,234,567", 1_234_567.0), ("１，２００", 1200.0), ("-2", -2.0)]
        {
            assert_eq!(super::number(text), Some(number), "{text}");
        }
        for text in ["三点二", "3.2万亩", "12,5", "1.2.3", "", "-", "1e9", "inf"] {
            assert_eq!(super::number(text), None, "{text}");
        }
    }

    #[test]
    fn a_text_where_a_number_belongs_is_found() {
        let schema = Schema::read(SDL).unwrap();
        let given: Given = [
            ("input.quantities.0.label", "草原"),
            ("input.quantities.0.done", "三点二"),
            ("input.quantities.1.done", "３"),
            ("input.count", "1.5"),
            ("input.quantities.2.done", " "),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        let wrong = no_numbers(&schema, "MeasureInput", "input.", &given);
        assert_eq!(wrong, [("input.quantities.0.done", "三点二", false), ("input.count", "1.5", true)]);
    }

    #[test]
    fn a_list_that_was_shown_and_emptied_is_sent_empty() {
        assert_eq!(read(&[]), json!({}), "not shown");
        assert_eq!(read(&[("input.quantities", "")]), json!({ "quantities": [] }), "shown without rows");
        let blank = [("input.quantities.0.label", ""), ("input.quantities.0.done", " ")];
        assert_eq!(read(&blank), json!({ "quantities": [] }), "emptied");
        let second = [("input.quantities.0.label", ""), ("input.quantities.1.label", "草原"), ("input.units", "")];
        assert_eq!(read(&second), json!({ "quantities": [{ "label": "草原" }] }), "one row emptied");
    }
}
