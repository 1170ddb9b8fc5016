//! Workbooks: a ledger as people keep it, in a spreadsheet. `sheet` opens files, `columns` knows the headings, `reading`
//! turns rows into problems and measures, `parties` reads lists of units, `import` brings it all into the ledger.

mod columns;
mod extent;
mod import;
mod parties;
mod reading;
mod sheet;

pub use import::{Answer, Import, Outcome, Summary, import};
pub use parties::Aliases;
pub use reading::Fault;
pub use sheet::{MAX_BYTES, Sheet, open};
