//! Schedules of background jobs and the log of their runs, visible to administrators only.

use async_graphql::registry::{MetaInputValue, Registry};
use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, Value};
use ledger::keep::machine as keep;
use planner::{Connection, Dimension, Finish, Kind, Link, Named, Noun, SortKey, SortType, Sql, argument, noun};
use serde_json::{Value as Json, json};

use crate::context::Request;
use crate::part::filter::{TextFilter, filter};
use crate::part::order::order;
use crate::part::patch::patch;
use crate::part::payload::{key_of, payload};
use crate::part::scalar::Moment;

/// Misfire policy: what happens to occurrences that were missed while no scheduler was running.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::schedule::Misfire")]
pub(crate) enum Misfire {
    /// 全部补跑 · Runs every missed occurrence, up to the latest 50.
    All,
    /// 只补最近一次 · Runs only the latest missed occurrence.
    Latest,
    /// 全部跳过 · Runs no missed occurrence.
    Skip,
}

/// State of a job run.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::job_run::RunState")]
pub(crate) enum JobRunState {
    /// 运行中 · The run has not ended yet.
    Running,
    /// 成功 · The run ended without an error.
    Succeeded,
    /// 失败 · The run failed; `error` says why.
    Failed,
    /// 已跳过 · The occurrence was missed and the misfire policy skipped it.
    Skipped,
}

/// Kind of failure of a job run.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::job_run::FailureKind")]
pub(crate) enum JobFailureKind {
    /// 数据库出错 · The database failed.
    Database,
    /// 文件存储出错 · A file or the file storage failed.
    Storage,
    /// 超时中止 · The run took too long and was ended.
    TimedOut,
    /// 时钟超前 · The run was recorded before its time, while the clock was ahead; it is run when it is due.
    Clock,
    /// 其他错误 · Any other failure; `error` and the log of the program say more.
    Other,
}

/// Returns the SQL of the JSON object that [`next_occurrences`] reads: the pattern and the time zone of a schedule.
/// Without a pattern if it is disabled.
fn pattern(sql: &mut Sql<'_>, schedule: &str) -> String {
    let cron = format!("CASE WHEN {schedule}.enabled THEN {schedule}.cron END");
    sql.object(&[("cron", cron), ("zone", format!("{schedule}.time_zone"))])
}

/// Registers the argument `count` of `nextOccurrences`.
fn count_argument(registry: &mut Registry) -> Vec<MetaInputValue> {
    vec![argument::<i32>(registry, "count", "Number of occurrences, clamped to the range from 1 to 50.", Some("5"))]
}

/// The largest number of occurrences that one field computes.
const MAX_FIRES: i64 = 50;

/// Computes `nextOccurrences` of a schedule from its pattern and time zone, which the statement delivers as JSON
/// (`pattern`), and returns them as RFC 3339 strings.
pub(crate) fn next_occurrences(request: &Request, finish: &Finish, schedule: &Json) -> Json {
    let asked = finish.arguments.iter().find(|(name, _)| name == "count").and_then(|(_, count)| match count {
        Value::Number(number) => number.as_i64(),
        _ => None,
    });
    let count = asked.unwrap_or(5).clamp(1, MAX_FIRES).unsigned_abs() as usize;
    let text = |key: &str| schedule.get(key).and_then(Json::as_str);
    let (Some(cron), Some(zone)) = (text("cron"), text("zone")) else { return json!([]) };
    let fires = (request.occurrences)(cron, zone, request.now, count).unwrap_or_default();
    json!(fires.into_iter().map(|fire| fire.to_rfc3339()).collect::<Vec<_>>())
}

noun! {
    /// The schedule of a background job. Visible to administrators only.
    pub(crate) Schedule from "schedule" as "schedule" {
        order: &[SortKey::column("{t}.name", "name", SortType::Text)],
        total: None
    }
    /// Global id of the schedule: opaque, permanent, and accepted by `node`.
    id: ID = Kind::Id;
    /// Stable name of the job, such as `due-soon`.
    name: String = Kind::Column("name");
    /// Cron pattern of five fields (minute, hour, day of month, month, day of week), or six with seconds first, such as
    /// `0 0 8 * * *`.
    cron: String = Kind::Column("cron");
    /// IANA name of the time zone in which the pattern is evaluated, such as `Asia/Shanghai`.
    timeZone: String = Kind::Column("time_zone");
    /// Whether the schedule is in effect; while it is disabled, the job does not run.
    enabled: bool = Kind::Boolean("enabled");
    /// Misfire policy: what happens to occurrences that were missed while no scheduler was running.
    misfire: Misfire = Kind::Column("misfire");
    /// Moment of the last occurrence that was processed, or of the last edit if that is later: later occurrences are
    /// still to be processed.
    lastOccurrence: Moment = Kind::Column("last_occurrence");
    /// Number of attempts that have failed since the last success; 0 while the job succeeds.
    failures: i32 = Kind::Column("failures");
    /// Moment since which the job fails; null while it succeeds.
    failingSince: Option<Moment> = Kind::Column("failing_since");
    /// Moment at which a job that failed is tried again, after pauses that grow from 1 to 60 minutes; null while it
    /// succeeds.
    retryAt: Option<Moment> = Kind::Column("retry_at");
    /// Moment at which the job last succeeded by its schedule; null before it first does.
    succeededAt: Option<Moment> = Kind::Column("succeeded_at");
    /// Moments of the next occurrences after now, in ascending order; empty while the schedule is disabled.
    nextOccurrences(count_argument): Vec<Moment> = Kind::Finished(pattern, "nextOccurrences");
    /// Runs of the job, the latest occurrence first.
    runs(pages JobRun): Connection<JobRun> = Link::Column("schedule_id");
}

