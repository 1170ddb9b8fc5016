//! Load generator: [`CONNECTIONS`] connections in a closed loop, each of which sends its next request after the
//! previous answer. It writes plain HTTP/1.1 to a socket, so that the load costs little compared with what it measures.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use crate::Outcome;

/// The number of concurrent connections.
pub(crate) const CONNECTIONS: usize = 8;

/// Generates the requests of one connection and checks the answers.
pub(crate) trait Caller: Send {
    /// Returns the next serialised request.
    fn next(&mut self) -> Vec<u8>;
    /// Checks the body of the answer.
    fn answered(&mut self, body: &[u8]) -> Outcome<()>;
}

/// Serialises an HTTP request of nobody.
pub(crate) fn request(address: SocketAddr, path: &str, body: &str) -> Vec<u8> {
    request_with(address, path, body, "")
}

/// Serialises an HTTP request of whoever has the secret of a session or token; none for nobody.
pub(crate) fn request_as(address: SocketAddr, path: &str, body: &str, secret: Option<&str>) -> Vec<u8> {
    let bearer = secret.map(|secret| format!("authorization: Bearer {secret}\r\n"));
    request_with(address, path, body, &bearer.unwrap_or_default())
}

/// Serialises an HTTP request with more headers, each of which ends its line.
pub(crate) fn request_with(address: SocketAddr, path: &str, body: &str, headers: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\naccept: application/json\r\n\
         {headers}content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The result of a load.
#[derive(Default)]
pub(crate) struct Tally {
    /// The time from the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// The latency of each answer.
    pub(crate) waits: Vec<Duration>,
}

/// Runs the callers for `time`, each with a thread and a connection of its own.
pub(crate) fn run(address: SocketAddr, callers: Vec<Box<dyn Caller + '_>>, time: Duration) -> Outcome<Tally> {
    let start = Barrier::new(callers.len() + 1);
    let mut tally = Tally::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = callers
            .into_iter()
            .map(|mut caller| {
                let start = &start;
                scope.spawn(move || -> Outcome<Vec<Duration>> {
                    let wire = Wire::open(address);
                    start.wait();
                    let mut wire = wire?;
                    let begun = Instant::now();
                    let mut waits = Vec::new();
                    while begun.elapsed() < time {
                        let request = caller.next();
                        let asked = Instant::now();
                        let body = wire.ask(&request)?;
                        waits.push(asked.elapsed());
                        caller.answered(body)?;
                    }
                    Ok(waits)
                })
            })
            .collect();
        start.wait();
        let begun = Instant::now();
        for thread in threads {
            tally.waits.extend(thread.join().map_err(|_| "a caller's thread panicked")??);
        }
        tally.elapsed = begun.elapsed();
        Ok(tally)
    })
}

/// A keep-alive HTTP connection.
pub(crate) struct Wire {
    stream: TcpStream,
    /// Bytes that were received but not yet consumed.
    buffer: Vec<u8>,
    /// The buffer for one read.
    block: Vec<u8>,
    body: Vec<u8>,
}

impl Wire {
    pub(crate) fn open(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_mins(2)))?;
        Ok(Self { stream, buffer: Vec::new(), block: vec![0; 65_536], body: Vec::new() })
    }

    /// Sends a request and returns the body of the answer; any status but 200 is an error.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Outcome<&[u8]> {
        self.stream.write_all(request)?;
        let head = self.take_until(b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        self.body.clear();
        if let Some(length) = header("content-length:") {
            self.take(length.parse()?)?;
        } else if header("transfer-encoding:") == Some("chunked") {
            loop {
                let size = self.take_until(b"\r\n")?;
                let size = usize::from_str_radix(std::str::from_utf8(&size)?.trim(), 16)?;
                self.take(size)?;
                self.take_until(b"\r\n")?;
                if size == 0 {
                    break;
                }
            }
        }
        if head.split(' ').nth(1) == Some("200") {
            Ok(&self.body)
        } else {
            Err(format!("{head}{}", String::from_utf8_lossy(&self.body)).into())
        }
    }

    fn take_until(&mut self, end: &[u8]) -> Outcome<Vec<u8>> {
        let mut seen = 0;
        loop {
            let found = self.buffer[seen..].windows(end.len()).position(|window| window == end);
            if let Some(at) = found {
                return Ok(self.buffer.drain(..seen + at + end.len()).collect());
            }
            seen = (self.buffer.len() + 1).saturating_sub(end.len());
            self.fill()?;
        }
    }

    /// Moves the next bytes from the connection into the body.
    fn take(&mut self, length: usize) -> Outcome<()> {
        while self.buffer.len() < length {
            self.fill()?;
        }
        self.body.extend(self.buffer.drain(..length));
        Ok(())
    }

    fn fill(&mut self) -> Outcome<()> {
        match self.stream.read(&mut self.block)? {
            0 => Err("the server closed the connection".into()),
            read => {
                self.buffer.extend_from_slice(&self.block[..read]);
                Ok(())
            }
        }
    }
}
