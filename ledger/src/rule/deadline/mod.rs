//! Deadlines (整改时限): the grammar of printed deadlines, and their normal form.
//!
//! A printed deadline has one or more parts, separated by commas, semicolons, 、, brackets or line breaks. A part is
//!
//! - words without a date: 立行立改 (immediate), 长期坚持 (ongoing), 已完成 (a stated status);
//! - a date or a period with the words around it: 5A级景区于2019年12月31日前完成. It is due on the period's last day;
//! - a range: 2024年1月至12月. Its beginning becomes a milestone, and it is due on its last day;
//! - a time after an event: 收到通知后30日内;
//! - something that recurs: 每季度末;
//! - a change of the date before it: 已延期至2025年12月底;
//! - words that say what is due on a date beside them: （阶段性目标）.
//!
//! What is sure is read. What is likely is read with a [`Remark`]. What may mean several things is a [`Question`] with
//! a proposal. Everything else is [`Unreadable`]: a text is never "no deadline".
//!
//! The rules come from published ledgers and from those that offices keep. The modules: `text` gives a text one
//! spelling and cuts it into parts, `period` reads dates, `words` reads what stands around them, `item` reads a part,
//! and `reader` combines the parts.

mod decisions;
mod festival;
mod item;
mod period;
mod question;
mod reader;
mod stored;
mod text;
mod words;

#[cfg(test)]
mod tests;

use std::fmt;

use chrono::{Datelike, NaiveDate};

pub use decisions::{Context, Decisions};
pub use question::{Answer, Doubt, Question, Reading, Remark, Unreadable};
pub use stored::{CLASS, Columns};

use crate::rule::calendar::plus_days;
use reader::read;

/// The default grace period of an immediate deadline without a date, in days.
pub const GRACE_DAYS: i64 = 30;

/// The most characters of a printed deadline.
pub const MAX_CHARACTERS: usize = 2_000;

/// The label of a milestone whose words do not say what is due: the whole.
pub(crate) const WHOLE: &str = "整体";

/// The label of the milestone on which the work begins; nothing is due on it.
pub const BEGINNING: &str = "开始";

/// The accepted forms of a deadline, in Chinese and in English, for error messages.
pub const EXPECTED: (&str, &str) = (
    "日期或期间（如 2022年12月31日、2025年上半年、“十四五”末）、“长期坚持”、“立行立改”、“每季度末”或其组合",
    "a date or a period (2022年12月31日, 2025年上半年, “十四五”末), 长期坚持 (ongoing), 立行立改 (immediate), \
     每季度末 (every quarter), or a combination",
);

/// A deadline in normal form. Displayed, it is the canonical form, which reads as the same deadline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deadline {
    /// The deadline as printed, without characters that show nothing.
    pub raw: String,
    /// Whether work has to begin at once (立行立改, 立即启动).
    pub immediate: bool,
    /// The latest local date, or `None` if no date is printed. The deadline ends at the end of that day.
    pub due_on: Option<NaiveDate>,
    /// Whether the measure is ongoing (长期坚持): its checks continue indefinitely.
    pub ongoing: bool,
    /// What is due when, in printed order; empty unless several dates are printed, or words for what is due. The
    /// beginning of a range is a milestone with the label [`BEGINNING`].
    pub milestones: Vec<Milestone>,
    /// How often the measure is checked, where the deadline says so (每季度末). Such a measure is ongoing.
    pub checks: Option<CheckPlan>,
    /// What the deadline states about the status.
    pub stated: Option<Stated>,
    /// The extension that the deadline mentions. `due_on` and `milestones` have the date after it.
    pub change: Option<Change>,
}

/// One dated milestone of a deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Milestone {
    /// What is due; 整体 (the whole) if no words say so.
    pub label: String,
    /// The local date on which it is due.
    pub due_on: NaiveDate,
}

/// How often a measure is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckPlan {
    /// At the end of every quarter (每季度末).
    Quarterly,
    /// At the end of every half-year (每半年).
    HalfYearly,
    /// By a day of every year (每年12月底前). 29 February stands for the last day of February.
    Yearly {
        /// The month, 1 to 12.
        month: u32,
        /// The day of the month.
        day: u32,
    },
}

/// What a deadline states about the status, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stated {
    /// By the deadline it has to be closed out, not only completed (…前完成整改销号). Nothing is done yet.
    CloseOutDue,
    /// It is completed (已完成).
    Completed,
    /// It is closed out (已销号).
    Closed,
}

