//! What the program tells administrators about itself: its health, and its settings as they are. The program injects
//! both, because this crate knows neither the settings nor what the program depends on.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::backup;
use futures_util::future::BoxFuture;

/// What the program tells administrators about itself.
#[derive(Clone)]
pub struct Installation {
    /// Examines the program and what it depends on.
    pub examine: Examine,
    /// The effective settings, in the order of their documentation.
    pub settings: Arc<[EffectiveSetting]>,
    /// After how many days without a backup to warn; 0 for never.
    pub backup_days: i64,
}

/// An examination on its way.
pub type Examining = BoxFuture<'static, ledger::Result<Examined>>;

/// Examines the program and what it depends on.
pub type Examine = Arc<dyn Fn() -> Examining + Send + Sync>;

/// The state of the program and of what it depends on.
#[derive(Debug, Clone)]
pub struct Examined {
    /// The version of the program.
    pub version: &'static str,
    /// When the scheduler of this process ticked last; none if it runs none.
    pub ticked_at: Option<DateTime<Utc>>,
    /// The database.
    pub database: ExaminedDatabase,
    /// The outbox and the mail server.
    pub outbox: ExaminedOutbox,
    /// The jobs that are enabled, by name.
    pub jobs: Vec<ExaminedJob>,
    /// How many texts wait to be indexed for searches.
    pub unindexed: u64,
    /// Since when receivers of messages to other systems fail, the longest first.
    pub webhooks_failing_since: Vec<DateTime<Utc>>,
    /// How many files of evidence there are, and their bytes together.
    pub evidence: (u64, u64),
    /// Where the files of evidence are stored, without secrets.
    pub evidence_place: String,
    /// The disks that the ledger is on, as far as they are on this machine.
    pub disks: Vec<ExaminedDisk>,
    /// The backup that was made last, if any was.
    pub backup: Option<backup::Model>,
}

/// The state of the database.
#[derive(Debug, Clone)]
pub struct ExaminedDatabase {
    /// `SQLite` or `PostgreSQL`.
    pub kind: &'static str,
    /// The version of the database program.
    pub version: String,
    /// The size in bytes.
    pub bytes: u64,
    /// The name of the last step by which it was migrated.
    pub step: String,
    /// How many connections of this process are open.
    pub open: u32,
    /// How many of these wait to be used.
    pub idle: u32,
    /// The most connections that this process opens.
    pub most: u32,
    /// Whether it accepts writes.
    pub is_writable: bool,
}

/// The state of the outbox and the mail server.
#[derive(Debug, Clone, Copy)]
pub struct ExaminedOutbox {
    /// How many mails wait or are being sent.
    pub waiting: u64,
    /// How many mails have failed.
    pub failed: u64,
    /// When the oldest that waits was queued.
    pub oldest: Option<DateTime<Utc>>,
    /// Since when the mail server takes no mails; none while it does.
    pub outage_since: Option<DateTime<Utc>>,
}

/// The state of a job.
#[derive(Debug, Clone)]
pub struct ExaminedJob {
    /// The stable name of the job, such as `overdue`.
    pub name: String,
    /// When it last succeeded.
    pub succeeded_at: Option<DateTime<Utc>>,
    /// How many attempts have failed since.
    pub failures: u32,
    /// Since when the next run has been due; none if none is.
    pub due_since: Option<DateTime<Utc>>,
}

/// A folder of this machine that the ledger is in, and what is left of its disk.
#[derive(Debug, Clone)]
pub struct ExaminedDisk {
    /// The path of the folder.
    pub folder: String,
    /// The bytes that are free for the program.
    pub free: u64,
    /// The bytes of the whole disk.
    pub total: u64,
}

/// A setting as it is.
#[derive(Debug, Clone)]
pub struct EffectiveSetting {
    /// The name, such as `mail_from`.
    pub name: String,
    /// The value as the settings file would state it, without secrets.
    pub value: String,
    /// Where the value comes from.
    pub source: SettingSource,
    /// The file, the environment variable or the flag; none for a default.
    pub place: Option<String>,
}

/// Where the value of a setting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingSource {
    /// The defaults of the program.
    Default,
    /// The settings file.
    File,
    /// An environment variable.
    Environment,
    /// A flag of the command line.
    Flag,
}
