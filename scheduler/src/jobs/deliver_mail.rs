//! `deliver-mail`: every minute, sends what is due in the outbox: claim, read anew, write, send, settle.

use entity::schedule::Misfire;
use ledger::record::outbox::{self, Claimed, Fate};

use crate::context::Context;
use crate::job::{Job, Occasion, Report, Run};
use crate::mail::Unwritten;
use crate::mail::post::PostError;

pub(super) const JOB: Job = Job {
    name: "deliver-mail",
    about: "投递发件箱中到时的邮件",
    cron: "0 * * * * *",
    misfire: Misfire::Skip,
    run: Run::Beside(|occasion| Box::pin(run(occasion))),
    rehearse: |_, _| {
        let summary = "投递不作演练：请用 `rectify mail list --state queued` 查看待发邮件";
        Box::pin(async move { Ok(Report::of(summary)) })
    },
    mails: &[],
};

/// The most mails of one run; the others wait for the next minute.
const MOST: usize = 1_000;

/// How many mails a run has dealt with, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Delivered {
    sent: usize,
    cancelled: usize,
    failed: usize,
}

/// Delivers what is due: by hand, what is due at the given moment; otherwise, what falls due while the run goes on.
async fn run(occasion: &Occasion<'_>) -> ledger::Result<Report> {
    let context = occasion.context;
    let due_by = occasion.is_by_hand.then_some(occasion.occurrence);
    let mut done = Delivered::default();
    let mut tried = Vec::new();
    for _ in 0..MOST {
        if (context.stopping)() {
            break;
        }
        // The clock is read anew for every mail, so that leases hold.
        let now = context.now();
        let claimed = outbox::claim(&context.db, due_by.unwrap_or(now), now, &context.token, &tried).await?;
        let Some(claimed) = claimed else { break };
        tried.push(claimed.mail.id);
        let fate = deliver(context, &claimed).await?;
        match &fate {
            Fate::Sent(_) => done.sent += 1,
            Fate::Cancelled(_) => done.cancelled += 1,
            Fate::Retry(_) | Fate::Refused(_) => done.failed += 1,
        }
        if !outbox::settle(&context.db, &claimed, fate, context.now()).await? {
            tracing::warn!(mail = claimed.mail.id, "the lease on a mail was lost: another process delivers it");
        }
    }
    let Delivered { sent, cancelled, failed } = done;
    let summary = format!("已发送 {sent} 封，取消 {cancelled} 封，失败 {failed} 封");
    Ok(Report { is_idle: done == Delivered::default(), ..Report::of(summary) })
}

/// Writes a claimed mail from what the ledger says now, and sends it.
async fn deliver(context: &Context, claimed: &Claimed) -> ledger::Result<Fate> {
    let (mail, now) = (&claimed.mail, context.now());
    if outbox::is_dead(&context.db, &mail.recipient, context.zone, now).await? {
        return Ok(Fate::Cancelled("收件人的账户已停用或过期".to_owned()));
    }
    let message = match context.writer.write(&context.db, mail, (now, context.zone)).await {
        Ok(Some(message)) => message,
        Ok(None) => return Ok(Fate::Cancelled("发送前复核：所列事项均已完成、销号或不涉及".to_owned())),
        // A reminder of an earlier version.
        Err(Unwritten::Unknown) => return Ok(Fate::Refused(format!("没有名为 {} 的提醒", mail.kind))),
        Err(error) => {
            tracing::error!(mail = mail.id, error = &error as &dyn std::error::Error, "a mail could not be written");
            return Ok(Fate::Retry("邮件内容生成失败".to_owned()));
        }
    };
    Ok(match context.post.send(&message, mail, now).await {
        Ok(()) => Fate::Sent(message.subject),
        Err(PostError::Refused(why)) => Fate::Refused(why),
        Err(PostError::Unavailable(why)) => Fate::Retry(why),
    })
}
