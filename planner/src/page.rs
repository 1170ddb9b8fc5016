//! One page of a list. Keyset paging compares rows with the cursor, so that page 1,000 costs as much as page 1.

use async_graphql::{Number, Value};

use crate::Refusal;
use crate::condition::{Condition, Member};
use crate::cursor::{self, Position};
use crate::noun::{PageArguments, SortKey, SortType, Table};
use crate::plan::Place;
use crate::selection::Selected;
use crate::sql::Sql;

/// The number of rows of a page when neither `first` nor `last` is given.
pub const DEFAULT_PAGE: u64 = 50;

/// The most rows of one page.
pub const MAX_PAGE: u64 = 200;

/// The most entries of `orderBy`.
const MAX_ORDERS: usize = 8;

/// The arguments of a connection, as the planner needs them.
pub(crate) struct Page {
    pub(crate) size: u64,
    pub(crate) backward: bool,
    pub(crate) after: Option<Position>,
    pub(crate) before: Option<Position>,
    /// The mark of the list in its cursors.
    pub(crate) mark: String,
    pub(crate) condition: Condition,
    pub(crate) order: Vec<(SortKey, bool)>,
}

const KEY: SortKey = SortKey::column("{t}.id", "id", SortType::Integer);

impl Page {
    /// Reads and checks the arguments of a connection. `place` says whose list it is.
    pub(crate) fn read(
        selection: &Selected<'_>,
        table: &Table,
        arguments: PageArguments,
        place: &Place<'_>,
    ) -> Result<Self, Refusal> {
        let first = size(selection, "first")?;
        let last = size(selection, "last")?;
        if first.is_some() && last.is_some() {
            return Err(Refusal::new("`first` 与 `last` 只能给其一", "give either `first` or `last`, not both"));
        }
        let condition = (arguments.filter)(selection.argument("filter"))?;
        condition.check()?;
        let mut order = (arguments.order)(selection.argument("orderBy"))?;
        if order.len() > MAX_ORDERS {
            return Err(Refusal::new(
                format!("`orderBy` 超过 {MAX_ORDERS} 项，请精简"),
                format!("`orderBy` has more than {MAX_ORDERS} entries: use fewer"),
            ));
        }
        if order.is_empty() {
            order = table.order.iter().map(|key| (*key, key.descending)).collect();
        }
        // The row's key breaks ties, in the direction of the last entry.
        if !order.iter().any(|(key, _)| *key == KEY) {
            let descending = order.last().is_some_and(|(_, descending)| *descending);
            order.push((KEY, descending));
        }
        let kinds: Vec<SortType> = order.iter().map(|(key, _)| key.kind).collect();
        let field = format!("{}.{}", place.owner_type, selection.name());
        let mark = cursor::mark(&field, &selection.arguments(), &order);
        let position = |name| {
            let Some(cursor) = text(selection, name) else { return Ok(None) };
            let position = cursor::read(&cursor, &kinds, &mark, place.owner.is_some())?;
            match (position.owner, place.key) {
                (Some(owner), Some(key)) if owner != key => Err(cursor::foreign(&cursor)),
                _ => Ok(Some(position)),
            }
        };
        Ok(Self {
            size: first.or(last).unwrap_or(DEFAULT_PAGE),
            backward: last.is_some(),
            after: position("after")?,
            before: position("before")?,
            mark,
            condition,
            order,
        })
    }

    /// Returns whether the page is read forwards in the default order of the table.
    pub(crate) fn follows(&self, order: &[SortKey]) -> bool {
        let ordered =
            self.order.iter().zip(order).all(|((key, descending), of)| key == of && *descending == of.descending);
        !self.backward && ordered && self.order.len() <= order.len() + 1
    }

    /// Returns the SQL expressions of the sort keys for the row `alias`. `walked` is the membership list that the rows
    /// are read from (its alias and description); a key whose column the list carries is taken from the list, so that
    /// its index serves the order.
    pub(crate) fn keys(&self, alias: &str, walked: Option<(&str, &Member)>, sql: &mut Sql<'_>) -> Vec<String> {
        let mut on = |key: &SortKey| {
            if let (Some((list, member)), Some(column)) = (walked, key.column) {
                if column == "id" {
                    return format!("{list}.{}", member.row);
                }
                if member.carries.contains(&column) {
                    return format!("{list}.{column}");
                }
            }
            sql.source(&Sql::on(key.expression, alias))
        };
        self.order.iter().map(|(key, _)| on(key)).collect()
    }

    /// Writes the `ORDER BY` list in which the page is read: reversed for `last`.
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

    /// Writes the conditions that the cursors `after` and `before` put on a row. `owner` is the alias of the row that
    /// owns the list: below several owners, a cursor has rows after it only in the list of its own.
    pub(crate) fn bounds(&self, keys: &[String], owner: Option<&str>, sql: &mut Sql<'_>) -> Vec<String> {
        let mut bounds = Vec::new();
        for (position, forward) in [(&self.after, true), (&self.before, false)] {
            let Some(position) = position else { continue };
            if let (Some(alias), Some(key)) = (owner, position.owner) {
                bounds.push(format!("{alias}.id = {}", sql.bind(key)));
            }
            bounds.push(self.beyond(&position.keys, forward, keys, sql));
        }
        bounds
    }

    /// Writes the condition that a row lies beyond the cursor. If all keys have the same direction, it is one row
    /// comparison, which an index can answer; otherwise it compares key by key.
    fn beyond(&self, place: &[sea_orm::Value], forward: bool, keys: &[String], sql: &mut Sql<'_>) -> String {
        let values: Vec<String> = place.iter().map(|value| sql.bind(value.clone())).collect();
        let operator = |descending: bool| if descending == forward { "<" } else { ">" };
        let one_way = self.order.windows(2).all(|pair| pair[0].1 == pair[1].1);
        if one_way {
            let descending = self.order.first().is_some_and(|(_, descending)| *descending);
            return format!("({}) {} ({})", keys.join(", "), operator(descending), values.join(", "));
        }
        let alternatives: Vec<String> = (0..keys.len())
            .map(|last| {
                let mut parts: Vec<String> =
                    (0..last).map(|index| format!("{} = {}", keys[index], values[index])).collect();
                parts.push(format!("{} {} {}", keys[last], operator(self.order[last].1), values[last]));
                format!("({})", parts.join(" AND "))
            })
            .collect();
        format!("({})", alternatives.join(" OR "))
    }
}

fn size(selection: &Selected<'_>, name: &str) -> Result<Option<u64>, Refusal> {
    match selection.argument(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => page_size(name, &number).map(Some),
        Some(other) => {
            Err(Refusal::new(format!("`{name}: {other}` 不是行数"), format!("`{name}: {other}` is not a row count")))
        }
    }
}

/// Checks the number of rows of a page. `name` is the argument that gives it, for the message.
///
/// # Errors
///
/// Refuses negative and fractional numbers, and those greater than [`MAX_PAGE`].
pub fn page_size(name: &str, number: &Number) -> Result<u64, Refusal> {
    number.as_u64().filter(|size| *size <= MAX_PAGE).ok_or_else(|| {
        Refusal::new(
            format!("`{name}: {number}` 超出范围，每页 0 至 {MAX_PAGE} 行"),
            format!("`{name}: {number}` is out of range: ask for 0 to {MAX_PAGE} rows a page"),
        )
    })
}

fn text(selection: &Selected<'_>, name: &str) -> Option<String> {
    match selection.argument(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}
