//! `case-due-soon`: every morning, the complaint cases that fall due in 3 or 1 days, to who leads them.

use entity::schedule::Misfire;
use ledger::reminder;

use super::{Job, Reminder, Work};
use crate::letter::{Of, Words};

pub(super) const JOB: Job = Job {
    name: "case-due-soon",
    about: "交办案件到期提醒：办理时限前 3、1 天提醒主办单位",
    cron: "0 0 8 * * *",
    misfire: Misfire::Latest,
    work: Work::Remind(Reminder {
        candidates: |db, today, timing| Box::pin(reminder::case::due_soon(db, today, timing)),
        words: Words {
            of: Of::Cases,
            urgency: |left| if left == 0 { "今日到期".to_owned() } else { format!("剩余{left}天") },
            headline: |count| format!("{count}件交办案件即将到期"),
            whose: "贵单位有",
            action: "请抓紧调查核实和整改，在时限内填报办理情况并办结。",
            days_heading: "剩余天数",
        },
    }),
};
