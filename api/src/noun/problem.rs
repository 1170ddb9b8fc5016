//! Problems (反馈问题): their type, filter and order, and the mutations that create, edit, withdraw, merge and delete
//! them.

use crate::noun::supervision::Card;
use crate::part::action::{self, AvailableAction};
use crate::part::scalar::{Date, Moment};
use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use ledger::keep::{merge, problem as keep};
use ledger::record::concern;
use ledger::statistics::Answered;
use ledger::work::available::{self, Subject};
use planner::{Condition, Connection, Dimension, Figure, Indexed, Kind, Link, SortKey, SortType, Sql, noun};

use crate::context::Request;
use crate::noun::accountability::{Accountability, AccountabilityFilter};
use crate::noun::answered::AnsweredFilter;
use crate::noun::assignment::Status;
use crate::noun::audit::AuditEntry;
use crate::noun::deadline::{DUE_ORDER, Deadline, StatedPace};
use crate::noun::measure::{Measure, MeasureFilter};
use crate::noun::milestone::{Milestone, OF_PROBLEM};
use crate::noun::ownership::{Ownership, OwnershipFilter};
use crate::noun::region::{Region, SubtreeFilter};
use crate::noun::round::{InspectionRound, InspectionRoundFilter};
use crate::part::filter::{DateFilter, DateTimeFilter, ListFilter, RelationFilter, TextFilter, filter, one_of};
use crate::part::group::{self, dated};
use crate::part::order::order;
use crate::part::patch::{clearable, patch};
use crate::part::payload::{DeletePayload, key_of, payload};

const POSITION: SortKey = SortKey::column("{t}.position", "position", SortType::Integer);
const UPDATED_AT: SortKey = SortKey::column("{t}.updated_at", "updated_at", SortType::Moment);

const COMPLETED_ON: SortKey = SortKey::expression("coalesce({t}.completed_on, '9999-12-31')", SortType::Date);
const NUMBER: SortKey = SortKey::expression("coalesce({t}.number, '\u{10FFFF}')", SortType::Text);

/// Returns SQL for the card in force.
fn card(sql: &mut Sql<'_>, problem: &str) -> String {
    ledger::work::card::in_force(sql, |card| {
        format!("{card}.measure_id IN (SELECT id FROM measure WHERE problem_id = {problem}.id)")
    })
}

const GROUPS: &[Dimension] = dated!(
    "{t}.due_on",
    "latest date of the deadline",
    [
        group::STATUS,
        group::STATED_PACE,
        Dimension::plain("RATED_PROGRESS", "整改评定 · Rating of the progress as printed.", "{t}.rated_progress"),
        group::DUE_ON,
        group::DEADLINE_CLASS,
        group::ROUND,
        group::REGION,
        Dimension::spread(
            "DOMAIN",
            "领域 · Domain, such as 水; a problem that belongs to several counts in each.",
            "{j}.domain",
            "LEFT JOIN problem_domain {j} ON {j}.problem_id = {t}.id",
        ),
        Dimension::spread(
            "SECTOR",
            "牵头单位行业 · Sector of the units that lead its measures; a problem counts in each of these sectors.",
            "{j}.sector",
            "LEFT JOIN (SELECT DISTINCT m.problem_id, u.sector FROM measure m JOIN unit u ON u.id = m.lead_unit_id \
            WHERE u.sector IS NOT NULL AND {sees:measure:m} AND {sees:unit:u}) {j} ON {j}.problem_id = {t}.id",
        ),
    ]
);

const FIGURES: &[Figure] = &[group::DUE, group::COMPLETED, group::UPDATED];

fn overdue(sql: &mut Sql<'_>, problem: &str) -> String {
    let condition = ledger::rule::pace::overdue(sql, problem);
    sql.boolean(&condition)
}

/// Returns the condition for problems that were issued or are answered in a region or below it.
pub(crate) fn concerning(region: &SubtreeFilter) -> Condition {
    region.listed(concern::problems_of)
}

/// What is searched in the texts, as the index has it.
pub(crate) const TEXTS: Indexed = Indexed { name: "problem", table: "problem", columns: &["title", "description"] };
/// What is searched in the numbers, as the index has it.
pub(crate) const NUMBERS: Indexed = Indexed { name: "problem_number", table: "problem", columns: &["number"] };

