//! Pages: folders with an address, a document and a template. Showing a page runs its document with the values of the
//! address, as the caller, and writes the template with the result.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentType};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError, web};
use async_graphql::parser::parse_query;
use async_graphql::parser::types::ExecutableDocument;
use chrono::{Datelike, NaiveDate, NaiveTime, TimeZone};
use chrono_tz::Tz;
use minijinja::context;
use minijinja::value::Serde;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::export::Export;
use crate::session::Banner;
use crate::state::{Desk, Unbuilt};
use crate::variables::{self, Given};
use crate::{files, session};

/// What every page reads besides its own document: who is signed in.
const VIEWER: &str = include_str!("../shared/viewer.graphql");
/// The fragments that documents of pages may spread.
const FRAGMENTS: &[(&str, &str)] =
    &[("...Around", include_str!("../shared/around.graphql")), ("...Entry", include_str!("../shared/entry.graphql"))];

/// How a page is described in `page.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    /// The path, with parameters in braces.
    path: String,
    /// The title in Chinese.
    zh: String,
    /// The title in English.
    en: String,
    /// The entry of the navigation that the page belongs to.
    #[serde(default)]
    nav: String,
    /// Whether the page is shown without sign-in.
    #[serde(default)]
    public: bool,
    /// Whether the page uses the whole width of the screen.
    #[serde(default)]
    wide: bool,
    /// Whether the page says when the ledger has changed: the item that it shows or, if it is a list, anything.
    #[serde(default)]
    live: bool,
    /// The field of the result without which the page does not exist.
    #[serde(default)]
    found: String,
    /// The export of what the page lists, if it has one.
    export: Option<Export>,
}

/// A page.
pub(crate) struct Page {
    pub(crate) name: String,
    pub(crate) path: String,
    described: Described,
    /// The document with what every page reads.
    document: String,
    /// The document alone, for callers without a session.
    own: String,
    parsed: ExecutableDocument,
}

/// All pages.
pub(crate) struct Pages(Vec<Page>);

impl Pages {
    /// Reads the pages from their folders.
    pub(crate) fn read() -> Result<Self, Unbuilt> {
        let mut pages = files::pages().into_iter().map(Page::read).collect::<Result<Vec<_>, _>>()?;
        // A path without parameters goes before one that it would match.
        pages.sort_by(|one, other| {
            one.path.contains('{').cmp(&other.path.contains('{')).then(one.path.cmp(&other.path))
        });
        Ok(Self(pages))
    }

    /// Returns the pages, in the order in which their paths are compared with that of a request.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Page> {
        self.0.iter()
    }

    /// Returns the page in a folder.
    pub(crate) fn get(&self, name: &str) -> Option<&Page> {
        self.0.iter().find(|page| page.name == name)
    }
}

impl Page {
    fn read(name: String) -> Result<Self, Unbuilt> {
        let wrong = |why: &dyn std::fmt::Display| Unbuilt(format!("pages/{name}: {why}"));
        let text = |file: &str| files::text(&format!("pages/{name}/{file}"));
        let described = text("page.toml").ok_or_else(|| wrong(&"no page.toml"))?;
        let described: Described = toml::from_str(&described).map_err(|error| wrong(&error))?;
        let own = text("page.graphql").unwrap_or_else(|| "query { viewer { id } }".to_owned());
        let own = with_fragments(&own);
        let document = with_viewer(&own);
        let parsed = parse_query(&document).map_err(|error| wrong(&error))?;
        Ok(Self { path: described.path.clone(), name, described, document, own, parsed })
    }
}

impl Page {
    /// Returns the export of what the page lists, if it has one.
    pub(crate) fn export(&self) -> Option<&Export> {
        self.described.export.as_ref()
    }

    /// Returns the document of the page with what every page reads.
    #[cfg(test)]
    pub(crate) fn parsed(&self) -> &ExecutableDocument {
        &self.parsed
    }

    /// Returns whether the page is shown without sign-in.
    pub(crate) fn is_public(&self) -> bool {
        self.described.public
    }

    /// Returns the document of the page for a visit.
    pub(crate) fn document(&self, visit: &Visit<'_>) -> &str {
        if visit.has_viewer() { &self.document } else { &self.own }
    }
}

/// Adds the fragments that a document spreads.
fn with_fragments(document: &str) -> String {
    let spread = FRAGMENTS.iter().filter(|(spread, _)| document.contains(spread));
    spread.fold(document.to_owned(), |document, (_, fragment)| format!("{document}\n{fragment}"))
}

