//! The items of a deadline: what one part of it says, without regard to the others.

use chrono::{Days, Months, NaiveDate};

use super::period::{Part, Period, Year, find_dated, find_yearless};
use super::text::{Cursor, is_numeral};
use super::words::{
    After, Before, Classes, after, before, classes, event_of, hints_at_change, is_condition, is_list_number,
    leaves_open, says_completion, says_what_is_due,
};
use super::{CheckPlan, Context};

/// What one part of a deadline says.
#[derive(Debug)]
pub(super) enum Item<'a> {
    /// Words without a date: 长期坚持.
    Classes(Classes),
    /// A date, with the words around it.
    Dated(Dated<'a>),
    /// A time after an event: 收到通知后30日内.
    Within(Within<'a>),
    /// Something that recurs: 每季度末.
    Recurring(Recurring<'a>),
    /// Words that leave the date to others: 按序时推进.
    Open(&'a str),
    /// Words that are no deadline of their own.
    Words(&'a str),
}

/// A date, with the words around it.
#[derive(Debug)]
pub(super) struct Dated<'a> {
    /// The date with all its words, for messages.
    pub(super) printed: &'a str,
    pub(super) before: Before<'a>,
    pub(super) period: Period,
    pub(super) after: After<'a>,
}

/// A time after an event.
#[derive(Debug)]
pub(super) struct Within<'a> {
    pub(super) printed: &'a str,
    /// The event, without 后: 收到通知; empty if none is printed.
    pub(super) event: &'a str,
    pub(super) length: Length,
    pub(super) after: After<'a>,
}

/// Something that recurs.
#[derive(Debug)]
pub(super) struct Recurring<'a> {
    pub(super) printed: &'a str,
    /// The plan, or `None` if it recurs more often than checks can (每月).
    pub(super) plan: Option<CheckPlan>,
    pub(super) after: After<'a>,
}

/// The length of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// Calendar days.
    Days(u32),
    /// Working days.
    WorkingDays(u32),
    /// Months; a year is twelve.
    Months(u32),
}

impl Length {
    /// The longest time in working days; more are an error, as in the project's search for working days.
    const MAX_WORKING_DAYS: usize = 250;

    /// Returns the day on which the time ends if it begins on `from`, or `None` if it is too long.
    ///
    /// 《中华人民共和国民法典》 art. 201: the first day does not count. Art. 202: a time in months ends on the
    /// corresponding day of the last month, or else on its last day.
    pub(super) fn end(self, from: NaiveDate, context: &Context<'_>) -> Option<NaiveDate> {
        match self {
            Self::Days(days) => from.checked_add_days(Days::new(days.into())),
            Self::Months(months) => from.checked_add_months(Months::new(months)),
            Self::WorkingDays(days) => {
                let count = usize::try_from(days).ok().filter(|days| (1..=Self::MAX_WORKING_DAYS).contains(days))?;
                let later = from.iter_days().skip(1).take(2 * Self::MAX_WORKING_DAYS);
                later.filter(|day| context.is_working(*day)).nth(count - 1)
            }
        }
    }
}

/// Cuts one part into items. Several follow one another without a separator where whitespace separated them, or where
/// a date begins after the words of another.
pub(super) fn items(text: &str) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (item, left) = item(rest);
        items.push(item);
        rest = left;
    }
    items
}

/// Reads the first item. Returns it and the text after it.
fn item(text: &str) -> (Item<'_>, &str) {
    if let Some(classes) = classes(text) {
        return (Item::Classes(classes), "");
    }
    if let Some(recurring) = recurring(text) {
        return (Item::Recurring(recurring), "");
    }
    if let Some(within) = within(text) {
        return (Item::Within(within), "");
    }
    let (number, unnumbered) = list_number(text);
    if let Some((words, period, rest)) = find_dated(unnumbered).or_else(|| find_yearless(text)) {
        let (words_after, left) = until_next(rest);
        let printed = &text[..text.len() - left.len()];
        let words = if words.is_empty() { number } else { words };
        return (Item::Dated(Dated { printed, before: before(words), period, after: after(words_after) }), left);
    }
    (if leaves_open(text) { Item::Open(text) } else { Item::Words(text) }, "")
}

/// Separates the number of a list from the year after it, of which it would look like a part: 1.2024年底. Returns both;
/// the number is empty if there is none.
fn list_number(text: &str) -> (&str, &str) {
    let mut cursor = Cursor::new(text);
    let is_number = cursor.digits(1..=2).is_some() && cursor.take(".") && cursor.digits(4..=4).is_some();
    text.split_once('.').filter(|_| is_number).unwrap_or(("", text))
}

/// Cuts the words after a date where the next date begins.
fn until_next(rest: &str) -> (&str, &str) {
    let Some((words, ..)) = find_dated(rest) else { return (rest, "") };
    let joins = ["于", "在", "至", "到", "自", "从", "为"].iter().any(|word| words.ends_with(word));
    let is_whole = words.is_empty() || says_what_is_due(words);
    if is_whole && !joins && !looks_dated(words) { rest.split_at(words.len()) } else { (rest, "") }
}

