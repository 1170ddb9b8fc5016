//! Complaint cases (交办案件), handed over during an inspection: their type, filter and mutations.

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object};
use ledger::record::concern;
use ledger::rule::case_flow;
use ledger::work::available::{self, Subject};
use ledger::work::case::{self as acts, CaseTarget};
use planner::{
    Condition, Connection, Dimension, Figure, FigureKind, Indexed, Kind, Link, Noun, SortKey, SortType, Sql, noun,
};

use crate::context::Request;
use crate::noun::audit::AuditEntry;
use crate::noun::case_report::{CaseReport, CaseReportFilter};
use crate::noun::region::{Region, SubtreeFilter};
use crate::noun::round::{InspectionRound, InspectionRoundFilter};
use crate::noun::unit::{Unit, UnitFilter};
use crate::part::action::{self, AvailableAction};
use crate::part::filter::{DateFilter, DateTimeFilter, ListFilter, RelationFilter, TextFilter, filter, one_of};
use crate::part::group::{self, dated};
use crate::part::order::order;
use crate::part::patch::{clearable, patch};
use crate::part::payload::{key_of, payload};
use crate::part::scalar::{Date, Moment};

/// Channel through which a complaint was made.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::inspection_case::Channel")]
pub(crate) enum CaseChannel {
    /// 来信 · The complaint was made by letter.
    Letter,
    /// 来电 · The complaint was made by telephone.
    Call,
}

/// Workflow state of a complaint case.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::inspection_case::CaseState")]
pub(crate) enum CaseState {
    /// 交办 · The case has been handed over; the lead unit has not taken it on yet.
    HandedOver,
    /// 办理中 · The lead unit is working on the case.
    InProgress,
    /// 阶段性办结 · The lead unit has resolved the case for the time being; work continues.
    PartlyResolved,
    /// 已办结 · The lead unit has resolved the case; it is not verified yet.
    Resolved,
    /// 已验收 · The city or regional office has verified the case.
    Accepted,
    /// 已销号 · The regional office has closed the case.
    Closed,
}

/// Whether a complaint was found to be true.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::inspection_case::Finding")]
pub(crate) enum CaseFinding {
    /// 属实 · The complaint is true.
    True,
    /// 部分属实 · The complaint is partly true.
    PartlyTrue,
    /// 不属实 · The complaint is not true.
    Untrue,
}

/// How soon a complaint case has to be handled (办理类型).
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::inspection_case::Handling")]
pub(crate) enum CaseHandling {
    /// 立行立改 · The problem has to be rectified at once.
    Immediate,
    /// 长期整改 · The rectification takes longer and continues after the inspection.
    LongTerm,
}

/// Kind of pollution that a complaint is about.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::case_pollution::Pollution")]
pub(crate) enum Pollution {
    /// 水 · Water pollution.
    Water,
    /// 大气 · Air pollution.
    Air,
    /// 土壤 · Soil pollution.
    Soil,
    /// 噪声 · Noise pollution.
    Noise,
    /// 生态 · Damage to ecosystems.
    Ecology,
    /// 固废 · Solid waste.
    Waste,
    /// 辐射 · Radiation pollution.
    Radiation,
    /// 其他 · Pollution of any other kind.
    Other,
}

fn overdue(sql: &mut Sql<'_>, case: &str) -> String {
    let condition = case_flow::overdue(sql, case);
    sql.boolean(&condition)
}

fn is_repeat(sql: &mut Sql<'_>, case: &str) -> String {
    sql.boolean(&format!("{case}.repeat_of_id IS NOT NULL"))
}

/// Returns the condition that a case belongs to a region or to one below it.
pub(crate) fn within(region: &SubtreeFilter) -> Condition {
    region.listed(concern::cases_of)
}

// The list of a region's cases stores the deadline as `due_order`, the name that all such lists share.
const DUE_ON: SortKey = SortKey::column("{t}.due_on", "due_order", SortType::Date);
const NUMBER: SortKey = SortKey::column("{t}.number", "number", SortType::Text);
const HANDED_OVER_ON: SortKey = SortKey::column("{t}.handed_over_on", "handed_over_on", SortType::Date);
const UPDATED_AT: SortKey = SortKey::column("{t}.updated_at", "updated_at", SortType::Moment);

