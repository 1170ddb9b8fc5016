//! The ranking of a briefing: the regions directly below, and the units that answer, by how far their own assignments
//! are. Whoever has completed more comes first; then those with fewer overdue, more on schedule, and more reports.

use std::cmp::Ordering;

use entity::region;
use planner::Sql;
use sea_orm::{ConnectionTrait, FromQueryResult, Value};

use super::Span;
use crate::Result;
use crate::owes_monthly_account;
use crate::rule::pace;
use crate::statistics::answer::counted;
use crate::statistics::figures::Figures;
use crate::statistics::state::State;

/// The most units in a ranking.
pub(super) const MAX_UNITS: u64 = 100;

/// How many of the assignments that had to be reported on in a month were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timeliness {
    /// The assignments that owe the account of the month (月账).
    pub expected: i64,
    /// Those of them that have given it, by a report for the month.
    pub reported: i64,
}

impl Timeliness {
    /// Returns reported ÷ expected, or `None` if nothing was expected.
    pub fn rate(self) -> Option<f64> {
        (self.expected > 0).then(|| self.reported as f64 / self.expected as f64)
    }
}

/// A place in a ranking.
#[derive(Debug, Clone, PartialEq)]
pub struct Rank {
    /// The place, from 1; those that are equal share it. `None` without a completion rate.
    pub rank: Option<usize>,
    /// The figures of assignments, with the global id and the name of the region or unit.
    pub figures: Figures,
    /// Open assignments that are ahead of schedule or on schedule; `None` for a past day.
    pub on_schedule: Option<i64>,
    /// Open assignments that are behind schedule, but not overdue; `None` for a past day.
    pub behind: Option<i64>,
    /// The reports of the month.
    pub reports: Timeliness,
}

/// The rankings of a region.
pub(super) struct Ranking {
    pub(super) reports: Timeliness,
    pub(super) regions: Vec<Rank>,
    pub(super) units: Vec<Rank>,
}

/// A row of the statement.
#[derive(FromQueryResult)]
struct Row {
    /// 0 for the region as a whole, 1 for a region below it, 2 for a unit.
    part: i64,
    #[sea_orm(nested)]
    figures: Figures,
    on_schedule: i64,
    behind: i64,
    expected: i64,
    reported: i64,
}

