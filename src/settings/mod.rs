//! Settings: `source` reads them, `check` says what is wrong with them, `fault` how that is told. `config.default.toml`
//! contains the defaults and documents each setting.

mod check;
mod fault;
mod source;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::HeaderName;
use api::{Bounds, EffectiveSetting, Limits, Load, Oidc, Options, SettingSource, Streams};
use chrono::TimeDelta;
use chrono_tz::Tz;
use entity::account::Role;
use entity::language::Language;
use ipnet::IpNet;
use ledger::file::storage::Storage;
use ledger::record::audit::{Key, Keys};
use ledger::record::retention::Retention;
use ledger::reminder::Timing;
use scheduler::{Post, Webhooks};
use sea_orm::sqlx::postgres::PgConnectOptions;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

pub(crate) use self::check::check_files;
pub(crate) use self::fault::Fault;
use self::fault::Faults;
pub(crate) use self::source::DEFAULTS;
use self::source::Sources;
use crate::secret::Server;
use crate::{Failure, secret};

/// Minimum number of file descriptors reserved for everything but client connections; a tenth of the limit if that is
/// more.
const KEPT: usize = 64;
/// Maximum number of file descriptors reserved.
const MAX_RESERVED: usize = 1_024;
/// Default maximum of client connections.
const MAX_CONNECTIONS: usize = 16_384;
/// Default maximum of client connections from one address.
const MAX_PER_ADDRESS: usize = 1_024;

/// Whether a part of the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Switch {
    On,
    Off,
}

/// Whether each request is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AccessLog {
    On,
    Off,
    /// If the log is JSON.
    Auto,
}

/// The effective settings. `config.default.toml` documents each.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    #[serde(serialize_with = "secret::show")]
    database_url: SecretString,
    database_url_file: PathBuf,
    database_host: String,
    database_port: u16,
    database_name: String,
    database_user: String,
    #[serde(serialize_with = "secret::hide")]
    database_password: SecretString,
    database_password_file: PathBuf,
    database_tls: String,
    database_ca_file: PathBuf,
    #[serde(serialize_with = "secret::show")]
    database_read_url: SecretString,
    database_read_url_file: PathBuf,
    /// Seconds that a standby may lag and still be read.
    pub(crate) database_read_lag: u64,
    /// Maximum number of connections to PostgreSQL.
    pub(crate) database_connections: u32,
    /// Maximum number of prepared statements that each of them keeps.
    pub(crate) database_statements: u32,
    /// Seconds that `serve` and `migrate` wait for a database that is away.
    pub(crate) database_wait: u64,
    data_dir: PathBuf,
    #[serde(serialize_with = "secret::show")]
    evidence_url: SecretString,
    /// Address and port that the API listens on.
    pub(crate) listen: SocketAddr,
    /// Allow requests without sign-in until the first account exists, whatever address the API listens on.
    pub(crate) open: bool,
    desk: Switch,
    #[serde(serialize_with = "secret::show_text")]
    public_url: String,
    link_template: String,
    #[serde(serialize_with = "secret::show")]
    mail_url: SecretString,
    mail_url_file: PathBuf,
    mail_host: String,
    mail_port: u16,
    mail_user: String,
    #[serde(serialize_with = "secret::hide")]
    mail_password: SecretString,
    mail_password_file: PathBuf,
    mail_tls: String,
    mail_ca_file: PathBuf,
    /// Sender of all mails.
    pub(crate) mail_from: String,
    /// Address that mails which cannot be delivered are returned to; empty: the sender's.
    pub(crate) mail_bounce_to: String,
    bounce_mailbox: PathBuf,
    /// Maximum number of connections to the mail server at the same time.
    pub(crate) mail_connections: usize,
    /// Maximum number of mails sent per minute; 0: unlimited.
    pub(crate) mail_per_minute: u32,
    webhook_allow: Vec<String>,
    language: String,
    time_zone: String,
    /// Log filter, in the syntax of [`tracing_subscriber::EnvFilter`].
    pub(crate) log: String,
    log_format: String,
    access_log: AccessLog,
    /// Milliseconds from which a statement is logged as slow; 0: never.
    pub(crate) log_slow_ms: u64,
    /// Where traces are sent (OTLP over HTTP, JSON); empty: nowhere.
    #[serde(serialize_with = "secret::show_text")]
    pub(crate) traces_url: String,
    metrics_listen: String,
    audit_key_file: PathBuf,
    audit_old_key_files: Vec<PathBuf>,
    /// Mail address that receives the daily seal of the audit; empty to send none.
    pub(crate) audit_head_mail: String,
    #[serde(serialize_with = "secret::show_text")]
    oidc_issuer: String,
    oidc_client_id: String,
    oidc_client_secret_file: PathBuf,
    #[serde(serialize_with = "secret::hide")]
    oidc_client_secret: SecretString,
    oidc_name: String,
    /// Grace period of an immediate deadline (立行立改) without a date, in days.
    pub(crate) grace_days: i64,
    self_inspection_before: Vec<i64>,
    office_check_before: Vec<i64>,
    due_soon_before: Vec<i64>,
    overdue_again_after: i64,
    stale_progress_after: i64,
    account_form_day: u32,
    account_report_day: u32,
    case_due_soon_before: Vec<i64>,
    escalate_to_office_after: i64,
    escalate_to_leader_after: i64,
    propose_listing_after: i64,
    propose_card_after: i64,
    introspection: bool,
    trusted_documents: PathBuf,
    origins: Vec<String>,
    cors_headers: Vec<String>,
    hosts: Vec<String>,
    session_idle_minutes: i64,
    second_factor_roles: Vec<String>,
    retain_session_days: i64,
    retain_mail_days: i64,
    /// Days without a backup after which administrators are warned; 0: never.
    pub(crate) backup_days: i64,
    proxies: Vec<String>,
    proxy_header: String,
    max_body_bytes: usize,
    max_tokens: usize,
    max_fields: usize,
    max_root_fields: usize,
    max_depth: usize,
    max_aliases: usize,
    max_directives: usize,
    max_cost: u64,
    max_seconds: u64,
    dear_cost: u64,
    max_running: usize,
    max_waiting: usize,
    max_dear_running: usize,
    max_dear_waiting: usize,
    drain_seconds: u64,
    max_batch: usize,
    max_requests_per_minute: u32,
    max_sign_ins_per_minute: u32,
    max_connections: usize,
    max_connections_per_address: usize,
    max_streams_per_account: usize,
    max_subscriptions: usize,
    max_introduction_seconds: u64,
    max_evidence_bytes: u64,
    document_cache_bytes: u64,
    /// Where each setting that is not a default was set.
    #[serde(skip)]
    places: BTreeMap<String, (SettingSource, String)>,
}

