//! Exports a ledger as a workbook: one sheet per round, with merged problem cells, in the columns of the imported sheet
//! or in the usual ones, both of which an import can read; a progress sheet, which `filled` reads back; and sheets with
//! statistics. Contains only what the caller may see.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use entity::assignment::{StatedPace, Status};
use entity::leader::Post;
use entity::measure;
use planner::{Condition, Sql};
use rust_xlsxwriter::{Format, FormatAlign, FormatBorder, Workbook, Worksheet, XlsxError};
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::completion::Completion;
use super::field::{Field, UNNAMED, heading};
use super::filled;
use super::form::{Form, FormColumn};
use super::plain::PLAIN;
use super::table::is_like_formula;
use ledger::fault::{Fault, FaultCode};
use ledger::people::policy::Principal;
use ledger::record::concern;
use ledger::rule::calendar::local_day;
use ledger::rule::leader::masked;
use ledger::rule::pace;
use ledger::rule::workflow::status_name;
use ledger::statistics::{self, Counted, Dimension, Figures, Group, Only, Question};
use ledger::{Error, Result};

/// Maximum number of measures in one workbook.
const MAX_MEASURES: usize = 20_000;

/// What to export.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExportScope {
    /// Only this round; `None` for all rounds.
    pub round: Option<i64>,
    /// Only what concerns this region or one below it; `None` for all regions.
    pub region: Option<i64>,
    /// In which columns the ledger is written.
    pub columns: Columns,
}

/// The columns of an exported ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Columns {
    /// Those of the sheet that was last imported into the round, where it has a row for each measure.
    #[default]
    Imported,
    /// The usual ones, with all that a ledger can have.
    Standard,
}

/// An exported ledger.
#[derive(Debug, Clone)]
pub struct Exported {
    /// The bytes of the workbook.
    pub bytes: Vec<u8>,
    /// The names of the rounds that are in the usual columns although those of an imported sheet were wanted.
    pub standard: Vec<String>,
}

#[derive(FromQueryResult)]
struct Row {
    measure: i64,
    problem: i64,
    round_id: i64,
    round: String,
    problem_number: Option<String>,
    title: String,
    description: Option<String>,
    category: Option<String>,
    source: Option<String>,
    goal: Option<String>,
    problem_due: String,
    rating: Option<String>,
    number: Option<String>,
    content: String,
    due_raw: String,
    lead: Option<String>,
    supervising: Option<String>,
    accepting: Option<String>,
    task_number: Option<String>,
    task: Option<String>,
    stated: Option<String>,
    status: Status,
    completed_on: Option<NaiveDate>,
    pace: Option<String>,
    stated_pace: Option<StatedPace>,
}

#[derive(FromQueryResult)]
struct Answer {
    id: i64,
    measure: i64,
    version: i32,
    unit: String,
    status: Status,
    completed_on: Option<NaiveDate>,
    pace: Option<String>,
    stated_pace: Option<StatedPace>,
    /// The text of the last report, and what else it says.
    report: Option<String>,
    stated: Option<String>,
    difficulties: Option<String>,
    next_steps: Option<String>,
    share: Option<f64>,
    /// The dates of the last close-out, with the self-inspection before it.
    self_inspected_on: Option<NaiveDate>,
    verified_at: Option<DateTime<Utc>>,
    notice_from: Option<NaiveDate>,
    notice_until: Option<NaiveDate>,
    closed_on: Option<NaiveDate>,
    document_number: Option<String>,
}

#[derive(FromQueryResult)]
struct Remembered {
    round: i64,
    form: String,
}

#[derive(FromQueryResult)]
struct Word {
    owner: i64,
    word: String,
}

#[derive(FromQueryResult)]
struct Leader {
    measure: i64,
    post: Post,
    name: String,
    /// The same, if the caller may see it.
    full: Option<String>,
}

