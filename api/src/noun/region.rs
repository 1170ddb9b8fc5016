//! Regions (行政区).

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object};
use ledger::keep::{merge, region as keep};
use planner::{Condition, Connection, Dimension, Kind, Link, Member, Named, Noun, SortKey, SortType, noun};
use sea_orm::Value;

use crate::context::Request;
use crate::noun::problem::Problem;
use crate::noun::unit::Unit;
use crate::part::filter::{RelationFilter, TextFilter, filter};
use crate::part::order::order;
use crate::part::patch::{clearable, patch};
use crate::part::payload::{key_of, payload};
use crate::part::scalar::Date;

/// How high a region stands.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::region::Level")]
pub(crate) enum RegionLevel {
    /// 全国
    Nation,
    /// 省、自治区、直辖市
    Province,
    /// 地级市、地区、自治州、盟
    Prefecture,
    /// 县、区、县级市、旗
    County,
    /// 乡、镇、街道
    Township,
}

const RANK: SortKey = SortKey::column("{t}.rank", "rank", SortType::Integer);
const CODE: SortKey = SortKey::expression("coalesce({t}.code, '999999999999')", SortType::Text);

const GROUPS: &[Dimension] = &[
    Dimension::plain("LEVEL", "How high they stand.", "{t}.level"),
    Dimension {
        name: "PARENT",
        description: "The division directly above.",
        key: "{t}.parent_id",
        of: Some(Named { prefix: "region", table: "region", name: "SELECT name FROM region WHERE id = {}" }),
    },
];

noun! {
    /// An administrative division (行政区): a tree from the nation down to townships.
    pub(crate) Region from "region" as "region" { order: &[RANK, CODE], total: None, filter: RegionFilter, by: RegionOrder, groups: GROUPS }
    /// The global id.
    id: ID = Kind::Id;
    /// The code of GB/T 2260; null for divisions of one's own that have none.
    code: Option<String> = Kind::Column("code");
    /// The name in full.
    name: String = Kind::Column("name");
    /// How high it stands.
    level: RegionLevel = Kind::Column("level");
    /// The division above; null for the nation.
    parent: Option<Region> = Kind::One(<Region as planner::Noun>::table, "parent_id");
    /// The divisions directly below.
    children(pages Region): Connection<Region> = Link::Column("parent_id");
    /// The units that belong to it.
    units(pages Unit): Connection<Unit> = Link::Column("region_id");
    /// The problems that it has issued.
    problems(pages Problem): Connection<Problem> = Link::Column("region_id");
    /// Since when there is no such region any more (撤销).
    retiredOn: Option<Date> = Kind::Column("retired_on");
    /// What it was merged into.
    mergedInto: Option<Region> = Kind::One(<Region as planner::Noun>::table, "merged_into_id");
    /// Grows with every change.
    version: i32 = Kind::Column("version");
}

order! { RegionOrder by RegionOrderField {
    /// How high it stands, the nation first.
    Level = RANK,
    /// The code; divisions without one come last.
    Code = CODE,
    /// The name.
    Name = SortKey::column("{t}.name", "name", SortType::Text),
} }

filter! {
    /// Demands on regions.
    RegionFilter {
        /// The code.
        code: TextFilter = |code| code.condition("code", &["code"]),
        /// The name.
        name: TextFilter = |name| name.condition("name", &["name"]),
        /// The division directly above.
        parent: RelationFilter<RegionFilter> = |parent| parent.condition("parent_id", <Region as planner::Noun>::table()),
        /// Whether it is retired.
        retired: bool = |retired| planner::Condition::Null("retired_on", !retired),
        /// How high it stands.
        level: Vec<RegionLevel> = |levels| planner::Condition::In(
            "rank",
            levels.iter().map(|level| ledger::region::rank((*level).into()).into()).collect(),
        ),
    }
}

/// A region to be added.
#[derive(InputObject)]
pub(crate) struct CreateRegionInput {
    /// The region above it.
    parent_id: ID,
    /// The name in full, at most 60 letters.
    name: String,
    /// Its code, 4 to 20 letters and digits, where it has one.
    code: Option<String>,
}

