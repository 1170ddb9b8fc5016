//! A tick: finds which occurrences are due, and runs them. The row of a schedule is locked, its occurrences since the
//! last one are claimed as `job_run` rows under a unique key, the job runs and the schedule moves on, all in one
//! transaction: restarts, missed ticks and second schedulers change nothing.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::job_run::FailureKind;
use entity::schedule;
use entity::schedule::Misfire;
use futures_util::FutureExt;
use ledger::record::database;
use sea_orm::sea_query::{LockBehavior, LockType, OnConflict};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use tracing::Instrument;

use crate::context::Context;
use crate::job::{Job, Occasion, Report, Run};
use crate::jobs::{self, JOBS};
use crate::pattern::Pattern;
use crate::runs::{self, Began, Failure};

/// How long one job of a tick may take in the program. PostgreSQL ends each statement after five minutes, so a job
/// whose statement hangs fails with the error of that statement. What hangs otherwise is ended after twice that time,
/// because the jobs after it wait.
pub const PATIENCE: Duration = Duration::from_mins(10);
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

/// Returns the schedules whose time zone is not `zone`, each as the name of its job and its own zone. A schedule keeps
/// the zone in which it was created or edited when the installation's changes.
pub async fn foreign_zones(db: &DatabaseConnection, zone: Tz) -> ledger::Result<Vec<(String, String)>> {
    let rows = schedule::Entity::find()
        .filter(schedule::Column::TimeZone.ne(zone.name()))
        .order_by_asc(schedule::Column::Name)
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.time_zone)).collect())
}

/// A run that is due beside the ticks: of which job, for which occurrence of its schedule.
#[derive(Clone, Copy)]
pub struct Pending {
    job: &'static Job,
    schedule: i64,
    occurrence: DateTime<Utc>,
}

impl Pending {
    /// The job that is to be run.
    pub(crate) fn job(&self) -> &'static Job {
        self.job
    }
}

/// Runs every job that is due, and returns the runs that the caller begins beside the following ticks, because they
/// take as long as mail servers take. The failure of one job is recorded and keeps no other from running.
pub async fn tick(context: &Context) -> ledger::Result<Vec<Pending>> {
    let mut pending = Vec::new();
    let now = context.now();
    let enabled = schedule::Entity::find()
        .filter(schedule::Column::Enabled.eq(true))
        .order_by_asc(schedule::Column::Id)
        .all(&context.db);
    let schedules = context.answered(enabled).await?;
    for row in schedules {
        let Some(job) = jobs::find(&row.name) else { continue };
        if (context.stopping)() {
            break;
        }
        if context.answered(runs::take_back(&context.db, &row, now)).await? || runs::is_waiting(&row, now) {
            continue;
        }
        let pattern = match Pattern::parse(&row.cron, &row.time_zone, now) {
            Ok(pattern) => pattern,
            Err(error) => {
                tracing::error!(job = row.name, %error, "the pattern of a schedule cannot be read");
                continue;
            }
        };
        // Most ticks find nothing due, and take no lock to learn it.
        let Some(occurrence) = pattern.between(row.last_occurrence, now, 1).0.pop() else { continue };
        let span = tracing::info_span!("job", name = job.name);
        let began = Began::now(context);
        let run = due(context, job, row.id, &pattern, now).instrument(span.clone());
        let run = Box::pin(AssertUnwindSafe(run).catch_unwind());
        let failure = match tokio::time::timeout(context.patience, run).await {
            Ok(Ok(Ok(found))) => {
                pending.extend(found);
                continue;
            }
            Ok(Ok(Err(error))) => error.into(),
            Ok(Err(panic)) => Failure::of_panic(panic),
            Err(_) => {
                let seconds = context.patience.as_secs();
                let (zh, en) = (format!("超过 {seconds} 秒没有完成"), format!("it took more than {seconds} seconds"));
                Failure::new(FailureKind::TimedOut, &zh, &en)
            }
        };
        let failing = runs::fail(&context.db, row.id, occurrence, began, &failure);
        context.answered(failing).instrument(span).await?;
    }
    Ok(pending)
}