/// Settings given as command-line flags.
#[derive(Debug, Clone, Default, Serialize, clap::Args)]
pub(crate) struct Flags {
    /// Settings file in TOML (default: rectify.toml, if it exists).
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) config: Option<PathBuf>,
    /// Database: sqlite:FILE or postgres://…. Others on this machine can read a password that is given here; set it in
    /// the environment or in a file.
    #[arg(long, global = true, value_name = "URL", value_parser = secret_argument)]
    #[serde(skip)]
    pub(crate) database_url: Option<SecretString>,
    /// Directory for the embedded database, evidence and mails written to files.
    #[arg(long, global = true, value_name = "FOLDER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Address and port to listen on.
    #[arg(long, global = true, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) listen: Option<String>,
}

/// How to connect to the database.
pub(crate) struct Database {
    /// URL without the password, of the first server.
    pub(crate) url: String,
    /// Further servers. Whichever can be written to is used.
    pub(crate) others: Vec<Server>,
    /// Password, if there is one.
    pub(crate) password: Option<SecretString>,
}

#[expect(clippy::unnecessary_wraps, reason = "clap requires a value parser that returns a result")]
fn secret_argument(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(text.into())
}

impl Settings {
    /// Reads the settings from all sources, and fails with everything that is wrong with them. Touches nothing.
    pub(crate) fn read(flags: &Flags) -> Result<Self, Failure> {
        let mut faults = Faults::default();
        let sources = Sources::read(flags, &mut faults)?;
        let settings = Self { places: sources.places(), ..sources.settings(&mut faults)? };
        check::check(&settings, &mut faults);
        faults.placed(|name| settings.places.get(name).map(|(_, place)| place.clone())).done()?;
        Ok(settings)
    }

    /// Returns whether the log is JSON.
    pub(crate) fn logs_json(&self) -> bool {
        self.log_format == "json"
    }

    /// Returns whether each request is logged.
    pub(crate) fn has_access_log(&self) -> bool {
        match self.access_log {
            AccessLog::On => true,
            AccessLog::Off => false,
            AccessLog::Auto => self.logs_json(),
        }
    }

