//! Rules as pure functions that take the day: deadlines, workflow, pace, roll-up, calendars, wording.

pub mod calendar;
pub mod case_flow;
pub mod deadline;
pub mod holiday;
pub mod pace;
pub mod personal;
pub mod roll_up;
pub mod sameness;
pub mod wording;
pub mod workflow;
