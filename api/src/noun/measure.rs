//! Measures (整改措施): their type, filter and order, and the mutations that create, edit, withdraw, merge and delete
//! them.

use crate::part::action::{self, AvailableAction};
use crate::part::scalar::{Date, Moment};
use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use ledger::fault::Fault;
use ledger::keep::party::{Named, Party};
use ledger::keep::{Patch, measure as keep, merge};
use ledger::record::concern;
use ledger::statistics::Answered;
use ledger::work::available::{self, Subject};
use planner::{
    Condition, Connection, Dimension, Figure, FigureKind, Indexed, Kind, Link, SortKey, SortType, Sql, noun,
};

use crate::context::Request;
use crate::noun::answered::AnsweredFilter;
use crate::noun::assignment::{Assignment, AssignmentFilter, MeasurePayload, Status};
use crate::noun::audit::AuditEntry;
use crate::noun::check::{CheckInterval, CheckKind, CheckPlan};
use crate::noun::deadline::{self, DUE_ORDER, Deadline, Pace, StatedPace};
use crate::noun::extension::DeadlineChange;
use crate::noun::leader::{self, MeasureLeader, MeasureLeaderInput};
use crate::noun::milestone::{Milestone, OF_MEASURE};
use crate::noun::problem::{Problem, ProblemFilter};
use crate::noun::region::{Region, SubtreeFilter};
use crate::noun::responsible_party::{ResponsibleParty, Selector};
use crate::noun::round::{InspectionRound, InspectionRoundFilter};
use crate::noun::supervision::{Card, Comment, SupervisionAction};
use crate::noun::unit::{Unit, UnitFilter};
use crate::part::filter::{
    DateFilter, DateTimeFilter, ListFilter, NumberFilter, RelationFilter, TextFilter, filter, one_of,
};
use crate::part::group::{self, dated};
use crate::part::order::{STATUS, order};
use crate::part::patch::{clearable, patch};
use crate::part::payload::{DeletePayload, key_of};

const POSITION: SortKey = SortKey::column("{t}.position", "position", SortType::Integer);
const UPDATED_AT: SortKey = SortKey::column("{t}.updated_at", "updated_at", SortType::Moment);

fn pace(sql: &mut Sql<'_>, measure: &str) -> String {
    ledger::rule::pace::sql(sql, measure, measure)
}

/// Returns SQL for whether a ledger states another pace than the computed one.
fn pace_differs(sql: &mut Sql<'_>, measure: &str) -> String {
    let computed = pace(sql, measure);
    deadline::differs(measure, &computed)
}

/// Returns SQL for the investment in 万元; it is stored in yuan.
fn budget(_: &mut Sql<'_>, measure: &str) -> String {
    Sql::on(BUDGET, measure)
}

/// Returns SQL for the text of the task.
fn task(_: &mut Sql<'_>, measure: &str) -> String {
    format!("(SELECT k.content FROM task k WHERE k.id = {measure}.task_id)")
}

/// Returns SQL for the number of the task.
fn task_number(_: &mut Sql<'_>, measure: &str) -> String {
    format!("(SELECT k.number FROM task k WHERE k.id = {measure}.task_id)")
}

/// Returns SQL for the card in force.
fn card(sql: &mut Sql<'_>, measure: &str) -> String {
    ledger::work::card::in_force(sql, |card| format!("{card}.measure_id = {measure}.id"))
}

const BUDGET: &str = "CAST({t}.budget AS double precision) / 10000";

const COMPLETED_ON: SortKey = SortKey::expression("coalesce({t}.completed_on, '9999-12-31')", SortType::Date);

const GROUPS: &[Dimension] = dated!(
    "{t}.due_on",
    "latest date of the deadline",
    [
        group::STATUS,
        group::STATED_PACE,
        group::DUE_ON,
        group::DEADLINE_CLASS,
        group::ROUND,
        group::REGION,
        group::LEAD_UNIT,
        group::LEAD_SECTOR,
        group::PROBLEM,
        Dimension::spread(
            "DOMAIN",
            "领域 · Domain of the problem, such as 水; a measure counts in each domain of its problem.",
            "{j}.domain",
            "LEFT JOIN problem_domain {j} ON {j}.problem_id = {t}.problem_id",
        ),
    ]
);

