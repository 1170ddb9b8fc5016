//! Writing pages: the templates, and the functions with which they write dates, numbers and labels as people do.

use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate};
use chrono_tz::Tz;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Rest, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior, escape_formatter};

use crate::schema::Schema;
use crate::{asset, files};

/// The templates with their functions.
pub(crate) struct View {
    schema: Arc<Schema>,
    zone: Tz,
    /// The templates as the program embeds them; a debug build reads them anew for each page.
    embedded: Option<Environment<'static>>,
}

impl View {
    /// Makes a view with the labels of a schema, which writes moments in a time zone.
    pub(crate) fn new(schema: Arc<Schema>, zone: Tz) -> Self {
        let embedded = (!cfg!(debug_assertions)).then(|| environment(&schema, zone));
        Self { schema, zone, embedded }
    }

    /// Renders a template.
    pub(crate) fn render(&self, template: &str, context: Value) -> Result<String, Error> {
        match &self.embedded {
            Some(environment) => environment.get_template(template)?.render(context),
            None => environment(&self.schema, self.zone).get_template(template)?.render(context),
        }
    }
}

fn environment(schema: &Arc<Schema>, zone: Tz) -> Environment<'static> {
    let mut environment = Environment::new();
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        environment.set_syntax(syntax);
    }
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(
        |out, state, value| {
            if value.is_none() { Ok(()) } else { escape_formatter(out, state, value) }
        },
    );
    environment.set_loader(|name| Ok(files::text(name)));
    environment.add_function("t", |state: &State, zh: Value, en: Value| if is_english(state) { en } else { zh });
    let labels = schema.clone();
    environment.add_function("label", move |state: &State, of: &str, value: Value| {
        value.as_str().map(|value| labels.label(of, value, is_english(state))).unwrap_or_default()
    });
    let values = schema.clone();
    environment.add_function("values", move |of: &str| -> Vec<String> {
        values.values(of).unwrap_or_default().iter().map(|(code, _)| code.clone()).collect()
    });
    environment.add_function("act_word", |state: &State, code: &str| api::act_in_words(code, is_english(state)));
    environment.add_function("asset", asset::address);
    environment.add_function("address", address);
    environment.add_filter("day", day);
    environment.add_filter("month", month);
    environment.add_filter("moment", move |state: &State, value: Value| moment(state, &value, zone));
    environment.add_filter("left", left);
    environment.add_filter("number", number);
    environment.add_filter("percent", percent);
    environment.add_filter("short", short);
    environment.add_filter("sentence", sentence);
    environment
}

fn is_english(state: &State) -> bool {
    state.lookup("is_english").is_some_and(|value| value.is_true())
}

/// Writes an address: a path with the given parameters, without those that are empty. `with=query` first takes over the
/// parameters of the current page.
#[expect(clippy::needless_pass_by_value, reason = "the template engine passes arguments by value")]
fn address(path: &str, rest: Rest<Value>, parameters: Kwargs) -> Result<String, Error> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut keep = |value: &Value| -> Result<(), Error> {
        for pair in value.try_iter()? {
            let both: Vec<String> = pair.try_iter()?.map(|one| one.to_string()).collect();
            if let [name, value] = both.as_slice() {
                pairs.push((name.clone(), value.clone()));
            }
        }
        Ok(())
    };
    for pairs in rest.iter() {
        keep(pairs)?;
    }
    for name in parameters.args() {
        let value: Value = parameters.get(name)?;
        pairs.retain(|(known, _)| known != name);
        if !value.is_none() && !value.is_undefined() {
            pairs.push((name.to_owned(), value.to_string()));
        }
    }
    let pairs: Vec<(String, String)> = pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    if pairs.is_empty() {
        return Ok(path.to_owned());
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    Ok(format!("{path}?{query}"))
}

fn invalid(what: &str, value: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("not a {what}: {value}"))
}

fn worded_day(state: &State, date: NaiveDate) -> String {
    if is_english(state) {
        date.format("%-d %b %Y").to_string()
    } else {
        format!("{}年{}月{}日", date.year(), date.month(), date.day())
    }
}

/// Writes a date as people do: 2026年11月28日, or 28 Nov 2026. Null becomes a dash.
fn day(state: &State, value: &Value) -> Result<String, Error> {
    let Some(text) = value.as_str() else { return Ok("—".to_owned()) };
    let date = text.get(..10).and_then(|text| text.parse::<NaiveDate>().ok());
    Ok(worded_day(state, date.ok_or_else(|| invalid("date", text))?))
}

