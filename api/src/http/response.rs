//! Responses of GraphQL requests: the media type that the client accepts, the status that the outcome has in that media
//! type, and errors in the caller's language.

use std::cmp::Reverse;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use async_graphql::{Response, ServerError, Value};
use serde_json::json;

use crate::context::Caller;
use crate::error::{AWAY, Code, Refused};
use crate::graphql::engine::Answer;
use crate::graphql::ready::Manner;
use crate::metrics;

/// The codes of failures inside the server, the gravest first.
const FAILURES: [Code; 3] = [Code::Internal, Code::Unavailable, Code::Timeout];

/// A media type of responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    /// `application/graphql-response+json`: the status tells the outcome of the request.
    GraphQl,
    /// `application/json`, the older media type: every well-formed request is answered with status 200.
    Json,
    /// `text/event-stream`: each answer is an event.
    Events,
    /// `text/csv`: the list that the query selects, as a file; errors are JSON.
    Csv,
}

impl Media {
    /// Chooses the media type that the client prefers; of several with the same weight the first in this order: GraphQL
    /// responses, JSON, events, CSV. None if it accepts none of them. Without an `Accept` header, it is JSON.
    pub(crate) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let offers = Self::offers(headers);
        offers.into_iter().min_by_key(|(_, weight)| Reverse(*weight)).map(|(media, _)| media)
    }

    /// Returns whether the client accepts a media type, whatever it prefers.
    pub(crate) fn is_accepted(self, headers: &HeaderMap) -> bool {
        Self::offers(headers).iter().any(|(media, _)| *media == self)
    }

    /// Returns the media types that the client accepts, with their weights, in the order in which they are offered.
    fn offers(headers: &HeaderMap) -> Vec<(Self, u16)> {
        let given: Option<Vec<&str>> = headers.get_all(header::ACCEPT).map(|value| value.to_str().ok()).collect();
        let Some(given) = given else { return Vec::new() };
        let ranges: Vec<Range<'_>> =
            given.into_iter().flat_map(|value| value.split(',')).filter_map(Range::read).collect();
        if ranges.is_empty() {
            return vec![(Self::Json, 1_000)];
        }
        let weigh = |kind: &str| {
            ranges.iter().filter(|range| range.kind.eq_ignore_ascii_case(kind)).map(|one| one.weight).max()
        };
        // The most specific range decides.
        let (graphql, json) = (weigh("application/graphql-response+json"), weigh("application/json"));
        let any = || weigh("application/*").or_else(|| weigh("*/*"));
        let offers = [
            (Self::GraphQl, graphql),
            (Self::Json, json.or_else(any)),
            // A client that names neither gets JSON, the older one; events and CSV have to be named.
            (Self::GraphQl, any().filter(|_| graphql.is_none())),
            (Self::Events, weigh("text/event-stream")),
            (Self::Csv, weigh("text/csv")),
        ];
        let weighed = offers.into_iter().filter_map(|(media, weight)| Some((media, weight?)));
        weighed.filter(|(_, weight)| *weight > 0).collect()
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::GraphQl => "application/graphql-response+json; charset=utf-8",
            Self::Json | Self::Events | Self::Csv => "application/json; charset=utf-8",
        }
    }
}

/// One media range of an `Accept` header, such as `application/json;q=0.9`.
struct Range<'h> {
    kind: &'h str,
    /// The weight in thousandths; 0 means that the client does not accept the media type.
    weight: u16,
}

impl<'h> Range<'h> {
    /// Reads one entry of the header; none if it is blank. A weight that cannot be read counts as 1.
    fn read(entry: &'h str) -> Option<Self> {
        let mut parts = entry.split(';').map(str::trim);
        let kind = parts.next().filter(|kind| !kind.is_empty())?;
        let weight = parts.find_map(|parameter| parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q=")));
        let weight = weight.and_then(|weight| weight.parse::<f32>().ok()).unwrap_or(1.0);
        Some(Self { kind, weight: (weight.clamp(0.0, 1.0) * 1000.0) as u16 })
    }
}

/// Renders the response of a refused request.
pub(crate) fn refuse(refused: &Refused, media: Media, caller: &Caller) -> HttpResponse {
    caller.span().in_scope(|| tracing::debug!(code = refused.code.as_str(), "a request was refused"));
    let status = match media {
        Media::Json | Media::Events if refused.code.is_of_graphql() => StatusCode::OK,
        _ => refused.code.status(),
    };
    let mut response = HttpResponse::build(status);
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.insert_header((header::ALLOW, "GET, POST"));
    }
    if status == StatusCode::UNAUTHORIZED {
        response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
    }
    if let Some(seconds) = refused.retry_after {
        response.insert_header((header::RETRY_AFTER, seconds.to_string()));
    }
    response.content_type(media.content_type()).body(refusal(refused, caller))
}

