//! Operations by an administrator: editing schedules, running jobs by hand, and requeuing or cancelling mails.

use chrono_tz::Tz;
use entity::mail::{self, MailState};
use entity::schedule::{self, Misfire};
use planner::{Bilingual, Condition, Sql};
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::NotSet, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait,
    QueryFilter,
};
use serde_json::{Value, json};

use super::shared::{difference, note_own, permit_anywhere, take_row};
use crate::fault::{self, Fault, FaultCode, Thing};
use crate::patch::Patch;
use crate::people::policy::Act;
use crate::record::audit::{self, Entry};
use crate::record::database;
use crate::record::database::Transaction;
use crate::record::outbox;
use crate::rule::pace;
use crate::work::{Acting, in_sight};
use crate::{Error, Result};

/// The most mails that one statement changes.
const TOGETHER: usize = 500;

/// Changes to a schedule.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// The cron pattern, with five fields, or six with seconds first: `0 0 8 * * *`.
    pub cron: Patch<String>,
    /// The IANA name of the time zone in which the pattern is read, such as `Asia/Shanghai`.
    pub time_zone: Patch<String>,
    /// Whether the job runs at all.
    pub enabled: Patch<bool>,
    /// The misfire policy: what happens to occurrences missed while no scheduler was running.
    pub misfire: Patch<Misfire>,
}

fn state(row: &schedule::Model) -> Value {
    json!({ "cron": row.cron, "timeZone": row.time_zone, "enabled": row.enabled, "misfire": row.misfire.to_value() })
}

/// Edits a schedule, which starts anew: occurrences that were missed while it was disabled or under the old pattern are
/// not caught up.
///
/// `check` takes a pattern and a time zone and says why the pattern is refused, if it is.
pub async fn edit_schedule(
    acting: &Acting<'_>,
    schedule: Option<i64>,
    changes: Changes,
    check: impl Fn(&str, &str) -> std::result::Result<(), Bilingual>,
) -> Result<i64> {
    permit_anywhere(acting, Act::KeepAccounts)?;
    let transaction = database::begin(acting.db).await?;
    let there = take_row::<schedule::Entity>(&transaction, schedule, Thing::Schedule, "scheduleId").await?;
    let id = there.id;
    let (cron, time_zone) = fault::all((
        changes.cron.read(there.cron.clone(), |given| {
            fault::line(&given, 1..=200, ("定时格式", "the pattern"), &["input", "cron"])
        }),
        changes.time_zone.read(there.time_zone.clone(), |given| {
            fault::line(&given, 1..=60, ("时区", "the time zone"), &["input", "timeZone"])
        }),
    ))?;
    let now = schedule::Model {
        cron,
        time_zone,
        enabled: changes.enabled.or(there.enabled),
        misfire: changes.misfire.or(there.misfire),
        last_occurrence: acting.now,
        failures: 0,
        failing_since: None,
        retry_at: None,
        ..there.clone()
    };
    if now.time_zone.parse::<Tz>().is_err() {
        let zh = format!("没有名为“{}”的时区，应为 IANA 名称，如 Asia/Shanghai", now.time_zone);
        let en = format!("there is no time zone “{}”: use an IANA name such as Asia/Shanghai", now.time_zone);
        return Err(Fault::invalid(zh, en, &["input", "timeZone"]).into());
    }
    if let Err(Bilingual { zh, en }) = check(&now.cron, &now.time_zone) {
        return Err(Fault::invalid(zh, en, &["input", "cron"]).into());
    }
    let Some((before, after)) = difference(state(&there), state(&now)) else { return Ok(id) };
    schedule::ActiveModel::from(now).reset_all().update(&transaction).await?;
    let said = Entry::of("EDITED", format!("schedule_{id}")).changed(before, after);
    note_own(&transaction, acting, said).await?;
    transaction.commit().await?;
    Ok(id)
}

