//! Answers questions for figures in one statement. The total and the rows by region come from the stored figures if
//! there are any; everything else is counted from the items that concern the region.

use chrono::{Datelike, NaiveDate};
use planner::{Condition, Sight, Sql};
use sea_orm::{ActiveEnum, ConnectionTrait, FromQueryResult, Value};

use super::briefing::{Standing, Timeliness, places};
use super::figures::{Answer, Counted, Dimension, Figures, Group, Key, More, Only, Question};
use super::kept::{COUNTS, is_kept};
use super::more;
use super::state::State;
use crate::Result;
use crate::people::policy::{Principal, Reach};
use crate::record::concern;
use crate::rule::{deadline, pace};

/// The most groups in an answer.
const MAX_GROUPS: usize = 20_000;

/// A row of the statement: the total, or a group.
#[derive(FromQueryResult)]
struct Row {
    /// The place of the question among those that are answered together.
    question: i64,
    #[sea_orm(nested)]
    figures: Figures,
    #[sea_orm(nested)]
    more: More,
    code: Option<String>,
    and_key: Option<String>,
    and_label: Option<String>,
    and_code: Option<String>,
}

/// Answers a question in one statement, with the figures of what the principal may see.
///
/// A principal whose rights are those of a region can ask for that region and the ones below it. A region above it is
/// answered with the principal's own, and any other as if it did not exist.
pub async fn answer<C: ConnectionTrait>(db: &C, question: &Question, principal: &Principal) -> Result<Answer> {
    let mut answers = answers(db, std::slice::from_ref(question), principal).await?;
    Ok(answers.remove(0))
}

/// Answers several questions in one statement, such as one for each month.
pub async fn answers<C: ConnectionTrait>(db: &C, questions: &[Question], principal: &Principal) -> Result<Vec<Answer>> {
    let clock = questions.iter().find_map(|question| question.clock);
    let facts = clock.map(|clock| pace::facts(clock.today, clock.zone)).unwrap_or_default();
    let mut sql = Sql::within(db.get_database_backend(), &facts, principal);
    let mut parts = Vec::new();
    for (place, question) in questions.iter().enumerate() {
        let mut question = question.clone();
        if let Some(own) = principal.region() {
            let is_above = |region: &i64| crate::region::lineage(&own.path).contains(region);
            question.within = Some(question.within.filter(|region| !is_above(region)).unwrap_or(own.region));
        }
        let text = statement(&mut sql, &question, principal);
        parts.push(format!("SELECT CAST({place} AS bigint) AS question, q{place}.* FROM ({text}) q{place}"));
    }
    let text = format!("{} ORDER BY question, part, place, \"all\" DESC, key, and_key", parts.join(" UNION ALL "));
    let mut rows = Row::find_by_statement(sql.statement(text)).all(db).await?.into_iter().peekable();
    let mut answers = Vec::new();
    for (place, question) in questions.iter().enumerate() {
        let mut own = Vec::new();
        while let Some(row) = rows.next_if(|row| row.question == place as i64) {
            own.push(row);
        }
        answers.push(answer_of(question, own));
    }
    Ok(answers)
}

/// Puts the rows of a question together.
fn answer_of(question: &Question, mut rows: Vec<Row>) -> Answer {
    // The total comes first, even if nothing is counted.
    let (total, more) = if rows.is_empty() {
        (Figures::count(&[], question.as_of), More::default())
    } else {
        let total = rows.remove(0);
        (total.figures, total.more)
    };
    let is_cut = rows.len() > MAX_GROUPS;
    rows.truncate(MAX_GROUPS);
    let standings: Vec<Standing<'_>> = rows
        .iter()
        .map(|row| Standing {
            figures: &row.figures,
            on_schedule: question.knows_pace().then_some(row.more.open_on_schedule),
            reports: Timeliness { expected: row.more.expected, reported: row.more.reported },
        })
        .collect();
    let is_ranked = question.by.is_ranked() && question.and.is_none();
    let ranks = if is_ranked { places(&standings) } else { vec![None; rows.len()] };
    let group = |(row, rank): (Row, Option<usize>)| Group {
        and: row.and_key.map(|key| Key { key, label: row.and_label, code: row.and_code }),
        figures: row.figures,
        more: row.more,
        code: row.code,
        rank,
    };
    Answer { total, more, rows: rows.into_iter().zip(ranks).map(group).collect(), is_cut }
}