noun! {
    /// A problem (反馈问题) that an inspection fed back to the inspected region.
    pub(crate) Problem from "problem" as "problem" {
        order: &[POSITION],
        total: Some("SELECT sum(amount) FROM region_tally WHERE noun = 'PROBLEM' AND region_id = (SELECT id \
            FROM region WHERE parent_id IS NULL)"),
        filter: ProblemFilter,
        by: ProblemOrder,
        groups: GROUPS,
        figures: FIGURES
    }
    /// Global id of the problem.
    id: ID = Kind::Id;
    /// Number as printed, such as `19`; numbers have gaps. Null where none is printed.
    number: Option<String> = Kind::Column("number");
    /// First sentence of the problem's text.
    title: String = Kind::Column("title");
    /// Rest of the problem's text; null where there is none.
    description: Option<String> = Kind::Column("description");
    /// Goal of the rectification (整改目标); null where none is stated.
    goal: Option<String> = Kind::Column("goal");
    /// Kind of problem (问题类型), as the ledger states it; null where it states none.
    category: Option<String> = Kind::Column("category");
    /// Inspection that found the problem (问题来源), as printed in a list of close-outs; null otherwise.
    source: Option<String> = Kind::Column("source");
    /// Deadline (整改时限) printed for the problem itself; it may be earlier or later than those of its measures.
    deadline: Deadline = Kind::Embedded(<Deadline as planner::Noun>::table);
    /// Dated steps of a deadline that names several dates, by date; otherwise empty.
    milestones: Vec<Milestone> = Kind::List(<Milestone as planner::Noun>::table, OF_PROBLEM);
    /// Rating of the progress as printed, such as `全面完成，长期坚持`; null where none is printed.
    ratedProgress: Option<String> = Kind::Column("rated_progress");
    /// Workflow status of the problem as a whole: the least advanced of all its measures, also of those that the caller
    /// may not see; as long as none of them has an assignment, the status that the ledger states.
    status: Status = Kind::Column("status");
    /// Local date of the status that the ledger states, for a problem without assignments; null when the status is
    /// rolled up.
    statusStatedOn: Option<Date> = Kind::Column("status_stated_on");
    /// Local date on which the last of the problem's applicable measures was completed (完成); null while one of them
    /// is not. Without assignments, as the ledger states it.
    completedOn: Option<Date> = Kind::Column("completed_on");
    /// Whether it was completed by that date, as a ledger states, rather than on it.
    isCompletedBy: bool = Kind::Boolean("is_completed_by");
    /// Pace that the last ledger states; null if no ledger states one. It is stated of the problem as a whole.
    statedPace: Option<StatedPace> = Kind::Column("stated_pace");
    /// Local date of the ledger that states the pace.
    statedPaceOn: Option<Date> = Kind::Column("stated_pace_on");
    /// Card in force (黄牌、红牌), the most severe one of the measures' assignments that the caller may see; null if
    /// there is none.
    card: Option<Card> = Kind::Expression(card);
    /// Whether the problem as a whole, whoever is late, is open past its deadline on the current local day.
    isOverdue: bool = Kind::Expression(overdue);
    /// Domains (领域) that the problem belongs to, such as 水, 大气 or 矿山.
    domains: Vec<ProblemDomain> = Kind::List(<ProblemDomain as planner::Noun>::table, Link::Column("problem_id"));
    /// Region (行政区) that issued the problem.
    region: Region = Kind::One(<Region as planner::Noun>::table, "region_id");
    /// Inspection round (督察轮次) that found the problem.
    round: InspectionRound = Kind::One(<InspectionRound as planner::Noun>::table, "round_id");
    /// Problem of an earlier round at which this one looks back (回头看); null if there is none, or if it is not
    /// visible to the caller.
    looksBackAt: Option<Problem> = Kind::One(<Problem as planner::Noun>::table, "looks_back_at_id");
    /// Problems of later rounds that look back at this one (回头看). Lists only problems that the caller may see.
    lookedBackBy: Vec<Problem> = Kind::List(<Problem as planner::Noun>::table, Link::Part("looks_back_at_id"));
    /// Measures (整改措施) against the problem, in the order of the ledger.
    measures(pages Measure): Connection<Measure> = Link::Part("problem_id");
    /// What can be done to it, and whether the caller may do it now; those that are not available say why.
    availableActions: Vec<AvailableAction> =
        Kind::Finished(|sql, problem| available::facts(sql, Subject::Problem, problem), action::PROBLEM);
    /// Audit entries of the problem and of everything below it, newest first.
    audit(pages AuditEntry): Connection<AuditEntry> = Link::Column("problem_id");
    /// Version number, incremented by every change to the problem; mutations take it to detect a stale copy.
    version: i32 = Kind::Column("version");
    /// Numbers of people held to account for the problem (责任追究), by rank and consequence, including withdrawn
    /// records.
    accountability(pages Accountability): Connection<Accountability> = Link::Part("problem_id");
    /// Regions that own the problem and regions that share it (主责、共性).
    ownership: Vec<Ownership> = Kind::List(<Ownership as planner::Noun>::table, Link::Column("problem_id"));
    /// When the problem entered the ledger.
    createdAt: Moment = Kind::Column("created_at");
    /// When the problem last changed.
    updatedAt: Moment = Kind::Column("updated_at");
}

