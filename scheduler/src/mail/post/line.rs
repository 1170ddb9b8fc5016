//! A connection to a mail server, and what it means when a conversation over it fails: whether the mail, the server or
//! this installation is at fault, and whether any of the message was sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lettre::address::Envelope;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{Extension, MailBodyParameter, MailParameter};

use crate::mail::status::Status;

/// A connection that was idle for longer is tested before its next mail.
const FRESH: Duration = Duration::from_secs(5);
/// How long the server may take to answer the goodbye.
const GOODBYE: Duration = Duration::from_secs(5);
/// Reply codes that refuse this client, whatever the mail (RFC 4954).
const UNWELCOME: &[u16] = &[530, 534, 535, 538];
/// The reply code of a server that closes the connection.
const CLOSING: u16 = 421;

/// How far the conversation about a mail has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Connecting, encrypting, being greeted, signing in.
    Connection,
    /// Naming the sender.
    Sender,
    /// Naming the recipient, until the server asks for the message.
    Recipient,
    /// Sending the message.
    Content,
}

/// Why a conversation failed.
pub(super) enum Broken {
    /// The server answered so, or the connection was lost.
    Smtp(Error),
    /// The server cannot take a mail to such an address.
    Unable(String),
    /// Something else went wrong, before the server was asked about any mail.
    Other(String),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Smtp(error)
    }
}

/// Who is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The mail or its recipient, for now or for good.
    Mail { is_final: bool },
    /// The server, or this installation as the server sees it: no other mail would fare better.
    Server,
    /// One of both: other mails show which.
    Either,
}

impl Broken {
    /// Who is at fault when a conversation breaks at a stage.
    pub(super) fn fault(&self, stage: Stage) -> Fault {
        let Self::Smtp(error) = self else {
            return if matches!(self, Self::Unable(_)) { Fault::Mail { is_final: true } } else { Fault::Server };
        };
        let code = error.status().map(u16::from);
        match (stage, code) {
            (Stage::Connection | Stage::Sender, _) => Fault::Server,
            (_, Some(CLOSING)) | (Stage::Recipient, None) => Fault::Either,
            (_, Some(code)) if UNWELCOME.contains(&code) || is_policy(error) => Fault::Either,
            (_, Some(_)) => Fault::Mail { is_final: error.is_permanent() },
            // The server may have taken the message. Another copy is sent after the usual pause only.
            (Stage::Content, None) => Fault::Mail { is_final: false },
        }
    }

    /// Whether the server may have hung up before it was told anything of the mail, so that another connection may be
    /// tried at once.
    fn is_hang_up(&self) -> bool {
        let Self::Smtp(error) = self else { return false };
        error.status().is_none_or(|code| u16::from(code) == CLOSING)
    }
}

/// Whether a server refuses by its policy (RFC 3463, X.7.X), which its reply says after the code: `550 5.7.1 …`.
fn is_policy(error: &Error) -> bool {
    let reply = std::error::Error::source(error).map(ToString::to_string);
    reply.and_then(|reply| Status::at_start_of(&reply)).is_some_and(Status::is_policy)
}

/// The number of a server's connections that are open or being opened.
pub(super) type Open = Arc<AtomicUsize>;

/// Counts a connection among those that are open for as long as it lives.
pub(super) struct Counted(Open);

impl Counted {
    /// Counts one more.
    pub(super) fn among(open: &Open) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(open.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that is signed in.
pub(super) struct Line {
    connection: AsyncSmtpConnection,
    used_at: Instant,
    counted: Counted,
}

impl Line {
    /// Makes a line of a connection that is signed in and has been counted since it was begun.
    pub(super) fn over(connection: AsyncSmtpConnection, counted: Counted) -> Self {
        Self { connection, used_at: Instant::now(), counted }
    }

    /// Checks whether the connection can be used for the next mail.
    pub(super) async fn is_alive(&mut self) -> bool {
        self.used_at.elapsed() < FRESH || self.connection.test_connected().await
    }

    /// Sends a mail, and keeps `stage` up to date.
    pub(super) async fn send(&mut self, envelope: &Envelope, content: &[u8], stage: &mut Stage) -> Result<(), Broken> {
        *stage = Stage::Sender;
        let parameters = self.parameters(envelope, content)?;
        self.connection.command(Mail::new(envelope.from().cloned(), parameters)).await?;
        *stage = Stage::Recipient;
        for to in envelope.to() {
            self.connection.command(Rcpt::new(to.clone(), Vec::new())).await?;
        }
        self.connection.command(Data).await?;
        *stage = Stage::Content;
        self.connection.message(content).await?;
        self.used_at = Instant::now();
        Ok(())
    }

    fn parameters(&self, envelope: &Envelope, content: &[u8]) -> Result<Vec<MailParameter>, Broken> {
        let mut parameters = Vec::new();
        let offers = |extension| self.connection.server_info().supports_feature(extension);
        let mut addresses = envelope.from().into_iter().chain(envelope.to());
        if addresses.any(|address| !AsRef::<str>::as_ref(address).is_ascii()) {
            if !offers(Extension::SmtpUtfEight) {
                return Err(Broken::Unable(
                    "邮件服务器不支持含非 ASCII 字符的地址（SMTPUTF8），请改用其他地址".to_owned(),
                ));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !content.is_ascii() {
            if !offers(Extension::EightBitMime) {
                return Err(Broken::Unable("邮件服务器不支持 8BITMIME".to_owned()));
            }
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        Ok(parameters)
    }

    /// Whether a conversation over a connection that had been idle failed because the server had closed it, before it
    /// was sent anything of the message.
    pub(super) fn had_gone(broken: &Broken, stage: Stage) -> bool {
        stage < Stage::Content && broken.is_hang_up()
    }

    /// Makes the connection ready for another mail after one that the server refused. Returns false if it cannot be
    /// used any more.
    pub(super) async fn recover(&mut self, broken: &Broken) -> bool {
        match broken {
            Broken::Unable(_) => true,
            Broken::Smtp(_) if !broken.is_hang_up() => self.connection.command(Rset).await.is_ok(),
            Broken::Smtp(_) | Broken::Other(_) => false,
        }
    }

    /// Says goodbye and closes the connection. It counts as closed from the beginning, and a server that does not
    /// answer is not waited for.
    pub(super) async fn close(self) {
        let Self { mut connection, counted, .. } = self;
        drop(counted);
        _ = tokio::time::timeout(GOODBYE, connection.abort()).await;
    }
}