/// What is to become of a region. What is left out stays; null clears.
#[derive(InputObject)]
pub(crate) struct EditRegionInput {
    /// The region.
    region_id: ID,
    /// The version that the caller saw.
    version: i32,
    /// The name in full.
    name: MaybeUndefined<String>,
    /// Its code.
    code: MaybeUndefined<String>,
    /// The region above it (划转): everything in it moves along.
    parent_id: MaybeUndefined<ID>,
}

/// Two regions that become one.
#[derive(InputObject)]
pub(crate) struct MergeRegionsInput {
    /// The region that goes.
    region_id: ID,
    /// Its version that the caller saw.
    version: i32,
    /// The region that stays, of the same level.
    into_id: ID,
}

/// A region to be retired.
#[derive(InputObject)]
pub(crate) struct RetireRegionInput {
    /// The region.
    region_id: ID,
    /// The version that the caller saw.
    version: i32,
}

payload! {
    /// What came of an act on a region.
    RegionPayload {
        /// The region as it is now; null when nothing was done.
        region: Region,
        /// Why nothing was done; empty when it was.
        errors
    }
}

/// What is done to regions.
#[derive(Default)]
pub(crate) struct RegionMutation;

#[Object]
impl RegionMutation {
    /// Adds a region below another. By an administrator.
    async fn create_region(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The region.")] input: CreateRegionInput,
    ) -> async_graphql::Result<RegionPayload> {
        let request = ctx.data::<Request>()?;
        let new = keep::New { parent: key_of::<Region>(&input.parent_id), name: input.name, code: input.code };
        RegionPayload::of(keep::create(&request.desk(), new).await, request)
    }

    /// Renames a region or moves it below another, with everything in it: lists and figures move along. By an
    /// administrator.
    async fn edit_region(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to change.")] input: EditRegionInput,
    ) -> async_graphql::Result<RegionPayload> {
        let request = ctx.data::<Request>()?;
        let done = async {
            let changes = keep::Changes {
                name: patch(input.name, "name")?,
                code: clearable(input.code),
                parent: patch(input.parent_id.map_value(|id| key_of::<Region>(&id)), "parentId")?,
            };
            keep::edit(&request.desk(), key_of::<Region>(&input.region_id), input.version, changes).await
        };
        RegionPayload::of(done.await, request)
    }

    /// Merges a region into another of its level (撤并): what lies in it, its units, problems and people go over. By an
    /// administrator.
    async fn merge_regions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The two.")] input: MergeRegionsInput,
    ) -> async_graphql::Result<RegionPayload> {
        let request = ctx.data::<Request>()?;
        let [from, into] = [&input.region_id, &input.into_id].map(key_of::<Region>);
        RegionPayload::of(merge::regions(&request.desk(), from, input.version, into).await, request)
    }

    /// Retires a region in which nothing is left. By an administrator.
    async fn retire_region(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The region.")] input: RetireRegionInput,
    ) -> async_graphql::Result<RegionPayload> {
        let request = ctx.data::<Request>()?;
        let region = key_of::<Region>(&input.region_id);
        RegionPayload::of(keep::retire(&request.desk(), region, input.version).await, request)
    }
}

/// Demands on where something is.
#[derive(InputObject, Default)]
pub(crate) struct SubtreeFilter {
    /// It concerns this region or one below it: issued there, or answered there.
    pub(crate) within: Option<ID>,
}

impl SubtreeFilter {
    /// Over a noun whose regions' lists are kept in order.
    pub(crate) fn listed(&self, list: fn(Value) -> Member) -> Condition {
        self.condition(|value| Condition::Member(list(value)))
    }

    /// Over a noun with a region of its own.
    pub(crate) fn below(&self) -> Condition {
        self.condition(|value| {
            Condition::Matches(
                "{t}.region_id IN (SELECT below.id FROM region top \
                 JOIN region below ON substr(below.path, 1, length(top.path)) = top.path WHERE top.id = {})",
                value,
            )
        })
    }

    /// Nothing is asked where no region is given; another noun's id matches nothing.
    fn condition(&self, of: impl FnOnce(Value) -> Condition) -> Condition {
        let Some(id) = &self.within else { return Condition::always() };
        <Region as Noun>::table().key(id).map_or_else(Condition::never, of)
    }
}
