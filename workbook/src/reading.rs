//! Turns the rows of a sheet into problems and measures: handles titles, numbers inside the text and merged cells, and
//! reports every fault with its cell.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::LazyLock;

use chrono::NaiveDate;
use entity::assignment::{StatedPace, Status};
use entity::leader::Post;
use entity::measure;
use planner::Bilingual;
use regex::Regex;
use sea_orm::Iterable;
use unicode_normalization::UnicodeNormalization;

use super::field::{self, Field, UNNAMED};
use super::layout::{Kind, Layout, RememberedMeanings, Sureness};
use super::mapping::{Mapping, key_of_text};
use super::plain::PLAIN;
use super::question::{Question, Questions, Topic};
use super::sheet::{CellKind, MAX_TEXT, Sheet};
use super::value::{day_in, pace_in, period_in, says_none, share_of};
use ledger::fault::{self as faults, Hidden};
use ledger::rule::calendar::last_day_of_month;
use ledger::rule::deadline::{self, Answer, Context, Deadline};
use ledger::rule::sameness::{self, normalised};
use ledger::rule::wording::shortened;
use ledger::rule::workflow::{self, Stated};

/// A cell that cannot be imported: its place, its content and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellFault {
    /// Name of the sheet.
    pub sheet: String,
    /// Row number, from 1.
    pub row: u32,
    /// Column letters, such as `A` or `AA`; empty if the sheet has no such column.
    pub column: String,
    /// Heading of the column as printed; empty if the sheet has no such column.
    pub heading: String,
    /// Content of the cell, shortened.
    pub value: String,
    /// What is wrong.
    pub problem: Bilingual,
    /// What was expected, or how to fix it.
    pub expected: Bilingual,
}

impl CellFault {
    /// Returns the whole message: the place, what is wrong, the content of the cell, and what was expected.
    pub fn message(&self) -> Bilingual {
        let Self { sheet, row, column, heading, value, problem, expected } = self;
        Bilingual::new(
            format!(
                "工作表“{sheet}”第 {row} 行 {column} 列（{heading}）：{}；单元格内容“{value}”；应为：{}",
                problem.zh, expected.zh
            ),
            format!(
                "sheet “{sheet}”, row {row}, column {column} ({heading}): {}; the cell has “{value}”; expected: {}",
                problem.en, expected.en
            ),
        )
    }
}

/// Writes the message in Chinese, as the command line shows it.
impl fmt::Display for CellFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message().zh)
    }
}

/// A problem as read from a sheet.
#[derive(Debug, Clone)]
pub(crate) struct ReadProblem {
    pub(crate) row: u32,
    /// See [`ReadProblem::identity`]; normalised once, because it is asked for again and again.
    identity: String,
    pub(crate) number: Option<String>,
    pub(crate) title: String,
    pub(crate) description: Option<String>,
    pub(crate) category: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) goal: Option<String>,
    pub(crate) domains: Vec<String>,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) rating: Option<(String, Stated)>,
    pub(crate) measures: Vec<ReadMeasure>,
}

/// A measure as read from a sheet.
#[derive(Debug, Clone)]
pub(crate) struct ReadMeasure {
    pub(crate) row: u32,
    /// See [`ReadMeasure::identity`].
    identity: String,
    pub(crate) number: Option<String>,
    pub(crate) content: String,
    pub(crate) deadline: Deadline,
    pub(crate) lead: Option<String>,
    pub(crate) parties: Option<String>,
    pub(crate) assisting: Option<String>,
    pub(crate) supervising: Option<String>,
    pub(crate) accepting: Option<String>,
    pub(crate) leaders: Vec<(Post, String)>,
    pub(crate) task: Option<ReadTask>,
    pub(crate) progress: Option<String>,
    /// What the ledger states about the measure, with the words as printed.
    pub(crate) status: Option<(String, Stated)>,
    pub(crate) month: Month,
    pub(crate) close_out: ReadCloseOut,
    /// The filled cells of plain columns, each with the place of its column in [`PLAIN`]. They have been read once, so
    /// that they are known to be understood.
    pub(crate) plain: Vec<(usize, String)>,
}

/// A task between a problem and its measures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadTask {
    pub(crate) number: Option<String>,
    pub(crate) content: String,
}

impl ReadTask {
    /// Returns the key that identifies this task within its problem.
    pub(crate) fn identity(&self) -> String {
        sameness::measure(self.number.as_deref(), &self.content)
    }
}

/// What a month's account says in addition to the progress.
#[derive(Debug, Clone, Default)]
pub(crate) struct Month {
    /// Share that is done, in percent.
    pub(crate) share: Option<f64>,
    /// The pace of the measure: on schedule, behind, or behind and reported.
    pub(crate) pace: Option<StatedPace>,
    pub(crate) difficulties: Option<String>,
    pub(crate) next_steps: Option<String>,
}

/// The dates of a close-out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ReadCloseOut {
    pub(crate) self_inspected_on: Option<NaiveDate>,
    pub(crate) verified_on: Option<NaiveDate>,
    pub(crate) notice: Option<(NaiveDate, NaiveDate)>,
    pub(crate) closed_on: Option<NaiveDate>,
    pub(crate) document_number: Option<String>,
}

impl ReadCloseOut {
    /// Returns the status that the dates state; `None` if there is none.
    pub(crate) fn status(&self, is_ongoing: bool) -> Option<Status> {
        if self.closed_on.is_some() {
            Some(if is_ongoing { Status::ClosedOngoing } else { Status::Closed })
        } else if self.notice.is_some() {
            Some(Status::Publicised)
        } else if self.verified_on.is_some() {
            Some(Status::Verified)
        } else {
            self.self_inspected_on.map(|_| Status::Submitted)
        }
    }

