//! Supervision (催办、督办、黄牌、挂牌督办、红牌、约谈) of assignments, and comments (批示、意见) on measures.

use async_graphql::{Context, Enum, ID, InputObject, Object};
use futures_util::FutureExt;
use ledger::work::available::{self, Subject};
use ledger::work::{On, batch, comment, supervision as acts};
use planner::{Dimension, Indexed, Kind, Named, Noun, SortKey, SortType, Sql, noun};
use sea_orm::Value;

use crate::context::Request;
use crate::noun::account::Account;
use crate::noun::assignment::{
    Assignment, AssignmentFilter, AssignmentPayload, AssignmentsPayload, MeasurePayload, beside,
};
use crate::noun::measure::{Measure, MeasureFilter};
use crate::noun::unit::{Unit, UnitFilter};
use crate::part::action::{self, AvailableAction};
use crate::part::filter::{DateFilter, DateTimeFilter, RelationFilter, TextFilter, filter, one_of};
use crate::part::group::{self, dated};
use crate::part::order::order;
use crate::part::payload::key_of;
use crate::part::scalar::{Date, Moment};

/// Kind of supervision, from the mildest to the most severe.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::supervision_action::SupervisionKind")]
pub(crate) enum SupervisionKind {
    /// 催办 · Urging: asks the unit to act.
    Urge,
    /// 督办 · Supervision: a formal order to act.
    Supervise,
    /// 黄牌 · Yellow card: a warning to a unit that is late or does not report.
    YellowCard,
    /// 挂牌督办 · Listing: the assignment is put on the supervision list until that is lifted.
    List,
    /// 红牌 · Red card: the last warning, after two yellow cards or a listing.
    RedCard,
    /// 约谈 · Summons: a leader of the unit is called to an interview.
    Summon,
}

/// Why the system proposed an act of supervision.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::supervision_action::SupervisionCause")]
pub(crate) enum SupervisionCause {
    /// 长期逾期 · The assignment is overdue for a month.
    Overdue,
    /// 久无进展 · The assignment has had no report for a month, or for three months if its measure is ongoing.
    Stale,
    /// 两张黄牌 · Two yellow cards of the assignment are in force.
    TwoYellowCards,
    /// 已挂牌督办 · The assignment is listed for supervision.
    Listed,
}

/// Card that is in force (黄牌、红牌); of several the more severe one.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
pub(crate) enum Card {
    /// 黄牌 · At least one yellow card is in force, and no red one.
    YellowCard,
    /// 红牌 · A red card is in force.
    RedCard,
}

impl Card {
    /// Returns the codes of cards, as the SQL expression of the card in force returns them.
    pub(crate) fn codes(cards: &[Self]) -> Vec<Value> {
        let code = |card: &Self| match card {
            Self::YellowCard => "YELLOW_CARD",
            Self::RedCard => "RED_CARD",
        };
        cards.iter().map(code).map(Value::from).collect()
    }
}

/// State of an act of supervision.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::supervision_action::SupervisionState")]
pub(crate) enum SupervisionState {
    /// 待决定 · Proposed by the system; a person has yet to decide.
    Proposed,
    /// 执行中 · In force: issued and not yet lifted.
    Issued,
    /// 已解除 · Lifted: no longer in force.
    Lifted,
    /// 未采纳 · Dismissed: the proposal of the system was not adopted.
    Dismissed,
}

/// Writes the SQL for the contact of a summons; NULL for callers who may not see the unit that was summoned.
fn contact(sql: &mut Sql<'_>, action: &str) -> String {
    let unit = sql.alias();
    match sql.seen("unit", &unit) {
        Some(seen) => format!(
            "CASE WHEN EXISTS (SELECT 1 FROM unit {unit} WHERE {unit}.id = {action}.recipient_id AND {seen}) \
             THEN {action}.contact END"
        ),
        None => format!("{action}.contact"),
    }
}

const KEY: SortKey = SortKey::column("{t}.id", "id", SortType::Integer);
const GROUPS: &[Dimension] = dated!(
    "{t}.answer_by",
    "date by which an answer is wanted",
    [
        Dimension::plain("KIND", "督办类型 · Kind of supervision.", "{t}.kind"),
        Dimension::plain("STATE", "督办状态 · State of the supervision, such as in force or lifted.", "{t}.state"),
        Dimension::of("RECIPIENT", "接收单位 · Unit that it is addressed to.", "{t}.recipient_id", group::A_UNIT),
    ]
);

