//! The briefing of a month (通报): how far a region is, who is ahead and who is late, and the yellow and red cards.
//!
//! The figures of problems and measures are those of the statistics; the ranking counts the assignments that the units
//! of a region answer themselves. All are as of the end of the month or, while it runs, of today. What only holds
//! today, such as the pace, is not known of a past day and left out.

mod paragraph;
mod rank;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use entity::region;
use entity::supervision_action::{SupervisionCause, SupervisionKind};
use planner::{Bilingual, Sql};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter};

use super::figures::{Counted, Dimension, Figures, Only, Question};
use super::state::State;
use crate::Result;
use crate::fault::Fault;
use crate::monthly_account;
use crate::people::policy::{Principal, Reach};
use crate::rule::calendar::{Month, local_day, moment};
use crate::rule::pace;

pub use rank::{Rank, Timeliness};
pub(super) use rank::{Standing, places};

/// The most cards that a briefing lists.
const MAX_CARDS: u64 = 500;

/// The span of a briefing: a month, or the part of it that is over.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// The first day of the month.
    pub first: NaiveDate,
    /// The day as of which it counts: the last of the month, or today while the month runs.
    pub as_of: NaiveDate,
    /// Whether `as_of` is today, so that what only holds today is known.
    pub is_today: bool,
    /// The moment at which the month begins.
    begins: DateTime<Utc>,
    /// The moment at which the span ends.
    ends: DateTime<Utc>,
}

impl Span {
    /// Reads a month such as `2026-11`, which must have begun.
    pub fn of_month(month: &str, now: DateTime<Utc>, zone: Tz) -> Result<Self, Fault> {
        let today = local_day(now, zone);
        let month = Month::begun(month, today)?;
        let (first, last, next) = (month.first_day(), month.last_day(), month.next().first_day());
        let as_of = last.min(today);
        Ok(Self {
            first,
            as_of,
            is_today: as_of == today,
            begins: moment(first, NaiveTime::MIN, zone),
            ends: moment(next, NaiveTime::MIN, zone).min(now + chrono::TimeDelta::microseconds(1)),
        })
    }
}

/// The measures of a region that are neither completed nor overdue, by their pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromQueryResult)]
pub struct Paced {
    /// Ahead of schedule or on schedule (达到序时进度).
    pub on_schedule: i64,
    /// Behind schedule (未达序时进度).
    pub behind: i64,
}

/// The numbers of yellow and red cards of a month.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromQueryResult)]
pub struct CardCounts {
    /// Yellow cards given in the month.
    pub yellow_issued: i64,
    /// Red cards given in the month.
    pub red_issued: i64,
    /// Yellow cards lifted in the month.
    pub yellow_lifted: i64,
    /// Red cards lifted in the month.
    pub red_lifted: i64,
    /// Yellow cards in force at its end.
    pub yellow_in_force: i64,
    /// Red cards in force at its end.
    pub red_in_force: i64,
}

/// A card that was given, lifted or in force in a month.
#[derive(Debug, Clone, PartialEq, FromQueryResult)]
pub struct CardLine {
    /// The key of the act of supervision.
    pub id: i64,
    /// The kind: a yellow or a red card.
    pub kind: SupervisionKind,
    /// Why the system proposed it; `None` if a person gave it unasked.
    pub cause: Option<SupervisionCause>,
    /// The reason that the unit reads.
    pub reason: String,
    /// When it was given.
    pub issued_at: DateTime<Utc>,
    /// When it was lifted, unless that was after the month.
    pub lifted_at: Option<DateTime<Utc>>,
    /// The name of the unit that answers the assignment.
    pub unit: String,
    /// The name of the unit's region.
    pub region: String,
    /// The key of the measure.
    pub measure_id: i64,
    /// The number of the measure, as printed.
    pub number: Option<String>,
    /// The text of the measure.
    pub content: String,
}

