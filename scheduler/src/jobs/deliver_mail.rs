//! `deliver-mail`: every minute, sends what is due in the outbox. What is queued meanwhile is sent at once (`wake`).

use entity::schedule::Misfire;

use crate::delivery;
use crate::job::{Job, Occasion, Report, Run};
use crate::mail::{Kind, notice};

pub(super) const JOB: Job = Job {
    name: NAME,
    about: "投递发件箱中到时的邮件；新邮件入箱后随即投递",
    cron: "0 * * * * *",
    misfire: Misfire::Skip,
    run: Run::Beside {
        run: |occasion| Box::pin(run(occasion)),
        rehearse: |_, _| {
            let summary = "投递不作演练：请用 `rectify mail list --state queued` 查看待发邮件";
            Box::pin(async move { Ok(Report::of(summary)) })
        },
    },
    mails: &[Kind { name: "address-suppressed", read: notice::facts, has_office: false }],
};

/// The name of the job.
pub(crate) const NAME: &str = "deliver-mail";

/// Delivers what is due: by hand, what is due at the given moment; otherwise, what falls due while the run goes on.
async fn run(occasion: &Occasion<'_>) -> ledger::Result<Report> {
    let due_by = occasion.is_by_hand.then_some(occasion.occurrence);
    let done = delivery::deliver(occasion.context, due_by).await?;
    let mut summary = format!("已发送 {} 封，取消 {} 封，失败 {} 封", done.sent, done.cancelled, done.failed);
    if let Some((_, why)) = &done.outage {
        summary = format!("{summary}；邮件服务器暂不收信，其余邮件待其恢复后投递：{why}");
    }
    Ok(Report { is_idle: done.is_idle(), ..Report::of(summary) })
}