/// Adds what every page reads to a document.
pub(crate) fn with_viewer(document: &str) -> String {
    match document.find('{') {
        // The first brace after the variables opens the selection of the operation.
        Some(_) => {
            let start = opening(document).unwrap_or_default();
            format!("{}\n  ...Viewer\n{}\n{VIEWER}", &document[..=start], &document[start + 1..])
        }
        None => document.to_owned(),
    }
}

/// Returns where the selection of the first operation begins: the first brace outside of parentheses and comments.
fn opening(document: &str) -> Option<usize> {
    let (mut depth, mut is_comment) = (0_u32, false);
    for (place, letter) in document.char_indices() {
        match letter {
            '#' => is_comment = true,
            '\n' => is_comment = false,
            _ if is_comment => {}
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '{' if depth == 0 => return Some(place),
            _ => {}
        }
    }
    None
}

/// Why a page is not shown.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The caller has to sign in first.
    SignIn,
    /// The session may only be used to set up the second factor.
    SetUpSecondFactor,
    /// There is no such object, or the caller may not see it.
    Missing,
    /// Nothing has this address.
    Unknown,
    /// The API answered with this message for the user.
    Told(StatusCode, String),
    /// The API refused the request.
    Refused(api::Refusal),
    /// The form was not sent by a page of this site, or its session has ended.
    Foreign,
    /// A failure of the program, which the log has.
    Failed,
}

impl From<api::Refusal> for Stopped {
    fn from(refusal: api::Refusal) -> Self {
        if refusal.code == "UNAUTHENTICATED" { Self::SignIn } else { Self::Refused(refusal) }
    }
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{self:?}")
    }
}

impl ResponseError for Stopped {}

/// A request for a page: whose it is, and in which language.
pub(crate) struct Visit<'a> {
    pub(crate) request: &'a HttpRequest,
    pub(crate) desk: &'a Desk,
    pub(crate) is_english: bool,
    pub(crate) secret: Option<String>,
    pub(crate) session: api::Session,
}

impl<'a> Visit<'a> {
    /// Admits a request. Without `is_public`, the caller has to have a session.
    pub(crate) async fn begin(request: &'a HttpRequest, desk: &'a Desk, is_public: bool) -> Result<Self, Stopped> {
        let is_english = session::is_english(request, desk);
        let secret = session::secret(request, desk);
        if secret.is_none() && !is_public {
            return Err(Stopped::SignIn);
        }
        let admitted = desk.client.admit(request, secret.as_deref(), is_english).await.map_err(Stopped::from);
        let (secret, session) = match admitted {
            // A session that has ended does not close public pages.
            Err(Stopped::SignIn) if is_public => (None, desk.client.admit(request, None, is_english).await?),
            admitted => (secret, admitted?),
        };
        // All that such a session may do is to set up the second factor.
        if session.is_limited() && !is_public {
            return Err(Stopped::SetUpSecondFactor);
        }
        Ok(Self { request, desk, is_english, secret, session })
    }

    /// Returns whether the caller may be asked for: they have a session with rights.
    pub(crate) fn has_viewer(&self) -> bool {
        self.secret.is_some() && !self.session.is_limited()
    }

    /// Runs a document and returns its data. Errors without data stop the page.
    pub(crate) async fn ask(&self, document: &str, variables: Map<String, Value>) -> Result<Value, Stopped> {
        let is_safe = self.request.method().is_safe();
        let answer = self.session.run(document, variables, is_safe).await?;
        let mut answer: Value = serde_json::from_str(&answer).map_err(|error| {
            tracing::error!(%error, "an answer of the API is not JSON");
            Stopped::Failed
        })?;
        let data = answer["data"].take();
        if data.is_null() {
            let error = &answer["errors"][0];
            let code = error["extensions"]["code"].as_str().unwrap_or_default();
            if code == "UNAUTHENTICATED" {
                return Err(Stopped::SignIn);
            }
            let reason = error["message"].as_str();
            let _request = self.session.span().entered();
            if code == "BAD_USER_INPUT" {
                tracing::debug!(code, reason, "the API refused what the address of a page says");
            } else {
                tracing::warn!(code, reason, "the API refused the document of a page");
            }
            let message = error["message"].as_str().unwrap_or_default();
            return Err(match code {
                "BAD_USER_INPUT" => Stopped::Told(StatusCode::NOT_FOUND, message.to_owned()),
                "UNAVAILABLE" | "TIMEOUT" => Stopped::Told(StatusCode::SERVICE_UNAVAILABLE, message.to_owned()),
                _ => Stopped::Failed,
            });
        }
        Ok(data)
    }