const FIGURES: &[Figure] = &[
    group::DUE,
    group::COMPLETED,
    group::UPDATED,
    Figure {
        name: "budget",
        description: "Investment (投资) in 万元 (10,000 yuan), over the measures for which it is known.",
        expression: BUDGET,
        kind: FigureKind::Number,
    },
];

/// Selects the units that the parties of a measure name and the units that are assigned to answer for its collective
/// terms, each once.
const RESPONSIBLE_UNITS: &str = "SELECT unit_id FROM responsible_party WHERE measure_id = {t}.id \
    AND unit_id IS NOT NULL \
    UNION SELECT answer.unit_id FROM assignment answer WHERE answer.measure_id = {t}.id AND {sees:assignment:answer}";

/// Returns the condition for measures that were issued or are answered in a region or below it.
pub(crate) fn concerning(region: &SubtreeFilter) -> Condition {
    region.listed(concern::measures_of)
}

/// What is searched in the texts, as the index has it.
pub(crate) const TEXTS: Indexed = Indexed { name: "measure", table: "measure", columns: &["content"] };
/// What is searched in the numbers, as the index has it.
pub(crate) const NUMBERS: Indexed = Indexed { name: "measure_number", table: "measure", columns: &["number"] };

noun! {
    /// A measure (整改措施): what has to be done about a problem.
    pub(crate) Measure from "measure" as "measure" {
        order: &[POSITION],
        total: Some("SELECT sum(amount) FROM region_tally WHERE noun = 'MEASURE' AND region_id = (SELECT id \
            FROM region WHERE parent_id IS NULL)"),
        filter: MeasureFilter,
        by: MeasureOrder,
        groups: GROUPS,
        figures: FIGURES
    }
    /// Global id of the measure.
    id: ID = Kind::Id;
    /// Number as printed, such as `12-02`; numbers have gaps. Null where none is printed.
    number: Option<String> = Kind::Column("number");
    /// Text of the measure.
    content: String = Kind::Column("content");
    /// Deadline (整改时限) of the measure.
    deadline: Deadline = Kind::Embedded(<Deadline as planner::Noun>::table);
    /// Latest date of the deadline in the plan, a local date, before extensions (延期) of single assignments;
    /// `deadline.dueOn` is the latest of the assignments' deadlines. Null when the deadline names no date.
    plannedDueOn: Option<Date> = Kind::Column("plan_due_on");
    /// Dated steps of a deadline that names several dates, by date; otherwise empty.
    milestones: Vec<Milestone> = Kind::List(<Milestone as planner::Noun>::table, OF_MEASURE);
    /// Workflow status of the measure as a whole: the least advanced of all its assignments, also of those that the
    /// caller may not see; without assignments, the status that the ledger states.
    status: Status = Kind::Column("status");
    /// Local date of the status that the ledger states, for a measure without assignments; null when the status is
    /// rolled up.
    statusStatedOn: Option<Date> = Kind::Column("status_stated_on");
    /// Progress as the ledger states it, for a measure for which the ledger names no unit; otherwise null, and the
    /// reports of the assignments tell the progress.
    statedProgress: Option<String> = Kind::Column("stated_progress");
    /// Pace (进度) of the measure as a whole, whoever is late: progress against elapsed time, on the current local day;
    /// null when the measure is not applicable (不涉及).
    pace: Option<Pace> = Kind::Expression(pace);
    /// Local date on which the last of the measure's applicable assignments was completed (完成); null while one of
    /// them is not. Without assignments, as the ledger states it.
    completedOn: Option<Date> = Kind::Column("completed_on");
    /// Whether it was completed by that date, as a ledger states, rather than on it.
    isCompletedBy: bool = Kind::Boolean("is_completed_by");
    /// Pace that the last ledger states; null if no ledger states one. `pace` is the computed one.
    statedPace: Option<StatedPace> = Kind::Column("stated_pace");
    /// Local date of the ledger that states the pace.
    statedPaceOn: Option<Date> = Kind::Column("stated_pace_on");
    /// Card in force (黄牌、红牌), the most severe one of the assignments that the caller may see; null if there is
    /// none.
    card: Option<Card> = Kind::Expression(card);
    /// Problem (反馈问题) that the measure addresses.
    problem: Problem = Kind::One(<Problem as planner::Noun>::table, "problem_id");
    /// Inspection round (督察轮次) of that problem.
    round: InspectionRound = Kind::One(<InspectionRound as planner::Noun>::table, "round_id");
    /// Region (行政区) that issued the measure.
    region: Region = Kind::One(<Region as planner::Noun>::table, "region_id");
    /// Lead unit (牵头单位); null where the ledger names no units, and where the caller may not see the unit.
    leadUnit: Option<Unit> = Kind::One(<Unit as planner::Noun>::table, "lead_unit_id");
    /// Supervising unit (督导单位); null if there is none, and where the caller may not see the unit.
    supervisingUnit: Option<Unit> = Kind::One(<Unit as planner::Noun>::table, "supervising_unit_id");
    /// Text of the task (整改任务) that the measure belongs to, where the ledger has tasks between problems and
    /// measures; null otherwise.
    task: Option<String> = Kind::Expression(task);
    /// Number of that task as printed, such as `1`; null where it has none.
    taskNumber: Option<String> = Kind::Expression(task_number);
    /// Unit that accepts the work (验收单位); null if the ledger names none, and where the caller may not see the unit.
    acceptingUnit: Option<Unit> = Kind::One(<Unit as planner::Noun>::table, "accepting_unit_id");
    /// Outcome of the work (整改成果), as the ledger states it; null where it states none.
    outcome: Option<String> = Kind::Column("outcome");
    /// What the ledger says about the close-out (销号情况), as printed; the workflow decides, not this text.
    statedCloseOut: Option<String> = Kind::Column("stated_close_out");
    /// Remark (备注) of the ledger; null where there is none.
    remark: Option<String> = Kind::Column("remark");
    /// Investment (投资) in 万元 (10,000 yuan), such as `120.5`; null if unknown.
    budget: Option<f64> = Kind::Expression(budget);
    /// Responsible parties (责任单位) as printed, in the printed order: units, and collective terms such as 各县（区）.
    responsibleParties(pages ResponsibleParty): Connection<ResponsibleParty> = Link::Part("measure_id");
    /// Units that answer for the measure: those that the parties name, and those assigned for the collective terms,
    /// each once.
    responsibleUnits(pages Unit): Connection<Unit> = Link::Among(RESPONSIBLE_UNITS);
    /// Assignments (责任分解) of the measure, one per answering unit; only those that the caller may see.
    assignments(pages Assignment): Connection<Assignment> = Link::Part("measure_id");
    /// Check intervals that differ from the default plan (self-inspection every quarter, verification every half-year,
    /// spot check every year); empty where the default applies.
    checkPlans: Vec<CheckPlan> = Kind::List(<CheckPlan as planner::Noun>::table, Link::Column("measure_id"));
    /// Leaders who answer for the measure (牵头领导、包案领导、责任领导、责任人), at most one for each post. Their
    /// names are masked for callers who are not involved.
    leaders: Vec<MeasureLeader> = Kind::List(<MeasureLeader as planner::Noun>::table, Link::Column("measure_id"));
    /// Changes of the deadline, requested or made, oldest first. The `oldDueOn` of the first one is the date of the
    /// original deadline.
    deadlineChanges(pages DeadlineChange): Connection<DeadlineChange> = Link::Part("measure_id");
    /// Supervision (催办、督办、挂牌、约谈) of the measure, newest first.
    supervisionActions(pages SupervisionAction): Connection<SupervisionAction> = Link::Part("measure_id");
    /// Comments (批示、意见) on the measure, oldest first.
    comments(pages Comment): Connection<Comment> = Link::Part("measure_id");
    /// What can be done to it, and whether the caller may do it now; those that are not available say why.
    availableActions: Vec<AvailableAction> =
        Kind::Finished(|sql, measure| available::facts(sql, Subject::Measure, measure), action::MEASURE);
    /// Audit entries of the measure and its assignments, newest first.
    audit(pages AuditEntry): Connection<AuditEntry> = Link::Column("measure_id");
    /// Version number, incremented by every change to the measure; mutations take it to detect a stale copy.
    version: i32 = Kind::Column("version");
    /// When the measure entered the ledger.
    createdAt: Moment = Kind::Column("created_at");
    /// When the measure last changed.
    updatedAt: Moment = Kind::Column("updated_at");
}