/// Renders the body of a refusal: errors without data.
pub(crate) fn refusal(refused: &Refused, caller: &Caller) -> String {
    json!({ "errors": errors(refused, caller) }).to_string()
}

/// Renders the list of errors of a refusal.
pub(crate) fn errors(refused: &Refused, caller: &Caller) -> serde_json::Value {
    metrics::error(refused.code.as_str());
    let mut error = json!({
        "message": caller.language.of(&refused.message),
        "extensions": { "code": refused.code.as_str(), "requestId": caller.request_id },
    });
    if !refused.locations.is_empty() {
        error["locations"] = json!(refused.locations);
    }
    json!([error])
}

/// Renders the response of an executed request. If it failed as a whole, and only inside the server, the status says so
/// in both media types, so that monitoring and balancers notice; with any data, the status is 200. Caches may keep the
/// response of a GET request that is the same for all callers.
pub(crate) fn respond(answer: Answer, media: Media, manner: Manner) -> HttpResponse {
    let max_age = match &answer {
        Answer::Response(response) if manner == Manner::Safe && response.errors.is_empty() => {
            response.cache_control.max_age
        }
        Answer::Json(_, max_age) if manner == Manner::Safe => *max_age,
        _ => 0,
    };
    let keeping = if max_age > 0 { format!("public, max-age={max_age}") } else { "no-store".to_owned() };
    let failure = failure(&answer);
    let (body, of_request) = body(answer);
    let status = match failure {
        Some(code) => code.status(),
        None if of_request && media == Media::GraphQl => StatusCode::BAD_REQUEST,
        None => StatusCode::OK,
    };
    let mut response = HttpResponse::build(status);
    if failure == Some(Code::Unavailable) {
        response.insert_header((header::RETRY_AFTER, AWAY.to_string()));
    }
    response
        .insert_header((header::CACHE_CONTROL, keeping))
        .insert_header((header::VARY, "accept"))
        .content_type(media.content_type())
        .body(body)
}

/// Returns the gravest code of a response without data whose errors are all failures inside the server; none for any
/// other response.
fn failure(answer: &Answer) -> Option<Code> {
    let Answer::Response(response) = answer else { return None };
    if response.data != Value::Null {
        return None;
    }
    let mut gravest = None;
    for error in &response.errors {
        let at = FAILURES.iter().position(|failure| failure.as_str() == code_of(error))?;
        gravest = Some(gravest.map_or(at, |known: usize| known.min(at)));
    }
    gravest.map(|at| FAILURES[at])
}

/// Returns the code of an error of a response; empty if it has none.
fn code_of(error: &ServerError) -> &str {
    match error.extensions.as_ref().and_then(|extensions| extensions.get("code")) {
        Some(Value::String(code)) => code,
        _ => "",
    }
}

/// Renders the response of a batch: an array of the responses of its operations.
pub(crate) fn respond_all(answers: &[String]) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type(Media::Json.content_type())
        .body(format!("[{}]", answers.join(",")))
}

/// Renders an answer as JSON, and returns whether its errors are request errors, in which case it has no `data`.
pub(crate) fn body(answer: Answer) -> (String, bool) {
    let response = match answer {
        Answer::Json(json, _) => return (json, false),
        Answer::Response(response) => response,
    };
    for error in &response.errors {
        metrics::error(code_of(error));
    }
    let of_request = is_of_request(&response);
    let json = if of_request {
        serde_json::to_string(&json!({ "errors": response.errors }))
    } else {
        serde_json::to_string(&response)
    };
    match json {
        Ok(json) => (json, of_request),
        Err(error) => {
            tracing::error!(%error, "a response could not be serialized");
            let code = Code::Internal.as_str();
            (json!({ "errors": [{ "message": "服务内部错误", "extensions": { "code": code } }] }).to_string(), true)
        }
    }
}

fn is_of_request(response: &Response) -> bool {
    response.data == Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.is_empty())
}
