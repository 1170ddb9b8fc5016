//! Faults: errors that the caller can correct, such as invalid input, a step that the current status does not allow, an
//! outdated version or a missing right. When an act returns a fault, nothing was written.
//!
//! This module also checks the texts and dates that users type, paste or import.

use chrono::{Datelike, NaiveDate};
use planner::Bilingual;

use crate::Error;
use crate::rule::calendar::YEARS;

/// One error that the caller can correct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The stable code by which programs recognise the error.
    pub code: FaultCode,
    /// What is wrong and how to correct it, in Chinese and English.
    pub message: Bilingual,
    /// The path to the value in the input, outermost name first: `input`, `reason`. Empty if no single value is at
    /// fault.
    pub path: Vec<String>,
}

/// The stable codes of faults; part of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultCode {
    /// A value is malformed or out of range.
    Invalid,
    /// The row does not exist, or the caller may not see it.
    NotFound,
    /// The row has changed since the caller read it.
    StaleVersion,
    /// The current status does not allow this step.
    WrongState,
    /// The caller may not do this; another role or unit has to.
    NotAllowed,
    /// It conflicts with something that exists already, such as a code that is taken.
    Conflict,
    /// The address or the password is wrong, or the account cannot be used.
    SignInFailed,
    /// The password is correct, and a code of the second factor is required as well.
    SecondFactorRequired,
}

impl FaultCode {
    /// Returns the code as API clients see it, such as `STALE_VERSION`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "INVALID",
            Self::NotFound => "NOT_FOUND",
            Self::StaleVersion => "STALE_VERSION",
            Self::WrongState => "WRONG_STATE",
            Self::NotAllowed => "NOT_ALLOWED",
            Self::Conflict => "CONFLICT",
            Self::SignInFailed => "SIGN_IN_FAILED",
            Self::SecondFactorRequired => "SECOND_FACTOR_REQUIRED",
        }
    }
}

impl Fault {
    /// Creates a fault at a path of the input.
    pub fn new(code: FaultCode, zh: impl Into<String>, en: impl Into<String>, path: &[&str]) -> Self {
        Self { code, message: Bilingual::new(zh, en), path: path.iter().map(|step| (*step).to_owned()).collect() }
    }

    /// Creates a fault with the code [`FaultCode::Invalid`].
    pub fn invalid(zh: impl Into<String>, en: impl Into<String>, path: &[&str]) -> Self {
        Self::new(FaultCode::Invalid, zh, en, path)
    }
}

/// What a caller can name that may not exist, or that the caller may not see.
///
/// Each has a whole sentence of its own in both languages, because the measure word in Chinese depends on the thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// An account.
    Account,
    /// An account of the demo.
    DemoAccount,
    /// An account to which the caller may delegate.
    Delegate,
    /// A delegation (委托) that is in force.
    Delegation,
    /// A session or a token.
    Session,
    /// A unit.
    Unit,
    /// A unit that is not retired.
    LiveUnit,
    /// Several units that are not retired.
    LiveUnits,
    /// A unit that lies within the caller's own region.
    UnitInReach,
    /// Several units that are not retired and that lie within the caller's own region.
    UnitsInReach,
    /// A region.
    Region,
    /// A region that is not retired.
    LiveRegion,
    /// A region that is not retired and that lies within the caller's own.
    RegionInReach,
    /// An inspection round (督察轮次).
    Round,
    /// A problem.
    Problem,
    /// A measure (整改措施).
    Measure,
    /// A measure of the same problem as another.
    MeasureBeside,
    /// An assignment (责任分解).
    Assignment,
    /// An objection (异议).
    Objection,
    /// A request for an extension (延期申请).
    Extension,
    /// A supervision (督办).
    Supervision,
    /// A record of accountability (追责记录).
    Accountability,
    /// A record of results of a round (督察成果).
    RoundResult,
    /// A number that a published report states (公布数).
    PublishedFigure,
    /// A remembered decision about imports.
    ImportDecision,
    /// A complaint case (交办案件).
    Case,
    /// A file of evidence.
    Evidence,
    /// A mail.
    Mail,
    /// An address to which no mail is sent.
    Suppression,
    /// A schedule (定时任务).
    Schedule,
    /// A receiver of messages to other systems.
    Webhook,
    /// A message to another system.
    Delivery,
    /// A view of a list that the caller has saved.
    SavedView,
}

