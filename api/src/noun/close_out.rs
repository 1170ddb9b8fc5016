//! Close-out (销号): its cycles, the objections to its public notices, and the mutations from application to decision.

use async_graphql::{Context, Enum, ID, InputObject, Object};
use futures_util::FutureExt;
use ledger::work::available::{self, Subject};
use ledger::work::{On, batch, close_out as acts};
use planner::{Condition, Dimension, Kind, Link, Noun, SortKey, SortType, noun};

use crate::context::Request;
use crate::noun::account::Account;
use crate::noun::assignment::{Assignment, AssignmentFilter, AssignmentPayload, AssignmentsPayload, beside, on};
use crate::part::action::{self, AvailableAction};
use crate::part::filter::{DateFilter, RelationFilter, filter, one_of};
use crate::part::group::{self, dated};
use crate::part::order::order;
use crate::part::payload::key_of;
use crate::part::scalar::{Date, Moment};

/// Workflow state of a close-out cycle.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::close_out::CloseOutState")]
pub(crate) enum CloseOutState {
    /// 提请销号 · The unit has applied for close-out; the level above has yet to verify the application.
    Applied,
    /// 退回 · The level above has returned the application for further work.
    Returned,
    /// 核查通过 · The level above has verified the application; the public notice has yet to be published.
    Verified,
    /// 公示中 · The public notice has been published and the closing decision is still to come.
    Publicised,
    /// 异议成立 · An objection to the public notice was upheld; the assignment went back to `IN_PROGRESS`.
    Objected,
    /// 销号 · The closing authority has closed the assignment.
    Closed,
    /// 反弹 · The assignment was closed, relapsed and was reopened.
    Reopened,
}

const CYCLE: SortKey = SortKey::column("{t}.id", "id", SortType::Integer);
const GROUPS: &[Dimension] = dated!(
    "{t}.closed_on",
    "date of the close-out",
    [
        Dimension::plain("STATE", "销号环节 · Workflow state of the close-out cycle.", "{t}.state"),
        group::ANSWERING_UNIT,
        group::ANSWERING_REGION,
    ]
);

noun! {
    /// One cycle of the close-out (销号) of an assignment: application, verification, public notice, decision. Each
    /// application starts a new cycle. A closed cycle is never edited; only the publication of its notice and a relapse
    /// (反弹) are still recorded in it.
    pub(crate) CloseOut from "close_out" as "closeout" {
        order: &[CYCLE.reversed()],
        total: None,
        filter: CloseOutFilter,
        by: CloseOutOrder,
        groups: GROUPS
    }
    /// Global id of the close-out cycle.
    id: ID = Kind::Id;
    /// Number of the cycle within its assignment, starting at 1.
    cycle: i32 = Kind::Column("cycle");
    /// Workflow state of the cycle.
    state: CloseOutState = Kind::Column("state");
    /// Text of the application: what was done and how it is proven.
    application: String = Kind::Column("application");
    /// Account that applied for close-out; null if no account is recorded or the caller may not see it.
    applicant: Option<Account> = Kind::One(<Account as Noun>::table, "applicant_id");
    /// When the application was submitted.
    appliedAt: Moment = Kind::Column("applied_at");
    /// Findings of the level above when it verified the application, or its reason for returning it; null before that.
    opinion: Option<String> = Kind::Column("opinion");
    /// Account that verified or returned the application; null before that, and where the caller may not see it.
    verifier: Option<Account> = Kind::One(<Account as Noun>::table, "verifier_id");
    /// When the application was verified or returned; null before that.
    verifiedAt: Option<Moment> = Kind::Column("verified_at");
    /// Text of the public notice (公示); null before it is published.
    notice: Option<String> = Kind::Column("notice");
    /// Office that takes objections to the notice, and how to reach it; null before the notice is published.
    contact: Option<String> = Kind::Column("contact");
    /// First day of the public notice, a local date; null before the notice is published.
    noticeFrom: Option<Date> = Kind::Column("notice_from");
    /// Last day of the public notice, a local date; the assignment can be closed from the next day on. Null before the
    /// notice is published.
    noticeUntil: Option<Date> = Kind::Column("notice_until");
    /// Objections (异议) to the public notice, in the order in which they were recorded.
    objections: Vec<Objection> = Kind::List(<Objection as Noun>::table, Link::Part("close_out_id"));
    /// Text of the closing authority's decision; null before the assignment is closed.
    decision: Option<String> = Kind::Column("decision");
    /// Local date on which the assignment was closed; null before that.
    closedOn: Option<Date> = Kind::Column("closed_on");
    /// Number of the document that closes it (销号文号), from an imported list; null where none is known.
    documentNumber: Option<String> = Kind::Column("document_number");
    /// Description of the relapse (反弹); null unless the assignment was reopened.
    relapse: Option<String> = Kind::Column("relapse");
    /// When the assignment was reopened; null unless it relapsed.
    reopenedAt: Option<Moment> = Kind::Column("reopened_at");
    /// What can be done to it, and whether the caller may do it now; those that are not available say why.
    availableActions: Vec<AvailableAction> =
        Kind::Finished(|sql, close_out| available::facts(sql, Subject::CloseOut, close_out), action::CLOSE_OUT);
    /// Since when the notice is public on the internet, where `notices` lists it without sign-in; null while it
    /// is not public.
    disclosedAt: Option<Moment> = Kind::Column("disclosed_at");
    /// Assignment (责任分解) that this cycle is to close.
    assignment: Assignment = Kind::One(<Assignment as Noun>::table, "assignment_id");
}

