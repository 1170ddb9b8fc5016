//! Deadlines (整改时限) of problems and measures. Both tables have the same columns for them.

use crate::part::scalar::Date;
use async_graphql::Enum;
use planner::{Kind, SortKey, SortType, noun};
use sea_orm::Value;

/// Sort key of lists ordered by deadline. Rows without a date carry 9999-12-31 there, so they come last.
pub(crate) const DUE_ORDER: SortKey = SortKey::column("{t}.due_order", "due_order", SortType::Date);

/// Pace (进度): progress against elapsed time, derived on the current local day. A pace set by hand replaces the
/// derived one, except `DONE` and `OVERDUE`.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "ledger::rule::pace::Pace")]
pub(crate) enum Pace {
    /// 完成 · Completed (完成) or closed (销号).
    Done,
    /// 逾期 · Not completed, and the day in `Deadline.overdueAfter` has passed.
    Overdue,
    /// 超前 · The share of the target that is done exceeds the share of time elapsed by more than 10 percentage points.
    Ahead,
    /// 达到序时进度 · The share done is within 10 percentage points of the time elapsed; without quantities, the last
    /// report is at most 30 days old, or 92 days where `Deadline.overdueAfter` is null.
    OnSchedule,
    /// 未达序时进度 · The share done is more than 10 percentage points below the time elapsed; without quantities, the
    /// last report is more than 30 days old, or 92 days where `Deadline.overdueAfter` is null.
    Behind,
}

/// Pace that a ledger states (台账所述进度), in addition to the one that is computed.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::assignment::StatedPace")]
pub(crate) enum StatedPace {
    /// 已整改到位 · Completed.
    Done,
    /// 达到序时进度 · On schedule.
    OnSchedule,
    /// 未达序时进度（已报备） · Behind schedule, as the office has told the one above it.
    BehindAndReported,
    /// 未达序时进度 · Behind schedule, and not told to the office above.
    Behind,
}

/// Returns SQL for whether the pace that a ledger states of the row `alias` is another than the computed one.
pub(crate) fn differs(alias: &str, computed: &str) -> String {
    format!(
        "({alias}.stated_pace IS NOT NULL AND coalesce((SELECT CASE \
         WHEN {alias}.stated_pace = 'ON_SCHEDULE' THEN n.pace NOT IN ('ON_SCHEDULE', 'AHEAD') \
         WHEN {alias}.stated_pace = 'BEHIND_AND_REPORTED' THEN n.pace <> 'BEHIND' \
         ELSE {alias}.stated_pace <> n.pace END FROM (SELECT {computed} AS pace) n), FALSE))"
    )
}

/// Returns the codes of paces, as the SQL expression of the pace returns them.
pub(crate) fn codes(paces: &[Pace]) -> Vec<Value> {
    let code = |pace: &Pace| match pace {
        Pace::Done => "DONE",
        Pace::Overdue => "OVERDUE",
        Pace::Ahead => "AHEAD",
        Pace::OnSchedule => "ON_SCHEDULE",
        Pace::Behind => "BEHIND",
    };
    paces.iter().map(code).map(Value::from).collect()
}

noun! {
    /// A deadline (整改时限) in normal form. A dated deadline ends at the end of its day in the ledger's time zone.
    pub(crate) Deadline from "measure" { order: &[], total: None }
    /// Deadline as printed, such as `2018年6月30日前完成，长期坚持`; empty where the ledger prints none.
    raw: String = Kind::Column("due_raw");
    /// Latest date of the deadline, a local date; null when it names none.
    dueOn: Option<Date> = Kind::Column("due_on");
    /// Whether the deadline is ongoing (长期坚持): periodic checks never end.
    ongoing: bool = Kind::Boolean("due_ongoing");
    /// Whether work has to begin at once (立行立改, 立即启动).
    immediate: bool = Kind::Boolean("due_immediate");
    /// Local date after which the item is overdue: `dueOn`, or the end of the grace period of an immediate deadline
    /// without a date. Null for a deadline that is only ongoing or not printed; such an item is never overdue.
    overdueAfter: Option<Date> = Kind::Column("due_by");
}
