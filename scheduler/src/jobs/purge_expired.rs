//! `purge-expired`: every night, deletes sessions and mails that have been kept for long enough.

use entity::schedule::Misfire;
use ledger::record::database::Transaction;
use ledger::record::retention::{self, Purged};

use crate::job::{Job, Occasion, Report, Run};

pub(super) const JOB: Job = Job {
    name: "purge-expired",
    about: "每日删除超过保存期限的登录会话和邮件记录",
    cron: "0 30 2 * * *",
    misfire: Misfire::Latest,
    run: Run::Within {
        run: |occasion, transaction| Box::pin(run(occasion, transaction)),
        rehearse: |_, _| {
            let summary = "清理不作演练：它只删除超过保存期限的会话和邮件记录";
            Box::pin(async move { Ok(Report::of(summary)) })
        },
    },
    mails: &[],
};

async fn run(occasion: &Occasion<'_>, transaction: &Transaction) -> ledger::Result<Report> {
    let Purged { sessions, mails } = retention::purge(transaction, occasion.context.retention, occasion.now).await?;
    Ok(Report::of(format!("已删除 {sessions} 个过期会话、{mails} 封邮件记录")))
}
