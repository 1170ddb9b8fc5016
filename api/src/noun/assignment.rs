//! Assignments (责任分解): their type, and the mutations that assign a measure, take an assignment on, report on it and
//! settle whether it applies.

use crate::part::action::{self, AvailableAction};
use crate::part::scalar::{Date, Moment};
use async_graphql::{Context, Enum, ID, InputObject, Object, OutputType};
use futures_util::FutureExt;
use ledger::work::available::{self, Subject};
use ledger::work::{Acting, Done, On, applicability, assigning, batch, progress};
use planner::{Condition, Connection, Dimension, Figure, FigureKind, Kind, Link, Noun, SortKey, SortType, Sql, noun};

use crate::context::Request;
use crate::noun::audit::AuditEntry;
use crate::noun::check::{Check, CheckFilter};
use crate::noun::close_out::CloseOut;
use crate::noun::deadline::{self, Pace, StatedPace};
use crate::noun::evidence::Evidence;
use crate::noun::measure::{Measure, MeasureFilter};
use crate::noun::progress_report::{ProgressReport, ProgressReportFilter, QuantityTotal};
use crate::noun::region::SubtreeFilter;
use crate::noun::supervision::Card;
use crate::noun::unit::{Unit, UnitFilter};
use crate::part::filter::{DateFilter, DateTimeFilter, ListFilter, RelationFilter, filter, one_of};
use crate::part::group::{self, dated};
use crate::part::order::order;
use crate::part::payload::{batch_payload, key_of, payload};

/// Workflow status of an assignment. On a measure or a problem it is the roll-up: the least advanced of its
/// assignments, leaving out those that are not applicable.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::assignment::Status")]
pub(crate) enum Status {
    /// 已交办 · Assigned to the unit; no progress has been reported yet.
    Assigned,
    /// 整改中 · The unit is working on it.
    InProgress,
    /// 申请不涉及 · The unit proposes that the measure does not concern it; the level above has not confirmed that yet.
    NotApplicableProposed,
    /// 不涉及 · The measure does not concern the unit, as confirmed by the level above, or was withdrawn (撤销).
    NotApplicable,
    /// 提请销号 · The unit has applied for close-out.
    Submitted,
    /// 核查通过 · The level above has verified the application for close-out.
    Verified,
    /// 已退回 · The level above has returned the application for close-out.
    Returned,
    /// 公示中 · The public notice of the close-out is running.
    Publicised,
    /// 已销号 · The closing authority has closed the assignment.
    Closed,
    /// 已销号（长期坚持） · The closing authority has closed the assignment; checks of the ongoing measure continue.
    ClosedOngoing,
    /// 反弹 · The assignment relapsed after it was closed, and was reopened.
    Reopened,
}

fn pace(sql: &mut Sql<'_>, assignment: &str) -> String {
    let measure = sql.alias();
    let pace = ledger::rule::pace::sql(sql, assignment, &measure);
    format!("(SELECT {pace} FROM measure {measure} WHERE {measure}.id = {assignment}.measure_id)")
}

/// Returns SQL for whether a ledger states another pace than the computed one.
fn pace_differs(sql: &mut Sql<'_>, assignment: &str) -> String {
    let computed = pace(sql, assignment);
    deadline::differs(assignment, &computed)
}

/// Returns SQL for the card in force.
fn card(sql: &mut Sql<'_>, assignment: &str) -> String {
    ledger::work::card::in_force(sql, |card| format!("{card}.assignment_id = {assignment}.id"))
}

const GROUPS: &[Dimension] = dated!(
    "{t}.due_on",
    "due date of the assignment",
    [
        group::STATUS,
        group::STATED_PACE,
        Dimension::of("UNIT", "责任单位 · Unit that answers the assignment.", "{t}.unit_id", group::A_UNIT),
        Dimension::plain(
            "SECTOR",
            "责任单位行业 · Sector of the answering unit; null if it has none, or the caller may not see it.",
            "{j}.sector",
        )
        .held_by("unit", "{j}.id = {t}.unit_id AND {sees:unit:{j}}"),
        group::REGION,
        Dimension { key: "{j}.round_id", ..group::ROUND }.held_by("measure", "{j}.id = {t}.measure_id"),
        Dimension { key: "{j}.lead_unit_id", ..group::LEAD_UNIT }.held_by("measure", "{j}.id = {t}.measure_id"),
    ]
);

