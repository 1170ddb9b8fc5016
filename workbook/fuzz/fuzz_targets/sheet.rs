//! Opens bytes as a file of each kind and reads what it contains. The first byte says which kind.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let name = ["file.csv", "file.xlsx", "file.xls", "file.ods"][usize::from(kind % 4)];
    if let Ok(sheets) = workbook::open(name, bytes.to_vec()) {
        workbook::fuzzing::read(&sheets);
    }
});
