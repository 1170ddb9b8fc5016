//! Progress reports (整改进展): append-only.

use async_graphql::ID;
use planner::{Dimension, Figure, FigureKind, Kind, Link, Named, Noun, SortKey, SortType, noun};

use crate::noun::account::Account;
use crate::noun::assignment::{Assignment, AssignmentFilter};
use crate::part::filter::{DateTimeFilter, RelationFilter, TextFilter, filter};
use crate::part::order::order;
use crate::part::scalar::Moment;

const SUBMITTED_AT: SortKey = SortKey::column("{t}.submitted_at", "submitted_at", SortType::Moment);

const GROUPS: &[Dimension] = &[
    Dimension::plain("PERIOD", "The month that they report on.", "{t}.period"),
    Dimension {
        name: "ASSIGNMENT",
        description: "What they are on.",
        key: "{t}.assignment_id",
        of: Some(Named {
            prefix: "assignment",
            table: "assignment",
            name: "SELECT name FROM unit WHERE id = (SELECT unit_id FROM assignment WHERE id = {})",
        }),
    },
];

const FIGURES: &[Figure] = &[Figure {
    name: "submittedAt",
    description: "When they were submitted.",
    expression: "{t}.submitted_at",
    kind: FigureKind::Moment,
}];

noun! {
    /// A report on an assignment (整改进展). It is never edited: a correction is a new one.
    pub(crate) ProgressReport from "progress_report" as "report" {
        order: &[SUBMITTED_AT.reversed()],
        total: None,
        filter: ProgressReportFilter,
        by: ProgressReportOrder,
        groups: GROUPS,
        figures: FIGURES
    }
    /// The global id.
    id: ID = Kind::Id;
    /// The month that it reports on: `2023-04`.
    period: String = Kind::Column("period");
    /// The report.
    text: String = Kind::Column("text");
    /// The status word that it was printed with, for an imported one.
    stated: Option<String> = Kind::Column("stated");
    /// What was counted.
    quantities: Vec<Quantity> = Kind::List(<Quantity as Noun>::table, Link::Column("progress_report_id"));
    /// Who wrote it; null for an imported one, and where the account may not be seen.
    author: Option<Account> = Kind::One(<Account as Noun>::table, "author_id");
    /// When it was submitted.
    submittedAt: Moment = Kind::Column("submitted_at");
    /// What it is on.
    assignment: Assignment = Kind::One(<Assignment as Noun>::table, "assignment_id");
}

noun! {
    /// One counted thing of a report.
    pub(crate) Quantity from "quantity" {
        order: &[SortKey::column("{t}.position", "position", SortType::Integer)],
        total: None
    }
    /// What is counted: 退化草原修复.
    label: String = Kind::Column("label");
    /// How much is done, in `unit`.
    done: Option<f64> = Kind::Column("done");
    /// How much is to be done, in `unit`.
    target: Option<f64> = Kind::Column("target");
    /// The unit of measure: 万亩.
    unit: Option<String> = Kind::Column("unit");
}

order! { ProgressReportOrder by ProgressReportOrderField {
    /// When it was submitted.
    SubmittedAt = SUBMITTED_AT,
} }

filter! {
    /// Demands on progress reports.
    ProgressReportFilter {
        /// Its text.
        text: TextFilter = |text| text.condition("text", &["text"]),
        /// The month that it reports on.
        period: TextFilter = |period| period.condition("period", &["period"]),
        /// What it is on.
        assignment: RelationFilter<AssignmentFilter> = |assignment| assignment.condition("assignment_id", <Assignment as Noun>::table()),
        /// When it was submitted.
        submitted_at: DateTimeFilter = |at| at.condition("submitted_at"),
    }
}