/// Returns the query for the total and the groups.
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
    // For a principal whose rights are those of a unit, rights are checked row by row.
    let keeps = principal.region().is_some() || principal.reach == Reach::Everything;
    // Stored figures are those of all items of whole regions.
    let reads_stored = keeps && question.only.is_everything() && !question.wants_more;
    let is_kept = if reads_stored { is_kept("r") } else { "(1 = 0)".to_owned() };
    let kept = kept(sql, question);
    // Every item concerns the nation, so that no list of those that do is needed.
    let limits = |within: &i64| !principal.is_nation(&(*within).into());
    let limited = Question { within: question.within.filter(limits), ..question.clone() };
    let items = items(sql, &limited, keeps);
    let kept_figures: Vec<String> = COUNTS.iter().map(|count| format!("coalesce(k.{count}, 0)")).collect();
    let kept_figures = [kept_figures.join(", "), more::none()].join(", ");
    let splits_by_region = question.by == Dimension::Region && question.and.is_none() && reads_stored;
    // The regions below the nation or a province have stored figures, so their items need no counting.
    let is_counted = if splits_by_region { "(SELECT rank FROM place) > 1" } else { "TRUE" };
    let kept_groups = if splits_by_region && question.wants_groups {
        format!(
            " UNION ALL SELECT 'region_' || g.id, g.name, g.code, NULL, NULL, NULL, {kept_figures}, 1, \
             coalesce(g.code, '999999999999') \
             FROM place JOIN region g ON g.parent_id = place.id JOIN kept k ON k.region_id = g.id \
             WHERE place.rank <= 1 AND k.total > 0"
        )
    } else {
        String::new()
    };
    let splits = question.wants_groups.then(|| Splits::of(sql, &limited, keeps));
    let (parts, groups) = match &splits {
        Some(splits) => (splits.parts(sql, &limited, keeps), splits.groups(sql, question, is_counted)),
        None => (String::new(), String::new()),
    };
    // The nation's total is stored.
    let total = if reads_stored && limited.within.is_none() {
        String::new()
    } else if splits.is_some_and(|splits| splits.are_exact()) {
        total_of(&added_up(sql, question), "parts i WHERE TRUE")
    } else {
        total(sql, question)
    };
    // PostgreSQL reads the items of the whole nation by several processes where they are counted. It finds those of a
    // smaller region first, because it cannot tell how few they are. What is dear is worked out once.
    let is_whole = keeps && limited.within.is_none();
    let is_found_first = question.wants_more || (question.wants_groups && !is_whole);
    let materialized = if is_found_first { "MATERIALIZED " } else { "" };
    format!(
        "WITH place AS (SELECT r.id, r.rank, {is_kept} AS is_kept FROM region r WHERE {place}), \
         kept AS ({kept}), items AS {materialized}({items}){parts} \
         SELECT * FROM (SELECT {named}, {kept_total}, {no_more}, 0 AS part, '' AS place \
         FROM place LEFT JOIN kept k ON k.region_id = place.id WHERE place.is_kept \
         {total}{kept_groups}{groups}) figures \
         ORDER BY part, place, \"all\" DESC, key, and_key LIMIT {most}",
        kept_total = COUNTS
            .iter()
            .map(|count| format!("coalesce(k.{count}, 0) AS {}", if *count == "total" { "\"all\"" } else { *count }))
            .collect::<Vec<_>>()
            .join(", "),
        named = unnamed(),
        no_more = more::none(),
        // The total, the groups, and one more that says that there are more.
        most = MAX_GROUPS + 2,
    )
}

/// Returns the columns that name no group, for a total.
fn unnamed() -> String {
    ["key", "label", "code", "and_key", "and_label", "and_code"].map(|name| format!("{NOTHING} AS {name}")).join(", ")
}

