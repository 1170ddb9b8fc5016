//! The facts of a digest: the items of the mail that are still open, in sections. What the recipient answers for is
//! never mixed with what others answer for, what was late before it was entered into the ledger is told apart, and a
//! mail about self-inspections has a section for each quarter.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use ledger::rule::calendar::local_day;
use ledger::work::mail_link::Item;
use minijinja::Value;
use minijinja::value::Serde;
use planner::Sql;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};
use serde::Serialize;

use super::{Reading, Source, days_left};

/// The most items of a mail that are listed; of the others only the number is given. Each section lists some.
const MAX_ITEMS: usize = 100;
/// The fewest items that a section lists, where it has so many.
const LEAST: usize = 20;
/// The most units that one item names.
const UNITS: usize = 5;

/// Why the recipient is told of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Relation {
    /// The recipient's unit answers for it.
    Own,
    /// Another unit answers for it; the recipient's is an office above, or leads or supervises the measure.
    Others,
}

#[derive(Debug, Serialize)]
struct Section {
    relation: Relation,
    /// Whether its items were overdue before they were entered into the ledger.
    was_overdue: bool,
    /// The most urgent quarter of its items that is to be inspected, in a mail about self-inspections.
    quarter: Option<Inspected>,
    /// How many items the section has.
    count: usize,
    /// How many of them are not listed.
    more: usize,
    rows: Vec<Row>,
}

/// A quarter, half-year or year, with the days that are left until its end: negative when it has ended.
#[derive(Debug, Clone, Copy, Serialize)]
struct Inspected {
    year: i32,
    /// The number of the quarter with which it ends.
    number: u32,
    /// How many quarters it has.
    length: u32,
    last_day: NaiveDate,
    days_left: i64,
}

impl Inspected {
    fn ends(last_day: NaiveDate, source: &Source<'_>) -> Self {
        Self {
            year: last_day.year(),
            number: last_day.month().div_ceil(3),
            length: match source.mail.kind.as_str() {
                "half-year-verification" => 2,
                "yearly-spot-check" => 4,
                _ => 1,
            },
            last_day,
            days_left: days_left(source.mail, last_day),
        }
    }
}

/// The period of a public notice that has ended.
#[derive(Debug, Clone, Copy, Serialize)]
struct Ended {
    from: Option<NaiveDate>,
    until: NaiveDate,
    /// How many days ago it ended, on the day of the mail.
    days_over: i64,
}

/// An item.
#[derive(Debug, Clone, Serialize)]
struct Row {
    /// The key of the measure or case and of the assignment.
    #[serde(skip)]
    keys: (i64, Option<i64>),
    /// The global id of the assignment, else of the measure or case, and its version.
    id: String,
    version: i32,
    /// The path of the page of the measure or case.
    page: String,
    link: String,
    number: Option<String>,
    text: String,
    /// The problem of a measure: its printed number and title.
    problem: Option<(Option<String>, String)>,
    /// The region of a case.
    region: Option<String>,
    is_key: bool,
    round: String,
    due_on: Option<NaiveDate>,
    /// Negative when the date has passed.
    days_left: i64,
    /// Whether the date had passed before the item was entered into the ledger.
    was_overdue: bool,
    /// When it was entered into the ledger.
    #[serde(skip)]
    entered_at: DateTime<Utc>,
    /// How many days nobody has reported on it, in a mail about that.
    silent_days: Option<i64>,
    /// The public notice, in a mail about notices that have ended.
    notice: Option<Ended>,
    /// The quarters to be inspected, the most urgent first, in a mail about self-inspections.
    quarters: Vec<Inspected>,
    /// The deadline as printed; none for a case, which has a date.
    deadline: Option<String>,
    /// The date to which the printed deadline was extended; none if it was not.
    extended_to: Option<NaiveDate>,
    /// The date that counts where the deadline prints none, as 立行立改 does.
    counted_on: Option<NaiveDate>,
    /// The unit that answers for it.
    unit: Option<String>,
    /// The units that are not done, of a measure that the recipient does not answer for itself, and how many they are.
    open_units: Vec<String>,
    open_count: usize,
    /// How many units answer for the measure.
    answering: i64,
    /// The date and the text of the last report.
    reported_on: Option<NaiveDate>,
    report: Option<String>,
    /// The state of a case.
    state: Option<String>,
    /// Of an escalation: `office`, `leader` or `listing`.
    level: Option<&'static str>,
    /// Of an escalation to a leader of the measure: what they answer for, such as `LEAD`.
    post: Option<String>,
}