    /// Returns the language of mails to recipients who have none of their own.
    pub(crate) fn language(&self) -> Result<Language, Fault> {
        language(&self.language).map_err(|_| Fault::new("language", "应为 zh 或 en", "must be zh or en"))
    }

    /// Returns the ledger's time zone.
    pub(crate) fn zone(&self) -> Tz {
        self.time_zone.parse().unwrap_or(chrono_tz::Asia::Shanghai)
    }

    /// Returns a secret: the content of `file` if one is set, otherwise `given`. `name` is the setting's name.
    fn secret(name: &str, given: &SecretString, file: &Path) -> Result<SecretString, Fault> {
        if file.as_os_str().is_empty() { Ok(given.clone()) } else { secret::from_file(&format!("{name}_file"), file) }
    }

    /// Returns how to connect to the database, from its URL, its separate settings, or the default in `data_dir`.
    pub(crate) fn database(&self) -> Result<Database, Fault> {
        if !self.database_host.is_empty() {
            return self.database_by_parts();
        }
        let given = Self::secret("database_url", &self.database_url, &self.database_url_file)?;
        let url = given.expose_secret();
        if url.is_empty() && self.database_url_file.as_os_str().is_empty() {
            return Ok(Database { url: self.embedded(), others: Vec::new(), password: None });
        }
        if url.starts_with("sqlite:") {
            return Ok(Database { url: url.to_owned(), others: Vec::new(), password: None });
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(Fault::new(
                "database_url",
                "应以 sqlite: 或 postgres:// 开头",
                "must begin with sqlite: or postgres://",
            ));
        }
        Self::postgres("database_url", url, ["read-write", "primary"])
    }

    /// Returns how to connect to the standbys that reads may use, each by itself; none if the settings name none. TLS,
    /// and the password of the same user, are those of the database unless the URL gives its own.
    pub(crate) fn database_to_read(&self) -> Result<Option<Database>, Fault> {
        let name = "database_read_url";
        let given = Self::secret(name, &self.database_read_url, &self.database_read_url_file)?;
        let url = given.expose_secret();
        if url.is_empty() && self.database_read_url_file.as_os_str().is_empty() {
            return Ok(None);
        }
        let main = self.database()?;
        if main.url.starts_with("sqlite:") {
            return Err(Fault::new(name, "只用于 PostgreSQL 数据库", "is only for a database on PostgreSQL"));
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(Fault::new(name, "应以 postgres:// 开头", "must begin with postgres://"));
        }
        let found = Self::postgres(name, url, ["standby", "read-only"])?;
        let (mut url, main_url) = (certain(name, &found.url)?, certain("database_url", &main.url)?);
        if !url.query_pairs().any(|(key, _)| key.starts_with("ssl")) {
            let tls: Vec<_> = main_url.query_pairs().filter(|(key, _)| key.starts_with("ssl")).collect();
            if !tls.is_empty() {
                url.query_pairs_mut().extend_pairs(tls);
            }
        }
        crate::database::check(name, url.as_str())?;
        let user =
            |url: &Url| url.as_str().parse::<PgConnectOptions>().ok().map(|server| server.get_username().to_owned());
        let is_same_user = user(&url) == user(&main_url);
        let password = found.password.or(main.password.filter(|_| is_same_user));
        Ok(Some(Database { url: url.into(), password, ..found }))
    }

    /// Reads the URL of PostgreSQL servers in the setting `name`. `sessions` are the values that its parameter
    /// `target_session_attrs` may have.
    fn postgres(name: &str, url: &str, sessions: [&str; 2]) -> Result<Database, Fault> {
        let (url, others) = secret::servers(url).unwrap_or_else(|| (url.to_owned(), Vec::new()));
        let url = certain(name, &url)?;
        if url.query_pairs().any(|(key, value)| key == secret::SESSIONS && !sessions.contains(&&*value)) {
            let zh = format!("target_session_attrs 应为 {}", sessions[0]);
            return Err(Fault::new(name, zh, format!("target_session_attrs must be {}", sessions[0])));
        }
        let (url, password) = secret::without_password(url)
            .ok_or_else(|| Fault::new(name, "密码应为 UTF-8 编码", "the password must be UTF-8"))?;
        Ok(Database { url, others, password })
    }

