//! The acts of the workflow: on assignments (责任分解), from assigning to close-out (销号), on problems and on
//! complaint cases.
//!
//! Each act is one transaction. It locks the problem or the case, reads the row only if the caller may see it, checks
//! the policy and the workflow, writes, rolls the status up, updates the stored statistics, records the change and the
//! audit entry, and queues mails and messages to other systems.

pub mod accountability;
mod acting;
pub mod applicability;
pub mod assigning;
pub mod available;
pub mod batch;
pub mod card;
pub mod case;
pub mod case_import;
pub mod check;
pub mod close_out;
pub mod comment;
pub mod event;
pub mod evidence;
pub mod extension;
mod held;
mod hold;
pub mod mail_link;
pub mod own_deadlines;
pub mod ownership;
pub mod progress;
mod pushing;
mod settle;
pub mod supervision;
pub(crate) mod telling;

pub use acting::{Acting, MAX_WORDS};
pub use hold::On;
pub(crate) use hold::{current, hold, hold_measure, hold_problem, in_sight, not_withdrawn, seen};
pub use telling::{Done, Warning, WarningCode};