/// An extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The first date.
    pub from: NaiveDate,
    /// The date after the extension.
    pub to: NaiveDate,
}

impl Deadline {
    /// Parses a printed deadline. A text that cannot be read is an error, never "no deadline".
    pub fn parse(raw: &str, context: &Context<'_>) -> Result<Answer, Unreadable> {
        read(raw, context)
    }

    /// Returns the deadline that is due on a day.
    pub fn on(day: NaiveDate) -> Self {
        let deadline = Self { due_on: Some(day), ..Self::default() };
        Self { raw: deadline.to_string(), ..deadline }
    }

    /// Checks whether another deadline means the same, however it is printed.
    pub fn means(&self, other: &Self) -> bool {
        *self == Self { raw: self.raw.clone(), ..other.clone() }
    }

    /// Returns the date after which it is overdue: the printed date or, for an immediate deadline without one, the end
    /// of the grace period. Returns `None` for a deadline that is only ongoing or only states a status.
    ///
    /// The grace period begins on `grace_from`: the date of the round's feedback, or else of the import.
    pub fn due_by(&self, grace_from: NaiveDate, grace_days: i64) -> Option<NaiveDate> {
        self.due_on.or_else(|| self.immediate.then(|| plus_days(grace_from, grace_days)))
    }
}

impl Milestone {
    /// Checks whether it is the beginning of the work, on which nothing is due.
    pub fn is_beginning(&self) -> bool {
        self.label == BEGINNING
    }
}

impl CheckPlan {
    /// Returns the plan of checks by the day of the year on which a date lies.
    fn yearly_by(day: NaiveDate) -> Self {
        Self::Yearly { month: day.month(), day: day.day() }
    }
}

impl fmt::Display for CheckPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quarterly => write!(f, "每季度末"),
            Self::HalfYearly => write!(f, "每半年"),
            Self::Yearly { month, day } => write!(f, "每年{month}月{day}日前"),
        }
    }
}

/// Writes the canonical form: 立行立改；方案编制：2024年6月30日；整体：2024年12月31日；长期坚持.
impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.immediate {
            parts.push("立行立改".to_owned());
        }
        parts.extend(self.dates());
        match self.stated {
            Some(Stated::Completed) => parts.push("已完成".to_owned()),
            Some(Stated::Closed) => parts.push("已销号".to_owned()),
            Some(Stated::CloseOutDue) | None => {}
        }
        match self.checks {
            Some(checks) => parts.push(checks.to_string()),
            None if self.ongoing => parts.push("长期坚持".to_owned()),
            None => {}
        }
        f.write_str(&parts.join("；"))
    }
}

impl Deadline {
    /// Writes the dates, each with its label.
    fn dates(&self) -> Vec<String> {
        if self.milestones.is_empty() {
            return self.due_on.map(|day| self.date(day, true, true)).into_iter().collect();
        }
        let moved = self.change.and_then(|change| self.place(|one| one.due_on == change.to));
        let says_close_out = self.milestones.iter().any(|one| one.label.contains("销号"));
        let closes = if says_close_out { None } else { self.place(|one| !one.is_beginning()) };
        let steps = self.milestones.iter().enumerate();
        steps
            .map(|(place, step)| {
                let date = self.date(step.due_on, moved == Some(place), closes == Some(place));
                format!("{}：{date}", step.label)
            })
            .collect()
    }

    /// Returns the place of the last milestone that fulfils a condition, except for the beginning.
    fn place(&self, fulfils: impl Fn(&Milestone) -> bool) -> Option<usize> {
        self.milestones.iter().rposition(|one| !one.is_beginning() && fulfils(one))
    }

    /// Writes a date, if it is `moved` with the change, and if it `closes` with the close-out that is due.
    fn date(&self, day: NaiveDate, moved: bool, closes: bool) -> String {
        let change = self.change.filter(|_| moved);
        let closes = closes && self.stated == Some(Stated::CloseOutDue);
        let mut text = printed(change.map_or(day, |change| change.from));
        if closes {
            text.push_str("前完成整改销号");
        }
        if let Some(change) = change {
            text = format!("{text}（延期至{}）", printed(change.to));
        }
        text
    }
}

/// Writes a date as ledgers do: 2024年6月30日.
pub(crate) fn printed(day: NaiveDate) -> String {
    format!("{}年{}月{}日", day.year(), day.month(), day.day())
}
