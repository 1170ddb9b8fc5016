//! `propose-listing`: every morning before the mails, proposes 挂牌督办 of what is long overdue, for a person to
//! decide.

use entity::schedule::Misfire;
use ledger::record::audit::By;
use ledger::reminder::Rules;
use ledger::work::supervision;

use crate::job::{Job, Occasion, Report, Run};

pub(super) const JOB: Job = Job {
    name: "propose-listing",
    about: "挂牌建议：对逾期 30 天（默认）的事项提出挂牌督办建议，由市、区整改办决定",
    cron: "0 30 7 * * *",
    misfire: Misfire::Latest,
    // Each problem is a transaction of its own; what was proposed once is not proposed again.
    run: Run::Before { run: |occasion| Box::pin(run(occasion)), rehearse: |occasion, _| Box::pin(rehearse(occasion)) },
    mails: &[],
};

async fn run(occasion: &Occasion<'_>) -> ledger::Result<Report> {
    let (context, by) = (occasion.context, By::program());
    let acting = context.acting(&by, occasion.now);
    let proposed = supervision::propose(&acting, &Rules::read(&context.db, &context.timing).await?).await?;
    Ok(Report::of(format!("已对 {proposed} 项责任分解提出挂牌督办建议")))
}

async fn rehearse(occasion: &Occasion<'_>) -> ledger::Result<Report> {
    let (context, by) = (occasion.context, By::program());
    let acting = context.acting(&by, occasion.now);
    let count = supervision::to_propose(&acting, &Rules::read(&context.db, &context.timing).await?).await?;
    Ok(Report::of(format!("演示：会对 {count} 项责任分解提出挂牌督办建议，未写入任何内容")))
}