const GROUPS: &[Dimension] = dated!(
    "{t}.handed_over_on",
    "date on which the case was handed over",
    [
        Dimension::plain("STATE", "办理状态 · Workflow state of the case.", "{t}.state"),
        Dimension::plain("CHANNEL", "来源 · Channel through which the complaint was made.", "{t}.channel"),
        Dimension::plain(
            "BATCH",
            "批次 · Batch in which the inspection handed the case over, as printed.",
            "{t}.batch"
        ),
        Dimension::plain("HANDLING", "办理类型 · How soon the case has to be handled.", "{t}.handling"),
        Dimension::plain("FINDING", "属实情况 · Whether the complaint was found to be true.", "{t}.finding"),
        group::DUE_ON,
        Dimension::plain("HANDED_OVER_ON", "交办日期 · Date on which the case was handed over.", "{t}.handed_over_on"),
        group::ROUND,
        group::REGION,
        group::LEAD_UNIT,
        group::LEAD_SECTOR,
        Dimension::spread(
            "POLLUTION",
            "污染类型 · Kind of pollution; a case with several kinds counts in each.",
            "{j}.kind",
            "LEFT JOIN case_pollution {j} ON {j}.case_id = {t}.id",
        ),
    ]
);

const FIGURES: &[Figure] = &[
    group::DUE,
    Figure {
        name: "handedOverOn",
        description: "Earliest and latest local date on which the cases were handed over.",
        expression: "{t}.handed_over_on",
        kind: FigureKind::Date,
    },
    Figure {
        name: "resolvedOn",
        description: "Earliest and latest local date on which the cases were resolved.",
        expression: "{t}.resolved_on",
        kind: FigureKind::Date,
    },
    group::UPDATED,
    Figure {
        name: "resolved",
        description: "Number of cases that are resolved (办结): in the state `RESOLVED`, `ACCEPTED` or `CLOSED`.",
        expression: case_flow::RESOLVED,
        kind: FigureKind::Count,
    },
    Figure {
        name: "closed",
        description: "Number of cases that are closed (销号).",
        expression: case_flow::CLOSED,
        kind: FigureKind::Count,
    },
    Figure {
        name: "overdue",
        description: "Number of cases that are overdue today (逾期), as `isOverdue` says of each.",
        expression: case_flow::OVERDUE,
        kind: FigureKind::Count,
    },
    Figure {
        name: "substantiated",
        description: "Number of cases whose complaint was found to be true or partly true (属实、部分属实).",
        expression: case_flow::SUBSTANTIATED,
        kind: FigureKind::Count,
    },
    Figure {
        name: "resolutionRate",
        description: "Resolution rate (办结率) as a fraction, `0.5` for 50 %: `resolved` ÷ `count`; null if there are \
                      no cases.",
        expression: case_flow::RESOLVED,
        kind: FigureKind::Share,
    },
];

/// What is searched in the texts, as the index has it.
pub(crate) const TEXTS: Indexed = Indexed { name: "inspection_case", table: "inspection_case", columns: &["summary"] };
/// What is searched in the numbers, as the index has it.
pub(crate) const NUMBERS: Indexed =
    Indexed { name: "inspection_case_number", table: "inspection_case", columns: &["number"] };

