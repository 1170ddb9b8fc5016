//! The description of a noun: one list of fields, each with its GraphQL type, its description and its place in the
//! database. Both the schema and the SQL statements are generated from it. [`Table`] explains the placeholders in the
//! SQL snippets of a description: `{t}`, `{owner}`, `{sees:table:alias}` and `{}`.

use async_graphql::registry::Registry;
use sea_orm::Value;

use crate::sql::Sql;

/// An object type of the schema that is backed by a table. `noun!` implements it on a type without values: a noun is
/// described, and never instantiated.
pub trait Noun: Send + Sync + 'static {
    /// Returns the description of the noun.
    fn table() -> &'static Table;
}

/// A noun whose lists can be paged through.
pub trait Listed: Noun {
    /// The input type of the `filter` argument of its lists.
    type Filter: async_graphql::InputType + crate::Filter;
    /// The input type of the entries of the `orderBy` argument of its lists.
    type Order: async_graphql::InputType + Order;
}

/// One entry of the `orderBy` argument.
pub trait Order {
    /// Returns the key that rows are compared by.
    fn key(&self) -> SortKey;
    /// Returns whether the largest value comes first.
    fn descending(&self) -> bool;
}

/// An expression that rows are ordered by. It must never be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortKey {
    /// The SQL expression; `{t}` is the alias of the row.
    pub expression: &'static str,
    /// The column, if the expression is a plain column. A membership table that carries the column ([`crate::Member`])
    /// is then read in the order of its own index.
    pub column: Option<&'static str>,
    /// The type of its values, needed to read them back from a cursor.
    pub kind: SortType,
    /// Whether the largest value comes first. Applies only to the default order of a noun; `orderBy` gives its own
    /// direction.
    pub descending: bool,
}

/// The type of the values of a sort key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortType {
    /// A whole number of 64 bits.
    Integer,
    /// Text, compared as the database compares it.
    Text,
    /// A local date, `YYYY-MM-DD`.
    Date,
    /// A moment in UTC.
    Moment,
}

impl SortKey {
    /// Makes a key of a plain column, which must be declared `NOT NULL`.
    pub const fn column(template: &'static str, column: &'static str, kind: SortType) -> Self {
        Self { expression: template, column: Some(column), kind, descending: false }
    }

    /// Makes a key of an expression, which must never be null.
    pub const fn expression(template: &'static str, kind: SortType) -> Self {
        Self { expression: template, column: None, kind, descending: false }
    }

    /// Returns the key with the largest value first.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self { descending: true, ..self }
    }
}

/// The description of a noun, as `noun!` builds it.
///
/// # Placeholders in SQL snippets
///
/// The SQL in a description is a template. When the planner writes a statement, it replaces these placeholders:
///
/// - `{t}`: the alias of the row at hand, so `{t}.name` is the column `name` of that row. Allowed in
///   `SortKey::expression`, [`Dimension::key`], [`Dimension::spread`], [`Dimension::held`], [`Figure::expression`] and
///   [`crate::Condition::Matches`]. In
///   [`Link::Among`] it is the alias of the owner of the list, not of the rows in the list.
/// - `{owner}`: the alias of the row that owns the list, so `{owner}.id` is its key. Allowed only in [`Table::source`],
///   and only for a list that is linked by [`Link::Inside`].
/// - `{sees:table:alias}`: the condition under which the caller may see the row `alias` of `table`, as
///   [`crate::Sight::rows`] gives it for `table`, or `TRUE` if the caller may see every row. `{sees:table}` is short
///   for `{sees:table:table}`. Allowed in [`Table::source`], [`Link::Among`], [`Dimension::key`],
///   [`Dimension::spread`] and [`Dimension::held`], for lists and connections only; a row
///   that is read by its key ([`Kind::One`], [`crate::Root::One`], [`crate::Root::Several`]) takes the source as it is
///   written. For a source that is a subquery, the planner adds no condition of its own to plain lists, so the subquery
///   must mark every table that it reads. Also allowed in the `SortKey::expression` of a connection, so that it is not
///   ordered by what the caller may not see.
/// - `{rows}` and `{by}`: a query for the keys of the rows that are added up, and the columns by which they are
///   grouped, each followed by a comma. Allowed only in the [`Table::source`] of [`FigureKind::Parts`], which reads
///   `({rows}) l` and selects and groups by `{by}` first.
/// - `{fact:name}`: a named fact such as `{fact:today}`, at the places where `{sees:…}` is allowed and in
///   [`Figure::expression`].
/// - `{}`: one value, at each place where it occurs. In [`Named::name`] it is the expression of the group's key; in
///   [`crate::Member::total`], [`crate::Condition::Matches`] and [`crate::Condition::Among`] it is the placeholder of a
///   bound value, so the text of the statement does not depend on the value.
///
/// [`Table::total`] takes no placeholder. The functions in [`Kind::Expression`] and [`Kind::Finished`] receive the
/// alias as an argument instead.
pub struct Table {
    /// The name of the object type in the schema, such as `Measure`.
    pub name: &'static str,
    /// The description of the object type in the schema.
    pub description: &'static str,
    /// Where the rows are: the name of a table, or a subquery in parentheses. A subquery may refer to the owner of the
    /// list as `{owner}`, and must mark each table that it reads with `{sees:table:alias}`.
    pub source: &'static str,
    /// If the source is the union of several subqueries: these, if all rows of each come before those of the next in
    /// the default order. For those who see all of it, a page in that order is read part by part, until it is full.
    /// Empty for other sources.
    pub parts: &'static [&'static str],
    /// The prefix of global ids: `measure` in `measure_7`. None for rows without an identity of their own.
    pub prefix: Option<&'static str>,
    /// The order of the lists when `orderBy` is absent or empty.
    pub order: &'static [SortKey],
    /// A subquery that reads the stored number of all rows, if the number is stored. A null counts as 0.
    pub total: Option<&'static str>,
    /// The dimensions that lists can be grouped by.
    pub dimensions: &'static [Dimension],
    /// The figures that are aggregated over lists and groups, in addition to the number of rows.
    pub figures: &'static [Figure],
    /// The fields, in the order of the schema.
    pub fields: Vec<Field>,
}

