//! The schema: the roots put together.

use async_graphql::{MergedObject, MergedSubscription, SDLExportOptions, Schema, SchemaBuilder};

use crate::account::AccountMutation;
use crate::accountability::AccountabilityMutation;
use crate::assignment::AssignmentMutation;
use crate::calendar::{CalendarMutation, CalendarQuery};
use crate::case::CaseMutation;
use crate::change::LedgerSubscription;
use crate::check::CheckMutation;
use crate::close_out::{CloseOutMutation, PublicNoticeQuery};
use crate::delegation::{DelegationMutation, DelegationQuery};
use crate::extension::ExtensionMutation;
use crate::identity::{IdentityMutation, IdentityQuery};
use crate::mail::MailMutation;
use crate::measure::MeasureMutation;
use crate::ownership::OwnershipMutation;
use crate::problem::ProblemMutation;
use crate::query::Reads;
use crate::region::RegionMutation;
use crate::round::RoundMutation;
use crate::schedule::ScheduleMutation;
use crate::sign_in::{SignInMutation, SignInQuery};
use crate::statistics::StatisticsQuery;
use crate::supervision::SupervisionMutation;
use crate::unit::UnitMutation;

/// Where reading begins.
#[derive(MergedObject, Default)]
pub(crate) struct Query(
    Reads,
    StatisticsQuery,
    SignInQuery,
    IdentityQuery,
    DelegationQuery,
    PublicNoticeQuery,
    CalendarQuery,
);

/// Where writing begins.
#[derive(MergedObject, Default)]
pub(crate) struct Mutation(
    AssignmentMutation,
    CheckMutation,
    CloseOutMutation,
    ExtensionMutation,
    SupervisionMutation,
    CaseMutation,
    AccountabilityMutation,
    OwnershipMutation,
    AccountMutation,
    SignInMutation,
    IdentityMutation,
    DelegationMutation,
    RoundMutation,
    ProblemMutation,
    MeasureMutation,
    RegionMutation,
    UnitMutation,
    ScheduleMutation,
    MailMutation,
    CalendarMutation,
);

/// Where watching begins.
#[derive(MergedSubscription, Default)]
pub(crate) struct Subscription(LedgerSubscription);

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
