//! Mails in the outbox, for administrators.

use crate::part::scalar::{Date, Moment};
use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use ledger::fault::Fault;
use ledger::keep::{machine as keep, suppression};
use ledger::people::account::session;
use ledger::people::muted;
use ledger::work::mail_link::{self as links, Target};
use planner::{Condition, Dimension, Figure, FigureKind, Filter as _, Kind, Link, Noun, SortKey, SortType, noun};

use crate::context::Request;
use crate::error::masked;
use crate::noun::case::InspectionCase;
use crate::noun::mail_link::{AcknowledgeMailInput, AcknowledgeMailPayload, MailLink};
use crate::noun::mail_setting::{CreateCalendarInput, CreateCalendarPayload, SetMailMutedInput, SetMailMutedPayload};
use crate::noun::measure::Measure;
use crate::noun::region::Region;
use crate::noun::suppression::{
    BounceKind, LiftSuppressionInput, ReportBounceInput, SuppressAddressInput, Suppression, SuppressionPayload,
};
use crate::noun::unit::{Unit, UnitFilter};
use crate::part::filter::{DateFilter, DateTimeFilter, RelationFilter, TextFilter, filter, one_of};
use crate::part::group::{self, dated};
use crate::part::order::order;
use crate::part::payload::{DeletePayload, UserError, key_of, outcome, payload};
use crate::part::reread::Reread;

/// Delivery state of a mail.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::mail::MailState")]
pub(crate) enum MailState {
    /// 待发送 · The mail waits for its next delivery attempt.
    Queued,
    /// 发送中 · A sender has claimed the mail and is delivering it.
    Sending,
    /// 已发送 · A mail server has accepted the mail.
    Sent,
    /// 发送失败 · A mail server has refused the mail, or every delivery attempt has failed; an administrator can
    /// requeue it.
    Failed,
    /// 已取消 · An administrator cancelled the mail, nothing was left to say when it was due, or the recipient's
    /// account is disabled or expired.
    Cancelled,
}

const CREATED_AT: SortKey = SortKey::column("{t}.created_at", "created_at", SortType::Moment);

const GROUPS: &[Dimension] = dated!(
    "{t}.local_day",
    "local date that the mail is about",
    [
        Dimension::plain("KIND", "邮件种类 · Kind of the mail, such as `overdue`.", "{t}.kind"),
        Dimension::plain("STATE", "发送状态 · Delivery state of the mail.", "{t}.state"),
        Dimension::plain("LOCAL_DAY", "所涉日期 · Local date that the mail is about.", "{t}.local_day"),
        Dimension::of("UNIT", "收件单位 · Unit to which the mail is addressed.", "{t}.unit_id", group::A_UNIT),
    ]
);

const FIGURES: &[Figure] = &[Figure {
    name: "sentAt",
    description: "Earliest and latest moment at which a mail server accepted one of the mails.",
    expression: "{t}.sent_at",
    kind: FigureKind::Moment,
}];

noun! {
    /// A mail in the outbox: a digest (one per kind, recipient and local day), or a notice about a single event.
    pub(crate) Mail from "mail" as "mail" {
        order: &[CREATED_AT],
        total: None,
        filter: MailFilter,
        by: MailOrder,
        groups: GROUPS,
        figures: FIGURES
    }
    /// Global id of the mail.
    id: ID = Kind::Id;
    /// Kind of the mail: the name of the reminder, such as `overdue` or `due-soon`, or of the notice, such as
    /// `returned`.
    kind: String = Kind::Column("kind");
    /// Mail address of the recipient.
    to: String = Kind::Column("recipient");
    /// Unit that the mail is addressed to; null if it goes to an account that belongs to no unit.
    unit: Option<Unit> = Kind::One(<Unit as Noun>::table, "unit_id");
    /// Subject line of the mail, in the recipient's language; null until the mail is written, when it is first sent.
    subject: Option<String> = Kind::Expression(|_, mail| format!("nullif({mail}.subject, '')"));
    /// Local date that the mail is about: the day of a digest, or of the event that a notice reports.
    localDay: Date = Kind::Column("local_day");
    /// Delivery state of the mail.
    state: MailState = Kind::Column("state");
    /// Number of delivery attempts so far; requeueing the mail resets it to 0.
    attempts: i32 = Kind::Column("attempts");
    /// Earliest moment of the next delivery attempt while the mail is queued; while it is being sent, the moment from
    /// which another sender may take it over.
    nextAttemptAt: Moment = Kind::Column("next_attempt_at");
    /// When a mail server accepted the mail; null before that.
    sentAt: Option<Moment> = Kind::Column("sent_at");
    /// When the holder of the address acknowledged the mail or the first of its items; null if they have not.
    acknowledgedAt: Option<Moment> = Kind::Column("acknowledged_at");
    /// When the mail was reported as undeliverable after a mail server had accepted it; null if it was not.
    bouncedAt: Option<Moment> = Kind::Column("bounced_at");
    /// Last error of the mail server or the network, or why the mail came back; null if there was none, or the mail was
    /// sent.
    lastError: Option<String> = Kind::Column("last_error");
    /// Why the mail was queued or cancelled; of a notice, the text that says what happened.
    reason: String = Kind::Column("reason");
    /// Measures and complaint cases that the mail lists; empty for a notice about a case or an account.
    items: Vec<MailItem> = Kind::List(<MailItem as Noun>::table, Link::Column("mail_id"));
    /// Complaint case (交办案件) that a notice is about; null for other mails, and where the caller, such as an
    /// administrator, may not see the ledger.
    inspectionCase: Option<InspectionCase> = Kind::One(<InspectionCase as Noun>::table, "case_id");
    /// When the mail was queued.
    createdAt: Moment = Kind::Column("created_at");
}

