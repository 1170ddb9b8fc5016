//! What a caller got wrong and can mend: the input, the state of things, a version that is no longer current, a right that
//! is missing. Nothing was written.

use planner::Bilingual;

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
    /// Too many wrong passwords.
    Locked,
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
            Self::Locked => "LOCKED",
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
/// direction of writing. Gives it back without the blanks around it.
pub fn text(
    given: &str,
    letters: std::ops::RangeInclusive<usize>,
    what: (&str, &str),
    path: &[&str],
) -> Result<String, Fault> {
    let trimmed = given.trim();
    let (zh, en) = what;
    let count = trimmed.chars().count();
    if !letters.contains(&count) {
        let (least, most) = (letters.start(), letters.end());
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

/// Letters that are not seen and change what is: control characters, overrides and isolates of direction.
pub fn is_hidden(letter: char) -> bool {
    (letter.is_control() && !matches!(letter, '\n' | '\r' | '\t'))
        || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

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
