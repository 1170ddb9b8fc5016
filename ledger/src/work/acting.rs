//! The context of an act: who acts, when, and what they may do.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use planner::Reader;
use sea_orm::{DatabaseConnection, DbBackend};

use crate::Result;
use crate::people::policy::{self, Act, Principal, Standing};
use crate::record::audit::By;
use crate::record::database;
use crate::rule::calendar;

/// The maximum length of a reason, an opinion or a notice, in characters.
pub const MAX_WORDS: usize = 5_000;

/// The context of an act: the ledger, the caller and the time.
#[derive(Debug, Clone, Copy)]
pub struct Acting<'a> {
    /// The connection to the ledger's database.
    pub db: &'a DatabaseConnection,
    /// Who acts, and from where.
    pub by: &'a By,
    /// The moment of the act, in UTC.
    pub now: DateTime<Utc>,
    /// The ledger's time zone, in which local dates begin and end.
    pub zone: Tz,
    /// The grace period of an immediate deadline (立行立改) without a date, in days.
    pub grace_days: i64,
    /// The connections on which an act may run single statements; none if it always begins a transaction.
    pub reader: Option<&'a Reader>,
}

impl<'a> Acting<'a> {
    /// Returns the connections on which single statements save round trips: those to PostgreSQL, outside a batch, which
    /// has begun a transaction.
    pub(crate) fn alone(&self) -> Option<&'a Reader> {
        self.reader.filter(|reader| reader.backend() == DbBackend::Postgres && !database::is_shared())
    }

    /// Returns the date of the act in the ledger's time zone.
    pub fn today(&self) -> NaiveDate {
        calendar::local_day(self.now, self.zone)
    }
}

/// Checks that the policy allows the caller to do `act`; the error names the roles that may.
pub(crate) fn permit(acting: &Acting<'_>, act: Act, standing: Standing) -> Result<()> {
    if acting.by.principal.permits(act, standing) {
        Ok(())
    } else {
        Err(policy::not_allowed_at(act, standing.level).into())
    }
}

/// Checks whether the caller is one of `submitters`, either as the acting delegate or as the account acted for.
///
/// No one may decide on their own submission, whether they submitted or decide in their own name or as a delegate.
pub(crate) fn is_own(acting: &Acting<'_>, submitters: [Option<i64>; 2]) -> bool {
    submitted(&acting.by.principal, submitters)
}

/// Checks whether a caller is one of `submitters`, like [`is_own`].
pub(crate) fn submitted(principal: &Principal, submitters: [Option<i64>; 2]) -> bool {
    let acts = |person: i64| principal.account == Some(person) || principal.delegate == Some(person);
    submitters.into_iter().flatten().any(acts)
}
