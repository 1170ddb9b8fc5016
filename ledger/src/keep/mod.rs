//! Manual maintenance of the ledger, by the same rules as an import.
//!
//! The regional office maintains rounds, problems, measures, and what is remembered of imports. The administrator
//! maintains regions, units, schedules, mails and the calendar.

pub mod calendar;
pub mod decision;
mod input;
pub mod leader;
pub mod machine;
pub mod measure;
pub mod merge;
pub mod party;
pub mod problem;
pub mod published;
pub mod region;
pub mod reminder_rule;
pub mod result;
pub mod round;
mod shared;
pub mod suppression;
pub mod unit;
pub mod webhook;

pub use crate::patch::Patch;