/// Exports what `principal` may see as an .xlsx workbook. The states and the statistics are as of `now`; its local date
/// in the time zone also appears in the titles. Fails if there is nothing to export, or more than 20,000 measures.
pub async fn export<C: ConnectionTrait>(
    db: &C,
    principal: &Principal,
    wanted: ExportScope,
    (now, zone): (DateTime<Utc>, Tz),
) -> Result<Exported> {
    let today = local_day(now, zone);
    let select = Select { db, principal, wanted, facts: pace::facts(today, zone) };
    // One row more than the maximum shows that there are too many.
    let order = format!(" ORDER BY r.id, p.position, p.id, m.position, m.id LIMIT {}", MAX_MEASURES + 1);
    let rows: Vec<Row> = select.rows("measure", ROWS, &order).await?;
    if rows.is_empty() {
        let zh = "没有可导出的内容：请检查轮次、行政区和您的权限范围";
        let en = "there is nothing to export: check the round, the region and your rights";
        return Err(Fault::new(FaultCode::NotFound, zh, en, &[]).into());
    }
    if rows.len() > MAX_MEASURES {
        let zh = format!("超过 {MAX_MEASURES} 条措施，请按轮次或行政区分别导出");
        let en = format!("there are more than {MAX_MEASURES} measures: export them by round or by region");
        return Err(Fault::invalid(zh, en, &[]).into());
    }
    let models: Vec<measure::Model> = select.rows("measure", MEASURES, &order).await?;
    let models = models.into_iter().map(|model| (model.id, model)).collect();
    let parties: Vec<Word> =
        select.rows("responsible_party", PARTIES, " ORDER BY x.measure_id, x.position, x.id").await?;
    let domains: Vec<Word> = select.rows("problem", DOMAINS, " ORDER BY d.problem_id, d.domain").await?;
    let leaders: Vec<Leader> = select.rows("measure", LEADERS, "").await?;
    let leaders =
        leaders.into_iter().map(|one| ((one.measure, one.post), one.full.unwrap_or_else(|| masked(&one.name))));
    let mut answers: HashMap<i64, Vec<Answer>> = HashMap::new();
    for answer in select.rows::<Answer>("assignment", ANSWERS, " ORDER BY a.id").await? {
        answers.entry(answer.measure).or_default().push(answer);
    }
    let forms = match wanted.columns {
        Columns::Imported => select.forms().await?,
        Columns::Standard => HashMap::new(),
    };
    let mut figures = Vec::new();
    for (name, by) in [
        ("统计·按状态", Dimension::Status),
        ("统计·按行政区", Dimension::Region),
        ("统计·按牵头单位", Dimension::LeadUnit),
    ] {
        let question = Question {
            within: wanted.region,
            as_of: today,
            by,
            and: None,
            only: Only::default(),
            clock: None,
            wants_more: false,
            counted: Counted::Measures,
            wants_groups: true,
        };
        figures.push((name, statistics::answer(db, &question, principal).await?));
    }
    let book = Book {
        rows,
        models,
        answers,
        parties: joined(parties),
        domains: joined(domains),
        leaders: leaders.collect(),
        forms,
        figures,
        today,
        zone,
    };
    // Packing a large workbook takes seconds, so it must not block the threads that serve requests.
    let packed = tokio::task::spawn_blocking(move || book.bytes()).await;
    let packed = packed.map_err(|error| Error::Unwritten(error.to_string()))?;
    let (bytes, standard) = packed.map_err(|error| Error::Unwritten(error.to_string()))?;
    Ok(Exported { bytes, standard: if wanted.columns == Columns::Imported { standard } else { Vec::new() } })
}

const ROWS: &str = "SELECT m.id AS measure, p.id AS problem, r.id AS round_id, r.name AS round, \
    p.number AS problem_number, p.title, p.description, p.goal, p.due_raw AS problem_due, \
    p.rated_progress AS rating, m.number, m.content, m.due_raw, \
    l.name AS lead, s.name AS supervising, v.name AS accepting, t.number AS task_number, t.content AS task, \
    p.category, p.source, m.stated_progress AS stated, m.status, m.completed_on, {pace:m} AS pace, \
    m.stated_pace FROM measure m \
    JOIN problem p ON p.id = m.problem_id \
    JOIN inspection_round r ON r.id = m.round_id LEFT JOIN unit l ON l.id = m.lead_unit_id \
    LEFT JOIN unit s ON s.id = m.supervising_unit_id LEFT JOIN unit v ON v.id = m.accepting_unit_id \
    LEFT JOIN task t ON t.id = m.task_id";
const MEASURES: &str = "SELECT m.* FROM measure m JOIN problem p ON p.id = m.problem_id \
    JOIN inspection_round r ON r.id = m.round_id";
