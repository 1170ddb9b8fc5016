//! `overdue`: every morning, what is open past its deadline, to who answers, leads and supervises.

use entity::schedule::Misfire;
use ledger::reminder;

use super::{Job, Reminder, Work};
use crate::letter::{Of, Words};

pub(super) const JOB: Job = Job {
    name: "overdue",
    about: "逾期提醒：责任单位、牵头单位，抄送督导单位；同一事项每 7 天一次",
    cron: "0 0 8 * * *",
    misfire: Misfire::Latest,
    work: Work::Remind(Reminder {
        candidates: |db, today, timing| Box::pin(reminder::overdue::candidates(db, today, timing)),
        words: Words {
            of: Of::Measures,
            urgency: |left| format!("逾期{}天", -left),
            headline: |count| format!("{count}项整改措施已逾期"),
            whose: "贵单位有",
            action: "请立即组织整改，并于 3 个工作日内填报进展；确需延期的，请按程序向上级整改办申请并说明原因。",
            days_heading: "逾期天数",
        },
    }),
};
