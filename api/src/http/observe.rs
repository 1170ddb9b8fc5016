//! Observing requests: the id of each, its line in the access log, and its figures for monitoring. A path is told by
//! the pattern of its route, because paths and queries contain secrets, such as the token of a mail's link.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::{self, Bytes};
use actix_web::{HttpMessage, HttpRequest};
use ipnet::IpNet;
use ledger::record::trace;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use crate::context::Noted;
use crate::http::request;
use crate::metrics;

/// The route of a path that no route has.
const NO_ROUTE: &str = "(none)";

/// How requests are observed; the application has it as data (`app_data`).
pub struct Observing {
    /// Whether each request has a line in the log.
    pub logs: bool,
    /// The networks of the trusted proxies.
    pub proxies: Vec<IpNet>,
    /// The header in which they write the caller's address.
    pub proxy_header: String,
}

/// Returns what is known about a request.
pub(crate) fn noted(request: &HttpRequest) -> Arc<Noted> {
    let known = request.extensions().get::<Arc<Noted>>().cloned();
    known.unwrap_or_else(|| unknown(request.headers()))
}

/// Returns what is known about a request when it arrives.
fn unknown(headers: &HeaderMap) -> Arc<Noted> {
    Arc::new(Noted { id: request::id(headers), account: OnceLock::new(), operation: OnceLock::new() })
}

/// Middleware that gives each request its id, which the response repeats in `x-request-id`, and that counts and logs
/// the request when its response has ended. Wrap it around everything that may answer.
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let noted = unknown(request.headers());
    request.extensions_mut().insert(noted.clone());
    let observing = request.app_data::<web::Data<Observing>>();
    let logs = observing.is_some_and(|observing| observing.logs);
    // Only a trusted proxy may say to which trace a request belongs.
    let is_proxied =
        observing.zip(request.peer_addr()).is_some_and(|(known, peer)| request::is_proxy(peer.ip(), &known.proxies));
    let address = observing
        .filter(|_| logs)
        .and_then(|known| request::address(request.request(), &known.proxies, &known.proxy_header));
    let mut line = Line {
        method: method(request.method()),
        route: request.match_pattern().unwrap_or_else(|| NO_ROUTE.to_owned()),
        // Stays if the connection breaks before there is an answer.
        status: 499,
        bytes: 0,
        begun: Instant::now(),
        address,
        logs,
        noted,
    };
    let span = traced(&line, request.headers(), is_proxied);
    let mut answered = match next.call(request).instrument(span.clone()).await {
        Ok(answered) => answered,
        Err(error) => {
            line.status = error.as_response_error().status_code().as_u16();
            NO_ROUTE.clone_into(&mut line.route);
            return Err(error);
        }
    };
    answered.request().match_pattern().as_deref().unwrap_or(NO_ROUTE).clone_into(&mut line.route);
    line.status = answered.status().as_u16();
    span.record("http.response.status_code", line.status);
    if let Ok(id) = HeaderValue::from_str(&line.noted.id) {
        answered.headers_mut().insert(HeaderName::from_static("x-request-id"), id);
    }
    Ok(answered.map_body(|_, body| Watched { body: Box::pin(body), line }))
}

/// Returns the span of a request, for traces alone. It continues the trace that the request names if a trusted proxy
/// has forwarded it.
fn traced(line: &Line, headers: &HeaderMap, is_proxied: bool) -> Span {
    let span = tracing::trace_span!(
        target: "trace",
        "http",
        otel.name = format!("{} {}", line.method, line.route),
        otel.kind = "server",
        http.request.method = line.method,
        http.route = line.route,
        http.response.status_code = Empty,
        id = line.noted.id,
    );
    if is_proxied && let Some(trace) = headers.get(trace::HEADER).and_then(|trace| trace.to_str().ok()) {
        trace::continue_in(&span, trace);
    }
    span
}

/// Returns the name of a method, of which there is a bounded number.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// A request, counted and logged when this is dropped.
struct Line {
    method: &'static str,
    /// The pattern of the route.
    route: String,
    status: u16,
    /// The bytes of the body that were handed to the connection.
    bytes: u64,
    begun: Instant,
    address: Option<IpAddr>,
    logs: bool,
    noted: Arc<Noted>,
}

impl Drop for Line {
    fn drop(&mut self) {
        metrics::request(self.method, &self.route, self.status, self.begun);
        if self.logs {
            tracing::info!(
                target: "access",
                method = self.method,
                path = self.route,
                status = self.status,
                milliseconds = self.begun.elapsed().as_millis() as u64,
                bytes = self.bytes,
                address = self.address.map(tracing::field::display),
                id = self.noted.id,
                account = self.noted.account.get(),
                operation = self.noted.operation.get(),
                "request"
            );
        }
    }
}

/// The body of a response, whose bytes are counted.
struct Watched<B> {
    body: Pin<Box<B>>,
    line: Line,
}

impl<B: MessageBody> MessageBody for Watched<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let next = ready!(self.body.as_mut().poll_next(context));
        if let Some(Ok(bytes)) = &next {
            self.line.bytes += bytes.len() as u64;
        }
        Poll::Ready(next)
    }
}
