//! Reads and writes ledgers as spreadsheets. `sheet` opens files, `columns` recognises the headings, `reading` turns
//! rows into problems and measures, `parties` reads lists of units, and `import` writes the result to the ledger.
//! `export` writes a ledger to a workbook, and `filled` reads the progress reports that users have filled in there.

mod bounds;
mod columns;
mod deadlines;
mod decided;
mod export;
mod extent;
mod filled;
mod import;
mod parties;
mod plain;
mod reading;
mod sheet;

pub use deadlines::decided_deadlines;
pub use export::{Wanted, export};
pub use filled::{Line, report};
pub use import::{Answer, Import, Outcome, Summary, import};
pub use parties::Aliases;
pub use reading::CellFault;
pub use sheet::{MAX_BYTES, Sheet, decoded, open, separator};
