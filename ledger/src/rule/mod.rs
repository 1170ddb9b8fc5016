//! The rules of the domain: deadlines, workflow, roll-up, pace, calendars, personal data, wording.
//!
//! Most of them are pure functions that take the day as an argument. Only [`roll_up`] and [`holiday`] access the
//! database.

pub mod calendar;
pub mod case_flow;
pub mod deadline;
pub mod holiday;
pub mod ics;
pub mod leader;
pub mod name_order;
pub mod pace;
pub mod personal;
pub mod roll_up;
pub mod sameness;
pub mod wording;
pub mod workflow;
