//! The `graphql-transport-ws` protocol: several operations on one WebSocket, each with an id that the client chooses.
//! Each violation of the protocol closes the connection with a code of its own.

use std::collections::HashMap;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::{AggregatedMessage, CloseCode, CloseReason, Session};
use futures_util::stream::{self, AbortHandle, BoxStream, SelectAll, abortable};
use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use crate::context::Caller;
use crate::error::{Code, Refused};
use crate::gate;
use crate::graphql::engine::Answer;
use crate::graphql::params::Params;
use crate::graphql::ready::Manner;
use crate::http::places;
use crate::http::response::{Media, body, errors, refuse};
use crate::http::state::AppState;

/// The name of the subprotocol in the handshake.
const PROTOCOL: &str = "graphql-transport-ws";
/// How often the server sends a ping. A client that has sent nothing since the last two pings counts as lost.
const QUIET: Duration = Duration::from_secs(30);
/// The number of pings after which the session is checked again, because it may end while the connection is open.
const ASKED_AGAIN: u32 = 10;
/// How long a client may take to read a message.
const UNREAD: Duration = Duration::from_secs(30);

/// Why a connection is closed: the close code of the protocol and the reason.
struct Closed(u16, String);

impl Closed {
    /// Makes the closing for an invalid message. The reason is cut to 120 bytes, because it has to fit into a control
    /// frame.
    fn malformed(why: &str) -> Self {
        Self(4400, why[..why.floor_char_boundary(120)].to_owned())
    }
}

/// A message of the client.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    ConnectionInit { payload: Option<Value> },
    Ping,
    Pong,
    Subscribe { id: String, payload: Value },
    Complete { id: String },
}

/// Returns the `authorization` in the payload of `connection_init`, in any capitalisation.
fn authorization(payload: &Value) -> Option<String> {
    let (_, words) = payload.as_object()?.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"))?;
    words.as_str().map(str::to_owned)
}

/// A result of the operation with this id: an answer, or none if the operation has ended.
type Given = (String, Option<Result<Answer, Refused>>);

/// `GET /graphql/ws`: opens a WebSocket.
pub(crate) async fn connect(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<AppState>,
) -> actix_web::Result<HttpResponse> {
    let caller = state.caller(&request);
    let place = match state.admit(&request, &caller).and_then(|()| state.streams.begin(&caller)) {
        Ok(place) => place,
        Err(refused) => return Ok(refuse(&refused, Media::GraphQl, &caller)),
    };
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL).filter_map(|offer| offer.to_str().ok());
    let speaks = offered.flat_map(|offer| offer.split(',')).any(|protocol| protocol.trim() == PROTOCOL);
    let (response, session, messages) = actix_ws::handle_with_protocols(&request, payload, &[PROTOCOL])?;
    let most = state.engine.limits().body;
    let messages = messages.max_frame_size(most).aggregate_continuations().max_continuation_size(most);
    let mut connection = Connection {
        state,
        caller,
        authorization: gate::authorization(request.headers()).map(str::to_owned),
        session,
        place,
        is_acknowledged: false,
        running: HashMap::new(),
        answers: SelectAll::new(),
    };
    actix_web::rt::spawn(async move {
        let ended = if speaks {
            Box::pin(connection.talk(messages)).await
        } else {
            Err(Closed(4406, "Subprotocol not acceptable".to_owned()))
        };
        let reason = match ended {
            Ok(code) => code.map(|code| CloseReason { code, description: None }),
            Err(Closed(code, why)) => Some(CloseReason { code: CloseCode::from(code), description: Some(why) }),
        };
        // The close frame is optional: the client may have disconnected, or may not read.
        let _ = tokio::time::timeout(UNREAD, connection.session.close(reason)).await;
    });
    Ok(response)
}

struct Connection {
    state: web::Data<AppState>,
    caller: Caller,
    /// The `Authorization` header of the handshake, which browsers cannot set.
    authorization: Option<String>,
    session: Session,
    place: places::Stream,
    is_acknowledged: bool,
    running: HashMap<String, AbortHandle>,
    answers: SelectAll<BoxStream<'static, Given>>,
}