const ANSWERS: &str = "SELECT a.id, a.measure_id AS measure, a.version, u.name AS unit, a.status, a.completed_on, \
    {pace:a} AS pace, a.stated_pace, g.text AS report, g.stated, g.difficulties, g.next_steps, q.done AS share, \
    k.checked_on AS self_inspected_on, c.verified_at, c.notice_from, c.notice_until, c.closed_on, c.document_number \
    FROM assignment a JOIN measure m ON m.id = a.measure_id JOIN unit u ON u.id = a.unit_id \
    LEFT JOIN progress_report g ON g.id = (SELECT x.id FROM progress_report x WHERE x.assignment_id = a.id \
        ORDER BY x.submitted_at DESC, x.id DESC LIMIT 1) \
    LEFT JOIN quantity q ON q.id = (SELECT min(x.id) FROM quantity x WHERE x.progress_report_id = g.id \
        AND x.label = '累计完成比例') \
    LEFT JOIN close_out c ON c.id = (SELECT max(x.id) FROM close_out x WHERE x.assignment_id = a.id) \
    LEFT JOIN \"check\" k ON c.id IS NOT NULL AND k.id = (SELECT x.id FROM \"check\" x WHERE x.assignment_id = a.id \
        AND x.kind = 'SELF_INSPECTION' ORDER BY x.checked_on DESC, x.id DESC LIMIT 1)";
const PARTIES: &str =
    "SELECT x.measure_id AS owner, x.raw AS word FROM responsible_party x JOIN measure m ON m.id = x.measure_id";
const DOMAINS: &str = "SELECT d.problem_id AS owner, d.domain AS word FROM problem_domain d \
    JOIN problem p ON p.id = d.problem_id \
    JOIN measure m ON m.problem_id = p.id";

const LEADERS: &str = "SELECT x.measure_id AS measure, x.post, x.name, CASE WHEN {known} THEN x.name END AS \"full\" \
    FROM leader x JOIN measure m ON m.id = x.measure_id";

/// Selects what is wanted and what the caller may see.
struct Select<'a, C> {
    db: &'a C,
    principal: &'a Principal,
    wanted: ExportScope,
    facts: Vec<(&'static str, sea_orm::Value)>,
}

impl<C: ConnectionTrait> Select<'_, C> {
    /// Selects rows of a table. In the text, `{known}` says whether the caller may see the full name of the leader `x`,
    /// and `{pace:a}` is the pace of the row `a`.
    async fn rows<R: FromQueryResult>(&self, table: &str, text: &str, order: &str) -> Result<Vec<R>> {
        let mut sql = Sql::within(self.db.get_database_backend(), &self.facts, self.principal);
        let alias = match table {
            "assignment" => "a",
            "responsible_party" => "x",
            "problem" => "p",
            _ => "m",
        };
        let mut text = text.to_owned();
        if text.contains(KNOWN) {
            let known = sql.seen("leader.person", "x").unwrap_or_else(|| "TRUE".to_owned());
            text = text.replace(KNOWN, &known);
        }
        let of_pace = format!("{{pace:{alias}}}");
        if text.contains(&of_pace) {
            let pace = pace::sql(&mut sql, alias, "m");
            text = text.replace(&of_pace, &pace);
        }
        let mut conditions: Vec<String> = sql.seen(table, alias).into_iter().collect();
        if let Some(round) = self.wanted.round {
            conditions.push(format!("m.round_id = {}", sql.bind(round)));
        }
        if let Some(region) = self.wanted.region {
            conditions.push(Condition::Member(concern::measures_of(region.into())).to_sql(&mut sql, "m"));
        }
        if table == "assignment"
            && let Some(region) = self.wanted.region
        {
            conditions.push(Condition::Matches(BELOW, region.into()).to_sql(&mut sql, "a"));
        }
        let demand = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
        let distinct = if table == "problem" { text.replacen("SELECT", "SELECT DISTINCT", 1) } else { text };
        let statement = sql.statement(format!("{distinct}{demand}{order}"));
        Ok(R::find_by_statement(statement).all(self.db).await?)
    }

    /// Returns the form of the sheet that was imported last into each round; with a region, that of this region, else
    /// of the nearest one above it.
    async fn forms(&self) -> Result<HashMap<i64, Form>> {
        let mut sql = Sql::within(self.db.get_database_backend(), &self.facts, self.principal);
        let mut conditions: Vec<String> = sql.seen("imported_sheet", "s").into_iter().collect();
        if let Some(region) = self.wanted.region {
            conditions.push(Condition::Matches(ABOVE, region.into()).to_sql(&mut sql, "s"));
        }
        let demand = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
        // The last one of a round stays in the map.
        let order =
            if self.wanted.region.is_some() { "length(r.path), s.imported_at, s.id" } else { "s.imported_at, s.id" };
        let text = format!(
            "SELECT s.round_id AS round, s.form FROM imported_sheet s JOIN region r ON r.id = s.region_id{demand} \
             ORDER BY {order}"
        );
        let found = Remembered::find_by_statement(sql.statement(text)).all(self.db).await?;
        Ok(found.into_iter().filter_map(|one| Some((one.round, serde_json::from_str(&one.form).ok()?))).collect())
    }
}