    /// Writes a page from a template: the caller, the language and the address, and what the page itself gives.
    pub(crate) fn write(
        &self,
        status: StatusCode,
        template: &str,
        own: minijinja::Value,
    ) -> Result<HttpResponse, Stopped> {
        let banner = Banner::take(self.request, self.desk);
        let query = pairs(self.request.query_string());
        let first: BTreeMap<String, String> = query.iter().rev().cloned().collect();
        let now = (self.desk.options.clock)().with_timezone(&self.desk.options.zone);
        let shared = context! {
            is_english => self.is_english,
            path => self.request.path(),
            here => self.request.uri().path_and_query().map(ToString::to_string),
            query => first,
            pairs => minijinja::Value::from(Serde(&query)),
            token => self.secret.as_deref().map(session::form_token),
            banner => banner.as_ref().map(|(banner, _)| context! {
                is_error => banner.is_error, lines => &banner.lines,
            }),
            today => now.date_naive().to_string(),
            this_month => now.format("%Y-%m").to_string(),
        };
        let html = self.desk.view.render(template, context! { ..own, ..shared }).map_err(|error| {
            tracing::error!(error = format!("{error:#}"), template, "a page could not be written");
            Stopped::Failed
        })?;
        let mut response = HttpResponse::build(status);
        response.content_type(ContentType::html());
        if let Some((_, cookie)) = banner {
            response.cookie(cookie);
        }
        Ok(response.body(html))
    }
}