order! { MeasureOrder by MeasureOrderField {
    /// 截止日期 · Latest date of the deadline; measures without one come last, or first in descending order.
    DueOn = DUE_ORDER,
    /// 序号 · Position of the measure within its problem.
    Position = POSITION,
    /// 更新时间 · Moment of the last change.
    UpdatedAt = UPDATED_AT,
    /// 完成日期 · Local date of completion; measures not completed come last, or first in descending order.
    CompletedOn = COMPLETED_ON,
    /// 整改状态 · Workflow status, the least advanced first: from `REOPENED` and `ASSIGNED` to `CLOSED`, then
    /// `NOT_APPLICABLE_PROPOSED` and `NOT_APPLICABLE`.
    Status = STATUS,
} }

filter! {
    /// Conditions on measures. All that are given have to hold.
    MeasureFilter {
        /// Condition on the region that issued the measure or answers for it.
        region: SubtreeFilter = |region| concerning(region),
        /// Condition on the inspection round of the measure's problem.
        round: RelationFilter<InspectionRoundFilter> =
            |round| round.condition("round_id", <InspectionRound as planner::Noun>::table()),
        /// Condition on the problem that the measure addresses.
        problem: RelationFilter<ProblemFilter> =
            |problem| problem.condition("problem_id", <Problem as planner::Noun>::table()),
        /// Condition on the lead unit (牵头单位).
        lead_unit: RelationFilter<UnitFilter> = |unit| unit.condition("lead_unit_id", <Unit as planner::Noun>::table()),
        /// Condition on the supervising unit (督导单位).
        supervising_unit: RelationFilter<UnitFilter> =
            |unit| unit.condition("supervising_unit_id", <Unit as planner::Noun>::table()),
        /// Condition on the assignments of the measure.
        assignments: ListFilter<AssignmentFilter> =
            |list| list.condition(<Assignment as planner::Noun>::table(), "measure_id"),
        /// Condition on the investment (投资) in 万元 (10,000 yuan).
        budget: NumberFilter = |budget| budget.scaled("budget", 10_000.0),
        /// Condition on the local date of completion.
        completed_on: DateFilter = |day| day.condition("completed_on"),
        /// Condition on the text of the measure.
        text: TextFilter = |text| text.condition("content", TEXTS),
        /// Condition on the number as printed.
        number: TextFilter = |number| number.condition("number", NUMBERS),
        /// Condition on the measure as the figures of `statistics` judge it: by what a region, or the caller, answers.
        /// The other conditions judge it as a whole.
        answered: AnsweredFilter = |answered| answered.condition(Answered::of_measures),
        /// The workflow status of the measure as a whole is one of these.
        status: Vec<Status> = |statuses| one_of::<_, entity::assignment::Status>("status", statuses),
        /// Condition on the latest date of the deadline.
        due_on: DateFilter = |day| day.due(),
        /// True: the deadline is ongoing (长期坚持). False: it is not.
        is_ongoing: bool = |ongoing| Condition::Compare("due_ongoing", "=", (*ongoing).into()),
        /// True: the measure as a whole, whoever is late, is open past its deadline on the current local day. False: it
        /// is not. `answered` judges by a region's own answers.
        is_overdue: bool = |wanted| Condition::Holds(ledger::rule::pace::overdue, *wanted),
        /// The pace of the measure as a whole on the current local day is one of these.
        pace: Vec<Pace> = |paces| Condition::Reckons(pace, deadline::codes(paces)),
        /// The pace that the last ledger states is one of these.
        stated_pace: Vec<StatedPace> =
            |paces| one_of::<_, entity::assignment::StatedPace>("stated_pace", paces),
        /// The card in force is one of these, the most severe one of the assignments that the caller may see; an empty
        /// list selects none.
        card: Vec<Card> = |cards| Condition::Reckons(card, Card::codes(cards)),
        /// A ledger states another pace than the one computed for the current local date. `AHEAD` is no other pace than
        /// a stated `ON_SCHEDULE`, and `BEHIND` none than a stated `BEHIND_AND_REPORTED`.
        is_pace_different: bool = |wanted| Condition::Holds(pace_differs, *wanted),
        /// True: the measure as a whole is completed (完成). False: it is not. `answered` judges by a region's own
        /// answers.
        is_completed: bool = |completed| Condition::Null("completed_on", !completed),
        /// Condition on the moment of the last change.
        updated_at: DateTimeFilter = |at| at.condition("updated_at"),
    }
}

