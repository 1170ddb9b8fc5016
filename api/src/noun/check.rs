//! Checks that were made (自查、核查、抽查、督导检查), the plan that says how often, and the mutation that records one.

use crate::part::scalar::Date;
use async_graphql::{Context, Enum, ID, InputObject, Object};
use ledger::work::check as acts;
use planner::{Dimension, Figure, FigureKind, Kind, Noun, SortKey, SortType, noun};

use crate::context::Request;
use crate::noun::assignment::{Assignment, AssignmentFilter, AssignmentPayload, beside};
use crate::noun::unit::Unit;
use crate::part::filter::{DateFilter, RelationFilter, TextFilter, filter, one_of};
use crate::part::group::{self, dated};
use crate::part::order::order;

/// Kind of a check: decides who makes it and which period it covers.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::check::CheckKind")]
pub(crate) enum CheckKind {
    /// 自查 · Self-inspection by the county office or the responsible unit, every quarter.
    SelfInspection,
    /// 核查 · Verification by the city office, every half-year.
    Verification,
    /// 抽查 · Spot check by the regional office, every year.
    SpotCheck,
    /// 督导检查 · Check by the supervising unit, at any time.
    Supervision,
}

/// Result of a check of an assignment.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::check::CheckResult")]
pub(crate) enum CheckResult {
    /// 通过 · The check was passed.
    Passed,
    /// 不通过 · The check was not passed.
    Failed,
}

const DUE_ON: SortKey = SortKey::column("{t}.due_on", "due_on", SortType::Date);

const GROUPS: &[Dimension] = dated!(
    "{t}.due_on",
    "last day of the period that the check covers",
    [
        Dimension::plain("KIND", "检查类型 · Kind of the check, and thereby who made it.", "{t}.kind"),
        Dimension::plain("RESULT", "检查结果 · Whether the check was passed.", "{t}.result"),
        Dimension::plain("PERIOD", "检查周期 · Period that the check covers, for example `2023Q1`.", "{t}.period"),
        group::ANSWERING_UNIT,
        group::ANSWERING_REGION,
    ]
);

const FIGURES: &[Figure] = &[Figure {
    name: "madeOn",
    description: "Earliest and latest local date on which the checks were made.",
    expression: "{t}.checked_on",
    kind: FigureKind::Date,
}];

/// How often a check falls due.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::check_plan::Every")]
pub(crate) enum CheckInterval {
    /// 不检查 · The check never falls due.
    Never,
    /// 每季度 · The check falls due at the end of every quarter.
    Quarter,
    /// 每半年 · The check falls due at the end of every half-year.
    HalfYear,
    /// 每年 · The check falls due at the end of every year.
    Year,
}

noun! {
    /// How often a measure is checked, where that differs from the default plan: self-inspection every quarter,
    /// verification every half-year, spot check every year.
    pub(crate) CheckPlan from "check_plan" {
        order: &[SortKey::column("{t}.kind", "kind", SortType::Text)],
        total: None
    }
    /// Kind of check that the interval applies to.
    kind: CheckKind = Kind::Column("kind");
    /// Interval at which the check falls due.
    every: CheckInterval = Kind::Column("every");
}

noun! {
    /// A check that was made of an assignment, for one period.
    pub(crate) Check from "\"check\"" as "check" {
        order: &[DUE_ON],
        total: None,
        filter: CheckFilter,
        by: CheckOrder,
        groups: GROUPS,
        figures: FIGURES
    }
    /// Global id of the check, for example `check_4`.
    id: ID = Kind::Id;
    /// Kind of the check, and thereby who made it.
    kind: CheckKind = Kind::Column("kind");
    /// Period that the check covers: a quarter (`2023Q1`), a half-year (`2023H1`), a year (`2023`), or for
    /// `SUPERVISION` a month (`2023-04`).
    period: String = Kind::Column("period");
    /// Last day of the period, a local date.
    dueOn: Date = Kind::Column("due_on");
    /// Whether the check was passed.
    result: CheckResult = Kind::Column("result");
    /// What was found; null if nothing was written down.
    findings: Option<String> = Kind::Column("findings");
    /// Local date on which the check was made.
    madeOn: Date = Kind::Column("checked_on");
    /// Unit that made the check; null if none is recorded, or if the caller may not see it.
    madeBy: Option<Unit> = Kind::One(<Unit as Noun>::table, "checker_id");
    /// Assignment that was checked.
    assignment: Assignment = Kind::One(<Assignment as Noun>::table, "assignment_id");
}

order! { CheckOrder by CheckOrderField {
    /// 周期截止日 · Last day of the period that the check covers.
    DueOn = DUE_ON,
} }

filter! {
    /// Conditions on checks. All that are given have to hold.
    CheckFilter {
        /// The check is of one of these kinds.
        kind: Vec<CheckKind> = |kinds| one_of::<_, entity::check::CheckKind>("kind", kinds),
        /// Condition on the period that the check covers, for example `2023Q1`.
        period: TextFilter = |period| period.condition("period", &["period"]),
        /// The check has one of these results.
        result: Vec<CheckResult> = |results| one_of::<_, entity::check::CheckResult>("result", results),
        /// Condition on the last day of the period.
        due_on: DateFilter = |day| day.condition("due_on"),
        /// Condition on the assignment that was checked.
        assignment: RelationFilter<AssignmentFilter> =
            |assignment| assignment.condition("assignment_id", <Assignment as Noun>::table()),
    }
}

/// Input of `recordCheck`: the kind, the result and the findings of a check.
#[derive(InputObject)]
pub(crate) struct RecordCheckInput {
    /// Assignment that was checked.
    assignment_id: ID,
    /// Kind of the check, which has to fit the caller's role.
    kind: CheckKind,
    /// Whether the check was passed.
    result: CheckResult,
    /// What was found, 2 to 5,000 characters; required if the check was not passed.
    findings: Option<String>,
    /// Local date on which the check was made, not after today; today if left out. It may not be before the round's
    /// feedback date.
    checked_on: Option<Date>,
    /// Period that the check settles, for example `2023Q1`: give it for a check that was made after the end of its
    /// period. If left out, the period of the check's date.
    period: Option<String>,
}

/// Mutations on checks.
#[derive(Default)]
pub(crate) struct CheckMutation;

#[Object]
impl CheckMutation {
    /// Records a check: a self-inspection (自查) by the county office or the responsible unit, a verification (核查) by
    /// the city or regional office, a spot check (抽查) by the regional office, a supervision check (督导检查) by the
    /// supervising unit. A second check of the same kind and period replaces the first; the audit keeps both.
    async fn record_check(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Assignment, kind and result of the check.")] input: RecordCheckInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let found = acts::Found {
            kind: input.kind.into(),
            checked_on: input.checked_on.map(|day| day.0),
            result: input.result.into(),
            period: input.period,
            findings: input.findings,
        };
        AssignmentPayload::of(acts::record(&request.acting(), beside(&input.assignment_id), &found).await, request)
    }
}
