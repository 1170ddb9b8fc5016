//! Reads and writes ledgers as spreadsheets. `sheet` opens files, `layout` finds tables and decides what their columns
//! mean by the dictionary in `field`, `reading` turns rows into problems and measures, `parties` reads lists of units,
//! and `import` writes the result to the ledger. What has to be decided is a `question`, and `mapping` keeps answers.
//! `kept` lets people change what is remembered of them. `export` writes a ledger to a workbook, in the `form` of the
//! imported sheet where there is one and with the `completion` of its measures, `month_form` writes the form of a
//! month's account, and `filled` reads the progress reports that users have filled in there; `table` writes any list of
//! rows, and `report` paragraphs and tables, also as a Word document.

mod bounds;
mod case_list;
mod completion;
mod deadlines;
mod decided;
mod export;
mod extent;
mod field;
mod filled;
mod form;
#[cfg(fuzzing)]
pub mod fuzzing;
mod import;
mod kept;
mod layout;
mod mapping;
mod month_form;
mod parties;
mod pending;
mod plain;
mod question;
mod reading;
mod report;
mod sheet;
mod table;
mod told;
mod value;

pub use deadlines::decided_deadlines;
pub use export::{Columns, ExportScope, Exported, export};
pub use filled::{Line, report};
pub use import::{Import, ImportOptions, Outcome, Report, Summary, import, round_level};
pub use kept::{TakenOver, change_decision, remembered_mapping, take_over_decisions};
pub use layout::{Kind, Sureness};
pub use mapping::Mapping;
pub use month_form::{FormOf, month_form};
pub use parties::Aliases;
pub use pending::{Anew, Decision, Imports, Pending, Upload};
pub use question::{Question, Topic};
pub use reading::{CellFault, ColumnReading, SheetReading};
pub use report::{Document, Section};
pub use sheet::{MAX_BYTES, Sheet, decoded, open, separator};
pub use table::{Cell, Table, csv_head, csv_rows};
pub use told::told;
