//! Measures (整改措施).

use crate::part::scalar::{Date, Moment};
use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use ledger::fault::Fault;
use ledger::keep::party::{Named, Party};
use ledger::keep::{Patch, measure as keep, merge};
use ledger::record::concern;
use planner::{Condition, Connection, Dimension, Figure, Kind, Link, SortKey, SortType, Sql, noun};

use crate::context::Request;
use crate::noun::assignment::{Assignment, AssignmentFilter, MeasurePayload, Status};
use crate::noun::audit::AuditEntry;
use crate::noun::check::{CheckInterval, CheckKind, CheckPlan};
use crate::noun::deadline::{self, DUE_ORDER, Deadline, Milestone, OF_MEASURE, Pace};
use crate::noun::extension::DeadlineChange;
use crate::noun::problem::{Problem, ProblemFilter};
use crate::noun::region::{Region, SubtreeFilter};
use crate::noun::responsible_party::{ResponsibleParty, Selector};
use crate::noun::round::{InspectionRound, InspectionRoundFilter};
use crate::noun::supervision::{Comment, SupervisionAction};
use crate::noun::unit::{Unit, UnitFilter};
use crate::part::filter::{DateFilter, DateTimeFilter, ListFilter, RelationFilter, TextFilter, filter};
use crate::part::group;
use crate::part::order::order;
use crate::part::patch::{clearable, patch};
use crate::part::payload::{DeletePayload, key_of};

const POSITION: SortKey = SortKey::column("{t}.position", "position", SortType::Integer);
const UPDATED_AT: SortKey = SortKey::column("{t}.updated_at", "updated_at", SortType::Moment);

fn pace(sql: &mut Sql<'_>, measure: &str) -> String {
    ledger::rule::pace::sql(sql, measure, measure)
}

const COMPLETED_ON: SortKey = SortKey::expression("coalesce({t}.completed_on, '9999-12-31')", SortType::Date);
const STATUS: SortKey = SortKey::column("{t}.status", "status", SortType::Text);

const GROUPS: &[Dimension] = &[
    group::STATUS,
    group::DUE_ON,
    group::DEADLINE_CLASS,
    group::ROUND,
    group::REGION,
    group::LEAD_UNIT,
    group::PROBLEM,
];

const FIGURES: &[Figure] = &[group::DUE, group::COMPLETED, group::UPDATED];

/// The units that a measure names and those that were assigned to answer for its stand-ins, each once.
const RESPONSIBLE_UNITS: &str = "SELECT unit_id FROM responsible_party WHERE measure_id = {t}.id AND unit_id IS NOT NULL \
    UNION SELECT answer.unit_id FROM assignment answer WHERE answer.measure_id = {t}.id AND {sees:assignment:answer}";

/// The measures that concern a region.
pub(crate) fn concerning(region: &SubtreeFilter) -> Condition {
    region.listed(concern::measures_of)
}

