//! Submits the progress sheet (进展填报) or the form of a month's account (月调度表) that users have filled in. Each
//! filled line becomes a progress report under the same rules as any other. A line whose assignment has changed since
//! the sheet was written is rejected; the others are accepted.

use chrono::NaiveDate;

use super::month_form;
use super::sheet::Sheet;
use super::value::{day_in, month_in, pace_in, says_none, share_of};
use ledger::fault::{self, Fault, FaultCode};
use ledger::rule::calendar::Month;
use ledger::work::progress::{self, Quantity, Report};
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

/// The columns of a sheet that is filled in, by what they mean.
struct Filled<'a> {
    sheet: &'a Sheet,
    /// The row of the headings, from 0.
    heading_row: u32,
    id: u32,
    version: u32,
    period: u32,
    text: u32,
    /// Columns that only one of the two sheets has.
    completed: Option<u32>,
    share: Option<u32>,
    pace: Option<u32>,
    difficulties: Option<u32>,
    next_steps: Option<u32>,
}

impl<'a> Filled<'a> {
    /// Finds the sheet and its columns. Fails if there is neither of the two sheets, or a column is missing.
    fn find(sheets: &'a [Sheet]) -> Result<Self> {
        let is_form = |sheet: &&Sheet| sheet.name == month_form::SHEET;
        let sheet = sheets.iter().find(|sheet| sheet.name == SHEET).or_else(|| sheets.iter().find(is_form));
        let Some(sheet) = sheet else {
            let (zh, en) = (
                format!("文件中没有“{SHEET}”或“{}”工作表：请下载后填写", month_form::SHEET),
                format!("the file has no sheet “{SHEET}” or “{}”: fill in one that was downloaded", month_form::SHEET),
            );
            return Err(Fault::invalid(zh, en, &["file"]).into());
        };
        let (heading_row, id, text) = if sheet.name == SHEET {
            (0, "编号", "本期进展")
        } else {
            (month_form::HEADING_ROW, month_form::ID, month_form::TEXT)
        };
        let find = |name: &str| {
            let mut columns = sheet.columns(heading_row).into_iter();
            columns.find(|column| sheet.text(heading_row, *column) == name)
        };
        let place = |name: &str| {
            find(name).ok_or_else(|| {
                let zh = format!("“{}”工作表缺少“{name}”列，请勿改动表头", sheet.name);
                let en = format!("the sheet “{}” has no column “{name}”; do not change the headings", sheet.name);
                Error::from(Fault::invalid(zh, en, &["file", &sheet.name, name]))
            })
        };
        Ok(Self {
            sheet,
            heading_row,
            id: place(id)?,
            version: place("版本")?,
            period: place("报告期")?,
            text: place(text)?,
            completed: if sheet.name == SHEET { Some(place("完成日期")?) } else { None },
            share: find(month_form::SHARE),
            pace: find(month_form::PACE),
            difficulties: find(month_form::DIFFICULTIES),
            next_steps: find(month_form::NEXT_STEPS),
        })
    }

    /// Returns the text of a cell. Text that cannot be cleaned is returned as it is: submitting the report rejects it
    /// and says where.
    fn cell(&self, row: u32, column: u32) -> String {
        let shown = self.sheet.text(row, column);
        fault::several(shown).unwrap_or_else(|_| shown.to_owned()).trim().to_owned()
    }

    /// Returns the text of a cell in a column that the sheet may lack; `None` if it is blank or says that there is
    /// nothing.
    fn said(&self, row: u32, column: Option<u32>) -> Option<String> {
        column.map(|column| self.cell(row, column)).filter(|text| !text.is_empty() && !says_none(text))
    }

    /// Whether something is filled in in a row.
    fn is_filled(&self, row: u32) -> bool {
        let filled = [Some(self.text), self.completed, self.share, self.pace, self.difficulties, self.next_steps];
        filled.into_iter().flatten().any(|column| !self.cell(row, column).is_empty())
    }

