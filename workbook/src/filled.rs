//! The sheet to report progress on, as it comes back: each filled line is a report like any other, by the same rules; a line
//! whose assignment has changed meanwhile is refused, and the others are taken.

use chrono::{Datelike, NaiveDate};

use super::sheet::Sheet;
use ledger::fault::{self, Fault, FaultCode};
use ledger::work::progress::{self, Report};
use ledger::work::{Desk, On};
use ledger::{Error, Result};

/// The sheet's name.
pub(super) const SHEET: &str = "进展填报";

/// Its columns with their widths in letters. Those from `本期进展` on are filled in by people.
pub(super) const COLUMNS: [(&str, f64); 12] = [
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

/// What is written instead of a day of completion where one was reported by mistake.
const NOT_COMPLETED: &str = "未完成";

/// What became of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The row, from 1.
    pub row: u32,
    /// The assignment as written.
    pub assignment: String,
    /// Why it was not taken; empty when it was.
    pub faults: Vec<Fault>,
}

/// Reports what is filled in. Gives every filled line; those without faults were taken.
pub async fn report(desk: &Desk<'_>, sheets: &[Sheet]) -> Result<Vec<Line>> {
    let Some(sheet) = sheets.iter().find(|sheet| sheet.name == SHEET) else {
        return Err(Error::Invalid(format!("文件中没有“{SHEET}”工作表：请用 `rectify export` 导出后填写")));
    };
    let place = |name: &str| {
        let found = sheet.columns(0).into_iter().find(|column| sheet.text(0, *column) == name);
        found.ok_or_else(|| Error::Invalid(format!("“{SHEET}”工作表缺少“{name}”列，请勿改动表头")))
    };
    let (id, version, text) = (place("编号")?, place("版本")?, place("本期进展")?);
    let (period, completed) = (place("报告期")?, place("完成日期")?);
    let mut lines = Vec::new();
    for row in sheet.filled_rows().into_iter().filter(|row| *row > 0) {
        // What cannot be cleaned is refused by the act itself, which says where.
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
                let day = written.parse::<NaiveDate>().ok();
                if day.is_none() {
                    let (zh, en) = (
                        "完成日期应形如 2026-12-31，更正为未完成时写“未完成”",
                        "the day looks like 2026-12-31; 未完成 takes it back",
                    );
                    faults.push(Fault::invalid(zh, en, &["完成日期"]));
                }
                day
            }
        };
        let Ok(seen) = cell(version).parse::<i32>() else {
            faults.push(Fault::invalid("版本应为数字，请勿改动", "the version is a number: leave it", &["版本"]));
            lines.push(Line { row: row + 1, assignment: cell(id), faults });
            continue;
        };
        if faults.is_empty() {
            let today = desk.today();
            let this_month = format!("{}-{:02}", today.year(), today.month());
            let report = Report {
                on: On { assignment: key, version: Some(seen) },
                period: if cell(period).is_empty() { this_month } else { cell(period) },
                text: cell(text),
                quantities: Vec::new(),
                completed_on: done,
                retracts_completion,
            };
            match progress::report(desk, &report).await {
                Ok(_) => {}
                Err(Error::Refused(refused)) => faults = refused,
                Err(failure) if lines.is_empty() => return Err(failure),
                // What was taken is told; the rest can be sent again.
                Err(failure) => {
                    tracing::error!(
                        error = &failure as &dyn std::error::Error,
                        row,
                        "a filled sheet was not taken to its end"
                    );
                    let zh = "系统故障，本行及以后各行未办理：请从本行起重新导入";
                    let en = "something failed: neither this line nor those after it were taken, send them again";
                    faults.push(Fault::new(FaultCode::WrongState, zh, en, &[SHEET]));
                    lines.push(Line { row: row + 1, assignment: cell(id), faults });
                    break;
                }
            }
        }
        lines.push(Line { row: row + 1, assignment: cell(id), faults });
    }
    if lines.is_empty() {
        return Err(Error::Invalid("“本期进展”一列没有填写任何内容".to_owned()));
    }
    Ok(lines)
}
