//! Aggregates over a list, as a whole or by group.

use async_graphql::Value as Argument;

use crate::Refusal;
use crate::noun::{Dimension, FigureKind, Table};
use crate::selection::Selected;
use crate::sql::Sql;

/// The number of groups that are returned when `first` is not given.
pub const DEFAULT_GROUPS: u64 = 100;
/// The most groups that are returned.
pub const MAX_GROUPS: u64 = 1_000;
/// The most dimensions that a list can be grouped by at once.
pub(crate) const MAX_DIMENSIONS: usize = 4;

/// The arguments of `groups`: the dimensions, and the most groups to return.
pub(crate) struct Grouping {
    by: Vec<&'static Dimension>,
    most: u64,
}

impl Grouping {
    /// Reads and checks the arguments of `groups`.
    pub(crate) fn read(table: &Table, selection: &Selected<'_>) -> Result<Self, Refusal> {
        let names = match selection.argument("by") {
            Some(Argument::List(names)) => names,
            Some(name) => vec![name],
            None => Vec::new(),
        };
        let dimensions = names.iter().filter_map(|name| match name {
            Argument::Enum(name) => Some(name.as_str()),
            Argument::String(name) => Some(name.as_str()),
            _ => None,
        });
        let by: Vec<&Dimension> =
            dimensions.filter_map(|name| table.dimensions.iter().find(|dimension| dimension.name == name)).collect();
        if by.is_empty() || by.len() != names.len() || by.len() > MAX_DIMENSIONS {
            return Err(Refusal::new(
                format!("`by` 应给出 1 至 {MAX_DIMENSIONS} 个分组维度"),
                format!("`by` takes 1 to {MAX_DIMENSIONS} dimensions"),
            ));
        }
        let most = match selection.argument("first") {
            None | Some(Argument::Null) => DEFAULT_GROUPS,
            Some(Argument::Number(number)) if number.as_u64().is_some_and(|most| most <= MAX_GROUPS) => {
                number.as_u64().unwrap_or(DEFAULT_GROUPS)
            }
            Some(other) => {
                return Err(Refusal::new(
                    format!("`first: {other}` 超出范围，最多 {MAX_GROUPS} 组"),
                    format!("`first: {other}` is out of range: ask for 0 to {MAX_GROUPS} groups"),
                ));
            }
        };
        Ok(Self { by, most })
    }

    /// Writes the JSON array of the groups, largest first. `rows` is what follows `FROM`, with the `WHERE` clause; it
    /// names the rows `alias`. `outer` is the alias of the groups.
    pub(crate) fn array(
        &self,
        sql: &mut Sql<'_>,
        table: &Table,
        alias: &str,
        rows: &str,
        outer: &str,
        selection: &Selected<'_>,
    ) -> String {
        let keys: Vec<String> = self.by.iter().map(|dimension| key(sql, dimension, alias)).collect();
        let named: Vec<String> = keys.iter().enumerate().map(|(index, key)| format!("{key} AS g{index}")).collect();
        let name = format!("{}Group", table.name);
        let children = selection.children(&name);
        let data: Vec<String> = children
            .iter()
            .enumerate()
            .filter(|(_, child)| child.name() == "aggregate")
            .map(|(index, child)| format!(", {} AS a{index}", figures(sql, table, alias, child)))
            .collect();
        let members: Vec<(&str, String)> = children
            .iter()
            .enumerate()
            .map(|(index, child)| {
                let value = match child.name() {
                    "aggregate" => sql.json(&format!("{outer}.a{index}")),
                    "keys" => self.keys(sql, outer, child),
                    _ => format!("'{name}'"),
                };
                (child.key(), value)
            })
            .collect();
        // Groups of equal size are ordered by their keys, nulls last, spelled out so that both databases agree.
        let order = |of: &dyn Fn(usize) -> String| {
            let keys: Vec<String> = (0..keys.len()).map(|index| format!("{0} IS NULL, {0}", of(index))).collect();
            keys.join(", ")
        };
        let inside = order(&|index| keys[index].clone());
        let outside = order(&|index| format!("{outer}.g{index}"));
        let groups = format!(
            "(SELECT {}, count(*) AS n{} FROM {rows} GROUP BY {} ORDER BY count(*) DESC, {inside} LIMIT {})",
            named.join(", "),
            data.join(""),
            keys.join(", "),
            self.most,
        );
        let array = sql.array(&sql.object(&members), Some(&format!("{outer}.n DESC, {outside}")), None);
        format!("(SELECT {array} FROM {groups} {outer})")
    }

