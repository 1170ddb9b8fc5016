//! `rectify reminder`: shows and sets the rules of reminders.

use chrono::NaiveTime;
use entity::reminder_rule::ReminderKind;
use ledger::keep::{Patch, reminder_rule as keep};
use ledger::record::audit::By;
use ledger::reminder::{RegionRule, Rule, Rules, kind_of, name_of, repeats};
use sea_orm::{DatabaseConnection, Iterable};

use super::{acting, current, region_of};
use crate::settings::Settings;
use crate::{Failure, say};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Reminder {
    /// 列出各类提醒的规则
    List {
        /// 地区的代码；不写则为全部台账
        #[arg(long)]
        region: Option<String>,
    },
    /// 设置一类提醒的规则，从下一次运行起生效；不写的各项不变
    Set {
        /// 提醒的名称，如 overdue
        #[arg(value_parser = kind)]
        kind: ReminderKind,
        /// 地区的代码，其下各级一并适用；不写则为全部台账
        #[arg(long)]
        region: Option<String>,
        /// 是否发送
        #[arg(long)]
        on: Option<bool>,
        /// 提前几天提醒，如 30,7,1
        #[arg(long, value_delimiter = ',')]
        before: Option<Vec<i64>>,
        /// 隔几天再提醒
        #[arg(long)]
        again_after: Option<i64>,
        /// 逾期几天后告知整改办
        #[arg(long)]
        office_after: Option<i64>,
        /// 逾期几天后告知领导
        #[arg(long)]
        leader_after: Option<i64>,
        /// 逾期几天后建议挂牌督办
        #[arg(long)]
        listing_after: Option<i64>,
        /// 逾期或没有进展几天后建议黄牌
        #[arg(long)]
        card_after: Option<i64>,
        /// 每月几日发月调度表（1 至 28）
        #[arg(long)]
        account_form_day: Option<i64>,
        /// 每月几日报送上月交账数字（1 至 28）
        #[arg(long)]
        account_report_day: Option<i64>,
        /// 是否只在工作日发送
        #[arg(long)]
        working_days_only: Option<bool>,
        /// 免打扰时段，如 21:00-07:00；起止相同则不设
        #[arg(long, value_parser = hours)]
        quiet: Option<(NaiveTime, NaiveTime)>,
        /// 修改原因
        #[arg(long, default_value = "命令行设置")]
        reason: String,
    },
}

fn kind(given: &str) -> Result<ReminderKind, String> {
    let names = || ReminderKind::iter().map(name_of).collect::<Vec<_>>().join("、");
    kind_of(given).ok_or_else(|| format!("没有名为“{given}”的提醒，应为 {}", names()))
}

fn hours(given: &str) -> Result<(NaiveTime, NaiveTime), String> {
    let read = |part: &str| NaiveTime::parse_from_str(part, "%H:%M").ok();
    let times = given.split_once('-').and_then(|(from, until)| read(from).zip(read(until)));
    times.ok_or_else(|| "时段应写成 21:00-07:00 的形式".to_owned())
}

pub(crate) async fn run(settings: &Settings, command: &Reminder) -> Result<(), Failure> {
    let db = current(settings).await?;
    match command {
        Reminder::List { region } => list(settings, &db, region.as_deref()).await,
        Reminder::Set { kind, region, reason, .. } => {
            let by = By::program();
            let region = region_of(&db, region.as_deref()).await?;
            let at = (*kind, region.map(Some));
            keep::set(&acting(settings, &db, &by), at, changes(command), reason).await?;
            let rules = Rules::read(&db, &settings.timing()).await?;
            say!("{}", line(*kind, rules.of(*kind, region)));
            Ok(())
        }
    }
}

async fn list(settings: &Settings, db: &DatabaseConnection, region: Option<&str>) -> Result<(), Failure> {
    let region = region_of(db, region).await?;
    let rules = Rules::read(db, &settings.timing()).await?;
    for kind in ReminderKind::iter() {
        say!("{}", line(kind, rules.of(kind, region)));
    }
    Ok(())
}

fn changes(command: &Reminder) -> keep::Changes {
    fn given<T: Clone>(value: Option<&T>) -> Patch<Option<T>> {
        value.cloned().map_or(Patch::Keep, |value| Patch::Set(Some(value)))
    }
    let Reminder::Set {
        on,
        before,
        again_after,
        office_after,
        leader_after,
        listing_after,
        card_after,
        account_form_day,
        account_report_day,
        working_days_only,
        quiet,
        ..
    } = command
    else {
        return keep::Changes::default();
    };
    keep::Changes {
        is_on: given(on.as_ref()),
        days_before: given(before.as_ref()),
        again_after: given(again_after.as_ref()),
        office_after: given(office_after.as_ref()),
        leader_after: given(leader_after.as_ref()),
        listing_after: given(listing_after.as_ref()),
        card_after: given(card_after.as_ref()),
        account_form_day: given(account_form_day.as_ref()),
        account_report_day: given(account_report_day.as_ref()),
        copied: Patch::Keep,
        working_days_only: given(working_days_only.as_ref()),
        quiet: given(quiet.as_ref()),
    }
}

/// Says in one line what holds.
fn line(kind: ReminderKind, rule: RegionRule<'_>) -> String {
    let mut said = vec![if rule.is_on { "发送" } else { "停用" }.to_owned()];
    if !rule.days_before.is_empty() {
        let days = rule.days_before.iter().map(ToString::to_string).collect::<Vec<_>>().join("、");
        said.push(format!("提前 {days} 天"));
    }
    if repeats(kind) {
        said.push(format!("隔 {} 天再提醒", rule.again_after));
    }
    if kind == ReminderKind::Escalation {
        let Rule { office_after, leader_after, listing_after, card_after, .. } = &*rule;
        said.push(format!("逾期 {office_after} 天告知整改办、{leader_after} 天告知领导、{listing_after} 天建议挂牌"));
        said.push(format!("逾期或没有进展 {card_after} 天建议黄牌"));
    }
    if kind == ReminderKind::MonthlyAccount {
        let Rule { account_form_day, account_report_day, .. } = &*rule;
        said.push(format!("每月 {account_form_day} 日发月调度表，{account_report_day} 日报送上月数字"));
    }
    said.push(if rule.working_days_only { "仅工作日" } else { "每天" }.to_owned());
    if let Some((from, until)) = rule.quiet {
        said.push(format!("{}–{} 免打扰", from.format("%H:%M"), until.format("%H:%M")));
    }
    format!("{}：{}", name_of(kind), said.join("，"))
}
