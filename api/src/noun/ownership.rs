//! Ownership (主责、共性) of problems: which region owns a problem, and which regions share it.

use async_graphql::{Context, Enum, ID, InputObject, Object};
use ledger::work::ownership;
use planner::{Kind, Noun, SortKey, SortType, noun};

use crate::context::Request;
use crate::noun::problem::{Problem, ProblemPayload};
use crate::noun::region::{Region, RegionFilter};
use crate::part::filter::{RelationFilter, filter, one_of};
use crate::part::payload::key_of;

/// Kind of a region's ownership of a problem.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::ownership::OwnershipKind")]
pub(crate) enum OwnershipKind {
    /// 主责 · The region owns the problem and is principally responsible for it.
    Principal,
    /// 共性 · The region shares the problem with other regions.
    Shared,
}

noun! {
    /// A region's ownership of a problem (主责、共性).
    pub(crate) Ownership from "ownership" {
        order: &[
            SortKey::column("{t}.kind", "kind", SortType::Text),
            SortKey::column("{t}.region_id", "region_id", SortType::Integer)
        ],
        total: None
    }
    /// Whether the region owns the problem or shares it.
    kind: OwnershipKind = Kind::Column("kind");
    /// Region (行政区) that owns or shares the problem.
    region: Region = Kind::One(<Region as Noun>::table, "region_id");
}

filter! {
    /// Condition on a region's ownership of a problem (主责、共性).
    OwnershipFilter {
        /// The region owns the problem (`PRINCIPAL`) or shares it (`SHARED`).
        kind: Vec<OwnershipKind> = |kinds| one_of::<_, entity::ownership::OwnershipKind>("kind", kinds),
        /// Condition on the region that owns or shares the problem.
        region: RelationFilter<RegionFilter> =
            |region| region.condition("region_id", <Region as planner::Noun>::table()),
    }
}

/// Input of `setOwnership`: a region's ownership of a problem (主责、共性).
#[derive(InputObject)]
pub(crate) struct SetOwnershipInput {
    /// Global id of the problem that is owned or shared.
    problem_id: ID,
    /// Global id of the region: the caller's own, or one below it.
    region_id: ID,
    /// Whether the region owns the problem or shares it; null removes the region's ownership.
    kind: Option<OwnershipKind>,
}

/// Mutations on the ownership of problems.
#[derive(Default)]
pub(crate) struct OwnershipMutation;

#[Object]
impl OwnershipMutation {
    /// Sets whether a region owns a problem or shares it with others (主责、共性), or removes its ownership. Restricted
    /// to the city and regional offices.
    async fn set_ownership(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Problem, region and kind of ownership.")] input: SetOwnershipInput,
    ) -> async_graphql::Result<ProblemPayload> {
        let request = ctx.data::<Request>()?;
        let (problem, region) = (key_of::<Problem>(&input.problem_id), key_of::<Region>(&input.region_id));
        let done = ownership::set(&request.acting(), problem, region, input.kind.map(Into::into)).await;
        ProblemPayload::of(done, request)
    }
}
