//! Finds the table of a sheet and decides what each of its columns means. What is sure is taken, what is likely is
//! taken and said, and what may mean several things is asked, with the likeliest meaning as the proposal.

use std::collections::HashMap;

use planner::Bilingual;

use super::case_list::handling_class;
use super::field::{Field, ONLY_OF_CASES, candidates, normalised_heading};
use super::sheet::Sheet;
use ledger::fault;
use ledger::rule::workflow;

/// How sure the meaning of a column is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sureness {
    /// The heading has one meaning.
    Sure,
    /// The heading has several, and the sheet tells which. The text says why.
    Likely(Bilingual),
    /// The heading has several, and a person has to decide. The text says what is asked.
    Asked(Bilingual),
    /// A person has decided for this import.
    Decided,
    /// A person decided when a sheet of the same office with the same headings was imported, or for all its sheets.
    Remembered,
}

/// What the headings of a sheet mean, as decided by a person: normalised headings with their fields; `None` for a
/// column that is not read. The second of two equal headings is `整改时限#2`.
pub(crate) type Meanings = HashMap<String, Option<Field>>;

/// What was decided before about sheets, by the row of headings as [`Layout::row_of_headings`] gives it; with an empty
/// row, what was decided for all of them.
pub(crate) type RememberedMeanings = HashMap<String, Meanings>;

/// A column that is read.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) field: Field,
    /// The column, from 0.
    pub(crate) place: u32,
    /// The heading as printed.
    pub(crate) heading: String,
    /// The heading as mapping files name it.
    pub(crate) key: String,
    pub(crate) sureness: Sureness,
}

/// A heading of a sheet before its meaning is decided.
#[derive(Debug, Clone)]
struct Heading {
    place: u32,
    printed: String,
    plain: String,
    key: String,
    candidates: Vec<Field>,
}

/// The columns of a sheet and the fields they contain.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// First row of the headings, from 0.
    pub(crate) first_row: u32,
    /// Last row of the headings, from 0.
    pub(crate) heading_row: u32,
    pub(crate) columns: Vec<Placed>,
    /// Labelled cells above the table of a sheet that has one problem: field, row and column of the value.
    pub(crate) head: Vec<(Field, (u32, u32))>,
    /// Columns that are not read: place, heading as printed, heading as mapping files name it.
    pub(crate) unknown: Vec<(u32, String, String)>,
    /// Columns that repeat a field of another column: place, heading as printed, heading of that other column.
    pub(crate) repeated: Vec<(u32, String, String)>,
    /// The row of headings as one text, by which decisions are remembered.
    pub(crate) row_of_headings: String,
    /// Whether blank cells mean "as above" (a sheet with merged cells that was saved as text).
    pub(crate) fills_down: bool,
}

/// What a file contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A ledger (整改台账): problems and their measures.
    Ledger,
    /// A month's account (月调度表): reports on measures.
    Progress,
    /// A list of close-outs (销号清单) with their dates.
    CloseOuts,
    /// Complaint cases (边督边改公开情况一览表).
    Cases,
}

impl Kind {
    /// Every kind, with its name on the command line.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Ledger, "ledger"),
        (Self::Progress, "progress"),
        (Self::CloseOuts, "close-outs"),
        (Self::Cases, "cases"),
    ];

    /// Returns the kind with a name of the command line.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }

    /// Returns the kind's name on the command line.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("ledger", |(_, name)| name)
    }

    /// Returns the kind's name for people.
    pub fn label(self) -> Bilingual {
        match self {
            Self::Ledger => Bilingual::new("整改台账", "ledger"),
            Self::Progress => Bilingual::new("月调度表", "monthly account"),
            Self::CloseOuts => Bilingual::new("销号清单", "list of close-outs"),
            Self::Cases => Bilingual::new("交办案件", "complaint cases"),
        }
    }
}

/// How the values of a column stand within problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spread {
    /// Once in a problem with several rows.
    Once,
    /// On several rows of a problem, the same in each.
    Same,
    /// On several rows of a problem, and different.
    Differs,
    /// No problem has several rows.
    OneRowEach,
}

