//! Units (单位): whoever leads, answers or supervises.

use async_graphql::{Enum, ID};
use planner::{Connection, Dimension, Kind, Link, SortKey, SortType, Sql, noun};
use sea_orm::ActiveEnum;

use crate::assignment::{Assignment, AssignmentFilter};
use crate::filter::{ListFilter, RegionFilter, TextFilter, filter};
use crate::group;
use crate::measure::{Measure, MeasureFilter};
use crate::order::order;
use crate::region::Region;

/// What kind of body a unit is.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::unit::Kind")]
pub(crate) enum UnitKind {
    /// 党委 and its organs.
    PartyCommittee,
    /// 人民政府
    Government,
    /// A department of a government.
    Department,
    /// 整改办
    RectificationOffice,
    /// 企业
    Enterprise,
    /// Anything else.
    Other,
}

fn reachable(sql: &mut Sql<'_>, unit: &str) -> String {
    sql.boolean(&format!("EXISTS (SELECT 1 FROM unit_address a WHERE a.unit_id = {unit}.id)"))
}

const NAME: SortKey = SortKey::column("{t}.name", "name", SortType::Text);

const GROUPS: &[Dimension] = &[
    Dimension::plain("KIND", "What kind of body they are.", "{t}.kind"),
    Dimension::plain("SECTOR", "The line of work.", "{t}.sector"),
    group::REGION,
];

noun! {
    /// A unit (单位) of a region: it leads, answers or supervises measures.
    pub(crate) Unit from "unit" as "unit" { order: &[NAME], total: None, filter: UnitFilter, by: UnitOrder, groups: GROUPS }
    /// The global id.
    id: ID = Kind::Id;
    /// The name as people write it.
    name: String = Kind::Column("name");
    /// What kind of body it is.
    kind: UnitKind = Kind::Column("kind");
    /// The line of work: 生态环境, 水利 …
    sector: Option<String> = Kind::Column("sector");
    /// The region that it belongs to.
    region: Region = Kind::One(<Region as planner::Noun>::table, "region_id");
    /// Its other names.
    aliases: Vec<UnitAlias> = Kind::List(<UnitAlias as planner::Noun>::table, Link::Column("unit_id"));
    /// Whether it has a mail address, so that reminders reach it. The address itself is not shown.
    reachable: bool = Kind::Expression(reachable);
    /// The measures that it leads.
    ledMeasures(pages Measure): Connection<Measure> = Link::Column("lead_unit_id");
    /// What it answers.
    assignments(pages Assignment): Connection<Assignment> = Link::Column("unit_id");
}

noun! {
    /// Another name of a unit.
    pub(crate) UnitAlias from "unit_alias" {
        order: &[SortKey::column("{t}.alias", "alias", SortType::Text)],
        total: None
    }
    /// The name.
    alias: String = Kind::Column("alias");
}

order! { UnitOrder by UnitOrderField {
    /// The name.
    Name = NAME,
} }

filter! {
    /// Demands on units.
    UnitFilter {
        /// The name.
        name: TextFilter = |name| name.condition("name", &["name"]),
        /// The line of work.
        sector: TextFilter = |sector| sector.condition("sector", &["sector"]),
        /// What kind of body it is.
        kind: Vec<UnitKind> = |kinds| planner::Condition::In(
            "kind",
            kinds.iter().map(|kind| entity::unit::Kind::from(*kind).to_value().into()).collect(),
        ),
        /// The measures that it leads.
        led_measures: ListFilter<MeasureFilter> = |list| list.condition(<Measure as planner::Noun>::table(), "lead_unit_id"),
        /// What it answers.
        assignments: ListFilter<AssignmentFilter> = |list| list.condition(<Assignment as planner::Noun>::table(), "unit_id"),
        /// Where it is.
        region: RegionFilter = |region| region.below(),
    }
}
