//! The post: SMTP, or `.eml` files in a folder. Says of each failure whether trying again can help, and whether other
//! mails would fare better.

mod line;
mod server;
mod tls;

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use entity::mail;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use ledger::file::storage::{create_private, create_private_folder};
use ledger::unit::address_in_ascii;
use lettre::address::Envelope;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Body, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use tokio::io::AsyncWriteExt;

use self::line::Fault;
use self::server::{Address as ServerAddress, Failed, Server};
use crate::mail::{Message as Content, Writer};

/// Parses the sender of all mails. The error is a message for the operator.
fn sender(from: &str) -> Result<Mailbox, String> {
    from.parse().map_err(|_| {
        "应为邮件地址，如 整改台账 <rectify@example.cn> / must be a mail address, such as Ledger <rectify@example.cn>"
            .to_owned()
    })
}

/// Where mails go.
pub struct Post {
    from: Mailbox,
    /// The address that mails which cannot be delivered are returned to, when it is not the sender's.
    bounce_to: Option<Address>,
    way: Way,
    connections: usize,
    /// Lets through as many mails a minute as the server may be given; none: any number.
    pace: Option<DefaultDirectRateLimiter>,
    heard: Mutex<Heard>,
}

/// What the server has said so far.
#[derive(Default)]
struct Heard {
    /// Whether it has accepted a mail.
    has_accepted: bool,
    /// The mail in doubt since it last accepted one.
    doubted: Option<String>,
}

enum Way {
    Smtp(Server),
    Folder(PathBuf),
}

/// Why a mail was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// It never will be: a bad address, or the server's final word about it.
    #[error("{0}")]
    Refused(String),
    /// It may be later: the server said so about it, or it is not known whether the server has taken it.
    #[error("{0}")]
    Unavailable(String),
    /// The server takes no mails from this installation for now, whatever they are.
    #[error("{0}")]
    Down(String),
    /// The server refuses this installation, or else this one recipient: other mails show which.
    #[error("{0}")]
    Doubtful(String),
    /// The server accepts no further connection while others are open.
    #[error("{0}")]
    Crowded(String),
}

/// A mail as it goes to the server.
pub(crate) struct Letter {
    id: String,
    message: Message,
    content: Vec<u8>,
    html: String,
}

impl Post {
    /// The post at an address: `smtp://user:pass@host:587?tls=starttls|none`, `smtps://…`, each with an optional
    /// `&ca=FILE`, or `file:FOLDER`. Users and passwords are percent-encoded. `from` is the sender: `名称 <address>` or
    /// an address. No error quotes the address, which may hold a password.
    pub fn open(url: &str, from: &str) -> Result<Self, String> {
        let from = sender(from)?;
        let way = match url.strip_prefix("file:") {
            Some(folder) => Way::Folder(PathBuf::from(folder.trim_start_matches("//"))),
            None => Way::Smtp(Server::at(ServerAddress::parse(url)?)?),
        };
        Ok(Self { from, bounce_to: None, way, connections: 1, pace: None, heard: Mutex::default() })
    }

    /// Sets the address that mails which cannot be delivered are returned to; empty: the sender's.
    pub fn returned_to(self, address: &str) -> Result<Self, String> {
        let parsed = address.parse::<Address>().map_err(|error| format!("“{address}”不是邮件地址：{error}"));
        Ok(Self { bounce_to: if address.is_empty() { None } else { Some(parsed?) }, ..self })
    }

    /// Checks an address as [`Post::open`] does, without reading certificates.
    pub fn check(url: &str) -> Result<(), String> {
        if url.starts_with("file:") { Ok(()) } else { ServerAddress::parse(url).map(|_| ()) }
    }

    /// Checks a sender as [`Post::open`] does.
    pub fn check_sender(from: &str) -> Result<(), String> {
        sender(from).map(|_| ())
    }

