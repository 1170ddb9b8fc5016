//! What is compressed: the program compresses answers for clients that accept it, but not short ones.

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, ContentEncoding, TryIntoHeaderValue};
use actix_web::middleware::Next;

/// The bytes from which on an answer is compressed. A shorter one fits into one packet as it is.
const SHORT: u64 = 1_000;

/// Middleware that exempts short answers from the compression around it.
pub async fn short_as_they_are(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let is_asked = request.headers().contains_key(ACCEPT_ENCODING);
    let mut answered = next.call(request).await?;
    let is_short = matches!(answered.response().body().size(), BodySize::Sized(1..SHORT));
    if is_asked && is_short && !answered.headers().contains_key(CONTENT_ENCODING) {
        let identity = ContentEncoding::Identity.try_into_value()?;
        answered.headers_mut().insert(CONTENT_ENCODING, identity);
    }
    Ok(answered)
}
