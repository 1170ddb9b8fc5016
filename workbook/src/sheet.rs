//! Opens a file (.xlsx, .xls, .ods, or text separated by commas, tabs or semicolons) as sheets of cells, each with the
//! text that a person sees. Files that are too large, or are crafted to expand, are rejected here before they use much
//! memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{Data, DataType, Dimensions, Ods, Range, Reader, SheetType, SheetVisible, Xls, Xlsx};
use chrono::NaiveDate;
use planner::Bilingual;

use super::bounds::{self, refused};
use super::extent;
use super::reading::letters;
use ledger::fault::{self, Fault};
use ledger::{Error, Result};

/// Maximum size of a file, in bytes.
pub const MAX_BYTES: usize = 32 << 20;
/// Maximum number of rows in a sheet.
const MAX_ROWS: u32 = 200_000;
/// Maximum number of columns in a sheet.
pub(super) const MAX_COLUMNS: u32 = 256;
/// Maximum number of characters in a cell.
pub(super) const MAX_CELL_CHARS: usize = 100_000;
/// Maximum number of filled cells in a file.
const MAX_CELLS: usize = 2_000_000;
/// Maximum size of all texts in a file, in bytes. A small file can repeat one text a million times.
pub(super) const MAX_TEXT: usize = 128 << 20;
/// Maximum number of merged areas in a file.
const MAX_AREAS: usize = 200_000;
/// Maximum number of cells in merged areas of a file.
const MAX_MERGED: usize = 2_000_000;

/// A sheet: its filled cells by row and column, both counted from 0.
#[derive(Debug, Clone, Default)]
pub struct Sheet {
    /// Name of the sheet; for a CSV file, the name given to [`open`].
    pub name: String,
    cells: BTreeMap<(u32, u32), Cell>,
    /// Cells covered by a merged area, each with the cell whose text it shows.
    merged: HashMap<(u32, u32), (u32, u32)>,
    /// Remarks on what the file hides: the filled rows and columns of this sheet and, with the first sheet, whole
    /// sheets.
    pub(super) hidden: Vec<Bilingual>,
}

/// Whether a text is an error of LibreOffice, such as `Err:502`.
fn is_numbered_error(text: &str) -> bool {
    text.strip_prefix("Err:").is_some_and(|number| number.len() == 3 && number.bytes().all(|one| one.is_ascii_digit()))
}

/// How much of the limits per file has been used.
#[derive(Default)]
struct Budget {
    cells: usize,
    text: usize,
    areas: usize,
    merged: usize,
}

/// A filled cell.
#[derive(Debug, Clone)]
struct Cell {
    text: Box<str>,
    kind: CellKind,
}

/// The most hidden places that a remark names.
const SHOWN: usize = 10;

/// The kind of a cell's value, as far as it matters for reading the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum CellKind {
    /// A text, or a number that looks as it is printed.
    #[default]
    Text,
    /// A number with a fraction, whose number of decimals the file does not tell: 1.10 looks like 1.1.
    Fraction,
    /// A date.
    Day,
    /// The error value of a formula, such as `#REF!`.
    Error,
    /// A formula without a stored value.
    Formula,
}

/// What formulas show if they fail, in the programs that write the supported formats.
const ERRORS: &[&str] = &["#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#N/A", "#NULL!", "#NUM!", "#GETTING_DATA"];

impl Sheet {
    /// Returns the rows with filled cells, in ascending order.
    pub(crate) fn filled_rows(&self) -> BTreeSet<u32> {
        self.cells.keys().map(|(row, _)| *row).collect()
    }

    /// Returns the filled rows, each as the texts of its cells from the first column to the last filled one.
    pub fn lines(&self) -> Vec<Vec<String>> {
        let line = |row: u32| {
            let last = self.columns(row).last().copied().unwrap_or_default();
            (0..=last).map(|column| self.text(row, column).to_owned()).collect()
        };
        self.filled_rows().into_iter().map(line).collect()
    }

    /// Returns the text of a cell; empty for a blank cell.
    pub(crate) fn text(&self, row: u32, column: u32) -> &str {
        self.cells.get(&(row, column)).map_or("", |cell| &cell.text)
    }

    /// Returns the text that a cell shows: its own, or that of the merged area it lies in.
    pub(crate) fn shown(&self, row: u32, column: u32) -> &str {
        let place = self.shown_at(row, column);
        self.text(place.0, place.1)
    }

