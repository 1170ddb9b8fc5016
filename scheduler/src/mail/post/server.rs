//! A mail server: connects, signs in, and keeps the connection for the next mail. What a failure says holds no
//! password.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use lettre::Message;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::extension::ClientId;
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use url::Url;

use super::PostError;
use super::tls::{self, Tls};

/// How long a server may take for one mail, below the lease on it.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long connecting may take; whatever comes afterwards falls under `PATIENCE`.
const CONNECTING: Duration = Duration::from_secs(20);
/// Below the five minutes after which servers commonly hang up.
const IDLE: Duration = Duration::from_mins(1);

const EXPECTED: &str = "邮件地址应为 smtp://用户:密码@主机:587?tls=starttls、smtp://主机:25?tls=none、\
                        smtps://用户:密码@主机 或 file:文件夹；\
                        用户和密码中的特殊字符须作百分号编码，或改用 mail_host、mail_user、mail_password 等设置";

/// A mail server, with a connection that may be open to it.
pub(super) struct Server {
    host: String,
    port: u16,
    encryption: Encryption,
    hello: ClientId,
    login: Option<(String, SecretString)>,
    kept: Kept,
}

/// How a connection is encrypted.
enum Encryption {
    Never,
    /// After the server has been asked for it in the clear.
    StartTls(Tls),
    /// From its first byte.
    Implicit(Tls),
}

/// The connection that the next mail may use.
type Kept = Arc<Mutex<Option<Idle>>>;

/// An open connection, and the task that closes it when nobody uses it.
struct Idle {
    connection: AsyncSmtpConnection,
    closing: AbortHandle,
}

/// Why a mail was not sent.
enum Failed {
    Smtp(lettre::transport::smtp::Error),
    Other(String),
}

impl From<lettre::transport::smtp::Error> for Failed {
    fn from(error: lettre::transport::smtp::Error) -> Self {
        Self::Smtp(error)
    }
}

impl Failed {
    /// Whether the server has spoken, or may yet: another attempt could be a second copy.
    fn is_final(&self) -> bool {
        matches!(self, Self::Smtp(error) if error.is_permanent() || error.is_transient() || error.is_timeout())
    }
}

impl Server {
    /// The server at an address, as `Post::open` takes it.
    pub(super) fn at(text: &str) -> Result<Self, String> {
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
        let tls = || Tls::to(&host, ca.as_deref());
        let (encryption, port) = match (url.scheme(), encryption.as_deref()) {
            ("smtp", Some("none")) => (Encryption::Never, 25),
            ("smtp", Some("starttls")) => (Encryption::StartTls(tls()?), 587),
            ("smtps", None) => (Encryption::Implicit(tls()?), 465),
            ("smtp", None) => return Err("smtp:// 须写明 tls=starttls 或 tls=none".to_owned()),
            _ => return Err(EXPECTED.to_owned()),
        };
        let decoded = |part: &str| percent_decode_str(part).decode_utf8().map(Cow::into_owned);
        let login = match (decoded(url.username()), decoded(url.password().unwrap_or_default())) {
            (Ok(user), Ok(password)) => (!user.is_empty()).then(|| (user, SecretString::from(password))),
            _ => return Err(EXPECTED.to_owned()),
        };
        Ok(Self {
            port: url.port().unwrap_or(port),
            host,
            encryption,
            hello: ClientId::default(),
            login,
            kept: Kept::default(),
        })
    }

    /// Sends a mail over the kept connection, or a new one.
    pub(super) async fn send(&self, message: &Message) -> Result<(), PostError> {
        match tokio::time::timeout(PATIENCE, self.attempts(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Failed::Smtp(error))) if error.is_permanent() => Err(PostError::Refused(self.said(&error))),
            Ok(Err(Failed::Smtp(error))) => Err(PostError::Unavailable(self.said(&error))),
            Ok(Err(Failed::Other(why))) => Err(PostError::Unavailable(self.clean(&why))),
            // The abandoned connection, which would be one answer behind, went with the attempt.
            Err(_) => Err(PostError::Unavailable(format!("邮件服务器 {} 秒没有回应", PATIENCE.as_secs()))),
        }
    }

    async fn attempts(&self, message: &Message) -> Result<(), Failed> {
        let content = message.formatted();
        if let Some(mut connection) = self.take()
            && connection.test_connected().await
        {
            match connection.send(message.envelope(), &content).await.map_err(Failed::from) {
                Ok(_) => {
                    self.keep(connection);
                    return Ok(());
                }
                Err(error) if error.is_final() => return Err(error),
                // It had gone stale; a fresh one gets its chance at once.
                Err(_) => {}
            }
        }
        let mut connection = self.connect().await?;
        connection.send(message.envelope(), &content).await?;
        self.keep(connection);
        Ok(())
    }

    /// Opens a connection, encrypted and signed in.
    async fn connect(&self) -> Result<AsyncSmtpConnection, Failed> {
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let stream = match tokio::time::timeout(CONNECTING, connecting).await {
            Ok(connected) => connected.map_err(|error| Failed::Other(format!("邮件服务器无法连接：{error}")))?,
            Err(_) => return Err(Failed::Other(format!("邮件服务器 {} 秒内没有连上", CONNECTING.as_secs()))),
        };
        let stream: Box<dyn AsyncTokioStream> = match &self.encryption {
            Encryption::Never => Box::new(stream),
            Encryption::Implicit(tls) => Box::new(tls.over(stream, Vec::new()).await.map_err(Failed::Other)?),
            Encryption::StartTls(tls) => {
                let (stream, ready) = tls::ask_for_it(stream, &self.hello).await.map_err(Failed::Other)?;
                Box::new(tls.over(stream, ready).await.map_err(Failed::Other)?)
            }
        };
        let mut connection = AsyncSmtpConnection::connect_with_transport(stream, &self.hello).await?;
        if let Some((user, password)) = &self.login {
            let credentials = Credentials::new(user.clone(), password.expose_secret().to_owned());
            connection.auth(DEFAULT_MECHANISMS, &credentials).await?;
        }
        Ok(connection)
    }

    fn take(&self) -> Option<AsyncSmtpConnection> {
        let idle = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        idle.closing.abort();
        Some(idle.connection)
    }

    /// Keeps a connection for the next mail, for a minute.
    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut place = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if place.is_some() {
            return;
        }
        let kept = Arc::downgrade(&self.kept);
        let closing = tokio::spawn(async move {
            tokio::time::sleep(IDLE).await;
            let idle = kept.upgrade().and_then(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner).take());
            if let Some(mut idle) = idle {
                idle.connection.abort().await;
            }
        });
        *place = Some(Idle { connection, closing: closing.abort_handle() });
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