const LATEST: SortKey = SortKey::column("{t}.occurrence", "occurrence", SortType::Moment).reversed();

const GROUPS: &[Dimension] = &[
    Dimension::plain("STATE", "执行状态 · State of the run.", "{t}.state"),
    Dimension::of(
        "SCHEDULE",
        "任务 · Schedule whose run it is.",
        "{t}.schedule_id",
        Named { prefix: "schedule", table: "schedule", name: "SELECT name FROM schedule WHERE id = {}", code: None },
    ),
];

noun! {
    /// A run of a job: the record of one occurrence of its schedule.
    pub(crate) JobRun from "job_run" as "run" {
        order: &[LATEST],
        total: None,
        filter: JobRunFilter,
        by: JobRunOrder,
        groups: GROUPS
    }
    /// Global id of the run: opaque, permanent, and accepted by `node`.
    id: ID = Kind::Id;
    /// Moment at which the run was due.
    occurrence: Moment = Kind::Column("occurrence");
    /// Moment at which the run started.
    startedAt: Moment = Kind::Column("started_at");
    /// Moment at which the run ended, never before it started; null while it is running.
    finishedAt: Option<Moment> = Kind::Column("finished_at");
    /// State of the run: running, succeeded, failed or skipped.
    state: JobRunState = Kind::Column("state");
    /// Number of mails that the run wrote to the outbox.
    mailsQueued: i32 = Kind::Column("mails_queued");
    /// Number of attempts, including the last; 0 if the occurrence was skipped at once.
    attempts: i32 = Kind::Column("attempts");
    /// Kind of failure; null unless the run failed.
    failureKind: Option<JobFailureKind> = Kind::Column("failure_kind");
    /// Reason why the run failed or was skipped; null otherwise.
    error: Option<String> = Kind::Column("error");
    /// Summary of what the run did, in Chinese, such as `已写入发件箱 19 封邮件`; null unless it succeeded.
    summary: Option<String> = Kind::Column("summary");
}

order! { JobRunOrder by JobRunOrderField {
    /// 应运行时间 · Moment at which the run was due.
    Occurrence = SortKey::column("{t}.occurrence", "occurrence", SortType::Moment),
} }

filter! {
    /// Conditions on job runs. A run must satisfy every condition that is given.
    JobRunFilter {
        /// Condition on the reason why a run failed or was skipped.
        error: TextFilter = |error| error.condition("error", &["error"]),
    }
}

/// Returns the table of schedules, for the root field `schedules`.
pub(crate) fn table() -> &'static planner::Table {
    <Schedule as Noun>::table()
}

/// Input of `editSchedule`. Omitted fields keep their value; null is refused.
#[derive(InputObject)]
pub(crate) struct EditScheduleInput {
    /// Global id of the schedule to edit.
    schedule_id: ID,
    /// New cron pattern of five fields, or six with seconds first, such as `0 0 8 * * *`. It may restrict the day of
    /// the month or the day of the week, not both, and must have at least one future occurrence.
    cron: MaybeUndefined<String>,
    /// New IANA name of the time zone in which the pattern is evaluated, such as `Asia/Shanghai`.
    time_zone: MaybeUndefined<String>,
    /// Whether the job is to run.
    enabled: MaybeUndefined<bool>,
    /// New misfire policy for occurrences that are missed while no scheduler is running.
    misfire: MaybeUndefined<Misfire>,
}

payload! {
    /// Result of a mutation on a schedule.
    SchedulePayload {
        /// The schedule after the mutation; null if the mutation was refused.
        schedule: Schedule,
        /// Reasons why the mutation was refused, in which case nothing was written; empty on success.
        errors
    }
}

/// Mutations on schedules.
#[derive(Default)]
pub(crate) struct ScheduleMutation;

#[Object]
impl ScheduleMutation {
    /// Edits the schedule of a job. The schedule restarts at the moment of the edit: occurrences that were missed while
    /// it was disabled, or that follow from the old pattern, are not run. Requires an administrator.
    async fn edit_schedule(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The schedule and the fields to change.")] input: EditScheduleInput,
    ) -> async_graphql::Result<SchedulePayload> {
        let request = ctx.data::<Request>()?;
        let check = |cron: &str, zone: &str| (request.occurrences)(cron, zone, request.now, 1).map(|_| ());
        let done = async {
            let changes = keep::Changes {
                cron: patch(input.cron, "cron")?,
                time_zone: patch(input.time_zone, "timeZone")?,
                enabled: patch(input.enabled, "enabled")?,
                misfire: patch(input.misfire.map_value(Into::into), "misfire")?,
            };
            keep::edit_schedule(&request.acting(), key_of::<Schedule>(&input.schedule_id), changes, check).await
        };
        SchedulePayload::of(done.await, request)
    }
}