/// A responsible party (责任单位): give either `unitId` or `selector`.
#[derive(InputObject)]
pub(crate) struct PartyInput {
    /// Global id of the unit that the party names.
    unit_id: Option<ID>,
    /// Collective term for several units, such as 各县（区）, within the region that issued the measure.
    selector: Option<Selector>,
}

/// Input of `createMeasure`: a measure (整改措施) to add to a problem.
#[derive(InputObject)]
pub(crate) struct CreateMeasureInput {
    /// Global id of the problem that the measure addresses.
    problem_id: ID,
    /// Number as printed, such as `12-02`, at most 40 characters; null or blank for none.
    number: Option<String>,
    /// Text of the measure, 2 to 20,000 characters.
    content: String,
    /// Deadline as printed, such as `2027年12月31日`, `长期坚持` or `立行立改`, at most 500 characters.
    deadline: String,
    /// Global id of the lead unit (牵头单位); required, a measure without one is refused.
    lead_unit_id: Option<ID>,
    /// Global id of the supervising unit (督导单位); null for none.
    supervising_unit_id: Option<ID>,
    /// Investment (投资) in 万元 (10,000 yuan), 0 to 100,000,000, rounded to the yuan; null if unknown.
    budget: Option<f64>,
    /// Responsible parties in the printed order, at most 500. Named units are assigned at once; collective terms are
    /// resolved when the city office assigns the measure.
    #[graphql(default)]
    parties: Vec<PartyInput>,
    /// Leaders who answer for the measure (牵头领导、包案领导、责任领导、责任人), at most one for each post.
    #[graphql(default)]
    leaders: Vec<MeasureLeaderInput>,
}