/// A dimension that a list can be grouped by.
#[derive(Debug, Clone, Copy)]
pub struct Dimension {
    /// The name of the enum value in the schema, such as `LEAD_UNIT`.
    pub name: &'static str,
    /// The description of the enum value in the schema.
    pub description: &'static str,
    /// The SQL expression of the key that a row is grouped by; `{t}` is the alias of the row.
    pub key: &'static str,
    /// The noun that the key refers to; none if the key is a code or another plain value.
    pub of: Option<Named>,
    /// A join to rows that hold several keys of one row, such as the domains of a problem: the row then counts in each
    /// of these groups. `{j}` is the alias of the joined rows, also in `key`.
    pub spread: Option<&'static str>,
    /// The table of another row that holds the key, such as the unit of which it is the sector, and the condition by
    /// which it is found. `{j}` is the alias of that row, also in `key`.
    pub held: Option<(&'static str, &'static str)>,
}

/// A noun that the key of a group refers to.
#[derive(Debug, Clone, Copy)]
pub struct Named {
    /// The prefix of the global ids of the noun.
    pub prefix: &'static str,
    /// The table of the noun. If the caller may not see the row that a key refers to, the key is null.
    pub table: &'static str,
    /// A query, without parentheses, for the name of the row; `{}` is its key.
    pub name: &'static str,
    /// A query, without parentheses, for the official code of the row; `{}` is its key. None if there are no codes.
    pub code: Option<&'static str>,
}

impl Dimension {
    /// Makes a dimension whose key is a code or another plain value.
    pub const fn plain(name: &'static str, description: &'static str, key: &'static str) -> Self {
        Self { name, description, key, of: None, spread: None, held: None }
    }

    /// Makes a dimension whose key refers to a row of a noun.
    pub const fn of(name: &'static str, description: &'static str, key: &'static str, of: Named) -> Self {
        Self { name, description, key, of: Some(of), spread: None, held: None }
    }

    /// Makes a dimension in which a row has as many plain keys as the join `spread` finds rows for it.
    pub const fn spread(
        name: &'static str,
        description: &'static str,
        key: &'static str,
        spread: &'static str,
    ) -> Self {
        Self { name, description, key, of: None, spread: Some(spread), held: None }
    }

    /// Makes this dimension one whose key is held by the row of another table that satisfies a condition.
    #[must_use]
    pub const fn held_by(self, table: &'static str, condition: &'static str) -> Self {
        Self { held: Some((table, condition)), ..self }
    }
}

/// A figure that is aggregated over a list or a group.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// The name of the field in the schema, such as `dueOn`.
    pub name: &'static str,
    /// The description of the field in the schema.
    pub description: &'static str,
    /// The SQL expression to aggregate, a condition for [`FigureKind::Count`] and [`FigureKind::Share`]; `{t}` is the
    /// alias of the row.
    pub expression: &'static str,
    /// Which aggregates are offered.
    pub kind: FigureKind,
}