    /// Returns the setting that says where the database is.
    pub(crate) fn database_setting(&self) -> &'static str {
        if !self.database_host.is_empty() {
            "database_host"
        } else if !self.database_url_file.as_os_str().is_empty() {
            "database_url_file"
        } else if !self.database_url.expose_secret().is_empty() {
            "database_url"
        } else {
            "data_dir"
        }
    }

    fn database_by_parts(&self) -> Result<Database, Fault> {
        let user = if self.database_user.is_empty() { "rectify" } else { &self.database_user };
        let name = if self.database_name.is_empty() { user } else { &self.database_name };
        let password = Self::secret("database_password", &self.database_password, &self.database_password_file)?;
        let port = if self.database_port == 0 { 5432 } else { self.database_port };
        let (mut query, mut others) = (Vec::new(), Vec::new());
        let place = if self.database_host.starts_with('/') {
            // The directory of a Unix socket.
            query.push(format!("host={}", secret::encoded(&self.database_host)));
            query.push(format!("port={port}"));
            query.push(format!("user={}", secret::encoded(user)));
            String::new()
        } else {
            let servers = self.database_host.split(',').map(|name| Server::parse(name.trim(), port));
            others = servers.collect::<Option<Vec<_>>>().ok_or_else(|| {
                Fault::new("database_host", "应为主机名或 IP 地址", "must be a host name or an IP address")
            })?;
            format!("{}@{}", secret::encoded(user), others.remove(0))
        };
        if !self.database_tls.is_empty() {
            query.push(format!("sslmode={}", self.database_tls));
        }
        if !self.database_ca_file.as_os_str().is_empty() {
            query.push(format!("sslrootcert={}", secret::encoded(&self.database_ca_file.to_string_lossy())));
        }
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        let url = format!("postgres://{place}/{}{query}", secret::encoded(name));
        let password = Some(password).filter(|password| !password.expose_secret().is_empty());
        Ok(Database { url, others, password })
    }

    /// Returns the folder of the files of the ledger whose places are not set.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Returns the URL of the embedded database in `data_dir`.
    fn embedded(&self) -> String {
        format!("sqlite:{}", self.data_dir.join("rectify.db").display())
    }

    /// Returns the URL that mails are sent to, with its password. Default: the directory `mail` in `data_dir`.
    pub(crate) fn mail_url(&self) -> Result<SecretString, Fault> {
        if !self.mail_host.is_empty() {
            return self.mail_by_parts();
        }
        let given = Self::secret("mail_url", &self.mail_url, &self.mail_url_file)?;
        let url = given.expose_secret();
        if url.is_empty() && self.mail_url_file.as_os_str().is_empty() {
            return Ok(format!("file:{}", self.data_dir.join("mail").display()).into());
        }
        if !url.starts_with("file:") {
            certain("mail_url", url)?;
        }
        Ok(given)
    }

    /// Returns the setting that names the mail server.
    fn mail_setting(&self) -> &'static str {
        if !self.mail_host.is_empty() {
            "mail_host"
        } else if !self.mail_url_file.as_os_str().is_empty() {
            "mail_url_file"
        } else {
            "mail_url"
        }
    }

    fn mail_by_parts(&self) -> Result<SecretString, Fault> {
        let host = secret::host(&self.mail_host)
            .ok_or_else(|| Fault::new("mail_host", "应为主机名或 IP 地址", "must be a host name or an IP address"))?;
        let (scheme, tls) = match self.mail_tls.as_str() {
            "none" => ("smtp", Some("tls=none".to_owned())),
            "tls" => ("smtps", None),
            _ => ("smtp", Some("tls=starttls".to_owned())),
        };
        let ca = (!self.mail_ca_file.as_os_str().is_empty())
            .then(|| format!("ca={}", secret::encoded(&self.mail_ca_file.to_string_lossy())));
        let query = tls.into_iter().chain(ca).collect::<Vec<_>>().join("&");
        let query = if query.is_empty() { query } else { format!("?{query}") };
        let port = if self.mail_port == 0 { String::new() } else { format!(":{}", self.mail_port) };
        let login = if self.mail_user.is_empty() {
            String::new()
        } else {
            let password = Self::secret("mail_password", &self.mail_password, &self.mail_password_file)?;
            format!("{}:{}@", secret::encoded(&self.mail_user), secret::encoded(password.expose_secret()))
        };
        Ok(format!("{scheme}://{login}{host}{port}{query}").into())
    }

    /// Opens what sends mails. Reads the certificates that the mail server is trusted by.
    pub(crate) fn post(&self) -> Result<Post, Fault> {
        let url = self.mail_url()?;
        let setting = if self.mail_ca_file.as_os_str().is_empty() { self.mail_setting() } else { "mail_ca_file" };
        let post = Post::open(url.expose_secret(), &self.mail_from).map_err(|why| Fault::told(setting, why))?;
        let post = post.returned_to(&self.mail_bounce_to).map_err(|why| Fault::told("mail_bounce_to", why))?;
        Ok(post.paced(self.mail_connections, self.mail_per_minute))
    }

    /// Opens the storage of evidence files to read from it: a folder that is missing stays so.
    pub(crate) fn storage_to_read(&self) -> Result<Storage, Fault> {
        Storage::open_to_read(&self.evidence_url()).map_err(|why| Fault::told("evidence_url", why))
    }

    /// Returns these settings with another database.
    pub(crate) fn with_database(&self, url: &str) -> Self {
        Self {
            database_url: SecretString::from(url),
            database_url_file: PathBuf::new(),
            database_host: String::new(),
            ..self.clone()
        }
    }

    /// Opens the storage of evidence files. Creates its folder.
    pub(crate) fn storage(&self) -> Result<Storage, Fault> {
        Storage::open(&self.evidence_url()).map_err(|why| Fault::told("evidence_url", why))
    }

    /// Returns the URL of the storage of evidence files.
    fn evidence_url(&self) -> String {
        match self.evidence_url.expose_secret() {
            "" => format!("file:{}", self.data_dir.join("evidence").display()),
            url => url.to_owned(),
        }
    }

    /// Returns the local files and directories that contain the ledger, its evidence and its mails.
    pub(crate) fn kept_here(&self) -> Result<Vec<PathBuf>, Fault> {
        let mut kept = Vec::new();
        if let Some(file) = crate::database::file(&self.database()?.url) {
            kept.extend(["", "-wal", "-shm"].map(|ending| PathBuf::from(format!("{}{ending}", file.display()))));
        }
        for url in [self.evidence_url(), self.mail_url()?.expose_secret().to_owned()] {
            kept.extend(url.strip_prefix("file:").map(|folder| PathBuf::from(folder.trim_start_matches("//"))));
        }
        Ok(kept)
    }

    /// Returns the URL under which users open the application.
    pub(crate) fn public_url(&self) -> String {
        if !self.public_url.is_empty() {
            return self.public_url.clone();
        }
        // A browser cannot open 0.0.0.0; on this machine such a server is reachable at the loopback address.
        let here = if self.listen.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { self.listen.ip() };
        format!("http://{}", SocketAddr::new(here, self.listen.port()))
    }

    /// Returns the host of [`Self::public_url()`].
    fn public_host(&self) -> Option<String> {
        Url::parse(&self.public_url()).ok().and_then(|url| url.host_str().map(str::to_owned))
    }

    /// Whether requests are allowed without sign-in until the first account exists. That is so if only users of this
    /// machine can reach the server: the public URL is local, there is no proxy, and the server listens on a loopback
    /// address or `open` is set.
    fn opens(&self) -> bool {
        let is_here = self.public_host().is_some_and(|host| api::is_loopback(&host));
        (self.listen.ip().is_loopback() || self.open) && is_here && self.proxies.is_empty()
    }

    /// Returns the roles that must sign in with a second factor.
    fn second_factor_roles(&self) -> Result<Vec<Role>, Fault> {
        let read = |name: &String| {
            role(name)
                .map_err(|why| Fault::new("second_factor_roles", format!("“{name}”{why}"), "must be names of roles"))
        };
        self.second_factor_roles.iter().map(read).collect()
    }

    /// Returns how long sessions and mails are kept.
    pub(crate) fn retention(&self) -> Retention {
        Retention { session_days: self.retain_session_days, mail_days: self.retain_mail_days }
    }

    /// Returns the address that `/metrics` is served on, or `None` if it is disabled.
    pub(crate) fn metrics_listen(&self) -> Result<Option<SocketAddr>, Fault> {
        if self.metrics_listen.is_empty() {
            return Ok(None);
        }
        let address = self.metrics_listen.parse();
        address.map(Some).map_err(|_| {
            Fault::new(
                "metrics_listen",
                "应为 地址:端口，如 127.0.0.1:9090",
                "must be ADDRESS:PORT, such as 127.0.0.1:9090",
            )
        })
    }

    /// Returns what sends messages to other systems.
    pub(crate) fn webhooks(&self) -> Result<Webhooks, Fault> {
        Webhooks::new(&self.webhook_allow, &self.public_url(), self.language()?)
            .map_err(|why| Fault::told("webhook_allow", why))
    }

    /// Returns the networks of trusted proxies. A single address is a network of one address.
    pub(crate) fn proxies(&self) -> Result<Vec<IpNet>, Fault> {
        let network = |words: &String| {
            let found = words.parse().or_else(|_| words.parse::<IpAddr>().map(IpNet::from));
            found.map_err(|_| {
                Fault::new(
                    "proxies",
                    format!("“{words}”应为地址或网段，如 10.0.0.2、10.0.0.0/8"),
                    "each must be an address or a network, such as 10.0.0.2 or 10.0.0.0/8",
                )
            })
        };
        self.proxies.iter().map(network).collect()
    }

    /// Returns the limits on client connections. `files` is the number of files that the process may have open.
    pub(crate) fn bounds(&self, files: u64) -> Bounds {
        let files = usize::try_from(files).unwrap_or(usize::MAX);
        // Descriptors reserved for the database, files, other listeners and health checks.
        let kept = KEPT.max(files / 10).min(MAX_RESERVED);
        let spare = files.saturating_sub(kept).max(1);
        let or = |given: usize, otherwise: usize| if given == 0 { otherwise } else { given };
        let all = or(self.max_connections, MAX_CONNECTIONS).min(spare);
        let address = or(self.max_connections_per_address, (all / 4).clamp(1, MAX_PER_ADDRESS)).min(all);
        Bounds { all, address, kept: kept / 4 }
    }

    /// Returns the address of an item that mails link to, with its places for `{public_url}`, `{token}`, `{kind}` and
    /// `{id}`.
    pub(crate) fn link_template(&self) -> &str {
        &self.link_template
    }

    /// Returns whether the desk is served, the pages for people.
    pub(crate) fn has_desk(&self) -> bool {
        self.desk == Switch::On
    }

    /// Returns for how many seconds the API still answers after the process is told to stop.
    pub(crate) fn drain_seconds(&self) -> u64 {
        self.drain_seconds
    }

    /// Returns the API's options: limits, sign-in, and which hosts, origins and proxies it accepts.
    pub(crate) fn options(&self) -> Result<Options, Fault> {
        let bounds = self.bounds(crate::serve::files());
        Ok(Options {
            limits: Limits {
                body: self.max_body_bytes,
                tokens: self.max_tokens,
                fields: self.max_fields,
                roots: self.max_root_fields,
                depth: self.max_depth,
                aliases: self.max_aliases,
                directives: self.max_directives,
                cost: self.max_cost,
                time: Duration::from_secs(self.max_seconds),
                load: Load {
                    cheap: self.dear_cost,
                    running: self.max_running,
                    waiting: self.max_waiting,
                    dear_running: if self.max_dear_running == 0 { usize::MAX } else { self.max_dear_running },
                    dear_waiting: self.max_dear_waiting,
                },
                batch: self.max_batch,
                requests_per_minute: self.max_requests_per_minute,
                sign_ins_per_minute: self.max_sign_ins_per_minute,
                subscriptions: self.max_subscriptions,
                // Half of the connections; the other half is left for short requests.
                streams: Streams {
                    all: (bounds.all / 2).max(1),
                    address: (bounds.address / 2).max(1),
                    account: self.max_streams_per_account,
                },
                introduction: Duration::from_secs(self.max_introduction_seconds),
                evidence: self.max_evidence_bytes,
                documents: self.document_cache_bytes,
            },
            introspection: self.introspection,
            open: self.opens(),
            idle: (self.session_idle_minutes > 0).then(|| TimeDelta::minutes(self.session_idle_minutes)),
            second_factor_roles: self.second_factor_roles()?,
            oidc: self.oidc()?.map(Arc::new),
            trusted_documents: self.trusted_documents()?,
            hosts: self.public_host().into_iter().chain(self.hosts.iter().cloned()).collect(),
            origins: self.origins.clone(),
            proxies: self.proxies()?,
            proxy_header: self.proxy_header.to_ascii_lowercase(),
        })
    }

    /// Returns the request headers that pages of other origins may send.
    pub(crate) fn cors_headers(&self) -> Result<Vec<HeaderName>, Fault> {
        let read = |name: &String| {
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                Fault::new(
                    "cors_headers",
                    format!("“{name}”不是请求头的名称，例如 traceparent"),
                    format!("“{name}” is no name of a request header, such as traceparent"),
                )
            })
        };
        self.cors_headers.iter().map(read).collect()
    }

    /// Reads the trusted documents: a JSON object from id to text, as code generators write it
    /// (`{"<sha256>": "query …"}`). `None` if no file is set, which allows any document.
    fn trusted_documents(&self) -> Result<Option<HashMap<String, String>>, Fault> {
        let file = &self.trusted_documents;
        if file.as_os_str().is_empty() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(file).map_err(|error| unreadable("trusted_documents", file, &error))?;
        let documents = serde_json::from_str(&text).map_err(|_| {
            let form = "{\"<sha256>\": \"query …\"}";
            let zh = format!("{} 应为 JSON 对象：{form}", file.display());
            Fault::new("trusted_documents", zh, format!("must be a JSON object: {form}"))
        })?;
        Ok(Some(documents))
    }

    /// Returns the identity provider (OpenID Connect), if one is set.
    fn oidc(&self) -> Result<Option<Oidc>, Fault> {
        if self.oidc_issuer.is_empty() {
            return Ok(None);
        }
        let secret = Self::secret("oidc_client_secret", &self.oidc_client_secret, &self.oidc_client_secret_file)?;
        let secret = secret.expose_secret().trim().to_owned();
        if secret.len() < 16 {
            return Err(Fault::new("oidc_client_secret", "密钥至少应有 16 个字符", "must have at least 16 characters"));
        }
        Ok(Some(Oidc {
            issuer: self.oidc_issuer.clone(),
            client_id: self.oidc_client_id.clone(),
            client_secret: secret,
            name: self.oidc_name.trim().to_owned(),
            public_url: self.public_url().trim_end_matches('/').to_owned(),
        }))
    }

    /// Reads the key that signs the daily seals of the audit, if one is set, and the earlier keys that only verify.
    pub(crate) fn audit_keys(&self) -> Result<Keys, Fault> {
        let file = &self.audit_key_file;
        let current = if file.as_os_str().is_empty() { None } else { Some(audit_key("audit_key_file", file)?) };
        let old = self.audit_old_key_files.iter().map(|file| audit_key("audit_old_key_files", file));
        Ok(Keys { current, old: old.collect::<Result<_, _>>()? })
    }

    /// Returns the Maildir of mails that came back, if one is set.
    pub(crate) fn bounce_mailbox(&self) -> Option<PathBuf> {
        Some(self.bounce_mailbox.clone()).filter(|folder| !folder.as_os_str().is_empty())
    }

    /// Returns when reminders are due.
    pub(crate) fn timing(&self) -> Timing {
        Timing {
            self_inspection_before: self.self_inspection_before.clone(),
            office_check_before: self.office_check_before.clone(),
            due_soon_before: self.due_soon_before.clone(),
            again_after: self.overdue_again_after,
            stale_after: self.stale_progress_after,
            account_form_day: self.account_form_day,
            account_report_day: self.account_report_day,
            case_due_soon_before: self.case_due_soon_before.clone(),
            office_after: self.escalate_to_office_after,
            leader_after: self.escalate_to_leader_after,
            listing_after: self.propose_listing_after,
            card_after: self.propose_card_after,
        }
    }

    /// Returns the effective settings as TOML, with passwords redacted.
    pub(crate) fn shown(&self) -> String {
        let mut shown = self.clone();
        if let Ok(database) = self.database()
            && self.database_host.is_empty()
            && self.database_url_file.as_os_str().is_empty()
            && self.database_url.expose_secret().is_empty()
        {
            shown.database_url = database.url.into();
        }
        if self.mail_host.is_empty()
            && self.mail_url_file.as_os_str().is_empty()
            && let Ok(url) = self.mail_url()
        {
            shown.mail_url = url;
        }
        shown.public_url = self.public_url();
        toml::to_string(&shown).unwrap_or_default()
    }

    /// Returns the effective settings one by one, with passwords redacted and with where each was set.
    pub(crate) fn effective(&self) -> Vec<EffectiveSetting> {
        let one = |line: &str| {
            let (name, value) = line.split_once(" = ")?;
            let (source, place) = self.places.get(name).cloned().unzip();
            let source = source.unwrap_or(SettingSource::Default);
            Some(EffectiveSetting { name: name.to_owned(), value: value.to_owned(), source, place })
        };
        self.shown().lines().filter_map(one).collect()
    }

    /// Returns the address of the storage of evidence files, without secrets.
    pub(crate) fn evidence_place(&self) -> String {
        secret::shown(&self.evidence_url())
    }
}