    fn keys(&self, sql: &Sql<'_>, outer: &str, selection: &Selected<'_>) -> String {
        let objects: Vec<String> = self
            .by
            .iter()
            .enumerate()
            .map(|(index, dimension)| {
                let key = format!("{outer}.g{index}");
                let members: Vec<(&str, String)> = selection
                    .children("GroupKey")
                    .iter()
                    .map(|child| {
                        let value = match (child.name(), dimension.of) {
                            ("key", Some(of)) => format!("'{}_' || {key}", of.prefix),
                            ("key", None) => format!("CAST({key} AS text)"),
                            ("label", Some(of)) => format!("({})", of.name.replace("{}", &key)),
                            ("label", None) => "NULL".to_owned(),
                            _ => "'GroupKey'".to_owned(),
                        };
                        (child.key(), value)
                    })
                    .collect();
                sql.object(&members)
            })
            .collect();
        sql.list(&objects)
    }
}

/// Writes the key that a row is grouped by. A key that refers to another noun is null if the caller may not see that
/// row.
fn key(sql: &mut Sql<'_>, dimension: &Dimension, alias: &str) -> String {
    let key = Sql::on(dimension.key, alias);
    let Some(of) = dimension.of else { return key };
    let other = sql.alias();
    match sql.seen(of.table, &other) {
        Some(seen) => format!("(SELECT {other}.id FROM {} {other} WHERE {other}.id = {key} AND {seen})", of.table),
        None => key,
    }
}

/// Writes the JSON object of the selected aggregates over the rows `alias`.
pub(crate) fn figures(sql: &mut Sql<'_>, table: &Table, alias: &str, selection: &Selected<'_>) -> String {
    let name = format!("{}Aggregate", table.name);
    let members: Vec<(&str, String)> = selection
        .children(&name)
        .iter()
        .map(|child| {
            let figure = table.figures.iter().find(|figure| figure.name == child.name());
            let value = match (child.name(), figure) {
                (_, Some(figure)) => {
                    let of = sql.with_facts(&Sql::on(figure.expression, alias));
                    match figure.kind {
                        FigureKind::Count => sql.count_of(&of),
                        FigureKind::Share => sql.share_of(&of),
                        FigureKind::Date | FigureKind::Moment | FigureKind::Number => {
                            sql.object(&parts(sql, figure.kind, &of, child))
                        }
                    }
                }
                ("count", None) => "count(*)".to_owned(),
                _ => format!("'{name}'"),
            };
            (child.key(), value)
        })
        .collect();
    sql.object(&members)
}

/// Returns whether any aggregate function is selected, rather than only `__typename`.
pub(crate) fn reckons(table: &Table, selection: &Selected<'_>) -> bool {
    selection.children(&format!("{}Aggregate", table.name)).iter().any(|child| {
        match table.figures.iter().find(|figure| figure.name == child.name()) {
            Some(figure) => type_name(figure.kind)
                .is_none_or(|name| child.children(name).iter().any(|part| part.name() != "__typename")),
            None => child.name() == "count",
        }
    })
}

/// Returns the object type of a figure; none if the figure is a plain number.
fn type_name(kind: FigureKind) -> Option<&'static str> {
    match kind {
        FigureKind::Date => Some("DateRange"),
        FigureKind::Moment => Some("MomentRange"),
        FigureKind::Number => Some("NumberSummary"),
        FigureKind::Count | FigureKind::Share => None,
    }
}

fn parts<'a>(sql: &Sql<'_>, kind: FigureKind, of: &str, selection: &Selected<'a>) -> Vec<(&'a str, String)> {
    let name = type_name(kind).unwrap_or_default();
    let part = |child: &Selected<'a>| {
        let value = match child.name() {
            "min" => format!("min({of})"),
            "max" => format!("max({of})"),
            "sum" => format!("sum({of})"),
            "average" => sql.average(of),
            _ => format!("'{name}'"),
        };
        (child.key(), value)
    };
    selection.children(name).iter().map(part).collect()
}
