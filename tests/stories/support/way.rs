//! A TCP proxy to PostgreSQL that can hold back the response to a `BEGIN`.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// How the proxy treats responses.
#[derive(Clone, Copy, PartialEq)]
enum Hold {
    /// All responses pass.
    Open,
    /// The response to the next `BEGIN` will be held back.
    Armed,
    /// Responses on the connection with this number are held back.
    Caught(usize),
}

/// The proxy. Its threads run until the test process ends.
pub(crate) struct Way {
    pub(crate) url: String,
    hold: Arc<(Mutex<Hold>, Condvar)>,
}

impl Way {
    /// Starts a proxy to the database at a URL of the form `postgres://user@host:port/name`.
    pub(crate) fn to(url: &str) -> Self {
        Self::at(0, url)
    }

    /// Starts a proxy like [`Way::to`] on a port of this machine; 0: on any.
    pub(crate) fn at(port: u16, url: &str) -> Self {
        let (before, rest) = url.split_once('@').unwrap();
        let (server, name) = rest.split_once('/').unwrap();
        let server = server.to_owned();
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let url = format!("{before}@{}/{name}", listener.local_addr().unwrap());
        let hold = Arc::new((Mutex::new(Hold::Open), Condvar::new()));
        let shared = hold.clone();
        std::thread::spawn(move || {
            for (number, client) in listener.incoming().enumerate() {
                let (client, server) = (client.unwrap(), TcpStream::connect(&server).unwrap());
                let (asking, answering) = (shared.clone(), shared.clone());
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || pass(from, to, |bytes| catch(&asking, number, bytes)));
                std::thread::spawn(move || pass(server, client, |_| wait(&answering, number)));
            }
        });
        Self { url, hold }
    }

    /// Holds back the response to the next `BEGIN`.
    pub(crate) fn arm(&self) {
        *self.hold.0.lock().unwrap() = Hold::Armed;
    }

    /// Lets everything pass again; returns whether a response was held back.
    pub(crate) fn open(&self) -> bool {
        let before = std::mem::replace(&mut *self.hold.0.lock().unwrap(), Hold::Open);
        self.hold.1.notify_all();
        matches!(before, Hold::Caught(_))
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, before: impl Fn(&[u8])) {
    let mut bytes = [0; 8192];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        before(&bytes[..length]);
        if to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

fn catch((hold, _): &(Mutex<Hold>, Condvar), number: usize, bytes: &[u8]) {
    let mut hold = hold.lock().unwrap();
    if *hold == Hold::Armed && bytes.windows(5).any(|word| word == b"BEGIN") {
        *hold = Hold::Caught(number);
    }
}

fn wait((hold, opened): &(Mutex<Hold>, Condvar), number: usize) {
    drop(opened.wait_while(hold.lock().unwrap(), |hold| *hold == Hold::Caught(number)).unwrap());
}