const FIGURES: &[Figure] = &[
    group::COMPLETED,
    Figure {
        name: "quantities",
        description: "Reported quantities, added up only where both the label and the unit of measure are the same; \
                      those that most assignments report come first.",
        expression: "",
        kind: FigureKind::Parts(<QuantityTotal as Noun>::table, <Vec<QuantityTotal> as OutputType>::create_type_info),
    },
    group::UPDATED,
];

const KEY: SortKey = SortKey::column("{t}.id", "id", SortType::Integer);

noun! {
    /// What one unit has to answer for one measure (责任分解), with its own status and progress.
    pub(crate) Assignment from "assignment" as "assignment" {
        order: &[KEY],
        total: None,
        filter: AssignmentFilter,
        by: AssignmentOrder,
        groups: GROUPS,
        figures: FIGURES
    }
    /// Global id of the assignment, for example `assignment_7`.
    id: ID = Kind::Id;
    /// Workflow status of the assignment.
    status: Status = Kind::Column("status");
    /// Progress of the assignment against the time allotted (进度), as of the current local date; null if it is not
    /// applicable.
    pace: Option<Pace> = Kind::Expression(pace);
    /// Latest date of the assignment's own deadline, a local date: that of the plan (`Measure.plannedDueOn`), or of the
    /// extension (延期) granted to the assignment. Null when the deadline names no date.
    dueOn: Option<Date> = Kind::Column("due_on");
    /// Local date after which the assignment is overdue: `dueOn`, or the end of the grace period of an immediate
    /// deadline without a date. Null for a deadline that is only ongoing or not printed.
    overdueAfter: Option<Date> = Kind::Column("due_by");
    /// Local date on which the work was completed (完成); null before that. Completion is independent of close-out
    /// (销号).
    completedOn: Option<Date> = Kind::Column("completed_on");
    /// Whether it was completed by that date, as a ledger states, rather than on it.
    isCompletedBy: bool = Kind::Boolean("is_completed_by");
    /// Pace that the last ledger states; null if no ledger states one. `pace` is the computed one.
    statedPace: Option<StatedPace> = Kind::Column("stated_pace");
    /// Local date of the ledger that states the pace.
    statedPaceOn: Option<Date> = Kind::Column("stated_pace_on");
    /// Card in force (黄牌、红牌), the more severe one of the assignment; null if there is none.
    card: Option<Card> = Kind::Expression(card);
    /// Measure that the unit has to answer.
    measure: Measure = Kind::One(<Measure as Noun>::table, "measure_id");
    /// Unit that answers the assignment; null if the caller may not see it. A county's government also answers for its
    /// party committee.
    unit: Option<Unit> = Kind::One(<Unit as Noun>::table, "unit_id");
    /// Newest progress report; null before the first one.
    latestReport: Option<ProgressReport> = Kind::First(<ProgressReport as Noun>::table, Link::Part("assignment_id"));
    /// Progress reports on the assignment, newest first by default.
    reports(pages ProgressReport): Connection<ProgressReport> = Link::Part("assignment_id");
    /// Checks made of the assignment, by default ordered by the last day of the period that they cover.
    checks(pages Check): Connection<Check> = Link::Part("assignment_id");
    /// Close-out cycles (销号) of the assignment, newest first by default.
    closeOuts(pages CloseOut): Connection<CloseOut> = Link::Part("assignment_id");
    /// Evidence files (佐证材料) of the assignment, newest first by default.
    evidence(pages Evidence): Connection<Evidence> = Link::Part("assignment_id");
    /// What can be done to it, and whether the caller may do it now; those that are not available say why.
    availableActions: Vec<AvailableAction> =
        Kind::Finished(|sql, assignment| available::facts(sql, Subject::Assignment, assignment), action::ASSIGNMENT);
    /// Audit entries about the assignment, newest first by default: what was changed, by whom and when.
    audit(pages AuditEntry): Connection<AuditEntry> = Link::Part("assignment_id");
    /// When the unit took the assignment on (签收); null if it has not.
    acceptedAt: Option<Moment> = Kind::Column("accepted_at");
    /// When the unit declined the assignment as not its responsibility (退回); null if it has not, or was asked again.
    declinedAt: Option<Moment> = Kind::Column("declined_at");
    /// Reason why the unit declined the assignment; null if `declinedAt` is null.
    declineReason: Option<String> = Kind::Column("decline_reason");
    /// Version number, increased by every change of the assignment itself. Mutations take it so that a concurrent
    /// change is detected (`STALE_VERSION`).
    version: i32 = Kind::Column("version");
    /// When the measure was assigned to the unit.
    createdAt: Moment = Kind::Column("created_at");
    /// When the assignment last changed.
    updatedAt: Moment = Kind::Column("updated_at");
}

