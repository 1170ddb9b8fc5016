//! What a request needs to be answered: the services that all requests share, the settings of the API, who the caller
//! is, and the time, which is read once when the request begins.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::account::Role;
use entity::{mail, reminder_rule};
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use ledger::fault::Fault;
use ledger::file::storage::Storage;
use ledger::people::policy::Principal;
use ledger::record::audit::By;
use ledger::record::link_key::LinkKey;
use ledger::reminder::{Plan, Timing, Whom, WhyNot};
use ledger::work::Acting;
use planner::{Bilingual, Finish, Freshness, Lane, Reader, Replica};
use sea_orm::DatabaseConnection;
use serde_json::Value;
use url::Url;

use crate::error::coded;
use crate::gate::lanes::Load;
use crate::gate::{Admitted, Clock, Gate};
use crate::installation::Installation;
use crate::language::Language;

/// Computes the next occurrences of a schedule from its pattern, its time zone, the moment after which to look, and the
/// most occurrences to return; or says why the pattern is refused. The program injects it, so that this crate does not
/// depend on the scheduler.
pub type Occurrences =
    Arc<dyn Fn(&str, &str, DateTime<Utc>, usize) -> Result<Vec<DateTime<Utc>>, Bilingual> + Send + Sync>;

/// What a job did, or would do.
#[derive(Debug, Clone, Default)]
pub struct JobSummary {
    /// The summary, in Chinese.
    pub text: String,
    /// For a reminder: the digests, and what reaches no one.
    pub plan: Option<Plan>,
}

/// A run of a job by hand, not yet begun.
pub type JobRunning = BoxFuture<'static, ledger::Result<JobSummary>>;

/// Returns a run of the job of this name as of a moment, or its rehearsal; none if the job is not run by hand. The
/// program injects it, so that this crate does not depend on the scheduler.
pub type RunJob = Arc<dyn Fn(&str, DateTime<Utc>, bool) -> Option<JobRunning> + Send + Sync>;

/// A digest of a reminder that would go out.
#[derive(Debug, Clone)]
pub struct Simulated {
    /// The local day.
    pub day: NaiveDate,
    /// The name of the job.
    pub job: &'static str,
    /// The mail address that is told.
    pub recipient: String,
    /// The key of the unit under which the address was found.
    pub unit: i64,
    /// How many items it lists.
    pub item_count: usize,
}

/// A simulation of reminders, on its way.
pub type Simulating = BoxFuture<'static, ledger::Result<Vec<Simulated>>>;

