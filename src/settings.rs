//! Settings, in order of precedence: flags, the environment (`RECTIFY_…`), a TOML file, and `config.default.toml`,
//! which contains the defaults and documents each setting.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use api::{Bounds, Limits, Oidc, Options, Streams};
use chrono::TimeDelta;
use chrono_tz::Tz;
use entity::account::Role;
use entity::language::Language;
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use ipnet::IpNet;
use ledger::file::storage::Storage;
use ledger::record::audit::{Key, Keys};
use ledger::record::retention::Retention;
use ledger::reminder::Timing;
use scheduler::Webhooks;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{Failure, secret};

/// Settings file in the working directory that is read if it exists and `--config` is not given.
const FILE: &str = "rectify.toml";
/// Prefix of the environment variables.
const PREFIX: &str = "RECTIFY_";

/// Minimum number of file descriptors reserved for everything but client connections; a tenth of the limit if that is
/// more.
const KEPT: usize = 64;
/// Maximum number of file descriptors reserved.
const MOST_KEPT: usize = 1_024;
/// Default maximum of client connections.
const MOST_CONNECTIONS: usize = 16_384;
/// Default maximum of client connections from one address.
const MOST_OF_ADDRESS: usize = 1_024;

/// Whether a part of the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Switch {
    On,
    Off,
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
    /// Maximum number of connections to PostgreSQL.
    pub(crate) database_connections: u32,
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
    /// Log format: `text` or `json`.
    pub(crate) log_format: String,
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
    hosts: Vec<String>,
    session_idle_minutes: i64,
    second_factor_roles: Vec<String>,
    retain_session_days: i64,
    retain_mail_days: i64,
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
    /// URL without the password.
    pub(crate) url: String,
    /// Password, if there is one.
    pub(crate) password: Option<SecretString>,
}

/// The settings from one source: a file or the environment.
struct Layer {
    settings: Dict,
    metadata: Metadata,
}

impl Layer {
    /// Reads settings from environment variables. Ignores variables with the prefix that name no setting, such as
    /// `RECTIFY_VERSION` in a container image. Text settings take the value verbatim; other types are parsed, and an
    /// empty value counts as unset.
    fn environment(defaults: &Dict) -> Result<Self, Failure> {
        let mut settings = Dict::new();
        for (variable, value) in std::env::vars_os() {
            let Some(name) = variable.to_str().and_then(|name| name.get(..PREFIX.len()).zip(name.get(PREFIX.len()..)))
            else {
                continue;
            };
            let (prefix, name) = (name.0, name.1.to_lowercase());
            let Some(default) = defaults.get(&name).filter(|_| prefix.eq_ignore_ascii_case(PREFIX)) else { continue };
            let Some(value) = value.to_str() else {
                return Err(Failure::Usage(format!("设置有误：{PREFIX}{} 应为 UTF-8 编码", name.to_uppercase())));
            };
            let value = match default {
                Value::String(..) => Value::from(value),
                _ if value.trim().is_empty() => continue,
                _ => match value.parse::<Value>() {
                    Ok(value) => value,
                    Err(never) => match never {},
                },
            };
            settings.insert(name, value);
        }
        let variable = |_: &Profile, keys: &[&str]| format!("{PREFIX}{}", keys.join(".").to_uppercase());
        Ok(Self { settings, metadata: Metadata::named("environment variable").interpolater(variable) })
    }

    /// Reads a settings file. Errors give the line number or the setting's name, never the text, which may contain a
    /// password.
    fn file(path: &Path, defaults: &Dict) -> Result<Self, Failure> {
        let bad = |why: String| Failure::Usage(format!("配置文件 {} {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| bad(format!("无法读取：{error}")))?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            bad(format!("第 {line} 行不是有效的 TOML；文字须加引号，含有 \" 或 \\ 的用单引号"))
        })?;
        for (name, value) in &table {
            if !value.is_str() && matches!(defaults.get(name), Some(Value::String(..))) {
                return Err(bad(format!("{name}：应为文字，须加引号")));
            }
        }
        let settings = Value::serialize(table).ok().and_then(Value::into_dict).unwrap_or_default();
        Ok(Self { settings, metadata: Metadata::from("TOML file", path) })
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.settings.clone()))
    }
}