#[derive(Serialize)]
struct Facts {
    sections: Vec<Section>,
    /// How many items the mail is about.
    count: usize,
    /// The most urgent item.
    first: Row,
}

/// The facts of a mail about measures, by deadline; what was overdue before its entry comes last.
pub(crate) fn measures<'a>(source: &'a Source<'a>) -> Reading<'a> {
    Box::pin(async move {
        let items = open_measures(source);
        let rows = items.into_iter().map(|(relation, row)| ((row.was_overdue, relation, None), row));
        Ok(sections(source, rows.collect()))
    })
}

/// The facts of a mail about checks: one item for all periods of an assignment, in the section of the most urgent, the
/// earliest one.
pub(crate) fn checks<'a>(source: &'a Source<'a>) -> Reading<'a> {
    Box::pin(async move {
        let mut rows: Vec<(Relation, Row)> = Vec::new();
        let mut places: HashMap<(i64, Option<i64>), usize> = HashMap::new();
        for (relation, mut row) in open_measures(source) {
            let quarter = row.due_on.map(|last_day| Inspected::ends(last_day, source));
            if let Some((_, there)) = places.get(&row.keys).and_then(|place| rows.get_mut(*place)) {
                there.quarters.extend(quarter);
            } else {
                places.insert(row.keys, rows.len());
                row.quarters.extend(quarter);
                rows.push((relation, row));
            }
        }
        let rows = rows.into_iter().map(|(relation, row)| ((false, relation, row.due_on), row));
        Ok(sections(source, rows.collect()))
    })
}

/// The facts of a mail about what nobody has reported on for long.
pub(crate) fn silent<'a>(source: &'a Source<'a>) -> Reading<'a> {
    Box::pin(async move {
        let items = open_measures(source);
        let rows = items.into_iter().map(|(relation, mut row)| {
            let heard_on = row.reported_on.unwrap_or_else(|| local_day(row.entered_at, source.zone));
            row.silent_days = Some((source.mail.local_day - heard_on).num_days());
            row.was_overdue = false;
            ((false, relation, None), row)
        });
        Ok(sections(source, rows.collect()))
    })
}

/// The facts of a mail about what can be closed, because its public notice has ended.
pub(crate) fn ended<'a>(source: &'a Source<'a>) -> Reading<'a> {
    Box::pin(async move {
        let items = open_measures(source);
        let rows = items.into_iter().map(|(relation, row)| ((false, relation, None), row));
        Ok(sections(source, rows.collect()))
    })
}

/// The facts of the form of a month's account, without the month: what nobody has reported on yet, by deadline.
pub(super) fn unaccounted(source: &Source<'_>) -> Option<Value> {
    let items = open_measures(source);
    let rows = items.into_iter().map(|(relation, row)| ((false, relation, None), row));
    sections(source, rows.collect())
}

/// The facts of a mail about complaint cases.
pub(crate) fn cases<'a>(source: &'a Source<'a>) -> Reading<'a> {
    Box::pin(async move {
        let items = open_cases(source);
        let rows = items.into_iter().map(|(relation, row)| ((false, relation, None), row));
        Ok(sections(source, rows.collect()))
    })
}

/// What a section is of: whether its items were overdue before their entry, the relation, and the quarter by its last
/// day.
type Place = (bool, Relation, Option<NaiveDate>);

/// Puts rows, the most urgent first, into sections; none where there is no row.
fn sections(source: &Source<'_>, rows: Vec<(Place, Row)>) -> Option<Value> {
    let count = rows.len();
    let mut found: BTreeMap<Place, Vec<Row>> = BTreeMap::new();
    for (place, row) in rows {
        found.entry(place).or_default().push(row);
    }
    let first = found.values().next()?.first()?.clone();
    let listed = (MAX_ITEMS / found.len()).max(LEAST);
    let sections = found.into_iter().map(|((was_overdue, relation, quarter), mut rows)| {
        let count = rows.len();
        rows.truncate(listed);
        let quarter = quarter.map(|last_day| Inspected::ends(last_day, source));
        Section { relation, was_overdue, quarter, count, more: count - rows.len(), rows }
    });
    Some(Value::from(Serde(Facts { sections: sections.collect(), count, first })))
}

