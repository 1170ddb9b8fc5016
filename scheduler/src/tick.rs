//! A tick: finds which occurrences are due, and runs them. The row of a schedule is locked, its occurrences since the
//! last one are claimed as `job_run` rows under a unique key, the job runs and the schedule moves on, all in one
//! transaction: restarts, missed ticks and second schedulers change nothing.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::job_run::RunState;
use entity::schedule::Misfire;
use entity::{job_run, schedule};
use ledger::record::database;
use sea_orm::sea_query::{LockBehavior, LockType, OnConflict};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use tracing::Instrument;

use crate::context::Context;
use crate::job::{Job, Occasion, Report, Run};
use crate::jobs::{self, JOBS};
use crate::pattern::Pattern;

/// The time that a tick allows one job.
const PATIENCE: Duration = Duration::from_mins(10);
/// The most missed occurrences of a schedule that are dealt with one by one, the latest; of the others only the number
/// is logged.
const RECORDED: usize = 50;
/// An occurrence of this age or older was missed.
const MISSED: TimeDelta = TimeDelta::minutes(2);

/// Enters jobs that have no schedule yet, with their defaults. Their first occurrence is the first after now.
pub async fn ensure_schedules(db: &DatabaseConnection, zone: Tz, now: DateTime<Utc>) -> ledger::Result<()> {
    let rows = JOBS.iter().map(|job| schedule::ActiveModel {
        name: Set(job.name.to_owned()),
        cron: Set(job.cron.to_owned()),
        time_zone: Set(zone.name().to_owned()),
        enabled: Set(true),
        misfire: Set(job.misfire),
        last_occurrence: Set(now),
        ..Default::default()
    });
    schedule::Entity::insert_many(rows)
        .on_conflict(OnConflict::column(schedule::Column::Name).do_nothing().to_owned())
        .exec_without_returning(db)
        .await?;
    Ok(())
}

/// A run that is due beside the ticks: of which job, for which occurrence of its schedule.
#[derive(Clone, Copy)]
pub struct Pending {
    job: &'static Job,
    schedule: i64,
    occurrence: DateTime<Utc>,
}

