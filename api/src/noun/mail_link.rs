//! What a link in a mail shows, and what its holder may do with it, without signing in.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use ledger::fault::Fault;
use ledger::work::mail_link::{self as links, Item, Linked, Target};
use planner::Bilingual;

use crate::context::Request;
use crate::error::{Code, coded, masked};
use crate::part::payload::UserError;
use crate::part::reread::Reread;
use crate::part::scalar::{Date, Moment};

/// Something that the holder of a mail may do with one of its links.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
pub(crate) enum MailLinkAction {
    /// 签收 · Accept the assignment or the case, with `acknowledgeMail`.
    Accept,
    /// 已阅 · Record that the mail was read, with `acknowledgeMail`.
    Acknowledge,
    /// 申请延期 · Ask for an extension of the assignment, after signing in.
    RequestExtension,
}

/// The measure or complaint case that a link in a mail leads to, with no more than the mail said.
#[derive(SimpleObject)]
pub(crate) struct LinkedItem {
    /// Global id of the measure or case. After signing in, `node` reads all of it that the caller may see.
    item_id: ID,
    /// Number as printed; null if it has none.
    number: Option<String>,
    /// Text of the measure, or summary of the case.
    text: String,
    /// Title of the measure's problem, or name of the case's region.
    origin: String,
    /// Name of the inspection round.
    round: String,
    /// Deadline of the measure as printed; null for a case.
    deadline: Option<String>,
    /// Date to which the printed deadline was extended; null if it was not.
    extended_to: Option<Date>,
    /// Date on which it is due: that of the unit's own answer if the mail was about it; null if it has none.
    due_on: Option<Date>,
    /// Whether the work is done, so that its deadline no longer counts: completed, verified, on public notice or
    /// closed; of a case, resolved.
    is_done: bool,
    /// Whether nothing is left to do: the answer or the measure is closed or not applicable, or the case is closed.
    is_settled: bool,
}

/// A link in a mail: one item of one mail, for whoever holds the mail.
#[derive(SimpleObject)]
pub(crate) struct MailLink {
    /// Kind of the mail, such as `due-soon` or `returned`.
    kind: String,
    /// Item that the link leads to.
    item: LinkedItem,
    /// Whether the mail went to the unit that has to do the work, not to an office or leader who is told of it.
    is_own: bool,
    /// What the holder of the mail may do now; empty if nothing.
    actions: Vec<MailLinkAction>,
    /// Global id of the assignment for `requestExtension`; null unless that is one of the actions.
    assignment_id: Option<ID>,
    /// Moment at which the link expires.
    expires_at: Moment,
    /// When the holder of the mail acknowledged the item; null if they have not. It is done once.
    acknowledged_at: Option<Moment>,
}

impl MailLink {
    pub(crate) fn of(item: Item, found: Linked, expires_at: DateTime<Utc>) -> Self {
        let extensible = found.extensible();
        let acknowledge = match (found.acknowledged_at, found.is_to_be_accepted()) {
            (Some(_), _) => None,
            (None, true) => Some(MailLinkAction::Accept),
            (None, false) => Some(MailLinkAction::Acknowledge),
        };
        Self {
            actions: acknowledge.into_iter().chain(extensible.map(|_| MailLinkAction::RequestExtension)).collect(),
            assignment_id: extensible.map(|assignment| ID(format!("assignment_{assignment}"))),
            is_own: found.is_own,
            expires_at: Moment(expires_at),
            acknowledged_at: found.acknowledged_at.map(Moment),
            item: LinkedItem {
                item_id: ID(item.id()),
                is_done: found.is_done(),
                is_settled: found.is_settled(),
                number: found.number,
                text: found.text,
                origin: found.origin,
                round: found.round,
                deadline: found.deadline,
                extended_to: found.extended_to.map(Date),
                due_on: found.due_on.map(Date),
            },
            kind: found.kind,
        }
    }
}

/// Query on links in mails.
#[derive(Default)]
pub(crate) struct MailLinkQuery;

#[Object]
impl MailLinkQuery {
    /// Returns what a link in a mail leads to and what its holder may do. Works without sign-in, for whoever has the
    /// link, until it expires. Reading it changes nothing.
    async fn mail_link(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Token of the link: what follows `/m/`.")] token: String,
    ) -> async_graphql::Result<MailLink> {
        let request = ctx.data::<Request>()?;
        let refused = |fault: Fault| coded(Code::BadUserInput, fault.message);
        let (target, until) = Target::follow(&request.link_key, &token, request.now).map_err(refused)?;
        let found = links::find(&request.db, target).await.map_err(|failure| masked(&failure))?;
        let Some(found) = found else {
            let (zh, en) = ("这一事项已不存在", "this item no longer exists");
            return Err(coded(Code::BadUserInput, Bilingual::new(zh, en)));
        };
        Ok(MailLink::of(target.item, found, until))
    }
}

/// Input of `acknowledgeMail`: the link of the item.
#[derive(InputObject)]
pub(crate) struct AcknowledgeMailInput {
    /// Token of the link: what follows `/m/`.
    #[graphql(secret)]
    pub(crate) token: String,
}

/// Result of `acknowledgeMail`.
#[derive(SimpleObject)]
pub(crate) struct AcknowledgeMailPayload {
    /// The link after the mutation, also if it was acknowledged before; null if the link is wrong or has expired.
    pub(crate) link: Option<MailLink>,
    /// Reasons why the mutation was refused; empty on success.
    pub(crate) errors: Vec<UserError>,
    #[graphql(flatten)]
    pub(crate) reread: Reread,
}
