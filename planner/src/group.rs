//! Aggregates over a list, as a whole or by group.

use std::fmt::Write as _;

use async_graphql::Value as Argument;

use crate::Refusal;
use crate::noun::{Dimension, Figure, FigureKind, Kind, Named, Table};
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
    /// Whether the caller sees all rows of the list.
    sees_all: bool,
}

impl Grouping {
    /// Reads and checks the arguments of `groups`.
    pub(crate) fn read(sql: &Sql<'_>, table: &Table, selection: &Selected<'_>) -> Result<Self, Refusal> {
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
        Ok(Self { by, most, sees_all: sql.sight().rows(table.source).is_always() })
    }

    /// Writes the joins that the rows `alias` need for dimensions in which a row has several keys, or whose keys other
    /// rows hold.
    pub(crate) fn joins(&self, sql: &mut Sql<'_>, alias: &str) -> String {
        let mut joins: Vec<String> = Vec::new();
        for dimension in &self.by {
            let join = match (dimension.spread, dimension.held) {
                (Some(spread), _) => spread.to_owned(),
                (None, Some((table, condition))) if self.sees_all => format!("LEFT JOIN {table} {{j}} ON {condition}"),
                _ => continue,
            };
            let join = format!(" {}", sql.source(&on(&join, dimension, alias)));
            if !joins.contains(&join) {
                joins.push(join);
            }
        }
        joins.concat()
    }

    /// Writes the keys that the row `alias` is grouped by.
    fn row_keys(&self, sql: &mut Sql<'_>, alias: &str) -> Vec<String> {
        self.by.iter().map(|dimension| key(sql, dimension, alias, self.sees_all)).collect()
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
        let keys = self.row_keys(sql, alias);
        let named: Vec<String> = keys.iter().enumerate().map(|(index, key)| format!("{key} AS g{index}")).collect();
        let name = format!("{}Group", table.name);
        let children = selection.children(&name);
        let (mut data, mut joins) = (String::new(), String::new());
        let mut members: Vec<(&str, String)> = Vec::new();
        for (index, child) in children.iter().enumerate() {
            let value = match child.name() {
                "aggregate" => {
                    let mut of_group = Vec::new();
                    for (place, figure) in child.children(&format!("{}Aggregate", table.name)).iter().enumerate() {
                        let column = format!("a{index}_{place}");
                        let value = if let Some(parts) = parts_of(table, figure) {
                            let (join, array) = self.parts(sql, parts, (alias, rows), (outer, &column), figure);
                            joins.push_str(&join);
                            array
                        } else {
                            let _ = write!(data, ", {} AS {column}", value(sql, table, alias, figure));
                            let column = format!("{outer}.{column}");
                            if is_object(table, figure) { sql.json(&column) } else { column }
                        };
                        of_group.push((figure.key(), value));
                    }
                    sql.object(&of_group)
                }
                "keys" => self.keys(sql, outer, child),
                "groupCount" => format!("{outer}.groups"),
                _ => format!("'{name}'"),
            };
            members.push((child.key(), value));
        }
        let counts = children.iter().any(|child| child.name() == "groupCount");
        let counted = if counts { ", count(*) OVER () AS groups" } else { "" };
        // Groups of equal size are ordered by their keys, nulls last, spelled out so that both databases agree.
        let order = |of: &dyn Fn(usize) -> String| {
            let keys: Vec<String> = (0..keys.len()).map(|index| format!("{0} IS NULL, {0}", of(index))).collect();
            keys.join(", ")
        };
        let inside = order(&|index| keys[index].clone());
        let outside = order(&|index| format!("{outer}.g{index}"));
        let groups = format!(
            "(SELECT {}, count(*) AS n{counted}{data} FROM {rows} GROUP BY {} ORDER BY count(*) DESC, {inside} \
             LIMIT {})",
            named.join(", "),
            keys.join(", "),
            self.most,
        );
        let array = sql.array(&sql.object(&members), Some(&format!("{outer}.n DESC, {outside}")), None);
        format!("(SELECT {array} FROM {groups} {outer}{joins})")
    }

