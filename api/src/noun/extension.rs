//! Extensions (延期): requests for a later deadline, the decisions on them, and deadlines changed without a request.

use async_graphql::{Context, Enum, ID, InputObject, Object};
use ledger::work::available::{self, Subject};
use ledger::work::extension as acts;
use planner::{Dimension, Kind, Noun, SortKey, SortType, noun};

use crate::context::Request;
use crate::noun::account::{Account, AccountFilter};
use crate::noun::assignment::{Assignment, AssignmentPayload, beside};
use crate::noun::measure::{Measure, MeasureFilter};
use crate::part::action::{self, AvailableAction};
use crate::part::filter::{DateFilter, RelationFilter, filter, one_of};
use crate::part::group::dated;
use crate::part::order::order;
use crate::part::payload::key_of;
use crate::part::scalar::{Date, Moment};

/// Workflow state of a deadline change.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::deadline_change::DeadlineChangeState")]
pub(crate) enum DeadlineChangeState {
    /// 申请 · Requested; the city office has yet to decide.
    Requested,
    /// 市级同意 · Endorsed by the city office; the regional office has yet to decide.
    Endorsed,
    /// 批准 · Approved by the regional office; the deadline has been moved.
    Approved,
    /// 不批准 · Rejected by the city or the regional office; the deadline stays.
    Rejected,
}

const KEY: SortKey = SortKey::column("{t}.id", "id", SortType::Integer);

const GROUPS: &[Dimension] = dated!(
    "{t}.new_due_on",
    "new due date",
    [Dimension::plain("STATE", "办理状态 · Whether it is requested, approved or refused.", "{t}.state"),]
);

noun! {
    /// A change of a deadline: an extension requested for an assignment (延期), which moves the deadline of that
    /// assignment alone, or a correction of the whole measure by the regional office without a request (报备). It keeps
    /// the deadline that it replaces, so the first deadline is never lost.
    pub(crate) DeadlineChange from "deadline_change" as "extension" {
        order: &[KEY],
        total: None,
        filter: DeadlineChangeFilter,
        by: DeadlineChangeOrder,
        groups: GROUPS
    }
    /// Global id of the deadline change.
    id: ID = Kind::Id;
    /// Workflow state of the deadline change; a correction without a request is `APPROVED`.
    state: DeadlineChangeState = Kind::Column("state");
    /// Reason for the change.
    reason: String = Kind::Column("reason");
    /// Previous deadline as printed.
    oldRaw: String = Kind::Column("old_raw");
    /// Latest date of the previous deadline, a local date; null when it names none.
    oldDueOn: Option<Date> = Kind::Column("old_due_on");
    /// New deadline, as printed or as requested, such as `2027年12月31日`.
    newRaw: String = Kind::Column("new_raw");
    /// Latest date of the new deadline, a local date; null when it names none, as in 长期坚持.
    newDueOn: Option<Date> = Kind::Column("new_due_on");
    /// Account that requested the extension or made the correction; null if none is recorded or the caller may not see
    /// it.
    requester: Option<Account> = Kind::One(<Account as Noun>::table, "requester_id");
    /// When the extension was requested or the correction was made.
    requestedAt: Moment = Kind::Column("requested_at");
    /// When the city office endorsed the request; null if it did not.
    endorsedAt: Option<Moment> = Kind::Column("endorsed_at");
    /// What can be done to it, and whether the caller may do it now; those that are not available say why.
    availableActions: Vec<AvailableAction> =
        Kind::Finished(|sql, change| available::facts(sql, Subject::Extension, change), action::EXTENSION);
    /// When the change was approved or rejected; null before that.
    decidedAt: Option<Moment> = Kind::Column("decided_at");
    /// Opinion given with the latest endorsement, approval or rejection. Null before the first, and for a
    /// correction without a request.
    decision: Option<String> = Kind::Column("decision");
    /// Measure (整改措施) whose deadline changes.
    measure: Measure = Kind::One(<Measure as Noun>::table, "measure_id");
    /// Assignment (责任分解) for which the extension is requested; null for a correction without a request.
    assignment: Option<Assignment> = Kind::One(<Assignment as Noun>::table, "assignment_id");
}

order! { DeadlineChangeOrder by DeadlineChangeOrderField {
    /// 申请时间 · Moment at which the extension was requested or the correction was made.
    RequestedAt = SortKey::column("{t}.requested_at", "requested_at", SortType::Moment),
} }

filter! {
    /// Conditions on deadline changes. All that are given have to hold.
    DeadlineChangeFilter {
        /// The deadline change is in one of these workflow states.
        state: Vec<DeadlineChangeState> =
            |states| one_of::<_, entity::deadline_change::DeadlineChangeState>("state", states),
        /// Condition on the latest date of the new deadline.
        new_due_on: DateFilter = |day| day.condition("new_due_on"),
        /// Condition on the measure whose deadline changes.
        measure: RelationFilter<MeasureFilter> = |measure| measure.condition("measure_id", <Measure as Noun>::table()),
        /// Condition on the account that requested the change.
        requester: RelationFilter<AccountFilter> =
            |account| account.condition("requester_id", <Account as Noun>::table()),
    }
}

/// Input of `requestExtension`: a request for a later deadline (延期).
#[derive(InputObject)]
pub(crate) struct RequestExtensionInput {
    /// Global id of the assignment for which the extension is requested; its deadline alone moves.
    assignment_id: ID,
    /// Date requested, a local date: later than the current deadline, by ten years at most.
    new_due_on: Date,
    /// Reason for the request, 2 to 5,000 characters.
    reason: String,
}

/// Decision on a request for an extension.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
pub(crate) enum ExtensionDecision {
    /// 同意 · The city office endorses the request and passes it on to the regional office.
    Endorse,
    /// 批准 · The regional office approves an endorsed request; the deadline is moved.
    Approve,
    /// 不批准 · The request is rejected: by the city office, or, once endorsed, by the regional office.
    Reject,
}

/// Input of `decideExtension`: the decision on a request for a later deadline (延期).
#[derive(InputObject)]
pub(crate) struct DecideExtensionInput {
    /// Global id of the deadline change (`DeadlineChange`) to decide.
    extension_id: ID,
    /// Decision on the request.
    decision: ExtensionDecision,
    /// Opinion given with the decision, 2 to 5,000 characters.
    words: String,
}

/// Mutations on extensions.
#[derive(Default)]
pub(crate) struct ExtensionMutation;

#[Object]
impl ExtensionMutation {
    /// Requests a later deadline on behalf of an assignment (申请延期). Refused if the measure has no date to move, if
    /// the assignment is closed or not applicable, or if another request for it awaits a decision. Restricted to the
    /// answering unit and its county office.
    async fn request_extension(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Assignment, date requested and reason.")] input: RequestExtensionInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let on = beside(&input.assignment_id);
        let done = acts::request(&request.acting(), on, input.new_due_on.0, &input.reason).await;
        AssignmentPayload::of(done.map(|(done, _)| done), request)
    }

    /// Decides a request for an extension: the city office endorses it, then the regional office approves it. No one
    /// may decide on their own request.
    async fn decide_extension(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Request, decision and opinion.")] input: DecideExtensionInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let decision = match input.decision {
            ExtensionDecision::Endorse => acts::Decision::Endorse,
            ExtensionDecision::Approve => acts::Decision::Approve,
            ExtensionDecision::Reject => acts::Decision::Reject,
        };
        let key = key_of::<DeadlineChange>(&input.extension_id);
        AssignmentPayload::of(acts::decide(&request.acting(), key, decision, &input.words).await, request)
    }
}