noun! {
    /// An objection (异议) to the public notice of a close-out. Who objected is not recorded.
    pub(crate) Objection from "objection" as "objection" {
        order: &[SortKey::column("{t}.id", "id", SortType::Integer)],
        total: None
    }
    /// Global id of the objection.
    id: ID = Kind::Id;
    /// Text of the objection.
    text: String = Kind::Column("text");
    /// When the objection was recorded.
    raisedAt: Moment = Kind::Column("raised_at");
    /// Local date on which the objection was received; null for objections recorded before this date was asked for.
    receivedOn: Option<Date> = Kind::Column("received_on");
    /// Whether the objection was upheld; null before it is decided.
    isUpheld: Option<bool> = Kind::Boolean("is_upheld");
    /// Answer given with the decision; null before the objection is decided.
    answer: Option<String> = Kind::Column("answer");
    /// When the objection was decided; null before that.
    decidedAt: Option<Moment> = Kind::Column("decided_at");
    /// What can be done to it, and whether the caller may do it now; those that are not available say why.
    availableActions: Vec<AvailableAction> =
        Kind::Finished(|sql, objection| available::facts(sql, Subject::Objection, objection), action::OBJECTION);
}

order! { CloseOutOrder by CloseOutOrderField {
    /// 提请时间 · Moment at which the application was submitted.
    AppliedAt = SortKey::column("{t}.applied_at", "applied_at", SortType::Moment),
    /// 公示截止 · Last day of the notice period; close-outs without a notice come last, or first in descending order.
    NoticeUntil = SortKey::expression("coalesce({t}.notice_until, '9999-12-31')", SortType::Date),
} }

filter! {
    /// Conditions on close-out cycles. All that are given have to hold.
    CloseOutFilter {
        /// The cycle is in one of these workflow states.
        state: Vec<CloseOutState> = |states| one_of::<_, entity::close_out::CloseOutState>("state", states),
        /// Condition on the last day of the public notice.
        notice_until: DateFilter = |day| day.condition("notice_until"),
        /// True: only cycles with an objection that is not decided yet. False: only the others.
        has_open_objection: bool = |wanted| {
            let open = Condition::Exists {
                table: "objection",
                column: "close_out_id",
                key: "id",
                condition: Box::new(Condition::Null("decided_at", true)),
            };
            if *wanted { open } else { Condition::Not(Box::new(open)) }
        },
        /// Condition on the assignment that the cycle is to close.
        assignment: RelationFilter<AssignmentFilter> =
            |assignment| assignment.condition("assignment_id", <Assignment as Noun>::table()),
    }
}

/// Input of `applyForCloseOut`: an application for close-out (提请销号).
#[derive(InputObject)]
pub(crate) struct ApplyForCloseOutInput {
    /// Global id of the assignment to close.
    assignment_id: ID,
    /// Version of the assignment that the caller last read; a stale one is refused with `STALE_VERSION`.
    version: i32,
    /// What was done and how it is proven, 2 to 5,000 characters.
    application: String,
}

/// Input of `verifyCloseOut`: the findings on an application for close-out (核查).
#[derive(InputObject)]
pub(crate) struct VerifyCloseOutInput {
    /// Global id of the assignment whose application is verified.
    assignment_id: ID,
    /// Version of the assignment that the caller last read; a stale one is refused with `STALE_VERSION`.
    version: i32,
    /// Findings on the spot and in the files, 2 to 5,000 characters.
    opinion: String,
}

/// Input of `returnCloseOut`: the application for close-out to return (退回), and the reason.
#[derive(InputObject)]
pub(crate) struct ReturnCloseOutInput {
    /// Global id of the assignment whose application is returned.
    assignment_id: ID,
    /// Version of the assignment that the caller last read; a stale one is refused with `STALE_VERSION`.
    version: i32,
    /// Reason why the application is returned, 2 to 5,000 characters.
    reason: String,
}

