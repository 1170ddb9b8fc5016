//! What is shown of addresses that may hold passwords, and how secrets are read and written. In doubt nothing is shown.

use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serializer;
use url::Url;

use crate::Failure;

/// What stands in a secret's place.
pub(crate) const HIDDEN: &str = "***";

/// What may not stand in a part of an address as it is (RFC 3986, 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What may be shown of an address's query; of anything else neither key nor value is.
const SAFE: [&str; 16] = [
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
    "tls",
    "user",
    "virtual_hosted_style_request",
];

/// What PostgreSQL's driver knows of an address's query, but for `password`. Of what it does not know it logs the value.
const OF_POSTGRES: [&str; 17] = [
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

/// An address in its parts, if it is certain which part is which: an unencoded `#`, `/`, `?` or `@` of a password makes that a
/// guess.
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
    // `scheme:/rest` and `scheme:rest` are addresses without a host, or with one that the parser makes up.
    let has_authority = text.get(url.scheme().len()..).is_some_and(|rest| rest.starts_with("://"));
    (has_authority && !is_odd).then_some(url)
}

/// An address without its secrets; `***` where it cannot be told with certainty what they are.
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
    let Some(url) = parsed(text) else { return HIDDEN.to_owned() };
    let password = if url.password().is_some() { ":***" } else { "" };
    let user = if url.username().is_empty() && password.is_empty() {
        String::new()
    } else {
        format!("{}{password}@", url.username())
    };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = if text.ends_with('/') || url.path() != "/" { url.path() } else { "" };
    let host = url.host_str().unwrap_or_default();
    format!("{}://{user}{host}{port}{path}{}", url.scheme(), shown_query(url.query()))
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

/// The address of a PostgreSQL server without a password, and the password. What the driver does not know is left out: it
/// would log it.
pub(crate) fn without_password(mut url: Url) -> Option<(String, Option<SecretString>)> {
    let mut password = match url.password() {
        Some(encoded) => Some(percent_decode_str(encoded).decode_utf8().ok()?.into_owned()),
        None => None,
    };
    let mut kept = Vec::new();
    for (key, value) in url.query_pairs().into_owned() {
        if key == "password" {
            password = Some(value);
        } else if OF_POSTGRES.contains(&key.as_str()) || key.starts_with("options[") {
            kept.push((key, value));
        } else {
            tracing::warn!("a parameter in the query of database_url is not known and is ignored");
        }
    }
    // Only addresses without a host refuse this, and they have no password.
    let _ = url.set_password(None);
    url.set_query(None);
    if !kept.is_empty() {
        url.query_pairs_mut().extend_pairs(kept);
    }
    Some((url.into(), password.map(SecretString::from)))
}

/// A part of an address, encoded so that it is nothing but that part.
pub(crate) fn encoded(part: &str) -> String {
    utf8_percent_encode(part, RESERVED).to_string()
}

/// A host as it stands in an address; nothing when it is none.
pub(crate) fn host(text: &str) -> Option<String> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<std::net::Ipv6Addr>().is_ok() {
        return Some(format!("[{bare}]"));
    }
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    (!text.is_empty() && text.chars().all(fits)).then(|| text.to_owned())
}

/// Hides a secret where a text, of a driver or a server, holds it after all.
pub(crate) fn scrubbed(text: &str, secret: Option<&SecretString>) -> String {
    match secret.map(SecretString::expose_secret) {
        Some(secret) if !secret.is_empty() => text.replace(secret, HIDDEN).replace(encoded(secret).as_str(), HIDDEN),
        _ => text.to_owned(),
    }
}

/// Reads a secret from a file; the one line break at its end is not a part of it.
pub(crate) fn from_file(setting: &str, file: &Path) -> Result<SecretString, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::InvalidData => "应为 UTF-8 编码".to_owned(),
            _ => format!("无法读取：{error}"),
        };
        Failure::Usage(format!("{setting}：{} {why}", file.display()))
    })?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).into())
}

/// Writes a secret as `***`, and none as nothing.
pub(crate) fn hide<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if secret.expose_secret().is_empty() { "" } else { HIDDEN })
}

/// Writes an address without its secrets.
pub(crate) fn show<S: Serializer>(address: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&shown(address.expose_secret()))
}

/// The same of an address that should hold none.
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
    fn hosts_are_nothing_else() {
        assert_eq!(host("db.example.cn").as_deref(), Some("db.example.cn"));
        assert_eq!(host("::1").as_deref(), Some("[::1]"));
        for bad in ["", "u:p@h", "h/d", "h?x", "postgres://h"] {
            assert_eq!(host(bad), None, "{bad}");
        }
    }
}
