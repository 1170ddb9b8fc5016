//! Close-out (销号): its cycles, objections to its notices, and the steps from application to decision.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use ledger::work::close_out as acts;
use planner::{Bilingual, Condition, Dimension, Kind, Link, Noun, SortKey, SortType, noun, page_size};
use sea_orm::ActiveEnum;

use crate::context::Request;
use crate::error::{Code, coded, masked};
use crate::noun::account::Account;
use crate::noun::assignment::{Assignment, AssignmentFilter, AssignmentPayload, ReasonedInput, beside, on};
use crate::part::filter::{DateFilter, RelationFilter, filter};
use crate::part::order::order;
use crate::part::payload::key_of;
use crate::part::scalar::{Date, Moment};

/// How far a close-out is.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::close_out::CloseOutState")]
pub(crate) enum CloseOutState {
    /// 提请销号
    Applied,
    /// 退回
    Returned,
    /// 核查通过
    Verified,
    /// 公示中
    Publicised,
    /// 异议成立
    Objected,
    /// 销号
    Closed,
    /// 反弹
    Reopened,
}

const CYCLE: SortKey = SortKey::column("{t}.id", "id", SortType::Integer);
const GROUPS: &[Dimension] = &[Dimension::plain("STATE", "How far they are.", "{t}.state")];

noun! {
    /// One cycle of close-out (销号): application, verification, notice, decision. A closed one is never changed; a relapse
    /// is followed by a new one.
    pub(crate) CloseOut from "close_out" as "closeout" {
        order: &[CYCLE.reversed()],
        total: None,
        filter: CloseOutFilter,
        by: CloseOutOrder,
        groups: GROUPS
    }
    /// The global id.
    id: ID = Kind::Id;
    /// 1 for the first.
    cycle: i32 = Kind::Column("cycle");
    /// How far it is.
    state: CloseOutState = Kind::Column("state");
    /// What was applied with.
    application: String = Kind::Column("application");
    /// Who applied.
    applicant: Option<Account> = Kind::One(<Account as Noun>::table, "applicant_id");
    /// When.
    appliedAt: Moment = Kind::Column("applied_at");
    /// What the level above found, or why it returned it.
    opinion: Option<String> = Kind::Column("opinion");
    /// Who verified or returned it.
    verifier: Option<Account> = Kind::One(<Account as Noun>::table, "verifier_id");
    /// When.
    verifiedAt: Option<Moment> = Kind::Column("verified_at");
    /// The text of the public notice (公示).
    notice: Option<String> = Kind::Column("notice");
    /// The office that takes objections.
    contact: Option<String> = Kind::Column("contact");
    /// The first day of the notice.
    noticeFrom: Option<Date> = Kind::Column("notice_from");
    /// Its last day; it can be closed from the next day on.
    noticeUntil: Option<Date> = Kind::Column("notice_until");
    /// The objections to it.
    objections: Vec<Objection> = Kind::List(<Objection as Noun>::table, Link::Part("close_out_id"));
    /// What the closing authority decided.
    decision: Option<String> = Kind::Column("decision");
    /// When it was closed.
    closedOn: Option<Date> = Kind::Column("closed_on");
    /// What relapsed.
    relapse: Option<String> = Kind::Column("relapse");
    /// When it was reopened.
    reopenedAt: Option<Moment> = Kind::Column("reopened_at");
    /// Since when its notice is public on the internet; null where it is not.
    disclosedAt: Option<Moment> = Kind::Column("disclosed_at");
    /// What is to be closed.
    assignment: Assignment = Kind::One(<Assignment as Noun>::table, "assignment_id");
}

noun! {
    /// An objection (异议) to a public notice. Who objected is not kept.
    pub(crate) Objection from "objection" as "objection" {
        order: &[SortKey::column("{t}.id", "id", SortType::Integer)],
        total: None
    }
    /// The global id.
    id: ID = Kind::Id;
    /// What is objected.
    text: String = Kind::Column("text");
    /// When it was recorded.
    raisedAt: Moment = Kind::Column("raised_at");
    /// The day on which it was received; null where that was not asked for.
    receivedOn: Option<Date> = Kind::Column("received_on");
    /// Whether it was upheld; null before the decision.
    isUpheld: Option<bool> = Kind::Boolean("is_upheld");
    /// What was answered.
    answer: Option<String> = Kind::Column("answer");
    /// When it was decided.
    decidedAt: Option<Moment> = Kind::Column("decided_at");
}

