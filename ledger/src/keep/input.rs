//! Checks of the texts that a person enters.

use chrono::NaiveDate;
use planner::Bilingual;

use crate::fault::{self, Fault};
use crate::rule::deadline::{self, Deadline};
use crate::{Error, Result};

/// The maximum length of a title, in characters.
pub(super) const MAX_TITLE: usize = 2_000;
/// The maximum length of a description, a goal or the text of a measure, in characters.
pub(super) const MAX_CONTENT: usize = 20_000;

/// Checks a number as printed; a blank one becomes `None`.
pub(super) fn number(given: Option<String>) -> Result<Option<String>> {
    optional_line(given, 40, ("编号", "the number"), "number")
}

/// Checks an optional text of one line of at most `most` characters; a blank one becomes `None`.
pub(super) fn optional_line(
    given: Option<String>,
    most: usize,
    what: (&str, &str),
    name: &str,
) -> Result<Option<String>> {
    let Some(given) = given.filter(|text| !fault::is_empty(text)) else { return Ok(None) };
    Ok(Some(fault::line(&given, 1..=most, what, &["input", name])?))
}

/// Checks an optional text of at most `most` characters; a blank one becomes `None`.
pub(super) fn optional(given: Option<String>, most: usize, what: (&str, &str), name: &str) -> Result<Option<String>> {
    let Some(given) = given.filter(|text| !fault::is_empty(text)) else { return Ok(None) };
    Ok(Some(fault::text(&given, 1..=most, what, &["input", name])?))
}

/// Checks a required text of 2 to `most` characters.
pub(super) fn needed(given: &str, most: usize, what: (&str, &str), name: &str) -> Result<String> {
    Ok(fault::text(given, 2..=most, what, &["input", name])?)
}

/// Checks a required text of one line of 2 to `most` characters.
pub(super) fn needed_line(given: &str, most: usize, what: (&str, &str), name: &str) -> Result<String> {
    Ok(fault::line(given, 2..=most, what, &["input", name])?)
}

/// Parses a deadline as printed; a blank one becomes `None`. One that may mean several things is refused with the
/// question and a proposal, which can be given instead.
pub(super) fn read_deadline(given: Option<String>, today: NaiveDate) -> Result<Option<Deadline>> {
    let Some(raw) = optional(given, 500, ("整改时限", "the deadline"), "deadline")? else { return Ok(None) };
    let path = ["input", "deadline"];
    let why = |unreadable: deadline::Unreadable| {
        let (zh, en) = deadline::EXPECTED;
        let zh = format!("整改时限{unreadable}，应为{zh}");
        let en = format!("“{raw}” is not a deadline: enter {en}");
        Error::from(Fault::invalid(zh, en, &path))
    };
    match Deadline::parse(&raw, &deadline::Context::new(today)).map_err(why)? {
        deadline::Answer::Read(reading) => Ok(Some(reading.deadline)),
        deadline::Answer::Asked(question) => {
            let Bilingual { zh, en } = question.message();
            Err(Fault::invalid(format!("整改时限{zh}"), format!("the deadline: {en}"), &path).into())
        }
    }
}
