//! Writes a report, paragraphs and tables, as a Word document (.docx) or as a workbook (.xlsx) with a sheet for each
//! table.

use std::io::Cursor;

use docx_rs::{
    AlignmentType, Docx, LineSpacing, PageMargin, Paragraph, Run, RunFonts, Shading, SpecialIndentType, Table as Grid,
    TableCell, TableCellMargins, TableRow, WidthType,
};
use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};

use super::table::{Cell, Table, is_like_formula, unwritten, written};
use ledger::{Error, Result};

/// The width of the text of a page, in twentieths of a point: A4 without the margins of official documents.
const TEXT_WIDTH: usize = 8_845;
/// The least and the most room of a column, in halves of a Chinese character.
const MIN_ROOM: usize = 6;
const MAX_ROOM: usize = 30;

/// A report.
#[derive(Debug, Clone, Default)]
pub struct Document {
    /// The title.
    pub title: String,
    /// The paragraphs before the tables.
    pub paragraphs: Vec<String>,
    /// The tables.
    pub sections: Vec<Section>,
}

/// A table of a report, with its heading.
#[derive(Debug, Clone, Default)]
pub struct Section {
    /// The heading, which also names the sheet: at most 31 characters, without `[]:*?/\`.
    pub heading: String,
    /// The headings of the columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
    /// What is said in place of a table without rows.
    pub nothing: String,
}

impl Document {
    /// Returns the bytes of a workbook: the paragraphs on the first sheet, then a sheet for each table.
    ///
    /// # Errors
    ///
    /// Fails if the workbook cannot be packed.
    pub fn xlsx(&self, first: &str) -> Result<Vec<u8>> {
        let mut book = Workbook::new();
        book.push_worksheet(self.text_sheet(first).map_err(unwritten)?);
        for section in &self.sections {
            let mut table = Table::new(&section.columns)?;
            section.rows.iter().try_for_each(|row| table.push(row))?;
            book.push_worksheet(table.named(&section.heading)?);
        }
        book.save_to_buffer().map_err(unwritten)
    }

    fn text_sheet(&self, name: &str) -> Result<Worksheet, XlsxError> {
        let (text, title) = (Format::new().set_text_wrap(), Format::new().set_bold().set_font_size(16));
        let mut sheet = Worksheet::new();
        sheet.set_name(name)?.set_column_width(0, 100)?;
        sheet.write_string_with_format(0, 0, &self.title, &title)?;
        for (row, paragraph) in (1_u32..).zip(&self.paragraphs) {
            let literal = if is_like_formula(paragraph) { text.clone().set_quote_prefix() } else { text.clone() };
            sheet.write_string_with_format(row, 0, paragraph, &literal)?;
        }
        Ok(sheet)
    }

    /// Returns the bytes of a Word document with the fonts, sizes and margins of official documents (GB/T 9704).
    ///
    /// # Errors
    ///
    /// Fails if the document cannot be packed.
    pub fn docx(&self) -> Result<Vec<u8>> {
        let margin = PageMargin::new().top(2_098).left(1_587).right(1_474).bottom(1_984);
        let mut document = Docx::new().page_size(11_906, 16_838).page_margin(margin);
        document = document.default_fonts(fonts("仿宋")).default_size(32);
        let title = Run::new().add_text(&self.title).size(44).bold().fonts(fonts("宋体"));
        document = document.add_paragraph(Paragraph::new().add_run(title).align(AlignmentType::Center));
        for paragraph in &self.paragraphs {
            let text = Run::new().add_text(paragraph);
            let (first, spacing) = (SpecialIndentType::FirstLine(640), LineSpacing::new().line(560));
            let paragraph = Paragraph::new().add_run(text).line_spacing(spacing);
            document = document.add_paragraph(paragraph.indent(None, Some(first), None, None));
        }
        for section in &self.sections {
            let heading = Run::new().add_text(&section.heading).bold().fonts(fonts("黑体"));
            document = document.add_paragraph(Paragraph::new().add_run(heading).keep_next(true));
            document = if section.rows.is_empty() {
                document.add_paragraph(Paragraph::new().add_run(Run::new().add_text(&section.nothing)))
            } else {
                document.add_table(section.grid()).add_paragraph(Paragraph::new())
            };
        }
        let mut bytes = Cursor::new(Vec::new());
        document.pack(&mut bytes).map_err(|error| Error::Unwritten(error.to_string()))?;
        Ok(bytes.into_inner())
    }
}

impl Section {
    fn grid(&self) -> Grid {
        let widths = self.widths();
        let cell = |text: &str, width: usize, is_heading: bool| {
            let run = Run::new().add_text(text).size(18);
            let cell = TableCell::new().width(width, WidthType::Dxa);
            if is_heading {
                let shaded = cell.shading(Shading::new().fill("EDEDED"));
                shaded.add_paragraph(Paragraph::new().add_run(run.bold()).align(AlignmentType::Center))
            } else {
                cell.add_paragraph(Paragraph::new().add_run(run))
            }
        };
        let head = self.columns.iter().zip(&widths).map(|(column, width)| cell(column, *width, true));
        let head = TableRow::new(head.collect());
        let rows = self.rows.iter().map(|row| {
            let cells = row.iter().zip(&widths).map(|(value, width)| cell(&written(value), *width, false));
            TableRow::new(cells.collect()).cant_split()
        });
        let rows = std::iter::once(head).chain(rows).collect();
        let margins = TableCellMargins::new().margin(0, 40, 0, 40);
        Grid::new(rows).set_grid(widths.clone()).width(TEXT_WIDTH, WidthType::Dxa).margins(margins)
    }

    /// Divides the width of the text among the columns, by the longest text of each.
    fn widths(&self) -> Vec<usize> {
        let longest = |(place, column): (usize, &String)| {
            let texts = self.rows.iter().filter_map(|row| row.get(place)).map(|cell| room(&written(cell)));
            texts.max().unwrap_or_default().max(room(column) / 2).clamp(MIN_ROOM, MAX_ROOM)
        };
        let rooms: Vec<usize> = self.columns.iter().enumerate().map(longest).collect();
        let all = rooms.iter().sum::<usize>().max(1);
        rooms.into_iter().map(|room| TEXT_WIDTH * room / all).collect()
    }
}

/// Returns the room that a text takes in a line, in halves of a Chinese character.
fn room(text: &str) -> usize {
    text.chars().map(|letter| if letter.is_ascii() { 1 } else { 2 }).sum()
}

fn fonts(chinese: &str) -> RunFonts {
    RunFonts::new().ascii("Times New Roman").hi_ansi("Times New Roman").east_asia(chinese)
}
