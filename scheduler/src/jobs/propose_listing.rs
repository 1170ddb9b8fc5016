//! `propose-listing`: every morning before the mails, 挂牌督办 of what is long overdue is proposed, for a person to decide.

use entity::schedule::Misfire;

use super::{Job, Work};

pub(super) const JOB: Job = Job {
    name: "propose-listing",
    about: "挂牌建议：对逾期 30 天的事项提出挂牌督办建议，由市、区整改办决定",
    cron: "0 30 7 * * *",
    misfire: Misfire::Latest,
    work: Work::ProposeListing,
};
