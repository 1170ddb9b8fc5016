//! Letters: what a mail of the outbox says, read from the ledger at the moment of sending. Figures are of the day that the
//! digest is of; items that are closed by now are left out, and a letter without items is not sent.

use chrono::NaiveDate;
use entity::mail;
use minijinja::{Environment, context};
use sea_orm::{DatabaseConnection, EntityTrait, FromQueryResult, Statement};

use ledger::reminder::Digest;
use ledger::wording::shortened;

/// The most rows of one letter's table; the rest is counted.
const MOST_ROWS: usize = 100;

/// Writes letters.
pub struct Letters {
    templates: Environment<'static>,
    /// Where the reader goes, without a trailing slash.
    public_url: String,
}

/// The words of a reminder's mails.
pub struct Words {
    /// How urgent it is, in the brackets of the subject, from the days that are left (negative: over).
    pub urgency: fn(i64) -> String,
    /// What the mail is about, from the number of items.
    pub headline: fn(usize) -> String,
    /// What the reader has to do, and by when.
    pub action: &'static str,
    /// The heading of the column that shows days.
    pub days_heading: &'static str,
}

impl Words {
    /// The subject of a mail before its items are read: how urgent, how many.
    pub(crate) fn subject(&self, digest: &Digest, today: NaiveDate) -> String {
        let left = digest.items.first().map_or(0, |item| (item.due_on - today).num_days());
        format!("【整改催办·{}】{}", (self.urgency)(left), (self.headline)(digest.items.len()))
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
    #[error("a template failed: {0:#}")]
    Template(#[from] minijinja::Error),
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
    /// Whether 挂牌督办 is proposed, for whoever it is escalated to.
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
        let lines = lines(db, mail.id).await?;
        let Some(first) = lines.first() else { return Ok(Written::NothingLeft) };
        let left = first.due_on.map_or(0, |due| (due - mail.local_day).num_days());
        let what = format!(
            "{}{}",
            first.printed_number().map(|number| format!("{number} ")).unwrap_or_default(),
            shortened(&first.content, 24)
        );
        let more = if lines.len() > 1 { format!("等{}项", lines.len()) } else { String::new() };
        let subject = format!("【整改催办·{}】{what}{more}", (words.urgency)(left));
        let unit = match mail.unit_id {
            Some(unit) => entity::unit::Entity::find_by_id(unit).one(db).await?.map(|unit| unit.name),
            None => None,
        };
        let rows: Vec<minijinja::Value> =
            lines.iter().take(MOST_ROWS).map(|line| self.row(line, mail.local_day)).collect();
        let values = context! {
            subject => subject.clone(),
            unit => unit.unwrap_or_else(|| "各单位".to_owned()),
            day => mail.local_day.format("%Y年%-m月%-d日").to_string(),
            headline => (words.headline)(lines.len()),
            days_heading => words.days_heading,
            action => words.action,
            more => lines.len().saturating_sub(MOST_ROWS),
            url => self.home(),
            rows => rows,
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

    /// A row of the letter's table.
    fn row(&self, line: &Line, day: NaiveDate) -> minijinja::Value {
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
        let report = if line.is_proposed { format!("建议挂牌督办，待决定。{report}") } else { report };
        context! {
            number => line.printed_number().unwrap_or_else(|| "—".to_owned()),
            content => shortened(&line.content, 90),
            problem => format!("{problem_number}{}", shortened(&line.problem_title, 40)),
            round => line.round.clone(),
            deadline => line.due_raw.clone(),
            days => line.due_on.map_or(0, |due| (due - day).num_days()).abs(),
            unit => unit,
            report => report,
            link => self.link("measure", line.measure_id),
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