noun! {
    /// A domain (领域) that a problem belongs to.
    pub(crate) ProblemDomain from "problem_domain" {
        order: &[SortKey::column("{t}.domain", "domain", SortType::Text)],
        total: None
    }
    /// Name of the domain, such as `水`.
    name: String = Kind::Column("domain");
}

order! { ProblemOrder by ProblemOrderField {
    /// 截止日期 · Latest date of the deadline; problems without one come last, or first in descending order.
    DueOn = DUE_ORDER,
    /// 序号 · Position of the problem in the ledger.
    Position = POSITION,
    /// 更新时间 · Moment of the last change.
    UpdatedAt = UPDATED_AT,
    /// 完成日期 · Local date of completion; problems not completed come last, or first in descending order.
    CompletedOn = COMPLETED_ON,
    /// 编号 · Number as printed, compared as text; problems without one come last, or first in descending order.
    Number = NUMBER,
} }

filter! {
    /// Conditions on problems. All that are given have to hold.
    ProblemFilter {
        /// Condition on the region that issued the problem or answers for it.
        region: SubtreeFilter = |region| concerning(region),
        /// Condition on the inspection round that found the problem.
        round: RelationFilter<InspectionRoundFilter> =
            |round| round.condition("round_id", <InspectionRound as planner::Noun>::table()),
        /// Condition on the text of the problem: `search` looks in title and description, the others compare the title.
        text: TextFilter = |text| text.condition("title", TEXTS),
        /// Condition on the number as printed.
        number: TextFilter = |number| number.condition("number", NUMBERS),
        /// Condition on the problem as the figures of `statistics` judge it: by what a region, or the caller, answers.
        /// The other conditions judge it as a whole.
        answered: AnsweredFilter = |answered| answered.condition(Answered::of_problems),
        /// The workflow status of the problem as a whole is one of these.
        status: Vec<Status> = |statuses| one_of::<_, entity::assignment::Status>("status", statuses),
        /// Condition on the latest date of the deadline.
        due_on: DateFilter = |day| day.due(),
        /// True: the deadline is ongoing (长期坚持). False: it is not.
        is_ongoing: bool = |ongoing| Condition::Compare("due_ongoing", "=", (*ongoing).into()),
        /// True: the problem as a whole, whoever is late, is open past its deadline on the current local day. False: it
        /// is not. `answered` judges by a region's own answers.
        is_overdue: bool = |wanted| Condition::Holds(ledger::rule::pace::overdue, *wanted),
        /// The card in force is one of these, the most severe one of the measures' assignments that the caller may see;
        /// an empty list selects none.
        card: Vec<Card> = |cards| Condition::Reckons(card, Card::codes(cards)),
        /// Condition on the local date of completion.
        completed_on: DateFilter = |day| day.condition("completed_on"),
        /// Condition on the rating of the progress as printed.
        rated_progress: TextFilter = |rating| rating.condition("rated_progress", &["rated_progress"]),
        /// Condition on the measures against the problem.
        measures: ListFilter<MeasureFilter> =
            |measures| measures.condition(<Measure as planner::Noun>::table(), "problem_id"),
        /// Condition on the records of people held to account for the problem (责任追究).
        accountability: ListFilter<AccountabilityFilter> =
            |list| list.condition(<Accountability as planner::Noun>::table(), "problem_id"),
        /// True: the problem as a whole is completed (完成). False: it is not. `answered` judges by a region's own
        /// answers.
        is_completed: bool = |completed| Condition::Null("completed_on", !completed),
        /// Condition on the moment of the last change.
        updated_at: DateTimeFilter = |at| at.condition("updated_at"),
        /// The problem belongs to one of these domains, such as `水`.
        domains: Vec<String> = |domains| Condition::Exists {
            table: "problem_domain",
            column: "problem_id",
            key: "id",
            condition: Box::new(Condition::In("domain", domains.iter().cloned().map(Into::into).collect())),
        },
        /// A region owns or shares the problem (主责、共性) in this way.
        ownership: OwnershipFilter = |ownership| Condition::Exists {
            table: "ownership",
            column: "problem_id",
            key: "id",
            condition: Box::new(planner::Filter::condition(ownership)),
        },
    }
}