    /// Sets how many connections are used at the same time, and how many mails a minute are sent at most; 0: any
    /// number. A slow pace uses fewer connections, so that few mails wait between the outbox and the server.
    #[must_use]
    pub fn paced(self, connections: usize, per_minute: u32) -> Self {
        let quota = NonZeroU32::new(per_minute).map(|most| Quota::per_minute(most).allow_burst(NonZeroU32::MIN));
        let useful = if quota.is_some() { per_minute as usize / 30 } else { usize::MAX };
        Self { connections: connections.min(useful).max(1), pace: quota.map(RateLimiter::direct), ..self }
    }

    /// The number of connections that are used at the same time.
    pub(crate) fn connections(&self) -> usize {
        self.connections
    }

    /// The name of the server or folder, by which outages tell it from others.
    pub(crate) fn name(&self) -> String {
        match &self.way {
            Way::Smtp(server) => server.name(),
            Way::Folder(folder) => folder.display().to_string(),
        }
    }

    /// The folder that mails are written to, when that is their way.
    pub fn folder(&self) -> Option<&Path> {
        match &self.way {
            Way::Folder(folder) => Some(folder),
            Way::Smtp(_) => None,
        }
    }

    /// Makes a letter of a mail of the outbox. `id` is the part of its Message-ID before the `@`.
    pub(crate) fn letter(
        &self,
        content: Content,
        (mail, id): (&mail::Model, &str),
        now: DateTime<Utc>,
    ) -> Result<Letter, PostError> {
        let id = format!("{id}@{}", self.from.email.domain());
        self.addressed(&mail.recipient, content, id, now)
    }

    /// Sends a letter, as soon as the pace allows.
    pub(crate) async fn send(&self, letter: &Letter) -> Result<(), PostError> {
        if let Some(pace) = &self.pace {
            pace.until_ready().await;
        }
        let server = match &self.way {
            Way::Folder(folder) => return keep(folder, letter).await,
            Way::Smtp(server) => server,
        };
        match server.send(letter.message.envelope(), &letter.content).await {
            Ok(()) => {
                *self.heard() = Heard { has_accepted: true, doubted: None };
                Ok(())
            }
            Err(Failed::Crowded(why)) => Err(PostError::Crowded(why)),
            Err(Failed::By(fault, why)) => Err(match fault {
                Fault::Mail { is_final: true } => PostError::Refused(why),
                Fault::Mail { is_final: false } => PostError::Unavailable(why),
                Fault::Either => PostError::Doubtful(why),
                Fault::Server => PostError::Down(why),
            }),
        }
    }

    /// Decides whose fault a doubtful failure is: the letter's if the server has accepted others, and has refused no
    /// other letter since.
    pub(crate) fn blames(&self, letter: &Letter) -> bool {
        let mut heard = self.heard();
        let is_own = heard.has_accepted && heard.doubted.as_ref().is_none_or(|id| *id == letter.id);
        heard.doubted.get_or_insert_with(|| letter.id.clone());
        is_own
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks whether the server lets this installation sign in, without sending a mail.
    pub(crate) async fn reach(&self) -> Result<(), PostError> {
        let Way::Smtp(server) = &self.way else { return Ok(()) };
        match server.reach().await {
            // Other connections are open, so the server takes mails.
            Ok(()) | Err(Failed::Crowded(_)) => Ok(()),
            Err(Failed::By(_, why)) => Err(PostError::Down(why)),
        }
    }

    /// Sends a test mail to an address.
    pub async fn test(&self, writer: &Writer, to: &str, now: DateTime<Utc>) -> Result<(), PostError> {
        let content = writer.test().map_err(|error| PostError::Refused(format!("邮件无法生成：{error}")))?;
        let id = format!("rectify-test-{}@{}", now.timestamp_micros(), self.from.email.domain());
        let letter = self.addressed(to, content, id, now)?;
        self.send(&letter).await
    }

    fn addressed(&self, to: &str, content: Content, id: String, now: DateTime<Utc>) -> Result<Letter, PostError> {
        let refused = |what: &dyn std::fmt::Display| PostError::Refused(format!("邮件无法生成：{what}"));
        let address: Address = address_in_ascii(to).parse().map_err(|error| refused(&error))?;
        let returned_to = self.bounce_to.as_ref().unwrap_or(&self.from.email).clone();
        let envelope = Envelope::new(Some(returned_to), vec![address.clone()]).map_err(|error| refused(&error))?;
        let header = |name, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned());
        let mut message = Message::builder().envelope(envelope).from(self.from.clone()).to(Mailbox::new(None, address));
        // An office whose address is malformed is still named in the text.
        let office = content
            .office
            .and_then(|office| Some((address_in_ascii(&office.address).parse::<Address>().ok()?, office.name)));
        if let Some((address, name)) = office {
            message = message.reply_to(Mailbox::new(Some(name), address));
        }
        let mut message = message
            .subject(content.subject)
            .date(now.into())
            .message_id(Some(format!("<{id}>")))
            .raw_header(header("Auto-Submitted", "auto-generated"));
        if let Some(unsubscribe) = content.unsubscribe {
            message = message
                .raw_header(header("List-Unsubscribe", &format!("<{unsubscribe}>")))
                .raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"));
        }
        let mut body = MultiPart::alternative()
            .singlepart(part(ContentType::TEXT_PLAIN, content.text))
            .singlepart(part(ContentType::TEXT_HTML, content.html.clone()));
        if !content.attachments.is_empty() {
            body = MultiPart::mixed().multipart(body);
        }
        for attached in content.attachments {
            let media_type = ContentType::parse(attached.media_type).map_err(|error| refused(&error))?;
            body = body.singlepart(Attachment::new(attached.name).body(attached.content, media_type));
        }
        let message = message.multipart(body).map_err(|error| refused(&error))?;
        Ok(Letter { id, content: message.formatted(), message, html: content.html })
    }
}

