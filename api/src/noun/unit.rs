//! Units (单位): the bodies that lead, answer or supervise measures.

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object};
use ledger::keep::{merge, unit as keep};
use planner::{Connection, Dimension, Indexed, Kind, Link, SortKey, SortType, Sql, noun};

use crate::context::Request;
use crate::noun::account::Language;
use crate::noun::assignment::{Assignment, AssignmentFilter};
use crate::noun::measure::{Measure, MeasureFilter};
use crate::noun::region::{Region, SubtreeFilter};
use crate::part::filter::{ListFilter, TextFilter, filter, one_of};
use crate::part::group;
use crate::part::order::order;
use crate::part::patch::{clearable, patch};
use crate::part::payload::{key_of, payload};
use crate::part::scalar::Date;

/// Kind of body that a unit is.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::unit::Kind")]
pub(crate) enum UnitKind {
    /// 党委 · Party committee or one of its organs.
    PartyCommittee,
    /// 人民政府 · People's government of a region.
    Government,
    /// 部门 · Department of a government.
    Department,
    /// 整改办 · Rectification office of a region.
    RectificationOffice,
    /// 企业 · Enterprise, such as a company or a mine.
    Enterprise,
    /// 其他 · Any other body.
    Other,
}

/// Returns the SQL condition that the unit has an e-mail address.
fn has_address(_: &mut Sql<'_>, unit: &str) -> String {
    format!("EXISTS (SELECT 1 FROM unit_address a WHERE a.unit_id = {unit}.id)")
}

/// Returns the SQL expression for whether the unit has an e-mail address.
fn reachable(sql: &mut Sql<'_>, unit: &str) -> String {
    let condition = has_address(sql, unit);
    sql.boolean(&condition)
}

const NAME: SortKey = SortKey::column("{t}.name_order", "name_order", SortType::Text);

const GROUPS: &[Dimension] = &[
    Dimension::plain("KIND", "单位类型 · Kind of body that the unit is.", "{t}.kind"),
    Dimension::plain("SECTOR", "所属行业 · Sector of the unit, such as 生态环境.", "{t}.sector"),
    group::REGION,
];

/// What is searched in the name, as the index has it.
pub(crate) const NAMES: Indexed = Indexed { name: "unit", table: "unit", columns: &["name"] };

noun! {
    /// A unit (单位) of a region: a body that leads, answers or supervises measures.
    pub(crate) Unit from "unit" as "unit" {
        order: &[NAME],
        total: None,
        filter: UnitFilter,
        by: UnitOrder,
        groups: GROUPS
    }
    /// Global id of the unit: opaque, permanent, and accepted by `node`.
    id: ID = Kind::Id;
    /// Name of the unit as people write it, unique within its region.
    name: String = Kind::Column("name");
    /// Kind of body that the unit is.
    kind: UnitKind = Kind::Column("kind");
    /// Sector in which the unit works, such as 生态环境 or 水利; null if it has none.
    sector: Option<String> = Kind::Column("sector");
    /// Language of mails to the unit; null if it is that of the installation.
    language: Option<Language> = Kind::Column("language");
    /// Whether digests of deadlines to the unit bring a calendar of them (iCalendar).
    hasCalendar: bool = Kind::Boolean("attaches_calendar");
    /// Region to which the unit belongs.
    region: Region = Kind::One(<Region as planner::Noun>::table, "region_id");
    /// Other names of the unit, by which imports recognise it.
    aliases: Vec<UnitAlias> = Kind::List(<UnitAlias as planner::Noun>::table, Link::Column("unit_id"));
    /// E-mail addresses to which mail for the unit is sent; empty for callers other than administrators.
    addresses: Vec<UnitAddress> = Kind::List(<UnitAddress as planner::Noun>::table, Link::Column("unit_id"));
    /// Whether the unit has at least one e-mail address, so that reminders reach it.
    isReachable: bool = Kind::Expression(reachable);
    /// Measures (整改措施) that the unit leads.
    ledMeasures(pages Measure): Connection<Measure> = Link::Column("lead_unit_id");
    /// Assignments (责任分解) that the unit answers.
    assignments(pages Assignment): Connection<Assignment> = Link::Column("unit_id");
    /// Local date on which the unit was retired (撤销); null while it is in use.
    retiredOn: Option<Date> = Kind::Column("retired_on");
    /// Unit into which this one was merged; null if it was not merged.
    mergedInto: Option<Unit> = Kind::One(<Unit as planner::Noun>::table, "merged_into_id");
    /// Version number, increased by every edit. Mutations take it so that a concurrent change is detected
    /// (`STALE_VERSION`).
    version: i32 = Kind::Column("version");
}

