//! Answers questions for figures in one statement. The total and the rows by region come from the stored figures if
//! there are any; everything else is counted from the items that concern the region.

use chrono::{Datelike, NaiveDate};
use planner::{Condition, Sql};
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::figures::{Answer, Counted, Dimension, Figures, Question};
use super::kept::{COUNTS, is_kept};
use super::own::State;
use crate::Result;
use crate::people::policy::{Principal, Reach};
use crate::record::concern;
use crate::rule::deadline;

/// Answers a question in one statement, with the figures of what the principal may see.
///
/// A principal whose rights are those of a region can ask for that region and the ones below it. A region above it is
/// answered with the principal's own, and any other as if it did not exist.
pub async fn answer<C: ConnectionTrait>(db: &C, question: &Question, principal: &Principal) -> Result<Answer> {
    let mut sql = Sql::within(db.get_database_backend(), &[], principal);
    let mut question = *question;
    if let Some(own) = principal.region() {
        let is_above = |region: &i64| crate::region::lineage(&own.path).contains(region);
        question.within = Some(question.within.filter(|region| !is_above(region)).unwrap_or(own.region));
    }
    let text = statement(&mut sql, &question, principal);
    let mut rows = Figures::find_by_statement(sql.statement(text)).all(db).await?;
    // The total comes first, even if nothing is counted.
    let total = if rows.is_empty() { Figures::count(&[], question.as_of) } else { rows.remove(0) };
    Ok(Answer { total, rows })
}

/// Returns the statement for the total, followed by the groups.
///
/// `place` is the region asked for. If its figures are stored they are read, else its items are counted: each part of
/// the statement checks `place` first, so that only one of them reads anything.
fn statement(sql: &mut Sql<'_>, question: &Question, principal: &Principal) -> String {
    let mut place = match question.within {
        Some(within) => format!("r.id = {}", sql.bind(within)),
        None => "r.parent_id IS NULL".to_owned(),
    };
    if let Some(own) = principal.region() {
        let path = sql.bind(own.path.clone());
        place = format!("{place} AND substr(r.path, 1, length({path})) = {path}");
    }
    // Stored figures are those of whole regions. For a principal whose rights are those of a unit, items are counted.
    let keeps = principal.region().is_some() || principal.reach == Reach::Everything;
    let is_kept = if keeps { is_kept("r") } else { "(1 = 0)".to_owned() };
    let as_of = sql.bind(question.as_of);
    let kept = kept(sql, question);
    // Every item concerns the nation, so that no list of those that do is needed.
    let is_nation = principal.region().is_some_and(|own| own.is_the_nation() && question.within == Some(own.region));
    let limited = Question { within: question.within.filter(|_| !is_nation), ..*question };
    let items = items(sql, &limited, keeps);
    let figures = counted(&as_of, &State::of("i"), "i.due_by");
    let kept_figures: Vec<String> = COUNTS.iter().map(|count| format!("coalesce(k.{count}, 0)")).collect();
    let kept_figures = kept_figures.join(", ");
    // The regions below the nation or a province have stored figures, so their items need no counting.
    let is_counted = match question.by {
        Dimension::Region if keeps => "(SELECT rank FROM place) > 1",
        _ => "TRUE",
    };
    let kept_groups = match question.by {
        Dimension::Region if keeps && question.wants_groups => format!(
            " UNION ALL SELECT 'region_' || g.id, g.name, {kept_figures}, 1, coalesce(g.code, '999999999999') \
             FROM place JOIN region g ON g.parent_id = place.id JOIN kept k ON k.region_id = g.id \
             WHERE place.rank <= 1 AND k.total > 0"
        ),
        _ => String::new(),
    };
    let groups = if question.wants_groups {
        let (join, key, label, order) = dimension(sql, &limited, keeps);
        let figures = counted(&as_of, &state_in_group(question, keeps), due_in_group(question, keeps));
        format!(
            " UNION ALL SELECT {key}, {label}, {figures}, 1, {order} FROM items i {join} WHERE {is_counted} \
             GROUP BY {key}, {label}, {order}"
        )
    } else {
        String::new()
    };
    format!(
        "WITH place AS (SELECT r.id, r.rank, {is_kept} AS is_kept FROM region r WHERE {place}), \
         kept AS ({kept}), items AS ({items}) \
         SELECT * FROM (SELECT NULL AS key, NULL AS label, {kept_total}, 0 AS part, '' AS place \
         FROM place LEFT JOIN kept k ON k.region_id = place.id WHERE place.is_kept \
         UNION ALL SELECT NULL, NULL, {figures}, 0, '' FROM items i \
         WHERE NOT (SELECT is_kept FROM place) HAVING (SELECT count(*) FROM place WHERE is_kept) = 0\
         {kept_groups}{groups}) figures \
         ORDER BY part, place, \"all\" DESC, key",
        kept_total = COUNTS
            .iter()
            .map(|count| format!("coalesce(k.{count}, 0) AS {}", if *count == "total" { "\"all\"" } else { *count }))
            .collect::<Vec<_>>()
            .join(", "),
    )
}

