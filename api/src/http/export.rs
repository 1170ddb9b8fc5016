//! `GET /export/{list}.xlsx` and `.csv`: a list of the API as a file, as filtered and in the order that is asked for.
//! The list is read page by page by the operation that reads its pages, so that limits and rights are those of the API.

use actix_web::HttpResponse;
use actix_web::body::SizedStream;
use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, rt};
use async_graphql::Variables;
use chrono::{DateTime, NaiveDate};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tracing::Instrument;
use workbook::{Cell, Table};

use crate::context::Caller;
use crate::error::{Code, Unserved};
use crate::graphql::listing::{self, Column, ColumnKind};
use crate::graphql::params::Params;
use crate::graphql::rights;
use crate::http::files::{attachment, refuse, slot};
use crate::http::places::{Holder, Place};
use crate::http::response::body;
use crate::http::state::AppState;
use crate::http::transfer::paced;
use crate::language::{Language, in_words};

/// The media type of `.xlsx` files.
pub(crate) const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
/// The most rows of a workbook, which is kept in memory until it is packed.
const MAX_XLSX_ROWS: usize = 20_000;
/// The most rows of a CSV file: as many as a sheet can show below its headings.
const MAX_CSV_ROWS: usize = (1 << 20) - 1;
/// The number of rows that are read at a time.
const AT_ONCE: usize = 200;
/// The size in bytes of the pieces in which a workbook is sent.
const PIECE: usize = 64 << 10;

/// A file format of exported lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// A workbook (.xlsx).
    Xlsx,
    /// Comma-separated values (.csv) in UTF-8 with a byte order mark.
    Csv,
}

/// A list to export.
#[derive(Debug, Clone)]
pub struct ExportedList {
    /// The name of the file, without date and extension.
    pub name: String,
    /// The document that reads a page of the list, with the variables `first` and `after`.
    pub document: String,
    /// The other variables of the document.
    pub variables: Map<String, Value>,
    /// The response key of the list.
    pub list: String,
    /// The columns.
    pub columns: Vec<Column>,
}

/// The query parameters of an export.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ExportQuery {
    filter: Option<String>,
    order_by: Option<String>,
    columns: Option<String>,
}

/// `GET /export/measures.csv?filter={"isOverdue":true}&orderBy=[{"field":"DUE_ON"}]&columns=number,leadUnit.name`:
/// exports a list by the name of its root field. `filter` and `orderBy` are the arguments of the field as JSON,
/// `columns` are paths of fields of an item; each may be left out.
pub(crate) async fn export(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    state: web::Data<AppState>,
) -> HttpResponse {
    let mut caller = state.caller(&request);
    let given: Result<HttpResponse, Unserved> = async {
        state.let_in(&request, &mut caller).await?;
        let (list, format) = path.into_inner();
        rights::check_list(&caller.admitted.principal, &list)?;
        let format = match format.as_str() {
            "xlsx" => TableFormat::Xlsx,
            "csv" => TableFormat::Csv,
            _ => return Err(missing("导出的格式应为 .xlsx 或 .csv", "lists are exported as .xlsx or .csv")),
        };
        let wanted = web::Query::<ExportQuery>::from_query(request.query_string()).map_err(|_| {
            Unserved::malformed("参数应为 filter、orderBy、columns", "expected parameters: filter, orderBy, columns")
        })?;
        let listing = listing_of(&state, &caller, list, wanted.into_inner())?;
        respond(&state, &caller, listing, format).await
    }
    .await;
    given.unwrap_or_else(|why| refuse(&why, &caller))
}

/// Answers a GraphQL query for `text/csv`: the list that it selects, as a file.
pub(crate) async fn of_operation(state: &web::Data<AppState>, caller: &Caller, asked: Params) -> HttpResponse {
    let given = async {
        let listing::ExportRequest { list, columns, variables } = state.engine.export(asked, caller)?;
        let document = listing::document(state.engine.types(), &list, &columns);
        let listing = ExportedList { name: list.clone(), document, variables, list, columns };
        respond(state, caller, listing, TableFormat::Csv).await
    };
    given.await.unwrap_or_else(|why: Unserved| refuse(&why, caller))
}

