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
    /// The name of the file in Chinese, without date and extension.
    zh: String,
    /// The same in English.
    en: String,
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
    /// `day`, `moment`, `number`, or the name of an enum whose label is written; text if it is absent.
    #[serde(default, rename = "as")]
    kind: String,
}

impl Column {
    fn kind(&self) -> ColumnKind {
        match self.kind.as_str() {
            "" => ColumnKind::Text,
            "day" => ColumnKind::Day,
            "moment" => ColumnKind::Moment,
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
            name: visit.words(&export.zh, &export.en),
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

#[cfg(test)]
mod tests {
    use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, Selection, SelectionSet};

    use crate::page::Pages;
    use crate::schema::{Schema, base};

    /// Returns the type of what a document reads at a path below an object; none if it does not read that.
    fn read(
        schema: &Schema,
        document: &ExecutableDocument,
        (object, set): (&str, &SelectionSet),
        path: &[&str],
    ) -> Option<String> {
        let (name, rest) = path.split_first()?;
        if name.parse::<usize>().is_ok() {
            return read(schema, document, (object, set), rest);
        }
        set.items.iter().find_map(|item| match &item.node {
            Selection::Field(field) if field.node.response_key().node == *name => {
                let of = base(&schema.field(object, field.node.name.node.as_str())?.of.base);
                if rest.is_empty() {
                    return Some(of);
                }
                read(schema, document, (&of, &field.node.selection_set.node), rest)
            }
            Selection::FragmentSpread(spread) => {
                let fragment = document.fragments.get(&spread.node.fragment_name.node)?;
                read(schema, document, (object, &fragment.node.selection_set.node), path)
            }
            _ => None,
        })
    }

    #[test]
    fn what_an_export_writes_is_read_by_its_page_and_written_as_what_it_is() {
        let schema = Schema::read(&api::sdl()).unwrap();
        let pages = Pages::read().unwrap();
        let mut count = 0;
        for page in pages.iter() {
            let Some(export) = page.export() else { continue };
            let document = page.parsed();
            let operation = match &document.operations {
                DocumentOperations::Single(operation) => operation,
                DocumentOperations::Multiple(operations) => operations.values().next().unwrap(),
            };
            for column in &export.columns {
                let path: Vec<&str> =
                    [export.list.as_str(), "nodes"].into_iter().chain(column.path.split('.')).collect();
                let of = read(&schema, document, ("Query", &operation.node.selection_set.node), &path);
                let of = of.unwrap_or_else(|| panic!("{}: the page does not read {}", page.name, column.path));
                let kinds: &[&str] = match of.as_str() {
                    "Date" => &["day"],
                    "DateTime" => &["day", "moment"],
                    "Int" | "Float" => &["number"],
                    name if schema.values(name).is_some() => &[&of],
                    _ => &[""],
                };
                assert!(kinds.contains(&column.kind.as_str()), "{}: {} is a {of}", page.name, column.path);
                count += 1;
            }
        }
        assert!(count > 30, "{count}");
    }
}
