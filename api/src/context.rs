//! What a request is answered with: the database, the time zone, and the clock, which is read once when a request begins.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::account::Role;
use ipnet::IpNet;
use ledger::file::storage::Storage;
use ledger::people::policy::Principal;
use ledger::record::audit::By;
use ledger::work::Desk;
use planner::Reader;
use sea_orm::DatabaseConnection;
use url::Url;

use crate::error::coded;
use crate::gate::{Admitted, Clock, Gate};
use crate::language::Language;

/// The next occurrences of a schedule: pattern, zone, from when, how many. Injected by the program, so that this door need
/// not know the other.
pub type Occurrences = Arc<dyn Fn(&str, &str, DateTime<Utc>, usize) -> Vec<DateTime<Utc>> + Send + Sync>;

/// What every request shares.
#[derive(Clone)]
pub struct Services {
    /// The ledger's database.
    pub db: DatabaseConnection,
    /// How many of its connections are kept for reads.
    pub readers: usize,
    /// Told of every statement that a kept connection sends.
    pub sent: fn(),
    /// The ledger's time zone.
    pub zone: Tz,
    /// The days that an immediate deadline without a date leaves.
    pub grace_days: i64,
    /// The clock.
    pub clock: Clock,
    /// How schedules go on.
    pub occurrences: Occurrences,
    /// Where the bytes of evidence are.
    pub storage: Storage,
}

/// Whom the services lets in, and how far.
#[derive(Clone)]
pub struct Options {
    /// What one caller may ask for at once.
    pub limits: Limits,
    /// Whether the schema may be asked for through the API.
    pub introspection: bool,
    /// The only documents that are run, where there are such.
    pub trusted_documents: Option<HashMap<String, String>>,
    /// Whether the settings let whoever asks without a token act as the program itself until somebody has an account: the
    /// listener and the public URL are this machine's, and no proxy passes requests on.
    pub open: bool,
    /// After how long without use a session ends; never without.
    pub idle: Option<TimeDelta>,
    /// The roles that have to have a second factor.
    pub second_factor_roles: Vec<Role>,
    /// The provider that people sign in by, where there is one.
    pub oidc: Option<Arc<Oidc>>,
    /// The hosts that requests may be for, in lower case, without ports; names of this machine are taken from itself as well.
    pub hosts: Vec<String>,
    /// The origins of pages elsewhere that may ask.
    pub origins: Vec<String>,
    /// The networks of proxies whose word on where a request comes from is taken.
    pub proxies: Vec<IpNet>,
    /// The header in which they say it: `x-forwarded-for` or `forwarded`. Nothing else is believed.
    pub proxy_header: String,
}

/// A provider that people sign in by (OpenID Connect), and who this program is to it. It is never logged.
pub struct Oidc {
    /// The provider's address, as its tokens bear it.
    pub issuer: String,
    /// This program's name at the provider.
    pub client_id: String,
    /// The secret that goes with it; journeys to the provider are sealed with a key made from it.
    pub client_secret: String,
    /// What the button says.
    pub name: String,
    /// The address that people open, without a slash at its end.
    pub public_url: String,
}

impl Oidc {
    /// Whether secrets may travel to an address: it is https, or on this machine.
    pub fn is_safe(address: &str) -> bool {
        Url::parse(address).is_ok_and(|address| is_safe(&address))
    }

    /// Where browsers leave for the provider.
    pub fn departure(&self) -> String {
        format!("{}/sign-in/oidc", self.public_url)
    }

    /// Where the provider sends them back.
    pub fn callback(&self) -> String {
        format!("{}/sign-in/oidc/callback", self.public_url)
    }
}

