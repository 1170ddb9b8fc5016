//! Cron patterns: six fields, seconds first, read in an IANA zone. What never fires or can be read in two ways is
//! refused.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds};

/// A pattern that is known to fire.
#[derive(Debug, Clone)]
pub struct Pattern {
    cron: Cron,
    zone: Tz,
}

/// Why a pattern is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// It is not six fields that a cron reads.
    #[error("定时规则“{0}”应为六段（秒 分 时 日 月 周）：{1}")]
    Malformed(String, String),
    /// Both the day of the month and the day of the week are given, which programs read differently.
    #[error("定时规则“{0}”同时限定了日和周，含义不明：请只限定其一")]
    Ambiguous(String),
    /// It asks for a day that no calendar has.
    #[error("定时规则“{0}”永远不会触发")]
    Never(String),
    /// There is no such zone.
    #[error("没有名为“{0}”的时区，应为 IANA 名称，如 Asia/Shanghai")]
    Zone(String),
}

impl Pattern {
    /// Reads a pattern in a zone, both as text; `now` is only used to learn whether it ever fires.
    pub fn parse(pattern: &str, zone: &str, now: DateTime<Utc>) -> Result<Self, BadPattern> {
        let zone: Tz = zone.parse().map_err(|_| BadPattern::Zone(zone.to_owned()))?;
        let fields: Vec<&str> = pattern.split_whitespace().collect();
        let malformed = |why: &str| BadPattern::Malformed(pattern.to_owned(), why.to_owned());
        let [_, _, _, day, _, weekday] = fields.as_slice() else {
            return Err(malformed(&format!("现有 {} 段", fields.len())));
        };
        if !matches!(*day, "*" | "?") && !matches!(*weekday, "*" | "?") {
            return Err(BadPattern::Ambiguous(pattern.to_owned()));
        }
        let parser = CronParser::builder().seconds(Seconds::Required).build();
        let cron = parser.parse(pattern).map_err(|error| malformed(&error.to_string()))?;
        let read = Self { cron, zone };
        if read.next(now, 1).is_empty() {
            return Err(BadPattern::Never(pattern.to_owned()));
        }
        Ok(read)
    }

    /// The next fires after a moment.
    pub fn next(&self, after: DateTime<Utc>, count: usize) -> Vec<DateTime<Utc>> {
        let mut fires = Vec::new();
        // A pattern fires on whole seconds; a fraction of the start would be carried along.
        let mut from = after.trunc_subsecs(0).with_timezone(&self.zone);
        while fires.len() < count {
            let Ok(fire) = self.cron.find_next_occurrence(&from, false) else { break };
            // A fire that a clock change moved back must not hold the walk in place.
            let moment = fire.with_timezone(&Utc);
            if moment <= from.with_timezone(&Utc) {
                from += TimeDelta::seconds(1);
                continue;
            }
            fires.push(moment);
            from = fire;
        }
        fires
    }

    /// The fires after one moment up to another, both ends of a gap; the latest ones where there are more than `most`,
    /// with the number of those left out.
    pub fn between(&self, after: DateTime<Utc>, until: DateTime<Utc>, most: usize) -> (Vec<DateTime<Utc>>, usize) {
        let mut fires = std::collections::VecDeque::new();
        let mut left_out = 0;
        let mut from = after;
        while let Some(fire) = self.next(from, 1).first().copied().filter(|fire| *fire <= until) {
            fires.push_back(fire);
            if fires.len() > most {
                fires.pop_front();
                left_out += 1;
            }
            from = fire;
        }
        (fires.into(), left_out)
    }
}

/// The next occurrences of a pattern in a zone; none where it cannot be read.
pub fn occurrences(pattern: &str, zone: &str, after: DateTime<Utc>, count: usize) -> Vec<DateTime<Utc>> {
    Pattern::parse(pattern, zone, after).map(|pattern| pattern.next(after, count)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn fires(pattern: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let pattern = Pattern::parse(pattern, zone, at(after)).unwrap();
        pattern.next(at(after), count).into_iter().map(|fire| fire.format("%m-%dT%H:%M").to_string()).collect()
    }

    #[test]
    fn eight_in_shanghai_is_midnight_utc() {
        assert_eq!(fires("0 0 8 * * *", "Asia/Shanghai", "2022-12-31T00:00:00Z", 2), ["01-01T00:00", "01-02T00:00"]);
    }

    #[test]
    fn fires_are_whole_seconds_whenever_they_are_asked_for() {
        let start = at("2022-12-31T00:00:00.354Z");
        let pattern = Pattern::parse("0 0 8 * * *", "Asia/Shanghai", start).unwrap();
        assert_eq!(pattern.next(start, 1), [at("2023-01-01T00:00:00Z")]);
    }

    #[test]
    fn both_clock_changes_keep_one_fire_a_day() {
        // Berlin goes forward on 2026-03-29 (02:00 to 03:00) and back on 2026-10-25 (03:00 to 02:00).
        let spring = fires("0 30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3);
        assert_eq!(spring.iter().map(|fire| &fire[..5]).collect::<Vec<_>>(), ["03-28", "03-29", "03-30"]);
        let autumn = fires("0 30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2);
        assert_eq!(autumn.iter().map(|fire| &fire[..5]).collect::<Vec<_>>(), ["10-25", "10-26"]);
    }

    #[test]
    fn what_never_fires_or_may_be_read_twice_is_refused() {
        let refused = |pattern: &str| Pattern::parse(pattern, "Asia/Shanghai", at("2026-01-01T00:00:00Z")).unwrap_err();
        assert!(matches!(refused("0 8 * * *"), BadPattern::Malformed(..)));
        assert!(matches!(refused("0 0 25 * * *"), BadPattern::Malformed(..)));
        assert!(matches!(refused("0 0 9 31 2 *"), BadPattern::Never(..) | BadPattern::Malformed(..)));
        assert!(matches!(refused("0 0 9 1 * MON"), BadPattern::Ambiguous(..)));
        assert!(matches!(
            Pattern::parse("0 0 8 * * *", "Asia/Atlantis", at("2026-01-01T00:00:00Z")),
            Err(BadPattern::Zone(..))
        ));
    }

    #[test]
    fn a_long_gap_is_walked_and_its_beginning_counted() {
        let pattern = Pattern::parse("0 * * * * *", "Asia/Shanghai", at("2026-01-01T00:00:00Z")).unwrap();
        let (fires, left_out) = pattern.between(at("2026-01-01T00:00:00Z"), at("2026-01-01T02:00:00Z"), 5);
        assert_eq!((fires.len(), left_out), (5, 115));
        assert_eq!(fires.last().copied(), Some(at("2026-01-01T02:00:00Z")));
    }
}
