//! A client of graphql-transport-ws.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::HandshakeError;
use tungstenite::{Error, Message, WebSocket};

use super::Server;

/// The header of the handshake that offers the protocol.
pub(crate) const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");
/// Longer than any answer takes.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A client of the protocol, with what it has heard and not yet listened to.
pub(crate) struct Socket {
    stream: WebSocket<TcpStream>,
    heard: VecDeque<Value>,
}

impl Socket {
    /// A connection that both sides have introduced themselves on.
    pub(crate) fn open(server: &Server) -> Self {
        Self::introduced(server, &json!({}))
    }

    /// The same, of whoever has the token.
    pub(crate) fn open_as(server: &Server, token: &str) -> Self {
        Self::introduced(server, &json!({"authorization": format!("Bearer {token}")}))
    }

    fn introduced(server: &Server, payload: &Value) -> Self {
        let mut socket = Self::connect(server, &[PROTOCOL]).unwrap();
        socket.say(&json!({"type": "connection_init", "payload": payload}));
        assert_eq!(socket.hear(), json!({"type": "connection_ack"}));
        socket
    }

    /// A connection, or the status and the code that it is refused with.
    pub(crate) fn connect(server: &Server, headers: &[(&'static str, &str)]) -> Result<Self, (u16, String)> {
        let authority = server.base.trim_start_matches("http://");
        let mut request = format!("ws://{authority}/graphql/ws").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match tungstenite::client(request, TcpStream::connect(authority).unwrap()) {
            Ok((stream, _)) => Ok(Self { stream, heard: VecDeque::new() }),
            Err(HandshakeError::Failure(Error::Http(response))) => {
                let body: Value = serde_json::from_slice(response.body().as_deref().unwrap()).unwrap();
                Err((response.status().as_u16(), body["errors"][0]["extensions"]["code"].as_str().unwrap().to_owned()))
            }
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn say(&mut self, message: &Value) {
        self.send(Message::text(message.to_string()));
    }

    pub(crate) fn send(&mut self, message: Message) {
        self.stream.send(message).unwrap();
    }

    pub(crate) fn subscribe(&mut self, id: &str, query: &str, variables: &Value) {
        let payload = json!({"query": query, "variables": variables});
        self.say(&json!({"type": "subscribe", "id": id, "payload": payload}));
    }

    /// The next frame within the time.
    pub(crate) fn frame(&mut self, time: Duration) -> Option<Message> {
        self.stream.get_ref().set_read_timeout(Some(time)).unwrap();
        match self.stream.read() {
            Ok(message) => Some(message),
            Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// What is said next.
    pub(crate) fn hear(&mut self) -> Value {
        if let Some(message) = self.heard.pop_front() {
            return message;
        }
        let message = self.frame(LONG).unwrap();
        serde_json::from_str(message.to_text().unwrap()).unwrap_or_else(|_| panic!("{message}"))
    }

    /// What is said next of one operation; what is said of others waits.
    pub(crate) fn hear_of(&mut self, id: &str) -> Value {
        self.hear_that(|message| message["id"] == id)
    }

    /// What is said next of that kind; everything else waits.
    pub(crate) fn hear_that(&mut self, is_meant: impl Fn(&Value) -> bool) -> Value {
        if let Some(place) = self.heard.iter().position(&is_meant) {
            return self.heard.remove(place).unwrap();
        }
        let mut others = std::mem::take(&mut self.heard);
        loop {
            let message = self.hear();
            if is_meant(&message) {
                self.heard = others;
                return message;
            }
            others.push_back(message);
        }
    }

    /// Forgets what was heard and not listened to.
    pub(crate) fn forget(&mut self) {
        self.heard.clear();
    }

    /// The code that the other side closes with.
    pub(crate) fn closed(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.frame(LONG).unwrap() {
                return frame.unwrap().code.into();
            }
        }
    }
}