/// Input of `editMeasure`: the fields of a measure to change. Fields left out stay unchanged; null clears a field that
/// may be empty.
#[derive(InputObject)]
pub(crate) struct EditMeasureInput {
    /// Global id of the measure to edit.
    measure_id: ID,
    /// Version of the measure that the caller last read; a stale one is refused with `STALE_VERSION`.
    version: i32,
    /// Number as printed, at most 40 characters.
    number: MaybeUndefined<String>,
    /// Text of the measure, 2 to 20,000 characters; null is refused.
    content: MaybeUndefined<String>,
    /// Global id of the lead unit (牵头单位); null is refused, since every measure has one.
    lead_unit_id: MaybeUndefined<ID>,
    /// Global id of the supervising unit (督导单位).
    supervising_unit_id: MaybeUndefined<ID>,
    /// Investment (投资) in 万元 (10,000 yuan), 0 to 100,000,000, rounded to the yuan; null if unknown.
    budget: MaybeUndefined<f64>,
    /// Complete list of the responsible parties in the printed order, at most 500; null is refused. Existing
    /// assignments stay.
    parties: MaybeUndefined<Vec<PartyInput>>,
    /// Complete list of the leaders (牵头领导、包案领导、责任领导、责任人), at most one for each post; null is refused.
    /// The audit records for which posts they changed, without the names.
    leaders: MaybeUndefined<Vec<MeasureLeaderInput>>,
}

