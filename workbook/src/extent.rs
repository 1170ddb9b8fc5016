//! How large the sheets of an .ods or .xls file are once they are read whole, which the library does before anyone can
//! refuse: two filled cells far apart in a file of some kilobytes become gigabytes of blanks, a text that is repeated becomes
//! as many texts.

use std::collections::HashSet;
use std::io::{Cursor, Read};

use calamine::Dimensions;
use quick_xml::events::{BytesStart, Event};

use super::bounds::{self, MAX_NAMES, MAX_SHEETS, MAX_STRINGS, bound_sheets, broken, each};
use super::sheet::{MAX_BYTES, MAX_TEXT};
use ledger::{Error, Result};

/// The most cells, blanks between filled ones included, of all sheets of a file.
const MAX_AREA: u64 = 2_000_000;
/// The most bytes of formulas of an .xls file, and of one: names of sheets and cells make their texts a hundred times as long.
const MAX_FORMULAS: usize = 2 << 20;
const MAX_FORMULA: usize = 8_224;
/// The most records of the texts that cells share: a full file has so many of the usual length.
const MAX_CONTINUED: usize = 10_000;

/// The extent of the sheet at hand, and what the sheets before it came to.
#[derive(Default)]
struct Extent {
    rows: u64,
    columns: u64,
    area: u64,
    text: u64,
}

impl Extent {
    /// Notes a filled cell; rows and columns count from 1.
    fn filled(&mut self, row: u64, column: u64) {
        self.rows = self.rows.max(row);
        self.columns = self.columns.max(column);
    }

    /// Notes texts of so many bytes.
    fn say(&mut self, bytes: u64) -> Result<()> {
        self.text = self.text.saturating_add(bytes);
        if self.text > MAX_TEXT as u64 {
            return Err(Error::Invalid(format!("文件的文字超过 {} MB，请拆分后导入", MAX_TEXT >> 20)));
        }
        Ok(())
    }

    /// The sheet ends.
    fn end_sheet(&mut self) -> Result<()> {
        self.area = self.area.saturating_add(self.rows.saturating_mul(self.columns));
        self.rows = 0;
        self.columns = 0;
        if self.area > MAX_AREA {
            let zh = format!("文件中的内容分布过散（含空白单元格超过 {MAX_AREA} 个），请删除表格以外的内容后导入");
            return Err(Error::Invalid(zh));
        }
        Ok(())
    }
}

/// The table of an .ods file at hand.
#[derive(Default)]
struct Table {
    extent: Extent,
    /// How many elements are open, and how many tables.
    depth: usize,
    tables: usize,
    /// The row and column before the ones at hand, how often those are repeated.
    row: u64,
    column: u64,
    rows: u64,
    columns: u64,
    /// Whether the cell at hand holds anything, and the bytes of its text and of its row's.
    filled: bool,
    cell_text: u64,
    row_text: u64,
    /// The merged areas of each table.
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
                    return Err(Error::Invalid("工作表中套有表格，请把内层表格改为普通单元格后导入".to_owned()));
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
            // So many blanks.
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
                // What is no cell's is nobody's; that one text is not too long is for whoever reads it.
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

/// Refuses an .ods file whose sheets would be too many or too large; returns the merged areas of each sheet, which the
/// library does not read.
pub(super) fn bound_ods(bytes: &[u8]) -> Result<Vec<Vec<Dimensions>>> {
    let mut archive = bounds::archive(bytes)?;
    let mut entries = 0;
    each(&mut archive, "META-INF/manifest.xml", false, |_| {
        entries += 1;
        if entries > 100_000 { Err(broken("META-INF/manifest.xml 过大")) } else { Ok(()) }
    })?;
    let mut table = Table::default();
    if !each(&mut archive, "content.xml", true, |event| table.see(event))? {
        return Err(broken("缺少 content.xml"));
    }
    // The library would look for the end of a table for ever.
    if table.depth > 0 {
        return Err(broken("content.xml 不完整"));
    }
    Ok(table.merged)
}

fn repeated(tag: &BytesStart<'_>, name: &str) -> u64 {
    attribute(tag, name).and_then(|times| times.trim().parse().ok()).unwrap_or(1)
}

/// The area that a cell spans, if more than itself.
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
const CONTINUE: u16 = 0x003C;
const BOUND_SHEET: u16 = 0x0085;
const NAME: u16 = 0x0018;
const STRINGS: u16 = 0x00FC;
const DIMENSIONS: u16 = 0x0200;
const FORMULA: u16 = 0x0006;
const LABEL: u16 = 0x00FD;
/// Those of cells begin with row and column; those of several cells end with the last column.
const CELLS: [u16; 11] = [FORMULA, 0x00BD, 0x00BE, 0x00D6, LABEL, 0x0201, 0x0203, 0x0204, 0x0205, 0x027E, 0x0406];
const SEVERAL: [u16; 2] = [0x00BD, 0x00BE];

/// A record: its type, and where its content begins and ends.
type Record = (u16, usize, usize);

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes)
}

