//! Problems (反馈问题).

use crate::part::scalar::{Date, Moment};
use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use ledger::keep::{merge, problem as keep};
use ledger::record::concern;
use planner::{Condition, Connection, Dimension, Figure, Kind, Link, SortKey, SortType, Sql, noun};

use crate::context::Request;
use crate::noun::accountability::{Accountability, AccountabilityFilter};
use crate::noun::assignment::Status;
use crate::noun::audit::AuditEntry;
use crate::noun::deadline::{DUE_ORDER, Deadline, Milestone, OF_PROBLEM};
use crate::noun::measure::{Measure, MeasureFilter};
use crate::noun::ownership::Ownership;
use crate::noun::region::{Region, SubtreeFilter};
use crate::noun::round::{InspectionRound, InspectionRoundFilter};
use crate::part::filter::{DateFilter, DateTimeFilter, ListFilter, RelationFilter, TextFilter, filter};
use crate::part::group;
use crate::part::order::order;
use crate::part::patch::{clearable, patch};
use crate::part::payload::{DeletePayload, key_of, payload};

const POSITION: SortKey = SortKey::column("{t}.position", "position", SortType::Integer);
const UPDATED_AT: SortKey = SortKey::column("{t}.updated_at", "updated_at", SortType::Moment);

const COMPLETED_ON: SortKey = SortKey::expression("coalesce({t}.completed_on, '9999-12-31')", SortType::Date);
const NUMBER: SortKey = SortKey::expression("coalesce({t}.number, '\u{10FFFF}')", SortType::Text);

const GROUPS: &[Dimension] = &[
    group::STATUS,
    Dimension::plain("RATED_PROGRESS", "The rating as printed.", "{t}.rated_progress"),
    group::DUE_ON,
    group::DEADLINE_CLASS,
    group::ROUND,
    group::REGION,
];

const FIGURES: &[Figure] = &[group::DUE, group::COMPLETED, group::UPDATED];

fn overdue(sql: &mut Sql<'_>, problem: &str) -> String {
    let condition = ledger::rule::pace::overdue(sql, problem);
    sql.boolean(&condition)
}

/// The problems that concern a region.
pub(crate) fn concerning(region: &SubtreeFilter) -> Condition {
    region.listed(concern::problems_of)
}

noun! {
    /// A problem that an inspection fed back (反馈问题).
    pub(crate) Problem from "problem" as "problem" {
        order: &[POSITION],
        total: Some("SELECT sum(amount) FROM region_tally WHERE noun = 'PROBLEM' AND region_id = (SELECT id FROM region WHERE parent_id IS NULL)"),
        filter: ProblemFilter,
        by: ProblemOrder,
        groups: GROUPS,
        figures: FIGURES
    }
    /// The global id.
    id: ID = Kind::Id;
    /// The number as printed; numbers have gaps. Null where none is printed.
    number: Option<String> = Kind::Column("number");
    /// The first sentence.
    title: String = Kind::Column("title");
    /// The rest of the text.
    description: Option<String> = Kind::Column("description");
    /// What is to be reached (整改目标).
    goal: Option<String> = Kind::Column("goal");
    /// Its deadline, as printed beside it: it may lie before or after those of its measures.
    deadline: Deadline = Kind::Embedded(<Deadline as planner::Noun>::table);
    /// The steps of a deadline that names several dates.
    milestones: Vec<Milestone> = Kind::List(<Milestone as planner::Noun>::table, OF_PROBLEM);
    /// The rating as printed: 全面完成，长期坚持.
    ratedProgress: Option<String> = Kind::Column("rated_progress");
    /// The least advanced of its measures, or what the ledger stated.
    status: Status = Kind::Column("status");
    /// When the status was stated, for one that no assignment backs; null when it is rolled up.
    statusStatedOn: Option<Date> = Kind::Column("status_stated_on");
    /// When the last of its measures was completed (完成).
    completedOn: Option<Date> = Kind::Column("completed_on");
    /// Whether it is open past its deadline today.
    overdue: bool = Kind::Expression(overdue);
    /// The tags of its domains: 水, 大气, 矿山 …
    domains: Vec<ProblemDomain> = Kind::List(<ProblemDomain as planner::Noun>::table, Link::Column("problem_id"));
    /// The region that issued it.
    region: Region = Kind::One(<Region as planner::Noun>::table, "region_id");
    /// The round that found it.
    round: InspectionRound = Kind::One(<InspectionRound as planner::Noun>::table, "round_id");
    /// What is to be done about it, in the ledger's order.
    measures(pages Measure): Connection<Measure> = Link::Part("problem_id");
    /// What was done to it and to everything below it, the newest first.
    audit(pages AuditEntry): Connection<AuditEntry> = Link::Column("problem_id");
    /// Grows with every change.
    version: i32 = Kind::Column("version");
    /// How many people were held to account for it (责任追究), by rank and consequence; those withdrawn as well.
    accountability(pages Accountability): Connection<Accountability> = Link::Part("problem_id");
    /// Which regions own it and which share it (主责、共性).
    ownership: Vec<Ownership> = Kind::List(<Ownership as planner::Noun>::table, Link::Column("problem_id"));
    /// When it entered the ledger.
    createdAt: Moment = Kind::Column("created_at");
    /// When it last changed.
    updatedAt: Moment = Kind::Column("updated_at");
}

