//! The description of a noun: one list of fields, each with its GraphQL type, its words and its place in the database, from
//! which both the schema and the statements are made.

use async_graphql::registry::Registry;
use sea_orm::Value;

use crate::sql::Sql;

/// Something that the API speaks of. Implemented by `noun!` on a type without values: a noun is only ever described.
pub trait Noun: Send + Sync + 'static {
    /// The description.
    fn table() -> &'static Table;
}

/// A noun that is paged through.
pub trait Listed: Noun {
    /// What its lists are filtered by.
    type Filter: async_graphql::InputType + crate::Filter;
    /// What its lists are ordered by.
    type Order: async_graphql::InputType + Order;
}

/// One entry of `orderBy`.
pub trait Order {
    /// What to compare.
    fn key(&self) -> SortKey;
    /// Largest first.
    fn descending(&self) -> bool;
}

/// A never-null expression that rows are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortKey {
    /// The expression over `{t}`.
    pub expression: &'static str,
    /// The column, where the expression is just one: a list that carries it is walked in its own order.
    pub column: Option<&'static str>,
    /// How its values are read back from a cursor.
    pub kind: SortType,
    /// In a noun's own order: largest first.
    pub descending: bool,
}

/// The type of a sort key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortType {
    /// A number.
    Integer,
    /// Text.
    Text,
    /// A local date.
    Date,
    /// A moment.
    Moment,
}

impl SortKey {
    /// A key that is just a column, declared NOT NULL.
    pub const fn column(template: &'static str, column: &'static str, kind: SortType) -> Self {
        Self { expression: template, column: Some(column), kind, descending: false }
    }

    /// A key that is an expression, never null.
    pub const fn expression(template: &'static str, kind: SortType) -> Self {
        Self { expression: template, column: None, kind, descending: false }
    }

    /// The same key, largest first.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self { descending: true, ..self }
    }
}

/// The description of a noun.
pub struct Table {
    /// Its name in the schema.
    pub name: &'static str,
    /// What it is, in the schema's words.
    pub description: &'static str,
    /// Where its rows are: a table's name, or a subquery in parentheses, which may be over its owner `{owner}` and marks
    /// each table that it reads with what may be seen of it: `{sees:table:alias}`.
    pub source: &'static str,
    /// What its global ids begin with; none for rows that have no identity of their own.
    pub prefix: Option<&'static str>,
    /// The order of its lists when the caller asks for none.
    pub order: &'static [SortKey],
    /// The kept number of all rows, as a subquery, where one is kept.
    pub total: Option<&'static str>,
    /// What its lists can be grouped by.
    pub dimensions: &'static [Dimension],
    /// What is reckoned over its lists and groups, beside their count.
    pub figures: &'static [Figure],
    /// Its fields, in the schema's order.
    pub fields: Vec<Field>,
}

/// Something that a list can be grouped by.
#[derive(Debug, Clone, Copy)]
pub struct Dimension {
    /// Its name in the schema: `LEAD_UNIT`.
    pub name: &'static str,
    /// What it is, in the schema's words.
    pub description: &'static str,
    /// The key of a row `{t}`.
    pub key: &'static str,
    /// Where the key is another noun's: which.
    pub of: Option<Named>,
}

/// Another noun, as a group's key names it.
#[derive(Debug, Clone, Copy)]
pub struct Named {
    /// The prefix of its global ids.
    pub prefix: &'static str,
    /// Its table: a row that may not be seen is no key.
    pub table: &'static str,
    /// Its name as a subquery with the key at `{}`.
    pub name: &'static str,
}

impl Dimension {
    /// Grouping by a code or another plain value.
    pub const fn plain(name: &'static str, description: &'static str, key: &'static str) -> Self {
        Self { name, description, key, of: None }
    }
}

/// Something that is reckoned over a list.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// Its name in the schema.
    pub name: &'static str,
    /// What it is, in the schema's words.
    pub description: &'static str,
    /// What is reckoned of a row `{t}`.
    pub expression: &'static str,
    /// How.
    pub kind: FigureKind,
}

/// How a figure is reckoned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FigureKind {
    /// The earliest and the latest date.
    Date,
    /// The earliest and the latest moment.
    Moment,
    /// Sum, average, least and greatest.
    Number,
}

/// One field of a noun.
pub struct Field {
    /// Its name in the schema.
    pub name: &'static str,
    /// What it is, in the schema's words.
    pub description: &'static str,
    /// Registers its type and returns its name.
    pub register: fn(&mut Registry) -> String,
    /// Registers its arguments.
    pub arguments: fn(&mut Registry) -> Vec<async_graphql::registry::MetaInputValue>,
    /// Where its value comes from.
    pub kind: Kind,
}

/// Where a field's value comes from.
pub enum Kind {
    /// The global id: the noun's prefix and the row's key.
    Id,
    /// A column.
    Column(&'static str),
    /// A boolean column.
    Boolean(&'static str),
    /// An expression over the row `{t}`, written by the function for the given alias.
    Expression(fn(&mut Sql<'_>, &str) -> String),
    /// Columns that a function of the program turns into the value after the statement ran: the expression and the
    /// function's name.
    Finished(fn(&mut Sql<'_>, &str) -> String, &'static str),
    /// Fields of the same row under a name of their own.
    Embedded(fn() -> &'static Table),
    /// The row of another noun whose key is in this column.
    One(fn() -> &'static Table, &'static str),
    /// The first of another noun's rows, in their default order.
    First(fn() -> &'static Table, Link),
    /// A plain list of another noun's rows, in their default order.
    List(fn() -> &'static Table, Link),
    /// A connection to another noun's rows.
    Many(fn() -> &'static Table, Link, PageArguments),
}

/// How the rows of a list belong to their owner.
#[derive(Debug, Clone, Copy)]
pub enum Link {
    /// The row's column holds the owner's key.
    Column(&'static str),
    /// The same for the owner's parts: they are few, so they are counted as they are read.
    Part(&'static str),
    /// The noun's source is itself a subquery over its owner, which it calls `{owner}`.
    Inside,
    /// The row's key is among those, a few, that a subquery over the owner `{t}` gives; it marks what it reads like a source.
    Among(&'static str),
}

impl Link {
    /// Whether the rows are few.
    pub(crate) fn is_few(self) -> bool {
        matches!(self, Self::Part(_) | Self::Among(_))
    }
}

/// Sort keys, the most important first, each with whether the largest comes first.
pub(crate) type Sorting = Vec<(SortKey, bool)>;

/// Reads `filter` and `orderBy` of a connection; made by `page_arguments`.
#[derive(Clone, Copy)]
pub struct PageArguments {
    /// The filter as a condition.
    pub(crate) filter: fn(Option<async_graphql::Value>) -> Result<crate::Condition, crate::Refusal>,
    /// The order as keys with their direction.
    pub(crate) order: fn(Option<async_graphql::Value>) -> Result<Sorting, crate::Refusal>,
}

impl Table {
    /// The field of a name; the schema has validated that it exists.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The key in a global id, unless the id is some other noun's. A row has one id: `problem_07` is nobody's.
    pub fn key(&self, id: &str) -> Option<Value> {
        let digits = id.strip_prefix(self.prefix?)?.strip_prefix('_')?;
        let key: i64 = digits.parse().ok()?;
        (key.to_string() == digits).then(|| key.into())
    }
}
