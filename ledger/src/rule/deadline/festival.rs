//! The first days of the lunar year (春节), before which some deadlines end.

use chrono::NaiveDate;

/// The first year of [`DAYS`].
const FIRST_YEAR: i32 = 2015;

/// The first day of the lunar year, as month and day, in each year from 2015 to 2040.
///
/// Source: the Gregorian-Lunar Calendar Conversion Tables of the Hong Kong Observatory, which follow the same rules as
/// GB/T 33661-2017 《农历的编算和颁行》. Checked against the Python package `lunardate`.
const DAYS: [(u32, u32); 26] = [
    (2, 19), // 2015
    (2, 8),
    (1, 28),
    (2, 16),
    (2, 5),
    (1, 25), // 2020
    (2, 12),
    (2, 1),
    (1, 22),
    (2, 10),
    (1, 29), // 2025
    (2, 17),
    (2, 6),
    (1, 26),
    (2, 13),
    (2, 3), // 2030
    (1, 23),
    (2, 11),
    (1, 31),
    (2, 19),
    (2, 8), // 2035
    (1, 28),
    (2, 15),
    (2, 4),
    (1, 24),
    (2, 12), // 2040
];

/// Returns the day of Spring Festival (正月初一) in a year, or `None` if the table does not have the year.
pub(super) fn spring_festival(year: i32) -> Option<NaiveDate> {
    let place = usize::try_from(year.checked_sub(FIRST_YEAR)?).ok()?;
    let (month, day) = DAYS.get(place)?;
    NaiveDate::from_ymd_opt(year, *month, *day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lunar_years_have_twelve_or_thirteen_lunar_months() {
        let days: Vec<NaiveDate> = (2015..=2040).map(|year| spring_festival(year).unwrap()).collect();
        for pair in days.windows(2) {
            let length = (pair[1] - pair[0]).num_days();
            assert!((353..=355).contains(&length) || (383..=385).contains(&length), "{} to {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn other_years_are_unknown() {
        assert_eq!(spring_festival(2014), None);
        assert_eq!(spring_festival(2041), None);
        assert_eq!(spring_festival(i32::MIN), None);
        assert_eq!(spring_festival(2026), NaiveDate::from_ymd_opt(2026, 2, 17));
    }
}
