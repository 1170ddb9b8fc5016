//! How large the sheets of an .ods or .xls file are once they are read whole, which the library does before anyone can
//! refuse: two filled cells far apart in a file of some kilobytes become gigabytes of blanks.

use std::io::{Cursor, Read};

use calamine::Dimensions;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::{Error, Result};

/// The most cells, blanks between filled ones included, of all sheets of a file.
const MAX_AREA: u64 = 8_000_000;

/// The extent of the sheet at hand, and what the sheets before it came to.
#[derive(Default)]
struct Extent {
    rows: u64,
    columns: u64,
    area: u64,
}

impl Extent {
    /// Notes a filled cell; rows and columns count from 1.
    fn filled(&mut self, row: u64, column: u64) {
        self.rows = self.rows.max(row);
        self.columns = self.columns.max(column);
    }

    /// The sheet ends.
    fn end_sheet(&mut self) -> Result<()> {
        self.area = self.area.saturating_add(self.rows.saturating_mul(self.columns));
        self.rows = 0;
        self.columns = 0;
        if self.area > MAX_AREA {
            return Err(Error::Invalid("文件中的内容分布过散（空白单元格过多），拒绝导入".to_owned()));
        }
        Ok(())
    }
}

/// Refuses an .ods file whose sheets would be too large; returns the merged areas of each sheet, which the library does
/// not read.
pub(super) fn bound_ods(bytes: &[u8]) -> Result<Vec<Vec<Dimensions>>> {
    let broken = |_| Error::Invalid("文件不是有效的工作簿：压缩包已损坏".to_owned());
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    let mut content = Vec::new();
    let entry = archive.by_name("content.xml").map_err(broken)?;
    entry
        .take(super::sheet::MAX_UNPACKED)
        .read_to_end(&mut content)
        .map_err(|_| Error::Invalid("文件不是有效的工作簿：压缩包已损坏".to_owned()))?;
    let mut reader = Reader::from_reader(content.as_slice());
    let mut extent = Extent::default();
    // The row and column before the ones at hand, how often those are repeated, and whether they hold anything.
    let (mut row, mut column, mut rows, mut columns) = (0_u64, 0_u64, 1_u64, 1_u64);
    let mut filled = false;
    let mut merged: Vec<Vec<Dimensions>> = Vec::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => match tag.local_name().as_ref() {
                "table" => {
                    (row, column) = (0, 0);
                    merged.push(Vec::new());
                }
                "table-row" => {
                    column = 0;
                    rows = repeated(&tag, "number-rows-repeated");
                }
                "table-cell" | "covered-table-cell" => {
                    columns = repeated(&tag, "number-columns-repeated");
                    filled = has_value(&tag);
                    if let (Some(areas), Some(area)) = (merged.last_mut(), spanned(&tag, row, column)) {
                        areas.push(area);
                    }
                }
                "p" => filled = true,
                _ => {}
            },
            Ok(Event::Empty(tag)) => match tag.local_name().as_ref() {
                "table-row" => row = row.saturating_add(repeated(&tag, "number-rows-repeated")),
                "table-cell" | "covered-table-cell" => {
                    if let (Some(areas), Some(area)) = (merged.last_mut(), spanned(&tag, row, column)) {
                        areas.push(area);
                    }
                    column = column.saturating_add(repeated(&tag, "number-columns-repeated"));
                    if has_value(&tag) {
                        extent.filled(row.saturating_add(rows), column);
                    }
                }
                _ => {}
            },
            Ok(Event::End(tag)) => match tag.local_name().as_ref() {
                "table-cell" | "covered-table-cell" => {
                    column = column.saturating_add(columns);
                    if filled {
                        extent.filled(row.saturating_add(rows), column);
                    }
                    filled = false;
                }
                "table-row" => row = row.saturating_add(rows),
                "table" => extent.end_sheet()?,
                _ => {}
            },
            Ok(Event::Eof) => {
                extent.end_sheet()?;
                return Ok(merged);
            }
            Ok(_) => {}
            Err(_) => return Err(Error::Invalid("文件不是有效的工作簿：content.xml 已损坏".to_owned())),
        }
    }
}

fn repeated(tag: &BytesStart<'_>, name: &str) -> u64 {
    attribute(tag, name).and_then(|times| times.parse().ok()).unwrap_or(1)
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

/// Refuses an .xls file whose sheets would be too large. Its stream is a list of records: type, length, content; those of
/// cells begin with row and column.
pub(super) fn bound_xls(bytes: &[u8]) -> Result<()> {
    const BEGIN: u16 = 0x0809;
    const CELLS: [u16; 11] = [0x0006, 0x00BD, 0x00BE, 0x00D6, 0x00FD, 0x0201, 0x0203, 0x0204, 0x0205, 0x027E, 0x0406];
    let broken = |_| Error::Invalid("文件不是有效的工作簿：文件已损坏".to_owned());
    let mut file = cfb::CompoundFile::open(Cursor::new(bytes)).map_err(broken)?;
    let mut stream = Vec::new();
    let opened = file.open_stream("/Workbook").or_else(|_| file.open_stream("/Book"));
    opened.map_err(broken)?.read_to_end(&mut stream).map_err(broken)?;
    let number = |at: usize| Some(u16::from_le_bytes([*stream.get(at)?, *stream.get(at + 1)?]));
    let mut extent = Extent::default();
    let mut at = 0;
    while let (Some(kind), Some(length)) = (number(at), number(at + 2)) {
        if kind == BEGIN {
            extent.end_sheet()?;
        } else if CELLS.contains(&kind)
            && let (Some(row), Some(column)) = (number(at + 4), number(at + 6))
        {
            extent.filled(u64::from(row) + 1, u64::from(column) + 1);
        }
        at += 4 + usize::from(length);
    }
    extent.end_sheet()
}
