//! GraphQL selection → one SQL statement, for PostgreSQL and SQLite, from one description of each noun. What a noun is
//! called, its columns and its relations come from the caller (`noun!`); nothing here knows of regions or problems.
//!
//! A root field's way: `selection` flattens the query's syntax, `plan` walks it beside the noun's description and writes a
//! statement that builds the JSON in the database, `run` executes it, and `Planned` hands the bytes to async-graphql.

mod condition;
mod cursor;
mod noun;
mod page;
mod plan;
mod run;
mod schema;
mod selection;
mod sql;

pub use condition::{Condition, Filter, Member};
pub use noun::{Field, Kind, Link, Listed, Noun, Order, PageArguments, SortKey, SortType, Table};
pub use page::{DEFAULT_PAGE, MAX_PAGE};
pub use plan::{Root, Statement, plan};
pub use run::{Finishers, Run};
pub use schema::{
    Connection, Edge, FieldType, PageInfo, Planned, argument, field, object, page_arguments, paged,
    register_page_arguments,
};
pub use selection::Selection;
pub use sql::Sql;

/// Why a field cannot be planned: something the caller got wrong, said so that the caller can mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub String);

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}