/// Input of `changeDeadline`: the new deadline (整改时限) of a measure.
#[derive(InputObject)]
pub(crate) struct ChangeDeadlineInput {
    /// Global id of the measure whose deadline changes.
    measure_id: ID,
    /// Version of the measure that the caller last read; a stale one is refused with `STALE_VERSION`.
    version: i32,
    /// New deadline as printed, such as `2027年12月31日`, `长期坚持` or `立行立改`, at most 500 characters.
    deadline: String,
    /// Reason for the change, 2 to 5,000 characters.
    reason: String,
}

/// How often one kind of check falls due for a measure.
#[derive(InputObject)]
pub(crate) struct CheckPlanInput {
    /// Kind of the check, each at most once; `SUPERVISION` is refused, since supervising units check when they see fit.
    kind: CheckKind,
    /// Interval at which the check falls due.
    every: CheckInterval,
}

/// Input of `planChecks`: how often each kind of check falls due for a measure.
#[derive(InputObject)]
pub(crate) struct PlanChecksInput {
    /// Global id of the measure whose checks are planned.
    measure_id: ID,
    /// Version of the measure that the caller last read; a stale one is refused with `STALE_VERSION`.
    version: i32,
    /// Complete plan of the measure; kinds of check that it leaves out follow the default plan.
    plans: Vec<CheckPlanInput>,
}

/// Input of `retireMeasure`: a measure to withdraw (撤销).
#[derive(InputObject)]
pub(crate) struct RetireMeasureInput {
    /// Global id of the measure to withdraw.
    measure_id: ID,
    /// Version of the measure that the caller last read; a stale one is refused with `STALE_VERSION`.
    version: i32,
    /// Reason for withdrawing the measure, 2 to 5,000 characters.
    reason: String,
}

/// Input of `mergeMeasures`: two measures to merge into one.
#[derive(InputObject)]
pub(crate) struct MergeMeasuresInput {
    /// Global id of the measure that is merged and removed.
    measure_id: ID,
    /// Version of the removed measure that the caller last read; a stale one is refused with `STALE_VERSION`.
    version: i32,
    /// Global id of the measure that stays; it belongs to the same problem.
    into_id: ID,
}

/// Input of `deleteMeasure`: a measure to delete, entered by mistake.
#[derive(InputObject)]
pub(crate) struct DeleteMeasureInput {
    /// Global id of the measure to delete.
    measure_id: ID,
    /// Version of the measure that the caller last read; a stale one is refused with `STALE_VERSION`.
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
            let (zh, en) = ("每个责任单位应填写单位或代称之一", "a party names either a unit or a selector");
            Err(Fault::invalid(zh, en, &["input", "parties", &index.to_string()]).into())
        }
    };
    given.into_iter().enumerate().map(party).collect()
}

/// Mutations that keep measures in the ledger. The work on a measure is recorded on its assignments.
#[derive(Default)]
pub(crate) struct MeasureMutation;