/// Returns the part of the statement that counts all items, unless their figures are stored.
fn total(sql: &mut Sql<'_>, question: &Question) -> String {
    let (as_of, whole) = (sql.bind(question.as_of), State::of("i"));
    let more = more::counted(sql, question, &as_of, &whole, "i.due_by");
    let figures = format!("{}, {more}", counted(sql, &as_of, &whole, "i.due_by"));
    total_of(&figures, &format!("items i WHERE TRUE{}", has_status(sql, &question.only, &whole)))
}

/// Returns the part of the statement for the total, unless it is stored, from rows with a condition.
fn total_of(figures: &str, rows: &str) -> String {
    format!(
        " UNION ALL SELECT {}, {figures}, 0, '' FROM {rows} AND NOT (SELECT is_kept FROM place) \
         HAVING (SELECT count(*) FROM place WHERE is_kept) = 0",
        unnamed()
    )
}

/// Returns the SQL of the figures of the parts `i`, added up.
fn added_up(sql: &Sql<'_>, question: &Question) -> String {
    let names = ["\"all\""].iter().chain(&COUNTS[1..]);
    let mut figures: Vec<String> = names.map(|name| format!("{} AS {name}", sql.sum(&format!("i.{name}")))).collect();
    figures.push(if question.wants_more { more::added_up(sql, "i") } else { more::none() });
    figures.join(", ")
}

/// How the groups of a question split its items.
struct Splits {
    first: Split,
    second: Option<Split>,
}

impl Splits {
    fn of(sql: &mut Sql<'_>, question: &Question, keeps: bool) -> Self {
        let first = Split::by(sql, question, question.by, "g", keeps);
        Self { first, second: question.and.map(|and| Split::by(sql, question, and, "h", keeps)) }
    }

    fn all(&self) -> impl Iterator<Item = &Split> {
        std::iter::once(&self.first).chain(&self.second)
    }

    /// Returns whether each item is in one part, so that the figures of the parts add up to the total.
    fn are_exact(&self) -> bool {
        self.all().all(|split| split.join.is_empty())
    }

    /// Returns the query `parts` for the figures of each key, to be appended to those of the statement. It knows no
    /// names, so that the database adds up the many items by short keys.
    fn parts(&self, sql: &mut Sql<'_>, question: &Question, keeps: bool) -> String {
        let as_of = sql.bind(question.as_of);
        let (state, due_by) = judged_in_groups(question, keeps);
        let has_status = has_status(sql, &question.only, &state);
        let mut figures = vec![counted(sql, &as_of, &state, due_by)];
        figures.extend(question.wants_more.then(|| more::counted(sql, question, &as_of, &state, due_by)));
        let joins: Vec<&str> = self.all().map(|split| split.join.as_str()).collect();
        let keys: Vec<&str> = self.all().map(|split| split.of.as_str()).collect();
        let named: Vec<String> = self.all().map(|split| format!("{} AS {}", split.of, split.column)).collect();
        format!(
            ", parts AS (SELECT {}, {} FROM items i {} WHERE TRUE{has_status} GROUP BY {})",
            named.join(", "),
            figures.join(", "),
            joins.join(" "),
            keys.join(", ")
        )
    }

    /// Returns the part of the statement that names the groups, and adds up the parts of each.
    fn groups(&self, sql: &Sql<'_>, question: &Question, is_counted: &str) -> String {
        let Split { key, label, code, order, .. } = &self.first;
        let names: Vec<&str> = self.all().map(|split| split.names.as_str()).collect();
        let [and_key, and_label, and_code] = match &self.second {
            Some(Split { key, label, code, .. }) => [key, label, code].map(String::as_str),
            None => [NOTHING; 3],
        };
        format!(
            " UNION ALL SELECT {key}, {label}, {code}, {and_key}, {and_label}, {and_code}, {}, 1, {order} \
             FROM parts i {} WHERE {is_counted} \
             GROUP BY {key}, {label}, {code}, {order}, {and_key}, {and_label}, {and_code}",
            added_up(sql, question),
            names.join(" ")
        )
    }
}

/// Returns the condition that the status of an item is one of those asked for, to be appended to others.
fn has_status(sql: &mut Sql<'_>, only: &Only, state: &State) -> String {
    match &only.statuses {
        None => String::new(),
        Some(statuses) if statuses.is_empty() => " AND 1 = 0".to_owned(),
        Some(statuses) => {
            let statuses: Vec<String> = statuses.iter().map(|status| sql.bind(status.clone())).collect();
            format!(" AND {} IN ({})", state.status, statuses.join(", "))
        }
    }
}

