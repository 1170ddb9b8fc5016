//! Limits the size of .ods and .xls files before the library reads them. The library allocates whole sheets: in a file
//! of a few kilobytes, two filled cells far apart become gigabytes of blank cells, and a repeated text is copied each
//! time.

use std::collections::HashSet;
use std::io::{Cursor, Read};

use calamine::Dimensions;
use quick_xml::events::{BytesStart, Event};

use super::bounds::{
    self, MAX_NAMES, MAX_SHEETS, MAX_STRINGS, bound_sheets, broken, damaged_file, each, refused, shared_content,
    too_many_names, too_many_strings,
};
use super::sheet::{MAX_BYTES, MAX_TEXT, too_much_text};
use ledger::{Error, Result};

/// Maximum number of cells in all sheets of a file, including blank cells between filled ones.
const MAX_AREA: u64 = 2_000_000;
/// Maximum size of all formulas in an .xls file, in bytes. Decoding expands a formula up to a hundred times, because it
/// spells out the names of sheets and cells.
const MAX_FORMULAS: usize = 2 << 20;
/// Maximum size of one formula in an .xls file, in bytes.
const MAX_FORMULA: usize = 8_224;
/// Maximum number of records in the table of shared texts. A file at the limit of size has that many of the usual
/// length.
const MAX_CONTINUED: usize = 10_000;

/// Extent of the current sheet, and totals over all sheets read so far.
#[derive(Default)]
struct Extent {
    rows: u64,
    columns: u64,
    area: u64,
    text: u64,
}

impl Extent {
    /// Extends the current sheet to a filled cell. `row` and `column` count from 1.
    fn filled(&mut self, row: u64, column: u64) {
        self.rows = self.rows.max(row);
        self.columns = self.columns.max(column);
    }

    /// Adds `bytes` of text. Fails if the file has too much.
    fn say(&mut self, bytes: u64) -> Result<()> {
        self.text = self.text.saturating_add(bytes);
        if self.text > MAX_TEXT as u64 {
            return Err(too_much_text());
        }
        Ok(())
    }

    /// Adds the area of the current sheet to the total. Fails if the file has too many cells.
    fn end_sheet(&mut self) -> Result<()> {
        self.area = self.area.saturating_add(self.rows.saturating_mul(self.columns));
        self.rows = 0;
        self.columns = 0;
        if self.area > MAX_AREA {
            return Err(refused(
                format!("文件中的内容分布过散（含空白单元格超过 {MAX_AREA} 个），请删除表格以外的内容后导入"),
                format!("the file has more than {MAX_AREA} cells with blank ones: delete what is outside the table"),
            ));
        }
        Ok(())
    }
}

/// State of the scan of an .ods file: its current table, row and cell.
#[derive(Default)]
struct Table {
    extent: Extent,
    /// Number of open elements.
    depth: usize,
    /// Number of open `table` elements.
    tables: usize,
    /// Number of rows before the current one.
    row: u64,
    /// Number of columns before the current cell.
    column: u64,
    /// How many times the current row is repeated.
    rows: u64,
    /// How many times the current cell is repeated.
    columns: u64,
    /// Whether the current cell has content.
    filled: bool,
    /// Bytes of text in the current cell.
    cell_text: u64,
    /// Bytes of text in the current row.
    row_text: u64,
    /// Merged areas of each table.
    merged: Vec<Vec<Dimensions>>,
}

