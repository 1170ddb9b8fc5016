//! Decisions about unclear deadlines, as a person writes them down.

use super::decided::DecidedFile;
use ledger::Result;
use ledger::rule::deadline::Decisions;

const FILE: DecidedFile = DecidedFile {
    name: ("时限决定文件", "the deadlines"),
    field: "deadlines",
    columns: ("原文,时限", "printed,deadline"),
};

/// Parses a file with two columns: a printed deadline (6月底前) or an event (收到通知后), and the deadline or the day
/// that it means. The first line may be the heading `printed,deadline` or 原文,时限.
///
/// # Errors
///
/// Refuses a line without two columns, and a decision that cannot be read or is itself unclear.
pub fn decided_deadlines(text: &str) -> Result<Decisions> {
    let mut decisions = Decisions::default();
    for (line, printed, decided) in FILE.lines(text)? {
        decisions.add(&printed, &decided).map_err(|error| {
            let message = error.message();
            FILE.refused(line, &message.zh, &message.en)
        })?;
    }
    Ok(decisions)
}
