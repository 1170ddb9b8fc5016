//! The schema: the roots put together.

use async_graphql::{MergedObject, SDLExportOptions, Schema, SchemaBuilder};

use crate::assignment::AssignmentMutation;
use crate::change::LedgerSubscription;
use crate::query::Reads;
use crate::statistics::StatisticsQuery;

/// Where reading begins.
#[derive(MergedObject, Default)]
pub(crate) struct Query(Reads, StatisticsQuery);

/// Where writing begins.
#[derive(MergedObject, Default)]
pub(crate) struct Mutation(AssignmentMutation);

pub(crate) type Ledger = Schema<Query, Mutation, LedgerSubscription>;

fn builder() -> SchemaBuilder<Query, Mutation, LedgerSubscription> {
    Schema::build(Query::default(), Mutation::default(), LedgerSubscription)
}

/// The schema, which shows itself and suggests names only with `introspection`.
pub(crate) fn schema(introspection: bool) -> Ledger {
    if introspection { builder() } else { builder().disable_introspection().disable_suggestions() }.finish()
}

/// The schema in its own language, as checked in at `api/schema.graphql`.
pub fn sdl() -> String {
    builder().finish().sdl_with_options(SDLExportOptions::new().sorted_enum_items().prefer_single_line_descriptions())
}
