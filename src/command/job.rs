//! `rectify job`: lists the scheduled jobs, and runs one by hand.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use entity::reminder_rule::ReminderKind;
use entity::schedule::{self, Misfire};
use ledger::reminder::{self, Item, Plan, kind_of};
use ledger::rule::calendar::{Month, minute};
use scheduler::{JOBS, Pattern};
use sea_orm::{DatabaseConnection, EntityTrait};
use serde_json::json;

use super::{current, date};
use crate::command::jobs_context;
use crate::settings::Settings;
use crate::{Failure, clock, say};

/// Maximum number of lines printed of each list.
const SHOWN: usize = 50;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Job {
    /// 列出定时任务及其后五次触发时间
    List,
    /// 运行一个任务
    Run {
        /// 任务名称
        name: String,
        /// 以某一时刻的身份运行（RFC 3339，或日期，表示当地 08:00）
        #[arg(long, value_name = "MOMENT")]
        at: Option<String>,
        /// 只显示会通知谁、谁没有收件地址，不写入
        #[arg(long)]
        dry_run: bool,
    },
    /// 模拟一段日期内会发出的各封提醒，不写入任何内容
    Simulate {
        /// 第一天，如 2027-01-01
        #[arg(long, value_parser = date)]
        from: NaiveDate,
        /// 最后一天，最多为 366 天
        #[arg(long, value_parser = date)]
        to: NaiveDate,
        /// 只模拟这一个任务
        #[arg(long)]
        job: Option<String>,
        /// 输出一个 JSON 数组，每封为 {job, day, recipient, items: [{id, dueOn}]}
        #[arg(long)]
        json: bool,
    },
}

/// The most days of a simulation.
const MAX_DAYS: i64 = 366;

pub(crate) async fn run(settings: &Settings, command: Job) -> Result<(), Failure> {
    match command {
        Job::List => list(settings).await,
        Job::Run { name, at, dry_run } => run_one(settings, &name, at.as_deref(), dry_run).await,
        Job::Simulate { from, to, job, json } => simulate(settings, (from, to), job.as_deref(), json).await,
    }
}

async fn list(settings: &Settings) -> Result<(), Failure> {
    let db = current(settings).await?;
    let now = clock::now();
    scheduler::ensure_schedules(&db, settings.zone(), now).await?;
    let rows: HashMap<String, schedule::Model> =
        schedule::Entity::find().all(&db).await?.into_iter().map(|row| (row.name.clone(), row)).collect();
    for job in JOBS {
        let Some(row) = rows.get(job.name) else { continue };
        say!("{}（{}）", job.name, job.about);
        let state = if row.enabled { "启用" } else { "停用" };
        let zone = if row.time_zone == settings.zone().name() { "" } else { "（与设置 time_zone 不同）" };
        say!("  {state} · {} · {}{zone} · {}", row.cron, row.time_zone, on_missed(row.misfire));
        if let Some(since) = row.failing_since {
            let since = minute(since, settings.zone());
            say!("  连续失败 {} 次，始于 {since}；原因见日志和定时任务页", row.failures);
        }
        match Pattern::parse(&row.cron, &row.time_zone, now) {
            Ok(pattern) => {
                if !row.enabled {
                    continue;
                }
                for fire in pattern.next(now, 5) {
                    say!("  {}", fire.with_timezone(&settings.zone()).format("%Y-%m-%d %H:%M:%S %:z"));
                }
            }
            Err(error) => say!("  {error}"),
        }
    }
    Ok(())
}

/// Says what happens to occurrences that were missed.
fn on_missed(misfire: Misfire) -> &'static str {
    match misfire {
        Misfire::All => "错过的逐次补上",
        Misfire::Latest => "错过时补上最近一次",
        Misfire::Skip => "错过时不补",
    }
}

async fn run_one(settings: &Settings, name: &str, at: Option<&str>, dry_run: bool) -> Result<(), Failure> {
    let Some(job) = scheduler::find(name) else {
        let known: Vec<&str> = JOBS.iter().map(|job| job.name).collect();
        return Err(Failure::Usage(format!("没有名为 {name} 的任务，现有：{}", known.join("、"))));
    };
    let at = match at {
        None => clock::now(),
        Some(text) => moment(text, settings)?,
    };
    let db = current(settings).await?;
    let context = jobs_context(settings, &db).await?;
    let report = scheduler::run_at(&context, job, at, dry_run).await?;
    if let Some(plan) = &report.plan {
        print_plan(&db, (job.name, plan), at, settings).await?;
    }
    say!("{}", report.summary);
    Ok(())
}

