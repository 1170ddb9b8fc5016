//! Recomputes the identities of problems and measures: digits with a decimal point, a dash or a percent sign are kept
//! apart now (3.5 and 35), and widths and kinds of dashes no longer matter (`1-1` and `１—１`). Of rows that turn out to
//! be the same, the first has the identity; the log names the others, for a person to merge.
//!
//! The functions are those of `ledger::rule::sameness` as they were when this migration was written.

use std::collections::HashMap;

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, Statement};
use unicode_normalization::UnicodeNormalization;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// How many rows are read at a time.
const BATCH: i64 = 5_000;
/// How many rows that are the same are named in the log.
const NAMED: usize = 50;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let of_problems = "SELECT id, identity, number, title, round_id AS one, region_id AS other FROM problem";
        renew(db, "problem", of_problems, |number, title| {
            number.as_deref().map_or_else(|| normalised(title), number_form)
        })
        .await?;
        let of_measures = "SELECT id, identity, number, content, problem_id AS one, problem_id AS other FROM measure";
        renew(db, "measure", of_measures, |number, content| {
            format!("{}|{}", number.as_deref().map(number_form).unwrap_or_default(), normalised(content))
        })
        .await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}

/// Recomputes the identities of a table. `rows` selects key, identity, number, text, and the two keys within which an
/// identity is unique.
async fn renew(
    db: &SchemaManagerConnection<'_>,
    table: &str,
    rows: &str,
    identity: impl Fn(Option<String>, &str) -> String,
) -> Result<(), DbErr> {
    let backend = db.get_database_backend();
    let mut all: Vec<(i64, String, (i64, i64), String)> = Vec::new();
    let mut last = 0;
    loop {
        let statement = format!("{rows} WHERE id > {last} ORDER BY id LIMIT {BATCH}");
        let found = db.query_all_raw(Statement::from_string(backend, statement)).await?;
        for row in &found {
            let id: i64 = row.try_get_by_index(0)?;
            let old: String = row.try_get_by_index(1)?;
            let text: String = row.try_get_by_index(3)?;
            let new = identity(row.try_get_by_index(2)?, &text);
            all.push((id, old, (row.try_get_by_index(4)?, row.try_get_by_index(5)?), new));
            last = id;
        }
        if (found.len() as i64) < BATCH {
            break;
        }
    }
    // The first row with an identity gets it.
    let mut first: HashMap<((i64, i64), &str), i64> = HashMap::new();
    let mut same = Vec::new();
    let mut moved = Vec::new();
    for (id, old, place, new) in &all {
        if let Some(other) = first.get(&(*place, new.as_str())) {
            same.push((*other, *id));
            moved.push((*id, format!("{new}\u{2}{id}")));
            continue;
        }
        first.insert((*place, new), *id);
        if old != new {
            moved.push((*id, new.clone()));
        }
    }
    // Through a value that no row has, so that two rows may exchange theirs.
    for prefix in ["\u{1}", ""] {
        for (id, new) in &moved {
            let value = format!("{prefix}{new}");
            let update = format!("UPDATE {table} SET identity = $1 WHERE id = $2");
            db.execute_raw(Statement::from_sql_and_values(backend, update, [value.into(), (*id).into()])).await?;
        }
    }
    for (one, other) in same.iter().take(NAMED) {
        tracing::warn!(
            "{table}_{other} 与 {table}_{one} 编号和内容相同，请核对后合并（they are the same: merge them）"
        );
    }
    if same.len() > NAMED {
        tracing::warn!("{table}：另有 {} 项相同（more of the same）", same.len() - NAMED);
    }
    Ok(())
}

/// Returns a number of a problem or measure without what may vary in spelling: widths, kinds of dashes, blanks and the
/// brackets around it. `（１—２）` becomes `1-2`.
fn number_form(printed: &str) -> String {
    let plain = widths(printed).filter(|letter| !letter.is_whitespace() && !is_invisible(*letter)).map(one_dash);
    let plain: String = plain.collect::<String>().to_lowercase();
    plain.trim_matches(['(', ')', '[', ']', '.', '、', '。']).to_owned()
}

