//! A mail server that writes each message to the disk and forgets it.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Outcome;

/// Recipients of copies, by which notices are told from them.
pub(crate) const COPY: &str = "many";
/// How long a measurement may take.
const PATIENCE: Duration = Duration::from_hours(1);

/// A running server.
pub(crate) struct Sink {
    pub(crate) port: u16,
    seen: Arc<Seen>,
}

/// What the server has accepted.
#[derive(Default)]
struct Seen {
    tally: Mutex<Tally>,
    changed: Condvar,
}

#[derive(Default)]
struct Tally {
    count: usize,
    expected: usize,
    first: Option<Instant>,
    last: Option<Instant>,
    notice: Option<Instant>,
    /// The last message.
    message: Vec<u8>,
}

impl Sink {
    /// Starts the server, which takes so long for a message besides writing it.
    pub(crate) fn start(pause: Duration) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let (folder, seen) = (Arc::new(TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?), Arc::new(Seen::default()));
        let shared = seen.clone();
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().flatten().enumerate() {
                let (seen, folder) = (shared.clone(), folder.clone());
                std::thread::spawn(move || {
                    let file = File::create(folder.path().join(number.to_string()));
                    let _ = file.map_err(Into::into).and_then(|file| converse(stream, file, pause, &seen));
                });
            }
        });
        Ok(Self { port, seen })
    }

    /// Begins a measurement of so many mails.
    pub(crate) fn expect(&self, count: usize) {
        let mut tally = self.seen.tally.lock().unwrap_or_else(PoisonError::into_inner);
        *tally = Tally { expected: count, message: std::mem::take(&mut tally.message), ..Tally::default() };
    }

    /// Waits until all expected mails are there. Returns how many a second were accepted.
    pub(crate) fn rate(&self) -> Outcome<f64> {
        let tally = self.wait(|tally| tally.count >= tally.expected)?;
        let (first, last) = tally.0.zip(tally.1).ok_or("no mail arrived")?;
        Ok((tally.2 - 1) as f64 / (last - first).as_secs_f64())
    }

    /// Waits for a mail that is no copy. Returns when it was accepted.
    pub(crate) fn notice(&self) -> Outcome<Instant> {
        self.wait(|tally| tally.notice.is_some())?.3.ok_or_else(|| "no notice arrived".into())
    }

    /// Returns the last message.
    pub(crate) fn message(&self) -> Vec<u8> {
        self.seen.tally.lock().unwrap_or_else(PoisonError::into_inner).message.clone()
    }

    #[expect(clippy::type_complexity, reason = "a copy of the tally without its message")]
    fn wait(
        &self,
        is_done: impl Fn(&Tally) -> bool,
    ) -> Outcome<(Option<Instant>, Option<Instant>, usize, Option<Instant>)> {
        let tally = self.seen.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.seen.changed.wait_timeout_while(tally, PATIENCE, |tally| !is_done(tally));
        let (tally, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            return Err(format!("only {} of {} mails arrived", tally.count, tally.expected).into());
        }
        Ok((tally.first, tally.last, tally.count, tally.notice))
    }
}

/// Speaks SMTP over a connection.
fn converse(stream: TcpStream, mut file: File, pause: Duration, seen: &Seen) -> Outcome<()> {
    stream.set_nodelay(true)?;
    let (mut talk, mut said) = (BufReader::new(stream.try_clone()?), stream);
    said.write_all(b"220 sink\r\n")?;
    let (mut line, mut message, mut is_copy) = (Vec::new(), Vec::new(), true);
    loop {
        line.clear();
        if talk.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let command = String::from_utf8_lossy(&line).to_ascii_uppercase();
        let answer: &[u8] = match command.get(..4).unwrap_or_default() {
            "EHLO" => b"250-sink\r\n250 8BITMIME\r\n",
            "QUIT" => b"221 bye\r\n",
            "RCPT" => {
                is_copy = command.contains(&format!("<{}", COPY.to_ascii_uppercase()));
                b"250 ok\r\n"
            }
            "DATA" => {
                said.write_all(b"354 go\r\n")?;
                message.clear();
                while !message.ends_with(b"\r\n.\r\n") {
                    if talk.read_until(b'\n', &mut message)? == 0 {
                        return Ok(());
                    }
                }
                file.write_all(&message)?;
                file.sync_data()?;
                std::thread::sleep(pause);
                seen.note(&message, is_copy);
                b"250 queued\r\n"
            }
            _ => b"250 ok\r\n",
        };
        said.write_all(answer)?;
    }
}

impl Seen {
    fn note(&self, message: &[u8], is_copy: bool) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        tally.count += 1;
        tally.first.get_or_insert(now);
        tally.last = Some(now);
        if !is_copy {
            tally.notice = Some(now);
        }
        if tally.message.is_empty() {
            tally.message = message.to_vec();
        }
        self.changed.notify_all();
    }
}
