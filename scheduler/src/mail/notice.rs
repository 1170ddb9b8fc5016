//! The facts of a notice: a mail about one act, sent at once rather than gathered into a day's digest.

use chrono::{DateTime, NaiveDate, Utc};
use entity::assignment::Status;
use entity::deadline_change::DeadlineChangeState;
use entity::inspection_case::CaseState;
use entity::one_time_secret::Purpose;
use entity::supervision_action::SupervisionState;
use ledger::people::account::link;
use ledger::work::event::{Event, Now, Still};
use ledger::work::mail_link::Item;
use minijinja::value::Serde;
use minijinja::{Value, context};
use sea_orm::{FromQueryResult, Iterable, Statement};
use serde::Serialize;

use super::{Kind, Reading, Source, Unwritten};

/// The notices about accounts and about other systems, which are not about the ledger.
const OF_MACHINE: &[Kind] = &[
    Kind { name: "account-locked", read: facts, has_office: false },
    Kind { name: "address-changed", read: facts, has_office: false },
    Kind { name: "second-factor-set", read: facts, has_office: false },
    Kind { name: "second-factor-removed", read: facts, has_office: false },
    Kind { name: "password-set", read: facts, has_office: false },
    Kind { name: "password-reset", read: reset, has_office: false },
    Kind { name: "invitation", read: invitation, has_office: false },
    Kind { name: "webhook-stopped", read: facts, has_office: false },
];

/// The notices that acts queue: those of the ledger's table of events, those about accounts, and that about
/// other systems.
pub(crate) fn kinds() -> impl Iterator<Item = Kind> {
    let of_event = |event: Event| Kind { name: event.rule().kind, read: of_act, has_office: true };
    Event::iter().map(of_event).chain(OF_MACHINE.iter().copied())
}

/// The facts that the act kept, and nothing else.
pub(crate) fn facts<'a>(source: &'a Source<'a>) -> Reading<'a> {
    Box::pin(async move { Ok(Some(kept(source))) })
}

/// What the act kept. A mail that an earlier version queued has only its reason.
fn kept(source: &Source<'_>) -> Value {
    let reason = context! { reason => &source.mail.reason };
    context! { ..Value::from(Serde(&source.facts)), ..reason }
}

/// What a notice about an assignment or a case is of.
#[derive(Serialize)]
struct About {
    link: String,
    number: Option<String>,
    text: String,
    /// The title of the problem; none for a case.
    problem: Option<String>,
    region: Option<String>,
    round: String,
    /// The deadline as printed; none for a case, which has a date.
    deadline: Option<String>,
    /// The date to which the printed deadline was extended; none if it was not.
    extended_to: Option<NaiveDate>,
    due_on: Option<NaiveDate>,
    /// The units that answer.
    unit: Option<String>,
    /// Whether the recipient's unit has to act, rather than to see that another does.
    is_own: bool,
}

/// A notice of the table of events; none where it asks for what is done by now.
fn of_act<'a>(source: &'a Source<'a>) -> Reading<'a> {
    Box::pin(async move {
        let Some(event) = Event::of_kind(&source.mail.kind) else { return Err(Unwritten::Unknown) };
        // Whoever is not asked is told of a fact, which nothing that happens later changes.
        let is_asked = source.facts.get("isAsked").and_then(serde_json::Value::as_bool).unwrap_or(true);
        let still = if is_asked { event.rule().still } else { Still::Always };
        let about = match source.mail.case_id {
            Some(case) => of_case(source, case, still).await?,
            None => of_measure(source, still).await?,
        };
        let Some(about) = about else { return Ok(None) };
        let OfSupervision { document_number, meeting_at, place, contact } = supervision(source).await?;
        let meeting_at = meeting_at.map(|at| at.with_timezone(&source.zone).to_rfc3339());
        let supervised = context! { documentNumber => document_number, meetingAt => meeting_at, place, contact };
        let about = context! { about => Serde(about), isAsked => is_asked, ..supervised };
        Ok(Some(context! { ..about, ..context! { ..kept(source), ..context! { to => "UNIT" } } }))
    })
}

#[derive(FromQueryResult)]
struct OfMeasure {
    measure_id: i64,
    number: Option<String>,
    content: String,
    due_raw: String,
    extended_to: Option<NaiveDate>,
    problem: String,
    round: String,
    unit: Option<String>,
    unit_id: Option<i64>,
    status: Option<Status>,
    is_declined: bool,
    extension: Option<DeadlineChangeState>,
    is_decided: bool,
    supervision: Option<SupervisionState>,
}

