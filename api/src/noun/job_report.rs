//! Runs of jobs by hand: what a job did, or would do on a day.

use std::time::Duration;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{NaiveDate, NaiveTime};
use ledger::fault::{Fault, FaultCode};
use ledger::keep::machine as keep;
use ledger::reminder::{Described, Item, describe};
use ledger::rule::calendar;
use planner::Planned;
use sea_orm::DatabaseConnection;

use crate::context::{JobRunning, JobSummary, Request};
use crate::error::masked;
use crate::noun::schedule::Schedule;
use crate::part::payload::{UserError, key_of, outcome};
use crate::part::reread::Reread;
use crate::part::scalar::Date;

/// The most digests of a report.
const DIGESTS: usize = 50;
/// The most items of a digest, and the most items that reach no one.
const ITEMS: usize = 20;
/// How long a caller waits for a run, which goes on after that.
const PATIENCE: Duration = Duration::from_secs(20);
/// The hour as of which a day is rehearsed: that of the reminders' default schedules.
const MORNING: u32 = 8;
/// The most days between today and the day of a rehearsal.
const FARTHEST: i64 = 366;

/// One item of a digest.
#[derive(SimpleObject)]
pub(crate) struct JobDigestItem {
    /// Date that the item is about, such as the deadline.
    due_on: Date,
    /// Number of the measure or complaint case as printed; null if it has none.
    number: Option<String>,
    /// Text of the measure, or summary of the case.
    text: String,
    /// Name of the unit whose assignment it is; null for the measure as a whole or a case.
    unit: Option<String>,
}

/// One mail of a reminder: everything that one address is told on one day.
#[derive(SimpleObject)]
pub(crate) struct JobDigest {
    /// Mail address that is told.
    recipient: String,
    /// Number of items in the mail.
    item_count: i32,
    /// The first 20 items of the mail, the most urgent first.
    items: Vec<JobDigestItem>,
}

/// What a run of a job did or, if it was a rehearsal, would do.
#[derive(SimpleObject)]
pub(crate) struct JobReport {
    /// Stable name of the job, such as `overdue`.
    job: String,
    /// Local date as of which the job ran, or was rehearsed.
    day: Date,
    /// Whether the run was a rehearsal, which wrote nothing.
    is_rehearsal: bool,
    /// Summary of the run, in Chinese, such as `已写入发件箱 19 封邮件`.
    summary: String,
    /// Number of digests (mails) of a reminder; 0 for other jobs.
    digest_count: i32,
    /// The first 50 digests, by address; empty for jobs that are no reminders.
    digests: Vec<JobDigest>,
    /// Number of items of a reminder that reach no one, because the ledger names no unit or the unit has no address.
    unreachable_count: i32,
    /// The first 20 items that reach no one.
    unreachable: Vec<JobDigestItem>,
}

impl JobReport {
    async fn of(db: &DatabaseConnection, asked: Asked, summary: JobSummary) -> ledger::Result<Self> {
        let JobSummary { text, plan } = summary;
        let plan = plan.unwrap_or_default();
        let unreachable = &plan.unreachable;
        let mut shown = Vec::new();
        for digest in plan.digests().take(DIGESTS) {
            shown.push(JobDigest {
                recipient: digest.recipient,
                item_count: count(digest.items.len()),
                items: described(db, &digest.items).await?,
            });
        }
        let lost: Vec<Item> = unreachable.iter().take(ITEMS).map(ledger::reminder::Unreachable::item).collect();
        let mut lost = described(db, &lost).await?;
        // An item that reaches no one names the unit that has no address.
        for (line, item) in lost.iter_mut().zip(unreachable) {
            line.unit.clone_from(&item.unit);
        }
        Ok(Self {
            job: asked.job,
            day: Date(asked.day),
            is_rehearsal: asked.is_rehearsal,
            summary: text,
            digest_count: count(plan.count()),
            digests: shown,
            unreachable_count: count(unreachable.len()),
            unreachable: lost,
        })
    }
}

/// What was asked for: which job, as of which day, and whether only to rehearse it.
struct Asked {
    job: String,
    day: NaiveDate,
    is_rehearsal: bool,
}

async fn described(db: &DatabaseConnection, items: &[Item]) -> ledger::Result<Vec<JobDigestItem>> {
    let lines = describe(db, &items[..items.len().min(ITEMS)]).await?;
    Ok(lines.into_iter().map(Into::into).collect())
}

