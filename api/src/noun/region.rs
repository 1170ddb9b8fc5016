//! Regions (行政区): the tree of administrative divisions, its filters, and the mutations that maintain it.

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object};
use ledger::keep::{merge, region as keep};
use planner::{Condition, Connection, Dimension, Kind, Link, Member, Noun, SortKey, SortType, noun};
use sea_orm::Value;

use crate::context::Request;
use crate::noun::problem::Problem;
use crate::noun::unit::Unit;
use crate::part::filter::{RelationFilter, TextFilter, filter};
use crate::part::group;
use crate::part::order::order;
use crate::part::patch::{clearable, patch};
use crate::part::payload::{key_of, payload};
use crate::part::scalar::Date;

/// Administrative level of a region in the hierarchy of China's divisions.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::region::Level")]
pub(crate) enum RegionLevel {
    /// 全国 · The nation, root of the tree.
    Nation,
    /// 省级 · Province, autonomous region or municipality (省、自治区、直辖市).
    Province,
    /// 地级 · Prefecture-level city, prefecture, autonomous prefecture or league (地级市、地区、自治州、盟).
    Prefecture,
    /// 县级 · County, district, county-level city or banner (县、区、县级市、旗).
    County,
    /// 乡级 · Township, town or subdistrict (乡、镇、街道).
    Township,
}

const RANK: SortKey = SortKey::column("{t}.rank", "rank", SortType::Integer);
const CODE: SortKey = SortKey::expression("coalesce({t}.code, '999999999999')", SortType::Text);

const GROUPS: &[Dimension] = &[
    Dimension::plain("LEVEL", "级别 · Administrative level of the region.", "{t}.level"),
    Dimension::of("PARENT", "上级行政区 · Region directly above.", "{t}.parent_id", group::A_REGION),
];

noun! {
    /// An administrative division (行政区). Regions form a tree from the nation down to townships.
    pub(crate) Region from "region" as "region" {
        order: &[RANK, CODE],
        total: None,
        filter: RegionFilter,
        by: RegionOrder,
        groups: GROUPS
    }
    /// Global id of the region: opaque, permanent, and accepted by `node`.
    id: ID = Kind::Id;
    /// Division code as in GB/T 2260, such as `540329`. A region added by an administrator may have a code of its
    /// own, or null if it has none.
    code: Option<String> = Kind::Column("code");
    /// Full name of the region, such as 洛隆县.
    name: String = Kind::Column("name");
    /// Administrative level of the region.
    level: RegionLevel = Kind::Column("level");
    /// Region directly above in the tree; null for the nation.
    parent: Option<Region> = Kind::One(<Region as planner::Noun>::table, "parent_id");
    /// Regions directly below in the tree.
    children(pages Region): Connection<Region> = Link::Column("parent_id");
    /// Units (单位) that belong to the region itself, not to regions below it.
    units(pages Unit): Connection<Unit> = Link::Column("region_id");
    /// Problems (反馈问题) that the region itself has issued, not those of regions below it.
    problems(pages Problem): Connection<Problem> = Link::Column("region_id");
    /// Local date on which the region was retired (撤销); null while it is in use.
    retiredOn: Option<Date> = Kind::Column("retired_on");
    /// Region into which this one was merged (撤并); null if it was not merged.
    mergedInto: Option<Region> = Kind::One(<Region as planner::Noun>::table, "merged_into_id");
    /// Version number, increased by every change. Mutations take it so that a concurrent change is detected
    /// (`STALE_VERSION`).
    version: i32 = Kind::Column("version");
}

order! { RegionOrder by RegionOrderField {
    /// 级别 · Administrative level; ascending order starts with the nation.
    Level = RANK,
    /// 代码 · Division code; in ascending order, regions without one come last.
    Code = CODE,
    /// 名称 · Full name of the region, in the order of a Chinese dictionary (pinyin).
    Name = SortKey::column("{t}.name_order", "name_order", SortType::Text),
} }

filter! {
    /// Conditions on regions. A region must satisfy every condition that is given.
    RegionFilter {
        /// Condition on the division code.
        code: TextFilter = |code| code.condition("code", &["code"]),
        /// Condition on the full name.
        name: TextFilter = |name| name.condition("name", &["name"]),
        /// Condition on the region directly above.
        parent: RelationFilter<RegionFilter> =
            |parent| parent.condition("parent_id", <Region as planner::Noun>::table()),
        /// True selects only retired regions, false only those in use.
        is_retired: bool = |retired| planner::Condition::Null("retired_on", !retired),
        /// Selects regions of one of these levels; an empty list selects none.
        level: Vec<RegionLevel> = |levels| planner::Condition::In(
            "rank",
            levels.iter().map(|level| ledger::region::rank((*level).into()).into()).collect(),
        ),
    }
}

/// Returns the global id of a region.
pub(crate) fn region_id(key: i64) -> ID {
    ID(format!("region_{key}"))
}

/// Input of `createRegion`: a region to add to the tree.
#[derive(InputObject)]
pub(crate) struct CreateRegionInput {
    /// Global id of the region directly above. The new region is one level below it; nothing can be added below a
    /// township.
    parent_id: ID,
    /// Full name, 2 to 60 characters, not used by another region in use with the same parent.
    name: String,
    /// Division code, unique: 4 to 20 ASCII letters, digits or hyphens. Null or blank for a region without a code.
    code: Option<String>,
}

