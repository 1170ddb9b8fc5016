//! GraphQL selection → one SQL statement, for PostgreSQL and SQLite, from one description of each noun. What a noun is
//! called, its columns and its relations come from the caller (`noun!`); nothing here knows of regions or problems.
//!
//! A root field's way: `selection` flattens the query's syntax, `plan` walks it beside the noun's description and writes a
//! statement that builds the JSON in the database, `run` executes it, and `Planned` hands the bytes to async-graphql.

mod condition;
mod cursor;
mod group;
mod noun;
mod page;
mod plan;
mod run;
mod schema;
mod selection;
mod sight;
mod sql;

pub use condition::{Condition, Filter, Member};
pub use group::{DEFAULT_GROUPS, MAX_GROUPS};
pub use noun::{
    Dimension, Field, Figure, FigureKind, Kind, Link, Listed, Named, Noun, Order, PageArguments, SortKey, SortType,
    Table,
};
pub use page::{DEFAULT_PAGE, MAX_PAGE, page_size};
pub use plan::{Root, Statement, plan};
pub use run::{Finishers, Reader, Trouble, trouble};
pub use schema::{
    Connection, Edge, FieldType, PageInfo, Planned, argument, field, object, page_arguments, register_page_arguments,
};
pub use selection::{Fragments, Given, Selected, Selection};
pub use sight::{Everything, Sight};
pub use sql::{Sql, together};

/// A message for people, in Chinese and in English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bilingual {
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}

impl Bilingual {
    /// The same message in both languages.
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }
}

/// Why a field cannot be planned: something the caller got wrong, said so that the caller can mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub Bilingual);

impl Refusal {
    fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self(Bilingual::new(zh, en))
    }

    /// A refusal that names a part of the schema and needs no translation.
    fn plain(text: String) -> Self {
        Self(Bilingual { zh: text.clone(), en: text })
    }
}
