//! Limits the content of zipped workbooks (.xlsx, .ods) before the library reads them. The library keeps everything in
//! memory as often as the file repeats it, so a file of a few kilobytes could cost gigabytes of memory and minutes of
//! time.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::io::{BufReader, Cursor, Read, Write};

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

use ledger::fault::Fault;
use ledger::{Error, Result};

/// Maximum number of sheets in a file, including hidden ones.
pub(super) const MAX_SHEETS: usize = 256;
/// Maximum size of the unpacked file, in bytes.
pub(super) const MAX_UNPACKED: u64 = 256 << 20;
/// Maximum number of entries in the archive.
const MAX_ENTRIES: usize = 2_000;
/// Maximum number of relationships between a workbook and its parts.
const MAX_RELATIONS: usize = 20_000;
/// Maximum ratio of unpacked to packed size, for files that unpack to more than [`SMALL`].
const MAX_RATIO: u64 = 200;
/// Unpacked size in bytes up to which any ratio is accepted.
const SMALL: u64 = 16 << 20;
/// Maximum number of defined names.
pub(super) const MAX_NAMES: usize = 100_000;
/// Maximum number of shared texts.
pub(super) const MAX_STRINGS: usize = 1_000_000;
/// Maximum number of elements in the style sheet.
const MAX_STYLE_ELEMENTS: usize = 1_000_000;
/// Maximum number of cell formats. The library keeps each with copies of its font and number format.
const MAX_FORMATS: usize = 131_072;
/// Maximum length of an attribute in the style sheet, in bytes.
const MAX_STYLE_ATTRIBUTE: usize = 2_048;
/// Maximum number of bytes between two tags, which is one text of a cell in any encoding.
const MAX_RUN: usize = 1 << 20;

/// The ZIP archive of a workbook.
pub(super) type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// Returns the error for a file that cannot be read, in Chinese and in English.
pub(super) fn refused(zh: impl Into<String>, en: impl Into<String>) -> Error {
    Fault::invalid(zh, en, &["file"]).into()
}

/// Returns the error for a file that is not a valid workbook, with the reason in Chinese and in English.
pub(super) fn broken(zh: &str, en: &str) -> Error {
    refused(format!("文件不是有效的工作簿：{zh}"), format!("the file is not a valid workbook: {en}"))
}

/// Returns the error for a file that is damaged.
pub(super) fn damaged_file() -> Error {
    broken("文件已损坏", "the file is damaged")
}

/// Returns the error for a file with sheets that share their content.
pub(super) fn shared_content() -> Error {
    broken(
        "多张工作表指向同一份内容，请用 Excel 或 WPS 另存后导入",
        "several sheets have the same content; save the file again with Excel or WPS",
    )
}

/// Returns the error for a file that defines more than [`MAX_NAMES`] names.
pub(super) fn too_many_names() -> Error {
    refused(
        format!("文件定义的名称超过 {MAX_NAMES} 个，请在名称管理器中删除后导入"),
        format!("the file defines more than {MAX_NAMES} names: delete them in the name manager"),
    )
}

/// Returns the error for a file that has more than [`MAX_STRINGS`] texts.
pub(super) fn too_many_strings() -> Error {
    refused(
        format!("文件的文字超过 {MAX_STRINGS} 条，请拆分后导入"),
        format!("the file has more than {MAX_STRINGS} texts: split it"),
    )
}

fn damaged<E>(_: E) -> Error {
    broken("压缩包已损坏", "the archive is damaged")
}

/// Rejects a file with too many sheets.
pub(super) fn bound_sheets(count: usize) -> Result<()> {
    if count > MAX_SHEETS {
        return Err(refused(
            format!("文件有 {count} 张工作表（含隐藏的），超过 {MAX_SHEETS} 张，请删除无关的工作表或拆分后导入"),
            format!("the file has {count} sheets (with hidden ones), and at most {MAX_SHEETS} are allowed: split it"),
        ));
    }
    Ok(())
}

/// Rejects a file with two sheets of the same name, which no spreadsheet program writes.
pub(super) fn bound_names(names: &[String]) -> Result<()> {
    let mut seen = HashSet::new();
    match names.iter().find(|name| !seen.insert(name.as_str())) {
        None => Ok(()),
        Some(name) => Err(broken(
            &format!("有两张名为“{name}”的工作表，请另存后导入"),
            &format!("two sheets are named “{name}”; save the file again"),
        )),
    }
}