/// Returns the SQL of the date after which the items `i` are overdue in the groups of a question, by the same rule as
/// [`state_in_group`]. The deadline of a problem does not depend on who answers.
fn due_in_group(question: &Question, keeps: bool) -> &'static str {
    let is_listed = keeps && question.by == Dimension::Region && question.counted == Counted::Measures;
    if is_listed { "coalesce(l.own_due_by, i.whole_due_by)" } else { "i.due_by" }
}

/// Returns the SQL of the state by which the items `i` are judged in the groups of a question: for a region below the
/// one asked for, by its own answers.
fn state_in_group(question: &Question, keeps: bool) -> State {
    let is_listed = keeps && question.by == Dimension::Region && question.counted != Counted::Assignments;
    if !is_listed {
        return State::of("i");
    }
    let whole = State {
        status: "i.whole_status".to_owned(),
        completed_on: "i.whole_completed_on".to_owned(),
        is_completed_by: "i.whole_is_completed_by".to_owned(),
    };
    whole.unless("l", "own_")
}

/// Returns the SQL of the figures of the items `i`, judged by `state` and by the deadline `due_by`, by the rule of
/// [`Figures::count`].
pub(super) fn counted(as_of: &str, state: &State, due_by: &str) -> String {
    let State { status, completed_on, is_completed_by } = state;
    // The date of completion also tells when an item was closed. A closed item without one counts as always closed.
    let closed = format!("{status} IN ('CLOSED', 'CLOSED_ONGOING')");
    let completed = format!("({completed_on} <= {as_of} OR ({completed_on} IS NULL AND {closed}))");
    let unknown = format!("coalesce({is_completed_by} AND {completed_on} > {as_of}, FALSE)");
    let past_due = format!("({status} <> 'NOT_APPLICABLE' AND {due_by} < {as_of})");
    let count = |condition: &str| format!("CAST(coalesce(sum(CASE WHEN {condition} THEN 1 ELSE 0 END), 0) AS bigint)");
    format!(
        "count(*) AS \"all\", {} AS completed, {} AS closed, {} AS not_applicable, {} AS due, {} AS overdue, \
         {} AS unknown",
        count(&completed),
        count(&format!("{closed} AND {completed}")),
        count(&format!("{status} = 'NOT_APPLICABLE'")),
        count(&past_due),
        count(&format!("{past_due} AND NOT coalesce({completed}, FALSE) AND NOT {unknown}")),
        count(&unknown),
    )
}

/// Returns the query for the stored figures of the region asked for and, if split by region, of the regions directly
/// below: those of the whole years before the day's, of the whole months of that year, and of the days of that month.
fn kept(sql: &mut Sql<'_>, question: &Question) -> String {
    let noun = match question.counted {
        Counted::Problems => "PROBLEM",
        Counted::Measures => "MEASURE",
        Counted::Assignments => "ASSIGNMENT",
    };
    let day = question.as_of;
    let first = |month| NaiveDate::from_ymd_opt(day.year(), month, 1).unwrap_or(day);
    let (year, month, day) = (sql.bind(first(1)), sql.bind(first(day.month())), sql.bind(day));
    let spans = [
        ("EVER", String::new()),
        ("YEAR", format!(" AND f.start < {year}")),
        ("MONTH", format!(" AND f.start >= {year} AND f.start < {month}")),
        ("DAY", format!(" AND f.start >= {month} AND f.start <= {day}")),
    ];
    let wanted = match question.by {
        Dimension::Region => {
            "SELECT id FROM place WHERE is_kept UNION SELECT c.id FROM place JOIN region c ON c.parent_id = place.id \
             WHERE place.rank <= 1"
        }
        _ => "SELECT id FROM place WHERE is_kept",
    };
    let parts: Vec<String> = ["figure", "figure_delta"]
        .iter()
        .flat_map(|table| {
            spans.iter().map(move |(span, bounds)| {
                format!(
                    "SELECT f.region_id, f.{} FROM {table} f JOIN wanted w ON w.id = f.region_id \
                     WHERE f.noun = '{noun}' AND f.span = '{span}'{bounds}",
                    COUNTS.join(", f.")
                )
            })
        })
        .collect();
    let sums: Vec<String> = COUNTS.iter().map(|count| format!("{} AS {count}", sql.sum(count))).collect();
    format!(
        "WITH wanted AS ({wanted}) SELECT region_id, {} FROM ({}) parts GROUP BY region_id",
        sums.join(", "),
        parts.join(" UNION ALL ")
    )
}

