//! Merges of duplicate rounds, problems, measures, units and regions.
//!
//! A merge moves every reference from the row that goes to the row that stays, in one transaction with the lists and
//! the statistics. It is refused if both rows have content that would collide; the error names that content.

mod measure;
mod problem;
mod region;
mod round;
mod shared;
mod unit;

pub use measure::measures;
pub use problem::problems;
pub use region::regions;
pub use round::rounds;
pub use unit::units;