/// Prints every digest that would go out in a range of days.
async fn simulate(
    settings: &Settings,
    (from, to): (NaiveDate, NaiveDate),
    job: Option<&str>,
    json: bool,
) -> Result<(), Failure> {
    if to < from || (to - from).num_days() >= MAX_DAYS {
        return Err(Failure::Usage(format!("--to 不能早于 --from，最多 {MAX_DAYS} 天")));
    }
    if let Some(name) = job
        && !scheduler::find(name).is_some_and(scheduler::Job::is_reminder)
    {
        let known: Vec<&str> = JOBS.iter().filter(|job| job.is_reminder()).map(|job| job.name).collect();
        return Err(Failure::Usage(format!("没有名为 {name} 的提醒，现有：{}", known.join("、"))));
    }
    let db = current(settings).await?;
    let context = jobs_context(settings, &db).await?;
    let simulated = scheduler::simulate(&context, (from, to), job, None).await?;
    if json {
        print_json(&simulated);
        return Ok(());
    }
    for scheduler::Simulated { day, job, digest } in &simulated {
        say!("{day} {job} {}：{} 项", digest.recipient, digest.items.len());
    }
    say!("{from} 至 {to} 会发出 {} 封提醒，未写入任何内容", simulated.len());
    Ok(())
}

/// Prints digests as one JSON array, each on a line of its own.
fn print_json(simulated: &[scheduler::Simulated]) {
    say!("[");
    for (place, scheduler::Simulated { day, job, digest }) in simulated.iter().enumerate() {
        let items: Vec<_> =
            digest.items.iter().map(|item| json!({"id": item.matter.id(), "dueOn": item.due_on})).collect();
        let comma = if place + 1 < simulated.len() { "," } else { "" };
        say!("{}{comma}", json!({"job": job, "day": day, "recipient": digest.recipient, "items": items}));
    }
    say!("]");
}

/// Prints the digests of a reminder, and what reaches no one.
async fn print_plan(
    db: &DatabaseConnection,
    (job, plan): (&str, &Plan),
    at: DateTime<Utc>,
    settings: &Settings,
) -> Result<(), Failure> {
    for digest in plan.digests().take(SHOWN) {
        say!("收件人 {}：{} 项", digest.recipient, digest.items.len());
        print_items(db, (job, &digest.items), at, settings).await?;
    }
    let more = plan.count().saturating_sub(SHOWN);
    if more > 0 {
        say!("另有 {more} 位收件人未列出");
    }
    if plan.unreachable.is_empty() {
        return Ok(());
    }
    say!("没有收件人：{} 项", plan.unreachable.len());
    for line in plan.unreachable.iter().take(SHOWN) {
        let unit = line.unit.as_deref().map(|unit| format!("{unit}（未设邮箱）"));
        say!("  {}", unit.unwrap_or_else(|| "台账未载明单位".to_owned()));
        print_items(db, (job, &[line.item()]), at, settings).await?;
    }
    let more = plan.unreachable.len().saturating_sub(SHOWN);
    if more > 0 {
        say!("  另有 {more} 项未列出");
    }
    Ok(())
}

async fn print_items(
    db: &DatabaseConnection,
    (job, items): (&str, &[Item]),
    at: DateTime<Utc>,
    settings: &Settings,
) -> Result<(), Failure> {
    let today = ledger::rule::calendar::local_day(at, settings.zone());
    for line in reminder::describe(db, &items[..items.len().min(SHOWN)]).await? {
        let unit = line.unit.map(|unit| format!("（{unit}）")).unwrap_or_default();
        let left = (line.due_on - today).num_days();
        // What is over is late, except where the date is that of a month, a notice or the beginning of a silence.
        let days = match kind_of(job) {
            Some(ReminderKind::MonthlyAccount) => format!("{} 月账", Month::of(line.due_on).name()),
            Some(ReminderKind::NoticeEnded) => format!("公示期满 {} 天", -left),
            Some(ReminderKind::StaleProgress) => "起久无进展".to_owned(),
            _ if left < 0 => format!("逾期 {} 天", -left),
            _ => format!("剩余 {left} 天"),
        };
        let text = ledger::rule::wording::shortened(&line.text, 30);
        say!("    {} {days} {} {text}{unit}", line.due_on, line.number.as_deref().unwrap_or("-"));
    }
    Ok(())
}

/// Parses an RFC 3339 timestamp, or a date, which means 08:00 on that day in the ledger's time zone.
fn moment(text: &str, settings: &Settings) -> Result<DateTime<Utc>, Failure> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Ok(moment.to_utc());
    }
    let day: NaiveDate = text.parse().map_err(|_| {
        Failure::Usage(format!("--at “{text}”应为日期（2023-01-02）或 RFC 3339 时刻（2023-01-02T08:00:00+08:00）"))
    })?;
    let eight = NaiveTime::from_hms_opt(8, 0, 0).unwrap_or_default();
    Ok(ledger::rule::calendar::moment(day, eight, settings.zone()))
}
