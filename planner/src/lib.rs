//! Compiles a GraphQL selection into one SQL statement, for PostgreSQL and SQLite, from a single description of each
//! noun. A noun is an object type of the schema that is backed by a table. The caller describes its name, columns and
//! relations with `noun!`; nothing in this crate depends on a particular noun such as a region or a problem.
//!
//! Each root field passes through four steps: `selection` flattens the syntax of the query; `plan` matches it against
//! the description of the noun and writes a statement that builds the JSON in the database; `run` executes the
//! statement; and `Planned` passes the resulting bytes to async-graphql unparsed.

mod condition;
mod cursor;
mod fold;
mod group;
mod noun;
mod page;
mod plan;
mod premise;
mod run;
mod schema;
mod search;
mod selection;
mod sight;
mod sql;

pub use condition::{Condition, Filter, Member};
pub use fold::normal;
pub use group::{DEFAULT_GROUPS, MAX_GROUPS};
pub use noun::{
    Dimension, Field, Figure, FigureKind, Kind, Link, Listed, Named, Noun, Order, PageArguments, SortKey, SortType,
    Table,
};
pub use page::{DEFAULT_PAGE, MAX_PAGE, page_size};
pub use plan::{Finish, Root, Statement, plan};
pub use premise::Premise;
pub use run::{Finisher, Freshness, Lane, Reader, Replica, Sent, Trouble, dear_places, is_lost, is_violation, trouble};
pub use schema::{
    Connection, Edge, FieldType, PageInfo, Planned, argument, field, object, page_arguments, register_page_arguments,
};
pub use search::{Indexed, MAX_KEYS, Texts, grams};
pub use selection::{Fragments, Given, Selected, Selection};
pub use sight::{Everything, Sight};
pub use sql::{Sql, if_held, numbered, together, together_holding};

/// A message to users, in Chinese and in English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bilingual {
    /// The message in Chinese.
    pub zh: String,
    /// The message in English.
    pub en: String,
}

impl Bilingual {
    /// Combines the Chinese and the English text of a message.
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }
}

/// Why a field cannot be planned: an error in the request, worded so that the caller can correct it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub Bilingual);

impl Refusal {
    fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self(Bilingual::new(zh, en))
    }

    /// Returns a refusal with the same text in both languages: it quotes the schema and needs no translation.
    fn plain(text: String) -> Self {
        Self(Bilingual { zh: text.clone(), en: text })
    }
}
