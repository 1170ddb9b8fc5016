//! `seal-audit`: every night, some time after the day's end, seals the audit of the day before, and mails the seal to
//! whoever keeps it outside this system.

use entity::audit_head;
use entity::schedule::Misfire;
use ledger::record::audit::{self, Anchor};
use ledger::record::database::Transaction;
use ledger::record::outbox::{self, Notice};
use ledger::rule::calendar;
use serde_json::json;

use crate::job::{Job, Occasion, Report, Run};
use crate::mail::{Kind, notice};

/// The kind of the mail with a seal.
const MAIL: &str = "audit-head";

pub(super) const JOB: Job = Job {
    name: "seal-audit",
    about: "每日封存前一日的审计记录，使缺失或改动可被查出",
    cron: "0 0 1 * * *",
    misfire: Misfire::Latest,
    run: Run::Within {
        run: |occasion, transaction| Box::pin(run(occasion, transaction)),
        rehearse: |_, _| Box::pin(async { Ok(Report::of("封存不作演练：它不发邮件")) }),
    },
    mails: &[Kind { name: MAIL, read: notice::facts, has_office: false }],
};

async fn run(occasion: &Occasion<'_>, transaction: &Transaction) -> ledger::Result<Report> {
    let (context, today) = (occasion.context, occasion.day());
    let until = calendar::moment(today, chrono::NaiveTime::MIN, context.zone);
    let now = context.now();
    let (yesterday, key) = (calendar::plus_days(today, -1), context.audit_key.as_ref());
    let Some(head) = audit::seal(transaction, yesterday, until, key, now).await? else {
        return Ok(Report::of("已是最新"));
    };
    let is_mailed = !context.audit_head_mail.is_empty();
    if is_mailed {
        let day = calendar::local_day(now, context.zone);
        outbox::notify(transaction, &mail(&context.audit_head_mail, &head), (day, now)).await?;
    }
    Ok(Report { queued: usize::from(is_mailed), ..Report::of("已封存前一日的审计记录") })
}

/// The mail with a seal, whose line `DAY:DIGEST` `rectify audit verify --head` takes.
fn mail(recipient: &str, head: &audit_head::Model) -> Notice {
    Notice {
        cause: format!("{MAIL}:{}:{recipient}", head.day),
        kind: MAIL,
        recipient: recipient.to_owned(),
        unit: None,
        facts: json!({
            "reason": Anchor::from(head).to_string(),
            "day": head.day,
            "entries": head.entries,
            "key": Some(&head.key_id).filter(|key| !key.is_empty()),
        }),
        items: Vec::new(),
        case: None,
    }
}
