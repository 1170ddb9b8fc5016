//! A mail server: connects, signs in, and keeps connections for the next mails. What a failure says holds no password.

use std::borrow::Cow;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::extension::ClientId;
use percent_encoding::percent_decode_str;
use prometheus::{HistogramVec, register_histogram_vec};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use url::Url;

use super::line::{Broken, Counted, Fault, Line, Open, Stage};
use super::tls::{self, Tls};

/// How long a server may take for one mail.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long connecting may take; whatever comes afterwards falls under `PATIENCE`.
const CONNECTING: Duration = Duration::from_secs(20);
/// Below the five minutes after which servers commonly hang up.
const IDLE: Duration = Duration::from_mins(1);

/// The time of each attempt to send a mail, in the registry that the program serves for monitoring.
#[expect(clippy::expect_used, reason = "a constant name, registered once; a story reads it")]
static SENDING: LazyLock<HistogramVec> = LazyLock::new(|| {
    let help = "Time of an attempt to send a mail by SMTP, by outcome.";
    let seconds = vec![0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0];
    register_histogram_vec!("rectify_smtp_send_duration_seconds", help, &["outcome"], seconds).expect("valid")
});

const EXPECTED: &str = "邮件地址应为 smtp://用户:密码@主机:587?tls=starttls、smtp://主机:25?tls=none、\
                        smtps://用户:密码@主机 或 file:文件夹；\
                        用户和密码中的特殊字符须作百分号编码，或改用 mail_host、mail_user、mail_password 等设置 / \
                        must be smtp://user:password@host:587?tls=starttls, smtp://host:25?tls=none, \
                        smtps://user:password@host or file:FOLDER; percent-encode user and password, or set \
                        mail_host, mail_user and mail_password instead";

/// Says that the server did not answer.
fn silent() -> String {
    format!("邮件服务器 {} 秒没有回应", PATIENCE.as_secs())
}

/// What the address of a mail server says.
pub(super) struct Address {
    host: String,
    port: u16,
    encryption: EncryptionKind,
    /// File of the only certificates that are trusted.
    ca: Option<String>,
    login: Option<(String, SecretString)>,
}

/// How connections are to be encrypted.
#[derive(Clone, Copy)]
enum EncryptionKind {
    Never,
    StartTls,
    Implicit,
}

/// A mail server, with the connections that are open to it.
pub(super) struct Server {
    host: String,
    port: u16,
    encryption: Encryption,
    hello: ClientId,
    login: Option<(String, SecretString)>,
    kept: Kept,
    open: Open,
}

/// How a connection is encrypted.
enum Encryption {
    Never,
    /// After the server has been asked for it in the clear.
    StartTls(Tls),
    /// From its first byte.
    Implicit(Tls),
}

/// The connections that the next mails may use, the latest used last.
type Kept = Arc<Mutex<Vec<Idle>>>;

/// An open connection, and the task that closes it when nobody uses it.
struct Idle {
    line: Line,
    closing: AbortHandle,
}

/// Why a mail was not sent.
pub(super) enum Failed {
    /// For this reason, by the fault of the mail, the server or either.
    By(Fault, String),
    /// The server accepts no further connection while others are open.
    Crowded(String),
}

