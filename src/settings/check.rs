//! Checks the settings in whole, before a command touches anything.
//!
//! [`check`] looks at the settings alone, for every command. [`check_files`] reads the files that they name, for
//! `serve`; other commands read the files that they need when they need them.

use chrono_tz::Tz;
use scheduler::{Post, Webhooks};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::fault::{Fault, Faults};
use super::{Oidc, Settings, Storage};
use crate::secret::Server;
use crate::{Failure, secret, telemetry};

/// Maximum number of connections to PostgreSQL: beyond it, a pool in front of the database serves better.
const MAX_DATABASE_CONNECTIONS: u32 = 1_000;

/// What the driver of PostgreSQL takes as `sslmode`.
const TLS_MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Notes everything that is wrong with the settings, without reading any file that they name.
pub(super) fn check(settings: &Settings, faults: &mut Faults) {
    settings.check_numbers(faults);
    settings.check_contradictions(faults);
    settings.check_database(faults);
    settings.check_mail(faults);
    settings.check_storage(faults);
    settings.check_addresses(faults);
    settings.check_oidc(faults);
    settings.check_words(faults);
}

/// Reads every file that the settings of a server name, and checks that its ports differ; fails with all that is wrong.
/// `has_api` tells whether the server answers requests; a scheduler alone needs less.
pub(crate) fn check_files(settings: &Settings, has_api: bool) -> Result<(), Failure> {
    let mut faults = Faults::default();
    if has_api {
        settings.check_api(&mut faults);
        faults.take(settings.database_to_read());
    }
    faults.take(settings.database());
    faults.take(settings.post());
    let ca = &settings.database_ca_file;
    if !ca.as_os_str().is_empty() {
        let read = std::fs::read(ca).map(|_| ()).map_err(|error| super::unreadable("database_ca_file", ca, &error));
        faults.take(read);
    }
    faults.take(settings.audit_keys());
    faults.done()
}

impl Settings {
    fn check_api(&self, faults: &mut Faults) {
        faults.take(self.oidc());
        faults.take(self.trusted_documents());
        if let Ok(Some(metrics)) = self.metrics_listen() {
            let (one, other) = (metrics.ip(), self.listen.ip());
            let is_same = one == other || one.is_unspecified() || other.is_unspecified();
            faults.unless(
                metrics.port() == 0 || metrics.port() != self.listen.port() || !is_same,
                "metrics_listen",
                "端口应与 listen 不同",
                "its port must differ from that of listen",
            );
        }
    }

    fn check_numbers(&self, faults: &mut Faults) {
        let wide = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let ranges = [
            ("grace_days", self.grace_days, 0, 3_650),
            ("overdue_again_after", self.overdue_again_after, 1, 365),
            ("stale_progress_after", self.stale_progress_after, 1, 365),
            ("account_form_day", self.account_form_day.into(), 1, 31),
            ("account_report_day", self.account_report_day.into(), 1, 31),
            ("escalate_to_office_after", self.escalate_to_office_after, 1, 365),
            ("escalate_to_leader_after", self.escalate_to_leader_after, 1, 365),
            ("propose_listing_after", self.propose_listing_after, 1, 365),
            ("propose_card_after", self.propose_card_after, 1, 365),
            ("session_idle_minutes", self.session_idle_minutes, 0, 43_200),
            ("retain_session_days", self.retain_session_days, 1, 36_500),
            ("retain_mail_days", self.retain_mail_days, 30, 36_500),
            ("backup_days", self.backup_days, 0, 3_650),
            ("database_connections", self.database_connections.into(), 1, MAX_DATABASE_CONNECTIONS.into()),
            ("database_statements", self.database_statements.into(), 1, 10_000),
            ("database_read_lag", i64::try_from(self.database_read_lag).unwrap_or(i64::MAX), 1, 300),
            ("database_wait", i64::try_from(self.database_wait).unwrap_or(i64::MAX), 0, 3_600),
            ("max_running", wide(self.max_running), 1, 100_000),
            ("max_waiting", wide(self.max_waiting), 0, 100_000),
            ("max_dear_waiting", wide(self.max_dear_waiting), 0, 100_000),
            ("drain_seconds", i64::try_from(self.drain_seconds).unwrap_or(i64::MAX), 0, 300),
            ("mail_connections", wide(self.mail_connections), 1, 100),
        ];
        for (name, value, least, most) in ranges {
            let zh = format!("应为 {least} 至 {most}");
            faults.unless((least..=most).contains(&value), name, zh, format!("must be from {least} to {most}"));
        }
        for (name, days) in [
            ("self_inspection_before", &self.self_inspection_before),
            ("office_check_before", &self.office_check_before),
            ("due_soon_before", &self.due_soon_before),
            ("case_due_soon_before", &self.case_due_soon_before),
        ] {
            let are_right = days.iter().all(|days| (0..=365).contains(days));
            faults.unless(are_right, name, "天数应为 0 至 365", "days must be from 0 to 365");
        }
        for (name, is_zero) in [
            ("max_seconds", self.max_seconds == 0),
            ("max_introduction_seconds", self.max_introduction_seconds == 0),
            ("max_body_bytes", self.max_body_bytes == 0),
            ("max_evidence_bytes", self.max_evidence_bytes == 0),
        ] {
            faults.unless(!is_zero, name, "至少为 1", "must be at least 1");
        }
    }