fn long_number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

/// The records of a stream from a place on, as far as they are whole.
fn records(stream: &[u8], mut at: usize) -> impl Iterator<Item = Record> {
    std::iter::from_fn(move || {
        let kind = number(stream, at)?;
        let begin = at + 4;
        let end = begin + usize::from(number(stream, at + 2)?);
        at = end;
        (end <= stream.len()).then_some((kind, begin, end))
    })
}

/// Refuses an .xls file whose sheets would be too many or too large. Returns one with the same records and nothing else in
/// it: the library follows the chains of such a file wherever they lead.
pub(super) fn bound_xls(bytes: &[u8]) -> Result<Vec<u8>> {
    let broken = |_| bounds::broken("文件已损坏");
    let mut file = cfb::CompoundFile::open(Cursor::new(bytes)).map_err(broken)?;
    let mut stream = Vec::new();
    let opened = file.open_stream("/Workbook").or_else(|_| file.open_stream("/Book"));
    opened.map_err(broken)?.take(MAX_BYTES as u64).read_to_end(&mut stream).map_err(broken)?;
    let (sheets, lengths) = globals(&stream)?;
    let mut extent = Extent::default();
    // What is read of all sheets together is the stream once, or some sheets lie within others.
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
                // It is not checked against the cells, and as much memory is taken as it says.
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
                            let zh = "文件的公式过多，请把公式粘贴为数值后导入";
                            return Err(Error::Invalid(zh.to_owned()));
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
            return Err(bounds::broken("多张工作表指向同一份内容，请用 Excel 或 WPS 另存后导入"));
        }
        extent.end_sheet()?;
    }
    for claim in claims {
        stream[claim].fill(0);
    }
    bounds::packed_again(&stream)
}

/// Where the sheets begin, and how many bytes each of the texts has that cells share.
fn globals(stream: &[u8]) -> Result<(Vec<usize>, Vec<u64>)> {
    let (mut sheets, mut names, mut places) = (Vec::new(), 0, HashSet::new());
    let mut shared: Vec<&[u8]> = Vec::new();
    let mut before = 0;
    for (kind, begin, end) in records(stream, 0) {
        let content = &stream[begin..end];
        match kind {
            BOUND_SHEET => {
                let from = long_number(content, 0).ok_or_else(|| broken("文件已损坏"))? as usize;
                if !places.insert(from) {
                    return Err(broken("多张工作表指向同一份内容，请用 Excel 或 WPS 另存后导入"));
                }
                sheets.push(from);
                if sheets.len() > 100 * MAX_SHEETS {
                    break;
                }
            }
            NAME => names += 1,
            STRINGS => shared = vec![content.get(8..).unwrap_or_default()],
            CONTINUE if before == STRINGS => {
                shared.push(content);
                if shared.len() > MAX_CONTINUED {
                    return Err(broken("文字表已损坏"));
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
        return Err(Error::Invalid(format!("文件定义的名称超过 {MAX_NAMES} 个，请在名称管理器中删除后导入")));
    }
    let lengths = lengths(&shared).ok_or_else(|| broken("文字表已损坏"))?;
    if lengths.len() > MAX_STRINGS {
        return Err(Error::Invalid(format!("文件的文字超过 {MAX_STRINGS} 条，请拆分后导入")));
    }
    Ok((sheets, lengths))
}

/// The most bytes of each of the shared texts, from the record that holds them and those that continue it; none where they
/// cannot be read. A text goes on in the next record with a byte that says how wide its characters are.
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
