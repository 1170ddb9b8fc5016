//! Dates and periods as they are printed: 2024年6月30日, 三季度, 6月上旬, “十四五”末, 2024年1月至12月.

use chrono::{Datelike, NaiveDate};

use super::festival::spring_festival;
use super::text::{Cursor, QUOTES, is_numeral};
use crate::rule::calendar::{YEARS, last_day_of_month};

/// The year of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Year {
    /// The year as printed.
    Printed(i32),
    /// A year counted from the present one: 今年 (0), 明年 (1).
    Relative(i32),
    /// No year is printed.
    Missing,
}

/// A part of a year, or of several years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// A five-year plan; its year is the last one.
    FiveYears,
    /// The whole year.
    Whole,
    /// A half-year, 1 or 2.
    Half(u32),
    /// A quarter, 1 to 4.
    Quarter(u32),
    /// A month.
    Month(u32),
    /// A number without a unit, such as 6 in 2024年6 and 1 in 2024年1-12月: a month, or what the range ends with.
    Bare(u32),
    /// A third of a month (旬): month, and 1 to 3.
    Third(u32, u32),
    /// A day: month, and day of the month.
    Day(u32, u32),
    /// The days before Spring Festival (春节前).
    SpringFestival,
    /// The days before the flood season (汛期前).
    FloodSeason,
}

/// How a date is written, where that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    /// With the words 年, 月, 日.
    Words,
    /// With marks: 2024-06-30, 2024/6/30, 2024.6.30.
    Marks(&'static str),
    /// As 2024.1, which may be what Excel shows of 2024.10.
    LostZero,
    /// Without any mark: 20240630.
    Compact,
    /// With a year of two digits: 24年6月.
    ShortYear,
}

/// A period within a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) year: Year,
    pub(super) part: Part,
    pub(super) notation: Notation,
    /// Whether the end is printed (6月底), or the period is so short that it needs none.
    pub(super) ended: bool,
    /// Whether a time of day other than midnight follows, which a deadline does not keep.
    pub(super) timed: bool,
}

impl Span {
    fn new(year: Year, part: Part, notation: Notation) -> Self {
        let ended = matches!(part, Part::Day(..) | Part::SpringFestival | Part::FloodSeason);
        Self { year, part, notation, ended, timed: false }
    }

    /// Returns the last day in a year: the day on which a deadline ends. Returns `None` if there is no such day.
    pub(super) fn last_day(&self, year: i32) -> Option<NaiveDate> {
        match self.part {
            Part::FiveYears | Part::Whole => last_day_of_month(year, 12),
            Part::Half(half) => last_day_of_month(year, half * 6),
            Part::Quarter(quarter) => last_day_of_month(year, quarter.checked_mul(3)?),
            Part::Month(month) | Part::Bare(month) | Part::Third(month, 3) => last_day_of_month(year, month),
            Part::Third(month, third) => NaiveDate::from_ymd_opt(year, month, third * 10),
            Part::Day(month, day) => NaiveDate::from_ymd_opt(year, month, day),
            Part::SpringFestival => spring_festival(year)?.pred_opt(),
            // 《中华人民共和国防洪法》 leaves the season to each province. National practice begins it on 1 June.
            Part::FloodSeason => NaiveDate::from_ymd_opt(year, 5, 31),
        }
    }

    /// Returns the day on which a range that starts with this period begins.
    pub(super) fn first_day(&self, year: i32) -> Option<NaiveDate> {
        let last = self.last_day(year)?;
        let (year, month) = match self.part {
            _ if self.ended => return Some(last),
            Part::FiveYears => (year - 4, 1),
            Part::Whole => (year, 1),
            Part::Half(_) => (year, last.month() - 5),
            Part::Quarter(_) => (year, last.month() - 2),
            Part::Third(month, third) => return NaiveDate::from_ymd_opt(year, month, third * 10 - 9),
            _ => (year, last.month()),
        };
        NaiveDate::from_ymd_opt(year, month, 1)
    }

    /// Takes the unit of a number without one from the end of the range: 一至三季度 begins with the first quarter.
    fn with_unit_of(self, end: &Self) -> Self {
        match (self.part, end.part) {
            (Part::Bare(number), Part::Quarter(_)) => Self { part: Part::Quarter(number), ..self },
            (Part::Bare(number), _) => Self { part: Part::Month(number), ..self },
            _ => self,
        }
    }
}

