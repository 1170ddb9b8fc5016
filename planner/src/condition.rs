//! Conditions on rows: what a filter requires, independent of the database, and how it is written as SQL.

use sea_orm::Value;

use crate::Refusal;
use crate::search::Texts;
use crate::sql::Sql;

/// The deepest nesting of relations in a condition. Each level multiplies the rows that the database examines.
const MAX_RELATIONS: usize = 6;

/// The most text searches in a condition. Each one may scan the text of every row.
const MAX_WORDS: usize = 32;

/// The most characters of a word that is searched for. Each other form of a character is replaced in every text.
const MAX_LETTERS: usize = 200;

/// A condition that a row must satisfy. Columns are named without their table; the planner adds the alias.
#[derive(Debug, Clone)]
pub enum Condition {
    /// All of the conditions are true. An empty list is true.
    All(Vec<Condition>),
    /// At least one of the conditions is true. An empty list is false.
    Any(Vec<Condition>),
    /// The condition is not true: SQL's unknown counts as false, so its negation is true.
    Not(Box<Condition>),
    /// The column compares to the value by the operator: one of `=`, `<>`, `<`, `<=`, `>`, `>=`.
    Compare(&'static str, &'static str, Value),
    /// The column equals one of the values. An empty list is false.
    In(&'static str, Vec<Value>),
    /// The column is null (`true`) or is not null (`false`).
    Null(&'static str, bool),
    /// At least one of the columns contains the text, in the normal form of searches: regardless of case, width, and
    /// whether characters are traditional.
    Contains(Texts, String),
    /// The column begins with the text, compared exactly.
    StartsWith(&'static str, String),
    /// A membership table lists the row.
    Member(Member),
    /// An SQL expression is true. `{t}` is the alias of the row, and `{}` the bound value.
    Matches(&'static str, Value),
    /// The column `region_id` refers to the region with this key, or to one below it.
    Within(Value),
    /// The key of the row is among those that the queries return, in each of which `{}` is its bound value. The keys
    /// should be few: the database finds them once, before it looks at the rows. An empty list is false.
    Among(Vec<(&'static str, Value)>),
    /// At least one of the conditions is true of the row of this table. The database finds the rows of each condition
    /// by itself, before it looks at others, so each should hold for few rows.
    Union(&'static str, Vec<Condition>),
    /// The SQL expression that the function writes for the row is true (`true`), or is false or unknown (`false`).
    Holds(fn(&mut Sql<'_>, &str) -> String, bool),
    /// The SQL expression that the function writes for the row equals one of the values; a null counts as an empty
    /// text. An empty list is false.
    Reckons(fn(&mut Sql<'_>, &str) -> String, Vec<Value>),
    /// The SQL condition that the function writes for the row with these values is true.
    Written(fn(&mut Sql<'_>, &str, &[Value]) -> String, Vec<Value>),
    /// The column refers to a row of another table that the caller may see and whose key is one of these: table,
    /// column, keys.
    Refers(&'static str, &'static str, Vec<Value>),
    /// The column refers to no row of another table that the caller may see (`true`), or to one (`false`): table,
    /// column.
    Lacks(&'static str, &'static str, bool),
    /// Another table has a row that the caller may see, whose `column` equals this row's `key`, and that satisfies the
    /// condition.
    Exists {
        /// The other table.
        table: &'static str,
        /// The column of the other table.
        column: &'static str,
        /// The column of this row.
        key: &'static str,
        /// The condition on the row of the other table.
        condition: Box<Condition>,
    },
}

/// Membership in a list that another table stores in order, such as the problems that concern a region.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The membership table, which stores the lists.
    pub table: &'static str,
    /// The column of the membership table that identifies the list.
    pub list: &'static str,
    /// The value of that column for the wanted list.
    pub value: Value,
    /// The column of the membership table that has the key of the listed row.
    pub row: &'static str,
    /// The columns of the row that the membership table repeats, so that its own index can serve an order by them.
    pub carries: &'static [&'static str],
    /// A query for the stored length of the list, in which `{}` is the value of `list`.
    pub total: &'static str,
}

/// A filter input type of the schema.
pub trait Filter {
    /// Returns the condition that a row must satisfy.
    fn condition(&self) -> Condition;
}

impl Condition {
    /// Returns the condition that every row satisfies.
    pub fn always() -> Self {
        Self::All(Vec::new())
    }

    /// Returns the condition that no row satisfies.
    pub fn never() -> Self {
        Self::Any(Vec::new())
    }

    /// Returns the conjunction of both conditions.
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

    /// Splits one membership off the top-level conjunction and returns it with the remaining condition. The planner
    /// reads the rows from the list of that membership.
    pub(crate) fn split_member(self) -> (Option<Member>, Self) {
        match self {
            Self::Member(member) => (Some(member), Self::always()),
            Self::All(mut all) => {
                // Nested conjunctions are searched too, so that nesting does not hide the list.
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

    /// Returns the condition with less to check where one of its parts names a region that is the whole nation: every
    /// row that has a region is within it.
    #[must_use]
    pub(crate) fn in_nation(self, is_nation: &impl Fn(&Value) -> bool) -> Self {
        match self {
            Self::Within(region) if is_nation(&region) => Self::Null("region_id", false),
            Self::All(all) => Self::All(all.into_iter().map(|one| one.in_nation(is_nation)).collect()),
            other => other,
        }
    }

    /// Returns the search that the condition is, if it is one and nothing else: where it looks, and for which word.
    pub(crate) fn only_search(&self) -> Option<(&Texts, &str)> {
        match self {
            Self::Contains(texts, word) => Some((texts, word)),
            Self::All(all) => {
                let mut others = all.iter().filter(|one| !one.is_always());
                let only = others.next()?;
                if others.next().is_none() { only.only_search() } else { None }
            }
            _ => None,
        }
    }

    /// Returns whether every row satisfies the condition, as far as its structure tells.
    pub fn is_always(&self) -> bool {
        match self {
            Self::All(all) => all.iter().all(Self::is_always),
            Self::Any(any) | Self::Union(_, any) => any.iter().any(Self::is_always),
            _ => false,
        }
    }

    /// Refuses a condition that would cost the database too much, whatever it is a part of: one that a caller has
    /// written has to be checked.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.relations() > MAX_RELATIONS {
            return Err(Refusal::new(
                format!("筛选条件的关联超过 {MAX_RELATIONS} 层，请简化"),
                format!("the filter nests relations more than {MAX_RELATIONS} levels deep: simplify it"),
            ));
        }
        let words = self.words();
        if words.len() > MAX_WORDS {
            return Err(Refusal::new(
                format!("检索词超过 {MAX_WORDS} 个，请精简"),
                format!("the filter has more than {MAX_WORDS} text searches: use fewer"),
            ));
        }
        if words.iter().any(|word| word.chars().count() > MAX_LETTERS) {
            return Err(Refusal::new(
                format!("检索词超过 {MAX_LETTERS} 个字，请缩短"),
                format!("a word that is searched for has more than {MAX_LETTERS} characters: use a shorter one"),
            ));
        }
        Ok(())
    }

    /// Returns how many relations the condition follows at its deepest nesting.
    fn relations(&self) -> usize {
        match self {
            Self::All(list) | Self::Any(list) | Self::Union(_, list) => {
                list.iter().map(Self::relations).max().unwrap_or(0)
            }
            Self::Not(inner) => inner.relations(),
            Self::Exists { condition, .. } => condition.relations() + 1,
            _ => 0,
        }
    }

    /// Returns the words that the condition searches texts for.
    fn words(&self) -> Vec<&str> {
        match self {
            Self::All(list) | Self::Any(list) | Self::Union(_, list) => list.iter().flat_map(Self::words).collect(),
            Self::Not(inner) => inner.words(),
            Self::Exists { condition, .. } => condition.words(),
            Self::Contains(_, word) => vec![word],
            _ => Vec::new(),
        }
    }

    /// Writes the condition for the row `alias` as an SQL expression.
    pub fn to_sql(&self, sql: &mut Sql<'_>, alias: &str) -> String {
        match self {
            // Return before binding anything: a bound value without a place in the text breaks the statement.
            _ if self.is_always() => "TRUE".to_owned(),
            Self::All(all) => Self::join(all, sql, alias, " AND "),
            Self::Any(any) if any.is_empty() => "FALSE".to_owned(),
            Self::Any(any) => Self::join(any, sql, alias, " OR "),
            Self::Not(inner) => {
                // A row that is written after the index was read would be missing from it, and so satisfy the negation.
                let inner = sql.widely(|sql| inner.to_sql(sql, alias));
                format!("NOT coalesce({inner}, FALSE)")
            }
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
            Self::Contains(texts, text) => {
                let narrowed = sql.narrowed_by(texts, text, alias);
                let word = sql.word(text);
                let any: Vec<String> =
                    texts.columns.iter().map(|column| sql.contains(&format!("{alias}.{column}"), &word)).collect();
                format!("({narrowed}({}))", any.join(" OR "))
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
            Self::Within(region) => {
                let region = sql.bind(region.clone());
                format!(
                    "{alias}.region_id IN (SELECT below.id FROM region top \
                     JOIN region below ON substr(below.path, 1, length(top.path)) = top.path WHERE top.id = {region})"
                )
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
            Self::Union(_, any) if any.is_empty() => "FALSE".to_owned(),
            Self::Union(table, any) => {
                let found = sql.alias();
                let query =
                    |one: &Self| format!("SELECT {found}.id FROM {table} {found} WHERE {}", one.to_sql(sql, &found));
                let queries: Vec<String> = any.iter().map(query).collect();
                format!("{alias}.id IN ({})", queries.join(" UNION ALL "))
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
            Self::Written(write, values) => write(sql, alias, values),
            Self::Refers(table, column, keys) => {
                let among = Self::In(column, keys.clone()).to_sql(sql, alias);
                match seen_through(sql, table, column, alias) {
                    Some(seen) => format!("({among} AND {seen})"),
                    None => among,
                }
            }
            Self::Lacks(table, column, wanted) => lacks(sql, table, column, *wanted, alias),
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

/// The most operands of an `AND` or `OR` in one pair of brackets. A flat chain of 1,000 operands parses as a tree 1,000
/// levels deep, which SQLite refuses.
const BRACKETED: usize = 64;

fn joined(parts: &[String], operator: &str) -> String {
    if parts.len() <= BRACKETED {
        return parts.join(operator);
    }
    let size = parts.len().div_ceil(BRACKETED);
    let bracketed: Vec<String> = parts.chunks(size).map(|part| format!("({})", joined(part, operator))).collect();
    bracketed.join(operator)
}

/// Writes the condition that the caller may see the row that a column refers to; none if every row may be seen.
fn seen_through(sql: &mut Sql<'_>, table: &str, column: &str, alias: &str) -> Option<String> {
    let other = sql.alias();
    let seen = sql.seen(table, &other)?;
    Some(format!("EXISTS (SELECT 1 FROM {table} {other} WHERE {other}.id = {alias}.{column} AND {seen})"))
}

/// Writes the condition that a column refers to no row that the caller may see, or, unless `wanted`, to one.
fn lacks(sql: &mut Sql<'_>, table: &str, column: &str, wanted: bool, alias: &str) -> String {
    match (seen_through(sql, table, column, alias), wanted) {
        (None, true) => format!("{alias}.{column} IS NULL"),
        (None, false) => format!("{alias}.{column} IS NOT NULL"),
        // PostgreSQL would make a join of a bare NOT EXISTS, misjudge how many rows are left, and read the whole table
        // in order to fill the page.
        (Some(seen), true) => format!("NOT coalesce({seen}, FALSE)"),
        (Some(seen), false) => seen,
    }
}
