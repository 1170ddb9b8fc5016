//! Files in which a person has decided how something printed is to be read: a text of two columns.

use super::sheet::separator;
use ledger::fault::{self, Fault};
use ledger::{Error, Result};

/// A file of decisions, for its errors.
pub(super) struct DecidedFile {
    /// Its name in Chinese and in English, as in “第 2 行” and “line 2 of …”.
    pub(super) name: (&'static str, &'static str),
    /// The parameter that gives it.
    pub(super) field: &'static str,
    /// What its two columns are, in Chinese and in English.
    pub(super) columns: (&'static str, &'static str),
}

impl DecidedFile {
    /// Reads the lines of the file, each with its number, what is printed, and what was decided. Leaves out empty
    /// lines, and a first line that is the heading 原文 or `printed`.
    ///
    /// # Errors
    ///
    /// Refuses a line that cannot be read, or has fewer than two columns.
    pub(super) fn lines(&self, text: &str) -> Result<Vec<(usize, String, String)>> {
        let mut lines = Vec::new();
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator(text))
            .from_reader(text.as_bytes());
        for (index, record) in reader.records().enumerate() {
            let line = index + 1;
            let unreadable = |error| self.refused(line, &format!("无法读取：{error}"), &format!("unreadable: {error}"));
            let record = record.map_err(unreadable)?;
            let (Some(printed), Some(decided)) = (record.get(0), record.get(1)) else {
                let (zh, en) = self.columns;
                return Err(self.refused(line, &format!("应有两列：{zh}"), &format!("two columns are expected: {en}")));
            };
            let is_heading = line == 1 && matches!(printed.trim(), "printed" | "原文");
            if !is_heading && !fault::is_empty(printed) {
                lines.push((line, printed.to_owned(), decided.to_owned()));
            }
        }
        Ok(lines)
    }

    /// Returns the error for a line of the file.
    pub(super) fn refused(&self, line: usize, zh: &str, en: &str) -> Error {
        let (of, in_english) = self.name;
        let (zh, en) = (format!("{of}第 {line} 行{zh}"), format!("line {line} of {in_english}: {en}"));
        Fault::invalid(zh, en, &[self.field, &line.to_string()]).into()
    }
}