noun! {
    /// What is to be done about a problem (整改措施).
    pub(crate) Measure from "measure" as "measure" {
        order: &[POSITION],
        total: Some("SELECT sum(amount) FROM region_tally WHERE noun = 'MEASURE' AND region_id = (SELECT id FROM region WHERE parent_id IS NULL)"),
        filter: MeasureFilter,
        by: MeasureOrder,
        groups: GROUPS,
        figures: FIGURES
    }
    /// The global id.
    id: ID = Kind::Id;
    /// The number as printed; numbers have gaps. Null where none is printed.
    number: Option<String> = Kind::Column("number");
    /// The text.
    content: String = Kind::Column("content");
    /// Its deadline.
    deadline: Deadline = Kind::Embedded(<Deadline as planner::Noun>::table);
    /// The steps of a deadline that names several dates.
    milestones: Vec<Milestone> = Kind::List(<Milestone as planner::Noun>::table, OF_MEASURE);
    /// The least advanced of its assignments, or what the ledger stated.
    status: Status = Kind::Column("status");
    /// When the status was stated, for one that no assignment backs; null when it is rolled up.
    statusStatedOn: Option<Date> = Kind::Column("status_stated_on");
    /// The progress that a ledger states of a measure for which it names no unit; where units answer, see their reports.
    statedProgress: Option<String> = Kind::Column("stated_progress");
    /// How far it is against its time today; null when it is not applicable.
    pace: Option<Pace> = Kind::Expression(pace);
    /// When the last of its assignments was completed (完成).
    completedOn: Option<Date> = Kind::Column("completed_on");
    /// The problem that it mends.
    problem: Problem = Kind::One(<Problem as planner::Noun>::table, "problem_id");
    /// The round of that problem.
    round: InspectionRound = Kind::One(<InspectionRound as planner::Noun>::table, "round_id");
    /// The region that issued it.
    region: Region = Kind::One(<Region as planner::Noun>::table, "region_id");
    /// The lead unit (牵头单位); null where the ledger names no units.
    leadUnit: Option<Unit> = Kind::One(<Unit as planner::Noun>::table, "lead_unit_id");
    /// The supervising unit (督导单位).
    supervisingUnit: Option<Unit> = Kind::One(<Unit as planner::Noun>::table, "supervising_unit_id");
    /// The responsible parties as printed: units, and stand-ins such as 各县（区）.
    responsibleParties(pages ResponsibleParty): Connection<ResponsibleParty> = Link::Part("measure_id");
    /// The concrete units: those named, and those assigned to answer for the stand-ins.
    responsibleUnits(pages Unit): Connection<Unit> = Link::Among(RESPONSIBLE_UNITS);
    /// Who answers what for it.
    assignments(pages Assignment): Connection<Assignment> = Link::Part("measure_id");
    /// How often it is checked, where the default plan does not do.
    checkPlans: Vec<CheckPlan> = Kind::List(<CheckPlan as planner::Noun>::table, Link::Column("measure_id"));
    /// Changes of the deadline, asked for or made, the oldest first; the first one's `oldDueOn` is the deadline as it was ordered.
    deadlineChanges(pages DeadlineChange): Connection<DeadlineChange> = Link::Part("measure_id");
    /// Supervision of it, the newest first.
    supervisionActions(pages SupervisionAction): Connection<SupervisionAction> = Link::Part("measure_id");
    /// What leaders and offices say of it, the oldest first.
    comments(pages Comment): Connection<Comment> = Link::Part("measure_id");
    /// What was done to it and its assignments, the newest first.
    audit(pages AuditEntry): Connection<AuditEntry> = Link::Column("measure_id");
    /// Grows with every change.
    version: i32 = Kind::Column("version");
    /// When it entered the ledger.
    createdAt: Moment = Kind::Column("created_at");
    /// When it last changed.
    updatedAt: Moment = Kind::Column("updated_at");
}

order! { MeasureOrder by MeasureOrderField {
    /// The latest date of the deadline; those without one come last, and first where the order is descending.
    DueOn = DUE_ORDER,
    /// The place within its problem.
    Position = POSITION,
    /// The last change.
    UpdatedAt = UPDATED_AT,
    /// When it was completed; those that are not come last, and first where the order is descending.
    CompletedOn = COMPLETED_ON,
    /// The workflow state, in the order of its code.
    Status = STATUS,
} }

filter! {
    /// Demands on measures.
    MeasureFilter {
        /// Where it was issued or is answered.
        region: SubtreeFilter = |region| concerning(region),
        /// The round of its problem.
        round: RelationFilter<InspectionRoundFilter> = |round| round.condition("round_id", <InspectionRound as planner::Noun>::table()),
        /// The problem that it mends.
        problem: RelationFilter<ProblemFilter> = |problem| problem.condition("problem_id", <Problem as planner::Noun>::table()),
        /// The lead unit.
        lead_unit: RelationFilter<UnitFilter> = |unit| unit.condition("lead_unit_id", <Unit as planner::Noun>::table()),
        /// The supervising unit.
        supervising_unit: RelationFilter<UnitFilter> = |unit| unit.condition("supervising_unit_id", <Unit as planner::Noun>::table()),
        /// Who answers what for it.
        assignments: ListFilter<AssignmentFilter> = |list| list.condition(<Assignment as planner::Noun>::table(), "measure_id"),
        /// When it was completed.
        completed_on: DateFilter = |day| day.condition("completed_on"),
        /// Its text.
        text: TextFilter = |text| text.condition("content", &["content"]),
        /// The number as printed.
        number: TextFilter = |number| number.condition("number", &["number"]),
        /// Its status is one of these.
        status: Vec<Status> = |statuses| Condition::In("status", crate::noun::assignment::codes(statuses)),
        /// The latest date of its deadline.
        due_on: DateFilter = |day| day.condition("due_on"),
        /// Whether it goes on for good (长期坚持).
        ongoing: bool = |ongoing| Condition::Compare("due_ongoing", "=", (*ongoing).into()),
        /// Whether it is open past its deadline today.
        overdue: bool = |wanted| Condition::Holds(ledger::rule::pace::overdue, *wanted),
        /// Its pace today is one of these.
        pace: Vec<Pace> = |paces| Condition::Reckons(pace, deadline::codes(paces)),
        /// Whether it is completed.
        completed: bool = |completed| Condition::Null("completed_on", !completed),
        /// The last change.
        updated_at: DateTimeFilter = |at| at.condition("updated_at"),
    }
}

