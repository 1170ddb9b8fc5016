//! The API for a client in the same process, such as the desk: the engine, limits and policy of any other caller,
//! without a second request over the network.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use async_graphql::Variables;
use ledger::people::policy::Act;
use planner::Bilingual;
use serde_json::{Map, Value};
use tracing::Instrument;

use crate::context::Caller;
use crate::error::{Refused, Unserved};
use crate::graphql::params::Params;
use crate::graphql::ready::Manner;
use crate::http::briefing::{self, BriefingFormat};
use crate::http::export::{self, ExportedList, TableFormat};
use crate::http::response::body;
use crate::http::state::AppState;
use crate::http::{events, upload, workbook};
use crate::language::Language;

/// A client of the API in the same process.
#[derive(Clone)]
pub struct Client {
    state: web::Data<AppState>,
}

/// Returns the text of a file in UTF-8, UTF-16 with a byte order mark, or GB18030; `None` for other bytes.
pub fn decoded(bytes: &[u8]) -> Option<String> {
    ::workbook::decoded(bytes).ok()
}

/// Where a file is to be imported.
#[derive(Debug, Clone)]
pub struct ImportPlace {
    /// Name or global id of the inspection round; the round is created if there is none of this name.
    pub round: String,
    /// Code or global id of the answering region.
    pub region: String,
    /// Code or global id of the issuing region; `None` if it is the answering region.
    pub issued_by: Option<String>,
    /// Code of the level of the round if it is created, such as `PREFECTURE`; `None` if its name tells it.
    pub level: Option<String>,
    /// Local date on which the statuses were true; `None` for the date in the title.
    pub as_of: Option<chrono::NaiveDate>,
    /// Whether unknown units are created.
    pub creates_units: bool,
}

/// What became of a filled-in form of progress reports.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// The number of rows that were accepted as reports.
    pub taken: usize,
    /// What is wrong with the other rows, each with its number, from 1.
    pub wrong: Vec<(u32, Bilingual)>,
}

/// Why the API refused a request of the client.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The HTTP status of the refusal.
    pub status: StatusCode,
    /// The stable code of the refusal, such as `UNAUTHENTICATED`.
    pub code: &'static str,
    /// The message in both languages.
    pub message: Bilingual,
    /// The seconds after which the client may try again; none if trying again does not help.
    pub retry_after: Option<u64>,
}

impl Client {
    /// Makes a client on the state of the API.
    pub(crate) fn new(state: web::Data<AppState>) -> Self {
        Self { state }
    }

    /// Admits a request of a browser, and returns the caller on whose behalf the client then asks. `secret` is that of
    /// the browser's session; without one, the caller is anonymous. `is_english` tells in which language messages are.
    ///
    /// # Errors
    ///
    /// Refuses a request for an unknown host, from a page of another origin, with a session that has ended, or from a
    /// caller who sends requests too often.
    pub async fn admit(
        &self,
        request: &HttpRequest,
        secret: Option<&str>,
        is_english: bool,
    ) -> Result<Session, Refusal> {
        let mut caller = self.state.caller(request);
        caller.language = if is_english { Language::English } else { Language::Chinese };
        self.state.let_in_with(request, &mut caller, secret).await?;
        Ok(Session { state: self.state.clone(), caller })
    }
}

/// A caller whom the API has admitted.
#[derive(Clone)]
pub struct Session {
    state: web::Data<AppState>,
    caller: Caller,
}

impl Session {
    /// Returns whether the session can only be used to set up the second factor that the role requires.
    pub fn is_limited(&self) -> bool {
        let principal = &self.caller.admitted.principal;
        principal.account.is_some() && !principal.is_somebody()
    }

    /// Returns the global ids of the units for which the caller reports progress; none for others.
    pub fn answered_units(&self) -> Vec<String> {
        let principal = &self.caller.admitted.principal;
        let units = if principal.may(Act::Report) { principal.answered_units() } else { &[] };
        units.iter().map(|key| format!("unit_{key}")).collect()
    }

    /// Returns the span for what is logged about the request: its id, and where it comes from.
    #[must_use]
    pub fn span(&self) -> tracing::Span {
        self.caller.span()
    }

    /// Runs an operation and returns the response of the API: `data`, and `errors` if there are any. `is_safe` tells
    /// that the browser's request was a GET, which must not change anything.
    ///
    /// # Errors
    ///
    /// Refuses an operation that exceeds a limit, takes too long, or that the caller may not request.
    pub async fn run(&self, document: &str, variables: Map<String, Value>, is_safe: bool) -> Result<String, Refusal> {
        let asked = Params {
            query: Some(document.to_owned()),
            variables: Variables::from_json(Value::Object(variables)),
            ..Params::default()
        };
        let manner = if is_safe { Manner::Safe } else { Manner::Any };
        let answer = self.state.engine.answer(asked, manner, &self.caller).instrument(self.caller.span()).await?;
        Ok(body(answer).0)
    }