order! { CloseOutOrder by CloseOutOrderField {
    /// When it was applied for.
    AppliedAt = SortKey::column("{t}.applied_at", "applied_at", SortType::Moment),
} }

filter! {
    /// Demands on close-outs.
    CloseOutFilter {
        /// It is in one of these states.
        state: Vec<CloseOutState> = |states| Condition::In(
            "state",
            states.iter().map(|state| entity::close_out::CloseOutState::from(*state).to_value().into()).collect(),
        ),
        /// The last day of the notice.
        notice_until: DateFilter = |day| day.condition("notice_until"),
        /// What is to be closed.
        assignment: RelationFilter<AssignmentFilter> = |assignment| assignment.condition("assignment_id", <Assignment as Noun>::table()),
    }
}

/// An application for close-out.
#[derive(InputObject)]
pub(crate) struct ApplyForCloseOutInput {
    /// The assignment.
    assignment_id: ID,
    /// The version of it that the caller saw.
    version: i32,
    /// What was done and how it is proven, at most 5,000 letters.
    application: String,
}

/// What was found of an application.
#[derive(InputObject)]
pub(crate) struct VerifyCloseOutInput {
    /// The assignment.
    assignment_id: ID,
    /// The version of it that the caller saw.
    version: i32,
    /// What was found on the spot and in the files, at most 5,000 letters.
    opinion: String,
}

/// A public notice.
#[derive(InputObject)]
pub(crate) struct PubliciseCloseOutInput {
    /// The assignment.
    assignment_id: ID,
    /// The version of it that the caller saw.
    version: i32,
    /// Its text, at most 5,000 letters.
    text: String,
    /// The office that takes objections and how it is reached; never a person.
    contact: String,
    /// For how many working days after today, 5 to 10.
    #[graphql(default = 5)]
    working_days: i32,
}

/// An objection to be recorded.
#[derive(InputObject)]
pub(crate) struct RaiseObjectionInput {
    /// The assignment whose close-out is on notice.
    assignment_id: ID,
    /// What is objected; not by whom.
    text: String,
    /// When it was received, while the notice was up; today unless given.
    received_on: Option<Date>,
}

/// What is decided of an objection.
#[derive(InputObject)]
pub(crate) struct DecideObjectionInput {
    /// The objection.
    objection_id: ID,
    /// Whether it is right: the assignment goes back to work.
    is_upheld: bool,
    /// What is answered.
    answer: String,
}

/// The decision to close.
#[derive(InputObject)]
pub(crate) struct CloseAssignmentInput {
    /// The assignment.
    assignment_id: ID,
    /// The version of it that the caller saw.
    version: i32,
    /// The decision, at most 5,000 letters.
    decision: String,
}

/// What becomes public.
#[derive(InputObject)]
pub(crate) struct DiscloseCloseOutInput {
    /// The assignment whose newest close-out is meant.
    assignment_id: ID,
    /// Whether its notice is public, or (false) no more.
    is_public: bool,
}

/// A close-out notice that everybody may read.
#[derive(SimpleObject)]
pub(crate) struct PublicNotice {
    /// Stands for the notice; not the id of anything else.
    id: ID,
    /// The inspection round.
    round: String,
    /// The problem's title.
    problem: String,
    /// The measure's number as printed.
    number: Option<String>,
    /// The measure's text.
    content: String,
    /// The body that answers.
    unit: String,
    /// Its region.
    region: String,
    /// The notice.
    notice: String,
    /// The office that takes objections.
    contact: String,
    /// The first day of the notice.
    notice_from: Date,
    /// Its last day.
    notice_until: Date,
    /// When it was closed; null before.
    closed_on: Option<Date>,
}

/// Asking for what is public.
#[derive(Default)]
pub(crate) struct PublicNoticeQuery;

