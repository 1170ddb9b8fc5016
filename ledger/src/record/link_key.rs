//! Links that whoever has them may follow until they expire: in mails, and addresses of files. A key of the
//! installation signs them, so that nothing about them is stored. It also signs the ids of mails.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use sha2::Sha256;

use crate::{Error, Result, random};

/// The bytes of a signature. 128 bits cannot be guessed.
const SIGNATURE: usize = 16;

/// What a signature is of, so that none of one kind is taken for one of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Link,
    MessageId,
}

/// The key that signs links and the ids of mails.
#[derive(Clone)]
pub struct LinkKey(Vec<u8>);

/// What a valid token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Followed<'a> {
    /// What was signed, such as `measure_12`.
    pub what: &'a str,
    /// The moment until which the token is valid, in whole seconds.
    pub until: DateTime<Utc>,
}

/// Why a link is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfollowed {
    /// It is not a link of this installation.
    Foreign,
    /// It has expired.
    Expired,
}

impl LinkKey {
    /// Returns the key of the installation, and creates it at the first use.
    pub async fn load(db: &DatabaseConnection) -> Result<Self> {
        let backend = db.get_database_backend();
        let created = "INSERT INTO link_key (id, secret) VALUES (1, $1) ON CONFLICT (id) DO NOTHING";
        let read = || Statement::from_string(backend, "SELECT secret FROM link_key WHERE id = 1");
        let mut found = db.query_one_raw(read()).await?;
        if found.is_none() {
            db.execute_raw(Statement::from_sql_and_values(backend, created, [random::hexadecimal()?.into()])).await?;
            found = db.query_one_raw(read()).await?;
        }
        let secret: String = found.ok_or_else(|| Error::failed("reading the key of links"))?.try_get("", "secret")?;
        Ok(Self::new(&secret))
    }

    /// Makes a key from a secret.
    pub fn new(secret: &str) -> Self {
        Self(secret.as_bytes().to_vec())
    }

    /// Returns a token for something, such as `measure_12`, that is valid until a moment. It has letters, digits, `_`
    /// and `.` only.
    pub fn sign(&self, what: &str, until: DateTime<Utc>) -> String {
        let said = format!("{what}.{}", until.timestamp());
        format!("{said}.{}", self.signature(Kind::Link, &said))
    }

    /// Returns the signature of the id of a mail, without which nobody can make one.
    pub(super) fn sign_message_id(&self, said: &str) -> String {
        self.signature(Kind::MessageId, said)
    }

    /// Checks the signature of the id of a mail.
    pub(super) fn has_signed_message_id(&self, said: &str, signature: &str) -> bool {
        self.has_signed(Kind::MessageId, said, signature)
    }

    /// Returns what a token stands for, or why it is not accepted at a moment.
    pub fn read<'a>(&self, token: &'a str, now: DateTime<Utc>) -> Result<Followed<'a>, Unfollowed> {
        let (said, signature) = token.rsplit_once('.').ok_or(Unfollowed::Foreign)?;
        if !self.has_signed(Kind::Link, said, signature) {
            return Err(Unfollowed::Foreign);
        }
        let (what, until) = said.rsplit_once('.').ok_or(Unfollowed::Foreign)?;
        let until = until.parse().ok().and_then(|until| DateTime::from_timestamp(until, 0));
        let until = until.ok_or(Unfollowed::Foreign)?;
        if now < until { Ok(Followed { what, until }) } else { Err(Unfollowed::Expired) }
    }

    fn signature(&self, kind: Kind, said: &str) -> String {
        let signature = self.mac(kind, said).map(|mac| hex::encode(&mac.finalize().into_bytes()[..SIGNATURE]));
        signature.unwrap_or_default()
    }

    fn has_signed(&self, kind: Kind, said: &str, signature: &str) -> bool {
        let Ok(signature) = hex::decode(signature) else { return false };
        let mac = self.mac(kind, said).filter(|_| signature.len() == SIGNATURE);
        mac.is_some_and(|mac| mac.verify_truncated_left(&signature).is_ok())
    }

    fn mac(&self, kind: Kind, said: &str) -> Option<Hmac<Sha256>> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).ok()?;
        mac.update(match kind {
            Kind::Link => b"link ",
            Kind::MessageId => b"message-id ",
        });
        mac.update(said.as_bytes());
        Some(mac)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::{Followed, LinkKey, Unfollowed};

    #[test]
    fn a_link_is_followed_until_it_expires_and_not_if_anything_is_changed() {
        let at = |seconds| DateTime::<Utc>::from_timestamp(seconds, 0).unwrap();
        let key = LinkKey::new("key");
        let token = key.sign("measure_12", at(1_000));
        assert_eq!(key.read(&token, at(999)), Ok(Followed { what: "measure_12", until: at(1_000) }));
        assert_eq!(key.read(&token, at(1_000)), Err(Unfollowed::Expired));
        for changed in [token.replace("12", "13"), token.replace("1000", "9000"), format!("{token}00"), String::new()] {
            assert_eq!(key.read(&changed, at(999)), Err(Unfollowed::Foreign), "{changed}");
        }
        assert_eq!(LinkKey::new("other").read(&token, at(999)), Err(Unfollowed::Foreign));
    }
}
