//! The calendar that comes with a digest of deadlines, for those who want it: an event for each item.

use chrono::{DateTime, NaiveDate, Utc};
use entity::language::Language;
use ledger::rule::ics::{self, Deadline};
use minijinja::Value;
use serde::Deserialize;

use super::Attached;

/// The facts of a digest, as far as the calendar needs them.
#[derive(Deserialize)]
struct Digest {
    #[serde(default)]
    sections: Vec<Section>,
}

#[derive(Deserialize)]
struct Section {
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    version: i32,
    page: String,
    number: Option<String>,
    text: String,
    round: String,
    due_on: Option<NaiveDate>,
    quarters: Vec<Quarter>,
}

#[derive(Deserialize)]
struct Quarter {
    year: i32,
    number: u32,
    last_day: NaiveDate,
}

/// The media type of a calendar of deadlines.
const MEDIA_TYPE: &str = "text/calendar; method=PUBLISH; charset=utf-8";

/// Returns the calendar of a digest from its facts; none where the mail is about no deadline.
pub(super) fn of(facts: &Value, public_url: &str, language: Language, now: DateTime<Utc>) -> Option<Attached> {
    let digest: Digest = serde_json::to_value(facts).and_then(serde_json::from_value).ok()?;
    let rows = digest.sections.into_iter().flat_map(|section| section.rows);
    let deadlines: Vec<Deadline> = rows.flat_map(|row| deadlines(&row, language)).collect();
    let name = match language {
        Language::Zh => "整改时限",
        Language::En => "Rectify: deadlines",
    };
    (!deadlines.is_empty()).then(|| Attached {
        name: "deadlines.ics".to_owned(),
        media_type: MEDIA_TYPE,
        content: ics::calendar(name, public_url, &deadlines, now).into_bytes(),
    })
}

/// The deadlines of an item: its own, or the ends of the quarters to be inspected.
fn deadlines(row: &Row, language: Language) -> Vec<Deadline> {
    let text = row.number.iter().map(String::as_str).chain([row.text.as_str()]).collect::<Vec<_>>().join(" ");
    let deadline = |id: String, day: NaiveDate, summary: String| Deadline {
        id,
        version: row.version,
        day,
        summary,
        description: row.round.clone(),
        path: row.page.clone(),
    };
    if row.quarters.is_empty() {
        return row.due_on.map(|day| deadline(row.id.clone(), day, text)).into_iter().collect();
    }
    let inspection = |quarter: &Quarter| {
        let Quarter { year, number, last_day } = quarter;
        let what = match language {
            Language::Zh => format!("{year}年第{number}季度自查"),
            Language::En => format!("Self-inspection {year} Q{number}"),
        };
        deadline(format!("{}.{year}q{number}", row.id), *last_day, format!("{what} {text}"))
    };
    row.quarters.iter().map(inspection).collect()
}