    /// Writes the join of the lists of [`FigureKind::Parts`], one for each group, and the list of the group `outer`.
    /// All groups are added up by one query. `column` is an alias for the join.
    fn parts(
        &self,
        sql: &mut Sql<'_>,
        parts: &Table,
        (alias, rows): (&str, &str),
        (outer, column): (&str, &str),
        selection: &Selected<'_>,
    ) -> (String, String) {
        let keys = self.row_keys(sql, alias);
        let named: Vec<String> = keys.iter().enumerate().map(|(index, key)| format!("{key} AS h{index}")).collect();
        let columns = |of: &str| -> Vec<String> { (0..keys.len()).map(|index| format!("{of}.h{index}")).collect() };
        let by = format!("{}, ", columns("l").join(", "));
        let source = source_of(sql, parts, &format!("SELECT {alias}.id, {} FROM {rows}", named.join(", ")), &by);
        let part = sql.alias();
        let of_part = columns(&part).join(", ");
        let array = array_of(sql, parts, &part, selection);
        let same: Vec<String> = columns(column)
            .iter()
            .enumerate()
            .map(|(index, column)| format!("{column} IS NOT DISTINCT FROM {outer}.g{index}"))
            .collect();
        let join = format!(
            " LEFT JOIN (SELECT {of_part}, {array} AS parts FROM {source} {part} GROUP BY {of_part}) {column} ON {}",
            same.join(" AND ")
        );
        (join, sql.or_empty(&format!("{column}.parts")))
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
                            ("code", Some(Named { code: Some(code), .. })) => {
                                format!("({})", code.replace("{}", &key))
                            }
                            ("label" | "code", _) => "NULL".to_owned(),
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

/// Replaces the aliases of the row and of the joined rows in the SQL of a dimension. Dimensions whose keys are held by
/// the same row share its join.
fn on(template: &str, dimension: &Dimension, alias: &str) -> String {
    let joined = dimension.held.map_or(dimension.name, |(table, _)| table);
    Sql::on(template, alias).replace("{j}", &format!("{alias}_{}", joined.to_lowercase()))
}

/// Writes the key that a row is grouped by. A key that refers to another noun is null if the caller may not see that
/// row.
///
/// A key that another row holds is joined for those who see all rows of the list, of which there may be many. For
/// others it is looked up for each row: the database cannot tell how few these are, and would read the whole table.
fn key(sql: &mut Sql<'_>, dimension: &Dimension, alias: &str, sees_all: bool) -> String {
    let key = match dimension.held {
        Some((table, condition)) if !sees_all => {
            format!("(SELECT {} FROM {table} {{j}} WHERE {condition})", dimension.key)
        }
        _ => dimension.key.to_owned(),
    };
    let key = sql.source(&on(&key, dimension, alias));
    let Some(of) = dimension.of else { return key };
    let other = sql.alias();
    match sql.seen(of.table, &other) {
        // Unlike a query for the key, EXISTS lets PostgreSQL find the rows that may be seen once for all keys.
        Some(seen) => format!(
            "CASE WHEN EXISTS (SELECT 1 FROM {} {other} WHERE {other}.id = {key} AND {seen}) THEN {key} END",
            of.table
        ),
        None => key,
    }
}

/// Writes the JSON object of the selected aggregates over the rows `alias`. `rows` is what follows `FROM`, with the
/// `WHERE` clause.
pub(crate) fn figures(sql: &mut Sql<'_>, table: &Table, alias: &str, rows: &str, selection: &Selected<'_>) -> String {
    let children = selection.children(&format!("{}Aggregate", table.name));
    let mut members: Vec<(&str, String)> = Vec::new();
    for child in &children {
        let value = match parts_of(table, child) {
            Some(parts) => {
                let source = source_of(sql, parts, &format!("SELECT {alias}.id FROM {rows}"), "");
                let part = sql.alias();
                let array = array_of(sql, parts, &part, child);
                sql.json(&format!("(SELECT {array} FROM {source} {part})"))
            }
            None => value(sql, table, alias, child),
        };
        members.push((child.key(), value));
    }
    sql.object(&members)
}

/// Writes one aggregate over the rows `alias`, other than a list.
fn value(sql: &mut Sql<'_>, table: &Table, alias: &str, child: &Selected<'_>) -> String {
    let Some(figure) = figure_of(table, child) else {
        return if child.name() == "count" { "count(*)".to_owned() } else { format!("'{}Aggregate'", table.name) };
    };
    let of = sql.with_facts(&Sql::on(figure.expression, alias));
    match figure.kind {
        FigureKind::Count => sql.count_of(&of),
        FigureKind::Share => sql.share_of(&of),
        kind => sql.object(&summary(sql, kind, &of, child)),
    }
}

fn figure_of<'t>(table: &'t Table, child: &Selected<'_>) -> Option<&'t Figure> {
    table.figures.iter().find(|figure| figure.name == child.name())
}

/// Returns the noun of a selected [`FigureKind::Parts`]; none for other aggregates.
fn parts_of(table: &Table, child: &Selected<'_>) -> Option<&'static Table> {
    match figure_of(table, child)?.kind {
        FigureKind::Parts(parts, _) => Some(parts()),
        _ => None,
    }
}

/// Returns whether the value of an aggregate is an object.
fn is_object(table: &Table, child: &Selected<'_>) -> bool {
    figure_of(table, child).is_some_and(|figure| type_name(figure.kind).is_some())
}

/// Writes the source of [`FigureKind::Parts`] over the rows of a query.
fn source_of(sql: &mut Sql<'_>, parts: &Table, rows: &str, by: &str) -> String {
    sql.source(parts.source).replace("{by}", by).replace("{rows}", rows)
}

/// Writes the array of [`FigureKind::Parts`], whose fields are columns of the rows `alias`.
fn array_of(sql: &Sql<'_>, parts: &Table, alias: &str, selection: &Selected<'_>) -> String {
    let children = selection.children(parts.name);
    let value = |child: &Selected<'_>| match parts.field(child.name()).map(|field| &field.kind) {
        Some(Kind::Column(column)) => format!("{alias}.{column}"),
        _ => format!("'{}'", parts.name),
    };
    let members: Vec<(&str, String)> = children.iter().map(|child| (child.key(), value(child))).collect();
    let order = parts.order.iter().map(|key| {
        let direction = if key.descending { " DESC" } else { "" };
        format!("{}{direction}", Sql::on(key.expression, alias))
    });
    sql.array(&sql.object(&members), Some(&order.collect::<Vec<_>>().join(", ")), None)
}

/// Returns whether any aggregate function is selected, rather than only `__typename` and lists.
pub(crate) fn reckons(table: &Table, selection: &Selected<'_>) -> bool {
    selection.children(&format!("{}Aggregate", table.name)).iter().any(|child| match figure_of(table, child) {
        Some(Figure { kind: FigureKind::Parts(..), .. }) => false,
        Some(figure) => type_name(figure.kind)
            .is_none_or(|name| child.children(name).iter().any(|part| part.name() != "__typename")),
        None => child.name() == "count",
    })
}

/// Returns whether a list of [`FigureKind::Parts`] is selected.
pub(crate) fn lists(table: &Table, selection: &Selected<'_>) -> bool {
    selection.children(&format!("{}Aggregate", table.name)).iter().any(|child| parts_of(table, child).is_some())
}

/// Returns the object type of a figure; none if the figure is a plain number or a list.
fn type_name(kind: FigureKind) -> Option<&'static str> {
    match kind {
        FigureKind::Date => Some("DateRange"),
        FigureKind::Moment => Some("MomentRange"),
        FigureKind::Number => Some("NumberSummary"),
        FigureKind::Count | FigureKind::Share | FigureKind::Parts(..) => None,
    }
}

/// Writes the members of the object of a figure.
fn summary<'a>(sql: &Sql<'_>, kind: FigureKind, of: &str, selection: &Selected<'a>) -> Vec<(&'a str, String)> {
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
