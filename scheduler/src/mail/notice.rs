//! The facts of a notice: a mail about one act, sent at once rather than gathered into a day's digest.

use chrono::{DateTime, NaiveDate, Utc};
use entity::one_time_secret::Purpose;
use ledger::people::account::link;
use minijinja::value::Serde;
use minijinja::{Value, context};
use sea_orm::{FromQueryResult, Statement};
use serde::Serialize;

use super::{Kind, Reading, Source, Unwritten};

/// The notices that acts queue.
pub(crate) const KINDS: &[Kind] = &[
    Kind { name: "returned", read: assignment },
    Kind { name: "not-applicable-rejected", read: assignment },
    Kind { name: "objection", read: assignment },
    Kind { name: "objection-upheld", read: assignment },
    Kind { name: "relapse", read: assignment },
    Kind { name: "urge", read: assignment },
    Kind { name: "supervision", read: supervision },
    Kind { name: "listing", read: supervision },
    Kind { name: "summons", read: supervision },
    Kind { name: "case-handed-over", read: new_case },
    Kind { name: "case-returned", read: case },
    Kind { name: "case-relapse", read: case },
    Kind { name: "account-locked", read: facts },
    Kind { name: "address-changed", read: facts },
    Kind { name: "second-factor-set", read: facts },
    Kind { name: "second-factor-removed", read: facts },
    Kind { name: "password-set", read: facts },
    Kind { name: "password-reset", read: reset },
    Kind { name: "invitation", read: invitation },
];

/// The states of an assignment in which nothing is left to be done.
const SETTLED: &[&str] = &["CLOSED", "CLOSED_ONGOING", "NOT_APPLICABLE"];
/// The states of a case in which its lead unit has nothing left to do.
const RESOLVED: &[&str] = &["RESOLVED", "ACCEPTED", "CLOSED"];
/// The state of a case that its lead unit has not accepted.
const HANDED_OVER: &str = "HANDED_OVER";

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
    unit: Option<String>,
    /// Whether the recipient's unit has to act, rather than to see that another does.
    is_own: bool,
}

#[derive(FromQueryResult)]
struct OfMeasure {
    measure_id: i64,
    assignment_id: Option<i64>,
    number: Option<String>,
    content: String,
    due_raw: String,
    extended_to: Option<NaiveDate>,
    problem: String,
    round: String,
    unit: Option<String>,
    unit_id: Option<i64>,
    status: Option<String>,
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
    state: String,
}

/// A notice about an assignment; none when the assignment is settled by now.
fn assignment<'a>(source: &'a Source<'a>) -> Reading<'a> {
    Box::pin(async move {
        let statement = Statement::from_sql_and_values(
            source.db.get_database_backend(),
            "SELECT m.id AS measure_id, a.id AS assignment_id, m.number, m.content, m.due_raw, p.title AS problem, \
                    r.name AS round, \
                    CASE WHEN coalesce(a.due_on, m.due_on) IS DISTINCT FROM m.plan_due_on \
                       THEN coalesce(a.due_on, m.due_on) END AS extended_to, \
                    u.name AS unit, a.unit_id, a.status FROM mail_item i JOIN measure m ON m.id = i.measure_id \
             JOIN problem p ON p.id = m.problem_id JOIN inspection_round r ON r.id = m.round_id \
             LEFT JOIN assignment a ON a.id = i.assignment_id LEFT JOIN unit u ON u.id = a.unit_id \
             WHERE i.mail_id = $1 ORDER BY i.id",
            [source.mail.id.into()],
        );
        let Some(found) = OfMeasure::find_by_statement(statement).one(source.db).await? else { return Ok(None) };
        if found.status.as_deref().is_some_and(|status| SETTLED.contains(&status)) {
            return Ok(None);
        }
        let about = About {
            link: source.link_of_answer(found.measure_id, found.assignment_id),
            number: found.number,
            text: found.content,
            problem: Some(found.problem),
            region: None,
            round: found.round,
            deadline: Some(found.due_raw),
            extended_to: found.extended_to,
            due_on: None,
            unit: found.unit,
            is_own: acts(source, found.unit_id),
        };
        Ok(Some(context! { about => Serde(about), ..kept(source) }))
    })
}

/// The document, time, place and contact of a supervision action.
#[derive(Default, FromQueryResult)]
struct OfSupervision {
    document_number: Option<String>,
    meeting_at: Option<DateTime<Utc>>,
    place: Option<String>,
    contact: Option<String>,
}

/// A notice about supervision of an assignment; none when the assignment is settled by now.
///
/// The act keeps the key of the action only, so that the contact, which is personal data, is stored once.
fn supervision<'a>(source: &'a Source<'a>) -> Reading<'a> {
    Box::pin(async move {
        let Some(about) = assignment(source).await? else { return Ok(None) };
        // A mail that an earlier version queued does not say which action it is about.
        let action = match source.facts.get("supervision").and_then(serde_json::Value::as_i64) {
            Some(action) => {
                let statement = Statement::from_sql_and_values(
                    source.db.get_database_backend(),
                    "SELECT document_number, meeting_at, place, contact FROM supervision_action WHERE id = $1",
                    [action.into()],
                );
                OfSupervision::find_by_statement(statement).one(source.db).await?.unwrap_or_default()
            }
            None => OfSupervision::default(),
        };
        let OfSupervision { document_number, meeting_at, place, contact } = action;
        let meeting_at = meeting_at.map(|at| at.with_timezone(&source.zone).to_rfc3339());
        Ok(Some(context! { documentNumber => document_number, meetingAt => meeting_at, place, contact, ..about }))
    })
}

/// Whether the unit that has to act is the one that is told; so is whoever is told in no unit's name.
fn acts(source: &Source<'_>, unit: Option<i64>) -> bool {
    unit.zip(source.mail.unit_id).is_none_or(|(acts, told)| acts == told)
}

/// A notice about a case that was handed over; none when its lead unit has accepted it by now.
fn new_case<'a>(source: &'a Source<'a>) -> Reading<'a> {
    Box::pin(async move { of_case(source, |state| state == HANDED_OVER).await })
}

/// A notice about a case; none when it is resolved by now.
fn case<'a>(source: &'a Source<'a>) -> Reading<'a> {
    Box::pin(async move { of_case(source, |state| !RESOLVED.contains(&state)).await })
}

async fn of_case(source: &Source<'_>, is_open: impl Fn(&str) -> bool) -> Result<Option<Value>, Unwritten> {
    let Some(case) = source.mail.case_id else { return Ok(None) };
    let statement = Statement::from_sql_and_values(
        source.db.get_database_backend(),
        "SELECT c.number, c.summary, c.due_on, c.state, r.name AS round, g.name AS region, u.name AS unit, \
                c.lead_unit_id AS unit_id FROM inspection_case c JOIN inspection_round r ON r.id = c.round_id \
         JOIN region g ON g.id = c.region_id JOIN unit u ON u.id = c.lead_unit_id WHERE c.id = $1",
        [case.into()],
    );
    let found = OfCase::find_by_statement(statement).one(source.db).await?;
    let Some(found) = found.filter(|found| is_open(&found.state)) else { return Ok(None) };
    let about = About {
        link: source.link("case", case),
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
    };
    Ok(Some(context! { about => Serde(about), ..kept(source) }))
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