/// Input of `createProblem`: a problem (反馈问题) to add to an inspection round.
#[derive(InputObject)]
pub(crate) struct CreateProblemInput {
    /// Global id of the inspection round that found the problem.
    round_id: ID,
    /// Global id of the region that issues the problem: the caller's own, or one below it.
    region_id: ID,
    /// Number as printed, at most 40 characters; null or blank for none.
    number: Option<String>,
    /// First sentence of the problem's text, 2 to 2,000 characters.
    title: String,
    /// Rest of the problem's text, at most 20,000 characters.
    description: Option<String>,
    /// Goal of the rectification (整改目标), at most 20,000 characters.
    goal: Option<String>,
    /// Deadline as printed, such as `2027年12月31日`, `长期坚持` or `立行立改`, at most 500 characters; null or blank
    /// for none.
    deadline: Option<String>,
    /// Names of the domains (领域) that the problem belongs to, at most 20, each of at most 20 characters.
    #[graphql(default)]
    domains: Vec<String>,
    /// Global id of the problem at which this one looks back (回头看): of the round at which its round looks back or,
    /// if that is not recorded, of any other round.
    looks_back_at_id: Option<ID>,
}

/// Input of `editProblem`: the fields of a problem to change. Fields left out stay unchanged; null clears a field that
/// may be empty.
#[derive(InputObject)]
pub(crate) struct EditProblemInput {
    /// Global id of the problem to edit.
    problem_id: ID,
    /// Version of the problem that the caller last read; a stale one is refused with `STALE_VERSION`.
    version: i32,
    /// Number as printed, at most 40 characters.
    number: MaybeUndefined<String>,
    /// First sentence of the problem's text, 2 to 2,000 characters; null is refused.
    title: MaybeUndefined<String>,
    /// Rest of the problem's text, at most 20,000 characters.
    description: MaybeUndefined<String>,
    /// Goal of the rectification (整改目标), at most 20,000 characters.
    goal: MaybeUndefined<String>,
    /// Deadline as printed, such as `2027年12月31日`, at most 500 characters.
    deadline: MaybeUndefined<String>,
    /// Complete list of the names of its domains (领域), at most 20, each of at most 20 characters; null is refused.
    domains: MaybeUndefined<Vec<String>>,
    /// Global id of the problem at which this one looks back (回头看): of the round at which its round looks back or,
    /// if that is not recorded, of any other round.
    looks_back_at_id: MaybeUndefined<ID>,
}

/// Input of `retireProblem`: a problem to withdraw (撤销).
#[derive(InputObject)]
pub(crate) struct RetireProblemInput {
    /// Global id of the problem to withdraw.
    problem_id: ID,
    /// Version of the problem that the caller last read; a stale one is refused with `STALE_VERSION`.
    version: i32,
    /// Reason for withdrawing the problem, 2 to 5,000 characters.
    reason: String,
}