/// Returns the digests that would go out from a day to another, of all reminders or of the one of this name, also if a
/// rule were set that is not.
pub type Simulate =
    Arc<dyn Fn((NaiveDate, NaiveDate), Option<&'static str>, Option<reminder_rule::Model>) -> Simulating + Send + Sync>;

/// The reasons why someone gets no reminder, on their way.
pub type Explaining = BoxFuture<'static, ledger::Result<Vec<WhyNot>>>;

/// Says why someone gets no reminder of this name on a day.
pub type Explain = Arc<dyn Fn(&'static str, NaiveDate, Whom) -> Explaining + Send + Sync>;

/// What a mail says.
#[derive(Debug, Clone)]
pub struct MailText {
    /// The subject line.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

/// Why a mail cannot be written.
#[derive(Debug)]
pub enum Unwritable {
    /// The ledger could not be read.
    Ledger(ledger::Error),
    /// Something is wrong with the mail, or with the template of its kind.
    Mail(Bilingual),
}

/// A mail on its way to be written; none where nothing is left to be said.
pub type Previewing = BoxFuture<'static, Result<Option<MailText>, Unwritable>>;

/// Writes a mail of the outbox as it would be now, without links that act for its recipient and without secrets.
pub type Preview = Arc<dyn Fn(mail::Model) -> Previewing + Send + Sync>;

/// What mails say and what reminders would do. The program injects it, so that this crate does not depend on the
/// scheduler.
#[derive(Clone)]
pub struct Reminding {
    /// Simulates reminders.
    pub simulate: Simulate,
    /// Explains why there is no reminder.
    pub why_not: Explain,
    /// Writes a mail to be looked at.
    pub preview: Preview,
}

/// The services that all requests share.
#[derive(Clone)]
pub struct Services {
    /// The database of the ledger.
    pub db: DatabaseConnection,
    /// How many statements that read run at once; on PostgreSQL, so many connections are kept for them.
    pub readers: usize,
    /// The standbys that reads may use.
    pub standbys: Vec<Replica>,
    /// Called with each statement that a kept connection has sent, and the time that it took.
    pub sent: fn(&str, Duration),
    /// The public address of this program, without a trailing slash.
    pub public_url: String,
    /// The time zone of the ledger.
    pub zone: Tz,
    /// The grace period, in days, of an immediate deadline (立行立改) without a date.
    pub grace_days: i64,
    /// When reminders are sent unless a rule says otherwise.
    pub timing: Timing,
    /// The clock.
    pub clock: Clock,
    /// Computes the next occurrences of a schedule.
    pub occurrences: Occurrences,
    /// Runs jobs by hand.
    pub run_job: RunJob,
    /// Says what reminders would do.
    pub reminding: Reminding,
    /// Tells administrators about the program itself.
    pub installation: Installation,
    /// The imports that wait for decisions.
    pub imports: workbook::Imports,
    /// Where the files of evidence (佐证材料) are stored.
    pub storage: Storage,
    /// The key that signs links and addresses of files.
    pub link_key: LinkKey,
}

/// The settings of the API: who may use it, and what a request may ask for.
#[derive(Clone)]
pub struct Options {
    /// The limits on requests and connections.
    pub limits: Limits,
    /// Whether clients may read the schema through the API.
    pub introspection: bool,
    /// The trusted documents by their ids. If they are given, no other documents are run.
    pub trusted_documents: Option<HashMap<String, String>>,
    /// Whether the settings allow an open installation: one where a caller without a token acts as the program itself
    /// until the first account exists. They do if the listener and the public URL are on this machine and no proxy
    /// forwards requests.
    pub open: bool,
    /// How long a session may remain unused before it ends; none if sessions do not end for lack of use.
    pub idle: Option<TimeDelta>,
    /// The roles that require a second factor.
    pub second_factor_roles: Vec<Role>,
    /// The OpenID Connect provider that users may sign in with, if there is one.
    pub oidc: Option<Arc<Oidc>>,
    /// The host names that requests may be addressed to, in lower case and without ports. Loopback names are accepted
    /// as well if the connection comes from this machine.
    pub hosts: Vec<String>,
    /// The other origins whose pages may send requests.
    pub origins: Vec<String>,
    /// The networks of the trusted proxies. Only they may state the address of a client.
    pub proxies: Vec<IpNet>,
    /// The header in which trusted proxies write the caller's address: `x-forwarded-for` or `forwarded`. No other
    /// header is believed.
    pub proxy_header: String,
}

/// An OpenID Connect provider that users may sign in with, and the client that this program is to it. It is never
/// logged.
pub struct Oidc {
    /// The issuer: the address of the provider, exactly as its tokens contain it.
    pub issuer: String,
    /// The id of this program as a client of the provider.
    pub client_id: String,
    /// The client secret. The key that protects the sign-in cookie is derived from it.
    pub client_secret: String,
    /// The label of the sign-in button.
    pub name: String,
    /// The public address of this program, without a trailing slash.
    pub public_url: String,
}

impl Oidc {
    /// Returns whether secrets may be sent to an address: it uses https, or is on this machine.
    pub fn is_safe(address: &str) -> bool {
        Url::parse(address).is_ok_and(|address| is_safe(&address))
    }

    /// Returns the address at which a browser starts a sign-in with the provider.
    pub fn departure(&self) -> String {
        format!("{}/sign-in/oidc", self.public_url)
    }

    /// Returns the address to which the provider sends browsers back (the redirect URI).
    pub fn callback(&self) -> String {
        format!("{}/sign-in/oidc/callback", self.public_url)
    }
}

/// The limits on requests and connections. `config.default.toml` documents the setting for each.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The most bytes of a request body.
    pub body: usize,
    /// The most tokens of a document.
    pub tokens: usize,
    /// The most fields of an operation, with its fragments expanded.
    pub fields: usize,
    /// The most root fields of an operation.
    pub roots: usize,
    /// The deepest nesting of fields.
    pub depth: usize,
    /// The most fields with an alias.
    pub aliases: usize,
    /// The most directives of an operation.
    pub directives: usize,
    /// The highest cost of an operation: each field counts once for every row that the pages around it may contain.
    pub cost: u64,
    /// How long an operation may take.
    pub time: Duration,
    /// How many operations run at once.
    pub load: Load,
    /// The most operations of a batch. Batches are refused if it is less than 2.
    pub batch: usize,
    /// The most requests of one address, and of one account, in a minute; 0 for no limit.
    pub requests_per_minute: u32,
    /// The most checks of a password or another secret that one address may request in a minute; 0 for no limit.
    pub sign_ins_per_minute: u32,
    /// The most operations under way on one WebSocket.
    pub subscriptions: usize,
    /// The most connections that stay open: WebSockets and event streams.
    pub streams: Streams,
    /// How long a WebSocket client may take to send `connection_init`.
    pub introduction: Duration,
    /// The most bytes of one file of evidence.
    pub evidence: u64,
    /// The most bytes of memory for parsed documents.
    pub documents: u64,
}

/// How many connections may stay open.
#[derive(Debug, Clone, Copy)]
pub struct Streams {
    /// The most connections in total.
    pub all: usize,
    /// The most connections of one address.
    pub address: usize,
    /// The most connections of one account.
    pub account: usize,
}

/// Returns whether secrets may be sent to an address: over TLS, or within this machine.
pub(crate) fn is_safe(address: &Url) -> bool {
    let is_here = match address.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    address.scheme() == "https" || (address.scheme() == "http" && is_here)
}

/// What is known about a request, for the log. Handlers add to it what they find out.
#[derive(Debug)]
pub(crate) struct Noted {
    /// The id of the request.
    pub(crate) id: String,
    /// The account that the request was admitted for.
    pub(crate) account: OnceLock<i64>,
    /// The registered name of its first GraphQL operation.
    pub(crate) operation: OnceLock<String>,
}

/// The caller of a request: what the head of the request says about them, and whom the gate has admitted.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) language: Language,
    pub(crate) request_id: String,
    /// What is known about the request, for the log.
    pub(crate) noted: Arc<Noted>,
    pub(crate) address: Option<IpAddr>,
    /// Whether a proxy has forwarded the request.
    pub(crate) is_forwarded: bool,
    /// The principal and the session of the request; anonymous until the gate has admitted it.
    pub(crate) admitted: Admitted,
}

impl Caller {
    /// Notes the account of the request for the log.
    pub(crate) fn note_account(&self) {
        if let Some(account) = self.admitted.principal.account {
            let _ = self.noted.account.set(account);
        }
    }

    /// Returns the actor as the audit trail records it.
    pub(crate) fn by(&self) -> By {
        By {
            principal: self.admitted.principal.clone(),
            address: self.address.map(|address| address.to_string()),
            request_id: Some(self.request_id.clone()),
            session: self.admitted.session.as_ref().map(|(session, _)| *session),
            mail_holder: None,
        }
    }

    /// Returns the log span that encloses everything that is logged while the request is answered.
    pub(crate) fn span(&self) -> tracing::Span {
        tracing::error_span!(
            "request",
            id = self.request_id,
            address = self.address.map(tracing::field::display),
            operation = self.noted.operation.get()
        )
    }
}

/// Computes the value of a field for a request, from what the database returned.
pub(crate) type Finishing = fn(&Request, &Finish, &Value) -> Value;

/// What is wanted of a list, in the form that an export takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish<'a> {
    /// The root field.
    pub(crate) list: &'a str,
    /// Its argument `filter`, as JSON.
    pub(crate) filter: Option<&'a str>,
    /// Its argument `orderBy`, as JSON.
    pub(crate) order_by: Option<&'a str>,
    /// Paths of fields, separated by commas.
    pub(crate) columns: Option<&'a str>,
}

