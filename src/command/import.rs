//! `rectify import`: imports a ledger from a spreadsheet.

use std::path::PathBuf;

use chrono::NaiveDate;
use indicatif::{ProgressBar, ProgressStyle};
use ledger::record::audit::By;
use ledger::rule::deadline::Decisions;
use workbook::{Aliases, Answer, Outcome, Summary};

use super::{current, date, read};
use crate::settings::Settings;
use crate::{Failure, clock, say};

/// Maximum number of faults printed.
const SHOWN: usize = 200;

#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// 台账文件
    file: PathBuf,
    /// 督察轮次名称，没有则新建
    #[arg(long)]
    round: String,
    /// 填报的行政区代码（如 540329）
    #[arg(long, value_name = "CODE")]
    region: String,
    /// 下发问题和措施的行政区代码，默认与 --region 相同
    #[arg(long, value_name = "CODE")]
    issued_by: Option<String>,
    /// 只演示会发生什么，不写入
    #[arg(long)]
    dry_run: bool,
    /// 新建未登记的单位，并采用对不明确名单的建议读法
    #[arg(long)]
    create_units: bool,
    /// 单位别名文件（CSV：原文,单位；多个单位用分号分隔）
    #[arg(long, value_name = "FILE")]
    aliases: Option<PathBuf>,
    /// 时限决定文件（CSV：原文,时限），如“6月底前,2024年6月30日”“收到通知后,2024年3月1日”
    #[arg(long, value_name = "FILE")]
    deadlines: Option<PathBuf>,
    /// 时限不明确的，采用建议的读法
    #[arg(long)]
    accept: bool,
    /// 台账截止日期，默认取标题中的日期
    #[arg(long, value_name = "DATE", value_parser = date)]
    as_of: Option<NaiveDate>,
}

pub(crate) async fn run(settings: &Settings, import: Import) -> Result<(), Failure> {
    let aliases = match &import.aliases {
        None => Aliases::default(),
        Some(file) => {
            let bytes = read(file)?;
            Aliases::parse(&workbook::decoded(&bytes)?)?
        }
    };
    let deadlines = match &import.deadlines {
        None => Decisions::default(),
        Some(file) => workbook::decided_deadlines(&workbook::decoded(&read(file)?)?)?,
    };
    let name = import.file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let sheets = workbook::open(&name, read(&import.file)?)?;
    let answer = Answer {
        round: import.round,
        region: import.region,
        issued_by: import.issued_by,
        dry_run: import.dry_run,
        create_units: import.create_units,
        aliases,
        deadlines,
        takes_proposals: import.accept,
        as_of: import.as_of,
        grace_days: settings.grace_days,
    };
    let db = current(settings).await?;
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} 条措施 {elapsed}") {
        bar.set_style(style);
    }
    let progress = |done: usize, total: usize| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    };
    let task = workbook::Import {
        sheets: &sheets,
        answer: &answer,
        by: &By::program(),
        now: clock::now(),
        zone: settings.zone(),
        progress: &progress,
    };
    let outcome = workbook::import(&db, &task).await;
    bar.finish_and_clear();
    match outcome? {
        Outcome::Written(summary) => {
            report(&summary);
            say!("导入完成");
            Ok(())
        }
        Outcome::Unchanged(summary) => {
            report(&summary);
            say!("台账已包含全部内容，没有变化");
            Ok(())
        }
        Outcome::Rehearsed(summary) => {
            report(&summary);
            say!("以上为演示，未写入任何内容");
            Ok(())
        }
        Outcome::Rejected(faults) => {
            for fault in faults.iter().take(SHOWN) {
                say!("{fault}");
            }
            let more = faults.len().saturating_sub(SHOWN);
            let more = if more > 0 { format!("（另有 {more} 处未列出）") } else { String::new() };
            Err(Failure::Rejected(format!("导入被拒绝：{} 处有误{more}，未写入任何内容", faults.len())))
        }
    }
}

fn report(summary: &Summary) {
    let as_of = summary.as_of.map(|day| format!("（截至 {day}）")).unwrap_or_default();
    say!("读取{as_of}：{} 个问题、{} 条措施", summary.problems, summary.measures);
    say!(
        "新增：{} 个问题、{} 条措施、{} 项责任分解、{} 条进展；更新所载状态 {} 处",
        summary.new_problems,
        summary.new_measures,
        summary.new_assignments,
        summary.new_reports,
        summary.restated
    );
    if !summary.new_units.is_empty() {
        say!("新建单位 {} 个：{}", summary.new_units.len(), summary.new_units.join("、"));
    }
    for (words, reading) in &summary.readings {
        say!("采用建议读法：“{words}”读作“{reading}”");
    }
    for remark in &summary.remarks {
        say!("提示：{remark}");
    }
}