/// The briefing of a month.
#[derive(Debug, Clone)]
pub struct Briefing {
    /// The span that it is about.
    pub span: Span,
    /// The region.
    pub region: region::Model,
    /// The figures of problems.
    pub problems: Figures,
    /// The figures of measures.
    pub measures: Figures,
    /// The open measures by pace; `None` for a past day.
    pub paced: Option<Paced>,
    /// The reports of the month, of all units of the region.
    pub reports: Timeliness,
    /// The regions directly below, the best first.
    pub regions: Vec<Rank>,
    /// The units of the region that answer, the best first; at most 100.
    pub units: Vec<Rank>,
    /// The numbers of cards.
    pub cards: CardCounts,
    /// The cards, the oldest first; at most 500.
    pub card_lines: Vec<CardLine>,
}

impl Briefing {
    /// Writes the briefing of a region, or of the principal's own. Returns `None` for a region that does not exist or
    /// is not within the principal's, and for a principal whose rights are not those of a region.
    pub async fn write<C: ConnectionTrait>(
        db: &C,
        span: Span,
        within: Option<i64>,
        principal: &Principal,
        zone: Tz,
    ) -> Result<Option<Self>> {
        let Some(region) = place(db, within, principal).await? else { return Ok(None) };
        let question = |counted| Question {
            within: Some(region.id),
            as_of: span.as_of,
            by: Dimension::Status,
            and: None,
            only: Only::default(),
            clock: None,
            wants_more: false,
            counted,
            wants_groups: false,
        };
        let problems = super::answer(db, &question(Counted::Problems), principal).await?.total;
        let measures = super::answer(db, &question(Counted::Measures), principal).await?.total;
        let facts = pace::facts(span.as_of, zone);
        let paced = if span.is_today { Some(paced(db, &region, &facts).await?) } else { None };
        let mut ranked_by = facts.clone();
        ranked_by.extend(monthly_account::facts(Month::of(span.first), span.as_of, zone));
        let ranking = rank::ranking(db, &region, &span, &ranked_by).await?;
        let (cards, card_lines) = cards(db, &region, &span).await?;
        Ok(Some(Self {
            span,
            region,
            problems,
            measures,
            paced,
            reports: ranking.reports,
            regions: ranking.regions,
            units: ranking.units,
            cards,
            card_lines,
        }))
    }

    /// Returns the paragraph of the report, in the manner of published ones.
    pub fn paragraph(&self) -> Bilingual {
        paragraph::write(self)
    }

    /// Returns what the figures do not tell, in sentences.
    pub fn notes(&self) -> Vec<Bilingual> {
        paragraph::notes(self)
    }
}

/// Returns the region to brief on: the one asked for, or the principal's own.
async fn place<C: ConnectionTrait>(
    db: &C,
    within: Option<i64>,
    principal: &Principal,
) -> Result<Option<region::Model>> {
    if principal.region().is_none() && principal.reach != Reach::Everything {
        return Ok(None);
    }
    let own = principal.region();
    let found = match within.or(own.map(|own| own.region)) {
        Some(key) => region::Entity::find_by_id(key).one(db).await?,
        None => region::Entity::find().filter(region::Column::ParentId.is_null()).one(db).await?,
    };
    Ok(found.filter(|found| own.is_none_or(|own| found.path.starts_with(&own.path))))
}

