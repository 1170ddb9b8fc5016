//! What a request is answered with: the database, the time zone, and the clock, which is read once when a request begins.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use planner::Finishers;
use sea_orm::DatabaseConnection;

/// Tells the time; injected, so that tests stand still.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// The next occurrences of a schedule: pattern, zone, from when, how many. Injected by the program, so that this door need
/// not know the other.
pub type Occurrences = Arc<dyn Fn(&str, &str, DateTime<Utc>, usize) -> Vec<DateTime<Utc>> + Send + Sync>;

/// What every request shares.
#[derive(Clone)]
pub struct Door {
    /// The ledger's database.
    pub db: DatabaseConnection,
    /// The ledger's time zone.
    pub zone: Tz,
    /// The clock.
    pub clock: Clock,
    /// How schedules go on.
    pub occurrences: Occurrences,
}

/// One request.
pub(crate) struct Request {
    pub(crate) db: DatabaseConnection,
    pub(crate) zone: Tz,
    pub(crate) now: DateTime<Utc>,
    pub(crate) finishers: Arc<Finishers>,
}

impl Request {
    /// The local day of the request.
    pub(crate) fn today(&self) -> NaiveDate {
        ledger::calendar::local_day(self.now, self.zone)
    }
}
