//! `escalation`: every morning, what stays overdue: to the city office, to the measure's lead leader, and to the office
//! again where 挂牌督办 is proposed; once per level.

use chrono::NaiveDate;
use chrono_tz::Tz;
use entity::schedule::Misfire;
use ledger::record::database::Transaction;
use ledger::reminder::{self, Rules};

use crate::job::{Job, Run};
use crate::mail::{Kind, digest};
use crate::remind::{self, Candidates};

const NAME: &str = reminder::escalation::KIND;

pub(super) const JOB: Job = Job {
    name: NAME,
    about: "逾期升级：逾期 7 天报市整改办，15 天报牵头领导，30 天请市整改办决定是否挂牌督办，每级一次；最早从导入起计",
    cron: "0 0 8 * * *",
    misfire: Misfire::Latest,
    run: Run::Within(|occasion, transaction| remind::run(occasion, transaction, NAME, find)),
    rehearse: |occasion, transaction| remind::rehearse(occasion, transaction, NAME, find),
    find: Some(find),
    mails: &[Kind { name: NAME, read: digest::measures, has_office: true }],
};

fn find<'a>(db: &'a Transaction, (today, zone): (NaiveDate, Tz), rules: &'a Rules) -> Candidates<'a> {
    Box::pin(reminder::escalation::candidates(db, today, zone, rules))
}
