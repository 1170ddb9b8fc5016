//! The open assignments to measures that are not completed as of a day, with the units to be told. The rules choose
//! from these rows.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use entity::assignment::Status;
use entity::reminder_rule::Copied;
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement};

use super::candidate::Told;
use super::rules::Rule;
use crate::Result;
use crate::record::database::Transaction;
use crate::rule::calendar::local_day;

/// An open assignment, or an open measure without assignments.
#[derive(Debug, Clone, FromQueryResult)]
pub(crate) struct Open {
    pub(crate) problem_id: i64,
    pub(crate) measure_id: i64,
    pub(crate) assignment_id: Option<i64>,
    /// The status of the assignment.
    pub(crate) status: Option<Status>,
    /// The key of the answering unit.
    pub(crate) unit_id: Option<i64>,
    /// The key of the assignment's region.
    pub(crate) region_id: Option<i64>,
    pub(super) lead_unit_id: Option<i64>,
    pub(super) lead_region_id: Option<i64>,
    supervising_unit_id: Option<i64>,
    pub(crate) due_by: NaiveDate,
    /// When the assignment was entered or, without assignments, the measure.
    created_at: DateTime<Utc>,
}

impl Open {
    /// Hands on the rows whose deadline lies between two days, both included.
    pub(super) async fn each(
        db: &Transaction,
        (from, to): (NaiveDate, NaiveDate),
        today: NaiveDate,
        take: impl FnMut(Self) + Send,
    ) -> Result<()> {
        Ok(db.each(Self::find(db.get_database_backend(), (from, to), today, None), take).await?)
    }

    /// Returns the rows whose deadline is on `day` or earlier, by deadline: of the whole ledger, or of one problem.
    pub(crate) async fn due_by<C: ConnectionTrait>(
        db: &C,
        day: NaiveDate,
        today: NaiveDate,
        problem: Option<i64>,
    ) -> Result<Vec<Self>> {
        let statement = Self::find(db.get_database_backend(), (NaiveDate::default(), day), today, problem);
        let mut rows = Self::find_by_statement(statement).all(db).await?;
        rows.sort_unstable_by_key(|row| (row.due_by, row.measure_id, row.assignment_id));
        Ok(rows)
    }

    /// Returns the statement of the rows whose deadline lies between two days and that are not completed by `today`.
    fn find(
        backend: DbBackend,
        (from, to): (NaiveDate, NaiveDate),
        today: NaiveDate,
        problem: Option<i64>,
    ) -> Statement {
        let mut values = vec![from.into(), to.into(), today.into()];
        let of_problem = if problem.is_some() { " AND m.problem_id = $4" } else { "" };
        values.extend(problem.map(sea_orm::Value::from));
        // Two halves, because an answer has a deadline of its own, and each half is a range of an index.
        let open = |row: &str| {
            format!(
                "{row}.due_by >= $1 AND {row}.due_by <= $2{of_problem} \
                 AND {row}.status NOT IN ('CLOSED', 'CLOSED_ONGOING', 'NOT_APPLICABLE') \
                 AND ({row}.completed_on IS NULL OR {row}.completed_on > $3)"
            )
        };
        let text = format!(
            "SELECT m.problem_id, m.id AS measure_id, o.assignment_id, o.status, o.unit_id, o.region_id, \
             m.lead_unit_id, l.region_id AS lead_region_id, m.supervising_unit_id, o.due_by, o.created_at \
             FROM (SELECT a.measure_id, a.id AS assignment_id, a.status, a.unit_id, a.region_id, a.due_by, \
                 a.created_at FROM assignment a JOIN measure m ON m.id = a.measure_id WHERE {} \
                 UNION ALL SELECT m.id, CAST(NULL AS bigint), CAST(NULL AS varchar), CAST(NULL AS bigint), \
                 CAST(NULL AS bigint), m.due_by, m.created_at FROM measure m WHERE {} \
                 AND NOT EXISTS (SELECT 1 FROM assignment a WHERE a.measure_id = m.id)) o \
             JOIN measure m ON m.id = o.measure_id LEFT JOIN unit l ON l.id = m.lead_unit_id",
            open("a"),
            open("m"),
        );
        Statement::from_sql_and_values(backend, text, values)
    }

    /// Returns the local date on which the row was entered, if its deadline was over by then. No one is dunned for what
    /// was late before the ledger came in.
    pub(crate) fn entered_late_on(&self, zone: Tz) -> Option<NaiveDate> {
        Some(local_day(self.created_at, zone)).filter(|entered_on| self.due_by < *entered_on)
    }

    /// Returns the date from which days of lateness count for escalation: the deadline or, if it was over before, the
    /// day of entry.
    pub(crate) fn late_since(&self, zone: Tz) -> NaiveDate {
        self.entered_late_on(zone).unwrap_or(self.due_by)
    }

    /// Returns the units to be told by a rule, each once: the answering unit and, if they are copied, the lead unit and
    /// the supervising unit. Where no unit answers yet, the lead unit is told in any case.
    pub(super) fn units(&self, rule: &Rule) -> Vec<Told> {
        let copied = |who: Copied, unit: Option<i64>| unit.filter(|_| rule.copied.contains(&who));
        let lead = copied(Copied::LeadUnit, self.lead_unit_id).or(self.lead_unit_id.filter(|_| self.unit_id.is_none()));
        let supervising = copied(Copied::SupervisingUnit, self.supervising_unit_id);
        let mut units: Vec<Told> = Vec::new();
        for (unit, answers) in [(self.unit_id, true), (lead, false), (supervising, false)] {
            if let Some(unit) = unit
                && !units.iter().any(|told| told.unit == unit)
            {
                units.push(Told { unit, answers });
            }
        }
        units
    }
}
