//! `progress-stale`: every morning, what nobody has reported on for long, to the units that answer.

use chrono::NaiveDate;
use chrono_tz::Tz;
use entity::schedule::Misfire;
use ledger::record::database::Transaction;
use ledger::reminder::{self, Rules};

use crate::job::{Job, Run};
use crate::mail::{Kind, digest};
use crate::remind::{self, Candidates};

const NAME: &str = "progress-stale";

pub(super) const JOB: Job = Job {
    name: NAME,
    about: "久无进展提醒：30 天未填报进展的提醒责任单位，长期坚持的 90 天；以后每 30 天一次",
    cron: "0 0 8 * * *",
    misfire: Misfire::Latest,
    run: Run::Within(|occasion, transaction| remind::run(occasion, transaction, NAME, find)),
    rehearse: |occasion, transaction| remind::rehearse(occasion, transaction, NAME, find),
    find: Some(find),
    mails: &[Kind { name: NAME, read: digest::silent, has_office: true }],
};

fn find<'a>(db: &'a Transaction, (today, zone): (NaiveDate, Tz), rules: &'a Rules) -> Candidates<'a> {
    Box::pin(reminder::progress_stale::candidates(db, today, zone, rules))
}
