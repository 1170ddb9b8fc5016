//! Bounds on workbooks: a file of some kilobytes must not cost gigabytes or minutes. Its claims are checked before it
//! is read, and a refusal names the exceeded bound. Most of it does not depend on the database and runs on SQLite only.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::time::{Duration, Instant};

use crate::support::ledgers::{CITY_ROWS, ROUND, city, province};
use crate::support::{World, stories};

/// The maximum time of a refusal, in an unoptimised build on a busy machine. Without bounds, reading these files takes
/// minutes or all memory.
const SOON: Duration = Duration::from_mins(1);

#[test]
fn a_small_file_that_claims_much_is_refused_soon() {
    let world = World::sqlite();
    for (name, bytes, said) in claims() {
        assert!(bytes.len() < 4 << 20, "{name} has {} bytes", bytes.len());
        let file = world.file(name, &bytes);
        let began = Instant::now();
        let ran = world.run(&["import", &file, "--round", ROUND, "--region", "540329", "--dry-run"]);
        assert!(ran.code == 1 && ran.out.contains(said), "{name} ({}): {}", ran.code, ran.out);
        assert!(began.elapsed() < SOON, "{name}: {:?}", began.elapsed());
    }
}

stories!(files_within_the_bounds_are_taken);

fn files_within_the_bounds_are_taken(world: &World) {
    let file = world.file("省.xlsx", &province());
    let said = world.done(&["import", &file, "--round", "中央督察", "--region", "540000", "--dry-run"]);
    assert!(said.contains("6 个问题、9 条措施"), "{said}");
    // Two hundred sheets with one problem each, some hidden, with a text that many cells share.
    let mut book = rust_xlsxwriter::Workbook::new();
    for number in 1..=200_u32 {
        let sheet = book.add_worksheet().set_name(format!("问题{number}")).unwrap();
        sheet.set_hidden(number % 10 == 3);
        for (column, heading) in ["反馈问题", "整改任务", "整改时限"].into_iter().enumerate() {
            sheet.write(0, column as u16, heading).unwrap();
        }
        sheet.write(1, 0, format!("（{number}）问题{number}。")).unwrap();
        sheet.write(1, 1, "1.采取措施。").unwrap();
        sheet.write(1, 2, "长期坚持").unwrap();
    }
    let file = world.file("多表.xlsx", &book.save_to_buffer().unwrap());
    let said = world.done(&["import", &file, "--round", ROUND, "--region", "540000", "--as-of", "2023-04-30"]);
    assert!(said.contains("新增：180 个问题、180 条措施"), "{said}");
    // The hand-made .xls and .ods formats are readable, so that their refusals below are due to the bounds.
    for (name, bytes) in
        [("旧.xls", old_book(&[0], 1, "长期坚持", 3)), ("开.ods", open_book(&table("a", &row(3, "长期坚持"))))]
    {
        let file = world.file(name, &bytes);
        let ran = world.run(&["import", &file, "--round", ROUND, "--region", "540000"]);
        assert!(ran.code == 1 && ran.out.contains("没有找到台账"), "{name} is read: {}", ran.out);
    }
}