noun! {
    /// Another name of a unit, such as an abbreviation or a former name.
    pub(crate) UnitAlias from "unit_alias" {
        order: &[SortKey::column("{t}.alias", "alias", SortType::Text)],
        total: None
    }
    /// Name by which the unit is also known.
    alias: String = Kind::Column("alias");
}

noun! {
    /// An e-mail address of a unit.
    pub(crate) UnitAddress from "unit_address" {
        order: &[SortKey::column("{t}.address", "address", SortType::Text)],
        total: None
    }
    /// E-mail address, as in `office@example.cn`.
    address: String = Kind::Column("address");
}

order! { UnitOrder by UnitOrderField {
    /// 名称 · Name of the unit, in the order of a Chinese dictionary (pinyin).
    Name = NAME,
} }

filter! {
    /// Conditions on units. A unit must satisfy every condition that is given.
    UnitFilter {
        /// Condition on the name; aliases are not searched.
        name: TextFilter = |name| name.condition("name", NAMES),
        /// Condition on the sector in which the unit works.
        sector: TextFilter = |sector| sector.condition("sector", &["sector"]),
        /// Selects units of one of these kinds; an empty list selects none.
        kind: Vec<UnitKind> = |kinds| one_of::<_, entity::unit::Kind>("kind", kinds),
        /// Condition on the measures that the unit leads.
        led_measures: ListFilter<MeasureFilter> =
            |list| list.condition(<Measure as planner::Noun>::table(), "lead_unit_id"),
        /// Condition on the assignments that the unit answers.
        assignments: ListFilter<AssignmentFilter> =
            |list| list.condition(<Assignment as planner::Noun>::table(), "unit_id"),
        /// True selects only retired units, false only those in use.
        is_retired: bool = |retired| planner::Condition::Null("retired_on", !retired),
        /// True: only units with at least one e-mail address. False: only those that reminders do not reach.
        is_reachable: bool = |wanted| planner::Condition::Holds(has_address, *wanted),
        /// Condition on the region to which the unit belongs.
        region: SubtreeFilter = |region| region.below(),
    }
}

/// Input of `createUnit`: the unit to register.
#[derive(InputObject)]
pub(crate) struct CreateUnitInput {
    /// Global id of the region to which the unit belongs; the region must not be retired.
    region_id: ID,
    /// Name of the unit, 2 to 60 characters, not yet a name or alias of another unit of the region.
    name: String,
    /// Kind of body that the unit is; derived from the name if omitted.
    kind: Option<UnitKind>,
    /// Sector in which the unit works, at most 20 characters, such as 水利; derived from the name if omitted.
    sector: Option<String>,
    /// Language of mails to the unit; that of the installation if left out.
    language: Option<Language>,
    /// Other names of the unit, at most 50, each 2 to 60 characters and not yet a name or alias of another unit of the
    /// region.
    #[graphql(default)]
    aliases: Vec<String>,
    /// E-mail addresses to which mail for the unit is sent, at most 50.
    #[graphql(default)]
    addresses: Vec<String>,
}

/// Input of `editUnit`. Omitted fields keep their value; null clears a field that may be empty.
#[derive(InputObject)]
pub(crate) struct EditUnitInput {
    /// Global id of the unit to edit.
    unit_id: ID,
    /// Version of the unit that the caller read; refused as `STALE_VERSION` if it is no longer current.
    version: i32,
    /// New name, 2 to 60 characters, not yet a name or alias of another unit of the region; cannot be null. The former
    /// name remains as an alias.
    name: MaybeUndefined<String>,
    /// New kind of body that the unit is; cannot be null.
    kind: MaybeUndefined<UnitKind>,
    /// New sector in which the unit works, at most 20 characters; null clears it.
    sector: MaybeUndefined<String>,
    /// New language of mails to the unit; null means that of the installation.
    language: MaybeUndefined<Language>,
    /// Whether digests of deadlines to the unit bring a calendar of them; cannot be null.
    has_calendar: MaybeUndefined<bool>,
    /// Complete list of other names, at most 50, which replaces the current one; cannot be null.
    aliases: MaybeUndefined<Vec<String>>,
    /// Complete list of e-mail addresses, at most 50, which replaces the current one; cannot be null.
    addresses: MaybeUndefined<Vec<String>>,
}

