//! Server-sent events: one connection for each operation (the distinct connections mode of the graphql-sse protocol).

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{self, ContentEncoding};
use actix_web::web::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::time::{Instant, interval_at};

use crate::context::Caller;
use crate::error::Refused;
use crate::graphql::engine::Answer;
use crate::http::places::Stream;
use crate::http::response::{body, refusal};

/// How often a silent connection is kept alive, so that proxies do not end it.
const QUIET: Duration = Duration::from_secs(15);

/// Streams answers as `next` events, then `complete`.
pub(crate) fn respond(
    answers: BoxStream<'static, Result<Answer, Refused>>,
    caller: Caller,
    place: Stream,
) -> HttpResponse {
    let next = answers.map(move |answer| {
        let json = match answer {
            Ok(answer) => body(answer).0,
            Err(refused) => refusal(&refused, &caller),
        };
        // JSON has line breaks only between its tokens, where any blank does.
        format!("event: next\ndata: {}\n\n", json.replace(['\r', '\n'], " "))
    });
    let complete = stream::iter(["event: complete\ndata:\n\n".to_owned()]);
    let mut alive = interval_at(Instant::now() + QUIET, QUIET);
    let mut events = next.chain(complete);
    let events = stream::poll_fn(move |context| {
        // It is held as long as the answer goes on.
        let _ = &place;
        if let ready @ std::task::Poll::Ready(_) = events.poll_next_unpin(context) {
            return ready;
        }
        alive.poll_tick(context).map(|_| Some(":\n\n".to_owned()))
    });
    HttpResponse::Ok()
        .content_type("text/event-stream; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        // A compressor would hold events back.
        .insert_header(ContentEncoding::Identity)
        .streaming(events.map(|event| Ok::<_, actix_web::Error>(Bytes::from(event))))
}
