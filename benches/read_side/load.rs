//! The load: as many connections as `CONNECTIONS`, each asking its next question when it has its answer. Plain HTTP/1.1 over
//! a socket, so that the caller costs little beside what it measures.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use crate::Outcome;

/// How many ask at once.
pub(crate) const CONNECTIONS: usize = 8;

/// What one connection asks and what it makes of the answers.
pub(crate) trait Caller: Send {
    /// The next request, written out.
    fn next(&mut self) -> Vec<u8>;
    /// Takes the body of its answer.
    fn answered(&mut self, body: &[u8]) -> Outcome<()>;
}

/// A request as it goes over the wire.
pub(crate) fn request(address: SocketAddr, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\naccept: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// What came of a load.
#[derive(Default)]
pub(crate) struct Tally {
    /// From the first question to the last answer.
    pub(crate) elapsed: Duration,
    /// How long each answer took.
    pub(crate) waits: Vec<Duration>,
}

/// Asks for `time`, one thread and one connection for each caller.
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
            tally.waits.extend(thread.join().map_err(|_| "a caller's thread ended badly")??);
        }
        tally.elapsed = begun.elapsed();
        Ok(tally)
    })
}

/// One connection that is kept alive.
pub(crate) struct Wire {
    stream: TcpStream,
    /// What was read and not yet taken.
    buffer: Vec<u8>,
    /// What the socket fills.
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

    /// The body of the answer; anything but 200 is an error.
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

    /// Moves the next bytes into the body.
    fn take(&mut self, length: usize) -> Outcome<()> {
        while self.buffer.len() < length {
            self.fill()?;
        }
        self.body.extend(self.buffer.drain(..length));
        Ok(())
    }

    fn fill(&mut self) -> Outcome<()> {
        match self.stream.read(&mut self.block)? {
            0 => Err("the server hung up".into()),
            read => {
                self.buffer.extend_from_slice(&self.block[..read]);
                Ok(())
            }
        }
    }
}
