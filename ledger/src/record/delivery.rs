//! How the outbox is emptied: senders claim batches of mails under a lease, and record what became of each.
//!
//! A mail that fails is retried after growing pauses and finally parked as failed, where an administrator sees it.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use entity::mail::{self, MailState, Priority};
use entity::suppression::{self, SuppressionReason};
use entity::{account, muted_mail, unit, unit_address};
use planner::Sql;
use sea_orm::sea_query::{Expr, LockBehavior, LockType};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, Iterable,
    QueryFilter, QueryOrder, QuerySelect, Statement,
};
use serde::Serialize;

use crate::Result;
use crate::record::database;
use crate::record::queue::{MAX_ATTEMPTS, MAX_PAUSE, pause};

/// How far the clocks of two processes may differ.
const SKEW: TimeDelta = TimeDelta::minutes(1);

/// The condition of the index of waiting mails, as the migration spells it.
const WAITING: &str = "state IN ('QUEUED', 'SENDING')";

/// How long a sender keeps a mail without renewing its lease, before another may claim the mail. It is more than the
/// time in which a sender tries to record outcomes while the database is away.
pub const LEASE: TimeDelta = TimeDelta::seconds(40);

/// Claims up to `most` mails, notices before digests: those queued for `due_by` or earlier, and those whose sender's
/// lease has expired by `now`. Returns them in the order in which they are to be sent.
///
/// `lease` distinguishes the claims of this run from all others. A run claims a mail once. A claim counts as an attempt
/// even if its sender never reports back.
pub async fn claim(
    db: &DatabaseConnection,
    lease: &str,
    (due_by, now): (DateTime<Utc>, DateTime<Utc>),
    most: usize,
) -> Result<Vec<Claimed>> {
    let transaction = database::begin(db).await?;
    let (state, moment) = (mail::Column::State, mail::Column::NextAttemptAt);
    let is_due = Condition::any()
        .add(Condition::all().add(state.eq(MailState::Queued)).add(moment.lte(due_by)))
        .add(Condition::all().add(state.eq(MailState::Sending)).add(moment.lt(now)));
    let is_new = Condition::any().add(mail::Column::Lease.is_null()).add(mail::Column::Lease.ne(lease));
    let mut found = Vec::new();
    for priority in Priority::iter() {
        let room = most - found.len();
        if room == 0 {
            break;
        }
        // One range of the index of waiting mails, in its order.
        let mails = mail::Entity::find()
            .filter(Expr::cust(WAITING))
            .filter(mail::Column::Priority.eq(priority))
            .filter(moment.lte(due_by.max(now)))
            .filter(is_due.clone())
            .filter(is_new.clone())
            .order_by_asc(moment)
            .order_by_asc(mail::Column::Id)
            .limit(room as u64)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .all(&transaction)
            .await?;
        found.extend(mails);
    }
    if found.is_empty() {
        return Ok(Vec::new());
    }
    mail::Entity::update_many()
        .set(mail::ActiveModel {
            state: Set(MailState::Sending),
            lease: Set(Some(lease.to_owned())),
            next_attempt_at: Set(now + LEASE),
            ..Default::default()
        })
        .col_expr(mail::Column::Attempts, Expr::cust("attempts + 1"))
        .filter(mail::Column::Id.is_in(found.iter().map(|mail| mail.id)))
        .exec(&transaction)
        .await?;
    transaction.commit().await?;
    Ok(found.into_iter().map(|mail| Claimed { attempt: mail.attempts + 1, mail }).collect())
}

/// A mail that a sender has claimed.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The mail as it waited.
    pub mail: mail::Model,
    /// The number of the attempt that the claim counts as.
    attempt: i32,
}

/// Renews the lease of a run on mails that it has claimed.
pub async fn renew(db: &DatabaseConnection, lease: &str, mails: Vec<i64>, now: DateTime<Utc>) -> Result<()> {
    mail::Entity::update_many()
        .set(mail::ActiveModel { next_attempt_at: Set(now + LEASE), ..Default::default() })
        .filter(mail::Column::Id.is_in(mails))
        .filter(mail::Column::Lease.eq(lease))
        .exec(db)
        .await?;
    Ok(())
}

