//! The filter that has the problems and measures which the figures of `statistics` count.

use async_graphql::{ID, InputObject};
use ledger::statistics::Answered;
use planner::{Condition, Noun};
use sea_orm::Value;

use crate::noun::assignment::Status;
use crate::noun::region::Region;
use crate::part::filter::code_of;

/// Conditions on a problem or a measure as the figures of `statistics` judge it: by some of its answers. All that are
/// given have to hold.
#[derive(InputObject)]
pub(crate) struct AnsweredFilter {
    /// Global id of the region that judges: by the answers of that region and of those below it, as in its row of the
    /// figures. Items that do not concern the region are left out. If omitted, all answers that the caller may see
    /// judge, as in the total.
    within: Option<ID>,
    /// The workflow status, the least advanced of these answers, is one of these.
    status: Option<Vec<Status>>,
    /// True: all applicable ones of these answers are completed (完成). False: they are not.
    is_completed: Option<bool>,
    /// True: it is open past the latest deadline of these answers (of a problem: past its own) on the current local
    /// day. False: it is not.
    is_overdue: Option<bool>,
}

impl AnsweredFilter {
    /// Returns the condition that `of` makes of what is asked.
    pub(crate) fn condition(&self, of: impl Fn(&Answered) -> Condition) -> Condition {
        let within = match self.within.as_ref().map(|id| <Region as Noun>::table().key(id)) {
            None => None,
            Some(Some(Value::BigInt(Some(key)))) => Some(key),
            Some(_) => return Condition::never(),
        };
        of(&Answered {
            within,
            statuses: self.status.as_ref().map(|statuses| statuses.iter().copied().map(code_of).collect()),
            is_completed: self.is_completed,
            is_overdue: self.is_overdue,
        })
    }
}
