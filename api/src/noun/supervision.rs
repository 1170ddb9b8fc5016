//! Supervision (催办、督办、挂牌、约谈) and comments (批示、意见) on measures.

use async_graphql::{Context, Enum, ID, InputObject, Object};
use ledger::work::{comment, supervision as acts};
use planner::{Condition, Dimension, Kind, Noun, SortKey, SortType, noun};
use sea_orm::ActiveEnum;

use crate::context::Request;
use crate::noun::account::Account;
use crate::noun::assignment::{Assignment, AssignmentPayload, MeasurePayload, beside};
use crate::noun::measure::{Measure, MeasureFilter};
use crate::noun::unit::Unit;
use crate::part::filter::{RelationFilter, TextFilter, filter};
use crate::part::order::order;
use crate::part::payload::key_of;
use crate::part::scalar::{Date, Moment};

/// How severe supervision is.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::supervision_action::SupervisionKind")]
pub(crate) enum SupervisionKind {
    /// 催办
    Urge,
    /// 督办
    Supervise,
    /// 挂牌督办
    List,
    /// 约谈
    Summon,
}

/// Whether supervision is in force.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::supervision_action::SupervisionState")]
pub(crate) enum SupervisionState {
    /// Proposed by the system, for a person to decide.
    Proposed,
    /// In force.
    Issued,
    /// 解除
    Lifted,
    /// Proposed and not taken up.
    Dismissed,
}

const KEY: SortKey = SortKey::column("{t}.id", "id", SortType::Integer);
const GROUPS: &[Dimension] = &[
    Dimension::plain("KIND", "How severe.", "{t}.kind"),
    Dimension::plain("STATE", "Whether it is in force.", "{t}.state"),
];

noun! {
    /// An act of supervision (催办、督办、挂牌、约谈).
    pub(crate) SupervisionAction from "supervision_action" as "supervision" {
        order: &[KEY.reversed()],
        total: None,
        filter: SupervisionActionFilter,
        by: SupervisionActionOrder,
        groups: GROUPS
    }
    /// The global id.
    id: ID = Kind::Id;
    /// How severe.
    kind: SupervisionKind = Kind::Column("kind");
    /// Whether it is in force.
    state: SupervisionState = Kind::Column("state");
    /// Why.
    reason: String = Kind::Column("reason");
    /// Who issued it; none of what the system has proposed.
    issuer: Option<Account> = Kind::One(<Account as Noun>::table, "issuer_id");
    /// The unit that it is addressed to.
    recipient: Option<Unit> = Kind::One(<Unit as Noun>::table, "recipient_id");
    /// By when an answer is due.
    answerBy: Option<Date> = Kind::Column("answer_by");
    /// When it was issued, or proposed.
    issuedAt: Moment = Kind::Column("issued_at");
    /// When it was lifted, or dismissed.
    liftedAt: Option<Moment> = Kind::Column("lifted_at");
    /// Why it was lifted, or dismissed.
    liftReason: Option<String> = Kind::Column("lift_reason");
    /// What it is about.
    measure: Measure = Kind::One(<Measure as Noun>::table, "measure_id");
    /// Whose answer it is about.
    assignment: Option<Assignment> = Kind::One(<Assignment as Noun>::table, "assignment_id");
}

order! { SupervisionActionOrder by SupervisionActionOrderField {
    /// When it was issued.
    IssuedAt = SortKey::column("{t}.issued_at", "issued_at", SortType::Moment),
} }

filter! {
    /// Demands on supervision.
    SupervisionActionFilter {
        /// How severe.
        kind: Vec<SupervisionKind> = |kinds| Condition::In(
            "kind",
            kinds.iter().map(|kind| entity::supervision_action::SupervisionKind::from(*kind).to_value().into()).collect(),
        ),
        /// Whether it is in force.
        state: Vec<SupervisionState> = |states| Condition::In(
            "state",
            states
                .iter()
                .map(|state| entity::supervision_action::SupervisionState::from(*state).to_value().into())
                .collect(),
        ),
        /// What it is about.
        measure: RelationFilter<MeasureFilter> = |measure| measure.condition("measure_id", <Measure as Noun>::table()),
    }
}