    /// Returns the day of completion and whether that is only the day by which it was completed; `None` without dates.
    /// The self-inspection shows what has been completed.
    pub(crate) fn completion(&self) -> Option<(NaiveDate, bool)> {
        self.self_inspected_on.map(|day| (day, false)).or_else(|| self.first_day().map(|day| (day, true)))
    }

    /// Returns the earliest of the dates.
    pub(crate) fn first_day(&self) -> Option<NaiveDate> {
        let notice = self.notice.map(|(from, _)| from);
        [self.self_inspected_on, self.verified_on, notice, self.closed_on].into_iter().flatten().min()
    }
}

/// How a sheet was read: its headings, and what each column was taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetReading {
    /// Name of the sheet.
    pub sheet: String,
    /// What it contains.
    pub kind: Kind,
    /// First and last row of the headings, from 1.
    pub heading_rows: (u32, u32),
    /// Local date on which the statuses were true, as printed or given.
    pub as_of: Option<NaiveDate>,
    /// Its columns in order, those that are not read included.
    pub columns: Vec<ColumnReading>,
    /// The row of headings as one text.
    pub(crate) row_of_headings: String,
}

/// What a column was taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnReading {
    /// Column letters.
    pub column: String,
    /// The heading as printed.
    pub heading: String,
    /// The heading as mapping files name it.
    pub key: String,
    /// The field as mapping files name it; `None` if the column is not read.
    pub field: Option<&'static str>,
    /// The field's usual heading; empty if the column is not read.
    pub label: &'static str,
    /// How sure the meaning is; `None` if the column is not read.
    pub sureness: Option<Sureness>,
    /// Up to three different values.
    pub samples: Vec<String>,
}

/// The content of a sheet that contains a ledger.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    pub(crate) sheet: String,
    pub(crate) as_of: Option<NaiveDate>,
    pub(crate) problems: Vec<ReadProblem>,
    pub(crate) faults: Vec<CellFault>,
    /// Rows below the headings that are no measures, from 1, with what they are: a note, a total or repeated headings.
    pub(crate) left_out: Vec<(u32, Bilingual)>,
    /// What was taken as likely, by row from 1.
    pub(crate) remarks: Vec<(u32, Bilingual)>,
    /// What has to be decided; the reading goes by the proposals.
    pub(crate) questions: Questions,
    pub(crate) layout: Layout,
}

impl Read {
    /// Returns how the sheet was read.
    pub(crate) fn reading(&self, sheet: &Sheet) -> SheetReading {
        described(sheet, &self.layout, self.as_of)
    }
}

/// Returns how a sheet with a layout was read.
pub(crate) fn described(sheet: &Sheet, layout: &Layout, as_of: Option<NaiveDate>) -> SheetReading {
    let samples = |place: u32| -> Vec<String> {
        let whole = layout.samples(sheet, place, 3);
        whole.iter().map(|sample| shortened(sample, 20)).collect()
    };
    let used = layout.columns.iter().map(|column| {
        // People's names are not shown again.
        let is_read = !matches!(column.field, Field::Reporter | Field::Leader(_));
        let reading = ColumnReading {
            column: letters(column.place),
            heading: column.heading.clone(),
            key: column.key.clone(),
            field: Some(field::code(column.field)),
            label: field::label(column.field),
            sureness: Some(column.sureness.clone()),
            samples: if is_read { samples(column.place) } else { Vec::new() },
        };
        (column.place, reading)
    });
    let unused = layout.unknown.iter().map(|(place, heading, key)| {
        let reading = ColumnReading {
            column: letters(*place),
            heading: heading.clone(),
            key: key.clone(),
            field: None,
            label: "",
            sureness: None,
            samples: samples(*place),
        };
        (*place, reading)
    });
    let mut columns: Vec<(u32, ColumnReading)> = used.chain(unused).collect();
    columns.sort_by_key(|(place, _)| *place);
    SheetReading {
        sheet: sheet.name.clone(),
        kind: layout.kind(),
        heading_rows: (layout.first_row + 1, layout.heading_row + 1),
        as_of,
        columns: columns.into_iter().map(|(_, column)| column).collect(),
        row_of_headings: layout.row_of_headings.clone(),
    }
}

impl ReadProblem {
    /// Returns the key that identifies this problem across files, within a round and an issuing region.
    pub(crate) fn identity(&self) -> String {
        self.identity.clone()
    }
}

impl ReadMeasure {
    /// Returns the key that identifies this measure across files, within its problem.
    pub(crate) fn identity(&self) -> String {
        self.identity.clone()
    }
}

/// How a sheet is read.
#[derive(Clone, Copy)]
pub(crate) struct Manner<'a> {
    /// What a person has decided about this file.
    pub(crate) mapping: &'a Mapping,
    /// What was decided about the columns of earlier files.
    pub(crate) remembered: &'a RememberedMeanings,
    /// Checks whether a day is a working day.
    pub(crate) working: &'a dyn Fn(NaiveDate) -> bool,
    /// Whether questions are answered by their proposals.
    pub(crate) takes_proposals: bool,
}

