//! Settings: flags, then the environment (`RECTIFY_…`), then a TOML file, then `config.default.toml`, which also documents
//! them.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use api::{Limits, Oidc, Policy};
use chrono_tz::Tz;
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use ledger::reminder::Timing;
use ledger::storage::Storage;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::Failure;

/// The file that is read when there is one and no other is named.
const FILE: &str = "rectify.toml";

/// The effective settings; `config.default.toml` says what each is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    database_url: String,
    /// Connections to PostgreSQL.
    pub(crate) database_connections: u32,
    data_dir: PathBuf,
    evidence_url: String,
    /// The address to listen on.
    pub(crate) listen: SocketAddr,
    /// Serve others without sign-in.
    pub(crate) open: bool,
    public_url: String,
    mail_url: String,
    /// The sender of mails.
    pub(crate) mail_from: String,
    time_zone: String,
    /// What to log.
    pub(crate) log: String,
    /// `text` or `json`.
    pub(crate) log_format: String,
    metrics_listen: String,
    audit_key_file: PathBuf,
    oidc_issuer: String,
    oidc_client_id: String,
    oidc_client_secret_file: PathBuf,
    oidc_client_secret: String,
    oidc_name: String,
    /// The grace of immediate deadlines, in days.
    pub(crate) grace_days: i64,
    self_inspection_before: Vec<i64>,
    due_soon_before: Vec<i64>,
    overdue_again_after: i64,
    case_due_soon_before: Vec<i64>,
    escalate_to_office_after: i64,
    escalate_to_leader_after: i64,
    propose_listing_after: i64,
    introspection: bool,
    trusted_documents: PathBuf,
    origins: Vec<String>,
    proxies: Vec<IpAddr>,
    max_body_bytes: usize,
    max_tokens: usize,
    max_fields: usize,
    max_root_fields: usize,
    max_depth: usize,
    max_aliases: usize,
    max_directives: usize,
    max_cost: u64,
    max_seconds: u64,
    max_batch: usize,
    max_requests_per_minute: u32,
    max_subscriptions: usize,
    max_introduction_seconds: u64,
    max_evidence_bytes: u64,
    document_cache_bytes: u64,
}

/// Settings given as flags.
#[derive(Debug, Clone, Default, Serialize, clap::Args)]
pub(crate) struct Flags {
    /// A TOML file of settings (default: rectify.toml, if it is there).
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) config: Option<PathBuf>,
    /// Where the ledger is kept: sqlite:FILE or postgres://….
    #[arg(long, global = true, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database_url: Option<String>,
    /// Where files are kept.
    #[arg(long, global = true, value_name = "FOLDER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The address to listen on.
    #[arg(long, global = true, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) listen: Option<String>,
}

impl Settings {
    /// Reads the settings and checks them.
    pub(crate) fn read(flags: &Flags) -> Result<Self, Failure> {
        let mut figment = Figment::from(Toml::string(include_str!("config.default.toml")));
        figment = match &flags.config {
            Some(file) if !file.exists() => {
                return Err(Failure::Usage(format!("配置文件 {} 不存在", file.display())));
            }
            Some(file) => figment.merge(Toml::file_exact(file)),
            None if Path::new(FILE).exists() => figment.merge(Toml::file_exact(FILE)),
            None => figment,
        };
        // Whatever else the environment holds under our prefix is for others (RECTIFY_VERSION of an image, say).
        let known: Vec<String> =
            figment.extract::<toml::Table>().map(|table| table.keys().cloned().collect()).unwrap_or_default();
        let environment = Env::prefixed("RECTIFY_").filter(move |key| known.iter().any(|name| key == name.as_str()));
        let settings: Self = figment
            .merge(environment)
            .merge(Serialized::defaults(flags))
            .extract()
            .map_err(|error| Failure::Usage(format!("设置有误：{error}")))?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), Failure> {
        let bad = |what: String| Err(Failure::Usage(what));
        if self.time_zone.parse::<Tz>().is_err() {
            return bad(format!("time_zone：没有名为“{}”的时区，应为 IANA 名称，如 Asia/Shanghai", self.time_zone));
        }
        let url = self.database_url();
        if !url.starts_with("sqlite:") && !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return bad("database_url：应以 sqlite: 或 postgres:// 开头".to_owned());
        }
        if !(0..=3650).contains(&self.grace_days) || !(1..=365).contains(&self.overdue_again_after) {
            return bad("grace_days 应为 0 至 3650，overdue_again_after 应为 1 至 365".to_owned());
        }
        let days = self.self_inspection_before.iter().chain(&self.due_soon_before).chain(&self.case_due_soon_before);
        if days.clone().any(|days| !(0..=365).contains(days)) {
            return bad(
                "self_inspection_before、due_soon_before、case_due_soon_before 中的天数应为 0 至 365".to_owned()
            );
        }
        let levels = [self.escalate_to_office_after, self.escalate_to_leader_after, self.propose_listing_after];
        if levels.iter().any(|days| !(1..=365).contains(days)) {
            return bad(
                "escalate_to_office_after、escalate_to_leader_after、propose_listing_after 应为 1 至 365".to_owned()
            );
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
        self.check_oidc()?;
        if self.database_connections == 0 {
            return bad("database_connections：至少为 1".to_owned());
        }
        Ok(())
    }

    /// The time zone.
    pub(crate) fn zone(&self) -> Tz {
        self.time_zone.parse().unwrap_or(chrono_tz::Asia::Shanghai)
    }

    /// Where the ledger is kept.
    pub(crate) fn database_url(&self) -> String {
        if self.database_url.is_empty() {
            format!("sqlite:{}", self.data_dir.join("rectify.db").display())
        } else {
            self.database_url.clone()
        }
    }

