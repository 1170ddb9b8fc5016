//! Accountability (责任追究): how many people were held to account for a problem. A wrong record is corrected or
//! withdrawn, never deleted.

use chrono::NaiveDate;
use entity::accountability::{self, Consequence, Rank};
use sea_orm::{ActiveEnum, ActiveModelTrait, ActiveValue::Set, EntityTrait};
use serde_json::{Value, json};

use super::acting::{Acting, MAX_WORDS, permit};
use super::hold::{current, hold_problem, not_withdrawn, take_problem};
use super::settle::settle_beside;
use crate::Result;
use crate::fault::{self, Fault, Thing};
use crate::people::policy::{Act, Standing};
use crate::record::change::ChangeKind;
use crate::record::database;
use crate::record::database::Transaction;

/// The maximum number of people in a record.
const MAX_PEOPLE: i32 = 100_000;

/// A record of accountability: a number of people of one rank who faced the same consequence. Every person is counted
/// in one record only.
#[derive(Debug, Clone, Copy)]
pub struct Record {
    /// The rank of the people.
    pub rank: Rank,
    /// The consequence that they faced.
    pub consequence: Consequence,
    /// The number of people, from 1 to 100,000.
    pub people: i32,
    /// The local date of the decision, not after today.
    pub decided_on: NaiveDate,
}

impl Record {
    fn check(&self, today: NaiveDate) -> Result<()> {
        let mut faults = Vec::new();
        if !(1..=MAX_PEOPLE).contains(&self.people) {
            let zh = format!("人数应为 1 至 {MAX_PEOPLE}");
            let en = format!("the number of people must be 1 to {MAX_PEOPLE}");
            faults.push(Fault::invalid(zh, en, &["input", "people"]));
        }
        let decided = ("决定日期", "the date of the decision");
        faults.extend(fault::past_day(self.decided_on, today, decided, &["input", "decidedOn"]).err());
        if faults.is_empty() { Ok(()) } else { Err(crate::Error::Refused(faults)) }
    }
}

/// Records that people were held to account for a problem, and returns the key of the record.
pub async fn record(acting: &Acting<'_>, problem: Option<i64>, record: Record) -> Result<i64> {
    record.check(acting.today())?;
    let (transaction, problem, level) = take_problem(acting, problem).await?;
    permit(acting, Act::HoldToAccount, Standing::of_round(level))?;
    let row = accountability::ActiveModel {
        problem_id: Set(problem.id),
        round_id: Set(problem.round_id),
        region_id: Set(problem.region_id),
        rank: Set(record.rank),
        consequence: Set(record.consequence),
        people: Set(record.people),
        decided_on: Set(record.decided_on),
        recorder_id: Set(acting.by.principal.account),
        recorded_at: Set(acting.now),
        version: Set(1),
        updated_at: Set(acting.now),
        ..Default::default()
    };
    let now = row.insert(&transaction).await?;
    settle(acting, transaction, &now, json!({})).await
}

/// Replaces the content of a record that is not withdrawn.
pub async fn correct(acting: &Acting<'_>, of: Option<i64>, version: i32, record: Record) -> Result<i64> {
    record.check(acting.today())?;
    let (transaction, was) = take(acting, of, version).await?;
    let row = accountability::ActiveModel {
        id: Set(was.id),
        rank: Set(record.rank),
        consequence: Set(record.consequence),
        people: Set(record.people),
        decided_on: Set(record.decided_on),
        version: Set(was.version + 1),
        updated_at: Set(acting.now),
        ..Default::default()
    };
    let now = row.update(&transaction).await?;
    settle(acting, transaction, &now, state(&was)).await
}

/// Withdraws a record: it is kept but no longer counted.
pub async fn withdraw(acting: &Acting<'_>, record: Option<i64>, version: i32, reason: &str) -> Result<i64> {
    let reason = fault::text(reason, 2..=MAX_WORDS, ("撤回理由", "the reason"), &["input", "reason"])?;
    let (transaction, was) = take(acting, record, version).await?;
    let row = accountability::ActiveModel {
        id: Set(was.id),
        withdrawn_at: Set(Some(acting.now)),
        withdraw_reason: Set(Some(reason)),
        version: Set(was.version + 1),
        updated_at: Set(acting.now),
        ..Default::default()
    };
    let now = row.update(&transaction).await?;
    settle(acting, transaction, &now, state(&was)).await
}

/// Begins a transaction, locks the problem of a record and reads the record; refuses one that is withdrawn.
async fn take(acting: &Acting<'_>, record: Option<i64>, version: i32) -> Result<(Transaction, accountability::Model)> {
    let path = ["input", "accountabilityId"];
    let unknown = || fault::unknown(Thing::Accountability, &path);
    let Some(id) = record else { return Err(unknown().into()) };
    let transaction = database::begin(acting.db).await?;
    let (_, level) = hold_problem(&transaction, acting.by, "accountability", id).await?.ok_or_else(unknown)?;
    let found = accountability::Entity::find_by_id(id).one(&transaction).await?.ok_or_else(unknown)?;
    permit(acting, Act::HoldToAccount, Standing::of_round(level))?;
    current(Some(version), found.version, ("追责记录", "record"))?;
    not_withdrawn(found.withdrawn_at, "这条追责记录", &path)?;
    Ok((transaction, found))
}

/// Records the change of a record in the change feed and the problem's audit chain, and commits.
async fn settle(
    acting: &Acting<'_>,
    transaction: Transaction,
    now: &accountability::Model,
    before: Value,
) -> Result<i64> {
    let object = (now.problem_id, None, format!("accountability_{}", now.id));
    settle_beside(acting, transaction, object, ChangeKind::HeldToAccount, (before, state(now))).await?;
    Ok(now.id)
}

/// Returns the fields of a record that the audit records.
fn state(row: &accountability::Model) -> Value {
    json!({
        "rank": row.rank.to_value(),
        "consequence": row.consequence.to_value(),
        "people": row.people,
        "decidedOn": row.decided_on,
        "withdrawnAt": row.withdrawn_at,
        "withdrawReason": row.withdraw_reason,
        "version": row.version,
    })
}