/// Reads a sheet. `before` is the date of the sheet before it, which a sheet without a date has, too. Returns `None` if
/// it contains no ledger.
pub(crate) fn read(sheet: &Sheet, manner: Manner<'_>, before: Option<NaiveDate>) -> Option<Read> {
    let layout = Layout::find(sheet, &manner.mapping.columns, manner.remembered)?;
    if layout.kind() == Kind::Cases {
        return None;
    }
    let as_of = manner.mapping.as_of.or_else(|| printed_date(sheet, layout.first_row)).or(before);
    // Without a date the sheet is refused, and no deadline is asked about, so that no year is proposed from this one.
    let context = Context { working: Some(manner.working), ..Context::new(as_of.unwrap_or_default()) };
    let mut rows = Rows {
        sheet,
        layout: &layout,
        faults: Vec::new(),
        seen: HashMap::new(),
        refused: HashSet::new(),
        left_out: Vec::new(),
        remarks: Vec::new(),
        questions: Questions::default(),
        context: context.with(&manner.mapping.deadlines),
        is_dated: as_of.is_some(),
        manner,
        above: HashMap::new(),
        filled_down: 0,
        task: None,
        text: 0,
    };
    rows.ask_about_columns();
    let problems = rows.problems();
    if rows.filled_down > 0 {
        let row = layout.heading_row + 1;
        let filled = rows.filled_down;
        let remark = Bilingual::new(
            format!("空白的牵头单位等按“同上”读取，共 {filled} 行"),
            format!("blank cells, such as lead units, are read as “same as above” in {filled} rows"),
        );
        rows.remarks.push((row, remark));
    }
    let Rows { faults, left_out, remarks, questions, .. } = rows;
    Some(Read { sheet: sheet.name.clone(), as_of, problems, faults, left_out, remarks, questions, layout })
}

/// Returns the date in the titles above the headings.
pub(crate) fn printed_date(sheet: &Sheet, first_row: u32) -> Option<NaiveDate> {
    let titles = (0..first_row).flat_map(|row| sheet.columns(row).into_iter().map(move |at| (row, at)));
    titles.filter_map(|(row, at)| date_in(sheet.text(row, at))).next_back()
}

struct Rows<'a> {
    sheet: &'a Sheet,
    layout: &'a Layout,
    faults: Vec<CellFault>,
    /// Row of each measure read so far, by the identities of its problem and itself.
    seen: HashMap<(String, String), u32>,
    /// Cells already reported for their content as a whole, so that a merged cell is reported once and not for each of
    /// its rows, and nothing more is said about it.
    refused: HashSet<(u32, u32)>,
    left_out: Vec<(u32, Bilingual)>,
    remarks: Vec<(u32, Bilingual)>,
    questions: Questions,
    context: Context<'a>,
    /// Whether the date of the sheet is known.
    is_dated: bool,
    manner: Manner<'a>,
    /// The cells of the row above within the same problem, which blank cells repeat where the sheet fills down.
    above: HashMap<Field, String>,
    /// Number of rows in which blank cells were read as "as above".
    filled_down: usize,
    /// The task at hand.
    task: Option<ReadTask>,
    /// Bytes of text read so far. A merged cell counts once for each row that shows it.
    text: usize,
}