/// Opens an archive. Rejects it if it has too many entries, two entries of the same name, or too large an unpacked
/// size.
pub(super) fn archive(bytes: &[u8]) -> Result<Archive<'_>> {
    let many = || {
        refused(
            format!("文件内含超过 {MAX_ENTRIES} 个部件，请删除无关的工作表、图片后另存，再导入"),
            format!("the file has more than {MAX_ENTRIES} parts: delete unrelated sheets and pictures, and save it"),
        )
    };
    // The library reads the whole directory into memory before it can count the entries, so count their signatures
    // first. The factor 2 allows for signatures that occur in the data by chance.
    if bytes.windows(4).filter(|window| window == b"PK\x01\x02").count() > 2 * MAX_ENTRIES {
        return Err(many());
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    if archive.len() > MAX_ENTRIES {
        return Err(many());
    }
    let mut names = HashSet::new();
    let mut repeats = archive.has_duplicate_names();
    for name in archive.file_names() {
        repeats |= !names.insert(plain(&name.map_err(damaged)?));
    }
    if repeats {
        return Err(broken(
            "压缩包中有重名的部件，请用 Excel 或 WPS 另存后导入",
            "two parts have the same name; save the file again with Excel or WPS",
        ));
    }
    bound_unpacked(&mut archive, bytes.len() as u64)?;
    Ok(archive)
}

/// Normalises the name of an entry, which the library looks up regardless of case.
fn plain(name: &str) -> String {
    name.replace('\\', "/").to_ascii_lowercase()
}

/// Unpacks every entry and counts the bytes, because the sizes that a file declares may be wrong.
fn bound_unpacked(archive: &mut Archive<'_>, packed: u64) -> Result<()> {
    let mut unpacked = 0_u64;
    let mut chunk = vec![0_u8; 1 << 16];
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(damaged)?;
        loop {
            let read = entry.read(&mut chunk).map_err(damaged)?;
            if read == 0 {
                break;
            }
            unpacked += read as u64;
            if unpacked > MAX_UNPACKED {
                let most = MAX_UNPACKED >> 20;
                return Err(refused(
                    format!("文件解压后超过 {most} MB，拒绝导入，请拆分"),
                    format!("the unpacked file is larger than {most} MB: split it"),
                ));
            }
            if unpacked > SMALL && unpacked > packed.saturating_mul(MAX_RATIO) {
                return Err(refused(
                    format!("文件解压后超过其大小的 {MAX_RATIO} 倍，拒绝导入，请删除空白的行列后另存"),
                    format!("the unpacked file is more than {MAX_RATIO} times as large: delete blank rows and columns"),
                ));
            }
        }
    }
    Ok(())
}

/// A reader that passes bytes on, and fails when more than [`MAX_RUN`] bytes in a row contain no `<`.
struct Runs<R> {
    inner: R,
    run: usize,
    is_long: bool,
}

impl<R: Read> Runs<R> {
    fn new(inner: R) -> Self {
        Self { inner, run: 0, is_long: false }
    }
}

impl<R: Read> Read for Runs<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        for piece in buffer[..read].split_inclusive(|byte| *byte == b'<') {
            self.run += piece.len();
            self.is_long |= self.run > MAX_RUN;
            if piece.ends_with(b"<") {
                self.run = 0;
            }
        }
        if self.is_long { Err(std::io::Error::other("a text is too long")) } else { Ok(read) }
    }
}

fn too_long() -> Error {
    let most = super::sheet::MAX_CELL_CHARS;
    refused(
        format!("文件中有单元格的文字超过 {most} 字，拒绝导入，请删减"),
        format!("a cell has more than {most} characters: shorten its text"),
    )
}

/// Parses a part of a workbook as XML and calls `told` for each event. Returns whether the part exists.
pub(super) fn each(
    archive: &mut Archive<'_>,
    part: &str,
    strict: bool,
    mut told: impl FnMut(&Event<'_>) -> Result<()>,
) -> Result<bool> {
    let Some(name) = found(archive, part)? else { return Ok(false) };
    let entry = archive.by_name(&name).map_err(damaged)?;
    let mut reader = Reader::from_reader(BufReader::new(Runs::new(entry)));
    // The same strictness as when the library reads the part.
    reader.config_mut().check_end_names = strict;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Eof) => return Ok(true),
            Ok(event) => told(&event)?,
            Err(_) if reader.get_ref().get_ref().is_long => return Err(too_long()),
            Err(_) => return Err(broken(&format!("{part} 已损坏"), &format!("{part} is damaged"))),
        }
    }
}

/// Returns the name of the entry of a part, regardless of case.
fn found(archive: &Archive<'_>, part: &str) -> Result<Option<String>> {
    let wanted = plain(part);
    for name in archive.file_names() {
        let name = name.map_err(damaged)?;
        if plain(&name) == wanted {
            return Ok(Some(name.into_owned()));
        }
    }
    Ok(None)
}