/// Reads an audit key from a file of at least 32 secret bytes. `setting` names the setting in error messages.
fn audit_key(setting: &str, file: &Path) -> Result<Key, Fault> {
    let secret = std::fs::read(file).map_err(|error| unreadable(setting, file, &error))?;
    if secret.len() < 32 {
        let zh = format!("{} 至少应有 32 个字节", file.display());
        return Err(Fault::new(setting, zh, "must have at least 32 bytes"));
    }
    Ok(Key::new(secret))
}

/// Returns the fault of a file that cannot be read.
fn unreadable(setting: &str, file: &Path, error: &std::io::Error) -> Fault {
    let file = file.display();
    Fault::new(setting, format!("{file} 无法读取：{error}"), "the file cannot be read")
}

/// Parses the URL in the setting `name`. The fault of an ambiguous URL does not quote it, because it may contain a
/// password.
fn certain(name: &str, text: &str) -> Result<Url, Fault> {
    let what = name.trim_end_matches("_url").trim_end_matches("_read");
    if secret::has_bad_port(text) {
        return Err(Fault::new(name, "端口应为 1 至 65535", "the port must be from 1 to 65535"));
    }
    secret::parsed(text).ok_or_else(|| {
        Fault::new(
            name,
            format!(
                "无法确定地址中哪些是密码。用户和密码中的 # / ? @ % 等字符须作百分号编码（如 # 写作 %23），\
                 或改用 {what}_host、{what}_user、{what}_password 等分项设置，不必编码"
            ),
            format!(
                "it is ambiguous which part is the password; percent-encode # / ? @ % in user and password (# as \
                 %23), or set {what}_host, {what}_user and {what}_password instead"
            ),
        )
    })
}