impl Rows<'_> {
    /// Asks about the columns whose meaning a person has to decide.
    fn ask_about_columns(&mut self) {
        for column in &self.layout.columns {
            let Sureness::Asked(asked) = &column.sureness else { continue };
            let choices = field::candidates(&field::normalised_heading(&column.heading));
            let choices: Vec<String> = choices.into_iter().map(|field| field::code(field).to_owned()).collect();
            self.questions.ask(Question {
                topic: Topic::Columns,
                sheet: self.sheet.name.clone(),
                row: self.layout.heading_row + 1,
                column: letters(column.place),
                printed: column.key.clone(),
                asked: Bilingual::new(
                    format!("“{}”{}", column.heading, asked.zh),
                    format!("“{}”: {}", column.heading, asked.en),
                ),
                proposal: field::code(column.field).to_owned(),
                choices,
                samples: self.layout.samples(self.sheet, column.place, 3),
                rows: 1,
                is_taken: self.manner.takes_proposals,
            });
        }
    }

    /// Returns the text of a labelled cell above the table.
    fn labelled(&mut self, field: Field) -> String {
        let Some((row, place)) = self.layout.labelled(field) else { return String::new() };
        self.read(field, (row, place), self.sheet.text(row, place))
    }

    fn problems(&mut self) -> Vec<ReadProblem> {
        let mut problems: Vec<ReadProblem> = Vec::new();
        // Index of each problem in `problems`, by identity.
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut at_hand = None;
        if let Some((row, _)) =
            self.layout.labelled(Field::Problem).filter(|_| self.layout.place(Field::Problem).is_none())
        {
            let printed = self.labelled(Field::Problem);
            problems.push(self.problem(row, &printed));
            at_hand = Some(0);
        }
        for row in self.sheet.filled_rows().into_iter().filter(|row| *row > self.layout.heading_row) {
            let filled = self.sheet.columns(row);
            if filled.is_empty() {
                continue;
            }
            if let Some(what) = self.is_no_measure(row, &filled) {
                self.left_out.push((row + 1, what));
                continue;
            }
            if self.text > MAX_TEXT {
                let most = MAX_TEXT >> 20;
                let problem = Bilingual::new("合并单元格在各行重复的文字过多", "merged cells repeat too much text");
                let expected = Bilingual::new(
                    format!("全部单元格的文字不超过 {most} MB：请取消合并或拆分后导入"),
                    format!("at most {most} MB of text in all cells: undo the merging, or split the file"),
                );
                self.fault(row, Field::Measure, problem, expected);
                break;
            }
            let is_column = self.layout.place(Field::Problem).is_some();
            let printed = if is_column { self.own(row, Field::Problem) } else { String::new() };
            if !printed.is_empty() {
                self.above.clear();
                self.task = None;
                let problem = self.problem(row, &printed);
                // A problem that continues after a page break has its cell printed again.
                let identity = problem.identity();
                let place = places.get(&identity).copied();
                if let Some(known) = place.and_then(|place| problems.get(place))
                    && normalised(&known.title) != normalised(&problem.title)
                {
                    let first = known.row + 1;
                    let expected = Bilingual::new(
                        format!("不同问题用不同编号（与第 {first} 行的问题编号相同）"),
                        format!("a number of its own for each problem (the one in row {first} has the same number)"),
                    );
                    self.fault(row, Field::Problem, repeated_number(), expected);
                }
                at_hand = place.or_else(|| {
                    places.insert(identity, problems.len());
                    problems.push(problem);
                    problems.len().checked_sub(1)
                });
            }
            // A number next to a blank problem cell belongs to a problem whose text is missing.
            if printed.is_empty() && self.layout.numbers_problems() && !self.own(row, Field::Number).is_empty() {
                let problem = Bilingual::new("有序号而没有反馈问题", "there is a number and no problem");
                let expected = Bilingual::new(
                    "反馈问题的文字，或合并到上一问题",
                    "the text of the problem, or a cell merged with the problem above",
                );
                self.fault(row, Field::Problem, problem, expected);
                continue;
            }
            let Some(problem) = at_hand.and_then(|place: usize| problems.get_mut(place)) else {
                let problem = Bilingual::new("没有对应的反馈问题", "the row belongs to no problem");
                let expected = Bilingual::new("首行应写明反馈问题", "the text of a problem in the first row");
                self.fault(row, Field::Problem, problem, expected);
                continue;
            };
            if let Some(measure) = self.measure(row) {
                let key = (problem.identity(), measure.identity());
                if let Some(first) = self.seen.insert(key, row) {
                    let first = first + 1;
                    let expected = Bilingual::new(
                        format!("每条措施只列一次（与第 {first} 行重复）"),
                        format!("each measure once (row {first} has it, too)"),
                    );
                    self.fault(row, Field::Measure, repeated_row(), expected);
                } else {
                    problem.measures.push(measure);
                }
            }
        }
        problems
    }

    /// Returns what a row is if it is no measure: headings that are printed again, a total, or a note below the table.
    fn is_no_measure(&self, row: u32, filled: &[u32]) -> Option<Bilingual> {
        const NOTES: &[&str] = &["注:", "备注:", "说明:", "填表", "填报", "制表", "审核", "审批", "※", "此表", "本表"];
        const TOTALS: &[&str] = &["合计", "总计", "小计", "共计"];
        if self.layout.is_repeated_in(self.sheet, row) {
            return Some(Bilingual::new("重复的表头", "the headings, printed again"));
        }
        let shown: String = filled.first().map(|at| self.sheet.text(row, *at)).unwrap_or_default().nfkc().collect();
        let first: String = shown.chars().filter(|letter| !faults::is_blank(*letter)).collect();
        // A note that is merged over the whole row does not fill the cells that it covers.
        let is_blank = |column: Field| {
            self.layout.place(column).is_none_or(|place| {
                let first = self.sheet.shown_at(row, place);
                (first.0 == row && first.1 != place) || faults::is_empty(self.sheet.text(first.0, first.1))
            })
        };
        // A total counts measures, so that it may fill their column; it has neither deadline nor lead unit.
        if TOTALS.contains(&first.as_str()) && is_blank(Field::Deadline) && is_blank(Field::Lead) {
            return Some(Bilingual::new("合计", "a total"));
        }
        let first = first.trim_start_matches(['(', '1', '2', '3', '4', '.', '、']);
        let is_note = NOTES.iter().any(|word| first.starts_with(word)) || first == "注" || first == "备注";
        let has_measure = self.layout.place(Field::Measure).is_some_and(|place| filled.contains(&place));
        let is_beside = !has_measure || filled.len() == 1;
        let is_below = is_note && filled.len() <= 4 && is_beside && is_blank(Field::Lead);
        is_below.then(|| Bilingual::new("表下说明", "a note below the table"))
    }

    /// Returns the text of the cell itself. For fields of the problem, which are blank below its first row.
    fn own(&mut self, row: u32, column: Field) -> String {
        let Some(place) = self.layout.place(column) else { return self.labelled(column) };
        self.read(column, (row, place), self.sheet.text(row, place))
    }

    /// Returns the text of a cell as [`Self::shown`], else what stands in the labelled cell above the table, or in the
    /// row above where the sheet fills down.
    fn as_above(&mut self, row: u32, column: Field, fills: bool) -> Option<String> {
        let shown = self.shown(row, column);
        let labelled = || self.layout.labelled(column).map(|(row, place)| self.sheet.text(row, place).to_owned());
        let text = shown.or_else(|| fills.then(|| self.above.get(&column).cloned()).flatten()).or_else(labelled);
        if let Some(text) = &text {
            self.above.insert(column, text.clone());
        }
        text
    }

    /// Returns the text that the cell shows, its own or that of the merged area it lies in. For fields of the measure,
    /// which may be merged over several rows.
    fn shown(&mut self, row: u32, column: Field) -> Option<String> {
        let place = self.layout.place(column)?;
        let text = self.read(column, (row, place), self.sheet.shown(row, place));
        (!text.is_empty()).then_some(text)
    }

    /// Cleans a cell's text as its field requires. Reports invisible control characters, error values, formulas without
    /// a value, and numbers that may have been printed otherwise as faults.
    fn read(&mut self, column: Field, (row, place): (u32, u32), text: &str) -> String {
        self.text = self.text.saturating_add(text.len());
        if let Some((problem, expected)) = wrong_kind(column, self.sheet.kind(row, place)) {
            if self.refused.insert(self.sheet.shown_at(row, place)) {
                self.faults.push(fault(self.sheet, self.layout, row, column, problem, expected));
            }
            return text.to_owned();
        }
        match cleaned(column, text) {
            Ok(clean) => clean,
            Err(hidden) => {
                if self.refused.insert(self.sheet.shown_at(row, place)) {
                    let (letter, code) = (hidden.place, hidden.code_point());
                    let problem = Bilingual::new(
                        format!("第 {letter} 个字符（{code}）是不可见的控制字符"),
                        format!("character {letter} ({code}) is an invisible control character"),
                    );
                    let expected = Bilingual::new(
                        "没有控制字符的文字（请删除后重新输入）",
                        "a text without control characters (delete it and enter it again)",
                    );
                    self.faults.push(fault(self.sheet, self.layout, row, column, problem, expected));
                }
                // Continue with the visible characters, so that other faults of the cell are reported as well.
                text.chars().filter(|letter| !faults::is_hidden(*letter)).collect()
            }
        }
    }

    fn problem(&mut self, row: u32, printed: &str) -> ReadProblem {
        let (in_text, text) = split_number(printed);
        let own = self.own(row, Field::Number);
        let number = if self.layout.numbers_problems() && !own.is_empty() {
            Some(bare(&own))
        } else {
            in_text.map(|number| bare(&number))
        };
        let (title, description) = split_title(text);
        let title = faults::single(&title).unwrap_or(title);
        let deadline = self.own(row, Field::ProblemDeadline);
        let deadline = if deadline.is_empty() && self.layout.place(Field::ProblemDeadline).is_none() {
            None
        } else {
            self.deadline(row, Field::ProblemDeadline, &deadline)
        };
        let rating = self.own(row, Field::Rating);
        let rating = match workflow::stated(&rating) {
            Some(stated) => Some((rating, stated)),
            None if rating.is_empty() => None,
            None => {
                let problem = Bilingual::new("无法识别的整改进度", "the progress is not understood");
                let expected = Bilingual::new(workflow::WORDS, format!("one of {}", workflow::WORDS));
                self.fault(row, Field::Rating, problem, expected);
                None
            }
        };
        let goal = self.own(row, Field::Goal);
        let domains = self.own(row, Field::Domain);
        let [category, source] = [Field::Category, Field::Source].map(|field| {
            let text = self.own(row, field);
            (!text.is_empty()).then_some(text)
        });
        ReadProblem {
            row,
            identity: sameness::problem(number.as_deref(), &title),
            number,
            title,
            description,
            category,
            source,
            goal: (!goal.is_empty()).then_some(goal),
            domains: domains
                .split(['、', '，', ',', '；', ';'])
                .map(|domain| domain.trim().to_owned())
                .filter(|domain| !domain.is_empty())
                .collect(),
            deadline,
            rating,
            measures: Vec::new(),
        }
    }

    fn measure(&mut self, row: u32) -> Option<ReadMeasure> {
        let Some(printed) = self.shown(row, Field::Measure) else {
            let problem = Bilingual::new("没有整改措施", "there is no measure");
            self.fault(row, Field::Measure, problem, Bilingual::new("整改措施的文字", "the text of the measure"));
            return None;
        };
        let (in_text, text) = split_number(&printed);
        let number = self.shown(row, Field::MeasureNumber).or(in_text).map(|number| bare(&number));
        let deadline = self.shown(row, Field::Deadline).unwrap_or_default();
        let deadline = self.deadline(row, Field::Deadline, &deadline);
        // A row without a lead unit of its own repeats the organisation of the row above as a whole.
        let is_blank = self.shown(row, Field::Lead).is_none() && self.layout.place(Field::Lead).is_some();
        let fills = self.layout.fills_down && is_blank && self.above.contains_key(&Field::Lead);
        self.filled_down += usize::from(fills);
        let lead = self.as_above(row, Field::Lead, fills);
        let parties = self.as_above(row, Field::Parties, fills);
        let assisting = self.as_above(row, Field::Assisting, fills);
        let supervising = self.as_above(row, Field::Supervising, fills);
        let accepting = self.as_above(row, Field::Accepting, fills);
        let mut leaders = Vec::new();
        for post in Post::iter() {
            leaders.extend(self.as_above(row, Field::Leader(post), fills).map(|name| (post, name)));
        }
        let task = self.task(row);
        let progress = self.shown(row, Field::Progress);
        let status = self.status(row).or_else(|| self.not_applicable(row, progress.as_deref()?));
        let month = self.month(row);
        let close_out = self.close_out(row);
        if lead.is_none() && self.layout.place(Field::Lead).is_some() {
            let problem = Bilingual::new("没有牵头单位", "there is no lead unit");
            let expected = Bilingual::new(
                format!("一个牵头单位；确无牵头单位的写“{UNNAMED}”"),
                format!("one lead unit, or “{UNNAMED}” if there is none"),
            );
            self.fault(row, Field::Lead, problem, expected);
        }
        let mut cells = Vec::new();
        for (place, plain) in PLAIN.iter().enumerate() {
            let column = Field::Plain(place);
            let Some(text) = self.shown(row, column) else { continue };
            let mut unused = measure::ActiveModel::default();
            if let Err(expected) = (plain.read)(&text, self.layout.heading(column), &mut unused) {
                let problem = Bilingual::new(format!("无法识别的{}", plain.headings[0]), "the cell is not understood");
                self.fault(row, column, problem, expected);
            }
            cells.push((place, text));
        }
        Some(ReadMeasure {
            row,
            identity: sameness::measure(number.as_deref(), text),
            number,
            content: text.to_owned(),
            deadline: deadline?,
            lead: lead.filter(|lead| lead != UNNAMED),
            parties,
            assisting,
            supervising,
            accepting,
            leaders,
            task,
            progress,
            status,
            month,
            close_out,
            plain: cells,
        })
    }

    /// Reads the task that a measure belongs to. A blank cell means the task of the row above.
    fn task(&mut self, row: u32) -> Option<ReadTask> {
        self.layout.place(Field::Task)?;
        if let Some(printed) = self.shown(row, Field::Task) {
            let (in_text, content) = split_task(&printed);
            let number = self.shown(row, Field::TaskNumber).or(in_text).map(|number| bare(&number));
            self.task = Some(ReadTask { number, content: content.to_owned() });
        }
        self.task.clone()
    }

    /// Reads what the ledger states about the measure.
    fn status(&mut self, row: u32) -> Option<(String, Stated)> {
        let printed = self.shown(row, Field::Status)?;
        let stated = workflow::stated_of_measure(&printed);
        if stated.is_none() {
            let problem = Bilingual::new("无法识别的完成情况", "the status is not understood");
            let words = format!("{}、未完成、长期坚持", workflow::WORDS);
            let en = format!("one of {words}");
            self.fault(row, Field::Status, problem, Bilingual::new(words, en));
        }
        stated.map(|stated| (printed, stated))
    }

    /// Reads a text that likely says that a measure does not apply, such as 我县未涉及此项工作. It is confirmed by a
    /// decision or with all proposals; otherwise it stays a report.
    fn not_applicable(&mut self, row: u32, text: &str) -> Option<(String, Stated)> {
        if workflow::stated(text).is_some() || text.chars().count() > 40 || !NOT_APPLICABLE.is_match(text) {
            return None;
        }
        let key = key_of_text(text);
        let decided = self.manner.mapping.not_applicable(text);
        if decided.is_none() {
            let place = self.layout.place(Field::Progress).unwrap_or_default();
            self.questions.ask(Question {
                topic: Topic::NotApplicable,
                sheet: self.sheet.name.clone(),
                row: row + 1,
                column: letters(place),
                printed: key,
                asked: Bilingual::new(
                    format!("“{text}”像是“不涉及”；确认后按“不涉及”提出，否则只作为进展保留"),
                    format!("“{text}” likely means 不涉及 (not applicable); without confirmation it stays a report"),
                ),
                proposal: "true".to_owned(),
                choices: vec!["true".to_owned(), "false".to_owned()],
                samples: Vec::new(),
                rows: 1,
                is_taken: self.manner.takes_proposals,
            });
        }
        let is = decided.unwrap_or(self.manner.takes_proposals);
        is.then(|| workflow::stated("不涉及")).flatten().map(|stated| (text.to_owned(), stated))
    }

    /// Reads what a month's account says in addition to the progress.
    fn month(&mut self, row: u32) -> Month {
        let share = self.shown(row, Field::Share).and_then(|printed| {
            let share = share_of(&printed);
            if share.is_none() {
                let problem = Bilingual::new("无法识别的完成比例", "the share is not understood");
                let expected = Bilingual::new("0% 至 100% 的比例", "a share from 0% to 100%");
                self.fault(row, Field::Share, problem, expected);
            }
            share.flatten()
        });
        let pace = self.shown(row, Field::OnSchedule).and_then(|printed| {
            let pace = pace_in(printed.trim_end_matches('。'));
            if pace.is_none() {
                let problem = Bilingual::new("无法识别是否达到序时进度", "whether it is on schedule is not understood");
                let expected =
                    Bilingual::new("“是”“否”或“否（已报备）”", "是 (yes), 否 (no) or 否（已报备） (no, and reported)");
                self.fault(row, Field::OnSchedule, problem, expected);
            }
            pace
        });
        let said = |text: Option<String>| text.filter(|text| !says_none(text));
        let difficulties = said(self.shown(row, Field::Difficulties));
        let next_steps = said(self.shown(row, Field::NextSteps));
        Month { share, pace, difficulties, next_steps }
    }

    /// Reads the dates of a close-out.
    fn close_out(&mut self, row: u32) -> ReadCloseOut {
        let notice = self.shown(row, Field::Notice).and_then(|printed| {
            let period = period_in(&printed);
            if period.is_none() {
                let problem = Bilingual::new("无法识别的公示时间", "the period of the notice is not understood");
                let expected = Bilingual::new("如 2023年12月11日至15日", "such as 2023年12月11日至15日");
                self.fault(row, Field::Notice, problem, expected);
            }
            period
        });
        ReadCloseOut {
            self_inspected_on: self.day(row, Field::SelfInspectedOn),
            verified_on: self.day(row, Field::VerifiedOn),
            notice,
            closed_on: self.day(row, Field::ClosedOn),
            document_number: self.shown(row, Field::DocumentNumber),
        }
    }

    /// Reads a cell that has one day; a dash means that there is none.
    fn day(&mut self, row: u32, column: Field) -> Option<NaiveDate> {
        let printed = self.shown(row, column).filter(|text| !says_none(text))?;
        let day = day_in(&printed);
        if day.is_none() {
            let problem = Bilingual::new("无法识别的日期", "the date is not understood");
            self.fault(row, column, problem, Bilingual::new("如 2023年12月20日", "such as 2023-12-20"));
        }
        day
    }

    fn deadline(&mut self, row: u32, column: Field, printed: &str) -> Option<Deadline> {
        let reading = match Deadline::parse(printed, &self.context) {
            Ok(Answer::Read(reading)) => reading,
            Ok(Answer::Asked(question)) if !self.is_dated => question.proposal,
            Ok(Answer::Asked(question)) => {
                let event = question.doubts.iter().find_map(deadline::Doubt::event);
                let decided = event.clone().unwrap_or_else(|| printed.to_owned());
                let proposal = match &event {
                    // One day decides for all deadlines that count from the event.
                    Some(_) => self.context.as_of.to_string(),
                    None => question.proposal.deadline.to_string(),
                };
                let place = self.layout.place(column).unwrap_or_default();
                self.questions.ask(Question {
                    topic: Topic::Deadlines,
                    sheet: self.sheet.name.clone(),
                    row: row + 1,
                    column: letters(place),
                    printed: decided,
                    asked: question.asked(),
                    proposal,
                    choices: Vec::new(),
                    samples: Vec::new(),
                    rows: 1,
                    is_taken: self.manner.takes_proposals,
                });
                question.proposal
            }
            Err(error) => {
                let (zh, en) = deadline::EXPECTED;
                self.fault(row, column, error.message(), Bilingual::new(zh, en));
                return None;
            }
        };
        self.remarks.extend(reading.remarks.iter().map(|remark| (row + 1, remark.message())));
        Some(reading.deadline)
    }

    fn fault(&mut self, row: u32, column: Field, problem: Bilingual, expected: Bilingual) {
        let place = self.layout.place(column).map(|place| self.sheet.shown_at(row, place));
        if place.is_some_and(|place| self.refused.contains(&place)) {
            return;
        }
        self.faults.push(fault(self.sheet, self.layout, row, column, problem, expected));
    }
}

