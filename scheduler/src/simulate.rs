//! Simulates reminders: which digests would go out in a range of days, past or future, with the ledger and the rules as
//! they are now. It writes nothing.

use chrono::{NaiveDate, NaiveTime, TimeDelta};
use entity::{reminder_rule, schedule};
use ledger::Result;
use ledger::record::database;
use ledger::reminder::{Digest, Rules, Supposed, plan_after};
use ledger::rule::calendar::{local_day, moment, plus_days};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use tokio::sync::Semaphore;

use crate::context::Context;
use crate::job::Job;
use crate::jobs::JOBS;
use crate::pattern::Pattern;
use crate::remind::Reminder;

/// The most occurrences of one job in a simulation.
const MAX_OCCURRENCES: usize = 1_000;

/// Held by the simulation that is under way.
static TURN: Semaphore = Semaphore::const_new(1);

/// A digest that would go out.
#[derive(Debug, Clone)]
pub struct Simulated {
    /// The local day.
    pub day: NaiveDate,
    /// The name of the job.
    pub job: &'static str,
    /// Whom it would go to, and what it would list.
    pub digest: Digest,
}

/// Returns the digests of all reminders, or of one, that would go out from a day to another, in the order of days.
/// Digests of the simulation count as sent; what was really sent counts up to the day before the first. `supposed` is a
/// rule that holds although it is not set.
pub async fn simulate(
    context: &Context,
    (from, to): (NaiveDate, NaiveDate),
    only: Option<&str>,
    supposed: Option<&reminder_rule::Model>,
) -> Result<Vec<Simulated>> {
    // A simulation may read the whole ledger many times over, so there is one at a time.
    let _turn = TURN.acquire().await;
    let transaction = database::begin_to_read(&context.db).await?;
    let rules = Rules::supposing(&transaction, &context.timing, supposed).await?;
    let mut simulated = Vec::new();
    for job in JOBS.iter().filter(|job| only.is_none_or(|name| job.name == name)) {
        let Some(Reminder { find, .. }) = job.reminder() else { continue };
        let mut so_far = Supposed { from, sent: Vec::new() };
        for day in days(&transaction, context, job, (from, to)).await? {
            let plan = plan_after(&transaction, (job.name, find), (day, context.zone), &rules, Some(&so_far)).await?;
            so_far.sent.extend(plan.digests().map(|digest| (day, digest)));
        }
        simulated.extend(so_far.sent.into_iter().map(|(day, digest)| Simulated { day, job: job.name, digest }));
    }
    transaction.rollback().await?;
    simulated.sort_by_key(|one| one.day);
    Ok(simulated)
}

/// Returns the local days of a range on which a job runs by its schedule.
async fn days<C: ConnectionTrait>(
    db: &C,
    context: &Context,
    job: &Job,
    (from, to): (NaiveDate, NaiveDate),
) -> Result<Vec<NaiveDate>> {
    let row = schedule::Entity::find().filter(schedule::Column::Name.eq(job.name)).one(db).await?;
    let (cron, zone) = match &row {
        Some(row) if !row.enabled => return Ok(Vec::new()),
        Some(row) => (row.cron.as_str(), row.time_zone.as_str()),
        None => (job.cron, context.zone.name()),
    };
    let begin = moment(from, NaiveTime::MIN, context.zone);
    let end = moment(plus_days(to, 1), NaiveTime::MIN, context.zone);
    let Ok(pattern) = Pattern::parse(cron, zone, begin) else { return Ok(Vec::new()) };
    let second = TimeDelta::seconds(1);
    let (fires, _) = pattern.between(begin - second, end - second, MAX_OCCURRENCES);
    let mut days: Vec<NaiveDate> = fires.into_iter().map(|fire| local_day(fire, context.zone)).collect();
    days.dedup();
    Ok(days)
}
