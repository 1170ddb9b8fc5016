//! Regions (行政区).

use async_graphql::{Enum, ID};
use planner::{Connection, Dimension, Kind, Link, Named, SortKey, SortType, noun};

use crate::filter::{RelationFilter, TextFilter, filter};
use crate::order::order;
use crate::problem::Problem;
use crate::unit::Unit;

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
    pub(crate) Region from "region" as "region" { order: &[RANK, CODE], total: None, filter: RegionsFilter, by: RegionOrder, groups: GROUPS }
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
    RegionsFilter {
        /// The code.
        code: TextFilter = |code| code.condition("code", &["code"]),
        /// The name.
        name: TextFilter = |name| name.condition("name", &["name"]),
        /// The division directly above.
        parent: RelationFilter<RegionsFilter> = |parent| parent.condition("parent_id", <Region as planner::Noun>::table()),
        /// How high it stands.
        level: Vec<RegionLevel> = |levels| planner::Condition::In(
            "rank",
            levels.iter().map(|level| ledger::region::rank((*level).into()).into()).collect(),
        ),
    }
}
