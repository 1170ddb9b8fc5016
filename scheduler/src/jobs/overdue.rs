//! `overdue`: every morning, what is open past its deadline, to the units that answer, lead and supervise.

use chrono::NaiveDate;
use chrono_tz::Tz;
use entity::schedule::Misfire;
use ledger::record::database::Transaction;
use ledger::reminder::{self, Rules};

use crate::job::{Job, Run};
use crate::mail::{Kind, digest};
use crate::remind::{self, Candidates};

const NAME: &str = "overdue";

pub(super) const JOB: Job = Job {
    name: NAME,
    about: "逾期提醒：责任单位、牵头单位，抄送督导单位；同一事项每 7 天一次，台账导入时已逾期的只提醒一次",
    cron: "0 0 8 * * *",
    misfire: Misfire::Latest,
    run: Run::Within(|occasion, transaction| remind::run(occasion, transaction, NAME, find)),
    rehearse: |occasion, transaction| remind::rehearse(occasion, transaction, NAME, find),
    find: Some(find),
    mails: &[Kind { name: NAME, read: digest::measures, has_office: true }],
};

fn find<'a>(db: &'a Transaction, (today, zone): (NaiveDate, Tz), rules: &'a Rules) -> Candidates<'a> {
    Box::pin(reminder::overdue::candidates(db, today, zone, rules))
}