/// The assignment's own deadline; never null.
const DUE_ON: SortKey = SortKey::expression("coalesce({t}.due_on, '9999-12-31')", SortType::Date);
/// The day after which it is overdue, also where its deadline prints no date; never null.
const OVERDUE_AFTER: SortKey = SortKey::expression("coalesce({t}.due_by, '9999-12-31')", SortType::Date);

order! { AssignmentOrder by AssignmentOrderField {
    /// 整改时限 · Latest date of the assignment's own deadline;
    /// assignments without one come last, or first in descending order.
    DueOn = DUE_ON,
    /// 逾期日 · Date after which the assignment is overdue, also if its deadline prints none (立行立改);
    /// assignments without one come last, or first in descending order.
    OverdueAfter = OVERDUE_AFTER,
    /// 状态 · How far the status has advanced, from `REOPENED` to `CLOSED`; the two statuses of 不涉及 come last.
    Status = SortKey::expression(ledger::rule::workflow::RANK, SortType::Integer),
    /// 分解时间 · When the measure was assigned to the unit.
    CreatedAt = SortKey::column("{t}.created_at", "created_at", SortType::Moment),
    /// 更新时间 · When the assignment last changed.
    UpdatedAt = SortKey::column("{t}.updated_at", "updated_at", SortType::Moment),
} }

filter! {
    /// Conditions on assignments. All that are given have to hold.
    AssignmentFilter {
        /// Condition on the region of the unit that answers the assignment, with everything below that region.
        region: SubtreeFilter = |region| region.below(),
        /// Condition on the unit that answers the assignment.
        unit: RelationFilter<UnitFilter> = |unit| unit.condition("unit_id", <Unit as Noun>::table()),
        /// Condition on the measure that the unit has to answer.
        measure: RelationFilter<MeasureFilter> = |measure| measure.condition("measure_id", <Measure as Noun>::table()),
        /// Condition on the latest date of the assignment's own deadline.
        due_on: DateFilter = |day| day.condition("due_on"),
        /// True: only assignments that are open past their own deadline. False: only the others.
        is_overdue: bool = |wanted| Condition::Holds(ledger::rule::pace::overdue, *wanted),
        /// Condition on the local date on which the work was completed.
        completed_on: DateFilter = |day| day.condition("completed_on"),
        /// True: only assignments that the unit has declined (退回). False: only the others.
        is_declined: bool = |declined| Condition::Null("declined_at", !declined),
        /// Condition on when the assignment last changed.
        updated_at: DateTimeFilter = |at| at.condition("updated_at"),
        /// Condition on the progress reports on the assignment.
        reports: ListFilter<ProgressReportFilter> =
            |list| list.condition(<ProgressReport as Noun>::table(), "assignment_id"),
        /// Condition on the checks made of the assignment.
        checks: ListFilter<CheckFilter> = |list| list.condition(<Check as Noun>::table(), "assignment_id"),
        /// The workflow status is one of these.
        status: Vec<Status> = |statuses| one_of::<_, entity::assignment::Status>("status", statuses),
        /// The pace as of the current local date is one of these; `OVERDUE` means open past the measure's deadline.
        pace: Vec<Pace> = |paces| Condition::Reckons(pace, deadline::codes(paces)),
        /// The pace that the last ledger states is one of these.
        stated_pace: Vec<StatedPace> =
            |paces| one_of::<_, entity::assignment::StatedPace>("stated_pace", paces),
        /// The card in force is one of these, the more severe one of the assignment; an empty list selects none.
        card: Vec<Card> = |cards| Condition::Reckons(card, Card::codes(cards)),
        /// A ledger states another pace than the one computed for the current local date. `AHEAD` is no other pace than
        /// a stated `ON_SCHEDULE`, and `BEHIND` none than a stated `BEHIND_AND_REPORTED`.
        is_pace_different: bool = |wanted| Condition::Holds(pace_differs, *wanted),
    }
}

