//! Operations by an administrator: editing schedules, running jobs by hand, and requeuing or cancelling mails.

use chrono_tz::Tz;
use entity::mail::{self, MailState};
use entity::schedule::{self, Misfire};
use planner::Bilingual;
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::{Value, json};

use super::shared::{difference, note_own, permit_anywhere, take_row};
use crate::Result;
use crate::fault::{self, Fault, FaultCode, Thing};
use crate::patch::Patch;
use crate::people::policy::Act;
use crate::record::audit::Entry;
use crate::record::database;
use crate::record::database::Transaction;
use crate::record::outbox;
use crate::work::Acting;

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

/// Requeues a mail that failed or was cancelled, to be sent at once.
pub async fn requeue_mail(acting: &Acting<'_>, mail: Option<i64>) -> Result<i64> {
    let (transaction, row) = take(acting, mail).await?;
    if !matches!(row.state, MailState::Failed | MailState::Cancelled | MailState::Sent) {
        let (zh, en) = ("邮件还在等待发送", "the mail still waits to be sent");
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "mailId"]).into());
    }
    move_mail(acting, &transaction, &row, requeued(acting, &row)).await?;
    transaction.commit().await?;
    Ok(row.id)
}

/// Requeues every mail that failed, and returns their number.
pub async fn requeue_failed(acting: &Acting<'_>) -> Result<usize> {
    permit_anywhere(acting, Act::KeepAccounts)?;
    let transaction = database::begin(acting.db).await?;
    let failed = mail::Entity::find().filter(mail::Column::State.eq(MailState::Failed)).order_by_asc(mail::Column::Id);
    let rows = failed.lock_exclusive().all(&transaction).await?;
    for row in &rows {
        move_mail(acting, &transaction, row, requeued(acting, row)).await?;
    }
    transaction.commit().await?;
    Ok(rows.len())
}

fn requeued(acting: &Acting<'_>, row: &mail::Model) -> mail::ActiveModel {
    mail::ActiveModel {
        id: Set(row.id),
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
    let act = now.state.to_value();
    let said = Entry::of(&act, format!("mail_{}", row.id))
        .changed(json!({ "state": row.state.to_value() }), json!({ "state": act }));
    note_own(transaction, acting, said).await
}
