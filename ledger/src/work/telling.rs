//! Immediate notices by mail: whom the table of [`Event`] names, one mail per address, with the reason and the acting
//! unit. Other systems are told of the same events (`pushing`).
//!
//! If whoever has to act next has no address, the act is carried out all the same; its result and the log carry a
//! warning.

use std::collections::HashSet;

use entity::account::Role;
use entity::inspection_round::RoundLevel;
use entity::region::Level;
use planner::{Bilingual, Sql};
use sea_orm::{ActiveEnum, ConnectionTrait, FromQueryResult};
use serde_json::{Value, json};

use super::acting::Acting;
use super::event::{Event, To};
use super::pushing;
use crate::Result;
use crate::people::policy::{self, Reach};
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

/// The kinds of warnings about a successful act: its notice did not reach everyone, or later mails may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarningCode {
    /// None of the recipients of the notice has an address.
    NobodyTold,
    /// The unit that has to act has no address; other recipients were notified.
    UnitNotTold,
    /// A mail address was entered that not every mail server takes.
    InternationalAddress,
}

/// A warning about a successful act: whom its notice did not reach, or later mails may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The kind of warning.
    pub code: WarningCode,
    /// Whom mails do not or may not reach, and what to do about it.
    pub message: Bilingual,
}

/// The content of an immediate notice.
pub(crate) struct Announcement<'a> {
    event: Event,
    /// The reason that a person gave; empty if the act has none.
    reason: &'a str,
    /// Further facts for the template, a JSON object.
    facts: Value,
    /// The account that submitted what the act decides on.
    submitter: Option<i64>,
}

impl<'a> Announcement<'a> {
    /// Announces an event, for the reason that a person gave; empty if the act has none.
    pub(crate) fn of(event: Event, reason: &'a str) -> Self {
        Self { event, reason, facts: json!({}), submitter: None }
    }

    /// Adds facts for the template, a JSON object. `extension`, `objection` and `supervision` are keys of rows, by
    /// which the mail reads their state when it is sent.
    #[must_use]
    pub(crate) fn with(self, facts: Value) -> Self {
        Self { facts, ..self }
    }

    /// Names the account that submitted what the act decides on.
    #[must_use]
    pub(crate) fn submitted_by(self, submitter: Option<i64>) -> Self {
        Self { submitter, ..self }
    }
}

/// The object of an immediate notice: an assignment, all assignments of a measure, or a case.
#[derive(Default)]
pub(crate) struct Subject {
    /// The global id of the object, such as `assignment_7`.
    pub(crate) id: String,
    /// A number that differs for every act on the object; it makes the cause of the mail unique.
    pub(crate) act: i64,
    /// The units that answer, each with the key of its assignment, if it is about one.
    pub(crate) answers: Vec<(i64, Option<i64>)>,
    /// The measure that the notice is about; none for a case.
    pub(crate) measure: Option<i64>,
    /// The lead unit of the measure.
    pub(crate) lead: Option<i64>,
    /// The supervising unit of the measure.
    pub(crate) supervising: Option<i64>,
    /// The units that assist with the case.
    pub(crate) assisting: Vec<i64>,
    /// The case that the notice is about.
    pub(crate) case: Option<i64>,
    /// The level of the round, and the region at or above which an office acts next; none if no office is asked.
    pub(crate) place: Option<(RoundLevel, i64)>,
}

impl Subject {
    /// The units that a part of the table names, the office and the submitter excepted.
    fn units(&self, to: To) -> Vec<i64> {
        match to {
            To::Unit => self.answers.iter().map(|(unit, _)| *unit).collect(),
            To::Lead => self.lead.into_iter().collect(),
            To::Supervising => self.supervising.into_iter().collect(),
            To::Assisting => self.assisting.clone(),
            To::Submitter | To::Next(_) => Vec::new(),
        }
    }

    /// The items of a mail: the assignments of the units that answer, for these, else the measure as a whole.
    fn items(&self, units: &[i64]) -> Vec<(i64, Option<i64>)> {
        let Some(measure) = self.measure else { return Vec::new() };
        if let [(_, assignment)] = self.answers[..] {
            return vec![(measure, assignment)];
        }
        let own = self.answers.iter().filter(|(unit, _)| units.contains(unit));
        let own: Vec<_> = own.map(|(_, assignment)| (measure, *assignment)).collect();
        if own.is_empty() { vec![(measure, None)] } else { own }
    }
}

/// Somebody to tell.
struct Recipient {
    address: String,
    unit: Option<i64>,
    /// The units in whose name the address is told.
    units: Vec<i64>,
    /// Why it is told.
    to: To,
    is_asked: bool,
}

