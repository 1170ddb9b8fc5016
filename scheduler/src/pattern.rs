//! Cron patterns: five fields, or six with seconds first, read in an IANA zone. What never fires or can be read in two
//! ways is refused.
//!
//! When the clock is put forward, a fixed time in the gap fires after the gap, and an interval goes on without what is
//! left out. When it is put back, a fixed time fires once, and an interval in both of the repeated hours.

use std::fmt;

use chrono::{DateTime, Offset, SubsecRound, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds};
use croner::{Cron, JobType};
use planner::Bilingual;

/// A pattern that is known to fire.
#[derive(Debug, Clone)]
pub struct Pattern {
    cron: Cron,
    zone: Tz,
}

/// The fields of a pattern: their names in Chinese and English, and what they may hold.
const FIELDS: [(&str, &str, &str); 6] = [
    ("秒", "second", "0–59"),
    ("分", "minute", "0–59"),
    ("时", "hour", "0–23"),
    ("日", "day of the month", "1–31"),
    ("月", "month", "1–12, JAN–DEC"),
    ("周", "day of the week", "0–7, SUN–SAT"),
];
/// The places of the day of the month and the day of the week.
const DAYS: [usize; 2] = [3, 5];

/// Why a pattern is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadPattern {
    /// It has another number of fields than five or six.
    Fields(usize),
    /// A field, by its place among the six, holds what it cannot hold, such as a number that is too large.
    Field(usize, String),
    /// A question mark stands elsewhere than alone for a day.
    QuestionMark,
    /// Both the day of the month and the day of the week are given, which programs read differently.
    Ambiguous,
    /// It asks for a day that no calendar has.
    Never,
    /// There is no such zone.
    Zone(String),
}

impl BadPattern {
    /// Says what is wrong and how to correct it.
    pub fn reason(&self) -> Bilingual {
        match self {
            Self::Fields(count) => Bilingual::new(
                format!("定时格式应为五段（分 时 日 月 周）或六段（先写秒），现有 {count} 段"),
                format!(
                    "a pattern has five fields (minute hour day month weekday) or six (with seconds first), such as \
                     0 0 8 * * *; this one has {count}"
                ),
            ),
            Self::Field(place, given) => {
                let (zh, en, range) = FIELDS.get(*place).copied().unwrap_or(("段", "field", ""));
                Bilingual::new(
                    format!("定时格式的“{zh}”不能是“{given}”，应在 {range} 之内，可用 * , - /"),
                    format!("the {en} of the pattern cannot be “{given}”: use values of {range}, and * , - /"),
                )
            }
            Self::QuestionMark => Bilingual::new(
                "定时格式中，问号只能单独用作日或周，其他各段请用 *",
                "in a pattern, a question mark only stands alone for the day of the month or of the week: use * \
                 elsewhere",
            ),
            Self::Ambiguous => Bilingual::new(
                "定时格式同时限定了日和周，含义不明：请只限定其一，另一段用 *",
                "the pattern restricts both the day of the month and the day of the week, which can be read in two \
                 ways: restrict one, and use * for the other",
            ),
            Self::Never => Bilingual::new(
                "定时格式所指的日期不存在，永远不会触发：请核对日和月",
                "the pattern never fires, because no calendar has its days: check day and month",
            ),
            Self::Zone(zone) => Bilingual::new(
                format!("没有名为“{zone}”的时区，应为 IANA 名称，如 Asia/Shanghai"),
                format!("there is no time zone “{zone}”: use an IANA name such as Asia/Shanghai"),
            ),
        }
    }
}

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason().zh)
    }
}

impl std::error::Error for BadPattern {}