noun! {
    /// A comment (批示、意见) on a measure.
    pub(crate) Comment from "comment" as "comment" {
        order: &[KEY],
        total: None,
        filter: CommentFilter,
        by: CommentOrder
    }
    /// The global id.
    id: ID = Kind::Id;
    /// The text.
    text: String = Kind::Column("text");
    /// Who wrote it.
    author: Option<Account> = Kind::One(<Account as Noun>::table, "author_id");
    /// When.
    writtenAt: Moment = Kind::Column("written_at");
    /// What it is on.
    measure: Measure = Kind::One(<Measure as Noun>::table, "measure_id");
}

order! { CommentOrder by CommentOrderField {
    /// When it was written.
    WrittenAt = SortKey::column("{t}.written_at", "written_at", SortType::Moment),
} }

filter! {
    /// Demands on comments.
    CommentFilter {
        /// Its text.
        text: TextFilter = |text| text.condition("text", &["text"]),
    }
}

/// Supervision to be issued.
#[derive(InputObject)]
pub(crate) struct IssueSupervisionInput {
    /// The assignment.
    assignment_id: ID,
    /// How severe.
    kind: SupervisionKind,
    /// Why, at most 5,000 letters.
    reason: String,
    /// By when an answer is due.
    answer_by: Option<Date>,
}

/// Supervision to be lifted.
#[derive(InputObject)]
pub(crate) struct LiftSupervisionInput {
    /// The act of supervision.
    action_id: ID,
    /// Why.
    reason: String,
}

/// What is made of a proposal.
#[derive(InputObject)]
pub(crate) struct DecideSupervisionInput {
    /// The supervision that the system has proposed.
    action_id: ID,
    /// Whether it is taken up; it is dismissed otherwise.
    is_adopted: bool,
    /// Why, at most 5,000 letters; the unit reads it where the proposal is taken up.
    reason: String,
    /// By when an answer is due, where the proposal is taken up.
    answer_by: Option<Date>,
}

/// A comment to be written.
#[derive(InputObject)]
pub(crate) struct CommentOnMeasureInput {
    /// The measure.
    measure_id: ID,
    /// The text, at most 5,000 letters.
    text: String,
}

/// What is done about supervision, and said.
#[derive(Default)]
pub(crate) struct SupervisionMutation;

#[Object]
impl SupervisionMutation {
    /// Issues supervision: 催办 by whoever supervises or an office above, the others by the city or regional office.
    async fn issue_supervision(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The supervision.")] input: IssueSupervisionInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let new =
            acts::New { kind: input.kind.into(), reason: input.reason, answer_by: input.answer_by.map(|day| day.0) };
        AssignmentPayload::of(acts::issue(&request.desk(), beside(&input.assignment_id), &new).await, request)
    }

    /// Lifts supervision. By those who may issue it.
    async fn lift_supervision(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The supervision, and why.")] input: LiftSupervisionInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let key = key_of::<SupervisionAction>(&input.action_id);
        AssignmentPayload::of(acts::lift(&request.desk(), key, &input.reason).await, request)
    }

    /// Decides on supervision that the system has proposed: taken up it is in force, and the unit is told at once. By those
    /// who may issue it.
    async fn decide_supervision(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The proposal, and what is made of it.")] input: DecideSupervisionInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let key = key_of::<SupervisionAction>(&input.action_id);
        let decision = acts::Decision {
            is_adopted: input.is_adopted,
            reason: input.reason,
            answer_by: input.answer_by.map(|day| day.0),
        };
        AssignmentPayload::of(acts::decide(&request.desk(), key, &decision).await, request)
    }

    /// 批示、意见: writes a comment on a measure. By leaders, the lead or supervising unit, and offices above.
    async fn comment_on_measure(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The comment.")] input: CommentOnMeasureInput,
    ) -> async_graphql::Result<MeasurePayload> {
        let request = ctx.data::<Request>()?;
        let done = comment::write(&request.desk(), key_of::<Measure>(&input.measure_id), &input.text).await;
        MeasurePayload::of(done, request)
    }
}
