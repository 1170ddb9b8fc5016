//! Assignments (责任分解): their type, and reporting on them.

use crate::scalar::{Date, Moment};
use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use planner::{
    Condition, Connection, Dimension, Figure, FigureKind, Kind, Link, Noun, Planned, SortKey, SortType, Sql, noun,
};
use sea_orm::{ActiveEnum, Value};

use crate::check::{Check, CheckFilter};
use crate::context::Request;
use crate::deadline::Pace;
use crate::error;
use crate::filter::{DateFilter, DateTimeFilter, ListFilter, RegionFilter, RelationFilter, filter};
use crate::group;
use crate::measure::{Measure, MeasureFilter};
use crate::order::order;
use crate::progress_report::{ProgressReport, ProgressReportFilter};
use crate::query;
use crate::unit::{Unit, UnitFilter};

/// The workflow of an assignment, and its roll-up on measures and problems.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::assignment::Status")]
pub(crate) enum Status {
    /// Nothing is reported yet.
    Assigned,
    /// At work.
    InProgress,
    /// 不涉及, said by the unit and not yet confirmed.
    NotApplicableProposed,
    /// 不涉及, confirmed by the level above.
    NotApplicable,
    /// 提请销号: close-out is applied for.
    Submitted,
    /// 核查通过: verified by the level above.
    Verified,
    /// 退回: returned by the level above.
    Returned,
    /// 公示中: on public notice.
    Publicised,
    /// 销号: closed.
    Closed,
    /// 销号，长期坚持: closed, and checks go on.
    ClosedOngoing,
    /// 反弹: relapsed after it was closed.
    Reopened,
}

/// The codes of statuses as the database has them.
pub(crate) fn codes(statuses: &[Status]) -> Vec<Value> {
    statuses.iter().map(|status| entity::assignment::Status::from(*status).to_value().into()).collect()
}

fn pace(sql: &mut Sql<'_>, assignment: &str) -> String {
    let measure = sql.alias();
    let pace = ledger::pace::sql(sql, assignment, &measure);
    format!("(SELECT {pace} FROM measure {measure} WHERE {measure}.id = {assignment}.measure_id)")
}

const GROUPS: &[Dimension] = &[
    group::STATUS,
    Dimension {
        name: "UNIT",
        description: "The answering body.",
        key: "{t}.unit_id",
        of: Some(("unit", "SELECT name FROM unit WHERE id = {}")),
    },
    group::REGION,
];

const FIGURES: &[Figure] = &[
    group::COMPLETED,
    Figure {
        name: "quantityDone",
        description: "How much is done, by the first quantity of each; add up like with like.",
        expression: "{t}.quantity_done",
        kind: FigureKind::Number,
    },
    Figure {
        name: "quantityTarget",
        description: "How much is to be done, by the first quantity of each.",
        expression: "{t}.quantity_target",
        kind: FigureKind::Number,
    },
    group::UPDATED,
];

const KEY: SortKey = SortKey::column("{t}.id", "id", SortType::Integer);

noun! {
    /// What one body answers for one measure (责任分解).
    pub(crate) Assignment from "assignment" as "assignment" {
        order: &[KEY],
        total: None,
        filter: AssignmentFilter,
        by: AssignmentOrder,
        groups: GROUPS,
        figures: FIGURES
    }
    /// The global id.
    id: ID = Kind::Id;
    /// The workflow state.
    status: Status = Kind::Column("status");
    /// How far it is against its time today; null when it is not applicable.
    pace: Option<Pace> = Kind::Expression(pace);
    /// When it was completed (完成), a fact of its own beside 销号.
    completedOn: Option<Date> = Kind::Column("completed_on");
    /// The measure that it answers.
    measure: Measure = Kind::One(<Measure as Noun>::table, "measure_id");
    /// The answering body; a county's government also answers for its party committee.
    unit: Option<Unit> = Kind::One(<Unit as Noun>::table, "unit_id");
    /// The newest report; null before the first.
    latestReport: Option<ProgressReport> = Kind::First(<ProgressReport as Noun>::table, Link::Part("assignment_id"));
    /// Its reports, the newest first.
    reports(pages ProgressReport): Connection<ProgressReport> = Link::Part("assignment_id");
    /// The checks that were made of it.
    checks(pages Check): Connection<Check> = Link::Part("assignment_id");
    /// Grows with every change; a mutation that names an older one is refused.
    version: i32 = Kind::Column("version");
    /// When it was assigned.
    createdAt: Moment = Kind::Column("created_at");
    /// When it last changed.
    updatedAt: Moment = Kind::Column("updated_at");
}

