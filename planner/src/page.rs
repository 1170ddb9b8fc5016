//! One page of a list: keyset paging as a row comparison, so that page 1,000 costs what page 1 costs.

use async_graphql::{Number, Value};

use crate::condition::{Condition, Member};
use crate::noun::{PageArguments, SortKey, SortType, Table};
use crate::selection::Selected;
use crate::sql::Sql;
use crate::{Refusal, cursor};

/// The rows of a page when neither `first` nor `last` is given.
pub const DEFAULT_PAGE: u64 = 50;

/// The most rows of one page.
pub const MAX_PAGE: u64 = 200;

/// The most relations that a filter follows, one within the other: each multiplies the rows that are looked at.
const MAX_RELATIONS: usize = 6;

/// What a connection's arguments ask for.
pub(crate) struct Page {
    pub(crate) size: u64,
    pub(crate) backward: bool,
    pub(crate) after: Option<String>,
    pub(crate) before: Option<String>,
    pub(crate) condition: Condition,
    pub(crate) order: Vec<(SortKey, bool)>,
}

const KEY: SortKey = SortKey::column("{t}.id", "id", SortType::Integer);

impl Page {
    /// Reads the arguments of a connection.
    pub(crate) fn read(selection: &Selected<'_>, table: &Table, arguments: PageArguments) -> Result<Self, Refusal> {
        let first = size(selection, "first")?;
        let last = size(selection, "last")?;
        if first.is_some() && last.is_some() {
            return Err(Refusal::new("`first` 与 `last` 只能给其一", "give `first` or `last`, not both"));
        }
        let condition = (arguments.filter)(selection.argument("filter"))?;
        if condition.relations() > MAX_RELATIONS {
            return Err(Refusal::new(
                format!("筛选条件的关联超过 {MAX_RELATIONS} 层，请简化"),
                format!("the filter follows more than {MAX_RELATIONS} relations, one within the other: ask for less"),
            ));
        }
        let mut order = (arguments.order)(selection.argument("orderBy"))?;
        if order.is_empty() {
            order = table.order.iter().map(|key| (*key, key.descending)).collect();
        }
        // Ties are broken by the row's key, in the direction of the last wish.
        if !order.iter().any(|(key, _)| *key == KEY) {
            let descending = order.last().is_some_and(|(_, descending)| *descending);
            order.push((KEY, descending));
        }
        Ok(Self {
            size: first.or(last).unwrap_or(DEFAULT_PAGE),
            backward: last.is_some(),
            after: text(selection, "after"),
            before: text(selection, "before"),
            condition,
            order,
        })
    }

    /// The expressions of the sort keys over `alias`, taken from the walked list where that carries the column.
    pub(crate) fn keys(&self, alias: &str, walked: Option<(&str, &Member)>) -> Vec<String> {
        let on = |key: &SortKey| {
            if let (Some((list, member)), Some(column)) = (walked, key.column) {
                if column == "id" {
                    return format!("{list}.{}", member.row);
                }
                if member.carries.contains(&column) {
                    return format!("{list}.{column}");
                }
            }
            Sql::on(key.expression, alias)
        };
        self.order.iter().map(|(key, _)| on(key)).collect()
    }

    /// `ORDER BY` of the page's walk, which runs backwards for `last`.
    pub(crate) fn order_by(&self, keys: &[String]) -> String {
        let parts: Vec<String> = keys
            .iter()
            .zip(&self.order)
            .map(
                |(key, (_, descending))| if *descending == self.backward { key.clone() } else { format!("{key} DESC") },
            )
            .collect();
        parts.join(", ")
    }

    /// What the cursors demand of a row.
    pub(crate) fn bounds(&self, keys: &[String], sql: &mut Sql<'_>) -> Result<Vec<String>, Refusal> {
        let mut bounds = Vec::new();
        for (cursor, forward) in [(&self.after, true), (&self.before, false)] {
            if let Some(cursor) = cursor {
                bounds.push(self.beyond(cursor, forward, keys, sql)?);
            }
        }
        Ok(bounds)
    }

    /// Rows beyond the cursor: one row comparison when all keys run one way, which an index answers; else key by key.
    fn beyond(&self, cursor: &str, forward: bool, keys: &[String], sql: &mut Sql<'_>) -> Result<String, Refusal> {
        let kinds: Vec<SortType> = self.order.iter().map(|(key, _)| key.kind).collect();
        let values: Vec<String> = cursor::read(cursor, &kinds)?.into_iter().map(|value| sql.bind(value)).collect();
        let operator = |descending: bool| if descending == forward { "<" } else { ">" };
        let one_way = self.order.windows(2).all(|pair| pair[0].1 == pair[1].1);
        if one_way {
            let descending = self.order.first().is_some_and(|(_, descending)| *descending);
            return Ok(format!("({}) {} ({})", keys.join(", "), operator(descending), values.join(", ")));
        }
        let alternatives: Vec<String> = (0..keys.len())
            .map(|last| {
                let mut parts: Vec<String> =
                    (0..last).map(|index| format!("{} = {}", keys[index], values[index])).collect();
                parts.push(format!("{} {} {}", keys[last], operator(self.order[last].1), values[last]));
                format!("({})", parts.join(" AND "))
            })
            .collect();
        Ok(format!("({})", alternatives.join(" OR ")))
    }
}

fn size(selection: &Selected<'_>, name: &str) -> Result<Option<u64>, Refusal> {
    match selection.argument(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => page_size(name, &number).map(Some),
        Some(other) => {
            Err(Refusal::new(format!("`{name}: {other}` 不是行数"), format!("`{name}: {other}` is no number of rows")))
        }
    }
}

/// The rows of a page, by the argument that asks for them.
pub fn page_size(name: &str, number: &Number) -> Result<u64, Refusal> {
    number.as_u64().filter(|size| *size <= MAX_PAGE).ok_or_else(|| {
        Refusal::new(
            format!("`{name}: {number}` 超出范围，每页 0 至 {MAX_PAGE} 行"),
            format!("`{name}: {number}` is out of range: ask for 0 to {MAX_PAGE} rows and page on"),
        )
    })
}

fn text(selection: &Selected<'_>, name: &str) -> Option<String> {
    match selection.argument(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}