/// Writes how many days are left until a date, or have passed since.
fn left(state: &State, value: &Value) -> String {
    let read = |value: &Value| value.as_str().and_then(|text| text.parse::<NaiveDate>().ok());
    let today = state.lookup("today").as_ref().and_then(read);
    let (Some(date), Some(today)) = (read(value), today) else { return String::new() };
    let days = (date - today).num_days();
    match (is_english(state), days) {
        (false, 0) => "今天到期".to_owned(),
        (false, days) if days < 0 => format!("已过 {} 天", -days),
        (false, days) => format!("还有 {days} 天"),
        (true, 0) => "due today".to_owned(),
        (true, days) if days < 0 => format!("{} days ago", -days),
        (true, days) => format!("{days} days left"),
    }
}

/// Writes a month such as `2026-11` as people do.
fn month(state: &State, value: &Value) -> String {
    let Some(text) = value.as_str() else { return "—".to_owned() };
    let Ok(first) = format!("{text}-01").parse::<NaiveDate>() else { return text.to_owned() };
    if is_english(state) {
        first.format("%b %Y").to_string()
    } else {
        format!("{}年{}月", first.year(), first.month())
    }
}

/// Writes a moment as people do, in the time zone of the ledger.
fn moment(state: &State, value: &Value, zone: Tz) -> Result<String, Error> {
    let Some(text) = value.as_str() else { return Ok("—".to_owned()) };
    let at = DateTime::parse_from_rfc3339(text).map_err(|_| invalid("moment", text))?.with_timezone(&zone);
    Ok(format!("{} {}", worded_day(state, at.date_naive()), at.format("%H:%M")))
}

/// Writes a number with its thousands separated, and with at most two decimals.
fn number(value: &Value) -> String {
    let Ok(amount) = f64::try_from(value.clone()) else { return "—".to_owned() };
    let text = format!("{amount:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let (whole, rest) = text.split_once('.').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match rest {
        Some(rest) => format!("{sign}{grouped}.{rest}"),
        None => format!("{sign}{grouped}"),
    }
}

/// Writes a share between 0 and 1 as a percentage.
fn percent(value: &Value) -> String {
    f64::try_from(value.clone()).map_or_else(|_| "—".to_owned(), |share| format!("{:.1}%", share * 100.0))
}

/// Begins a text with a capital letter if the page is in English: the errors of the API begin in lower case.
fn sentence(state: &State, text: &Value) -> String {
    let text = text.as_str().unwrap_or_default();
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if is_english(state) => first.to_uppercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}

/// Shortens a text to a number of characters, with an ellipsis if something was cut off.
fn short(text: &Value, most: usize) -> String {
    let text = text.as_str().unwrap_or_default();
    let mut kept: String = text.chars().take(most).collect();
    if text.chars().count() > most {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use super::*;

    /// Every template compiles, and gives the filters of the desk what they take: a wrong number of arguments would
    /// show only where a page reaches it.
    #[test]
    fn templates_give_filters_the_arguments_that_they_take() {
        let schema = Arc::new(Schema::read(&api::sdl()).unwrap());
        let environment = environment(&schema, chrono_tz::Asia::Shanghai);
        let templates = files::templates();
        assert!(templates.len() > 50, "{templates:?}");
        for name in templates {
            let text = files::text(&name).unwrap();
            environment.get_template(&name).unwrap_or_else(|error| panic!("{name}: {error:#}"));
            for (filter, takes) in [
                ("day", false),
                ("month", false),
                ("moment", false),
                ("left", false),
                ("number", false),
                ("percent", false),
                ("sentence", false),
                ("short", true),
            ] {
                for (place, found) in text.match_indices(&format!("| {filter}")) {
                    let rest = &text[place + found.len()..];
                    let is_other = rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
                    assert!(
                        is_other || rest.starts_with('(') == takes,
                        "{name}: {found}{}",
                        &rest[..rest.len().min(9)]
                    );
                }
            }
        }
    }

    #[test]
    fn an_error_in_english_begins_with_a_capital_letter() {
        let mut environment = Environment::new();
        environment.add_filter("sentence", sentence);
        let written = |text: &str, is_english: bool| {
            environment.render_str("{{ text | sentence }}", context! { text, is_english }).unwrap()
        };
        assert_eq!(written("the unit is retired", true), "The unit is retired");
        assert_eq!(written("month 应为年月", false), "month 应为年月");
        assert_eq!(written("", true), "");
    }
}