order! { AssignmentOrder by AssignmentOrderField {
    /// When it was assigned.
    CreatedAt = SortKey::column("{t}.created_at", "created_at", SortType::Moment),
    /// The last change.
    UpdatedAt = SortKey::column("{t}.updated_at", "updated_at", SortType::Moment),
} }

filter! {
    /// Demands on assignments.
    AssignmentFilter {
        /// Where it is answered.
        region: RegionFilter = |region| region.below(),
        /// The answering body.
        unit: RelationFilter<UnitFilter> = |unit| unit.condition("unit_id", <Unit as Noun>::table()),
        /// The measure.
        measure: RelationFilter<MeasureFilter> = |measure| measure.condition("measure_id", <Measure as Noun>::table()),
        /// When it was completed.
        completed_on: DateFilter = |day| day.condition("completed_on"),
        /// The last change.
        updated_at: DateTimeFilter = |at| at.condition("updated_at"),
        /// Its reports.
        reports: ListFilter<ProgressReportFilter> = |list| list.condition(<ProgressReport as Noun>::table(), "assignment_id"),
        /// The checks that were made of it.
        checks: ListFilter<CheckFilter> = |list| list.condition(<Check as Noun>::table(), "assignment_id"),
        /// Its status is one of these.
        status: Vec<Status> = |statuses| Condition::In("status", codes(statuses)),
    }
}

/// A progress report to be submitted.
#[derive(InputObject)]
pub(crate) struct ReportProgressInput {
    /// The assignment that it is on.
    assignment_id: ID,
    /// The version of the assignment that the reporter saw: it guards against two people overwriting each other.
    version: i32,
    /// The month that it reports on: `2023-04`.
    period: String,
    /// The report, at most 100,000 letters.
    text: String,
    /// What was counted, at most 50 entries; the pace is measured by the first.
    quantities: Option<Vec<QuantityInput>>,
}

/// One counted thing.
#[derive(InputObject)]
pub(crate) struct QuantityInput {
    /// What is counted: 退化草原修复.
    label: String,
    /// How much is done.
    done: Option<f64>,
    /// How much is to be done.
    target: Option<f64>,
    /// The unit of measure: 万亩.
    unit: Option<String>,
}

/// What a caller can mend: the input, the state, a stale version. Nothing was written.
#[derive(SimpleObject)]
pub(crate) struct UserError {
    /// A stable code: INVALID, NOT_FOUND, STALE_VERSION, WRONG_STATE.
    code: String,
    /// What is wrong and what to do.
    message: String,
    /// Where in the input.
    path: Vec<String>,
}

/// What came of a report.
pub(crate) struct ReportProgressPayload {
    key: Option<Value>,
    errors: Vec<UserError>,
}

/// What came of a report.
#[Object]
impl ReportProgressPayload {
    /// The assignment as it is now; null when the report was not taken.
    async fn assignment(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Planned<Assignment>>> {
        match &self.key {
            Some(key) => Ok(Some(query::read_back(ctx, key).await?)),
            None => Ok(None),
        }
    }

    /// Why it was not taken; empty when it was.
    async fn errors(&self) -> &[UserError] {
        &self.errors
    }
}

/// What is done to assignments.
#[derive(Default)]
pub(crate) struct AssignmentMutation;

#[Object]
impl AssignmentMutation {
    /// Submits a progress report on an assignment. Reports are never edited: a correction is a new one.
    async fn report_progress(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The report.")] input: ReportProgressInput,
    ) -> async_graphql::Result<ReportProgressPayload> {
        let request = ctx.data::<Request>()?;
        let key = <Assignment as Noun>::table().key(&input.assignment_id);
        let report = ledger::progress::Report {
            assignment: key.clone().and_then(|key| match key {
                Value::BigInt(id) => id,
                _ => None,
            }),
            version: input.version,
            period: input.period,
            text: input.text,
            quantities: input
                .quantities
                .unwrap_or_default()
                .into_iter()
                .map(|one| ledger::progress::Quantity {
                    label: one.label,
                    done: one.done,
                    target: one.target,
                    unit: one.unit,
                })
                .collect(),
        };
        let taken = ledger::progress::report(&request.db, &report, request.now, request.zone)
            .await
            .map_err(|failure| error::masked(&failure))?;
        let worded = |one: ledger::progress::Objection| UserError {
            code: one.code.to_owned(),
            message: request.language.of(&one.message).to_owned(),
            path: one.path,
        };
        Ok(match taken {
            Ok(_) => ReportProgressPayload { key, errors: Vec::new() },
            Err(objections) => {
                ReportProgressPayload { key: None, errors: objections.into_iter().map(worded).collect() }
            }
        })
    }
}
