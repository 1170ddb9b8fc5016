//! Statistics (挂图作战): the progress of the rectification as of a date, split by one dimension and counted in
//! problems, measures or assignments.
//!
//! An item of several regions, lead units or domains counts in the row of each, so the rows may add up to more than the
//! total. `figures` has the rule by which figures are counted; `answer` queries them, `kept` stores those that are
//! asked for most often, `own` stores by what each region judges an item that other regions answer, too, and `briefing`
//! puts the figures of a month into words and ranks regions and units.

mod answer;
pub mod briefing;
mod figures;
pub mod kept;
pub mod own;
pub mod published;

pub use answer::answer;
pub use figures::{Answer, Counted, Dimension, Figures, Item, Question, label_of};