/// A measure, or an answer to one, that a mail is about.
#[derive(FromQueryResult)]
struct OfMeasure {
    mail_id: i64,
    measure_id: i64,
    assignment_id: Option<i64>,
    /// The version of the assignment or, for a measure as a whole, of the measure.
    version: i32,
    /// When the assignment was entered or, for a measure as a whole, the measure.
    created_at: DateTime<Utc>,
    due_on: Option<NaiveDate>,
    number: Option<String>,
    content: String,
    due_raw: String,
    problem_number: Option<String>,
    problem_title: String,
    round: String,
    lead_unit: Option<String>,
    unit: Option<String>,
    unit_id: Option<i64>,
    reported_on: Option<NaiveDate>,
    report: Option<String>,
    /// The progress that the ledger states, where no unit answers.
    stated: Option<String>,
    answering: i64,
    heard_on: Option<NaiveDate>,
    /// The date to which the deadline of the plan was extended; none if it was not.
    extended_to: Option<NaiveDate>,
    /// The date that counts where neither the plan nor an extension has one.
    counted_on: Option<NaiveDate>,
    notice_from: Option<NaiveDate>,
    /// The last day of the public notice, in a mail about notices that have ended.
    notice_until: Option<NaiveDate>,
    is_of_check: bool,
    is_escalated: bool,
    is_proposed: bool,
    post: Option<String>,
}

