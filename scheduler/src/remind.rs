//! What reminders share: their candidates become one digest per address and day, and the digests mails of the outbox.

use chrono::NaiveDate;
use chrono_tz::Tz;
use futures_util::future::BoxFuture;
use ledger::Result;
use ledger::record::database::Transaction;
use ledger::record::outbox;
use ledger::reminder::{self, Candidate, Timing};

use crate::job::{Occasion, Report, Running};

/// The candidates of a reminder, on their way.
pub(crate) type Candidates<'a> = BoxFuture<'a, Result<Vec<Candidate>>>;

/// Finds who might have to be told on a day of a time zone.
pub(crate) type Find = for<'a> fn(&'a Transaction, (NaiveDate, Tz), &'a Timing) -> Candidates<'a>;

/// Queues the digests of the occasion's day. `kind` names the mails and their template.
pub(crate) fn run<'a>(
    occasion: &'a Occasion<'a>,
    transaction: &'a Transaction,
    kind: &'static str,
    find: Find,
) -> Running<'a> {
    Box::pin(async move {
        let day = occasion.day();
        let candidates = find(transaction, (day, occasion.context.zone), &occasion.context.timing).await?;
        let plan = reminder::plan(transaction, kind, &candidates, day).await?;
        // A run as of a day to come queues mails that are due now.
        let now = occasion.now.min(occasion.context.now());
        let queued = outbox::enqueue(transaction, kind, &plan, day, now).await?;
        Ok(Report {
            summary: format!("已写入发件箱 {queued} 封邮件"), queued, plan: Some(plan), is_idle: false
        })
    })
}

/// Says which digests a run would queue.
pub(crate) fn rehearse<'a>(
    occasion: &'a Occasion<'a>,
    transaction: &'a Transaction,
    kind: &'static str,
    find: Find,
) -> Running<'a> {
    Box::pin(async move {
        let day = occasion.day();
        let candidates = find(transaction, (day, occasion.context.zone), &occasion.context.timing).await?;
        let plan = reminder::plan(transaction, kind, &candidates, day).await?;
        let summary = format!("演练：会产生 {} 封邮件，未写入任何内容", plan.digests.len());
        Ok(Report { plan: Some(plan), ..Report::of(summary) })
    })
}
