//! Writes the form of a month's account (月调度表): a row for each assignment that owes it, the most urgent first, with
//! blank cells to fill in. `filled` submits it, and an import reads it as any other month's account.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use ledger::people::policy::Principal;
use ledger::rule::calendar::{Month, local_day};
use ledger::{Error, Result, monthly_account, owes_monthly_account};
use planner::Sql;
use rust_xlsxwriter::{Format, FormatAlign, FormatBorder, Workbook, XlsxError};
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::export::{heading_format, title_format, write};

/// Name of the sheet.
pub(super) const SHEET: &str = "月调度表";
/// The row of the headings, from 0.
pub(super) const HEADING_ROW: u32 = 1;
/// Heading of the global id of the assignment.
pub(super) const ID: &str = "任务标识";
/// Heading of the text of the report.
pub(super) const TEXT: &str = "本月进展情况";
/// Heading of the share that is done.
pub(super) const SHARE: &str = "累计完成比例";
/// Heading of whether it is on schedule.
pub(super) const PACE: &str = "是否达到序时进度";
/// Heading of the difficulties.
pub(super) const DIFFICULTIES: &str = "存在的困难和问题";
/// Heading of the next steps.
pub(super) const NEXT_STEPS: &str = "下一步打算";

/// Columns of the form, with their widths in characters. Users fill in five of them.
const COLUMNS: &[(&str, f64)] = &[
    ("序号", 6.0),
    ("反馈问题", 30.0),
    ("措施编号", 9.0),
    ("整改措施", 40.0),
    ("整改时限", 14.0),
    ("牵头单位", 16.0),
    ("责任单位", 18.0),
    ("上次填报", 30.0),
    (TEXT, 40.0),
    (SHARE, 10.0),
    (PACE, 12.0),
    (DIFFICULTIES, 24.0),
    (NEXT_STEPS, 24.0),
    ("报告期", 12.0),
    (ID, 16.0),
    ("版本", 6.0),
];
/// The columns that users fill in.
const FILLED: std::ops::RangeInclusive<u16> = 8..=12;

/// Whose form is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormOf<'a> {
    /// What units owe, by their keys.
    Units(&'a [i64]),
    /// What a mail asks for, by the key of the mail.
    Mail(i64),
}

/// An assignment in the form.
#[derive(FromQueryResult)]
struct Row {
    id: i64,
    version: i32,
    problem_number: Option<String>,
    title: String,
    description: Option<String>,
    number: Option<String>,
    content: String,
    due_raw: String,
    lead: Option<String>,
    unit: String,
    report: Option<String>,
}

const ROWS: &str = concat!(
    "SELECT a.id, a.version, p.number AS problem_number, p.title, p.description, m.number, m.content, m.due_raw, \
        l.name AS lead, u.name AS unit, (SELECT g.text FROM progress_report g WHERE g.assignment_id = a.id \
            ORDER BY g.submitted_at DESC, g.id DESC LIMIT 1) AS report \
     FROM assignment a JOIN measure m ON m.id = a.measure_id JOIN problem p ON p.id = m.problem_id \
     JOIN unit u ON u.id = a.unit_id LEFT JOIN unit l ON l.id = m.lead_unit_id WHERE ",
    owes_monthly_account!(),
    " AND {sees:assignment:a} AND "
);

/// Writes the form of a month as an .xlsx workbook, with what `principal` may see; `None` if nothing is owed.
///
/// # Errors
///
/// Fails if the database fails, or the workbook cannot be packed.
pub async fn month_form<C: ConnectionTrait>(
    db: &C,
    principal: &Principal,
    of: FormOf<'_>,
    month: Month,
    (now, zone): (DateTime<Utc>, Tz),
) -> Result<Option<Vec<u8>>> {
    let facts = monthly_account::facts(month, local_day(now, zone), zone);
    let mut sql = Sql::within(db.get_database_backend(), &facts, principal);
    let rows = sql.source(ROWS);
    let of = match of {
        FormOf::Units([]) => return Ok(None),
        FormOf::Units(keys) => {
            let keys: Vec<String> = keys.iter().map(|key| sql.bind(*key)).collect();
            format!("a.unit_id IN ({})", keys.join(", "))
        }
        FormOf::Mail(key) => {
            format!("a.id IN (SELECT i.assignment_id FROM mail_item i WHERE i.mail_id = {})", sql.bind(key))
        }
    };
    let order = "ORDER BY coalesce(a.due_by, '9999-12-31'), p.position, m.position, m.id, a.id";
    let rows = Row::find_by_statement(sql.statement(format!("{rows}{of} {order}"))).all(db).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    written(&rows, month).map(Some).map_err(|error| Error::Unwritten(error.to_string()))
}

fn written(rows: &[Row], month: Month) -> std::result::Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet().set_name(SHEET)?;
    let period = month.first_day().format("%Y年%-m月").to_string();
    let units: Vec<&str> = rows.iter().map(|row| row.unit.as_str()).collect();
    let unit = units.first().filter(|first| units.iter().all(|unit| unit == *first)).copied().unwrap_or_default();
    let last = COLUMNS.len() as u16 - 1;
    sheet.merge_range(0, 0, 0, last, &format!("{unit}整改进展月调度表（{period}）"), &title_format())?;
    let blank = Format::new().set_num_format("@").set_text_wrap().set_align(FormatAlign::Top);
    let blank = blank.set_border(FormatBorder::Thin);
    for (place, (name, width)) in (0_u16..).zip(COLUMNS.iter().copied()) {
        sheet.set_column_width(place, width)?;
        sheet.write_string_with_format(HEADING_ROW, place, name, &heading_format())?;
        // Spreadsheet programs make dates and numbers of what people type, except in columns of text.
        if FILLED.contains(&place) {
            sheet.set_column_format(place, &blank)?;
        }
    }
    sheet.set_freeze_panes(HEADING_ROW + 1, 0)?;
    for (line, row) in (HEADING_ROW + 1..).zip(rows) {
        let problem = match &row.description {
            Some(description) => format!("{}。{description}", row.title.trim_end_matches('。')),
            None => row.title.clone(),
        };
        let cells = [
            (0, row.problem_number.as_deref().unwrap_or_default()),
            (1, &problem),
            (2, row.number.as_deref().unwrap_or_default()),
            (3, &row.content),
            (4, &row.due_raw),
            (5, row.lead.as_deref().unwrap_or_default()),
            (6, &row.unit),
            (7, row.report.as_deref().unwrap_or_default()),
            (13, &period),
            (14, &format!("assignment_{}", row.id)),
            (15, &row.version.to_string()),
        ];
        for (place, text) in cells {
            write(sheet, line, place, text)?;
        }
        for place in FILLED {
            sheet.write_blank(line, place, &blank)?;
        }
    }
    workbook.save_to_buffer()
}
