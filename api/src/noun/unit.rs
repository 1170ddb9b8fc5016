//! Units (单位): whoever leads, answers or supervises.

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object};
use ledger::keep::{merge, unit as keep};
use planner::{Connection, Dimension, Kind, Link, SortKey, SortType, Sql, noun};
use sea_orm::ActiveEnum;

use crate::context::Request;
use crate::noun::assignment::{Assignment, AssignmentFilter};
use crate::noun::measure::{Measure, MeasureFilter};
use crate::noun::region::{Region, SubtreeFilter};
use crate::part::filter::{ListFilter, TextFilter, filter};
use crate::part::group;
use crate::part::order::order;
use crate::part::patch::{clearable, patch};
use crate::part::payload::{key_of, payload};
use crate::part::scalar::Date;

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
    /// Where its mail goes; shown to administrators only.
    addresses: Vec<UnitAddress> = Kind::List(<UnitAddress as planner::Noun>::table, Link::Column("unit_id"));
    /// Whether it has a mail address, so that reminders reach it.
    reachable: bool = Kind::Expression(reachable);
    /// The measures that it leads.
    ledMeasures(pages Measure): Connection<Measure> = Link::Column("lead_unit_id");
    /// What it answers.
    assignments(pages Assignment): Connection<Assignment> = Link::Column("unit_id");
    /// Since when there is no such unit any more (撤销).
    retiredOn: Option<Date> = Kind::Column("retired_on");
    /// What it was merged into.
    mergedInto: Option<Unit> = Kind::One(<Unit as planner::Noun>::table, "merged_into_id");
    /// Grows with every change.
    version: i32 = Kind::Column("version");
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

noun! {
    /// Where a unit's mail goes.
    pub(crate) UnitAddress from "unit_address" {
        order: &[SortKey::column("{t}.address", "address", SortType::Text)],
        total: None
    }
    /// The mail address.
    address: String = Kind::Column("address");
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
        /// Whether it is retired.
        retired: bool = |retired| planner::Condition::Null("retired_on", !retired),
        /// Where it is.
        region: SubtreeFilter = |region| region.below(),
    }
}

/// A unit to be registered.
#[derive(InputObject)]
pub(crate) struct CreateUnitInput {
    /// Its region.
    region_id: ID,
    /// The name, unique in the region, at most 60 letters.
    name: String,
    /// What kind of body it is; read from the name when left out.
    kind: Option<UnitKind>,
    /// The line of work; read from the name when left out.
    sector: Option<String>,
    /// Its other names, at most 50.
    #[graphql(default)]
    aliases: Vec<String>,
    /// Where its mail goes, at most 50.
    #[graphql(default)]
    addresses: Vec<String>,
}

/// What is to become of a unit. What is left out stays; null clears.
#[derive(InputObject)]
pub(crate) struct EditUnitInput {
    /// The unit.
    unit_id: ID,
    /// The version that the caller saw.
    version: i32,
    /// The name; the one before stays as an alias.
    name: MaybeUndefined<String>,
    /// What kind of body it is.
    kind: MaybeUndefined<UnitKind>,
    /// The line of work.
    sector: MaybeUndefined<String>,
    /// Its other names, all of them.
    aliases: MaybeUndefined<Vec<String>>,
    /// Where its mail goes, all of it.
    addresses: MaybeUndefined<Vec<String>>,
}

/// Two units that are one.
#[derive(InputObject)]
pub(crate) struct MergeUnitsInput {
    /// The unit that goes.
    unit_id: ID,
    /// Its version that the caller saw.
    version: i32,
    /// The unit that stays.
    into_id: ID,
}

/// A unit to be retired.
#[derive(InputObject)]
pub(crate) struct RetireUnitInput {
    /// The unit.
    unit_id: ID,
    /// The version that the caller saw.
    version: i32,
}

payload! {
    /// What came of an act on a unit.
    UnitPayload {
        /// The unit as it is now; null when nothing was done.
        unit: Unit,
        /// Why nothing was done; empty when it was.
        errors
    }
}

/// What is done to units.
#[derive(Default)]
pub(crate) struct UnitMutation;

#[Object]
impl UnitMutation {
    /// Registers a unit. By an administrator.
    async fn create_unit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The unit.")] input: CreateUnitInput,
    ) -> async_graphql::Result<UnitPayload> {
        let request = ctx.data::<Request>()?;
        let new = keep::New {
            region: key_of::<Region>(&input.region_id),
            name: input.name,
            kind: input.kind.map(Into::into),
            sector: input.sector,
            aliases: input.aliases,
            addresses: input.addresses,
        };
        UnitPayload::of(keep::create(&request.desk(), new).await, request)
    }

    /// Edits a unit, its names and addresses. By an administrator.
    async fn edit_unit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to change.")] input: EditUnitInput,
    ) -> async_graphql::Result<UnitPayload> {
        let request = ctx.data::<Request>()?;
        let done = async {
            let changes = keep::Changes {
                name: patch(input.name, "name")?,
                kind: patch(input.kind.map_value(Into::into), "kind")?,
                sector: clearable(input.sector),
                aliases: patch(input.aliases, "aliases")?,
                addresses: patch(input.addresses, "addresses")?,
            };
            keep::edit(&request.desk(), key_of::<Unit>(&input.unit_id), input.version, changes).await
        };
        UnitPayload::of(done.await, request)
    }

    /// Merges a unit into another: what it leads, supervises and answers, its people, names and addresses go over. By an
    /// administrator. Refused where both have worked on the same measure.
    async fn merge_units(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The two.")] input: MergeUnitsInput,
    ) -> async_graphql::Result<UnitPayload> {
        let request = ctx.data::<Request>()?;
        let [from, into] = [&input.unit_id, &input.into_id].map(key_of::<Unit>);
        UnitPayload::of(merge::units(&request.desk(), from, input.version, into).await, request)
    }

    /// Retires a unit that has nothing left to do. By an administrator.
    async fn retire_unit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The unit.")] input: RetireUnitInput,
    ) -> async_graphql::Result<UnitPayload> {
        let request = ctx.data::<Request>()?;
        UnitPayload::of(keep::retire(&request.desk(), key_of::<Unit>(&input.unit_id), input.version).await, request)
    }
}