/// The aggregates of a figure.
#[derive(Debug, Clone, Copy)]
pub enum FigureKind {
    /// The earliest and the latest date.
    Date,
    /// The earliest and the latest moment.
    Moment,
    /// Sum, mean, minimum and maximum.
    Number,
    /// The number of rows that satisfy a condition.
    Count,
    /// The share of rows that satisfy a condition, from 0 to 1; null if there are no rows.
    Share,
    /// A list of objects that the rows add up to, such as one sum for each unit of measure. The source of their noun is
    /// a subquery over `{rows}`, and their fields are columns of it. The function registers the type of the list; the
    /// expression of the figure is not used.
    Parts(fn() -> &'static Table, fn(&mut Registry) -> String),
}

/// One field of a noun.
pub struct Field {
    /// The name of the field in the schema.
    pub name: &'static str,
    /// The description of the field in the schema.
    pub description: &'static str,
    /// Registers the type of the field and returns the type's name, with `!` if it is non-null.
    pub register: fn(&mut Registry) -> String,
    /// Registers the types of the field's arguments and returns the arguments.
    pub arguments: fn(&mut Registry) -> Vec<async_graphql::registry::MetaInputValue>,
    /// Where the value of the field comes from.
    pub kind: Kind,
}

/// Where the value of a field comes from.
pub enum Kind {
    /// The global id: the noun's prefix, an underscore and the row's key, as in `measure_7`.
    Id,
    /// A column of the row.
    Column(&'static str),
    /// A boolean column of the row.
    Boolean(&'static str),
    /// An SQL expression that the function writes for the row with the given alias.
    Expression(fn(&mut Sql<'_>, &str) -> String),
    /// A value that the program computes after the statement has run. The function writes the SQL expression of its
    /// input; the string is the name by which [`crate::Finisher`] knows the value.
    Finished(fn(&mut Sql<'_>, &str) -> String, &'static str),
    /// An object whose fields are columns of this row.
    Embedded(fn() -> &'static Table),
    /// The row of another noun whose key is in this column; null if the column is null or the row may not be seen.
    One(fn() -> &'static Table, &'static str),
    /// The first of the linked rows of another noun, in their default order; null if there is none.
    First(fn() -> &'static Table, Link),
    /// All linked rows of another noun as a plain list, in their default order.
    List(fn() -> &'static Table, Link),
    /// The linked rows of another noun as a connection, a page at a time.
    Many(fn() -> &'static Table, Link, PageArguments),
}

/// How the rows of a list belong to their owner.
#[derive(Debug, Clone, Copy)]
pub enum Link {
    /// The key of the owner is in this column of the row.
    Column(&'static str),
    /// The key of the owner is in this column of the row, and an owner has only a few such rows: a connection counts
    /// them in the query that reads the page, instead of in a second one.
    Part(&'static str),
    /// The source of the noun is a subquery that refers to the owner as `{owner}`.
    Inside,
    /// The key of the row is among those that this query over the owner `{t}` returns. They must be few. The query
    /// marks the tables that it reads with `{sees:table:alias}`.
    Among(&'static str),
}

impl Link {
    /// Returns whether an owner has only a few rows, so that they may be counted while they are read.
    pub(crate) fn is_few(self) -> bool {
        matches!(self, Self::Part(_) | Self::Among(_))
    }
}

/// Sort keys, most significant first, each with whether the largest value comes first.
pub(crate) type Sorting = Vec<(SortKey, bool)>;

/// How the arguments `filter` and `orderBy` of a connection are read; made by `page_arguments`.
#[derive(Clone, Copy)]
pub struct PageArguments {
    /// Turns the value of `filter` into a condition.
    pub(crate) filter: fn(Option<async_graphql::Value>) -> Result<crate::Condition, crate::Refusal>,
    /// Turns the value of `orderBy` into sort keys with their directions.
    pub(crate) order: fn(Option<async_graphql::Value>) -> Result<Sorting, crate::Refusal>,
}

impl Table {
    /// Returns the field with this name. Validation against the schema has made sure that it exists.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Returns the key in a global id, or none if the id has the prefix of another noun. A row has exactly one id, so
    /// `problem_07` is refused: it is not the id of the row 7.
    pub fn key(&self, id: &str) -> Option<Value> {
        let digits = id.strip_prefix(self.prefix?)?.strip_prefix('_')?;
        let key: i64 = digits.parse().ok()?;
        (key.to_string() == digits).then(|| key.into())
    }
}
