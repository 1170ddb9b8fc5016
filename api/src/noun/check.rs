//! Checks (自查、核查、抽查) that were made.

use crate::part::scalar::Date;
use async_graphql::{Context, Enum, ID, InputObject, Object};
use ledger::work::check as acts;
use planner::{Condition, Dimension, Figure, FigureKind, Kind, Noun, SortKey, SortType, noun};
use sea_orm::ActiveEnum;

use crate::context::Request;
use crate::noun::assignment::{Assignment, AssignmentFilter, AssignmentPayload, beside};
use crate::noun::unit::Unit;
use crate::part::filter::{DateFilter, RelationFilter, TextFilter, filter};
use crate::part::order::order;

/// Who checks.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::check::CheckKind")]
pub(crate) enum CheckKind {
    /// 自查, by the county, every quarter.
    SelfInspection,
    /// 核查, by the city, every half-year.
    Verification,
    /// 抽查, by the region, every year.
    SpotCheck,
    /// 督导检查, by the supervising unit, whenever it sees fit.
    Supervision,
}

/// What came out of a check.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::check::CheckResult")]
pub(crate) enum CheckResult {
    /// 通过
    Passed,
    /// 不通过
    Failed,
}

const DUE_ON: SortKey = SortKey::column("{t}.due_on", "due_on", SortType::Date);

const GROUPS: &[Dimension] = &[
    Dimension::plain("KIND", "Who checked.", "{t}.kind"),
    Dimension::plain("RESULT", "What came out.", "{t}.result"),
    Dimension::plain("PERIOD", "The period.", "{t}.period"),
];

const FIGURES: &[Figure] = &[Figure {
    name: "madeOn",
    description: "When they were made.",
    expression: "{t}.checked_on",
    kind: FigureKind::Date,
}];

/// How often a check falls due.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::check_plan::Every")]
pub(crate) enum CheckInterval {
    /// Not at all.
    Never,
    /// At the end of every quarter.
    Quarter,
    /// At the end of every half-year.
    HalfYear,
    /// At the end of every year.
    Year,
}

noun! {
    /// How often a measure is checked, where the default plan does not do: self-inspection every quarter, verification
    /// every half-year, spot checks every year.
    pub(crate) CheckPlan from "check_plan" {
        order: &[SortKey::column("{t}.kind", "kind", SortType::Text)],
        total: None
    }
    /// Which check.
    kind: CheckKind = Kind::Column("kind");
    /// How often.
    every: CheckInterval = Kind::Column("every");
}

noun! {
    /// A check that was made of an assignment, for one period.
    pub(crate) Check from "\"check\"" as "check" { order: &[DUE_ON], total: None, filter: CheckFilter, by: CheckOrder, groups: GROUPS, figures: FIGURES }
    /// The global id.
    id: ID = Kind::Id;
    /// Who checked.
    kind: CheckKind = Kind::Column("kind");
    /// The period that it covers: `2023Q1`, `2023H1` or `2023`.
    period: String = Kind::Column("period");
    /// The last day of that period.
    dueOn: Date = Kind::Column("due_on");
    /// What came out.
    result: CheckResult = Kind::Column("result");
    /// What was found.
    findings: Option<String> = Kind::Column("findings");
    /// When it was made.
    madeOn: Date = Kind::Column("checked_on");
    /// The unit that made it.
    madeBy: Option<Unit> = Kind::One(<Unit as Noun>::table, "checker_id");
    /// What was checked.
    assignment: Assignment = Kind::One(<Assignment as Noun>::table, "assignment_id");
}

order! { CheckOrder by CheckOrderField {
    /// The last day of the period.
    DueOn = DUE_ON,
} }

filter! {
    /// Demands on checks.
    CheckFilter {
        /// Who checked.
        kind: CheckKind = |kind| Condition::Compare("kind", "=", entity::check::CheckKind::from(*kind).to_value().into()),
        /// The period.
        period: TextFilter = |period| period.condition("period", &["period"]),
        /// What came out.
        result: CheckResult = |result| Condition::Compare("result", "=", entity::check::CheckResult::from(*result).to_value().into()),
        /// The last day of the period.
        due_on: DateFilter = |day| day.condition("due_on"),
        /// What was checked.
        assignment: RelationFilter<AssignmentFilter> = |assignment| assignment.condition("assignment_id", <Assignment as Noun>::table()),
    }
}

/// What a check found.
#[derive(InputObject)]
pub(crate) struct RecordCheckInput {
    /// The assignment.
    assignment_id: ID,
    /// Who checks.
    kind: CheckKind,
    /// What came out.
    result: CheckResult,
    /// What was found; needed where it did not pass.
    findings: Option<String>,
    /// When, not after today; today when left out. It decides the period.
    checked_on: Option<Date>,
}

/// What is done about checks.
#[derive(Default)]
pub(crate) struct CheckMutation;

#[Object]
impl CheckMutation {
    /// Records a check: 自查 by the county office or the answering unit, 核查 by the city office, 抽查 by the regional
    /// office, 督导检查 by the supervising unit. A second look within the same period replaces the first; the audit keeps both.
    async fn record_check(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What was found.")] input: RecordCheckInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let found = acts::Found {
            kind: input.kind.into(),
            checked_on: input.checked_on.map(|day| day.0),
            result: input.result.into(),
            findings: input.findings,
        };
        AssignmentPayload::of(acts::record(&request.desk(), beside(&input.assignment_id), &found).await, request)
    }
}
