//! Numbers that published reports state about a round (公布数), with their source. They are shown beside those that the
//! ledger counts, and change none of them. A wrong record is corrected or withdrawn, never deleted.

use chrono::NaiveDate;
use entity::published_figure::{self, Counted, Topic};
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

/// The maximum number in a record.
const MAX_AMOUNT: i64 = 1_000_000_000;

/// A number that a report states.
#[derive(Debug, Clone)]
pub struct Record {
    /// The key of the region that the number speaks of.
    pub region: Option<i64>,
    /// What is counted.
    pub counted: Counted,
    /// Which of them are counted; ranks and consequences are those of people.
    pub topic: Topic,
    /// The words of the report; a rank, a consequence and other topics need them.
    pub label: Option<String>,
    /// The number, from 0 to 1,000,000,000.
    pub amount: i64,
    /// The local date until which the report counts, not after today.
    pub as_of: NaiveDate,
    /// The title of the report, with its number or the page.
    pub source: String,
}

/// What a record says once it is checked.
struct Checked {
    label: Option<String>,
    source: String,
}

impl Record {
    fn check(&self, today: NaiveDate) -> Result<Checked> {
        let ((), label, (), (), source) = fault::all((
            self.topic(),
            self.label(),
            self.amount(),
            fault::past_day(self.as_of, today, ("截至日期", "the date"), &["input", "asOf"]),
            fault::line(&self.source, 2..=300, ("出处", "the source"), &["input", "source"]),
        ))?;
        Ok(Checked { label, source })
    }

    /// Refuses a topic that what is counted does not have.
    fn topic(&self) -> Result<(), Fault> {
        let is_of_people = matches!(self.topic, Topic::Rank | Topic::Consequence);
        let is_of_all = matches!(self.topic, Topic::Total | Topic::Other);
        if is_of_all || is_of_people == (self.counted == Counted::People) {
            return Ok(());
        }
        let (zh, en) = if is_of_people {
            ("职级和追责方式只用于问责人数", "only people held to account have a rank and a consequence")
        } else {
            ("问责人数没有整改进展，请另选统计内容", "people held to account have no progress: choose another topic")
        };
        Err(Fault::invalid(zh, en, &["input", "topic"]))
    }

    fn label(&self) -> Result<Option<String>, Fault> {
        let path = ["input", "label"];
        let given = self.label.as_deref().filter(|label| !fault::is_empty(label));
        if given.is_none() && matches!(self.topic, Topic::Rank | Topic::Consequence | Topic::Other) {
            let (zh, en) = (
                "请按报告原文填写职级、追责方式或统计的内容",
                "give the rank, the consequence or what is counted in the words of the report",
            );
            return Err(Fault::invalid(zh, en, &path));
        }
        given.map(|label| fault::line(label, 1..=100, ("原文名称", "the label"), &path)).transpose()
    }

    fn amount(&self) -> Result<(), Fault> {
        if (0..=MAX_AMOUNT).contains(&self.amount) {
            return Ok(());
        }
        let zh = format!("公布数应为 0 至 {MAX_AMOUNT}");
        let en = format!("the number must be 0 to {MAX_AMOUNT}");
        Err(Fault::invalid(zh, en, &["input", "amount"]))
    }
}

/// Records a number that a report states about a round, and returns the key of the record.
pub async fn record(acting: &Acting<'_>, round: Option<i64>, record: &Record) -> Result<i64> {
    permit_anywhere(acting, Act::KeepLedger)?;
    let checked = record.check(acting.today())?;
    let transaction = database::begin(acting.db).await?;
    let round = round::seen(acting, &transaction, round, "roundId").await?;
    let region_id = region(acting, &transaction, round.id, record.region).await?;
    let row = published_figure::ActiveModel {
        round_id: Set(round.id),
        region_id: Set(region_id),
        counted: Set(record.counted),
        topic: Set(record.topic),
        label: Set(checked.label),
        amount: Set(record.amount),
        as_of: Set(record.as_of),
        source: Set(checked.source),
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
    let region_id = if record.region == Some(was.region_id) {
        was.region_id
    } else {
        region(acting, &transaction, was.round_id, record.region).await?
    };
    let row = published_figure::ActiveModel {
        id: Set(was.id),
        region_id: Set(region_id),
        counted: Set(record.counted),
        topic: Set(record.topic),
        label: Set(checked.label),
        amount: Set(record.amount),
        as_of: Set(record.as_of),
        source: Set(checked.source),
        version: Set(was.version + 1),
        updated_at: Set(acting.now),
        ..Default::default()
    };
    let now = row.update(&transaction).await?;
    settle(acting, transaction, &now, state(&was)).await
}

/// Withdraws a record: it is kept but no longer compared.
pub async fn withdraw(acting: &Acting<'_>, of: Option<i64>, version: i32, reason: &str) -> Result<i64> {
    permit_anywhere(acting, Act::KeepLedger)?;
    let reason = fault::text(reason, 2..=MAX_WORDS, ("撤回理由", "the reason"), &["input", "reason"])?;
    let (transaction, was) = take(acting, of, version).await?;
    let row = published_figure::ActiveModel {
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

/// Checks that the caller keeps the ledger of the region that a number speaks of, and returns its key.
async fn region(acting: &Acting<'_>, db: &Transaction, round: i64, region: Option<i64>) -> Result<i64> {
    let region = live(db, region).await?;
    permit(db, acting, Act::KeepLedger, (round, region.id)).await?;
    Ok(region.id)
}

/// Begins a transaction, locks the round of a record and reads the record; refuses one that is withdrawn.
async fn take(
    acting: &Acting<'_>,
    record: Option<i64>,
    version: i32,
) -> Result<(Transaction, published_figure::Model)> {
    let path = ["input", "figureId"];
    let unknown = || fault::unknown(Thing::PublishedFigure, &path);
    let id = record.ok_or_else(unknown)?;
    let transaction = database::begin(acting.db).await?;
    let (by, table) = (&acting.by.principal, ("published_figure", id));
    let found = seen::<published_figure::Entity, _>(&transaction, by, table, |_| String::new()).await?;
    let found = found.ok_or_else(unknown)?;
    round::seen(acting, &transaction, Some(found.round_id), "figureId").await?;
    // Read again: it may have changed before the round was locked.
    let found = published_figure::Entity::find_by_id(id).one(&transaction).await?.ok_or_else(unknown)?;
    permit(&transaction, acting, Act::KeepLedger, (found.round_id, found.region_id)).await?;
    current(Some(version), found.version, ("公布数", "record"))?;
    not_withdrawn(found.withdrawn_at, "这条公布数", &path)?;
    Ok((transaction, found))
}

/// Records the change of a record in the audit chain of its round, and commits.
async fn settle(
    acting: &Acting<'_>,
    transaction: Transaction,
    now: &published_figure::Model,
    before: Value,
) -> Result<i64> {
    let said = Entry::of("FIGURE_RECORDED", format!("publishedfigure_{}", now.id)).in_round(now.round_id);
    note_own(&transaction, acting, said.changed(before, state(now))).await?;
    transaction.commit().await?;
    Ok(now.id)
}

/// Returns the fields of a record that the audit records.
fn state(row: &published_figure::Model) -> Value {
    json!({
        "region": row.region_id,
        "counted": row.counted.to_value(),
        "topic": row.topic.to_value(),
        "label": row.label,
        "amount": row.amount,
        "asOf": row.as_of,
        "source": row.source,
        "withdrawnAt": row.withdrawn_at,
        "withdrawReason": row.withdraw_reason,
        "version": row.version,
    })
}
