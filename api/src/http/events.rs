//! Server-sent events: one connection for each operation (the distinct connections mode of the `graphql-sse` protocol).

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

/// The interval at which a comment is sent while there is no event, so that proxies do not close the connection.
const QUIET: Duration = Duration::from_secs(15);

/// Streams each answer as a `next` event, and then one `complete` event. The place is held as long as the stream.
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
        // An event ends at a line break. In JSON, line breaks occur only between tokens, so a space can replace them.
        format!("event: next\ndata: {}\n\n", json.replace(['\r', '\n'], " "))
    });
    let complete = stream::iter(["event: complete\ndata:\n\n".to_owned()]);
    let mut alive = interval_at(Instant::now() + QUIET, QUIET);
    let mut events = next.chain(complete);
    let events = stream::poll_fn(move |context| {
        // Moves the place into the stream, so that it is held until the stream ends.
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
        // Compression would delay events.
        .insert_header(ContentEncoding::Identity)
        .streaming(events.map(|event| Ok::<_, actix_web::Error>(Bytes::from(event))))
}