/// Queues the notices of an act within its transaction and returns warnings about recipients without an address. Reads
/// all addresses in one statement.
pub(crate) async fn tell(
    db: &Transaction,
    acting: &Acting<'_>,
    subject: Subject,
    told: Announcement<'_>,
) -> Result<Vec<Warning>> {
    let rule = told.event.rule();
    let book = Book::read(db, acting, &subject, told.submitter).await?;
    let mut recipients: Vec<Recipient> = Vec::new();
    let mut reached = Vec::new();
    let parts = rule.asks.iter().map(|to| (*to, true)).chain(rule.tells.iter().map(|to| (*to, false)));
    for (to, is_asked) in parts {
        let Found { entries, has_reached_all } = book.find(&subject, to);
        if is_asked {
            reached.push(has_reached_all);
        }
        for (address, unit) in entries {
            match recipients.iter_mut().find(|one| one.address == address) {
                Some(there) if there.to == to => there.units.extend(unit),
                Some(_) => {}
                None => recipients.push(Recipient { address, unit, units: unit.into_iter().collect(), to, is_asked }),
            }
        }
    }
    let is_told = reached.first().copied().unwrap_or(true);
    let of = &subject.id;
    let warning = match (is_told, recipients.is_empty()) {
        (true, _) => None,
        (false, true) => {
            tracing::warn!(kind = rule.kind, of, "notice not sent: none of the recipients has an address");
            Some(nobody())
        }
        (false, false) => {
            tracing::warn!(
                kind = rule.kind,
                of,
                "notice not sent to the unit that has to act: the unit has no address"
            );
            Some(unit_not_told())
        }
    };
    let by = actor(acting, book.own_name.as_deref());
    let notices: Vec<Notice> = recipients
        .into_iter()
        .map(|recipient| {
            let mut facts = told.facts.clone();
            facts["reason"] = told.reason.into();
            facts["by"] = by.clone();
            facts["to"] = recipient.to.code().into();
            facts["isAsked"] = recipient.is_asked.into();
            Notice {
                cause: format!("{}:{}:{}:{}", rule.kind, subject.id, subject.act, recipient.address),
                kind: rule.kind,
                items: subject.items(&recipient.units),
                recipient: recipient.address,
                unit: recipient.unit,
                facts,
                case: subject.case,
            }
        })
        .collect();
    outbox::notify_all(db, &notices, (acting.today(), acting.now)).await?;
    pushing::push(db, acting, &subject, (rule.kind, &by)).await?;
    Ok(warning.into_iter().collect())
}

/// A row of [`Book`]: what it is, and an address or a name.
#[derive(FromQueryResult)]
struct Line {
    part: String,
    unit_id: Option<i64>,
    /// The level of an office's region.
    level: Option<Level>,
    /// The address; none for an office without one. The name of the acting unit.
    text: Option<String>,
}

/// The addresses that an act may need, and those of whoever acts, who is not told.
struct Book {
    lines: Vec<Line>,
    /// The unit in whose name the caller acts.
    own_unit: Option<i64>,
    /// The addresses of the accounts that act.
    own_addresses: HashSet<String>,
    /// The name of the unit of the caller.
    own_name: Option<String>,
}

/// What a part of the table comes to.
struct Found {
    /// The addresses to tell, each with its unit.
    entries: Vec<(String, Option<i64>)>,
    /// Whether everyone of this part is told, or is the one who acts.
    has_reached_all: bool,
}