const KNOWN: &str = "{known}";

const BELOW: &str = "EXISTS (SELECT 1 FROM region r JOIN region top ON substr(r.path, 1, length(top.path)) = top.path \
    WHERE r.id = {t}.region_id AND top.id = {})";

const ABOVE: &str = "EXISTS (SELECT 1 FROM region r JOIN region own ON substr(own.path, 1, length(r.path)) = r.path \
    WHERE r.id = {t}.region_id AND own.id = {})";

/// Joins the words of each owner as a list. A word that is a list itself, as 青坪县、白河县人民政府 is for each of the
/// two counties, stands once and between commas, so that it is read as one again.
fn joined(words: Vec<Word>) -> HashMap<i64, String> {
    let mut found: HashMap<i64, (String, String)> = HashMap::new();
    for Word { owner, word } in words {
        let (text, last) = found.entry(owner).or_default();
        if *last == word {
            continue;
        }
        if !text.is_empty() {
            text.push(if word.contains('、') || last.contains('、') { '，' } else { '、' });
        }
        text.push_str(&word);
        *last = word;
    }
    found.into_iter().map(|(owner, (text, _))| (owner, text)).collect()
}

/// The content of a workbook.
struct Book {
    rows: Vec<Row>,
    /// The measures, for plain columns.
    models: HashMap<i64, measure::Model>,
    answers: HashMap<i64, Vec<Answer>>,
    parties: HashMap<i64, String>,
    domains: HashMap<i64, String>,
    /// The leaders as the caller may see them.
    leaders: HashMap<(i64, Post), String>,
    /// The forms of imported sheets, by round.
    forms: HashMap<i64, Form>,
    /// Statistics sheets, by name.
    figures: Vec<(&'static str, statistics::Answer)>,
    today: NaiveDate,
    zone: Tz,
}

/// A column of a ledger sheet.
struct Column<'a> {
    heading: &'a str,
    /// The heading above it that reaches over several columns; blank if there is none.
    group: &'a str,
    /// The field; none for a column that stays blank.
    field: Option<Field>,
    width: f64,
}

/// The width of a column that has no usual one, in characters.
const WIDTH: f64 = 16.0;

impl<'a> Column<'a> {
    fn usual(field: Field, width: f64) -> Self {
        Column { heading: heading(field), group: "", field: Some(field), width }
    }

    fn of_form(column: &'a FormColumn) -> Self {
        let field = column.field();
        let usual = COLUMNS.iter().find(|(known, _)| Some(*known) == field).map(|(_, width)| *width);
        let width = match field {
            Some(Field::Plain(place)) => PLAIN[place].width,
            _ => usual.unwrap_or(WIDTH),
        };
        Column { heading: &column.heading, group: &column.group, field, width }
    }
}

/// The columns of a ledger sheet, with their widths in characters; plain columns come after them.
const COLUMNS: &[(Field, f64)] = &[
    (Field::Number, 6.0),
    (Field::Problem, 36.0),
    (Field::Category, 10.0),
    (Field::Source, 16.0),
    (Field::Goal, 20.0),
    (Field::Domain, 10.0),
    (Field::ProblemDeadline, 14.0),
    (Field::Rating, 12.0),
    (Field::Task, 30.0),
    (Field::MeasureNumber, 9.0),
    (Field::Measure, 48.0),
    (Field::Deadline, 18.0),
    (Field::Lead, 18.0),
    (Field::Parties, 28.0),
    (Field::Leader(Post::Lead), 16.0),
    (Field::Leader(Post::Case), 16.0),
    (Field::Leader(Post::Responsible), 16.0),
    (Field::Leader(Post::Person), 16.0),
    (Field::Supervising, 16.0),
    (Field::Accepting, 16.0),
    (Field::Progress, 48.0),
];