/// Returns the SQL of the state and of the deadline by which the items `i` are judged in the groups of a question: for
/// a region below the one asked for and for a unit, by their own answers. The deadline of a problem does not depend on
/// who answers.
fn judged_in_groups(question: &Question, keeps: bool) -> (State, &'static str) {
    let of_measures = question.counted == Counted::Measures;
    let answering = [Some(question.by), question.and].into_iter().flatten().find(|by| by.is_answering());
    match answering.filter(|_| question.counted != Counted::Assignments) {
        Some(Dimension::Unit) => (State::of("e"), if of_measures { "e.due_by" } else { "i.due_by" }),
        Some(_) if keeps => {
            let whole = State {
                status: "i.whole_status".to_owned(),
                completed_on: "i.whole_completed_on".to_owned(),
                is_completed_by: "i.whole_is_completed_by".to_owned(),
            };
            (whole.unless("l", "own_"), if of_measures { "coalesce(l.own_due_by, i.whole_due_by)" } else { "i.due_by" })
        }
        _ => (State::of("i"), "i.due_by"),
    }
}

/// Returns the SQL of the figures of the items `i`, judged by `state` and by the deadline `due_by`, by the rule of
/// [`Figures::count`].
pub(super) fn counted(sql: &Sql<'_>, as_of: &str, state: &State, due_by: &str) -> String {
    let count = |condition: &str| sql.count_of(condition);
    format!(
        "count(*) AS \"all\", {} AS completed, {} AS closed, {} AS not_applicable, {} AS due, {} AS overdue, \
         {} AS unknown",
        count(&state.is_completed(as_of)),
        count(&state.was_closed(as_of)),
        count(&format!("NOT {}", state.is_applicable())),
        count(&state.is_past_due(due_by, as_of)),
        count(&state.is_overdue(due_by, as_of)),
        count(&state.is_unknown(as_of)),
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
        Dimension::Region if question.and.is_none() => {
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
    let items = all_items(sql, question, keeps);
    let only = wanted(question);
    if only.is_always() {
        return items;
    }
    let alias = sql.alias();
    let only = only.to_sql(sql, &alias);
    format!("SELECT * FROM ({items}) {alias} WHERE {only}")
}

/// Returns the condition on the columns of items that they are among those asked for, other than by status, which
/// depends on who judges.
fn wanted(question: &Question) -> Condition {
    let Only { round, lead_unit, unit, domains, sectors, classes, statuses: _ } = &question.only;
    let of = |table, column, key, condition| Condition::Exists { table, column, key, condition: Box::new(condition) };
    let texts = |texts: &[String]| -> Vec<Value> { texts.iter().cloned().map(Into::into).collect() };
    // The lead units of a problem are those of its measures.
    let led = |condition: Condition| match question.counted {
        Counted::Problems => of("measure", "problem_id", "id", condition),
        Counted::Measures | Counted::Assignments => condition,
    };
    let answered = |condition: Condition| match question.counted {
        Counted::Problems => of("measure", "problem_id", "id", of("assignment", "measure_id", "id", condition)),
        Counted::Measures => of("assignment", "measure_id", "id", condition),
        Counted::Assignments => condition,
    };
    let sector = |sectors: &[String]| {
        let has = |column| of("unit", "id", column, Condition::In("sector", texts(sectors)));
        if question.counted == Counted::Assignments { has("unit_id") } else { led(has("lead_unit_id")) }
    };
    let conditions = [
        round.clone(),
        lead_unit.clone().map(led),
        unit.clone().map(answered),
        domains
            .as_deref()
            .map(|domains| of("problem_domain", "problem_id", "problem_id", Condition::In("domain", texts(domains)))),
        sectors.as_deref().map(sector),
        classes.as_deref().map(|classes| Condition::Reckons(|_, item| Sql::on(deadline::CLASS, item), texts(classes))),
    ];
    Condition::All(conditions.into_iter().flatten().collect())
}

/// Returns the query for all items that concern the region asked for.
fn all_items(sql: &mut Sql<'_>, question: &Question, keeps: bool) -> String {
    // A principal with the rights of a region is already limited to it; for others, rights are checked row by row.
    let table = match question.counted {
        Counted::Problems => "problem",
        Counted::Measures => "measure",
        Counted::Assignments => "assignment",
    };
    let seen = if keeps { Condition::always() } else { concerning(question) };
    // What else is counted of assignments refers to them as `a`.
    let row = if question.counted == Counted::Assignments { "a" } else { "x" };
    let mut seen: Vec<String> = if seen.is_always() { Vec::new() } else { vec![seen.to_sql(sql, row)] };
    seen.extend(if keeps { None } else { sql.seen(table, row) });
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
                    " {word} a.region_id IN (SELECT r.id FROM region r WHERE substr(r.path, 1, length({top})) = {top})"
                )
            });
            // Each assignment has a measure. A database leaves out an outer join of which no column is used, but must
            // read the assignments first, which helps only where all are read.
            let join = if seen.is_empty() && below.is_none() { "LEFT JOIN" } else { "JOIN" };
            format!(
                "SELECT a.id, {}, a.due_by, a.due_on, m.due_ongoing, m.due_immediate, m.round_id, \
                 a.region_id, a.unit_id, m.problem_id, m.lead_unit_id{} FROM assignment a \
                 {join} measure m ON m.id = a.measure_id{seen}{}",
                State::of("a").columns(),
                more::columns(sql, question),
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

/// How a dimension splits the items `i`: first into the figures of short keys, which are then named and added up.
struct Split {
    /// The joins of the items with what has the key; empty if they have it themselves.
    join: String,
    /// The SQL of the key by which the items are counted, which is constant for no dimension.
    of: String,
    /// The name of the column that has the key in the figures.
    column: String,
    /// The joins of the figures `i` with the names of the groups.
    names: String,
    /// The SQL of a group's key in the answer, its label, its official code and its order.
    key: String,
    label: String,
    code: String,
    order: String,
}

/// What SQL groups by in place of a bare constant, which it does not permit.
const NOTHING: &str = "CAST(NULL AS text)";

impl Split {
    /// Splits by a key `of` that is no region. `g` is the alias of the groups.
    fn coded(g: &str, of: String) -> Self {
        let column = format!("{g}_key");
        Self {
            join: String::new(),
            of,
            names: String::new(),
            key: format!("coalesce(i.{column}, '')"),
            label: NOTHING.to_owned(),
            code: NOTHING.to_owned(),
            order: "CAST('' AS text)".to_owned(),
            column,
        }
    }

    /// Splits by a key that is itself the name of the group.
    fn named(g: &str, join: String, of: String) -> Self {
        let coded = Self::coded(g, of);
        Self { join, label: format!("i.{}", coded.column), ..coded }
    }

    /// Splits by the units `g` whose key is `of`, if there is one that the principal may see.
    fn units(sql: &mut Sql<'_>, g: &str, join: String, of: String) -> Self {
        let seen = sql.seen("unit", "u").map(|seen| format!(" WHERE {seen}")).unwrap_or_default();
        let coded = Self::coded(g, of);
        Self {
            join,
            names: format!("LEFT JOIN (SELECT id, name FROM unit u{seen}) {g} ON {g}.id = i.{}", coded.column),
            key: format!("coalesce('unit_' || {g}.id, '')"),
            label: format!("{g}.name"),
            ..coded
        }
    }

    /// Splits by the regions `g`, which `names` joins with the figures by the key `of`.
    fn regions(g: &str, join: String, of: String, names: String) -> Self {
        Self {
            join,
            names,
            key: format!("'region_' || {g}.id"),
            label: format!("{g}.name"),
            code: format!("{g}.code"),
            order: format!("coalesce({g}.code, '999999999999')"),
            ..Self::coded(g, of)
        }
    }

    /// Returns the split by a dimension, whose groups get the alias `g`.
    fn by(sql: &mut Sql<'_>, question: &Question, by: Dimension, g: &str, keeps: bool) -> Self {
        match by {
            Dimension::Region | Dimension::County => regions(sql, question, by, g, keeps),
            Dimension::LeadUnit => match question.counted {
                Counted::Problems => {
                    let join = leading_units(sql, question, g, keeps);
                    Self::units(sql, g, join, format!("{g}.lead_unit_id"))
                }
                _ => Self::units(sql, g, String::new(), "i.lead_unit_id".to_owned()),
            },
            Dimension::Unit => {
                let (join, of) = match question.counted {
                    Counted::Assignments => (String::new(), "i.unit_id"),
                    _ => (answering_units(sql, question), "e.unit_id"),
                };
                Self::units(sql, g, join, of.to_owned())
            }
            Dimension::Sector => sectors(sql, question, g),
            Dimension::Round => {
                let coded = Self::coded(g, "i.round_id".to_owned());
                Self {
                    names: format!("JOIN inspection_round {g} ON {g}.id = i.{}", coded.column),
                    key: format!("'round_' || {g}.id"),
                    label: format!("{g}.name"),
                    ..coded
                }
            }
            Dimension::Domain => Self::named(
                g,
                format!("LEFT JOIN problem_domain {g} ON {g}.problem_id = i.problem_id"),
                format!("{g}.domain"),
            ),
            Dimension::Status => Self::coded(g, judged_in_groups(question, keeps).0.status),
            Dimension::DeadlineClass => Self::coded(g, Sql::on(deadline::CLASS, "i")),
        }
    }
}

/// Returns the split by the regions `g` in which each item was issued or is answered: those directly below the one
/// asked for, or its counties.
fn regions(sql: &mut Sql<'_>, question: &Question, by: Dimension, g: &str, keeps: bool) -> Split {
    let is_wanted = |region: &str| match by {
        Dimension::County => {
            let is_county = format!("{region}.level = '{}'", entity::region::Level::County.to_value());
            let below = question
                .within
                .map(|_| format!(" AND substr({region}.path, 1, length({TOP})) = {TOP}"))
                .unwrap_or_default();
            is_county + &below
        }
        _ => format!("{region}.parent_id = {PLACE}"),
    };
    let names = format!("JOIN region {g} ON {g}.id = i.{g}_key");
    let listed = |item: &str| {
        let join = format!(
            "JOIN {item}_region l ON l.{item}_id = i.id JOIN region below ON below.id = l.region_id AND {}",
            is_wanted("below")
        );
        Split::regions(g, join, "l.region_id".to_owned(), names.clone())
    };
    let within = |sql: &mut Sql<'_>, of: &str| {
        let join = in_group(sql, of, &is_wanted("below"), g);
        Split::regions(g, join, format!("{g}.id"), names.clone())
    };
    match question.counted {
        Counted::Problems if !keeps => within(sql, "problem_id"),
        Counted::Measures if !keeps => within(sql, "id"),
        Counted::Problems => listed("problem"),
        Counted::Measures => listed("measure"),
        Counted::Assignments => {
            // By recursion; comparing the path of each region with those of all counties would take longer.
            let above = format!(
                "JOIN (WITH RECURSIVE lineage (region_id, above) AS (SELECT DISTINCT {g}_key, {g}_key FROM parts \
                 UNION ALL SELECT n.region_id, r.parent_id FROM lineage n JOIN region r ON r.id = n.above \
                 WHERE r.parent_id IS NOT NULL) SELECT region_id, above FROM lineage) n ON n.region_id = i.{g}_key \
                 JOIN region {g} ON {g}.id = n.above AND {}",
                is_wanted(g)
            );
            Split::regions(g, String::new(), "i.region_id".to_owned(), above)
        }
    }
}