/// Returns what is wrong with a cell for its kind, and what was expected; `None` if it can be read.
fn wrong_kind(column: Field, kind: CellKind) -> Option<(Bilingual, Bilingual)> {
    let is_number = matches!(column, Field::Number | Field::MeasureNumber);
    let (problem, expected) = match kind {
        CellKind::Error => (
            Bilingual::new("单元格是错误值", "the cell is an error value"),
            Bilingual::new("文字、数字或日期（请更正公式，或重新填写）", "a text, number or date: correct the formula"),
        ),
        CellKind::Formula => (
            Bilingual::new("单元格是没有计算结果的公式", "the cell is a formula without a stored value"),
            Bilingual::new("文字或日期（请粘贴为数值）", "a text or a date (paste it as a value)"),
        ),
        CellKind::Day if is_number => (
            Bilingual::new("编号被表格软件改成了日期", "a spreadsheet program has made a date of the number"),
            Bilingual::new(
                "文字形式的编号，如 1-1（请先把单元格格式设为“文本”，再重新填写）",
                "the number as text, such as 1-1: format the cell as text, then enter it again",
            ),
        ),
        CellKind::Fraction if is_number => (
            Bilingual::new("编号存成了小数，看不出是否以 0 结尾", "the number is stored as a decimal: 1.1 may be 1.10"),
            Bilingual::new(
                "文字形式的编号，如 1.10（请先把单元格格式设为“文本”，再重新填写）",
                "the number as text, such as 1.10: format the cell as text, then enter it again",
            ),
        ),
        _ => return None,
    };
    Some((problem, expected))
}

