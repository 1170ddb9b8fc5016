//! Redacts URLs that may contain passwords, and reads and serialises secrets. When in doubt, the whole URL is hidden.

use std::fmt;
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serializer;
use url::Url;

use crate::settings::Fault;

/// The text shown in place of a secret.
pub(crate) const HIDDEN: &str = "***";

/// Characters to percent-encode in a component of a URL: all but the unreserved ones of RFC 3986, section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Query parameters whose values are shown. Of any other parameter neither the key nor the value is shown.
const SAFE: &[&str] = &[
    "allow_http",
    "application_name",
    "ca",
    "dbname",
    "endpoint",
    "host",
    "hostaddr",
    "mode",
    "port",
    "region",
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    SESSIONS,
    "tls",
    "user",
    "virtual_hosted_style_request",
];

/// Query parameters that the PostgreSQL driver knows, except `password`. The driver logs the value of an unknown
/// parameter.
const OF_POSTGRES: &[&str] = &[
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// The query parameter by which a PostgreSQL URL says which of its servers to use.
pub(crate) const SESSIONS: &str = "target_session_attrs";

/// Parses a URL. Returns `None` if its components are ambiguous, as with an unencoded `#`, `/`, `?` or `@` in a
/// password.
pub(crate) fn parsed(text: &str) -> Option<Url> {
    if text.trim() != text || text.contains(char::is_control) {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let is_odd = url.cannot_be_a_base()
        || url.fragment().is_some()
        || (url.is_special() && text.contains('\\'))
        || url.path().contains('@')
        || url.query().is_some_and(|query| query.contains('@'))
        || url.query_pairs().any(|(key, value)| SAFE.contains(&&*key) && value.contains('@'));
    // `scheme:/rest` and `scheme:rest` have no host, or one that the parser makes up.
    let has_authority = text.get(url.scheme().len()..).is_some_and(|rest| rest.starts_with("://"));
    (has_authority && !is_odd).then_some(url)
}

/// Whether the port of a URL is a number that is no port. Says nothing of a URL whose password may hold the colon.
pub(crate) fn has_bad_port(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let place = authority.rsplit('@').next().unwrap_or_default();
    let port = place.rsplit_once(':').map(|(_, port)| port).unwrap_or_default();
    let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    is_number && !port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Splits a PostgreSQL URL that names several servers into the URL of the first one, and the others. Returns `None` if
/// it names one, or if a part is no server.
pub(crate) fn servers(text: &str) -> Option<(String, Vec<Server>)> {
    let (scheme, rest) = text.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let at = authority.rfind('@').map_or(0, |at| at + 1);
    let (user, named) = authority.split_at(at);
    let mut all = named.split(',').map(|name| Server::parse(name, 5432));
    let first = all.next()??;
    let others: Vec<Server> = all.collect::<Option<_>>()?;
    (!others.is_empty()).then(|| (format!("{scheme}://{user}{first}{path}"), others))
}

/// A server of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// A host name or IP address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Server {
    /// Reads `host` or `host:port`. `port` is that of a server without one. Returns `None` if the text is neither.
    pub(crate) fn parse(text: &str, port: u16) -> Option<Self> {
        let (host, port) = if let Some(host) = host(text) {
            (host, port)
        } else {
            let (name, port) = text.rsplit_once(':')?;
            (host(name)?, port.parse().ok().filter(|port| *port > 0)?)
        };
        Some(Self { host: host.trim_matches(['[', ']']).to_owned(), port })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Returns a URL with its secrets replaced by `***`, or just `***` if its components are ambiguous.
pub(crate) fn shown(text: &str) -> String {
    for scheme in ["sqlite:", "file:"] {
        if let Some(rest) = text.strip_prefix(scheme) {
            let (file, query) = rest.split_once('?').map_or((rest, None), |(file, query)| (file, Some(query)));
            if file.contains('@') && file.contains(':') {
                return HIDDEN.to_owned();
            }
            return format!("{scheme}{file}{}", shown_query(query));
        }
    }
    if text.is_empty() {
        return String::new();
    }
    let (first, others) = servers(text).unwrap_or_else(|| (text.to_owned(), Vec::new()));
    let Some(url) = parsed(&first) else { return HIDDEN.to_owned() };
    let others: Vec<String> = others.iter().map(|server| format!(",{server}")).collect();
    let others = others.concat();
    let password = if url.password().is_some() { ":***" } else { "" };
    let user = if url.username().is_empty() && password.is_empty() {
        String::new()
    } else {
        format!("{}{password}@", url.username())
    };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = if text.ends_with('/') || url.path() != "/" { url.path() } else { "" };
    let host = url.host_str().unwrap_or_default();
    format!("{}://{user}{host}{port}{others}{path}{}", url.scheme(), shown_query(url.query()))
}

fn shown_query(query: Option<&str>) -> String {
    let Some(query) = query else { return String::new() };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((key, _)) if SAFE.contains(&key) => pair,
        Some(("password", _)) => "password=***",
        _ => HIDDEN,
    });
    format!("?{}", pairs.collect::<Vec<_>>().join("&"))
}

/// Splits a PostgreSQL URL into the URL without the password, and the password. Drops query parameters that the driver
/// does not know, because it would log them. Returns `None` if the password is not UTF-8.
pub(crate) fn without_password(mut url: Url) -> Option<(String, Option<SecretString>)> {
    let mut password = match url.password() {
        Some(encoded) => Some(percent_decode_str(encoded).decode_utf8().ok()?.into_owned()),
        None => None,
    };
    let mut kept = Vec::new();
    for (key, value) in url.query_pairs().into_owned() {
        if key == "password" {
            password = Some(value);
        } else if key == SESSIONS {
            // Only a server that can be written to is ever used.
        } else if OF_POSTGRES.contains(&key.as_str()) || key.starts_with("options[") {
            kept.push((key, value));
        } else {
            tracing::warn!("ignored an unknown query parameter of a database's URL");
        }
    }
    // Fails only for a URL without a host, which has no password either.
    let _ = url.set_password(None);
    url.set_query(None);
    if !kept.is_empty() {
        url.query_pairs_mut().extend_pairs(kept);
    }
    Some((url.into(), password.map(SecretString::from)))
}

/// Percent-encodes a component of a URL.
pub(crate) fn encoded(part: &str) -> String {
    utf8_percent_encode(part, RESERVED).to_string()
}

/// Returns a host name or IP address in the form used in URLs, with brackets around IPv6. Returns `None` if the text is
/// neither.
pub(crate) fn host(text: &str) -> Option<String> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<std::net::Ipv6Addr>().is_ok() {
        return Some(format!("[{bare}]"));
    }
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    (!text.is_empty() && text.chars().all(fits)).then(|| text.to_owned())
}

/// Replaces every occurrence of a secret, plain or percent-encoded, in a message of a driver or server.
pub(crate) fn scrubbed(text: &str, secret: Option<&SecretString>) -> String {
    match secret.map(SecretString::expose_secret) {
        Some(secret) if !secret.is_empty() => text.replace(secret, HIDDEN).replace(encoded(secret).as_str(), HIDDEN),
        _ => text.to_owned(),
    }
}

/// Reads a secret from a file, without the line break at its end. `setting` names the setting in error messages.
pub(crate) fn from_file(setting: &str, file: &Path) -> Result<SecretString, Fault> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let file = file.display();
        match error.kind() {
            std::io::ErrorKind::InvalidData => Fault::new(setting, format!("{file} 应为 UTF-8 编码"), "must be UTF-8"),
            _ => Fault::new(setting, format!("{file} 无法读取：{error}"), "the file cannot be read"),
        }
    })?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).into())
}