/// The most filled rows that are searched for headings.
const SEARCHED: usize = 30;

impl Layout {
    /// Finds the layout of a sheet: its first row, or its first two rows together, with at least three known headings,
    /// including a measure, and a problem there or above the table. Searches the first 30 filled rows. Returns `None`
    /// if there is no such row.
    pub(crate) fn find(sheet: &Sheet, decided: &Meanings, remembered: &RememberedMeanings) -> Option<Self> {
        let of = |rows: (u32, u32), headings| Self::of_headings(sheet, rows, headings, decided, remembered);
        let one = |row: u32| of((row, row), one_row(sheet, row));
        let rows: Vec<u32> = sheet.filled_rows().into_iter().take(SEARCHED).collect();
        rows.iter()
            .find_map(|row| of((*row, row + 1), two_rows(sheet, *row)?).or_else(|| one(*row)))
            .or_else(|| rows.iter().find_map(|row| one(*row)))
    }

    /// Makes the layout of headings, each with its column. Returns `None` if they are not those of a table that is
    /// understood.
    fn of_headings(
        sheet: &Sheet,
        (first_row, heading_row): (u32, u32),
        headings: Vec<(u32, String)>,
        decided: &Meanings,
        remembered: &RememberedMeanings,
    ) -> Option<Self> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut headings: Vec<Heading> = headings
            .into_iter()
            .map(|(place, printed)| {
                let plain = normalised_heading(&printed);
                let nth = seen.entry(plain.clone()).and_modify(|nth| *nth += 1).or_insert(1);
                let key = if *nth == 1 { plain.clone() } else { format!("{plain}#{nth}") };
                let candidates = candidates(&plain);
                Heading { place, printed: visible(&printed), plain, key, candidates }
            })
            .collect();
        let row_of_headings = headings.iter().map(|heading| heading.plain.as_str()).collect::<Vec<_>>().join("|");
        let is_case = headings.iter().any(|heading| heading.candidates.contains(&Field::CaseNumber));
        if !is_case {
            for heading in &mut headings {
                heading.candidates.retain(|field| !ONLY_OF_CASES.contains(field));
            }
        }
        let known = |heading: &&Heading| !heading.candidates.is_empty() || decided.contains_key(&heading.key);
        if headings.iter().filter(known).count() < 3 {
            return None;
        }
        let mut layout = Self {
            first_row,
            heading_row,
            columns: Vec::new(),
            head: Vec::new(),
            unknown: Vec::new(),
            repeated: Vec::new(),
            fills_down: !sheet.merges_rows_below(heading_row),
            row_of_headings,
        };
        let is_problem = |heading: &Heading| heading.candidates.contains(&Field::Problem);
        if !is_case && !headings.iter().any(is_problem) {
            layout.head = head(sheet, first_row);
        }
        let (of_row, of_all) = (remembered.get(&layout.row_of_headings), remembered.get(""));
        let earlier =
            |key: &str| [of_row, of_all].into_iter().flatten().find_map(|meanings| meanings.get(key).copied());
        let mut open = Vec::new();
        for heading in &headings {
            let person = decided
                .get(&heading.key)
                .map(|field| (*field, Sureness::Decided))
                .or_else(|| Some((earlier(&heading.key)?, Sureness::Remembered)));
            match (person, heading.candidates.as_slice()) {
                (Some((Some(field), sureness)), _) => layout.put(heading, field, sureness),
                (Some((None, _)), _) | (None, []) => {
                    layout.unknown.push((heading.place, heading.printed.clone(), heading.key.clone()));
                }
                (None, [field]) => layout.put(heading, *field, Sureness::Sure),
                (None, _) => open.push(heading),
            }
        }
        for heading in open {
            let (field, sureness) = layout.meaning(sheet, heading, &headings);
            layout.put(heading, field, sureness);
        }
        layout.columns.sort_by_key(|column| column.place);
        layout.tell_deadlines_apart();
        layout.drop_repeated();
        let has_problem = layout.place(Field::Problem).is_some() || layout.labelled(Field::Problem).is_some();
        let is_ledger = has_problem && layout.place(Field::Measure).is_some();
        let is_cases = layout.place(Field::CaseNumber).is_some() && layout.place(Field::CaseSummary).is_some();
        (layout.columns.len() >= 3 && (is_ledger || is_cases)).then_some(layout)
    }

    fn put(&mut self, heading: &Heading, field: Field, sureness: Sureness) {
        let Heading { place, printed, key, .. } = heading;
        self.columns.push(Placed { field, place: *place, heading: printed.clone(), key: key.clone(), sureness });
    }

    /// Decides between the meanings of an ambiguous heading by the other headings and by the values.
    fn meaning(&self, sheet: &Sheet, heading: &Heading, headings: &[Heading]) -> (Field, Sureness) {
        let has = |field: Field| {
            self.place(field).is_some()
                || headings.iter().any(|other| other.place != heading.place && other.candidates.contains(&field))
        };
        let may_be = |field: Field| heading.candidates.contains(&field);
        let because = |zh: &str, en: &str| Sureness::Likely(Bilingual::new(zh, en));
        let ask = |zh: &str, en: &str| Sureness::Asked(Bilingual::new(zh, en));
        if may_be(Field::Category) && may_be(Field::HandlingClass) {
            let values = self.samples(sheet, heading.place, 200);
            let are_classes = !values.is_empty() && values.iter().all(|value| handling_class(value).is_some());
            return if are_classes {
                (Field::HandlingClass, because("各格都是办理类型", "all cells are handling classes"))
            } else {
                (Field::Category, Sureness::Sure)
            };
        }
        if may_be(Field::Task) && may_be(Field::Measure) {
            return if has(Field::Measure) { (Field::Task, Sureness::Sure) } else { (Field::Measure, Sureness::Sure) };
        }
        if may_be(Field::TaskNumber) {
            let has_tasks = headings.iter().any(|other| other.candidates.contains(&Field::Task)) && has(Field::Measure);
            let both = headings.iter().filter(|other| other.candidates.contains(&Field::Measure)).count() > 1;
            let field = if has_tasks && both { Field::TaskNumber } else { Field::MeasureNumber };
            return (field, Sureness::Sure);
        }
        if may_be(Field::Problem) && may_be(Field::Difficulties) {
            let is_monthly = has(Field::NextSteps) || has(Field::Share) || has(Field::OnSchedule);
            return if has(Field::Problem) {
                (Field::Difficulties, because("另有一列是反馈问题", "another column is the problem"))
            } else if is_monthly {
                let zh = "是督察发现的问题，还是本月存在的困难？";
                (Field::Problem, ask(zh, "is it what the inspection found, or the difficulties of the month?"))
            } else {
                (Field::Problem, because("没有别的列写明反馈问题", "no other column is the problem"))
            };
        }
        if may_be(Field::Category) && may_be(Field::Domain) {
            let values = self.samples(sheet, heading.place, 200);
            let are_domains = !values.is_empty() && values.iter().all(|value| is_domain(value));
            return if are_domains {
                (Field::Domain, because("各格都是领域", "all cells name domains"))
            } else {
                (Field::Category, Sureness::Sure)
            };
        }
        if may_be(Field::Rating) && may_be(Field::Status) {
            let values = self.samples(sheet, heading.place, 200);
            let are_words = values.iter().filter(|value| workflow::stated_of_measure(value).is_some()).count() * 2;
            if may_be(Field::Progress) && are_words < values.len() && !has(Field::Progress) {
                return (Field::Progress, because("各格是进展的文字", "the cells are texts about progress"));
            }
            return match self.spread(sheet, heading.place, headings) {
                Spread::Once => (Field::Rating, because("每个问题填写一次", "each problem has it once")),
                Spread::Differs => {
                    (Field::Status, because("同一问题各行不同", "the rows of a problem have different values"))
                }
                Spread::Same | Spread::OneRowEach if heading.plain == "整改进度" => (Field::Rating, Sureness::Sure),
                Spread::Same | Spread::OneRowEach => {
                    let zh = "是每条措施的完成情况，还是整个问题的？";
                    (Field::Status, ask(zh, "is it the status of each measure, or of the problem?"))
                }
            };
        }
        let field = heading.candidates.iter().copied().find(|field| !has(*field)).unwrap_or(heading.candidates[0]);
        (field, because("按表头词典", "by the dictionary of headings"))
    }

    /// Returns how the values of a column stand within problems.
    fn spread(&self, sheet: &Sheet, place: u32, headings: &[Heading]) -> Spread {
        let problem = headings.iter().find(|heading| heading.candidates.contains(&Field::Problem));
        let measure = headings.iter().find(|heading| heading.candidates.contains(&Field::Measure));
        let mut found = Spread::OneRowEach;
        let mut first = "";
        let mut rows = 0_usize;
        for row in sheet.filled_rows().into_iter().filter(|row| *row > self.heading_row) {
            if measure.is_some_and(|measure| sheet.shown(row, measure.place).is_empty()) {
                continue;
            }
            let value = sheet.text(row, place);
            if problem.is_some_and(|problem| !sheet.text(row, problem.place).is_empty()) || rows == 0 {
                (first, rows) = (value, 1);
                continue;
            }
            rows += 1;
            if value.is_empty() {
                found = if found == Spread::OneRowEach { Spread::Once } else { found };
            } else if value != first {
                return Spread::Differs;
            } else {
                found = Spread::Same;
            }
        }
        found
    }

    /// If there are two deadline columns, makes the first one the deadline of problems.
    fn tell_deadlines_apart(&mut self) {
        let is_deadline = |column: &&mut Placed| column.field == Field::Deadline;
        let mut deadlines: Vec<&mut Placed> = self.columns.iter_mut().filter(is_deadline).collect();
        if let [first, _] = deadlines.as_mut_slice()
            && matches!(first.sureness, Sureness::Sure)
        {
            first.field = Field::ProblemDeadline;
            first.sureness =
                Sureness::Likely(Bilingual::new("两列时限中靠前的一列", "the first of two columns with deadlines"));
        }
    }

    /// Keeps only the first of several columns for the same field.
    fn drop_repeated(&mut self) {
        let mut seen: Vec<(Field, String)> = Vec::new();
        let repeated = &mut self.repeated;
        self.columns.retain(|column| {
            // Reporters and their phone numbers stand in columns of their own; neither is read.
            let first = seen.iter().find(|(known, _)| *known == column.field && column.field != Field::Reporter);
            if let Some((_, first)) = first {
                repeated.push((column.place, column.heading.clone(), first.clone()));
                return false;
            }
            seen.push((column.field, column.heading.clone()));
            true
        });
    }

    /// Whether a row repeats the headings, as after a page break.
    pub(crate) fn is_repeated_in(&self, sheet: &Sheet, row: u32) -> bool {
        let same = |column: &&Placed| {
            normalised_heading(sheet.shown(row, column.place)) == normalised_heading(&column.heading)
        };
        self.columns.iter().filter(same).count() * 2 > self.columns.len()
    }

    /// Returns the column of a field, from 0.
    pub(crate) fn place(&self, field: Field) -> Option<u32> {
        self.columns.iter().find(|column| column.field == field).map(|column| column.place)
    }

    /// Returns the row and column of the cell above the table that has a field.
    pub(crate) fn labelled(&self, field: Field) -> Option<(u32, u32)> {
        self.head.iter().find(|(known, _)| *known == field).map(|(_, place)| *place)
    }

    /// Returns the heading of a field as printed; empty if the sheet does not have the field.
    pub(crate) fn heading(&self, field: Field) -> &str {
        self.columns.iter().find(|column| column.field == field).map_or("", |column| &column.heading)
    }

    /// Whether [`Field::Number`] is the number of the problem, because measures have a number column of their own.
    pub(crate) fn numbers_problems(&self) -> bool {
        self.place(Field::MeasureNumber).is_some()
    }

    /// Returns up to `most` different values of a column, in the order of the rows.
    pub(crate) fn samples(&self, sheet: &Sheet, place: u32, most: usize) -> Vec<String> {
        let mut samples: Vec<String> = Vec::new();
        for value in sheet.below(self.heading_row, place) {
            if samples.len() >= most {
                break;
            }
            let value = visible(value);
            if !fault::is_empty(&value) && !samples.contains(&value) {
                samples.push(value);
            }
        }
        samples
    }

    /// Returns the kind of table, by the fields that only it has.
    pub(crate) fn kind(&self) -> Kind {
        let count = |fields: &[Field]| fields.iter().filter(|field| self.place(**field).is_some()).count();
        if self.place(Field::CaseNumber).is_some() {
            Kind::Cases
        } else if count(&[Field::SelfInspectedOn, Field::VerifiedOn, Field::Notice, Field::ClosedOn]) >= 2 {
            Kind::CloseOuts
        } else if count(&[Field::Share, Field::OnSchedule, Field::Difficulties, Field::NextSteps]) >= 2 {
            Kind::Progress
        } else {
            Kind::Ledger
        }
    }
}

