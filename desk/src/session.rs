//! The session of a browser: a cookie that only the desk takes, the token that its forms carry, and the banner that
//! the next page shows once.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::state::Desk;

/// The name of the session's cookie. Where the public address is https, it has the prefix that binds it to this host.
const SESSION: &str = "rectify";
/// The name of the cookie with a banner.
const BANNER: &str = "rectify-banner";
/// The name of the cookie with the language that the user chose.
const LANGUAGE: &str = "rectify-language";
/// The name of the cookie of a sign-in at a provider.
const JOURNEY: &str = "rectify-journey";
/// For how many minutes a sign-in at a provider may take.
const JOURNEY_FOR: i64 = 10;
/// The most bytes of the text of a banner: browsers keep cookies of at most 4,096 bytes.
const MAX_BANNER_BYTES: usize = 2700;
/// For how many seconds a banner waits for its page.
const BANNER_FOR: i64 = 60;
/// For how many days a choice of language is kept.
const LANGUAGE_FOR: i64 = 365;

fn name(of: &str, desk: &Desk) -> String {
    if desk.is_secure { format!("__Host-{of}") } else { of.to_owned() }
}

fn cookie(of: &str, value: String, desk: &Desk) -> Cookie<'static> {
    Cookie::build(name(of, desk), value)
        .path("/")
        .http_only(true)
        .secure(desk.is_secure)
        .same_site(SameSite::Lax)
        .finish()
}

fn read(request: &HttpRequest, of: &str, desk: &Desk) -> Option<String> {
    let found = request.cookie(&name(of, desk))?;
    Some(found.value().to_owned()).filter(|value| !value.is_empty())
}

/// Returns the secret of the session that the browser has.
pub(crate) fn secret(request: &HttpRequest, desk: &Desk) -> Option<String> {
    read(request, SESSION, desk)
}

/// Makes the cookie of a session that lasts for some seconds.
pub(crate) fn begin(secret: String, seconds: i64, desk: &Desk) -> Cookie<'static> {
    let mut cookie = cookie(SESSION, secret, desk);
    cookie.set_max_age(Duration::seconds(seconds));
    cookie
}

/// Makes the cookie that ends the session in the browser.
pub(crate) fn end(desk: &Desk) -> Cookie<'static> {
    gone(SESSION, desk)
}

fn gone(of: &str, desk: &Desk) -> Cookie<'static> {
    let mut cookie = cookie(of, String::new(), desk);
    cookie.set_max_age(Duration::ZERO);
    cookie
}

/// What the next page says once: how an act went, with details on lines of their own.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Banner {
    /// Whether something was refused or could not be done.
    pub(crate) is_error: bool,
    /// The outcome, then the details.
    pub(crate) lines: Vec<String>,
}

impl Banner {
    /// Makes a banner that says what was done.
    pub(crate) fn done(text: String) -> Self {
        Self { is_error: false, lines: vec![text] }
    }

    /// Makes a banner that says what was refused.
    pub(crate) fn refused(text: String) -> Self {
        Self { is_error: true, lines: vec![text] }
    }

    /// Makes the cookie with the banner. Lines for which it has no room are left out, with a mark.
    pub(crate) fn cookie(&self, desk: &Desk) -> Cookie<'static> {
        let mut cookie = cookie(BANNER, self.encoded(), desk);
        cookie.set_max_age(Duration::seconds(BANNER_FOR));
        cookie
    }

    fn encoded(&self) -> String {
        let mut text = String::from(if self.is_error { "!" } else { "." });
        for line in &self.lines {
            let line = line.replace('\n', " ");
            if text.len() + line.len() > MAX_BANNER_BYTES {
                text.push_str("\n…");
                break;
            }
            text.push('\n');
            text.push_str(&line);
        }
        URL_SAFE_NO_PAD.encode(text)
    }

    fn decoded(text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (kind, lines) = text.split_once('\n')?;
        Some(Self { is_error: kind == "!", lines: lines.split('\n').map(str::to_owned).collect() })
    }

    /// Returns the banner that waits for a page, if there is one, with the cookie that removes it.
    pub(crate) fn take(request: &HttpRequest, desk: &Desk) -> Option<(Self, Cookie<'static>)> {
        Some((Self::decoded(&read(request, BANNER, desk)?)?, gone(BANNER, desk)))
    }
}