/// Cleans a cell's text: on one line for numbers, domains and ratings, otherwise with its line breaks, which act as
/// separators in lists of units and in deadlines.
fn cleaned(column: Field, text: &str) -> Result<String, Hidden> {
    match column {
        Field::Number | Field::MeasureNumber | Field::Domain | Field::Rating | Field::Leader(_) => faults::single(text),
        _ => faults::several(text).map(|lines| lines.trim().to_owned()),
    }
}

/// Says that two problems have the same number.
pub(crate) fn repeated_number() -> Bilingual {
    Bilingual::new("问题编号重复", "two problems have the same number")
}

/// Says that a measure occurs twice.
pub(crate) fn repeated_row() -> Bilingual {
    Bilingual::new("重复的行", "the row is repeated")
}

/// Builds a fault for a cell. `row` is counted from 0; the fault's row is counted from 1.
pub(crate) fn fault(
    sheet: &Sheet,
    layout: &Layout,
    row: u32,
    column: Field,
    problem: Bilingual,
    expected: Bilingual,
) -> CellFault {
    let place = layout.place(column);
    let value = place.map(|place| sheet.shown(row, place)).unwrap_or_default();
    // Copy only what will be shown, and leave out characters that change the direction of the text.
    let value: String = value.chars().filter(|letter| !faults::is_hidden(*letter)).take(400).collect();
    CellFault {
        sheet: sheet.name.clone(),
        row: row + 1,
        column: place.map(letters).unwrap_or_default(),
        heading: layout.heading(column).to_owned(),
        value: shortened(&value, 40),
        problem,
        expected,
    }
}

