//! Deadlines (整改时限): the grammar of printed deadlines, and their normal form.
//!
//! The grammar covers the forms in published ledgers: dates, 长期坚持 (ongoing), 立行立改 (immediate), and several
//! dates with or without words that say what is due when.

use std::sync::LazyLock;

use chrono::NaiveDate;
use entity::milestone;
use planner::Bilingual;
use regex::Regex;
use sea_orm::ActiveValue::Set;
use unicode_normalization::UnicodeNormalization;

use crate::rule::calendar::{YEARS, last_day_of_month, plus_days};

/// The default grace period of an immediate deadline without a date, in days.
pub const GRACE_DAYS: i64 = 30;

/// The SQL expression of a deadline's class, over the columns of the row `{t}`: `DATED_ONGOING`, `DATED`, `IMMEDIATE`,
/// `ONGOING` or `NONE`.
pub const CLASS: &str = "CASE WHEN {t}.due_on IS NOT NULL AND {t}.due_ongoing THEN 'DATED_ONGOING' \
    WHEN {t}.due_on IS NOT NULL THEN 'DATED' WHEN {t}.due_immediate THEN 'IMMEDIATE' \
    WHEN {t}.due_ongoing THEN 'ONGOING' ELSE 'NONE' END";

/// A deadline in normal form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deadline {
    /// The deadline as printed.
    pub raw: String,
    /// Whether work has to begin at once (立行立改, 立即启动).
    pub immediate: bool,
    /// The latest local date, or `None` if no date is printed. The deadline ends at the end of that day.
    pub due_on: Option<NaiveDate>,
    /// Whether the measure is ongoing (长期坚持): its checks continue indefinitely.
    pub ongoing: bool,
    /// What is due when, in printed order; empty unless several dates are printed, or words for what is due.
    pub milestones: Vec<Milestone>,
}

/// One dated milestone of a deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Milestone {
    /// What is due; 整体 (the whole) if no words say so.
    pub label: String,
    /// The local date on which it is due.
    pub due_on: NaiveDate,
}

/// Why a text cannot be read as a deadline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The text is empty.
    #[error("时限为空")]
    Blank,
    /// A date does not exist in the calendar, such as 30 February.
    #[error("“{0}”不是日历上的日期")]
    NoSuchDay(String),
    /// Some words are not understood.
    #[error("“{0}”无法识别")]
    Unknown(String),
}

impl Unreadable {
    /// Returns the message in Chinese and in English.
    pub fn message(&self) -> Bilingual {
        let en = match self {
            Self::Blank => "the deadline is empty".to_owned(),
            Self::NoSuchDay(words) => format!("“{words}” is not a date of the calendar"),
            Self::Unknown(words) => format!("“{words}” is not understood"),
        };
        Bilingual::new(self.to_string(), en)
    }
}

/// The accepted forms of a deadline, in Chinese and in English, for error messages.
pub const EXPECTED: (&str, &str) = (
    "日期（如 2022年12月31日）、“长期坚持”、“立行立改”或其组合",
    "a date (2022年12月31日), 长期坚持 (ongoing), 立行立改 (immediate), or a combination",
);

static DATED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?x)^(?P<label>.*?)(?:于|在)?
        (?P<year>\d{4})(?:年|[-/.])
        (?:(?P<month>\d{1,2})(?:月|[-/.])?(?:(?P<day>\d{1,2})[日号]?)?(?P<month_end>月?[底末])?
            |(?P<year_end>年?[底末]))?
        (?:之|以)?前?(?:全面|基本)?(?:完成)?(?:整改|到位)*$",
    )
});

#[expect(clippy::expect_used, reason = "the pattern is constant, and every test in this file compiles it")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is well formed")
}

const ONGOING: &[&str] = &["长期坚持", "长期", "坚持长期", "持续坚持"];
const IMMEDIATE: &[&str] = &["立行立改", "立即启动", "立即整改", "立知立改", "即知即改", "立即"];