    /// Returns the row and column of the cell whose text a cell shows.
    pub(crate) fn shown_at(&self, row: u32, column: u32) -> (u32, u32) {
        self.merged.get(&(row, column)).copied().unwrap_or((row, column))
    }

    /// Returns the kind of the value that a cell shows.
    pub(crate) fn kind(&self, row: u32, column: u32) -> CellKind {
        self.cells.get(&self.shown_at(row, column)).map(|cell| cell.kind).unwrap_or_default()
    }

    /// Whether a cell is the first of a merged area that reaches over several columns.
    pub(crate) fn spans_columns(&self, row: u32, column: u32) -> bool {
        self.merged.get(&(row, column + 1)) == Some(&(row, column))
    }

    /// Returns the texts of a column below a row, from top to bottom.
    pub(crate) fn below(&self, row: u32, column: u32) -> impl Iterator<Item = &str> {
        let cells = self.cells.range((row + 1, 0)..);
        cells.filter(move |((_, place), _)| *place == column).map(|(_, cell)| &*cell.text)
    }

    /// Whether a merged area below a row reaches over several rows.
    pub(crate) fn merges_rows_below(&self, row: u32) -> bool {
        self.merged.iter().any(|(covered, first)| first.0 > row && covered.0 > first.0)
    }

    /// Returns the filled columns of a row, in ascending order.
    pub(crate) fn columns(&self, row: u32) -> Vec<u32> {
        self.cells.range((row, 0)..=(row, u32::MAX)).map(|((_, column), _)| *column).collect()
    }

    fn put(&mut self, row: u32, column: u32, text: &str, kind: CellKind, budget: &mut Budget) -> Result<()> {
        // Counted before trimming: blanks take as much time and memory as other characters.
        budget.text += text.len();
        if budget.text > MAX_TEXT {
            return Err(too_much_text());
        }
        let text = text.trim();
        // A cell that is only formatted has no content, and may lie outside the allowed area.
        if fault::is_empty(text) && kind != CellKind::Formula {
            return Ok(());
        }
        if row >= MAX_ROWS || column >= MAX_COLUMNS {
            return Err(self.refuse(
                (row, column),
                &format!("有内容，超出可导入的 {MAX_ROWS} 行 × {MAX_COLUMNS} 列"),
                &format!("the cell has content outside the {MAX_ROWS} rows and {MAX_COLUMNS} columns that are read"),
            ));
        }
        if text.len() > MAX_CELL_CHARS && text.chars().count() > MAX_CELL_CHARS {
            let (zh, en) = (
                format!("的文字超过 {MAX_CELL_CHARS} 字"),
                format!("the cell has more than {MAX_CELL_CHARS} characters"),
            );
            return Err(self.refuse((row, column), &zh, &en));
        }
        budget.cells += 1;
        if budget.cells > MAX_CELLS {
            return Err(refused(
                format!("文件有内容的单元格超过 {MAX_CELLS} 个，请拆分后导入"),
                format!("the file has more than {MAX_CELLS} filled cells: split it"),
            ));
        }
        let is_error = kind == CellKind::Text && (ERRORS.contains(&text) || is_numbered_error(text));
        let kind = if is_error { CellKind::Error } else { kind };
        self.cells.insert((row, column), Cell { text: text.into(), kind });
        Ok(())
    }

    /// Returns the error for a cell that cannot be read, with its place. `row` and `column` are counted from 0.
    fn refuse(&self, (row, column): (u32, u32), zh: &str, en: &str) -> Error {
        let (name, row, column) = (&self.name, u64::from(row) + 1, u64::from(column) + 1);
        Fault::invalid(
            format!("工作表“{name}”第 {row} 行第 {column} 列{zh}"),
            format!("sheet “{name}”, row {row}, column {column}: {en}"),
            &["file", name.as_str(), &row.to_string(), &column.to_string()],
        )
        .into()
    }