/// Serialises a secret as `***`, and an empty one as an empty string.
pub(crate) fn hide<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if secret.expose_secret().is_empty() { "" } else { HIDDEN })
}

/// Serialises a URL with its secrets redacted.
pub(crate) fn show<S: Serializer>(address: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&shown(address.expose_secret()))
}

/// Serialises a URL that should contain no secrets, redacting any that it does contain.
pub(crate) fn show_text<S: Serializer>(address: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&shown(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_certain_is_shown_without_secrets() {
        for (address, seen) in [
            ("postgres://u:s3cret@h:5433/d?sslmode=require", "postgres://u:***@h:5433/d?sslmode=require"),
            ("postgres://u@h/d?password=s3cret", "postgres://u@h/d?password=***"),
            ("postgres://u@h/d?sslpassword=s3cret&s3cret", "postgres://u@h/d?***&***"),
            ("postgres://u:a@s3cret@h/d", "postgres://u:***@h/d"),
            ("postgres:///d?host=/run/postgresql", "postgres:///d?host=/run/postgresql"),
            ("sqlite:./数据/rectify.db?mode=ro&key=s3cret", "sqlite:./数据/rectify.db?mode=ro&***"),
            ("postgres://u:s3cret@h:5433,i,[::1]:5434/d", "postgres://u:***@h:5433,i:5432,[::1]:5434/d"),
            ("smtps://u:s3cret@mail.example.cn", "smtps://u:***@mail.example.cn"),
            ("s3://files/a?region=cn&endpoint=http://minio:9000", "s3://files/a?region=cn&endpoint=http://minio:9000"),
            ("https://u:s3cret@ledger.example", "https://u:***@ledger.example"),
            ("https://ledger.example/a/", "https://ledger.example/a/"),
            ("", ""),
        ] {
            assert_eq!(shown(address), seen, "{address}");
        }
    }

    #[test]
    fn what_is_uncertain_is_hidden_whole() {
        for address in [
            "postgres://u:s3#cret@h/d",
            "postgres://u:12#cret@h/d",
            "postgres://u:12/cret@h/d",
            "postgres://u:12?cret@h/d",
            "postgres://u:12#cret",
            "postgres://u:s3cret@h:99999/d",
            "postgres://u:s3cret@h,i:99999/d",
            "postgres:u:s3cret@h/d",
            "postgres:/u:s3cret@h/d",
            "u:s3cret@h/d",
            "smtp:ledger:s3cret@h",
            "s3cret",
            "12345678",
            "https://ledger.example\\:s3cret@h",
            "postgres://u:s3\tcret@h/d",
            "s3://files?endpoint=http%3A%2F%2Fu%3As3cret%40h",
            "sqlite://u:s3cret@h/d",
        ] {
            assert_eq!(shown(address), HIDDEN, "{address}");
        }
    }

    #[test]
    fn a_password_leaves_its_address() {
        let (url, password) = without_password(parsed("postgres://u:p%23a%2Fs@h/d?sslmode=disable").unwrap()).unwrap();
        assert_eq!((url.as_str(), password.unwrap().expose_secret()), ("postgres://u@h/d?sslmode=disable", "p#a/s"));
        let (url, password) =
            without_password(parsed("postgres://u@h/d?password=p%23a&sslpassword=x").unwrap()).unwrap();
        assert_eq!((url.as_str(), password.unwrap().expose_secret()), ("postgres://u@h/d", "p#a"));
    }

    #[test]
    fn several_servers_are_told_apart() {
        let several = |text| servers(text).map(|(first, others)| format!("{first} {others:?}"));
        let of = |host: &str, port| format!("{:?}", [Server { host: host.to_owned(), port }]);
        let two = Some(format!("postgres://u:a,b@h:1/d?x=1,2 {}", of("i", 2)));
        assert_eq!(several("postgres://u:a,b@h:1,i:2/d?x=1,2"), two);
        assert_eq!(several("postgres://h,[::1]"), Some(format!("postgres://h:5432 {}", of("::1", 5432))));
        for one in ["postgres://u:a,b@h/d", "postgres://h,/d", "postgres://h,i:0/d", "postgres:///d?host=a,b"] {
            assert_eq!(several(one), None, "{one}");
        }
    }

    #[test]
    fn hosts_are_nothing_else() {
        assert_eq!(host("db.example.cn").as_deref(), Some("db.example.cn"));
        assert_eq!(host("::1").as_deref(), Some("[::1]"));
        for bad in ["", "u:p@h", "h/d", "h?x", "postgres://h"] {
            assert_eq!(host(bad), None, "{bad}");
        }
    }
}
