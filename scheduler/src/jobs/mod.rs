//! The registry of jobs. A job is one file here, the templates of its mails, and one word in `JOBS`.

mod case_due_soon;
mod case_overdue;
pub(crate) mod deliver_mail;
mod due_soon;
mod escalation;
mod overdue;
mod progress_stale;
mod propose_listing;
mod purge_expired;
mod quarterly_self_inspection;
mod seal_audit;
mod spot_check;
mod verification;

use crate::job::Job;
use crate::mail::{Links, Writer, notice};

/// Every job.
pub const JOBS: &[&Job] = &[
    &quarterly_self_inspection::JOB,
    &verification::JOB,
    &spot_check::JOB,
    &due_soon::JOB,
    &overdue::JOB,
    &propose_listing::JOB,
    &escalation::JOB,
    &progress_stale::JOB,
    &case_due_soon::JOB,
    &case_overdue::JOB,
    &deliver_mail::JOB,
    &seal_audit::JOB,
    &purge_expired::JOB,
];

/// Finds a job by its name.
pub fn find(name: &str) -> Option<&'static Job> {
    JOBS.iter().copied().find(|job| job.name == name)
}

/// A writer that knows the mails of every job and of every act. `language` is that of recipients who have none of their
/// own.
pub fn writer(links: Links, language: entity::language::Language) -> Result<Writer, minijinja::Error> {
    let kinds = JOBS.iter().flat_map(|job| job.mails).copied().chain(notice::kinds());
    Writer::new(links, language, kinds)
}