impl Deadline {
    /// Parses a printed deadline. A text that cannot be read is an error, never "no deadline".
    pub fn parse(raw: &str) -> Result<Self, Unreadable> {
        // The lines of a cell are the items of a list; any other whitespace is a typing error.
        let lines = raw.trim().replace(['\n', '\r'], ",");
        let plain: String = lines.nfkc().filter(|letter| !letter.is_whitespace()).collect();
        let plain = unbracketed(plain.replace("并长期坚持", ",长期坚持"));
        let plain = plain.trim_matches(['(', ')', '。', ';', ',', '，', '；']);
        if plain.is_empty() {
            return Err(Unreadable::Blank);
        }
        let mut deadline =
            Self { raw: raw.trim().to_owned(), immediate: false, due_on: None, ongoing: false, milestones: Vec::new() };
        let mut carried = String::new();
        let pieces = plain.split([',', ';', '，', '；']).map(|piece| piece.trim_matches(['(', ')']));
        for piece in pieces.filter(|piece| !piece.is_empty()) {
            if ONGOING.contains(&piece) {
                deadline.ongoing = true;
            } else if IMMEDIATE.contains(&piece.trim_end_matches("完成")) {
                deadline.immediate = true;
            } else if let Some(milestone) = dated(piece)? {
                let label = format!("{carried}{}", milestone.label);
                carried.clear();
                deadline.milestones.push(Milestone { label, ..milestone });
            } else if deadline.milestones.is_empty() && !piece.contains(|letter: char| letter.is_ascii_digit()) {
                return Err(Unreadable::Unknown(piece.to_owned()));
            } else {
                // Words that a comma separates from the date to which they belong.
                carried = format!("{piece}，");
            }
        }
        if !carried.is_empty() {
            return Err(Unreadable::Unknown(carried.trim_end_matches('，').to_owned()));
        }
        deadline.due_on = deadline.milestones.iter().map(|milestone| milestone.due_on).max();
        let says_more = deadline.milestones.len() > 1 || deadline.milestones.iter().any(|one| !one.label.is_empty());
        if says_more {
            for milestone in &mut deadline.milestones {
                if milestone.label.is_empty() {
                    "整体".clone_into(&mut milestone.label);
                }
            }
        } else {
            deadline.milestones.clear();
        }
        Ok(deadline)
    }

    /// Returns the date after which it is overdue: the printed date or, for an immediate deadline without one, the end
    /// of the grace period. Returns `None` for a deadline that is only ongoing.
    ///
    /// The grace period begins on `grace_from`: the date of the round's feedback, or else of the import.
    pub fn due_by(&self, grace_from: NaiveDate, grace_days: i64) -> Option<NaiveDate> {
        self.due_on.or_else(|| self.immediate.then(|| plus_days(grace_from, grace_days)))
    }

    /// Returns the milestones as rows of a problem or a measure, with positions counted from 1.
    pub fn steps(&self, problem: Option<i64>, measure: Option<i64>) -> Vec<milestone::ActiveModel> {
        let rows = self.milestones.iter().enumerate().map(|(index, step)| milestone::ActiveModel {
            problem_id: Set(problem),
            measure_id: Set(measure),
            position: Set(index as i32 + 1),
            label: Set(step.label.clone()),
            due_on: Set(step.due_on),
            ..Default::default()
        });
        rows.collect()
    }
}

/// A deadline as the tables store it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// The deadline as printed, or empty if none is.
    pub raw: String,
    /// Whether work has to begin at once (立行立改).
    pub immediate: bool,
    /// The latest local date, or `None` if no date is printed.
    pub on: Option<NaiveDate>,
    /// Whether the measure is ongoing (长期坚持).
    pub ongoing: bool,
    /// The date after which it is overdue, or `None` if it never is.
    pub by: Option<NaiveDate>,
}

impl Columns {
    /// Returns the deadline of a problem.
    pub(crate) fn of_problem(problem: &entity::problem::Model) -> Self {
        Self {
            raw: problem.due_raw.clone(),
            immediate: problem.due_immediate,
            on: problem.due_on,
            ongoing: problem.due_ongoing,
            by: problem.due_by,
        }
    }

    /// Returns the deadline of a measure.
    pub(crate) fn of_measure(measure: &entity::measure::Model) -> Self {
        Self {
            raw: measure.due_raw.clone(),
            immediate: measure.due_immediate,
            on: measure.due_on,
            ongoing: measure.due_ongoing,
            by: measure.due_by,
        }
    }