impl Address {
    /// Parses an address, as `Post::open` takes it. The error is a message for the operator, without the address.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|_| EXPECTED.to_owned())?;
        // Whatever stands where nothing belongs may be a part of a password that was not encoded.
        if url.fragment().is_some() || !matches!(url.path(), "" | "/") {
            return Err(EXPECTED.to_owned());
        }
        let (mut ca, mut encryption) = (None, None);
        for (key, value) in url.query_pairs() {
            match &*key {
                "ca" => ca = Some(value.into_owned()),
                "tls" => encryption = Some(value.into_owned()),
                _ => return Err(EXPECTED.to_owned()),
            }
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(EXPECTED)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let (encryption, port) = match (url.scheme(), encryption.as_deref()) {
            ("smtp", Some("none")) => (EncryptionKind::Never, 25),
            ("smtp", Some("starttls")) => (EncryptionKind::StartTls, 587),
            ("smtps", None) => (EncryptionKind::Implicit, 465),
            ("smtp", None) => {
                return Err(
                    "smtp:// 须写明 tls=starttls 或 tls=none / smtp:// needs tls=starttls or tls=none".to_owned()
                );
            }
            _ => return Err(EXPECTED.to_owned()),
        };
        let decoded = |part: &str| percent_decode_str(part).decode_utf8().map(Cow::into_owned);
        let login = match (decoded(url.username()), decoded(url.password().unwrap_or_default())) {
            (Ok(user), Ok(password)) => (!user.is_empty()).then(|| (user, SecretString::from(password))),
            _ => return Err(EXPECTED.to_owned()),
        };
        Ok(Self { port: url.port().unwrap_or(port), host, encryption, ca, login })
    }
}

impl Server {
    /// The server at an address. Reads the certificates that it trusts.
    pub(super) fn at(address: Address) -> Result<Self, String> {
        let Address { host, port, encryption, ca, login } = address;
        let tls = || Tls::to(&host, ca.as_deref());
        let encryption = match encryption {
            EncryptionKind::Never => Encryption::Never,
            EncryptionKind::StartTls => Encryption::StartTls(tls()?),
            EncryptionKind::Implicit => Encryption::Implicit(tls()?),
        };
        Ok(Self {
            host,
            port,
            encryption,
            hello: ClientId::default(),
            login,
            kept: Kept::default(),
            open: Open::default(),
        })
    }

    /// The name by which outages tell the server from others.
    pub(super) fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Sends a mail over a kept connection, or a new one.
    pub(super) async fn send(&self, envelope: &Envelope, content: &[u8]) -> Result<(), Failed> {
        let (begun, mut stage) = (Instant::now(), Stage::Connection);
        let sent = self.attempt(envelope, content, &mut stage).await;
        let outcome = if sent.is_ok() { "accepted" } else { "failed" };
        SENDING.with_label_values(&[outcome]).observe(begun.elapsed().as_secs_f64());
        sent
    }

