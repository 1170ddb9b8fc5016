//! Telling whoever an act concerns, at once, by mail: each address once, with why, and which unit it was. Where there is no
//! address the act holds all the same, and its caller and the log hear of it.

use planner::Bilingual;
use sea_orm::EntityTrait;

use super::Desk;
use crate::Result;
use crate::people::policy::{self, Reach};
use crate::record::database::Transaction;
use crate::record::outbox::{self, Notice};
use crate::rule::wording::{one_line, shortened};

/// The letters of a text that a subject has room for.
const SUBJECT: usize = 24;

/// What an act came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The row that it was on.
    pub key: i64,
    /// What was not done beside it.
    pub warnings: Vec<Warning>,
}

impl From<i64> for Done {
    fn from(key: i64) -> Self {
        Self { key, warnings: Vec::new() }
    }
}

/// What was not done beside an act that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarningCode {
    /// No unit concerned has an address that the notice could go to
    NobodyTold,
    /// The unit that has to act has no address
    UnitNotTold,
}

/// What was not done beside an act that holds, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What kind of warning it is.
    pub code: WarningCode,
    /// What was not done, and what to do.
    pub message: Bilingual,
}

/// What cannot wait.
pub(crate) struct Told<'a> {
    /// The kind of mail.
    pub(crate) kind: &'static str,
    /// What happened, in a word or two.
    pub(crate) headline: &'a str,
    /// Why.
    pub(crate) why: &'a str,
    /// The account that submitted what this is about.
    pub(crate) submitter: Option<i64>,
}

/// What somebody is told about.
pub(super) struct Matter {
    /// What it is, as its global id says it: `assignment_7`.
    pub(super) id: String,
    /// Which of its acts this is.
    pub(super) act: i32,
    /// The units that it concerns, whoever has to act first.
    pub(super) units: Vec<i64>,
    /// Its number as printed.
    pub(super) number: Option<String>,
    /// Its text.
    pub(super) text: String,
    /// The measure, with the answer.
    pub(super) items: Vec<(i64, Option<i64>)>,
    /// The case.
    pub(super) case: Option<i64>,
}

/// Queues the mails of an act in its transaction. Gives what could not be done.
pub(super) async fn tell(db: &Transaction, desk: &Desk<'_>, matter: Matter, told: &Told<'_>) -> Result<Vec<Warning>> {
    let Matter { id, act, units, number, text, items, case } = matter;
    let recipients = outbox::recipients(db, &units, told.submitter).await?;
    if recipients.is_empty() {
        tracing::warn!(kind = told.kind, of = id, "a notice reaches nobody: no unit that it concerns has an address");
        return Ok(vec![nobody()]);
    }
    let is_told = units.first().is_none_or(|acts| recipients.iter().any(|(_, unit)| unit.as_ref() == Some(acts)));
    if !is_told {
        tracing::warn!(
            kind = told.kind,
            of = id,
            "a notice does not reach the unit that has to act: it has no address"
        );
    }
    let reason = match actor(db, desk).await? {
        Some(unit) => format!("{}\n办理单位：{unit}", told.why),
        None => told.why.to_owned(),
    };
    let number = number.map(|number| format!("{number} ")).unwrap_or_default();
    let subject = one_line(&format!("【{}】{number}{}", told.headline, shortened(&text, SUBJECT)));
    for (recipient, unit) in recipients {
        let notice = Notice {
            cause: format!("{}:{id}:{act}:{recipient}", told.kind),
            kind: told.kind,
            recipient,
            unit,
            subject: subject.clone(),
            reason: reason.clone(),
            items: items.clone(),
            case,
        };
        outbox::notify(db, &notice, (desk.today(), desk.now)).await?;
    }
    Ok(if is_told { Vec::new() } else { vec![unit_not_told()] })
}

fn unit_not_told() -> Warning {
    let (zh, en) = (
        "已办理并通知了其他相关单位，但责任单位未设置邮箱，没有收到通知。请另行通知，并请系统管理员为其设置邮箱",
        "done, and others are told by mail, but not the unit that has to act: it has no address. Tell it yourself, and \
         have the administrator give it its address",
    );
    Warning { code: WarningCode::UnitNotTold, message: Bilingual::new(zh, en) }
}

fn nobody() -> Warning {
    let (zh, en) = (
        "已办理，但没有人收到邮件通知：相关单位均未设置邮箱。请另行通知，并请系统管理员为单位设置邮箱",
        "done, but nobody is told by mail: no unit that it concerns has an address. Tell them yourself, and have the \
         administrator give the units their addresses",
    );
    Warning { code: WarningCode::NobodyTold, message: Bilingual::new(zh, en) }
}

/// Who acts, as a mail says it: the unit, else the role; never a person.
async fn actor(db: &Transaction, desk: &Desk<'_>) -> Result<Option<String>> {
    let Reach::Role { role, unit, .. } = &desk.by.principal.reach else { return Ok(None) };
    let unit = match unit {
        Some(unit) => entity::unit::Entity::find_by_id(*unit).one(db).await?,
        None => None,
    };
    Ok(Some(unit.map_or_else(|| policy::role_name(*role).to_owned(), |unit| unit.name)))
}
