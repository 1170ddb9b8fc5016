//! The registry of jobs: each is one file here and one word in `JOBS`. Names are stable; administrators and tables know
//! them.

mod deliver_mail;
mod due_soon;
mod overdue;
mod quarterly_self_inspection;

use chrono::NaiveDate;
use entity::schedule::Misfire;
use futures_util::future::BoxFuture;
use ledger::reminder::{Candidate, Digest, Plan, Timing};
use sea_orm::DatabaseTransaction;

pub use deliver_mail::Deliver;

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
}

/// The candidates of a reminder, on their way.
pub type Candidates<'a> = BoxFuture<'a, ledger::Result<Vec<Candidate>>>;

/// A reminder: who is told, and in what words.
pub struct Reminder {
    /// Who might have to be told on a day.
    pub candidates: for<'a> fn(&'a DatabaseTransaction, NaiveDate, &'a Timing) -> Candidates<'a>,
    /// The words of its mails.
    pub words: Words,
}

/// The words of a reminder's mails.
pub struct Words {
    /// How urgent it is, in the brackets of the subject, from the days that are left (negative: over).
    pub urgency: fn(i64) -> String,
    /// What the mail is about, from the number of items.
    pub headline: fn(usize) -> String,
    /// What the reader has to do, and by when.
    pub action: &'static str,
    /// The heading of the column that shows days.
    pub days_heading: &'static str,
}

/// Every job.
pub const JOBS: [&Job; 4] = [&quarterly_self_inspection::JOB, &due_soon::JOB, &overdue::JOB, &deliver_mail::JOB];

/// The job of a name.
pub fn find(name: &str) -> Option<&'static Job> {
    JOBS.into_iter().find(|job| job.name == name)
}

/// What a reminder would write.
pub type Rehearsal = Plan;

impl Words {
    /// The subject of a mail before its items are read: how urgent, how many.
    pub(crate) fn subject(&self, digest: &Digest, today: NaiveDate) -> String {
        let left = digest.items.first().map_or(0, |item| (item.due_on - today).num_days());
        format!("【整改催办·{}】{}", (self.urgency)(left), (self.headline)(digest.items.len()))
    }
}

/// Delivers what is due, on the bench's post.
pub(crate) async fn deliver_mail_now(
    bench: &crate::Bench,
    now: &(dyn Fn() -> chrono::DateTime<chrono::Utc> + Send + Sync),
) -> ledger::Result<Deliver> {
    deliver_mail::deliver(&bench.db, &bench.letters, &bench.post, &bench.token, now, &*bench.stopping).await
}