/// A responsible party to be written down: either a unit or a stand-in.
#[derive(InputObject)]
pub(crate) struct PartyInput {
    /// The unit.
    unit_id: Option<ID>,
    /// Whom else it stands for, below the region that issued the measure.
    selector: Option<Selector>,
}

/// A measure to be entered.
#[derive(InputObject)]
pub(crate) struct CreateMeasureInput {
    /// The problem that it mends.
    problem_id: ID,
    /// The number as printed.
    number: Option<String>,
    /// The text, at most 20,000 letters.
    content: String,
    /// Its deadline as it is printed: 2027年12月31日, 长期坚持, 立行立改 …
    deadline: String,
    /// The lead unit (牵头单位); a measure without is refused.
    lead_unit_id: Option<ID>,
    /// The supervising unit (督导单位).
    supervising_unit_id: Option<ID>,
    /// The responsible parties in their order, at most 500. Units answer at once; stand-ins when the city office assigns.
    #[graphql(default)]
    parties: Vec<PartyInput>,
}

/// What is to become of a measure. What is left out stays; null clears.
#[derive(InputObject)]
pub(crate) struct EditMeasureInput {
    /// The measure.
    measure_id: ID,
    /// The version that the caller saw.
    version: i32,
    /// The number as printed.
    number: MaybeUndefined<String>,
    /// The text.
    content: MaybeUndefined<String>,
    /// The lead unit; null is refused: every measure has one.
    lead_unit_id: MaybeUndefined<ID>,
    /// The supervising unit.
    supervising_unit_id: MaybeUndefined<ID>,
    /// The responsible parties, all of them. Who answers already goes on answering.
    parties: MaybeUndefined<Vec<PartyInput>>,
}

/// A deadline to be changed.
#[derive(InputObject)]
pub(crate) struct ChangeDeadlineInput {
    /// The measure.
    measure_id: ID,
    /// The version that the caller saw.
    version: i32,
    /// The deadline from now on, as it is printed.
    deadline: String,
    /// Why.
    reason: String,
}

/// How often a measure is to be checked.
#[derive(InputObject)]
pub(crate) struct CheckPlanInput {
    /// Which check.
    kind: CheckKind,
    /// How often.
    every: CheckInterval,
}

/// A measure's plan of checks.
#[derive(InputObject)]
pub(crate) struct PlanChecksInput {
    /// The measure.
    measure_id: ID,
    /// The version that the caller saw.
    version: i32,
    /// The plan; what it leaves out goes by the default plan.
    plans: Vec<CheckPlanInput>,
}

/// A measure to be withdrawn.
#[derive(InputObject)]
pub(crate) struct RetireMeasureInput {
    /// The measure.
    measure_id: ID,
    /// The version that the caller saw.
    version: i32,
    /// Why.
    reason: String,
}

/// Two measures that are one.
#[derive(InputObject)]
pub(crate) struct MergeMeasuresInput {
    /// The measure that goes.
    measure_id: ID,
    /// Its version that the caller saw.
    version: i32,
    /// The measure that stays, of the same problem.
    into_id: ID,
}

/// A measure entered by mistake.
#[derive(InputObject)]
pub(crate) struct DeleteMeasureInput {
    /// The measure.
    measure_id: ID,
    /// The version that the caller saw.
    version: i32,
}

fn named(id: &ID) -> Named {
    Named(key_of::<Unit>(id))
}

fn parties(given: Vec<PartyInput>) -> ledger::Result<Vec<Party>> {
    let party = |(index, one): (usize, PartyInput)| match (one.unit_id, one.selector) {
        (Some(unit), None) => Ok(Party::Unit(key_of::<Unit>(&unit))),
        (None, Some(selector)) => Ok(Party::Selector(selector.into())),
        _ => {
            let (zh, en) = ("每个责任单位应填写单位或代称之一", "a party is either a unit or a stand-in");
            Err(Fault::invalid(zh, en, &["input", "parties", &index.to_string()]).into())
        }
    };
    given.into_iter().enumerate().map(party).collect()
}

/// What is done to measures as the ledger keeps them; what is done about them is with assignments.
#[derive(Default)]
pub(crate) struct MeasureMutation;

