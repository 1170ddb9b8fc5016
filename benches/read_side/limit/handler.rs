//! What the handlers share: variables and ids of a request, the time, and the answer.

use actix_web::HttpResponse;
use actix_web::error::ErrorBadRequest;
use actix_web::http::header::ContentEncoding;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Deserialize;

/// The bytes from which on an answer is compressed.
const SHORT: usize = 1_000;

pub(super) type Answer = actix_web::Result<HttpResponse>;

/// Answers with JSON under the name of the root field.
pub(super) fn respond(root: &str, json: &str) -> HttpResponse {
    let mut body = String::with_capacity(json.len() + root.len() + 16);
    for part in ["{\"data\":{\"", root, "\":", json, "}}"] {
        body.push_str(part);
    }
    let mut response = HttpResponse::Ok();
    // One packet carries it as it is.
    if body.len() < SHORT {
        response.insert_header(ContentEncoding::Identity);
    }
    response.content_type("application/json").body(body)
}

/// Returns the current time, and the local date in the ledger's time zone (UTC+8).
pub(super) fn now() -> (DateTime<Utc>, NaiveDate) {
    #[expect(clippy::disallowed_methods, reason = "the limit is a separate server and needs no injected clock")]
    let now = Utc::now();
    (now, (now + TimeDelta::hours(8)).date_naive())
}

/// Extracts the key from a global id.
pub(super) fn key(id: &str, prefix: &str) -> actix_web::Result<i64> {
    let key = id.strip_prefix(prefix).and_then(|key| key.parse().ok());
    key.ok_or_else(|| ErrorBadRequest("malformed id"))
}

/// Parses the variables of a request.
pub(super) fn variables<'b, T: Deserialize<'b>>(body: &'b [u8]) -> actix_web::Result<T> {
    serde_json::from_slice(body).map_err(ErrorBadRequest)
}