const COMMENT_GROUPS: &[Dimension] = &[Dimension::of(
    "MEASURE",
    "整改措施 · Measure that the comment is about; its label is the text of the measure.",
    "{t}.measure_id",
    Named { prefix: "measure", table: "measure", name: "SELECT content FROM measure WHERE id = {}", code: None },
)];

noun! {
    /// An act of supervision (催办、督办、黄牌、挂牌督办、红牌、约谈) of an assignment.
    pub(crate) SupervisionAction from "supervision_action" as "supervision" {
        order: &[KEY.reversed()],
        total: None,
        filter: SupervisionActionFilter,
        by: SupervisionActionOrder,
        groups: GROUPS
    }
    /// Global id of the act of supervision: opaque, permanent, and accepted by `node`.
    id: ID = Kind::Id;
    /// Kind of supervision, which shows how severe it is.
    kind: SupervisionKind = Kind::Column("kind");
    /// State of the supervision: proposed, in force, lifted or dismissed.
    state: SupervisionState = Kind::Column("state");
    /// Why the system proposed it; null if a person issued it unasked.
    cause: Option<SupervisionCause> = Kind::Column("cause");
    /// Reason for the supervision, as the unit reads it.
    reason: String = Kind::Column("reason");
    /// Account that issued the supervision; null while it is only proposed by the system, and if the account is not
    /// visible to the caller.
    issuer: Option<Account> = Kind::One(<Account as Noun>::table, "issuer_id");
    /// Unit to which the supervision is addressed; null if there is none, or if it is not visible to the caller.
    recipient: Option<Unit> = Kind::One(<Unit as Noun>::table, "recipient_id");
    /// Last local date on which the unit may answer; null if no answer is demanded.
    answerBy: Option<Date> = Kind::Column("answer_by");
    /// Number of the document (文号) by which the supervision was issued; null if none was given, and always for
    /// urging.
    documentNumber: Option<String> = Kind::Column("document_number");
    /// Moment at which the interview (约谈) begins; null if it was not given, and for all kinds but a summons.
    meetingAt: Option<Moment> = Kind::Column("meeting_at");
    /// Place of the interview (约谈); null if it was not given, and for all kinds but a summons.
    place: Option<String> = Kind::Column("place");
    /// Whom the unit can ask about the interview (约谈), with a telephone number. Personal data: null if the unit to
    /// which the supervision is addressed is not visible to the caller. Also null for all kinds but a summons.
    contact: Option<String> = Kind::Expression(contact);
    /// Moment at which the supervision was issued; for one that is only proposed, or was dismissed, the moment of the
    /// proposal.
    issuedAt: Moment = Kind::Column("issued_at");
    /// What can be done to it, and whether the caller may do it now; those that are not available say why.
    availableActions: Vec<AvailableAction> =
        Kind::Finished(|sql, action| available::facts(sql, Subject::Supervision, action), action::SUPERVISION);
    /// Moment at which the supervision was lifted, or the proposal dismissed; null otherwise.
    liftedAt: Option<Moment> = Kind::Column("lifted_at");
    /// Reason why the supervision was lifted, or the proposal dismissed; null otherwise.
    liftReason: Option<String> = Kind::Column("lift_reason");
    /// Measure (整改措施) that is supervised.
    measure: Measure = Kind::One(<Measure as Noun>::table, "measure_id");
    /// Assignment (责任分解) that is supervised; null if the supervision concerns the measure as a whole.
    assignment: Option<Assignment> = Kind::One(<Assignment as Noun>::table, "assignment_id");
}

order! { SupervisionActionOrder by SupervisionActionOrderField {
    /// 发出时间 · Moment at which the supervision was issued or proposed.
    IssuedAt = SortKey::column("{t}.issued_at", "issued_at", SortType::Moment),
    /// 答复期限 · Date by which an answer is due; supervision without one comes last, or first in descending order.
    AnswerBy = SortKey::expression("coalesce({t}.answer_by, '9999-12-31')", SortType::Date),
} }