noun! {
    /// A domain (领域) that a problem belongs to.
    pub(crate) ProblemDomain from "problem_domain" {
        order: &[SortKey::column("{t}.domain", "domain", SortType::Text)],
        total: None
    }
    /// The tag.
    name: String = Kind::Column("domain");
}

order! { ProblemOrder by ProblemOrderField {
    /// The latest date of the deadline; those without one come last, and first where the order is descending.
    DueOn = DUE_ORDER,
    /// The place in the ledger.
    Position = POSITION,
    /// The last change.
    UpdatedAt = UPDATED_AT,
    /// When it was completed; those that are not come last, and first where the order is descending.
    CompletedOn = COMPLETED_ON,
    /// The number as printed, as text; those without one come last, and first where the order is descending.
    Number = NUMBER,
} }

filter! {
    /// Demands on problems.
    ProblemFilter {
        /// Where it was issued or is answered.
        region: SubtreeFilter = |region| concerning(region),
        /// The round that found it.
        round: RelationFilter<InspectionRoundFilter> = |round| round.condition("round_id", <InspectionRound as planner::Noun>::table()),
        /// Its title and text.
        text: TextFilter = |text| text.condition("title", &["title", "description"]),
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
        /// When it was completed.
        completed_on: DateFilter = |day| day.condition("completed_on"),
        /// The rating as printed.
        rated_progress: TextFilter = |rating| rating.condition("rated_progress", &["rated_progress"]),
        /// What is to be done about it.
        measures: ListFilter<MeasureFilter> = |measures| measures.condition(<Measure as planner::Noun>::table(), "problem_id"),
        /// Who was held to account for it.
        accountability: ListFilter<AccountabilityFilter> = |list| list.condition(<Accountability as planner::Noun>::table(), "problem_id"),
        /// Whether it is completed.
        completed: bool = |completed| Condition::Null("completed_on", !completed),
        /// The last change.
        updated_at: DateTimeFilter = |at| at.condition("updated_at"),
        /// It belongs to one of these domains.
        domain: Vec<String> = |domains| Condition::Exists {
            table: "problem_domain",
            column: "problem_id",
            key: "id",
            condition: Box::new(Condition::In("domain", domains.iter().cloned().map(Into::into).collect())),
        },
    }
}

/// A problem to be entered.
#[derive(InputObject)]
pub(crate) struct CreateProblemInput {
    /// The round that found it.
    round_id: ID,
    /// The region that issues it: the office's own, or one below.
    region_id: ID,
    /// The number as printed.
    number: Option<String>,
    /// The first sentence, at most 2,000 letters.
    title: String,
    /// The rest of the text, at most 20,000 letters.
    description: Option<String>,
    /// What is to be reached (整改目标), at most 20,000 letters.
    goal: Option<String>,
    /// Its deadline as it is printed: 2027年12月31日, 长期坚持, 立行立改 …
    deadline: Option<String>,
    /// The tags of its domains, at most 20.
    #[graphql(default)]
    domains: Vec<String>,
}