    /// Records merged areas, cut off at the last filled row and column, because a file can claim areas of any size.
    fn merge(&mut self, areas: &[Dimensions], budget: &mut Budget) -> Result<()> {
        let last_row = self.cells.keys().next_back().map_or(0, |(row, _)| *row);
        let last_column = self.cells.keys().map(|(_, column)| *column).max().unwrap_or_default();
        budget.areas += areas.len();
        if budget.areas > MAX_AREAS {
            return Err(refused(
                format!("文件的合并区域超过 {MAX_AREAS} 处，请取消合并后导入"),
                format!("the file has more than {MAX_AREAS} merged areas: undo the merging"),
            ));
        }
        for area in areas {
            let (rows, columns) = (area.start.0..=area.end.0.min(last_row), area.start.1..=area.end.1.min(last_column));
            if rows.is_empty() || columns.is_empty() {
                continue;
            }
            let covered = |range: &std::ops::RangeInclusive<u32>| (range.end() - range.start()) as usize + 1;
            budget.merged = budget.merged.saturating_add(covered(&rows).saturating_mul(covered(&columns)));
            if budget.merged > MAX_MERGED {
                return Err(refused(
                    format!("文件的合并单元格超过 {MAX_MERGED} 个，请取消合并后导入"),
                    format!("the file has more than {MAX_MERGED} merged cells: undo the merging"),
                ));
            }
            for row in rows {
                for column in columns.clone() {
                    if (row, column) != area.start {
                        self.merged.insert((row, column), area.start);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Opens a file and returns its sheets. The format is detected from the content; `name` becomes the name of the sheet
/// of a CSV file.
pub fn open(name: &str, bytes: Vec<u8>) -> Result<Vec<Sheet>> {
    if bytes.len() > MAX_BYTES {
        let most = MAX_BYTES >> 20;
        return Err(refused(
            format!("文件超过 {most} MB，请拆分后导入"),
            format!("the file is larger than {most} MB: split it"),
        ));
    }
    if bytes.starts_with(b"PK") {
        let is_ods = contains(&bytes[..bytes.len().min(200)], b"opendocument");
        if is_ods {
            let merged = extent::bound_ods(&bytes)?;
            return guarded(|| ods(bytes, &merged));
        }
        let hidden = bounds::bound_xlsx(&bytes)?;
        let mut sheets = guarded(|| xlsx(bytes))?;
        for sheet in &mut sheets {
            sheet.hidden.extend(hidden.get(&sheet.name).map(|hidden| hidden_parts(sheet, hidden)).unwrap_or_default());
        }
        return Ok(sheets);
    }
    if bytes.starts_with(&[0xD0, 0xCF, 0x11, 0xE0]) {
        let bytes = extent::bound_xls(&bytes)?;
        return guarded(|| xls(bytes));
    }
    csv(name, &bytes).map(|sheet| vec![sheet])
}

/// Runs `read` and turns a panic into an error, because the workbook library panics on some malformed cell references.
fn guarded(read: impl FnOnce() -> Result<Vec<Sheet>>) -> Result<Vec<Sheet>> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(bounds::broken("单元格引用无效", "a cell reference is invalid")))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn broken(error: impl std::fmt::Display) -> Error {
    let why = error.to_string();
    bounds::broken(&why, &why)
}

/// Returns the error for a file with more than [`MAX_TEXT`] bytes of text.
pub(super) fn too_much_text() -> Error {
    let most = MAX_TEXT >> 20;
    refused(
        format!("文件的文字超过 {most} MB，请拆分后导入"),
        format!("the file has more than {most} MB of text: split it"),
    )
}

/// Reads an .xlsx file. Streams the cells, because a sheet with two filled cells can claim a billion.
fn xlsx(bytes: Vec<u8>) -> Result<Vec<Sheet>> {
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(broken)?;
    let mut budget = Budget::default();
    let mut sheets = Vec::new();
    for name in tables(book.sheets_metadata())? {
        let mut sheet = Sheet { name: name.clone(), ..Sheet::default() };
        let areas = book.merge_cells_by_sheet_name(&name).map_err(broken)?;
        let printed = printed(&mut book.worksheet_cells_reader(&name).map_err(broken)?)?;
        let mut cells = book.worksheet_cells_reader(&name).map_err(broken)?;
        while let Some(cell) = cells.next_cell_with_formula_metadata().map_err(broken)? {
            let value: Data = cell.value.into();
            let (text, kind) = match (&value, printed.get(&cell.pos)) {
                (Data::Float(number), Some(printed)) => (printed.write(*number), CellKind::Text),
                // Numbers without a format of their own look as they are stored.
                (Data::Float(_), None) => (text(&value).0, CellKind::Text),
                _ => text(&value),
            };
            let kind = if cell.formula.is_some() && text.is_empty() { CellKind::Formula } else { kind };
            sheet.put(cell.pos.0, cell.pos.1, &text, kind, &mut budget)?;
        }
        sheet.merge(&areas, &mut budget)?;
        sheets.push(sheet);
    }
    tell_hidden(&mut sheets, book.sheets_metadata());
    Ok(sheets)
}

/// How a number is printed: its decimals, and whether as a percentage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Printed {
    decimals: usize,
    is_percent: bool,
}

impl Printed {
    /// Reads a number format such as `0.00` or `0%`. Returns `None` for all that does not fix the decimals.
    fn of(format: &str) -> Option<Self> {
        let first = format.split(';').next().unwrap_or_default();
        let plain: String = first.chars().filter(|letter| !matches!(letter, ' ' | '\\' | '"' | '_')).collect();
        let (plain, is_percent) = match plain.strip_suffix('%') {
            Some(plain) => (plain, true),
            None => (plain.as_str(), false),
        };
        let (whole, decimals) = plain.split_once('.').unwrap_or((plain, ""));
        let is_number = whole.ends_with('0') && whole.chars().all(|letter| matches!(letter, '0' | '#' | ','));
        let is_fixed = decimals.chars().all(|letter| letter == '0') && decimals.len() <= 10;
        let says_more = is_percent || !decimals.is_empty();
        (is_number && is_fixed && says_more).then_some(Self { decimals: decimals.len(), is_percent })
    }

    fn write(self, number: f64) -> String {
        let decimals = self.decimals;
        if self.is_percent { format!("{:.decimals$}%", number * 100.0) } else { format!("{number:.decimals$}") }
    }
}

/// Returns how the numbers of a sheet are printed, of those cells whose format fixes it.
fn printed<R: std::io::Read + std::io::Seek>(
    cells: &mut calamine::XlsxCellReader<'_, R>,
) -> Result<HashMap<(u32, u32), Printed>> {
    let formats: Vec<Option<Printed>> = cells
        .styles()
        .iter()
        .map(|style| style.number_format.as_ref().and_then(|format| Printed::of(&format.format_code)))
        .collect();
    let mut found = HashMap::new();
    if formats.iter().all(Option::is_none) {
        return Ok(found);
    }
    while let Some((row, column, style)) = cells.next_style_id().map_err(broken)? {
        if let Some(printed) = formats.get(style).copied().flatten()
            && found.len() < MAX_CELLS
        {
            found.insert((row, column), printed);
        }
    }
    Ok(found)
}

fn xls(bytes: Vec<u8>) -> Result<Vec<Sheet>> {
    let book: Xls<_> = Xls::new(Cursor::new(bytes)).map_err(broken)?;
    whole(book, |book, name| book.merge_cells_by_sheet_name(name).map_err(broken))
}

fn ods(bytes: Vec<u8>, merged: &[Vec<Dimensions>]) -> Result<Vec<Sheet>> {
    let book: Ods<_> = Ods::new(Cursor::new(bytes)).map_err(broken)?;
    whole(book, |book, name| {
        let place = book.sheet_names().iter().position(|known| known == name);
        Ok(place.and_then(|place| merged.get(place)).cloned().unwrap_or_default())
    })
}

/// Reads a workbook in a format whose sheets the library only reads as a whole.
fn whole<B: Reader<Cursor<Vec<u8>>>>(
    mut book: B,
    merges: impl Fn(&B, &str) -> Result<Vec<Dimensions>>,
) -> Result<Vec<Sheet>>
where
    B::Error: std::fmt::Display,
{
    let mut budget = Budget::default();
    let mut sheets = Vec::new();
    for name in tables(book.sheets_metadata())? {
        let mut sheet = Sheet { name: name.clone(), ..Sheet::default() };
        let values = book.worksheet_range(&name).map_err(broken)?;
        let formulas = book.worksheet_formula(&name).map_err(broken)?;
        fill(&mut sheet, &values, &formulas, &mut budget)?;
        sheet.merge(&merges(&book, &name)?, &mut budget)?;
        sheets.push(sheet);
    }
    tell_hidden(&mut sheets, book.sheets_metadata());
    Ok(sheets)
}

/// Returns the remarks on what a sheet hides, as far as it is filled.
fn hidden_parts(sheet: &Sheet, hidden: &bounds::Hidden) -> Vec<Bilingual> {
    let rows: Vec<String> = hidden
        .rows
        .iter()
        .filter(|row| !sheet.columns(row.saturating_sub(1)).is_empty())
        .map(ToString::to_string)
        .collect();
    let filled: BTreeSet<u32> = sheet.cells.keys().map(|(_, column)| *column).collect();
    let columns: Vec<String> =
        hidden.columns.iter().filter(|column| filled.contains(column)).map(|column| letters(*column)).collect();
    let name = &sheet.name;
    let said = |(zh, en): (&str, &str), places: &[String]| {
        let count = places.len();
        let shown = |between: &str| places.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(between);
        let (more_zh, more_en) = if count > SHOWN {
            (format!("等 {count} {zh}"), format!(" and others, {count} in all,"))
        } else {
            (format!(" {zh}"), String::new())
        };
        Bilingual::new(
            format!("工作表“{name}”隐藏的第 {}{more_zh}也已读取；不要导入的，请在表中删去", shown("、")),
            format!("sheet “{name}”: hidden {en} {}{more_en} were read, too; delete what is not meant", shown(", ")),
        )
    };
    let each = [(("行", "rows"), rows), (("列", "columns"), columns)];
    each.iter().filter(|(_, places)| !places.is_empty()).map(|(what, places)| said(*what, places)).collect()
}

/// Adds the remark on the sheets that were left out because they are hidden.
fn tell_hidden(sheets: &mut [Sheet], all: &[calamine::Sheet]) {
    let hidden = |sheet: &&calamine::Sheet| sheet.typ == SheetType::WorkSheet && sheet.visible != SheetVisible::Visible;
    let names: Vec<String> = all.iter().filter(hidden).map(|sheet| format!("“{}”", sheet.name)).take(SHOWN).collect();
    if let Some(first) = sheets.first_mut().filter(|_| !names.is_empty()) {
        first.hidden.push(Bilingual::new(
            format!("隐藏的工作表{}未导入；要导入的，请取消隐藏", names.join("、")),
            format!("hidden sheets are not imported: {}; unhide those that are meant", names.join(", ")),
        ));
    }
}

/// Returns the names of the visible worksheets; charts and hidden sheets contain no ledger.
fn tables(sheets: &[calamine::Sheet]) -> Result<Vec<String>> {
    bounds::bound_sheets(sheets.len())?;
    let shown = |sheet: &&calamine::Sheet| sheet.typ == SheetType::WorkSheet && sheet.visible == SheetVisible::Visible;
    let names: Vec<String> = sheets.iter().filter(shown).map(|sheet| sheet.name.clone()).collect();
    bounds::bound_names(&names)?;
    Ok(names)
}

fn fill(sheet: &mut Sheet, values: &Range<Data>, formulas: &Range<String>, budget: &mut Budget) -> Result<()> {
    let (top, left) = values.start().unwrap_or_default();
    for (row, column, value) in values.used_cells() {
        let (text, kind) = text(value);
        sheet.put(top + row as u32, left + column as u32, &text, kind, budget)?;
    }
    let (top, left) = formulas.start().unwrap_or_default();
    for (row, column, formula) in formulas.used_cells() {
        if !formula.is_empty() {
            let (row, column) = (top + row as u32, left + column as u32);
            if sheet.text(row, column).is_empty() {
                sheet.put(row, column, "", CellKind::Formula, budget)?;
            }
        }
    }
    Ok(())
}

/// Returns the text of a cell's value, whole numbers without a fraction and dates as `2022-12-31`, and its kind.
fn text(value: &Data) -> (String, CellKind) {
    match value {
        Data::Empty => (String::new(), CellKind::Text),
        Data::DateTimeIso(text) => match text.get(..10).filter(|day| day.parse::<NaiveDate>().is_ok()) {
            Some(day) => (day.to_owned(), CellKind::Day),
            None => (text.clone(), CellKind::Text),
        },
        Data::String(text) | Data::DurationIso(text) => (text.clone(), CellKind::Text),
        Data::DateTime(_) => (value.as_date().map(|day| day.to_string()).unwrap_or_default(), CellKind::Day),
        Data::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => (format!("{number:.0}"), CellKind::Text),
        Data::Float(_) => (value.to_string(), CellKind::Fraction),
        Data::Error(error) => (error.to_string(), CellKind::Error),
        other => (other.to_string(), CellKind::Text),
    }
}

fn csv(name: &str, bytes: &[u8]) -> Result<Sheet> {
    let decoded = decoded(bytes)?;
    let head: String = decoded.trim_start().chars().take(40).flat_map(char::to_lowercase).collect();
    if ["<html", "<!doctype", "<table", "<meta", "<head", "mime-version:"].iter().any(|tag| head.starts_with(tag)) {
        return Err(refused(
            "文件是网页，不是工作簿：请用 Excel 或 WPS 打开，另存为 .xlsx 后再导入",
            "the file is a web page, not a workbook: open it in a spreadsheet program and save it as .xlsx",
        ));
    }
    let mut sheet = Sheet { name: name.to_owned(), ..Sheet::default() };
    let mut budget = Budget::default();
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator(&decoded))
        .from_reader(decoded.as_bytes());
    for (row, record) in reader.records().enumerate() {
        let line = row + 1;
        let record = record.map_err(|error| {
            refused(
                format!("CSV 第 {line} 行无法读取：{error}"),
                format!("row {line} of the CSV file cannot be read: {error}"),
            )
        })?;
        for (column, field) in record.iter().enumerate() {
            let is_formula = field.trim_start().starts_with('=');
            let kind = if is_formula { CellKind::Formula } else { CellKind::Text };
            sheet.put(row as u32, column as u32, field, kind, &mut budget)?;
        }
    }
    Ok(sheet)
}

/// Decodes a text in UTF-8, UTF-16 with a byte order mark, or GB18030, which includes GBK.
///
/// # Errors
///
/// Refuses a text in another encoding, or with a zero character.
pub fn decoded(bytes: &[u8]) -> Result<String> {
    let unreadable = || {
        refused(
            "文件既不是工作簿，也不是 UTF-8、UTF-16 或 GB18030（GBK）编码的文本：请另存为 .xlsx 或 UTF-8 的 .csv",
            "the file is neither a workbook nor a text in UTF-8, UTF-16 or GB18030 (GBK): save it as .xlsx, or as .csv \
             in UTF-8",
        )
    };
    let marked = encoding_rs::Encoding::for_bom(bytes);
    let decoded = match (marked, std::str::from_utf8(bytes)) {
        (Some((encoding, mark)), _) => encoding
            .decode_without_bom_handling_and_without_replacement(bytes.get(mark..).unwrap_or_default())
            .ok_or_else(unreadable)?
            .into_owned(),
        (None, Ok(text)) => text.to_owned(),
        (None, Err(_)) => encoding_rs::GB18030
            .decode_without_bom_handling_and_without_replacement(bytes)
            .ok_or_else(unreadable)?
            .into_owned(),
    };
    if decoded.contains('\0') { Err(unreadable()) } else { Ok(decoded) }
}

/// Returns the separator of a text: a comma, tab or semicolon, whichever its first lines have most outside quotes.
pub fn separator(text: &str) -> u8 {
    const LINES: usize = 30;
    let mut counts = [(b',', 0), (b'\t', 0), (b';', 0)];
    for line in text.lines().take(LINES) {
        let mut is_quoted = false;
        for letter in line.bytes() {
            is_quoted ^= letter == b'"';
            if let Some((_, count)) = counts.iter_mut().find(|(separator, _)| *separator == letter && !is_quoted) {
                *count += 1;
            }
        }
    }
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(separator, _)| separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_printed() {
        let written = |format: &str, number| Printed::of(format).map(|printed| printed.write(number));
        assert_eq!(written("0.00", 1.1).as_deref(), Some("1.10"));
        assert_eq!(written("0%", 0.35).as_deref(), Some("35%"));
        assert_eq!(written("#,##0.0_ ", 1234.56).as_deref(), Some("1234.6"));
        assert_eq!(written("0.00;[Red]-0.00", 2.0).as_deref(), Some("2.00"));
        for none in ["General", "@", "yyyy/m/d", "0", "0.0#", "[h]:mm", "0.00E+00", ""] {
            assert_eq!(Printed::of(none), None, "{none}");
        }
    }

    #[test]
    fn texts_say_how_they_are_separated_and_encoded() {
        assert_eq!(separator("甲,乙\n\"丙;丁;戊;己\",庚\n"), b',');
        assert_eq!(separator("甲\t乙，丙\n"), b'\t');
        assert_eq!(separator("甲;乙;丙\n1,5;2;3\n"), b';');
        assert_eq!(separator("甲\n"), b',');
        let utf16: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("甲,乙".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(decoded(&utf16).unwrap(), "甲,乙");
        assert_eq!(decoded(b"\xef\xbb\xbf\xe7\x94\xb2").unwrap(), "甲");
        assert_eq!(decoded(&[0xbc, 0xd7]).unwrap(), "甲");
        assert!(decoded(&[b'a', 0, b'b']).is_err());
    }
}
