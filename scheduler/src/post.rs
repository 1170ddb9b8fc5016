//! The post: SMTP with a pool, or `.eml` files in a folder. Says of each failure whether trying again can help.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use entity::mail;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use tokio::sync::Mutex;
use url::Url;

use crate::letter::Letter;

/// How long a server may take for one mail, below the lease on it; lettre's own limit covers connecting only.
const PATIENCE: Duration = Duration::from_mins(2);
/// Below the five minutes after which servers commonly hang up.
const IDLE: Duration = Duration::from_mins(1);

/// Where mails go.
pub struct Post {
    from: Mailbox,
    way: Way,
}

enum Way {
    Smtp(Server),
    Folder(PathBuf),
}

/// A mail server with its pool of connections.
struct Server {
    url: String,
    pool: Mutex<AsyncSmtpTransport<Tokio1Executor>>,
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
    /// `&ca=FILE`, or `file:FOLDER`. `from` is the sender: `名称 <address>` or an address.
    pub fn open(url: &str, from: &str) -> Result<Self, String> {
        let from = from.parse::<Mailbox>().map_err(|error| format!("发件人“{from}”不是邮件地址：{error}"))?;
        let way = match url.strip_prefix("file:") {
            Some(folder) => Way::Folder(PathBuf::from(folder.trim_start_matches("//"))),
            None => Way::Smtp(Server { url: url.to_owned(), pool: Mutex::new(smtp(url)?) }),
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

    /// Sends a letter as the mail of the outbox that it was written for. The Message-ID follows from the mail, so that a
    /// second copy after a crash can be recognised as one.
    pub(crate) async fn send(&self, letter: &Letter, mail: &mail::Model, now: DateTime<Utc>) -> Result<(), PostError> {
        let id = format!("rectify-mail-{}-{}@{}", mail.id, mail.created_at.timestamp(), self.from.email.domain());
        self.post(&mail.recipient, letter, &id, now).await
    }

    /// Sends a test mail to an address.
    pub async fn test(&self, to: &str, now: DateTime<Utc>) -> Result<(), PostError> {
        let letter = Letter {
            subject: "【整改台账】测试邮件：收到即表示邮件配置正确".to_owned(),
            text: "这是一封测试邮件。收到它，说明整改台账的邮件配置正确，提醒可以送达。\n".to_owned(),
            html: "<p>这是一封测试邮件。收到它，说明整改台账的邮件配置正确，提醒可以送达。</p>".to_owned(),
        };
        let id = format!("rectify-test-{}@{}", now.timestamp_micros(), self.from.email.domain());
        self.post(to, &letter, &id, now).await
    }

    async fn post(&self, to: &str, letter: &Letter, id: &str, now: DateTime<Utc>) -> Result<(), PostError> {
        let refused = |what: &dyn std::fmt::Display| PostError::Refused(format!("邮件无法生成：{what}"));
        let address: Address = to.parse().map_err(|error| refused(&error))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            .subject(&letter.subject)
            .date(now.into())
            .message_id(Some(format!("<{id}>")))
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
            .multipart(MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone()))
            .map_err(|error| refused(&error))?;
        match &self.way {
            Way::Folder(folder) => keep(folder, id, &message.formatted(), &letter.html).await,
            Way::Smtp(server) => server.send(message).await,
        }
    }
}

impl Server {
    async fn send(&self, message: Message) -> Result<(), PostError> {
        let pool = self.pool.lock().await.clone();
        let attempts = async {
            match pool.send(message.clone()).await {
                // A pooled connection may have gone stale; a fresh one gets its chance at once. Where the server has spoken, or
                // may yet, another attempt could be a second copy.
                Err(error) if !(error.is_permanent() || error.is_transient() || error.is_timeout()) => {
                    pool.send(message).await
                }
                done => done,
            }
        };
        match tokio::time::timeout(PATIENCE, attempts).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.is_permanent() => Err(PostError::Refused(said(&error))),
            Ok(Err(error)) => Err(PostError::Unavailable(said(&error))),
            Err(_) => {
                // The abandoned connection would be used again, one answer behind: begin anew with another pool.
                if let Ok(fresh) = smtp(&self.url) {
                    *self.pool.lock().await = fresh;
                }
                Err(PostError::Unavailable(format!("邮件服务器 {} 秒没有回应", PATIENCE.as_secs())))
            }
        }
    }
}

/// An error with its causes, on one line.
fn said(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text.lines().collect::<Vec<_>>().join(" ")
}

/// Writes the mail beside its HTML part, each first under a name that nobody reads.
async fn keep(folder: &Path, id: &str, mail: &[u8], html: &str) -> Result<(), PostError> {
    let failed =
        |error: std::io::Error| PostError::Unavailable(format!("邮件文件夹 {} 不可写：{error}", folder.display()));
    tokio::fs::create_dir_all(folder).await.map_err(failed)?;
    let name = id.split('@').next().unwrap_or(id);
    for (ending, content) in [("eml", mail), ("html", html.as_bytes())] {
        let part = folder.join(format!(".{name}.{ending}.part"));
        tokio::fs::write(&part, content).await.map_err(failed)?;
        tokio::fs::rename(&part, folder.join(format!("{name}.{ending}"))).await.map_err(failed)?;
    }
    Ok(())
}

fn smtp(text: &str) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let expected = "邮件地址应为 smtp://用户:密码@主机:587?tls=starttls、smtp://主机:25?tls=none、smtps://用户:密码@主机 或 file:文件夹";
    let url = Url::parse(text).map_err(|_| expected.to_owned())?;
    let host = url.host_str().ok_or(expected)?;
    let option = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let mut parameters = TlsParameters::builder(host.to_owned());
    if let Some(file) = option("ca") {
        let pem = std::fs::read(&file).map_err(|error| format!("证书文件 {file} 无法读取：{error}"))?;
        let authority = Certificate::from_pem(&pem).map_err(|error| format!("证书文件 {file} 无效：{error}"))?;
        parameters = parameters.add_root_certificate(authority);
    }
    let parameters = || parameters.clone().build().map_err(|error| format!("TLS 无法启用：{error}"));
    let (tls, port) = match (url.scheme(), option("tls").as_deref()) {
        ("smtp", Some("none")) => (Tls::None, 25),
        ("smtp", Some("starttls")) => (Tls::Required(parameters()?), 587),
        ("smtps", None) => (Tls::Wrapper(parameters()?), 465),
        ("smtp", None) => return Err("smtp:// 须写明 tls=starttls 或 tls=none".to_owned()),
        _ => return Err(expected.to_owned()),
    };
    let mut server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .port(url.port().unwrap_or(port))
        .tls(tls)
        .timeout(Some(Duration::from_secs(20)))
        .pool_config(PoolConfig::new().max_size(4).idle_timeout(IDLE));
    if !url.username().is_empty() {
        let decoded = |part: &str| urlencoded(part).ok_or_else(|| expected.to_owned());
        let (user, password) = (decoded(url.username())?, decoded(url.password().unwrap_or_default())?);
        server = server.credentials(Credentials::new(user, password));
    }
    Ok(server.build())
}

/// The text that a percent-encoded part of an address stands for.
fn urlencoded(part: &str) -> Option<String> {
    url::form_urlencoded::parse(format!("part={}", part.replace('+', "%2B")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_way_of_encryption_is_said_on_purpose() {
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
        ] {
            assert!(Post::open(bad, from).is_err(), "{bad}");
        }
        assert!(Post::open("file:x", "nobody").is_err());
        assert_eq!(urlencoded("p%40+s").as_deref(), Some("p@+s"));
    }
}
