//! Cursors: the position of a row in a list, as the values of its sort keys, with the mark of the list, and the key of
//! the row that owns it. The database writes them (`Sql::cursor`), and this module reads them. They are opaque to
//! clients.

use std::fmt::Write as _;

use async_graphql::{Name, Value as Argument};
use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::Value;

use crate::Refusal;
use crate::noun::{SortKey, SortType};

/// The arguments of a list that choose a page of it. All others are part of its mark.
const PAGING: [&str; 5] = ["first", "last", "after", "before", "orderBy"];

/// A position in a list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Position {
    /// The values of the sort keys.
    pub(crate) keys: Vec<Value>,
    /// The key of the row that owns the list; none for a list of the query root.
    pub(crate) owner: Option<i64>,
}

/// Returns the mark of a list: 8 hexadecimal digits that differ between lists of other fields, filters and orders.
/// `field` is its field with the owner's type. Filters that mean the same have the same mark, whether they are written
/// in the document or given by variables.
pub(crate) fn mark(field: &str, arguments: &[(Name, Argument)], order: &[(SortKey, bool)]) -> String {
    let mut list = field.to_owned();
    let mut others: Vec<_> = arguments.iter().filter(|(name, _)| !PAGING.contains(&name.as_str())).collect();
    others.sort_unstable_by_key(|(name, _)| name);
    for (name, value) in others {
        let value = canonical(value);
        if !value.is_empty() {
            let _ = write!(list, "\n{name}:{value}");
        }
    }
    for (key, descending) in order {
        let _ = write!(list, "\n{}{}", if *descending { '-' } else { '+' }, key.expression);
    }
    // FNV-1a, which is the same in every process and release.
    let hash = list.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{hash:08x}")
}

/// Writes a value so that values that mean the same are written alike: without nulls, the members of objects in order,
/// and a list of one element as that element. An empty value is an empty text.
fn canonical(value: &Argument) -> String {
    match value {
        Argument::Null => String::new(),
        Argument::Enum(name) => Argument::String(name.to_string()).to_string(),
        Argument::List(list) => match list.as_slice() {
            [one] => canonical(one),
            // Lists of filters are sets.
            list => {
                let mut list: Vec<String> = list.iter().map(canonical).collect();
                list.sort_unstable();
                format!("[{}]", list.join(","))
            }
        },
        Argument::Object(members) => {
            let members = members.iter().filter(|(_, one)| **one != Argument::Null);
            let mut members: Vec<String> = members.map(|(name, one)| format!("{name}:{}", canonical(one))).collect();
            members.sort_unstable();
            if members.is_empty() { String::new() } else { format!("{{{}}}", members.join(",")) }
        }
        // 100 and 100.0 are the same amount.
        Argument::Number(number) => match number.as_f64().filter(|amount| number.is_f64() && amount.fract() == 0.0) {
            Some(amount) if amount.abs() < 9e15 => format!("{amount:.0}"),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

/// Reads a cursor of the list with this mark, whose sort keys are `kinds`. `is_owned` says whether a row owns the list.
/// Refuses a cursor of another list, filter or order.
pub(crate) fn read(cursor: &str, kinds: &[SortType], mark: &str, is_owned: bool) -> Result<Position, Refusal> {
    let position = || {
        let mut values: Vec<serde_json::Value> = serde_json::from_slice(&unhex(cursor)?).ok()?;
        let owner = if is_owned { Some(values.pop()?.as_i64()?) } else { None };
        if values.pop()? != mark || values.len() != kinds.len() {
            return None;
        }
        let keys: Option<Vec<Value>> = values.iter().zip(kinds).map(|(value, kind)| bound(value, *kind)).collect();
        Some(Position { keys: keys?, owner })
    };
    position().ok_or_else(|| foreign(cursor))
}

/// Makes the refusal of a cursor that is not one of the list.
pub(crate) fn foreign(cursor: &str) -> Refusal {
    Refusal::new(
        format!("`{cursor}` 不是本列表的游标，请用同一列表、同一上级、同样筛选和排序的页给出的游标"),
        format!(
            "`{cursor}` is not a cursor of this list: pass one from a page of the same list, parent, filter and order"
        ),
    )
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
        let hex = |json: &str| json.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        let kinds = [SortType::Date, SortType::Integer];
        let date = NaiveDate::from_ymd_opt(2022, 12, 31);
        let keys = vec![date.into(), 7_i64.into()];
        let (root, owned) = (hex(r#"["2022-12-31",7,"0badcafe"]"#), hex(r#"["2022-12-31",7,"0badcafe",3]"#));
        assert_eq!(read(&root, &kinds, "0badcafe", false), Ok(Position { keys: keys.clone(), owner: None }));
        assert_eq!(read(&owned, &kinds, "0badcafe", true), Ok(Position { keys, owner: Some(3) }));
        for (bad, kinds, mark, is_owned) in [
            ("zz", kinds.as_slice(), "0badcafe", false),
            (&hex("[]"), &[], "0badcafe", false),
            (&root, &kinds, "0badcaff", false),
            (&root, &kinds, "0badcafe", true),
            (&owned, &kinds, "0badcafe", false),
            (&root, &[SortType::Integer, SortType::Integer], "0badcafe", false),
            (&root, &[SortType::Date], "0badcafe", false),
            (&hex(r#"["2022-12-31",7]"#), &kinds, "0badcafe", false),
        ] {
            assert!(read(bad, kinds, mark, is_owned).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_mark_is_of_the_list_and_not_of_its_spelling() {
        let order = [(SortKey::column("{t}.id", "id", SortType::Integer), false)];
        let of = |json: serde_json::Value, order: &[(SortKey, bool)]| {
            let Argument::Object(arguments) = Argument::from_json(json).unwrap() else { unreachable!() };
            mark("Query.measures", &arguments.into_iter().collect::<Vec<_>>(), order)
        };
        let filtered = of(serde_json::json!({"filter": {"a": 1, "b": ["X"]}}), &order);
        let same = serde_json::json!({"first": 9, "filter": {"c": null, "b": "X", "a": 1}, "after": "00"});
        assert_eq!(of(same, &order), filtered);
        assert_eq!(of(serde_json::json!({"filter": {}}), &order), of(serde_json::json!({}), &order));
        let mut marks = vec![
            filtered,
            of(serde_json::json!({}), &order),
            of(serde_json::json!({"filter": {"a": 2, "b": ["X"]}}), &order),
            of(serde_json::json!({"filter": {"a": 1, "b": ["X", "Y"]}}), &order),
            of(serde_json::json!({}), &[(order[0].0, true)]),
            mark("Query.problems", &[], &order),
        ];
        marks.sort_unstable();
        marks.dedup();
        assert_eq!(marks.len(), 6);
    }
}