/// What a printed date means as a deadline: a period at whose end it is due, and perhaps a beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    /// The beginning: 2024年1月至12月, 2024年1月起.
    pub(super) begin: Option<Span>,
    /// The end, or `None` if only a beginning is printed.
    pub(super) end: Option<Span>,
    /// Whether 前 (before) follows, which makes the words after it say what is due.
    pub(super) before: bool,
}

impl Period {
    /// Returns a whole year, which is not printed.
    pub(super) fn whole_year() -> Self {
        let end = Span { ended: true, ..Span::new(Year::Missing, Part::Whole, Notation::Words) };
        Self { begin: None, end: Some(end), before: false }
    }

    /// Checks whether “before” may exclude the period itself, as in 2024年6月前.
    pub(super) fn is_inclusion_unclear(&self) -> bool {
        self.before && self.end.is_some_and(|end| !end.ended)
    }
}

/// Finds the first period with a printed year. Returns the text before it, the period and the text after it.
pub(super) fn find_dated(text: &str) -> Option<(&str, Period, &str)> {
    find(text, dated, |before, next| next.is_ascii_digit() && (before.is_ascii_digit() || before == '.'))
}

/// Finds the first period without a printed year, such as 6月底前. Returns the text before it, the period and the text
/// after it.
pub(super) fn find_yearless(text: &str) -> Option<(&str, Period, &str)> {
    find(text, yearless, |before, _| is_numeral(before) || "年第每个.-/".contains(before))
}

/// Finds the first place at which `read` reads the beginning of a period, except for places that are `glued` to the
/// character before them.
fn find<'a>(
    text: &'a str,
    read: impl Fn(&mut Cursor<'a>) -> Option<Span>,
    glued: impl Fn(char, char) -> bool,
) -> Option<(&'a str, Period, &'a str)> {
    let mut last = None;
    text.char_indices().find_map(|(at, next)| {
        let is_glued = last.replace(next).is_some_and(|before| glued(before, next) || is_numeral_pair(before, next));
        let mut cursor = Cursor::new(&text[at..]);
        let period = (!is_glued).then(|| period(&mut cursor, &read)).flatten()?;
        Some((&text[..at], period, cursor.rest()))
    })
}

/// Checks whether two characters belong to one number in Chinese, so that no date begins between them.
fn is_numeral_pair(before: char, next: char) -> bool {
    is_numeral(before) && is_numeral(next) && !next.is_ascii_digit()
}

/// Reads a period: a date, or a range whose first date `read` reads, with the words for its end.
fn period<'a>(cursor: &mut Cursor<'a>, read: impl Fn(&mut Cursor<'a>) -> Option<Span>) -> Option<Period> {
    let first = cursor.attempt_span(read)?;
    let first = ended(cursor, first);
    let opens = cursor.any(&["起", "开始"]).is_some();
    let range = cursor.attempt(|cursor| {
        cursor.any(&["-", "至", "到", "直至"])?;
        let end = range_end(cursor, &first)?;
        Some(ended(cursor, end))
    });
    let (begin, end) = match range {
        Some(end) => (Some(first.with_unit_of(&end)), Some(end)),
        None if opens => (Some(first), None),
        None => (None, Some(first)),
    };
    Some(Period { begin, end, before: end.is_some() && before(cursor) })
}

impl Cursor<'_> {
    /// Reads a date, and the time of day that may follow it.
    fn attempt_span(&mut self, read: impl FnOnce(&mut Self) -> Option<Span>) -> Option<Span> {
        let span = self.attempt(read)?;
        let timed = matches!(span.part, Part::Day(..)) && self.attempt(time).is_some_and(|midnight| !midnight);
        Some(Span { timed, ..span })
    }
}

/// Reads the words for the end of a period: 底, 末, 内, 止.
fn ended(cursor: &mut Cursor<'_>, mut span: Span) -> Span {
    let found = match span.part {
        Part::FiveYears => {
            cursor.take("规划");
            cursor.any(&["时期", "期间", "期内", "期末", "期"]);
            cursor.any(&["年末", "年底", "末", "底", "收官", "内"]);
            true
        }
        Part::Whole => {
            cursor.any(&["年度内", "年度末", "年内", "年底", "年末", "年终", "全年", "底", "末", "终", "内"]).is_some()
        }
        Part::Month(_) | Part::Bare(_) => cursor.any(&["月底", "月末", "底", "末", "内"]).is_some(),
        Part::Half(_) | Part::Quarter(_) | Part::Third(..) => cursor.any(&["结束", "期间", "底", "末", "内"]).is_some(),
        Part::Day(..) => {
            cursor.take("内");
            true
        }
        Part::SpringFestival | Part::FloodSeason => true,
    };
    let stops = cursor.take("止");
    span.ended = span.ended || found || stops;
    span
}