impl From<Described> for JobDigestItem {
    fn from(line: Described) -> Self {
        Self { due_on: Date(line.due_on), number: line.number, text: line.text, unit: line.unit }
    }
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Input of `runJob`: the job to run, or to rehearse.
#[derive(InputObject)]
pub(crate) struct RunJobInput {
    /// Global id of the job's schedule.
    schedule_id: ID,
    /// Whether the run is a rehearsal, which says what the job would do and writes nothing.
    #[graphql(default)]
    is_rehearsal: bool,
    /// Day that is rehearsed, as of 08:00 in the ledger's time zone and with the ledger as it is now, at most 366 days
    /// from today; without it, the present moment. Only for rehearsals.
    on: Option<Date>,
}

/// Result of `runJob`.
#[derive(Default)]
pub(crate) struct RunJobPayload {
    key: Option<i64>,
    report: Option<JobReport>,
    is_under_way: bool,
    errors: Vec<UserError>,
}

/// Result of `runJob`.
#[Object]
impl RunJobPayload {
    /// Schedule of the job after the run; null if the run was refused.
    async fn schedule(&self, ctx: &Context<'_>) -> Option<Planned<Schedule>> {
        crate::part::read::back(ctx, self.key?).await
    }

    /// What the run did or would do; null if it was refused or is still under way.
    async fn report(&self) -> Option<&JobReport> {
        self.report.as_ref()
    }

    /// Whether the run takes so long that it goes on after this answer. `Schedule.runs` shows when it has ended.
    async fn is_under_way(&self) -> bool {
        self.is_under_way
    }

    /// Reasons why the run was refused, in which case nothing was written; empty on success.
    async fn errors(&self) -> &[UserError] {
        &self.errors
    }

    #[graphql(flatten)]
    #[expect(clippy::unused_async, reason = "as the library calls it")]
    async fn reread(&self) -> Reread {
        Reread
    }
}

/// Mutations on jobs.
#[derive(Default)]
pub(crate) struct JobMutation;

#[Object]
impl JobMutation {
    /// Runs a job now, in addition to its schedule, or rehearses it. A reminder that is run again on the same day tells
    /// no one twice. The delivery of mail runs by itself every minute and is not run by hand. Requires an
    /// administrator.
    async fn run_job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job, and whether to rehearse it.")] input: RunJobInput,
    ) -> async_graphql::Result<RunJobPayload> {
        let request = ctx.data::<Request>()?;
        let (asked, errors) = outcome(begin(request, input).await, request.language)?;
        let Some((key, (asked, job))) = asked else {
            return Ok(RunJobPayload { errors, ..Default::default() });
        };
        // A task of its own: a caller who leaves does not cut a run short.
        match tokio::time::timeout(PATIENCE, tokio::spawn(job)).await {
            Err(_) => Ok(RunJobPayload { key: Some(key), is_under_way: true, ..Default::default() }),
            Ok(Err(failure)) => Err(masked(&failure)),
            Ok(Ok(Err(failure))) => Err(masked(&failure)),
            Ok(Ok(Ok(summary))) => {
                let report = JobReport::of(&request.db, asked, summary).await.map_err(|failure| masked(&failure))?;
                Ok(RunJobPayload { key: Some(key), report: Some(report), ..Default::default() })
            }
        }
    }
}

/// Checks a request for a run, records it, and returns the schedule's key, what was asked for, and the run, not yet
/// begun.
async fn begin(request: &Request, input: RunJobInput) -> ledger::Result<(i64, (Asked, JobRunning))> {
    let RunJobInput { schedule_id, is_rehearsal, on } = input;
    let at = match on {
        None => request.now,
        Some(Date(day)) => {
            check_day(day, request.today(), is_rehearsal)?;
            calendar::moment(day, NaiveTime::from_hms_opt(MORNING, 0, 0).unwrap_or_default(), request.zone)
        }
    };
    let schedule = key_of::<Schedule>(&schedule_id);
    let day = calendar::local_day(at, request.zone);
    let run = |name: &str| {
        let run = (request.run_job)(name, at, is_rehearsal)?;
        Some((Asked { job: name.to_owned(), day, is_rehearsal }, run))
    };
    keep::ask_run(&request.acting(), schedule, is_rehearsal, run).await
}

fn check_day(day: NaiveDate, today: NaiveDate, is_rehearsal: bool) -> Result<(), Fault> {
    let path = ["input", "on"];
    if !is_rehearsal {
        let (zh, en) =
            ("只有演练才能指定日期；实际运行总是现在", "only a rehearsal takes a day: a job is run as of now");
        return Err(Fault::invalid(zh, en, &path));
    }
    if (day - today).num_days().abs() > FARTHEST {
        let (zh, en) = ("演练的日期应在前后一年之内", "the day of a rehearsal is at most a year from today");
        return Err(Fault::new(FaultCode::Invalid, zh, en, &path));
    }
    Ok(())
}