#[Object]
impl MeasureMutation {
    /// Adds a measure to a problem and assigns it to the units that its parties name, or, if they name none, to the
    /// lead unit. Restricted to the regional office.
    async fn create_measure(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Measure to add.")] input: CreateMeasureInput,
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
                budget: input.budget,
                parties: parties(input.parties)?,
                leaders: leader::given(input.leaders),
            };
            keep::create(&request.acting(), new).await
        };
        MeasurePayload::of(done.await, request)
    }

    /// Edits a measure; its deadline is changed by `changeDeadline`, which keeps the previous one. Restricted to the
    /// regional office.
    async fn edit_measure(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Measure and the fields to change.")] input: EditMeasureInput,
    ) -> async_graphql::Result<MeasurePayload> {
        let request = ctx.data::<Request>()?;
        let done = async {
            let parties = match patch(input.parties, "parties")? {
                Patch::Keep => Patch::Keep,
                Patch::Set(given) => Patch::Set(parties(given)?),
            };
            let leaders = match patch(input.leaders, "leaders")? {
                Patch::Keep => Patch::Keep,
                Patch::Set(given) => Patch::Set(leader::given(given)),
            };
            let changes = keep::Changes {
                number: clearable(input.number),
                content: patch(input.content, "content")?,
                lead: clearable(input.lead_unit_id.map_value(|id| named(&id))),
                supervising: clearable(input.supervising_unit_id.map_value(|id| named(&id))),
                budget: clearable(input.budget),
                parties,
                leaders,
            };
            keep::edit(&request.acting(), key_of::<Measure>(&input.measure_id), input.version, changes).await
        };
        MeasurePayload::of(done.await, request)
    }

    /// Changes the deadline of a measure without a request (报备), because of a misprint or a new order. The previous
    /// deadline is kept in `deadlineChanges`. Restricted to the regional office.
    async fn change_deadline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Measure, new deadline and reason.")] input: ChangeDeadlineInput,
    ) -> async_graphql::Result<MeasurePayload> {
        let request = ctx.data::<Request>()?;
        let measure = key_of::<Measure>(&input.measure_id);
        let done =
            keep::change_deadline(&request.acting(), measure, input.version, input.deadline, &input.reason).await;
        MeasurePayload::of(done, request)
    }

    /// Replaces the check plan of a measure: how often each kind of check falls due. Restricted to the regional office.
    async fn plan_checks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Measure and its check plan.")] input: PlanChecksInput,
    ) -> async_graphql::Result<MeasurePayload> {
        let request = ctx.data::<Request>()?;
        let plan = |plan: &CheckPlanInput| keep::Plan { kind: plan.kind.into(), every: plan.every.into() };
        let plans: Vec<keep::Plan> = input.plans.iter().map(plan).collect();
        let measure = key_of::<Measure>(&input.measure_id);
        MeasurePayload::of(keep::plan_checks(&request.acting(), measure, input.version, &plans).await, request)
    }

    /// Withdraws a measure (撤销): its assignments that are not closed become `NOT_APPLICABLE` and no longer count.
    /// Refused while a close-out is under way. Assigning the measure again reinstates it. Restricted to the regional
    /// office.
    async fn retire_measure(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Measure and the reason for withdrawing it.")] input: RetireMeasureInput,
    ) -> async_graphql::Result<MeasurePayload> {
        let request = ctx.data::<Request>()?;
        let measure = key_of::<Measure>(&input.measure_id);
        MeasurePayload::of(keep::retire(&request.acting(), measure, input.version, &input.reason).await, request)
    }

    /// Merges a measure into another measure of the same problem, for example when a later ledger has reworded it.
    /// Where a unit answers for both, the assignment that has advanced further stays and takes over the reports, files
    /// and checks of the other; of two checks of the same kind and period the later one stays, and the audit keeps the
    /// other. Refused with `CONFLICT` if a unit has applied for the close-out of both. Restricted to the regional
    /// office.
    async fn merge_measures(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Measure to remove and measure that stays.")] input: MergeMeasuresInput,
    ) -> async_graphql::Result<MeasurePayload> {
        let request = ctx.data::<Request>()?;
        let [from, into] = [&input.measure_id, &input.into_id].map(key_of::<Measure>);
        MeasurePayload::of(merge::measures(&request.acting(), from, input.version, into).await, request)
    }

    /// Deletes a measure that was entered by mistake and on which nothing has been done. Restricted to the regional
    /// office.
    async fn delete_measure(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Measure to delete.")] input: DeleteMeasureInput,
    ) -> async_graphql::Result<DeletePayload> {
        let request = ctx.data::<Request>()?;
        let measure = key_of::<Measure>(&input.measure_id);
        let done = keep::delete(&request.acting(), measure, input.version).await;
        DeletePayload::of(done, input.measure_id, request.language)
    }
}
