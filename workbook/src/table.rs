//! Writes plain tables, a row of headings and a row for each item, as CSV or as a workbook.

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};
use rust_xlsxwriter::{ExcelDateTime, Format, FormatAlign, Workbook, Worksheet, XlsxError};

use super::export::heading_format;
use ledger::{Error, Result};

/// The width of a column, in characters.
const WIDTH: f64 = 18.0;
/// The most characters of a cell in a workbook.
const MAX_CHARACTERS: usize = 32_767;

/// A cell of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Blank,
    /// A text, which no spreadsheet program takes for a formula.
    Text(String),
    /// A number.
    Number(f64),
    /// A local date.
    Day(NaiveDate),
    /// A local date and time.
    Moment(NaiveDateTime),
}

/// A table that is written as a workbook.
pub struct Table {
    sheet: Worksheet,
    /// Number of columns.
    width: u16,
    /// Number of rows, the headings included.
    length: u32,
    formats: Formats,
}

/// The formats of cells.
struct Formats {
    text: Format,
    /// For texts that begin like a formula: they stay text, also after a user has edited the cell.
    literal: Format,
    day: Format,
    moment: Format,
}

impl Table {
    /// Begins a table with a fixed row of headings.
    ///
    /// # Errors
    ///
    /// Fails if there are more columns than a sheet can have.
    pub fn new(headings: &[String]) -> Result<Self> {
        let text = Format::new().set_text_wrap().set_align(FormatAlign::Top);
        let formats = Formats {
            literal: text.clone().set_quote_prefix(),
            day: text.clone().set_num_format("yyyy-mm-dd"),
            moment: text.clone().set_num_format("yyyy-mm-dd hh:mm"),
            text,
        };
        let width = u16::try_from(headings.len()).unwrap_or(u16::MAX);
        let mut table = Self { sheet: Worksheet::new(), width, length: 1, formats };
        table.head(headings).map_err(unwritten)?;
        Ok(table)
    }

    fn head(&mut self, headings: &[String]) -> Result<(), XlsxError> {
        for (place, heading) in (0_u16..).zip(headings) {
            self.sheet.write_string_with_format(0, place, heading, &heading_format())?;
            self.sheet.set_column_width(place, WIDTH)?;
        }
        self.sheet.set_freeze_panes(1, 1)?;
        Ok(())
    }

    /// Adds a row.
    ///
    /// # Errors
    ///
    /// Fails if there are more rows than a sheet can have.
    pub fn push(&mut self, cells: &[Cell]) -> Result<()> {
        let row = self.length;
        for (place, cell) in (0_u16..).zip(cells) {
            self.write(row, place, cell).map_err(unwritten)?;
        }
        self.length += 1;
        Ok(())
    }

    fn write(&mut self, row: u32, place: u16, cell: &Cell) -> Result<(), XlsxError> {
        let Self { sheet, formats, .. } = self;
        match cell {
            Cell::Blank => {}
            Cell::Text(text) => {
                let format = if is_like_formula(text) { &formats.literal } else { &formats.text };
                let text: String = text.chars().take(MAX_CHARACTERS).collect();
                sheet.write_string_with_format(row, place, text, format)?;
            }
            Cell::Number(number) => drop(sheet.write_number_with_format(row, place, *number, &formats.text)?),
            Cell::Day(day) => match dated(*day) {
                Some(value) => drop(sheet.write_datetime_with_format(row, place, value, &formats.day)?),
                None => drop(sheet.write_string_with_format(row, place, day.to_string(), &formats.text)?),
            },
            Cell::Moment(moment) => {
                let timed = |day: ExcelDateTime| {
                    let [hour, minute, second] = [moment.hour(), moment.minute(), moment.second()];
                    day.and_hms(hour as u16, minute as u8, f64::from(second)).ok()
                };
                match dated(moment.date()).and_then(timed) {
                    Some(value) => drop(sheet.write_datetime_with_format(row, place, value, &formats.moment)?),
                    None => drop(sheet.write_string_with_format(row, place, written(cell), &formats.text)?),
                }
            }
        }
        Ok(())
    }

    /// Finishes the table, with a filter over its columns, and returns the bytes of the workbook (.xlsx).
    ///
    /// # Errors
    ///
    /// Fails if the workbook cannot be packed.
    pub fn bytes(mut self) -> Result<Vec<u8>> {
        self.filter().map_err(unwritten)?;
        let mut book = Workbook::new();
        book.push_worksheet(self.sheet);
        book.save_to_buffer().map_err(unwritten)
    }

    /// Finishes the table, with a filter over its columns, and returns its sheet under a name.
    pub(crate) fn named(mut self, name: &str) -> Result<Worksheet> {
        self.filter().map_err(unwritten)?;
        self.sheet.set_name(name).map_err(unwritten)?;
        Ok(self.sheet)
    }

    fn filter(&mut self) -> Result<(), XlsxError> {
        if let Some(last) = self.width.checked_sub(1) {
            self.sheet.autofilter(0, 0, self.length - 1, last)?;
        }
        Ok(())
    }
}

/// Returns the date as a workbook stores it; none before 1900 and after 9999.
fn dated(day: NaiveDate) -> Option<ExcelDateTime> {
    let year = u16::try_from(day.year()).ok()?;
    ExcelDateTime::from_ymd(year, day.month() as u8, day.day() as u8).ok()
}

#[expect(clippy::needless_pass_by_value, reason = "it maps the errors of results")]
pub(crate) fn unwritten(error: XlsxError) -> Error {
    Error::Unwritten(error.to_string())
}

/// Writes the row of headings as CSV, after the byte order mark by which spreadsheet programs know UTF-8.
///
/// # Errors
///
/// Fails if the row cannot be written.
pub fn csv_head(headings: &[String]) -> Result<Vec<u8>> {
    let cells: Vec<Cell> = headings.iter().cloned().map(Cell::Text).collect();
    Ok(["\u{feff}".as_bytes(), &csv_rows(&[cells])?].concat())
}

/// Writes rows as CSV. A text that a spreadsheet program would compute has an apostrophe before it.
///
/// # Errors
///
/// Fails if a row cannot be written.
pub fn csv_rows(rows: &[Vec<Cell>]) -> Result<Vec<u8>> {
    let text = |cell: &Cell| match cell {
        Cell::Text(text) if is_like_formula(text) => format!("'{text}"),
        cell => written(cell),
    };
    let mut writer = csv::WriterBuilder::new()
        .quote_style(csv::QuoteStyle::Always)
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    for row in rows {
        writer.write_record(row.iter().map(text)).map_err(|error| Error::Unwritten(error.to_string()))?;
    }
    writer.into_inner().map_err(|error| Error::Unwritten(error.to_string()))
}

/// Writes a cell as text.
pub(crate) fn written(cell: &Cell) -> String {
    match cell {
        Cell::Blank => String::new(),
        Cell::Text(text) => text.clone(),
        Cell::Number(number) => number.to_string(),
        Cell::Day(day) => day.to_string(),
        Cell::Moment(moment) => moment.format("%Y-%m-%d %H:%M").to_string(),
    }
}

/// Whether a spreadsheet program would take a text for a formula.
pub(crate) fn is_like_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r'])
}