/// Counts the open measures of a region by their pace today. A region below the issuing one judges a measure by its own
/// answers: it is behind if one of them is.
async fn paced<C: ConnectionTrait>(
    db: &C,
    region: &region::Model,
    facts: &[(&'static str, sea_orm::Value)],
) -> Result<Paced> {
    let mut sql = Sql::new(db.get_database_backend(), facts);
    let today = sql.fact("today");
    let whole = pace::sql(&mut sql, "x", "x");
    // Every measure concerns the nation, and it judges each as a whole.
    let (join, state, due_by, pace) = if region.parent_id.is_none() {
        (String::new(), State::of("x"), "x.due_by".to_owned(), whole)
    } else {
        let own = pace::sql(&mut sql, "a", "x");
        let path = sql.bind(region.path.clone());
        let late = format!(
            "EXISTS (SELECT 1 FROM assignment a JOIN region r ON r.id = a.region_id WHERE a.measure_id = x.id \
             AND substr(r.path, 1, length({path})) = {path} AND {own} IN ('BEHIND', 'OVERDUE'))"
        );
        let id = sql.bind(region.id);
        (
            format!(" JOIN measure_region l ON l.measure_id = x.id AND l.region_id = {id}"),
            State::of("x").unless("l", "own_"),
            "coalesce(l.own_due_by, x.due_by)".to_owned(),
            format!("CASE WHEN l.own_status IS NULL THEN {whole} WHEN {late} THEN 'BEHIND' ELSE 'ON_SCHEDULE' END"),
        )
    };
    let text = format!(
        "SELECT {} AS on_schedule, {} AS behind FROM (SELECT {pace} AS pace FROM measure x{join} \
         WHERE {applicable} AND NOT {completed} AND NOT {closed} \
         AND ({due_by} IS NULL OR {due_by} >= {today})) open",
        sql.sum("CASE WHEN open.pace = 'BEHIND' THEN 0 ELSE 1 END"),
        sql.sum("CASE WHEN open.pace = 'BEHIND' THEN 1 ELSE 0 END"),
        applicable = state.is_applicable(),
        completed = state.is_completed(&today),
        closed = state.is_closed(),
    );
    let none = Paced { on_schedule: 0, behind: 0 };
    Ok(Paced::find_by_statement(sql.statement(text)).one(db).await?.unwrap_or(none))
}

/// Returns the cards of a region's units that were given, lifted or in force in the span: their numbers, and a list.
async fn cards<C: ConnectionTrait>(db: &C, region: &region::Model, span: &Span) -> Result<(CardCounts, Vec<CardLine>)> {
    let (begins, ends, path) = ("$1", "$2", "$3");
    let sql = Sql::new(db.get_database_backend(), &[]);
    let from = format!(
        "FROM supervision_action s JOIN assignment a ON a.id = s.assignment_id JOIN unit u ON u.id = a.unit_id \
         JOIN region r ON r.id = a.region_id JOIN measure m ON m.id = s.measure_id \
         WHERE s.kind IN ('YELLOW_CARD', 'RED_CARD') AND s.state IN ('ISSUED', 'LIFTED') AND s.issued_at < {ends} \
         AND (s.lifted_at IS NULL OR s.lifted_at >= {begins}) AND substr(r.path, 1, length({path})) = {path}"
    );
    let count = |kind: &str, condition: &str| {
        sql.sum(&format!("CASE WHEN s.kind = '{kind}' AND {condition} THEN 1 ELSE 0 END"))
    };
    let issued = format!("s.issued_at >= {begins}");
    let lifted = format!("s.lifted_at < {ends}");
    let in_force = format!("(s.lifted_at IS NULL OR s.lifted_at >= {ends})");
    let counts = format!(
        "SELECT {} AS yellow_issued, {} AS red_issued, {} AS yellow_lifted, {} AS red_lifted, \
         {} AS yellow_in_force, {} AS red_in_force {from}",
        count("YELLOW_CARD", &issued),
        count("RED_CARD", &issued),
        count("YELLOW_CARD", &lifted),
        count("RED_CARD", &lifted),
        count("YELLOW_CARD", &in_force),
        count("RED_CARD", &in_force),
    );
    let list = format!(
        "SELECT s.id, s.kind, s.cause, s.reason, s.issued_at, CASE WHEN {lifted} THEN s.lifted_at END AS lifted_at, \
         u.name AS unit, r.name AS region, m.id AS measure_id, m.number, m.content {from} \
         ORDER BY s.issued_at, s.id LIMIT {MAX_CARDS}"
    );
    let values = || vec![span.begins.into(), span.ends.into(), region.path.clone().into()];
    let backend = db.get_database_backend();
    let statement = |text: &str| sea_orm::Statement::from_sql_and_values(backend, text, values());
    let counts = CardCounts::find_by_statement(statement(&counts)).one(db).await?.unwrap_or_default();
    Ok((counts, CardLine::find_by_statement(statement(&list)).all(db).await?))
}