/// Checks that the caller may run the job of a schedule by hand, and returns the schedule's key and the run, not yet
/// begun. A run is recorded in the audit before it begins; a rehearsal, which writes nothing, is not.
///
/// `run` takes the name of a job and returns a run of it, or `None` if the job runs by itself only.
pub async fn ask_run<R>(
    acting: &Acting<'_>,
    schedule: Option<i64>,
    is_rehearsal: bool,
    run: impl FnOnce(&str) -> Option<R>,
) -> Result<(i64, R)> {
    permit_anywhere(acting, Act::KeepAccounts)?;
    let transaction = database::begin(acting.db).await?;
    let row = take_row::<schedule::Entity>(&transaction, schedule, Thing::Schedule, "scheduleId").await?;
    let Some(run) = run(&row.name) else {
        let (zh, en) = ("这项任务自行运行，不能手动运行", "this job runs by itself and is not run by hand");
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "scheduleId"]).into());
    };
    if !is_rehearsal {
        note_own(&transaction, acting, Entry::of("JOB_RUN", format!("schedule_{}", row.id))).await?;
    }
    transaction.commit().await?;
    Ok((row.id, run))
}

/// Returns the mail with this key, if the caller may see it.
pub async fn mail_in_sight(acting: &Acting<'_>, mail: i64) -> Result<Option<mail::Model>> {
    in_sight::<mail::Entity>(acting, "mail", mail).await
}

/// Requeues a mail that failed or was cancelled, to be sent at once.
pub async fn requeue_mail(acting: &Acting<'_>, mail: Option<i64>) -> Result<i64> {
    let (transaction, row) = take(acting, mail).await?;
    if let Some(fault) = still_waits(&row, &["input", "mailId"]) {
        return Err(fault.into());
    }
    move_mail(acting, &transaction, &row, requeued(acting, row.id)).await?;
    transaction.commit().await?;
    Ok(row.id)
}

/// Which mails are requeued together.
#[derive(Debug, Clone)]
pub enum Requeued {
    /// The mails with these keys, each of which failed, was cancelled or was sent; none for an id that is not a mail's.
    These(Vec<Option<i64>>),
    /// Those that failed and satisfy a condition.
    Failed(Condition),
}

impl Requeued {
    /// Returns the choice of every mail that failed.
    pub fn all_failed() -> Self {
        Self::Failed(Condition::always())
    }
}

/// Requeues several mails, to be sent at once: all of them, or none if they are more than `most` or one cannot be
/// requeued.
///
/// Returns their number.
pub async fn requeue_mails(acting: &Acting<'_>, which: Requeued, most: usize) -> Result<usize> {
    permit_anywhere(acting, Act::KeepAccounts)?;
    let transaction = database::begin(acting.db).await?;
    let rows = match which {
        Requeued::These(keys) => {
            let field = ["input", "mailIds"];
            few(keys.len(), most, &field)?;
            let known = Condition::In("id", keys.iter().flatten().map(|key| (*key).into()).collect());
            all_of(&keys, waiting(acting, &transaction, &known, most).await?)?
        }
        Requeued::Failed(condition) => {
            let failed = Condition::Compare("state", "=", MailState::Failed.to_value().into());
            let rows = waiting(acting, &transaction, &failed.and(condition), most.saturating_add(1)).await?;
            few(rows.len(), most, &["input", "filter"])?;
            rows
        }
    };
    let keys: Vec<i64> = rows.iter().map(|row| row.id).collect();
    for some in keys.chunks(TOGETHER) {
        mail::Entity::update_many()
            .set(mail::ActiveModel { id: NotSet, ..requeued(acting, 0) })
            .filter(mail::Column::Id.is_in(some.iter().copied()))
            .exec(&transaction)
            .await?;
    }
    let noted = rows.iter().map(|row| moved_to(row, MailState::Queued)).collect();
    audit::note_all(&transaction, acting.by, noted, acting.now).await?;
    if !rows.is_empty() {
        transaction.wake(&outbox::QUEUE);
    }
    transaction.commit().await?;
    Ok(rows.len())
}

/// Locks the mails that the caller sees and that satisfy a condition, and reads at most `most` of them.
async fn waiting(
    acting: &Acting<'_>,
    transaction: &Transaction,
    condition: &Condition,
    most: usize,
) -> Result<Vec<mail::Model>> {
    let facts = pace::facts(acting.today(), acting.zone);
    let mut sql = Sql::within(transaction.get_database_backend(), &facts, &acting.by.principal);
    let mut wanted = condition.to_sql(&mut sql, "held");
    if let Some(seen) = sql.seen("mail", "held") {
        wanted = format!("{wanted} AND {seen}");
    }
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let lock = sql.lock(Some("held"));
    let text = format!("SELECT held.* FROM mail held WHERE {wanted} ORDER BY held.id LIMIT {most}{lock}");
    Ok(mail::Entity::find().from_raw_sql(sql.statement(text)).all(transaction).await?)
}