/// Parses a role. Accepts its English name in any case, with hyphens, underscores, spaces or no separator, and its
/// Chinese name.
pub(crate) fn role(text: &str) -> Result<Role, String> {
    let plain = text.trim().to_lowercase().replace(['_', ' '], "-");
    let code = |role: &Role| sea_orm::ActiveEnum::to_value(role).to_lowercase().replace('_', "-");
    let found = <Role as sea_orm::Iterable>::iter().find(|role| {
        let code = code(role);
        code == plain || code.replace('-', "") == plain || ledger::people::policy::role_name(*role) == text.trim()
    });
    let known = match plain.as_str() {
        "reporter" | "填报人" => Some(Role::ResponsibleUnit),
        "admin" => Some(Role::Administrator),
        _ => found,
    };
    known.ok_or_else(|| {
        let codes: Vec<String> = <Role as sea_orm::Iterable>::iter().map(|role| code(&role)).collect();
        format!("应为下列之一：{}", codes.join("、"))
    })
}

/// Parses a language: `zh` or `en`.
pub(crate) fn language(text: &str) -> Result<Language, String> {
    match text.trim().to_lowercase().as_str() {
        "zh" => Ok(Language::Zh),
        "en" => Ok(Language::En),
        _ => Err(format!("应为 zh 或 en，而不是“{text}”")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_everything_else() {
        let settings = Settings::read(&Flags::default()).unwrap();
        let counts = |bounds: Bounds| (bounds.all, bounds.address, bounds.kept);
        assert_eq!(counts(settings.bounds(256)), (192, 48, 16));
        assert_eq!(counts(settings.bounds(1_024)), (922, 230, 25));
        assert_eq!(counts(settings.bounds(u64::MAX)), (16_384, 1_024, 256));
        let given = Settings { max_connections: 500, max_connections_per_address: 9, ..settings };
        assert_eq!(counts(given.bounds(256)), (192, 9, 16));
        assert_eq!(counts(given.bounds(100_000)), (500, 9, 256));
    }

    #[test]
    fn proxies_are_addresses_or_networks() {
        let settings = Settings::read(&Flags::default()).unwrap();
        let of = |proxies: &[&str]| {
            Settings { proxies: proxies.iter().map(|one| (*one).to_owned()).collect(), ..settings.clone() }.proxies()
        };
        let networks: Vec<String> =
            of(&["10.0.0.2", "10.1.0.0/16", "fd00::/8"]).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(networks, ["10.0.0.2/32", "10.1.0.0/16", "fd00::/8"]);
        assert!(of(&["nginx"]).is_err());
    }

    #[test]
    fn the_defaults_are_in_order() {
        let settings = Settings::read(&Flags::default()).unwrap();
        assert!(settings.database().unwrap().url.starts_with("sqlite:"));
        assert!(!settings.shown().contains("***"));
    }
}
