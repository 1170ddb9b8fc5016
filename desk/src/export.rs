//! Export of what a page lists, as a workbook or as CSV: the same document with the same values of the address, read to
//! the end of its list.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentDisposition, DispositionParam, DispositionType};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use rust_xlsxwriter::{Format, FormatAlign, Workbook, XlsxError};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::page::{self, Page, State, Stopped, Visit, stop};
use crate::state::Desk;

/// The content security policy of a download. The sandbox gives it an origin of its own if a browser displays it.
const DOWNLOAD: &str = "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The most rows of an export.
const MOST: u64 = 20_000;
/// How many rows are read at a time.
const AT_ONCE: u64 = 200;
/// The width of a column, in characters.
const WIDTH: f64 = 18.0;

/// How a page describes its export in `page.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Export {
    /// The name of the file: `measures` in `/export/measures.xlsx`.
    pub(crate) name: String,
    /// The field of the result that is the list.
    list: String,
    columns: Vec<Column>,
}

/// A column of an export.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    zh: String,
    en: String,
    /// The path of the value in a row, such as `problem.title`.
    path: String,
    /// `day`, `number`, or the name of an enum whose label is written; text if it is absent.
    #[serde(default, rename = "as")]
    kind: String,
}

/// A value in a row.
enum Cell {
    Text(String),
    Number(f64),
}

/// `GET /export/{name}.xlsx` and `.csv`: what a page lists.
pub(crate) async fn export(request: &HttpRequest, desk: &State, name: &str, is_csv: bool) -> HttpResponse {
    let exported = async {
        let page = desk.pages.get(name).ok_or(Stopped::Missing)?;
        let export = page.export().ok_or(Stopped::Missing)?;
        let visit = Visit::begin(request, desk, page.is_public()).await?;
        let rows = read(&visit, page, export).await?;
        let heads: Vec<String> = export.columns.iter().map(|column| visit.words(&column.zh, &column.en)).collect();
        let write = move || {
            if is_csv { csv(&heads, &rows) } else { xlsx(&heads, &rows).map_err(|error| error.to_string()) }
        };
        let bytes = web::block(write).await.map_err(|error| error.to_string()).and_then(|written| written);
        let bytes = bytes.map_err(|error| {
            tracing::error!(error, "an export could not be written");
            Stopped::Failed
        })?;
        let (ending, kind) = if is_csv {
            ("csv", "text/csv; charset=utf-8")
        } else {
            ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
        };
        Ok::<_, Stopped>(download(desk, &export.name, ending, kind).body(bytes))
    };
    exported.await.unwrap_or_else(|stopped| stop(request, desk, &stopped))
}

/// Begins a response that the browser saves as a file, with the day in its name.
pub(crate) fn download(desk: &Desk, name: &str, ending: &str, kind: &str) -> HttpResponseBuilder {
    let today = (desk.options.clock)().with_timezone(&desk.options.zone).date_naive();
    let named = ContentDisposition {
        disposition: DispositionType::Attachment,
        parameters: vec![DispositionParam::Filename(format!("{name}-{today}.{ending}"))],
    };
    let mut response = HttpResponse::build(StatusCode::OK);
    response
        .content_type(kind)
        .insert_header(named)
        .insert_header((header::CONTENT_SECURITY_POLICY, DOWNLOAD))
        .insert_header((header::CACHE_CONTROL, "private, no-store"));
    response
}