/// Input of `acceptAssignment`: the assignment to take on.
#[derive(InputObject)]
pub(crate) struct AcceptAssignmentInput {
    /// Global id of the assignment to act on.
    assignment_id: ID,
    /// Version of the assignment that the caller read; an outdated one is refused, so that two users do not overwrite
    /// each other's changes.
    version: i32,
}

/// Input of `declineAssignment`: the assignment to decline, and the reason.
#[derive(InputObject)]
pub(crate) struct DeclineAssignmentInput {
    /// Global id of the assignment to decline.
    assignment_id: ID,
    /// Version of the assignment that the caller read; an outdated one is refused.
    version: i32,
    /// Reason why it is not the unit's responsibility, 2 to 5,000 characters.
    reason: String,
}

/// Input of `proposeNotApplicable`: an assignment that is not applicable, and the reason.
#[derive(InputObject)]
pub(crate) struct ProposeNotApplicableInput {
    /// Global id of the assignment that is not applicable.
    assignment_id: ID,
    /// Version of the assignment that the caller read; an outdated one is refused.
    version: i32,
    /// Reason why the measure does not concern the unit, 2 to 5,000 characters.
    reason: String,
}

/// Input of `confirmNotApplicable`: the assignment to confirm as not applicable.
#[derive(InputObject)]
pub(crate) struct ConfirmNotApplicableInput {
    /// Global id of the assignment to act on.
    assignment_id: ID,
    /// Version of the assignment that the caller read; an outdated one is refused, so that two users do not overwrite
    /// each other's changes.
    version: i32,
}

/// Input of `rejectNotApplicable`: an assignment that stays applicable, and the reason.
#[derive(InputObject)]
pub(crate) struct RejectNotApplicableInput {
    /// Global id of the assignment that stays applicable.
    assignment_id: ID,
    /// Version of the assignment that the caller read; an outdated one is refused.
    version: i32,
    /// Reason why the measure concerns the unit, 2 to 5,000 characters.
    reason: String,
}

/// Returns the assignment and the version that an input names.
pub(crate) fn on(id: &ID, version: i32) -> On {
    On { assignment: key_of::<Assignment>(id), version: Some(version) }
}

/// Returns the assignment that an input names, without checking its version.
pub(crate) fn beside(id: &ID) -> On {
    On { assignment: key_of::<Assignment>(id), version: None }
}

/// Input of `reportProgress`: the progress report to submit.
#[derive(InputObject)]
pub(crate) struct ReportProgressInput {
    /// Assignment that the report is on.
    assignment_id: ID,
    /// Version of the assignment that the caller read; an outdated one is refused, so that two users do not overwrite
    /// each other's changes.
    version: i32,
    /// Month that the report covers, for example `2023-04`: from 1990 on, and not after the current month.
    period: String,
    /// Text of the report, 1 to 100,000 characters.
    text: String,
    /// Difficulties (存在的困难和问题), at most 10,000 characters; left out if there are none.
    difficulties: Option<String>,
    /// Next steps (下一步打算), at most 10,000 characters; left out if none are planned.
    next_steps: Option<String>,
    /// Quantities that were counted, at most 50, each with a different label. The first one determines the pace.
    quantities: Option<Vec<QuantityInput>>,
    /// Local date on which the work was completed (完成), not after today; left out if it is not completed.
    completed_on: Option<Date>,
    /// Whether the report retracts a completion that was reported before (更正). Cannot be combined with `completedOn`.
    #[graphql(default)]
    is_completion_retracted: bool,
}