/// Returns the letters of a column counted from 0: `A` for 0, `AA` for 26.
pub(crate) fn letters(column: u32) -> String {
    let last = char::from(b'A' + (column % 26) as u8);
    if column < 26 { last.to_string() } else { format!("{}{last}", letters(column / 26 - 1)) }
}

static NUMBERED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?x)^\s*(?:[（(]\s*([〇零一二三四五六七八九十百\d]+)\s*[)）]
        |(\d{1,3}-\d{1,3})(?:[.、．]|\s)
        |(\d{1,3})\s*[.、．](?:\s|[^\d]|$)
        |([一二三四五六七八九十百]+)、)",
    )
});
static DATE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(\d{4})\s*年\s*(\d{1,2})\s*月(?:\s*(\d{1,2})\s*日)?"));

#[expect(clippy::expect_used, reason = "a constant pattern, compiled by every test of this file")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is well formed")
}

/// Splits off the number at the beginning of a text, such as （十九） or 6., and returns it with the rest.
pub(crate) fn split_number(text: &str) -> (Option<String>, &str) {
    let text = text.trim();
    let Some(found) = NUMBERED.captures(text) else { return (None, text) };
    let Some(number) = (1..=4).find_map(|group| found.get(group)) else { return (None, text) };
    let rest = text.get(number.end()..).unwrap_or_default();
    let rest = rest.trim_start().trim_start_matches([')', '）', '.', '、', '．']).trim_start();
    (Some(number.as_str().to_owned()), rest)
}