/// Checks that a list can be read as it is wanted.
pub(crate) type CheckList = Arc<dyn Fn(&Wish<'_>) -> Result<(), Fault> + Send + Sync>;

/// One GraphQL request, as resolvers and acts see it.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) db: DatabaseConnection,
    pub(crate) public_url: String,
    pub(crate) zone: Tz,
    pub(crate) grace_days: i64,
    pub(crate) timing: Timing,
    pub(crate) occurrences: Occurrences,
    pub(crate) run_job: RunJob,
    pub(crate) reminding: Reminding,
    pub(crate) installation: Installation,
    pub(crate) imports: workbook::Imports,
    pub(crate) check_list: CheckList,
    pub(crate) now: DateTime<Utc>,
    /// When the time of the operation is over.
    pub(crate) until: Instant,
    pub(crate) clock: Clock,
    pub(crate) reader: Arc<Reader>,
    /// How much the operation asks of the database.
    pub(crate) lane: Lane,
    /// How fresh its reads are.
    pub(crate) freshness: Freshness,
    /// The values that only the program can compute, by their names.
    pub(crate) finishers: &'static [(&'static str, Finishing)],
    pub(crate) link_key: LinkKey,
    pub(crate) language: Language,
    /// Who makes the request, and from where.
    pub(crate) by: By,
    pub(crate) admitted: Admitted,
    pub(crate) gate: Arc<Gate>,
    /// Whether a proxy has forwarded the request.
    pub(crate) is_forwarded: bool,
    /// The roles that require a second factor.
    pub(crate) second_factor_roles: Arc<[Role]>,
    /// The OpenID Connect provider that users may sign in with, if there is one.
    pub(crate) provider: Option<Arc<Oidc>>,
}

impl Request {
    /// Returns a copy of the request with the current time, for operations that last, such as subscriptions.
    pub(crate) fn renewed(&self) -> Self {
        Self { now: (self.clock)(), ..self.clone() }
    }

    /// Returns whether the installation is open to the caller.
    pub(crate) async fn is_open(&self) -> async_graphql::Result<bool> {
        self.gate.is_open(self.is_forwarded).await.map_err(|refused| coded(refused.code, refused.message))
    }

    /// Returns whether any account exists, not counting demo accounts.
    pub(crate) async fn has_accounts(&self) -> async_graphql::Result<bool> {
        self.gate.has_accounts().await.map_err(|refused| coded(refused.code, refused.message))
    }

    /// Returns the principal who makes the request.
    pub(crate) fn principal(&self) -> &Principal {
        &self.by.principal
    }

    /// Returns the context for acts of the ledger: the database, the actor and the time.
    pub(crate) fn acting(&self) -> Acting<'_> {
        Acting {
            db: &self.db,
            by: &self.by,
            now: self.now,
            zone: self.zone,
            grace_days: self.grace_days,
            reader: Some(&self.reader),
        }
    }

    /// Returns the date of the request in the ledger's time zone.
    pub(crate) fn today(&self) -> NaiveDate {
        ledger::rule::calendar::local_day(self.now, self.zone)
    }
}