/// A quantity that a progress report counts.
#[derive(InputObject)]
pub(crate) struct QuantityInput {
    /// What is counted, 1 to 100 characters, for example `退化草原修复`.
    label: String,
    /// Amount done, from 0 to 1,000,000,000,000.
    done: Option<f64>,
    /// Target amount, above 0 and at most 1,000,000,000,000.
    target: Option<f64>,
    /// Unit of measure, at most 20 characters, for example `万亩`.
    unit: Option<String>,
}

/// Input of `assignMeasure`: the measure, and the units that are to answer it.
#[derive(InputObject)]
pub(crate) struct AssignMeasureInput {
    /// Global id of the measure to assign.
    measure_id: ID,
    /// Version of the measure that the caller read; an outdated one is refused.
    version: i32,
    /// Units to assign the measure to, at most 1,000. Each has to belong to the caller's region or to one below it.
    #[graphql(default)]
    unit_ids: Vec<ID>,
    /// Whether the measure is also assigned to the units that its selectors such as 各县（区） (every county) name.
    #[graphql(default = false)]
    has_selectors_resolved: bool,
}

/// Input of `assignMeasures`: the measures to assign.
#[derive(InputObject)]
pub(crate) struct AssignMeasuresInput {
    /// Measures with the units to assign them to, 1 to 100.
    items: Vec<AssignMeasureInput>,
}

batch_payload! {
    /// Result of a mutation on several assignments, all of which are changed or none.
    AssignmentsPayload {
        /// Assignments as they are now, in the order of the items; null if the mutation was refused.
        assignments: Assignment,
        /// Reasons why the mutation was refused, each with the place of its item in the path, such as `["input",
        /// "items", "3", "reason"]`; empty if everything was carried out.
        errors,
        /// Side effects that failed although the mutation was carried out, such as a notice by mail to units that have
        /// no address. Usually empty.
        warnings
    }
}

batch_payload! {
    /// Result of a mutation on several measures, all of which are changed or none.
    MeasuresPayload {
        /// Measures as they are now, in the order of the items; null if the mutation was refused.
        measures: Measure,
        /// Reasons why the mutation was refused, each with the place of its item in the path, such as `["input",
        /// "items", "3", "unitIds"]`; empty if everything was carried out.
        errors,
        /// Side effects that failed although the mutation was carried out, such as a notice by mail to units that have
        /// no address. Usually empty.
        warnings
    }
}

payload! {
    /// Result of a mutation on an assignment.
    AssignmentPayload {
        /// Assignment as it is now; null if the mutation was refused.
        assignment: Assignment,
        /// Reasons why the mutation was refused; empty if it was carried out.
        errors,
        /// Side effects that failed although the mutation was carried out, such as a notice by mail to units that have
        /// no address. Usually empty.
        warnings
    }
}

payload! {
    /// Result of a mutation on a measure.
    MeasurePayload {
        /// Measure as it is now; null if the mutation was refused.
        measure: Measure,
        /// Reasons why the mutation was refused; empty if it was carried out.
        errors,
        /// Side effects that failed although the mutation was carried out, such as a notice by mail to units that have
        /// no address. Usually empty.
        warnings
    }
}

/// Assigns a measure as an input asks for it.
async fn assign(acting: &Acting<'_>, input: AssignMeasureInput) -> ledger::Result<Done> {
    // An id of another type becomes key 0, which no unit has: it is refused like an unknown unit.
    let units: Vec<i64> = input.unit_ids.iter().map(|id| key_of::<Unit>(id).unwrap_or_default()).collect();
    let (measure, version) = (key_of::<Measure>(&input.measure_id), Some(input.version));
    assigning::assign(acting, measure, version, &units, input.has_selectors_resolved).await
}