/// Returns an attribute by its qualified name. Fails if any attribute is malformed, because these elements determine
/// which parts are read.
fn attribute(tag: &BytesStart<'_>, name: &str) -> Result<Option<String>> {
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|_| broken("部件的属性有误", "a part has a wrong attribute"))?;
        if attribute.key.as_ref() == name {
            return Ok(Some(attribute.value.into_owned()));
        }
    }
    Ok(None)
}

/// Returns the start tag of an element, if the event is one.
fn begins<'a>(event: &'a Event<'_>) -> Option<&'a BytesStart<'a>> {
    match event {
        Event::Start(tag) | Event::Empty(tag) => Some(tag),
        _ => None,
    }
}

/// What a sheet hides: its rows, from 1, and its columns, from 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Hidden {
    pub(super) rows: Vec<u32>,
    pub(super) columns: Vec<u32>,
}

/// Rejects an .xlsx file that contains more than a ledger can, or in which sheets share a part, which the library would
/// read again for each. Returns what sheets hide, by their names.
pub(super) fn bound_xlsx(bytes: &[u8]) -> Result<HashMap<String, Hidden>> {
    let mut archive = archive(bytes)?;
    let mut main = None;
    each(&mut archive, "_rels/.rels", false, |event| {
        let Some(tag) = begins(event).filter(|tag| tag.local_name().as_ref() == "Relationship") else { return Ok(()) };
        if attribute(tag, "Type")?.is_some_and(|kind| kind.ends_with("/relationships/officeDocument"))
            && let Some(target) = attribute(tag, "Target")?
        {
            let target = unescape(&target).map_err(|_| broken("_rels/.rels 已损坏", "_rels/.rels is damaged"))?;
            main = Some(target.into_owned());
        }
        Ok(())
    })?;
    let main = main.ok_or_else(|| broken("没有工作簿的内容", "it has no workbook"))?;
    let (folder, name) =
        main.rsplit_once('/').map_or(("", main.as_str()), |(folder, _)| main.split_at(folder.len() + 1));
    let folder = folder.strip_prefix('/').unwrap_or(folder);
    let name = if name.is_empty() { "workbook.xml" } else { name };
    let sheets = sheets(&mut archive, folder, name)?;
    bound_strings(&mut archive, &format!("{folder}sharedStrings.xml"))?;
    bound_styles(&mut archive, &format!("{folder}styles.xml"))?;
    bound_runs(&mut archive, &format!("{folder}theme/theme1.xml"))?;
    let mut hidden = HashMap::new();
    for (part, name) in sheets {
        if bound_runs(&mut archive, &part)? {
            hidden.insert(name, hidden_in(&mut archive, &part)?);
        }
    }
    Ok(hidden)
}

/// Returns what a sheet hides.
fn hidden_in(archive: &mut Archive<'_>, part: &str) -> Result<Hidden> {
    let mut hidden = Hidden::default();
    each(archive, part, false, |event| {
        let Some(tag) = begins(event) else { return Ok(()) };
        let (is_row, is_column) = (tag.local_name().as_ref() == "row", tag.local_name().as_ref() == "col");
        if !is_row && !is_column {
            return Ok(());
        }
        if !matches!(attribute(tag, "hidden")?.as_deref(), Some("1" | "true")) {
            return Ok(());
        }
        let number = |name| -> Result<Option<u32>> { Ok(attribute(tag, name)?.and_then(|text| text.parse().ok())) };
        if is_row {
            hidden.rows.extend(number("r")?);
        } else if let (Some(first), Some(last)) = (number("min")?, number("max")?) {
            // Spreadsheets hide all columns to the right of a table as one range.
            let most = super::sheet::MAX_COLUMNS;
            hidden.columns.extend(first.saturating_sub(1).min(most)..last.min(most));
        }
        Ok(())
    })?;
    Ok(hidden)
}

