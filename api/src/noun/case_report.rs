//! Steps taken in complaint cases (交办案件) and reports on them: append-only.

use async_graphql::{Enum, ID};
use planner::{Dimension, Indexed, Kind, Noun, SortKey, SortType, noun};

use crate::noun::account::Account;
use crate::noun::case::{CaseFinding, InspectionCase, InspectionCaseFilter};
use crate::part::filter::{DateTimeFilter, RelationFilter, TextFilter, filter, one_of};
use crate::part::order::order;
use crate::part::scalar::Moment;

/// Step in the handling of a complaint case.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::case_report::CaseStep")]
pub(crate) enum CaseStep {
    /// 签收 · The lead unit took the case on.
    Accept,
    /// 办理情况 · The lead unit or an assisting unit reported on the case.
    Report,
    /// 阶段性办结 · The lead unit resolved the case for the time being.
    ResolvePartly,
    /// 办结 · The lead unit resolved the case.
    Resolve,
    /// 退回 · The city or regional office returned the case to the lead unit.
    Return,
    /// 验收 · The city or regional office verified the case.
    Verify,
    /// 销号 · The regional office closed the case.
    Close,
    /// 反弹 · The regional office reopened the case after a relapse.
    Reopen,
}

const KEY: SortKey = SortKey::column("{t}.id", "id", SortType::Integer);

const GROUPS: &[Dimension] = &[
    Dimension::plain("STEP", "办理环节 · Step that was taken.", "{t}.step"),
    Dimension::plain("FINDING", "属实情况 · Whether the complaint was found to be true.", "{t}.finding"),
];

/// What is searched in the texts, as the index has it.
pub(crate) const TEXTS: Indexed = Indexed { name: "case_report", table: "case_report", columns: &["text"] };

noun! {
    /// A step taken in a complaint case, or a report on it. It is never edited: a correction is a new report.
    pub(crate) CaseReport from "case_report" as "casereport" {
        order: &[KEY],
        total: None,
        filter: CaseReportFilter,
        by: CaseReportOrder,
        groups: GROUPS
    }
    /// Global id of the step, for example `casereport_8`.
    id: ID = Kind::Id;
    /// Kind of step that was taken.
    step: CaseStep = Kind::Column("step");
    /// Text of the report, resolution, opinion, decision or reason; null for steps without one, such as taking the case
    /// on.
    text: Option<String> = Kind::Column("text");
    /// Whether the complaint was found to be true; null for steps that do not resolve the case.
    finding: Option<CaseFinding> = Kind::Column("finding");
    /// Account that took the step; null if no account did, or if the caller may not see it.
    author: Option<Account> = Kind::One(<Account as Noun>::table, "author_id");
    /// When the step was taken.
    writtenAt: Moment = Kind::Column("written_at");
    /// Complaint case that the step belongs to.
    inspectionCase: InspectionCase = Kind::One(<InspectionCase as Noun>::table, "case_id");
}

order! { CaseReportOrder by CaseReportOrderField {
    /// 办理时间 · When the step was taken.
    WrittenAt = SortKey::column("{t}.written_at", "written_at", SortType::Moment),
} }

filter! {
    /// Conditions on the steps and reports of complaint cases. All that are given have to hold.
    CaseReportFilter {
        /// The step is of one of these kinds.
        step: Vec<CaseStep> = |steps| one_of::<_, entity::case_report::CaseStep>("step", steps),
        /// Condition on the text of the step.
        text: TextFilter = |text| text.condition("text", TEXTS),
        /// Condition on when the step was taken.
        written_at: DateTimeFilter = |at| at.condition("written_at"),
        /// Condition on the complaint case that the step belongs to.
        inspection_case: RelationFilter<InspectionCaseFilter> =
            |case| case.condition("case_id", <InspectionCase as Noun>::table()),
    }
}