    async fn attempt(&self, envelope: &Envelope, content: &[u8], stage: &mut Stage) -> Result<(), Failed> {
        let broken = match tokio::time::timeout(PATIENCE, self.carry(envelope, content, stage)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(broken)) => broken,
            // The abandoned connection, which would be one answer behind, went with the attempt.
            Err(_) => {
                let fault = if *stage == Stage::Content { Fault::Mail { is_final: false } } else { Fault::Server };
                return Err(Failed::By(fault, silent()));
            }
        };
        Err(self.failed(&broken, *stage))
    }

    /// Connects and signs in, unless a connection is open already, and keeps the connection.
    pub(super) async fn reach(&self) -> Result<(), Failed> {
        match tokio::time::timeout(PATIENCE, self.knock()).await {
            Ok(reached) => reached,
            Err(_) => Err(Failed::By(Fault::Server, silent())),
        }
    }

    async fn knock(&self) -> Result<(), Failed> {
        if let Some(mut line) = self.take()
            && line.is_alive().await
        {
            self.keep(line);
            return Ok(());
        }
        // The dead connection is dropped by now: it would count as one that the server has let in.
        let line = self.connect().await.map_err(|broken| self.failed(&broken, Stage::Connection))?;
        self.keep(line);
        Ok(())
    }

    async fn carry(&self, envelope: &Envelope, content: &[u8], stage: &mut Stage) -> Result<(), Broken> {
        if let Some(mut line) = self.take()
            && line.is_alive().await
        {
            match line.send(envelope, content, stage).await {
                // The server had closed it meanwhile. Nothing of the message was sent, so another is tried at once.
                Err(broken) if Line::had_gone(&broken, *stage) => *stage = Stage::Connection,
                done => return self.done_with(line, done).await,
            }
        }
        let mut line = self.connect().await?;
        let done = line.send(envelope, content, stage).await;
        self.done_with(line, done).await
    }

    /// Keeps a connection after a conversation, unless it cannot be used any more.
    async fn done_with(&self, mut line: Line, done: Result<(), Broken>) -> Result<(), Broken> {
        let is_usable = match &done {
            Ok(()) => true,
            Err(broken) => line.recover(broken).await,
        };
        if is_usable {
            self.keep(line);
        }
        done
    }

    /// Says why a conversation failed.
    fn failed(&self, broken: &Broken, stage: Stage) -> Failed {
        let why = match broken {
            Broken::Smtp(error) => self.said(error),
            Broken::Unable(why) | Broken::Other(why) => self.clean(why),
        };
        // A server that limits the connections of a client says so by any word when one more is opened.
        let is_crowded = stage == Stage::Connection && self.open.load(Ordering::Relaxed) > 0;
        if is_crowded { Failed::Crowded(why) } else { Failed::By(broken.fault(stage), why) }
    }

    /// Opens a connection, encrypted and signed in.
    async fn connect(&self) -> Result<Line, Broken> {
        let counted = Counted::among(&self.open);
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let stream = match tokio::time::timeout(CONNECTING, connecting).await {
            Ok(connected) => connected.map_err(|error| Broken::Other(format!("邮件服务器无法连接：{error}")))?,
            Err(_) => return Err(Broken::Other(format!("邮件服务器 {} 秒内没有连上", CONNECTING.as_secs()))),
        };
        // The end of a message is a write of its own, which would wait for the server's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let stream: Box<dyn AsyncTokioStream> = match &self.encryption {
            Encryption::Never => Box::new(stream),
            Encryption::Implicit(tls) => Box::new(tls.over(stream, Vec::new()).await.map_err(Broken::Other)?),
            Encryption::StartTls(tls) => {
                let (stream, ready) = tls::ask_for_it(stream, &self.hello).await.map_err(Broken::Other)?;
                Box::new(tls.over(stream, ready).await.map_err(Broken::Other)?)
            }
        };
        let mut connection = AsyncSmtpConnection::connect_with_transport(stream, &self.hello).await?;
        if let Some((user, password)) = &self.login {
            let credentials = Credentials::new(user.clone(), password.expose_secret().to_owned());
            connection.auth(DEFAULT_MECHANISMS, &credentials).await?;
        }
        Ok(Line::over(connection, counted))
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the connection that was used last.
    fn take(&self) -> Option<Line> {
        let idle = self.kept().pop()?;
        idle.closing.abort();
        Some(idle.line)
    }

    /// Keeps a connection for the next mail, for a minute.
    fn keep(&self, line: Line) {
        let kept = Arc::downgrade(&self.kept);
        let closing = tokio::spawn(async move {
            tokio::time::sleep(IDLE).await;
            // The first is the one that has been idle longest.
            let idle = kept.upgrade().and_then(|kept| {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                (!kept.is_empty()).then(|| kept.remove(0))
            });
            if let Some(idle) = idle {
                idle.line.close().await;
            }
        });
        self.kept().push(Idle { line, closing: closing.abort_handle() });
    }

    /// An error with its causes, on one line, without the password.
    fn said(&self, error: &dyn std::error::Error) -> String {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let inner_text = inner.to_string();
            if !text.contains(&inner_text) {
                text = format!("{text}: {inner_text}");
            }
            cause = inner.source();
        }
        self.clean(&text)
    }

    /// A text on one line, without the password in any of the forms in which it went to the server: a server may repeat
    /// the command that it did not like.
    fn clean(&self, text: &str) -> String {
        let mut text = text.lines().collect::<Vec<_>>().join(" ");
        if let Some((user, password)) = &self.login
            && !password.expose_secret().is_empty()
        {
            let password = password.expose_secret();
            let plain = BASE64_STANDARD.encode(format!("\0{user}\0{password}"));
            for form in [plain.as_str(), &BASE64_STANDARD.encode(password), password] {
                text = text.replace(form, "***");
            }
        }
        text
    }
}