    /// Notes settings of the database and of mail that contradict each other.
    fn check_contradictions(&self, faults: &mut Faults) {
        for (name, secret, file) in [
            ("database_url", &self.database_url, &self.database_url_file),
            ("database_password", &self.database_password, &self.database_password_file),
            ("database_read_url", &self.database_read_url, &self.database_read_url_file),
            ("mail_url", &self.mail_url, &self.mail_url_file),
            ("mail_password", &self.mail_password, &self.mail_password_file),
        ] {
            let both = format!("{name}_file、{name}");
            let is_one = !is_set(secret) || file.as_os_str().is_empty();
            faults.unless(is_one, &both, "只能设置其中一个", "only one of them can be set");
        }
        let database = !self.database_name.is_empty()
            || !self.database_user.is_empty()
            || self.database_port != 0
            || is_set(&self.database_password)
            || !self.database_password_file.as_os_str().is_empty()
            || !self.database_tls.is_empty()
            || !self.database_ca_file.as_os_str().is_empty();
        let mail = !self.mail_user.is_empty()
            || self.mail_port != 0
            || is_set(&self.mail_password)
            || !self.mail_password_file.as_os_str().is_empty()
            || !self.mail_tls.is_empty()
            || !self.mail_ca_file.as_os_str().is_empty();
        let has_url = |url, file: &std::path::PathBuf| is_set(url) || !file.as_os_str().is_empty();
        for (name, host, has_parts, has_url) in [
            ("database", &self.database_host, database, has_url(&self.database_url, &self.database_url_file)),
            ("mail", &self.mail_host, mail, has_url(&self.mail_url, &self.mail_url_file)),
        ] {
            let setting = format!("{name}_host");
            if has_url && (has_parts || !host.is_empty()) {
                faults.add(Fault::new(
                    format!("{name}_url 与 {name}_host、{name}_port、{name}_user、{name}_password 等分项设置"),
                    "只能用其中一种",
                    "set either the URL or the separate settings",
                ));
                continue;
            }
            let is_folder = name == "database" && host.starts_with('/');
            let is_known = |host: &str| match host.split_once(',') {
                Some(_) if name == "database" => host.split(',').all(|one| Server::parse(one.trim(), 1).is_some()),
                _ => secret::host(host).is_some(),
            };
            faults.unless(
                host.is_empty() || is_folder || is_known(host),
                &setting,
                "应为主机名或 IP 地址，不含用户和密码；端口另有设置，几台数据库服务器可写作 one,two:5433",
                "must be a host name or an IP address, without user and password; the port has a setting of its own; \
                 several servers of a database are written as one,two:5433",
            );
            faults.unless(
                !has_parts || !host.is_empty(),
                &setting,
                format!("设置 {name}_port、{name}_user、{name}_password 等分项时不能为空"),
                format!("must be set with {name}_port, {name}_user, {name}_password and the like"),
            );
        }
    }

