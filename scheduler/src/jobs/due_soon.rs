//! `due-soon`: every morning, what falls due in 30, 7 or 1 days, to who answers and leads.

use entity::schedule::Misfire;
use ledger::reminder;

use super::{Job, Reminder, Work};
use crate::letter::{Of, Words};

pub(super) const JOB: Job = Job {
    name: "due-soon",
    about: "到期提醒：期限前 30、7、1 天提醒责任单位和牵头单位",
    cron: "0 0 8 * * *",
    misfire: Misfire::Latest,
    work: Work::Remind(Reminder {
        candidates: |db, today, timing| Box::pin(reminder::due_soon::candidates(db, today, timing)),
        words: Words {
            of: Of::Measures,
            urgency: |left| if left == 0 { "今日到期".to_owned() } else { format!("剩余{left}天") },
            headline: |count| format!("{count}项整改措施即将到期"),
            whose: "贵单位有",
            action: "请对照时限抓紧推进，按期完成后及时填报进展并提请销号；预计不能按期完成的，请提前按程序向上级整改办申请延期。",
            days_heading: "剩余天数",
        },
    }),
};
