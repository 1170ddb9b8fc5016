//! Statistics (挂图作战): the progress of the rectification as of a date, split by one or two dimensions and counted in
//! problems, measures or assignments.
//!
//! An item of several regions, lead units or domains counts in the row of each, so the rows may add up to more than the
//! total. `figures` has the rule by which figures are counted; `answer` queries them,
//! `more` writes those that are never stored, `kept` stores those that are
//! asked for most often, `own` stores by what each region judges an item that other regions answer, too, and `briefing`
//! puts the figures of a month into words and ranks regions and units. `answered` has the conditions by which lists
//! have what the figures count.

mod answer;
mod answered;
pub mod briefing;
mod figures;
pub mod kept;
mod more;
pub mod own;
pub mod published;
mod state;

pub use answer::{answer, answers};
pub use answered::Answered;
pub use figures::{Answer, Clock, Counted, Dimension, Figures, Group, Item, Key, More, Only, Question, label_of};