/// Input of `publiciseCloseOut`: the public notice (公示) of a close-out.
#[derive(InputObject)]
pub(crate) struct PubliciseCloseOutInput {
    /// Global id of the assignment whose close-out is announced.
    assignment_id: ID,
    /// Version of the assignment that the caller last read; a stale one is refused with `STALE_VERSION`.
    version: i32,
    /// Text of the notice, 2 to 5,000 characters. Mobile and identity card numbers are refused.
    text: String,
    /// Office that takes objections and how to reach it, such as a telephone number; never a person. 2 to 200
    /// characters.
    contact: String,
    /// Length of the notice in working days, counted from the day after today: 5 to 10.
    #[graphql(default = 5)]
    working_days: i32,
}

/// Input of `raiseObjection`: an objection (异议) to a public notice.
#[derive(InputObject)]
pub(crate) struct RaiseObjectionInput {
    /// Global id of the assignment whose close-out is on public notice.
    assignment_id: ID,
    /// What is objected to, 2 to 5,000 characters; not by whom. Telephone and identity card numbers are refused.
    text: String,
    /// Local date on which the objection was received, within the period of the notice and not after today; today if
    /// omitted.
    received_on: Option<Date>,
}

/// Input of `decideObjection`: the decision on an objection (异议).
#[derive(InputObject)]
pub(crate) struct DecideObjectionInput {
    /// Global id of the objection to decide.
    objection_id: ID,
    /// True upholds the objection and puts the assignment back to `IN_PROGRESS`; false dismisses it, and the notice
    /// stays up.
    is_upheld: bool,
    /// Answer to the objection, 2 to 5,000 characters.
    answer: String,
}

/// Input of `closeAssignment`: the decision to close an assignment (销号).
#[derive(InputObject)]
pub(crate) struct CloseAssignmentInput {
    /// Global id of the assignment to close.
    assignment_id: ID,
    /// Version of the assignment that the caller last read; a stale one is refused with `STALE_VERSION`.
    version: i32,
    /// Text of the decision, 2 to 5,000 characters.
    decision: String,
}

/// Input of `verifyCloseOuts`: the findings on several applications for close-out.
#[derive(InputObject)]
pub(crate) struct VerifyCloseOutsInput {
    /// Assignments with the findings on their applications, 1 to 100.
    items: Vec<VerifyCloseOutInput>,
}

/// Input of `closeAssignments`: the decisions to close several assignments.
#[derive(InputObject)]
pub(crate) struct CloseAssignmentsInput {
    /// Assignments with the decisions to close them, 1 to 100.
    items: Vec<CloseAssignmentInput>,
}

/// Input of `reopenAssignment`: a closed assignment that relapsed (反弹).
#[derive(InputObject)]
pub(crate) struct ReopenAssignmentInput {
    /// Global id of the assignment to reopen.
    assignment_id: ID,
    /// Version of the assignment that the caller last read; a stale one is refused with `STALE_VERSION`.
    version: i32,
    /// Description of the relapse, 2 to 5,000 characters.
    reason: String,
}

/// Input of `discloseCloseOut`: whether the notice of a close-out is public.
#[derive(InputObject)]
pub(crate) struct DiscloseCloseOutInput {
    /// Global id of the assignment; its newest close-out cycle is the one concerned.
    assignment_id: ID,
    /// True makes the notice public, false withdraws it from the public.
    is_public: bool,
}

/// Returns the assignments that the items of a batch are on.
fn assignments(items: &[(On, String)]) -> (batch::BatchTarget, Vec<Option<i64>>) {
    (batch::BatchTarget::Assignments, items.iter().map(|(on, _)| on.assignment).collect())
}

/// Mutations on close-outs, from application to decision.
#[derive(Default)]
pub(crate) struct CloseOutMutation;

#[Object]
impl CloseOutMutation {
    /// Applies for the close-out of an assignment (提请销号). Requires evidence and a passed self-inspection, after a
    /// relapse one made since the reopening. Restricted to the answering unit and its county office.
    async fn apply_for_close_out(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Assignment and the text of the application.")] input: ApplyForCloseOutInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let on = on(&input.assignment_id, input.version);
        AssignmentPayload::of(acts::apply(&request.acting(), on, &input.application).await, request)
    }

    /// Verifies an application for close-out (核查通过). Restricted to the city and regional offices; the account that
    /// applied may not decide.
    async fn verify_close_out(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Assignment and findings.")] input: VerifyCloseOutInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let on = on(&input.assignment_id, input.version);
        AssignmentPayload::of(acts::verify(&request.acting(), on, &input.opinion).await, request)
    }

