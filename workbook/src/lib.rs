//! Workbooks: a ledger as people keep it, in a spreadsheet. `sheet` opens files, `columns` knows the headings, `reading`
//! turns rows into problems and measures, `parties` reads lists of units, `import` brings it all into the ledger; `export`
//! writes it out again, and `filled` takes the progress that people have filled in.

mod bounds;
mod columns;
mod export;
mod extent;
mod filled;
mod import;
mod parties;
mod reading;
mod sheet;

pub use export::{Wanted, export};
pub use filled::{Line, report};
pub use import::{Answer, Import, Outcome, Summary, import};
pub use parties::Aliases;
pub use reading::Fault;
pub use sheet::{MAX_BYTES, Sheet, open};
