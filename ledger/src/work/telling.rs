//! Immediate notices by mail to the units that an act concerns: one mail per address, with the reason and the acting
//! unit.
//!
//! If a unit has no address, the act is carried out all the same; its result and the log carry a warning.

use planner::Bilingual;
use sea_orm::{ActiveEnum, EntityTrait};
use serde_json::{Value, json};

use super::acting::Acting;
use crate::Result;
use crate::people::policy::Reach;
use crate::record::database::Transaction;
use crate::record::outbox::{self, Notice};

/// The result of an act that may send notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The key of the row that the act was on.
    pub key: i64,
    /// Notices that could not be sent.
    pub warnings: Vec<Warning>,
}

impl From<i64> for Done {
    fn from(key: i64) -> Self {
        Self { key, warnings: Vec::new() }
    }
}

/// The kinds of warnings about a successful act whose notice did not reach everyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarningCode {
    /// None of the recipients of the notice has an address.
    NobodyTold,
    /// The unit that has to act has no address; other recipients were notified.
    UnitNotTold,
}

/// A warning about a successful act whose notice did not reach everyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The kind of warning.
    pub code: WarningCode,
    /// Who was not notified, and what to do about it.
    pub message: Bilingual,
}

/// The content of an immediate notice.
pub(crate) struct Announcement<'a> {
    /// The kind of mail, such as `returned`.
    pub(crate) kind: &'static str,
    /// The reason that a person gave; empty if the act has none.
    pub(crate) reason: &'a str,
    /// Further facts for the template, a JSON object.
    pub(crate) facts: Value,
    /// The account that submitted what the act decides on; it is notified too.
    pub(crate) submitter: Option<i64>,
}

/// The object of an immediate notice: an assignment or a case.
pub(super) struct Subject {
    /// The global id of the object, such as `assignment_7`.
    pub(super) id: String,
    /// A number that grows with every act on the object; it makes the cause of the mail unique.
    pub(super) act: i32,
    /// The units to notify; the first is the one that has to act.
    pub(super) units: Vec<i64>,
    /// The measure and the assignment that the notice is about; empty for a case.
    pub(super) items: Vec<(i64, Option<i64>)>,
    /// The case that the notice is about.
    pub(super) case: Option<i64>,
}

/// Queues the notices of an act within its transaction and returns warnings about recipients without an address.
pub(super) async fn tell(
    db: &Transaction,
    acting: &Acting<'_>,
    subject: Subject,
    told: Announcement<'_>,
) -> Result<Vec<Warning>> {
    let Subject { id, act, units, items, case } = subject;
    let recipients = outbox::recipients(db, &units, told.submitter).await?;
    if recipients.is_empty() {
        tracing::warn!(kind = told.kind, of = id, "notice not sent: none of the recipients has an address");
        return Ok(vec![nobody()]);
    }
    let is_told = units.first().is_none_or(|acts| recipients.iter().any(|(_, unit)| unit.as_ref() == Some(acts)));
    if !is_told {
        tracing::warn!(
            kind = told.kind,
            of = id,
            "notice not sent to the unit that has to act: the unit has no address"
        );
    }
    let Announcement { kind, reason, mut facts, .. } = told;
    if let Value::Object(facts) = &mut facts {
        facts.insert("reason".to_owned(), reason.into());
        facts.insert("by".to_owned(), actor(db, acting).await?);
    }
    for (recipient, unit) in recipients {
        let notice = Notice {
            cause: format!("{kind}:{id}:{act}:{recipient}"),
            kind,
            recipient,
            unit,
            facts: facts.clone(),
            items: items.clone(),
            case,
        };
        outbox::notify(db, &notice, (acting.today(), acting.now)).await?;
    }
    Ok(if is_told { Vec::new() } else { vec![unit_not_told()] })
}

fn unit_not_told() -> Warning {
    let (zh, en) = (
        "已办理并通知了其他相关单位，但责任单位未设置邮箱，没有收到通知。请另行通知，并请系统管理员为其设置邮箱",
        "done; the other units were notified by mail, but the unit that has to act was not, because it has no e-mail \
         address. Notify it yourself, and ask the administrator to add its address",
    );
    Warning { code: WarningCode::UnitNotTold, message: Bilingual::new(zh, en) }
}

fn nobody() -> Warning {
    let (zh, en) = (
        "已办理，但没有人收到邮件通知：相关单位均未设置邮箱。请另行通知，并请系统管理员为单位设置邮箱",
        "done, but no one was notified by mail: none of the units concerned has an e-mail address. Notify them \
         yourself, and ask the administrator to add the units' addresses",
    );
    Warning { code: WarningCode::NobodyTold, message: Bilingual::new(zh, en) }
}

/// Returns the acting party as a fact for the template: `{"unit": name}`, else `{"role": code}`; never a person.
///
/// Returns null for a caller without a role, such as the program itself.
async fn actor(db: &Transaction, acting: &Acting<'_>) -> Result<Value> {
    let Reach::Role { role, unit, .. } = &acting.by.principal.reach else { return Ok(Value::Null) };
    let unit = match unit {
        Some(unit) => entity::unit::Entity::find_by_id(*unit).one(db).await?,
        None => None,
    };
    Ok(unit.map_or_else(|| json!({ "role": role.to_value() }), |unit| json!({ "unit": unit.name })))
}