/// Reads the items of the mails `{mails}` about measures, with what is said of each; those of a mail that are most
/// urgent first.
const ITEMS: &str = "SELECT i.mail_id, i.measure_id, a.id AS assignment_id, coalesce(a.version, m.version) AS version, \
    coalesce(a.created_at, m.created_at) AS created_at, \
    CASE WHEN w.is_account OR w.is_ended OR w.kind = 'stale-progress' THEN a.due_by ELSE i.due_on END AS due_on, \
    z.notice_from, z.notice_until, m.number, m.content, m.due_raw, \
    p.number AS problem_number, p.title AS problem_title, r.name AS round, l.name AS lead_unit, u.name AS unit, \
    a.unit_id, \
    a.reported_on, m.stated_progress AS stated, \
    (SELECT count(*) FROM assignment x WHERE x.measure_id = m.id AND x.status <> 'NOT_APPLICABLE') \
       AS answering, \
    (SELECT max(x.reported_on) FROM assignment x WHERE x.measure_id = m.id) AS heard_on, \
    CASE WHEN a.id IS NOT NULL THEN CASE WHEN a.due_on IS DISTINCT FROM m.plan_due_on THEN a.due_on END \
       WHEN NOT w.is_of_check AND i.due_on IS DISTINCT FROM m.plan_due_by \
       THEN i.due_on END AS extended_to, \
    CASE WHEN coalesce(a.due_on, m.due_on) IS NULL THEN coalesce(a.due_by, m.due_by) END AS counted_on, \
    w.is_of_check, \
    w.kind = 'escalation' AS is_escalated, \
    (w.kind = 'escalation' AND EXISTS (SELECT 1 FROM supervision_action s WHERE s.assignment_id = a.id \
       AND s.kind = 'LIST' AND s.state = 'PROPOSED')) AS is_proposed, \
    (SELECT max(o.post) FROM leader o WHERE o.measure_id = m.id AND o.email = w.recipient \
       AND o.post IN ('CASE', 'LEAD') AND w.kind = 'escalation' AND a.id IS NULL) AS post, \
    (SELECT text FROM progress_report g WHERE g.assignment_id = a.id \
       ORDER BY g.submitted_at DESC, g.id DESC LIMIT 1) AS report \
    FROM mail_item i JOIN measure m ON m.id = i.measure_id JOIN problem p ON p.id = m.problem_id \
    JOIN inspection_round r ON r.id = m.round_id LEFT JOIN unit l ON l.id = m.lead_unit_id \
    LEFT JOIN assignment a ON a.id = i.assignment_id LEFT JOIN unit u ON u.id = a.unit_id \
    JOIN (SELECT id, kind, recipient, kind = 'notice-ended' AS is_ended, \
          kind IN ('quarterly-self-inspection', 'half-year-verification', 'yearly-spot-check') AS is_of_check, \
          kind = 'monthly-account' AS is_account \
          FROM mail WHERE id {mails}) w ON w.id = i.mail_id \
    LEFT JOIN close_out z ON w.is_ended AND z.assignment_id = a.id AND z.state = 'PUBLICISED' \
         AND z.notice_until = i.due_on \
         AND NOT EXISTS (SELECT 1 FROM objection o WHERE o.close_out_id = z.id AND o.decided_at IS NULL) \
    WHERE m.status NOT IN ('CLOSED', 'NOT_APPLICABLE') \
    AND (a.id IS NULL OR a.status NOT IN ('CLOSED', 'NOT_APPLICABLE')) \
    AND (NOT w.is_ended OR z.id IS NOT NULL) \
    AND (w.is_of_check OR w.is_account OR w.is_ended OR w.kind = 'stale-progress' OR a.id IS NULL \
         OR i.due_on = a.due_by) \
    AND (NOT w.is_account OR (a.status IN ('ASSIGNED', 'IN_PROGRESS', 'RETURNED', 'REOPENED') \
         AND a.declined_at IS NULL \
         AND NOT EXISTS (SELECT 1 FROM progress_report g WHERE g.assignment_id = a.id \
            AND g.period = substr(CAST(i.due_on AS text), 1, 7)))) \
    AND (w.kind <> 'stale-progress' OR a.reported_on IS NULL OR a.reported_on < i.due_on) \
    AND (w.is_of_check OR w.is_account OR w.is_ended OR (m.status <> 'CLOSED_ONGOING' AND m.completed_on IS NULL \
         AND (a.id IS NULL OR (a.status <> 'CLOSED_ONGOING' AND a.completed_on IS NULL)))) \
    AND NOT (w.is_of_check AND EXISTS (SELECT 1 FROM \"check\" c \
         WHERE c.assignment_id = a.id AND c.due_on = i.due_on AND c.kind = CASE w.kind \
            WHEN 'half-year-verification' THEN 'VERIFICATION' WHEN 'yearly-spot-check' THEN 'SPOT_CHECK' \
            ELSE 'SELF_INSPECTION' END)) \
    AND (w.kind <> 'escalation' OR a.id IS NOT NULL \
         OR EXISTS (SELECT 1 FROM leader o WHERE o.measure_id = m.id AND o.email = w.recipient) \
         OR EXISTS (SELECT 1 FROM account o WHERE o.email = w.recipient)) \
    ORDER BY i.mail_id, i.due_on, CASE WHEN w.is_account THEN coalesce(a.due_by, '9999-12-31') END, p.position, \
    m.position, m.id, a.unit_id";

/// What digests are about, as the ledger says it now.
#[derive(Default)]
pub(super) struct Items {
    /// The measures of each mail, the most urgent first.
    measures: HashMap<i64, Vec<OfMeasure>>,
    /// The cases of each mail, the most urgent first.
    cases: HashMap<i64, Vec<OfCase>>,
    /// The units that still have to complete each measure.
    open_units: HashMap<i64, Vec<OpenUnit>>,
}

impl Items {
    /// Reads what mails are about that is still open.
    pub(super) async fn read<C: ConnectionTrait>(db: &C, mails: &[i64]) -> Result<Self, DbErr> {
        if mails.is_empty() {
            return Ok(Self::default());
        }
        let measures = read(db, ITEMS, mails, |line: &OfMeasure| line.mail_id).await?;
        let led = measures.values().flatten().filter(|line| line.unit_id.is_none());
        let led: HashSet<i64> = led.map(|line| line.measure_id).collect();
        Ok(Self {
            open_units: open_units(db, led).await?,
            cases: read(db, CASES, mails, |line: &OfCase| line.mail_id).await?,
            measures,
        })
    }
}