/// The path of the region asked for.
const TOP: &str = "(SELECT top.path FROM region top JOIN place ON place.id = top.id)";

/// Returns the join with the regions `g` that satisfy a condition as `below`, in which each item was issued or is
/// answered, as far as the principal may see the assignments.
fn in_group(sql: &mut Sql<'_>, of: &str, is_wanted: &str, g: &str) -> String {
    let seen = sql.seen("assignment", "answer").map(|seen| format!(" WHERE {seen}")).unwrap_or_default();
    // The paths of regions are compared once for each region, not for each item.
    format!(
        "JOIN (WITH tied AS (SELECT i.id AS item, i.region_id FROM items i \
         UNION SELECT i.id, answer.region_id FROM items i JOIN measure mended ON mended.{of} = i.id \
         JOIN assignment answer ON answer.measure_id = mended.id{seen}) \
         SELECT DISTINCT tied.item, above.id FROM tied JOIN (SELECT r.id AS region_id, below.id \
         FROM (SELECT DISTINCT region_id FROM tied) known JOIN region r ON r.id = known.region_id \
         JOIN region below ON substr(r.path, 1, length(below.path)) = below.path \
         WHERE {is_wanted}) above ON above.region_id = tied.region_id) {g} ON {g}.item = i.id"
    )
}