    fn check_database(&self, faults: &mut Faults) {
        let is_known = self.database_tls.is_empty() || TLS_MODES.contains(&self.database_tls.as_str());
        faults.unless(
            is_known,
            "database_tls",
            "应为 disable、allow、prefer、require、verify-ca 或 verify-full",
            "must be disable, allow, prefer, require, verify-ca or verify-full",
        );
        // What a file holds is checked when it is read.
        if is_set(&self.database_url)
            && let Some(database) = faults.take(self.database())
        {
            faults.take(crate::database::check("database_url", &database.url));
        }
        let files = [&self.database_url_file, &self.database_password_file];
        if is_set(&self.database_read_url) && files.iter().all(|file| file.as_os_str().is_empty()) {
            faults.take(self.database_to_read());
        }
    }

    fn check_mail(&self, faults: &mut Faults) {
        faults.unless(
            ["", "none", "starttls", "tls"].contains(&self.mail_tls.as_str()),
            "mail_tls",
            "应为 none、starttls 或 tls",
            "must be none, starttls or tls",
        );
        faults.unless(
            !self.mail_user.is_empty()
                || !is_set(&self.mail_password) && self.mail_password_file.as_os_str().is_empty(),
            "mail_user",
            "设置 mail_password 时不能为空",
            "must be set with mail_password",
        );
        if is_set(&self.mail_url)
            && let Some(url) = faults.take(self.mail_url())
        {
            faults.take(Post::check(url.expose_secret()).map_err(|why| Fault::told("mail_url", why)));
        }
        faults.take(Post::check_sender(&self.mail_from).map_err(|why| Fault::told("mail_from", why)));
        for (name, address) in [("audit_head_mail", &self.audit_head_mail), ("mail_bounce_to", &self.mail_bounce_to)] {
            faults.unless(
                address.is_empty() || address.contains('@') && !address.chars().any(char::is_whitespace),
                name,
                "应为一个邮箱地址",
                "must be one mail address",
            );
        }
    }

    fn check_storage(&self, faults: &mut Faults) {
        let address = self.evidence_url.expose_secret();
        if address.is_empty() {
            return;
        }
        let is_readable = address.starts_with("file:") || secret::parsed(address).is_some();
        faults.unless(
            is_readable,
            "evidence_url",
            "应以 file: 或 s3:// 开头；凭据放在环境变量 AWS_…中，不写入地址",
            "must begin with file: or s3://; credentials belong into the environment (AWS_…), not into the address",
        );
        if is_readable {
            faults.take(Storage::check(address).map_err(|why| Fault::told("evidence_url", why)));
        }
    }

    /// Checks the addresses at which the server is reached, and those that may reach it.
    fn check_addresses(&self, faults: &mut Faults) {
        faults.unless(
            self.public_url.is_empty() || is_of_web(&self.public_url),
            "public_url",
            "应为 http:// 或 https:// 开头的地址，不含用户、密码、? 和 #，如 https://ledger.example.cn",
            "must be an address that begins with http:// or https://, without user, password, ? and #, such as \
             https://ledger.example.cn",
        );
        let template = &self.link_template;
        let filled = template.replace("{public_url}", "http://localhost");
        let leads_to_item = template.contains("{token}") || template.contains("{id}");
        faults.unless(
            leads_to_item && ["http://", "https://"].iter().any(|scheme| filled.starts_with(scheme)),
            "link_template",
            "应以 {public_url} 或 https:// 开头，并含有 {token} 或 {id}",
            "must begin with {public_url} or https:// and contain {token} or {id}",
        );
        for origin in &self.origins {
            let right = Url::parse(origin).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
            let right = right.map(|url| url.origin().ascii_serialization());
            if right.as_ref() != Some(origin) {
                let example = right.unwrap_or_else(|| "https://board.example.cn".to_owned());
                faults.add(Fault::new(
                    "origins",
                    format!("各项应为协议和主机，没有路径，如 {example}"),
                    format!("each must be scheme and host without a path, such as {example}"),
                ));
            }
        }
        let are_hosts = self.hosts.iter().all(|host| secret::host(host).is_some());
        let (zh, en) =
            ("各项应为主机名或 IP 地址，不含端口", "each must be a host name or an IP address, without a port");
        faults.unless(are_hosts, "hosts", zh, en);
        faults.take(self.proxies());
        faults.take(self.cors_headers());
        let header = self.proxy_header.to_ascii_lowercase();
        faults.unless(
            ["x-forwarded-for", "forwarded"].contains(&header.as_str()),
            "proxy_header",
            "应为 x-forwarded-for 或 forwarded",
            "must be x-forwarded-for or forwarded",
        );
        faults.take(self.metrics_listen());
        faults.unless(
            self.traces_url.is_empty()
                || secret::parsed(&self.traces_url).is_some_and(|url| {
                    ["http", "https"].contains(&url.scheme()) && url.username().is_empty() && url.password().is_none()
                }),
            "traces_url",
            "应为 http:// 或 https:// 地址，不含用户和密码，如 http://collector:4318/v1/traces",
            "must be a URL without user and password, such as http://collector:4318/v1/traces",
        );
        faults.unless(
            !self.open || self.opens(),
            "open",
            "只能在 public_url 为本机地址且没有 proxies 时使用；供他人访问的系统应建立账户",
            "is only for a public_url of this machine and without proxies; a system that others reach needs accounts",
        );
    }