noun! {
    /// A complaint handed over during an inspection (交办案件), as one region has to resolve it. Who complained is not
    /// stored.
    pub(crate) InspectionCase from "inspection_case" as "case" {
        order: &[DUE_ON],
        total: None,
        filter: InspectionCaseFilter,
        by: InspectionCaseOrder,
        groups: GROUPS,
        figures: FIGURES
    }
    /// Global id of the case, for example `case_5`.
    id: ID = Kind::Id;
    /// Case number as printed, for example `D3SX202505280018`. A complaint that several regions have to resolve is a
    /// separate case in each of them.
    number: String = Kind::Column("number");
    /// Batch in which the inspection handed the case over (批次), as printed, for example `第三批` or `12`; null if it
    /// is not known.
    batch: Option<String> = Kind::Column("batch");
    /// Workflow state of the case.
    state: CaseState = Kind::Column("state");
    /// Channel through which the complaint was made.
    channel: CaseChannel = Kind::Column("channel");
    /// Kinds of pollution that the complaint is about.
    pollution: Vec<CasePollution> = Kind::List(<CasePollution as Noun>::table, Link::Column("case_id"));
    /// Whether it is a key case (重点).
    isKey: bool = Kind::Boolean("is_key");
    /// How soon the case has to be handled (办理类型); null if it is not stated.
    handling: Option<CaseHandling> = Kind::Column("handling");
    /// Whether the case repeats an earlier case of the same round (重复件).
    isRepeat: bool = Kind::Expression(is_repeat);
    /// Earlier case of the same round that this one repeats (重复件); null if it repeats none, or if the caller may not
    /// see the earlier case.
    repeatOf: Option<InspectionCase> = Kind::One(<InspectionCase as Noun>::table, "repeat_of_id");
    /// What the complaint is about.
    summary: String = Kind::Column("summary");
    /// Local date on which the case was handed over.
    handedOverOn: Date = Kind::Column("handed_over_on");
    /// Local date by which the case has to be resolved.
    dueOn: Date = Kind::Column("due_on");
    /// Whether the case is overdue (逾期): past `dueOn` today, and not resolved or only for the time being.
    isOverdue: bool = Kind::Expression(overdue);
    /// Whether the complaint was found to be true when the case was last resolved; null before that and after a
    /// relapse.
    finding: Option<CaseFinding> = Kind::Column("finding");
    /// Local date on which the case was resolved (已办结); null while it is not, also after a return or a relapse.
    resolvedOn: Option<Date> = Kind::Column("resolved_on");
    /// Local date on which the case was closed (销号); null while it is not, also after a relapse.
    closedOn: Option<Date> = Kind::Column("closed_on");
    /// Inspection round (督察轮次) during which the complaint was made.
    round: InspectionRound = Kind::One(<InspectionRound as Noun>::table, "round_id");
    /// Region that has to resolve the case.
    region: Region = Kind::One(<Region as Noun>::table, "region_id");
    /// Lead unit (主办单位) that answers the case; null if the caller may not see it.
    leadUnit: Option<Unit> = Kind::One(<Unit as Noun>::table, "lead_unit_id");
    /// Units that assist with the case (协办单位), as far as the caller may see them.
    assistingUnits(pages Unit): Connection<Unit> =
        Link::Among("SELECT unit_id FROM case_unit WHERE case_id = {t}.id");
    /// Steps taken in the case and reports on it, oldest first by default.
    reports(pages CaseReport): Connection<CaseReport> = Link::Part("case_id");
    /// What can be done to it, and whether the caller may do it now; those that are not available say why.
    availableActions: Vec<AvailableAction> =
        Kind::Finished(|sql, case| available::facts(sql, Subject::Case, case), action::CASE);
    /// Audit entries about the case, newest first by default: its state before and after every change.
    audit(pages AuditEntry): Connection<AuditEntry> = Link::Part("case_id");
    /// Version number, increased by every change. Mutations take it so that a concurrent change is detected
    /// (`STALE_VERSION`).
    version: i32 = Kind::Column("version");
    /// When the case was entered into the ledger.
    createdAt: Moment = Kind::Column("created_at");
    /// When the case last changed.
    updatedAt: Moment = Kind::Column("updated_at");
}

noun! {
    /// One of the kinds of pollution that a case is about.
    pub(crate) CasePollution from "case_pollution" {
        order: &[SortKey::column("{t}.kind", "kind", SortType::Text)],
        total: None
    }
    /// Kind of pollution that the complaint is about.
    kind: Pollution = Kind::Column("kind");
}

