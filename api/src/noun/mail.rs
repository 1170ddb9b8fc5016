//! Mails: the outbox, for administrators.

use crate::part::scalar::{Date, Moment};
use async_graphql::{Context, Enum, ID, Object};
use ledger::keep::machine as keep;
use planner::{Condition, Dimension, Figure, FigureKind, Kind, Link, Noun, SortKey, SortType, noun};
use sea_orm::ActiveEnum;

use crate::context::Request;
use crate::noun::case::InspectionCase;
use crate::noun::measure::Measure;
use crate::noun::unit::Unit;
use crate::part::filter::{DateFilter, TextFilter, filter};
use crate::part::order::order;
use crate::part::payload::{key_of, payload};

/// Where a mail is on its way.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::mail::MailState")]
pub(crate) enum MailState {
    /// Waiting for its next attempt.
    Queued,
    /// Claimed by a sender.
    Sending,
    /// Taken by the mail server.
    Sent,
    /// Refused for good; can be requeued.
    Failed,
    /// Nothing was left to say when it was due.
    Cancelled,
}

const CREATED_AT: SortKey = SortKey::column("{t}.created_at", "created_at", SortType::Moment);

const GROUPS: &[Dimension] = &[
    Dimension::plain("KIND", "The reminder's name.", "{t}.kind"),
    Dimension::plain("STATE", "Where they are on their way.", "{t}.state"),
    Dimension::plain("LOCAL_DAY", "The day that they speak of.", "{t}.local_day"),
];

const FIGURES: &[Figure] = &[Figure {
    name: "sentAt",
    description: "When a server took them.",
    expression: "{t}.sent_at",
    kind: FigureKind::Moment,
}];

noun! {
    /// A mail of the outbox: one digest per kind, recipient and local day.
    pub(crate) Mail from "mail" as "mail" { order: &[CREATED_AT], total: None, filter: MailFilter, by: MailOrder, groups: GROUPS, figures: FIGURES }
    /// The global id.
    id: ID = Kind::Id;
    /// The reminder's name: `overdue`, `due-soon` …
    kind: String = Kind::Column("kind");
    /// The address.
    to: String = Kind::Column("recipient");
    /// The unit addressed.
    unit: Option<Unit> = Kind::One(<Unit as Noun>::table, "unit_id");
    /// The subject.
    subject: String = Kind::Column("subject");
    /// The day that it speaks of.
    localDay: Date = Kind::Column("local_day");
    /// Where it is on its way.
    state: MailState = Kind::Column("state");
    /// How often delivery was tried.
    attempts: i32 = Kind::Column("attempts");
    /// Not before this moment is it tried (again).
    nextAttemptAt: Moment = Kind::Column("next_attempt_at");
    /// When a server took it.
    sentAt: Option<Moment> = Kind::Column("sent_at");
    /// What the server or the network last said.
    lastError: Option<String> = Kind::Column("last_error");
    /// Why it was queued, or cancelled.
    reason: String = Kind::Column("reason");
    /// What it speaks of.
    items: Vec<MailItem> = Kind::List(<MailItem as Noun>::table, Link::Column("mail_id"));
    /// The case that it is about; null for who keeps the mail and may not see the ledger.
    inspectionCase: Option<InspectionCase> = Kind::One(<InspectionCase as Noun>::table, "case_id");
    /// When it was queued.
    createdAt: Moment = Kind::Column("created_at");
}

noun! {
    /// One line of a digest.
    pub(crate) MailItem from "mail_item" {
        order: &[SortKey::column("{t}.id", "id", SortType::Integer)],
        total: None
    }
    /// The measure that it is about; null where it is about a case, and for who keeps the mail and may not see the ledger.
    measure: Option<Measure> = Kind::One(<Measure as Noun>::table, "measure_id");
    /// The case that it is about; null where it is about a measure, and for who may not see it.
    inspectionCase: Option<InspectionCase> = Kind::One(<InspectionCase as Noun>::table, "case_id");
    /// The date that the reminder is about.
    dueOn: Option<Date> = Kind::Column("due_on");
}

order! { MailOrder by MailOrderField {
    /// When it was queued.
    CreatedAt = CREATED_AT,
} }

filter! {
    /// Demands on mails.
    MailFilter {
        /// The reminder's name.
        kind: TextFilter = |kind| kind.condition("kind", &["kind"]),
        /// The day that it speaks of.
        local_day: DateFilter = |day| day.condition("local_day"),
        /// The address.
        to: TextFilter = |to| to.condition("recipient", &["recipient"]),
        /// It is in one of these states.
        state: Vec<MailState> = |states| Condition::In(
            "state",
            states.iter().map(|state| entity::mail::MailState::from(*state).to_value().into()).collect(),
        ),
    }
}

payload! {
    /// What came of an act on a mail.
    MailPayload {
        /// The mail as it is now; null when nothing was done.
        mail: Mail,
        /// Why nothing was done; empty when it was.
        errors
    }
}

/// What is done to mails.
#[derive(Default)]
pub(crate) struct MailMutation;

#[Object]
impl MailMutation {
    /// Puts a mail that failed or was cancelled back into the queue, to be tried at once. By an administrator.
    async fn requeue_mail(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The mail.")] mail_id: ID,
    ) -> async_graphql::Result<MailPayload> {
        let request = ctx.data::<Request>()?;
        MailPayload::of(keep::requeue_mail(&request.desk(), key_of::<Mail>(&mail_id)).await, request)
    }

    /// Keeps a mail that waits or failed from being sent. By an administrator.
    async fn cancel_mail(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The mail.")] mail_id: ID,
    ) -> async_graphql::Result<MailPayload> {
        let request = ctx.data::<Request>()?;
        MailPayload::of(keep::cancel_mail(&request.desk(), key_of::<Mail>(&mail_id)).await, request)
    }
}