filter! {
    /// Conditions on supervision. An act of supervision must satisfy every condition that is given.
    SupervisionActionFilter {
        /// Selects supervision of one of these kinds; an empty list selects none.
        kind: Vec<SupervisionKind> =
            |kinds| one_of::<_, entity::supervision_action::SupervisionKind>("kind", kinds),
        /// Selects supervision in one of these states; an empty list selects none.
        state: Vec<SupervisionState> =
            |states| one_of::<_, entity::supervision_action::SupervisionState>("state", states),
        /// Selects supervision that the system proposed for one of these causes; an empty list selects none.
        cause: Vec<SupervisionCause> =
            |causes| one_of::<_, entity::supervision_action::SupervisionCause>("cause", causes),
        /// Condition on the measure that is supervised.
        measure: RelationFilter<MeasureFilter> = |measure| measure.condition("measure_id", <Measure as Noun>::table()),
        /// Condition on the assignment that is supervised.
        assignment: RelationFilter<AssignmentFilter> =
            |assignment| assignment.condition("assignment_id", <Assignment as Noun>::table()),
        /// Condition on the unit to which the supervision is addressed.
        recipient: RelationFilter<UnitFilter> = |unit| unit.condition("recipient_id", <Unit as Noun>::table()),
        /// Condition on the last local date on which the unit may answer.
        answer_by: DateFilter = |day| day.condition("answer_by"),
        /// Condition on the moment at which the supervision was issued or proposed.
        issued_at: DateTimeFilter = |at| at.condition("issued_at"),
    }
}

noun! {
    /// A comment (批示、意见) of a leader, an office or a unit on a measure.
    pub(crate) Comment from "comment" as "comment" {
        order: &[KEY],
        total: None,
        filter: CommentFilter,
        by: CommentOrder,
        groups: COMMENT_GROUPS
    }
    /// Global id of the comment: opaque, permanent, and accepted by `node`.
    id: ID = Kind::Id;
    /// Text of the comment, at most 5,000 characters.
    text: String = Kind::Column("text");
    /// Account that wrote the comment; null if the account is not visible to the caller.
    author: Option<Account> = Kind::One(<Account as Noun>::table, "author_id");
    /// Moment at which the comment was written.
    writtenAt: Moment = Kind::Column("written_at");
    /// Measure (整改措施) on which the comment was made.
    measure: Measure = Kind::One(<Measure as Noun>::table, "measure_id");
}

order! { CommentOrder by CommentOrderField {
    /// 发表时间 · Moment at which the comment was written.
    WrittenAt = SortKey::column("{t}.written_at", "written_at", SortType::Moment),
} }

/// What is searched in the texts, as the index has it.
pub(crate) const TEXTS: Indexed = Indexed { name: "comment", table: "comment", columns: &["text"] };

filter! {
    /// Conditions on comments. A comment must satisfy every condition that is given.
    CommentFilter {
        /// Condition on the text of the comment.
        text: TextFilter = |text| text.condition("text", TEXTS),
    }
}

/// Input of `issueSupervision`: the supervision to issue.
#[derive(InputObject)]
pub(crate) struct IssueSupervisionInput {
    /// Global id of the assignment to supervise.
    assignment_id: ID,
    /// Kind of supervision to issue, which shows how severe it is.
    kind: SupervisionKind,
    /// Reason, 2 to 5,000 characters, which the unit reads.
    reason: String,
    /// Last local date on which the unit may answer, today or later; null if no answer is demanded.
    answer_by: Option<Date>,
    /// Number of the document (文号), at most 100 characters; not for urging (`URGE`).
    document_number: Option<String>,
    /// Moment at which the interview (约谈) begins, today or later; only for a summons (`SUMMON`).
    meeting_at: Option<Moment>,
    /// Place of the interview (约谈), at most 200 characters; only for a summons (`SUMMON`).
    place: Option<String>,
    /// Whom the unit can ask about the interview (约谈), with a telephone number, at most 200 characters; only for a
    /// summons (`SUMMON`). The mail to the unit has it.
    contact: Option<String>,
}

impl IssueSupervisionInput {
    /// Returns the assignment to supervise and the supervision to issue.
    fn read(self) -> (On, acts::New) {
        let interview =
            acts::Interview { meeting_at: self.meeting_at.map(|at| at.0), place: self.place, contact: self.contact };
        let new = acts::New {
            kind: self.kind.into(),
            reason: self.reason,
            answer_by: self.answer_by.map(|day| day.0),
            document_number: self.document_number,
            interview,
        };
        (beside(&self.assignment_id), new)
    }
}

/// Input of `issueSupervisions`: the supervision of several assignments.
#[derive(InputObject)]
pub(crate) struct IssueSupervisionsInput {
    /// Supervision to issue, 1 to 100.
    items: Vec<IssueSupervisionInput>,
}