/// Returns a text without the characters that a person does not see and that may change how the text around is shown.
pub(crate) fn visible(text: &str) -> String {
    text.chars().filter(|letter| !fault::is_hidden(*letter)).collect()
}

/// Whether a cell names domains of the environment, such as 大气、水.
fn is_domain(value: &str) -> bool {
    const DOMAINS: &[&str] = &[
        "大气",
        "水",
        "土壤",
        "噪声",
        "固体废物",
        "固废",
        "生态",
        "海洋",
        "辐射",
        "水环境",
        "大气环境",
        "土壤环境",
        "生态保护",
        "自然保护地",
        "矿山",
        "生态环境",
        "农业农村",
        "城乡建设",
        "综合",
        "其他",
    ];
    value.split(['、', '，', ',', '；', ';', '/']).all(|word| {
        let word = word.trim();
        DOMAINS.contains(&word.trim_end_matches("污染").trim_end_matches("类"))
    })
}

/// Returns the headings of one row, each with its column.
fn one_row(sheet: &Sheet, row: u32) -> Vec<(u32, String)> {
    sheet.columns(row).into_iter().map(|place| (place, sheet.text(row, place).to_owned())).collect()
}

/// Returns the headings of two rows of which the upper one has headings over several columns (责任体系 over 牵头单位,
/// 责任单位), each with its column. Returns `None` if the rows are not such a pair.
fn two_rows(sheet: &Sheet, row: u32) -> Option<Vec<(u32, String)>> {
    let upper = sheet.columns(row);
    let is_single = |place: &&u32| !sheet.spans_columns(row, **place);
    // A title reaches over all columns and has no headings beside it.
    let singles = upper.iter().filter(is_single).count();
    if singles == upper.len() || singles < 2 {
        return None;
    }
    let lower = sheet.columns(row + 1);
    let is_under_one = |place: &u32| {
        let (_, first) = sheet.shown_at(row, *place);
        sheet.spans_columns(row, first)
    };
    if lower.is_empty() || !lower.iter().all(is_under_one) {
        return None;
    }
    let above = upper.iter().filter(is_single).map(|place| (*place, sheet.text(row, *place).to_owned()));
    let below = lower.iter().map(|place| (*place, sheet.text(row + 1, *place).to_owned()));
    let mut headings: Vec<(u32, String)> = above.chain(below).collect();
    headings.sort();
    Some(headings)
}

/// Returns the labelled cells above a table: a cell that is a known heading, and the filled cell after it.
fn head(sheet: &Sheet, heading_row: u32) -> Vec<(Field, (u32, u32))> {
    let field_of = |text: &str| match candidates(&normalised_heading(text)).first() {
        Some(Field::Deadline) => Some(Field::ProblemDeadline),
        found => found.copied(),
    };
    let mut found = Vec::new();
    for row in 0..heading_row {
        let cells = sheet.columns(row);
        for pair in cells.windows(2) {
            let [label, value] = *pair else { continue };
            let Some(field) = field_of(sheet.text(row, label)) else { continue };
            if field_of(sheet.text(row, value)).is_none() && !found.iter().any(|(known, _)| *known == field) {
                found.push((field, (row, value)));
            }
        }
    }
    found
}