/// Returns the mails with these keys, each once; faults for those that do not exist or still wait to be sent.
fn all_of(keys: &[Option<i64>], found: Vec<mail::Model>) -> Result<Vec<mail::Model>> {
    let faults: Vec<Fault> = keys
        .iter()
        .enumerate()
        .filter_map(|(index, key)| {
            let path = ["input", "mailIds", &index.to_string()];
            // They are read in the order of their keys.
            let place = key.and_then(|key| found.binary_search_by_key(&key, |row| row.id).ok());
            match place.map(|place| &found[place]) {
                None => Some(fault::unknown(Thing::Mail, &path)),
                Some(row) => still_waits(row, &path),
            }
        })
        .collect();
    if faults.is_empty() { Ok(found) } else { Err(Error::Refused(faults)) }
}

/// Refuses more mails than `most`.
fn few(count: usize, most: usize, path: &[&str]) -> Result<(), Fault> {
    if count <= most {
        return Ok(());
    }
    let zh = format!("一次最多重新发送 {most} 封，请分批办理");
    let en = format!("at most {most} mails are requeued at a time: narrow the choice");
    Err(Fault::invalid(zh, en, path))
}

/// Returns the fault of requeueing a mail that still waits to be sent.
fn still_waits(row: &mail::Model, path: &[&str]) -> Option<Fault> {
    let is_over = matches!(row.state, MailState::Failed | MailState::Cancelled | MailState::Sent);
    (!is_over).then(|| Fault::new(FaultCode::WrongState, "邮件还在等待发送", "the mail still waits to be sent", path))
}

/// Returns the update that puts the mail with a key into the queue again.
fn requeued(acting: &Acting<'_>, id: i64) -> mail::ActiveModel {
    mail::ActiveModel {
        id: Set(id),
        state: Set(MailState::Queued),
        attempts: Set(0),
        bounced_at: Set(None),
        next_attempt_at: Set(acting.now),
        ..Default::default()
    }
}

/// Cancels a mail that is queued or failed, so that it is not sent.
pub async fn cancel_mail(acting: &Acting<'_>, mail: Option<i64>) -> Result<i64> {
    let (transaction, row) = take(acting, mail).await?;
    if !matches!(row.state, MailState::Queued | MailState::Failed) {
        let (zh, en) = ("只有待发送或发送失败的邮件可以取消", "only a mail that is queued or failed can be cancelled");
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "mailId"]).into());
    }
    let moved = mail::ActiveModel { id: Set(row.id), state: Set(MailState::Cancelled), ..Default::default() };
    move_mail(acting, &transaction, &row, moved).await?;
    transaction.commit().await?;
    Ok(row.id)
}

async fn take(acting: &Acting<'_>, mail: Option<i64>) -> Result<(Transaction, mail::Model)> {
    permit_anywhere(acting, Act::KeepAccounts)?;
    let transaction = database::begin(acting.db).await?;
    let row = take_row::<mail::Entity>(&transaction, mail, Thing::Mail, "mailId").await?;
    Ok((transaction, row))
}

/// Moves a mail to another state and records it in the audit.
async fn move_mail(
    acting: &Acting<'_>,
    transaction: &Transaction,
    row: &mail::Model,
    moved: mail::ActiveModel,
) -> Result<()> {
    let now = moved.update(transaction).await?;
    if now.state == MailState::Queued {
        transaction.wake(&outbox::QUEUE);
    }
    note_own(transaction, acting, moved_to(row, now.state)).await
}

/// Returns the audit entry of a mail that moves to another state.
fn moved_to(row: &mail::Model, state: MailState) -> Entry {
    let act = state.to_value();
    Entry::of(&act, format!("mail_{}", row.id))
        .changed(json!({ "state": row.state.to_value() }), json!({ "state": act }))
}
