//! Decisions about unclear deadlines, as a person writes them down.

use super::sheet::separator;
use ledger::fault::{self, Fault};
use ledger::rule::deadline::Decisions;
use ledger::{Error, Result};

/// Parses a CSV file with two columns: a printed deadline (6月底前) or an event (收到通知后), and the deadline or the
/// day that it means. The first line may be the heading `printed,deadline` or 原文,时限.
///
/// # Errors
///
/// Refuses a line without two columns, and a decision that cannot be read or is itself unclear.
pub fn decided_deadlines(text: &str) -> Result<Decisions> {
    let mut decisions = Decisions::default();
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator(text))
        .from_reader(text.as_bytes());
    for (index, record) in reader.records().enumerate() {
        let line = index + 1;
        let record =
            record.map_err(|error| refused(line, &format!("无法读取：{error}"), &format!("unreadable: {error}")))?;
        let (Some(printed), Some(decided)) = (record.get(0), record.get(1)) else {
            let (zh, en) = ("应有两列：原文,时限", "two columns are expected: printed,deadline");
            return Err(refused(line, zh, en));
        };
        if line == 1 && matches!(printed.trim(), "printed" | "原文") {
            continue;
        }
        if fault::is_empty(printed) {
            continue;
        }
        decisions.add(printed, decided).map_err(|error| {
            let message = error.message();
            refused(line, &message.zh, &message.en)
        })?;
    }
    Ok(decisions)
}

/// Returns the error for a line of the file of decisions.
fn refused(line: usize, zh: &str, en: &str) -> Error {
    let (zh, en) = (format!("时限决定文件第 {line} 行{zh}"), format!("line {line} of the deadlines: {en}"));
    Fault::invalid(zh, en, &["deadlines", &line.to_string()]).into()
}