/// Returns files with excessive claims, each with its name and a part of the expected message.
fn claims() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let cell = |text: &str| format!(r#"<c r="A1" t="inlineStr"><is><t>{text}</t></is></c>"#);
    let sheet = |cells: &str| format!("<worksheet><sheetData><row r=\"1\">{cells}</row></sheetData></worksheet>");
    let one = || vec![("xl/worksheets/sheet1.xml".to_owned(), sheet(&cell("x")))];
    let shared: Vec<usize> = (0..3_000).map(|_| 1).collect();
    let some: Vec<usize> = vec![1, 2, 1];
    let own: Vec<usize> = (1..=300).collect();
    let of = |count: usize| -> Vec<(String, String)> {
        (1..=count).map(|number| (format!("xl/worksheets/sheet{number}.xml"), sheet(&cell("x")))).collect()
    };
    let strings = |strings: String| [one(), vec![("xl/sharedStrings.xml".to_owned(), strings)]].concat();
    let styles = |styles: String| [one(), vec![("xl/styles.xml".to_owned(), styles)]].concat();
    let mut twice = one();
    twice.push(("XL/worksheets/SHEET1.xml".to_owned(), sheet(&cell("y"))));
    let repeated = format!(
        r#"<table:table-row table:number-rows-repeated="20000">{}</table:table-row>"#,
        open_cell(&"长".repeat(10_000), 1)
    );
    let broken_off = r#"<office:document-content><table:table table:name="a"><table:table-row>"#;
    vec![
        ("三千表.xlsx", book(&shared, one()), "超过 256 张"),
        ("同源.xlsx", book(&some, of(2)), "指向同一份内容"),
        ("三百表.xlsx", book(&own, of(300)), "超过 256 张"),
        ("部件.xlsx", book(&[1], of(2_100)), "超过 2000 个部件"),
        ("重名.xlsx", book(&[1], twice), "重名的部件"),
        ("虚报.xlsx", book(&[1], strings(r#"<sst uniqueCount="900000000000"/>"#.into())), "超过 1000000 条"),
        ("多串.xlsx", book(&[1], strings(format!("<sst>{}</sst>", "<si/>".repeat(1_000_001)))), "超过 1000000 条"),
        (
            "格式.xlsx",
            book(&[1], styles(format!("<styleSheet><cellXfs>{}</cellXfs></styleSheet>", "<xf/>".repeat(200_000)))),
            "单元格格式过多",
        ),
        ("名称.xlsx", book_named(100_001), "名称超过 100000 个"),
        (
            "长字.xlsx",
            book(&[1], vec![("xl/worksheets/sheet1.xml".into(), sheet(&cell(&"x".repeat(2 << 20))))]),
            "文字超过 100000 字",
        ),
        ("空格.xlsx", blank_texts(), "文字超过 128 MB"),
        ("合并.xlsx", merges(), "合并区域超过 200000 处"),
        ("千表.ods", open_book(&(0..3_000).map(|at| table(&format!("t{at}"), "")).collect::<String>()), "超过 256 张"),
        ("重行.ods", open_book(&table("a", &repeated)), "文字超过 128 MB"),
        ("重列.ods", open_book(&table("a", &row(9_000, &"长".repeat(9_000)))), "文字超过 128 MB"),
        ("空白.ods", open_book(&table("a", &row(1, r#"<text:s text:c="9000000000"/>"#))), "文字超过 128 MB"),
        (
            "套表.ods",
            open_book(&table(
                "a",
                &format!("<table:table-row><table:table-cell>{}</table:table-cell></table:table-row>", table("b", "")),
            )),
            "套有表格",
        ),
        ("断.ods", packed_open(broken_off), "content.xml 不完整"),
        ("三千表.xls", old_book(&vec![0; 3_000], 1, "x", 1), "指向同一份内容"),
        ("重叠.xls", old_book(&[0, 1], 5_000, "x", 1), "指向同一份内容"),
        ("同字.xls", old_book(&[0], 60_000, &"x".repeat(8_000), 1), "文字超过 128 MB"),
        ("散.xls", old_book(&[0], 65_535, "x", 200), "分布过散"),
    ]
}

/// Returns a zip archive of these parts.
fn packed(parts: &[(String, String)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in parts {
        let kept = name == "mimetype";
        let method = if kept { zip::CompressionMethod::Stored } else { zip::CompressionMethod::Deflated };
        archive.start_file(name, zip::write::SimpleFileOptions::default().compression_method(method)).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// Returns an .xlsx workbook. `sheets` has the number of the part for each sheet, so sheets can share a part.
fn book(sheets: &[usize], parts: Vec<(String, String)>) -> Vec<u8> {
    book_with(sheets, parts, "")
}

fn book_with(sheets: &[usize], parts: Vec<(String, String)>, more: &str) -> Vec<u8> {
    const KIND: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let (mut listed, mut links) = (String::new(), String::new());
    for (place, part) in sheets.iter().enumerate() {
        write!(listed, r#"<sheet name="s{place}" sheetId="{place}" r:id="r{place}"/>"#).unwrap();
        let target = format!("worksheets/sheet{part}.xml");
        write!(links, r#"<Relationship Id="r{place}" Type="{KIND}/worksheet" Target="{target}"/>"#).unwrap();
    }
    let link = format!(r#"<Relationship Id="r" Type="{KIND}/officeDocument" Target="xl/workbook.xml"/>"#);
    let related = |links: &str| format!("<Relationships>{links}</Relationships>");
    let mut all = vec![
        ("_rels/.rels".to_owned(), related(&link)),
        ("xl/_rels/workbook.xml.rels".to_owned(), related(&links)),
        ("xl/workbook.xml".to_owned(), format!("<workbook><sheets>{listed}</sheets>{more}</workbook>")),
    ];
    all.extend(parts);
    packed(&all)
}

fn book_named(count: usize) -> Vec<u8> {
    let names: String = (0..count).fold(String::new(), |mut names, at| {
        write!(names, r#"<definedName name="n{at}">A1</definedName>"#).unwrap();
        names
    });
    let sheet = "<worksheet><sheetData/></worksheet>".to_owned();
    book_with(&[1], vec![("xl/worksheets/sheet1.xml".to_owned(), sheet)], &names)
}

/// Returns a workbook whose cells share one long text of spaces, which is copied for each cell when read.
fn blank_texts() -> Vec<u8> {
    let strings = format!(r#"<sst><si><t xml:space="preserve">{}</t></si></sst>"#, " ".repeat(500_000));
    let cells: String = (1..=3_000).fold(String::new(), |mut cells, row| {
        write!(cells, r#"<row r="{row}"><c r="A{row}" t="s"><v>0</v></c></row>"#).unwrap();
        cells
    });
    let sheet = format!("<worksheet><sheetData>{cells}</sheetData></worksheet>");
    book(&[1], vec![("xl/worksheets/sheet1.xml".to_owned(), sheet), ("xl/sharedStrings.xml".to_owned(), strings)])
}

/// Returns a workbook with many merged areas that span all rows of empty columns.
fn merges() -> Vec<u8> {
    let areas: String = (0..300_000).fold(String::new(), |mut areas, at| {
        write!(areas, r#"<mergeCell ref="B1:C{}"/>"#, 100_000 + at % 10).unwrap();
        areas
    });
    let cells = r#"<row r="1"><c r="A1"><v>1</v></c></row><row r="200000"><c r="A200000"><v>1</v></c></row>"#;
    let sheet = format!("<worksheet><sheetData>{cells}</sheetData><mergeCells>{areas}</mergeCells></worksheet>");
    book(&[1], vec![("xl/worksheets/sheet1.xml".to_owned(), sheet)])
}

fn open_cell(text: &str, columns: usize) -> String {
    format!(
        "<table:table-cell office:value-type=\"string\" table:number-columns-repeated=\"{columns}\">\
         <text:p>{text}</text:p></table:table-cell>"
    )
}

fn row(columns: usize, text: &str) -> String {
    format!("<table:table-row>{}</table:table-row>", open_cell(text, columns))
}

fn table(name: &str, rows: &str) -> String {
    format!(r#"<table:table table:name="{name}">{rows}</table:table>"#)
}

fn open_book(tables: &str) -> Vec<u8> {
    packed_open(&format!("<office:document-content>{tables}</office:document-content>"))
}

fn packed_open(content: &str) -> Vec<u8> {
    packed(&[
        ("mimetype".to_owned(), "application/vnd.oasis.opendocument.spreadsheet".to_owned()),
        ("META-INF/manifest.xml".to_owned(), "<manifest:manifest/>".to_owned()),
        ("content.xml".to_owned(), content.to_owned()),
    ])
}

/// Returns an .xls workbook with one cell per row, in the last column, which all share one text. `sheets` has the
/// record at which each sheet begins: 0 for the first record of the only substream, 1 for the one after it, so sheets
/// can overlap.
fn old_book(sheets: &[usize], rows: u16, text: &str, columns: u16) -> Vec<u8> {
    fn record(kind: u16, content: &[u8]) -> Vec<u8> {
        [&kind.to_le_bytes()[..], &(content.len() as u16).to_le_bytes(), content].concat()
    }
    let begin = |kind: u16| record(0x0809, &[&0x0600_u16.to_le_bytes()[..], &kind.to_le_bytes(), &[0; 12]].concat());
    let end = record(0x000A, &[]);
    let letters: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let length = (letters.len() / 2) as u16;
    let shared = [&1_u32.to_le_bytes()[..], &1_u32.to_le_bytes(), &length.to_le_bytes(), &[1], &letters].concat();
    let strings = record(0x00FC, &shared);
    let bound = |from: u32, name: u8| record(0x0085, &[&from.to_le_bytes()[..], &[0, 0, 1, 0, name]].concat());
    let names = |at: usize| b'a' + (at % 26) as u8;
    let head = begin(5).len() + sheets.len() * bound(0, b'a').len() + strings.len() + end.len();
    let mut stream = begin(5);
    for (at, place) in sheets.iter().enumerate() {
        let from = head + if *place == 0 { 0 } else { begin(0x10).len() };
        stream.extend(bound(from as u32, names(at)));
    }
    stream.extend([strings, end.clone(), begin(0x10)].concat());
    // The declared dimensions are wrong on purpose.
    let claim =
        [&0_u32.to_le_bytes()[..], &u32::MAX.to_le_bytes(), &0_u16.to_le_bytes(), &255_u16.to_le_bytes(), &[0; 2]];
    stream.extend(record(0x0200, &claim.concat()));
    for row in 0..rows {
        let cell = [&row.to_le_bytes()[..], &(columns - 1).to_le_bytes(), &[0; 6]].concat();
        stream.extend(record(0x00FD, &cell));
    }
    stream.extend(end);
    let mut file = cfb::CompoundFile::create_with_version(cfb::Version::V3, Cursor::new(Vec::new())).unwrap();
    file.create_stream("/Workbook").unwrap().write_all(&stream).unwrap();
    file.flush().unwrap();
    file.into_inner().into_inner()
}

#[test]
fn a_ledger_is_read_as_before() {
    let world = World::sqlite();
    let file = world.file("县.xlsx", &city(&CITY_ROWS));
    let county = ["--round", ROUND, "--region", "540329", "--issued-by", "540300", "--create-units"];
    let said = world.done(&[&["import", &file][..], &county].concat());
    assert!(said.contains("新增：3 个问题、8 条措施、8 项责任分解、8 条进展"), "{said}");
}
