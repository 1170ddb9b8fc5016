//! Submits the progress sheet (进展填报) that users have filled in. Each filled line becomes a progress report under
//! the same rules as any other. A line whose assignment has changed since the export is rejected; the others are
//! accepted.

use chrono::Datelike;

use super::sheet::Sheet;
use super::value::{day_in, month_in};
use ledger::fault::{self, Fault, FaultCode};
use ledger::work::progress::{self, Report};
use ledger::work::{Acting, On};
use ledger::{Error, Result};

/// Name of the progress sheet.
pub(super) const SHEET: &str = "进展填报";

/// Columns of the progress sheet, with their widths in characters. Users fill in those from `报告期` on.
pub(super) const COLUMNS: &[(&str, f64)] = &[
    ("编号", 16.0),
    ("版本", 6.0),
    ("所属问题", 28.0),
    ("措施内容", 44.0),
    ("报送单位", 20.0),
    ("时限", 16.0),
    ("当前状态", 10.0),
    ("已完成日期", 12.0),
    ("上期进展", 40.0),
    ("报告期", 10.0),
    ("本期进展", 44.0),
    ("完成日期", 12.0),
];

/// The first column that users fill in.
pub(super) const FIRST_FILLED: u16 = 9;

/// What users enter as the completion date to retract one that was reported by mistake.
const NOT_COMPLETED: &str = "未完成";

/// The result of a filled line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Row number, from 1.
    pub row: u32,
    /// Id of the assignment as it is in the sheet: `assignment_7`.
    pub assignment: String,
    /// Why the line was rejected; empty if it was accepted.
    pub faults: Vec<Fault>,
}

/// Submits the filled lines as progress reports. Returns the result of each filled line. Fails if the workbook has no
/// progress sheet, if a column is missing, or if no line is filled in.
pub async fn report(acting: &Acting<'_>, sheets: &[Sheet]) -> Result<Vec<Line>> {
    let Some(sheet) = sheets.iter().find(|sheet| sheet.name == SHEET) else {
        let zh = format!("文件中没有“{SHEET}”工作表：请用 `rectify export` 导出后填写");
        let en = format!("the file has no sheet “{SHEET}”: fill in a file that `rectify export` wrote");
        return Err(Fault::invalid(zh, en, &["file"]).into());
    };
    let place = |name: &str| {
        let found = sheet.columns(0).into_iter().find(|column| sheet.text(0, *column) == name);
        found.ok_or_else(|| {
            let zh = format!("“{SHEET}”工作表缺少“{name}”列，请勿改动表头");
            let en = format!("the sheet “{SHEET}” has no column “{name}”; do not change the headings");
            Error::from(Fault::invalid(zh, en, &["file", SHEET, name]))
        })
    };
    let (id, version, text) = (place("编号")?, place("版本")?, place("本期进展")?);
    let (period, completed) = (place("报告期")?, place("完成日期")?);
    let mut lines = Vec::new();
    for row in sheet.filled_rows().into_iter().filter(|row| *row > 0) {
        // Text that cannot be cleaned is passed on as it is: submitting the report rejects it and says where.
        let cell = |column: u32| {
            let shown = sheet.text(row, column);
            fault::several(shown).unwrap_or_else(|_| shown.to_owned()).trim().to_owned()
        };
        if cell(text).is_empty() && cell(completed).is_empty() {
            continue;
        }
        let key = cell(id).strip_prefix("assignment_").and_then(|key| key.parse().ok());
        let mut faults = Vec::new();
        let retracts_completion = cell(completed) == NOT_COMPLETED;
        let done = match cell(completed).as_str() {
            "" | NOT_COMPLETED => None,
            written => {
                let day = day_in(written);
                if day.is_none() {
                    let (zh, en) = (
                        "完成日期应形如 2026-12-31 或 2026年12月31日，更正为未完成时写“未完成”",
                        "the completion date must look like 2026-12-31 or 2026年12月31日, or 未完成 to retract it",
                    );
                    faults.push(Fault::invalid(zh, en, &["完成日期"]));
                }
                day
            }
        };
        let Ok(seen) = cell(version).parse::<i32>() else {
            faults.push(Fault::invalid(
                "版本应为数字，请勿改动",
                "the version must be a number; do not change it",
                &["版本"],
            ));
            lines.push(Line { row: row + 1, assignment: cell(id), faults });
            continue;
        };
        if faults.is_empty() {
            let today = acting.today();
            let this_month = format!("{}-{:02}", today.year(), today.month());
            let report = Report {
                on: On { assignment: key, version: Some(seen) },
                period: match cell(period) {
                    given if given.is_empty() => this_month,
                    // What is no month is refused with the report, in its words.
                    given => month_in(&given).unwrap_or(given),
                },
                text: cell(text),
                quantities: Vec::new(),
                completed_on: done,
                retracts_completion,
            };
            match progress::report(acting, &report).await {
                Ok(_) => {}
                Err(Error::Refused(refused)) => faults = refused,
                Err(failure) if lines.is_empty() => return Err(failure),
                // Report which lines were accepted, so that the rest can be submitted again.
                Err(failure) => {
                    tracing::error!(
                        error = &failure as &dyn std::error::Error,
                        row,
                        "failed to submit the rest of a progress sheet"
                    );
                    let zh = "系统故障，本行及以后各行未办理：请从本行起重新导入";
                    let en = "internal error: this line and those after it were not submitted; submit them again";
                    faults.push(Fault::new(FaultCode::WrongState, zh, en, &[SHEET]));
                    lines.push(Line { row: row + 1, assignment: cell(id), faults });
                    break;
                }
            }
        }
        lines.push(Line { row: row + 1, assignment: cell(id), faults });
    }
    if lines.is_empty() {
        let (zh, en) = ("“本期进展”一列没有填写任何内容", "nothing is filled in in the column “本期进展”");
        return Err(Fault::invalid(zh, en, &["file", SHEET, "本期进展"]).into());
    }
    Ok(lines)
}
