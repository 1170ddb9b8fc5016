//! `due-soon`: every morning, what falls due in 30, 7 or 1 days, to the units that answer and lead.

use chrono::NaiveDate;
use chrono_tz::Tz;
use entity::schedule::Misfire;
use ledger::record::database::Transaction;
use ledger::reminder::{self, Rules};

use crate::job::{Job, Run};
use crate::mail::{Kind, digest};
use crate::remind::{self, Candidates};

const NAME: &str = "due-soon";

pub(super) const JOB: Job = Job {
    name: NAME,
    about: "到期提醒：期限前 30、7、1 天提醒责任单位和牵头单位",
    cron: "0 0 8 * * *",
    misfire: Misfire::Latest,
    run: Run::Within(|occasion, transaction| remind::run(occasion, transaction, NAME, find)),
    rehearse: |occasion, transaction| remind::rehearse(occasion, transaction, NAME, find),
    find: Some(find),
    mails: &[Kind { name: NAME, read: digest::measures, has_office: true }],
};

fn find<'a>(db: &'a Transaction, (today, _): (NaiveDate, Tz), rules: &'a Rules) -> Candidates<'a> {
    Box::pin(reminder::due_soon::candidates(db, today, rules))
}