impl Thing {
    /// Returns the sentence, in Chinese and in English, that it does not exist.
    fn message(self) -> (&'static str, &'static str) {
        match self {
            Self::Account => ("没有这个账户", "there is no such account"),
            Self::DemoAccount => ("没有这个演示账户", "there is no such demo account"),
            Self::Delegate => (
                "没有这个可委托的账户，只能委托本单位的同事",
                "there is no such account to delegate to: you can only delegate to colleagues of your unit",
            ),
            Self::Delegation => ("没有这项有效的委托", "there is no such delegation in force"),
            Self::Session => ("没有这个会话", "there is no such session"),
            Self::Unit => ("没有这个单位", "there is no such unit"),
            Self::LiveUnit => ("没有这个单位，或已撤销", "there is no such unit in use"),
            Self::LiveUnits => ("所选单位中有不存在或已撤销的", "a selected unit does not exist or is retired"),
            Self::UnitInReach => {
                ("所选单位不存在，或不在您的管辖范围内", "the unit does not exist or is outside your jurisdiction")
            }
            Self::UnitsInReach => (
                "所选单位中有不存在或已撤销的，或不在您的管辖范围内",
                "a selected unit does not exist, is retired, or is outside your jurisdiction",
            ),
            Self::Region => ("没有这个行政区", "there is no such region"),
            Self::LiveRegion => ("没有这个行政区，或已撤销", "there is no such region in use"),
            Self::RegionInReach => (
                "没有这个行政区，或已撤销、不在您的管辖范围内",
                "the region does not exist, is retired, or is outside your jurisdiction",
            ),
            Self::Round => ("没有这个督察轮次", "there is no such round"),
            Self::Problem => ("没有这个问题", "there is no such problem"),
            Self::Measure => ("没有这项整改措施", "there is no such measure"),
            Self::MeasureBeside => ("同一问题下没有这项措施", "the same problem has no such measure"),
            Self::Assignment => ("没有这项责任分解", "there is no such assignment"),
            Self::Objection => ("没有这项异议", "there is no such objection"),
            Self::Extension => ("没有这项延期申请", "there is no such request"),
            Self::Supervision => ("没有这项督办", "there is no such supervision"),
            Self::Accountability => ("没有这条追责记录", "there is no such record"),
            Self::RoundResult => ("没有这条成果记录", "there is no such record"),
            Self::PublishedFigure => ("没有这条公布数", "there is no such record"),
            Self::ImportDecision => ("没有这条导入读法", "there is no such decision"),
            Self::Case => ("没有这个交办案件", "there is no such case"),
            Self::Evidence => ("没有这份材料", "there is no such file"),
            Self::Mail => ("没有这封邮件", "there is no such mail"),
            Self::Suppression => ("停止投递名单中没有这一条", "there is no such suppressed address"),
            Self::Schedule => ("没有这个定时任务", "there is no such schedule"),
            Self::Webhook => ("没有这个推送接口", "there is no such webhook"),
            Self::Delivery => ("没有这条推送", "there is no such delivery"),
            Self::SavedView => ("没有这个视图", "there is no such view"),
        }
    }
}

/// Returns the fault for a thing that does not exist, or that the caller may not see. Both have the same fault, so that
/// nobody learns what exists.
pub fn unknown(thing: Thing, path: &[&str]) -> Fault {
    let (zh, en) = thing.message();
    Fault::new(FaultCode::NotFound, zh, en, path)
}

/// Takes the outcomes of several checks together: all values or, so that a caller learns of them at once, all faults.
///
/// `let (name, code) = fault::all((name(given), code(given)))?;`
///
/// # Errors
///
/// [`Error::Refused`] with every fault, in the order of the checks; the first other failure, if there is one.
pub fn all<C: Checks>(checks: C) -> Result<C::Values, Error> {
    checks.all()
}

/// The outcomes of several checks: a tuple of results.
pub trait Checks {
    /// The values of the checks: a tuple.
    type Values;

    /// Returns all values, or all faults.
    ///
    /// # Errors
    ///
    /// See [`all()`].
    fn all(self) -> Result<Self::Values, Error>;
}

