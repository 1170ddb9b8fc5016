//! A mail server that writes each message to the disk and forgets it. It may also misbehave, as servers do.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
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

/// How a server behaves.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Manners {
    /// How long it takes for a message besides writing it.
    pub(crate) pause: Duration,
    /// Whether it misbehaves at times: stalls, refuses greetings and recipients, hangs up after it has taken a message,
    /// and restarts.
    pub(crate) is_harsh: bool,
}

/// How often a harsh server misbehaves: once in so many messages, or greetings.
const STALLS: usize = 2_000;
const REFUSES: usize = 1_000;
const HANGS_UP: usize = 1_000;
const TURNS_AWAY: usize = 50;
/// A harsh server restarts once in so many messages, and is away for a second.
const RESTARTS: usize = 3_000;

/// What the server has accepted.
#[derive(Default)]
struct Seen {
    tally: Mutex<Tally>,
    changed: Condvar,
    /// How many messages have been taken whose sender has no answer yet.
    unanswered: AtomicUsize,
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
    /// How often each recipient's message was accepted, in words or by being kept when the server hung up.
    accepted: HashMap<String, usize>,
    hung_up: usize,
    away_until: Option<Instant>,
}

impl Sink {
    /// Starts the server.
    pub(crate) fn start(manners: Manners) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let (folder, seen) = (Arc::new(TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?), Arc::new(Seen::default()));
        let shared = seen.clone();
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().flatten().enumerate() {
                let (seen, folder) = (shared.clone(), folder.clone());
                std::thread::spawn(move || {
                    let file = File::create(folder.path().join(number.to_string()));
                    let _ = file.map_err(Into::into).and_then(|file| converse(stream, file, manners, &seen));
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

    /// Returns how often each recipient's message was accepted since the measurement began, and how often the server
    /// hung up on one that it had taken.
    pub(crate) fn accepted(&self) -> (HashMap<String, usize>, usize) {
        let tally = self.seen.tally.lock().unwrap_or_else(PoisonError::into_inner);
        (tally.accepted.clone(), tally.hung_up)
    }

    /// Whether somebody waits for the answer to a message.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.seen.unanswered.load(Ordering::Relaxed) > 0
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
fn converse(stream: TcpStream, mut file: File, manners: Manners, seen: &Seen) -> Outcome<()> {
    stream.set_nodelay(true)?;
    let (mut talk, mut said) = (BufReader::new(stream.try_clone()?), stream);
    let happens = |once_in: usize| manners.is_harsh && fastrand::usize(..once_in) == 0;
    if seen.is_away() {
        return Ok(());
    }
    if happens(TURNS_AWAY) {
        said.write_all(b"421 too busy\r\n")?;
        return Ok(());
    }
    said.write_all(b"220 sink\r\n")?;
    let (mut line, mut message, mut recipient) = (Vec::new(), Vec::new(), String::new());
    loop {
        line.clear();
        if talk.read_until(b'\n', &mut line)? == 0 || seen.is_away() {
            return Ok(());
        }
        let command = String::from_utf8_lossy(&line).to_ascii_lowercase();
        let answer: &[u8] = match command.get(..4).unwrap_or_default() {
            "ehlo" => b"250-sink\r\n250 8BITMIME\r\n",
            "quit" => b"221 bye\r\n",
            "rcpt" if happens(REFUSES) => b"451 try again later\r\n",
            "rcpt" => {
                command.split(['<', '>']).nth(1).unwrap_or_default().clone_into(&mut recipient);
                b"250 ok\r\n"
            }
            "data" => {
                said.write_all(b"354 go\r\n")?;
                message.clear();
                while !message.ends_with(b"\r\n.\r\n") {
                    if talk.read_until(b'\n', &mut message)? == 0 {
                        return Ok(());
                    }
                }
                file.write_all(&message)?;
                file.sync_data()?;
                if happens(RESTARTS) {
                    seen.go_away();
                    return Ok(());
                }
                seen.unanswered.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(
                    manners.pause + if happens(STALLS) { Duration::from_secs(5) } else { Duration::ZERO },
                );
                let hangs_up = happens(HANGS_UP);
                seen.note(&message, &recipient, hangs_up);
                let answered = if hangs_up { Ok(()) } else { said.write_all(b"250 queued\r\n") };
                seen.unanswered.fetch_sub(1, Ordering::Relaxed);
                answered?;
                if hangs_up {
                    return Ok(());
                }
                continue;
            }
            _ => b"250 ok\r\n",
        };
        said.write_all(answer)?;
    }
}

impl Seen {
    fn note(&self, message: &[u8], recipient: &str, hangs_up: bool) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        tally.count += 1;
        tally.first.get_or_insert(now);
        tally.last = Some(now);
        if !recipient.starts_with(COPY) {
            tally.notice = Some(now);
        }
        if tally.message.is_empty() {
            tally.message = message.to_vec();
        }
        *tally.accepted.entry(recipient.to_owned()).or_default() += 1;
        tally.hung_up += usize::from(hangs_up);
        self.changed.notify_all();
    }

    /// Drops all connections for a second, as a restart does.
    fn go_away(&self) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.away_until = Some(Instant::now() + Duration::from_secs(1));
    }

    fn is_away(&self) -> bool {
        let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.away_until.is_some_and(|until| Instant::now() < until)
    }
}