    /// Verifies several applications for close-out, all of them or none; each item as `verifyCloseOut` takes it.
    /// Restricted to the city and regional offices; the account that applied may not decide.
    async fn verify_close_outs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Assignments and findings.")] input: VerifyCloseOutsInput,
    ) -> async_graphql::Result<AssignmentsPayload> {
        let request = ctx.data::<Request>()?;
        let acting = &request.acting();
        let items: Vec<(On, String)> =
            input.items.into_iter().map(|item| (on(&item.assignment_id, item.version), item.opinion)).collect();
        let acts = items.iter().map(|(on, opinion)| acts::verify(acting, *on, opinion).boxed()).collect();
        AssignmentsPayload::of(batch::all_or_none(acting, assignments(&items), acts).await, request)
    }

    /// Returns an application for close-out (退回). The answering unit, the lead unit and the applicant are notified by
    /// mail at once. Restricted to the city and regional offices; the account that applied may not decide.
    async fn return_close_out(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Assignment and the reason for returning the application.")] input: ReturnCloseOutInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let on = on(&input.assignment_id, input.version);
        AssignmentPayload::of(acts::send_back(&request.acting(), on, &input.reason).await, request)
    }

    /// Publishes the public notice (公示) of a verified close-out. Restricted to the lead unit and the city and
    /// regional offices.
    async fn publicise_close_out(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Assignment and the notice to publish.")] input: PubliciseCloseOutInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let notice =
            acts::Notice { text: input.text, contact: input.contact, working_days: i64::from(input.working_days) };
        let on = on(&input.assignment_id, input.version);
        AssignmentPayload::of(acts::publicise(&request.acting(), on, &notice).await, request)
    }

    /// Records an objection (异议) received during the period of a public notice. The answering unit, the lead unit and
    /// the applicant are notified by mail at once. Restricted to the lead unit and the city and regional offices.
    async fn raise_objection(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Assignment and the objection to record.")] input: RaiseObjectionInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let done = acts::object(
            &request.acting(),
            beside(&input.assignment_id),
            &input.text,
            input.received_on.map(|day| day.0),
        )
        .await;
        AssignmentPayload::of(done, request)
    }

    /// Decides an objection. If it is upheld, the assignment goes back to `IN_PROGRESS`, a notice that was public is
    /// withdrawn, and the answering unit, the lead unit and the applicant are notified by mail at once. Restricted to
    /// the city and regional offices; the account that applied may not decide.
    async fn decide_objection(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Objection and the decision on it.")] input: DecideObjectionInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let key = key_of::<Objection>(&input.objection_id);
        let done = acts::decide_objection(&request.acting(), key, input.is_upheld, &input.answer).await;
        AssignmentPayload::of(done, request)
    }

    /// Closes an assignment (销号) after its public notice has ended and every objection is decided. The assignment of
    /// an ongoing measure (长期坚持) closes as `CLOSED_ONGOING`, and its checks go on. Restricted to the regional
    /// office; the account that applied may not decide.
    async fn close_assignment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Assignment and the text of the closing decision.")] input: CloseAssignmentInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let on = on(&input.assignment_id, input.version);
        AssignmentPayload::of(acts::close(&request.acting(), on, &input.decision).await, request)
    }

    /// Closes several assignments, all of them or none; each item as `closeAssignment` takes it. Restricted to the
    /// regional office; the account that applied may not decide.
    async fn close_assignments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Assignments and the texts of the closing decisions.")] input: CloseAssignmentsInput,
    ) -> async_graphql::Result<AssignmentsPayload> {
        let request = ctx.data::<Request>()?;
        let acting = &request.acting();
        let items: Vec<(On, String)> =
            input.items.into_iter().map(|item| (on(&item.assignment_id, item.version), item.decision)).collect();
        let acts = items.iter().map(|(on, decision)| acts::close(acting, *on, decision).boxed()).collect();
        AssignmentsPayload::of(batch::all_or_none(acting, assignments(&items), acts).await, request)
    }

    /// Reopens a closed assignment after a relapse (反弹); a notice that was public is withdrawn. The answering unit,
    /// the lead unit and the applicant are notified by mail at once. Restricted to the regional office.
    async fn reopen_assignment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Assignment and a description of the relapse.")] input: ReopenAssignmentInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let on = on(&input.assignment_id, input.version);
        AssignmentPayload::of(acts::reopen(&request.acting(), on, &input.reason).await, request)
    }

    /// Makes the notice of the newest close-out cycle public, so that `notices` lists it without sign-in, or
    /// withdraws it. A notice can be made public while the cycle is `PUBLICISED` or `CLOSED`. Restricted to the
    /// regional office.
    async fn disclose_close_out(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Assignment, and whether its notice is public.")] input: DiscloseCloseOutInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let done = acts::disclose(&request.acting(), beside(&input.assignment_id), input.is_public).await;
        AssignmentPayload::of(done, request)
    }
}