/// Reads lines of mails by a statement, and returns those of each mail in their order.
async fn read<C: ConnectionTrait, Line: FromQueryResult>(
    db: &C,
    template: &str,
    mails: &[i64],
    mail: impl Fn(&Line) -> i64,
) -> Result<HashMap<i64, Vec<Line>>, DbErr> {
    let mut sql = Sql::new(db.get_database_backend(), &[]);
    let text = template.replace("{mails}", &sql.among(mails.iter().copied()));
    let mut lines: HashMap<i64, Vec<Line>> = HashMap::new();
    for line in Line::find_by_statement(sql.statement(text)).all(db).await? {
        lines.entry(mail(&line)).or_default().push(line);
    }
    Ok(lines)
}

/// The measures of a mail that are still open, the most urgent first, each once.
fn open_measures(source: &Source<'_>) -> Vec<(Relation, Row)> {
    let row = |line: &OfMeasure| {
        let is_own = line.unit_id.is_some() && line.unit_id == source.mail.unit_id;
        let is_led = line.unit_id.is_none() && line.answering > 0;
        let was_over = |due_by: Option<NaiveDate>, entered_at: DateTime<Utc>| {
            due_by.is_some_and(|due_by| due_by < local_day(entered_at, source.zone))
        };
        // A line about a whole measure is about the answers that are due on its day.
        let is_due = |unit: &&OpenUnit| line.is_of_check || unit.due_by == line.due_on;
        let due: Vec<&OpenUnit> = match source.items.open_units.get(&line.measure_id) {
            Some(units) if is_led => units.iter().filter(is_due).collect(),
            _ => Vec::new(),
        };
        if is_led && due.is_empty() {
            return None;
        }
        let was_overdue = !line.is_of_check
            && if is_led {
                due.iter().all(|unit| was_over(unit.due_by, unit.created_at))
            } else {
                was_over(line.due_on, line.created_at)
            };
        let level = match (line.is_escalated, line.is_proposed, line.unit_id) {
            (false, ..) => None,
            (true, true, _) => Some("listing"),
            // Offices are told of answers, leaders of what their unit leads.
            (true, false, Some(_)) => Some("office"),
            (true, false, None) => Some("leader"),
        };
        let number = match (&line.problem_number, &line.number) {
            (Some(problem), Some(measure)) if !measure.contains('-') => Some(format!("{problem}-{measure}")),
            (_, measure) => measure.clone(),
        };
        let unit = || line.unit.clone().or_else(|| line.lead_unit.clone());
        let report = || line.report.clone().or_else(|| line.stated.clone());
        let row = Row {
            keys: (line.measure_id, line.assignment_id),
            id: line
                .assignment_id
                .map_or_else(|| Item::Measure(line.measure_id).id(), |assignment| format!("assignment_{assignment}")),
            version: line.version,
            page: format!("/measures/{}", Item::Measure(line.measure_id).id()),
            link: source.link(Item::Measure(line.measure_id)),
            number,
            text: line.content.clone(),
            problem: Some((line.problem_number.clone(), line.problem_title.clone())),
            region: None,
            is_key: false,
            round: line.round.clone(),
            due_on: line.due_on,
            days_left: line.due_on.map_or(0, |due_on| days_left(source.mail, due_on)),
            was_overdue,
            entered_at: line.created_at,
            silent_days: None,
            notice: line.notice_until.map(|until| Ended {
                from: line.notice_from,
                until,
                days_over: -days_left(source.mail, until),
            }),
            quarters: Vec::new(),
            deadline: Some(line.due_raw.clone()),
            extended_to: line.extended_to,
            counted_on: line.counted_on,
            unit: if is_led { None } else { unit() },
            open_count: due.len(),
            open_units: due.into_iter().take(UNITS).map(|unit| unit.name.clone()).collect(),
            answering: line.answering,
            reported_on: if is_led { line.heard_on } else { line.reported_on },
            report: if is_led { None } else { report() },
            state: None,
            level,
            post: line.post.clone(),
        };
        Some((if is_own { Relation::Own } else { Relation::Others }, row))
    };
    source.items.measures.get(&source.mail.id).into_iter().flatten().filter_map(row).collect()
}

