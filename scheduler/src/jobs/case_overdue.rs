//! `case-overdue`: every morning, the complaint cases that are open past their deadline, to who leads them and the office above.

use entity::schedule::Misfire;
use ledger::reminder;

use super::{Job, Reminder, Work};
use crate::letter::{Of, Words};

pub(super) const JOB: Job = Job {
    name: "case-overdue",
    about: "交办案件逾期提醒：主办单位，抄送市整改办；同一案件每 7 天一次",
    cron: "0 0 8 * * *",
    misfire: Misfire::Latest,
    work: Work::Remind(Reminder {
        candidates: |db, today, timing| Box::pin(reminder::case::overdue(db, today, timing)),
        words: Words {
            of: Of::Cases,
            urgency: |left| format!("逾期{}天", -left),
            headline: |count| format!("{count}件交办案件已逾期"),
            whose: "贵单位有",
            action: "请立即办理，于 3 个工作日内填报办理情况；已整改到位的，请办结并提请验收。",
            days_heading: "逾期天数",
        },
    }),
};
