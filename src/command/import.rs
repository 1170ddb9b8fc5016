//! `rectify import`: imports a ledger from a spreadsheet.

use std::path::PathBuf;

use chrono::NaiveDate;
use entity::inspection_round::RoundLevel;
use indicatif::{ProgressBar, ProgressStyle};
use ledger::record::audit::By;
use workbook::{Aliases, ImportOptions, Kind, Mapping, Outcome, Question, Report, Sureness};

use super::{date, read, set_up};
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
    /// 新建督察轮次的级别：central 中央、regional-bureau 督察局、province 省级、prefecture 市级、county 县级；
    /// 默认按名称判断
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    level: Option<RoundLevel>,
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
    /// 文件种类：ledger 整改台账，progress 月调度表，close-outs 销号清单，cases 交办案件；默认按表头判断
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<Kind>,
    /// 读法文件（TOML）：各列的含义、时限、单位等的决定
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// 把读法和建议写入此文件，核对后用 --mapping 指明
    #[arg(long, value_name = "FILE")]
    write_mapping: Option<PathBuf>,
    /// 所有需要决定之处，采用建议
    #[arg(long)]
    accept: bool,
    /// 台账截止日期，默认取标题中的日期
    #[arg(long, value_name = "DATE", value_parser = date)]
    as_of: Option<NaiveDate>,
}

pub(crate) async fn run(settings: &Settings, import: Import) -> Result<(), Failure> {
    let mut mapping = match &import.mapping {
        None => Mapping::default(),
        Some(file) => Mapping::parse(&workbook::decoded(&read(file)?)?)?,
    };
    if let Some(file) = &import.aliases {
        mapping.units = Aliases::parse(&workbook::decoded(&read(file)?)?)?;
    }
    if let Some(file) = &import.deadlines {
        mapping.deadlines = workbook::decided_deadlines(&workbook::decoded(&read(file)?)?)?;
    }
    mapping.kind = import.kind.or(mapping.kind);
    mapping.as_of = import.as_of.or(mapping.as_of);
    let name = import.file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let sheets = workbook::open(&name, read(&import.file)?)?;
    let options = ImportOptions {
        round: import.round,
        level: import.level,
        region: import.region,
        issued_by: import.issued_by,
        dry_run: import.dry_run,
        create_units: import.create_units,
        takes_proposals: import.accept,
        mapping,
        grace_days: settings.grace_days,
    };
    let db = set_up(settings).await?;
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
        options: &options,
        by: &By::program(),
        now: clock::now(),
        zone: settings.zone(),
        progress: &progress,
    };
    let outcome = workbook::import(&db, &task).await;
    bar.finish_and_clear();
    let told = outcome?;
    report(&told);
    if let Some(file) = &import.write_mapping {
        std::fs::write(file, told.mapping())
            .map_err(|error| Failure::Rejected(format!("读法文件 {} 无法写入：{error}", file.display())))?;
        say!("读法和建议已写入 {}：核对后用 --mapping 指明", file.display());
    }
    match told.outcome {
        Outcome::Written => say!("导入完成"),
        Outcome::Unchanged => say!("台账已包含全部内容，没有变化"),
        Outcome::Rehearsed => say!("以上为演示，未写入任何内容"),
        Outcome::Rejected => return Err(rejected(&told)),
    }
    Ok(())
}

/// Reads the kind of a file.
fn kind(given: &str) -> Result<Kind, String> {
    Kind::of(given).ok_or_else(|| "应为 ledger、progress、close-outs 或 cases".to_owned())
}

/// Reads the level of a round.
fn level(given: &str) -> Result<RoundLevel, String> {
    workbook::round_level(given)
        .ok_or_else(|| "应为 central、regional-bureau、province、prefecture 或 county".to_owned())
}

/// Prints the questions and faults of an import that was refused, and returns the failure.
fn rejected(told: &Report) -> Failure {
    let open: Vec<String> = told.open_questions().map(|question| question.message().zh).collect();
    for question in open.iter().take(SHOWN) {
        say!("请决定：{question}");
    }
    for fault in told.faults.iter().take(SHOWN) {
        say!("{fault}");
    }
    let more = open.len().saturating_sub(SHOWN) + told.faults.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!("（另有 {more} 处未列出）") } else { String::new() };
    let mut why = Vec::new();
    if !told.faults.is_empty() {
        why.push(format!("{} 处有误", told.faults.len()));
    }
    if !open.is_empty() {
        why.push(format!("{} 处需要决定（用 --write-mapping 写出读法，核对后用 --mapping 导入）", open.len()));
    }
    Failure::Rejected(format!("导入被拒绝：{}{more}，未写入任何内容", why.join("，")))
}

/// Prints how each sheet was read.
fn sheets(told: &Report) {
    for sheet in &told.sheets {
        let (first, last) = sheet.heading_rows;
        let rows = if first == last { format!("第 {first} 行") } else { format!("第 {first}—{last} 行") };
        say!("工作表“{}”：{}，表头在{rows}", sheet.sheet, sheet.kind.label().zh);
        for column in &sheet.columns {
            let meaning = match (&column.sureness, column.label) {
                (None, _) => "不读取".to_owned(),
                (Some(Sureness::Sure), label) => label.to_owned(),
                (Some(Sureness::Likely(why)), label) => format!("{label}（很可能：{}）", why.zh),
                (Some(Sureness::Asked(_)), label) => format!("{label}？（请决定）"),
                (Some(Sureness::Decided), label) => format!("{label}（已指明）"),
                (Some(Sureness::Remembered), label) => format!("{label}（上次已确认）"),
            };
            let samples = if column.samples.is_empty() { String::new() } else { column.samples.join("｜") };
            say!("  {} 列 {}：{meaning}　{samples}", column.column, column.heading.replace('\n', ""));
        }
    }
}

fn report(told: &Report) {
    let summary = &told.summary;
    sheets(told);
    let as_of = summary.as_of.map(|day| format!("（截至 {day}）")).unwrap_or_default();
    say!("读取{as_of}：{} 个问题、{} 条措施", summary.problems, summary.measures);
    if summary.cases > 0 {
        say!("读取：{} 件交办案件，其中新的 {} 件", summary.cases, summary.new_cases);
    }
    let would = if told.outcome == Outcome::Rejected { "将新增" } else { "新增" };
    if told.faults.is_empty() {
        say!(
            "{would}：{} 个问题、{} 条措施、{} 项责任分解、{} 条进展；更新所载状态 {} 处",
            summary.new_problems,
            summary.new_measures,
            summary.new_assignments,
            summary.new_reports,
            summary.restated
        );
    }
    if !summary.new_units.is_empty() {
        say!("新建单位 {} 个：{}", summary.new_units.len(), summary.new_units.join("、"));
    }
    for (words, reading) in &summary.readings {
        say!("采用建议读法：“{words}”读作“{reading}”");
    }
    // New units are listed above.
    let is_said = |question: &&Question| question.is_taken && question.proposal != "true";
    for question in told.questions.iter().filter(is_said) {
        say!("采用建议：{}：{}", question.asked.zh, question.proposal);
    }
    for remark in &summary.remarks {
        say!("提示：{}", remark.zh);
    }
}
