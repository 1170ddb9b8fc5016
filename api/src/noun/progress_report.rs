//! Progress reports (整改进展) on assignments. They are append-only.

use async_graphql::ID;
use planner::{Dimension, Figure, FigureKind, Indexed, Kind, Link, Named, Noun, SortKey, SortType, noun};

use crate::noun::account::Account;
use crate::noun::assignment::{Assignment, AssignmentFilter};
use crate::part::filter::{DateTimeFilter, RelationFilter, TextFilter, filter};
use crate::part::group::{self, dated};
use crate::part::order::order;
use crate::part::scalar::Moment;

const SUBMITTED_AT: SortKey = SortKey::column("{t}.submitted_at", "submitted_at", SortType::Moment);

const GROUPS: &[Dimension] = dated!(
    "{t}.period",
    "month that the report covers",
    [
        Dimension::plain("PERIOD", "报告期 · Month that the report covers, such as `2023-04`.", "{t}.period"),
        Dimension::of(
            "ASSIGNMENT",
            "责任分解 · Assignment that the report is about; its label is the name of the answering unit.",
            "{t}.assignment_id",
            Named {
                prefix: "assignment",
                table: "assignment",
                name: "SELECT name FROM unit WHERE id = (SELECT unit_id FROM assignment WHERE id = {})",
                code: None,
            },
        ),
        group::ANSWERING_UNIT,
        group::ANSWERING_REGION,
    ]
);

const FIGURES: &[Figure] = &[Figure {
    name: "submittedAt",
    description: "Earliest and latest moment at which one of the reports was submitted.",
    expression: "{t}.submitted_at",
    kind: FigureKind::Moment,
}];

/// What is searched in the texts, as the index has it.
pub(crate) const TEXTS: Indexed = Indexed { name: "progress_report", table: "progress_report", columns: &["text"] };

noun! {
    /// A progress report on an assignment (整改进展). Reports are never edited: a correction is a new report.
    pub(crate) ProgressReport from "progress_report" as "report" {
        order: &[SUBMITTED_AT.reversed()],
        total: None,
        filter: ProgressReportFilter,
        by: ProgressReportOrder,
        groups: GROUPS,
        figures: FIGURES
    }
    /// Global id of the progress report.
    id: ID = Kind::Id;
    /// Month that the report covers, such as `2023-04`.
    period: String = Kind::Column("period");
    /// Text of the report.
    text: String = Kind::Column("text");
    /// Status word printed with an imported report, such as `达到序时进度`; null where none was printed, and for
    /// reports submitted here.
    stated: Option<String> = Kind::Column("stated");
    /// Difficulties (存在的困难和问题) that a month's account states; null where it states none.
    difficulties: Option<String> = Kind::Column("difficulties");
    /// Next steps (下一步打算) that a month's account states; null where it states none.
    nextSteps: Option<String> = Kind::Column("next_steps");
    /// Quantities that the report states, in its order; the first one determines the pace of the assignment.
    quantities: Vec<Quantity> = Kind::List(<Quantity as Noun>::table, Link::Column("progress_report_id"));
    /// Account that wrote the report; null for an imported report, and where the caller may not see the account.
    author: Option<Account> = Kind::One(<Account as Noun>::table, "author_id");
    /// When the report was submitted.
    submittedAt: Moment = Kind::Column("submitted_at");
    /// Assignment (责任分解) that the report is about.
    assignment: Assignment = Kind::One(<Assignment as Noun>::table, "assignment_id");
}

noun! {
    /// One quantity that a progress report states.
    pub(crate) Quantity from "quantity" {
        order: &[SortKey::column("{t}.position", "position", SortType::Integer)],
        total: None
    }
    /// What is counted, such as `退化草原修复`.
    label: String = Kind::Column("label");
    /// Amount done so far, in `unit`; null where the report states none.
    done: Option<f64> = Kind::Column("done");
    /// Amount to be done in total, in `unit`; null where the report states none.
    target: Option<f64> = Kind::Column("target");
    /// Unit of measure, such as `万亩`; null where the report states none.
    unit: Option<String> = Kind::Column("unit");
}

noun! {
    /// What the assignments of a list or group report under one label and in one unit of measure. Of each assignment,
    /// it counts the latest report that states any quantities.
    pub(crate) QuantityTotal from "(SELECT {by}q.label, q.unit, sum(q.done) AS done, sum(q.target) AS target, \
        count(DISTINCT l.id) AS assignments FROM ({rows}) l \
        JOIN quantity q ON q.progress_report_id = (SELECT r.id FROM progress_report r \
            WHERE r.assignment_id = l.id AND {sees:progress_report:r} \
            AND EXISTS (SELECT 1 FROM quantity s WHERE s.progress_report_id = r.id) \
            ORDER BY r.submitted_at DESC, r.id DESC LIMIT 1) \
        GROUP BY {by}q.label, q.unit)"
    {
        order: &[
            SortKey::expression("{t}.assignments", SortType::Integer).reversed(),
            SortKey::expression("{t}.label", SortType::Text),
            SortKey::expression("coalesce({t}.unit, '')", SortType::Text)
        ],
        total: None
    }
    /// What is counted, such as `退化草原修复`.
    label: String = Kind::Column("label");
    /// Unit of measure of the amounts, such as `万亩`; null where the reports state none.
    unit: Option<String> = Kind::Column("unit");
    /// Sum of the amounts done so far; null if no report states one.
    done: Option<f64> = Kind::Column("done");
    /// Sum of the amounts to be done; null if no report states one.
    target: Option<f64> = Kind::Column("target");
    /// Number of assignments whose report states the quantity.
    assignmentCount: i32 = Kind::Column("assignments");
}

order! { ProgressReportOrder by ProgressReportOrderField {
    /// 提交时间 · Moment at which the report was submitted.
    SubmittedAt = SUBMITTED_AT,
} }

filter! {
    /// Conditions on progress reports. All that are given have to hold.
    ProgressReportFilter {
        /// Condition on the text of the report.
        text: TextFilter = |text| text.condition("text", TEXTS),
        /// Condition on the month that the report covers, such as `2023-04`.
        period: TextFilter = |period| period.condition("period", &["period"]),
        /// Condition on the assignment that the report is about.
        assignment: RelationFilter<AssignmentFilter> =
            |assignment| assignment.condition("assignment_id", <Assignment as Noun>::table()),
        /// Condition on the moment of submission.
        submitted_at: DateTimeFilter = |at| at.condition("submitted_at"),
    }
}
