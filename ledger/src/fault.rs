//! What a caller got wrong and can mend: the input, the state of things, a version that is no longer current, a right that
//! is missing. Nothing was written.

use chrono::{Datelike, NaiveDate};
use planner::Bilingual;

use crate::calendar::YEARS;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// A stable code.
    pub code: FaultCode,
    /// What is wrong and what to do.
    pub message: Bilingual,
    /// Where in the input.
    pub path: Vec<String>,
}

/// Stable codes of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultCode {
    /// A value is malformed or out of range.
    Invalid,
    /// There is no such row, or it may not be seen.
    NotFound,
    /// Somebody has changed the row since.
    StaleVersion,
    /// The step is not open in this state.
    WrongState,
    /// Somebody else has to do this.
    NotAllowed,
    /// Something else has it already.
    Conflict,
    /// Address or password are wrong, or the account cannot be used.
    SignInFailed,
}

impl FaultCode {
    /// As callers see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "INVALID",
            Self::NotFound => "NOT_FOUND",
            Self::StaleVersion => "STALE_VERSION",
            Self::WrongState => "WRONG_STATE",
            Self::NotAllowed => "NOT_ALLOWED",
            Self::Conflict => "CONFLICT",
            Self::SignInFailed => "SIGN_IN_FAILED",
        }
    }
}

impl Fault {
    /// A fault at a place of the input.
    pub fn new(code: FaultCode, zh: impl Into<String>, en: impl Into<String>, path: &[&str]) -> Self {
        Self { code, message: Bilingual::new(zh, en), path: path.iter().map(|step| (*step).to_owned()).collect() }
    }

    /// A malformed value.
    pub fn invalid(zh: impl Into<String>, en: impl Into<String>, path: &[&str]) -> Self {
        Self::new(FaultCode::Invalid, zh, en, path)
    }
}

/// Checks a text that a person typed: its length, and that it has no invisible control characters or marks that turn the
/// direction of writing. Gives it back without the blanks around it. Letters that show nothing do not make a text long
/// enough.
pub fn text(
    given: &str,
    letters: std::ops::RangeInclusive<usize>,
    what: (&str, &str),
    path: &[&str],
) -> Result<String, Fault> {
    let trimmed = given.trim();
    let (zh, en) = what;
    let (least, most) = (letters.start(), letters.end());
    let (count, shown) = (trimmed.chars().count(), trimmed.chars().filter(|letter| !is_blank(*letter)).count());
    if shown < *least || count > *most {
        let count = if shown < *least { shown } else { count };
        return Err(Fault::invalid(
            format!("{zh}应为 {least} 至 {most} 个字，现有 {count} 个"),
            format!("{en}: {least} to {most} letters, not {count}"),
            path,
        ));
    }
    if trimmed.chars().any(is_hidden) {
        return Err(Fault::invalid(
            format!("{zh}含有不可见的控制字符，请删除"),
            format!("{en}: has invisible control characters, remove them"),
            path,
        ));
    }
    Ok(trimmed.to_owned())
}

/// The same of a name, in which no letter may hide: two names that look alike are one.
pub fn name(
    given: &str,
    letters: std::ops::RangeInclusive<usize>,
    what: (&str, &str),
    path: &[&str],
) -> Result<String, Fault> {
    let name = text(given, letters, what, path)?;
    if name.chars().any(|letter| is_blank(letter) && !letter.is_whitespace()) {
        let (zh, en) = (format!("{}含有不可见的字符，请删除", what.0), format!("{}: has invisible letters", what.1));
        return Err(Fault::invalid(zh, en, path));
    }
    Ok(name)
}

/// Letters that are not seen and change what is: control characters, overrides and isolates of direction.
pub fn is_hidden(letter: char) -> bool {
    (letter.is_control() && !matches!(letter, '\n' | '\r' | '\t'))
        || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
}

/// Whether a text says nothing: every letter of it is a blank, or one that shows nothing.
pub fn is_empty(text: &str) -> bool {
    text.chars().all(is_blank)
}

/// Whether two texts show the same letters.
pub(crate) fn says_the_same(one: &str, other: &str) -> bool {
    let shown = |text: &str| text.chars().filter(|letter| !is_blank(*letter)).collect::<String>();
    shown(one) == shown(other)
}

/// Blanks, and letters that take no room or show nothing (zero-width ones, joiners, fillers, selectors of variants): within
/// a text they may be right, a text of nothing else is empty.
pub(crate) fn is_blank(letter: char) -> bool {
    letter.is_whitespace()
        || is_hidden(letter)
        || matches!(letter, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200d}')
        || matches!(letter, '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
        || matches!(letter, '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}')
}

/// Refuses a day that no ledger has anything to do with.
pub fn day(given: NaiveDate, what: (&str, &str), path: &[&str]) -> Result<(), Fault> {
    if YEARS.contains(&given.year()) {
        return Ok(());
    }
    let (first, last) = (YEARS.start(), YEARS.end());
    Err(Fault::invalid(
        format!("{}应在 {first} 年至 {last} 年之间", what.0),
        format!("{}: a day of the years {first} to {last}", what.1),
        path,
    ))
}

/// The same of something that has happened: it is not after today either.
pub fn past_day(given: NaiveDate, today: NaiveDate, what: (&str, &str), path: &[&str]) -> Result<(), Fault> {
    if given > today {
        return Err(Fault::invalid(format!("{}不能晚于今天", what.0), format!("{}: not after today", what.1), path));
    }
    day(given, what, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_show_nothing_make_no_text() {
        let read = |given: &str| text(given, 2..=5, ("理由", "the reason"), &["input"]);
        for nothing in
            ["\u{200b}\u{200b}", "\u{200d} \u{2060}", "\u{3164}\u{3164}", "\u{ad}\u{ad}\u{ad}", "\u{2800}\u{fe0f}"]
        {
            assert!(is_empty(nothing), "{nothing:?}");
            assert_eq!(read(nothing).map_err(|fault| fault.code), Err(FaultCode::Invalid), "{nothing:?}");
        }
        assert!(read("好\u{200b}").is_err());
        assert_eq!(read("葛\u{e0100}某").as_deref(), Ok("葛\u{e0100}某"), "a variant of a letter is that letter");
    }

    #[test]
    fn days_are_of_the_years_that_ledgers_know() {
        let of = |text: &str| text.parse::<NaiveDate>().unwrap();
        let past = |text: &str| past_day(of(text), of("2026-11-22"), ("完成日期", "completion"), &["input"]);
        assert!(past("2026-11-22").is_ok() && past("1990-01-01").is_ok());
        for wrong in ["2026-11-23", "1989-12-31", "0001-01-01"] {
            assert!(past(wrong).is_err(), "{wrong}");
        }
        assert!(day(of("2100-12-31"), ("期限", "the term"), &[]).is_ok());
        assert!(day(of("2101-01-01"), ("期限", "the term"), &[]).is_err());
    }

    #[test]
    fn texts_are_trimmed_bounded_and_hide_nothing() {
        let read = |given: &str| text(given, 2..=5, ("理由", "the reason"), &["input"]);
        assert_eq!(read(" 已完成\n ").as_deref(), Ok("已完成"));
        assert!(read("好").is_err() && read(&"长".repeat(10_000_000)).is_err());
        for trick in ["a\u{202e}b", "a\u{0}b", "a\u{200f}b", "\u{2066}ab"] {
            assert_eq!(read(trick).map_err(|fault| fault.code), Err(FaultCode::Invalid), "{trick:?}");
        }
    }
}
