//! Complaint cases (交办案件) that are handed over during an inspection, and what is done about them.

use async_graphql::{Context, Enum, ID, InputObject, Object};
use ledger::record::concern;
use ledger::work::case::{self as acts, On};
use planner::{Condition, Connection, Dimension, Figure, FigureKind, Kind, Link, Noun, SortKey, SortType, Sql, noun};
use sea_orm::ActiveEnum;

use crate::context::Request;
use crate::noun::audit::AuditEntry;
use crate::noun::case_report::{CaseReport, CaseReportFilter};
use crate::noun::region::{Region, SubtreeFilter};
use crate::noun::round::{InspectionRound, InspectionRoundFilter};
use crate::noun::unit::{Unit, UnitFilter};
use crate::part::filter::{DateFilter, DateTimeFilter, ListFilter, RelationFilter, TextFilter, filter};
use crate::part::group;
use crate::part::order::order;
use crate::part::payload::{key_of, payload};
use crate::part::scalar::{Date, Moment};

/// How a complaint came.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::inspection_case::Channel")]
pub(crate) enum CaseChannel {
    /// 来信
    Letter,
    /// 来电
    Call,
}

/// How far a case is.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::inspection_case::CaseState")]
pub(crate) enum CaseState {
    /// 交办: handed over, and not taken on yet.
    HandedOver,
    /// 办理中: at work.
    InProgress,
    /// 阶段性办结: resolved for the time being; work goes on.
    PartlyResolved,
    /// 已办结: resolved, as the lead unit says.
    Resolved,
    /// 验收: verified by the level above.
    Accepted,
    /// 销号: closed.
    Closed,
}

/// Whether what is complained of is so.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::inspection_case::Finding")]
pub(crate) enum CaseFinding {
    /// 属实
    True,
    /// 部分属实
    PartlyTrue,
    /// 不属实
    Untrue,
}

/// A kind of pollution.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::case_pollution::Pollution")]
pub(crate) enum Pollution {
    /// 水
    Water,
    /// 大气
    Air,
    /// 土壤
    Soil,
    /// 噪声
    Noise,
    /// 生态
    Ecology,
    /// 固废
    Waste,
    /// 辐射
    Radiation,
    /// 其他
    Other,
}

fn overdue(sql: &mut Sql<'_>, case: &str) -> String {
    let condition = ledger::rule::case_flow::overdue(sql, case);
    sql.boolean(&condition)
}

/// The cases of a region and all below it.
pub(crate) fn within(region: &SubtreeFilter) -> Condition {
    region.listed(concern::cases_of)
}

// The lists of regions carry the deadline under the name that they share.
const DUE_ON: SortKey = SortKey::column("{t}.due_on", "due_order", SortType::Date);
const NUMBER: SortKey = SortKey::column("{t}.number", "number", SortType::Text);
const HANDED_OVER_ON: SortKey = SortKey::column("{t}.handed_over_on", "handed_over_on", SortType::Date);
const UPDATED_AT: SortKey = SortKey::column("{t}.updated_at", "updated_at", SortType::Moment);

const GROUPS: &[Dimension] = &[
    Dimension::plain("STATE", "How far they are.", "{t}.state"),
    Dimension::plain("CHANNEL", "How they came.", "{t}.channel"),
    Dimension::plain("FINDING", "What was found of them.", "{t}.finding"),
    group::DUE_ON,
    Dimension::plain("HANDED_OVER_ON", "When they were handed over.", "{t}.handed_over_on"),
    group::ROUND,
    group::REGION,
    group::LEAD_UNIT,
];

const FIGURES: &[Figure] = &[
    group::DUE,
    Figure {
        name: "handedOverOn",
        description: "When they were handed over.",
        expression: "{t}.handed_over_on",
        kind: FigureKind::Date,
    },
    Figure {
        name: "resolvedOn",
        description: "When they were resolved.",
        expression: "{t}.resolved_on",
        kind: FigureKind::Date,
    },
    group::UPDATED,
];

