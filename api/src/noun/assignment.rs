//! Assignments (责任分解): their type, and reporting on them.

use crate::part::scalar::{Date, Moment};
use async_graphql::{Context, Enum, ID, InputObject, Object};
use ledger::work::{On, applicability, assigning, progress};
use planner::{
    Condition, Connection, Dimension, Figure, FigureKind, Kind, Link, Named, Noun, SortKey, SortType, Sql, noun,
};
use sea_orm::{ActiveEnum, Value};

use crate::context::Request;
use crate::noun::audit::AuditEntry;
use crate::noun::check::{Check, CheckFilter};
use crate::noun::close_out::CloseOut;
use crate::noun::deadline::{self, Pace};
use crate::noun::evidence::Evidence;
use crate::noun::measure::{Measure, MeasureFilter};
use crate::noun::progress_report::{ProgressReport, ProgressReportFilter};
use crate::noun::region::SubtreeFilter;
use crate::noun::unit::{Unit, UnitFilter};
use crate::part::filter::{DateFilter, DateTimeFilter, ListFilter, RelationFilter, filter};
use crate::part::group;
use crate::part::order::order;
use crate::part::payload::{key_of, payload};

/// The workflow of an assignment, and its roll-up on measures and problems.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::assignment::Status")]
pub(crate) enum Status {
    /// 已交办: assigned, and nothing is reported yet.
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
    let pace = ledger::rule::pace::sql(sql, assignment, &measure);
    format!("(SELECT {pace} FROM measure {measure} WHERE {measure}.id = {assignment}.measure_id)")
}

const GROUPS: &[Dimension] = &[
    group::STATUS,
    Dimension {
        name: "UNIT",
        description: "The answering body.",
        key: "{t}.unit_id",
        of: Some(Named { prefix: "unit", table: "unit", name: "SELECT name FROM unit WHERE id = {}" }),
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
    /// Its close-out cycles, the newest first.
    closeOuts(pages CloseOut): Connection<CloseOut> = Link::Part("assignment_id");
    /// Its evidence, the newest first.
    evidence(pages Evidence): Connection<Evidence> = Link::Part("assignment_id");
    /// What was done to it, by whom and when, the newest first.
    audit(pages AuditEntry): Connection<AuditEntry> = Link::Part("assignment_id");
    /// When it was taken on (签收).
    acceptedAt: Option<Moment> = Kind::Column("accepted_at");
    /// When the body said that it is not the one to answer (退回); null where it did not, or is asked again.
    declinedAt: Option<Moment> = Kind::Column("declined_at");
    /// Why it said so.
    declineReason: Option<String> = Kind::Column("decline_reason");
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
        region: SubtreeFilter = |region| region.below(),
        /// The answering body.
        unit: RelationFilter<UnitFilter> = |unit| unit.condition("unit_id", <Unit as Noun>::table()),
        /// The measure.
        measure: RelationFilter<MeasureFilter> = |measure| measure.condition("measure_id", <Measure as Noun>::table()),
        /// When it was completed.
        completed_on: DateFilter = |day| day.condition("completed_on"),
        /// Whether the body has said that it is not the one to answer (退回).
        declined: bool = |declined| Condition::Null("declined_at", !declined),
        /// The last change.
        updated_at: DateTimeFilter = |at| at.condition("updated_at"),
        /// Its reports.
        reports: ListFilter<ProgressReportFilter> = |list| list.condition(<ProgressReport as Noun>::table(), "assignment_id"),
        /// The checks that were made of it.
        checks: ListFilter<CheckFilter> = |list| list.condition(<Check as Noun>::table(), "assignment_id"),
        /// Its status is one of these.
        status: Vec<Status> = |statuses| Condition::In("status", codes(statuses)),
        /// Its pace today is one of these; `OVERDUE` is open past the measure's deadline.
        pace: Vec<Pace> = |paces| Condition::Reckons(pace, deadline::codes(paces)),
    }
}

/// An assignment that something is done to.
#[derive(InputObject)]
pub(crate) struct AssignmentInput {
    /// The assignment.
    assignment_id: ID,
    /// The version of it that the caller saw: it guards against two people overwriting each other.
    version: i32,
}

/// An assignment that something is done to, and why.
#[derive(InputObject)]
pub(crate) struct ReasonedInput {
    /// The assignment.
    assignment_id: ID,
    /// The version of it that the caller saw.
    version: i32,
    /// Why, at most 5,000 letters.
    reason: String,
}

/// The assignment that an input names.
pub(crate) fn on(id: &ID, version: i32) -> On {
    On { assignment: key_of::<Assignment>(id), version: Some(version) }
}

/// The assignment that an input names, whatever its version.
pub(crate) fn beside(id: &ID) -> On {
    On { assignment: key_of::<Assignment>(id), version: None }
}

impl ReasonedInput {
    pub(crate) fn on(&self) -> On {
        on(&self.assignment_id, self.version)
    }

    pub(crate) fn reason(&self) -> &str {
        &self.reason
    }
}

