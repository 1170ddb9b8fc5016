//! The SQL of the rule by which items are counted: what [`super::Figures::count`] is in Rust.
//! `tests/stories/figures.rs` checks that they agree.

use crate::rule::workflow;

/// The SQL of the state of an item: workflow status, date of completion, and whether it was completed by that date
/// rather than on it.
pub(super) struct State {
    pub(super) status: String,
    pub(super) completed_on: String,
    pub(super) is_completed_by: String,
}

impl State {
    /// Returns the state that the row `alias` has as a whole.
    pub(super) fn of(alias: &str) -> Self {
        Self {
            status: format!("{alias}.status"),
            completed_on: format!("{alias}.completed_on"),
            is_completed_by: format!("{alias}.is_completed_by"),
        }
    }

    /// Returns this state, unless `own`, the entry of a list or the roll-up of some answers, has a state of its own.
    /// `prefix` is that of the columns of `own`.
    pub(super) fn unless(self, own: &str, prefix: &str) -> Self {
        let status = format!("{own}.{prefix}status");
        let either = |column: &str, whole: &str| {
            format!("CASE WHEN {status} IS NULL THEN {whole} ELSE {own}.{prefix}{column} END")
        };
        Self {
            completed_on: either("completed_on", &self.completed_on),
            is_completed_by: either("is_completed_by", &self.is_completed_by),
            status: format!("coalesce({status}, {})", self.status),
        }
    }

    /// Returns the state of the whole of which this is the state of each part, as aggregates over the parts.
    pub(super) fn rolled_up(&self) -> Self {
        let (applicable, day) = (self.is_applicable(), &self.completed_on);
        let last = format!("max(CASE WHEN {applicable} THEN {day} END)");
        let last_by = format!("max(CASE WHEN {applicable} AND {} THEN {day} END)", self.is_completed_by);
        let open = format!("count(CASE WHEN {applicable} AND {day} IS NULL THEN 1 END)");
        Self {
            status: workflow::rolled_up_sql(&self.status),
            completed_on: format!("CASE WHEN {open} = 0 THEN {last} END"),
            is_completed_by: format!("coalesce({open} = 0 AND {last_by} = {last}, FALSE)"),
        }
    }

    /// Returns the state of the whole of which this is the state of the only part.
    pub(super) fn of_only_part(self) -> Self {
        let applicable = self.is_applicable();
        let Self { status, completed_on, is_completed_by } = self;
        Self {
            is_completed_by: format!("({applicable} AND {completed_on} IS NOT NULL AND {is_completed_by})"),
            completed_on: format!("CASE WHEN {applicable} THEN {completed_on} END"),
            status,
        }
    }

    /// Returns the columns of a SELECT.
    pub(super) fn columns(&self) -> String {
        format!(
            "{} AS status, {} AS completed_on, {} AS is_completed_by",
            self.status, self.completed_on, self.is_completed_by
        )
    }

    /// Returns the condition that the status is another than `NOT_APPLICABLE`.
    pub(super) fn is_applicable(&self) -> String {
        format!("{} <> 'NOT_APPLICABLE'", self.status)
    }

    /// Returns the condition that the item is closed today.
    pub(super) fn is_closed(&self) -> String {
        format!("{} IN ('CLOSED', 'CLOSED_ONGOING')", self.status)
    }

    /// Returns the condition that the item was completed by the end of `day`. A closed item without a date of
    /// completion counts as always completed.
    pub(super) fn is_completed(&self, day: &str) -> String {
        format!("coalesce({} <= {day}, {})", self.completed_on, self.is_closed())
    }

    /// Returns the condition that the item was closed by the end of `day`. The date of completion tells this, too.
    pub(super) fn was_closed(&self, day: &str) -> String {
        format!("({} AND {})", self.is_closed(), self.is_completed(day))
    }

    /// Returns the condition that nobody knows whether the item was completed by the end of `day`.
    pub(super) fn is_unknown(&self, day: &str) -> String {
        format!("coalesce({} AND {} > {day}, FALSE)", self.is_completed_by, self.completed_on)
    }

    /// Returns the condition that the deadline `due_by` of the item lies before `day`.
    pub(super) fn is_past_due(&self, due_by: &str, day: &str) -> String {
        format!("({} AND {due_by} < {day})", self.is_applicable())
    }

    /// Returns the condition that the item is overdue on `day`, by its deadline `due_by`.
    pub(super) fn is_overdue(&self, due_by: &str, day: &str) -> String {
        let (past_due, completed, unknown) =
            (self.is_past_due(due_by, day), self.is_completed(day), self.is_unknown(day));
        format!("({past_due} AND NOT {completed} AND NOT {unknown})")
    }
}
