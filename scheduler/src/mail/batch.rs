//! What mails are written from that is read for many of them together: who they go to, and what digests are about.

use std::time::{Duration, Instant};

use entity::mail::{self, Priority};
use ledger::Result;
use ledger::record::delivery::Recipients;
use sea_orm::ConnectionTrait;

use super::digest::Items;

/// How old what was read may be when a mail is written from it.
const FRESH: Duration = Duration::from_secs(2);

/// What some mails are written from.
pub(crate) struct Batch {
    pub(crate) recipients: Recipients,
    pub(super) items: Items,
    read_at: Instant,
}

impl Batch {
    /// Reads what these mails are written from.
    pub(crate) async fn read<'a, C: ConnectionTrait>(
        db: &C,
        mails: impl Iterator<Item = &'a mail::Model> + Clone,
    ) -> Result<Self> {
        let read_at = Instant::now();
        let digests = mails.clone().filter(|mail| mail.priority == Priority::Digest);
        let digests: Vec<i64> = digests.map(|mail| mail.id).collect();
        Ok(Self { recipients: Recipients::read(db, mails).await?, items: Items::read(db, &digests).await?, read_at })
    }

    /// Whether it still says what the ledger says.
    pub(crate) fn is_fresh(&self) -> bool {
        self.read_at.elapsed() < FRESH
    }
}