/// Input of `mergeUnits`: two units that are the same body.
#[derive(InputObject)]
pub(crate) struct MergeUnitsInput {
    /// Global id of the unit to merge; it is retired.
    unit_id: ID,
    /// Version of that unit that the caller read; refused as `STALE_VERSION` if it is no longer current.
    version: i32,
    /// Global id of the unit that remains.
    into_id: ID,
}

/// Input of `retireUnit`: the unit to retire.
#[derive(InputObject)]
pub(crate) struct RetireUnitInput {
    /// Global id of the unit to retire.
    unit_id: ID,
    /// Version of the unit that the caller read; refused as `STALE_VERSION` if it is no longer current.
    version: i32,
}

payload! {
    /// Result of a mutation on a unit.
    UnitPayload {
        /// The unit after the mutation (for a merge, the one that remains); null if the mutation was refused.
        unit: Unit,
        /// Reasons why the mutation was refused, in which case nothing was written; empty on success.
        errors,
        /// Mail addresses that were entered and that not every mail server takes.
        warnings
    }
}

/// Mutations on units.
#[derive(Default)]
pub(crate) struct UnitMutation;

#[Object]
impl UnitMutation {
    /// Registers a unit in a region. Requires an administrator.
    async fn create_unit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The unit to register.")] input: CreateUnitInput,
    ) -> async_graphql::Result<UnitPayload> {
        let request = ctx.data::<Request>()?;
        let addresses = input.addresses.clone();
        let new = keep::New {
            region: key_of::<Region>(&input.region_id),
            name: input.name,
            kind: input.kind.map(Into::into),
            sector: input.sector,
            language: input.language.map(Into::into),
            aliases: input.aliases,
            addresses: input.addresses,
        };
        let done = keep::create(&request.acting(), new).await;
        UnitPayload::of(done.map(|key| keep::done(key, &addresses)), request)
    }

    /// Edits a unit, its names and its e-mail addresses. Requires an administrator.
    async fn edit_unit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The unit and the fields to change.")] input: EditUnitInput,
    ) -> async_graphql::Result<UnitPayload> {
        let request = ctx.data::<Request>()?;
        let addresses = input.addresses.clone().take().unwrap_or_default();
        let done = async {
            let changes = keep::Changes {
                name: patch(input.name, "name")?,
                kind: patch(input.kind.map_value(Into::into), "kind")?,
                sector: clearable(input.sector),
                language: clearable(input.language.map_value(Into::into)),
                attaches_calendar: patch(input.has_calendar, "hasCalendar")?,
                aliases: patch(input.aliases, "aliases")?,
                addresses: patch(input.addresses, "addresses")?,
            };
            keep::edit(&request.acting(), key_of::<Unit>(&input.unit_id), input.version, changes).await
        };
        UnitPayload::of(done.await.map(|key| keep::done(key, &addresses)), request)
    }

    /// Merges a unit into another one, which takes over its measures, assignments, complaint cases, accounts, names and
    /// e-mail addresses. Refused if both units answer the same measure and the unit to merge has already worked on it.
    /// Requires an administrator.
    async fn merge_units(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The unit to merge and the unit that remains.")] input: MergeUnitsInput,
    ) -> async_graphql::Result<UnitPayload> {
        let request = ctx.data::<Request>()?;
        let [from, into] = [&input.unit_id, &input.into_id].map(key_of::<Unit>);
        UnitPayload::of(merge::units(&request.acting(), from, input.version, into).await, request)
    }

    /// Retires a unit (撤销) and deletes its e-mail addresses. Refused while it answers, leads or supervises anything
    /// that is still open. Requires an administrator.
    async fn retire_unit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The unit to retire.")] input: RetireUnitInput,
    ) -> async_graphql::Result<UnitPayload> {
        let request = ctx.data::<Request>()?;
        UnitPayload::of(keep::retire(&request.acting(), key_of::<Unit>(&input.unit_id), input.version).await, request)
    }
}
