//! Reads any text as a deadline, and what it proposes as one again.
#![no_main]

use chrono::NaiveDate;
use ledger::rule::deadline::{Context, Deadline};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let today = NaiveDate::from_ymd_opt(2023, 4, 1).expect("a day");
    let _ = Deadline::parse(text, &Context::new(today));
});
