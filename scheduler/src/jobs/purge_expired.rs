//! `purge-expired`: every night, sessions and mails that have been kept for long enough are deleted.

use entity::schedule::Misfire;

use super::{Job, Work};

pub(super) const JOB: Job = Job {
    name: "purge-expired",
    about: "每日删除超过保存期限的登录会话和邮件记录",
    cron: "0 30 2 * * *",
    misfire: Misfire::Latest,
    work: Work::Purge,
};
