//! `quarterly-self-inspection`: before a quarter ends and weekly after it, to the units that have to inspect themselves
//! and to their office.

use chrono::NaiveDate;
use chrono_tz::Tz;
use entity::schedule::Misfire;
use ledger::record::database::Transaction;
use ledger::reminder::{self, Rules};

use crate::job::{Job, Run};
use crate::mail::{Kind, digest};
use crate::remind::{self, Candidates};

const NAME: &str = "quarterly-self-inspection";

pub(super) const JOB: Job = Job {
    name: NAME,
    about: "季度自查提醒：季末前 15、7、1 天提醒责任单位和县整改办，逾期未自查的每周一次；从导入后第一个完整季度起",
    cron: "0 0 8 * * *",
    misfire: Misfire::Latest,
    run: Run::Within(|occasion, transaction| remind::run(occasion, transaction, NAME, find)),
    rehearse: |occasion, transaction| remind::rehearse(occasion, transaction, NAME, find),
    find: Some(find),
    mails: &[Kind { name: NAME, read: digest::checks, has_office: true }],
};

fn find<'a>(db: &'a Transaction, (today, zone): (NaiveDate, Tz), rules: &'a Rules) -> Candidates<'a> {
    Box::pin(reminder::check::self_inspections(db, (today, zone), rules))
}