/// Input of `liftSupervision`: the supervision to lift.
#[derive(InputObject)]
pub(crate) struct LiftSupervisionInput {
    /// Global id of the act of supervision, which must be in force.
    action_id: ID,
    /// Reason for lifting it, 2 to 5,000 characters.
    reason: String,
}

/// Input of `decideSupervision`: the decision on supervision that the system has proposed.
#[derive(InputObject)]
pub(crate) struct DecideSupervisionInput {
    /// Global id of the proposed act of supervision.
    action_id: ID,
    /// True adopts the proposal, false dismisses it.
    is_adopted: bool,
    /// Reason for the decision, 2 to 5,000 characters. If the proposal is adopted, the unit reads it.
    reason: String,
    /// Last local date on which the unit may answer, today or later; null if no answer is demanded, and if the proposal
    /// is dismissed.
    answer_by: Option<Date>,
    /// Number of the document (文号) by which it is issued, at most 100 characters; null if the proposal is
    /// dismissed.
    document_number: Option<String>,
}

/// Input of `commentOnMeasure`: the comment to write.
#[derive(InputObject)]
pub(crate) struct CommentOnMeasureInput {
    /// Global id of the measure.
    measure_id: ID,
    /// Text of the comment, 1 to 5,000 characters, without personal telephone numbers.
    text: String,
}

/// Mutations on supervision and comments.
#[derive(Default)]
pub(crate) struct SupervisionMutation;

#[Object]
impl SupervisionMutation {
    /// Issues supervision of an assignment and notifies the answering unit and the lead unit at once. Urging (催办)
    /// requires the supervising unit or a county, city or regional rectification office; the other kinds require the
    /// city or regional office.
    async fn issue_supervision(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The supervision to issue.")] input: IssueSupervisionInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let (on, new) = input.read();
        AssignmentPayload::of(acts::issue(&request.acting(), on, &new).await, request)
    }

    /// Issues supervision of several assignments, such as urging (催办) all that are overdue: all of it or none; each
    /// item as `issueSupervision` takes it.
    async fn issue_supervisions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The supervision to issue.")] input: IssueSupervisionsInput,
    ) -> async_graphql::Result<AssignmentsPayload> {
        let request = ctx.data::<Request>()?;
        let acting = &request.acting();
        let items: Vec<(On, acts::New)> = input.items.into_iter().map(IssueSupervisionInput::read).collect();
        let on = items.iter().map(|(on, _)| on.assignment).collect();
        let acts = items.iter().map(|(on, new)| acts::issue(acting, *on, new).boxed()).collect();
        AssignmentsPayload::of(
            batch::all_or_none(acting, (batch::BatchTarget::BesideAssignments, on), acts).await,
            request,
        )
    }

    /// Lifts supervision that is in force. Requires the rights to issue supervision of that kind.
    async fn lift_supervision(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The supervision to lift, and the reason.")] input: LiftSupervisionInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let key = key_of::<SupervisionAction>(&input.action_id);
        AssignmentPayload::of(acts::lift(&request.acting(), key, &input.reason).await, request)
    }

    /// Decides on supervision that the system has proposed. If adopted, it is in force, and the answering unit and the
    /// lead unit are notified at once. Requires the city or regional rectification office.
    async fn decide_supervision(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The proposal and the decision.")] input: DecideSupervisionInput,
    ) -> async_graphql::Result<AssignmentPayload> {
        let request = ctx.data::<Request>()?;
        let key = key_of::<SupervisionAction>(&input.action_id);
        let decision = acts::Decision {
            is_adopted: input.is_adopted,
            reason: input.reason,
            answer_by: input.answer_by.map(|day| day.0),
            document_number: input.document_number,
        };
        AssignmentPayload::of(acts::decide(&request.acting(), key, &decision).await, request)
    }

    /// Writes a comment (批示、意见) on a measure. Requires a leader, the lead unit or the supervising unit of the
    /// measure, or the city or regional rectification office.
    async fn comment_on_measure(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The comment to write.")] input: CommentOnMeasureInput,
    ) -> async_graphql::Result<MeasurePayload> {
        let request = ctx.data::<Request>()?;
        let done = comment::write(&request.acting(), key_of::<Measure>(&input.measure_id), &input.text).await;
        MeasurePayload::of(done, request)
    }
}
