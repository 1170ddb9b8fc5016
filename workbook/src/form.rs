//! The form of an imported sheet: its headings in their order with what each means, and how it prints the numbers of
//! problems and measures. It is kept with the round, and an export repeats it.

use serde::{Deserialize, Serialize};

use super::field::{self, Field};
use super::layout::{Kind, Layout, visible};
use super::reading::split_number;
use super::sheet::Sheet;

/// The number in a pattern such as `（{}）`.
const NUMBER: &str = "{}";

/// The form of a sheet with a row for each measure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Form {
    /// The columns that have a heading, in their order.
    pub(crate) columns: Vec<FormColumn>,
    /// What the sheet contains, as mapping files name it.
    kind: String,
    /// How the text of a problem begins with its number, such as `（{}）`; blank if it has none.
    problem: String,
    /// How the text of a measure begins with its number, such as `{}.`; blank if it has none.
    measure: String,
}

/// A column of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FormColumn {
    /// The heading as printed.
    pub(crate) heading: String,
    /// The heading above it that reaches over several columns, such as 责任体系; blank if there is none.
    pub(crate) group: String,
    /// The heading as mapping files name it.
    pub(crate) key: String,
    /// The field as mapping files name it; none for a column that is not read.
    field: Option<String>,
}

impl FormColumn {
    /// Returns the field of the column; none for a column that is not read, or whose field no longer exists.
    pub(crate) fn field(&self) -> Option<Field> {
        field::of_code(self.field.as_deref()?)
    }

    /// Whether the heading alone does not tell what the column means.
    fn is_ambiguous(&self) -> bool {
        field::candidates(&field::normalised_heading(&self.heading)).len() > 1
    }
}

impl Form {
    /// Returns the form of a sheet; none if it is not a row for each measure below its headings.
    pub(crate) fn of(sheet: &Sheet, layout: &Layout) -> Option<Self> {
        if layout.kind() == Kind::Cases || !layout.head.is_empty() {
            return None;
        }
        let read = layout.columns.iter().map(|column| {
            (column.place, &column.heading, column.key.clone(), Some(field::code(column.field).to_owned()))
        });
        let unread = layout.unknown.iter().map(|(place, heading, key)| (*place, heading, key.clone(), None));
        let repeated = layout.repeated.iter().map(|(place, heading, _)| (*place, heading, String::new(), None));
        let mut columns: Vec<_> = read.chain(unread).chain(repeated).collect();
        columns.sort_by_key(|(place, ..)| *place);
        let group = |place: u32| {
            let first = sheet.shown_at(layout.first_row, place);
            let is_group = layout.first_row < layout.heading_row && sheet.spans_columns(first.0, first.1);
            if is_group { visible(sheet.shown(layout.first_row, place)) } else { String::new() }
        };
        let columns = columns.into_iter().map(|(place, heading, key, field)| FormColumn {
            heading: heading.clone(),
            group: group(place),
            key,
            field,
        });
        let pattern = |field: Field| {
            let place = layout.place(field)?;
            sheet.below(layout.heading_row, place).find_map(pattern_of)
        };
        Some(Self {
            kind: layout.kind().as_str().to_owned(),
            columns: columns.collect(),
            problem: pattern(Field::Problem).unwrap_or_default(),
            measure: pattern(Field::Measure).unwrap_or_default(),
        })
    }

    /// Returns the normalised headings as one text, by which decisions about columns are remembered.
    pub(crate) fn row_of_headings(&self) -> String {
        let plain = self.columns.iter().map(|column| field::normalised_heading(&column.heading));
        plain.collect::<Vec<_>>().join("|")
    }

    /// Returns what the columns mean whose heading alone does not tell it.
    pub(crate) fn meanings(&self) -> impl Iterator<Item = (&str, Field)> {
        let ambiguous = self.columns.iter().filter(|column| column.is_ambiguous());
        ambiguous.filter_map(|column| Some((column.key.as_str(), column.field()?)))
    }

    /// Whether it is the form of a ledger, rather than of a month's account or a list of close-outs.
    pub(crate) fn is_of_ledger(&self) -> bool {
        self.kind == Kind::Ledger.as_str()
    }

    /// Whether the form has a column for a field.
    pub(crate) fn has(&self, field: Field) -> bool {
        self.columns.iter().any(|column| column.field() == Some(field))
    }

    /// Writes the text of a problem with its number before it, so that it is read as the same again; none if that is
    /// not possible.
    pub(crate) fn problem(&self, number: Option<&str>, text: &str) -> Option<String> {
        let number = number.filter(|_| !self.has(Field::MeasureNumber) || !self.has(Field::Number));
        numbered(&self.problem, "（{}）", number, text)
    }

    /// Writes the text of a measure with its number before it, so that it is read as the same again; none if that is
    /// not possible.
    pub(crate) fn measure(&self, number: Option<&str>, text: &str) -> Option<String> {
        let number = number.filter(|_| !self.has(Field::MeasureNumber));
        numbered(&self.measure, "{}.", number, text)
    }
}

/// Returns how a text begins with its number; none if it has none.
fn pattern_of(printed: &str) -> Option<String> {
    let printed = printed.trim();
    let (number, rest) = split_number(printed);
    let before = printed.strip_suffix(rest)?;
    Some(before.replacen(&number?, NUMBER, 1))
}

/// Writes a text with its number before it: by the pattern, by the usual one, or by any that is read as the same.
fn numbered(pattern: &str, usual: &str, number: Option<&str>, text: &str) -> Option<String> {
    let Some(number) = number else {
        // A text that begins like a number would lose its beginning.
        return Some(text.to_owned()).filter(|text| split_number(text).0.is_none());
    };
    let patterns = [pattern, usual, "{}.", "{} ", "{}、"].into_iter().filter(|pattern| pattern.contains(NUMBER));
    let mut written = patterns.map(|pattern| pattern.replacen(NUMBER, number, 1) + text);
    written.find(|written| split_number(written) == (Some(number.to_owned()), text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_printed_as_the_file_prints_it_and_read_as_the_same() {
        for (printed, pattern) in [
            ("（一）水污染防治不力。", "（{}）"),
            ("一、城区污水管网混接", "{}、"),
            ("1. 落实网格化巡查。", "{}. "),
            ("12-02 编制方案", "{} "),
        ] {
            let found = pattern_of(printed).unwrap();
            assert_eq!(found, pattern, "{printed}");
            let (number, rest) = split_number(printed);
            assert_eq!(numbered(&found, "", number.as_deref(), rest).as_deref(), Some(printed));
        }
        assert_eq!(pattern_of("3.5万亩草原未修复"), None);
        assert_eq!(numbered("（{}）", "", Some("12-02"), "编制方案").as_deref(), Some("12-02.编制方案"));
        assert_eq!(numbered("{}.", "", Some("GZ-3"), "编制方案"), None, "no pattern has such a number");
        assert_eq!(numbered("{}.", "", None, "（二）编制方案"), None, "it would be read as a number");
    }
}