/// Mutations on assignments.
#[derive(Default)]
pub(crate) struct AssignmentMutation;

#[Object]
impl AssignmentMutation {
    /// Submits a progress report (整改进展) on an assignment, which also takes it on (签收). For the unit that answers
    /// it. Reports are never edited: a correction is a new report.
    async fn report_progress(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Assignment, and the report to submit.")] input: ReportProgressInput,
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
            difficulties: input.difficulties,
            next_steps: input.next_steps,
            stated_pace: None,
            quantities: input.quantities.unwrap_or_default().into_iter().map(quantity).collect(),
            completed_on: input.completed_on.map(|day| day.0),
            retracts_completion: input.is_completion_retracted,
        };
        AssignmentPayload::of(progress::report(&request.acting(), &report).await, request)
    }

    /// Takes an assignment on (签收). For the unit that answers it and its county office.
    async fn accept_assignment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Assignment to take on.")] input: AcceptAssignmentInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let on = on(&input.assignment_id, input.version);
        AssignmentPayload::of(assigning::accept(&request.acting(), on).await, request)
    }

    /// Declines an assignment as not the unit's responsibility (退回), as long as its status is `ASSIGNED`. For the
    /// unit that answers it and its county office. The city or regional office then assigns it again or confirms that
    /// it is not applicable.
    async fn decline_assignment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Assignment to decline, and the reason.")] input: DeclineAssignmentInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let on = on(&input.assignment_id, input.version);
        AssignmentPayload::of(assigning::decline(&request.acting(), on, &input.reason).await, request)
    }

    /// Assigns a measure to units (责任分解), and on request to those that its selectors name. Units that are assigned
    /// already stay as they are. A unit that has declined is asked again; so is one listed in `unitIds` that the
    /// measure did not concern. For city and regional offices.
    async fn assign_measure(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Measure, and the units to assign it to.")] input: AssignMeasureInput,
    ) -> async_graphql::Result<MeasurePayload> {
        let request = ctx.data::<Request>()?;
        MeasurePayload::of(assign(&request.acting(), input).await, request)
    }

    /// Assigns several measures to units, all of them or none; each item as `assignMeasure` takes it. For city and
    /// regional offices.
    async fn assign_measures(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Measures, and the units to assign each to.")] input: AssignMeasuresInput,
    ) -> async_graphql::Result<MeasuresPayload> {
        let request = ctx.data::<Request>()?;
        let acting = request.acting();
        let measures = input.items.iter().map(|item| key_of::<Measure>(&item.measure_id)).collect();
        let acts = input.items.into_iter().map(|item| assign(&acting, item).boxed()).collect();
        let done = batch::all_or_none(&acting, (batch::BatchTarget::Measures, measures), acts).await;
        MeasuresPayload::of(done, request)
    }

    /// Proposes that the measure does not concern the unit (不涉及). For the unit that answers the assignment.
    async fn propose_not_applicable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Assignment that is not applicable, and the reason.")] input: ProposeNotApplicableInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let on = on(&input.assignment_id, input.version);
        AssignmentPayload::of(applicability::propose(&request.acting(), on, &input.reason).await, request)
    }

    /// Confirms that the measure does not concern the unit (不涉及), as the unit proposed or as it stated by declining.
    /// For city and regional offices; no one may confirm their own proposal.
    async fn confirm_not_applicable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Assignment to confirm as not applicable.")] input: ConfirmNotApplicableInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let on = on(&input.assignment_id, input.version);
        AssignmentPayload::of(applicability::confirm(&request.acting(), on).await, request)
    }

    /// Rejects the proposal that the measure does not concern the unit, which then has to answer it. For city and
    /// regional offices; no one may reject their own proposal.
    async fn reject_not_applicable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Assignment that stays applicable, and the reason.")] input: RejectNotApplicableInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let on = on(&input.assignment_id, input.version);
        AssignmentPayload::of(applicability::reject(&request.acting(), on, &input.reason).await, request)
    }
}