macro_rules! checks {
    ($($value:ident: $of:ident $fault:ident),+) => {
        impl<$($of, $fault: Into<Error>),+> Checks for ($(Result<$of, $fault>,)+) {
            type Values = ($($of,)+);

            fn all(self) -> Result<Self::Values, Error> {
                let ($($value,)+) = self;
                let mut faults = Vec::new();
                $(let $value = match $value.map_err(Into::into) {
                    Ok(value) => Some(value),
                    Err(Error::Refused(found)) => {
                        faults.extend(found);
                        None
                    }
                    Err(failure) => return Err(failure),
                };)+
                match ($($value,)+) {
                    ($(Some($value),)+) => Ok(($($value,)+)),
                    _ => Err(Error::Refused(faults)),
                }
            }
        }
    };
}

checks!(a: A E1, b: B E2);
checks!(a: A E1, b: B E2, c: C E3);
checks!(a: A E1, b: B E2, c: C E3, d: D E4);
checks!(a: A E1, b: B E2, c: C E3, d: D E4, e: E E5);
checks!(a: A E1, b: B E2, c: C E3, d: D E4, e: E E5, f: F E6);

/// Checks a text of several lines that a user typed, and returns it trimmed. Line breaks within it stay.
///
/// `chars` is the permitted length in characters; characters that show nothing do not count towards the minimum.
/// Invisible control characters and marks that change the writing direction are refused. `what` is the name of the
/// value in Chinese and English, for the error message.
pub fn text(
    given: &str,
    chars: std::ops::RangeInclusive<usize>,
    what: (&str, &str),
    path: &[&str],
) -> Result<String, Fault> {
    let trimmed = given.trim();
    long_enough(trimmed, chars, what, path)?;
    if let Some((place, letter)) = given.chars().enumerate().find(|(_, letter)| is_hidden(*letter)) {
        return Err(Hidden { place: place + 1, letter }.fault(what, path));
    }
    Ok(trimmed.to_owned())
}

/// Checks a text of one line that a user typed or pasted, such as a person's name, a number or a title.
///
/// Returns the text as cleaned by [`single`]. Refuses it if the cleaned text is shorter or longer than `chars`
/// permits, in characters.
pub fn line(
    given: &str,
    chars: std::ops::RangeInclusive<usize>,
    what: (&str, &str),
    path: &[&str],
) -> Result<String, Fault> {
    let line = single(given).map_err(|hidden| hidden.fault(what, path))?;
    long_enough(&line, chars, what, path)?;
    Ok(line)
}

/// Checks the name of a unit, a region or another dictionary entry, and returns it as cleaned by [`single_name`].
///
/// Unlike [`line()`], this drops variation selectors: two names that look alike are the same name.
pub fn name(
    given: &str,
    chars: std::ops::RangeInclusive<usize>,
    what: (&str, &str),
    path: &[&str],
) -> Result<String, Fault> {
    let name = single_name(given).map_err(|hidden| hidden.fault(what, path))?;
    long_enough(&name, chars, what, path)?;
    Ok(name)
}

/// Checks the length of a text in characters. Those that show nothing do not count towards the minimum.
fn long_enough(
    text: &str,
    chars: std::ops::RangeInclusive<usize>,
    (zh, en): (&str, &str),
    path: &[&str],
) -> Result<(), Fault> {
    let (least, most) = (chars.start(), chars.end());
    let (count, shown) = (text.chars().count(), text.chars().filter(|letter| !is_blank(*letter)).count());
    if shown >= *least && count <= *most {
        return Ok(());
    }
    let count = if shown < *least { shown } else { count };
    Err(Fault::invalid(
        format!("{zh}应为 {least} 至 {most} 个字，现有 {count} 个"),
        format!("{en}: expected {least} to {most} characters, found {count}"),
        path,
    ))
}

/// An invisible character that changes how a text is displayed or read, and its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hidden {
    /// Its position among the characters of the text, counted from 1.
    pub place: usize,
    /// The character.
    pub letter: char,
}

impl Hidden {
    /// Returns its code point, such as `U+202E`.
    pub fn code_point(self) -> String {
        format!("U+{:04X}", u32::from(self.letter))
    }

