//! `rectify export` writes the ledger to a workbook; `rectify report` submits the progress reports filled in there.

use std::io::Write;
use std::path::PathBuf;

use entity::inspection_round;
use ledger::people::policy::Principal;
use ledger::record::audit::By;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use workbook::{Columns, ExportScope};

use super::{acting, current, read};
use crate::settings::Settings;
use crate::{Failure, clock, say};

#[derive(Debug, clap::Args)]
pub(crate) struct Export {
    /// 写入的文件（.xlsx）
    file: PathBuf,
    /// 只导出这一督察轮次
    #[arg(long)]
    round: Option<String>,
    /// 只导出涉及该行政区及其下级的（代码）
    #[arg(long, value_name = "CODE")]
    region: Option<String>,
    /// 用标准表头，而不用导入时的表头
    #[arg(long)]
    standard: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Report {
    /// 由 `rectify export` 导出、填写了“进展填报”的文件
    file: PathBuf,
}

pub(crate) async fn run(settings: &Settings, export: &Export) -> Result<(), Failure> {
    let db = current(settings).await?;
    let round = match &export.round {
        Some(name) => {
            let found = inspection_round::Entity::find().filter(inspection_round::Column::Name.eq(name.trim()));
            let found = found.one(&db).await?;
            Some(found.ok_or_else(|| Failure::Rejected(format!("没有名为“{name}”的督察轮次")))?.id)
        }
        None => None,
    };
    let region = match &export.region {
        Some(code) => {
            let found = ledger::region::find(&db, code).await?;
            Some(found.ok_or_else(|| Failure::Rejected(format!("没有代码为 {code} 的行政区")))?.id)
        }
        None => None,
    };
    let columns = if export.standard { Columns::Standard } else { Columns::Imported };
    let wanted = ExportScope { round, region, columns };
    let exported = workbook::export(&db, &Principal::local(), wanted, (clock::now(), settings.zone())).await?;
    ledger::file::storage::create_private(&export.file)
        .and_then(|mut file| file.write_all(&exported.bytes))
        .map_err(|error| Failure::Rejected(format!("{} 无法写入：{error}", export.file.display())))?;
    for round in &exported.standard {
        say!("“{round}”按标准表头导出：没有导入过，或导入的表不是一行一条措施");
    }
    say!("已导出到 {}", export.file.display());
    Ok(())
}

pub(crate) async fn report(settings: &Settings, report: &Report) -> Result<(), Failure> {
    let name = report.file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let sheets = workbook::open(&name, read(&report.file)?)?;
    let db = current(settings).await?;
    let by = By::program();
    let acting = acting(settings, &db, &by);
    let lines = workbook::report(&acting, &sheets).await?;
    let mut refused = 0;
    for line in &lines {
        if !line.faults.is_empty() {
            refused += 1;
            let why: Vec<&str> = line.faults.iter().map(|fault| fault.message.zh.as_str()).collect();
            say!("第 {} 行（{}）：{}", line.row, line.assignment, why.join("；"));
        }
    }
    say!("已填报 {} 项，未采纳 {refused} 项", lines.len() - refused);
    if refused > 0 {
        Err(Failure::Rejected("请按提示修改未采纳的行后重新提交".to_owned()))
    } else {
        Ok(())
    }
}