impl Book {
    /// Reads the addresses of the units concerned, of the submitter and of the offices at or above the region, and who
    /// acts.
    async fn read(db: &Transaction, acting: &Acting<'_>, subject: &Subject, submitter: Option<i64>) -> Result<Self> {
        let mut sql = Sql::new(db.get_database_backend(), &[]);
        let mut parts = Vec::new();
        let named = [To::Unit, To::Lead, To::Supervising, To::Assisting];
        let units: Vec<String> =
            named.into_iter().flat_map(|to| subject.units(to)).map(|unit| sql.bind(unit)).collect();
        if !units.is_empty() {
            parts.push(format!(
                "SELECT 'UNIT' AS part, unit_id, NULL AS level, 0 AS depth, address AS text FROM unit_address \
                 WHERE unit_id IN ({}) AND address NOT IN (SELECT address FROM suppression)",
                units.join(", ")
            ));
        }
        if let Some((_, region)) = subject.place {
            let region = sql.bind(region);
            parts.push(format!(
                "SELECT 'OFFICE' AS part, u.id AS unit_id, r.level, length(r.path) AS depth, x.address AS text \
                 FROM region own JOIN region r ON substr(own.path, 1, length(r.path)) = r.path \
                 JOIN unit u ON u.region_id = r.id LEFT JOIN unit_address x ON x.unit_id = u.id \
                 AND x.address NOT IN (SELECT address FROM suppression) \
                 WHERE own.id = {region} AND u.kind = 'RECTIFICATION_OFFICE' AND u.retired_on IS NULL"
            ));
        }
        if let Some(submitter) = submitter {
            let submitter = sql.bind(submitter);
            parts.push(format!(
                "SELECT 'SUBMITTER' AS part, unit_id, NULL AS level, 0 AS depth, email AS text FROM account \
                 WHERE id = {submitter} AND NOT is_disabled \
                 AND email NOT IN (SELECT address FROM suppression)"
            ));
        }
        for account in [acting.by.principal.account, acting.by.principal.delegate].into_iter().flatten() {
            let account = sql.bind(account);
            parts.push(format!(
                "SELECT 'ACTOR' AS part, unit_id, NULL AS level, 0 AS depth, email AS text FROM account \
                 WHERE id = {account}"
            ));
        }
        let (unit, speaks_for_unit) = match &acting.by.principal.reach {
            // A leader acts in person: what they write is for their unit too.
            Reach::Role { role, unit, .. } => (*unit, *role != Role::Leader),
            Reach::Nothing | Reach::Everything => (None, false),
        };
        if let Some(unit) = unit {
            let unit = sql.bind(unit);
            parts.push(format!(
                "SELECT 'NAME' AS part, id AS unit_id, NULL AS level, 0 AS depth, name AS text FROM unit \
                 WHERE id = {unit}"
            ));
        }
        if parts.is_empty() {
            let own_addresses = HashSet::new();
            return Ok(Self { lines: Vec::new(), own_unit: None, own_addresses, own_name: None });
        }
        // The nearest office comes first, and of two offices of a region the older one.
        let text = format!("{} ORDER BY depth DESC, unit_id, text", parts.join(" UNION ALL "));
        let lines = Line::find_by_statement(sql.statement(text)).all(db).await?;
        let of = |part: &'static str| {
            lines.iter().filter(move |line| line.part == part).filter_map(|line| line.text.clone())
        };
        let (own_addresses, own_name) = (of("ACTOR").collect(), of("NAME").next());
        Ok(Self { own_addresses, own_name, own_unit: unit.filter(|_| speaks_for_unit), lines })
    }

    /// Returns whom a part of the table names, without the one who acts.
    fn find(&self, subject: &Subject, to: To) -> Found {
        match to {
            To::Unit | To::Lead | To::Supervising | To::Assisting => self.all(&subject.units(to)),
            To::Submitter => {
                let entries = self.lines.iter().filter(|line| line.part == "SUBMITTER");
                let entries: Vec<_> = entries.filter_map(|line| self.entry(line)).collect();
                Found { has_reached_all: !entries.is_empty(), entries }
            }
            To::Next(act) => {
                let none = Found { entries: Vec::new(), has_reached_all: false };
                let Some((level, _)) = subject.place else { return none };
                let (has_lead, levels) = policy::next_doers(act, level);
                let lead = subject.lead.filter(|_| has_lead);
                let is_open =
                    |line: &&Line| line.part == "OFFICE" && line.level.is_some_and(|level| levels.contains(&level));
                let offices = self.lines.iter().filter(is_open).filter_map(|line| line.unit_id);
                lead.into_iter()
                    .chain(offices)
                    .map(|unit| self.all(&[unit]))
                    .find(|one| one.has_reached_all)
                    .unwrap_or(none)
            }
        }
    }

    /// Returns the addresses of units, in their order.
    fn all(&self, units: &[i64]) -> Found {
        let mut found = Found { entries: Vec::new(), has_reached_all: true };
        for unit in units.iter().filter(|unit| self.own_unit != Some(**unit)) {
            let is_of = |line: &&Line| {
                matches!(line.part.as_str(), "UNIT" | "OFFICE") && line.unit_id == Some(*unit) && line.text.is_some()
            };
            let lines: Vec<&Line> = self.lines.iter().filter(is_of).collect();
            found.has_reached_all &= !lines.is_empty();
            found.entries.extend(lines.into_iter().filter_map(|line| self.entry(line)));
        }
        found
    }

    /// Returns the address of a line with its unit; none if it is that of whoever acts.
    fn entry(&self, line: &Line) -> Option<(String, Option<i64>)> {
        let address = line.text.clone().filter(|address| !self.own_addresses.contains(address))?;
        Some((address, line.unit_id))
    }
}

fn unit_not_told() -> Warning {
    let (zh, en) = (
        "已办理并通知了其他相关单位，但下一步办理单位未设置邮箱，没有收到通知。请另行通知，并请系统管理员为其设置邮箱",
        "done; others were notified by mail, but a unit that has to act next was not, because it has no e-mail \
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

/// Returns the acting party as a fact for the template: `{"unit": name}`, else `{"role": code}`; never a person. A
/// leader is named by both.
///
/// Returns null for a caller without a role, such as the program itself.
fn actor(acting: &Acting<'_>, unit: Option<&str>) -> Value {
    match (&acting.by.principal.reach, unit) {
        (Reach::Role { role: Role::Leader, .. }, Some(unit)) => {
            json!({ "unit": unit, "role": Role::Leader.to_value() })
        }
        (Reach::Role { .. }, Some(unit)) => json!({ "unit": unit }),
        (Reach::Role { role, .. }, None) => json!({ "role": role.to_value() }),
        (Reach::Nothing | Reach::Everything, _) => Value::Null,
    }
}