    fn fault(self, (zh, en): (&str, &str), path: &[&str]) -> Fault {
        let (place, code) = (self.place, self.code_point());
        Fault::invalid(
            format!("{zh}的第 {place} 个字符（{code}）是不可见的控制字符，请删除"),
            format!("{en}: character {place} ({code}) is an invisible control character; remove it"),
            path,
        )
    }
}

/// How a character is treated in a text of one line.
enum Role {
    /// It is visible and stays.
    Shown,
    /// Whitespace, or a character that looks like it. It becomes a space.
    Blank,
    /// It ends a line or a column. With the whitespace around it, it becomes one space.
    Break,
    /// A variation selector: it chooses a variant of the character before it.
    Variant,
    /// It shows nothing and means nothing here. It is dropped.
    Nothing,
    /// It shows nothing and changes how other characters are displayed or read. The text is refused.
    Refused,
}

fn role_of(letter: char) -> Role {
    match letter {
        // Word writes a line break as U+000B, other programs as U+0085, U+2028 or U+2029.
        '\n' | '\r' | '\t' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => Role::Break,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Role::Refused,
        control if control.is_control() => Role::Refused,
        // The ideographic space is as wide as a Han character, so it stays; all other spaces look alike.
        '\u{3000}' => Role::Shown,
        '\u{2800}' | '\u{3164}' | '\u{ffa0}' => Role::Blank,
        blank if blank.is_whitespace() => Role::Blank,
        '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' | '\u{180b}'..='\u{180f}' => Role::Variant,
        '\u{fff9}'..='\u{fffb}' => Role::Nothing,
        hidden if is_blank(hidden) => Role::Nothing,
        _ => Role::Shown,
    }
}

/// Checks whether a character has the variants that a selector chooses from: Han characters, and letters of Mongolian.
fn has_variants(letter: char, selector: char) -> bool {
    match selector {
        '\u{180b}'..='\u{180f}' => matches!(letter, '\u{1820}'..='\u{18aa}'),
        _ => matches!(letter,
            '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{3029}' | '\u{3400}'..='\u{4dbf}'
            | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}'),
    }
}

/// Puts a text on one line.
///
/// - Leading and trailing whitespace is removed.
/// - A line break or tab becomes one space, together with the whitespace around it.
/// - Characters that show nothing and mean nothing (zero-width ones, soft hyphens, byte order marks) are dropped.
/// - A variation selector stays after a character that has variants, such as a Han character.
///
/// Returns the first [`Hidden`] character as the error if one changes what is displayed: a control character, or an
/// override or isolate of the writing direction.
pub fn single(given: &str) -> Result<String, Hidden> {
    const BLANKS: &[char] = &[' ', '\u{3000}'];
    let mut line = String::with_capacity(given.len());
    // Whether the run of whitespace being read contains a line break or tab.
    let mut is_broken = false;
    for (place, letter) in given.chars().enumerate() {
        match role_of(letter) {
            Role::Refused => return Err(Hidden { place: place + 1, letter }),
            Role::Nothing => {}
            Role::Variant => {
                if !is_broken && line.chars().next_back().is_some_and(|before| has_variants(before, letter)) {
                    line.push(letter);
                }
            }
            Role::Break => {
                line.truncate(line.trim_end_matches(BLANKS).len());
                is_broken = true;
            }
            Role::Blank if is_broken => {}
            Role::Shown if is_broken && letter == '\u{3000}' => {}
            role => {
                if is_broken {
                    line.push(' ');
                    is_broken = false;
                }
                line.push(if matches!(role, Role::Blank) { ' ' } else { letter });
            }
        }
    }
    Ok(line.trim_matches(BLANKS).to_owned())
}

/// Puts a name on one line as [`single`] does, and drops all variation selectors.
pub fn single_name(given: &str) -> Result<String, Hidden> {
    let line = single(given)?;
    Ok(line.chars().filter(|letter| !matches!(role_of(*letter), Role::Variant)).collect())
}