/// The measure of a notice, with those of its assignments of which it still holds. The rows of the ledger that the act
/// named are read as they are now.
async fn of_measure(source: &Source<'_>, still: Still) -> Result<Option<About>, Unwritten> {
    let key = |name: &str| source.facts.get(name).and_then(serde_json::Value::as_i64);
    let statement = Statement::from_sql_and_values(
        source.db.get_database_backend(),
        "SELECT m.id AS measure_id, m.number, m.content, m.due_raw, p.title AS problem, r.name AS round, \
                CASE WHEN coalesce(a.due_on, m.due_on) IS DISTINCT FROM m.plan_due_on \
                   THEN coalesce(a.due_on, m.due_on) END AS extended_to, \
                u.name AS unit, a.unit_id, a.status, a.declined_at IS NOT NULL AS is_declined, \
                (SELECT x.state FROM deadline_change x WHERE x.id = $2) AS extension, \
                EXISTS (SELECT 1 FROM objection x WHERE x.id = $3 AND x.decided_at IS NOT NULL) AS is_decided, \
                (SELECT x.state FROM supervision_action x WHERE x.id = $4) AS supervision \
         FROM mail_item i JOIN measure m ON m.id = i.measure_id \
         JOIN problem p ON p.id = m.problem_id JOIN inspection_round r ON r.id = m.round_id \
         LEFT JOIN assignment a ON a.id = i.assignment_id LEFT JOIN unit u ON u.id = a.unit_id \
         WHERE i.mail_id = $1 ORDER BY i.id",
        [source.mail.id.into(), key("extension").into(), key("objection").into(), key("supervision").into()],
    );
    let holds = |row: &OfMeasure| {
        still.holds(&Now {
            status: row.status,
            is_declined: row.is_declined,
            extension: row.extension,
            is_decided: row.is_decided,
            supervision: row.supervision,
            case: None,
        })
    };
    let mut rows = OfMeasure::find_by_statement(statement).all(source.db).await?;
    rows.retain(holds);
    let units: Vec<&str> = rows.iter().filter_map(|row| row.unit.as_deref()).collect();
    let unit = (!units.is_empty()).then(|| units.join("、"));
    let is_own = rows.iter().any(|row| acts(source, row.unit_id));
    let Some(first) = rows.into_iter().next() else { return Ok(None) };
    Ok(Some(About {
        link: source.link(Item::Measure(first.measure_id)),
        number: first.number,
        text: first.content,
        problem: Some(first.problem),
        region: None,
        round: first.round,
        deadline: Some(first.due_raw),
        extended_to: first.extended_to,
        due_on: None,
        unit,
        is_own,
    }))
}

/// The document, time, place and contact of a supervision action.
#[derive(Default, FromQueryResult)]
struct OfSupervision {
    document_number: Option<String>,
    meeting_at: Option<DateTime<Utc>>,
    place: Option<String>,
    contact: Option<String>,
}

/// The supervision action that a notice is about; empty if it is about none. The act keeps its key only, so that the
/// contact, which is personal data, is stored once.
async fn supervision(source: &Source<'_>) -> Result<OfSupervision, Unwritten> {
    let Some(action) = source.facts.get("supervision").and_then(serde_json::Value::as_i64) else {
        return Ok(OfSupervision::default());
    };
    let statement = Statement::from_sql_and_values(
        source.db.get_database_backend(),
        "SELECT document_number, meeting_at, place, contact FROM supervision_action WHERE id = $1",
        [action.into()],
    );
    Ok(OfSupervision::find_by_statement(statement).one(source.db).await?.unwrap_or_default())
}

/// Whether the unit that has to act is the one that is told; so is whoever is told in no unit's name.
fn acts(source: &Source<'_>, unit: Option<i64>) -> bool {
    unit.zip(source.mail.unit_id).is_none_or(|(acts, told)| acts == told)
}

#[derive(FromQueryResult)]
struct OfCase {
    number: String,
    summary: String,
    due_on: NaiveDate,
    round: String,
    region: String,
    unit: String,
    unit_id: i64,
    state: CaseState,
}

/// The case of a notice; none if the notice does not hold any more.
async fn of_case(source: &Source<'_>, case: i64, still: Still) -> Result<Option<About>, Unwritten> {
    let statement = Statement::from_sql_and_values(
        source.db.get_database_backend(),
        "SELECT c.number, c.summary, c.due_on, c.state, r.name AS round, g.name AS region, u.name AS unit, \
                c.lead_unit_id AS unit_id FROM inspection_case c JOIN inspection_round r ON r.id = c.round_id \
         JOIN region g ON g.id = c.region_id JOIN unit u ON u.id = c.lead_unit_id WHERE c.id = $1",
        [case.into()],
    );
    let found = OfCase::find_by_statement(statement).one(source.db).await?;
    let holds = |found: &OfCase| still.holds(&Now { case: Some(found.state), ..Now::default() });
    Ok(found.filter(holds).map(|found| About {
        link: source.link(Item::Case(case)),
        number: Some(found.number),
        text: found.summary,
        problem: None,
        region: Some(found.region),
        round: found.round,
        deadline: None,
        extended_to: None,
        due_on: Some(found.due_on),
        unit: Some(found.unit),
        is_own: acts(source, Some(found.unit_id)),
    }))
}

/// A link by which a forgotten password is set anew.
fn reset<'a>(source: &'a Source<'a>) -> Reading<'a> {
    Box::pin(async move { with_link(source, Purpose::PasswordReset).await })
}

/// A link by which the owner of a new account sets the first password.
fn invitation<'a>(source: &'a Source<'a>) -> Reading<'a> {
    Box::pin(async move { with_link(source, Purpose::Invitation).await })
}

/// The secret is drawn now, so that it is nowhere but in the mail.
async fn with_link(source: &Source<'_>, purpose: Purpose) -> Result<Option<Value>, Unwritten> {
    if source.is_preview {
        return Ok(Some(context! { link => "", until => source.now.to_rfc3339(), ..kept(source) }));
    }
    let drawn = link::draw(source.db, &source.mail.recipient, purpose, source.now).await?;
    let Some((secret, until)) = drawn else { return Ok(None) };
    let link = format!("{}/set-password#token={secret}", source.links.public_url);
    Ok(Some(context! { link => link, until => until.with_timezone(&source.zone).to_rfc3339(), ..kept(source) }))
}
