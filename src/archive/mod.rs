//! Moves a whole ledger: into a file (`backup`), out of it (`restore`), and from one database to another (`copy`), be
//! it SQLite or PostgreSQL. The tables are those that the database has, so a new one needs nothing here. Every row is
//! compared after it was written, and keys stay as they are.
//!
//! A backup is a zip file: `tables/NAME.jsonl` has a table with one JSON array per row, `files/…` the evidence, and
//! `manifest.json`, the last entry, what there has to be.

mod file;
mod table;
mod transfer;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub(crate) use self::file::{Backup, write};
pub(crate) use self::transfer::{Source, Target};

/// The version of the form of backups.
const FORMAT: u32 = 1;

/// What a backup contains.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The version of its form.
    format: u32,
    /// The version of the program that made it.
    pub(crate) version: String,
    /// The moment that it shows the ledger of.
    pub(crate) made_at: DateTime<Utc>,
    /// The steps by which the database had been migrated.
    pub(crate) steps: Vec<String>,
    /// What each table has.
    pub(crate) tables: BTreeMap<String, Tally>,
    /// The evidence, if it is included.
    pub(crate) files: Option<Files>,
}

impl Manifest {
    /// Returns the number of rows of all tables.
    pub(crate) fn rows(&self) -> u64 {
        self.tables.values().map(|tally| tally.rows).sum()
    }
}

/// The evidence of a backup.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Files {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
    /// The places of files that the ledger names and the storage did not have, or had with another content.
    pub(crate) faulty: Vec<String>,
}

/// What a table has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) rows: u64,
    /// The sum of the first 16 bytes of the SHA-256 of all rows, in hexadecimal. It does not depend on their order.
    digest: String,
    /// The key that was given last, also if its row is gone; none where the database gives no keys.
    last_key: Option<i64>,
}

/// Adds up the rows of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    rows: u64,
    digest: u128,
}

impl Sum {
    fn add(&mut self, line: &str) {
        use sha2::{Digest, Sha256};
        let hash = Sha256::digest(line.as_bytes());
        let mut first = [0; 16];
        first.copy_from_slice(&hash[..16]);
        self.rows += 1;
        self.digest = self.digest.wrapping_add(u128::from_be_bytes(first));
    }

    fn tally(self, last_key: Option<i64>) -> Tally {
        Tally { rows: self.rows, digest: format!("{:032x}", self.digest), last_key }
    }

    /// Whether these are the rows that a tally is of.
    fn is(self, tally: &Tally) -> bool {
        self.tally(tally.last_key) == *tally
    }
}
