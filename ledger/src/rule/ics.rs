//! Deadlines as a calendar (RFC 5545): an event of a whole day for each, with an id that stays the same, so that a
//! calendar program moves the event when the deadline moves.

use chrono::{DateTime, NaiveDate, Utc};
use icalendar::{Calendar, Component, Event, EventLike, Property};
use url::Url;

use super::wording::shortened;

/// The name of this program in calendars.
const PROGRAM: &str = "-//Rectify//CN";
/// The most characters of a summary.
const SUMMARY: usize = 80;

/// A deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deadline {
    /// What falls due, by its global id, such as `assignment_7`.
    pub id: String,
    /// A number that grows with every change of the item.
    pub version: i32,
    /// The last local date.
    pub day: NaiveDate,
    /// Number and text of the item.
    pub summary: String,
    /// What it belongs to.
    pub description: String,
    /// The path of its page, such as `/measures/measure_3`.
    pub path: String,
}

/// Writes a calendar of deadlines. `public_url` is the address of this installation, without a slash at its end.
pub fn calendar(name: &str, public_url: &str, deadlines: &[Deadline], now: DateTime<Utc>) -> String {
    let host = Url::parse(public_url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let mut calendar = Calendar::empty();
    for (property, value) in [
        ("VERSION", "2.0"),
        ("PRODID", PROGRAM),
        ("CALSCALE", "GREGORIAN"),
        ("METHOD", "PUBLISH"),
        ("REFRESH-INTERVAL;VALUE=DURATION", "PT12H"),
        ("X-PUBLISHED-TTL", "PT12H"),
    ] {
        calendar.append_property(Property::new(property, value));
    }
    calendar.name(name);
    for deadline in deadlines {
        let event = Event::new()
            .uid(&format!("{}@{host}", deadline.id))
            .sequence(u32::try_from(deadline.version).unwrap_or_default())
            .timestamp(now)
            .starts(deadline.day)
            .summary(&shortened(&deadline.summary, SUMMARY))
            .description(&deadline.description)
            .url(&format!("{public_url}{}", deadline.path))
            // A deadline does not make its reader busy.
            .add_property("TRANSP", "TRANSPARENT")
            .done();
        calendar.push(event);
    }
    calendar.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_an_event_of_its_day_with_a_lasting_id() {
        let deadline = Deadline {
            id: "assignment_7".to_owned(),
            version: 3,
            day: "2023-06-30".parse().unwrap(),
            summary: "12-02 拆除停运电站，恢复河道；完成验收".to_owned(),
            description: "整改时限：2023年6月30日\n小水电退出整治不彻底".to_owned(),
            path: "/measures/measure_3".to_owned(),
        };
        let now = DateTime::from_timestamp(1_685_500_000, 0).unwrap();
        let text = calendar("整改时限", "https://ledger.example:8443", &[deadline], now);
        let lines: Vec<&str> = text.split("\r\n").collect();
        for line in [
            "BEGIN:VCALENDAR",
            "UID:assignment_7@ledger.example",
            "SEQUENCE:3",
            "DTSTART;VALUE=DATE:20230630",
            "SUMMARY:12-02 拆除停运电站，恢复河道；完成验收",
            "DTSTAMP:20230531T022640Z",
            "URL:https://ledger.example:8443/measures/measure_3",
            "END:VCALENDAR",
        ] {
            assert!(lines.contains(&line), "{line}: {text}");
        }
        assert!(text.contains("整改时限：2023年6月30日\\n小水电"), "{text}");
        assert!(lines.iter().all(|line| line.len() <= 75), "{text}");
    }
}
