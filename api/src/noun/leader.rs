//! Leaders of measures (牵头领导、包案领导、责任领导、责任人). Their names are personal data.

use async_graphql::{Context, Enum, InputObject, MaybeUndefined, Object, SimpleObject};
use ledger::keep::leader::{self, Erased, Leader};
use ledger::rule::leader::masked;
use planner::{Finish, Kind, SortKey, SortType, Sql, noun};
use serde_json::{Value as Json, json};

use crate::context::Request;
use crate::part::patch::clearable;
use crate::part::payload::{UserError, outcome};
use crate::part::reread::Reread;

/// What a leader answers for.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::leader::Post")]
pub(crate) enum LeaderPost {
    /// 牵头领导 · Leads the work on the measure.
    Lead,
    /// 包案领导 · Takes charge of the case as a whole.
    Case,
    /// 责任领导 · Is responsible within the responsible unit.
    Responsible,
    /// 责任人 · Does the work.
    Person,
}

/// Returns SQL for the printed name and whether the caller may see it in full. [`name`] masks it otherwise.
fn printed(sql: &mut Sql<'_>, leader: &str) -> String {
    let known = sql.seen("leader.person", leader).unwrap_or_else(|| "TRUE".to_owned());
    sql.object(&[("isKnown", sql.boolean(&known)), ("name", format!("{leader}.name"))])
}

/// Returns the name of a leader as the caller may see it, from what [`printed`] delivers.
pub(crate) fn name(_: &Request, _: &Finish, leader: &Json) -> Json {
    let name = leader["name"].as_str().unwrap_or_default();
    if leader["isKnown"] == true { json!(name) } else { json!(masked(name)) }
}

/// Returns SQL for the mail address; NULL for callers who may not see the name in full.
fn address(sql: &mut Sql<'_>, leader: &str) -> String {
    match sql.seen("leader.person", leader) {
        Some(known) => format!("CASE WHEN {known} THEN {leader}.email END"),
        None => format!("{leader}.email"),
    }
}

/// In the order in which ledgers print the columns.
const ORDER: SortKey = SortKey::expression(
    "CASE {t}.post WHEN 'LEAD' THEN 1 WHEN 'CASE' THEN 2 WHEN 'RESPONSIBLE' THEN 3 ELSE 4 END",
    SortType::Integer,
);

noun! {
    /// A leader who answers for a measure (牵头领导、包案领导、责任领导、责任人).
    pub(crate) MeasureLeader from "leader" {
        order: &[ORDER],
        total: None
    }
    /// What the leader answers for; a measure has at most one leader for each post.
    post: LeaderPost = Kind::Column("post");
    /// Office and name as printed, such as `副市长 李某某`. The name is personal data: it is shown in full to the units
    /// that lead, answer or supervise the measure, to the offices and leaders of their regions and above, and masked
    /// (`副市长 李**`) for everyone else.
    name: String = Kind::Finished(printed, "leaderName");
    /// E-mail address, to which what stays overdue is escalated; null if none is known, and for callers who see the
    /// name masked.
    email: Option<String> = Kind::Expression(address);
}

/// A leader of a measure (牵头领导、包案领导、责任领导、责任人).
#[derive(InputObject)]
pub(crate) struct MeasureLeaderInput {
    /// What the leader answers for, each at most once.
    post: LeaderPost,
    /// Office and name as printed, such as `副市长 李某某`, 2 to 100 characters. A number of 7 or more digits, such as
    /// that of a telephone or an identity card, is refused, and so is a masked name.
    name: String,
    /// E-mail address; null removes it. If omitted, the address of a leader whose name does not change stays, and that
    /// of another one is unknown.
    email: MaybeUndefined<String>,
}

/// Returns the leaders as the ledger takes them.
pub(crate) fn given(leaders: Vec<MeasureLeaderInput>) -> Vec<Leader> {
    let leader =
        |one: MeasureLeaderInput| Leader { post: one.post.into(), name: one.name, email: clearable(one.email) };
    leaders.into_iter().map(leader).collect()
}

/// Input of `eraseLeader`: the person to erase, and the caller's proof of identity.
#[derive(InputObject)]
pub(crate) struct EraseLeaderInput {
    /// Name of the person, with or without the office, such as `李某某` or `副市长 李某某`. An office alone is refused.
    name: Option<String>,
    /// E-mail address of the person. At least one of the two is required.
    email: Option<String>,
    /// Current password of the caller, whose failures count like those of a sign-in. A caller without one must have
    /// signed in within the last ten minutes.
    current_password: Option<String>,
}

/// Result of `eraseLeader`.
#[derive(SimpleObject)]
pub(crate) struct EraseLeaderPayload {
    /// Number of measures from which the person was removed; 0 if the mutation was refused.
    measure_count: i32,
    /// Reasons why the mutation was refused, in which case nothing was written; empty on success.
    errors: Vec<UserError>,
    #[graphql(flatten)]
    reread: Reread,
}

/// The mutations on leaders as people.
#[derive(Default)]
pub(crate) struct LeaderMutation;

#[Object]
impl LeaderMutation {
    /// Erases the personal data of a leader for good: name and address are removed from all measures, and the address
    /// from the outbox. Administrators erase them everywhere, regional offices in what their region and those below it
    /// have issued. Files that wait to be imported keep what is printed in them for at most 30 days. Source: Personal
    /// Information Protection Law (个人信息保护法), article 47.
    async fn erase_leader(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Person to erase, and the caller's password.")] input: EraseLeaderInput,
    ) -> async_graphql::Result<EraseLeaderPayload> {
        let request = ctx.data::<Request>()?;
        let EraseLeaderInput { name, email, current_password } = input;
        let done = leader::erase(&request.acting(), Erased { name, email }, current_password.as_deref()).await;
        let (count, errors) = outcome(done, request.language)?;
        Ok(EraseLeaderPayload {
            measure_count: count.map_or(0, |count| i32::try_from(count).unwrap_or(i32::MAX)),
            errors,
            reread: Reread,
        })
    }
}
