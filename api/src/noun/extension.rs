//! Extensions (延期): requests for a later deadline, what was decided of them, and deadlines changed without one.

use async_graphql::{Context, Enum, ID, InputObject, Object};
use ledger::people::policy::OTHERS_EXTENSION;
use ledger::work::extension as acts;
use planner::{Condition, Kind, Noun, SortKey, SortType, Sql, noun};
use sea_orm::ActiveEnum;

use crate::context::Request;
use crate::noun::account::Account;
use crate::noun::assignment::{Assignment, AssignmentPayload, beside};
use crate::noun::measure::{Measure, MeasureFilter};
use crate::part::filter::{RelationFilter, filter};
use crate::part::order::order;
use crate::part::payload::key_of;
use crate::part::scalar::{Date, Moment};

/// How far a request is.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::deadline_change::DeadlineChangeState")]
pub(crate) enum DeadlineChangeState {
    /// Params for.
    Requested,
    /// Supported by the city office.
    Endorsed,
    /// Approved by the regional office: the deadline was moved.
    Approved,
    /// Refused.
    Rejected,
}

const KEY: SortKey = SortKey::column("{t}.id", "id", SortType::Integer);

/// What was said of a request, for those who see the answer for whose sake it is; for others this.
fn said(sql: &mut Sql<'_>, change: &str, column: &str, others: &str) -> String {
    let answer = sql.alias();
    match sql.seen("assignment", &answer) {
        Some(seen) => format!(
            "CASE WHEN {change}.assignment_id IS NULL OR EXISTS (SELECT 1 FROM assignment {answer} \
             WHERE {answer}.id = {change}.assignment_id AND {seen}) THEN {change}.{column} ELSE {others} END"
        ),
        None => format!("{change}.{column}"),
    }
}

fn reason(sql: &mut Sql<'_>, change: &str) -> String {
    said(sql, change, "reason", &format!("'{OTHERS_EXTENSION}'"))
}

fn decision(sql: &mut Sql<'_>, change: &str) -> String {
    said(sql, change, "decision", "NULL")
}

noun! {
    /// A change of a deadline, asked for (延期) or made at once (报备). It keeps the deadline that it replaces, so that the first is never lost.
    pub(crate) DeadlineChange from "deadline_change" as "extension" {
        order: &[KEY],
        total: None,
        filter: DeadlineChangeFilter,
        by: DeadlineChangeOrder
    }
    /// The global id.
    id: ID = Kind::Id;
    /// How far it is.
    state: DeadlineChangeState = Kind::Column("state");
    /// Why it is asked for; not for whom it was granted for somebody else's sake.
    reason: String = Kind::Expression(reason);
    /// The deadline as it was, in words.
    oldRaw: String = Kind::Column("old_raw");
    /// Its date.
    oldDueOn: Option<Date> = Kind::Column("old_due_on");
    /// The deadline asked for, in words.
    newRaw: String = Kind::Column("new_raw");
    /// Its date; null where it is to go on for good.
    newDueOn: Option<Date> = Kind::Column("new_due_on");
    /// Who asked.
    requester: Option<Account> = Kind::One(<Account as Noun>::table, "requester_id");
    /// When.
    requestedAt: Moment = Kind::Column("requested_at");
    /// When the city office supported it.
    endorsedAt: Option<Moment> = Kind::Column("endorsed_at");
    /// When it was decided.
    decidedAt: Option<Moment> = Kind::Column("decided_at");
    /// What was said last.
    decision: Option<String> = Kind::Expression(decision);
    /// Whose deadline.
    measure: Measure = Kind::One(<Measure as Noun>::table, "measure_id");
    /// The answer for whose sake it is asked for.
    assignment: Option<Assignment> = Kind::One(<Assignment as Noun>::table, "assignment_id");
}

order! { DeadlineChangeOrder by DeadlineChangeOrderField {
    /// When it was asked for.
    RequestedAt = SortKey::column("{t}.requested_at", "requested_at", SortType::Moment),
} }

filter! {
    /// Demands on requests for a later deadline.
    DeadlineChangeFilter {
        /// It is in one of these states.
        state: Vec<DeadlineChangeState> = |states| Condition::In(
            "state",
            states
                .iter()
                .map(|state| entity::deadline_change::DeadlineChangeState::from(*state).to_value().into())
                .collect(),
        ),
        /// Whose deadline.
        measure: RelationFilter<MeasureFilter> = |measure| measure.condition("measure_id", <Measure as Noun>::table()),
    }
}

/// A later deadline to be asked for.
#[derive(InputObject)]
pub(crate) struct RequestExtensionInput {
    /// The assignment for whose sake; the deadline is its measure's.
    assignment_id: ID,
    /// The date asked for.
    new_due_on: Date,
    /// Why, at most 5,000 letters.
    reason: String,
}

/// What can be decided of a request.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
pub(crate) enum ExtensionDecision {
    /// The city office supports it.
    Endorse,
    /// The regional office approves what the city office supports: the deadline is moved.
    Approve,
    /// It is refused: by the city office, or once that supports it by the regional office.
    Reject,
}

/// What is decided of a request.
#[derive(InputObject)]
pub(crate) struct DecideExtensionInput {
    /// The request.
    extension_id: ID,
    /// What is decided.
    decision: ExtensionDecision,
    /// In what words.
    words: String,
}

/// What is done about extensions.
#[derive(Default)]
pub(crate) struct ExtensionMutation;

#[Object]
impl ExtensionMutation {
    /// Asks for a later deadline. By the answering unit or its county office.
    async fn request_extension(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The request.")] input: RequestExtensionInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let on = beside(&input.assignment_id);
        let done = acts::request(&request.desk(), on, input.new_due_on.0, &input.reason).await;
        AssignmentPayload::of(done.map(|(assignment, _)| assignment), request)
    }

    /// Decides a request for a later deadline: the city office supports it, then the regional office approves it.
    async fn decide_extension(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The decision.")] input: DecideExtensionInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let decision = match input.decision {
            ExtensionDecision::Endorse => acts::Decision::Endorse,
            ExtensionDecision::Approve => acts::Decision::Approve,
            ExtensionDecision::Reject => acts::Decision::Reject,
        };
        let key = key_of::<DeadlineChange>(&input.extension_id);
        AssignmentPayload::of(acts::decide(&request.desk(), key, decision, &input.words).await, request)
    }
}