/// Returns the join of problems with the units `g` that lead their measures, each once, and once without a unit if one
/// of the measures has none that the principal may see.
fn leading_units(sql: &mut Sql<'_>, question: &Question, g: &str, keeps: bool) -> String {
    let measures = sql.seen("measure", "l").map(|seen| format!(" WHERE {seen}")).unwrap_or_default();
    let (lead, units) = match sql.seen("unit", "u") {
        Some(seen) => ("u.id", format!(" LEFT JOIN unit u ON u.id = l.lead_unit_id AND {seen}")),
        None => ("l.lead_unit_id", String::new()),
    };
    // Those of the counted problems only, unless these are all.
    let of = if question.within.is_some() || !keeps {
        "items mended JOIN measure l ON l.problem_id = mended.id"
    } else {
        "measure l"
    };
    format!(
        "LEFT JOIN (SELECT DISTINCT l.problem_id, {lead} AS lead_unit_id FROM {of}{units}{measures}) {g} \
         ON {g}.problem_id = i.id"
    )
}

/// Returns the join of measures or problems with the units within the region asked for that answer them, and with the
/// state `e` of what each of them answers.
fn answering_units(sql: &mut Sql<'_>, question: &Question) -> String {
    let mut conditions = Vec::new();
    let mut regions = "";
    if question.within.is_some() {
        regions = " JOIN region r ON r.id = answer.region_id";
        conditions.push(format!("substr(r.path, 1, length({TOP})) = {TOP}"));
    }
    conditions.extend(sql.seen("assignment", "answer"));
    let conditions = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let answers = State::of("answer");
    // A unit answers a measure once.
    let units = if question.counted == Counted::Measures {
        format!(
            "SELECT answer.measure_id AS item, answer.unit_id, answer.due_by, {} FROM assignment answer\
             {regions}{conditions}",
            answers.of_only_part().columns()
        )
    } else {
        format!(
            "SELECT mended.problem_id AS item, answer.unit_id, {} FROM assignment answer \
             JOIN measure mended ON mended.id = answer.measure_id{regions}{conditions} \
             GROUP BY mended.problem_id, answer.unit_id",
            answers.rolled_up().columns()
        )
    };
    format!("JOIN ({units}) e ON e.item = i.id")
}

/// Returns the split by the sectors `g` of the items.
fn sectors(sql: &mut Sql<'_>, question: &Question, g: &str) -> Split {
    let unit = sql.seen("unit", "u").map(|seen| format!(" AND {seen}")).unwrap_or_default();
    let column = match question.counted {
        Counted::Assignments => "i.unit_id",
        Counted::Measures => "i.lead_unit_id",
        Counted::Problems => {
            let measure = sql.seen("measure", "l").map(|seen| format!(" AND {seen}")).unwrap_or_default();
            let join = format!(
                "LEFT JOIN (SELECT DISTINCT l.problem_id, u.sector FROM measure l JOIN unit u ON u.id = l.lead_unit_id \
                 WHERE u.sector IS NOT NULL{unit}{measure}) {g} ON {g}.problem_id = i.id"
            );
            return Split::named(g, join, format!("{g}.sector"));
        }
    };
    let coded = Split::coded(g, column.to_owned());
    Split {
        names: format!("LEFT JOIN (SELECT id, sector FROM unit u WHERE TRUE{unit}) {g} ON {g}.id = i.{}", coded.column),
        key: format!("coalesce({g}.sector, '')"),
        label: format!("{g}.sector"),
        ..coded
    }
}