/// Reads all rows of the list.
async fn read(visit: &Visit<'_>, page: &Page, export: &Export) -> Result<Vec<Vec<Cell>>, Stopped> {
    let mut variables = page::variables(visit, page);
    for name in ["last", "before", "after"] {
        variables.remove(name);
    }
    variables.insert("first".to_owned(), json!(AT_ONCE));
    let mut rows = Vec::new();
    loop {
        let data = visit.ask(page.document(visit), variables.clone()).await?;
        let list = &data[&export.list];
        if list["totalCount"].as_u64().is_some_and(|count| count > MOST) {
            let zh = format!("超过 {MOST} 行，请先缩小筛选范围再导出");
            let en = format!("more than {MOST} rows: narrow the filter first");
            return Err(Stopped::Told(StatusCode::UNPROCESSABLE_ENTITY, visit.words(&zh, &en)));
        }
        let nodes = list["nodes"].as_array().into_iter().flatten();
        rows.extend(nodes.map(|node| export.columns.iter().map(|column| cell(visit, column, node)).collect()));
        let info = &list["pageInfo"];
        if info["hasNextPage"] != true || rows.len() as u64 >= MOST {
            return Ok(rows);
        }
        variables.insert("after".to_owned(), info["endCursor"].clone());
    }
}

fn cell(visit: &Visit<'_>, column: &Column, row: &Value) -> Cell {
    let step = |value: &'_ Value, name: &str| match name.parse::<usize>() {
        Ok(place) => value[place].clone(),
        Err(_) => value[name].clone(),
    };
    let value = column.path.split('.').fold(row.clone(), |value, name| step(&value, name));
    match (column.kind.as_str(), &value) {
        ("number", value) if value.is_number() => Cell::Number(value.as_f64().unwrap_or_default()),
        (_, Value::Null) => Cell::Text(String::new()),
        ("day", Value::String(text)) => Cell::Text(text.get(..10).unwrap_or(text).to_owned()),
        ("" | "number", Value::String(text)) => Cell::Text(text.clone()),
        (kind, Value::String(code)) => Cell::Text(visit.desk.schema.label(kind, code, visit.is_english)),
        (_, other) => Cell::Text(other.to_string()),
    }
}

/// Writes CSV as Excel opens it: UTF-8 with a byte order mark. A text that a spreadsheet would compute gets an
/// apostrophe before it.
fn csv(heads: &[String], rows: &[Vec<Cell>]) -> Result<Vec<u8>, String> {
    let written = |cell: &Cell| match cell {
        Cell::Text(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
        Cell::Text(text) => text.clone(),
        Cell::Number(number) => number.to_string(),
    };
    let mut writer = csv::WriterBuilder::new()
        .quote_style(csv::QuoteStyle::Always)
        .terminator(csv::Terminator::CRLF)
        .from_writer("\u{feff}".as_bytes().to_vec());
    writer.write_record(heads).map_err(|error| error.to_string())?;
    for row in rows {
        writer.write_record(row.iter().map(written)).map_err(|error| error.to_string())?;
    }
    writer.into_inner().map_err(|error| error.to_string())
}

/// Writes a workbook with a fixed row of headings and a filter.
fn xlsx(heads: &[String], rows: &[Vec<Cell>]) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    let head = Format::new().set_bold().set_background_color("#DCEBE5").set_text_wrap();
    let text = Format::new().set_text_wrap().set_align(FormatAlign::Top);
    for (column, words) in heads.iter().enumerate() {
        let column = column as u16;
        sheet.write_string_with_format(0, column, words, &head)?;
        sheet.set_column_width(column, WIDTH)?;
    }
    for (row, cells) in rows.iter().enumerate() {
        let row = row as u32 + 1;
        for (column, cell) in cells.iter().enumerate() {
            let column = column as u16;
            match cell {
                // A cell holds 32,767 characters.
                Cell::Text(words) => {
                    let words: String = words.chars().take(32_000).collect();
                    sheet.write_string_with_format(row, column, words, &text)?
                }
                Cell::Number(number) => sheet.write_number_with_format(row, column, *number, &text)?,
            };
        }
    }
    sheet.set_freeze_panes(1, 1)?;
    if let Some(last) = heads.len().checked_sub(1) {
        sheet.autofilter(0, 0, rows.len() as u32, last as u16)?;
    }
    book.save_to_buffer()
}
