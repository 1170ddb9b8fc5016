//! What the domain is and does. Rules are pure functions that take the day (`deadline`, `workflow`, `pace`, `statistics`);
//! acts load, apply a rule, write and roll up in one transaction (`progress`, `workbook`); reminders say who has to be told
//! what (`reminder`) and write the outbox. Knows no HTTP, no cron, no SMTP; `now` is always an argument.

pub mod account;
pub mod audit;
pub mod calendar;
pub mod case;
pub mod change;
pub mod concern;
pub mod database;
pub mod deadline;
pub mod delegation;
pub mod demo;
pub mod dossier;

mod error;
pub mod fault;
pub mod holiday;
pub mod identity;
pub mod keep;
pub mod media;
pub mod outbox;
pub mod pace;
pub mod personal;
pub mod policy;
pub mod region;
pub mod reminder;
pub mod retention;
pub mod roll_up;
mod sameness;
pub mod statistics;
pub mod storage;
pub mod unit;
pub mod wording;
pub mod work;
pub mod workbook;
pub mod workflow;
mod writes;

pub use error::{Error, Result};