/// Strips the punctuation around a number: `1.` and `（1）` become `1`.
fn bare(number: &str) -> String {
    let number = number.trim_matches(['(', ')', '（', '）', '.', '、', '．', ' ']);
    faults::single(number).unwrap_or_else(|_| number.to_owned())
}

/// Splits a problem's text into its title, the first sentence, and its description, the rest.
fn split_title(text: &str) -> (String, Option<String>) {
    match text.split_once('。') {
        Some((title, rest)) => {
            let rest = rest.trim();
            (title.trim().to_owned(), (!rest.is_empty()).then(|| rest.to_owned()))
        }
        None => (text.trim().to_owned(), None),
    }
}

static NOT_APPLICABLE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^[^，,；;]{0,16}(?:不涉及|未涉及|不存在|无此类|没有此类|无相关|没有相关|无该类|没有该类|无该项|无此项)")
});

/// Divides a task into its number and its text: 任务1：强化理念学习 is number 1.
fn split_task(printed: &str) -> (Option<String>, &str) {
    match TASK.captures(printed) {
        Some(found) => {
            let rest = found.get(0).map_or(printed, |whole| &printed[whole.end()..]);
            (found.get(1).map(|number| number.as_str().to_owned()), rest.trim())
        }
        None => split_number(printed),
    }
}

static TASK: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^\s*任务\s*([〇零一二三四五六七八九十百\d]+)\s*[:：、.．]\s*"));

/// Returns the as-of date in a title: the latest date after 截至 or 截止, or in the whole title if it has neither. A
/// month without a day, as in 截至2019年3月, means its last day.
fn date_in(title: &str) -> Option<NaiveDate> {
    let plain: String = title.nfkc().collect();
    let since = plain.find("截至").or_else(|| plain.find("截止")).map_or(plain.as_str(), |at| &plain[at..]);
    DATE.captures_iter(since)
        .filter_map(|found| {
            let number = |index: usize| found.get(index).and_then(|digits| digits.as_str().parse::<u32>().ok());
            let (year, month) = (i32::try_from(number(1)?).ok()?, number(2)?);
            match number(3) {
                Some(day) => NaiveDate::from_ymd_opt(year, month, day),
                None => last_day_of_month(year, month),
            }
        })
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_inside_the_text_are_told_from_the_text() {
        for (printed, number, rest) in [
            ("（十九）小水电退出整治不彻底。", Some("十九"), "小水电退出整治不彻底。"),
            ("(3)矿山", Some("3"), "矿山"),
            ("6.严格贯彻执行", Some("6"), "严格贯彻执行"),
            ("12、加强", Some("12"), "加强"),
            ("3.5万亩草原未修复", None, "3.5万亩草原未修复"),
            ("2022年年底前完成", None, "2022年年底前完成"),
            ("2022.措施", None, "2022.措施"),
            ("12-02 编制方案", Some("12-02"), "编制方案"),
            ("二、加强监管", Some("二"), "加强监管"),
        ] {
            assert_eq!(split_number(printed), (number.map(str::to_owned), rest), "{printed}");
        }
    }

    #[test]
    fn titles_say_when_the_ledger_was_drawn_up() {
        assert_eq!(date_in("截至2019年3月").unwrap().to_string(), "2019-03-31");
        assert_eq!(date_in("云溪县分局      2023年4月").unwrap().to_string(), "2023-04-30");
        assert_eq!(date_in("2024 年 2 月 9 日").unwrap().to_string(), "2024-02-09");
        assert_eq!(date_in("第二轮督察（2021年8月反馈）截至2023年4月30日").unwrap().to_string(), "2023-04-30");
        assert_eq!(date_in("问题一览表"), None);
    }

    #[test]
    fn a_cell_is_read_as_its_field_is_kept() {
        let read = |column: Field, text: &str| cleaned(column, text).map_err(Hidden::code_point);
        assert_eq!(read(Field::Number, "12\u{200b}-3\n"), Ok("12-3".to_owned()));
        assert_eq!(read(Field::Domain, "大气\n污染、水"), Ok("大气 污染、水".to_owned()));
        assert_eq!(read(Field::Parties, "市水利局\n市审计局\u{feff}"), Ok("市水利局\n市审计局".to_owned()));
        assert_eq!(read(Field::Progress, "第一行\r\n\u{b}第二行"), Ok("第一行\n\n第二行".to_owned()));
        assert_eq!(read(Field::Lead, "市\u{202e}水利局"), Err("U+202E".to_owned()));
        assert_eq!(bare("（\u{3000}3）"), "3");
    }

    #[test]
    fn columns_have_letters() {
        assert_eq!([0, 25, 26, 255].map(letters), ["A", "Z", "AA", "IV"]);
    }
}