/// Carries out a run beside the ticks. It is never cut short: a mail in the middle of being sent would be sent again.
/// Each step of a conversation with a mail server is bounded, and so is each question to the database.
pub async fn carry_out(context: &Context, pending: Pending) -> ledger::Result<()> {
    let Pending { job, schedule, occurrence } = pending;
    let Run::Beside { run, .. } = job.run else { return Ok(()) };
    let span = tracing::info_span!("job", name = job.name);
    let began = Began::now(context);
    let occasion = Occasion { context, occurrence, now: context.now(), is_by_hand: false };
    let failure = match AssertUnwindSafe(run(&occasion).instrument(span.clone())).catch_unwind().await {
        Ok(Ok(report)) => {
            return context.answered(succeed(context, pending, began, &report)).instrument(span).await;
        }
        Ok(Err(error)) => error.into(),
        Err(panic) => Failure::of_panic(panic),
    };
    context.answered(runs::fail(&context.db, schedule, occurrence, began, &failure)).instrument(span).await
}

/// Records that a run beside the ticks has succeeded.
async fn succeed(context: &Context, pending: Pending, began: Began, report: &Report) -> ledger::Result<()> {
    let Pending { schedule, occurrence, .. } = pending;
    if !report.is_idle {
        runs::claim(&context.db, schedule, occurrence, began).await?;
        runs::finish(&context.db, schedule, occurrence, began, report).await?;
        tracing::info!(%occurrence, summary = report.summary, "a job has run");
    }
    if let Some(row) = schedule::Entity::find_by_id(schedule).one(&context.db).await? {
        runs::succeeded(&row, began).update(&context.db).await?;
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
    let began = Began::now(context);
    let mut done = Report::default();
    if let Run::Before { run, .. } = job.run {
        done = run(&Occasion { context, occurrence: now, now, is_by_hand: false }).await?;
        tracing::info!(summary = done.summary, "a job has run");
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
    // A run that has failed was not missed.
    let is_retry = row.failures > 0;
    let missed = if now - last < MISSED { fires.len() - 1 } else { fires.len() };
    let occurrences: Vec<DateTime<Utc>> = match row.misfire {
        Misfire::All => std::mem::take(&mut fires),
        Misfire::Skip if missed == fires.len() && !is_retry => Vec::new(),
        Misfire::Latest | Misfire::Skip => fires.pop().into_iter().collect(),
    };
    let skipped = fires.len() + left_out;
    if skipped > 0 {
        tracing::warn!(skipped, "missed occurrences are skipped by the misfire policy");
    }
    let is_beside = job.is_beside();
    if !is_beside {
        for skipped in fires {
            runs::skip(&transaction, id, skipped, began).await?;
        }
    }
    let has_runs = !occurrences.is_empty();
    for occurrence in occurrences.into_iter().filter(|_| !is_beside) {
        if !runs::claim(&transaction, id, occurrence, began).await? {
            continue;
        }
        let mut report = std::mem::take(&mut done);
        let occasion = Occasion { context, occurrence, now, is_by_hand: false };
        if let Some(running) = job.within(&occasion, &transaction) {
            report = running.await?;
            tracing::info!(%occurrence, summary = report.summary, "a job has run");
        }
        runs::finish(&transaction, id, occurrence, began, &report).await?;
    }
    let mut moved = schedule::ActiveModel { id: Set(id), ..Default::default() };
    if has_runs && !is_beside {
        moved = runs::succeeded(&row, began);
    }
    moved.last_occurrence = Set(last);
    moved.update(&transaction).await?;
    transaction.commit().await?;
    Ok((has_runs && is_beside).then_some(Pending { job, schedule: id, occurrence: last }))
}

/// Runs a job as of a moment, beside its schedule. A rehearsal writes nothing.
pub async fn run_at(context: &Context, job: &Job, at: DateTime<Utc>, is_rehearsal: bool) -> ledger::Result<Report> {
    let occasion = Occasion { context, occurrence: at, now: at, is_by_hand: true };
    if is_rehearsal {
        let transaction = database::begin(&context.db).await?;
        let report = job.rehearse(&occasion, &transaction).await?;
        transaction.rollback().await?;
        return Ok(report);
    }
    if let Run::Before { run, .. } | Run::Beside { run, .. } = job.run {
        return run(&occasion).await;
    }
    ensure_schedules(&context.db, context.zone, context.now()).await?;
    let began = Began::now(context);
    let transaction = database::begin(&context.db).await?;
    let row = schedule::Entity::find().filter(schedule::Column::Name.eq(job.name)).one(&transaction).await?;
    let Some(running) = job.within(&occasion, &transaction) else { return Ok(Report::default()) };
    let report = running.await?;
    // The mails of a reminder name its run; other runs by hand leave no record beside what they did.
    if let Some(row) = row.filter(|_| report.plan.is_some())
        && runs::claim(&transaction, row.id, at, began).await?
    {
        runs::finish(&transaction, row.id, at, began, &report).await?;
    }
    transaction.commit().await?;
    Ok(report)
}
