//! Monthly accounts (月账): how many of the reports of a month each unit has given.

use async_graphql::Enum;
use planner::{Connection, Dimension, Figure, FigureKind, Kind, Link, Noun, SortKey, SortType, noun};

use crate::noun::assignment::Assignment;
use crate::noun::region::{Region, SubtreeFilter};
use crate::noun::unit::{Unit, UnitFilter};
use crate::part::filter::{RelationFilter, codes_in, filter};
use crate::part::group;
use crate::part::order::order;
use crate::part::scalar::Moment;

/// How far the account of a month has been given.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
pub(crate) enum MonthlyAccountState {
    /// 已交账 · The unit has reported for the month on everything that it owes.
    Given,
    /// 部分交账 · The unit has reported on some of it.
    Partial,
    /// 未交账 · The unit has reported on nothing.
    Missing,
}

const MISSING: SortKey = SortKey::expression("{t}.missing", SortType::Integer);
const UNIT: SortKey = SortKey::column("{t}.id", "id", SortType::Integer);

const GROUPS: &[Dimension] = &[
    Dimension::plain("STATE", "交账情况 · How far the account has been given.", "{t}.state"),
    Dimension { description: "行政区 · Region of the unit; its label is the name of the region.", ..group::REGION },
];

/// Describes a number that is summed up over the units.
const fn number(name: &'static str, description: &'static str, expression: &'static str) -> Figure {
    Figure { name, description, expression, kind: FigureKind::Number }
}

const FIGURES: &[Figure] = &[
    number("owed", "Numbers of assignments that owe the account.", "{t}.owed"),
    number("accounted", "Numbers of assignments that have given the account.", "{t}.accounted"),
    number("missing", "Numbers of assignments that have not given the account.", "{t}.missing"),
];

noun! {
    /// The account of one unit for one month (月账, 按月交账): how many of its assignments owe a report for the month,
    /// and how many have it. What was completed before the month, was closed by its end, was assigned after it, waits
    /// for an office or is not applicable owes none.
    pub(crate) MonthlyAccount from (ledger::monthly_account::OWED) {
        order: &[MISSING.reversed(), UNIT],
        total: None,
        filter: MonthlyAccountFilter,
        by: MonthlyAccountOrder,
        groups: GROUPS,
        figures: FIGURES
    }
    /// Unit that owes the account; null if the caller may not see it.
    unit: Option<Unit> = Kind::One(<Unit as Noun>::table, "unit_id");
    /// Region of the unit; null if the caller may not see it.
    region: Option<Region> = Kind::One(<Region as Noun>::table, "region_id");
    /// How far the account has been given.
    state: MonthlyAccountState = Kind::Column("state");
    /// Number of assignments that owe a report for the month.
    owedCount: i32 = Kind::Column("owed");
    /// Number of assignments that have a report for the month.
    accountedCount: i32 = Kind::Column("accounted");
    /// Number of assignments whose report for the month is missing.
    missingCount: i32 = Kind::Column("missing");
    /// Number of the unit's assignments that were completed (完成) in the month.
    completedCount: i32 = Kind::Column("completed");
    /// Number of the unit's assignments that were overdue at the end of the month, or are now, if it has not ended.
    overdueCount: i32 = Kind::Column("overdue");
    /// When the last report for the month was submitted; null if there is none.
    lastReportedAt: Option<Moment> = Kind::Column("reported_at");
    /// Assignments whose report for the month is missing.
    missing(pages Assignment): Connection<Assignment> = Link::Among(ledger::monthly_account::MISSING);
}

order! { MonthlyAccountOrder by MonthlyAccountOrderField {
    /// 未交项数 · Number of assignments whose report is missing.
    Missing = MISSING,
} }

filter! {
    /// Conditions on monthly accounts. All that are given have to hold.
    MonthlyAccountFilter {
        /// The account has been given as far as one of these says.
        state: Vec<MonthlyAccountState> = |states| codes_in("state", states),
        /// Condition on the unit that owes the account.
        unit: RelationFilter<UnitFilter> = |unit| unit.condition("unit_id", <Unit as Noun>::table()),
        /// The unit belongs to this region or to one below it.
        region: SubtreeFilter = |region| region.below(),
    }
}