/// Returns the list with a name, as it is wanted.
fn listing_of(state: &AppState, caller: &Caller, list: String, wanted: ExportQuery) -> Result<ExportedList, Unserved> {
    let types = state.engine.types();
    let Some(noun) = listing::listed(types, &list) else {
        let lists = listing::lists(types);
        return Err(missing(
            format!("没有列表 {list}，可导出的有：{}", lists.join("、")),
            format!("there is no list {list}; these can be exported: {}", lists.join(", ")),
        ));
    };
    let columns = listing::columns(types, noun, wanted.columns.as_deref(), caller.language)?;
    let mut variables = Map::new();
    for (name, text) in [("filter", wanted.filter), ("orderBy", wanted.order_by)] {
        let Some(text) = text else { continue };
        let value: Value = serde_json::from_str(&text).map_err(|error| {
            let (zh, en) = (format!("{name} 应为 JSON：{error}"), format!("{name} should be JSON: {error}"));
            Unserved::malformed(&zh, &en)
        })?;
        variables.insert(name.to_owned(), value);
    }
    let document = listing::document(types, &list, &columns);
    Ok(ExportedList { name: list.clone(), document, variables, list, columns })
}

fn missing(zh: impl Into<String>, en: impl Into<String>) -> Unserved {
    Unserved::new(StatusCode::NOT_FOUND, ledger::fault::FaultCode::NotFound.as_str(), zh, en)
}

/// Answers with a list as a file. CSV is sent while it is read; a workbook is packed first.
pub(crate) async fn respond(
    state: &web::Data<AppState>,
    caller: &Caller,
    listing: ExportedList,
    format: TableFormat,
) -> Result<HttpResponse, Unserved> {
    let leaving = slot(&state.files.exports, caller)?;
    let headings: Vec<String> = listing.columns.iter().map(|column| column.heading.clone()).collect();
    let today = state.files.acting(&caller.by()).today();
    let name = |ending: &str| format!("{}-{today}.{ending}", listing.name);
    match format {
        TableFormat::Xlsx => {
            let name = name("xlsx");
            let working = slot(&state.files.workbooks, caller)?;
            let mut table = Table::new(&headings)?;
            let mut reading = Reading::new(state.clone(), caller.clone(), listing, MAX_XLSX_ROWS);
            while let Some(rows) = reading.next().await? {
                rows.iter().try_for_each(|row| table.push(row))?;
            }
            // Packing takes seconds, so it must not block the threads that serve requests.
            let packed = rt::task::spawn_blocking(move || table.bytes()).await;
            let bytes = packed.map_err(|failure| Unserved::masked(&failure))??;
            drop(working);
            Ok(send((&name, XLSX), bytes, leaving))
        }
        TableFormat::Csv => {
            let mut answer = attachment(&name("csv"), "text/csv; charset=utf-8");
            let mut reading = Reading::new(state.clone(), caller.clone(), listing, MAX_CSV_ROWS);
            // What is wrong with the request shows in the first page, before the status is sent.
            let mut head = workbook::csv_head(&headings)?;
            head.extend(workbook::csv_rows(&reading.next().await?.unwrap_or_default())?);
            let rest = stream::unfold(reading, |mut reading| async {
                let piece = match reading.next().await {
                    Ok(rows) => workbook::csv_rows(&rows?).map_err(std::io::Error::other),
                    Err(why) => Err(std::io::Error::other(why.message.en)),
                };
                Some((piece.map(Bytes::from), reading))
            });
            let whole = futures_util::StreamExt::chain(stream::iter([Ok(Bytes::from(head))]), rest);
            Ok(answer.streaming(paced(whole, leaving)))
        }
    }
}

/// Sends a file with a name and a media type in pieces, as fast as the client reads it, and holds a place meanwhile.
pub(crate) fn send((name, media_type): (&str, &str), bytes: Vec<u8>, place: Place<Holder>) -> HttpResponse {
    let (size, bytes) = (bytes.len() as u64, Bytes::from(bytes));
    let pieces = (0..bytes.len()).step_by(PIECE).map(move |at| bytes.slice(at..bytes.len().min(at + PIECE)));
    let sent = paced(stream::iter(pieces.map(Ok::<_, std::io::Error>)), place);
    attachment(name, media_type).body(SizedStream::new(size, sent))
}

/// A list that is read page by page.
struct Reading {
    state: web::Data<AppState>,
    caller: Caller,
    listing: ExportedList,
    /// The most rows of the file.
    most: usize,
    count: usize,
    is_done: bool,
}

impl Reading {
    fn new(state: web::Data<AppState>, caller: Caller, mut listing: ExportedList, most: usize) -> Self {
        for name in ["last", "before", "after"] {
            listing.variables.remove(name);
        }
        listing.variables.insert("first".to_owned(), json!(AT_ONCE));
        Self { state, caller, listing, most, count: 0, is_done: false }
    }