    /// Where mails go.
    pub(crate) fn mail_url(&self) -> String {
        if self.mail_url.is_empty() {
            format!("file:{}", self.data_dir.join("mail").display())
        } else {
            self.mail_url.clone()
        }
    }

    /// Where the bytes of evidence are kept.
    pub(crate) fn storage(&self) -> Result<Storage, Failure> {
        let folder = || format!("file:{}", self.data_dir.join("evidence").display());
        let address = if self.evidence_url.is_empty() { folder() } else { self.evidence_url.clone() };
        Storage::open(&address).map_err(Failure::Usage)
    }

    /// The address that people open.
    pub(crate) fn public_url(&self) -> String {
        if self.public_url.is_empty() { format!("http://{}", self.listen) } else { self.public_url.clone() }
    }

    /// Where figures may be read, if anywhere.
    pub(crate) fn metrics_listen(&self) -> Result<Option<SocketAddr>, Failure> {
        if self.metrics_listen.is_empty() {
            return Ok(None);
        }
        let address = self.metrics_listen.parse();
        address.map(Some).map_err(|_| Failure::Usage("metrics_listen：应为 地址:端口，如 127.0.0.1:9090".to_owned()))
    }

    /// Whom the API lets in, and how far.
    pub(crate) fn policy(&self) -> Result<Policy, Failure> {
        // A program that trusts whoever is on this machine must not be reached through a page from elsewhere.
        let hosts = self.listen.ip().is_loopback().then(|| {
            let public = Url::parse(&self.public_url()).ok().and_then(|url| url.host_str().map(str::to_owned));
            let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned).into();
            hosts.extend(public);
            hosts
        });
        Ok(Policy {
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
                subscriptions: self.max_subscriptions,
                introduction: Duration::from_secs(self.max_introduction_seconds),
                evidence: self.max_evidence_bytes,
                documents: self.document_cache_bytes,
            },
            introspection: self.introspection,
            open: self.listen.ip().is_loopback() || self.open,
            demo_sign_in: self.listen.ip().is_loopback(),
            oidc: self.oidc()?.map(Arc::new),
            trusted_documents: self.trusted_documents()?,
            hosts,
            origins: self.origins.clone(),
            proxies: self.proxies.clone(),
        })
    }

    /// The documents of the file that names those that may be run: a JSON object of their texts by their ids, as code
    /// generators write it (`{"<sha256>": "query …"}`).
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
            if !self.oidc_client_id.is_empty() || has_file || !self.oidc_client_secret.is_empty() {
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
        if has_file != self.oidc_client_secret.is_empty() {
            return bad("oidc_client_secret_file、oidc_client_secret：应设置其中一个");
        }
        if self.oidc_name.trim().is_empty() {
            return bad("oidc_name：登录按钮的名称不能为空");
        }
        Ok(())
    }

    /// The provider that people sign in by, if there is one.
    fn oidc(&self) -> Result<Option<Oidc>, Failure> {
        if self.oidc_issuer.is_empty() {
            return Ok(None);
        }
        let file = &self.oidc_client_secret_file;
        let secret = if file.as_os_str().is_empty() {
            self.oidc_client_secret.clone()
        } else {
            std::fs::read_to_string(file).map_err(|error| {
                Failure::Usage(format!("oidc_client_secret_file：{} 无法读取：{error}", file.display()))
            })?
        };
        let secret = secret.trim().to_owned();
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

    /// The key with which the days of the audit are signed, if there is one.
    pub(crate) fn audit_key(&self) -> Result<Option<Vec<u8>>, Failure> {
        let file = &self.audit_key_file;
        if file.as_os_str().is_empty() {
            return Ok(None);
        }
        let key = std::fs::read(file)
            .map_err(|error| Failure::Usage(format!("audit_key_file：{} 无法读取：{error}", file.display())))?;
        if key.len() < 32 {
            return Err(Failure::Usage(format!("audit_key_file：{} 至少应有 32 个字节", file.display())));
        }
        Ok(Some(key))
    }

    /// When reminders are due.
    pub(crate) fn timing(&self) -> Timing {
        Timing {
            self_inspection_before: self.self_inspection_before.clone(),
            due_soon_before: self.due_soon_before.clone(),
            again_after: self.overdue_again_after,
            case_due_soon_before: self.case_due_soon_before.clone(),
            office_after: self.escalate_to_office_after,
            leader_after: self.escalate_to_leader_after,
            listing_after: self.propose_listing_after,
        }
    }

    /// The effective settings as TOML, without passwords.
    pub(crate) fn shown(&self) -> String {
        let mut shown = self.clone();
        shown.database_url = without_password(&self.database_url());
        shown.mail_url = without_password(&self.mail_url());
        shown.public_url = self.public_url();
        if !shown.oidc_client_secret.is_empty() {
            "***".clone_into(&mut shown.oidc_client_secret);
        }
        toml::to_string(&shown).unwrap_or_default()
    }
}

/// An address without the password in it.
pub(crate) fn without_password(address: &str) -> String {
    match Url::parse(address) {
        Ok(mut url) if url.password().is_some() => {
            // Only addresses without a host refuse this, and they have no password.
            let _ = url.set_password(Some("***"));
            url.to_string()
        }
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(without_password("postgres://u:secret@h/d"), "postgres://u:***@h/d");
        assert_eq!(without_password("sqlite:./data/rectify.db"), "sqlite:./data/rectify.db");
    }

    #[test]
    fn the_defaults_are_in_order() {
        let settings = Settings::read(&Flags::default()).unwrap();
        assert!(settings.database_url().starts_with("sqlite:"));
        assert!(!settings.shown().contains("***"));
    }
}