#[Object]
impl MeasureMutation {
    /// Enters a measure. By the regional office. Units that it names, else its lead unit, answer it from now on.
    async fn create_measure(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The measure.")] input: CreateMeasureInput,
    ) -> async_graphql::Result<MeasurePayload> {
        let request = ctx.data::<Request>()?;
        let done = async {
            let new = keep::New {
                problem: key_of::<Problem>(&input.problem_id),
                number: input.number,
                content: input.content,
                deadline: input.deadline,
                lead: input.lead_unit_id.as_ref().map(named),
                supervising: input.supervising_unit_id.as_ref().map(named),
                parties: parties(input.parties)?,
            };
            keep::create(&request.desk(), new).await
        };
        MeasurePayload::of(done.await, request)
    }

    /// Edits a measure. By the regional office. Its deadline is changed by `changeDeadline`, which keeps the one before.
    async fn edit_measure(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to change.")] input: EditMeasureInput,
    ) -> async_graphql::Result<MeasurePayload> {
        let request = ctx.data::<Request>()?;
        let done = async {
            let parties = match patch(input.parties, "parties")? {
                Patch::Keep => Patch::Keep,
                Patch::Set(given) => Patch::Set(parties(given)?),
            };
            let changes = keep::Changes {
                number: clearable(input.number),
                content: patch(input.content, "content")?,
                lead: clearable(input.lead_unit_id.map_value(|id| named(&id))),
                supervising: clearable(input.supervising_unit_id.map_value(|id| named(&id))),
                parties,
            };
            keep::edit(&request.desk(), key_of::<Measure>(&input.measure_id), input.version, changes).await
        };
        MeasurePayload::of(done.await, request)
    }

    /// Changes a deadline without a request: a misprint, a new order (报备). By the regional office. The deadline before
    /// is kept in `deadlineChanges`.
    async fn change_deadline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The deadline, and why.")] input: ChangeDeadlineInput,
    ) -> async_graphql::Result<MeasurePayload> {
        let request = ctx.data::<Request>()?;
        let measure = key_of::<Measure>(&input.measure_id);
        let done = keep::change_deadline(&request.desk(), measure, input.version, input.deadline, &input.reason).await;
        MeasurePayload::of(done, request)
    }

    /// Plans how often a measure is checked. By the regional office.
    async fn plan_checks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The plan.")] input: PlanChecksInput,
    ) -> async_graphql::Result<MeasurePayload> {
        let request = ctx.data::<Request>()?;
        let plan = |plan: &CheckPlanInput| keep::Plan { kind: plan.kind.into(), every: plan.every.into() };
        let plans: Vec<keep::Plan> = input.plans.iter().map(plan).collect();
        let measure = key_of::<Measure>(&input.measure_id);
        MeasurePayload::of(keep::plan_checks(&request.desk(), measure, input.version, &plans).await, request)
    }

    /// Withdraws a measure (撤销): whoever has not closed it need not do it any more, and it counts no more. By the regional
    /// office. Refused while a close-out is under way; assigning it anew takes it up again.
    async fn retire_measure(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The measure, and why.")] input: RetireMeasureInput,
    ) -> async_graphql::Result<MeasurePayload> {
        let request = ctx.data::<Request>()?;
        let measure = key_of::<Measure>(&input.measure_id);
        MeasurePayload::of(keep::retire(&request.desk(), measure, input.version, &input.reason).await, request)
    }

    /// Merges a measure into another of its problem, such as one whose wording a later ledger changed. Where a unit answers
    /// both, the answer that has gone further stays and takes over the reports, files and checks of the other; of two checks
    /// of one kind and period the later stays, and the audit keeps the other. A unit that has applied for the close-out of
    /// both is a `CONFLICT`. By the regional office.
    async fn merge_measures(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The two.")] input: MergeMeasuresInput,
    ) -> async_graphql::Result<MeasurePayload> {
        let request = ctx.data::<Request>()?;
        let [from, into] = [&input.measure_id, &input.into_id].map(key_of::<Measure>);
        MeasurePayload::of(merge::measures(&request.desk(), from, input.version, into).await, request)
    }

    /// Deletes a measure on which nobody has done anything, entered by mistake. By the regional office.
    async fn delete_measure(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The measure.")] input: DeleteMeasureInput,
    ) -> async_graphql::Result<DeletePayload> {
        let request = ctx.data::<Request>()?;
        let measure = key_of::<Measure>(&input.measure_id);
        let done = keep::delete(&request.desk(), measure, input.version).await;
        DeletePayload::of(done, input.measure_id, request.language)
    }
}