#[expect(clippy::unnecessary_wraps, reason = "clap requires a value parser that returns a result")]
fn secret_argument(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(text.into())
}

impl Settings {
    /// Reads the settings from all sources and validates them.
    pub(crate) fn read(flags: &Flags) -> Result<Self, Failure> {
        let mut figment = Figment::from(Toml::string(include_str!("config.default.toml")));
        let defaults: Dict = figment.extract().map_err(|error| Failure::Usage(format!("设置有误：{error}")))?;
        figment = match &flags.config {
            Some(file) if !file.exists() => {
                return Err(Failure::Usage(format!("配置文件 {} 不存在", file.display())));
            }
            Some(path) => figment.merge(Layer::file(path, &defaults)?),
            None if Path::new(FILE).exists() => figment.merge(Layer::file(Path::new(FILE), &defaults)?),
            None => figment,
        };
        figment = figment.merge(Layer::environment(&defaults)?).merge(Serialized::defaults(flags));
        if let Some(url) = &flags.database_url {
            figment = figment.merge(Serialized::default("database_url", url.expose_secret()));
        }
        let settings: Self = figment.extract().map_err(|error| Failure::Usage(format!("设置有误：{error}")))?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), Failure> {
        let bad = |what: String| Err(Failure::Usage(what));
        if self.time_zone.parse::<Tz>().is_err() {
            return bad(format!("time_zone：没有名为“{}”的时区，应为 IANA 名称，如 Asia/Shanghai", self.time_zone));
        }
        self.check_secrets()?;
        if !(0..=3650).contains(&self.grace_days) || !(1..=365).contains(&self.overdue_again_after) {
            return bad("grace_days 应为 0 至 3650，overdue_again_after 应为 1 至 365".to_owned());
        }
        if !(1..=365).contains(&self.stale_progress_after) {
            return bad("stale_progress_after 应为 1 至 365".to_owned());
        }
        if !(1..=31).contains(&self.account_form_day) || !(1..=31).contains(&self.account_report_day) {
            return bad("account_form_day 和 account_report_day 应为 1 至 31".to_owned());
        }
        let days = self.self_inspection_before.iter().chain(&self.due_soon_before).chain(&self.case_due_soon_before);
        if days.clone().any(|days| !(0..=365).contains(days)) {
            return bad(
                "self_inspection_before、due_soon_before、case_due_soon_before 中的天数应为 0 至 365".to_owned()
            );
        }
        let levels = [
            self.escalate_to_office_after,
            self.escalate_to_leader_after,
            self.propose_listing_after,
            self.propose_card_after,
        ];
        if levels.iter().any(|days| !(1..=365).contains(days)) {
            let names = "escalate_to_office_after、escalate_to_leader_after、propose_listing_after、propose_card_after";
            return bad(format!("{names} 应为 1 至 365"));
        }
        if !matches!(self.log_format.as_str(), "text" | "json") {
            return bad("log_format：应为 text 或 json".to_owned());
        }
        let times = [self.max_seconds, self.max_introduction_seconds];
        if times.contains(&0) || self.max_body_bytes == 0 || self.max_evidence_bytes == 0 {
            return bad(
                "max_seconds、max_introduction_seconds、max_body_bytes、max_evidence_bytes：至少为 1".to_owned()
            );
        }
        if self.drain_seconds > 300 {
            return bad("drain_seconds 应为 0 至 300".to_owned());
        }
        self.proxies()?;
        self.language()?;
        Webhooks::check(&self.webhook_allow).map_err(Failure::Usage)?;
        if !["x-forwarded-for", "forwarded"].contains(&self.proxy_header.to_ascii_lowercase().as_str()) {
            return bad("proxy_header：应为 x-forwarded-for 或 forwarded".to_owned());
        }
        self.check_oidc()?;
        if self.open && !self.opens() {
            return bad(
                "open：只能在 public_url 为本机地址且没有 proxies 时使用；供他人访问的系统应建立账户".to_owned()
            );
        }
        self.second_factor_roles()?;
        if !(0..=43_200).contains(&self.session_idle_minutes) {
            return bad("session_idle_minutes：应为 0（不限）至 43200".to_owned());
        }
        if !(1..=36_500).contains(&self.retain_session_days) || !(30..=36_500).contains(&self.retain_mail_days) {
            return bad("retain_session_days 应为 1 至 36500，retain_mail_days 应为 30 至 36500".to_owned());
        }
        let mail = &self.audit_head_mail;
        if !mail.is_empty() && (!mail.contains('@') || mail.chars().any(char::is_whitespace)) {
            return bad("audit_head_mail：应为一个邮箱地址".to_owned());
        }
        if self.database_connections == 0 {
            return bad("database_connections：至少为 1".to_owned());
        }
        if !(1..=100).contains(&self.mail_connections) {
            return bad("mail_connections：应为 1 至 100".to_owned());
        }
        Ok(())
    }