/// Reads the rankings of a region in one statement.
pub(super) async fn ranking<C: ConnectionTrait>(
    db: &C,
    region: &region::Model,
    span: &Span,
    facts: &[(&'static str, Value)],
) -> Result<Ranking> {
    let mut sql = Sql::new(db.get_database_backend(), facts);
    let text = statement(&mut sql, region, span);
    let rows = Row::find_by_statement(sql.statement(text)).all(db).await?;
    let mut ranking = Ranking { reports: Timeliness::default(), regions: Vec::new(), units: Vec::new() };
    for row in rows {
        let reports = Timeliness { expected: row.expected, reported: row.reported };
        let known = |count| span.is_today.then_some(count);
        let (on_schedule, behind) = (known(row.on_schedule), known(row.behind));
        let rank = Rank { rank: None, figures: row.figures, on_schedule, behind, reports };
        match row.part {
            0 => ranking.reports = reports,
            1 => ranking.regions.push(rank),
            _ => ranking.units.push(rank),
        }
    }
    ranked(&mut ranking.regions);
    ranked(&mut ranking.units);
    Ok(ranking)
}

fn statement(sql: &mut Sql<'_>, region: &region::Model, span: &Span) -> String {
    let pace = if span.is_today { pace::sql(sql, "a", "m") } else { "CAST(NULL AS text)".to_owned() };
    let (path, top, as_of) = (sql.bind(region.path.clone()), sql.bind(region.id), sql.bind(span.as_of));
    let expected = sql.source(owes_monthly_account!());
    let reported =
        sql.source("EXISTS (SELECT 1 FROM progress_report p WHERE p.assignment_id = a.id AND p.period = {fact:month})");
    let count = |condition: &str| sql.sum(&format!("CASE WHEN {condition} THEN 1 ELSE 0 END"));
    let state = State::of("i");
    let columns = format!(
        "{figures}, {on_schedule} AS on_schedule, {behind} AS behind, {expected} AS expected, {reported} AS reported",
        figures = counted(sql, &as_of, &state, "i.due_by"),
        on_schedule = count("i.pace IN ('AHEAD', 'ON_SCHEDULE')"),
        behind = count("i.pace = 'BEHIND'"),
        expected = count("i.is_expected = 1"),
        reported = count("i.is_reported = 1"),
    );
    let part = |part: i64| format!("CAST({part} AS bigint) AS part");
    format!(
        "WITH answers AS (SELECT a.unit_id, r.path, {answered}, a.due_by, {pace} AS pace, \
           CASE WHEN {expected} THEN 1 ELSE 0 END AS is_expected, \
           CASE WHEN {expected} AND {reported} THEN 1 ELSE 0 END AS is_reported \
           FROM assignment a JOIN measure m ON m.id = a.measure_id JOIN region r ON r.id = a.region_id \
           WHERE substr(r.path, 1, length({path})) = {path}) \
         SELECT {}, CAST(NULL AS text) AS key, CAST(NULL AS text) AS label, {columns} FROM answers i \
         UNION ALL SELECT {}, 'region_' || g.id, g.name, {columns} FROM answers i \
           JOIN region g ON g.parent_id = {top} AND substr(i.path, 1, length(g.path)) = g.path GROUP BY g.id, g.name \
         UNION ALL SELECT * FROM (SELECT {}, 'unit_' || g.id, g.name, {columns} FROM answers i \
           JOIN unit g ON g.id = i.unit_id GROUP BY g.id, g.name \
           ORDER BY coalesce({completed} * 1.0 / nullif({applicable}, 0), -1) DESC, g.id LIMIT {MAX_UNITS}) units",
        part(0),
        part(1),
        part(2),
        answered = State::of("a").columns(),
        completed = count(&state.is_completed(&as_of)),
        applicable = count(&state.is_applicable()),
    )
}

/// Puts the best first and gives each its place.
fn ranked(rows: &mut [Rank]) {
    let places = places(&rows.iter().map(Rank::standing).collect::<Vec<_>>());
    rows.iter_mut().zip(places).for_each(|(row, place)| row.rank = place);
    rows.sort_by(|one, other| {
        better(&one.standing(), &other.standing()).then_with(|| one.figures.label.cmp(&other.figures.label))
    });
}

impl Rank {
    fn standing(&self) -> Standing<'_> {
        Standing { figures: &self.figures, on_schedule: self.on_schedule, reports: self.reports }
    }
}

/// How far someone is: what a ranking compares.
pub(in crate::statistics) struct Standing<'f> {
    /// The figures.
    pub(in crate::statistics) figures: &'f Figures,
    /// Open items that are ahead of schedule or on schedule, if that is known.
    pub(in crate::statistics) on_schedule: Option<i64>,
    /// The reports of the month.
    pub(in crate::statistics) reports: Timeliness,
}

/// Returns the place of each in the ranking of all.
pub(in crate::statistics) fn places(all: &[Standing<'_>]) -> Vec<Option<usize>> {
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by(|one, other| better(&all[*one], &all[*other]));
    let (mut places, mut place) = (vec![None; all.len()], 0);
    for (turn, index) in order.iter().enumerate() {
        let is_equal = turn > 0 && better(&all[order[turn - 1]], &all[*index]) == Ordering::Equal;
        place = if is_equal { place } else { turn + 1 };
        places[*index] = all[*index].figures.completion_rate().map(|_| place);
    }
    places
}

/// Compares two, the better one first. What is not known comes last.
fn better(one: &Standing<'_>, other: &Standing<'_>) -> Ordering {
    let overdue = |rank: &Standing<'_>| rank.figures.overdue_rate().map(|rate| -rate).or(Some(0.0));
    more(one.figures.completion_rate(), other.figures.completion_rate())
        .then_with(|| more(overdue(one), overdue(other)))
        .then_with(|| more(share_on_schedule(one), share_on_schedule(other)))
        .then_with(|| more(one.reports.rate(), other.reports.rate()))
}

/// Returns the share of what is neither behind nor overdue among what is applicable.
fn share_on_schedule(rank: &Standing<'_>) -> Option<f64> {
    let applicable = rank.figures.all - rank.figures.not_applicable;
    let on_schedule = rank.figures.completed + rank.on_schedule?;
    (applicable > 0).then(|| on_schedule as f64 / applicable as f64)
}

fn more(one: Option<f64>, other: Option<f64>) -> Ordering {
    other.partial_cmp(&one).unwrap_or(Ordering::Equal)
}
