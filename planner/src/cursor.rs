//! Cursors: the position of a row in a list, as the values of its sort keys. The database writes them (`Sql::cursor`),
//! and this module reads them. They are opaque to clients.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::Value;

use crate::Refusal;
use crate::noun::SortType;

/// Reads the values of a cursor, in the order of the sort keys `kinds`. Refuses a cursor whose values do not fit the
/// keys.
pub(crate) fn read(cursor: &str, kinds: &[SortType]) -> Result<Vec<Value>, Refusal> {
    let refusal = || {
        Refusal::new(
            format!("`{cursor}` 不是本列表的游标，请用同一排序的页给出的游标"),
            format!("`{cursor}` is not a cursor of this list: pass one from a page of the same order"),
        )
    };
    let bytes = unhex(cursor).ok_or_else(refusal)?;
    let values: Vec<serde_json::Value> = serde_json::from_slice(&bytes).map_err(|_| refusal())?;
    if values.len() != kinds.len() {
        return Err(refusal());
    }
    values.iter().zip(kinds).map(|(value, kind)| bound(value, *kind).ok_or_else(refusal)).collect()
}

fn bound(value: &serde_json::Value, kind: SortType) -> Option<Value> {
    Some(match kind {
        SortType::Integer => value.as_i64()?.into(),
        SortType::Text => value.as_str()?.into(),
        SortType::Date => value.as_str()?.parse::<NaiveDate>().ok()?.into(),
        SortType::Moment => value.as_str()?.parse::<DateTime<Utc>>().ok()?.into(),
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || digits.len() > 4096 {
        return None;
    }
    let digit = |byte: u8| (byte as char).to_digit(16);
    digits.chunks_exact(2).map(|pair| Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_or_refused() {
        // ["2022-12-31",7]
        let hex = "5b22323032322d31322d3331222c375d";
        let date = NaiveDate::from_ymd_opt(2022, 12, 31);
        assert_eq!(read(hex, &[SortType::Date, SortType::Integer]), Ok(vec![date.into(), 7_i64.into()]));
        for (bad, kinds) in [
            ("zz", [SortType::Date, SortType::Integer].as_slice()),
            ("5b5d", &[SortType::Integer]),
            (hex, &[SortType::Integer, SortType::Integer]),
            (hex, &[SortType::Date]),
        ] {
            assert!(read(bad, kinds).is_err(), "{bad}");
        }
    }
}
