//! Links in mails: what a link shows without signing in, which is no more than the mail itself, and what the holder of
//! the mail may do with it.

use chrono::{DateTime, NaiveDate, Utc};
use entity::assignment::Status;
use entity::inspection_case::CaseState;
use entity::{mail, mail_item};
use sea_orm::{
    ActiveEnum, ActiveValue::Set, ColumnTrait, Condition, DatabaseConnection, EntityTrait, FromQueryResult,
    QueryFilter, QuerySelect, Statement,
};
use serde_json::json;

use super::acting::Acting;
use super::{assigning, case, hold};
use crate::fault::{Fault, FaultCode};
use crate::people::policy::Principal;
use crate::record::audit::{self, By, Entry};
use crate::record::database;
use crate::record::link_key::{LinkKey, Unfollowed};
use crate::rule::calendar::minute;
use crate::rule::wording::masked_address;
use crate::rule::workflow;
use crate::{Error, Result};

/// What a link in a mail names: an item, and the mail that told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The item.
    pub item: Item,
    /// The key of the mail.
    pub mail: i64,
}

/// An item that a mail tells of, by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// A measure.
    Measure(i64),
    /// A complaint case.
    Case(i64),
}

impl Item {
    /// Returns the global id of the item, such as `measure_12`.
    pub fn id(self) -> String {
        match self {
            Self::Measure(key) => format!("measure_{key}"),
            Self::Case(key) => format!("case_{key}"),
        }
    }

    fn read(id: &str) -> Option<Self> {
        let (noun, key) = id.split_once('_')?;
        let key = key.parse().ok()?;
        match noun {
            "measure" => Some(Self::Measure(key)),
            "case" => Some(Self::Case(key)),
            _ => None,
        }
    }
}

impl Target {
    /// Returns the token of a link that is valid until a moment.
    pub fn token(self, key: &LinkKey, until: DateTime<Utc>) -> String {
        key.sign(&format!("{}.mail_{}", self.item.id(), self.mail), until)
    }

    /// Returns what the token of a link names, and until when it is valid.
    pub fn follow(key: &LinkKey, token: &str, now: DateTime<Utc>) -> Result<(Self, DateTime<Utc>), Fault> {
        let followed = key.read(token, now).map_err(|why| {
            let (zh, en) = match why {
                Unfollowed::Expired => (
                    "链接已过期，请登录后从待办中办理",
                    "this link has expired: sign in and continue from your to-do list",
                ),
                Unfollowed::Foreign => NOT_WHOLE,
            };
            Fault::invalid(zh, en, PATH)
        })?;
        let target = followed
            .what
            .split_once(".mail_")
            .and_then(|(item, mail)| Some(Self { item: Item::read(item)?, mail: mail.parse().ok()? }));
        let (zh, en) = NOT_WHOLE;
        Ok((target.ok_or_else(|| Fault::invalid(zh, en, PATH))?, followed.until))
    }
}

/// The input that a fault of a link is about.
const PATH: &[&str] = &["input", "token"];
const NOT_WHOLE: (&str, &str) = (
    "链接不完整或有误，请从邮件中重新打开，或登录后从待办中办理",
    "this link is incomplete or wrong: open it again from the mail, or sign in",
);

/// A measure or a case as a mail shows it.
#[expect(clippy::struct_excessive_bools, reason = "each is a column of the query")]
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Linked {
    /// The kind of the mail, such as `due-soon`.
    pub kind: String,
    /// The address that the mail went to.
    recipient: String,
    /// The key of the unit that the mail went to.
    unit_id: Option<i64>,
    /// The number as printed; `None` if it has none.
    pub number: Option<String>,
    /// The text of the measure, or the summary of the case.
    pub text: String,
    /// The title of the problem, or the name of the region of the case.
    pub origin: String,
    /// The name of the inspection round.
    pub round: String,
    /// The deadline as printed; `None` for a case.
    pub deadline: Option<String>,
    /// The date to which the printed deadline was extended; `None` if it was not.
    pub extended_to: Option<NaiveDate>,
    /// The date after which it is overdue; `None` if there is none.
    pub due_on: Option<NaiveDate>,
    /// The status of the assignment that the mail was about, else of the measure, or the state of the case, as stored.
    status: String,
    /// The key of the assignment that the mail was about, if any.
    assignment_id: Option<i64>,
    /// Whether the mail went to the unit that answers the item, at an address that is still that unit's.
    pub is_own: bool,
    /// Whether the assignment, else the measure, is completed.
    is_completed: bool,
    /// Whether nobody has accepted or declined the item so far.
    is_new: bool,
    /// Whether the assignment has a deadline, and no request to extend it is pending.
    is_extensible: bool,
    /// When the holder of the mail acknowledged the item.
    pub acknowledged_at: Option<DateTime<Utc>>,
}