noun! {
    /// A complaint that was handed over during an inspection (交办案件), as one region has to mend it. Who complained is not
    /// kept.
    pub(crate) InspectionCase from "inspection_case" as "case" {
        order: &[DUE_ON],
        total: None,
        filter: InspectionCaseFilter,
        by: InspectionCaseOrder,
        groups: GROUPS,
        figures: FIGURES
    }
    /// The global id.
    id: ID = Kind::Id;
    /// The number as printed: `D3SX202505280018`. A complaint that several regions have to mend is a case in each.
    number: String = Kind::Column("number");
    /// How far it is.
    state: CaseState = Kind::Column("state");
    /// How it came.
    channel: CaseChannel = Kind::Column("channel");
    /// The kinds of pollution that it is about.
    pollution: Vec<CasePollution> = Kind::List(<CasePollution as Noun>::table, Link::Column("case_id"));
    /// 重点: whether it is a key case.
    isKey: bool = Kind::Boolean("is_key");
    /// What is complained of.
    summary: String = Kind::Column("summary");
    /// When it was handed over.
    handedOverOn: Date = Kind::Column("handed_over_on");
    /// By when it is to be resolved.
    dueOn: Date = Kind::Column("due_on");
    /// 逾期: whether it is past its deadline today and not resolved, or only for the time being.
    overdue: bool = Kind::Expression(overdue);
    /// What was found of it when it was last resolved; null before.
    finding: Option<CaseFinding> = Kind::Column("finding");
    /// When it was resolved (已办结).
    resolvedOn: Option<Date> = Kind::Column("resolved_on");
    /// When it was closed (销号).
    closedOn: Option<Date> = Kind::Column("closed_on");
    /// The round during which it came.
    round: InspectionRound = Kind::One(<InspectionRound as Noun>::table, "round_id");
    /// The region that has to mend it.
    region: Region = Kind::One(<Region as Noun>::table, "region_id");
    /// The lead unit (主办单位), which answers it; null where it may not be seen.
    leadUnit: Option<Unit> = Kind::One(<Unit as Noun>::table, "lead_unit_id");
    /// The units that assist (协办单位), as far as they may be seen.
    assistingUnits(pages Unit): Connection<Unit> =
        Link::Among("SELECT unit_id FROM case_unit WHERE case_id = {t}.id");
    /// What was done about it and reported, the oldest first.
    reports(pages CaseReport): Connection<CaseReport> = Link::Part("case_id");
    /// What was done to it, before and after, the newest first.
    audit(pages AuditEntry): Connection<AuditEntry> = Link::Part("case_id");
    /// Grows with every change; a mutation that names an older one is refused.
    version: i32 = Kind::Column("version");
    /// When it entered the ledger.
    createdAt: Moment = Kind::Column("created_at");
    /// When it last changed.
    updatedAt: Moment = Kind::Column("updated_at");
}

noun! {
    /// A kind of pollution that a case is about.
    pub(crate) CasePollution from "case_pollution" {
        order: &[SortKey::column("{t}.kind", "kind", SortType::Text)],
        total: None
    }
    /// The kind.
    kind: Pollution = Kind::Column("kind");
}

order! { InspectionCaseOrder by InspectionCaseOrderField {
    /// By when it is to be resolved.
    DueOn = DUE_ON,
    /// When it was handed over.
    HandedOverOn = HANDED_OVER_ON,
    /// The number as printed, as text.
    Number = NUMBER,
    /// The last change.
    UpdatedAt = UPDATED_AT,
} }

filter! {
    /// Demands on complaint cases.
    InspectionCaseFilter {
        /// Where it is to be mended.
        region: SubtreeFilter = |region| within(region),
        /// The round during which it came.
        round: RelationFilter<InspectionRoundFilter> = |round| round.condition("round_id", <InspectionRound as Noun>::table()),
        /// The lead unit.
        lead_unit: RelationFilter<UnitFilter> = |unit| unit.condition("lead_unit_id", <Unit as Noun>::table()),
        /// It is in one of these states.
        state: Vec<CaseState> = |states| Condition::In(
            "state",
            states.iter().map(|state| entity::inspection_case::CaseState::from(*state).to_value().into()).collect(),
        ),
        /// How it came.
        channel: CaseChannel = |channel| Condition::Compare("channel", "=", entity::inspection_case::Channel::from(*channel).to_value().into()),
        /// It is about one of these kinds of pollution.
        pollution: Vec<Pollution> = |kinds| Condition::Exists {
            table: "case_pollution",
            column: "case_id",
            key: "id",
            condition: Box::new(Condition::In(
                "kind",
                kinds.iter().map(|kind| entity::case_pollution::Pollution::from(*kind).to_value().into()).collect(),
            )),
        },
        /// Whether it is a key case.
        is_key: bool = |is_key| Condition::Compare("is_key", "=", (*is_key).into()),
        /// Whether it is past its deadline today and not resolved.
        overdue: bool = |wanted| Condition::Holds(ledger::rule::case_flow::overdue, *wanted),
        /// What was found of it is one of these.
        finding: Vec<CaseFinding> = |findings| Condition::In(
            "finding",
            findings.iter().map(|finding| entity::inspection_case::Finding::from(*finding).to_value().into()).collect(),
        ),
        /// The number as printed.
        number: TextFilter = |number| number.condition("number", &["number"]),
        /// What is complained of.
        text: TextFilter = |text| text.condition("summary", &["summary"]),
        /// When it was handed over.
        handed_over_on: DateFilter = |day| day.condition("handed_over_on"),
        /// By when it is to be resolved.
        due_on: DateFilter = |day| day.condition("due_on"),
        /// What was done about it and reported.
        reports: ListFilter<CaseReportFilter> = |list| list.condition(<CaseReport as Noun>::table(), "case_id"),
        /// The last change.
        updated_at: DateTimeFilter = |at| at.condition("updated_at"),
    }
}

