//! Limits on connections: how many there may be, in total and of one address, and how long each may be inactive. A
//! client that does not send the head of a request, does not read a response, or does not use its connection loses it
//! after a bounded time.

use std::cell::Cell;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::http::{ConnectionType, header};
use actix_web::middleware::Next;
use actix_web::web::{self, Bytes};
use actix_web::{HttpResponse, HttpResponseBuilder};
use ipnet::IpNet;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep_until};

use crate::error::Refused;
use crate::gate::rate::network;
use crate::http::places::{Full, Place, Places};
use crate::http::request::{self, is_proxy};
use crate::http::transfer::is_too_slow;
use crate::metrics::{self, Counted};

/// How long a connection may be without a request under way. This covers both waiting for the next request and
/// receiving its head.
const IDLE: Duration = Duration::from_secs(15);
/// How long a client may take to read the next part of a response.
const UNREAD: Duration = Duration::from_secs(30);
/// The paths that are exempt from the limit on requests under way of one address.
const PROBES: &[&str] = &["/healthz", "/readyz"];

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The most connections in total.
    pub all: usize,
    /// The most connections of one address. Behind a trusted proxy, the most requests under way of one address.
    pub address: usize,
    /// The connections beyond `all` that are reserved for addresses with few connections: fewer than a quarter of this
    /// number, or none. A health check is thus answered even if other addresses use all connections.
    pub kept: usize,
}

/// Counts the connections of a server.
#[derive(Clone)]
pub struct Connections {
    places: Arc<Places<Party>>,
    requests: Arc<Places<Option<IpAddr>>>,
    bounds: Bounds,
    proxies: Arc<[IpNet]>,
    header: Arc<str>,
    /// Whether connections are closed after their next answer.
    is_draining: Arc<AtomicBool>,
}

/// The party that a connection is counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Party {
    Address(IpAddr),
    /// A trusted proxy, which serves many clients. Each of its connections has a number of its own, so that they are
    /// not limited by address.
    Proxy(u64),
}

