//! The clock: the only place that reads the time. Below the edges of the program `now` is an argument.

use chrono::{DateTime, SubsecRound, Utc};

/// This moment, to the microsecond: both databases keep as much, and what is written is read back alike.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}