    /// Returns the language of mails to recipients who have none of their own.
    pub(crate) fn language(&self) -> Result<Language, Failure> {
        language(&self.language).map_err(|error| Failure::Usage(format!("language：{error}")))
    }

    /// Returns the ledger's time zone.
    pub(crate) fn zone(&self) -> Tz {
        self.time_zone.parse().unwrap_or(chrono_tz::Asia::Shanghai)
    }

    /// Rejects settings of the database, mail and evidence that contradict each other or are ambiguous. Error messages
    /// never quote a value.
    fn check_secrets(&self) -> Result<(), Failure> {
        let bad = |what: String| Err(Failure::Usage(what));
        let given = |file: &PathBuf| !file.as_os_str().is_empty();
        let is_set = |secret: &SecretString| !secret.expose_secret().is_empty();
        for (name, secret, file) in [
            ("database_url", &self.database_url, &self.database_url_file),
            ("database_password", &self.database_password, &self.database_password_file),
            ("mail_url", &self.mail_url, &self.mail_url_file),
            ("mail_password", &self.mail_password, &self.mail_password_file),
        ] {
            if is_set(secret) && given(file) {
                return bad(format!("{name}_file、{name}：只能设置其中一个"));
            }
        }
        let database = !self.database_name.is_empty()
            || !self.database_user.is_empty()
            || self.database_port != 0
            || is_set(&self.database_password)
            || given(&self.database_password_file)
            || !self.database_tls.is_empty()
            || given(&self.database_ca_file);
        let mail = !self.mail_user.is_empty()
            || self.mail_port != 0
            || is_set(&self.mail_password)
            || given(&self.mail_password_file)
            || !self.mail_tls.is_empty()
            || given(&self.mail_ca_file);
        for (name, host, has_parts, has_url) in [
            ("database", &self.database_host, database, is_set(&self.database_url) || given(&self.database_url_file)),
            ("mail", &self.mail_host, mail, is_set(&self.mail_url) || given(&self.mail_url_file)),
        ] {
            if has_url && (has_parts || !host.is_empty()) {
                return bad(format!(
                    "{name}_url 与 {name}_host、{name}_port、{name}_user、{name}_password 等分项设置只能用其中一种"
                ));
            }
            let is_folder = name == "database" && host.starts_with('/');
            if !host.is_empty() && !is_folder && secret::host(host).is_none() {
                return bad(format!("{name}_host：应为主机名或 IP 地址，不含端口、用户和密码"));
            }
            if has_parts && host.is_empty() {
                return bad(format!("{name}_host：设置 {name}_port、{name}_user、{name}_password 等分项时不能为空"));
            }
        }
        if !["", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
            .contains(&self.database_tls.as_str())
        {
            return bad("database_tls：应为 disable、allow、prefer、require、verify-ca 或 verify-full".to_owned());
        }
        if !["", "none", "starttls", "tls"].contains(&self.mail_tls.as_str()) {
            return bad("mail_tls：应为 none、starttls 或 tls".to_owned());
        }
        if self.mail_user.is_empty() && (is_set(&self.mail_password) || given(&self.mail_password_file)) {
            return bad("mail_user：设置 mail_password 时不能为空".to_owned());
        }
        let address = self.evidence_url.expose_secret();
        if !address.is_empty() && !address.starts_with("file:") && secret::parsed(address).is_none() {
            return bad("evidence_url：应以 file: 或 s3:// 开头；凭据放在环境变量 AWS_…中，不写入地址".to_owned());
        }
        // Values from files are validated when they are used.
        if is_set(&self.database_url) {
            self.database()?;
        }
        if is_set(&self.mail_url) {
            self.mail_url()?;
        }
        Ok(())
    }

    /// Returns a secret: the content of `file` if one is set, otherwise `given`. `name` is the setting's name.
    fn secret(name: &str, given: &SecretString, file: &Path) -> Result<SecretString, Failure> {
        if file.as_os_str().is_empty() { Ok(given.clone()) } else { secret::from_file(&format!("{name}_file"), file) }
    }

    /// Returns how to connect to the database, from its URL, its separate settings, or the default in `data_dir`.
    pub(crate) fn database(&self) -> Result<Database, Failure> {
        if !self.database_host.is_empty() {
            return self.database_by_parts();
        }
        let given = Self::secret("database_url", &self.database_url, &self.database_url_file)?;
        let url = given.expose_secret();
        if url.is_empty() && self.database_url_file.as_os_str().is_empty() {
            return Ok(Database { url: self.embedded(), password: None });
        }
        if url.starts_with("sqlite:") {
            return Ok(Database { url: url.to_owned(), password: None });
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(Failure::Usage("database_url：应以 sqlite: 或 postgres:// 开头".to_owned()));
        }
        let (url, password) = secret::without_password(certain("database_url", url)?)
            .ok_or_else(|| Failure::Usage("database_url：密码应为 UTF-8 编码".to_owned()))?;
        Ok(Database { url, password })
    }

    fn database_by_parts(&self) -> Result<Database, Failure> {
        let user = if self.database_user.is_empty() { "rectify" } else { &self.database_user };
        let name = if self.database_name.is_empty() { user } else { &self.database_name };
        let password = Self::secret("database_password", &self.database_password, &self.database_password_file)?;
        let port = if self.database_port == 0 { 5432 } else { self.database_port };
        let mut query = Vec::new();
        let place = if self.database_host.starts_with('/') {
            // The directory of a Unix socket.
            query.push(format!("host={}", secret::encoded(&self.database_host)));
            query.push(format!("port={port}"));
            query.push(format!("user={}", secret::encoded(user)));
            String::new()
        } else {
            let host = secret::host(&self.database_host)
                .ok_or_else(|| Failure::Usage("database_host：应为主机名或 IP 地址".to_owned()))?;
            format!("{}@{host}:{port}", secret::encoded(user))
        };
        if !self.database_tls.is_empty() {
            query.push(format!("sslmode={}", self.database_tls));
        }
        if !self.database_ca_file.as_os_str().is_empty() {
            query.push(format!("sslrootcert={}", secret::encoded(&self.database_ca_file.to_string_lossy())));
        }
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        let url = format!("postgres://{place}/{}{query}", secret::encoded(name));
        Ok(Database { url, password: Some(password).filter(|password| !password.expose_secret().is_empty()) })
    }

    /// Returns the URL of the embedded database in `data_dir`.
    fn embedded(&self) -> String {
        format!("sqlite:{}", self.data_dir.join("rectify.db").display())
    }

    /// Returns the URL that mails are sent to, with its password. Default: the directory `mail` in `data_dir`.
    pub(crate) fn mail_url(&self) -> Result<SecretString, Failure> {
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

    fn mail_by_parts(&self) -> Result<SecretString, Failure> {
        let host = secret::host(&self.mail_host)
            .ok_or_else(|| Failure::Usage("mail_host：应为主机名或 IP 地址".to_owned()))?;
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

    /// Opens the storage of evidence files.
    pub(crate) fn storage(&self) -> Result<Storage, Failure> {
        Storage::open(&self.evidence_url()).map_err(Failure::Usage)
    }

    /// Returns the URL of the storage of evidence files.
    fn evidence_url(&self) -> String {
        match self.evidence_url.expose_secret() {
            "" => format!("file:{}", self.data_dir.join("evidence").display()),
            url => url.to_owned(),
        }
    }

    /// Returns the local files and directories that contain the ledger, its evidence and its mails.
    pub(crate) fn kept_here(&self) -> Result<Vec<PathBuf>, Failure> {
        let mut kept = Vec::new();
        if let Some(file) = self.database()?.url.strip_prefix("sqlite:") {
            let file = file.trim_start_matches("//").split('?').next().unwrap_or_default();
            kept.extend(["", "-wal", "-shm"].map(|ending| PathBuf::from(format!("{file}{ending}"))));
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
    fn second_factor_roles(&self) -> Result<Vec<Role>, Failure> {
        let read =
            |name: &String| role(name).map_err(|why| Failure::Usage(format!("second_factor_roles：“{name}”{why}")));
        self.second_factor_roles.iter().map(read).collect()
    }

    /// Returns how long sessions and mails are kept.
    pub(crate) fn retention(&self) -> Retention {
        Retention { session_days: self.retain_session_days, mail_days: self.retain_mail_days }
    }

    /// Returns the address that `/metrics` is served on, or `None` if it is disabled.
    pub(crate) fn metrics_listen(&self) -> Result<Option<SocketAddr>, Failure> {
        if self.metrics_listen.is_empty() {
            return Ok(None);
        }
        let address = self.metrics_listen.parse();
        address.map(Some).map_err(|_| Failure::Usage("metrics_listen：应为 地址:端口，如 127.0.0.1:9090".to_owned()))
    }

    /// Returns what sends messages to other systems.
    pub(crate) fn webhooks(&self) -> Result<Webhooks, Failure> {
        Webhooks::new(&self.webhook_allow, &self.public_url(), self.language()?).map_err(Failure::Usage)
    }

    /// Returns the networks of trusted proxies. A single address is a network of one address.
    pub(crate) fn proxies(&self) -> Result<Vec<IpNet>, Failure> {
        let network = |words: &String| {
            let found = words.parse().or_else(|_| words.parse::<IpAddr>().map(IpNet::from));
            found.map_err(|_| Failure::Usage(format!("proxies：“{words}”应为地址或网段，如 10.0.0.2、10.0.0.0/8")))
        };
        self.proxies.iter().map(network).collect()
    }

    /// Returns the limits on client connections. `files` is the number of files that the process may have open.
    pub(crate) fn bounds(&self, files: u64) -> Bounds {
        let files = usize::try_from(files).unwrap_or(usize::MAX);
        // Descriptors reserved for the database, files, other listeners and health checks.
        let kept = KEPT.max(files / 10).min(MOST_KEPT);
        let spare = files.saturating_sub(kept).max(1);
        let or = |given: usize, otherwise: usize| if given == 0 { otherwise } else { given };
        let all = or(self.max_connections, MOST_CONNECTIONS).min(spare);
        let address = or(self.max_connections_per_address, (all / 4).clamp(1, MOST_OF_ADDRESS)).min(all);
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
    pub(crate) fn options(&self) -> Result<Options, Failure> {
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

    /// Reads the trusted documents: a JSON object from id to text, as code generators write it
    /// (`{"<sha256>": "query …"}`). `None` if no file is set, which allows any document.
    fn trusted_documents(&self) -> Result<Option<HashMap<String, String>>, Failure> {
        let file = &self.trusted_documents;
        if file.as_os_str().is_empty() {
            return Ok(None);
        }
        let bad = |why: String| Failure::Usage(format!("trusted_documents：{} {why}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| bad(format!("无法读取：{error}")))?;
        let documents =
            serde_json::from_str(&text).map_err(|_| bad("应为 JSON 对象：{\"<sha256>\": \"query …\"}".to_owned()))?;
        Ok(Some(documents))
    }

    fn check_oidc(&self) -> Result<(), Failure> {
        let bad = |what: &str| Err(Failure::Usage(what.to_owned()));
        let has_file = !self.oidc_client_secret_file.as_os_str().is_empty();
        if self.oidc_issuer.is_empty() {
            if !self.oidc_client_id.is_empty() || has_file || !self.oidc_client_secret.expose_secret().is_empty() {
                return bad("oidc_issuer：已设置 oidc_client_id 或密钥，还应设置统一身份认证系统的地址");
            }
            return Ok(());
        }
        if !Oidc::is_safe(&self.oidc_issuer) {
            return bad("oidc_issuer：应为 https:// 开头的地址（本机可用 http://）");
        }
        if !Oidc::is_safe(&self.public_url()) {
            return bad(
                "public_url：启用 oidc_issuer 时应为 https:// 开头的地址（本机可用 http://），用户从认证系统返回这里",
            );
        }
        if self.oidc_client_id.is_empty() {
            return bad("oidc_client_id：设置 oidc_issuer 时不能为空");
        }
        if has_file != self.oidc_client_secret.expose_secret().is_empty() {
            return bad("oidc_client_secret_file、oidc_client_secret：应设置其中一个");
        }
        if self.oidc_name.trim().is_empty() {
            return bad("oidc_name：登录按钮的名称不能为空");
        }
        Ok(())
    }

    /// Returns the identity provider (OpenID Connect), if one is set.
    fn oidc(&self) -> Result<Option<Oidc>, Failure> {
        if self.oidc_issuer.is_empty() {
            return Ok(None);
        }
        let secret = Self::secret("oidc_client_secret", &self.oidc_client_secret, &self.oidc_client_secret_file)?;
        let secret = secret.expose_secret().trim().to_owned();
        if secret.len() < 16 {
            return Err(Failure::Usage("oidc_client_secret：密钥至少应有 16 个字符".to_owned()));
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
    pub(crate) fn audit_keys(&self) -> Result<Keys, Failure> {
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
}

/// Reads an audit key from a file of at least 32 secret bytes. `setting` names the setting in error messages.
fn audit_key(setting: &str, file: &Path) -> Result<Key, Failure> {
    let secret = std::fs::read(file)
        .map_err(|error| Failure::Usage(format!("{setting}：{} 无法读取：{error}", file.display())))?;
    if secret.len() < 32 {
        return Err(Failure::Usage(format!("{setting}：{} 至少应有 32 个字节", file.display())));
    }
    Ok(Key::new(secret))
}

/// Parses the URL in the setting `name`. The error for an ambiguous URL does not quote it, because it may contain a
/// password.
fn certain(name: &str, text: &str) -> Result<Url, Failure> {
    let what = name.trim_end_matches("_url");
    secret::parsed(text).ok_or_else(|| {
        Failure::Usage(format!(
            "{name}：无法确定地址中哪些是密码。用户和密码中的 # / ? @ % 等字符须作百分号编码（如 # 写作 %23），\
             或改用 {what}_host、{what}_user、{what}_password 等分项设置，不必编码"
        ))
    })
}

/// Parses a role. Accepts its English name in any case, with hyphens, underscores, spaces or no separator, and its
/// Chinese name.
pub(crate) fn role(text: &str) -> Result<Role, String> {
    let plain = text.trim().to_lowercase().replace(['_', ' '], "-");
    let found = <Role as sea_orm::Iterable>::iter().find(|role| {
        let code = sea_orm::ActiveEnum::to_value(role).to_lowercase().replace('_', "-");
        code == plain || code.replace('-', "") == plain || ledger::people::policy::role_name(*role) == text.trim()
    });
    let known = match plain.as_str() {
        "reporter" | "填报人" => Some(Role::ResponsibleUnit),
        "admin" => Some(Role::Administrator),
        _ => found,
    };
    known.ok_or_else(|| {
        "应为 regional-office、city-office、county-office、lead-unit、responsible-unit、supervising-unit、leader、\
         inspector 或 administrator"
            .to_owned()
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
