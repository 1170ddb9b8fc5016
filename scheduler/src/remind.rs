//! What reminders share: their candidates become one digest per address and day, and the digests mails of the outbox.

use ledger::Result;
use ledger::record::database::Transaction;
use ledger::record::outbox;
use ledger::reminder::{self, Find, Plan, Rules, kind_of};

use crate::job::{Occasion, Report, Running};
use crate::mail::{Reading, Source};

/// What tells people of something every morning.
#[derive(Clone, Copy)]
pub(crate) struct Reminder {
    /// Finds who might have to be told.
    pub(crate) find: Find,
    /// Reads what a digest says, on the day of sending.
    pub(crate) read: for<'a> fn(&'a Source<'a>) -> Reading<'a>,
}

/// Queues the digests of the occasion's day. `kind` names the mails and their template.
pub(crate) fn run<'a>(
    occasion: &'a Occasion<'a>,
    transaction: &'a Transaction,
    kind: &'static str,
    find: Find,
) -> Running<'a> {
    Box::pin(async move {
        let (plan, rules) = planned(occasion, transaction, kind, find).await?;
        // A run as of a day to come queues mails that are due now.
        let now = occasion.now.min(occasion.context.now());
        let queued = outbox::enqueue(transaction, kind, &plan, occasion.day(), now).await?;
        let summary = off(occasion, kind, &rules).unwrap_or_else(|| format!("已写入发件箱 {queued} 封邮件"));
        Ok(Report { summary, queued, plan: Some(plan), is_idle: false })
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
        let (plan, rules) = planned(occasion, transaction, kind, find).await?;
        let summary = format!("演练：会产生 {} 封邮件，未写入任何内容", plan.count());
        let summary = off(occasion, kind, &rules).unwrap_or(summary);
        Ok(Report { plan: Some(plan), ..Report::of(summary) })
    })
}

/// Plans the digests of the occasion's day by the rules as they are now.
async fn planned(
    occasion: &Occasion<'_>,
    transaction: &Transaction,
    kind: &'static str,
    find: Find,
) -> Result<(Plan, Rules)> {
    let day = occasion.day();
    let rules = Rules::read(transaction, &occasion.context.timing).await?;
    Ok((reminder::plan(transaction, (kind, find), (day, occasion.context.zone), &rules).await?, rules))
}

/// Says why nothing is sent anywhere on the occasion's day, if that is so.
fn off(occasion: &Occasion<'_>, kind: &str, rules: &Rules) -> Option<String> {
    let day = occasion.day();
    let next = rules.next_day(kind_of(kind)?, day);
    match next {
        Some(next) if next == day => None,
        Some(next) => Some(format!("{day} 是休息日，不发提醒；下一个工作日是 {next}")),
        None => Some("这类提醒已停用".to_owned()),
    }
}
