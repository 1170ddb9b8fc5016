//! `quarterly-self-inspection`: before a quarter ends and weekly after, to who has to inspect itself and its office.

use entity::schedule::Misfire;
use ledger::reminder;

use super::{Job, Reminder, Work};
use crate::letter::{Of, Words};

pub(super) const JOB: Job = Job {
    name: "quarterly-self-inspection",
    about: "季度自查提醒：季末前 15、7、1 天提醒责任单位和县整改办，逾期未自查的每周一次",
    cron: "0 0 8 * * *",
    misfire: Misfire::Latest,
    work: Work::Remind(Reminder {
        candidates: |db, today, timing| Box::pin(reminder::quarterly_self_inspection::candidates(db, today, timing)),
        words: Words {
            of: Of::Measures,
            urgency: |left| match left {
                0 => "季度自查今日截止".to_owned(),
                1.. => format!("季度自查剩余{left}天"),
                _ => format!("季度自查逾期{}天", -left),
            },
            headline: |count| format!("{count}项整改措施待自查"),
            whose: "贵单位有",
            action: "请逐项核对整改是否到位、是否反弹，并于截止日前报送自查结果；未完成自查的事项每周提醒一次。",
            days_heading: "距自查截止",
        },
    }),
};
