//! What mails say and how they are sent. A kind of mail is a reader, which gives facts from the ledger at the moment of
//! sending, and a template in each language (`templates/<language>/<kind>.j2`) that puts them into words. Figures are
//! of the day that the mail is of.

pub(crate) mod account;
pub(crate) mod batch;
mod calendar;
pub(crate) mod digest;
pub(crate) mod notice;
pub(crate) mod post;
pub(crate) mod status;
mod template;

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::language::Language;
use entity::mail;
use futures_util::future::BoxFuture;
use ledger::people::muted;
use ledger::record::delivery::Office;
use ledger::record::link_key::LinkKey;
use ledger::record::message_id;
use ledger::rule::wording::one_line;
use ledger::work::mail_link::{Item, Target};
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use sea_orm::{ActiveEnum, DatabaseConnection};

use self::batch::Batch;
use self::digest::Items;

/// A kind of mail.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    /// Its name, which is that of its template, and which the outbox keeps.
    pub(crate) name: &'static str,
    /// Reads what the template needs.
    pub(crate) read: for<'a> fn(&'a Source<'a>) -> Reading<'a>,
    /// Whether it is about the ledger, so that it names the office that is responsible for its recipient, and answers
    /// go there.
    pub(crate) has_office: bool,
}

/// The facts of a mail, on their way; none where nothing is left to be said.
pub(crate) type Reading<'a> = BoxFuture<'a, Result<Option<Value>, Unwritten>>;

/// What a reader reads from.
pub(crate) struct Source<'a> {
    pub(crate) db: &'a DatabaseConnection,
    /// The mail of the outbox.
    pub(crate) mail: &'a mail::Model,
    /// What digests are about.
    items: &'a Items,
    /// What the act that queued it kept, an object.
    pub(crate) facts: serde_json::Value,
    /// The addresses that links lead to.
    pub(crate) links: &'a Links,
    pub(crate) now: DateTime<Utc>,
    pub(crate) zone: Tz,
    /// Whether the mail is only looked at, so that no secret may be drawn for it.
    pub(crate) is_preview: bool,
}

impl Source<'_> {
    /// The address of an item of the mail; in a preview that of its page, which asks for signing in: a link of the mail
    /// itself acts as its recipient.
    pub(crate) fn link(&self, item: Item) -> String {
        if self.is_preview {
            return self.links.page(item);
        }
        self.links.item(Target { item, mail: self.mail.id }, self.now)
    }
}

/// The days for which a link in a mail shows its item without signing in.
const LINK_DAYS: i64 = 30;

/// The addresses that links in mails lead to.
pub struct Links {
    /// The address that people open, without a slash at its end.
    public_url: String,
    /// The address of an item, with `{public_url}`, `{token}`, `{kind}` and `{id}` in their places.
    template: String,
    /// The key that signs tokens.
    key: LinkKey,
}

impl Links {
    /// Makes the addresses of an installation. `template` is the address of an item; `{public_url}`, `{token}` (signed,
    /// valid for 30 days), `{kind}` (`measure` or `case`) and `{id}` (its global id) in it are replaced.
    pub fn new(public_url: &str, template: &str, key: LinkKey) -> Self {
        Self { public_url: public_url.trim_end_matches('/').to_owned(), template: template.to_owned(), key }
    }

    /// Returns the address at which the holder of a mail switches its kind off. It is valid as long as the other links.
    fn unsubscribe(&self, mail: i64, now: DateTime<Utc>) -> String {
        let token = muted::token(&self.key, mail, now + TimeDelta::days(LINK_DAYS));
        format!("{}/unsubscribe/{token}", self.public_url)
    }

    /// Returns the address of the page of an item.
    fn page(&self, item: Item) -> String {
        let id = item.id();
        format!("{}/{}s/{id}", self.public_url, kind_of(&id))
    }

    fn item(&self, target: Target, now: DateTime<Utc>) -> String {
        let id = target.item.id();
        let token = target.token(&self.key, now + TimeDelta::days(LINK_DAYS));
        let of = |template: &str, name: &str, value: &str| template.replace(name, value);
        let address = of(&of(&self.template, "{public_url}", &self.public_url), "{token}", &token);
        of(&of(&address, "{kind}", kind_of(&id)), "{id}", &id)
    }
}

/// Returns the kind of an item, such as `measure`, from its global id.
fn kind_of(id: &str) -> &str {
    id.split('_').next().unwrap_or_default()
}

/// A mail as it would be written now, without what only its recipient may have: links that act for them, and secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The subject line.
    pub subject: String,
    /// Why it is sent, on one line.
    pub reason: String,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

/// A mail, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) subject: String,
    /// The office that answers go to, by name and address.
    pub(crate) office: Option<Office>,
    /// Why it is sent, on one line, as the outbox shows it.
    pub(crate) reason: String,
    /// The text part.
    pub(crate) text: String,
    /// The HTML part.
    pub(crate) html: String,
    /// The files that come with it.
    pub(crate) attachments: Vec<Attached>,
    /// The address at which the recipient switches mails of this kind off, if they may.
    pub(crate) unsubscribe: Option<String>,
}

/// A file that comes with a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attached {
    /// Its name, with its ending.
    pub(crate) name: String,
    /// Its media type.
    pub(crate) media_type: &'static str,
    pub(crate) content: Vec<u8>,
}

