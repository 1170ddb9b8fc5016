//! Schedules and the runs of jobs, for administrators.

use async_graphql::registry::{MetaInputValue, Registry};
use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Name, Object, Value};
use ledger::keep::machine as keep;
use planner::{Connection, Kind, Link, Noun, SortKey, SortType, Sql, argument, noun};
use serde_json::json;

use crate::context::{Occurrences, Request};
use crate::gate::Clock;
use crate::part::filter::{TextFilter, filter};
use crate::part::order::order;
use crate::part::patch::patch;
use crate::part::payload::{key_of, payload};
use crate::part::scalar::Moment;

/// What becomes of occurrences missed while nobody was up.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::schedule::Misfire")]
pub(crate) enum Misfire {
    /// Each is run, of the latest 50.
    All,
    /// Only the latest is run.
    Latest,
    /// None is run.
    Skip,
}

/// How a run ended.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::job_run::RunState")]
pub(crate) enum JobRunState {
    /// Not yet ended.
    Running,
    /// It did its work.
    Succeeded,
    /// It gave up; see `error`.
    Failed,
    /// Left out by the misfire policy.
    Skipped,
}

fn pattern(sql: &mut Sql<'_>, schedule: &str) -> String {
    sql.object(&[("cron", format!("{schedule}.cron")), ("zone", format!("{schedule}.time_zone"))])
}

fn count_argument(registry: &mut Registry) -> Vec<MetaInputValue> {
    vec![argument::<i32>(registry, "count", "How many: 1 to 50; less is taken as 1, more as 50.", Some("5"))]
}

/// The most fires that are computed at once.
const MAX_FIRES: i64 = 50;

/// Computes the next fires of a schedule from its pattern.
pub(crate) fn next_occurrences(
    clock: Clock,
    occurrences: Occurrences,
) -> impl Fn(&serde_json::Value, &[(Name, Value)]) -> serde_json::Value + Send + Sync {
    move |schedule, arguments| {
        let asked = arguments.iter().find(|(name, _)| name == "count").and_then(|(_, count)| match count {
            Value::Number(number) => number.as_i64(),
            _ => None,
        });
        let count = asked.unwrap_or(5).clamp(1, MAX_FIRES).unsigned_abs() as usize;
        let text = |key: &str| schedule.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
        let fires = occurrences(text("cron"), text("zone"), clock(), count);
        json!(fires.into_iter().map(|fire| fire.to_rfc3339()).collect::<Vec<_>>())
    }
}

noun! {
    /// When a job is due.
    pub(crate) Schedule from "schedule" as "schedule" {
        order: &[SortKey::column("{t}.name", "name", SortType::Text)],
        total: None
    }
    /// The global id.
    id: ID = Kind::Id;
    /// The job's stable name.
    name: String = Kind::Column("name");
    /// Six fields, seconds first.
    cron: String = Kind::Column("cron");
    /// The IANA zone that the pattern is read in.
    timeZone: String = Kind::Column("time_zone");
    /// Whether the job runs at all.
    enabled: bool = Kind::Boolean("enabled");
    /// What becomes of occurrences missed while nobody was up.
    misfire: Misfire = Kind::Column("misfire");
    /// The last occurrence dealt with.
    lastOccurrence: Moment = Kind::Column("last_occurrence");
    /// When it is due next.
    nextOccurrences(count_argument): Vec<Moment> = Kind::Finished(pattern, "nextOccurrences");
    /// Its runs, the latest occurrence first.
    runs(pages JobRun): Connection<JobRun> = Link::Column("schedule_id");
}

const LATEST: SortKey = SortKey::column("{t}.occurrence", "occurrence", SortType::Moment).reversed();

noun! {
    /// One occurrence of a schedule.
    pub(crate) JobRun from "job_run" as "run" { order: &[LATEST], total: None, filter: JobRunFilter, by: JobRunOrder }
    /// The global id.
    id: ID = Kind::Id;
    /// The moment it was due.
    occurrence: Moment = Kind::Column("occurrence");
    /// When it was run.
    startedAt: Moment = Kind::Column("started_at");
    /// When it ended.
    finishedAt: Option<Moment> = Kind::Column("finished_at");
    /// How it ended.
    state: JobRunState = Kind::Column("state");
    /// How many mails it wrote to the outbox.
    mailsQueued: i32 = Kind::Column("mails_queued");
    /// Why it failed or was left out.
    error: Option<String> = Kind::Column("error");
}

order! { JobRunOrder by JobRunOrderField {
    /// The moment it was due.
    Occurrence = SortKey::column("{t}.occurrence", "occurrence", SortType::Moment),
} }

filter! {
    /// Demands on runs.
    JobRunFilter {
        /// Why it failed or was left out.
        error: TextFilter = |error| error.condition("error", &["error"]),
    }
}

/// The schedules, for the root field.
pub(crate) fn table() -> &'static planner::Table {
    <Schedule as Noun>::table()
}

/// What is to become of a schedule. What is left out stays.
#[derive(InputObject)]
pub(crate) struct EditScheduleInput {
    /// The schedule.
    schedule_id: ID,
    /// Its pattern: six fields, seconds first, as in `0 0 8 * * *`.
    cron: MaybeUndefined<String>,
    /// The IANA zone that the pattern is read in.
    time_zone: MaybeUndefined<String>,
    /// Whether the job runs at all.
    enabled: MaybeUndefined<bool>,
    /// What becomes of occurrences missed while nobody was up.
    misfire: MaybeUndefined<Misfire>,
}

payload! {
    /// What came of an act on a schedule.
    SchedulePayload {
        /// The schedule as it is now; null when nothing was done.
        schedule: Schedule,
        /// Why nothing was done; empty when it was.
        errors
    }
}

/// What is done to schedules.
#[derive(Default)]
pub(crate) struct ScheduleMutation;

#[Object]
impl ScheduleMutation {
    /// Edits a schedule, which begins anew: what fell due while it was off, or by the old pattern, is not made up for. By
    /// an administrator.
    async fn edit_schedule(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to change.")] input: EditScheduleInput,
    ) -> async_graphql::Result<SchedulePayload> {
        let request = ctx.data::<Request>()?;
        let fires = |cron: &str, zone: &str| !(request.occurrences)(cron, zone, request.now, 1).is_empty();
        let done = async {
            let changes = keep::Changes {
                cron: patch(input.cron, "cron")?,
                time_zone: patch(input.time_zone, "timeZone")?,
                enabled: patch(input.enabled, "enabled")?,
                misfire: patch(input.misfire.map_value(Into::into), "misfire")?,
            };
            keep::edit_schedule(&request.desk(), key_of::<Schedule>(&input.schedule_id), changes, fires).await
        };
        SchedulePayload::of(done.await, request)
    }
}