/// Returns the parts of the sheets, each with the sheet's name.
fn sheets(archive: &mut Archive<'_>, folder: &str, name: &str) -> Result<Vec<(String, String)>> {
    let mut targets: HashMap<String, String> = HashMap::new();
    each(archive, &format!("{folder}_rels/{name}.rels"), false, |event| {
        let Some(tag) = begins(event).filter(|tag| tag.local_name().as_ref() == "Relationship") else { return Ok(()) };
        if let Some(id) = attribute(tag, "Id")? {
            targets.insert(id, attribute(tag, "Target")?.unwrap_or_default());
        }
        if targets.len() > MAX_RELATIONS {
            return Err(refused(
                format!("文件内的关联超过 {MAX_RELATIONS} 处，请另存后导入"),
                format!("the file has more than {MAX_RELATIONS} relationships: save it again"),
            ));
        }
        Ok(())
    })?;
    let (mut count, mut names) = (0, 0);
    let mut seen = HashSet::new();
    let mut parts = Vec::new();
    let mut shared = false;
    each(archive, &format!("{folder}{name}"), false, |event| {
        let Some(tag) = begins(event) else { return Ok(()) };
        match tag.local_name().as_ref() {
            "sheet" => {
                count += 1;
                let (mut id, mut called) = (None, String::new());
                for attribute in tag.attributes() {
                    let attribute =
                        attribute.map_err(|_| broken("工作表的属性有误", "a sheet has a wrong attribute"))?;
                    match attribute.key.local_name().as_ref() {
                        "id" => id = Some(attribute.value.into_owned()),
                        "name" => {
                            called = unescape(&attribute.value).map(Cow::into_owned).unwrap_or_default();
                        }
                        _ => {}
                    }
                }
                if let Some(target) = id.and_then(|id| targets.get(&id)) {
                    let part = target.strip_prefix('/').map_or_else(|| format!("{folder}{target}"), str::to_owned);
                    shared |= !seen.insert(plain(&part));
                    parts.push((plain(&part), called));
                }
            }
            "definedName" => {
                names += 1;
                if names > MAX_NAMES {
                    return Err(too_many_names());
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    bound_sheets(count)?;
    if shared {
        return Err(shared_content());
    }
    Ok(parts)
}

/// Rejects too many shared texts, and too large a claimed number of them, for which the library would allocate memory.
fn bound_strings(archive: &mut Archive<'_>, part: &str) -> Result<()> {
    let mut count = 0;
    each(archive, part, false, |event| {
        let Some(tag) = begins(event) else { return Ok(()) };
        match tag.local_name().as_ref() {
            "si" => count += 1,
            "sst" => {
                let claimed = attribute(tag, "uniqueCount")?.and_then(|count| count.trim().parse::<u64>().ok());
                if claimed.is_some_and(|claimed| claimed > MAX_STRINGS as u64) {
                    return Err(too_many_strings());
                }
            }
            _ => {}
        }
        if count > MAX_STRINGS { Err(too_many_strings()) } else { Ok(()) }
    })?;
    Ok(())
}

fn bound_styles(archive: &mut Archive<'_>, part: &str) -> Result<()> {
    let (mut elements, mut formats) = (0, 0);
    each(archive, part, false, |event| {
        let Some(tag) = begins(event) else { return Ok(()) };
        elements += 1;
        formats += usize::from(tag.local_name().as_ref() == "xf");
        let is_long = tag.attributes().flatten().any(|attribute| attribute.value.len() > MAX_STYLE_ATTRIBUTE);
        if elements > MAX_STYLE_ELEMENTS || formats > MAX_FORMATS || is_long {
            return Err(refused(
                "文件的单元格格式过多，请把内容复制到新的工作簿（只粘贴文字）后导入",
                "the file has too many cell formats: copy its content to a new workbook as text only",
            ));
        }
        Ok(())
    })?;
    Ok(())
}

/// Finds a text in what is written to it, and keeps nothing else.
struct Finder {
    wanted: &'static [u8],
    /// The end of what was written, in which the text may have begun.
    tail: Vec<u8>,
    is_found: bool,
}

impl std::io::Write for Finder {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if !self.is_found {
            self.tail.extend_from_slice(bytes);
            self.is_found = self.tail.windows(self.wanted.len()).any(|window| window == self.wanted);
            self.tail.drain(..self.tail.len().saturating_sub(self.wanted.len()));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Rejects a part with a text that is longer than a cell's may be. Returns whether it may hide rows or columns.
fn bound_runs(archive: &mut Archive<'_>, part: &str) -> Result<bool> {
    let Some(name) = found(archive, part)? else { return Ok(false) };
    let mut entry = Runs::new(archive.by_name(&name).map_err(damaged)?);
    let mut finder = Finder { wanted: b" hidden=", tail: Vec::new(), is_found: false };
    match std::io::copy(&mut entry, &mut finder) {
        Ok(_) => Ok(finder.is_found),
        Err(_) if entry.is_long => Err(too_long()),
        Err(why) => Err(damaged(why)),
    }
}

/// Builds an .xls file that contains only these records.
pub(super) fn packed_again(records: &[u8]) -> Result<Vec<u8>> {
    let failed = |_| damaged_file();
    let mut file = cfb::CompoundFile::create_with_version(cfb::Version::V3, Cursor::new(Vec::new())).map_err(failed)?;
    file.create_stream("/Workbook").and_then(|mut stream| stream.write_all(records)).map_err(failed)?;
    file.flush().map_err(failed)?;
    Ok(file.into_inner().into_inner())
}