/// Makes the cookie that carries a sign-in at a provider: the proof that this browser began it, and where to go then.
pub(crate) fn journey(proof: &str, to: &str, desk: &Desk) -> Cookie<'static> {
    let to = percent_encoding::utf8_percent_encode(to, percent_encoding::NON_ALPHANUMERIC);
    let mut cookie = cookie(JOURNEY, format!("{proof}.{to}"), desk);
    cookie.set_max_age(Duration::minutes(JOURNEY_FOR));
    cookie
}

/// Returns the proof of a sign-in at a provider and where to go then.
pub(crate) fn read_journey(request: &HttpRequest, desk: &Desk) -> Option<(String, String)> {
    let value = read(request, JOURNEY, desk)?;
    let (proof, to) = value.split_once('.')?;
    let to = percent_encoding::percent_decode_str(to).decode_utf8().ok()?.into_owned();
    Some((proof.to_owned(), to))
}

/// Makes the cookie that keeps the choice of a language.
pub(crate) fn language(is_english: bool, desk: &Desk) -> Cookie<'static> {
    let mut cookie = cookie(LANGUAGE, if is_english { "en" } else { "zh" }.to_owned(), desk);
    cookie.set_max_age(Duration::days(LANGUAGE_FOR));
    cookie
}

/// Returns whether pages are in English: as the user chose, else as the browser asks.
pub(crate) fn is_english(request: &HttpRequest, desk: &Desk) -> bool {
    match read(request, LANGUAGE, desk).as_deref() {
        Some("en") => true,
        Some(_) => false,
        None => api::prefers_english(request),
    }
}

/// Returns the token that forms of a session carry. A page of another site cannot know it.
pub(crate) fn form_token(secret: &str) -> String {
    mac(secret).map(|mac| hex::encode(&mac.finalize().into_bytes()[..16])).unwrap_or_default()
}

fn mac(secret: &str) -> Option<Hmac<Sha256>> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(b"form");
    Some(mac)
}

/// Returns whether a form carries the token of the session. The comparison takes constant time.
pub(crate) fn is_own_form(secret: &str, token: &str) -> bool {
    let Ok(token) = hex::decode(token) else { return false };
    token.len() == 16 && mac(secret).is_some_and(|mac| mac.verify_truncated_left(&token).is_ok())
}

/// Returns whether a form was sent by a page of this site. The API checks that a given origin is known; here it must
/// also be given, by `Origin` or, where a browser sends none, by `Sec-Fetch-Site`.
pub(crate) fn is_from_here(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    match (origin, site) {
        (_, Some(site)) if site != "same-origin" => false,
        (Some(origin), _) => origin.split_once("://").is_some_and(|(_, authority)| authority == host),
        (None, site) => site == Some("same-origin"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_banner_comes_back_from_its_cookie_and_is_never_too_long_for_it() {
        let mut banner = Banner::refused("进展已填报".to_owned());
        banner.lines.push("未能上传：a.exe".to_owned());
        assert_eq!(Banner::decoded(&banner.encoded()), Some(Banner { is_error: true, lines: banner.lines.clone() }));
        banner.lines.extend(std::iter::repeat_n("没有上传的文件".repeat(20), 30));
        let encoded = banner.encoded();
        assert!(encoded.len() < 3800, "{}", encoded.len());
        let read = Banner::decoded(&encoded).unwrap();
        assert_eq!((read.lines[1].as_str(), read.lines.last().unwrap().as_str()), ("未能上传：a.exe", "…"));
    }
}