/// The key of the region asked for, if there is one that the principal may see.
const PLACE: &str = "(SELECT id FROM place)";

/// Returns the query for the items that concern the region asked for. An item is in the list of every region it
/// concerns.
///
/// `keeps` is whether the region alone limits what the principal may see.
fn items(sql: &mut Sql<'_>, question: &Question, keeps: bool) -> String {
    // A principal with the rights of a region is already limited to it; for others, rights are checked row by row.
    let table = match question.counted {
        Counted::Problems => "problem",
        Counted::Measures => "measure",
        Counted::Assignments => "assignment",
    };
    let seen = if keeps { Condition::always() } else { concerning(question) };
    let mut seen: Vec<String> = if seen.is_always() { Vec::new() } else { vec![seen.to_sql(sql, "x")] };
    seen.extend(if keeps { None } else { sql.seen(table, "x") });
    let seen = if seen.is_empty() { String::new() } else { format!(" WHERE {}", seen.join(" AND ")) };
    match question.counted {
        Counted::Problems | Counted::Measures => {
            let (table, problem, lead) = match question.counted {
                Counted::Problems => ("problem", "x.id", "NULL"),
                _ => ("measure", "x.problem_id", "x.lead_unit_id"),
            };
            let is_listed = keeps && question.within.is_some();
            let due_by = match question.counted {
                Counted::Measures if is_listed => "coalesce(list.own_due_by, x.due_by)",
                Counted::Measures if !keeps => "coalesce(own.due_by, x.due_by)",
                _ => "x.due_by",
            };
            let state = if is_listed {
                State::of("x").unless("list", "own_")
            } else if keeps {
                State::of("x")
            } else {
                State::of("x").unless("own", "")
            };
            // Whoever has the rights of a unit sees an item judged by the answers of that unit.
            let own = if keeps { String::new() } else { answered(sql, question.counted) };
            let concerning = question
                .within
                .filter(|_| keeps)
                .map(|_| format!(" JOIN {table}_region list ON list.{table}_id = x.id AND list.region_id = {PLACE}"));
            format!(
                "SELECT x.id, {}, x.status AS whole_status, x.completed_on AS whole_completed_on, \
                 x.is_completed_by AS whole_is_completed_by, {due_by} AS due_by, \
                 x.due_by AS whole_due_by, x.due_on, x.due_ongoing, x.due_immediate, \
                 x.round_id, x.region_id, {problem} AS problem_id, {lead} AS lead_unit_id FROM {table} x{}{own}{seen}",
                state.columns(),
                concerning.unwrap_or_default()
            )
        }
        Counted::Assignments => {
            // Naming the regions once lets the database go by the index of regions, not through all assignments.
            let below = question.within.map(|_| {
                let top = format!("(SELECT path FROM region WHERE id = {PLACE})");
                let word = if seen.is_empty() { "WHERE" } else { "AND" };
                format!(
                    " {word} x.region_id IN (SELECT r.id FROM region r WHERE substr(r.path, 1, length({top})) = {top})"
                )
            });
            format!(
                "SELECT x.id, {}, x.due_by, x.due_on, m.due_ongoing, m.due_immediate, \
                 m.round_id, \
                 x.region_id, m.problem_id, m.lead_unit_id FROM assignment x \
                 JOIN measure m ON m.id = x.measure_id{seen}{}",
                State::of("x").columns(),
                below.unwrap_or_default()
            )
        }
    }
}

/// Returns the join with the state `own` of the items `x` by the assignments that the principal may see; without any,
/// the item is judged as a whole.
fn answered(sql: &mut Sql<'_>, counted: Counted) -> String {
    let seen = sql.seen("assignment", "answer").map(|seen| format!(" WHERE {seen}")).unwrap_or_default();
    let of_measures = format!(
        "SELECT answer.measure_id AS id, max(answer.due_by) AS due_by, {} FROM assignment answer{seen} \
         GROUP BY answer.measure_id",
        State::of("answer").rolled_up().columns()
    );
    if counted != Counted::Problems {
        return format!(" LEFT JOIN ({of_measures}) own ON own.id = x.id");
    }
    let seen = sql.seen("measure", "part").map(|seen| format!(" WHERE {seen}")).unwrap_or_default();
    let state = State::of("part").unless("given", "").rolled_up().columns();
    format!(
        " LEFT JOIN (SELECT part.problem_id AS id, {state} FROM measure part JOIN ({of_measures}) given \
         ON given.id = part.id{seen} GROUP BY part.problem_id) own ON own.id = x.id"
    )
}

