//! The clock: the only code that reads the system time. All other code takes `now` as an argument.

use chrono::{DateTime, SubsecRound, Utc};

/// Returns the current time, truncated to microseconds. Both databases store microseconds, so a stored value reads back
/// unchanged.
#[expect(clippy::disallowed_methods, reason = "this is the clock that all other code is given")]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}