    /// Reads the report of a row, or what is wrong with it.
    fn report(&self, row: u32, today: NaiveDate) -> std::result::Result<Report, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut wrong = |zh: &str, en: &str, column: &str| faults.push(Fault::invalid(zh, en, &[column]));
        let completed = self.completed.map(|column| self.cell(row, column)).unwrap_or_default();
        let completed_on = match completed.as_str() {
            "" | NOT_COMPLETED => None,
            written => {
                let day = day_in(written);
                if day.is_none() {
                    wrong(
                        "完成日期应形如 2026-12-31 或 2026年12月31日，更正为未完成时写“未完成”",
                        "the completion date must look like 2026-12-31 or 2026年12月31日, or 未完成 to retract it",
                        "完成日期",
                    );
                }
                day
            }
        };
        let share = self.said(row, self.share).and_then(|written| {
            let share = share_of(&written);
            if share.is_none() {
                wrong(
                    "累计完成比例应为 0% 至 100% 的比例，如 35%",
                    "the share must be from 0% to 100%, such as 35%",
                    month_form::SHARE,
                );
            }
            share.flatten()
        });
        let stated_pace = self.said(row, self.pace).and_then(|written| {
            let pace = pace_in(written.trim_end_matches('。'));
            if pace.is_none() {
                wrong(
                    "是否达到序时进度应为“是”“否”或“否（已报备）”",
                    "whether it is on schedule must be 是 (yes), 否 (no) or 否（已报备） (no, and reported)",
                    month_form::PACE,
                );
            }
            pace
        });
        let Ok(seen) = self.cell(row, self.version).parse::<i32>() else {
            wrong("版本应为数字，请勿改动", "the version must be a number; do not change it", "版本");
            return Err(faults);
        };
        if !faults.is_empty() {
            return Err(faults);
        }
        let key = self.cell(row, self.id).strip_prefix("assignment_").and_then(|key| key.parse().ok());
        let text = match (self.cell(row, self.text), share) {
            // A share alone says how far the work is.
            (text, Some(share)) if text.is_empty() => format!("{} {share}%", progress::SHARE),
            (text, _) => text,
        };
        Ok(Report {
            on: On { assignment: key, version: Some(seen) },
            period: match self.cell(row, self.period) {
                given if given.is_empty() => Month::of(today).name(),
                // What is no month is refused with the report, in its words.
                given => month_in(&given).unwrap_or(given),
            },
            text,
            difficulties: self.said(row, self.difficulties),
            next_steps: self.said(row, self.next_steps),
            stated_pace,
            quantities: share.map(Quantity::share).into_iter().collect(),
            completed_on,
            retracts_completion: completed == NOT_COMPLETED,
        })
    }
}

/// Submits the filled lines as progress reports. Returns the result of each filled line. Fails if the workbook has
/// neither sheet, if a column is missing, or if no line is filled in.
pub async fn report(acting: &Acting<'_>, sheets: &[Sheet]) -> Result<Vec<Line>> {
    let filled = Filled::find(sheets)?;
    let below = filled.sheet.filled_rows().into_iter().filter(|row| *row > filled.heading_row);
    let mut lines = Vec::new();
    for row in below.filter(|row| filled.is_filled(*row)) {
        let mut line = Line { row: row + 1, assignment: filled.cell(row, filled.id), faults: Vec::new() };
        let reported = match filled.report(row, acting.today()) {
            Ok(report) => progress::report(acting, &report).await.map(drop),
            Err(faults) => Err(Error::Refused(faults)),
        };
        match reported {
            Ok(()) => {}
            Err(Error::Refused(refused)) => line.faults = refused,
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
                line.faults.push(Fault::new(FaultCode::WrongState, zh, en, &[&filled.sheet.name]));
                lines.push(line);
                break;
            }
        }
        lines.push(line);
    }
    if lines.is_empty() {
        let heading = filled.sheet.text(filled.heading_row, filled.text);
        let zh = format!("“{heading}”一列没有填写任何内容");
        let en = format!("nothing is filled in in the column “{heading}”");
        return Err(Fault::invalid(zh, en, &["file", &filled.sheet.name, heading]).into());
    }
    Ok(lines)
}