/// Input of `mergeProblems`: two problems to merge into one.
#[derive(InputObject)]
pub(crate) struct MergeProblemsInput {
    /// Global id of the problem that is merged and removed.
    problem_id: ID,
    /// Version of the removed problem that the caller last read; a stale one is refused with `STALE_VERSION`.
    version: i32,
    /// Global id of the problem that stays; it belongs to the same round and region.
    into_id: ID,
}

/// Input of `deleteProblem`: a problem to delete, entered by mistake.
#[derive(InputObject)]
pub(crate) struct DeleteProblemInput {
    /// Global id of the problem to delete.
    problem_id: ID,
    /// Version of the problem that the caller last read; a stale one is refused with `STALE_VERSION`.
    version: i32,
}

payload! {
    /// Result of a mutation on a problem.
    ProblemPayload {
        /// The problem after the mutation; null if the mutation was refused.
        problem: Problem,
        /// Why the mutation was refused; empty if it succeeded.
        errors
    }
}

/// Returns the key in the id of a problem; 0, which no problem has, for an id of something else.
fn earlier(id: &ID) -> i64 {
    key_of::<Problem>(id).unwrap_or_default()
}

/// Mutations that keep problems in the ledger.
#[derive(Default)]
pub(crate) struct ProblemMutation;

#[Object]
impl ProblemMutation {
    /// Adds a problem to an inspection round. Restricted to the regional office.
    async fn create_problem(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Problem to add.")] input: CreateProblemInput,
    ) -> async_graphql::Result<ProblemPayload> {
        let request = ctx.data::<Request>()?;
        let new = keep::New {
            round: key_of::<InspectionRound>(&input.round_id),
            region: key_of::<Region>(&input.region_id),
            number: input.number,
            title: input.title,
            description: input.description,
            goal: input.goal,
            deadline: input.deadline,
            domains: input.domains,
            looks_back_at: input.looks_back_at_id.as_ref().map(earlier),
        };
        ProblemPayload::of(keep::create(&request.acting(), new).await, request)
    }

    /// Edits a problem. Restricted to the regional office.
    async fn edit_problem(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Problem and the fields to change.")] input: EditProblemInput,
    ) -> async_graphql::Result<ProblemPayload> {
        let request = ctx.data::<Request>()?;
        let done = async {
            let changes = keep::Changes {
                number: clearable(input.number),
                title: patch(input.title, "title")?,
                description: clearable(input.description),
                goal: clearable(input.goal),
                deadline: clearable(input.deadline),
                domains: patch(input.domains, "domains")?,
                looks_back_at: clearable(input.looks_back_at_id.map_value(|id| earlier(&id))),
            };
            keep::edit(&request.acting(), key_of::<Problem>(&input.problem_id), input.version, changes).await
        };
        ProblemPayload::of(done.await, request)
    }

    /// Withdraws a problem (撤销): the assignments of its measures that are not closed become `NOT_APPLICABLE` and no
    /// longer count. Refused while a close-out is under way. Restricted to the regional office.
    async fn retire_problem(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Problem and the reason for withdrawing it.")] input: RetireProblemInput,
    ) -> async_graphql::Result<ProblemPayload> {
        let request = ctx.data::<Request>()?;
        let problem = key_of::<Problem>(&input.problem_id);
        ProblemPayload::of(keep::retire(&request.acting(), problem, input.version, &input.reason).await, request)
    }

    /// Merges a problem into another problem of the same round and region, which takes over its measures. Restricted to
    /// the regional office.
    async fn merge_problems(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Problem to remove and problem that stays.")] input: MergeProblemsInput,
    ) -> async_graphql::Result<ProblemPayload> {
        let request = ctx.data::<Request>()?;
        let [from, into] = [&input.problem_id, &input.into_id].map(key_of::<Problem>);
        ProblemPayload::of(merge::problems(&request.acting(), from, input.version, into).await, request)
    }

    /// Deletes a problem that was entered by mistake and has neither measures nor accountability records, and at which
    /// no other problem looks back. Restricted to the regional office.
    async fn delete_problem(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Problem to delete.")] input: DeleteProblemInput,
    ) -> async_graphql::Result<DeletePayload> {
        let request = ctx.data::<Request>()?;
        let problem = key_of::<Problem>(&input.problem_id);
        let done = keep::delete(&request.acting(), problem, input.version).await;
        DeletePayload::of(done, input.problem_id, request.language)
    }
}