impl Linked {
    /// Checks whether nothing is left to do.
    pub fn is_settled(&self) -> bool {
        let is_over = |status| workflow::is_settled(status);
        self.status == CaseState::Closed.to_value() || Status::try_from_value(&self.status).is_ok_and(is_over)
    }

    /// Checks whether the work is done, so that nobody waits for it any more, also if an office has not closed it yet.
    pub fn is_done(&self) -> bool {
        let is_done = |status| workflow::is_done(status, self.is_completed);
        let of_case = [CaseState::Resolved, CaseState::Accepted, CaseState::Closed].map(|state| state.to_value());
        of_case.contains(&self.status) || Status::try_from_value(&self.status).is_ok_and(is_done)
    }

    /// Checks whether acknowledging the mail accepts the item (签收), rather than recording that the mail was read.
    pub fn is_to_be_accepted(&self) -> bool {
        let waits = [Status::Assigned.to_value(), CaseState::HandedOver.to_value()];
        self.acknowledged_at.is_none() && self.is_own && self.is_new && waits.contains(&self.status)
    }

    /// Returns the key of the assignment whose deadline the holder, once signed in, may ask to extend.
    pub fn extensible(&self) -> Option<i64> {
        self.assignment_id.filter(|_| self.is_own && self.is_extensible && !self.is_done())
    }
}

/// An address that is the unit's counts as the unit: whoever else reads along may not act for it.
const IS_OWN: &str = "EXISTS (SELECT 1 FROM unit_address x WHERE x.unit_id = w.unit_id AND x.address = w.recipient)";

/// Returns what a link shows; `None` if the item or the mail no longer exists.
pub async fn find(db: &DatabaseConnection, target: Target) -> Result<Option<Linked>> {
    let (text, key) = match target.item {
        Item::Measure(key) => (
            format!(
                "SELECT w.kind, w.recipient, w.unit_id, m.number, m.content AS text, p.title AS origin, \
                 r.name AS round, m.due_raw AS deadline, \
                 CASE WHEN coalesce(a.due_on, m.due_on) IS DISTINCT FROM m.plan_due_on \
                    THEN coalesce(a.due_on, m.due_on) END AS extended_to, \
                 CASE WHEN a.id IS NULL THEN coalesce(m.due_by, m.due_on) ELSE coalesce(a.due_by, a.due_on) END \
                    AS due_on, \
                 coalesce(a.status, m.status) AS status, a.id AS assignment_id, \
                 (a.unit_id IS NOT NULL AND w.unit_id IS NOT NULL AND a.unit_id = w.unit_id AND {IS_OWN}) AS is_own, \
                 (CASE WHEN a.id IS NULL THEN m.completed_on ELSE a.completed_on END IS NOT NULL) AS is_completed, \
                 (a.accepted_at IS NULL AND a.declined_at IS NULL) AS is_new, \
                 (coalesce(a.due_on, a.due_by) IS NOT NULL AND NOT EXISTS (SELECT 1 FROM deadline_change d \
                    WHERE d.assignment_id = a.id AND d.state IN ('REQUESTED', 'ENDORSED'))) AS is_extensible, \
                 i.acknowledged_at FROM mail w JOIN mail_item i ON i.mail_id = w.id AND i.measure_id = $1 \
                 JOIN measure m ON m.id = i.measure_id JOIN problem p ON p.id = m.problem_id \
                 JOIN inspection_round r ON r.id = m.round_id LEFT JOIN assignment a ON a.id = i.assignment_id \
                 WHERE w.id = $2 ORDER BY CASE WHEN a.unit_id = w.unit_id THEN 0 ELSE 1 END, i.due_on, i.id LIMIT 1"
            ),
            key,
        ),
        Item::Case(key) => (
            format!(
                "SELECT w.kind, w.recipient, w.unit_id, c.number, c.summary AS text, g.name AS origin, \
                 r.name AS round, CAST(NULL AS text) AS deadline, CAST(NULL AS date) AS extended_to, c.due_on, \
                 c.state AS status, CAST(NULL AS bigint) AS assignment_id, \
                 (w.unit_id IS NOT NULL AND c.lead_unit_id = w.unit_id AND {IS_OWN}) AS is_own, \
                 (1 = 0) AS is_completed, (1 = 1) AS is_new, (1 = 0) AS is_extensible, \
                 CASE WHEN i.id IS NULL THEN w.acknowledged_at ELSE i.acknowledged_at END AS acknowledged_at \
                 FROM mail w JOIN inspection_case c ON c.id = $1 JOIN region g ON g.id = c.region_id \
                 JOIN inspection_round r ON r.id = c.round_id \
                 LEFT JOIN mail_item i ON i.mail_id = w.id AND i.case_id = c.id \
                 WHERE w.id = $2 AND (i.id IS NOT NULL OR w.case_id = c.id)"
            ),
            key,
        ),
    };
    let values = [key.into(), target.mail.into()];
    let statement = Statement::from_sql_and_values(db.get_database_backend(), text, values);
    Ok(Linked::find_by_statement(statement).one(db).await?)
}