    /// Returns the columns of a deadline, whose grace period, if it has one, begins on `grace_from`. Without a deadline
    /// the columns are empty.
    pub fn of(deadline: Option<&Deadline>, grace_from: NaiveDate, grace_days: i64) -> Self {
        Self {
            raw: deadline.map(|deadline| deadline.raw.clone()).unwrap_or_default(),
            immediate: deadline.is_some_and(|deadline| deadline.immediate),
            on: deadline.and_then(|deadline| deadline.due_on),
            ongoing: deadline.is_some_and(|deadline| deadline.ongoing),
            by: deadline.and_then(|deadline| deadline.due_by(grace_from, grace_days)),
        }
    }
}

/// Replaces the brackets that separate a class of deadline from the rest, so that both become items of their own:
/// 长期坚持（2027年底前）.
fn unbracketed(plain: String) -> String {
    ONGOING.iter().chain(IMMEDIATE).fold(plain, |plain, class| {
        plain.replace(&format!("({class})"), &format!(",{class},")).replace(&format!("{class}("), &format!("{class},"))
    })
}

/// Reads an item that ends in a date, with the words before it as its label. Returns `None` if it does not end in a
/// date.
fn dated(piece: &str) -> Result<Option<Milestone>, Unreadable> {
    let Some(found) = DATED.captures(piece) else { return Ok(None) };
    let number = |name: &str| found.name(name).and_then(|digits| digits.as_str().parse::<u32>().ok());
    let year = number("year").and_then(|year| i32::try_from(year).ok()).unwrap_or_default();
    let due_on = match (number("month"), number("day")) {
        (Some(month), Some(day)) => NaiveDate::from_ymd_opt(year, month, day),
        (Some(month), None) => last_day_of_month(year, month),
        _ => last_day_of_month(year, 12),
    };
    let label = found.name("label").map_or("", |label| label.as_str()).to_owned();
    // Digits directly before the year, or another date among the words, mean that the item is not understood.
    if label.ends_with(|letter: char| letter.is_ascii_digit()) || label.contains('年') || !YEARS.contains(&year) {
        return Err(Unreadable::Unknown(piece.to_owned()));
    }
    let due_on = due_on.ok_or_else(|| Unreadable::NoSuchDay(piece.to_owned()))?;
    Ok(Some(Milestone { label, due_on }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A printed deadline and its expected parts: immediate, latest date, ongoing, milestones (label and date).
    type Form = (&'static str, bool, &'static str, bool, &'static [(&'static str, &'static str)]);

    #[test]
    fn every_printed_form_is_understood() {
        let forms: &[Form] = &[
            ("2018年12月31日", false, "2018-12-31", false, &[]),
            ("2018年6月30日前完成，长期坚持", false, "2018-06-30", true, &[]),
            ("2018年6月30前完成，长期坚持", false, "2018-06-30", true, &[]),
            ("2020年12月31前完成", false, "2020-12-31", false, &[]),
            ("长期坚持", false, "", true, &[]),
            ("立行立改", true, "", false, &[]),
            ("立行立改，长期坚持", true, "", true, &[]),
            ("立行立改，2022年12月31日", true, "2022-12-31", false, &[]),
            ("立即启动", true, "", false, &[]),
            (
                "2018年12月31日；长期坚持；2020年12月31日",
                false,
                "2020-12-31",
                true,
                &[("整体", "2018-12-31"), ("整体", "2020-12-31")],
            ),
            (
                "5A级、4A级景区于2019年12月31日前完成；3A级、2A级、A级景区于2020年12月31日前完成；2020年12月31日",
                false,
                "2020-12-31",
                false,
                &[("5A级、4A级景区", "2019-12-31"), ("3A级、2A级、A级景区", "2020-12-31"), ("整体", "2020-12-31")],
            ),
            (" 2022 年 12 月 31 日 ,长期坚持", false, "2022-12-31", true, &[]),
            ("（2022年12月31日，长期坚持）", false, "2022-12-31", true, &[]),
            ("(２０２２年１２月３１日)", false, "2022-12-31", false, &[]),
            ("2023年6月底前", false, "2023-06-30", false, &[]),
            ("2024年2月", false, "2024-02-29", false, &[]),
            ("2022年底前完成", false, "2022-12-31", false, &[]),
            ("2022年年底前", false, "2022-12-31", false, &[]),
            ("2022-12-31", false, "2022-12-31", false, &[]),
            ("2022/6/5", false, "2022-06-05", false, &[]),
            ("2022.12.31", false, "2022-12-31", false, &[]),
            ("2022年12月31日\n长期坚持", false, "2022-12-31", true, &[]),
            ("立行立改并长期坚持", true, "", true, &[]),
            ("长期坚持（2027年底前）", false, "2027-12-31", true, &[]),
            ("立行立改(2027年12月31日前)", true, "2027-12-31", false, &[]),
            ("2027年12月31日（长期坚持）", false, "2027-12-31", true, &[]),
            ("立行立改（立即整改）", true, "", false, &[]),
        ];
        for (printed, immediate, due, ongoing, milestones) in forms {
            let deadline = Deadline::parse(printed).unwrap_or_else(|error| panic!("{printed}: {error}"));
            assert_eq!(deadline.immediate, *immediate, "{printed}");
            assert_eq!(deadline.ongoing, *ongoing, "{printed}");
            assert_eq!(deadline.due_on.map(|day| day.to_string()).unwrap_or_default(), *due, "{printed}");
            let found: Vec<(String, String)> =
                deadline.milestones.iter().map(|one| (one.label.clone(), one.due_on.to_string())).collect();
            let found: Vec<(&str, &str)> = found.iter().map(|(label, day)| (label.as_str(), day.as_str())).collect();
            assert_eq!(found, *milestones, "{printed}");
        }
    }

    #[test]
    fn what_is_no_deadline_is_an_error_and_never_none() {
        for (printed, error) in [
            ("", Unreadable::Blank),
            ("  （）", Unreadable::Blank),
            ("2022年2月30日", Unreadable::NoSuchDay("2022年2月30日".into())),
            ("2022年13月1日", Unreadable::NoSuchDay("2022年13月1日".into())),
            ("尽快", Unreadable::Unknown("尽快".into())),
            ("20222年12月31日", Unreadable::Unknown("20222年12月31日".into())),
            ("2202年12月31日", Unreadable::Unknown("2202年12月31日".into())),
            ("2022年6月30日、2023年6月30日", Unreadable::Unknown("2022年6月30日、2023年6月30日".into())),
            ("按上级要求", Unreadable::Unknown("按上级要求".into())),
            ("2022年12月31日，视情况", Unreadable::Unknown("视情况".into())),
        ] {
            assert_eq!(Deadline::parse(printed), Err(error), "{printed}");
        }
    }

    #[test]
    fn an_immediate_deadline_without_a_date_leaves_a_grace_period() {
        let from = NaiveDate::from_ymd_opt(2022, 3, 1).unwrap();
        let due_by =
            |printed: &str| Deadline::parse(printed).unwrap().due_by(from, GRACE_DAYS).map(|day| day.to_string());
        assert_eq!(due_by("立行立改").as_deref(), Some("2022-03-31"));
        assert_eq!(due_by("立行立改，2022年12月31日").as_deref(), Some("2022-12-31"));
        assert_eq!(due_by("长期坚持"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "\\PC{0,40}") {
            if let Ok(deadline) = Deadline::parse(&text) {
                prop_assert!(deadline.immediate || deadline.ongoing || deadline.due_on.is_some());
            }
        }

        #[test]
        fn any_date_in_any_spelling_is_that_date(days in 0_i64..30_000, spelling in 0_usize..5, ongoing: bool) {
            use chrono::Datelike;
            let day = plus_days(NaiveDate::from_ymd_opt(2000, 1, 1).unwrap(), days);
            let (year, month, of_month) = (day.year(), day.month(), day.day());
            let mut text = match spelling {
                0 => format!("{year}年{month}月{of_month}日"),
                1 => format!("{year}年{month}月{of_month}前完成"),
                2 => format!("{year} 年{month:02}月 {of_month:02} 日前"),
                3 => format!("{year}-{month:02}-{of_month:02}"),
                _ => format!("（{year}年{month}月{of_month}日）"),
            };
            if ongoing { text.push_str("，长期坚持"); }
            let deadline = Deadline::parse(&text).unwrap();
            prop_assert_eq!(deadline.due_on, Some(day));
            prop_assert_eq!(deadline.ongoing, ongoing);
        }
    }
}
