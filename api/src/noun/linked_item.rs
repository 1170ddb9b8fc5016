//! What a link in a mail shows without signing in.

use async_graphql::{Context, ID, Object, SimpleObject};
use ledger::record::link_key::Unfollowed;
use ledger::work::linked;
use planner::Bilingual;

use crate::context::Request;
use crate::error::{Code, coded, masked};
use crate::part::scalar::Date;

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
    /// Date to which the printed deadline was extended: of the answer that the mail is about, else of the measure. Null
    /// if it was not extended, and for a case.
    extended_to: Option<Date>,
    /// Date on which the answer that the mail is about is due, else the measure or the case; null if it has none.
    due_on: Option<Date>,
    /// Whether nothing is left to do: the answer or the measure is closed or not applicable, or the case is closed.
    is_settled: bool,
}

/// Query on links in mails.
#[derive(Default)]
pub(crate) struct LinkedItemQuery;

#[Object]
impl LinkedItemQuery {
    /// Returns what a link in a mail leads to. Works without sign-in, for whoever has the link, until it expires.
    async fn linked_item(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Token of the link: what follows `/m/`.")] token: String,
    ) -> async_graphql::Result<LinkedItem> {
        let request = ctx.data::<Request>()?;
        let id = request.link_key.read(&token, request.now).map_err(|why| {
            let (zh, en) = match why {
                Unfollowed::Expired => (
                    "链接已过期，请登录后从待办中办理",
                    "this link has expired: sign in and continue from your to-do list",
                ),
                Unfollowed::Foreign => (
                    "链接不完整或有误，请从邮件中重新打开，或登录后从待办中办理",
                    "this link is incomplete or wrong: open it again from the mail, or sign in",
                ),
            };
            coded(Code::BadUserInput, Bilingual::new(zh, en))
        })?;
        let found = linked::find(&request.db, id).await.map_err(|failure| masked(&failure))?;
        let Some(found) = found else {
            let (zh, en) = ("这一事项已不存在", "this item no longer exists");
            return Err(coded(Code::BadUserInput, Bilingual::new(zh, en)));
        };
        let settled = ["CLOSED", "CLOSED_ONGOING", "NOT_APPLICABLE"];
        Ok(LinkedItem {
            item_id: ID(found.item),
            is_settled: settled.contains(&found.status.as_str()),
            number: found.number,
            text: found.text,
            origin: found.origin,
            round: found.round,
            deadline: found.deadline,
            extended_to: found.extended_to.map(Date),
            due_on: found.due_on.map(Date),
        })
    }
}
