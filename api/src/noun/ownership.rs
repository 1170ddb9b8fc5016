//! Ownership (主责、共性): which regions own a problem, and which share it.

use async_graphql::{Context, Enum, ID, InputObject, Object};
use ledger::work::ownership;
use planner::{Kind, Noun, SortKey, SortType, noun};

use crate::context::Request;
use crate::noun::problem::{Problem, ProblemPayload};
use crate::noun::region::Region;
use crate::part::payload::key_of;

/// How a region stands to a problem.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::ownership::OwnershipKind")]
pub(crate) enum OwnershipKind {
    /// 主责: it owns the problem.
    Principal,
    /// 共性: it shares the problem with others.
    Shared,
}

noun! {
    /// How a region stands to a problem (主责、共性).
    pub(crate) Ownership from "ownership" {
        order: &[
            SortKey::column("{t}.kind", "kind", SortType::Text),
            SortKey::column("{t}.region_id", "region_id", SortType::Integer)
        ],
        total: None
    }
    /// How it stands to it.
    kind: OwnershipKind = Kind::Column("kind");
    /// The region.
    region: Region = Kind::One(<Region as Noun>::table, "region_id");
}

/// How a region stands to a problem.
#[derive(InputObject)]
pub(crate) struct SetOwnershipInput {
    /// The problem.
    problem_id: ID,
    /// The region: the caller's or one below.
    region_id: ID,
    /// How it stands to it; null takes away what was said.
    kind: Option<OwnershipKind>,
}

/// What is done about ownership.
#[derive(Default)]
pub(crate) struct OwnershipMutation;

#[Object]
impl OwnershipMutation {
    /// 主责、共性: says which region owns a problem and which share it. By the city or regional office.
    async fn set_ownership(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The problem, the region, and how it stands to it.")] input: SetOwnershipInput,
    ) -> async_graphql::Result<ProblemPayload> {
        let request = ctx.data::<Request>()?;
        let (problem, region) = (key_of::<Problem>(&input.problem_id), key_of::<Region>(&input.region_id));
        let done = ownership::set(&request.desk(), problem, region, input.kind.map(Into::into)).await;
        ProblemPayload::of(done, request)
    }
}