/// A case to be handed over.
#[derive(InputObject)]
pub(crate) struct HandOverCaseInput {
    /// The number as printed.
    number: String,
    /// The round during which it came.
    round_id: ID,
    /// The region that has to mend it: the caller's or one below.
    region_id: ID,
    /// How it came.
    channel: CaseChannel,
    /// The kinds of pollution, at least one.
    pollution: Vec<Pollution>,
    /// 重点: whether it is a key case.
    #[graphql(default = false)]
    is_key: bool,
    /// What is complained of, at most 5,000 letters; never by whom. Telephone and identity card numbers are refused.
    summary: String,
    /// The unit that answers it, in the caller's region or below.
    lead_unit_id: ID,
    /// The units that assist, at most 50.
    #[graphql(default)]
    assisting_unit_ids: Vec<ID>,
    /// When it is handed over, not after today; today when left out.
    handed_over_on: Option<Date>,
    /// By when it is to be resolved.
    due_on: Date,
}

/// A case that something is done to.
#[derive(InputObject)]
pub(crate) struct CaseInput {
    /// The case.
    case_id: ID,
    /// The version of it that the caller saw: it guards against two people overwriting each other.
    version: i32,
}

/// A report on a case.
#[derive(InputObject)]
pub(crate) struct ReportOnCaseInput {
    /// The case.
    case_id: ID,
    /// The report, at most 5,000 letters.
    text: String,
}

/// What a case came to.
#[derive(InputObject)]
pub(crate) struct ResolveCaseInput {
    /// The case.
    case_id: ID,
    /// The version of it that the caller saw.
    version: i32,
    /// Whether what is complained of is so.
    finding: CaseFinding,
    /// What was found and done, at most 5,000 letters.
    text: String,
    /// 阶段性办结: whether it is resolved for the time being only.
    #[graphql(default = false)]
    is_partial: bool,
}

/// A case that is returned, and why.
#[derive(InputObject)]
pub(crate) struct ReturnCaseInput {
    /// The case.
    case_id: ID,
    /// The version of it that the caller saw.
    version: i32,
    /// Why, at most 5,000 letters.
    reason: String,
}

/// What was found of a case that is resolved.
#[derive(InputObject)]
pub(crate) struct VerifyCaseInput {
    /// The case.
    case_id: ID,
    /// The version of it that the caller saw.
    version: i32,
    /// What was found on the spot and in the files, at most 5,000 letters.
    opinion: String,
}

/// The decision to close a case.
#[derive(InputObject)]
pub(crate) struct CloseCaseInput {
    /// The case.
    case_id: ID,
    /// The version of it that the caller saw.
    version: i32,
    /// The decision, at most 5,000 letters.
    decision: String,
}

/// A case that relapsed.
#[derive(InputObject)]
pub(crate) struct ReopenCaseInput {
    /// The case.
    case_id: ID,
    /// The version of it that the caller saw.
    version: i32,
    /// What relapsed, at most 5,000 letters.
    reason: String,
    /// By when it is to be resolved again, today or later.
    due_on: Date,
}