order! { InspectionCaseOrder by InspectionCaseOrderField {
    /// 办理时限 · Date by which the case has to be resolved.
    DueOn = DUE_ON,
    /// 交办日期 · Date on which the case was handed over.
    HandedOverOn = HANDED_OVER_ON,
    /// 案件编号 · Case number as printed, compared as text.
    Number = NUMBER,
    /// 更新时间 · When the case last changed.
    UpdatedAt = UPDATED_AT,
} }

filter! {
    /// Conditions on complaint cases. All that are given have to hold.
    InspectionCaseFilter {
        /// Condition on the region that has to resolve the case, with everything below it.
        region: SubtreeFilter = |region| within(region),
        /// Condition on the inspection round during which the complaint was made.
        round: RelationFilter<InspectionRoundFilter> =
            |round| round.condition("round_id", <InspectionRound as Noun>::table()),
        /// Condition on the lead unit that answers the case.
        lead_unit: RelationFilter<UnitFilter> = |unit| unit.condition("lead_unit_id", <Unit as Noun>::table()),
        /// The case is in one of these workflow states.
        state: Vec<CaseState> = |states| one_of::<_, entity::inspection_case::CaseState>("state", states),
        /// The complaint was made through one of these channels.
        channel: Vec<CaseChannel> = |channels| one_of::<_, entity::inspection_case::Channel>("channel", channels),
        /// The complaint is about at least one of these kinds of pollution.
        pollution: Vec<Pollution> = |kinds| Condition::Exists {
            table: "case_pollution",
            column: "case_id",
            key: "id",
            condition: Box::new(one_of::<_, entity::case_pollution::Pollution>("kind", kinds)),
        },
        /// True: only key cases (重点). False: only the others.
        is_key: bool = |is_key| Condition::Compare("is_key", "=", (*is_key).into()),
        /// Condition on the batch in which the inspection handed the case over (批次), as printed.
        batch: TextFilter = |batch| batch.condition("batch", &["batch"]),
        /// The case has to be handled in one of these ways (办理类型).
        handling: Vec<CaseHandling> =
            |classes| one_of::<_, entity::inspection_case::Handling>("handling", classes),
        /// True: only cases that repeat an earlier one (重复件). False: only the others.
        is_repeat: bool =
            |wanted| Condition::Holds(|_, case| format!("({case}.repeat_of_id IS NOT NULL)"), *wanted),
        /// True: only cases that are past `dueOn` today and not resolved, or only for the time being. False: only the
        /// others.
        is_overdue: bool = |wanted| Condition::Holds(case_flow::overdue, *wanted),
        /// The finding is one of these.
        finding: Vec<CaseFinding> = |findings| one_of::<_, entity::inspection_case::Finding>("finding", findings),
        /// Condition on the case number as printed.
        number: TextFilter = |number| number.condition("number", NUMBERS),
        /// Condition on what the complaint is about.
        text: TextFilter = |text| text.condition("summary", TEXTS),
        /// Condition on the local date on which the case was handed over.
        handed_over_on: DateFilter = |day| day.condition("handed_over_on"),
        /// Condition on the local date by which the case has to be resolved.
        due_on: DateFilter = |day| day.condition("due_on"),
        /// Condition on the steps taken in the case and the reports on it.
        reports: ListFilter<CaseReportFilter> = |list| list.condition(<CaseReport as Noun>::table(), "case_id"),
        /// Condition on when the case last changed.
        updated_at: DateTimeFilter = |at| at.condition("updated_at"),
    }
}