/// Reads the parameters of an address.
pub(crate) fn pairs(query: &str) -> Given {
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// Shows a page.
pub(crate) async fn show(request: &HttpRequest, desk: &Desk, name: &str) -> HttpResponse {
    match try_show(request, desk, name).await {
        Ok(response) => response,
        Err(stopped) => stop(request, desk, &stopped),
    }
}

/// Returns the variables of a page's document: the values of the address, the dates that pages begin with, and the
/// units for which the caller reports (`answered`; `reports` tells whether there are any).
pub(crate) fn variables(visit: &Visit<'_>, page: &Page) -> Map<String, Value> {
    let (request, desk) = (visit.request, visit.desk);
    let mut given: Given =
        request.match_info().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    given.extend(pairs(request.query_string()));
    let now = (desk.options.clock)().with_timezone(&desk.options.zone);
    given.push(("today".to_owned(), now.date_naive().to_string()));
    given.push(("thisMonth".to_owned(), now.format("%Y-%m").to_string()));
    given.push(("year".to_owned(), now.format("%Y").to_string()));
    given.extend(month_ends(now.date_naive()));
    given.extend(ends_of_day(&given, desk.options.zone));
    let answered = visit.session.answered_units();
    given.push(("reports".to_owned(), (!answered.is_empty()).to_string()));
    given.extend(answered.into_iter().map(|unit| ("answered".to_owned(), unit)));
    variables::of_document(&page.parsed, &desk.schema, &given)
}

/// Returns the moments at which the local day that an address names as `day` begins and ends, as `dayStart` and
/// `dayEnd`.
fn ends_of_day(given: &Given, zone: Tz) -> Vec<(String, String)> {
    let Some(day) = variables::first(given, "day").and_then(|day| day.parse::<NaiveDate>().ok()) else {
        return Vec::new();
    };
    let begins = |day: NaiveDate| zone.from_local_datetime(&day.and_time(NaiveTime::MIN)).earliest();
    let ends = [("dayStart", begins(day)), ("dayEnd", day.succ_opt().and_then(begins))];
    ends.into_iter().filter_map(|(name, at)| Some((name.to_owned(), at?.to_rfc3339()))).collect()
}

async fn try_show(request: &HttpRequest, desk: &Desk, name: &str) -> Result<HttpResponse, Stopped> {
    let page = desk.pages.get(name).ok_or(Stopped::Missing)?;
    let visit = Visit::begin(request, desk, page.described.public).await?;
    compose(&visit, page, StatusCode::OK, context! {}).await
}

/// Writes the page with a form that was refused: `given` is what was entered in it, and the rest what the template of
/// the page needs to say what is wrong.
pub(crate) async fn show_again(
    visit: &Visit<'_>,
    name: &str,
    given: minijinja::Value,
) -> Result<HttpResponse, Stopped> {
    let page = visit.desk.pages.get(name).ok_or(Stopped::Missing)?;
    compose(visit, page, StatusCode::UNPROCESSABLE_ENTITY, given).await
}

/// Writes a page from what its document returns, and from what else is `given` to its template.
async fn compose(
    visit: &Visit<'_>,
    page: &Page,
    status: StatusCode,
    given: minijinja::Value,
) -> Result<HttpResponse, Stopped> {
    let data = visit.ask(page.document(visit), variables(visit, page)).await?;
    if !page.described.found.is_empty() && data[&page.described.found].is_null() {
        return Err(Stopped::Missing);
    }
    if !page.described.public && data["viewer"].is_null() {
        return Err(Stopped::SignIn);
    }
    let own = context! {
        data => minijinja::Value::from(Serde(&data)),
        viewer => minijinja::Value::from(Serde(&data["viewer"])),
        mail_outage => minijinja::Value::from(Serde(&data["mailOutage"])),
        title => if visit.is_english { &page.described.en } else { &page.described.zh },
        nav => &page.described.nav,
        is_wide => page.described.wide,
        is_live => page.described.live,
        item => data[&page.described.found]["id"].as_str(),
        page => &page.name,
    };
    visit.write(status, &format!("pages/{}/page.html", page.name), context! { ..given, ..own })
}

/// Returns the ends of the last six months before this one, as `monthEnd1` (the newest) to `monthEnd6`.
fn month_ends(today: NaiveDate) -> Given {
    let before = |day: NaiveDate| day.with_day(1)?.pred_opt();
    let ends = std::iter::successors(before(today), |end| before(*end));
    ends.take(6).enumerate().map(|(place, end)| (format!("monthEnd{}", place + 1), end.to_string())).collect()
}

/// Answers a request that was stopped: sends the browser to the sign-in, or shows a page that says what to do.
pub(crate) fn stop(request: &HttpRequest, desk: &Desk, stopped: &Stopped) -> HttpResponse {
    if matches!(stopped, Stopped::SignIn) {
        let here = request.uri().path_and_query().map_or("/", |here| here.as_str());
        let to = if request.method().is_safe() && here != "/" {
            let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("to", here).finish();
            format!("/sign-in?{query}")
        } else {
            "/sign-in".to_owned()
        };
        return see_other(&to).cookie(session::end(desk)).finish();
    }
    if matches!(stopped, Stopped::SetUpSecondFactor) {
        return see_other("/second-factor").finish();
    }
    let is_english = session::is_english(request, desk);
    let (status, kind, message) = match stopped {
        Stopped::Missing => (StatusCode::NOT_FOUND, "missing", None),
        Stopped::Unknown => (StatusCode::NOT_FOUND, "unknown", None),
        Stopped::Told(status, message) => (*status, "refused", Some(message.clone())),
        Stopped::Foreign => (StatusCode::FORBIDDEN, "foreign", None),
        Stopped::Refused(refusal) => {
            let message = if is_english { &refusal.message.en } else { &refusal.message.zh };
            (refusal.status, "refused", Some(message.clone()))
        }
        Stopped::Failed | Stopped::SignIn | Stopped::SetUpSecondFactor => {
            (StatusCode::INTERNAL_SERVER_ERROR, "failed", None)
        }
    };
    let shared = context! { is_english, kind, message, path => request.path(), title => "" };
    match desk.view.render("shared/stopped.html", shared) {
        Ok(html) => HttpResponse::build(status).content_type(ContentType::html()).body(html),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the page of an error could not be written");
            HttpResponse::build(status).finish()
        }
    }
}

/// Begins a response that sends the browser to another address, to be read with GET.
pub(crate) fn see_other(to: &str) -> HttpResponseBuilder {
    let mut response = HttpResponse::SeeOther();
    response.insert_header((header::LOCATION, to));
    response
}

/// Returns an address to go back to, if it is one of this site; otherwise the start page.
pub(crate) fn back(given: Option<&str>) -> String {
    let is_here = |path: &&str| {
        path.starts_with('/') && !path.starts_with("//") && !path.contains('\\') && !path.contains(char::is_control)
    };
    given.filter(is_here).unwrap_or("/").to_owned()
}

/// The state of the desk, as handlers receive it.
pub(crate) type State = web::Data<Desk>;