    /// Reads the next page; none after the last one. Fails if there are more rows than the file may have.
    async fn next(&mut self) -> Result<Option<Vec<Vec<Cell>>>, Unserved> {
        if self.is_done {
            return Ok(None);
        }
        let asked = Params {
            query: Some(self.listing.document.clone()),
            variables: Variables::from_json(Value::Object(self.listing.variables.clone())),
            ..Params::default()
        };
        let answered = self.state.engine.answer_on(asked, &self.caller, self.count > 0).instrument(self.caller.span());
        let (text, _) = body(answered.await?);
        let mut answer: Value = serde_json::from_str(&text).map_err(|failure| Unserved::masked(&failure))?;
        // Another field of a page's document may fail without an effect on the list.
        let is_of_list = |error: &&Value| error["path"].get(0).is_none_or(|root| *root == *self.listing.list);
        if let Some(error) = answer["errors"].as_array().and_then(|errors| errors.iter().find(is_of_list)) {
            return Err(refused(error));
        }
        let mut list = answer["data"][&self.listing.list].take();
        let nodes = list["nodes"].as_array_mut().map(std::mem::take).unwrap_or_default();
        self.count += nodes.len();
        if self.count > self.most {
            let most = self.most;
            return Err(Unserved::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                ledger::fault::FaultCode::Invalid.as_str(),
                format!("超过 {most} 行，请先缩小筛选范围再导出"),
                format!("more than {most} rows: narrow the filter first"),
            ));
        }
        let info = &mut list["pageInfo"];
        self.is_done = info["hasNextPage"] != true;
        self.listing.variables.insert("after".to_owned(), info["endCursor"].take());
        let row = |node: &Value| self.listing.columns.iter().map(|column| self.cell(column, node)).collect();
        Ok(Some(nodes.iter().map(row).collect()))
    }

    fn cell(&self, column: &Column, node: &Value) -> Cell {
        let steps: Vec<&str> = column.path.split('.').collect();
        let mut values = Vec::new();
        collect(node, &steps, &mut values);
        match values.as_slice() {
            [] => Cell::Blank,
            [value] => self.value(&column.kind, value),
            several => {
                Cell::Text(several.iter().map(|value| self.words(&column.kind, value)).collect::<Vec<_>>().join("、"))
            }
        }
    }

    fn value(&self, kind: &ColumnKind, value: &Value) -> Cell {
        let local = |text: &str| {
            let moment = DateTime::parse_from_rfc3339(text).ok()?;
            Some(moment.with_timezone(&self.state.files.services.zone).naive_local())
        };
        match (kind, value) {
            (_, Value::Null) => Some(Cell::Blank),
            (ColumnKind::Number, value) => value.as_f64().map(Cell::Number),
            (ColumnKind::Day, Value::String(text)) => {
                text.parse::<NaiveDate>().ok().or_else(|| local(text).map(|moment| moment.date())).map(Cell::Day)
            }
            (ColumnKind::Moment, Value::String(text)) => local(text).map(Cell::Moment),
            _ => None,
        }
        .unwrap_or_else(|| Cell::Text(self.words(kind, value)))
    }

    fn words(&self, kind: &ColumnKind, value: &Value) -> String {
        let language = self.caller.language;
        match (kind, value) {
            (ColumnKind::Enum(name), Value::String(code)) => {
                let label = self.state.engine.types().label(name, code);
                match (label, language) {
                    (None, _) => code.clone(),
                    (Some(label), Language::Chinese) => label.to_owned(),
                    (Some(_), Language::English) => in_words(code),
                }
            }
            (_, Value::Bool(is)) => {
                let words = if *is { ("是", "yes") } else { ("否", "no") };
                if language == Language::Chinese { words.0.to_owned() } else { words.1.to_owned() }
            }
            (_, Value::Null) => String::new(),
            (_, Value::String(text)) => text.clone(),
            (_, other) => other.to_string(),
        }
    }
}

/// Collects the values at a path.
fn collect<'a>(value: &'a Value, steps: &[&str], found: &mut Vec<&'a Value>) {
    match (value, steps) {
        (Value::Array(items), [step, rest @ ..]) if step.parse::<usize>().is_ok() => {
            if let Some(item) = step.parse().ok().and_then(|place: usize| items.get(place)) {
                collect(item, rest, found);
            }
        }
        (Value::Array(items), steps) => items.iter().for_each(|item| collect(item, steps, found)),
        (value, [step, rest @ ..]) => collect(&value[*step], rest, found),
        (value, []) => found.push(value),
    }
}

/// Makes the refusal of an operation that the library has answered with an error, in whose words it is.
pub(crate) fn refused(error: &Value) -> Unserved {
    const KNOWN: [Code; 4] = [Code::BadUserInput, Code::ValidationFailed, Code::Unavailable, Code::Timeout];
    let code = error["extensions"]["code"].as_str().unwrap_or_default();
    let code = KNOWN.into_iter().find(|known| known.as_str() == code).unwrap_or(Code::Internal);
    let message = error["message"].as_str().unwrap_or_default();
    Unserved::new(code.status(), code.as_str(), message, message)
}
