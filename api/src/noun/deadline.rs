//! Deadlines (整改时限) of problems and measures: the same columns on both.

use crate::part::scalar::Date;
use async_graphql::Enum;
use planner::{Kind, Link, SortKey, SortType, noun};
use sea_orm::Value;

/// The order of lists that run by deadline.
pub(crate) const DUE_ORDER: SortKey = SortKey::column("{t}.due_order", "due_order", SortType::Date);

/// How far something is against its time, derived at the day of the request.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "ledger::rule::pace::Pace")]
pub(crate) enum Pace {
    /// 完成: completed or closed.
    Done,
    /// 逾期: open past its deadline.
    Overdue,
    /// 超前: done by more than ten points more than time has elapsed.
    Ahead,
    /// 达到序时进度: within ten points, or recently reported on.
    OnSchedule,
    /// 未达序时进度: more than ten points less, or nothing heard for too long.
    Behind,
}

/// The codes of paces as statements reckon them.
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
    /// A deadline (整改时限) in normal form. It ends at the end of its day, local time.
    pub(crate) Deadline from "measure" { order: &[], total: None }
    /// As printed; empty where the ledger prints none.
    raw: String = Kind::Column("due_raw");
    /// The latest date; null when there is none.
    dueOn: Option<Date> = Kind::Column("due_on");
    /// 长期坚持: checks go on for good.
    ongoing: bool = Kind::Boolean("due_ongoing");
    /// 立行立改 or 立即启动: to be begun at once.
    immediate: bool = Kind::Boolean("due_immediate");
    /// The day that governs "overdue": `dueOn`, or the end of the grace period of an immediate deadline; null when it is only ongoing.
    overdueAfter: Option<Date> = Kind::Column("due_by");
}

noun! {
    /// One dated step of a deadline that names several.
    pub(crate) Milestone from "milestone" {
        order: &[SortKey::column("{t}.position", "position", SortType::Integer)],
        total: None
    }
    /// What is due.
    label: String = Kind::Column("label");
    /// When.
    dueOn: Date = Kind::Column("due_on");
}

/// The steps of a problem's deadline.
pub(crate) const OF_PROBLEM: Link = Link::Column("problem_id");
/// The steps of a measure's deadline.
pub(crate) const OF_MEASURE: Link = Link::Column("measure_id");
