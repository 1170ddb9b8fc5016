//! A mailbox of notifications: a Maildir, to which a mail server or a fetcher delivers. What was read is moved from
//! `new` to `cur`, after what it says has been recorded.

use std::ffi::OsString;
use std::path::Path;

use ledger::keep::suppression::Bounced;
use ledger::{Error, Result};
use tokio::fs;
use tokio::io::AsyncReadExt;

use super::{MAX_BYTES, read_bounce};
use crate::context::Context;

/// The most messages of one run.
const MAX_MESSAGES: usize = 500;

/// What a run has read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Read {
    /// Messages, of whatever kind.
    pub(crate) messages: usize,
    /// Mails that came back for good.
    pub(crate) hard: usize,
    /// Mails that came back for now, or by a fault that is not the recipient's.
    pub(crate) soft: usize,
}

/// Reads the new messages of a Maildir.
pub(crate) async fn read_mailbox(context: &Context, folder: &Path) -> Result<Read> {
    let (new, cur) = (folder.join("new"), folder.join("cur"));
    let mut read = Read::default();
    for name in names(&new).await? {
        if (context.stopping)() {
            break;
        }
        let path = new.join(&name);
        match beginning(&path).await {
            Ok(message) => match read_bounce(context, &message).await? {
                Bounced::Hard(_) => read.hard += 1,
                Bounced::Soft(_) => read.soft += 1,
                Bounced::Unknown | Bounced::Known => {}
            },
            // Another process was faster.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => tracing::warn!(%error, "a message in bounce_mailbox cannot be read; it is moved aside"),
        }
        read.messages += 1;
        let mut seen = name;
        seen.push(":2,S");
        if let Err(error) = fs::rename(&path, cur.join(seen)).await
            && fs::try_exists(&path).await.unwrap_or(true)
        {
            return Err(failed(&path, error));
        }
    }
    Ok(read)
}

/// Returns the names of some new messages, in the order of their names.
async fn names(new: &Path) -> Result<Vec<OsString>> {
    let cannot = |error| failed(new, error);
    let mut entries = fs::read_dir(new).await.map_err(cannot)?;
    let mut names = Vec::new();
    while names.len() < MAX_MESSAGES
        && let Some(entry) = entries.next_entry().await.map_err(cannot)?
    {
        let name = entry.file_name();
        // A link may lead to what is not for this program's eyes.
        let is_file = entry.file_type().await.is_ok_and(|kind| kind.is_file());
        if is_file && !name.as_encoded_bytes().starts_with(b".") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Reads the beginning of a message.
async fn beginning(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut message = Vec::new();
    fs::File::open(path).await?.take(MAX_BYTES as u64).read_to_end(&mut message).await?;
    Ok(message)
}

fn failed(path: &Path, source: std::io::Error) -> Error {
    Error::File { path: path.display().to_string(), source }
}