impl Connections {
    /// Counts connections within the bounds. `proxies` are the trusted proxies, and `header` is the header in which
    /// they write the address of a client.
    pub fn new(bounds: Bounds, proxies: &[IpNet], header: &str) -> Self {
        Self {
            places: Places::new(bounds.all, bounds.address),
            requests: Places::new(usize::MAX, bounds.address),
            bounds,
            proxies: proxies.into(),
            header: header.into(),
            is_draining: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Closes each connection in order, after its next answer, from now on. New connections are still accepted, so that
    /// no request fails until the balancer before this server sends none any more.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Accepts a connection. If there is no place for it, returns it with the response to send before closing it.
    pub fn accept<I>(&self, io: I, peer: Option<IpAddr>) -> Result<Connection<I>, (I, &'static [u8])> {
        let peer = peer.map(|peer| peer.to_canonical());
        let taken = match peer {
            Some(peer) if is_proxy(peer, &self.proxies) => {
                static NEXT: AtomicU64 = AtomicU64::new(0);
                self.places.take(Party::Proxy(NEXT.fetch_add(1, Ordering::Relaxed)))
            }
            peer => {
                let party = Party::Address(network(peer.unwrap_or(IpAddr::from([0; 4]))));
                self.places.take_or_kept(party, self.bounds.kept)
            }
        };
        match taken {
            Ok(place) => Ok(Connection::new(io, place)),
            Err(Full::Share) => Err((io, TOO_MANY)),
            Err(Full::All) => Err((io, FULL)),
        }
    }
}

/// The responses to connections that are not accepted. The end of the connection marks the end of the response.
const TOO_MANY: &[u8] = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 10\r\nconnection: close\r\n\
    content-type: application/json\r\n\r\n\
    {\"errors\":[{\"message\":\"同一地址的连接过多，请稍后再试 / \
    too many connections from this address: try again soon\",\
    \"extensions\":{\"code\":\"TOO_MANY_REQUESTS\"},\"code\":\"TOO_MANY_REQUESTS\"}]}"
    .as_bytes();
const FULL: &[u8] = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 10\r\nconnection: close\r\n\
    content-type: application/json\r\n\r\n\
    {\"errors\":[{\"message\":\"服务的连接已满，请稍后再试 / the server has no free connection: try again soon\",\
    \"extensions\":{\"code\":\"UNAVAILABLE\"},\"code\":\"UNAVAILABLE\"}]}"
    .as_bytes();

/// What the requests on a connection report to it.
#[derive(Debug)]
pub(crate) struct State {
    /// The number of requests under way.
    answering: Cell<usize>,
    /// When the last request ended, or the client last read a part of its response.
    since: Cell<Instant>,
    /// The number of requests so far.
    count: Cell<u64>,
}

/// A connection that fails with a timeout when it is inactive for too long.
pub struct Connection<I> {
    io: I,
    state: Rc<State>,
    timer: Pin<Box<Sleep>>,
    /// Since when the client has not accepted what is written; none if no write is pending.
    blocked: Option<Instant>,
    /// How long writes of the current request have been pending before.
    waited: Duration,
    /// The bytes that the client has accepted for the current request.
    written: u64,
    /// The number of the current request.
    request: u64,
    _place: Place<Party>,
    _counted: Counted,
}

impl<I> Connection<I> {
    fn new(io: I, place: Place<Party>) -> Self {
        let now = Instant::now();
        let state = State { answering: Cell::new(0), since: Cell::new(now), count: Cell::new(0) };
        Self {
            io,
            state: Rc::new(state),
            timer: Box::pin(sleep_until((now + IDLE).into())),
            blocked: None,
            waited: Duration::ZERO,
            written: 0,
            request: 0,
            _place: place,
            _counted: metrics::connection(),
        }
    }

    /// Makes the connection available to the requests on it.
    pub fn introduce(&self, extensions: &mut Extensions) {
        extensions.insert(self.state.clone());
    }

    /// Checks the connection. Returns when to check it again, or a timeout error.
    fn judge(&self, now: Instant) -> io::Result<Instant> {
        if let Some(since) = self.blocked {
            let waited = self.waited + now.saturating_duration_since(since);
            if now >= since + UNREAD || is_too_slow(self.written, waited) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            return Ok(since + UNREAD);
        }
        if self.state.answering.get() > 0 {
            return Ok(now + IDLE);
        }
        let end = self.state.since.get() + IDLE;
        if now >= end { Err(io::ErrorKind::TimedOut.into()) } else { Ok(end) }
    }

    /// Fails if the connection has timed out; otherwise registers a wake-up for the next check.
    fn watch(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        while self.timer.as_mut().poll(context).is_ready() {
            let again = self.judge(Instant::now())?;
            self.timer.as_mut().reset(again.into());
        }
        Ok(())
    }

    /// Records the result of a write.
    fn wrote(&mut self, done: &Poll<io::Result<usize>>) {
        if self.request != self.state.count.get() {
            self.request = self.state.count.get();
            (self.waited, self.written) = (Duration::ZERO, 0);
        }
        match done {
            Poll::Ready(Ok(bytes)) => {
                let now = Instant::now();
                if let Some(since) = self.blocked.take() {
                    self.waited += now.saturating_duration_since(since);
                }
                self.written += *bytes as u64;
                self.state.since.set(now);
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                self.blocked.get_or_insert_with(Instant::now);
            }
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Connection<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(context, buffer);
        if read.is_pending() {
            self.watch(context)?;
        }
        read
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Connection<I> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.wrote(&written);
        if written.is_pending() {
            self.watch(context)?;
        } else if is_too_slow(self.written, self.waited) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

/// A request under way, from its head to the end of its response.
struct Underway {
    state: Option<Rc<State>>,
    _place: Option<Place<Option<IpAddr>>>,
}

impl Underway {
    fn begin(state: Option<Rc<State>>, place: Option<Place<Option<IpAddr>>>) -> Self {
        if let Some(state) = &state {
            state.answering.set(state.answering.get() + 1);
            state.count.set(state.count.get() + 1);
        }
        Self { state, _place: place }
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        if let Some(state) = &self.state {
            state.answering.set(state.answering.get().saturating_sub(1));
            state.since.set(Instant::now());
        }
    }
}

/// The body of a response that counts as under way until it is dropped.
struct Held<B> {
    body: B,
    _underway: Underway,
}

impl<B: MessageBody + Unpin> MessageBody for Held<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let next = ready!(Pin::new(&mut self.body).poll_next(context));
        Poll::Ready(next)
    }
}

/// Middleware that reports requests to their connection, and limits the requests under way of one address behind a
/// trusted proxy.
pub async fn in_flight(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let state = request.conn_data::<Rc<State>>().cloned();
    let place = match through_proxy(&request) {
        Some(Err(full)) => {
            let refused = full.of("同时处理的请求", "requests under way");
            return Ok(request.into_response(refusal(&refused)).map_into_right_body());
        }
        Some(Ok(place)) => Some(place),
        None => None,
    };
    let underway = Underway::begin(state, place);
    let connections = request.app_data::<web::Data<Connections>>().cloned();
    let mut answered = next.call(request).await?;
    if connections.is_some_and(|connections| connections.is_draining.load(Ordering::Relaxed)) {
        answered.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    let held = answered.map_body(|_, body| Held { body: Box::pin(body), _underway: underway });
    Ok(held.map_into_left_body::<actix_web::body::BoxBody>())
}

/// Takes a place for a request that comes through a trusted proxy; none for other requests and for probes.
fn through_proxy(request: &ServiceRequest) -> Option<Result<Place<Option<IpAddr>>, Full>> {
    let connections = request.app_data::<web::Data<Connections>>()?;
    let peer = request.peer_addr()?.ip().to_canonical();
    if !is_proxy(peer, &connections.proxies) || PROBES.contains(&request.path()) {
        return None;
    }
    let address = request::address(request.request(), &connections.proxies, &connections.header);
    Some(connections.requests.take(address.map(network)))
}

fn refusal(refused: &Refused) -> HttpResponse {
    let mut answer: HttpResponseBuilder = HttpResponse::build(refused.code.status());
    if let Some(seconds) = refused.retry_after {
        answer.insert_header((header::RETRY_AFTER, seconds.to_string()));
    }
    let message = format!("{} / {}", refused.message.zh, refused.message.en);
    let code = refused.code.as_str();
    answer.json(json!({ "errors": [{ "message": message, "extensions": { "code": code }, "code": code }] }))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Bounds, Connections, FULL, IDLE, TOO_MANY, UNREAD};

    fn connections() -> Connections {
        let bounds = Bounds { all: 4, address: 3, kept: 1 };
        Connections::new(bounds, &["10.0.0.0/8".parse().unwrap()], "x-forwarded-for")
    }

    #[tokio::test]
    async fn an_address_has_its_share_and_who_has_few_is_let_in_while_others_hold_all() {
        let connections = connections();
        let from = |address: &str| connections.accept((), Some(address.parse().unwrap()));
        let ours: Vec<_> = (0..3).map(|_| from("192.0.2.1").ok().unwrap()).collect();
        assert_eq!(from("192.0.2.1").err().unwrap().1, TOO_MANY);
        assert_eq!(from("::ffff:192.0.2.1").err().unwrap().1, TOO_MANY, "the same address in another notation");
        let other = from("192.0.2.2").ok().unwrap();
        assert_eq!(from("192.0.2.2").err().unwrap().1, FULL);
        let health = from("127.0.0.1").ok().unwrap();
        assert_eq!(from("192.0.2.3").err().unwrap().1, FULL);
        drop((ours, other, health));
        let proxied: Vec<_> = (0..4).map(|_| from("10.0.0.2").ok().unwrap()).collect();
        assert_eq!(proxied.len(), 4, "connections of a proxy are not limited by address");
    }

    #[test]
    fn a_refusal_says_why_and_when_to_come_again() {
        for (answer, code) in [(TOO_MANY, "TOO_MANY_REQUESTS"), (FULL, "UNAVAILABLE")] {
            let text = std::str::from_utf8(answer).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.contains("\r\nretry-after: 10\r\n"), "{head}");
            let said: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(said["errors"][0]["extensions"]["code"], code);
        }
    }

    #[tokio::test]
    async fn a_connection_ends_where_nothing_goes_on() {
        let connections = connections();
        let mut connection = connections.accept((), None).ok().unwrap();
        let begun = connection.state.since.get();
        assert!(connection.judge(begun + IDLE / 2).is_ok());
        assert!(connection.judge(begun + IDLE).is_err(), "no request has arrived");
        connection.state.answering.set(1);
        assert!(connection.judge(begun + IDLE * 20).is_ok(), "a request is under way");
        connection.state.answering.set(0);
        connection.blocked = Some(begun);
        assert!(connection.judge(begun + IDLE).is_ok(), "the client may still read the rest of the response");
        assert!(connection.judge(begun + UNREAD).is_err(), "the client has not read in time");
        connection.waited = Duration::from_mins(2);
        connection.written = 60 * 1024;
        assert!(connection.judge(begun + Duration::from_secs(1)).is_err(), "the client reads too slowly");
        connection.written = 60 * 16 * 1024 * 3;
        assert!(connection.judge(Instant::now()).is_ok());
    }
}