impl Book {
    /// Writes the workbook. Returns its bytes, and the names of the rounds that are in the usual columns.
    fn bytes(&self) -> Result<(Vec<u8>, Vec<String>), XlsxError> {
        let mut workbook = Workbook::new();
        let mut rounds: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
        for row in &self.rows {
            rounds.entry(&row.round).or_default().push(row);
        }
        let mut standard = Vec::new();
        for (index, (round, rows)) in rounds.iter().enumerate() {
            let form = rows.first().and_then(|row| self.forms.get(&row.round_id)).filter(|form| fits(form, rows));
            if form.is_none() {
                standard.push((*round).to_owned());
            }
            self.ledger(workbook.add_worksheet().set_name(sheet_name(index + 1, round))?, round, rows, form)?;
        }
        self.progress(workbook.add_worksheet().set_name(filled::SHEET)?)?;
        for (name, answer) in &self.figures {
            figures(workbook.add_worksheet().set_name(*name)?, self.today, &answer.total, &answer.rows)?;
        }
        Ok((workbook.save_to_buffer()?, standard))
    }

    /// Returns the usual columns, without those that are blank. An import reads a ledger without them the same way.
    fn usual(&self, rows: &[&Row]) -> Vec<Column<'static>> {
        let is_used = |column: &Field| match column {
            Field::Goal => rows.iter().any(|row| row.goal.is_some()),
            Field::Domain => rows.iter().any(|row| self.domains.contains_key(&row.problem)),
            Field::ProblemDeadline => rows.iter().any(|row| !row.problem_due.is_empty()),
            Field::Rating => rows.iter().any(|row| row.rating.is_some()),
            Field::Supervising => rows.iter().any(|row| row.supervising.is_some()),
            Field::Plain(_) | Field::Category | Field::Source | Field::Task | Field::Accepting | Field::Leader(_) => {
                rows.iter().any(|row| !self.cell(*column, row).is_empty())
            }
            _ => true,
        };
        let plain = PLAIN.iter().enumerate().map(|(place, plain)| (Field::Plain(place), plain.width));
        let columns = COLUMNS.iter().copied().chain(plain).filter(|(column, _)| is_used(column));
        columns.map(|(field, width)| Column::usual(field, width)).collect()
    }

    /// Writes the sheet of a round: a title, the headings, and a row per measure, with the cells of a problem merged
    /// over its measures.
    fn ledger(&self, sheet: &mut Worksheet, round: &str, rows: &[&Row], form: Option<&Form>) -> Result<(), XlsxError> {
        let columns: Vec<Column<'_>> = match form {
            Some(form) => form.columns.iter().map(Column::of_form).collect(),
            None => self.usual(rows),
        };
        let last = u16::try_from(columns.len()).unwrap_or(1) - 1;
        let title = format!("{round}整改台账（截至{}）", self.today.format("%Y年%-m月%-d日"));
        sheet.merge_range(0, 0, 0, last, &title, &title_format())?;
        let top = head(sheet, &columns)?;
        sheet.set_freeze_panes(top, 0)?;
        let mut start = 0;
        let mut problem = 0;
        while let Some(first) = rows.get(start) {
            let length = rows[start..].iter().take_while(|row| row.problem == first.problem).count();
            let of_one = &rows[start..start + length];
            problem += 1;
            for (offset, row) in (0_u32..).zip(of_one) {
                let line = top + start as u32 + offset;
                for (place, column) in (0_u16..).zip(&columns) {
                    let Some(field) = column.field else {
                        write(sheet, line, place, "")?;
                        continue;
                    };
                    let text = match form {
                        Some(form) => self.cell_of_form(form, column.heading, field, row, (problem, of_one)),
                        None => self.cell(field, row),
                    };
                    if !of_problem(field) {
                        write(sheet, line, place, &text)?;
                    } else if offset == 0 && length > 1 {
                        let end = line + length as u32 - 1;
                        sheet.merge_range(line, place, end, place, "", &text_format(&text))?;
                        write(sheet, line, place, &text)?;
                    } else if offset == 0 {
                        write(sheet, line, place, &text)?;
                    }
                }
            }
            start += length;
        }
        Ok(())
    }

    /// Returns the text of a cell in the form of an imported sheet: what is stated there is as of today. `problem` is
    /// the place of the problem in the sheet, from 1, with its rows.
    fn cell_of_form(
        &self,
        form: &Form,
        heading: &str,
        field: Field,
        row: &Row,
        (problem, rows): (usize, &[&Row]),
    ) -> String {
        let completion = self.completion(row);
        let speaker = self.speaker(row);
        let said = |of: fn(&Answer) -> &Option<String>| speaker.and_then(|one| of(one).clone()).unwrap_or_default();
        let day = |day: Option<NaiveDate>| day.map(|day| day.format("%Y年%-m月%-d日").to_string()).unwrap_or_default();
        match field {
            Field::Number if !form.has(Field::MeasureNumber) => problem.to_string(),
            Field::Problem => form.problem(row.problem_number.as_deref(), &problem_text(row)).unwrap_or_default(),
            Field::Measure => form.measure(row.number.as_deref(), &row.content).unwrap_or_default(),
            Field::TaskNumber => row.task_number.clone().unwrap_or_default(),
            Field::Task if form.has(Field::TaskNumber) => row.task.clone().unwrap_or_default(),
            Field::Assisting if !form.has(Field::Parties) => self.cell(Field::Parties, row),
            Field::Status => completion.status(speaker.and_then(|one| one.stated.as_deref()), heading),
            Field::Rating => {
                let whole = Completion::of_all(rows.iter().map(|row| self.completion(row))).unwrap_or(completion);
                whole.rating(row.rating.as_deref())
            }
            Field::OnSchedule => completion.on_schedule().to_owned(),
            Field::Share if completion.is_completed() => "100%".to_owned(),
            Field::Share => speaker.and_then(|one| one.share).map(|share| format!("{share}%")).unwrap_or_default(),
            Field::Difficulties => said(|one| &one.difficulties),
            Field::NextSteps => said(|one| &one.next_steps),
            Field::SelfInspectedOn => day(speaker.and_then(|one| one.self_inspected_on)),
            Field::VerifiedOn => {
                day(speaker.and_then(|one| one.verified_at).map(|moment| local_day(moment, self.zone)))
            }
            Field::Notice => match speaker.and_then(|one| one.notice_from.zip(one.notice_until)) {
                Some((from, until)) => format!("{}至{}", day(Some(from)), day(Some(until))),
                None => String::new(),
            },
            Field::ClosedOn => day(speaker.and_then(|one| one.closed_on)),
            Field::DocumentNumber => said(|one| &one.document_number),
            Field::Plain(place) => {
                let text = self.cell(field, row);
                let plain = &PLAIN[place];
                if plain.code == "stated-close-out" {
                    completion.close_out(&text, heading)
                } else if text.is_empty() || heading.contains(plain.unit) {
                    text
                } else {
                    text + plain.unit
                }
            }
            _ => self.cell(field, row),
        }
    }

    /// Returns how far a measure is today: by the answers that the caller may see, else as the ledger states.
    fn completion(&self, row: &Row) -> Completion {
        let answers = self.answers.get(&row.measure).into_iter().flatten();
        let of =
            |one: &Answer| Completion::of(one.status, one.completed_on.is_some(), one.pace.as_deref(), one.stated_pace);
        let stated = || Completion::of(row.status, row.completed_on.is_some(), row.pace.as_deref(), row.stated_pace);
        Completion::of_all(answers.map(of)).unwrap_or_else(stated)
    }

    /// Returns the answer whose words stand for a measure: its only one, or the only one that has reported.
    fn speaker(&self, row: &Row) -> Option<&Answer> {
        let answers = self.answers.get(&row.measure)?;
        let mut reported = answers.iter().filter(|one| one.report.is_some());
        match (answers.as_slice(), reported.next(), reported.next()) {
            ([only], ..) | (_, Some(only), None) => Some(only),
            _ => None,
        }
    }

    fn cell(&self, column: Field, row: &Row) -> String {
        let or_blank = |text: &Option<String>| text.clone().unwrap_or_default();
        match column {
            Field::Number => or_blank(&row.problem_number),
            Field::Problem => problem_text(row),
            Field::Category => or_blank(&row.category),
            Field::Source => or_blank(&row.source),
            Field::Task => match (&row.task, &row.task_number) {
                (Some(task), Some(number)) => format!("任务{number}：{task}"),
                (task, _) => or_blank(task),
            },
            Field::Accepting => or_blank(&row.accepting),
            Field::Goal => or_blank(&row.goal),
            Field::Domain => self.domains.get(&row.problem).cloned().unwrap_or_default(),
            Field::ProblemDeadline => row.problem_due.clone(),
            Field::Rating => or_blank(&row.rating),
            Field::MeasureNumber => or_blank(&row.number),
            Field::Measure => row.content.clone(),
            Field::Deadline => row.due_raw.clone(),
            Field::Lead => row.lead.clone().unwrap_or_else(|| UNNAMED.to_owned()),
            Field::Parties => self.parties.get(&row.measure).cloned().unwrap_or_default(),
            Field::Supervising => or_blank(&row.supervising),
            Field::Progress => self.told(row),
            Field::Plain(place) => self.models.get(&row.measure).map(PLAIN[place].write).unwrap_or_default(),
            Field::Leader(post) => self.leaders.get(&(row.measure, post)).cloned().unwrap_or_default(),
            // Assisting units are among the parties. The rest is not of a ledger's columns.
            _ => String::new(),
        }
    }

    /// Returns the progress of a measure: the last report of its only assignment that has one, or those of several
    /// assignments, each with its unit. Without assignments, the progress that the ledger stated.
    fn told(&self, row: &Row) -> String {
        match self.answers.get(&row.measure).map(Vec::as_slice) {
            None | Some([]) => row.stated.clone().unwrap_or_default(),
            Some(answers) => {
                let reported: Vec<(&str, &str)> = answers
                    .iter()
                    .filter_map(|answer| Some((answer.unit.as_str(), answer.report.as_deref()?)))
                    .collect();
                if let [(_, only)] = reported.as_slice() {
                    return (*only).to_owned();
                }
                reported.iter().map(|(unit, report)| format!("{unit}：{report}")).collect::<Vec<_>>().join("\n")
            }
        }
    }

    /// Writes the progress sheet: a row per assignment, with blank cells to fill in.
    fn progress(&self, sheet: &mut Worksheet) -> Result<(), XlsxError> {
        for (place, (name, width)) in (0_u16..).zip(filled::COLUMNS.iter().copied()) {
            sheet.set_column_width(place, width)?;
            sheet.write_string_with_format(0, place, name, &heading_format())?;
            // Spreadsheet programs make dates and numbers of what people type, except in columns of text.
            if place >= filled::FIRST_FILLED {
                sheet.set_column_format(place, &Format::new().set_num_format("@"))?;
            }
        }
        sheet.set_freeze_panes(1, 0)?;
        let mut line = 1;
        for row in &self.rows {
            for answer in self.answers.get(&row.measure).into_iter().flatten() {
                let number = row.number.as_deref().map(|number| format!("{number} ")).unwrap_or_default();
                let cells = [
                    format!("assignment_{}", answer.id),
                    answer.version.to_string(),
                    row.title.clone(),
                    format!("{number}{}", row.content),
                    answer.unit.clone(),
                    row.due_raw.clone(),
                    status_name(answer.status).to_owned(),
                    answer.completed_on.map(|day| day.to_string()).unwrap_or_default(),
                    answer.report.clone().unwrap_or_default(),
                ];
                for (place, text) in (0_u16..).zip(&cells) {
                    write(sheet, line, place, text)?;
                }
                line += 1;
            }
        }
        Ok(())
    }
}