/// Takes back moments that a clock which was ahead has left: mails that were never tried and are due in the future, and
/// pauses and leases longer than any can be. What a rule holds back is not among them. Returns their number; they are
/// due now.
pub async fn take_back(db: &DatabaseConnection, now: DateTime<Utc>) -> Result<u64> {
    let mut sql = Sql::new(db.get_database_backend(), &[]);
    let (soon, late) = (sql.bind(now + SKEW), sql.bind(now + SKEW + MAX_PAUSE * 5 / 4));
    let now = sql.bind(now);
    let text = format!(
        "UPDATE mail SET next_attempt_at = {now} WHERE {WAITING} AND priority IN (0, 1) \
         AND next_attempt_at > {soon} AND (held_at IS NULL OR held_at > {soon}) \
         AND (next_attempt_at > {late} OR (state = 'QUEUED' AND attempts = 0))"
    );
    Ok(db.execute_raw(sql.statement(text)).await?.rows_affected())
}

/// The outcome of a claimed mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// A server has accepted it, with this subject.
    Sent(String),
    /// Nothing was left to say, for this reason.
    Cancelled(String),
    /// It failed for now, with this error. It is retried after a pause, or parked if this was the last attempt.
    Retry(String),
    /// It failed for good, with this error.
    Refused(String),
    /// It was not tried. It waits as before, and the attempt is not counted.
    Waits,
    /// It was not tried. A rule of its kind holds it back until this moment, and the attempt is not counted.
    HeldUntil(DateTime<Utc>),
    /// It failed with this error, which is not, or may not be, its own. It waits behind the mails that are due by now,
    /// and the attempt is not counted.
    WaitsBehind(String),
}

/// Records the outcomes of claimed mails. Returns how many of them another sender has claimed in the meantime; their
/// outcomes are not recorded.
pub async fn settle(
    db: &DatabaseConnection,
    lease: &str,
    outcomes: &[(Claimed, Fate)],
    now: DateTime<Utc>,
) -> Result<u64> {
    let mut recorded = 0;
    let sent = outcomes.iter().filter_map(|(claimed, fate)| match fate {
        Fate::Sent(subject) => Some((claimed.mail.id, subject.as_str())),
        _ => None,
    });
    let sent: Vec<(i64, &str)> = sent.collect();
    if !sent.is_empty() {
        recorded += db.execute_raw(sent_statement(db.get_database_backend(), lease, &sent, now)).await?.rows_affected();
    }
    for (claimed, fate) in outcomes {
        let Some(row) = moved(claimed, fate, now) else { continue };
        let done = mail::Entity::update_many()
            .set(row)
            .filter(mail::Column::Id.eq(claimed.mail.id))
            .filter(mail::Column::Lease.eq(lease))
            .filter(mail::Column::State.eq(MailState::Sending))
            .exec(db)
            .await?;
        recorded += done.rows_affected;
    }
    Ok((outcomes.len() as u64).saturating_sub(recorded))
}

/// Returns the statement that records accepted mails with their subjects.
fn sent_statement(backend: DbBackend, lease: &str, sent: &[(i64, &str)], now: DateTime<Utc>) -> Statement {
    let mut sql = Sql::new(backend, &[]);
    let rows: Vec<String> =
        sent.iter().map(|(id, subject)| format!("({}, {})", sql.bind(*id), sql.bind(*subject))).collect();
    let (now, lease) = (sql.bind(now), sql.bind(lease));
    let text = format!(
        "WITH sent (id, subject) AS (VALUES {}) \
         UPDATE mail SET state = 'SENT', subject = sent.subject, sent_at = {now}, last_error = NULL \
         FROM sent WHERE mail.id = sent.id AND mail.lease = {lease} AND mail.state = 'SENDING'",
        rows.join(", ")
    );
    sql.statement(text)
}

