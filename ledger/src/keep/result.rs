//! Counted results (督察成果) of a round: plants closed, fines, penalties, institutions. A wrong record is corrected or
//! withdrawn, never deleted.

use chrono::NaiveDate;
use entity::round_result::{self, ResultKind};
use sea_orm::{ActiveEnum, ActiveModelTrait, ActiveValue::Set, EntityTrait};
use serde_json::{Value, json};

use super::region::live;
use super::round;
use super::shared::{note_own, permit, permit_anywhere};
use crate::Result;
use crate::fault::{self, Fault, Thing};
use crate::people::policy::Act;
use crate::record::audit::Entry;
use crate::record::database;
use crate::record::database::Transaction;
use crate::work::{Acting, MAX_WORDS, current, not_withdrawn, seen};

/// The maximum number of results in a record.
const MAX_AMOUNT: i32 = 1_000_000;
/// The maximum total of fines in a record, in 万元 (10,000 yuan).
const MAX_MONEY: f64 = 1e8;

/// A record of results: a number of results of one kind.
#[derive(Debug, Clone)]
pub struct Record {
    /// The kind of result.
    pub kind: ResultKind,
    /// The name of the institution, or a remark; an institution and other results need one.
    pub title: Option<String>,
    /// The number of results, from 0 to 1,000,000.
    pub amount: i32,
    /// The total of the fines, in 万元 (10,000 yuan), at most 100,000,000; must be `None` for other kinds.
    pub money: Option<f64>,
    /// The key of the region of the results; `None` for the round as a whole.
    pub region: Option<i64>,
    /// The local date of the results, or until which they are counted; not after today.
    pub decided_on: Option<NaiveDate>,
}

/// What a record says once it is checked.
struct Checked {
    title: Option<String>,
    money: Option<i64>,
}

impl Record {
    fn check(&self, today: NaiveDate) -> Result<Checked> {
        let (title, (), money, ()) = fault::all((
            self.title(),
            self.amount(),
            self.money(),
            self.decided_on
                .map_or(Ok(()), |day| fault::past_day(day, today, ("日期", "the date"), &["input", "decidedOn"])),
        ))?;
        Ok(Checked { title, money })
    }

    fn title(&self) -> Result<Option<String>, Fault> {
        let path = ["input", "title"];
        let given = self.title.as_deref().filter(|title| !fault::is_empty(title));
        if given.is_none() && matches!(self.kind, ResultKind::Institution | ResultKind::Other) {
            let (zh, en) =
                ("请填写制度名称，或说明是什么成果", "name the institution, or say what kind of result it is");
            return Err(Fault::invalid(zh, en, &path));
        }
        given.map(|title| fault::line(title, 1..=200, ("名称或说明", "the title"), &path)).transpose()
    }

    fn amount(&self) -> Result<(), Fault> {
        if (0..=MAX_AMOUNT).contains(&self.amount) {
            return Ok(());
        }
        let zh = format!("数量应为 0 至 {MAX_AMOUNT}");
        let en = format!("the amount must be 0 to {MAX_AMOUNT}");
        Err(Fault::invalid(zh, en, &["input", "amount"]))
    }

    /// Checks the total of the fines, and returns it in yuan.
    fn money(&self) -> Result<Option<i64>, Fault> {
        let path = ["input", "money"];
        let Some(money) = self.money else { return Ok(None) };
        if self.kind != ResultKind::Fined {
            let (zh, en) = ("只有罚款才填金额", "only fines have a total: leave it out");
            return Err(Fault::invalid(zh, en, &path));
        }
        if !(0.0..=MAX_MONEY).contains(&money) {
            let (zh, en) = ("金额应为 0 至 100000000 万元", "the total must be between 0 and 100,000,000 (万元)");
            return Err(Fault::invalid(zh, en, &path));
        }
        Ok(Some((money * 1e4).round() as i64))
    }
}

