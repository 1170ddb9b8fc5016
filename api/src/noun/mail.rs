//! Mails in the outbox, for administrators.

use crate::part::scalar::{Date, Moment};
use async_graphql::{Context, Enum, ID, InputObject, Object};
use ledger::keep::machine as keep;
use planner::{Dimension, Figure, FigureKind, Kind, Link, Noun, SortKey, SortType, noun};

use crate::context::Request;
use crate::noun::case::InspectionCase;
use crate::noun::measure::Measure;
use crate::noun::unit::Unit;
use crate::part::filter::{DateFilter, TextFilter, filter, one_of};
use crate::part::order::order;
use crate::part::payload::{key_of, payload};

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

const GROUPS: &[Dimension] = &[
    Dimension::plain("KIND", "邮件种类 · Kind of the mail, such as `overdue`.", "{t}.kind"),
    Dimension::plain("STATE", "发送状态 · Delivery state of the mail.", "{t}.state"),
    Dimension::plain("LOCAL_DAY", "所涉日期 · Local date that the mail is about.", "{t}.local_day"),
];

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
    /// Last error of the mail server or the network; null if there was none, or the mail was sent.
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
    /// One item of a mail: a measure or a complaint case.
    pub(crate) MailItem from "mail_item" {
        order: &[SortKey::column("{t}.id", "id", SortType::Integer)],
        total: None
    }
    /// Measure (整改措施) that the item is about; null for a complaint case, and where the caller, such as an
    /// administrator, may not see the ledger.
    measure: Option<Measure> = Kind::One(<Measure as Noun>::table, "measure_id");
    /// Complaint case (交办案件) that the item is about; null for a measure, and where the caller may not see the case.
    inspectionCase: Option<InspectionCase> = Kind::One(<InspectionCase as Noun>::table, "case_id");
    /// Local date that the reminder is about, such as the deadline; null for a notice.
    dueOn: Option<Date> = Kind::Column("due_on");
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
} }

filter! {
    /// Conditions on mails. All that are given have to hold.
    MailFilter {
        /// Condition on the kind of the mail, such as `overdue`.
        kind: TextFilter = |kind| kind.condition("kind", &["kind"]),
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

/// Input of `cancelMail`: the mail to cancel.
#[derive(InputObject)]
pub(crate) struct CancelMailInput {
    /// Global id of the mail to cancel.
    mail_id: ID,
}

/// Mutations on mails in the outbox.
#[derive(Default)]
pub(crate) struct MailMutation;

#[Object]
impl MailMutation {
    /// Puts a failed or cancelled mail back into the queue, for an immediate delivery attempt. Restricted to
    /// administrators.
    async fn requeue_mail(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Mail to requeue.")] input: RequeueMailInput,
    ) -> async_graphql::Result<MailPayload> {
        let request = ctx.data::<Request>()?;
        MailPayload::of(keep::requeue_mail(&request.acting(), key_of::<Mail>(&input.mail_id)).await, request)
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
}
