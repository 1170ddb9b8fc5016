//! Records of runs: which occurrences of a schedule were run and how that ended, since when a job fails, and when it is
//! tried again.

use std::any::Any;
use std::error::Error as _;
use std::time::Instant;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use entity::job_run::{FailureKind, RunState};
use entity::{job_run, schedule};
use ledger::record::database;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, QueryFilter,
    QuerySelect,
};

use crate::context::Context;
use crate::job::Report;

/// How far the clocks of two processes may differ.
const SKEW: TimeDelta = TimeDelta::minutes(1);
/// The pauses, in minutes, after the first failure and the following ones; the last is the longest.
const PAUSES: [i64; 5] = [1, 5, 15, 30, 60];
/// The longest message of a failure that is kept, in characters.
const MAX_MESSAGE: usize = 1_000;

/// The beginning of a run. How long it takes is measured by the monotonic clock, so that it never ends before it began.
#[derive(Clone, Copy)]
pub(crate) struct Began {
    at: DateTime<Utc>,
    instant: Instant,
}

impl Began {
    /// Begins now.
    pub(crate) fn now(context: &Context) -> Self {
        Self { at: context.now(), instant: Instant::now() }
    }

    fn ended(self) -> DateTime<Utc> {
        TimeDelta::from_std(self.instant.elapsed())
            .ok()
            .and_then(|took| self.at.checked_add_signed(took))
            .unwrap_or(self.at)
    }
}

/// Why a run failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) message: String,
}

impl Failure {
    /// A failure with a message in both languages.
    pub(crate) fn new(kind: FailureKind, zh: &str, en: &str) -> Self {
        Self { kind, message: format!("{zh} · {en}") }
    }

    /// The failure of a run that panicked. The panic itself is in the log.
    pub(crate) fn of_panic(_: Box<dyn Any + Send>) -> Self {
        Self::new(FailureKind::Other, "程序出错中断，详见日志", "the run panicked; the log has the details")
    }
}

impl From<ledger::Error> for Failure {
    fn from(error: ledger::Error) -> Self {
        let kind = match error {
            ledger::Error::Database(_) => FailureKind::Database,
            ledger::Error::Storage(_) | ledger::Error::File { .. } => FailureKind::Storage,
            ledger::Error::Refused(_) | ledger::Error::Unwritten(_) => FailureKind::Other,
        };
        let mut message = error.to_string();
        if let Some(source) = error.source() {
            message = format!("{message}: {source}");
        }
        Self { kind, message: message.chars().take(MAX_MESSAGE).collect() }
    }
}

/// Returns the pause after so many failures one after the other.
fn pause(failures: i32) -> TimeDelta {
    let place = usize::try_from(failures - 1).unwrap_or(0).min(PAUSES.len() - 1);
    TimeDelta::minutes(PAUSES[place])
}

/// Whether a job that failed is not yet tried again. A moment after the longest pause is of a clock that was ahead.
pub(crate) fn is_waiting(row: &schedule::Model, now: DateTime<Utc>) -> bool {
    row.retry_at.is_some_and(|at| at > now && at <= now + pause(i32::MAX) + SKEW)
}

/// Claims an occurrence that begins to run; false when it was run before.
pub(crate) async fn claim<C: ConnectionTrait>(
    db: &C,
    schedule: i64,
    occurrence: DateTime<Utc>,
    began: Began,
) -> ledger::Result<bool> {
    let run =
        job_run::ActiveModel { state: Set(RunState::Running), attempts: Set(1), ..run(schedule, occurrence, began) };
    write(db, run).await
}

/// Records that a claimed occurrence has succeeded.
pub(crate) async fn finish<C: ConnectionTrait>(
    db: &C,
    schedule: i64,
    occurrence: DateTime<Utc>,
    began: Began,
    report: &Report,
) -> ledger::Result<()> {
    job_run::Entity::update_many()
        .set(job_run::ActiveModel {
            state: Set(RunState::Succeeded),
            finished_at: Set(Some(began.ended())),
            mails_queued: Set(i32::try_from(report.queued).unwrap_or(i32::MAX)),
            summary: Set(Some(report.summary.clone()).filter(|summary| !summary.is_empty())),
            ..Default::default()
        })
        .filter(job_run::Column::ScheduleId.eq(schedule))
        .filter(job_run::Column::Occurrence.eq(occurrence))
        .exec(db)
        .await?;
    Ok(())
}

/// Records that a missed occurrence is not run.
pub(crate) async fn skip<C: ConnectionTrait>(
    db: &C,
    schedule: i64,
    occurrence: DateTime<Utc>,
    began: Began,
) -> ledger::Result<()> {
    let run = job_run::ActiveModel {
        finished_at: Set(Some(began.at)),
        state: Set(RunState::Skipped),
        attempts: Set(0),
        error: Set(Some("错过的时点，按策略跳过".to_owned())),
        ..run(schedule, occurrence, began)
    };
    write(db, run).await?;
    Ok(())
}

