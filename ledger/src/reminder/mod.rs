//! Reminders: who has to be reminded of what, and when again.
//!
//! Each kind returns candidates by its rule ([`Rules`]). [`plan()`] turns them into one digest per address and day:
//! when one item is owed, all that is open goes along, and what was told already causes no mail. The history of mails
//! decides, not the moments at which the scheduler runs: the next run catches up on a day on which the program did not
//! run, and a second run on the same day finds nothing left to tell.

mod candidate;
pub mod case;
pub mod check;
mod described;
pub mod due_soon;
pub mod escalation;
mod leader;
mod matrix;
pub mod monthly_account;
pub mod notice_ended;
mod office;
mod open;
pub mod overdue;
mod plan;
mod rules;
pub mod stale_progress;
mod why;

pub use candidate::{Candidate, Each, Find, Matter, Person, Timing, Told};
pub use described::{Described, describe};
pub use matrix::{Cell, Matrix, matrix};
pub(crate) use open::Open;
pub(crate) use plan::Addressed;
pub use plan::{Digest, Item, Plan, Supposed, Unreachable, plan, plan_after};
pub use rules::{RegionRule, Rule, Rules, kind_of, name_of, read_copied, read_days, repeats};
pub use why::{Whom, Why, WhyNot, WhyNotCode, why, why_not};