    fn check_words(&self, faults: &mut Faults) {
        let zone = &self.time_zone;
        faults.unless(
            zone.parse::<Tz>().is_ok(),
            "time_zone",
            format!("没有名为“{zone}”的时区，应为 IANA 名称，如 Asia/Shanghai"),
            "must be the IANA name of a time zone, such as Asia/Shanghai",
        );
        faults.unless(
            telemetry::filter(&self.log).is_some(),
            "log",
            "应为 error、warn、info、debug 或 trace，或按模块写作 info,sqlx=debug",
            "must be error, warn, info, debug or trace, or levels by module such as info,sqlx=debug",
        );
        faults.unless(
            matches!(self.log_format.as_str(), "text" | "json"),
            "log_format",
            "应为 text 或 json",
            "must be text or json",
        );
        faults.take(self.language());
        faults.take(self.second_factor_roles());
        faults.take(Webhooks::check(&self.webhook_allow).map_err(|why| Fault::told("webhook_allow", why)));
    }

    fn check_oidc(&self, faults: &mut Faults) {
        let has_file = !self.oidc_client_secret_file.as_os_str().is_empty();
        if self.oidc_issuer.is_empty() {
            faults.unless(
                self.oidc_client_id.is_empty() && !has_file && !is_set(&self.oidc_client_secret),
                "oidc_issuer",
                "已设置 oidc_client_id 或密钥，还应设置统一身份认证系统的地址",
                "oidc_client_id or a secret is set, so the address of the identity provider must be set as well",
            );
            return;
        }
        faults.unless(
            Oidc::is_safe(&self.oidc_issuer),
            "oidc_issuer",
            "应为 https:// 开头的地址（本机可用 http://）",
            "must be an address that begins with https:// (on this machine, http:// will do)",
        );
        faults.unless(
            Oidc::is_safe(&self.public_url()),
            "public_url",
            "启用 oidc_issuer 时应为 https:// 开头的地址（本机可用 http://），用户从认证系统返回这里",
            "must begin with https:// with oidc_issuer (on this machine, http:// will do): users return here",
        );
        let is_named = !self.oidc_client_id.is_empty();
        faults.unless(is_named, "oidc_client_id", "设置 oidc_issuer 时不能为空", "must be set with oidc_issuer");
        faults.unless(
            has_file != is_set(&self.oidc_client_secret),
            "oidc_client_secret_file、oidc_client_secret",
            "应设置其中一个",
            "one of them must be set",
        );
        let is_labelled = !self.oidc_name.trim().is_empty();
        faults.unless(is_labelled, "oidc_name", "登录按钮的名称不能为空", "the label of the button must not be empty");
    }
}

fn is_set(secret: &SecretString) -> bool {
    !secret.expose_secret().is_empty()
}

/// Whether a text is the address of a site, without secrets, query and fragment.
fn is_of_web(text: &str) -> bool {
    secret::parsed(text).is_some_and(|url| {
        ["http", "https"].contains(&url.scheme())
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
    })
}
