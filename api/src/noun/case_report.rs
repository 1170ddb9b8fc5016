//! What was done about complaint cases and reported on them, step by step: append-only.

use async_graphql::{Enum, ID};
use planner::{Condition, Kind, Noun, SortKey, SortType, noun};
use sea_orm::ActiveEnum;

use crate::noun::account::Account;
use crate::noun::case::{CaseFinding, InspectionCase, InspectionCaseFilter};
use crate::part::filter::{DateTimeFilter, RelationFilter, TextFilter, filter};
use crate::part::order::order;
use crate::part::scalar::Moment;

/// A step of the way of a case.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::case_report::CaseStep")]
pub(crate) enum CaseStep {
    /// 签收: taken on.
    Accept,
    /// 办理情况: reported on.
    Report,
    /// 阶段性办结: resolved for the time being.
    ResolvePartly,
    /// 办结: resolved.
    Resolve,
    /// 退回: returned by the level above.
    Return,
    /// 验收: verified by the level above.
    Verify,
    /// 销号: closed.
    Close,
    /// 反弹: opened again.
    Reopen,
}

const KEY: SortKey = SortKey::column("{t}.id", "id", SortType::Integer);

noun! {
    /// A step of a case, or a report on it. It is never edited: a correction is a new one.
    pub(crate) CaseReport from "case_report" as "casereport" {
        order: &[KEY],
        total: None,
        filter: CaseReportFilter,
        by: CaseReportOrder
    }
    /// The global id.
    id: ID = Kind::Id;
    /// What was done.
    step: CaseStep = Kind::Column("step");
    /// In what words; null where there are none.
    text: Option<String> = Kind::Column("text");
    /// What was found of the complaint, where the step resolves it.
    finding: Option<CaseFinding> = Kind::Column("finding");
    /// Who did it; null where the account may not be seen.
    author: Option<Account> = Kind::One(<Account as Noun>::table, "author_id");
    /// When.
    writtenAt: Moment = Kind::Column("written_at");
    /// The case.
    inspectionCase: InspectionCase = Kind::One(<InspectionCase as Noun>::table, "case_id");
}

order! { CaseReportOrder by CaseReportOrderField {
    /// When it was written.
    WrittenAt = SortKey::column("{t}.written_at", "written_at", SortType::Moment),
} }

filter! {
    /// Demands on the steps of cases and the reports on them.
    CaseReportFilter {
        /// What was done is one of these.
        step: Vec<CaseStep> = |steps| Condition::In(
            "step",
            steps.iter().map(|step| entity::case_report::CaseStep::from(*step).to_value().into()).collect(),
        ),
        /// The words.
        text: TextFilter = |text| text.condition("text", &["text"]),
        /// When it was written.
        written_at: DateTimeFilter = |at| at.condition("written_at"),
        /// The case.
        inspection_case: RelationFilter<InspectionCaseFilter> = |case| case.condition("case_id", <InspectionCase as Noun>::table()),
    }
}
