//! The schema: the roots put together, with the limits that every request keeps.

use async_graphql::{EmptySubscription, MergedObject, SDLExportOptions, Schema, SchemaBuilder};

use crate::assignment::AssignmentMutation;
use crate::query::Reads;
use crate::statistics::StatisticsQuery;

/// How deep a query may nest.
const MAX_DEPTH: usize = 15;
/// How many values a query may ask for: every field counts once for each row that its pages may hold.
const MAX_COMPLEXITY: usize = 1_000_000;
/// How many directives one field may bear.
const MAX_DIRECTIVES: usize = 10;

/// Where reading begins.
#[derive(MergedObject, Default)]
pub(crate) struct Query(Reads, StatisticsQuery);

/// Where writing begins.
#[derive(MergedObject, Default)]
pub(crate) struct Mutation(AssignmentMutation);

pub(crate) type Ledger = Schema<Query, Mutation, EmptySubscription>;

fn builder() -> SchemaBuilder<Query, Mutation, EmptySubscription> {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
}

pub(crate) fn schema() -> Ledger {
    builder().limit_depth(MAX_DEPTH).limit_complexity(MAX_COMPLEXITY).limit_directives(MAX_DIRECTIVES).finish()
}

/// The schema in its own language, as checked in at `api/schema.graphql`.
pub fn sdl() -> String {
    builder().finish().sdl_with_options(SDLExportOptions::new().sorted_enum_items().prefer_single_line_descriptions())
}