/// Returns the condition that a problem or a measure concerns the region asked for, by the assignments that the
/// principal may see.
fn concerning(question: &Question) -> Condition {
    let list = match question.counted {
        Counted::Problems => concern::problems_of,
        Counted::Measures => concern::measures_of,
        Counted::Assignments => return Condition::always(),
    };
    question.within.map_or_else(Condition::always, |region| Condition::Member(list(region.into())))
}

/// Returns the join with the regions `g` directly below the one asked for in which each item was issued or is answered,
/// as far as the principal may see the assignments.
fn in_group(sql: &mut Sql<'_>, of: &str) -> String {
    let seen = sql.seen("assignment", "answer").map(|seen| format!(" WHERE {seen}")).unwrap_or_default();
    format!(
        "JOIN (SELECT DISTINCT tied.item, below.id, below.name, below.code FROM (\
         SELECT i.id AS item, r.path FROM items i JOIN region r ON r.id = i.region_id \
         UNION SELECT i.id, r.path FROM items i JOIN measure mended ON mended.{of} = i.id \
         JOIN assignment answer ON answer.measure_id = mended.id JOIN region r ON r.id = answer.region_id{seen}) tied \
         JOIN region below ON substr(tied.path, 1, length(below.path)) = below.path \
         WHERE below.parent_id = (SELECT id FROM place)) g ON g.item = i.id"
    )
}

/// Returns the join with the groups of a dimension, and the SQL of their key, label and order.
fn dimension(sql: &mut Sql<'_>, question: &Question, keeps: bool) -> (String, String, String, String) {
    let none = String::new();
    // SQL does not permit grouping by a bare constant.
    let (no_label, no_order) = ("CAST(NULL AS text)", "CAST('' AS text)");
    match question.by {
        Dimension::Region => {
            let parent = " AND g.parent_id = (SELECT id FROM place)";
            let join = match question.counted {
                Counted::Problems if !keeps => in_group(sql, "problem_id"),
                Counted::Measures if !keeps => in_group(sql, "id"),
                Counted::Problems => {
                    "JOIN problem_region l ON l.problem_id = i.id JOIN region g ON g.id = l.region_id".to_owned()
                }
                Counted::Measures => {
                    "JOIN measure_region l ON l.measure_id = i.id JOIN region g ON g.id = l.region_id".to_owned()
                }
                Counted::Assignments => {
                    "JOIN region r ON r.id = i.region_id JOIN region g ON substr(r.path, 1, length(g.path)) = g.path"
                        .to_owned()
                }
            };
            let key = "'region_' || g.id".to_owned();
            let parent = if keeps || question.counted == Counted::Assignments { parent } else { "" };
            (format!("{join}{parent}"), key, "g.name".to_owned(), "coalesce(g.code, '999999999999')".to_owned())
        }
        Dimension::LeadUnit => {
            let seen = sql.seen("unit", "u").map(|seen| format!(" AND {seen}")).unwrap_or_default();
            let join = match question.counted {
                // The lead units of a problem are those of its measures.
                Counted::Problems => {
                    let measures = sql.seen("measure", "l").map(|seen| format!(" WHERE {seen}")).unwrap_or_default();
                    // Those of the counted problems only, unless these are all.
                    let of = if question.within.is_some() || !keeps {
                        "items mended JOIN measure l ON l.problem_id = mended.id"
                    } else {
                        "measure l"
                    };
                    format!(
                        "LEFT JOIN (SELECT DISTINCT l.problem_id, u.id, u.name FROM {of} LEFT JOIN unit u \
                         ON u.id = l.lead_unit_id{seen}{measures}) g ON g.problem_id = i.id"
                    )
                }
                _ => format!("LEFT JOIN (SELECT id, name FROM unit u WHERE TRUE{seen}) g ON g.id = i.lead_unit_id"),
            };
            (join, "coalesce('unit_' || g.id, '')".to_owned(), "g.name".to_owned(), no_order.to_owned())
        }
        Dimension::Round => (
            "JOIN inspection_round g ON g.id = i.round_id".to_owned(),
            "'round_' || g.id".to_owned(),
            "g.name".to_owned(),
            no_order.to_owned(),
        ),
        Dimension::Domain => (
            "LEFT JOIN problem_domain g ON g.problem_id = i.problem_id".to_owned(),
            "coalesce(g.domain, '')".to_owned(),
            "g.domain".to_owned(),
            no_order.to_owned(),
        ),
        Dimension::Status => (none, "i.status".to_owned(), no_label.to_owned(), no_order.to_owned()),
        Dimension::DeadlineClass => (none, Sql::on(deadline::CLASS, "i"), no_label.to_owned(), no_order.to_owned()),
    }
}
