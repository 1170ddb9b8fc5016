//! Export of what a page lists, as a workbook or as CSV: the same document with the same values of the address, read to
//! the end of its list by the API; and the briefing of a month as a file.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentDisposition, DispositionParam, DispositionType};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use api::{BriefingFormat, ColumnKind, ExportedList, TableFormat};
use serde::Deserialize;

use crate::page::{self, State, Stopped, Visit, stop};
use crate::state::Desk;
use crate::variables;

/// The content security policy of a download. The sandbox gives it an origin of its own if a browser displays it.
const DOWNLOAD: &str = "sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// How a page describes its export in `page.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Export {
    /// The name of the file, without date and extension.
    name: String,
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

impl Column {
    fn kind(&self) -> ColumnKind {
        match self.kind.as_str() {
            "" => ColumnKind::Text,
            "day" => ColumnKind::Day,
            "number" => ColumnKind::Number,
            name => ColumnKind::Enum(name.to_owned()),
        }
    }
}

/// `GET {page}.xlsx` and `.csv`: what a page lists.
pub(crate) async fn export(request: &HttpRequest, desk: &State, name: &str, format: TableFormat) -> HttpResponse {
    let exported = async {
        let page = desk.pages.get(name).ok_or(Stopped::Missing)?;
        let export = page.export().ok_or(Stopped::Missing)?;
        let visit = Visit::begin(request, desk, page.is_public()).await?;
        let column = |column: &Column| api::Column {
            heading: visit.words(&column.zh, &column.en),
            path: column.path.clone(),
            kind: column.kind(),
        };
        let listing = ExportedList {
            name: export.name.clone(),
            document: page.document(&visit).to_owned(),
            variables: page::variables(&visit, page),
            list: export.list.clone(),
            columns: export.columns.iter().map(column).collect(),
        };
        Ok::<_, Stopped>(visit.session.export(listing, format).await?)
    };
    exported.await.unwrap_or_else(|stopped| stop(request, desk, &stopped))
}

/// `GET /briefings.docx` and `.xlsx`: the briefing of the month and region in the address.
pub(crate) async fn briefing(request: HttpRequest, format: web::Path<String>, desk: State) -> HttpResponse {
    let exported = async {
        let format = BriefingFormat::of_ending(&format).ok_or(Stopped::Missing)?;
        let visit = Visit::begin(&request, &desk, false).await?;
        let given = page::pairs(request.query_string());
        let value = |name: &str| variables::first(&given, name).map(str::to_owned);
        Ok::<_, Stopped>(visit.session.briefing(value("month"), value("region"), format).await?)
    };
    exported.await.unwrap_or_else(|stopped| stop(&request, &desk, &stopped))
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