impl Table {
    fn see(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Start(tag) => {
                self.depth += 1;
                self.begin(tag)
            }
            Event::Empty(tag) => {
                self.begin(tag)?;
                self.end(tag.local_name().as_ref())
            }
            Event::End(tag) => {
                self.depth = self.depth.saturating_sub(1);
                self.end(tag.local_name().as_ref())
            }
            Event::Text(text) => {
                self.cell_text = self.cell_text.saturating_add(text.len() as u64);
                Ok(())
            }
            Event::CData(text) => {
                self.cell_text = self.cell_text.saturating_add(text.len() as u64);
                Ok(())
            }
            Event::GeneralRef(_) => {
                self.cell_text += 4;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, tag: &BytesStart<'_>) -> Result<()> {
        match tag.local_name().as_ref() {
            "table" => {
                self.tables += 1;
                if self.tables > 1 {
                    return Err(refused(
                        "工作表中套有表格，请把内层表格改为普通单元格后导入",
                        "a sheet has a table within its table: change the inner table to plain cells",
                    ));
                }
                (self.row, self.column) = (0, 0);
                self.merged.push(Vec::new());
                bound_sheets(self.merged.len())?;
            }
            "table-row" => {
                (self.column, self.row_text) = (0, 0);
                self.rows = repeated(tag, "number-rows-repeated");
            }
            "table-cell" | "covered-table-cell" => {
                self.columns = repeated(tag, "number-columns-repeated");
                self.filled = has_value(tag);
                self.cell_text = 0;
                for name in ["string-value", "date-value", "time-value", "formula"] {
                    self.cell_text += attribute(tag, name).map_or(0, |value| value.len() as u64);
                }
                if let (Some(areas), Some(area)) = (self.merged.last_mut(), spanned(tag, self.row, self.column)) {
                    areas.push(area);
                }
            }
            "p" => {
                self.filled = true;
                self.cell_text = self.cell_text.saturating_add(1);
            }
            // `<text:s text:c="n"/>` means n blanks.
            "s" => self.cell_text = self.cell_text.saturating_add(repeated(tag, "c")),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, name: &str) -> Result<()> {
        match name {
            "table-cell" | "covered-table-cell" => {
                self.column = self.column.saturating_add(self.columns);
                if self.filled {
                    self.extent.filled(self.row.saturating_add(self.rows), self.column);
                    self.row_text = self.row_text.saturating_add(self.cell_text.saturating_mul(self.columns));
                }
                self.filled = false;
                // Text outside cells does not count. `Runs` limits the length of a single text.
                self.cell_text = 0;
            }
            "table-row" => {
                self.row = self.row.saturating_add(self.rows);
                self.extent.say(self.row_text.saturating_mul(self.rows))?;
            }
            "table" => {
                self.tables = self.tables.saturating_sub(1);
                self.extent.end_sheet()?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Rejects an .ods file with too many or too large sheets. Returns the merged areas of each sheet, which the library
/// does not read.
pub(super) fn bound_ods(bytes: &[u8]) -> Result<Vec<Vec<Dimensions>>> {
    let mut archive = bounds::archive(bytes)?;
    let mut entries = 0;
    each(&mut archive, "META-INF/manifest.xml", false, |event| {
        entries += 1;
        if matches!(event, Event::Start(tag) | Event::Empty(tag) if tag.local_name().as_ref() == "encryption-data") {
            Err(has_password())
        } else if entries > 100_000 {
            Err(broken("META-INF/manifest.xml 过大", "META-INF/manifest.xml is too large"))
        } else {
            Ok(())
        }
    })?;
    let mut table = Table::default();
    if !each(&mut archive, "content.xml", true, |event| table.see(event))? {
        return Err(broken("缺少 content.xml", "it has no content.xml"));
    }
    // In a truncated table, the library would loop forever looking for the end.
    if table.depth > 0 {
        return Err(broken("content.xml 不完整", "content.xml is incomplete"));
    }
    Ok(table.merged)
}

fn repeated(tag: &BytesStart<'_>, name: &str) -> u64 {
    attribute(tag, name).and_then(|times| times.trim().parse().ok()).unwrap_or(1)
}

/// Returns the area that a cell spans, if it spans more than itself.
fn spanned(tag: &BytesStart<'_>, row: u64, column: u64) -> Option<Dimensions> {
    let (rows, columns) = (repeated(tag, "number-rows-spanned"), repeated(tag, "number-columns-spanned"));
    let place = |at: u64| u32::try_from(at).ok();
    let end = (place(row.checked_add(rows)?)?.checked_sub(1)?, place(column.checked_add(columns)?)?.checked_sub(1)?);
    (rows > 1 || columns > 1).then_some(Dimensions { start: (place(row)?, place(column)?), end })
}

fn has_value(tag: &BytesStart<'_>) -> bool {
    attribute(tag, "value-type").is_some() || attribute(tag, "formula").is_some()
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = tag.attributes().flatten().find(|attribute| attribute.key.local_name().as_ref() == name)?;
    Some(found.value.into_owned())
}

// Records of an .xls file: type, length, content.
const BEGIN: u16 = 0x0809;
const END: u16 = 0x000A;
const FILE_PASSWORD: u16 = 0x002F;
const CONTINUE: u16 = 0x003C;
const BOUND_SHEET: u16 = 0x0085;
const NAME: u16 = 0x0018;
const STRINGS: u16 = 0x00FC;
const DIMENSIONS: u16 = 0x0200;
const FORMULA: u16 = 0x0006;
const LABEL: u16 = 0x00FD;
/// Records of cells. Each begins with the row and the column.
const CELLS: &[u16] = &[FORMULA, 0x00BD, 0x00BE, 0x00D6, LABEL, 0x0201, 0x0203, 0x0204, 0x0205, 0x027E, 0x0406];
/// Records of several cells in a row. Each ends with the last column.
const SEVERAL: &[u16] = &[0x00BD, 0x00BE];

/// A record: its type, and the start and end of its content in the stream.
type Record = (u16, usize, usize);

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes)
}

fn long_number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

/// Iterates over the records of a stream from an offset, up to the first that is truncated.
fn records(stream: &[u8], mut at: usize) -> impl Iterator<Item = Record> {
    std::iter::from_fn(move || {
        let kind = number(stream, at)?;
        let begin = at + 4;
        let end = begin + usize::from(number(stream, at + 2)?);
        at = end;
        (end <= stream.len()).then_some((kind, begin, end))
    })
}

/// Returns the refusal of a file that can only be opened with a password.
fn has_password() -> Error {
    refused(
        "文件设有打开密码：请用 Excel 或 WPS 打开，取消密码并保存后再导入",
        "the file has a password: open it in a spreadsheet program, remove the password, save it, and import that",
    )
}

/// Rejects an .xls file with too many or too large sheets. Returns a new file that contains only the same records,
/// because the library follows the sector chains of a compound file without checking them.
pub(super) fn bound_xls(bytes: &[u8]) -> Result<Vec<u8>> {
    let damaged = |_| damaged_file();
    let mut file = cfb::CompoundFile::open(Cursor::new(bytes)).map_err(damaged)?;
    // An .xlsx file with a password is wrapped in the format of .xls.
    if file.exists("/EncryptionInfo") || file.exists("/EncryptedPackage") {
        return Err(has_password());
    }
    let mut stream = Vec::new();
    let opened = file.open_stream("/Workbook").or_else(|_| file.open_stream("/Book"));
    opened.map_err(damaged)?.take(MAX_BYTES as u64).read_to_end(&mut stream).map_err(damaged)?;
    let (sheets, lengths) = globals(&stream)?;
    let mut extent = Extent::default();
    // If the sheets together are longer than the stream, some of them overlap.
    let (mut walked, mut formulas) = (0, 0);
    let mut claims = Vec::new();
    for from in sheets {
        let (mut has_begun, mut depth) = (false, 0_usize);
        for (kind, begin, end) in records(&stream, from) {
            walked += end + 4 - begin;
            let content = &stream[begin..end];
            match kind {
                BEGIN if has_begun => depth += 1,
                BEGIN => has_begun = true,
                END if depth == 0 => break,
                END => depth -= 1,
                _ if depth > 0 => {}
                // The library allocates what this record claims without checking it against the cells; it is zeroed
                // below.
                DIMENSIONS => claims.push(begin..end),
                _ if CELLS.contains(&kind) => {
                    let last = if SEVERAL.contains(&kind) { content.len().saturating_sub(2) } else { 2 };
                    let (Some(row), Some(first), Some(last)) =
                        (number(content, 0), number(content, 2), number(content, last))
                    else {
                        continue;
                    };
                    extent.filled(u64::from(row) + 1, u64::from(first.max(last)) + 1);
                    if kind == FORMULA {
                        formulas += content.len();
                        if formulas > MAX_FORMULAS || content.len() > MAX_FORMULA {
                            return Err(refused(
                                "文件的公式过多，请把公式粘贴为数值后导入",
                                "the file has too many formulas: paste them as values",
                            ));
                        }
                    }
                    if kind == LABEL {
                        let which = long_number(content, 6).and_then(|which| lengths.get(which as usize));
                        extent.say(which.copied().unwrap_or_default())?;
                    }
                }
                _ => {}
            }
        }
        if walked > stream.len() {
            return Err(shared_content());
        }
        extent.end_sheet()?;
    }
    for claim in claims {
        stream[claim].fill(0);
    }
    bounds::packed_again(&stream)
}

fn damaged_texts() -> Error {
    broken("文字表已损坏", "the table of texts is damaged")
}

/// Reads the workbook's global records. Returns the offset of each sheet, and the size in bytes of each shared text.
fn globals(stream: &[u8]) -> Result<(Vec<usize>, Vec<u64>)> {
    let (mut sheets, mut names, mut places) = (Vec::new(), 0, HashSet::new());
    let mut shared: Vec<&[u8]> = Vec::new();
    let mut before = 0;
    for (kind, begin, end) in records(stream, 0) {
        let content = &stream[begin..end];
        match kind {
            BOUND_SHEET => {
                let from = long_number(content, 0).ok_or_else(damaged_file)? as usize;
                if !places.insert(from) {
                    return Err(shared_content());
                }
                sheets.push(from);
                if sheets.len() > 100 * MAX_SHEETS {
                    break;
                }
            }
            FILE_PASSWORD => return Err(has_password()),
            NAME => names += 1,
            STRINGS => shared = vec![content.get(8..).unwrap_or_default()],
            CONTINUE if before == STRINGS => {
                shared.push(content);
                if shared.len() > MAX_CONTINUED {
                    return Err(damaged_texts());
                }
            }
            END => break,
            _ => {}
        }
        if kind != CONTINUE {
            before = kind;
        }
    }
    bound_sheets(sheets.len())?;
    if names > MAX_NAMES {
        return Err(too_many_names());
    }
    let lengths = lengths(&shared).ok_or_else(damaged_texts)?;
    if lengths.len() > MAX_STRINGS {
        return Err(too_many_strings());
    }
    Ok((sheets, lengths))
}

/// Returns the maximum size in bytes of each shared text, given the record that contains them and its continuations.
/// Returns `None` if they are malformed. Where a text continues in the next record, that record begins with a byte that
/// gives the width of the characters.
fn lengths(shared: &[&[u8]]) -> Option<Vec<u64>> {
    let mut rest = shared.iter().copied();
    let mut at = rest.next().unwrap_or_default();
    let mut lengths = Vec::new();
    loop {
        if at.is_empty() {
            match rest.next() {
                Some(next) => at = next,
                None => return Some(lengths),
            }
        }
        if at.is_empty() {
            lengths.push(0);
            continue;
        }
        let (letters, flags) = (usize::from(number(at, 0)?), *at.get(2)?);
        at = at.get(3..)?;
        let mut after = 0_usize;
        if flags & 8 != 0 {
            after = usize::from(number(at, 0)?) * 4;
            at = at.get(2..)?;
        }
        if flags & 4 != 0 {
            after = after.checked_add(usize::try_from(long_number(at, 0)?).ok()?)?;
            at = at.get(4..)?;
        }
        let (mut left, mut width) = (letters, if flags & 1 == 0 { 1 } else { 2 });
        while left > 0 {
            let here = left.min(at.len() / width);
            left -= here;
            at = at.get(here * width..)?;
            if left > 0 {
                let next = rest.next()?;
                width = if next.first()? & 1 == 0 { 1 } else { 2 };
                at = &next[1..];
            }
        }
        while after > at.len() {
            after -= at.len();
            at = rest.next()?;
        }
        at = &at[after..];
        lengths.push(letters as u64 * 3);
        if lengths.len() > MAX_STRINGS {
            return Some(lengths);
        }
    }
}
