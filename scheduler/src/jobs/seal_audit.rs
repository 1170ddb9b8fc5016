//! `seal-audit`: every night, some time after the day's end, the audit of the day before is sealed.

use entity::schedule::Misfire;

use super::{Job, Work};

pub(super) const JOB: Job = Job {
    name: "seal-audit",
    about: "每日封存前一日的审计记录，使缺失或改动可被查出",
    cron: "0 0 1 * * *",
    misfire: Misfire::Latest,
    work: Work::SealAudit,
};