payload! {
    /// What came of an act on a case.
    CasePayload {
        /// The case as it is now; null when nothing was done.
        inspection_case: InspectionCase,
        /// Why nothing was done; empty when it was.
        errors,
        /// What was not done beside it, as when nobody could be told by mail; mostly empty.
        warnings
    }
}

fn on(id: &ID, version: impl Into<Option<i32>>) -> On {
    On { case: key_of::<InspectionCase>(id), version: version.into() }
}

/// What is done about cases.
#[derive(Default)]
pub(crate) struct CaseMutation;

#[Object]
impl CaseMutation {
    /// 交办: hands a case over. By the city or regional office; the lead unit is told by mail at once.
    async fn hand_over_case(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The case.")] input: HandOverCaseInput,
    ) -> async_graphql::Result<CasePayload> {
        let request = ctx.data::<Request>()?;
        let new = acts::New {
            number: input.number,
            round: key_of::<InspectionRound>(&input.round_id),
            region: key_of::<Region>(&input.region_id),
            channel: input.channel.into(),
            pollution: input.pollution.into_iter().map(Into::into).collect(),
            is_key: input.is_key,
            summary: input.summary,
            lead_unit: key_of::<Unit>(&input.lead_unit_id),
            // An id of something else is a unit that is not there.
            assisting: input.assisting_unit_ids.iter().map(|id| key_of::<Unit>(id).unwrap_or_default()).collect(),
            handed_over_on: input.handed_over_on.map(|day| day.0),
            due_on: input.due_on.0,
        };
        CasePayload::of(acts::hand_over(&request.desk(), new).await, request)
    }

    /// 签收: takes a case on. By the lead unit.
    async fn accept_case(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The case.")] input: CaseInput,
    ) -> async_graphql::Result<CasePayload> {
        let request = ctx.data::<Request>()?;
        CasePayload::of(acts::accept(&request.desk(), on(&input.case_id, input.version)).await, request)
    }

    /// Reports on a case that is at work. By the lead unit, or one that assists.
    async fn report_on_case(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The report.")] input: ReportOnCaseInput,
    ) -> async_graphql::Result<CasePayload> {
        let request = ctx.data::<Request>()?;
        CasePayload::of(acts::report(&request.desk(), on(&input.case_id, None), &input.text).await, request)
    }

    /// 阶段性办结、办结: resolves a case, for the time being or wholly. By the lead unit.
    async fn resolve_case(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it came to.")] input: ResolveCaseInput,
    ) -> async_graphql::Result<CasePayload> {
        let request = ctx.data::<Request>()?;
        let resolution =
            acts::Resolution { finding: input.finding.into(), text: input.text, is_partial: input.is_partial };
        let on = on(&input.case_id, input.version);
        CasePayload::of(acts::resolve(&request.desk(), on, &resolution).await, request)
    }

    /// 退回: returns a case that is resolved, by the city or regional office, or one that is verified, by the regional office.
    /// The lead unit is told by mail at once.
    async fn return_case(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The case, and why.")] input: ReturnCaseInput,
    ) -> async_graphql::Result<CasePayload> {
        let request = ctx.data::<Request>()?;
        let on = on(&input.case_id, input.version);
        CasePayload::of(acts::send_back(&request.desk(), on, &input.reason).await, request)
    }

    /// 验收: verifies a case that is resolved. By the city or regional office, never by whoever resolved it.
    async fn verify_case(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What was found.")] input: VerifyCaseInput,
    ) -> async_graphql::Result<CasePayload> {
        let request = ctx.data::<Request>()?;
        let on = on(&input.case_id, input.version);
        CasePayload::of(acts::verify(&request.desk(), on, &input.opinion).await, request)
    }

    /// 销号: closes a case that is verified. By the regional office.
    async fn close_case(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The decision.")] input: CloseCaseInput,
    ) -> async_graphql::Result<CasePayload> {
        let request = ctx.data::<Request>()?;
        let on = on(&input.case_id, input.version);
        CasePayload::of(acts::close(&request.desk(), on, &input.decision).await, request)
    }

    /// 反弹: opens a closed case again. By the regional office; the lead unit is told by mail at once.
    async fn reopen_case(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The case, what relapsed, and by when.")] input: ReopenCaseInput,
    ) -> async_graphql::Result<CasePayload> {
        let request = ctx.data::<Request>()?;
        let on = on(&input.case_id, input.version);
        CasePayload::of(acts::reopen(&request.desk(), on, &input.reason, input.due_on.0).await, request)
    }
}
