//! Reminders: what each looks for every morning, and how its digests are read. Their rules are those of
//! `ledger::reminder`; their templates are named after them.

use entity::schedule::Misfire;
use ledger::reminder;

use crate::job::{Job, Run};
use crate::mail::{account, digest};
use crate::remind::Reminder;

/// A reminder of every morning. Where mornings were missed, the last one goes out.
const fn every_morning(name: &'static str, about: &'static str, reminder: Reminder) -> Job {
    Job { name, about, cron: "0 0 8 * * *", misfire: Misfire::Latest, run: Run::Reminds(reminder), mails: &[] }
}

/// Before a quarter ends and weekly after it, to the units that have to inspect themselves and to their office.
pub(super) const QUARTERLY_SELF_INSPECTION: Job = every_morning(
    "quarterly-self-inspection",
    "季度自查提醒：季末前（默认 15、7、1 天）提醒责任单位和县整改办，逾期的默认每 7 天一次；从导入后第一个完整季度起",
    Reminder {
        find: |db, day, rules, each| Box::pin(reminder::check::self_inspections(db, day, rules, each)),
        read: digest::checks,
    },
);

/// Before the end of each half-year, what the city office has to verify, then weekly until it is done.
pub(super) const HALF_YEAR_VERIFICATION: Job = every_morning(
    "half-year-verification",
    "半年核查提醒：半年末前（默认 30、7 天）提醒市整改办，逾期未核查的默认每 7 天一次",
    Reminder {
        find: |db, day, rules, each| Box::pin(reminder::check::verifications(db, day, rules, each)),
        read: digest::checks,
    },
);

/// Before the end of each year, what the office of the province has to spot-check, then weekly.
pub(super) const YEARLY_SPOT_CHECK: Job = every_morning(
    "yearly-spot-check",
    "年度抽查提醒：年末前（默认 30、7 天）提醒省级整改办，逾期未抽查的默认每 7 天一次",
    Reminder {
        find: |db, day, rules, each| Box::pin(reminder::check::spot_checks(db, day, rules, each)),
        read: digest::checks,
    },
);

/// Every morning, what falls due in 30, 7 or 1 days, to the units that answer and lead.
pub(super) const DUE_SOON: Job = every_morning(
    "due-soon",
    "到期提醒：期限前（默认 30、7、1 天）提醒责任单位和牵头单位",
    Reminder {
        find: |db, day, rules, each| Box::pin(reminder::due_soon::candidates(db, day, rules, each)),
        read: digest::measures,
    },
);

/// Every morning, what is open past its deadline, to the units that answer, lead and supervise.
pub(super) const OVERDUE: Job = every_morning(
    "overdue",
    "逾期提醒：责任单位、牵头单位，抄送督导单位；同一事项默认每 7 天一次，台账导入时已逾期的只提醒一次",
    Reminder {
        find: |db, day, rules, each| Box::pin(reminder::overdue::candidates(db, day, rules, each)),
        read: digest::measures,
    },
);

/// Every morning, what stays overdue: to the city office, to the measure's lead leader, and to the office again where
/// 挂牌督办 is proposed; once per level.
pub(super) const ESCALATION: Job = every_morning(
    reminder::escalation::KIND,
    "逾期升级：默认逾期 7 天报市整改办，15 天报牵头领导，30 天请市整改办决定是否挂牌督办，每级一次；最早从导入起计",
    Reminder {
        find: |db, day, rules, each| Box::pin(reminder::escalation::candidates(db, day, rules, each)),
        read: digest::measures,
    },
);

/// Every morning, what nobody has reported on for long, to the units that answer.
pub(super) const STALE_PROGRESS: Job = every_morning(
    "stale-progress",
    "久无进展提醒：默认 30 天未填报进展的提醒责任单位，长期坚持的为其三倍；以后隔同样天数一次",
    Reminder {
        find: |db, day, rules, each| Box::pin(reminder::stale_progress::candidates(db, day, rules, each)),
        read: digest::silent,
    },
);

/// Every morning, whether it is the day of the month's account: the form for the units that have not given it, or the
/// figures of the month before for leaders and offices.
pub(super) const MONTHLY_ACCOUNT: Job = every_morning(
    reminder::monthly_account::KIND,
    "按月交账：默认每月 25 日请未交账的单位填报月调度表，次月 1 日向领导和整改办报送数字和排名；遇休息日顺延",
    Reminder {
        find: |db, day, rules, each| Box::pin(reminder::monthly_account::candidates(db, day, rules, each)),
        read: account::facts,
    },
);

/// Every morning, whose public notice has ended, to the office that closes it, then weekly until it is closed.
pub(super) const NOTICE_ENDED: Job = every_morning(
    "notice-ended",
    "公示期满提醒：公示期满后第一个工作日提醒负责销号的整改办，未销号的默认每 7 天一次；有异议未作结论的不提醒",
    Reminder {
        find: |db, day, rules, each| Box::pin(reminder::notice_ended::candidates(db, day, rules, each)),
        read: digest::ended,
    },
);

/// Every morning, complaint cases that fall due in 3 or 1 days, to the lead unit.
pub(super) const CASE_DUE_SOON: Job = every_morning(
    "case-due-soon",
    "交办案件到期提醒：办理时限前（默认 3、1 天）提醒主办单位",
    Reminder {
        find: |db, day, rules, each| Box::pin(reminder::case::due_soon(db, day, rules, each)),
        read: digest::cases,
    },
);

/// Every morning, complaint cases that are open past their deadline, to the lead unit and the office above.
pub(super) const CASE_OVERDUE: Job = every_morning(
    "case-overdue",
    "交办案件逾期提醒：主办单位，抄送市整改办；同一案件默认每 7 天一次",
    Reminder {
        find: |db, day, rules, each| Box::pin(reminder::case::overdue(db, day, rules, each)),
        read: digest::cases,
    },
);