/// Reads 前 (before), but not 前后 (about) and 前期 (preparatory).
fn before(cursor: &mut Cursor<'_>) -> bool {
    let read = cursor.attempt(|cursor| {
        cursor.any(&["之前", "以前", "前"])?;
        (!cursor.rest().starts_with(['后', '期', '往', '提'])).then_some(())
    });
    read.is_some()
}

/// Reads a date with a printed year.
fn dated(cursor: &mut Cursor<'_>) -> Option<Span> {
    cursor
        .attempt(five_year_plan)
        .or_else(|| cursor.attempt(compact))
        .or_else(|| cursor.attempt(with_year))
        .or_else(|| cursor.attempt(with_short_year))
}

/// Reads a date without a year.
fn yearless(cursor: &mut Cursor<'_>) -> Option<Span> {
    let year = match cursor.any(&["今年", "本年", "当年", "明年", "次年", "翌年", "后年"]) {
        None => None,
        Some("今年" | "本年" | "当年") => Some(Year::Relative(0)),
        Some("后年") => Some(Year::Relative(2)),
        Some(_) => Some(Year::Relative(1)),
    };
    if year.is_some() {
        cursor.take("度");
    }
    let part = cursor.attempt(part_of_year).or_else(|| {
        let whole = ["年底", "年末", "年终", "年内", "年度内", "年度末"];
        let is_whole = year.is_some() || whole.iter().any(|word| cursor.rest().starts_with(word));
        is_whole.then_some(Part::Whole)
    })?;
    Some(Span::new(year.unwrap_or(Year::Missing), part, Notation::Words))
}

/// Reads the name of a five-year plan, with or without quotation marks. The 13th ended in 2020.
fn five_year_plan(cursor: &mut Cursor<'_>) -> Option<Span> {
    cursor.any(QUOTES);
    let last_year = match cursor.any(&["十三五", "十四五", "十五五", "十六五", "十七五"])? {
        "十三五" => 2020,
        "十四五" => 2025,
        "十五五" => 2030,
        "十六五" => 2035,
        _ => 2040,
    };
    cursor.any(QUOTES);
    Some(Span::new(Year::Printed(last_year), Part::FiveYears, Notation::Words))
}

/// Reads eight digits as a date: 20240630.
fn compact(cursor: &mut Cursor<'_>) -> Option<Span> {
    let digits: u32 = cursor.digits(8..=8)?.parse().ok()?;
    let year = i32::try_from(digits / 10_000).ok().filter(|year| YEARS.contains(year))?;
    Some(Span::new(Year::Printed(year), Part::Day(digits / 100 % 100, digits % 100), Notation::Compact))
}

/// Reads a year of four digits and what follows it.
fn with_year(cursor: &mut Cursor<'_>) -> Option<Span> {
    let year = Year::Printed(cursor.year()?);
    if let Some((part, notation)) = cursor.attempt(after_mark) {
        return Some(Span::new(year, part, notation));
    }
    let part = if cursor.any(&["年度", "年"]).is_some() {
        cursor.attempt(part_of_year).or_else(|| cursor.attempt(bare)).unwrap_or(Part::Whole)
    } else {
        cursor.attempt(part_of_unmarked_year)?
    };
    Some(Span::new(year, part, Notation::Words))
}

