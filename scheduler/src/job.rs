//! What a job is: when it runs, what it does, what it would do, and which mails it causes.

use chrono::{DateTime, NaiveDate, Utc};
use entity::schedule::Misfire;
use futures_util::future::BoxFuture;
use ledger::Result;
use ledger::record::database::Transaction;
use ledger::reminder::Plan;
use ledger::rule::calendar;

use crate::context::Context;
use crate::mail::Kind;
use crate::remind::{self, Reminder};

/// A job, by the registry in `jobs`.
pub struct Job {
    /// The stable name, by which administrators and tables know it.
    pub name: &'static str,
    /// What it does, in Chinese, for administrators.
    pub about: &'static str,
    /// The default pattern: six fields, seconds first. An administrator may change it.
    pub cron: &'static str,
    /// What becomes of missed occurrences by default. An administrator may change it.
    pub misfire: Misfire,
    /// What it does at an occurrence.
    pub(crate) run: Run,
    /// The kinds of mails that it causes, besides the digests of a reminder.
    pub(crate) mails: &'static [Kind],
}

impl Job {
    /// What it looks for, if it reminds people by digests.
    pub(crate) fn reminder(&self) -> Option<Reminder> {
        match self.run {
            Run::Reminds(reminder) => Some(reminder),
            Run::Within { .. } | Run::Before { .. } | Run::Beside { .. } => None,
        }
    }

    /// Whether it reminds people by digests.
    pub fn is_reminder(&self) -> bool {
        self.reminder().is_some()
    }

    /// Whether it runs beside the ticks, for as long as it takes.
    pub fn is_beside(&self) -> bool {
        matches!(self.run, Run::Beside { .. })
    }

    /// Every kind of mail that it causes. The digests of a reminder are named after it.
    pub(crate) fn mails(&self) -> impl Iterator<Item = Kind> {
        let digest = self.reminder().map(|Reminder { read, .. }| Kind { name: self.name, read, has_office: true });
        self.mails.iter().copied().chain(digest)
    }

    /// Does what belongs to the transaction in which the schedule moves on, if anything does.
    pub(crate) fn within<'a>(&self, occasion: &'a Occasion<'a>, transaction: &'a Transaction) -> Option<Running<'a>> {
        match self.run {
            Run::Reminds(reminder) => Some(remind::run(occasion, transaction, self.name, reminder.find)),
            Run::Within { run, .. } => Some(run(occasion, transaction)),
            Run::Before { .. } | Run::Beside { .. } => None,
        }
    }

    /// Says what a run would do. What it writes is to be rolled back.
    pub(crate) fn rehearse<'a>(&self, occasion: &'a Occasion<'a>, transaction: &'a Transaction) -> Running<'a> {
        match self.run {
            Run::Reminds(reminder) => remind::rehearse(occasion, transaction, self.name, reminder.find),
            Run::Within { rehearse, .. } | Run::Before { rehearse, .. } | Run::Beside { rehearse, .. } => {
                rehearse(occasion, transaction)
            }
        }
    }
}

/// What a job does, and how its run relates to the transaction in which its schedule moves on. `rehearse` says what a
/// run would do.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// Within that transaction: tells people what it finds, by one digest per address and day.
    Reminds(Reminder),
    /// Within that transaction: the run and its record are committed together.
    Within { run: InTransaction, rehearse: InTransaction },
    /// Before it, in transactions of its own. A run that is repeated must find nothing left to do.
    Before { run: Alone, rehearse: InTransaction },
    /// After it, beside the following ticks, for as long as it takes. Only one runs at a time.
    Beside { run: Alone, rehearse: InTransaction },
}

/// Something done within a transaction of the caller's.
pub(crate) type InTransaction = for<'a> fn(&'a Occasion<'a>, &'a Transaction) -> Running<'a>;

/// Something done in transactions of its own.
pub(crate) type Alone = for<'a> fn(&'a Occasion<'a>) -> Running<'a>;

/// A run that is under way.
pub(crate) type Running<'a> = BoxFuture<'a, Result<Report>>;

/// One occurrence of a job.
pub(crate) struct Occasion<'a> {
    /// What the job works with.
    pub(crate) context: &'a Context,
    /// The moment that the run is of.
    pub(crate) occurrence: DateTime<Utc>,
    /// The moment at which it is carried out; by hand: the moment that was asked for.
    pub(crate) now: DateTime<Utc>,
    /// Whether an administrator runs the job, beside its schedule.
    pub(crate) is_by_hand: bool,
}

impl Occasion<'_> {
    /// The local day of the occurrence.
    pub(crate) fn day(&self) -> NaiveDate {
        calendar::local_day(self.occurrence, self.context.zone)
    }
}

/// What a run did, or would do.
#[derive(Debug, Default)]
pub struct Report {
    /// What it did, in Chinese, for administrators.
    pub summary: String,
    /// How many mails it queued.
    pub queued: usize,
    /// For a reminder: the digests, and what reaches no one.
    pub plan: Option<Plan>,
    /// Whether there was nothing to do, so that a run of every minute leaves no record.
    pub is_idle: bool,
}

impl Report {
    /// A report that is only a summary.
    pub(crate) fn of(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), ..Self::default() }
    }
}