/// Input of `handOverCase`: the complaint, and the region and units that have to resolve it.
#[derive(InputObject)]
pub(crate) struct HandOverCaseInput {
    /// Case number as printed, 1 to 40 characters; each round and region has it once.
    number: String,
    /// Inspection round during which the complaint was made.
    round_id: ID,
    /// Region that has to resolve the case: the caller's region or one below it.
    region_id: ID,
    /// Channel through which the complaint was made.
    channel: CaseChannel,
    /// Kinds of pollution that the complaint is about: at least one, each once.
    pollution: Vec<Pollution>,
    /// Whether it is a key case (重点).
    #[graphql(default = false)]
    is_key: bool,
    /// Batch in which the inspection handed the case over (批次), as printed, 1 to 40 characters.
    batch: Option<String>,
    /// How soon the case has to be handled (办理类型).
    handling: Option<CaseHandling>,
    /// Earlier case that this one repeats (重复件): one of the same round that the caller may see, handed over on the
    /// same day or before.
    repeat_of_id: Option<ID>,
    /// What the complaint is about, 2 to 5,000 characters, without saying who complained. Telephone and identity card
    /// numbers are refused.
    summary: String,
    /// Lead unit (主办单位) that answers the case, in the caller's region or below.
    lead_unit_id: ID,
    /// Units that assist with the case (协办单位), at most 50, each once; the lead unit cannot be one of them.
    #[graphql(default)]
    assisting_unit_ids: Vec<ID>,
    /// Local date on which the case is handed over, not after today; today if left out.
    handed_over_on: Option<Date>,
    /// Local date by which the case has to be resolved: from the day of handing over to ten years after it.
    due_on: Date,
}

/// Input of `editCase`: a case that is not closed, and the fields to correct. Omitted fields keep their value; null
/// clears a field that may be empty. The round, the region and the units stay as they are.
#[derive(InputObject)]
pub(crate) struct EditCaseInput {
    /// Global id of the case to correct.
    case_id: ID,
    /// Version of the case that the caller read; an outdated one is refused.
    version: i32,
    /// New case number as printed, 1 to 40 characters; each round and region has it once. Cannot be null.
    number: MaybeUndefined<String>,
    /// New channel through which the complaint was made; cannot be null.
    channel: MaybeUndefined<CaseChannel>,
    /// New kinds of pollution that the complaint is about: at least one, each once; cannot be null.
    pollution: MaybeUndefined<Vec<Pollution>>,
    /// Whether it is a key case (重点); cannot be null.
    is_key: MaybeUndefined<bool>,
    /// New batch in which the inspection handed the case over (批次), as printed, 1 to 40 characters; null clears it.
    batch: MaybeUndefined<String>,
    /// How soon the case has to be handled (办理类型); null clears it.
    handling: MaybeUndefined<CaseHandling>,
    /// Earlier case that this one repeats (重复件): another one of the same round that the caller may see, handed over
    /// on the same day or before. Null clears it.
    repeat_of_id: MaybeUndefined<ID>,
    /// New text of what the complaint is about, 2 to 5,000 characters, without saying who complained. Telephone and
    /// identity card numbers are refused. Cannot be null.
    summary: MaybeUndefined<String>,
    /// New local date on which the case was handed over, not after today; cannot be null.
    handed_over_on: MaybeUndefined<Date>,
    /// New local date by which the case has to be resolved: from the day of handing over to ten years after it. Cannot
    /// be null.
    due_on: MaybeUndefined<Date>,
}

/// Input of `acceptCase`: the case to take on.
#[derive(InputObject)]
pub(crate) struct AcceptCaseInput {
    /// Global id of the case to take on.
    case_id: ID,
    /// Version of the case that the caller read; an outdated one is refused, so that two users do not overwrite each
    /// other's changes.
    version: i32,
}

/// Input of `reportOnCase`: a report on a case that is not resolved yet.
#[derive(InputObject)]
pub(crate) struct ReportOnCaseInput {
    /// Global id of the case that the report is on.
    case_id: ID,
    /// Text of the report, 1 to 5,000 characters.
    text: String,
}

/// Input of `resolveCase`: the finding, and what was done.
#[derive(InputObject)]
pub(crate) struct ResolveCaseInput {
    /// Global id of the case to resolve.
    case_id: ID,
    /// Version of the case that the caller read; an outdated one is refused.
    version: i32,
    /// Whether the complaint was found to be true.
    finding: CaseFinding,
    /// What was found and done, 2 to 5,000 characters.
    text: String,
    /// Whether the case is resolved for the time being only (阶段性办结).
    #[graphql(default = false)]
    is_partial: bool,
}