/// Whether every problem and measure can be written in a form so that it is read as the same again.
fn fits(form: &Form, rows: &[&Row]) -> bool {
    rows.iter().all(|row| {
        form.problem(row.problem_number.as_deref(), &problem_text(row)).is_some()
            && form.measure(row.number.as_deref(), &row.content).is_some()
    })
}

/// Returns the text of a problem: its title and its description.
fn problem_text(row: &Row) -> String {
    match &row.description {
        Some(description) => format!("{}。{description}", row.title.trim_end_matches('。')),
        None => row.title.clone(),
    }
}

/// Writes the headings below the title, in two rows if some stand below others. Returns the first row after them.
fn head(sheet: &mut Worksheet, columns: &[Column<'_>]) -> Result<u32, XlsxError> {
    let format = heading_format();
    let is_grouped = columns.iter().any(|column| !column.group.is_empty());
    let mut place = 0;
    while let Some(column) = columns.get(place) {
        let first = place as u16;
        let length = match column.group {
            "" => 1,
            group => columns[place..].iter().take_while(|other| other.group == group).count(),
        };
        for (at, column) in (first..).zip(&columns[place..place + length]) {
            sheet.set_column_width(at, column.width)?;
            let row = if is_grouped && !column.group.is_empty() { 2 } else { 1 };
            sheet.write_string_with_format(row, at, column.heading, &format)?;
        }
        if length > 1 {
            sheet.merge_range(1, first, 1, first + length as u16 - 1, column.group, &format)?;
        } else if is_grouped && column.group.is_empty() {
            sheet.merge_range(1, first, 2, first, column.heading, &format)?;
        }
        place += length;
    }
    Ok(if is_grouped { 3 } else { 2 })
}

/// Whether a column belongs to the problem, so that its cells are merged over the problem's measures.
fn of_problem(column: Field) -> bool {
    matches!(
        column,
        Field::Number
            | Field::Problem
            | Field::Category
            | Field::Source
            | Field::Goal
            | Field::Domain
            | Field::ProblemDeadline
            | Field::Rating
    )
}

/// Writes a statistics sheet: the totals, and a row per group.
fn figures(sheet: &mut Worksheet, today: NaiveDate, total: &Figures, rows: &[Group]) -> Result<(), XlsxError> {
    let headings = ["分组", "措施数", "已完成", "已销号", "不涉及", "逾期", "完成率", "销号率", "逾期率"];
    let title = format!("整改措施统计（截至{}）", today.format("%Y年%-m月%-d日"));
    sheet.merge_range(0, 0, 0, 8, &title, &title_format())?;
    sheet.set_column_width(0, 30.0)?;
    for (place, heading) in (0_u16..).zip(headings) {
        sheet.write_string_with_format(1, place, heading, &heading_format())?;
    }
    let rate = Format::new().set_num_format("0.0%").set_border(FormatBorder::Thin);
    let plain = Format::new().set_border(FormatBorder::Thin);
    for (line, row) in (2_u32..).zip(std::iter::once(total).chain(rows.iter().map(|row| &row.figures))) {
        let label = row.label.clone().or_else(|| row.key.as_deref().map(|key| statistics::label_of(key).to_owned()));
        write(sheet, line, 0, label.as_deref().unwrap_or("合计"))?;
        let numbers = [row.all, row.completed, row.closed, row.not_applicable, row.overdue];
        for (place, number) in (1_u16..).zip(numbers) {
            sheet.write_number_with_format(line, place, number as f64, &plain)?;
        }
        for (place, share) in (6_u16..).zip([row.completion_rate(), row.close_out_rate(), row.overdue_rate()]) {
            match share {
                Some(share) => sheet.write_number_with_format(line, place, share, &rate)?,
                None => sheet.write_string_with_format(line, place, "—", &plain)?,
            };
        }
    }
    Ok(())
}

/// Writes a cell as text. A text that begins like a formula stays text, also after a user has edited the cell.
pub(crate) fn write(sheet: &mut Worksheet, row: u32, column: u16, text: &str) -> Result<(), XlsxError> {
    // Excel's limit on the characters in a cell.
    let text: String = text.chars().take(32_767).collect();
    sheet.write_string_with_format(row, column, &text, &text_format(&text)).map(drop)
}

fn text_format(text: &str) -> Format {
    let format = Format::new().set_text_wrap().set_align(FormatAlign::Top).set_border(FormatBorder::Thin);
    if is_like_formula(text) { format.set_quote_prefix() } else { format }
}

pub(crate) fn title_format() -> Format {
    Format::new().set_bold().set_font_size(14).set_align(FormatAlign::Center).set_align(FormatAlign::VerticalCenter)
}

pub(crate) fn heading_format() -> Format {
    Format::new().set_bold().set_text_wrap().set_align(FormatAlign::Center).set_border(FormatBorder::Thin)
}

/// Returns a name for a sheet that Excel accepts: at most 31 characters, none of them forbidden.
fn sheet_name(number: usize, round: &str) -> String {
    let plain: String = round.chars().filter(|letter| !"[]:*?/\\'".contains(*letter)).collect();
    format!("{number}.{plain}").chars().take(31).collect()
}