noun! {
    /// One item of a mail: a measure, a complaint case, or the figures of a region.
    pub(crate) MailItem from "mail_item" {
        order: &[SortKey::column("{t}.id", "id", SortType::Integer)],
        total: None
    }
    /// Measure (整改措施) that the item is about; null for other items, and where the caller, such as an administrator,
    /// may not see the ledger.
    measure: Option<Measure> = Kind::One(<Measure as Noun>::table, "measure_id");
    /// Complaint case (交办案件) that the item is about; null for other items, and where the caller may not see the
    /// case.
    inspectionCase: Option<InspectionCase> = Kind::One(<InspectionCase as Noun>::table, "case_id");
    /// Region (行政区) whose figures the item is about; null for other items.
    region: Option<Region> = Kind::One(<Region as Noun>::table, "region_id");
    /// Local date that the reminder is about, such as the deadline; null for a notice.
    dueOn: Option<Date> = Kind::Column("due_on");
    /// When the holder of the mail's address acknowledged the item (签收); null if they have not.
    acknowledgedAt: Option<Moment> = Kind::Column("acknowledged_at");
}

noun! {
    /// An outage of the mail server: it refuses what concerns this installation rather than a mail, such as the sign-in
    /// or the sender. No mail is sent, and no attempt is counted, until a probe succeeds.
    pub(crate) MailOutage from "mail_outage" {
        order: &[SortKey::column("{t}.id", "id", SortType::Integer)],
        total: None
    }
    /// Host and port of the mail server, or the folder that mails are written to.
    server: String = Kind::Column("server");
    /// When the outage began.
    since: Moment = Kind::Column("since");
    /// What the server or the network said last.
    reason: String = Kind::Column("reason");
    /// When the server is probed next.
    nextProbeAt: Moment = Kind::Column("probe_at");
}

/// Returns the table of outages, which has one row while the mail server takes no mails, and none otherwise.
pub(crate) fn outage() -> &'static planner::Table {
    <MailOutage as Noun>::table()
}

order! { MailOrder by MailOrderField {
    /// 入队时间 · Moment at which the mail was queued.
    CreatedAt = CREATED_AT,
    /// 下次发送时间 · Earliest moment of the next delivery attempt.
    NextAttemptAt = SortKey::column("{t}.next_attempt_at", "next_attempt_at", SortType::Moment),
    /// 发送时间 · Moment at which a mail server accepted the mail;
    /// mails that were not sent come last, or first in descending order.
    SentAt = SortKey::expression("coalesce({t}.sent_at, '9999-12-31T00:00:00+00:00')", SortType::Moment),
    /// 主题 · Subject line; mails that are not written yet come last, or first in descending order.
    Subject = SortKey::expression("coalesce(nullif({t}.subject, ''), '\u{10FFFF}')", SortType::Text),
} }

/// Returns the condition on the subject, which is stored as an empty text until the mail is written.
fn of_subject(subject: &TextFilter) -> Condition {
    let written = Condition::Compare("subject", "<>", "".into());
    let on_text = TextFilter { is_null: None, ..subject.clone() }.condition("subject", &["subject"]);
    let on_text = if on_text.is_always() { on_text } else { written.clone().and(on_text) };
    match subject.is_null {
        None => on_text,
        Some(false) => on_text.and(written),
        Some(true) => on_text.and(Condition::Compare("subject", "=", "".into())),
    }
}

