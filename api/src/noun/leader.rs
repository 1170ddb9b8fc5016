//! Leaders of measures (牵头领导、包案领导、责任领导、责任人). Their names are personal data.

use async_graphql::{Enum, InputObject};
use ledger::keep::leader::Leader;
use ledger::rule::leader::masked;
use planner::{Finish, Kind, SortKey, SortType, Sql, noun};
use serde_json::{Value as Json, json};

use crate::context::Request;

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
}

/// A leader of a measure (牵头领导、包案领导、责任领导、责任人).
#[derive(InputObject)]
pub(crate) struct MeasureLeaderInput {
    /// What the leader answers for, each at most once.
    post: LeaderPost,
    /// Office and name as printed, such as `副市长 李某某`, 2 to 100 characters. A number of 7 or more digits, such as
    /// that of a telephone or an identity card, is refused, and so is a masked name.
    name: String,
}

/// Returns the leaders as the ledger takes them.
pub(crate) fn given(leaders: Vec<MeasureLeaderInput>) -> Vec<Leader> {
    leaders.into_iter().map(|one| Leader { post: one.post.into(), name: one.name }).collect()
}