/// Why a mail could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Unwritten {
    /// Its kind is none of this version.
    #[error("no kind of mail has this name")]
    Unknown,
    /// The database did not answer.
    #[error("the database failed: {0}")]
    Database(#[from] sea_orm::DbErr),
    /// What the mail is about could not be read.
    #[error("the ledger failed: {0}")]
    Ledger(#[from] ledger::Error),
    /// What is stored with the mail is not as its kind has it.
    #[error("the facts of the mail cannot be read: {0}")]
    Facts(#[from] serde_json::Error),
    /// The template of its kind cannot be filled in.
    #[error("a template failed: {0:#}")]
    Template(#[from] minijinja::Error),
}

/// Writes mails.
pub struct Writer {
    templates: Environment<'static>,
    kinds: HashMap<&'static str, Kind>,
    links: Links,
    /// The language of recipients who have none of their own.
    language: Language,
}

impl Writer {
    /// A writer of these kinds of mails.
    pub(crate) fn new(
        links: Links,
        language: Language,
        kinds: impl Iterator<Item = Kind>,
    ) -> Result<Self, minijinja::Error> {
        let kinds: HashMap<_, _> = kinds.map(|kind| (kind.name, kind)).collect();
        let templates = template::environment(kinds.keys().copied())?;
        Ok(Self { templates, kinds, links, language })
    }

    /// Writes a mail of the outbox in its recipient's language; none where everything that it was about is done.
    pub(crate) async fn write(
        &self,
        db: &DatabaseConnection,
        (mail, batch): (&mail::Model, &Batch),
        (now, zone): (DateTime<Utc>, Tz),
    ) -> Result<Option<Message>, Unwritten> {
        self.compose(db, (mail, batch), (now, zone), false).await
    }

    /// Returns the part of a mail's Message-ID before the `@`.
    pub(crate) fn message_id(&self, mail: &mail::Model) -> String {
        message_id::of(&self.links.key, mail)
    }

    /// Returns the key that signs the links and ids of mails.
    pub(crate) fn key(&self) -> &LinkKey {
        &self.links.key
    }

    /// Returns a mail as it would be written now; none where nothing is left to be said.
    ///
    /// # Errors
    ///
    /// Says why the mail cannot be written, also in the log.
    pub async fn preview(
        &self,
        db: &DatabaseConnection,
        mail: &mail::Model,
        (now, zone): (DateTime<Utc>, Tz),
    ) -> Result<Option<Preview>, Unwritten> {
        let composed = async {
            let batch = Batch::read(db, std::iter::once(mail)).await?;
            self.compose(db, (mail, &batch), (now, zone), true).await
        };
        let message = composed.await.inspect_err(|error| {
            tracing::warn!(mail = mail.id, error = error as &dyn std::error::Error, "a mail cannot be previewed");
        })?;
        Ok(message.map(|Message { subject, reason, text, html, .. }| Preview { subject, reason, text, html }))
    }

    async fn compose(
        &self,
        db: &DatabaseConnection,
        (mail, batch): (&mail::Model, &Batch),
        (now, zone): (DateTime<Utc>, Tz),
        is_preview: bool,
    ) -> Result<Option<Message>, Unwritten> {
        let kind = self.kinds.get(mail.kind.as_str()).ok_or(Unwritten::Unknown)?;
        let facts: serde_json::Value = serde_json::from_str(&mail.facts)?;
        let kept = facts.get("language").and_then(serde_json::Value::as_str).map(str::to_owned);
        let kept = kept.and_then(|code| Language::try_from_value(&code).ok());
        let Batch { recipients, items, .. } = batch;
        let source = Source { db, mail, items, facts, links: &self.links, now, zone, is_preview };
        let Some(facts) = (kind.read)(&source).await? else { return Ok(None) };
        let unit = recipients.unit(mail);
        let own = kept.or(recipients.account(mail).and_then(|account| account.language));
        let language = own.or(unit.and_then(|unit| unit.language)).unwrap_or(self.language);
        let office = recipients.office(mail).filter(|_| kind.has_office);
        let common = context! {
            office => office.map(Serde),
            home => &self.links.public_url,
            unit => unit.map(|unit| &unit.name),
            day => mail.local_day.to_string(),
        };
        let public_url = self.links.public_url.as_str();
        let mut attachments = Vec::new();
        if !is_preview {
            attachments.extend(account::form(&source, language).await?);
        }
        if recipients.wants_calendar(mail) {
            attachments.extend(calendar::of(&facts, public_url, language, now));
        }
        let unsubscribe = recipients.is_optional(mail).then(|| self.links.unsubscribe(mail.id, now));
        let values = context! { ..facts, ..common };
        let message = self.render(language, mail.kind.as_str(), &values)?;
        Ok(Some(Message { office: office.cloned(), attachments, unsubscribe, ..message }))
    }

    /// Puts facts into the words of a kind.
    fn render(&self, language: Language, kind: &str, facts: &Value) -> Result<Message, minijinja::Error> {
        let folder = template::folder(language);
        let part = |format: &str, subject: &str| {
            let values = context! { language => folder, format => format, subject => subject, ..facts.clone() };
            self.templates.get_template(&format!("{folder}/{kind}.{format}"))?.render(values)
        };
        let (subject, reason) = (one_line(&part("subject", "")?), one_line(&part("reason", "")?));
        let (text, html) = (part("txt", &subject)?, part("html", &subject)?);
        Ok(Message { subject, reason, text, html, office: None, attachments: Vec::new(), unsubscribe: None })
    }

    /// The message by which an administrator tests that mails arrive.
    pub(crate) fn test(&self) -> Result<Message, minijinja::Error> {
        self.render(self.language, "test", &context! { home => &self.links.public_url })
    }
}

/// The days from a mail's day to a date: negative when it has passed.
fn days_left(mail: &mail::Model, due_on: NaiveDate) -> i64 {
    (due_on - mail.local_day).num_days()
}