/// Input of `returnCase`: the case to return, and the reason.
#[derive(InputObject)]
pub(crate) struct ReturnCaseInput {
    /// Global id of the case to return.
    case_id: ID,
    /// Version of the case that the caller read; an outdated one is refused.
    version: i32,
    /// Reason why the case is returned, 2 to 5,000 characters.
    reason: String,
}

/// Input of `verifyCase`: a resolved case, and what its verification found.
#[derive(InputObject)]
pub(crate) struct VerifyCaseInput {
    /// Global id of the case to verify.
    case_id: ID,
    /// Version of the case that the caller read; an outdated one is refused.
    version: i32,
    /// What was found on site and in the files, 2 to 5,000 characters.
    opinion: String,
}

/// Input of `closeCase`: a verified case, and the decision to close it.
#[derive(InputObject)]
pub(crate) struct CloseCaseInput {
    /// Global id of the case to close.
    case_id: ID,
    /// Version of the case that the caller read; an outdated one is refused.
    version: i32,
    /// Text of the decision to close the case, 2 to 5,000 characters.
    decision: String,
}

/// Input of `reopenCase`: a closed case that relapsed, and its new due date.
#[derive(InputObject)]
pub(crate) struct ReopenCaseInput {
    /// Global id of the case to reopen.
    case_id: ID,
    /// Version of the case that the caller read; an outdated one is refused.
    version: i32,
    /// Description of the relapse, 2 to 5,000 characters.
    reason: String,
    /// Local date by which the case has to be resolved again: today or later, and within ten years.
    due_on: Date,
}

payload! {
    /// Result of a mutation on a complaint case.
    CasePayload {
        /// Case as it is now; null if the mutation was refused.
        inspection_case: InspectionCase,
        /// Reasons why the mutation was refused; empty if it was carried out.
        errors,
        /// Side effects that failed although the mutation was carried out, such as a notice by mail to units that have
        /// no address. Usually empty.
        warnings
    }
}

fn on(id: &ID, version: impl Into<Option<i32>>) -> CaseTarget {
    CaseTarget { case: key_of::<InspectionCase>(id), version: version.into() }
}

/// Mutations on complaint cases.
#[derive(Default)]
pub(crate) struct CaseMutation;

#[Object]
impl CaseMutation {
    /// Hands a complaint case over to a lead unit (交办), which is notified by mail at once. For city and regional
    /// offices.
    async fn hand_over_case(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Complaint, and the units that answer it.")] input: HandOverCaseInput,
    ) -> async_graphql::Result<CasePayload> {
        let request = ctx.data::<Request>()?;
        let new = acts::New {
            number: input.number,
            round: key_of::<InspectionRound>(&input.round_id),
            region: key_of::<Region>(&input.region_id),
            channel: input.channel.into(),
            pollution: input.pollution.into_iter().map(Into::into).collect(),
            is_key: input.is_key,
            batch: input.batch,
            handling: input.handling.map(Into::into),
            // An id of another type becomes key 0, which no case has: it is refused like an unknown case.
            repeat_of: input.repeat_of_id.map(|id| key_of::<InspectionCase>(&id).unwrap_or_default()),
            summary: input.summary,
            lead_unit: key_of::<Unit>(&input.lead_unit_id),
            // An id of another type becomes key 0, which no unit has: it is refused like an unknown unit.
            assisting: input.assisting_unit_ids.iter().map(|id| key_of::<Unit>(id).unwrap_or_default()).collect(),
            handed_over_on: input.handed_over_on.map(|day| day.0),
            due_on: input.due_on.0,
        };
        CasePayload::of(acts::hand_over(&request.acting(), new).await, request)
    }

