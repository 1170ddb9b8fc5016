//! Letters: what a mail of the outbox says, read from the ledger at the moment of sending. Figures are of the day that the
//! digest is of; items that are closed by now are left out, and a letter without items is not sent.

use chrono::NaiveDate;
use entity::inspection_case::CaseState;
use entity::mail;
use ledger::rule::case_flow::state_name;
use minijinja::{Environment, context};
use sea_orm::{DatabaseConnection, EntityTrait, FromQueryResult, Statement};

use ledger::reminder::Digest;
use ledger::rule::wording::shortened;

/// The most rows of one letter's table; the rest is counted.
const MOST_ROWS: usize = 100;

/// Writes letters.
pub struct Letters {
    templates: Environment<'static>,
    /// Where the reader goes, without a trailing slash.
    public_url: String,
}

/// What a reminder speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Measures, or answers to them.
    Measures,
    /// Complaint cases.
    Cases,
}

/// The words of a reminder's mails.
pub struct Words {
    /// What it speaks of.
    pub of: Of,
    /// How urgent it is, in the brackets of the subject, from the days that are left (negative: over).
    pub urgency: fn(i64) -> String,
    /// What the mail is about, from the number of items.
    pub headline: fn(usize) -> String,
    /// Whose items they are, before the headline in the first sentence.
    pub whose: &'static str,
    /// What the reader has to do, and by when.
    pub action: &'static str,
    /// The heading of the column that shows days.
    pub days_heading: &'static str,
}

impl Of {
    /// What the subject begins with.
    fn urged(self) -> &'static str {
        match self {
            Self::Measures => "整改催办",
            Self::Cases => "案件催办",
        }
    }

    /// How items are counted.
    fn counted(self) -> &'static str {
        match self {
            Self::Measures => "项",
            Self::Cases => "件",
        }
    }

    /// The headings of the letter's table: what it is, what it belongs to, by when, who does it, how far it is.
    fn headings(self) -> [&'static str; 5] {
        match self {
            Self::Measures => ["整改措施", "问题", "整改时限", "责任单位", "最近进展"],
            Self::Cases => ["交办案件", "地区", "办理时限", "主办单位", "办理情况"],
        }
    }
}

impl Words {
    /// The subject of a mail before its items are read: how urgent, how many.
    pub(crate) fn subject(&self, digest: &Digest, today: NaiveDate) -> String {
        let left = digest.items.first().map_or(0, |item| (item.due_on - today).num_days());
        format!("【{}·{}】{}", self.of.urged(), (self.urgency)(left), (self.headline)(digest.items.len()))
    }
}

/// A letter, ready to be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    /// The subject.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

/// What came of writing.
pub(crate) enum Written {
    /// A letter.
    Letter(Letter),
    /// Everything that it was about is done.
    NothingLeft,
}

