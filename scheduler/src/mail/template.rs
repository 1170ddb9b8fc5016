//! The templates of mails: embedded, and the layouts among them made from MJML to HTML that holds in mail programs.
//!
//! A kind is one file, `<language>/<kind>.j2`, which is rendered as `subject`, `reason`, `txt` and `html`: it extends
//! the layout of that format (`digest`, `notice` or `account`) and fills its blocks.

use chrono::{DateTime, NaiveDate};
use entity::language::Language;
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State};
use mrml::prelude::render::RenderOptions;

/// The formats that each kind is rendered in.
const FORMATS: &[&str] = &["subject", "reason", "txt", "html"];
/// The layouts that kinds extend.
const LAYOUTS: &[&str] = &["digest", "notice", "account"];
/// The parts that layouts take in: as text by `include`, in MJML by `<mj-include path="….mjml" />`.
const PARTS: &[&str] = &["figures"];
/// The languages, each with the folder of its templates.
const LANGUAGES: &[Language] = &[Language::Zh, Language::En];

/// The folder of a language's templates.
pub(super) fn folder(language: Language) -> &'static str {
    match language {
        Language::Zh => "zh",
        Language::En => "en",
    }
}

/// The templates of these kinds, in every language and format. Fails where one is missing or malformed.
pub(super) fn environment(kinds: impl Iterator<Item = &'static str>) -> Result<Environment<'static>, Error> {
    let files = embedded();
    let source = |name: &str| files.get_template(name).map(|template| template.source().to_owned());
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|name| match name.rsplit_once('.') {
        Some((_, "html")) => AutoEscape::Html,
        _ => AutoEscape::None,
    });
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::SemiStrict);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.add_filter("date", date);
    environment.add_filter("month", month);
    environment.add_filter("percent", percent);
    environment.add_filter("short", short);
    for folder in LANGUAGES.iter().map(|language| folder(*language)) {
        environment.add_template_owned(format!("{folder}/words"), source(&format!("{folder}/words.j2"))?)?;
        let mut parts = Vec::new();
        for part in PARTS {
            let name = format!("{folder}/{part}");
            environment.add_template_owned(format!("{name}.txt"), source(&format!("{name}.txt"))?)?;
            parts.push((format!("<mj-include path=\"{part}.mjml\" />"), source(&format!("{name}.mjml"))?));
        }
        for layout in LAYOUTS {
            let name = format!("{folder}/{layout}");
            environment.add_template_owned(format!("{name}.subject"), "{% block subject %}{% endblock %}")?;
            environment.add_template_owned(format!("{name}.reason"), source(&format!("{name}.reason.txt"))?)?;
            environment.add_template_owned(format!("{name}.txt"), source(&format!("{name}.txt"))?)?;
            let mjml = source(&format!("{name}.mjml"))?;
            let mjml = parts.iter().fold(mjml, |mjml, (include, part)| mjml.replace(include, part));
            environment.add_template_owned(format!("{name}.html"), html(&mjml)?)?;
        }
    }
    for kind in kinds.chain(["test"]) {
        for folder in LANGUAGES.iter().map(|language| folder(*language)) {
            let source = source(&format!("{folder}/{kind}.j2"))?;
            for format in FORMATS {
                environment.add_template_owned(format!("{folder}/{kind}.{format}"), source.clone())?;
            }
        }
    }
    Ok(environment)
}

/// The files of `templates`, by their paths.
#[expect(clippy::expect_used, reason = "generated code; the build has parsed the same files")]
fn embedded() -> Environment<'static> {
    let mut files = Environment::new();
    minijinja_embed::load_templates!(&mut files);
    files
}

/// The HTML of a layout in MJML, whose template syntax stays as it is.
fn html(mjml: &str) -> Result<String, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::new(ErrorKind::SyntaxError, format!("MJML: {error}"));
    let parsed = mrml::parse(mjml).map_err(|error| failed(&error))?;
    parsed.element.render(&RenderOptions::default()).map_err(|error| failed(&error))
}

/// A date or a moment as the template's language writes it.
fn date(state: &State<'_, '_>, text: &str) -> Result<String, Error> {
    let is_chinese = state.lookup("language").is_none_or(|language| language.as_str() == Some("zh"));
    let (day, moment) =
        if is_chinese { ("%Y年%-m月%-d日", "%Y年%-m月%-d日 %H:%M") } else { ("%-d %B %Y", "%-d %B %Y, %H:%M") };
    if let Ok(date) = text.parse::<NaiveDate>() {
        return Ok(date.format(day).to_string());
    }
    let at = DateTime::parse_from_rfc3339(text)
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, format!("`{text}` is no date: {error}")))?;
    Ok(at.format(moment).to_string())
}

/// A month, given by its first day, as the template's language writes it.
fn month(state: &State<'_, '_>, text: &str) -> Result<String, Error> {
    let is_chinese = state.lookup("language").is_none_or(|language| language.as_str() == Some("zh"));
    let first = text.parse::<NaiveDate>();
    let first =
        first.map_err(|error| Error::new(ErrorKind::InvalidOperation, format!("`{text}` is no date: {error}")))?;
    Ok(first.format(if is_chinese { "%Y年%-m月" } else { "%B %Y" }).to_string())
}

/// A share from 0 to 1 in percent, with one decimal; a dash where there is none.
fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "—".to_owned(), |share| format!("{:.1}%", share * 100.0))
}

/// The first characters of a text on one line.
fn short(text: &str, most: usize) -> String {
    ledger::rule::wording::shortened(text, most)
}