impl Pattern {
    /// Reads a pattern in a zone, both as text; `now` is only used to learn whether it ever fires.
    pub fn parse(pattern: &str, zone: &str, now: DateTime<Utc>) -> Result<Self, BadPattern> {
        let zone: Tz = zone.parse().map_err(|_| BadPattern::Zone(zone.to_owned()))?;
        let mut fields: Vec<&str> = pattern.split_whitespace().collect();
        match fields.len() {
            5 => fields.insert(0, "0"),
            6 => {}
            count => return Err(BadPattern::Fields(count)),
        }
        for place in DAYS {
            if fields[place] == "?" {
                fields[place] = "*";
            }
        }
        if fields.iter().any(|field| field.contains('?')) {
            return Err(BadPattern::QuestionMark);
        }
        let parser = CronParser::builder().seconds(Seconds::Required).build();
        for (place, field) in fields.iter().enumerate() {
            let mut alone = ["*"; 6];
            alone[place] = field;
            if parser.parse(&alone.join(" ")).is_err() {
                return Err(BadPattern::Field(place, (*field).to_owned()));
            }
        }
        if DAYS.iter().all(|place| fields[*place] != "*") {
            return Err(BadPattern::Ambiguous);
        }
        let cron = parser.parse(&fields.join(" ")).map_err(|_| BadPattern::Never)?;
        let read = Self { cron, zone };
        if read.next(now, 1).is_empty() {
            return Err(BadPattern::Never);
        }
        Ok(read)
    }

    /// The next fires after a moment.
    pub fn next(&self, after: DateTime<Utc>, count: usize) -> Vec<DateTime<Utc>> {
        // A pattern fires on whole seconds; a fraction of the start would be carried along.
        let mut after = after.trunc_subsecs(0);
        let mut fires = Vec::new();
        while fires.len() < count
            && let Some(fire) = self.next_one(after)
        {
            fires.push(fire);
            after = fire;
        }
        fires
    }

    /// The next fire after a whole second.
    fn next_one(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self.cron.determine_job_type() {
            JobType::FixedTime => self.next_fixed(after),
            JobType::IntervalWildcard => self.next_of_interval(after),
        }
    }

    /// The next fire of a fixed time of day.
    fn next_fixed(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut from = after.with_timezone(&self.zone);
        loop {
            let fire = self.cron.find_next_occurrence(&from, false).ok()?.with_timezone(&Utc);
            if fire > after {
                return Some(fire);
            }
            // A fire that a clock change moved back must not hold the walk in place.
            from += TimeDelta::seconds(1);
        }
    }

    /// The next fire of an interval: the first second whose local time fits. Between two changes of the clock, local
    /// time has a fixed offset.
    fn next_of_interval(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut start = after + TimeDelta::seconds(1);
        loop {
            let offset = self.zone.offset_from_utc_datetime(&start.naive_utc()).fix();
            let fire = self.cron.find_next_occurrence(&start.with_timezone(&offset), true).ok()?.with_timezone(&Utc);
            match self.clock_change(start, fire) {
                None => return Some(fire),
                Some(change) => start = change,
            }
        }
    }

