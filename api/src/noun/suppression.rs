//! Addresses to which no mail is sent, and the reports of mails that came back.

use async_graphql::{Enum, ID, InputObject};
use planner::{Dimension, Kind, Noun, SortKey, SortType, noun};

use crate::context::Request;
use crate::noun::account::Account;
use crate::part::filter::{TextFilter, filter, one_of};
use crate::part::order::order;
use crate::part::payload::{outcome, payload};
use crate::part::scalar::Moment;

/// Why no mail is sent to an address.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::suppression::SuppressionReason")]
pub(crate) enum SuppressionReason {
    /// 永久退信 · A mail came back for good: there is no such mailbox.
    HardBounce,
    /// 收件人投诉 · The recipient reported a mail as unwanted.
    Complaint,
    /// 人工停止 · An administrator entered it.
    ByHand,
}

/// How a mail came back.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
pub(crate) enum BounceKind {
    /// 永久退信 · For good: there is no such mailbox. The address is suppressed.
    Hard,
    /// 暂时退信 · For now: the mailbox is full, or its server is away. The address stays in use.
    Soft,
}

const CREATED_AT: SortKey = SortKey::column("{t}.created_at", "created_at", SortType::Moment);

const GROUPS: &[Dimension] = &[Dimension::plain("REASON", "原因 · Why nothing is sent to the address.", "{t}.reason")];

noun! {
    /// An address to which no mail is sent. Mails to it are cancelled, and what they were to tell reaches nobody.
    pub(crate) Suppression from "suppression" as "suppression" {
        order: &[CREATED_AT.reversed()],
        total: None,
        filter: SuppressionFilter,
        by: SuppressionOrder,
        groups: GROUPS
    }
    /// Global id of the suppression, for example `suppression_3`.
    id: ID = Kind::Id;
    /// Mail address, in lower case.
    address: String = Kind::Column("address");
    /// Why nothing is sent to it.
    reason: SuppressionReason = Kind::Column("reason");
    /// What the mail server or a person said about it; null if nothing was given.
    detail: Option<String> = Kind::Column("detail");
    /// Account that entered it; null if a program did.
    account: Option<Account> = Kind::One(<Account as Noun>::table, "account_id");
    /// When it was entered.
    createdAt: Moment = Kind::Column("created_at");
}

order! { SuppressionOrder by SuppressionOrderField {
    /// 停止投递时间 · When the address was entered.
    CreatedAt = CREATED_AT,
} }

filter! {
    /// Conditions on suppressed addresses. All that are given have to hold.
    SuppressionFilter {
        /// Condition on the mail address.
        address: TextFilter = |address| address.condition("address", &["address", "detail"]),
        /// The reason is one of these.
        reason: Vec<SuppressionReason> =
            |reasons| one_of::<_, entity::suppression::SuppressionReason>("reason", reasons),
    }
}

payload! {
    /// Result of a mutation on a suppressed address.
    SuppressionPayload {
        /// The suppression after the mutation; null if the mutation was refused, or if the address stays in use.
        suppression: Suppression,
        /// Why the mutation was refused; empty if it succeeded.
        errors
    }
}

/// Input of `suppressAddress`: the address, and why nothing is sent to it any more.
#[derive(InputObject)]
pub(crate) struct SuppressAddressInput {
    /// Mail address to which nothing more is sent.
    pub(crate) address: String,
    /// Why nothing is sent to it.
    #[graphql(default_with = "SuppressionReason::ByHand")]
    pub(crate) reason: SuppressionReason,
    /// What is known about it, at most 500 characters.
    pub(crate) detail: Option<String>,
}

/// Input of `liftSuppression`: the suppression to lift.
#[derive(InputObject)]
pub(crate) struct LiftSuppressionInput {
    /// Global id of the suppression.
    pub(crate) suppression_id: ID,
}

/// Input of `reportBounce`: an address from which a mail came back.
#[derive(InputObject)]
pub(crate) struct ReportBounceInput {
    /// Mail address from which the mail came back.
    pub(crate) address: String,
    /// Whether it came back for good or for now.
    pub(crate) kind: BounceKind,
    /// What the mail server said, at most 500 characters.
    pub(crate) detail: Option<String>,
}

impl SuppressionPayload {
    /// Builds the payload from the result of reporting a bounce, after which the address may stay in use.
    pub(crate) fn of_bounce(done: ledger::Result<Option<i64>>, request: &Request) -> async_graphql::Result<Self> {
        let (key, errors) = outcome(done, request.language)?;
        Ok(Self { key: key.flatten(), errors })
    }
}