/// Why a letter could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unwritten {
    #[error("the database failed: {0}")]
    Database(#[from] sea_orm::DbErr),
    #[error("the ledger failed: {0}")]
    Ledger(#[from] ledger::Error),
    #[error("a template failed: {0:#}")]
    Template(#[from] minijinja::Error),
}

/// A row of the letter's table.
struct Row {
    due_on: Option<NaiveDate>,
    number: Option<String>,
    content: String,
    belongs_to: String,
    round: String,
    deadline: String,
    unit: String,
    report: String,
    link: String,
}

#[derive(FromQueryResult)]
struct CaseLine {
    case_id: i64,
    number: String,
    summary: String,
    due_on: NaiveDate,
    is_key: bool,
    state: CaseState,
    region: String,
    round: String,
    unit: String,
    report: Option<String>,
}

#[derive(FromQueryResult)]
struct Line {
    measure_id: i64,
    due_on: Option<NaiveDate>,
    number: Option<String>,
    content: String,
    due_raw: String,
    problem_number: Option<String>,
    problem_title: String,
    round: String,
    lead_unit: Option<String>,
    unit: Option<String>,
    reported_on: Option<NaiveDate>,
    report: Option<String>,
    /// What the ledger states, where no unit answers.
    stated: Option<String>,
    /// How many answer for the measure, how many of them are not done, and when one was last heard of.
    answering: i64,
    unfinished: i64,
    heard_on: Option<NaiveDate>,
    /// Whether it is escalated to the reader, and whether 挂牌督办 is proposed.
    is_escalated: bool,
    is_proposed: bool,
}

impl Line {
    fn own_report(&self) -> String {
        match (self.report.as_ref().or(self.stated.as_ref()), self.reported_on) {
            (Some(text), Some(day)) => format!("{day}：{}", shortened(text, 60)),
            (Some(text), None) => shortened(text, 60),
            (None, Some(day)) => format!("最近填报：{day}"),
            (None, None) => "尚未填报".to_owned(),
        }
    }

    /// Problem and measure as people name them: `12-2`.
    fn printed_number(&self) -> Option<String> {
        match (&self.problem_number, self.number.as_ref()?) {
            (Some(problem), measure) if !measure.contains('-') => Some(format!("{problem}-{measure}")),
            (_, measure) => Some(measure.clone()),
        }
    }
}

impl Letters {
    /// Letters whose links lead to a public address.
    pub fn new(public_url: &str) -> Result<Self, minijinja::Error> {
        let mut templates = Environment::new();
        templates.add_template("digest.html", include_str!("../templates/digest.html"))?;
        templates.add_template("digest.txt", include_str!("../templates/digest.txt"))?;
        templates.add_template("notice.html", include_str!("../templates/notice.html"))?;
        templates.add_template("notice.txt", include_str!("../templates/notice.txt"))?;
        Ok(Self { templates, public_url: public_url.trim_end_matches('/').to_owned() })
    }

    /// Writes a mail of the outbox in the words of its reminder.
    pub(crate) async fn write(
        &self,
        db: &DatabaseConnection,
        mail: &mail::Model,
        words: &Words,
    ) -> Result<Written, Unwritten> {
        let of = words.of;
        let rows: Vec<Row> = match of {
            Of::Measures => lines(db, mail.id).await?.iter().map(|line| self.row(line)).collect(),
            Of::Cases => cases(db, mail.id).await?.iter().map(|case| self.row_of_case(case)).collect(),
        };
        let Some(first) = rows.first() else { return Ok(Written::NothingLeft) };
        let left = |row: &Row| row.due_on.map_or(0, |due| (due - mail.local_day).num_days());
        let number = first.number.as_ref().map(|number| format!("{number} ")).unwrap_or_default();
        let what = format!("{number}{}", shortened(&first.content, 24));
        let more = if rows.len() > 1 { format!("等{}{}", rows.len(), of.counted()) } else { String::new() };
        let subject = format!("【{}·{}】{what}{more}", of.urged(), (words.urgency)(left(first)));
        let unit = match mail.unit_id {
            Some(unit) => entity::unit::Entity::find_by_id(unit).one(db).await?.map(|unit| unit.name),
            None => None,
        };
        let shown = rows.iter().take(MOST_ROWS).map(|row| {
            context! {
                days => left(row).abs(),
                number => row.number.clone().unwrap_or_else(|| "—".to_owned()),
                content => shortened(&row.content, 90),
                belongs_to => row.belongs_to.clone(),
                round => row.round.clone(),
                deadline => row.deadline.clone(),
                unit => row.unit.clone(),
                report => row.report.clone(),
                link => row.link.clone(),
            }
        });
        let values = context! {
            subject => subject.clone(),
            unit => unit.unwrap_or_else(|| "各单位".to_owned()),
            day => mail.local_day.format("%Y年%-m月%-d日").to_string(),
            headline => (words.headline)(rows.len()),
            whose => words.whose,
            headings => of.headings(),
            counted => of.counted(),
            days_heading => words.days_heading,
            action => words.action,
            more => rows.len().saturating_sub(MOST_ROWS),
            url => self.home(),
            rows => shown.collect::<Vec<_>>(),
        };
        let (html, text) = self.render("digest", &values)?;
        Ok(Written::Letter(Letter { subject, text, html }))
    }

    /// The HTML and the text of a template.
    pub(crate) fn render(&self, name: &str, values: &minijinja::Value) -> Result<(String, String), minijinja::Error> {
        let html = self.templates.get_template(&format!("{name}.html"))?.render(values)?;
        let text = self.templates.get_template(&format!("{name}.txt"))?.render(values)?;
        Ok((html, text))
    }

    /// Where the reader finds the ledger.
    pub(crate) fn home(&self) -> String {
        self.public_url.clone()
    }

    /// Where the reader finds a row of a noun, by what its ids begin with.
    pub(crate) fn link(&self, prefix: &str, key: i64) -> String {
        format!("{}/?id={prefix}_{key}", self.public_url)
    }

    /// A measure, or an answer to one.
    fn row(&self, line: &Line) -> Row {
        let problem_number = line.problem_number.as_deref().map(|number| format!("问题{number} ")).unwrap_or_default();
        // Who answers sees its own report; who leads or supervises sees how far the answering units are.
        let (unit, report) = match &line.unit {
            Some(unit) => (unit.clone(), line.own_report()),
            None if line.answering > 0 => (
                format!("责任单位{}个，未完成{}个", line.answering, line.unfinished),
                line.heard_on.map_or("尚未填报".to_owned(), |day| format!("最近填报：{day}")),
            ),
            None => (line.lead_unit.clone().unwrap_or_default(), line.own_report()),
        };
        let level = match line {
            Line { is_escalated: false, .. } => "",
            Line { is_proposed: true, .. } => "【建议挂牌督办，待决定】",
            // Offices are told of answers, leaders of what their unit leads.
            Line { unit: Some(_), .. } => "【报请整改办调度】",
            Line { unit: None, .. } => "【报请领导督促】",
        };
        let report = format!("{level}{report}");
        Row {
            due_on: line.due_on,
            number: line.printed_number(),
            content: line.content.clone(),
            belongs_to: format!("{problem_number}{}", shortened(&line.problem_title, 40)),
            round: line.round.clone(),
            deadline: line.due_raw.clone(),
            unit,
            report,
            link: self.link("measure", line.measure_id),
        }
    }

    /// A complaint case.
    fn row_of_case(&self, case: &CaseLine) -> Row {
        let said = case.report.as_deref().map(|text| format!("：{}", shortened(text, 60))).unwrap_or_default();
        Row {
            due_on: Some(case.due_on),
            number: Some(case.number.clone()),
            content: case.summary.clone(),
            belongs_to: format!("{}{}", case.region, if case.is_key { " · 重点案件" } else { "" }),
            round: case.round.clone(),
            deadline: case.due_on.format("%Y年%-m月%-d日").to_string(),
            unit: case.unit.clone(),
            report: format!("{}{said}", state_name(case.state)),
            link: self.link("case", case.case_id),
        }
    }
}

/// The items of a mail that are still open, the most urgent first, each once.
async fn lines(db: &DatabaseConnection, mail: i64) -> Result<Vec<Line>, sea_orm::DbErr> {
    let statement = Statement::from_sql_and_values(
        db.get_database_backend(),
        "SELECT i.measure_id, i.due_on, m.number, m.content, m.due_raw, p.number AS problem_number, \
                p.title AS problem_title, r.name AS round, l.name AS lead_unit, u.name AS unit, a.reported_on, \
                m.stated_progress AS stated, \
                (SELECT count(*) FROM assignment x WHERE x.measure_id = m.id AND x.status <> 'NOT_APPLICABLE') AS answering, \
                (SELECT count(*) FROM assignment x WHERE x.measure_id = m.id AND x.completed_on IS NULL \
                   AND x.status NOT IN ('NOT_APPLICABLE', 'CLOSED', 'CLOSED_ONGOING')) AS unfinished, \
                (SELECT max(x.reported_on) FROM assignment x WHERE x.measure_id = m.id) AS heard_on, \
                w.kind = 'escalation' AS is_escalated, \
                (w.kind = 'escalation' AND EXISTS (SELECT 1 FROM supervision_action s WHERE s.assignment_id = a.id \
                   AND s.kind = 'LIST' AND s.state = 'PROPOSED')) AS is_proposed, \
                (SELECT text FROM progress_report g WHERE g.assignment_id = a.id ORDER BY g.submitted_at DESC, g.id DESC LIMIT 1) AS report \
         FROM mail_item i JOIN measure m ON m.id = i.measure_id JOIN problem p ON p.id = m.problem_id \
         JOIN inspection_round r ON r.id = m.round_id LEFT JOIN unit l ON l.id = m.lead_unit_id \
         LEFT JOIN assignment a ON a.id = i.assignment_id LEFT JOIN unit u ON u.id = a.unit_id \
         JOIN mail w ON w.id = i.mail_id \
         WHERE i.mail_id = $1 AND m.status NOT IN ('CLOSED', 'NOT_APPLICABLE') \
         AND (a.id IS NULL OR a.status NOT IN ('CLOSED', 'NOT_APPLICABLE')) \
         AND (w.kind = 'quarterly-self-inspection' OR (m.status <> 'CLOSED_ONGOING' AND m.completed_on IS NULL \
              AND (a.id IS NULL OR (a.status <> 'CLOSED_ONGOING' AND a.completed_on IS NULL)))) \
         AND NOT (w.kind = 'quarterly-self-inspection' AND EXISTS (SELECT 1 FROM \"check\" c WHERE c.assignment_id = a.id \
              AND c.kind = 'SELF_INSPECTION' AND c.due_on = i.due_on)) \
         ORDER BY i.due_on, p.position, m.position, m.id",
        [mail.into()],
    );
    Line::find_by_statement(statement).all(db).await
}

/// The cases of a mail that are still open, the most urgent first.
async fn cases(db: &DatabaseConnection, mail: i64) -> Result<Vec<CaseLine>, sea_orm::DbErr> {
    let statement = Statement::from_sql_and_values(
        db.get_database_backend(),
        "SELECT c.id AS case_id, c.number, c.summary, c.due_on, c.is_key, c.state, g.name AS region, r.name AS round, \
                u.name AS unit, (SELECT x.text FROM case_report x WHERE x.case_id = c.id AND x.text IS NOT NULL \
                   ORDER BY x.written_at DESC, x.id DESC LIMIT 1) AS report \
         FROM mail_item i JOIN inspection_case c ON c.id = i.case_id JOIN inspection_round r ON r.id = c.round_id \
         JOIN region g ON g.id = c.region_id JOIN unit u ON u.id = c.lead_unit_id \
         WHERE i.mail_id = $1 AND c.state IN ('HANDED_OVER', 'IN_PROGRESS', 'PARTLY_RESOLVED') \
         ORDER BY c.due_on, c.number, c.id",
        [mail.into()],
    );
    CaseLine::find_by_statement(statement).all(db).await
}