/// Returns a text without what may vary in spelling: case, character widths, blanks and punctuation.
///
/// Marks that make another number stay: those between two digits (3.5, 2-1, 10:30), except the comma of thousands; a
/// minus before a digit; percent signs. Raised and lowered digits and fractions are kept apart from plain ones.
fn normalised(text: &str) -> String {
    let letters: Vec<char> = widths(text).filter(|letter| !is_invisible(*letter)).collect();
    let mut form = String::with_capacity(text.len());
    let mut before = None;
    let mut marks: Vec<char> = Vec::new();
    for (place, letter) in letters.iter().copied().enumerate() {
        if !is_kept(letter) {
            marks.push(letter);
            continue;
        }
        let after = letters.get(place..).unwrap_or_default();
        form.push_str(&number_marks(before, &marks, after));
        form.extend(letter.to_lowercase());
        before = Some(letter);
        marks.clear();
    }
    form
}

/// Whether a letter stays whatever is around it.
fn is_kept(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '%' | '‰')
}

/// Returns what stays of the marks between two letters: those that make another number of the digits after them.
fn number_marks(before: Option<char>, marks: &[char], after: &[char]) -> String {
    let is_digit = |letter: Option<&char>| letter.is_some_and(char::is_ascii_digit);
    if !is_digit(after.first()) {
        return String::new();
    }
    if !is_digit(before.as_ref()) {
        let is_minus = |mark: &char| matches!(mark, '-' | '\u{2212}');
        let is_dash = |mark: &char| one_dash(*mark) == '-';
        let is_signed = marks.last().is_some_and(is_minus) && !marks.iter().rev().nth(1).is_some_and(is_dash);
        return if is_signed { "-".to_owned() } else { String::new() };
    }
    let shown: String = marks.iter().filter(|mark| !mark.is_whitespace()).map(|mark| one_dash(*mark)).collect();
    let is_thousands = after.iter().take_while(|letter| letter.is_ascii_digit()).count() == 3;
    if shown == "," && is_thousands { String::new() } else { shown }
}

/// Writes letters in one width. Unlike NFKC, leaves raised and lowered digits and fractions alone: 10² is not 102.
fn widths(text: &str) -> impl Iterator<Item = char> {
    text.nfc().flat_map(|letter| {
        let (own, other) = if is_raised(letter) { (Some(letter), None) } else { (None, Some(letter)) };
        own.into_iter().chain(other.into_iter().nfkc())
    })
}

fn is_raised(letter: char) -> bool {
    matches!(letter,
        '²' | '³' | '¹' | '\u{2070}'..='\u{209c}' | '¼'..='¾' | '\u{2150}'..='\u{215f}' | '\u{2189}')
}

/// Writes all kinds of dashes and minus signs as one.
fn one_dash(mark: char) -> char {
    match mark {
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{2500}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' | '~' | '\u{301c}' => {
            '-'
        }
        mark => mark,
    }
}

fn is_invisible(letter: char) -> bool {
    !letter.is_whitespace() && is_blank(letter)
}

/// Checks whether a character is whitespace, takes no room or shows nothing (zero-width characters, joiners, fillers,
/// variation selectors). Such characters may be correct within a text, but a text that has no others is empty.
fn is_blank(letter: char) -> bool {
    letter.is_whitespace()
        || is_hidden(letter)
        || matches!(letter, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200d}')
        || matches!(letter, '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
        || matches!(letter, '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}')
}

/// Checks whether a character is invisible and changes how a text is displayed or read: a control character other than
/// a line break or tab, a mark, override or isolate of the writing direction, or a byte order mark.
fn is_hidden(letter: char) -> bool {
    (letter.is_control() && !matches!(letter, '\n' | '\r' | '\t'))
        || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
}