/// Cleans a text of several lines that comes from a file.
///
/// Line breaks of every kind become `\n`, and characters that show nothing and mean nothing are dropped. Returns the
/// first [`Hidden`] character as the error if one changes how the text is displayed or read.
pub fn several(given: &str) -> Result<String, Hidden> {
    let mut lines = String::with_capacity(given.len());
    let mut letters = given.chars().enumerate().peekable();
    while let Some((place, letter)) = letters.next() {
        match role_of(letter) {
            Role::Refused => return Err(Hidden { place: place + 1, letter }),
            Role::Nothing => {}
            Role::Variant if !lines.chars().next_back().is_some_and(|before| has_variants(before, letter)) => {}
            Role::Break if letter == '\r' && letters.peek().is_some_and(|(_, next)| *next == '\n') => {}
            Role::Break if letter != '\t' => lines.push('\n'),
            _ => lines.push(letter),
        }
    }
    Ok(lines)
}

/// Checks whether a character is invisible and changes how a text is displayed or read: a control character other than
/// a line break or tab, a mark, override or isolate of the writing direction, or a byte order mark.
pub fn is_hidden(letter: char) -> bool {
    (letter.is_control() && !matches!(letter, '\n' | '\r' | '\t'))
        || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
}

/// Checks whether a text shows nothing: it has only whitespace and characters that show nothing.
pub fn is_empty(text: &str) -> bool {
    text.chars().all(is_blank)
}

/// Checks whether two texts show the same characters, ignoring whitespace and characters that show nothing.
pub(crate) fn says_the_same(one: &str, other: &str) -> bool {
    let shown = |text: &str| text.chars().filter(|letter| !is_blank(*letter)).collect::<String>();
    shown(one) == shown(other)
}