impl Connection {
    /// Serves the connection until the client closes it, is lost, or violates the protocol. Returns the close code of
    /// the client, if it gave one, to be answered in kind.
    async fn talk(&mut self, mut messages: actix_ws::AggregatedMessageStream) -> Result<Option<CloseCode>, Closed> {
        let introduction = sleep_until(Instant::now() + self.state.engine.limits().introduction);
        tokio::pin!(introduction);
        let mut pulse = interval_at(Instant::now() + QUIET, QUIET);
        let (mut unanswered, mut pulses) = (0, 0);
        loop {
            tokio::select! {
                message = messages.recv() => {
                    unanswered = 0;
                    match message {
                        None => return Ok(None),
                        Some(Ok(AggregatedMessage::Close(reason))) => return Ok(reason.map(|reason| reason.code)),
                        Some(Ok(AggregatedMessage::Text(text))) => self.hear(&text).await?,
                        Some(Ok(AggregatedMessage::Binary(_))) => {
                            return Err(Closed::malformed("Only text messages are supported"));
                        }
                        Some(Ok(AggregatedMessage::Ping(bytes))) => {
                            if self.session.pong(&bytes).await.is_err() {
                                return Ok(None);
                            }
                        }
                        Some(Ok(AggregatedMessage::Pong(_))) => {}
                        Some(Err(error)) => return Err(Closed::malformed(&error.to_string())),
                    }
                }
                Some((id, given)) = self.answers.next(), if !self.answers.is_empty() => self.pass_on(id, given).await?,
                () = &mut introduction, if !self.is_acknowledged => {
                    return Err(Closed(4408, "Connection initialisation timeout".to_owned()));
                }
                _ = pulse.tick() => {
                    unanswered += 1;
                    if unanswered > 2 || self.session.ping(b"").await.is_err() {
                        return Ok(None);
                    }
                    pulses += 1;
                    if pulses % ASKED_AGAIN == 0 {
                        self.ask_again().await?;
                    }
                }
            }
        }
    }

    async fn hear(&mut self, text: &str) -> Result<(), Closed> {
        let said: Said =
            serde_json::from_str(text).map_err(|error| Closed::malformed(&format!("Invalid message: {error}")))?;
        match said {
            Said::ConnectionInit { .. } if self.is_acknowledged => {
                Err(Closed(4429, "Too many initialisation requests".to_owned()))
            }
            Said::ConnectionInit { payload } => {
                let words = payload.as_ref().and_then(authorization);
                let admitted =
                    self.state.gate.admit(words.as_deref().or(self.authorization.as_deref()), self.caller.is_forwarded);
                let admitted = self.state.engine.in_time(admitted).await.and_then(|admitted| admitted);
                self.caller.admitted = admitted.map_err(|refused| match refused.code {
                    Code::Unauthenticated => Closed(4403, "Forbidden".to_owned()),
                    // With this code, clients keep their token and connect again later.
                    _ => Closed(1013, "Try again later".to_owned()),
                })?;
                self.caller.admitted.show_latest();
                // Open connections require an account. Public data is available by ordinary requests.
                if !self.caller.admitted.principal.is_somebody() {
                    return Err(Closed(4403, "Forbidden".to_owned()));
                }
                let named = self.state.streams.name(&mut self.place, &self.caller);
                named.map_err(|_| Closed(1013, "Too many connections of this account".to_owned()))?;
                self.is_acknowledged = true;
                self.say(&json!({ "type": "connection_ack" }).to_string()).await
            }
            Said::Ping => self.say(&json!({ "type": "pong" }).to_string()).await,
            Said::Pong => Ok(()),
            Said::Subscribe { .. } if !self.is_acknowledged => Err(Closed(4401, "Unauthorized".to_owned())),
            Said::Subscribe { id, payload } => self.begin(id, &payload).await,
            Said::Complete { id } => {
                if let Some(handle) = self.running.remove(&id) {
                    handle.abort();
                }
                Ok(())
            }
        }
    }

    /// Checks the session again, and closes the connection if it has ended.
    async fn ask_again(&self) -> Result<(), Closed> {
        if !self.is_acknowledged {
            return Ok(());
        }
        let admitted = self.state.gate.still_admits(&self.caller.admitted);
        match self.state.engine.in_time(admitted).await.and_then(|admitted| admitted) {
            Ok(false) => Err(Closed(4403, "Forbidden".to_owned())),
            // If the database cannot be reached, the session is checked again later.
            Ok(true) | Err(_) => Ok(()),
        }
    }

    async fn begin(&mut self, id: String, payload: &Value) -> Result<(), Closed> {
        if self.running.contains_key(&id) {
            return Err(Closed(4409, format!("Subscriber for {} already exists", &id[..id.floor_char_boundary(80)])));
        }
        // The session may have ended while the connection was open.
        let admitted = self.state.gate.still_admits(&self.caller.admitted);
        let answers = match self.state.engine.in_time(admitted).await.and_then(|admitted| admitted) {
            Ok(false) => return Err(Closed(4403, "Forbidden".to_owned())),
            Ok(true) => self.operation(payload).await,
            Err(refused) => Err(refused),
        };
        match answers {
            Ok(answers) => {
                let (answered, ended) = (id.clone(), id.clone());
                let given = by_itself(answers).map(move |answer| (answered.clone(), Some(answer)));
                // Make the end part of what can be aborted: after `complete`, the client may use the id for another
                // operation.
                let (given, handle) = abortable(given.chain(stream::once(async move { (ended, None) })));
                self.running.insert(id, handle);
                self.answers.push(given.boxed());
                Ok(())
            }
            Err(refused) => {
                let errors = errors(&refused, &self.caller);
                self.say(&json!({ "type": "error", "id": id, "payload": errors }).to_string()).await
            }
        }
    }