/// Returns a text as a part of a mail. Base64 keeps Chinese text less than half as long as quoted-printable.
fn part(media_type: ContentType, text: String) -> SinglePart {
    let body = if text.is_ascii() { Body::new(text) } else { in_base64(text) };
    SinglePart::builder().header(media_type).body(body)
}

fn in_base64(text: String) -> Body {
    // Base64 takes any text; should it not, lettre chooses.
    Body::new_with_encoding(text, ContentTransferEncoding::Base64).unwrap_or_else(Body::new)
}

/// Writes the mail beside its HTML part, each first under a name that nobody reads.
async fn keep(folder: &Path, letter: &Letter) -> Result<(), PostError> {
    let failed = |error: std::io::Error| PostError::Down(format!("邮件文件夹 {} 不可写：{error}", folder.display()));
    create_private_folder(folder).map_err(failed)?;
    let name = letter.id.split('@').next().unwrap_or_default();
    for (ending, content) in [("eml", letter.content.as_slice()), ("html", letter.html.as_bytes())] {
        let part = folder.join(format!(".{name}.{ending}.part"));
        let mut file = tokio::fs::File::from_std(create_private(&part).map_err(failed)?);
        file.write_all(content).await.map_err(failed)?;
        file.flush().await.map_err(failed)?;
        tokio::fs::rename(&part, folder.join(format!("{name}.{ending}"))).await.map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_of_encryption_is_said_on_purpose() {
        let from = "整改台账 <ledger@example.cn>";
        for good in [
            "smtp://127.0.0.1:25?tls=none",
            "smtp://user:p%40ss@mail.example.cn:587?tls=starttls",
            "smtps://user:pass@mail.example.cn",
            "file:./data/mail",
        ] {
            assert!(Post::open(good, from).is_ok(), "{good}");
        }
        for bad in [
            "smtp://mail.example.cn",
            "smtps://mail.example.cn?tls=none",
            "http://mail",
            "mail.example.cn:25",
            "smtp://h?tls=starttls&ca=/no/such",
            "smtp://user:12#a/s?s@mail.example.cn?tls=none",
            "smtp://mail.example.cn?tls=none&password=s3cret",
        ] {
            let refused = Post::open(bad, from).err().unwrap_or_else(|| panic!("{bad}"));
            assert!(!refused.contains("#a") && !refused.contains("s3cret"), "{refused}");
        }
        assert!(Post::open("file:x", "nobody").is_err());
    }
}