/// Records that an occurrence has failed, and when the job is tried again. Does nothing if another scheduler has run
/// the occurrence in the meantime.
pub(crate) async fn fail(
    db: &DatabaseConnection,
    schedule: i64,
    occurrence: DateTime<Utc>,
    began: Began,
    failure: &Failure,
) -> ledger::Result<()> {
    let transaction = database::begin(db).await?;
    let locked = schedule::Entity::find_by_id(schedule).lock_exclusive().one(&transaction).await?;
    let Some(row) = locked else { return Ok(()) };
    let ended = began.ended();
    let run = job_run::ActiveModel {
        finished_at: Set(Some(ended)),
        state: Set(RunState::Failed),
        attempts: Set(1),
        failure_kind: Set(Some(failure.kind)),
        error: Set(Some(failure.message.clone())),
        ..run(schedule, occurrence, began)
    };
    if !write(&transaction, run).await? {
        transaction.rollback().await?;
        return Ok(());
    }
    let failures = row.failures.saturating_add(1);
    // Ticks come at the beginning of minutes.
    let retry_at = ended.duration_trunc(TimeDelta::minutes(1)).unwrap_or(ended) + pause(failures);
    let (kind, error) = (failure.kind, &failure.message);
    tracing::error!(?kind, error, failures, %retry_at, "a job failed; it is tried again");
    let mut changed = schedule::ActiveModel {
        id: Set(row.id),
        failures: Set(failures),
        failing_since: Set(Some(row.failing_since.unwrap_or(ended))),
        retry_at: Set(Some(retry_at)),
        ..Default::default()
    };
    if row.last_occurrence == occurrence {
        // It ran beside the ticks, and its schedule has moved on already.
        changed.last_occurrence = Set(occurrence - TimeDelta::seconds(1));
    }
    changed.update(&transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Returns the change of a schedule whose job has succeeded.
pub(crate) fn succeeded(schedule: &schedule::Model, began: Began) -> schedule::ActiveModel {
    if let Some(since) = schedule.failing_since {
        tracing::info!(%since, failures = schedule.failures, "a job that had failed has succeeded");
    }
    schedule::ActiveModel {
        id: Set(schedule.id),
        failures: Set(0),
        failing_since: Set(None),
        retry_at: Set(None),
        succeeded_at: Set(Some(began.ended())),
        ..Default::default()
    }
}

/// Takes back what a clock that was ahead has left, if it has: the schedule goes on from now, and runs that it has had
/// before their time may be run again.
pub(crate) async fn take_back(
    db: &DatabaseConnection,
    schedule: &schedule::Model,
    now: DateTime<Utc>,
) -> ledger::Result<bool> {
    if schedule.last_occurrence <= now + SKEW {
        return Ok(false);
    }
    let transaction = database::begin(db).await?;
    let back = schedule::ActiveModel { last_occurrence: Set(now), ..Default::default() };
    let taken = schedule::Entity::update_many()
        .set(back)
        .filter(schedule::Column::Id.eq(schedule.id))
        .filter(schedule::Column::LastOccurrence.gt(now + SKEW))
        .exec(&transaction)
        .await?;
    if taken.rows_affected == 1 {
        let failure = Failure::new(
            FailureKind::Clock,
            "当时时钟超前，到时将重新运行",
            "the clock was ahead; the occurrence is run again when it is due",
        );
        let runs = job_run::Entity::update_many()
            .set(job_run::ActiveModel {
                state: Set(RunState::Failed),
                failure_kind: Set(Some(failure.kind)),
                error: Set(Some(failure.message)),
                ..Default::default()
            })
            .filter(job_run::Column::ScheduleId.eq(schedule.id))
            .filter(job_run::Column::Occurrence.gt(now))
            .filter(job_run::Column::StartedAt.gt(now + SKEW))
            .exec(&transaction)
            .await?;
        tracing::error!(
            job = schedule.name,
            last_occurrence = %schedule.last_occurrence,
            runs = runs.rows_affected,
            "a schedule had got ahead, which only a clock that was ahead can have caused; it goes on from now"
        );
    }
    transaction.commit().await?;
    Ok(true)
}

/// Returns the part of a record that all have.
fn run(schedule: i64, occurrence: DateTime<Utc>, began: Began) -> job_run::ActiveModel {
    job_run::ActiveModel {
        schedule_id: Set(schedule),
        occurrence: Set(occurrence),
        started_at: Set(began.at),
        finished_at: Set(None),
        mails_queued: Set(0),
        failure_kind: Set(None),
        error: Set(None),
        ..Default::default()
    }
}

/// Writes a record. Returns false if the occurrence has a record already, unless that run failed.
async fn write<C: ConnectionTrait>(db: &C, run: job_run::ActiveModel) -> ledger::Result<bool> {
    let again = OnConflict::columns([job_run::Column::ScheduleId, job_run::Column::Occurrence])
        .update_columns([
            job_run::Column::StartedAt,
            job_run::Column::FinishedAt,
            job_run::Column::State,
            job_run::Column::FailureKind,
            job_run::Column::Error,
        ])
        .value(job_run::Column::Attempts, Expr::cust("job_run.attempts + excluded.attempts"))
        .action_and_where(Expr::cust("job_run.state = 'FAILED'"))
        .to_owned();
    Ok(job_run::Entity::insert(run).on_conflict(again).exec_without_returning(db).await? == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour() {
        let pauses: Vec<i64> = (1..8).map(|failures| pause(failures).num_minutes()).collect();
        assert_eq!(pauses, [1, 5, 15, 30, 60, 60, 60]);
    }
}
