//! `escalation`: every morning, what stays overdue, to the city's office, the leaders of who leads, and the office again
//! where 挂牌督办 is proposed; once per level.

use entity::schedule::Misfire;
use ledger::reminder;

use super::{Job, Reminder, Work};
use crate::letter::{Of, Words};

pub(super) const JOB: Job = Job {
    name: "escalation",
    about: "逾期升级：逾期 7 天报市整改办，15 天报牵头单位领导，30 天请市整改办决定是否挂牌督办，每级一次",
    cron: "0 0 8 * * *",
    misfire: Misfire::Latest,
    work: Work::Remind(Reminder {
        candidates: |db, today, timing| Box::pin(reminder::escalation::candidates(db, today, timing)),
        words: Words {
            of: Of::Measures,
            urgency: |left| format!("升级督办·逾期{}天", -left),
            headline: |count| format!("{count}项长期逾期、需调度督办"),
            whose: "所辖或所牵头的整改任务中，有",
            action: "请调度、督促责任单位限期完成整改；注明“建议挂牌督办”的事项，请整改办在平台上决定采纳或不采纳。",
            days_heading: "逾期天数",
        },
    }),
};
