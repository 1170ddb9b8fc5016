//! Conditions: what a filter asks of a row, free of any database, and how it becomes SQL.

use sea_orm::Value;

use crate::sql::Sql;

/// What a row must satisfy. Columns are named without their table; the planner adds the alias.
#[derive(Debug, Clone)]
pub enum Condition {
    /// Every one holds; an empty list always does.
    All(Vec<Condition>),
    /// At least one holds; an empty list never does.
    Any(Vec<Condition>),
    /// The other does not hold, where unknown counts as not holding.
    Not(Box<Condition>),
    /// `column operator value`, the operator one of `=`, `<>`, `<`, `<=`, `>`, `>=`.
    Compare(&'static str, &'static str, Value),
    /// The column equals one of the values; none of an empty list.
    In(&'static str, Vec<Value>),
    /// The column is absent, or (false) present.
    Null(&'static str, bool),
    /// One of the columns contains the text, letter case aside.
    Contains(&'static [&'static str], String),
    /// The column begins with the text.
    StartsWith(&'static str, String),
    /// The row is listed in a membership table.
    Member(Member),
    /// An expression of the caller's over `{t}`, with one value at `{}`.
    Matches(&'static str, Value),
    /// The row's key is among those that these queries give, each with its value at `{}`: a few, found once.
    Among(Vec<(&'static str, Value)>),
    /// What the function writes over the row holds, or (false) does not.
    Holds(fn(&mut Sql<'_>, &str) -> String, bool),
    /// What the function writes over the row is one of the values.
    Reckons(fn(&mut Sql<'_>, &str) -> String, Vec<Value>),
    /// The column refers to a row of another table that may be seen: to one of these keys.
    Refers(&'static str, &'static str, Vec<Value>),
    /// The column refers to no row of another table that may be seen, or (false) to one.
    Lacks(&'static str, &'static str, bool),
    /// A row of another table that may be seen, whose `column` equals this row's `key`, satisfies the condition.
    Exists {
        /// The other table.
        table: &'static str,
        /// Its column.
        column: &'static str,
        /// This row's column.
        key: &'static str,
        /// What it must satisfy.
        condition: Box<Condition>,
    },
}

/// Membership in a list that another table keeps in order, such as the problems that concern a region.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The table that keeps the list.
    pub table: &'static str,
    /// Its column that names the list.
    pub list: &'static str,
    /// Which list.
    pub value: Value,
    /// Its column that names the row.
    pub row: &'static str,
    /// Columns that it repeats from the row, so that an order by them is an order of its key.
    pub carries: &'static [&'static str],
    /// The kept length of the list: a subquery with the list at `{}`.
    pub total: &'static str,
}

/// A typed filter of the schema.
pub trait Filter {
    /// What it asks of a row.
    fn condition(&self) -> Condition;
}

impl Condition {
    /// No demand at all.
    pub fn always() -> Self {
        Self::All(Vec::new())
    }

    /// No row satisfies this.
    pub fn never() -> Self {
        Self::Any(Vec::new())
    }

    /// Both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All(mut all), Self::All(more)) => {
                all.extend(more);
                Self::All(all)
            }
            (Self::All(mut all), one) => {
                all.push(one);
                Self::All(all)
            }
            (one, Self::All(mut all)) => {
                all.insert(0, one);
                Self::All(all)
            }
            (one, other) => Self::All(vec![one, other]),
        }
    }

    /// Takes one membership out of the top level, to be the list that is walked, and leaves the rest.
    pub(crate) fn split_member(self) -> (Option<Member>, Self) {
        match self {
            Self::Member(member) => (Some(member), Self::always()),
            Self::All(mut all) => {
                // Conditions that wrap a single one are unwrapped, so that nesting does not hide the list.
                for position in 0..all.len() {
                    if matches!(all[position], Self::Member(_) | Self::All(_)) {
                        let (member, rest) = all.remove(position).split_member();
                        all.insert(position, rest);
                        if member.is_some() {
                            return (member, Self::All(all));
                        }
                    }
                }
                (None, Self::All(all))
            }
            other => (None, other),
        }
    }

    /// Whether it demands nothing.
    pub fn is_always(&self) -> bool {
        match self {
            Self::All(all) => all.iter().all(Self::is_always),
            Self::Any(any) => any.iter().any(Self::is_always),
            _ => false,
        }
    }

    /// How many relations it follows, one within the other.
    pub(crate) fn relations(&self) -> usize {
        match self {
            Self::All(list) | Self::Any(list) => list.iter().map(Self::relations).max().unwrap_or(0),
            Self::Not(inner) => inner.relations(),
            Self::Exists { condition, .. } => condition.relations() + 1,
            _ => 0,
        }
    }

    /// How many texts it looks for.
    pub(crate) fn searches(&self) -> usize {
        match self {
            Self::All(list) | Self::Any(list) => list.iter().map(Self::searches).sum(),
            Self::Not(inner) => inner.searches(),
            Self::Exists { condition, .. } => condition.searches(),
            Self::Contains(..) => 1,
            _ => 0,
        }
    }

    /// The condition over the row `alias`.
    pub fn to_sql(&self, sql: &mut Sql<'_>, alias: &str) -> String {
        match self {
            // Nothing is bound for what is not written.
            _ if self.is_always() => "TRUE".to_owned(),
            Self::All(all) => Self::join(all, sql, alias, " AND "),
            Self::Any(any) if any.is_empty() => "FALSE".to_owned(),
            Self::Any(any) => Self::join(any, sql, alias, " OR "),
            Self::Not(inner) => format!("NOT coalesce({}, FALSE)", inner.to_sql(sql, alias)),
            Self::Compare(column, operator, value) => {
                let value = sql.bind(value.clone());
                format!("{alias}.{column} {operator} {value}")
            }
            Self::In(_, values) if values.is_empty() => "FALSE".to_owned(),
            Self::In(column, values) => {
                let values: Vec<String> = values.iter().map(|value| sql.bind(value.clone())).collect();
                format!("{alias}.{column} IN ({})", values.join(", "))
            }
            Self::Null(column, true) => format!("{alias}.{column} IS NULL"),
            Self::Null(column, false) => format!("{alias}.{column} IS NOT NULL"),
            Self::Contains(columns, text) => {
                let words = sql.bind(text.clone());
                let any: Vec<String> =
                    columns.iter().map(|column| sql.contains(&format!("{alias}.{column}"), &words)).collect();
                format!("({})", any.join(" OR "))
            }
            Self::StartsWith(column, text) => {
                let text = sql.bind(text.clone());
                format!("substr({alias}.{column}, 1, length({text})) = {text}")
            }
            Self::Member(member) => {
                let value = sql.bind(member.value.clone());
                let stands = format!(
                    "EXISTS (SELECT 1 FROM {table} listed WHERE listed.{list} = {value} AND listed.{row} = {alias}.id)",
                    table = member.table,
                    list = member.list,
                    row = member.row
                );
                let listed = sql.sight().lists(member);
                if listed.is_always() { stands } else { format!("({stands} AND {})", listed.to_sql(sql, alias)) }
            }
            Self::Matches(template, value) => {
                let value = sql.bind(value.clone());
                Sql::on(template, alias).replace("{}", &value)
            }
            Self::Among(queries) if queries.is_empty() => "FALSE".to_owned(),
            Self::Among(queries) => {
                let queries: Vec<String> = queries
                    .iter()
                    .map(|(query, value)| {
                        let value = sql.bind(value.clone());
                        query.replace("{}", &value)
                    })
                    .collect();
                format!("{alias}.id IN ({})", queries.join(" UNION "))
            }
            Self::Holds(write, wanted) => {
                let expression = write(sql, alias);
                if *wanted { format!("({expression})") } else { format!("NOT coalesce({expression}, FALSE)") }
            }
            Self::Reckons(_, values) if values.is_empty() => "FALSE".to_owned(),
            Self::Reckons(write, values) => {
                let expression = write(sql, alias);
                let values: Vec<String> = values.iter().map(|value| sql.bind(value.clone())).collect();
                format!("coalesce({expression}, '') IN ({})", values.join(", "))
            }
            Self::Refers(table, column, keys) => {
                let among = Self::In(column, keys.clone()).to_sql(sql, alias);
                match seen_through(sql, table, column, alias) {
                    Some(seen) => format!("({among} AND {seen})"),
                    None => among,
                }
            }
            Self::Lacks(table, column, wanted) => match (seen_through(sql, table, column, alias), wanted) {
                (None, true) => format!("{alias}.{column} IS NULL"),
                (None, false) => format!("{alias}.{column} IS NOT NULL"),
                (Some(seen), true) => format!("NOT {seen}"),
                (Some(seen), false) => seen,
            },
            Self::Exists { table, column, key, condition } => {
                let other = sql.alias();
                let mut parts = vec![format!("{other}.{column} = {alias}.{key}")];
                parts.extend((!condition.is_always()).then(|| condition.to_sql(sql, &other)));
                parts.extend(sql.seen(table, &other));
                format!("EXISTS (SELECT 1 FROM {table} {other} WHERE {})", parts.join(" AND "))
            }
        }
    }

    fn join(list: &[Self], sql: &mut Sql<'_>, alias: &str, operator: &str) -> String {
        let parts: Vec<String> = list.iter().filter(|one| !one.is_always()).map(|one| one.to_sql(sql, alias)).collect();
        match parts.as_slice() {
            [one] => one.clone(),
            _ => format!("({})", joined(&parts, operator)),
        }
    }
}

/// Parts in brackets of so many: a chain of a thousand is a tree a thousand deep, which SQLite refuses.
const BRACKETED: usize = 64;

fn joined(parts: &[String], operator: &str) -> String {
    if parts.len() <= BRACKETED {
        return parts.join(operator);
    }
    let size = parts.len().div_ceil(BRACKETED);
    let bracketed: Vec<String> = parts.chunks(size).map(|part| format!("({})", joined(part, operator))).collect();
    bracketed.join(operator)
}

/// Whether the row that a column refers to may be seen; none where all may.
fn seen_through(sql: &mut Sql<'_>, table: &str, column: &str, alias: &str) -> Option<String> {
    let other = sql.alias();
    let seen = sql.seen(table, &other)?;
    Some(format!("EXISTS (SELECT 1 FROM {table} {other} WHERE {other}.id = {alias}.{column} AND {seen})"))
}
