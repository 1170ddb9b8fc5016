//! What an import asks: each question says where it arose, what may be meant, and what is proposed. Its topic and its
//! printed text are the key under which [`super::Mapping`] keeps the answer.

use entity::import_decision::Topic as Kept;
use planner::Bilingual;

use super::field::{self, UNUSED};

/// Words of people for answers, in Chinese and English.
const NOT_READ: (&str, &str) = ("不读", "not read");
const CREATE: (&str, &str) = ("新建", "create");
const YES: (&str, &str) = ("是", "yes");
const NO: (&str, &str) = ("否", "no");

/// What a question is about. Each topic is a table of the mapping file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// What a column means. Key: its heading. Answer: a field, or `none`.
    Columns,
    /// When something is due. Key: the printed deadline, or the event from which it counts. Answer: a clear deadline,
    /// or the day of the event.
    Deadlines,
    /// Which units a printed list or name means. Answer: the names of the units.
    Units,
    /// Which of several units is the lead unit. Key: the printed list. Answer: the name of one.
    Leads,
    /// Whether a unit that is not known is to be created. Key: its name. Answer: `true`, or the name of a known unit.
    NewUnits,
    /// Whether a text says that a measure does not apply (不涉及). Key: the text. Answer: `true` or `false`.
    NotApplicable,
}

impl Topic {
    /// Every topic, with its table in the mapping file.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Columns, "columns"),
        (Self::Deadlines, "deadlines"),
        (Self::Units, "units"),
        (Self::Leads, "leads"),
        (Self::NewUnits, "new-units"),
        (Self::NotApplicable, "not-applicable"),
    ];

    /// Returns the name of the topic's table in the mapping file.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(topic, _)| *topic == self).map_or("", |(_, name)| name)
    }

    /// Returns the topic with a name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(topic, _)| *topic)
    }

    /// Returns an answer as people write it: the name of a field for its code, and words for yes and no. The words are
    /// answers themselves.
    pub fn answer(self, answer: &str) -> Bilingual {
        match (self, answer) {
            (Self::Columns, UNUSED) => Bilingual::new(NOT_READ.0, NOT_READ.1),
            (Self::Columns, code) => {
                let field = field::of_code(code);
                let name = field.map_or_else(|| code.to_owned(), |field| field::label(field).to_owned());
                Bilingual::new(name.clone(), name)
            }
            (Self::NewUnits, "true") => Bilingual::new(CREATE.0, CREATE.1),
            (Self::NotApplicable, "true") => Bilingual::new(YES.0, YES.1),
            (Self::NotApplicable, "false") => Bilingual::new(NO.0, NO.1),
            (_, answer) => Bilingual::new(answer, answer),
        }
    }

    /// Returns the answer as the mapping file has it, for words of [`Self::answer`].
    pub(crate) fn code_of(self, words: &str) -> &str {
        let is = |(zh, en): (&str, &str)| words == zh || words.eq_ignore_ascii_case(en);
        match self {
            Self::Columns if is(NOT_READ) => UNUSED,
            Self::NewUnits if is(CREATE) || is(YES) => "true",
            Self::NotApplicable if is(YES) => "true",
            Self::NotApplicable if is(NO) => "false",
            _ => words,
        }
    }

    /// Returns the topic under which decisions of this one are remembered. What was decided about units is remembered
    /// as their aliases instead.
    pub(crate) fn kept(self) -> Option<Kept> {
        match self {
            Self::Columns => Some(Kept::Columns),
            Self::Deadlines => Some(Kept::Deadlines),
            Self::Leads => Some(Kept::Leads),
            Self::NotApplicable => Some(Kept::NotApplicable),
            Self::Units | Self::NewUnits => None,
        }
    }

    /// Returns the question about something printed, without the file in which it arose.
    pub fn question(self, printed: &str) -> Bilingual {
        let (zh, en) = match self {
            Self::Columns => match printed.split_once('#') {
                Some((heading, nth)) => (
                    format!("第 {nth} 个“{heading}”列是什么？"),
                    format!("What is column {nth} of those named “{heading}”?"),
                ),
                None => (format!("“{printed}”列是什么？"), format!("What is the column “{printed}”?")),
            },
            Self::Deadlines => (format!("“{printed}”是什么时候？"), format!("When is “{printed}”?")),
            Self::Units => (format!("“{printed}”是哪些单位？"), format!("Which units are “{printed}”?")),
            Self::Leads => (format!("“{printed}”中由谁牵头？"), format!("Which of “{printed}” leads?")),
            Self::NewUnits => (format!("要新建“{printed}”吗？"), format!("Is “{printed}” to be created?")),
            Self::NotApplicable => (
                format!("“{printed}”是说措施不涉及本地吗？"),
                format!("Does “{printed}” say that the measure does not apply?"),
            ),
        };
        Bilingual::new(zh, en)
    }

    /// Returns the topic's name for people.
    pub fn label(self) -> Bilingual {
        match self {
            Self::Columns => Bilingual::new("列的含义", "columns"),
            Self::Deadlines => Bilingual::new("时限", "deadlines"),
            Self::Units => Bilingual::new("单位名单", "lists of units"),
            Self::Leads => Bilingual::new("牵头单位", "lead units"),
            Self::NewUnits => Bilingual::new("新单位", "new units"),
            Self::NotApplicable => Bilingual::new("不涉及", "not applicable"),
        }
    }
}