#[Object]
impl PublicNoticeQuery {
    /// The close-out notices that were made public, the newest first. Needs no sign-in.
    async fn public_notices(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, 200 at most.", default = 50)] first: i32,
        #[graphql(desc = "Only those after the one with this id.")] after: Option<ID>,
    ) -> async_graphql::Result<Vec<PublicNotice>> {
        let request = ctx.data::<Request>()?;
        let most = page_size("first", &first.into()).map_err(|refusal| coded(Code::BadUserInput, refusal.0))?;
        let place = |id: ID| {
            id.strip_prefix("notice_").and_then(|key| key.parse().ok()).ok_or_else(|| {
                let (zh, en) =
                    (format!("`after: {}` 不是公示的编号", *id), format!("`after: {}` is no notice's id", *id));
                coded(Code::BadUserInput, Bilingual::new(zh, en))
            })
        };
        let before = after.map(place).transpose()?;
        let found = acts::public(&request.db, before, most).await.map_err(|failure| masked(&failure))?;
        let shown = |one: acts::Public| PublicNotice {
            id: ID(format!("notice_{}", one.id)),
            round: one.round,
            problem: one.problem,
            number: one.number,
            content: one.content,
            unit: one.unit,
            region: one.region,
            notice: one.notice,
            contact: one.contact,
            notice_from: Date(one.notice_from),
            notice_until: Date(one.notice_until),
            closed_on: one.closed_on.map(Date),
        };
        Ok(found.into_iter().map(shown).collect())
    }
}

/// What is done about close-out.
#[derive(Default)]
pub(crate) struct CloseOutMutation;

#[Object]
impl CloseOutMutation {
    /// 提请销号: applies for close-out. By the answering unit or its county office; needs evidence and a passed
    /// self-inspection.
    async fn apply_for_close_out(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The application.")] input: ApplyForCloseOutInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let on = on(&input.assignment_id, input.version);
        AssignmentPayload::of(acts::apply(&request.desk(), on, &input.application).await, request)
    }

    /// 核查通过: verifies an application. By the level above, never by whoever applied.
    async fn verify_close_out(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What was found.")] input: VerifyCloseOutInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let on = on(&input.assignment_id, input.version);
        AssignmentPayload::of(acts::verify(&request.desk(), on, &input.opinion).await, request)
    }

    /// 退回: returns an application. By the level above, never by whoever applied; the unit is told by mail at once.
    async fn return_close_out(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The assignment, and why.")] input: ReasonedInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        AssignmentPayload::of(acts::send_back(&request.desk(), input.on(), input.reason()).await, request)
    }

    /// 公示: puts a verified close-out up for public notice. By the lead unit or an office above.
    async fn publicise_close_out(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The notice.")] input: PubliciseCloseOutInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let notice =
            acts::Notice { text: input.text, contact: input.contact, working_days: i64::from(input.working_days) };
        let on = on(&input.assignment_id, input.version);
        AssignmentPayload::of(acts::publicise(&request.desk(), on, &notice).await, request)
    }

    /// Records an objection (异议) that was received while a notice was up. By the lead unit or an office above.
    async fn raise_objection(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The objection.")] input: RaiseObjectionInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let done = acts::object(
            &request.desk(),
            beside(&input.assignment_id),
            &input.text,
            input.received_on.map(|day| day.0),
        )
        .await;
        AssignmentPayload::of(done, request)
    }

    /// Decides an objection: upheld, the assignment goes back to work. By the city or regional office.
    async fn decide_objection(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The decision.")] input: DecideObjectionInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let key = key_of::<Objection>(&input.objection_id);
        let done = acts::decide_objection(&request.desk(), key, input.is_upheld, &input.answer).await;
        AssignmentPayload::of(done, request)
    }

    /// 销号: closes after the notice; an ongoing measure closes as one whose checks go on. By the regional office.
    async fn close_assignment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The decision.")] input: CloseAssignmentInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let on = on(&input.assignment_id, input.version);
        AssignmentPayload::of(acts::close(&request.desk(), on, &input.decision).await, request)
    }

    /// 反弹: reopens what was closed. By the regional office; the unit is told by mail at once.
    async fn reopen_assignment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The assignment, and what relapsed.")] input: ReasonedInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        AssignmentPayload::of(acts::reopen(&request.desk(), input.on(), input.reason()).await, request)
    }

    /// Makes the notice of the newest close-out public, or takes it back: `publicNotices` shows it without sign-in. By the
    /// regional office.
    async fn disclose_close_out(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What becomes public.")] input: DiscloseCloseOutInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let done = acts::disclose(&request.desk(), beside(&input.assignment_id), input.is_public).await;
        AssignmentPayload::of(done, request)
    }
}
