//! A tick: which occurrences are due, and running them. The row of a schedule is locked, its occurrences since the last
//! one are claimed as `job_run` rows under a unique key, the reminders are written and the schedule moves on, all in one
//! transaction: restarts, missed ticks and second schedulers change nothing.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use entity::job_run::RunState;
use entity::schedule::Misfire;
use entity::{job_run, schedule};
use ledger::record::audit::By;
use ledger::record::database;
use ledger::record::database::Transaction;
use ledger::record::outbox::{self, Words as Queued};
use ledger::record::retention::{self, Purged, Retention};
use ledger::reminder::{self, Digest, Plan, Timing};
use ledger::rule::calendar;
use ledger::work::{Desk, supervision};
use sea_orm::sea_query::{LockBehavior, LockType, OnConflict};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect,
};

use crate::jobs::{self, Deliver, JOBS, Job, Reminder, Work};
use crate::letter::Letters;
use crate::pattern::Pattern;
use crate::post::Post;

/// A run may take this long before the tick gives it up.
const PATIENCE: Duration = Duration::from_mins(10);
/// Missed occurrences are run, or recorded as skipped, one by one up to this many, the latest; the rest is logged as a number.
const RECORDED: usize = 50;

/// What jobs work with.
pub struct Bench {
    /// The ledger's database.
    pub db: DatabaseConnection,
    /// The ledger's time zone.
    pub zone: Tz,
    /// When reminders are due.
    pub timing: Timing,
    /// The days that an immediate deadline without a date leaves.
    pub grace_days: i64,
    /// How long sessions and mails are kept.
    pub retention: Retention,
    /// Writes letters.
    pub letters: Letters,
    /// Takes them.
    pub post: Post,
    /// With which days of the audit are signed, where there is a key.
    pub audit_key: Option<ledger::record::audit::Key>,
    /// Who is sent each day's seal, to keep it elsewhere; empty: nobody.
    pub audit_head_mail: String,
    /// Tells this process from others that send.
    pub token: String,
    /// The clock.
    pub clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// Whether the process is about to end.
    pub stopping: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// Enters the jobs that have no schedule yet, with their defaults; they begin now.
pub async fn ensure_schedules(db: &DatabaseConnection, zone: Tz, now: DateTime<Utc>) -> ledger::Result<()> {
    let rows = JOBS.into_iter().map(|job| schedule::ActiveModel {
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

/// A delivery that is due: the schedule and the occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    schedule: i64,
    occurrence: DateTime<Utc>,
}

/// Deals with everything that is due in the tables, and says whether a delivery is due: that takes as long as mail servers
/// take, and is the caller's to begin. One schedule's failure is recorded and does not keep the others from theirs.
pub async fn tick(bench: &Bench) -> ledger::Result<Option<Round>> {
    let mut round = None;
    let now = (bench.clock)();
    let schedules = schedule::Entity::find()
        .filter(schedule::Column::Enabled.eq(true))
        .order_by_asc(schedule::Column::Id)
        .all(&bench.db)
        .await?;
    for row in schedules {
        let Some(job) = crate::jobs::find(&row.name) else { continue };
        if (bench.stopping)() {
            break;
        }
        let pattern = match Pattern::parse(&row.cron, &row.time_zone, now) {
            Ok(pattern) => pattern,
            Err(error) => {
                tracing::error!(job = row.name, %error, "a schedule cannot be read");
                continue;
            }
        };
        // Most ticks find nothing due, and take no lock to learn it.
        if pattern.between(row.last_occurrence, now, 1).0.is_empty() {
            continue;
        }
        let run = tokio::time::timeout(PATIENCE, due(bench, job, row.id, &pattern, now)).await;
        let failure = match run {
            Ok(Ok(due)) => {
                round = round.or(due);
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("超过 {} 分钟没有完成", PATIENCE.as_secs() / 60),
        };
        tracing::error!(job = row.name, error = failure, "a job failed and is tried again at the next tick");
        record_failure(bench, &row, &pattern, now, &failure).await?;
    }
    Ok(round)
}

/// Delivers what is in the outbox. Never cut short: a mail in the middle of being sent would be sent again.
pub async fn deliver(bench: &Bench, round: Round) -> ledger::Result<Deliver> {
    let began = (bench.clock)();
    let done = jobs::deliver(bench, None).await?;
    // A minute without mail is not worth a row.
    if done != Deliver::default() {
        claim(&bench.db, round.schedule, round.occurrence, began, RunState::Running, None).await?;
        finish(&bench.db, round.schedule, round.occurrence, (bench.clock)(), 0).await?;
        tracing::info!(sent = done.sent, cancelled = done.cancelled, failed = done.failed, "mail was delivered");
    }
    Ok(done)
}

/// Runs what is due of one schedule.
async fn due(
    bench: &Bench,
    job: &Job,
    id: i64,
    pattern: &Pattern,
    now: DateTime<Utc>,
) -> ledger::Result<Option<Round>> {
    // Many transactions, before the one in which the schedule moves on; what was proposed once is not proposed again.
    if matches!(job.work, Work::ProposeListing) {
        propose(bench, now).await?;
    }
    let transaction = database::begin(&bench.db).await?;
    let row = schedule::Entity::find_by_id(id)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .one(&transaction)
        .await?;
    // Another scheduler has it.
    let Some(row) = row else { return Ok(None) };
    let (mut fires, left_out) = pattern.between(row.last_occurrence, now, RECORDED);
    let Some(last) = fires.last().copied() else { return Ok(None) };
    let missed = if now - last < chrono::TimeDelta::minutes(2) { fires.len() - 1 } else { fires.len() };
    let runs: Vec<DateTime<Utc>> = match row.misfire {
        Misfire::All => std::mem::take(&mut fires),
        Misfire::Skip if missed == fires.len() => Vec::new(),
        Misfire::Latest | Misfire::Skip => fires.pop().into_iter().collect(),
    };
    if !fires.is_empty() || left_out > 0 {
        tracing::warn!(
            job = job.name,
            skipped = fires.len() + left_out,
            "missed occurrences are skipped by the misfire policy"
        );
    }
    if !matches!(job.work, Work::Deliver) {
        for skipped in fires {
            claim(&transaction, id, skipped, now, RunState::Skipped, Some("错过的时点，按策略跳过")).await?;
        }
    }
    let mut round = None;
    for occurrence in runs {
        match &job.work {
            Work::Remind(reminder) => {
                if !claim(&transaction, id, occurrence, now, RunState::Running, None).await? {
                    continue;
                }
                let (_, queued) = remind(bench, &transaction, job.name, reminder, occurrence, now, false).await?;
                finish(&transaction, id, occurrence, (bench.clock)(), queued).await?;
                tracing::info!(job = job.name, %occurrence, queued, "a job has run");
            }
            Work::Deliver => round = Some(Round { schedule: id, occurrence: last }),
            Work::SealAudit => {
                if claim(&transaction, id, occurrence, now, RunState::Running, None).await? {
                    let is_new = seal(bench, &transaction, occurrence, now).await?;
                    let queued = usize::from(is_new && !bench.audit_head_mail.is_empty());
                    finish(&transaction, id, occurrence, (bench.clock)(), queued).await?;
                }
            }
            Work::Purge => {
                if claim(&transaction, id, occurrence, now, RunState::Running, None).await? {
                    let purged = retention::purge(&transaction, bench.retention, now).await?;
                    finish(&transaction, id, occurrence, (bench.clock)(), 0).await?;
                    tracing::info!(
                        sessions = purged.sessions,
                        mails = purged.mails,
                        "what was kept for long enough is deleted"
                    );
                }
            }
            Work::ProposeListing => {
                if claim(&transaction, id, occurrence, now, RunState::Running, None).await? {
                    finish(&transaction, id, occurrence, (bench.clock)(), 0).await?;
                }
            }
        }
    }
    let mut moved: schedule::ActiveModel = row.into();
    moved.last_occurrence = Set(last);
    moved.update(&transaction).await?;
    transaction.commit().await?;
    Ok(round)
}

/// What a run by hand did.
pub enum Ran {
    /// A reminder: what it found, and how many mails were new.
    Reminded(Plan, usize),
    /// A delivery.
    Delivered(Deliver),
    /// The audit was sealed, unless it was already.
    Sealed(bool),
    /// 挂牌督办 was proposed of so many answers.
    Proposed(usize),
    /// So many sessions and mails were deleted.
    Purged(Purged),
}

/// Runs a job as of a moment, beside its schedule. A rehearsal writes nothing.
pub async fn run_at(bench: &Bench, job: &Job, at: DateTime<Utc>, rehearsal: bool) -> ledger::Result<Ran> {
    match &job.work {
        Work::Deliver if rehearsal => Ok(Ran::Delivered(Deliver::default())),
        Work::Deliver => Ok(Ran::Delivered(jobs::deliver(bench, Some(at)).await?)),
        Work::SealAudit if rehearsal => Ok(Ran::Sealed(false)),
        Work::SealAudit => {
            let transaction = database::begin(&bench.db).await?;
            let is_new = seal(bench, &transaction, at, (bench.clock)()).await?;
            transaction.commit().await?;
            Ok(Ran::Sealed(is_new))
        }
        Work::Purge if rehearsal => Ok(Ran::Purged(Purged::default())),
        Work::Purge => {
            let transaction = database::begin(&bench.db).await?;
            let purged = retention::purge(&transaction, bench.retention, at).await?;
            transaction.commit().await?;
            Ok(Ran::Purged(purged))
        }
        Work::ProposeListing if rehearsal => Ok(Ran::Proposed(to_propose(bench, at).await?)),
        Work::ProposeListing => Ok(Ran::Proposed(propose(bench, at).await?)),
        Work::Remind(reminder) => {
            ensure_schedules(&bench.db, bench.zone, (bench.clock)()).await?;
            let transaction = database::begin(&bench.db).await?;
            let row = schedule::Entity::find().filter(schedule::Column::Name.eq(job.name)).one(&transaction).await?;
            let (plan, queued) = remind(bench, &transaction, job.name, reminder, at, at, rehearsal).await?;
            if rehearsal {
                transaction.rollback().await?;
                return Ok(Ran::Reminded(plan, 0));
            }
            if let Some(row) = row
                && claim(&transaction, row.id, at, (bench.clock)(), RunState::Running, None).await?
            {
                finish(&transaction, row.id, at, (bench.clock)(), queued).await?;
            }
            transaction.commit().await?;
            Ok(Ran::Reminded(plan, queued))
        }
    }
}

/// Seals the audit up to the end of the day before an occurrence, and queues the mail that takes the seal elsewhere.
async fn seal(
    bench: &Bench,
    transaction: &Transaction,
    occurrence: DateTime<Utc>,
    now: DateTime<Utc>,
) -> ledger::Result<bool> {
    let today = calendar::local_day(occurrence, bench.zone);
    let until = calendar::moment(today, chrono::NaiveTime::MIN, bench.zone);
    let key = bench.audit_key.as_ref();
    let sealed = ledger::record::audit::seal(transaction, calendar::plus_days(today, -1), until, key, now).await?;
    let Some(head) = &sealed else { return Ok(false) };
    if !bench.audit_head_mail.is_empty() {
        let day = calendar::local_day(now, bench.zone);
        outbox::notify(transaction, &jobs::seal_notice(&bench.audit_head_mail, head), (day, now)).await?;
    }
    Ok(true)
}

/// The program's own desk.
fn desk<'a>(bench: &'a Bench, by: &'a By, now: DateTime<Utc>) -> Desk<'a> {
    Desk { db: &bench.db, by, now, zone: bench.zone, grace_days: bench.grace_days }
}

/// Of how much 挂牌督办 would be proposed at a moment.
async fn to_propose(bench: &Bench, now: DateTime<Utc>) -> ledger::Result<usize> {
    supervision::to_propose(&desk(bench, &By::program(), now), bench.timing.listing_after).await
}

/// Proposes 挂牌督办 of what is long overdue at a moment.
async fn propose(bench: &Bench, now: DateTime<Utc>) -> ledger::Result<usize> {
    let proposed = supervision::propose(&desk(bench, &By::program(), now), bench.timing.listing_after).await?;
    if proposed > 0 {
        tracing::info!(proposed, "listing for supervision was proposed");
    }
    Ok(proposed)
}

/// Finds who is to be told at an occurrence and queues the digests.
async fn remind(
    bench: &Bench,
    transaction: &Transaction,
    kind: &'static str,
    reminder: &Reminder,
    occurrence: DateTime<Utc>,
    now: DateTime<Utc>,
    rehearsal: bool,
) -> ledger::Result<(Plan, usize)> {
    let today = calendar::local_day(occurrence, bench.zone);
    let candidates = (reminder.candidates)(transaction, today, &bench.timing).await?;
    let plan = reminder::plan(transaction, kind, &candidates, today).await?;
    if rehearsal {
        return Ok((plan, 0));
    }
    let subject = |digest: &Digest| reminder.words.subject(digest, today);
    let reason = |digest: &Digest| format!("{kind}: {} 项，截至 {today}", digest.items.len());
    let words = Queued { kind, subject: &subject, reason: &reason };
    let queued = outbox::enqueue(transaction, &plan, &words, today, now).await?;
    Ok((plan, queued))
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
    bench: &Bench,
    row: &schedule::Model,
    pattern: &Pattern,
    now: DateTime<Utc>,
    error: &str,
) -> ledger::Result<()> {
    if let Some(occurrence) = pattern.between(row.last_occurrence, now, 1).0.last() {
        claim(&bench.db, row.id, *occurrence, now, RunState::Failed, Some(error)).await?;
    }
    Ok(())
}
