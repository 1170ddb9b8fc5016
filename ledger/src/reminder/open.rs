//! The open answers to measures that are not completed at a day, with whom to tell: the rows that rules choose from.

use chrono::NaiveDate;
use entity::assignment::Status;
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::{Told, select};
use crate::Result;

/// An open answer, or an open measure that nobody answers for.
#[derive(Debug, Clone, FromQueryResult)]
pub(crate) struct Open {
    pub(crate) problem_id: i64,
    pub(crate) measure_id: i64,
    pub(crate) assignment_id: Option<i64>,
    /// The state of the answer.
    pub(crate) status: Option<Status>,
    /// Who answers.
    pub(crate) unit_id: Option<i64>,
    /// The region of the answer.
    pub(super) region_id: Option<i64>,
    pub(super) lead_unit_id: Option<i64>,
    pub(super) lead_region_id: Option<i64>,
    supervising_unit_id: Option<i64>,
    pub(crate) due_by: NaiveDate,
}

impl Open {
    /// Those whose deadline lies within two days, both included.
    pub(super) async fn between<C: ConnectionTrait>(
        db: &C,
        from: NaiveDate,
        to: NaiveDate,
        today: NaiveDate,
    ) -> Result<Vec<Self>> {
        Self::find(db, (from, to), today, None).await
    }

    /// Those whose deadline was on a day or before it: of the whole ledger, or of one problem.
    pub(crate) async fn due_by<C: ConnectionTrait>(
        db: &C,
        day: NaiveDate,
        today: NaiveDate,
        problem: Option<i64>,
    ) -> Result<Vec<Self>> {
        Self::find(db, (NaiveDate::default(), day), today, problem).await
    }

    async fn find<C: ConnectionTrait>(
        db: &C,
        (from, to): (NaiveDate, NaiveDate),
        today: NaiveDate,
        problem: Option<i64>,
    ) -> Result<Vec<Self>> {
        let mut values = vec![from.into(), to.into(), today.into()];
        let of_problem = if problem.is_some() { " AND m.problem_id = $4" } else { "" };
        values.extend(problem.map(sea_orm::Value::from));
        let text = format!(
            "SELECT m.problem_id, m.id AS measure_id, a.id AS assignment_id, a.status, a.unit_id, a.region_id, m.lead_unit_id, \
             l.region_id AS lead_region_id, m.supervising_unit_id, m.due_by \
             FROM measure m LEFT JOIN assignment a ON a.measure_id = m.id LEFT JOIN unit l ON l.id = m.lead_unit_id \
             WHERE m.due_by >= $1 AND m.due_by <= $2{of_problem} \
             AND m.status NOT IN ('CLOSED', 'CLOSED_ONGOING', 'NOT_APPLICABLE') \
             AND (m.completed_on IS NULL OR m.completed_on > $3) \
             AND (a.id IS NULL OR (a.status NOT IN ('CLOSED', 'CLOSED_ONGOING', 'NOT_APPLICABLE') \
                  AND (a.completed_on IS NULL OR a.completed_on > $3))) \
             ORDER BY m.due_by, m.id, a.id"
        );
        Ok(Self::find_by_statement(select(db.get_database_backend(), &text, values)).all(db).await?)
    }

    /// Whom to tell: who answers, who leads, and (for a copy) who supervises.
    pub(super) fn units(&self, supervising: bool) -> Vec<Told> {
        let copy = if supervising { self.supervising_unit_id } else { None };
        let mut units: Vec<Told> = Vec::new();
        for (unit, answers) in [(self.unit_id, true), (self.lead_unit_id, false), (copy, false)] {
            if let Some(unit) = unit
                && !units.iter().any(|told| told.unit == unit)
            {
                units.push(Told { unit, answers });
            }
        }
        units
    }
}
