//! The schema: the roots put together.

use std::borrow::Cow;
use std::pin::Pin;

use async_graphql::registry::{MetaType, Registry};
use async_graphql::{Context, MergedObject, Response, SDLExportOptions, Schema, SchemaBuilder, SubscriptionType};
use futures_util::Stream;

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

/// Where watching begins. The library's macros leave such a type without a description; this wrapper gives it one.
#[derive(Default)]
pub(crate) struct Subscription(LedgerSubscription);

impl SubscriptionType for Subscription {
    fn type_name() -> Cow<'static, str> {
        LedgerSubscription::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        let name = LedgerSubscription::create_type_info(registry);
        if let Some(MetaType::Object { description, .. }) = registry.types.get_mut(Self::type_name().as_ref()) {
            *description = Some("Where watching begins.".to_owned());
        }
        name
    }

    fn create_field_stream<'a>(
        &'a self,
        ctx: &'a Context<'_>,
    ) -> Option<Pin<Box<dyn Stream<Item = Response> + Send + 'a>>> {
        self.0.create_field_stream(ctx)
    }
}

pub(crate) type Ledger = Schema<Query, Mutation, Subscription>;

fn builder() -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
}

/// The schema, which shows itself and suggests names only with `introspection`.
pub(crate) fn schema(introspection: bool) -> Ledger {
    if introspection { builder() } else { builder().disable_introspection().disable_suggestions() }.finish()
}

/// The schema in its own language, as checked in at `api/schema.graphql`.
pub fn sdl() -> String {
    builder().finish().sdl_with_options(
        SDLExportOptions::new().include_specified_by().sorted_enum_items().prefer_single_line_descriptions(),
    )
}