/// Records results of a round, and returns the key of the record.
pub async fn record(acting: &Acting<'_>, round: Option<i64>, record: &Record) -> Result<i64> {
    permit_anywhere(acting, Act::KeepLedger)?;
    let checked = record.check(acting.today())?;
    let transaction = database::begin(acting.db).await?;
    let round = round::seen(acting, &transaction, round, "roundId").await?;
    let region_id = region(acting, &transaction, round.id, record.region).await?;
    let row = round_result::ActiveModel {
        round_id: Set(round.id),
        kind: Set(record.kind),
        title: Set(checked.title),
        amount: Set(record.amount),
        money: Set(checked.money),
        region_id: Set(region_id),
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
pub async fn correct(acting: &Acting<'_>, of: Option<i64>, version: i32, record: &Record) -> Result<i64> {
    permit_anywhere(acting, Act::KeepLedger)?;
    let checked = record.check(acting.today())?;
    let (transaction, was) = take(acting, of, version).await?;
    let region_id = if record.region == was.region_id {
        was.region_id
    } else {
        region(acting, &transaction, was.round_id, record.region).await?
    };
    let row = round_result::ActiveModel {
        id: Set(was.id),
        kind: Set(record.kind),
        title: Set(checked.title),
        amount: Set(record.amount),
        money: Set(checked.money),
        region_id: Set(region_id),
        decided_on: Set(record.decided_on),
        version: Set(was.version + 1),
        updated_at: Set(acting.now),
        ..Default::default()
    };
    let now = row.update(&transaction).await?;
    settle(acting, transaction, &now, state(&was)).await
}

/// Withdraws a record: it is kept but no longer counted.
pub async fn withdraw(acting: &Acting<'_>, of: Option<i64>, version: i32, reason: &str) -> Result<i64> {
    permit_anywhere(acting, Act::KeepLedger)?;
    let reason = fault::text(reason, 2..=MAX_WORDS, ("撤回理由", "the reason"), &["input", "reason"])?;
    let (transaction, was) = take(acting, of, version).await?;
    let row = round_result::ActiveModel {
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

/// Checks that the caller keeps the ledger of the region of results or, if they have none, everything in the round.
async fn region(acting: &Acting<'_>, db: &Transaction, round: i64, region: Option<i64>) -> Result<Option<i64>> {
    let Some(region) = region else {
        round::keeps_all(acting, db, round).await?;
        return Ok(None);
    };
    let region = live(db, Some(region)).await?;
    permit(db, acting, Act::KeepLedger, (round, region.id)).await?;
    Ok(Some(region.id))
}

/// Begins a transaction, locks the round of a record and reads the record; refuses one that is withdrawn.
async fn take(acting: &Acting<'_>, record: Option<i64>, version: i32) -> Result<(Transaction, round_result::Model)> {
    let path = ["input", "resultId"];
    let unknown = || fault::unknown(Thing::RoundResult, &path);
    let id = record.ok_or_else(unknown)?;
    let transaction = database::begin(acting.db).await?;
    let table = ("round_result", id);
    let found = seen::<round_result::Entity, _>(&transaction, &acting.by.principal, table, |_| String::new()).await?;
    let found = found.ok_or_else(unknown)?;
    round::seen(acting, &transaction, Some(found.round_id), "resultId").await?;
    // Read again: it may have changed before the round was locked.
    let found = round_result::Entity::find_by_id(id).one(&transaction).await?.ok_or_else(unknown)?;
    match found.region_id {
        Some(region) => permit(&transaction, acting, Act::KeepLedger, (found.round_id, region)).await?,
        None => round::keeps_all(acting, &transaction, found.round_id).await?,
    }
    current(Some(version), found.version, ("成果记录", "record"))?;
    not_withdrawn(found.withdrawn_at, "这条成果记录", &path)?;
    Ok((transaction, found))
}

/// Records the change of a record in the audit chain of its round, and commits.
async fn settle(
    acting: &Acting<'_>,
    transaction: Transaction,
    now: &round_result::Model,
    before: Value,
) -> Result<i64> {
    let said = Entry::of("RESULT_RECORDED", format!("roundresult_{}", now.id)).in_round(now.round_id);
    note_own(&transaction, acting, said.changed(before, state(now))).await?;
    transaction.commit().await?;
    Ok(now.id)
}

/// Returns the fields of a record that the audit records.
fn state(row: &round_result::Model) -> Value {
    json!({
        "kind": row.kind.to_value(),
        "title": row.title,
        "amount": row.amount,
        "money": row.money,
        "region": row.region_id,
        "decidedOn": row.decided_on,
        "withdrawnAt": row.withdrawn_at,
        "withdrawReason": row.withdraw_reason,
        "version": row.version,
    })
}
