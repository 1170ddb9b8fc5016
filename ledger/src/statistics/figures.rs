//! The questions for figures, the figures, and the rule by which they are counted.

use chrono::NaiveDate;
use chrono_tz::Tz;
use entity::assignment::Status;
use planner::Condition;
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
    /// The counties (县) within the region asked for.
    County,
    /// The unit that answers (责任单位).
    Unit,
    /// The sector (行业) of the lead unit; of assignments, that of the answering unit.
    Sector,
}

impl Dimension {
    /// Checks whether its groups are places or units that answer, each of which judges an item by its own answers.
    pub fn is_answering(self) -> bool {
        matches!(self, Self::Region | Self::County | Self::Unit)
    }

    /// Checks whether its groups can be ranked by how far they are.
    pub fn is_ranked(self) -> bool {
        self.is_answering() || self == Self::LeadUnit
    }
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

/// Which items are counted, other than by region. An empty list of codes counts nothing.
#[derive(Debug, Clone, Default)]
pub struct Only {
    /// A condition on the inspection round, in the column `round_id`.
    pub round: Option<Condition>,
    /// A condition on the lead unit, in the column `lead_unit_id`; of a problem, that of one of its measures.
    pub lead_unit: Option<Condition>,
    /// A condition on the answering unit, in the column `unit_id`; of a measure or a problem, one of those that answer.
    pub unit: Option<Condition>,
    /// The domains, one of which the problem belongs to.
    pub domains: Option<Vec<String>>,
    /// The sectors, one of which is that of the lead unit; of assignments, that of the answering unit.
    pub sectors: Option<Vec<String>>,
    /// The classes of the deadline.
    pub classes: Option<Vec<String>>,
    /// The codes of the workflow status today, by which whoever is asked for judges the item.
    pub statuses: Option<Vec<String>>,
}

impl Only {
    /// Checks whether all items are counted.
    pub fn is_everything(&self) -> bool {
        let Self { round, lead_unit, unit, domains, sectors, classes, statuses } = self;
        [round, lead_unit, unit].into_iter().all(Option::is_none)
            && [domains, sectors, classes, statuses].into_iter().all(Option::is_none)
    }
}

/// The day and the time zone that conditions and the figures in [`More`] need.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// The current local day.
    pub today: NaiveDate,
    /// The time zone of the ledger.
    pub zone: Tz,
}

/// A question for figures.
#[derive(Debug, Clone)]
pub struct Question {
    /// The key of a region: only what concerns it or a region below it counts. `None` for the whole nation.
    pub within: Option<i64>,
    /// The local date of the figures.
    pub as_of: NaiveDate,
    /// The dimension by which the figures are split.
    pub by: Dimension,
    /// A second dimension, by which the groups are split.
    pub and: Option<Dimension>,
    /// Which of the items are counted.
    pub only: Only,
    /// The day and the time zone that conditions of `only` and [`More`] may need.
    pub clock: Option<Clock>,
    /// Whether [`More`] is wanted.
    pub wants_more: bool,
    /// The kind of item that is counted.
    pub counted: Counted,
    /// Whether the groups are wanted; otherwise only the total is computed.
    pub wants_groups: bool,
}

impl Question {
    /// Checks whether it is known how far open items are against the time allotted: of assignments, today.
    pub fn knows_pace(&self) -> bool {
        self.counted == Counted::Assignments
            && self.wants_more
            && self.clock.is_some_and(|clock| clock.today == self.as_of)
    }
}

/// The figures that are counted only when they are asked for, because none of them are stored. All but `on_time` and
/// `late_unknown` are about assignments, and 0 where others are counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromQueryResult)]
pub struct More {
    /// The items that are due and were completed by their deadline.
    pub on_time: i64,
    /// The items that are due and of which nobody knows whether they were completed by their deadline.
    pub late_unknown: i64,
    /// The applicable assignments with a deadline.
    pub dated: i64,
    /// Those of them that are completed, ahead of schedule or on schedule; known for today only.
    pub on_schedule: i64,
    /// The open assignments that are ahead of schedule or on schedule, whatever their deadline; known for today only.
    pub open_on_schedule: i64,
    /// The assignments that owe the account of the month.
    pub expected: i64,
    /// Those of them that have given it.
    pub reported: i64,
    /// The assignments that owe the self-inspection of the last quarter that was over.
    pub checks_due: i64,
    /// Those of them that have it.
    pub checks_made: i64,
    /// Those of them that passed it.
    pub checks_passed: i64,
    /// The assignments that were ever closed.
    pub ever_closed: i64,
    /// The assignments that were reopened after that.
    pub reopened: i64,
}

impl More {
    /// Returns on time ÷ due, or `None` if nothing is due or if it is not known of all.
    pub fn on_time_rate(&self, due: i64) -> Option<f64> {
        ratio(self.on_time, due).filter(|_| self.late_unknown == 0)
    }

    /// Returns on schedule ÷ dated, or `None` if nothing has a deadline.
    pub fn on_schedule_rate(&self) -> Option<f64> {
        ratio(self.on_schedule, self.dated)
    }

    /// Returns the accounts given ÷ those owed, or `None` if none were.
    pub fn timeliness(&self) -> Option<f64> {
        ratio(self.reported, self.expected)
    }

    /// Returns the self-inspections made ÷ those owed, or `None` if none were.
    pub fn check_completion_rate(&self) -> Option<f64> {
        ratio(self.checks_made, self.checks_due)
    }

    /// Returns the self-inspections passed ÷ those made, or `None` if none were.
    pub fn check_pass_rate(&self) -> Option<f64> {
        ratio(self.checks_passed, self.checks_made)
    }

    /// Returns reopened ÷ ever closed, or `None` if nothing was ever closed.
    pub fn relapse_rate(&self) -> Option<f64> {
        ratio(self.reopened, self.ever_closed)
    }
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
    /// What else is counted of all items, if it is asked for.
    pub more: More,
    /// The groups, the largest first; regions in the order of their codes.
    pub rows: Vec<Group>,
    /// Whether there are more groups than are returned.
    pub is_cut: bool,
}

/// A group of items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The figures, with the key and the name of the group in the first dimension.
    pub figures: Figures,
    /// What else is counted, if it is asked for.
    pub more: More,
    /// The official code of the region that the group is, if it has one.
    pub code: Option<String>,
    /// The group in the second dimension, if there is one.
    pub and: Option<Key>,
    /// The place among the groups, from 1, by the rule of the briefing; those that are equal share it. `None` without a
    /// completion rate, and in dimensions that are not ranked.
    pub rank: Option<usize>,
}

/// A group in one dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The global id, such as `region_7`, or a code; empty for items without a value.
    pub key: String,
    /// The name, if it has one.
    pub label: Option<String>,
    /// The official code of the region that it is, if it has one.
    pub code: Option<String>,
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
