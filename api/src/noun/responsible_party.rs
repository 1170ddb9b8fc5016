//! Responsible parties (责任单位): units, and stand-ins for many.

use async_graphql::{Enum, ID};
use planner::{Kind, SortKey, SortType, noun};

use crate::noun::region::Region;
use crate::noun::unit::{Unit, UnitFilter};
use crate::part::filter::{RelationFilter, filter};
use crate::part::order::order;

/// Whom a responsible party stands for.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::responsible_party::Selector")]
pub(crate) enum Selector {
    /// 各县（区）: the government of every county below the region.
    AllCounties,
    /// 市直各相关部门: every department of the region.
    AllDepartments,
}

const POSITION: SortKey = SortKey::column("{t}.position", "position", SortType::Integer);

noun! {
    /// One party of a measure's printed list: a unit, or a stand-in such as 各县（区）.
    pub(crate) ResponsibleParty from "responsible_party" as "party" {
        order: &[POSITION],
        total: None,
        filter: ResponsiblePartyFilter,
        by: ResponsiblePartyOrder
    }
    /// The global id.
    id: ID = Kind::Id;
    /// The words as printed.
    raw: String = Kind::Column("raw");
    /// The unit, unless it is a stand-in.
    unit: Option<Unit> = Kind::One(<Unit as planner::Noun>::table, "unit_id");
    /// Whom it stands for, unless it is a unit.
    selector: Option<Selector> = Kind::Column("selector");
    /// The region whose counties or departments it stands for.
    region: Option<Region> = Kind::One(<Region as planner::Noun>::table, "region_id");
}

order! { ResponsiblePartyOrder by ResponsiblePartyOrderField {
    /// The place in the printed list.
    Position = POSITION,
} }

filter! {
    /// Demands on responsible parties.
    ResponsiblePartyFilter {
        /// The unit.
        unit: RelationFilter<UnitFilter> = |unit| unit.condition("unit_id", <Unit as planner::Noun>::table()),
    }
}