/// Runs every job that is due, and returns the runs that the caller begins beside the following ticks, because they
/// take as long as mail servers take. The failure of one job is recorded and keeps no other from running.
pub async fn tick(context: &Context) -> ledger::Result<Vec<Pending>> {
    let mut pending = Vec::new();
    let now = context.now();
    let schedules = schedule::Entity::find()
        .filter(schedule::Column::Enabled.eq(true))
        .order_by_asc(schedule::Column::Id)
        .all(&context.db)
        .await?;
    for row in schedules {
        let Some(job) = jobs::find(&row.name) else { continue };
        if (context.stopping)() {
            break;
        }
        let pattern = match Pattern::parse(&row.cron, &row.time_zone, now) {
            Ok(pattern) => pattern,
            Err(error) => {
                tracing::error!(job = row.name, %error, "the pattern of a schedule cannot be read");
                continue;
            }
        };
        // Most ticks find nothing due, and take no lock to learn it.
        if pattern.between(row.last_occurrence, now, 1).0.is_empty() {
            continue;
        }
        let span = tracing::info_span!("job", name = job.name);
        let run = Box::pin(due(context, job, row.id, &pattern, now)).instrument(span);
        let run = tokio::time::timeout(PATIENCE, run).await;
        let failure = match run {
            Ok(Ok(found)) => {
                pending.extend(found);
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("超过 {} 分钟没有完成", PATIENCE.as_secs() / 60),
        };
        tracing::error!(job = row.name, error = failure, "a job failed; the next tick tries it again");
        record_failure(context, &row, &pattern, now, &failure).await?;
    }
    Ok(pending)
}

/// Carries out a run beside the ticks. It is never cut short: a mail in the middle of being sent would be sent again.
pub async fn carry_out(context: &Context, pending: Pending) -> ledger::Result<()> {
    let Pending { job, schedule, occurrence } = pending;
    let Run::Beside(run) = job.run else { return Ok(()) };
    let began = context.now();
    let occasion = Occasion { context, occurrence, now: began, is_by_hand: false };
    let report = run(&occasion).instrument(tracing::info_span!("job", name = job.name)).await?;
    if !report.is_idle {
        claim(&context.db, schedule, occurrence, began, RunState::Running, None).await?;
        finish(&context.db, schedule, occurrence, context.now(), report.queued).await?;
        tracing::info!(%occurrence, summary = report.summary, "a job has run");
    }
    Ok(())
}

/// Runs what is due of one schedule.
async fn due(
    context: &Context,
    job: &'static Job,
    id: i64,
    pattern: &Pattern,
    now: DateTime<Utc>,
) -> ledger::Result<Option<Pending>> {
    if let Run::Before(run) = job.run {
        let report = run(&Occasion { context, occurrence: now, now, is_by_hand: false }).await?;
        tracing::info!(summary = report.summary, "a job has run");
    }
    let transaction = database::begin(&context.db).await?;
    let row = schedule::Entity::find_by_id(id)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .one(&transaction)
        .await?;
    // Another scheduler has it.
    let Some(row) = row else { return Ok(None) };
    let (mut fires, left_out) = pattern.between(row.last_occurrence, now, RECORDED);
    let Some(last) = fires.last().copied() else { return Ok(None) };
    let missed = if now - last < MISSED { fires.len() - 1 } else { fires.len() };
    let runs: Vec<DateTime<Utc>> = match row.misfire {
        Misfire::All => std::mem::take(&mut fires),
        Misfire::Skip if missed == fires.len() => Vec::new(),
        Misfire::Latest | Misfire::Skip => fires.pop().into_iter().collect(),
    };
    let skipped = fires.len() + left_out;
    if skipped > 0 {
        tracing::warn!(skipped, "missed occurrences are skipped by the misfire policy");
    }
    let is_beside = job.is_beside();
    if !is_beside {
        for skipped in fires {
            claim(&transaction, id, skipped, now, RunState::Skipped, Some("错过的时点，按策略跳过")).await?;
        }
    }
    let is_pending = is_beside && !runs.is_empty();
    for occurrence in runs.into_iter().filter(|_| !is_beside) {
        if !claim(&transaction, id, occurrence, now, RunState::Running, None).await? {
            continue;
        }
        let mut queued = 0;
        if let Run::Within(run) = job.run {
            let occasion = Occasion { context, occurrence, now, is_by_hand: false };
            let report = run(&occasion, &transaction).await?;
            queued = report.queued;
            tracing::info!(%occurrence, summary = report.summary, "a job has run");
        }
        finish(&transaction, id, occurrence, context.now(), queued).await?;
    }
    let mut moved: schedule::ActiveModel = row.into();
    moved.last_occurrence = Set(last);
    moved.update(&transaction).await?;
    transaction.commit().await?;
    Ok(is_pending.then_some(Pending { job, schedule: id, occurrence: last }))
}

/// Runs a job as of a moment, beside its schedule. A rehearsal writes nothing.
pub async fn run_at(context: &Context, job: &Job, at: DateTime<Utc>, is_rehearsal: bool) -> ledger::Result<Report> {
    let occasion = Occasion { context, occurrence: at, now: at, is_by_hand: true };
    if is_rehearsal {
        let transaction = database::begin(&context.db).await?;
        let report = (job.rehearse)(&occasion, &transaction).await?;
        transaction.rollback().await?;
        return Ok(report);
    }
    let run = match job.run {
        Run::Before(run) | Run::Beside(run) => return run(&occasion).await,
        Run::Within(run) => run,
    };
    ensure_schedules(&context.db, context.zone, context.now()).await?;
    let transaction = database::begin(&context.db).await?;
    let row = schedule::Entity::find().filter(schedule::Column::Name.eq(job.name)).one(&transaction).await?;
    let report = run(&occasion, &transaction).await?;
    // The mails of a reminder name its run; other runs by hand leave no record beside what they did.
    if let Some(row) = row.filter(|_| report.plan.is_some())
        && claim(&transaction, row.id, at, context.now(), RunState::Running, None).await?
    {
        finish(&transaction, row.id, at, context.now(), report.queued).await?;
    }
    transaction.commit().await?;
    Ok(report)
}

/// Claims an occurrence; false when it was claimed before.
async fn claim<C: ConnectionTrait>(
    db: &C,
    schedule: i64,
    occurrence: DateTime<Utc>,
    now: DateTime<Utc>,
    state: RunState,
    error: Option<&str>,
) -> ledger::Result<bool> {
    let ended = state != RunState::Running;
    let row = job_run::ActiveModel {
        schedule_id: Set(schedule),
        occurrence: Set(occurrence),
        started_at: Set(now),
        finished_at: Set(ended.then_some(now)),
        state: Set(state),
        mails_queued: Set(0),
        error: Set(error.map(str::to_owned)),
        ..Default::default()
    };
    // An occurrence that failed before may be run again.
    let again = OnConflict::columns([job_run::Column::ScheduleId, job_run::Column::Occurrence])
        .update_columns([job_run::Column::StartedAt, job_run::Column::State, job_run::Column::Error])
        .action_and_where(sea_orm::sea_query::Expr::cust("job_run.state = 'FAILED'"))
        .to_owned();
    let written = job_run::Entity::insert(row).on_conflict(again).exec_without_returning(db).await?;
    Ok(written == 1)
}

async fn finish<C: ConnectionTrait>(
    db: &C,
    schedule: i64,
    occurrence: DateTime<Utc>,
    now: DateTime<Utc>,
    queued: usize,
) -> ledger::Result<()> {
    job_run::Entity::update_many()
        .set(job_run::ActiveModel {
            state: Set(RunState::Succeeded),
            finished_at: Set(Some(now)),
            mails_queued: Set(i32::try_from(queued).unwrap_or(i32::MAX)),
            ..Default::default()
        })
        .filter(job_run::Column::ScheduleId.eq(schedule))
        .filter(job_run::Column::Occurrence.eq(occurrence))
        .exec(db)
        .await?;
    Ok(())
}

/// Leaves a row that says what went wrong; the schedule does not move on, so the next tick tries again.
async fn record_failure(
    context: &Context,
    row: &schedule::Model,
    pattern: &Pattern,
    now: DateTime<Utc>,
    error: &str,
) -> ledger::Result<()> {
    if let Some(occurrence) = pattern.between(row.last_occurrence, now, 1).0.last() {
        claim(&context.db, row.id, *occurrence, now, RunState::Failed, Some(error)).await?;
    }
    Ok(())
}