/// Returns what an outcome changes of a mail; none for an accepted one.
fn moved(claimed: &Claimed, fate: &Fate, now: DateTime<Utc>) -> Option<mail::ActiveModel> {
    // The lease stays, so that the run does not claim the mail again.
    let mut row = mail::ActiveModel::default();
    match fate {
        Fate::Sent(_) => return None,
        Fate::Cancelled(reason) => {
            row.state = Set(MailState::Cancelled);
            row.reason = Set(reason.clone());
        }
        Fate::Retry(error) if claimed.attempt < MAX_ATTEMPTS => {
            row.state = Set(MailState::Queued);
            row.last_error = Set(Some(error.clone()));
            row.next_attempt_at = Set(now + pause(claimed.attempt, claimed.mail.id));
        }
        Fate::Retry(error) | Fate::Refused(error) => {
            row.state = Set(MailState::Failed);
            row.last_error = Set(Some(error.clone()));
        }
        Fate::Waits => {
            row.state = Set(MailState::Queued);
            row.attempts = Set(claimed.mail.attempts);
            row.next_attempt_at = Set(claimed.mail.next_attempt_at);
        }
        Fate::HeldUntil(until) => {
            row.state = Set(MailState::Queued);
            row.attempts = Set(claimed.mail.attempts);
            row.held_at = Set(Some(now));
            row.next_attempt_at = Set(*until);
        }
        Fate::WaitsBehind(error) => {
            row.state = Set(MailState::Queued);
            row.attempts = Set(claimed.mail.attempts);
            row.last_error = Set(Some(error.clone()));
            row.next_attempt_at = Set(now);
        }
    }
    Some(row)
}

/// Who mails go to: the accounts and units behind their addresses.
#[derive(Debug, Default)]
pub struct Recipients {
    accounts: HashMap<String, account::Model>,
    units: HashMap<i64, unit::Model>,
    /// The addresses that belong to a unit.
    of_units: HashSet<String>,
    /// The office that is responsible for each unit, by the key of the unit.
    offices: HashMap<i64, Office>,
    /// The kinds of digests that the holders of addresses have switched off.
    muted: HashSet<(String, String)>,
    suppressed: HashMap<String, SuppressionReason>,
}

/// The rectification office (整改办) that answers questions of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Office {
    /// The name of the office.
    pub name: String,
    /// The first of its mail addresses.
    pub address: String,
}