/// Checks whether a character is whitespace, takes no room or shows nothing (zero-width characters, joiners, fillers,
/// variation selectors). Such characters may be correct within a text, but a text that has no others is empty.
pub fn is_blank(letter: char) -> bool {
    letter.is_whitespace()
        || is_hidden(letter)
        || matches!(letter, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200d}')
        || matches!(letter, '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
        || matches!(letter, '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}')
}

/// Refuses a date outside the [`YEARS`] to which a ledger may refer.
pub fn day(given: NaiveDate, what: (&str, &str), path: &[&str]) -> Result<(), Fault> {
    if YEARS.contains(&given.year()) {
        return Ok(());
    }
    let (first, last) = (YEARS.start(), YEARS.end());
    Err(Fault::invalid(
        format!("{}应在 {first} 年至 {last} 年之间", what.0),
        format!("{}: must be a date in the years {first} to {last}", what.1),
        path,
    ))
}

/// Refuses the date of a past event if it is after today, or outside the [`YEARS`] to which a ledger may refer.
pub(crate) fn past_day(given: NaiveDate, today: NaiveDate, what: (&str, &str), path: &[&str]) -> Result<(), Fault> {
    if given > today {
        return Err(Fault::invalid(
            format!("{}不能晚于今天", what.0),
            format!("{}: must not be after today", what.1),
            path,
        ));
    }
    day(given, what, path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOTHING: &[char] =
        &['\u{200b}', '\u{200c}', '\u{200d}', '\u{feff}', '\u{ad}', '\u{2060}', '\u{2064}', '\u{200e}', '\u{34f}'];

    /// Generates texts in which every class of character that the rules distinguish is likely.
    fn texts() -> impl Strategy<Value = String> {
        let letter = prop_oneof![
            4 => proptest::sample::select(vec!['市', '葛', '局', 'A', '7', '（', '。', 'é', '\u{1820}', '\u{1f600}']),
            2 => proptest::sample::select(vec![' ', '\u{3000}', '\u{a0}', '\n', '\r', '\t', '\u{b}', '\u{2028}']),
            2 => proptest::sample::select(NOTHING.to_vec()),
            1 => proptest::sample::select(vec!['\u{fe0f}', '\u{e0100}', '\u{180b}', '\u{3164}', '\u{fff9}']),
            1 => any::<char>(),
        ];
        proptest::collection::vec(letter, 0..24).prop_map(|letters| letters.into_iter().collect())
    }

    /// Returns the visible characters of a text, without whitespace.
    fn seen(text: &str) -> String {
        text.chars().filter(|letter| !is_blank(*letter) && !matches!(letter, '\u{fff9}'..='\u{fffb}')).collect()
    }

    proptest! {
        #[test]
        fn a_line_is_a_line_once_and_for_all(given in texts()) {
            let Ok(line) = single(&given) else { return Ok(()) };
            prop_assert_eq!(single(&line), Ok(line.clone()), "a clean line stays as it is");
            prop_assert_eq!(single_name(&line), single_name(&given));
            let ends_a_line = |letter: char| letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}');
            prop_assert!(!line.chars().any(ends_a_line), "the result is on one line");
            prop_assert!(!line.chars().any(|letter| NOTHING.contains(&letter)));
            prop_assert_eq!(line.trim(), line.as_str());
            prop_assert_eq!(seen(&line), seen(&given), "visible characters stay, in their order");
        }

        #[test]
        fn what_looks_the_same_becomes_the_same(
            given in texts(),
            places in proptest::collection::vec((0..24_usize, 0..9_usize), 0..6)
        ) {
            let mut letters: Vec<char> = given.chars().collect();
            for (place, which) in places {
                letters.insert(place.min(letters.len()), NOTHING[which]);
            }
            let hiding: String = letters.into_iter().collect();
            prop_assert_eq!(single(&hiding).ok(), single(&given).ok());
            let pasted = format!("\u{feff} {given}\r\n");
            prop_assert_eq!(single(&pasted).ok(), single(&given).ok());
        }

        #[test]
        fn several_lines_stay_several(given in texts()) {
            let Ok(lines) = several(&given) else {
                prop_assert!(single(&given).is_err());
                return Ok(());
            };
            prop_assert_eq!(several(&lines), Ok(lines.clone()));
            prop_assert_eq!(single(&lines), single(&given));
            prop_assert!(!lines.chars().any(is_hidden), "a text from a file passes as a typed text");
        }
    }

    #[test]
    fn a_line_loses_what_is_harmless_and_names_what_is_not() {
        let read = |given: &str| line(given, 2..=8, ("单位名称", "the unit's name"), &["input", "name"]);
        for (given, kept) in [
            ("  市\u{200b}水利局\u{feff}", "市水利局"),
            ("市水利局\r\n", "市水利局"),
            ("第一行 \n\t 第二行", "第一行 第二行"),
            ("张\u{3000}三", "张\u{3000}三"),
            ("a\u{a0}b", "a b"),
            ("葛\u{e0100}某", "葛\u{e0100}某"),
            ("葛\u{200b}\u{e0100}某", "葛\u{e0100}某"),
            ("好\u{fe0f}人", "好\u{fe0f}人"),
            ("7\u{fe0f}月", "7月"),
            ("ᠠ\u{180b}ᠠ", "ᠠ\u{180b}ᠠ"),
        ] {
            assert_eq!(read(given).as_deref(), Ok(kept), "{given:?}");
        }
        for (given, place, code) in [
            ("市\u{202e}局长", 2, "U+202E"),
            (" a\u{0}b", 3, "U+0000"),
            ("\u{2066}ab", 1, "U+2066"),
            ("a\u{7f}b", 2, "U+007F"),
        ] {
            let refused = read(given).unwrap_err();
            assert_eq!((refused.code, refused.path.join(".").as_str()), (FaultCode::Invalid, "input.name"));
            let (zh, en) = (&refused.message.zh, &refused.message.en);
            assert!(zh.contains(&format!("第 {place} 个字符（{code}）")), "{zh}");
            assert!(en.contains(&format!("character {place} ({code})")), "{en}");
        }
        assert!(read("\u{200b}局").is_err() && read("一二三四五六七八九").is_err());
        assert_eq!(name("葛\u{e0100}\u{200b}局", 2..=8, ("名称", "the name"), &[]).as_deref(), Ok("葛局"));
    }

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
        assert_eq!(read("葛\u{e0100}某").as_deref(), Ok("葛\u{e0100}某"), "a variation selector stays in a text");
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
        for (trick, place) in [("a\u{202e}b", 2), ("a\u{0}b", 2), (" a\u{200f}b", 3), ("\u{2066}ab", 1)] {
            let refused = read(trick).unwrap_err();
            assert_eq!(refused.code, FaultCode::Invalid, "{trick:?}");
            assert!(refused.message.zh.contains(&format!("第 {place} 个字符")), "{trick:?}: {refused:?}");
        }
        assert_eq!(read("一\n二").as_deref(), Ok("一\n二"), "line breaks stay");
    }
}