    async fn operation(&self, payload: &Value) -> Result<BoxStream<'static, Result<Answer, Refused>>, Refused> {
        self.state.admit_again(&self.caller)?;
        let most = self.state.engine.limits().subscriptions;
        if self.running.len() >= most {
            return Err(Refused::new(
                Code::TooComplex,
                format!("一个连接最多同时 {most} 个订阅"),
                format!("a connection may run at most {most} operations at once"),
            ));
        }
        self.state.engine.stream(Params::read(payload.to_string().as_bytes())?, Manner::Any, self.caller.clone()).await
    }

    async fn pass_on(&mut self, id: String, given: Option<Result<Answer, Refused>>) -> Result<(), Closed> {
        let Some(answer) = given else {
            self.running.remove(&id);
            return self.say(&json!({ "type": "complete", "id": id }).to_string()).await;
        };
        let errors = match answer.map(body) {
            Ok((payload, false)) => {
                let id = Value::from(id);
                return self.say(&format!("{{\"type\":\"next\",\"id\":{id},\"payload\":{payload}}}")).await;
            }
            Ok((payload, true)) => serde_json::from_str::<Value>(&payload)
                .map_err(|_| Closed(4500, "Internal server error".to_owned()))?["errors"]
                .take(),
            Err(refused) => errors(&refused, &self.caller),
        };
        if let Some(handle) = self.running.remove(&id) {
            handle.abort();
        }
        self.say(&json!({ "type": "error", "id": id, "payload": errors }).to_string()).await
    }

    /// Sends a message. Closes the connection if the client does not read it in time; a client that has disconnected is
    /// noticed when the next message is received.
    async fn say(&mut self, text: &str) -> Result<(), Closed> {
        let said = tokio::time::timeout(UNREAD, self.session.text(text.to_owned())).await;
        said.map(drop).map_err(|_| Closed(1013, "Try again later".to_owned()))
    }
}

/// Lets answers be found by a task of their own, one ahead of that which is taken. If the connection asked for them
/// itself, a question would stand still while the connection does something else, with the places of readers and the
/// locks that it holds, for which others wait.
fn by_itself<T: Send + 'static>(mut answers: BoxStream<'static, T>) -> impl Stream<Item = T> + Send {
    let (sender, receiver) = mpsc::channel(1);
    let task = AbortOnDropHandle::new(tokio::spawn(async move {
        while let Ok(place) = sender.reserve().await {
            let Some(answer) = answers.next().await else { break };
            place.send(answer);
        }
    }));
    stream::unfold((receiver, task), |(mut receiver, task)| async move {
        if let Some(answer) = receiver.recv().await {
            return Some((answer, (receiver, task)));
        }
        // A task that panicked has no end that could be told as one.
        match task.await {
            Err(failure) if failure.is_panic() => std::panic::resume_unwind(failure.into_panic()),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::StreamExt;
    use futures_util::stream;
    use tokio::sync::oneshot;

    use super::by_itself;

    #[actix_web::test]
    async fn an_answer_is_found_although_nobody_takes_it() {
        let (found, is_found) = oneshot::channel();
        let answers = stream::once(async move { found.send(()) }).boxed();
        let taken = by_itself(answers);
        is_found.await.expect("the question goes on");
        assert_eq!(taken.collect::<Vec<_>>().await, [Ok(())]);
    }

    #[actix_web::test]
    async fn no_more_is_found_than_the_next_answer() {
        let found = Arc::new(AtomicUsize::new(0));
        let count = found.clone();
        let answers = stream::iter(0..100).inspect(move |_| _ = count.fetch_add(1, Ordering::Relaxed)).boxed();
        let mut taken = pin!(by_itself(answers));
        assert_eq!(taken.next().await, Some(0));
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(found.load(Ordering::Relaxed) <= 2, "{found:?}");
    }

    #[actix_web::test]
    #[should_panic(expected = "an operation fails")]
    async fn a_panic_is_no_end() {
        let answers = stream::once(async { panic!("an operation fails") }).map(|(): ()| ()).boxed();
        by_itself(answers).collect::<Vec<_>>().await;
    }

    #[actix_web::test]
    async fn nothing_is_asked_for_whoever_is_gone() {
        let (held, is_dropped) = oneshot::channel::<()>();
        let answers = stream::pending().map(move |(): ()| held.is_closed()).boxed();
        drop(by_itself(answers));
        assert!(is_dropped.await.is_err(), "what the question holds is given back");
    }
}