/// A progress report to be submitted.
#[derive(InputObject)]
pub(crate) struct ReportProgressInput {
    /// The assignment that it is on.
    assignment_id: ID,
    /// The version of the assignment that the reporter saw: it guards against two people overwriting each other.
    version: i32,
    /// The month that it reports on, begun by today: `2023-04`.
    period: String,
    /// The report, at most 100,000 letters.
    text: String,
    /// What was counted, at most 50 entries; the pace is measured by the first.
    quantities: Option<Vec<QuantityInput>>,
    /// When the work was completed (完成), where it is; not after today.
    completed_on: Option<Date>,
    /// 更正: that it is not completed, though that was reported before.
    #[graphql(default)]
    retracts_completion: bool,
}

/// One counted thing.
#[derive(InputObject)]
pub(crate) struct QuantityInput {
    /// What is counted: 退化草原修复.
    label: String,
    /// How much is done, 0 to 1,000,000,000,000.
    done: Option<f64>,
    /// How much is to be done, above 0, at most 1,000,000,000,000.
    target: Option<f64>,
    /// The unit of measure: 万亩.
    unit: Option<String>,
}

/// Whom a measure is assigned to.
#[derive(InputObject)]
pub(crate) struct AssignMeasureInput {
    /// The measure.
    measure_id: ID,
    /// The version of the measure that the caller saw.
    version: i32,
    /// The units, at most 1,000; each in the caller's region or below.
    #[graphql(default)]
    unit_ids: Vec<ID>,
    /// Whether also those are meant that the measure's stand-ins (各县（区）…) stand for.
    #[graphql(default = false)]
    resolve_selectors: bool,
}

payload! {
    /// What came of an act on an assignment.
    AssignmentPayload {
        /// The assignment as it is now; null when nothing was done.
        assignment: Assignment,
        /// Why nothing was done; empty when it was.
        errors,
        /// What was not done beside it, as when nobody could be told by mail; mostly empty.
        warnings
    }
}

payload! {
    /// What came of an act on a measure.
    MeasurePayload {
        /// The measure as it is now; null when nothing was done.
        measure: Measure,
        /// Why nothing was done; empty when it was.
        errors
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
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let quantity = |one: QuantityInput| progress::Quantity {
            label: one.label,
            done: one.done,
            target: one.target,
            unit: one.unit,
        };
        let report = progress::Report {
            on: on(&input.assignment_id, input.version),
            period: input.period,
            text: input.text,
            quantities: input.quantities.unwrap_or_default().into_iter().map(quantity).collect(),
            completed_on: input.completed_on.map(|day| day.0),
            retracts_completion: input.retracts_completion,
        };
        AssignmentPayload::of(progress::report(&request.desk(), &report).await, request)
    }

    /// 签收: takes an assignment on. By the answering unit or its county office.
    async fn accept_assignment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The assignment.")] input: AssignmentInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let on = on(&input.assignment_id, input.version);
        AssignmentPayload::of(assigning::accept(&request.desk(), on).await, request)
    }

    /// 退回: says that one is not the body to answer; the city office asks again or confirms that it is not applicable.
    async fn decline_assignment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The assignment, and why.")] input: ReasonedInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        AssignmentPayload::of(assigning::decline(&request.desk(), input.on(), &input.reason).await, request)
    }

    /// 责任分解: assigns a measure to units, and to those that its stand-ins mean. By the city or regional office. Units
    /// that answer already stay as they are; one that has declined is asked again.
    async fn assign_measure(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The measure and the units.")] input: AssignMeasureInput,
    ) -> async_graphql::Result<MeasurePayload> {
        let request = ctx.data::<Request>()?;
        // An id of something else is a unit that is not there.
        let units: Vec<i64> = input.unit_ids.iter().map(|id| key_of::<Unit>(id).unwrap_or_default()).collect();
        let (measure, version) = (key_of::<Measure>(&input.measure_id), Some(input.version));
        let done = assigning::assign(&request.desk(), measure, version, &units, input.resolve_selectors).await;
        MeasurePayload::of(done.map(|(measure, _)| measure), request)
    }

    /// Proposes that the measure does not concern the answering body (不涉及). By that body.
    async fn propose_not_applicable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The assignment, and why.")] input: ReasonedInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        AssignmentPayload::of(applicability::propose(&request.desk(), input.on(), &input.reason).await, request)
    }

    /// Confirms that the measure does not concern the body. By the level above; also settles what a body has declined.
    async fn confirm_not_applicable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The assignment.")] input: AssignmentInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let on = on(&input.assignment_id, input.version);
        AssignmentPayload::of(applicability::confirm(&request.desk(), on).await, request)
    }

    /// Does not accept that the measure does not concern the body: it has to answer. By the level above.
    async fn reject_not_applicable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The assignment, and why.")] input: ReasonedInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        AssignmentPayload::of(applicability::reject(&request.desk(), input.on(), &input.reason).await, request)
    }
}