filter! {
    /// Conditions on mails. All that are given have to hold.
    MailFilter {
        /// Condition on the kind of the mail, such as `overdue`.
        kind: TextFilter = |kind| kind.condition("kind", &["kind"]),
        /// Condition on the subject line; its `search` finds mails by words of it.
        subject: TextFilter = |subject| of_subject(subject),
        /// Condition on the unit that the mail is addressed to.
        unit: RelationFilter<UnitFilter> = |unit| unit.condition("unit_id", <Unit as Noun>::table()),
        /// Condition on the moment at which the mail was queued.
        created_at: DateTimeFilter = |at| at.condition("created_at"),
        /// Condition on the moment at which the holder of the address acknowledged the mail; `isNull: true` selects
        /// what nobody has acknowledged.
        acknowledged_at: DateTimeFilter = |at| at.condition("acknowledged_at"),
        /// Condition on the moment at which a mail server accepted the mail.
        sent_at: DateTimeFilter = |at| at.condition("sent_at"),
        /// Condition on the local date that the mail is about.
        local_day: DateFilter = |day| day.condition("local_day"),
        /// Condition on the mail address of the recipient.
        to: TextFilter = |to| to.condition("recipient", &["recipient"]),
        /// The mail is in one of these delivery states.
        state: Vec<MailState> = |states| one_of::<_, entity::mail::MailState>("state", states),
    }
}

payload! {
    /// Result of a mutation on a mail.
    MailPayload {
        /// The mail after the mutation; null if the mutation was refused.
        mail: Mail,
        /// Why the mutation was refused; empty if it succeeded.
        errors
    }
}

/// Input of `requeueMail`: the mail to put back into the queue.
#[derive(InputObject)]
pub(crate) struct RequeueMailInput {
    /// Global id of the mail to requeue.
    mail_id: ID,
}

/// The most mails that `requeueMails` puts into the queue.
const MAX_REQUEUED: usize = 10_000;

/// Input of `requeueMails`: the mails to put back into the queue. Takes exactly one of the two fields.
#[derive(InputObject)]
pub(crate) struct RequeueMailsInput {
    /// Global ids of mails that failed, were cancelled or were sent.
    mail_ids: Option<Vec<ID>>,
    /// Requeues the failed mails (`FAILED`) that satisfy the filter; an empty filter means all of them.
    filter: Option<MailFilter>,
}

impl RequeueMailsInput {
    /// Returns which mails the input chooses.
    fn which(self) -> ledger::Result<keep::Requeued> {
        match (self.mail_ids, self.filter) {
            (Some(ids), None) => Ok(keep::Requeued::These(ids.iter().map(key_of::<Mail>).collect())),
            (None, Some(filter)) => {
                let condition = filter.condition();
                condition
                    .check()
                    .map_err(|planner::Refusal(why)| Fault::invalid(why.zh, why.en, &["input", "filter"]))?;
                Ok(keep::Requeued::Failed(condition))
            }
            _ => {
                let (zh, en) = ("给出 mailIds 或 filter 其中之一", "give either `mailIds` or `filter`");
                Err(Fault::invalid(zh, en, &["input"]).into())
            }
        }
    }
}

/// Result of `requeueMails`: how many mails were put into the queue.
#[derive(SimpleObject)]
pub(crate) struct RequeueMailsPayload {
    /// Number of mails that were put into the queue; 0 if the mutation was refused.
    count: i32,
    /// Why the mutation was refused, in which case no mail was requeued; empty if it succeeded.
    errors: Vec<UserError>,
    #[graphql(flatten)]
    reread: Reread,
}

/// Input of `cancelMail`: the mail to cancel.
#[derive(InputObject)]
pub(crate) struct CancelMailInput {
    /// Global id of the mail to cancel.
    mail_id: ID,
}

/// Mutations on mails: those of the outbox, by administrators and by the holders of their links, what people choose
/// about them, and the addresses to which nothing is sent. One object, because each adds to the depth of the root.
#[derive(Default)]
pub(crate) struct MailMutation;

#[Object]
impl MailMutation {
    /// Puts a mail that failed, was cancelled or was sent into the queue again, for an immediate delivery attempt. What
    /// it lists is read anew. Restricted to administrators.
    async fn requeue_mail(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Mail to requeue.")] input: RequeueMailInput,
    ) -> async_graphql::Result<MailPayload> {
        let request = ctx.data::<Request>()?;
        MailPayload::of(keep::requeue_mail(&request.acting(), key_of::<Mail>(&input.mail_id)).await, request)
    }

    /// Puts several mails into the queue again, all of them or none: those with the given ids, or the failed ones that
    /// satisfy a filter; at most 10,000. Restricted to administrators.
    async fn requeue_mails(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Mails to requeue.")] input: RequeueMailsInput,
    ) -> async_graphql::Result<RequeueMailsPayload> {
        let request = ctx.data::<Request>()?;
        let done = async { keep::requeue_mails(&request.acting(), input.which()?, MAX_REQUEUED).await };
        let (count, errors) = outcome(Box::pin(done).await, request.language)?;
        Ok(RequeueMailsPayload {
            count: count.map_or(0, |count| i32::try_from(count).unwrap_or(i32::MAX)),
            errors,
            reread: Reread,
        })
    }

