//! An HTTP server that stands in for a receiver of webhooks: it keeps what it is sent, and answers as the story says.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{self, Receiver as Inbox};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

/// A request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    /// The path with the query.
    pub(crate) path: String,
    /// The headers, by their names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Posted {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A running receiver.
pub(crate) struct Receiver {
    pub(crate) url: String,
    inbox: Inbox<Posted>,
    answers: Arc<Mutex<VecDeque<String>>>,
    usual: String,
}

impl Receiver {
    /// Starts a receiver that answers with a body and, unless the story says otherwise, with 200.
    pub(crate) fn start(usual: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/in", listener.local_addr().unwrap());
        let answers = Arc::new(Mutex::new(VecDeque::new()));
        let usual = answer("200 OK", "", usual);
        let (sender, inbox) = mpsc::channel();
        let (planned, otherwise) = (answers.clone(), usual.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (sender, planned, otherwise) = (sender.clone(), planned.clone(), otherwise.clone());
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream);
                    while let Some(posted) = read(&mut reader) {
                        let next: Option<String> = planned.lock().unwrap().pop_front();
                        let _ = sender.send(posted);
                        let said = next.unwrap_or_else(|| otherwise.clone());
                        if reader.get_mut().write_all(said.as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, inbox, answers, usual }
    }

    /// Plans the answer to the next request for which none is planned.
    pub(crate) fn answers(&self, status: &str, header: &str, body: &str) {
        self.answers.lock().unwrap().push_back(answer(status, header, body));
    }

    /// Plans the usual answer to the next request for which none is planned.
    pub(crate) fn accepts(&self) {
        self.answers.lock().unwrap().push_back(self.usual.clone());
    }

    /// Returns what has come in since the last look.
    pub(crate) fn posted(&self) -> Vec<Posted> {
        self.inbox.try_iter().collect()
    }

    /// Waits for the next request.
    pub(crate) fn next(&self, patience: Duration) -> Posted {
        self.inbox.recv_timeout(patience).unwrap()
    }
}

fn answer(status: &str, header: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{header}content-length: {}\r\n\r\n{body}", body.len())
}

/// Reads a request; none if the connection has ended.
fn read(reader: &mut impl BufRead) -> Option<Posted> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split_whitespace().nth(1)?.to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    Read::read_exact(reader, &mut body).ok()?;
    Some(Posted { path, headers, body: String::from_utf8(body).ok()? })
}
