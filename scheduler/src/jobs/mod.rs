//! The registry of jobs. A job is one file here, or one constant of `reminders`, the templates of its mails, and one
//! word in `JOBS`.

pub(crate) mod deliver_mail;
/// The example of `docs/adding.md`, compiled so that it stays right.
#[cfg(test)]
mod monthly_figures;
mod propose_cards;
mod propose_listing;
mod purge_expired;
mod read_bounces;
mod reminders;
mod seal_audit;

use crate::job::Job;
use crate::mail::{Links, Writer, notice};

/// Every job.
pub const JOBS: &[&Job] = &[
    &reminders::QUARTERLY_SELF_INSPECTION,
    &reminders::HALF_YEAR_VERIFICATION,
    &reminders::YEARLY_SPOT_CHECK,
    &reminders::DUE_SOON,
    &reminders::OVERDUE,
    &propose_listing::JOB,
    &propose_cards::JOB,
    &reminders::ESCALATION,
    &reminders::STALE_PROGRESS,
    &reminders::MONTHLY_ACCOUNT,
    &reminders::NOTICE_ENDED,
    &reminders::CASE_DUE_SOON,
    &reminders::CASE_OVERDUE,
    &deliver_mail::JOB,
    &read_bounces::JOB,
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
    let kinds = JOBS.iter().flat_map(|job| job.mails()).chain(notice::kinds());
    Writer::new(links, language, kinds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_that_the_documentation_shows_compiles() {
        let shown = include_str!("../../../docs/adding.md");
        assert!(shown.contains(include_str!("monthly_figures.rs")), "docs/adding.md shows another file");
        assert!(find(monthly_figures::JOB.name).is_none(), "it is only an example");
    }
}
