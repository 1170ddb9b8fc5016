//! The post: SMTP, or `.eml` files in a folder. Says of each failure whether trying again can help.

mod server;
mod tls;

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use entity::mail;
use ledger::file::storage::{create_private, create_private_folder};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};
use tokio::io::AsyncWriteExt;

use self::server::Server;
use crate::mail::{Message as Content, Writer};

/// Where mails go.
pub struct Post {
    from: Mailbox,
    way: Way,
}

enum Way {
    Smtp(Server),
    Folder(PathBuf),
}

/// Why a mail was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// It never will be: a bad address, or the server's final word.
    #[error("{0}")]
    Refused(String),
    /// It may be later: the server is away, slow or busy.
    #[error("{0}")]
    Unavailable(String),
}

impl Post {
    /// The post at an address: `smtp://user:pass@host:587?tls=starttls|none`, `smtps://…`, each with an optional
    /// `&ca=FILE`, or `file:FOLDER`. Users and passwords are percent-encoded. `from` is the sender: `名称 <address>` or
    /// an address. No error quotes the address, which may hold a password.
    pub fn open(url: &str, from: &str) -> Result<Self, String> {
        let from = from.parse::<Mailbox>().map_err(|error| format!("发件人“{from}”不是邮件地址：{error}"))?;
        let way = match url.strip_prefix("file:") {
            Some(folder) => Way::Folder(PathBuf::from(folder.trim_start_matches("//"))),
            None => Way::Smtp(Server::at(url)?),
        };
        Ok(Self { from, way })
    }

    /// The folder that mails are written to, when that is their way.
    pub fn folder(&self) -> Option<&Path> {
        match &self.way {
            Way::Folder(folder) => Some(folder),
            Way::Smtp(_) => None,
        }
    }

    /// Sends a letter as the mail of the outbox that it was written for. The Message-ID follows from the mail, so that
    /// a second copy after a crash can be recognised as one.
    pub(crate) async fn send(
        &self,
        content: &Content,
        mail: &mail::Model,
        now: DateTime<Utc>,
    ) -> Result<(), PostError> {
        let id = format!("rectify-mail-{}-{}@{}", mail.id, mail.created_at.timestamp(), self.from.email.domain());
        self.post(&mail.recipient, content, &id, now).await
    }

    /// Sends a test mail to an address.
    pub async fn test(&self, writer: &Writer, to: &str, now: DateTime<Utc>) -> Result<(), PostError> {
        let content = writer.test().map_err(|error| PostError::Refused(format!("邮件无法生成：{error}")))?;
        let id = format!("rectify-test-{}@{}", now.timestamp_micros(), self.from.email.domain());
        self.post(to, &content, &id, now).await
    }

    async fn post(&self, to: &str, content: &Content, id: &str, now: DateTime<Utc>) -> Result<(), PostError> {
        let refused = |what: &dyn std::fmt::Display| PostError::Refused(format!("邮件无法生成：{what}"));
        let address: Address = to.parse().map_err(|error| refused(&error))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            .subject(&content.subject)
            .date(now.into())
            .message_id(Some(format!("<{id}>")))
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
            .multipart(MultiPart::alternative_plain_html(content.text.clone(), content.html.clone()))
            .map_err(|error| refused(&error))?;
        match &self.way {
            Way::Folder(folder) => keep(folder, id, &message.formatted(), &content.html).await,
            Way::Smtp(server) => server.send(&message).await,
        }
    }
}

/// Writes the mail beside its HTML part, each first under a name that nobody reads.
async fn keep(folder: &Path, id: &str, mail: &[u8], html: &str) -> Result<(), PostError> {
    let failed =
        |error: std::io::Error| PostError::Unavailable(format!("邮件文件夹 {} 不可写：{error}", folder.display()));
    create_private_folder(folder).map_err(failed)?;
    let name = id.split('@').next().unwrap_or(id);
    for (ending, content) in [("eml", mail), ("html", html.as_bytes())] {
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