/// Reads something that recurs: 每季度末, 每年12月底前, 每半年.
fn recurring(text: &str) -> Option<Recurring<'_>> {
    let mut cursor = Cursor::new(text);
    let plan = match cursor.any(&[
        "每个季度",
        "每季度",
        "每季",
        "按季度",
        "逐季度",
        "逐季",
        "每半年度",
        "每半年",
        "每年度",
        "每年",
        "每个月",
        "每月",
        "逐月",
        "按月",
    ])? {
        "每半年度" | "每半年" => Some(CheckPlan::HalfYearly),
        "每年度" | "每年" => Some(yearly(&mut cursor)?),
        "每个月" | "每月" | "逐月" | "按月" => None,
        _ => Some(CheckPlan::Quarterly),
    };
    cursor.any(&["年底", "年末", "底", "末", "内"]);
    cursor.attempt(|cursor| cursor.number(2).filter(|_| plan.is_none() && cursor.any(&["日", "号"]).is_some()));
    cursor.any(&["之前", "以前", "前"]);
    let after = after(cursor.rest());
    (!looks_dated(after.words)).then_some(Recurring { printed: text, plan, after })
}

/// Reads the day of the year by which something is due every year. Without one, it is the last.
fn yearly(cursor: &mut Cursor<'_>) -> Option<CheckPlan> {
    // Any leap year, so that 29 February is a day.
    const YEAR: i32 = 2024;
    let (words, period, rest) = find_yearless(cursor.rest()).unwrap_or(("", Period::whole_year(), cursor.rest()));
    let end = period.end.filter(|end| end.year == Year::Missing && words.is_empty() && period.begin.is_none())?;
    let is_day = !matches!(end.part, Part::SpringFestival | Part::FloodSeason) && !period.is_inclusion_unclear();
    let day = end.last_day(YEAR).filter(|_| is_day)?;
    *cursor = Cursor::new(rest);
    Some(CheckPlan::yearly_by(day))
}

/// Reads a time after an event: 收到通知后30日内, 自印发之日起3个月内, 一年内.
fn within(text: &str) -> Option<Within<'_>> {
    let mut last = None;
    text.char_indices().find_map(|(at, next)| {
        let glued = last.replace(next).is_some_and(|before| is_numeral(before) || before == '第');
        let mut cursor = Cursor::new(&text[at..]);
        let length = (!glued).then(|| cursor.attempt(length)).flatten()?;
        let event = if at == 0 { "" } else { event_of(&text[..at])? };
        Some(Within { printed: text, event, length, after: after(cursor.rest()) })
    })
}

/// Reads the length of a time and 内: 30日内, 15个工作日内, 三个月内, 半年内.
fn length(cursor: &mut Cursor<'_>) -> Option<Length> {
    const MAX_DAYS: u32 = 3_660;
    let length = match cursor.any(&["半年", "半个月", "半月"]) {
        Some("半年") => Length::Months(6),
        Some(_) => Length::Days(15),
        None => {
            let number = cursor.number(4)?;
            match cursor.any(&[
                "个工作日",
                "工作日",
                "日",
                "天",
                "个月",
                "年",
                "周年",
                "个星期",
                "星期",
                "周",
                "个季度",
            ])? {
                "个工作日" | "工作日" => Length::WorkingDays(number),
                "日" | "天" => Length::Days(number),
                "个月" => Length::Months(number),
                "年" | "周年" => Length::Months(number.checked_mul(12)?),
                "个季度" => Length::Months(number.checked_mul(3)?),
                _ => Length::Days(number.checked_mul(7)?),
            }
        }
    };
    cursor.any(&["之内", "以内", "内"])?;
    let is_sensible = match length {
        Length::Days(days) | Length::WorkingDays(days) => (1..=MAX_DAYS).contains(&days),
        Length::Months(months) => (1..=MAX_DAYS / 30).contains(&months),
    };
    is_sensible.then_some(length)
}

/// Checks whether words still hold a date, or what looks like one, so that they are not understood.
pub(super) fn looks_dated(words: &str) -> bool {
    let letters: Vec<char> = words.chars().collect();
    let is_digit = |letter: &char| letter.is_ascii_digit();
    find_dated(words).is_some()
        || find_yearless(words).is_some()
        || words.char_indices().any(|(at, _)| length(&mut Cursor::new(&words[at..])).is_some())
        || letters.windows(4).any(|four| four.iter().all(is_digit))
        || letters.windows(2).any(|two| is_digit(&two[0]) && matches!(two[1], '年' | '月' | '日' | '号' | '季'))
}

/// How well words are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Understood {
    /// They say what is due.
    Sure,
    /// They may say it, or something else.
    Unsure,
    /// They hold something that is not read, such as another date.
    Not,
}

/// Judges the words before a date.
pub(super) fn judge_before(before: &Before<'_>) -> Understood {
    let words = before.label;
    match words {
        _ if looks_dated(words) => Understood::Not,
        _ if before.explicit => Understood::Sure,
        _ if is_condition(words) || hints_at_change(words) => Understood::Unsure,
        _ => Understood::Sure,
    }
}

/// Judges the words after a date.
pub(super) fn judge_after(words: &str) -> Understood {
    match words {
        _ if looks_dated(words) || words.starts_with(['后', '起']) || words.starts_with("之后") => Understood::Not,
        _ if words.starts_with("以后") || is_list_number(words) => Understood::Not,
        _ if says_completion(words) || says_what_is_due(words) => Understood::Sure,
        _ if words.contains(|letter: char| letter.is_ascii_digit()) => Understood::Not,
        _ => Understood::Unsure,
    }
}
