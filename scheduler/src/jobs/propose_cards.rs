//! `propose-cards`: every morning before the mails, proposes yellow and red cards (黄牌、红牌) for a person to decide.

use entity::schedule::Misfire;
use ledger::record::audit::By;
use ledger::reminder::Rules;
use ledger::work::card;

use crate::job::{Job, Occasion, Report, Run};

pub(super) const JOB: Job = Job {
    name: "propose-cards",
    about: "红黄牌建议：对逾期或没有进展（默认 30 天）的事项建议黄牌，对已有两张黄牌或已挂牌的建议红牌，由整改办决定",
    // After the listings are proposed, so that both are read together.
    cron: "0 35 7 * * *",
    misfire: Misfire::Latest,
    // Each problem is a transaction of its own; what was proposed once is not proposed again.
    run: Run::Before { run: |occasion| Box::pin(run(occasion)), rehearse: |occasion, _| Box::pin(rehearse(occasion)) },
    mails: &[],
};

async fn run(occasion: &Occasion<'_>) -> ledger::Result<Report> {
    let (context, by) = (occasion.context, By::program());
    let acting = context.acting(&by, occasion.now);
    let proposed = card::propose(&acting, &Rules::read(&context.db, &context.timing).await?).await?;
    Ok(Report::of(format!("已提出 {proposed} 项红黄牌建议")))
}

async fn rehearse(occasion: &Occasion<'_>) -> ledger::Result<Report> {
    let (context, by) = (occasion.context, By::program());
    let acting = context.acting(&by, occasion.now);
    let count = card::to_propose(&acting, &Rules::read(&context.db, &context.timing).await?).await?;
    Ok(Report::of(format!("演示：会提出 {count} 项红黄牌建议，未写入任何内容")))
}