impl Recipients {
    /// Reads who these mails go to.
    pub async fn read<'a, C: ConnectionTrait>(
        db: &C,
        mails: impl Iterator<Item = &'a mail::Model> + Clone,
    ) -> Result<Self> {
        let addresses = || mails.clone().map(|mail| mail.recipient.as_str());
        let accounts = account::Entity::find().filter(account::Column::Email.is_in(addresses())).all(db).await?;
        let addresses_of_units =
            unit_address::Entity::find().filter(unit_address::Column::Address.is_in(addresses())).all(db).await?;
        let muted = muted_mail::Entity::find().filter(muted_mail::Column::Address.is_in(addresses())).all(db).await?;
        let suppressed =
            suppression::Entity::find().filter(suppression::Column::Address.is_in(addresses())).all(db).await?;
        let keys: HashSet<i64> = mails.clone().filter_map(|mail| mail.unit_id).collect();
        let units = unit::Entity::find().filter(unit::Column::Id.is_in(keys.iter().copied())).all(db).await?;
        Ok(Self {
            offices: offices(db, &keys).await?,
            accounts: accounts.into_iter().map(|account| (account.email.clone(), account)).collect(),
            units: units.into_iter().map(|unit| (unit.id, unit)).collect(),
            of_units: addresses_of_units.into_iter().map(|row| row.address).collect(),
            muted: muted.into_iter().map(|row| (row.address, row.kind)).collect(),
            suppressed: suppressed.into_iter().map(|row| (row.address, row.reason)).collect(),
        })
    }

    /// Returns the account that a mail goes to, if its address belongs to one.
    pub fn account(&self, mail: &mail::Model) -> Option<&account::Model> {
        self.accounts.get(&mail.recipient)
    }

    /// Returns the unit that a mail goes to, if any.
    pub fn unit(&self, mail: &mail::Model) -> Option<&unit::Model> {
        mail.unit_id.and_then(|unit| self.units.get(&unit))
    }

    /// Returns the office that is responsible for the unit that a mail goes to: that of the unit's region, or else the
    /// nearest one above it that has an address. None if the unit is itself the highest.
    pub fn office(&self, mail: &mail::Model) -> Option<&Office> {
        mail.unit_id.and_then(|unit| self.offices.get(&unit)).filter(|office| office.address != mail.recipient)
    }

    /// Returns why a mail is not sent on a local day, if it is not: its address is suppressed, or it is a person's own
    /// and the account is disabled or expired, or the person has switched the digest off.
    pub fn refusal(&self, mail: &mail::Model, day: NaiveDate) -> Option<&'static str> {
        match self.suppressed.get(&mail.recipient) {
            Some(SuppressionReason::HardBounce) => return Some("收件地址已停止投递：邮件曾被永久退回"),
            Some(SuppressionReason::Complaint) => return Some("收件地址已停止投递：收件人投诉"),
            Some(SuppressionReason::ByHand) => return Some("收件地址已停止投递：管理员设置"),
            None => {}
        }
        let is_over = |account: &account::Model| {
            account.is_disabled || account.valid_until.is_some_and(|last_day| last_day < day)
        };
        if self.is_official(mail) {
            None
        } else if self.account(mail).is_some_and(is_over) {
            Some("收件人的账户已停用或过期")
        } else if self.is_optional(mail) && self.muted.contains(&(mail.recipient.clone(), mail.kind.clone())) {
            Some("收件人已关闭此类提醒")
        } else {
            None
        }
    }

    fn is_official(&self, mail: &mail::Model) -> bool {
        self.of_units.contains(&mail.recipient)
    }

    /// Checks whether the recipient may switch mails of this kind off: it is a digest to a person, not an order to the
    /// official address of a unit.
    pub fn is_optional(&self, mail: &mail::Model) -> bool {
        mail.priority == Priority::Digest && !self.is_official(mail)
    }

    /// Checks whether digests of deadlines bring a calendar: the person or, at its official address, the unit wants it.
    pub fn wants_calendar(&self, mail: &mail::Model) -> bool {
        self.account(mail).is_some_and(|account| account.attaches_calendar)
            || (self.is_official(mail) && self.unit(mail).is_some_and(|unit| unit.attaches_calendar))
    }
}

/// Returns the office that is responsible for each of these units, by the key of the unit.
async fn offices<C: ConnectionTrait>(db: &C, units: &HashSet<i64>) -> Result<HashMap<i64, Office>> {
    let mut sql = Sql::new(db.get_database_backend(), &[]);
    let keys: Vec<String> = units.iter().map(|unit| sql.bind(*unit)).collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let text = format!(
        "SELECT told.id, u.name, x.address FROM unit told JOIN region own ON own.id = told.region_id \
         JOIN region r ON substr(own.path, 1, length(r.path)) = r.path JOIN unit u ON u.region_id = r.id \
         JOIN unit_address x ON x.unit_id = u.id WHERE told.id IN ({}) AND u.id <> told.id \
         AND u.kind = 'RECTIFICATION_OFFICE' AND u.retired_on IS NULL ORDER BY length(r.path) DESC, u.id, x.id",
        keys.join(", ")
    );
    let mut offices = HashMap::new();
    for row in db.query_all_raw(sql.statement(text)).await? {
        let office = Office { name: row.try_get("", "name")?, address: row.try_get("", "address")? };
        offices.entry(row.try_get("", "id")?).or_insert(office);
    }
    Ok(offices)
}