/// Acknowledges an item of a mail as the holder of the mail, without an account: accepts an assignment or a case
/// (签收) that waits for the unit that the mail went to, and records that the mail was read. Refuses a second time.
pub async fn acknowledge(acting: &Acting<'_>, target: Target) -> Result<()> {
    let linked = find(acting.db, target).await?.ok_or_else(gone)?;
    if let Some(at) = linked.acknowledged_at {
        return Err(done_before(acting, at).into());
    }
    let by = By {
        principal: linked.unit_id.map_or_else(Principal::nobody, Principal::holder_of_mail),
        mail_holder: Some(masked_address(&linked.recipient)),
        session: None,
        ..acting.by.clone()
    };
    let acting = Acting { by: &by, ..*acting };
    if linked.is_to_be_accepted() {
        let accepted = match target.item {
            Item::Measure(_) => {
                let on = hold::On { assignment: linked.assignment_id, version: None };
                // On the heap: the acts are large, and so is what calls them.
                Box::pin(assigning::accept(&acting, on)).await.map(|done| done.key)
            }
            Item::Case(key) => {
                Box::pin(case::accept(&acting, case::CaseTarget { case: Some(key), version: None })).await
            }
        };
        match accepted {
            // Someone else was faster. That the mail was read remains to be recorded.
            Err(Error::Refused(_)) => {}
            accepted => _ = accepted?,
        }
    }
    // In a transaction of its own: if it fails after the acceptance, the holder can press the button again.
    Box::pin(note_read(&acting, target)).await
}

/// Records that the holder of a mail has read of an item, unless it was recorded before.
async fn note_read(acting: &Acting<'_>, target: Target) -> Result<()> {
    let transaction = database::begin(acting.db).await?;
    let found = mail::Entity::find_by_id(target.mail).lock_exclusive().one(&transaction).await?;
    let mail = found.ok_or_else(gone)?;
    let (column, key) = match target.item {
        Item::Measure(key) => (mail_item::Column::MeasureId, key),
        Item::Case(key) => (mail_item::Column::CaseId, key),
    };
    let of_item = Condition::all().add(mail_item::Column::MailId.eq(mail.id)).add(column.eq(key));
    let item = mail_item::Entity::find().filter(of_item.clone()).one(&transaction).await?;
    // A notice about a case has no items.
    let before = item.as_ref().map_or(mail.acknowledged_at, |item| item.acknowledged_at);
    if let Some(at) = before {
        return Err(done_before(acting, at).into());
    }
    let moved = mail_item::ActiveModel { acknowledged_at: Set(Some(acting.now)), ..Default::default() };
    mail_item::Entity::update_many().set(moved).filter(of_item).exec(&transaction).await?;
    let at = mail.acknowledged_at.unwrap_or(acting.now);
    let moved = mail::ActiveModel { id: Set(mail.id), acknowledged_at: Set(Some(at)), ..Default::default() };
    mail::Entity::update(moved).exec(&transaction).await?;
    let noted = Entry::of("MAIL_ACKNOWLEDGED", format!("mail_{}", mail.id))
        .changed(json!({}), json!({ "item": target.item.id() }));
    audit::note(&transaction, acting.by, noted, acting.now).await?;
    Ok(transaction.commit().await?)
}

fn gone() -> Fault {
    Fault::new(FaultCode::NotFound, "这一事项已不存在", "this item no longer exists", PATH)
}

fn done_before(acting: &Acting<'_>, at: DateTime<Utc>) -> Fault {
    let at = minute(at, acting.zone);
    let (zh, en) = (format!("已于 {at} 签收，无须重复办理"), format!("this was acknowledged on {at} already"));
    Fault::new(FaultCode::WrongState, zh, en, PATH)
}
