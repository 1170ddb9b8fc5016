//! The registry of jobs: each is one file here and one word in `JOBS`. Names are stable; administrators and tables know
//! them.

mod case_due_soon;
mod case_overdue;
mod deliver_mail;
mod due_soon;
mod escalation;
mod overdue;
mod propose_listing;
mod purge_expired;
mod quarterly_self_inspection;
mod seal_audit;

use chrono::NaiveDate;
use entity::schedule::Misfire;
use futures_util::future::BoxFuture;
use ledger::record::database::Transaction;
use ledger::reminder::{Candidate, Timing};

pub use deliver_mail::Deliver;
pub(crate) use deliver_mail::deliver;
pub(crate) use seal_audit::{NOTICE as SEAL_NOTICE, notice as seal_notice};

use crate::letter::Words;

/// A job.
pub struct Job {
    /// Its stable name.
    pub name: &'static str,
    /// What it does, in Chinese, for administrators.
    pub about: &'static str,
    /// When, unless an administrator has changed it: six fields, seconds first.
    pub cron: &'static str,
    /// What becomes of missed occurrences, unless an administrator has changed it.
    pub misfire: Misfire,
    /// What it does.
    pub work: Work,
}

/// What a job does.
pub enum Work {
    /// Writes reminders to the outbox, in the transaction that marks its occurrence as done.
    Remind(Reminder),
    /// Sends what is in the outbox.
    Deliver,
    /// Seals the audit of the day before.
    SealAudit,
    /// Proposes 挂牌督办 of what is long overdue.
    ProposeListing,
    /// Deletes what has been kept for long enough.
    Purge,
}

/// The candidates of a reminder, on their way.
pub type Candidates<'a> = BoxFuture<'a, ledger::Result<Vec<Candidate>>>;

/// A reminder: who is told, and in what words.
pub struct Reminder {
    /// Who might have to be told on a day.
    pub candidates: for<'a> fn(&'a Transaction, NaiveDate, &'a Timing) -> Candidates<'a>,
    /// The words of its mails.
    pub words: Words,
}

/// Every job.
pub const JOBS: [&Job; 10] = [
    &quarterly_self_inspection::JOB,
    &due_soon::JOB,
    &overdue::JOB,
    &propose_listing::JOB,
    &escalation::JOB,
    &case_due_soon::JOB,
    &case_overdue::JOB,
    &deliver_mail::JOB,
    &seal_audit::JOB,
    &purge_expired::JOB,
];

/// The job of a name.
pub fn find(name: &str) -> Option<&'static Job> {
    JOBS.into_iter().find(|job| job.name == name)
}
