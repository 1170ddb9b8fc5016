//! Responsible parties (责任单位): entries of a measure's printed list, each a unit or a selector such as 各县（区）.

use async_graphql::{Enum, ID};
use planner::{Dimension, Kind, SortKey, SortType, noun};

use crate::noun::region::Region;
use crate::noun::unit::{Unit, UnitFilter};
use crate::part::filter::{RelationFilter, filter};
use crate::part::group;
use crate::part::order::order;

/// The set of units that a responsible party denotes when it does not name a single unit.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::responsible_party::Selector")]
#[expect(clippy::enum_variant_names, reason = "the codes that clients know say that all are meant")]
pub(crate) enum Selector {
    /// 各县（区） · The government of every county below the region.
    AllCounties,
    /// 市直各相关部门 · Every department of the region.
    AllDepartments,
    /// 各乡镇 · The government of every township, town and subdistrict below the region.
    AllTownships,
}

const POSITION: SortKey = SortKey::column("{t}.position", "position", SortType::Integer);

const GROUPS: &[Dimension] = &[
    Dimension::plain("SELECTOR", "范围 · Set of units that the party stands for; null for one unit.", "{t}.selector"),
    Dimension::of("UNIT", "责任单位 · Unit that the party names.", "{t}.unit_id", group::A_UNIT),
    Dimension::of("REGION", "行政区 · Region within which the set of units lies.", "{t}.region_id", group::A_REGION),
];

noun! {
    /// A responsible party (责任单位): one entry of a measure's printed list, either a unit or a selector such as
    /// 各县（区）.
    pub(crate) ResponsibleParty from "responsible_party" as "party" {
        order: &[POSITION],
        total: None,
        filter: ResponsiblePartyFilter,
        by: ResponsiblePartyOrder,
        groups: GROUPS
    }
    /// Global id of the responsible party: opaque, permanent, and accepted by `node`.
    id: ID = Kind::Id;
    /// Name of the party as printed in the ledger.
    raw: String = Kind::Column("raw");
    /// Unit that the party names; null if it is a selector.
    unit: Option<Unit> = Kind::One(<Unit as planner::Noun>::table, "unit_id");
    /// Set of units that the party denotes; null if it names a single unit.
    selector: Option<Selector> = Kind::Column("selector");
    /// Region whose counties or departments the selector denotes; null if the party names a single unit.
    region: Option<Region> = Kind::One(<Region as planner::Noun>::table, "region_id");
}

order! { ResponsiblePartyOrder by ResponsiblePartyOrderField {
    /// 印发顺序 · Place in the printed list of the measure.
    Position = POSITION,
} }

filter! {
    /// Conditions on responsible parties. A party must satisfy every condition that is given.
    ResponsiblePartyFilter {
        /// Condition on the unit that the party names.
        unit: RelationFilter<UnitFilter> = |unit| unit.condition("unit_id", <Unit as planner::Noun>::table()),
    }
}
