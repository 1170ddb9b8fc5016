//! Passwords: rules for new ones, hashing and comparison.

use std::sync::LazyLock;

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;
use zxcvbn::{Score, zxcvbn};

use crate::fault::{self, Fault};
use crate::{Error, Result};

/// The minimum length of a password, in characters.
const MIN_PASSWORD: usize = 12;
/// The maximum length of a password, in characters; hashing more would only cost time.
const MAX_PASSWORD: usize = 200;

/// Limits concurrent hashing to half of the processors (at least one), so that other requests do not have to wait.
static HASHING: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))));

/// The hash to compare with if there is no account, so that an unknown address takes as long as a known one.
static NOBODY: LazyLock<String> = LazyLock::new(|| hashed("there is no such account").unwrap_or_default());

/// Words that are common in every installation and therefore easily guessed.
const COMMON_HERE: &[&str] = &["rectify", "zhenggai", "ducha", "huanbao"];

/// The hash of a password that passed the rules. Hashing is slow, so it is done before any row is locked.
#[derive(Debug, Clone)]
pub struct Hashed(pub(super) String);

impl Hashed {
    /// Checks the password of a new account and hashes it.
    pub async fn of(password: String, email: &str, name: &str) -> Result<Self> {
        let own = vec![email.trim().to_owned(), name.to_owned()];
        Ok(Self(hash(password, own, &["input", "password"]).await?))
    }
}

/// Checks a password and hashes it. `own` is the address and the name of its owner, which someone guessing may know.
pub(super) async fn hash(password: String, own: Vec<String>, path: &'static [&'static str]) -> Result<String> {
    check(&password, &own, path)?;
    beside(move || hashed(&password)).await?.ok_or_else(|| Error::failed("hashing a password"))
}

/// Refuses a password that is too short, too long, blank, the owner's address or name, or easily guessed.
///
/// The strength is estimated by zxcvbn, which knows common passwords, names, dates, keyboard patterns and repetitions;
/// a score of 3 out of 4 is required.
pub(super) fn check(password: &str, own: &[String], path: &[&str]) -> Result<(), Fault> {
    let length = password.chars().count();
    if !(MIN_PASSWORD..=MAX_PASSWORD).contains(&length) {
        return Err(Fault::invalid(
            format!("密码应为 {MIN_PASSWORD} 至 {MAX_PASSWORD} 个字符"),
            format!("the password must have {MIN_PASSWORD} to {MAX_PASSWORD} characters"),
            path,
        ));
    }
    if fault::is_empty(password) {
        let (zh, en) = ("密码不能只有空格", "the password cannot consist of spaces only");
        return Err(Fault::invalid(zh, en, path));
    }
    let lower = password.to_lowercase();
    let mut known: Vec<String> = own.iter().map(|word| word.to_lowercase()).collect();
    known.extend(own.iter().filter_map(|word| word.split_once('@')).map(|(local, _)| local.to_lowercase()));
    let is_own = known.iter().any(|word| lower.trim() == word.as_str());
    let known: Vec<&str> = known.iter().map(String::as_str).chain(COMMON_HERE.iter().copied()).collect();
    if is_own || zxcvbn(password, &known).score() < Score::Three {
        return Err(Fault::invalid(
            "密码过于常见或容易猜到：请使用几个不相关的词，或更长的密码，不要使用邮箱、姓名、日期和键盘上相邻的字母",
            "the password is too common or too easily guessed: use several unrelated words or a longer password, and \
             avoid your address, your name, dates and rows of keys",
            path,
        ));
    }
    Ok(())
}

fn hashed(password: &str) -> Option<String> {
    Argon2::default().hash_password(password.as_bytes()).ok().map(|hash| hash.to_string())
}

/// Checks a password against a hash. Without a hash it returns false, after the same time.
pub(super) async fn is_right(password: &str, hash: Option<String>) -> Result<bool> {
    let given: String = password.chars().take(MAX_PASSWORD + 1).collect();
    let has_password = hash.is_some();
    let verify = move || {
        let known = hash.as_deref().unwrap_or(&NOBODY);
        PasswordHash::new(known).is_ok_and(|hash| Argon2::default().verify_password(given.as_bytes(), &hash).is_ok())
    };
    Ok(beside(verify).await? && has_password)
}

/// Runs slow work on the blocking thread pool, a few at a time.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let place = HASHING.acquire().await.map_err(|_| Error::failed("waiting to hash a password"))?;
    // The permit moves into the task, so that it is held until the work is done even if the caller stops waiting.
    let working = tokio::task::spawn_blocking(move || {
        let _place = place;
        work()
    });
    working.await.map_err(|_| Error::failed("hashing a password"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_neither_common_nor_its_owner_s() {
        let own = ["office@gov.example".to_owned(), "王小明".to_owned()];
        let is_taken = |password: &str| check(password, &own, &["input", "password"]).is_ok();
        for weak in [
            "short",
            "青山绿水长流不息今日",
            "              ",
            &"\u{3000}".repeat(14),
            "123456789012345",
            "password1234",
            "qwertyuiop12",
            "aaaaaaaaaaaa",
            "office@gov.example",
            "OFFICE@gov.example",
            "202611282026",
            "rectify20262026",
        ] {
            assert!(!is_taken(weak), "{weak:?}");
        }
        for strong in ["correct horse battery", "another long password", "青山绿水长流不息今日可见", "kT9#vQ2!mZ7p"]
        {
            assert!(is_taken(strong), "{strong:?}");
        }
        assert!(!is_taken(&"长".repeat(MAX_PASSWORD + 1)));
    }
}