/// A unit that still has to complete a measure.
#[derive(FromQueryResult)]
struct OpenUnit {
    measure_id: i64,
    name: String,
    due_by: Option<NaiveDate>,
    created_at: DateTime<Utc>,
}

/// The units that still have to complete each of these measures.
async fn open_units<C: ConnectionTrait>(db: &C, measures: HashSet<i64>) -> Result<HashMap<i64, Vec<OpenUnit>>, DbErr> {
    let mut units: HashMap<i64, Vec<OpenUnit>> = HashMap::new();
    if measures.is_empty() {
        return Ok(units);
    }
    let mut sql = Sql::new(db.get_database_backend(), &[]);
    let text = format!(
        "SELECT a.measure_id, u.name, a.due_by, a.created_at FROM assignment a JOIN unit u ON u.id = a.unit_id \
         WHERE a.measure_id {} AND a.completed_on IS NULL \
         AND a.status NOT IN ('NOT_APPLICABLE', 'CLOSED', 'CLOSED_ONGOING') ORDER BY a.measure_id, a.unit_id",
        sql.among(measures)
    );
    for row in OpenUnit::find_by_statement(sql.statement(text)).all(db).await? {
        units.entry(row.measure_id).or_default().push(row);
    }
    Ok(units)
}

/// A case that a mail is about.
#[derive(FromQueryResult)]
struct OfCase {
    mail_id: i64,
    case_id: i64,
    version: i32,
    number: String,
    summary: String,
    due_on: NaiveDate,
    is_key: bool,
    state: String,
    region: String,
    round: String,
    unit: String,
    unit_id: i64,
    report: Option<String>,
}

/// Reads the cases of the mails `{mails}` that are still open; those of a mail that are most urgent first.
const CASES: &str = "SELECT i.mail_id, c.id AS case_id, c.version, c.number, c.summary, c.due_on, c.is_key, c.state, \
    g.name AS region, r.name AS round, u.name AS unit, u.id AS unit_id, (SELECT x.text FROM case_report x \
       WHERE x.case_id = c.id AND x.text IS NOT NULL ORDER BY x.written_at DESC, x.id DESC LIMIT 1) AS report \
    FROM mail_item i JOIN inspection_case c ON c.id = i.case_id JOIN inspection_round r ON r.id = c.round_id \
    JOIN region g ON g.id = c.region_id JOIN unit u ON u.id = c.lead_unit_id \
    WHERE i.mail_id {mails} AND c.state IN ('HANDED_OVER', 'IN_PROGRESS', 'PARTLY_RESOLVED') \
    ORDER BY i.mail_id, c.due_on, c.number, c.id";

/// The cases of a mail that are still open, the most urgent first.
fn open_cases(source: &Source<'_>) -> Vec<(Relation, Row)> {
    let row = |case: &OfCase| {
        let is_own = source.mail.unit_id == Some(case.unit_id);
        let row = Row {
            keys: (case.case_id, None),
            id: Item::Case(case.case_id).id(),
            version: case.version,
            page: format!("/cases/{}", Item::Case(case.case_id).id()),
            link: source.link(Item::Case(case.case_id)),
            number: Some(case.number.clone()),
            text: case.summary.clone(),
            problem: None,
            region: Some(case.region.clone()),
            is_key: case.is_key,
            round: case.round.clone(),
            due_on: Some(case.due_on),
            days_left: days_left(source.mail, case.due_on),
            was_overdue: false,
            entered_at: source.now,
            silent_days: None,
            notice: None,
            quarters: Vec::new(),
            deadline: None,
            extended_to: None,
            counted_on: None,
            unit: Some(case.unit.clone()),
            open_units: Vec::new(),
            open_count: 0,
            answering: 1,
            reported_on: None,
            report: case.report.clone(),
            state: Some(case.state.clone()),
            level: None,
            post: None,
        };
        (if is_own { Relation::Own } else { Relation::Others }, row)
    };
    source.items.cases.get(&source.mail.id).into_iter().flatten().map(row).collect()
}
