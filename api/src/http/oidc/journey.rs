//! The journey of a browser to the provider and back. Its data is stored in a cookie of the browser, so that any
//! replica can finish a sign-in that another began. The cookie contains the page to return to and a seed, from which
//! the state, the nonce and the PKCE verifier are derived with a key that only the servers have. The cookie is
//! authenticated with the same key: nobody else can make one, or derive the verifier from it.

use actix_web::HttpRequest;
use actix_web::http::header;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// How long a journey may take, from leaving for the provider to returning.
pub(crate) const MAX_LENGTH: TimeDelta = TimeDelta::minutes(10);

/// The key of journeys, derived from the client secret, so that every replica has the same.
#[derive(Clone)]
pub(crate) struct Key(Hmac<Sha256>);

impl Key {
    /// Makes the key from the client secret.
    pub(crate) fn of(client_secret: &str) -> Option<Self> {
        Hmac::<Sha256>::new_from_slice(client_secret.as_bytes()).ok().map(Self)
    }

    fn tag(&self, purpose: &str, text: &str) -> Hmac<Sha256> {
        let mut tag = self.0.clone();
        tag.update(format!("rectify sign-in {purpose}\n").as_bytes());
        tag.update(text.as_bytes());
        tag
    }

    fn derive(&self, purpose: &str, text: &str) -> String {
        hex::encode(self.tag(purpose, text).finalize().into_bytes())
    }
}

/// A sign-in that has begun: what the cookie stores about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Journey {
    seed: String,
    /// When the journey expires.
    until: DateTime<Utc>,
    /// The SHA-256, in hexadecimal, of a secret of the page that began the sign-in. Only that page can exchange the
    /// code at the end for a session.
    pub(crate) challenge: String,
    /// The address of the page to return to.
    pub(crate) to: String,
}

impl Journey {
    /// Begins a journey with a random seed.
    pub(crate) fn begin(challenge: String, to: String, now: DateTime<Utc>) -> Result<Self, getrandom::Error> {
        let mut seed = [0_u8; 16];
        getrandom::fill(&mut seed)?;
        Ok(Self { seed: hex::encode(seed), until: now + MAX_LENGTH, challenge, to })
    }

    /// Returns whether the journey has expired.
    pub(crate) fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.until <= now
    }

    /// Returns the `state` parameter, which the provider passes back with the browser.
    pub(crate) fn state(&self, key: &Key) -> String {
        key.derive("state", &self.seed)
    }

    /// Returns whether this is the `state` of the journey. The comparison takes constant time.
    pub(crate) fn is_state(&self, key: &Key, state: &str) -> bool {
        hex::decode(state).is_ok_and(|state| key.tag("state", &self.seed).verify_slice(&state).is_ok())
    }

    /// Returns the nonce, which the provider repeats in the ID token.
    pub(crate) fn nonce(&self, key: &Key) -> String {
        key.derive("nonce", &self.seed)
    }

    /// Returns the PKCE verifier, which proves to the provider that this program requested the code.
    pub(crate) fn verifier(&self, key: &Key) -> String {
        key.derive("verifier", &self.seed)
    }

    /// Returns the value of the cookie: the journey as JSON and its authentication tag, both in hexadecimal.
    pub(crate) fn sealed(&self, key: &Key) -> Result<String, serde_json::Error> {
        let text = serde_json::to_string(self)?;
        Ok(format!("{}.{}", hex::encode(&text), key.derive("cookie", &text)))
    }

    /// Reads the value of a cookie; none unless a server with the same key wrote it.
    pub(crate) fn opened(key: &Key, sealed: &str) -> Option<Self> {
        let (text, tag) = sealed.split_once('.')?;
        let text = String::from_utf8(hex::decode(text).ok()?).ok()?;
        key.tag("cookie", &text).verify_slice(&hex::decode(tag).ok()?).ok()?;
        serde_json::from_str(&text).ok()
    }
}

/// The cookie that stores a journey.
pub(crate) struct Cookie {
    /// Whether browsers send the cookie over TLS only. Its `__Host-` prefix then also prevents other hosts from setting
    /// it.
    is_secure: bool,
}

impl Cookie {
    /// Describes the cookie; `is_secure` if the public address of this program uses https.
    pub(crate) fn new(is_secure: bool) -> Self {
        Self { is_secure }
    }

    fn name(&self) -> &'static str {
        if self.is_secure { "__Host-rectify-sign-in" } else { "rectify-sign-in" }
    }

    /// Returns the `Set-Cookie` header that sets the cookie.
    pub(crate) fn set(&self, value: &str) -> String {
        self.written(value, MAX_LENGTH.num_seconds())
    }

    /// Returns the `Set-Cookie` header that removes the cookie.
    pub(crate) fn removed(&self) -> String {
        self.written("", 0)
    }

    fn written(&self, value: &str, seconds: i64) -> String {
        let secure = if self.is_secure { "; Secure" } else { "" };
        format!("{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}", self.name())
    }

    /// Returns the value of the cookie in a request.
    pub(crate) fn of<'a>(&self, request: &'a HttpRequest) -> Option<&'a str> {
        let lines = request.headers().get_all(header::COOKIE).filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == self.name()).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journey_travels_and_nobody_else_writes_one() {
        let key = Key::of("a secret of the client's").unwrap();
        let other = Key::of("a secret of another's").unwrap();
        let now = DateTime::from_timestamp(1_767_322_800, 0).unwrap();
        let journey = Journey::begin("c".repeat(64), "https://ledger.example/".to_owned(), now).unwrap();
        let sealed = journey.sealed(&key).unwrap();
        assert_eq!(Journey::opened(&key, &sealed), Some(journey.clone()));
        assert_eq!(Journey::opened(&other, &sealed), None);
        let (text, tag) = sealed.split_once('.').unwrap();
        let changed =
            hex::encode(String::from_utf8(hex::decode(text).unwrap()).unwrap().replace("ledger", "elsewhere"));
        assert_eq!(Journey::opened(&key, &format!("{changed}.{tag}")), None);
        assert!(journey.is_state(&key, &journey.state(&key)) && !journey.is_state(&key, &journey.nonce(&key)));
        assert!(
            !sealed.contains(&journey.verifier(&key)) && !journey.is_over(now) && journey.is_over(now + MAX_LENGTH)
        );
    }
}
