//! `case-due-soon`: every morning, complaint cases that fall due in 3 or 1 days, to the lead unit.

use chrono::NaiveDate;
use chrono_tz::Tz;
use entity::schedule::Misfire;
use ledger::record::database::Transaction;
use ledger::reminder::{self, Rules};

use crate::job::{Job, Run};
use crate::mail::{Kind, digest};
use crate::remind::{self, Candidates};

const NAME: &str = "case-due-soon";

pub(super) const JOB: Job = Job {
    name: NAME,
    about: "交办案件到期提醒：办理时限前 3、1 天提醒主办单位",
    cron: "0 0 8 * * *",
    misfire: Misfire::Latest,
    run: Run::Within(|occasion, transaction| remind::run(occasion, transaction, NAME, find)),
    rehearse: |occasion, transaction| remind::rehearse(occasion, transaction, NAME, find),
    find: Some(find),
    mails: &[Kind { name: NAME, read: digest::cases, has_office: true }],
};

fn find<'a>(db: &'a Transaction, (today, _): (NaiveDate, Tz), rules: &'a Rules) -> Candidates<'a> {
    Box::pin(reminder::case::due_soon(db, today, rules))
}