impl From<Kept> for Topic {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Columns => Self::Columns,
            Kept::Deadlines => Self::Deadlines,
            Kept::Leads => Self::Leads,
            Kept::NotApplicable => Self::NotApplicable,
        }
    }
}

/// Something that a person has to decide, with a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What it is about.
    pub topic: Topic,
    /// Name of the sheet in which it first arose.
    pub sheet: String,
    /// Row number in which it first arose, from 1.
    pub row: u32,
    /// Column letters in which it first arose.
    pub column: String,
    /// What is decided: the key of the answer.
    pub printed: String,
    /// What is asked, with what is printed.
    pub asked: Bilingual,
    /// The proposed answer, as the mapping file has it; several units are separated by `；`.
    pub proposal: String,
    /// Other answers that are possible, where they can be listed.
    pub choices: Vec<String>,
    /// Up to three values of the sheet that help to decide.
    pub samples: Vec<String>,
    /// How many rows it concerns.
    pub rows: usize,
    /// Whether its proposal has been taken, because the caller takes proposals.
    pub is_taken: bool,
}

impl Question {
    /// Whether the import waits for an answer. A text that likely says that a measure does not apply is kept as a
    /// report until somebody confirms it, so it never keeps an import from being written.
    pub fn is_open(&self) -> bool {
        !self.is_taken && self.topic != Topic::NotApplicable
    }

    /// Returns the question with its place and its proposal.
    pub fn message(&self) -> Bilingual {
        let Self { sheet, row, column, asked, proposal, samples, .. } = self;
        let shown = |samples: &[String], zh: bool| match (samples.is_empty(), zh) {
            (true, _) => String::new(),
            (false, true) => format!("；样例：{}", samples.join("｜")),
            (false, false) => format!("; samples: {}", samples.join(" | ")),
        };
        Bilingual::new(
            format!("工作表“{sheet}”第 {row} 行 {column} 列：{}{}；建议：{proposal}", asked.zh, shown(samples, true)),
            format!(
                "sheet “{sheet}”, row {row}, column {column}: {}{}; proposal: {proposal}",
                asked.en,
                shown(samples, false)
            ),
        )
    }
}

/// The questions of an import, each once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Questions {
    asked: Vec<Question>,
    places: std::collections::HashMap<(Topic, String), usize>,
}

impl Questions {
    /// Adds a question, or counts it if it was asked before.
    pub(crate) fn ask(&mut self, question: Question) {
        let key = (question.topic, question.printed.clone());
        if let Some(known) = self.places.get(&key).and_then(|place| self.asked.get_mut(*place)) {
            known.rows += 1;
            return;
        }
        self.places.insert(key, self.asked.len());
        self.asked.push(question);
    }

    /// Returns the questions in the order in which they arose.
    pub(crate) fn into_vec(self) -> Vec<Question> {
        self.asked
    }
}