    /// Runs a subscription and answers with its events (`text/event-stream`), until the browser leaves or the session
    /// ends: a `next` event for each result, as JSON, and a `complete` event at the end.
    ///
    /// # Errors
    ///
    /// Refuses a caller who has too many streams open, and a document that exceeds a limit.
    pub async fn events(&self, document: &str) -> Result<HttpResponse, Refusal> {
        let asked = Params { query: Some(document.to_owned()), ..Params::default() };
        let place = self.state.streams.begin(&self.caller)?;
        let answers = self.state.engine.stream(asked, Manner::Safe, self.caller.clone()).await?;
        Ok(events::respond(answers, self.caller.clone(), place))
    }

    /// Answers with a list as a file, with the rights of the session.
    ///
    /// # Errors
    ///
    /// Refuses an operation as [`Self::run`] does, more rows than a file may have, and a caller who has too many
    /// exports under way.
    pub async fn export(&self, listing: ExportedList, format: TableFormat) -> Result<HttpResponse, Refusal> {
        Ok(export::respond(&self.state, &self.caller, listing, format).await?)
    }

    /// Answers with the briefing of a month as a file, with the rights of the session. The month is written as
    /// `2026-11`, the region is given by its global id; the current month and the caller's own region if they are
    /// `None`.
    ///
    /// # Errors
    ///
    /// Refuses a month that is not readable or has not begun, a region that the caller may not be briefed on, and a
    /// caller who has too many exports under way.
    pub async fn briefing(
        &self,
        month: Option<String>,
        region: Option<String>,
        format: BriefingFormat,
    ) -> Result<HttpResponse, Refusal> {
        Ok(briefing::respond(&self.state, &self.caller, (month, region), format).await?)
    }

    /// Keeps a file as a pending import, begins to read it, and returns the id of the import. `field` is the file in a
    /// form that a browser sends.
    ///
    /// # Errors
    ///
    /// Refuses a caller who may not keep the ledger, a file that is too large, and a round or region that is unknown.
    pub async fn keep_import(
        &self,
        place: ImportPlace,
        name: String,
        field: &mut actix_multipart::Field,
    ) -> Result<String, Refusal> {
        Ok(workbook::keep_field(&self.state, &self.caller, place, (name, field)).await?)
    }

    /// Answers with the form of a month's account (月调度表) as a workbook. Without a month such as `2023-04`, it is
    /// that of the current one; without the global id of a unit, that of the units for which the caller reports.
    ///
    /// # Errors
    ///
    /// Refuses what is no month, a unit that owes nothing or that the caller may not see, and a caller who has too many
    /// exports under way.
    pub async fn month_form(&self, month: Option<&str>, unit: Option<&str>) -> Result<HttpResponse, Refusal> {
        Ok(Box::pin(workbook::give_form(&self.state, &self.caller, month, unit)).await?)
    }

    /// Submits the progress reports of a filled-in form (月调度表). `field` is the file in a form that a browser sends.
    ///
    /// # Errors
    ///
    /// Refuses a caller who may not report, and a file that is too large, cannot be read or has nothing filled in.
    pub async fn report_sheet(&self, name: String, field: &mut actix_multipart::Field) -> Result<Submitted, Refusal> {
        let lines = Box::pin(workbook::report_field(&self.state, &self.caller, (name, field))).await?;
        let taken = lines.iter().filter(|line| line.faults.is_empty()).count();
        let wrong = lines.into_iter().flat_map(|line| {
            let row = line.row;
            line.faults.into_iter().map(move |fault| (row, fault.message))
        });
        Ok(Submitted { taken, wrong: wrong.collect() })
    }

    /// Keeps a file of evidence (佐证材料) of an assignment, which is given by its global id. `field` is the file in a
    /// form that a browser sends.
    ///
    /// # Errors
    ///
    /// Refuses a file of a caller who may not add evidence, and one that is too large or of an unsuitable kind.
    pub async fn keep_evidence(
        &self,
        assignment: &str,
        name: &str,
        field: &mut actix_multipart::Field,
    ) -> Result<(), Refusal> {
        upload::keep_field(&self.state, &self.caller, (assignment, name), field).await?;
        Ok(())
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self {
            status: refused.code.status(),
            code: refused.code.as_str(),
            message: refused.message,
            retry_after: refused.retry_after,
        }
    }
}

impl From<Unserved> for Refusal {
    fn from(unserved: Unserved) -> Self {
        Self {
            status: unserved.status,
            code: unserved.code,
            message: unserved.message,
            retry_after: unserved.retry_after,
        }
    }
}