/// Reads month and day after a year and a mark: 2024-06-30, 2024.6, 2024.6月30日.
fn after_mark(cursor: &mut Cursor<'_>) -> Option<(Part, Notation)> {
    let mark = cursor.any(&["-", "/", "."])?;
    let digits = cursor.digits(1..=2)?;
    let month = digits.parse().ok()?;
    if cursor.rest().starts_with('年') {
        return None;
    }
    if cursor.take("月") {
        let part = cursor.attempt(|cursor| within_month(cursor, month)).unwrap_or(Part::Month(month));
        return Some((part, Notation::Words));
    }
    let day = cursor.attempt(|cursor| {
        let day = cursor.take(mark).then(|| cursor.digits(1..=2))??.parse().ok();
        cursor.any(&["日", "号"]);
        day
    });
    let notation = if mark == "." && digits == "1" { Notation::LostZero } else { Notation::Marks(mark) };
    Some(day.map_or((Part::Month(month), notation), |day| (Part::Day(month, day), Notation::Marks(mark))))
}

/// Reads a part of a year that may follow the year without 年: 2024上半年, 2024底. Also reads nothing, at the beginning
/// of a range of years: 2023-2025年.
fn part_of_unmarked_year(cursor: &mut Cursor<'_>) -> Option<Part> {
    let is_month = cursor.rest().starts_with(|letter: char| letter.is_ascii_digit());
    if let Some(part) = cursor.attempt(part_of_year).filter(|_| !is_month) {
        return Some(part);
    }
    let mut ahead = *cursor;
    let is_end = ahead.any(&["底", "末", "全年"]).is_some();
    let is_range = ahead.any(&["-", "至", "到"]).is_some() && {
        let long = ahead.digits(2..=4).is_some_and(|digits| digits.len() != 3);
        long && (ahead.take("年") || ahead.rest().is_empty())
    };
    (is_end || is_range).then_some(Part::Whole)
}

/// Reads a year of two digits: 24年6月, 24年底. Alone it may be a duration (24年内).
fn with_short_year(cursor: &mut Cursor<'_>) -> Option<Span> {
    let year: i32 = cursor.digits(2..=2)?.parse().ok()?;
    cursor.take("年").then_some(())?;
    let part = cursor.attempt(part_of_year).or_else(|| {
        let ends = ["年底", "年末", "底", "末"];
        ends.iter().any(|word| cursor.rest().starts_with(word)).then_some(Part::Whole)
    })?;
    Some(Span::new(Year::Printed(2000 + year), part, Notation::ShortYear))
}

/// Reads a part of a year: a half-year, a quarter, a month, a day, or the days before a season.
fn part_of_year(cursor: &mut Cursor<'_>) -> Option<Part> {
    if let Some(half) = cursor.any(&["上半年", "下半年"]) {
        return Some(Part::Half(if half == "上半年" { 1 } else { 2 }));
    }
    cursor.attempt(season).or_else(|| cursor.attempt(quarter)).or_else(|| {
        let month = cursor.attempt(|cursor| {
            let month = cursor.number(2)?;
            cursor.take("月").then_some(month)
        })?;
        cursor.take("份");
        Some(cursor.attempt(|cursor| within_month(cursor, month)).unwrap_or(Part::Month(month)))
    })
}

/// Reads 春节前 and 汛期前.
fn season(cursor: &mut Cursor<'_>) -> Option<Part> {
    let part = match cursor.any(&["春节", "主汛期", "汛期", "汛", "入汛"])? {
        "春节" => Part::SpringFestival,
        _ => Part::FloodSeason,
    };
    cursor.any(&["来临", "到来", "开始"]);
    before(cursor).then_some(part)
}

/// Reads a quarter: 第三季度, 三季度, 前三季度, 3季度, Q3.
fn quarter(cursor: &mut Cursor<'_>) -> Option<Part> {
    if cursor.any(&["Q", "q"]).is_some() {
        return Some(Part::Quarter(cursor.digits(1..=1)?.parse().ok()?));
    }
    cursor.take("前");
    cursor.take("第");
    let number = cursor.number(1)?;
    cursor.any(&["个季度", "季度"])?;
    Some(Part::Quarter(number))
}

/// Reads what may follow a month: 上旬, or a day.
fn within_month(cursor: &mut Cursor<'_>, month: u32) -> Option<Part> {
    let third = match cursor.any(&["上中旬", "中下旬", "上旬", "中旬", "下旬"]) {
        None => return day(cursor).map(|day| Part::Day(month, day)),
        Some("上旬") => 1,
        Some("中旬" | "上中旬") => 2,
        Some(_) => 3,
    };
    Some(Part::Third(month, third))
}