/// What is to become of a problem. What is left out stays; null clears.
#[derive(InputObject)]
pub(crate) struct EditProblemInput {
    /// The problem.
    problem_id: ID,
    /// The version that the caller saw.
    version: i32,
    /// The number as printed.
    number: MaybeUndefined<String>,
    /// The first sentence.
    title: MaybeUndefined<String>,
    /// The rest of the text.
    description: MaybeUndefined<String>,
    /// What is to be reached.
    goal: MaybeUndefined<String>,
    /// Its deadline as it is printed.
    deadline: MaybeUndefined<String>,
    /// The tags of its domains, all of them.
    domains: MaybeUndefined<Vec<String>>,
}

/// A problem to be withdrawn.
#[derive(InputObject)]
pub(crate) struct RetireProblemInput {
    /// The problem.
    problem_id: ID,
    /// The version that the caller saw.
    version: i32,
    /// Why.
    reason: String,
}

/// Two problems that are one.
#[derive(InputObject)]
pub(crate) struct MergeProblemsInput {
    /// The problem that goes.
    problem_id: ID,
    /// Its version that the caller saw.
    version: i32,
    /// The problem that stays.
    into_id: ID,
}

/// A problem entered by mistake.
#[derive(InputObject)]
pub(crate) struct DeleteProblemInput {
    /// The problem.
    problem_id: ID,
    /// The version that the caller saw.
    version: i32,
}

payload! {
    /// What came of an act on a problem.
    ProblemPayload {
        /// The problem as it is now; null when nothing was done.
        problem: Problem,
        /// Why nothing was done; empty when it was.
        errors
    }
}

/// What is done to problems.
#[derive(Default)]
pub(crate) struct ProblemMutation;

#[Object]
impl ProblemMutation {
    /// Enters a problem. By the regional office.
    async fn create_problem(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The problem.")] input: CreateProblemInput,
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
        };
        ProblemPayload::of(keep::create(&request.desk(), new).await, request)
    }

    /// Edits a problem. By the regional office.
    async fn edit_problem(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to change.")] input: EditProblemInput,
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
            };
            keep::edit(&request.desk(), key_of::<Problem>(&input.problem_id), input.version, changes).await
        };
        ProblemPayload::of(done.await, request)
    }

    /// Withdraws a problem (撤销): whatever is open of its measures need not be done any more, and counts no more. By the
    /// regional office. Refused while a close-out is under way.
    async fn retire_problem(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The problem, and why.")] input: RetireProblemInput,
    ) -> async_graphql::Result<ProblemPayload> {
        let request = ctx.data::<Request>()?;
        let problem = key_of::<Problem>(&input.problem_id);
        ProblemPayload::of(keep::retire(&request.desk(), problem, input.version, &input.reason).await, request)
    }

    /// Merges a problem into another of the same round and region: its measures go over. By the regional office.
    async fn merge_problems(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The two.")] input: MergeProblemsInput,
    ) -> async_graphql::Result<ProblemPayload> {
        let request = ctx.data::<Request>()?;
        let [from, into] = [&input.problem_id, &input.into_id].map(key_of::<Problem>);
        ProblemPayload::of(merge::problems(&request.desk(), from, input.version, into).await, request)
    }

    /// Deletes a problem that has no measures, entered by mistake. By the regional office.
    async fn delete_problem(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The problem.")] input: DeleteProblemInput,
    ) -> async_graphql::Result<DeletePayload> {
        let request = ctx.data::<Request>()?;
        let problem = key_of::<Problem>(&input.problem_id);
        let done = keep::delete(&request.desk(), problem, input.version).await;
        DeletePayload::of(done, input.problem_id, request.language)
    }
}
