//! `case-overdue`: every morning, complaint cases that are open past their deadline, to the lead unit and the office
//! above.

use chrono::NaiveDate;
use chrono_tz::Tz;
use entity::schedule::Misfire;
use ledger::record::database::Transaction;
use ledger::reminder::{self, Rules};

use crate::job::{Job, Run};
use crate::mail::{Kind, digest};
use crate::remind::{self, Candidates};

const NAME: &str = "case-overdue";

pub(super) const JOB: Job = Job {
    name: NAME,
    about: "交办案件逾期提醒：主办单位，抄送市整改办；同一案件每 7 天一次",
    cron: "0 0 8 * * *",
    misfire: Misfire::Latest,
    run: Run::Within(|occasion, transaction| remind::run(occasion, transaction, NAME, find)),
    rehearse: |occasion, transaction| remind::rehearse(occasion, transaction, NAME, find),
    find: Some(find),
    mails: &[Kind { name: NAME, read: digest::cases, has_office: true }],
};

fn find<'a>(db: &'a Transaction, (today, _): (NaiveDate, Tz), rules: &'a Rules) -> Candidates<'a> {
    Box::pin(reminder::case::overdue(db, today, rules))
}