/// The limits; `config.default.toml` documents each.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a body.
    pub body: usize,
    /// Words and signs of a document.
    pub tokens: usize,
    /// Fields of a document, its fragments spread.
    pub fields: usize,
    /// Fields at an operation's root.
    pub roots: usize,
    /// Fields within fields.
    pub depth: usize,
    /// Fields under another name.
    pub aliases: usize,
    /// Directives of a document.
    pub directives: usize,
    /// Values that an operation may ask for: every field counts once for each row that its pages may hold.
    pub cost: u64,
    /// How long an operation may take.
    pub time: Duration,
    /// Operations of one body; fewer than two: batches are not taken.
    pub batch: usize,
    /// Requests of one address in a minute; zero: as many as it likes.
    pub requests_per_minute: u32,
    /// Checks of a password or another secret, from one address in a minute; zero: as many as it likes.
    pub sign_ins_per_minute: u32,
    /// Subscriptions of one connection.
    pub subscriptions: usize,
    /// Connections that stay open: WebSockets and streams of events.
    pub streams: Streams,
    /// How long a client of the WebSocket may take to introduce itself.
    pub introduction: Duration,
    /// Bytes of one file of evidence.
    pub evidence: u64,
    /// Bytes of known documents that are kept.
    pub documents: u64,
}

/// How many connections may stay open.
#[derive(Debug, Clone, Copy)]
pub struct Streams {
    /// In all.
    pub all: usize,
    /// Of one address.
    pub address: usize,
    /// Of one account.
    pub account: usize,
}

/// Whether secrets may travel there: over TLS, or within this machine.
pub(crate) fn is_safe(address: &Url) -> bool {
    let is_here = match address.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    address.scheme() == "https" || (address.scheme() == "http" && is_here)
}

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) language: Language,
    pub(crate) request_id: String,
    pub(crate) address: Option<IpAddr>,
    /// Whether a proxy has passed the request on.
    pub(crate) is_forwarded: bool,
    /// Nobody, until the gate has said who.
    pub(crate) admitted: Admitted,
}

impl Caller {
    /// Who acts, as the ledger notes it.
    pub(crate) fn by(&self) -> By {
        By {
            principal: self.admitted.principal.clone(),
            address: self.address.map(|address| address.to_string()),
            request_id: Some(self.request_id.clone()),
            session: self.admitted.session.as_ref().map(|(session, _)| *session),
        }
    }

    /// What the log puts around all that is said while the request is answered.
    pub(crate) fn span(&self) -> tracing::Span {
        tracing::error_span!("request", id = self.request_id)
    }
}

/// One request.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) db: DatabaseConnection,
    pub(crate) zone: Tz,
    pub(crate) grace_days: i64,
    pub(crate) occurrences: Occurrences,
    pub(crate) now: DateTime<Utc>,
    pub(crate) clock: Clock,
    pub(crate) reader: Arc<Reader>,
    pub(crate) language: Language,
    /// Who asks, and from where.
    pub(crate) by: By,
    pub(crate) admitted: Admitted,
    pub(crate) gate: Arc<Gate>,
    /// Whether a proxy has passed the request on.
    pub(crate) is_forwarded: bool,
    /// The roles that have to have a second factor.
    pub(crate) demanding: Arc<[Role]>,
    /// The provider that people sign in by, where there is one.
    pub(crate) provider: Option<Arc<Oidc>>,
}

impl Request {
    /// The same request at the present time, for what goes on for long.
    pub(crate) fn renewed(&self) -> Self {
        Self { now: (self.clock)(), ..self.clone() }
    }

    /// Whether the installation is open to who asks.
    pub(crate) async fn is_open(&self) -> async_graphql::Result<bool> {
        self.gate.is_open(self.is_forwarded).await.map_err(|refused| coded(refused.code, refused.message))
    }

    /// Whether anybody has an account but the demo's.
    pub(crate) async fn has_accounts(&self) -> async_graphql::Result<bool> {
        self.gate.has_accounts().await.map_err(|refused| coded(refused.code, refused.message))
    }

    /// Who asks.
    pub(crate) fn principal(&self) -> &Principal {
        &self.by.principal
    }

    /// Where acts are done.
    pub(crate) fn desk(&self) -> Desk<'_> {
        Desk { db: &self.db, by: &self.by, now: self.now, zone: self.zone, grace_days: self.grace_days }
    }

    /// The local day of the request.
    pub(crate) fn today(&self) -> NaiveDate {
        ledger::rule::calendar::local_day(self.now, self.zone)
    }
}
