//! `spot-check`: before the end of each year, what the office of the province has to spot-check, then weekly.

use chrono::NaiveDate;
use chrono_tz::Tz;
use entity::schedule::Misfire;
use ledger::record::database::Transaction;
use ledger::reminder::{self, Rules};

use crate::job::{Job, Run};
use crate::mail::{Kind, digest};
use crate::remind::{self, Candidates};

const NAME: &str = "spot-check";

pub(super) const JOB: Job = Job {
    name: NAME,
    about: "年度抽查提醒：年末前 30、7 天提醒省级整改办，逾期未抽查的每周一次",
    cron: "0 0 8 * * *",
    misfire: Misfire::Latest,
    run: Run::Within(|occasion, transaction| remind::run(occasion, transaction, NAME, find)),
    rehearse: |occasion, transaction| remind::rehearse(occasion, transaction, NAME, find),
    find: Some(find),
    mails: &[Kind { name: NAME, read: digest::checks, has_office: true }],
};

fn find<'a>(db: &'a Transaction, (today, zone): (NaiveDate, Tz), rules: &'a Rules) -> Candidates<'a> {
    Box::pin(reminder::check::spot_checks(db, (today, zone), rules))
}