    /// Cancels a queued or failed mail, so that it is not sent. Restricted to administrators.
    async fn cancel_mail(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Mail to cancel.")] input: CancelMailInput,
    ) -> async_graphql::Result<MailPayload> {
        let request = ctx.data::<Request>()?;
        MailPayload::of(keep::cancel_mail(&request.acting(), key_of::<Mail>(&input.mail_id)).await, request)
    }

    /// Acknowledges an item of a mail (签收) without sign-in, as whoever holds the mail: accepts an assignment or a
    /// case that waits for the unit that the mail went to, else records that the mail was read. It is done once; a
    /// second time is refused with the moment of the first (`WRONG_STATE`).
    async fn acknowledge_mail(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Link of the item.")] input: AcknowledgeMailInput,
    ) -> async_graphql::Result<AcknowledgeMailPayload> {
        let request = ctx.data::<Request>()?;
        let followed = Target::follow(&request.link_key, &input.token, request.now);
        let (followed, mut errors) = outcome(followed.map_err(Into::into), request.language)?;
        let Some((target, until)) = followed else {
            return Ok(AcknowledgeMailPayload { link: None, errors, reread: Reread });
        };
        errors = outcome(Box::pin(links::acknowledge(&request.acting(), target)).await, request.language)?.1;
        let found = links::find(&request.db, target).await.map_err(|failure| masked(&failure))?;
        let link = found.map(|found| MailLink::of(target.item, found, until));
        Ok(AcknowledgeMailPayload { link, errors, reread: Reread })
    }

    /// Switches a kind of digest off, or on again, for the caller's own address. Not with a token or as a delegate.
    async fn set_mail_muted(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Kind of digest, and whether it is switched off.")] input: SetMailMutedInput,
    ) -> async_graphql::Result<SetMailMutedPayload> {
        let request = ctx.data::<Request>()?;
        let done = Box::pin(muted::set(&request.acting(), &input.kind, input.is_muted)).await;
        let (_, errors) = outcome(done, request.language)?;
        let settings = muted::settings(&request.acting()).await.map_err(|failure| masked(&failure))?;
        Ok(SetMailMutedPayload { settings: settings.into_iter().map(Into::into).collect(), errors, reread: Reread })
    }

    /// Creates the secret address of the caller's calendar of deadlines (iCalendar), in place of any earlier one.
    /// Whoever has the address reads the deadlines, so `revokeSession` ends it like a token. Not with a token or as a
    /// delegate.
    async fn create_calendar(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "For how long the address works.")] input: CreateCalendarInput,
    ) -> async_graphql::Result<CreateCalendarPayload> {
        let request = ctx.data::<Request>()?;
        let done = Box::pin(session::make_calendar(&request.acting(), i64::from(input.days))).await;
        let (opened, errors) = outcome(done, request.language)?;
        let expires_at = opened.as_ref().map(|opened| Moment(opened.session.expires_at));
        let calendar_url = opened.map(|opened| format!("{}/calendar/{}.ics", request.public_url, opened.secret));
        Ok(CreateCalendarPayload { calendar_url, expires_at, errors, reread: Reread })
    }

    /// Suppresses an address: no mail is sent to it until this is lifted. Restricted to administrators.
    async fn suppress_address(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Address, and why nothing is sent to it.")] input: SuppressAddressInput,
    ) -> async_graphql::Result<SuppressionPayload> {
        let request = ctx.data::<Request>()?;
        let new = suppression::New { address: input.address, reason: input.reason.into(), detail: input.detail };
        SuppressionPayload::of(Box::pin(suppression::suppress(&request.acting(), new)).await, request)
    }

    /// Lifts the suppression of an address, so that mails are sent to it again. Restricted to administrators.
    async fn lift_suppression(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Suppression to lift.")] input: LiftSuppressionInput,
    ) -> async_graphql::Result<DeletePayload> {
        let request = ctx.data::<Request>()?;
        let done = Box::pin(suppression::lift(&request.acting(), key_of::<Suppression>(&input.suppression_id))).await;
        DeletePayload::of(done, input.suppression_id, request.language)
    }

    /// Reports that a mail came back, as a program that reads the mailbox of the sender does. For good: the address is
    /// suppressed, and the administrators are told by mail. Restricted to administrators.
    async fn report_bounce(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Address, and how the mail came back.")] input: ReportBounceInput,
    ) -> async_graphql::Result<SuppressionPayload> {
        let request = ctx.data::<Request>()?;
        let is_hard = input.kind == BounceKind::Hard;
        let done = Box::pin(suppression::report_bounce(&request.acting(), &input.address, is_hard, input.detail)).await;
        SuppressionPayload::of_bounce(done, request)
    }
}
