//! `read-bounces`: every five minutes, reads the notifications of mails that came back from the mailbox that the
//! setting `bounce_mailbox` names.

use entity::schedule::Misfire;

use crate::bounce::read_mailbox;
use crate::job::{Job, Occasion, Report, Run};

pub(super) const JOB: Job = Job {
    name: "read-bounces",
    about: "从退信邮箱（bounce_mailbox）读取退信，永久退信的邮箱停止投递；未设置则不读",
    cron: "0 */5 * * * *",
    misfire: Misfire::Skip,
    run: Run::Beside {
        run: |occasion| Box::pin(run(occasion)),
        rehearse: |_, _| Box::pin(async { Ok(Report::of("读取退信不作演练：读过的退信会移入 cur")) }),
    },
    mails: &[],
};

async fn run(occasion: &Occasion<'_>) -> ledger::Result<Report> {
    let Some(folder) = &occasion.context.bounce_mailbox else {
        return Ok(Report { is_idle: true, ..Report::of("未设置 bounce_mailbox，没有读取退信") });
    };
    let read = read_mailbox(occasion.context, folder).await?;
    let summary = format!("读取 {} 封：永久退信 {} 封，暂时退信 {} 封", read.messages, read.hard, read.soft);
    Ok(Report { is_idle: read.messages == 0, ..Report::of(summary) })
}
