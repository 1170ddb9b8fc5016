//! Statistics (挂图作战): how far the rectification is at a date, split by one dimension, counted in problems, measures or
//! assignments. A row of several regions, lead units or domains counts in each, so only the total adds up. Here is the rule;
//! `answer` asks for the figures, `kept` keeps those that every wall shows.

mod answer;
pub mod kept;

use chrono::NaiveDate;
use entity::assignment::Status;
use sea_orm::{ActiveEnum, FromQueryResult};

use crate::rule::workflow::status_name;

pub use answer::answer;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// 反馈问题
    Problems,
    /// 整改措施
    Measures,
    /// 责任分解
    Assignments,
}

/// What the figures are split by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// The direct children of the region that is asked for.
    Region,
    /// 牵头单位
    LeadUnit,
    /// 督察轮次
    Round,
    /// 领域
    Domain,
    /// The workflow state.
    Status,
    /// The form of the deadline.
    DeadlineClass,
}

/// What people call a code.
pub fn label_of(code: &str) -> &str {
    if let Ok(status) = Status::try_from_value(&code.to_owned()) {
        return status_name(status);
    }
    match code {
        "DATED" => "定期完成",
        "DATED_ONGOING" => "定期完成并长期坚持",
        "IMMEDIATE" => "立行立改",
        "ONGOING" => "长期坚持",
        "NONE" => "未载明时限",
        "" => "未明确",
        other => other,
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// Only what concerns this region or one below it; the whole nation without.
    pub within: Option<i64>,
    /// The local day that the figures are of.
    pub as_of: NaiveDate,
    /// What they are split by.
    pub by: Dimension,
    /// What is counted.
    pub counted: Counted,
}

/// The figures of one group, as numbers of rows.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Figures {
    /// What the group is: a key of a row, or a code.
    pub key: Option<String>,
    /// Its name, where it has one.
    pub label: Option<String>,
    /// All rows.
    pub all: i64,
    /// Completed by the day, closed ones included.
    pub completed: i64,
    /// Closed.
    pub closed: i64,
    /// Not applicable.
    pub not_applicable: i64,
    /// Past their deadline, the applicable ones.
    pub due: i64,
    /// Past their deadline and open.
    pub overdue: i64,
}

/// What figures are counted from: a problem, a measure or an assignment. Dates are local.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// The workflow state.
    pub status: Status,
    /// When it was completed.
    pub completed_on: Option<NaiveDate>,
    /// What governs "overdue".
    pub due_by: Option<NaiveDate>,
}

impl Item {
    fn is_closed(&self) -> bool {
        matches!(self.status, Status::Closed | Status::ClosedOngoing)
    }

    /// Whether it was completed by the end of a day; what is closed without a date always was.
    fn is_completed(&self, as_of: NaiveDate) -> bool {
        self.completed_on.map_or(self.is_closed(), |day| day <= as_of)
    }

    fn is_past_due(&self, as_of: NaiveDate) -> bool {
        self.status != Status::NotApplicable && self.due_by.is_some_and(|day| day < as_of)
    }
}

impl Figures {
    /// The rule of the figures; `statement` says the same in SQL, and `tests/stories/pace.rs` holds the two together.
    pub fn count(items: &[Item], as_of: NaiveDate) -> Self {
        let count = |wanted: &dyn Fn(&Item) -> bool| items.iter().filter(|item| wanted(item)).count() as i64;
        Self {
            key: None,
            label: None,
            all: items.len() as i64,
            completed: count(&|item| item.is_completed(as_of)),
            closed: count(&|item| item.is_closed() && item.is_completed(as_of)),
            not_applicable: count(&|item| item.status == Status::NotApplicable),
            due: count(&|item| item.is_past_due(as_of)),
            overdue: count(&|item| item.is_past_due(as_of) && !item.is_completed(as_of)),
        }
    }

    /// Completed ÷ (all − not applicable); none without any.
    pub fn completion_rate(&self) -> Option<f64> {
        ratio(self.completed, self.all - self.not_applicable)
    }

    /// Closed ÷ (all − not applicable); none without any.
    pub fn close_out_rate(&self) -> Option<f64> {
        ratio(self.closed, self.all - self.not_applicable)
    }

    /// Open past the deadline ÷ past the deadline; none where nothing is.
    pub fn overdue_rate(&self) -> Option<f64> {
        ratio(self.overdue, self.due)
    }
}

fn ratio(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The answer: the total, and the groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// All rows that concern the region, each once.
    pub total: Figures,
    /// The groups, the largest first; regions by their code.
    pub rows: Vec<Figures>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sea_orm::Iterable;

    fn day() -> impl Strategy<Value = NaiveDate> {
        (0_i64..60)
            .prop_map(|days| crate::rule::calendar::plus_days(NaiveDate::from_ymd_opt(2023, 1, 1).unwrap(), days))
    }

    fn item() -> impl Strategy<Value = Item> {
        let status = proptest::sample::select(Status::iter().collect::<Vec<_>>());
        (status, proptest::option::of(day()), proptest::option::of(day()))
            .prop_map(|(status, completed_on, due_by)| Item { status, completed_on, due_by })
    }

    #[test]
    fn a_zero_denominator_gives_no_rate() {
        let none = Figures::count(&[], NaiveDate::default());
        assert_eq!((none.completion_rate(), none.close_out_rate(), none.overdue_rate()), (None, None, None));
    }

    proptest! {
        #[test]
        fn figures_add_up_over_any_partition_and_grow_with_time(
            items in proptest::collection::vec(item(), 0..30), at in day(), cut in 0_usize..30
        ) {
            let all = Figures::count(&items, at);
            let (left, right) = items.split_at(cut.min(items.len()));
            let (left, right) = (Figures::count(left, at), Figures::count(right, at));
            prop_assert_eq!(all.all, left.all + right.all);
            prop_assert_eq!(all.completed, left.completed + right.completed);
            prop_assert_eq!(all.overdue, left.overdue + right.overdue);
            prop_assert!(all.closed <= all.completed && all.overdue <= all.due && all.due <= all.all);
            let later = Figures::count(&items, crate::rule::calendar::plus_days(at, 7));
            prop_assert!(later.completed >= all.completed && later.due >= all.due);
        }
    }
}
