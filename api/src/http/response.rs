//! What leaves: the media type that the caller accepts, the status that the outcome has in it, and errors in the caller's
//! language.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use async_graphql::{Response, Value};
use serde_json::json;

use crate::context::Caller;
use crate::error::{Code, Refused};
use crate::graphql::engine::{Answer, Manner};

/// The media types of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    /// `application/graphql-response+json`: the status says how the request went.
    GraphQl,
    /// `application/json`, as before: a well-formed request is answered with 200.
    Json,
    /// `text/event-stream`: one event for each answer.
    Events,
}

impl Media {
    /// The newest of ours that is accepted; none where none is.
    pub(crate) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let Some(accept) = headers.get(header::ACCEPT) else { return Some(Self::Json) };
        let accept = accept.to_str().ok()?.trim();
        if accept.is_empty() {
            return Some(Self::Json);
        }
        // What has a weight of nought is not accepted.
        let is_refused = |parameter: &str| {
            let weight = parameter.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
            weight.is_some_and(|weight| weight <= 0.0)
        };
        let accepted = accept.split(',').filter(|kind| !kind.split(';').skip(1).any(is_refused));
        let kinds: Vec<&str> = accepted.filter_map(|kind| kind.split(';').next()).map(str::trim).collect();
        let wanted = |kind: &str| kinds.iter().any(|known| known.eq_ignore_ascii_case(kind));
        if wanted("application/graphql-response+json") {
            Some(Self::GraphQl)
        } else if wanted("application/json") || wanted("application/*") || wanted("*/*") {
            Some(Self::Json)
        } else if wanted("text/event-stream") {
            Some(Self::Events)
        } else {
            None
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::GraphQl => "application/graphql-response+json; charset=utf-8",
            Self::Json | Self::Events => "application/json; charset=utf-8",
        }
    }
}

/// Answers a refused request.
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

/// The body of a refusal: errors without data.
pub(crate) fn refusal(refused: &Refused, caller: &Caller) -> String {
    json!({ "errors": errors(refused, caller) }).to_string()
}

/// The errors of a refusal.
pub(crate) fn errors(refused: &Refused, caller: &Caller) -> serde_json::Value {
    let mut error = json!({
        "message": caller.language.of(&refused.message),
        "extensions": { "code": refused.code.as_str(), "requestId": caller.request_id },
    });
    if !refused.locations.is_empty() {
        error["locations"] = json!(refused.locations);
    }
    json!([error])
}

/// Answers a request that was carried out. What is the same for everybody may be kept, where it was asked for by GET.
pub(crate) fn respond(answer: Answer, media: Media, manner: Manner) -> HttpResponse {
    let max_age = match &answer {
        Answer::Response(response) if manner == Manner::Safe && response.errors.is_empty() => {
            response.cache_control.max_age
        }
        _ => 0,
    };
    let keeping = if max_age > 0 { format!("public, max-age={max_age}") } else { "no-store".to_owned() };
    let (body, of_request) = body(answer);
    let status = if of_request && media == Media::GraphQl { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    HttpResponse::build(status)
        .insert_header((header::CACHE_CONTROL, keeping))
        .insert_header((header::VARY, "accept"))
        .content_type(media.content_type())
        .body(body)
}

/// Answers a batch, each as it would be by itself.
pub(crate) fn respond_all(answers: &[String]) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type(Media::Json.content_type())
        .body(format!("[{}]", answers.join(",")))
}

/// The JSON of an answer, and whether its errors are of the request itself, which then has no `data`.
pub(crate) fn body(answer: Answer) -> (String, bool) {
    let response = match answer {
        Answer::Json(json) => return (json, false),
        Answer::Response(response) => response,
    };
    let of_request = is_of_request(&response);
    let json = if of_request {
        serde_json::to_string(&json!({ "errors": response.errors }))
    } else {
        serde_json::to_string(&response)
    };
    match json {
        Ok(json) => (json, of_request),
        Err(error) => {
            tracing::error!(%error, "a response could not be written");
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