    /// Corrects the fields of a case that is not closed. For city and regional offices, which hand cases over.
    async fn edit_case(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Case and the fields to correct.")] input: EditCaseInput,
    ) -> async_graphql::Result<CasePayload> {
        let request = ctx.data::<Request>()?;
        let done = async {
            let kinds = |kinds: Vec<Pollution>| kinds.into_iter().map(Into::into).collect();
            let changes = acts::Changes {
                number: patch(input.number, "number")?,
                channel: patch(input.channel.map_value(Into::into), "channel")?,
                batch: clearable(input.batch),
                handling: clearable(input.handling.map_value(Into::into)),
                // An id of another type becomes key 0, which no case has: it is refused like an unknown case.
                repeat_of: clearable(
                    input.repeat_of_id.map_value(|id| key_of::<InspectionCase>(&id).unwrap_or_default()),
                ),
                pollution: patch(input.pollution.map_value(kinds), "pollution")?,
                is_key: patch(input.is_key, "isKey")?,
                summary: patch(input.summary, "summary")?,
                handed_over_on: patch(input.handed_over_on.map_value(|day| day.0), "handedOverOn")?,
                due_on: patch(input.due_on.map_value(|day| day.0), "dueOn")?,
            };
            acts::edit(&request.acting(), on(&input.case_id, input.version), changes).await
        };
        CasePayload::of(done.await, request)
    }

    /// Takes a case on (签收). For the lead unit.
    async fn accept_case(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Case to take on.")] input: AcceptCaseInput,
    ) -> async_graphql::Result<CasePayload> {
        let request = ctx.data::<Request>()?;
        CasePayload::of(acts::accept(&request.acting(), on(&input.case_id, input.version)).await, request)
    }

    /// Reports on a case that is in progress or resolved for the time being (办理情况). For the lead unit and the
    /// assisting units.
    async fn report_on_case(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Case, and the text of the report.")] input: ReportOnCaseInput,
    ) -> async_graphql::Result<CasePayload> {
        let request = ctx.data::<Request>()?;
        CasePayload::of(acts::report(&request.acting(), on(&input.case_id, None), &input.text).await, request)
    }

    /// Resolves a case, for the time being (阶段性办结) or fully (办结). For the lead unit.
    async fn resolve_case(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Case, finding and what was done.")] input: ResolveCaseInput,
    ) -> async_graphql::Result<CasePayload> {
        let request = ctx.data::<Request>()?;
        let resolution =
            acts::Resolution { finding: input.finding.into(), text: input.text, is_partial: input.is_partial };
        let on = on(&input.case_id, input.version);
        CasePayload::of(acts::resolve(&request.acting(), on, &resolution).await, request)
    }

    /// Returns a resolved or verified case to the lead unit (退回), which is notified by mail at once. For city and
    /// regional offices; a verified case only for the regional office. No one may return a case that they resolved
    /// themselves.
    async fn return_case(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Case to return, and the reason.")] input: ReturnCaseInput,
    ) -> async_graphql::Result<CasePayload> {
        let request = ctx.data::<Request>()?;
        let on = on(&input.case_id, input.version);
        CasePayload::of(acts::send_back(&request.acting(), on, &input.reason).await, request)
    }

    /// Verifies a resolved case (验收). For city and regional offices; no one may verify a case that they resolved
    /// themselves.
    async fn verify_case(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Case, and the opinion of the office that verifies it.")] input: VerifyCaseInput,
    ) -> async_graphql::Result<CasePayload> {
        let request = ctx.data::<Request>()?;
        let on = on(&input.case_id, input.version);
        CasePayload::of(acts::verify(&request.acting(), on, &input.opinion).await, request)
    }

    /// Closes a verified case (销号). For the regional office; no one may close a case that they resolved themselves.
    async fn close_case(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Case, and the text of the closing decision.")] input: CloseCaseInput,
    ) -> async_graphql::Result<CasePayload> {
        let request = ctx.data::<Request>()?;
        let on = on(&input.case_id, input.version);
        CasePayload::of(acts::close(&request.acting(), on, &input.decision).await, request)
    }

    /// Reopens a closed case after a relapse (反弹), with a new date by which it has to be resolved. The lead unit is
    /// notified by mail at once. For the regional office.
    async fn reopen_case(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Case, description of the relapse, and new due date.")] input: ReopenCaseInput,
    ) -> async_graphql::Result<CasePayload> {
        let request = ctx.data::<Request>()?;
        let on = on(&input.case_id, input.version);
        CasePayload::of(acts::reopen(&request.acting(), on, &input.reason, input.due_on.0).await, request)
    }
}