/// Input of `editRegion`. Omitted fields keep their value; null clears a field that may be empty.
#[derive(InputObject)]
pub(crate) struct EditRegionInput {
    /// Global id of the region to edit.
    region_id: ID,
    /// Version of the region that the caller read; refused as `STALE_VERSION` if it is no longer current.
    version: i32,
    /// New full name, 2 to 60 characters; cannot be null.
    name: MaybeUndefined<String>,
    /// New division code, unique: 4 to 20 ASCII letters, digits or hyphens. Null clears it.
    code: MaybeUndefined<String>,
    /// Global id of the new parent (划转), which must be of a higher level and not lie inside the region; cannot be
    /// null. Everything inside the region moves with it.
    parent_id: MaybeUndefined<ID>,
}

/// Input of `mergeRegions`: the region to merge and the one that absorbs it.
#[derive(InputObject)]
pub(crate) struct MergeRegionsInput {
    /// Global id of the region to merge; it is retired.
    region_id: ID,
    /// Version of that region that the caller read; refused as `STALE_VERSION` if it is no longer current.
    version: i32,
    /// Global id of the region that remains; must be of the same level.
    into_id: ID,
}

/// Input of `retireRegion`: the region to retire.
#[derive(InputObject)]
pub(crate) struct RetireRegionInput {
    /// Global id of the region to retire.
    region_id: ID,
    /// Version of the region that the caller read; refused as `STALE_VERSION` if it is no longer current.
    version: i32,
}

payload! {
    /// Result of a mutation on a region.
    RegionPayload {
        /// The region after the mutation (for a merge, the one that remains); null if the mutation was refused.
        region: Region,
        /// Reasons why the mutation was refused, in which case nothing was written; empty on success.
        errors
    }
}

/// Mutations on regions.
#[derive(Default)]
pub(crate) struct RegionMutation;

#[Object]
impl RegionMutation {
    /// Adds a region below another one. Requires an administrator.
    async fn create_region(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The region to add.")] input: CreateRegionInput,
    ) -> async_graphql::Result<RegionPayload> {
        let request = ctx.data::<Request>()?;
        let new = keep::New { parent: key_of::<Region>(&input.parent_id), name: input.name, code: input.code };
        RegionPayload::of(keep::create(&request.acting(), new).await, request)
    }

    /// Renames a region, changes its code, or moves it below another region. When it moves, everything in it moves
    /// with it, and the lists and statistics of both old and new parents follow. Requires an administrator.
    async fn edit_region(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The region and the fields to change.")] input: EditRegionInput,
    ) -> async_graphql::Result<RegionPayload> {
        let request = ctx.data::<Request>()?;
        let done = async {
            let changes = keep::Changes {
                name: patch(input.name, "name")?,
                code: clearable(input.code),
                parent: patch(input.parent_id.map_value(|id| key_of::<Region>(&id)), "parentId")?,
            };
            keep::edit(&request.acting(), key_of::<Region>(&input.region_id), input.version, changes).await
        };
        RegionPayload::of(done.await, request)
    }

    /// Merges a region into another one of the same level (撤并): the regions below it, its units, problems, complaint
    /// cases and accounts move to the region that remains. Refused while both regions have units of the same name,
    /// or problems or cases of the same number. Requires an administrator.
    async fn merge_regions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The region to merge and the region that remains.")] input: MergeRegionsInput,
    ) -> async_graphql::Result<RegionPayload> {
        let request = ctx.data::<Request>()?;
        let [from, into] = [&input.region_id, &input.into_id].map(key_of::<Region>);
        RegionPayload::of(merge::regions(&request.acting(), from, input.version, into).await, request)
    }

    /// Retires a region (撤销). Refused while it still contains a region or unit in use, or an open problem or
    /// complaint case. Requires an administrator.
    async fn retire_region(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The region to retire.")] input: RetireRegionInput,
    ) -> async_graphql::Result<RegionPayload> {
        let request = ctx.data::<Request>()?;
        let region = key_of::<Region>(&input.region_id);
        RegionPayload::of(keep::retire(&request.acting(), region, input.version).await, request)
    }
}

/// Condition on the region that an item belongs to.
#[derive(InputObject, Default)]
pub(crate) struct SubtreeFilter {
    /// Global id of a region: selects the items of that region and of those below it. Problems and measures belong to
    /// the region that issued them and to every region that answers them. An id that is not a region's selects
    /// nothing.
    pub(crate) within: Option<ID>,
}

impl SubtreeFilter {
    /// Returns the condition for a noun that has a membership table of the items concerning each region, such as
    /// problems; `list` names the membership list of a region.
    pub(crate) fn listed(&self, list: fn(Value) -> Member) -> Condition {
        self.condition(|value| Condition::Member(list(value)))
    }

    /// Returns the condition for a noun whose table has a `region_id` column of its own.
    pub(crate) fn below(&self) -> Condition {
        self.condition(Condition::Within)
    }

    /// Builds the condition from the region's key. Without a region every row matches; with an id of another noun,
    /// none does.
    fn condition(&self, of: impl FnOnce(Value) -> Condition) -> Condition {
        let Some(id) = &self.within else { return Condition::always() };
        <Region as Noun>::table().key(id).map_or_else(Condition::never, of)
    }
}
