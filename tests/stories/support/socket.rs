//! A client of the graphql-transport-ws protocol.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::HandshakeError;
use tungstenite::{Error, Message, WebSocket};

use super::Server;

/// The header of the handshake that requests the subprotocol.
pub(crate) const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");
/// A timeout that is longer than any answer takes.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A client connection, with the messages that were received but not yet returned.
pub(crate) struct Socket {
    stream: WebSocket<TcpStream>,
    heard: VecDeque<Value>,
}

impl Socket {
    /// Opens a connection without a token and waits for `connection_ack`.
    pub(crate) fn open(server: &Server) -> Self {
        Self::introduced(server, &json!({}))
    }

    /// Opens a connection with a token and waits for `connection_ack`.
    pub(crate) fn open_as(server: &Server, token: &str) -> Self {
        Self::introduced(server, &json!({"authorization": format!("Bearer {token}")}))
    }

    fn introduced(server: &Server, payload: &Value) -> Self {
        let mut socket = Self::connect(server, &[PROTOCOL]).unwrap();
        socket.say(&json!({"type": "connection_init", "payload": payload}));
        assert_eq!(socket.hear(), json!({"type": "connection_ack"}));
        socket
    }

    /// Opens a connection without `connection_init`, or returns the HTTP status and the error code of the refusal.
    pub(crate) fn connect(server: &Server, headers: &[(&'static str, &str)]) -> Result<Self, (u16, String)> {
        let authority = server.base.trim_start_matches("http://");
        let mut request = format!("ws://{authority}/graphql/ws").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(authority).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        match tungstenite::client(request, stream) {
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

    /// Returns the next frame, or `None` if none arrives in time.
    pub(crate) fn frame(&mut self, time: Duration) -> Option<Message> {
        self.stream.get_ref().set_read_timeout(Some(time)).unwrap();
        match self.stream.read() {
            Ok(message) => Some(message),
            Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Returns the next message.
    pub(crate) fn hear(&mut self) -> Value {
        if let Some(message) = self.heard.pop_front() {
            return message;
        }
        let message = self.frame(LONG).unwrap();
        serde_json::from_str(message.to_text().unwrap()).unwrap_or_else(|_| panic!("{message}"))
    }

    /// Returns the next message about one operation; messages about others are kept for later.
    pub(crate) fn hear_of(&mut self, id: &str) -> Value {
        self.hear_that(|message| message["id"] == id)
    }

    /// Returns the next message that satisfies a predicate; all others are kept for later.
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

    /// Discards the messages that were received but not yet returned.
    pub(crate) fn forget(&mut self) {
        self.heard.clear();
    }

    /// Waits until the server closes the connection and returns the close code.
    pub(crate) fn closed(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.frame(LONG).unwrap() {
                return frame.unwrap().code.into();
            }
        }
    }
}