/// Reads a day of a month: 30日, 30号, and 30 in 6月30前.
fn day(cursor: &mut Cursor<'_>) -> Option<u32> {
    let is_digits = cursor.rest().starts_with(|letter: char| letter.is_ascii_digit());
    let day = cursor.number(2)?;
    let is_day = cursor.any(&["日", "号"]).is_some() || (is_digits && ends_number(cursor));
    is_day.then_some(day)
}

/// Reads month and day without 月 after 年 (2024年6.30), or a number without a unit (2024年6, 2024年1-12月).
fn bare(cursor: &mut Cursor<'_>) -> Option<Part> {
    let is_digits = cursor.rest().starts_with(|letter: char| letter.is_ascii_digit());
    let month = cursor.number(2)?;
    let day = cursor.attempt(|cursor| {
        let mark = cursor.any(&["-", "/", "."])?;
        let day: u32 = cursor.digits(1..=2)?.parse().ok()?;
        let marked = cursor.any(&["日", "号"]).is_some();
        // 2024年6-12 may be a range of months.
        let is_day = marked || (ends_number(cursor) && (mark != "-" || day > 12));
        is_day.then_some(Part::Day(month, day))
    });
    let begins_range = cursor.rest().starts_with(['-', '至', '到']);
    day.or_else(|| (begins_range || (is_digits && ends_number(cursor))).then_some(Part::Bare(month)))
}

/// Checks whether a number without a unit can end here: what follows is no unit.
fn ends_number(cursor: &Cursor<'_>) -> bool {
    cursor.rest().chars().next().is_none_or(|letter| "前之以底末止起至到-完全基整:".contains(letter))
}

/// Reads the end of a range, which takes from the beginning what is not printed again.
fn range_end(cursor: &mut Cursor<'_>, first: &Span) -> Option<Span> {
    if let Some(span) = cursor.attempt_span(dated) {
        return Some(span);
    }
    if let (Part::Whole, Year::Printed(year)) = (first.part, first.year)
        && let Some(end) = cursor.attempt(|cursor| end_year(cursor, year))
    {
        return Some(Span::new(Year::Printed(end), Part::Whole, Notation::Words));
    }
    cursor.attempt_span(yearless).or_else(|| {
        let part = cursor.attempt(|cursor| range_end_part(cursor, first))?;
        Some(Span::new(Year::Missing, part, Notation::Words))
    })
}

/// Reads the last year of a range of years: 2023-2025, 2023-25年.
fn end_year(cursor: &mut Cursor<'_>, first: i32) -> Option<i32> {
    let digits = cursor.digits(2..=4)?;
    let year: i32 = digits.parse().ok()?;
    match digits.len() {
        4 => cursor.rest().is_empty().then_some(year),
        2 => cursor.take("年").then_some(first / 100 * 100 + year),
        _ => None,
    }
}

/// Reads the end of a range that repeats neither year nor unit: 2024年6月1日至30日, 2024.1-12, 2024.1.1-6.30.
fn range_end_part(cursor: &mut Cursor<'_>, first: &Span) -> Option<Part> {
    let number = cursor.number(2)?;
    let is_day = cursor.any(&["日", "号"]).is_some();
    match (first.part, first.notation) {
        (Part::Day(month, _), _) if is_day => Some(Part::Day(month, number)),
        (Part::Day(..), Notation::Marks(mark)) => {
            let day = cursor.take(mark).then(|| cursor.digits(1..=2))??.parse().ok()?;
            ends_number(cursor).then_some(Part::Day(number, day))
        }
        (Part::Month(_), Notation::Marks(_) | Notation::LostZero) if !is_day => {
            ends_number(cursor).then_some(Part::Month(number))
        }
        _ => None,
    }
}

/// Reads a time of day: T00:00:00, 17:00, 24时. Returns whether it is midnight.
fn time(cursor: &mut Cursor<'_>) -> Option<bool> {
    cursor.take("T");
    let hour: u32 = cursor.digits(1..=2)?.parse().ok()?;
    if cursor.any(&["时", "点"]).is_some() {
        return Some(hour.is_multiple_of(24));
    }
    let mut parts = vec![hour];
    while parts.len() < 3 && cursor.take(":") {
        parts.push(cursor.digits(2..=2)?.parse().ok()?);
    }
    if cursor.take(".") {
        cursor.digits(1..=9)?;
    }
    cursor.take("Z");
    (parts.len() > 1).then(|| parts.iter().all(|part| *part == 0))
}
