//! The graphql-transport-ws protocol: many operations over one connection, each with an id of the client's choosing, and
//! a close code for every way to get it wrong.

use std::collections::HashMap;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::{AggregatedMessage, CloseCode, CloseReason, Session};
use futures_util::StreamExt;
use futures_util::stream::{self, AbortHandle, BoxStream, SelectAll, abortable};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, interval_at, sleep_until};

use crate::context::Caller;
use crate::error::{Code, Refused};
use crate::gate;
use crate::graphql::engine::{Answer, Manner};
use crate::graphql::params::Params;
use crate::http::places::Stream;
use crate::http::response::{Media, body, errors, refuse};
use crate::http::state::AppState;

/// The protocol's name, as both sides say it in the handshake.
const PROTOCOL: &str = "graphql-transport-ws";
/// How often a silent client is asked whether it is there; after two questions without a word it is not.
const QUIET: Duration = Duration::from_secs(30);
/// After so many questions, whoever listens is asked for the session again: sessions end while connections last.
const ASKED_AGAIN: u32 = 10;
/// How long a client may take to read what it is told.
const UNREAD: Duration = Duration::from_secs(30);

/// Why a connection is closed: the protocol's code and words.
struct Closed(u16, String);

impl Closed {
    /// The words have to fit into a control frame.
    fn malformed(why: &str) -> Self {
        Self(4400, why[..why.floor_char_boundary(120)].to_owned())
    }
}

/// What a client says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    ConnectionInit { payload: Option<Value> },
    Ping,
    Pong,
    Subscribe { id: String, payload: Value },
    Complete { id: String },
}

/// The `authorization` in the payload of the introduction, however it is capitalised.
fn authorization(payload: &Value) -> Option<String> {
    let (_, words) = payload.as_object()?.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"))?;
    words.as_str().map(str::to_owned)
}

/// What an operation gives: an answer, or (none) its end.
type Given = (String, Option<Result<Answer, Refused>>);

/// `GET /graphql/ws`.
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
            connection.talk(messages).await
        } else {
            Err(Closed(4406, "Subprotocol not acceptable".to_owned()))
        };
        let reason = match ended {
            Ok(()) => None,
            Err(Closed(code, why)) => Some(CloseReason { code: CloseCode::from(code), description: Some(why) }),
        };
        // The client may be gone already, or read nothing.
        let _ = tokio::time::timeout(UNREAD, connection.session.close(reason)).await;
    });
    Ok(response)
}

struct Connection {
    state: web::Data<AppState>,
    caller: Caller,
    /// What the handshake said; browsers cannot.
    authorization: Option<String>,
    session: Session,
    place: Stream,
    is_acknowledged: bool,
    running: HashMap<String, AbortHandle>,
    answers: SelectAll<BoxStream<'static, Given>>,
}

impl Connection {
    /// Talks until either side has had enough.
    async fn talk(&mut self, mut messages: actix_ws::AggregatedMessageStream) -> Result<(), Closed> {
        let introduction = sleep_until(Instant::now() + self.state.engine.limits().introduction);
        tokio::pin!(introduction);
        let mut pulse = interval_at(Instant::now() + QUIET, QUIET);
        let (mut unanswered, mut pulses) = (0, 0);
        loop {
            tokio::select! {
                message = messages.recv() => {
                    unanswered = 0;
                    match message {
                        None | Some(Ok(AggregatedMessage::Close(_))) => return Ok(()),
                        Some(Ok(AggregatedMessage::Text(text))) => self.hear(&text).await?,
                        Some(Ok(AggregatedMessage::Binary(_))) => {
                            return Err(Closed::malformed("Only text messages are understood"));
                        }
                        Some(Ok(AggregatedMessage::Ping(bytes))) => {
                            if self.session.pong(&bytes).await.is_err() {
                                return Ok(());
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
                        return Ok(());
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
                    // Clients come again after this one, and keep their token.
                    _ => Closed(1013, "Try again later".to_owned()),
                })?;
                // What is public is asked for by a request; a connection that stays open is somebody's.
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

    /// Ends the talk with whoever is let in no more.
    async fn ask_again(&self) -> Result<(), Closed> {
        if !self.is_acknowledged {
            return Ok(());
        }
        let admitted = self.state.gate.still_admits(&self.caller.admitted);
        match self.state.engine.in_time(admitted).await.and_then(|admitted| admitted) {
            Ok(false) => Err(Closed(4403, "Forbidden".to_owned())),
            // Whether it is admitted is asked again later where the database is away.
            Ok(true) | Err(_) => Ok(()),
        }
    }

    async fn begin(&mut self, id: String, payload: &Value) -> Result<(), Closed> {
        if self.running.contains_key(&id) {
            return Err(Closed(4409, format!("Subscriber for {} already exists", &id[..id.floor_char_boundary(80)])));
        }
        // Sessions end while connections last.
        let admitted = self.state.gate.still_admits(&self.caller.admitted);
        let answers = match self.state.engine.in_time(admitted).await.and_then(|admitted| admitted) {
            Ok(false) => return Err(Closed(4403, "Forbidden".to_owned())),
            Ok(true) => self.operation(payload).await,
            Err(refused) => Err(refused),
        };
        match answers {
            Ok(answers) => {
                let (answered, ended) = (id.clone(), id.clone());
                let given = answers.map(move |answer| (answered.clone(), Some(answer)));
                // The end belongs to what is aborted: the client may use the id of an operation that it completed again.
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
                format!("at most {most} operations at once on one connection"),
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

    /// Says something; a client that is gone ends the talk in the next round, one that reads nothing ends it now.
    async fn say(&mut self, text: &str) -> Result<(), Closed> {
        let said = tokio::time::timeout(UNREAD, self.session.text(text.to_owned())).await;
        said.map(drop).map_err(|_| Closed(1013, "Try again later".to_owned()))
    }
}
