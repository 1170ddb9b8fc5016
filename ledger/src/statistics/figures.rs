//! The questions for figures, the figures, and the rule by which they are counted.

use chrono::NaiveDate;
use entity::assignment::Status;
use sea_orm::{ActiveEnum, FromQueryResult};

use crate::rule::workflow::status_name;

/// The kinds of items that can be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Problems (反馈问题).
    Problems,
    /// Measures (整改措施).
    Measures,
    /// Assignments (责任分解).
    Assignments,
}

/// The dimensions by which figures can be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// The regions (行政区) directly below the region asked for.
    Region,
    /// The lead unit (牵头单位).
    LeadUnit,
    /// The inspection round (督察轮次).
    Round,
    /// The domain of the problem (领域).
    Domain,
    /// The workflow status (状态).
    Status,
    /// The class of the deadline (时限类型): dated, ongoing, immediate.
    DeadlineClass,
}

/// Returns the Chinese label of a status or a deadline class, and 未明确 for an empty code. Other codes are returned
/// unchanged.
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

/// A question for figures.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// The key of a region: only what concerns it or a region below it counts. `None` for the whole nation.
    pub within: Option<i64>,
    /// The local date of the figures.
    pub as_of: NaiveDate,
    /// The dimension by which the figures are split.
    pub by: Dimension,
    /// The kind of item that is counted.
    pub counted: Counted,
    /// Whether the groups are wanted; otherwise only the total is computed.
    pub wants_groups: bool,
}

/// The figures of one group, each a number of items.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Figures {
    /// The global id of the group's row, such as `region_7`, or a code; `None` for the total.
    pub key: Option<String>,
    /// The name of the group, if it has one.
    pub label: Option<String>,
    /// All items.
    pub all: i64,
    /// The items completed by the date, including closed ones.
    pub completed: i64,
    /// The items closed by the date.
    pub closed: i64,
    /// The items that are not applicable.
    pub not_applicable: i64,
    /// The applicable items whose deadline has passed.
    pub due: i64,
    /// The applicable items whose deadline has passed and that are not completed, as far as that is known.
    pub overdue: i64,
    /// The items of which nobody knows whether they were completed on the date: a ledger of a later date states that
    /// they are.
    pub unknown: i64,
}

/// The facts of a problem, a measure or an assignment from which figures are counted. All dates are local.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// The workflow status.
    pub status: Status,
    /// The date of completion, or `None` if it is not completed.
    pub completed_on: Option<NaiveDate>,
    /// Whether it was completed by that date, on a day that nobody knows, rather than on it.
    pub is_completed_by: bool,
    /// The date after which it is overdue, or `None` if it never is.
    pub due_by: Option<NaiveDate>,
}

impl Item {
    fn is_closed(&self) -> bool {
        matches!(self.status, Status::Closed | Status::ClosedOngoing)
    }

    /// Checks whether it was completed by the end of a day. A closed item without a date counts as always completed.
    fn is_completed(&self, as_of: NaiveDate) -> bool {
        self.completed_on.map_or(self.is_closed(), |day| day <= as_of)
    }

    /// Checks whether it was completed later or earlier than a day, which nobody knows.
    fn is_unknown(&self, as_of: NaiveDate) -> bool {
        self.is_completed_by && self.completed_on.is_some_and(|day| day > as_of)
    }

    fn is_past_due(&self, as_of: NaiveDate) -> bool {
        self.status != Status::NotApplicable && self.due_by.is_some_and(|day| day < as_of)
    }
}

impl Figures {
    /// Counts the figures of items as of a date. The SQL in `answer` and `kept` follows the same rule, and
    /// `tests/stories/figures.rs` checks that they agree.
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
            overdue: count(&|item| item.is_past_due(as_of) && !item.is_completed(as_of) && !item.is_unknown(as_of)),
            unknown: count(&|item| item.is_unknown(as_of)),
        }
    }

    /// Returns completed ÷ (all − not applicable), or `None` if no item is applicable or if some are unknown.
    pub fn completion_rate(&self) -> Option<f64> {
        self.known(ratio(self.completed, self.all - self.not_applicable))
    }

    /// Returns closed ÷ (all − not applicable), or `None` if no item is applicable or if some are unknown.
    pub fn close_out_rate(&self) -> Option<f64> {
        self.known(ratio(self.closed, self.all - self.not_applicable))
    }

    /// Returns overdue ÷ due, or `None` if no deadline has passed or if some items are unknown.
    pub fn overdue_rate(&self) -> Option<f64> {
        self.known(ratio(self.overdue, self.due))
    }

    /// A share of items that are only partly known is not known.
    fn known(&self, rate: Option<f64>) -> Option<f64> {
        rate.filter(|_| self.unknown == 0)
    }
}

fn ratio(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The answer to a question: the total, and the groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The figures of all items that concern the region, each counted once.
    pub total: Figures,
    /// The figures of the groups, the largest first; regions in the order of their codes.
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
        (status, proptest::option::of(day()), proptest::bool::ANY, proptest::option::of(day())).prop_map(
            |(status, completed_on, is_completed_by, due_by)| Item { status, completed_on, is_completed_by, due_by },
        )
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
            prop_assert!(later.completed >= all.completed && later.due >= all.due && later.unknown <= all.unknown);
            prop_assert!(all.completed + all.unknown <= all.all);
        }
    }
}