    /// The first second after one moment, up to another, at which the offset of the zone is another one.
    fn clock_change(&self, start: DateTime<Utc>, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let offset_at = |at: DateTime<Utc>| self.zone.offset_from_utc_datetime(&at.naive_utc()).fix();
        let offset = offset_at(start);
        let mut before = start;
        while before < until {
            let mut after = until.min(before + TimeDelta::days(1));
            if offset_at(after) == offset {
                before = after;
                continue;
            }
            while after - before > TimeDelta::seconds(1) {
                let middle = before + TimeDelta::seconds((after - before).num_seconds() / 2);
                if offset_at(middle) == offset {
                    before = middle;
                } else {
                    after = middle;
                }
            }
            return Some(after);
        }
        None
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

/// The next occurrences of a pattern in a zone, or why it is refused.
pub fn occurrences(
    pattern: &str,
    zone: &str,
    after: DateTime<Utc>,
    count: usize,
) -> Result<Vec<DateTime<Utc>>, Bilingual> {
    let read = Pattern::parse(pattern, zone, after).map_err(|refused| refused.reason())?;
    Ok(read.next(after, count))
}

#[cfg(test)]
mod tests {
    use chrono::Timelike;

    /// Whether a part of a pattern holds for a minute or an hour.
    type Holds = fn(u32) -> bool;

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
    fn five_fields_fire_at_the_beginning_of_minutes() {
        assert_eq!(fires("0 8 * * *", "Asia/Shanghai", "2022-12-31T00:00:00Z", 1), ["01-01T00:00"]);
        assert_eq!(fires("0 8 ? * MON", "Asia/Shanghai", "2022-12-31T00:00:00Z", 1), ["01-02T00:00"]);
    }

    #[test]
    fn each_refusal_says_its_own_reason() {
        let refused = |pattern: &str| Pattern::parse(pattern, "Asia/Shanghai", at("2026-01-01T00:00:00Z")).unwrap_err();
        assert_eq!(refused("whenever"), BadPattern::Fields(1));
        assert_eq!(refused("0 0 8 * * * 2026"), BadPattern::Fields(7));
        assert_eq!(refused("0 0 25 * * *"), BadPattern::Field(2, "25".to_owned()));
        assert_eq!(refused("0 8 * 13 *"), BadPattern::Field(4, "13".to_owned()));
        assert_eq!(refused("0 ? 8 * * *"), BadPattern::QuestionMark);
        assert_eq!(refused("0 0 9 1 * MON"), BadPattern::Ambiguous);
        assert_eq!(refused("0 0 9 31 2 *"), BadPattern::Never);
        let atlantis = Pattern::parse("0 0 8 * * *", "Asia/Atlantis", at("2026-01-01T00:00:00Z")).unwrap_err();
        assert_eq!(atlantis, BadPattern::Zone("Asia/Atlantis".to_owned()));
    }

    #[test]
    fn intervals_fire_whenever_local_time_fits_also_around_clock_changes() {
        let minutes: [(&str, Holds); 4] = [
            ("*", |_| true),
            ("*/20", |at| at % 20 == 0),
            ("0,45", |at| at == 0 || at == 45),
            ("10-12", |at| (10..13).contains(&at)),
        ];
        let hours: [(&str, Holds); 4] =
            [("*", |_| true), ("*/2", |at| at % 2 == 0), ("1-3", |at| (1..4).contains(&at)), ("2", |at| at == 2)];
        // The clock changes by an hour in Berlin, and by half an hour on Lord Howe Island; forward and back in each.
        let changes = [
            ("Europe/Berlin", "2026-03-28T00:00:00Z"),
            ("Europe/Berlin", "2026-10-24T00:00:00Z"),
            ("Australia/Lord_Howe", "2026-10-03T00:00:00Z"),
            ("Australia/Lord_Howe", "2026-04-04T00:00:00Z"),
        ];
        for (zone, start) in changes {
            let (start, tz) = (at(start), zone.parse::<Tz>().unwrap());
            for ((minute, fits_minute), (hour, fits_hour)) in
                minutes.iter().flat_map(|minute| hours.iter().map(move |hour| (minute, hour)))
            {
                let naive = (1..=2 * 24 * 60).map(|passed| start + TimeDelta::minutes(passed)).filter(|moment| {
                    let local = moment.with_timezone(&tz);
                    fits_minute(local.minute()) && fits_hour(local.hour())
                });
                let cron = format!("{minute} {hour} * * *");
                let pattern = Pattern::parse(&cron, zone, start).unwrap();
                let found = pattern.between(start, start + TimeDelta::days(2), usize::MAX).0;
                assert_eq!(found, naive.collect::<Vec<_>>(), "{cron} in {zone} from {start}");
            }
        }
    }

    #[test]
    fn a_long_gap_is_walked_and_its_beginning_counted() {
        let pattern = Pattern::parse("0 * * * * *", "Asia/Shanghai", at("2026-01-01T00:00:00Z")).unwrap();
        let (fires, left_out) = pattern.between(at("2026-01-01T00:00:00Z"), at("2026-01-01T02:00:00Z"), 5);
        assert_eq!((fires.len(), left_out), (5, 115));
        assert_eq!(fires.last().copied(), Some(at("2026-01-01T02:00:00Z")));
    }
}
