//! The index of searches: which rows may contain the words that are looked for.
//!
//! `search_gram` has, for each table that is indexed and each pair of adjacent characters (gram) in normal form, the
//! keys of the rows whose texts have it. `search_pending` has the rows that were written since: they may contain
//! anything. Before a statement that searches is run, one statement reads both, and the keys that remain are bound to
//! it. They only narrow: the exact condition on the text stays. A gram that more than [`MOST`] rows have is not stored,
//! because the page of a list is then soon full without an index.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sea_orm::{DbBackend, Value, Values};

use crate::fold;
use crate::sql::{Sql, among, key_list, replaced};

/// The most rows of a table that a gram is stored for, and the most rows that may be waiting to be indexed.
pub const MOST: usize = 3_000;

/// What stands in the text of a statement where a search can be narrowed, followed by the number of the search, the
/// expression of the row's key, and `}`.
const MARK: &str = "{narrowed:";

/// The columns in which a search looks.
#[derive(Debug, Clone, Copy)]
pub struct Texts {
    /// The columns of the row.
    pub columns: &'static [&'static str],
    /// The table under which the index has their grams, if they are indexed.
    index: Option<&'static str>,
}

impl Texts {
    /// Returns columns of a table that the index covers.
    pub const fn indexed(table: &'static str, columns: &'static [&'static str]) -> Self {
        Self { columns, index: Some(table) }
    }
}

impl<const N: usize> From<&'static [&'static str; N]> for Texts {
    fn from(columns: &'static [&'static str; N]) -> Self {
        Self { columns, index: None }
    }
}

/// A search that the index may narrow: the table, and the grams that the row must have.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Search {
    table: String,
    grams: BTreeSet<String>,
}

/// What the index has for a search: the grams that are stored, with the keys of their rows unless these are too many,
/// and the keys of the rows that wait.
type Entry = (Vec<(String, Option<String>)>, Vec<(i64,)>);

/// Returns the grams of a text: each pair of adjacent characters of its words, in normal form.
pub fn grams(text: &str) -> BTreeSet<String> {
    let normal = fold::normal(text);
    let mut grams = BTreeSet::new();
    for word in normal.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        grams.extend(letters.windows(2).map(|pair| pair.iter().collect::<String>()));
    }
    grams
}

impl Sql<'_> {
    /// Writes the mark at which a search for a text in these columns is narrowed, with what joins it to the exact
    /// condition. Empty if the index cannot help.
    pub(crate) fn narrowed_by(&mut self, texts: &Texts, text: &str, alias: &str) -> String {
        let mark = texts.index.and_then(|table| self.mark(table, text, &format!("{alias}.id")));
        mark.map(|mark| mark + " AND ").unwrap_or_default()
    }

    /// Returns a source with each `{found:table:alias}` replaced by the condition that the row may contain the text
    /// that is searched for, the fact `searched`.
    pub(crate) fn with_found(&mut self, source: &str) -> String {
        let text = match self.given("searched") {
            Some(Value::String(Some(text))) => text.clone(),
            _ => String::new(),
        };
        replaced(source, "{found:", |mark| {
            let (table, alias) = mark.split_once(':').unwrap_or((mark, mark));
            self.mark(table, &text, &format!("{alias}.id")).unwrap_or_else(|| "TRUE".to_owned())
        })
    }

    fn mark(&mut self, table: &str, text: &str, key: &str) -> Option<String> {
        let search = Search { table: table.to_owned(), grams: grams(text) };
        if search.grams.is_empty() {
            return None;
        }
        let number = self.search(search)?;
        Some(format!("{MARK}{number}:{key}}}"))
    }
}

/// Returns the text of a statement with each mark replaced by the condition that its search gives for a key; by `TRUE`
/// if it gives none.
pub(crate) fn unmarked(text: &str, condition: impl Fn(usize, &str) -> Option<String>) -> String {
    replaced(text, MARK, |mark| {
        let (number, key) = mark.split_once(':').unwrap_or((mark, ""));
        number.parse().ok().and_then(|number| condition(number, key)).unwrap_or_else(|| "TRUE".to_owned())
    })
}

/// Writes the statement that reads what the index has for these searches, as one JSON text.
pub(crate) fn lookup(backend: DbBackend, searches: &[Search]) -> sea_orm::Statement {
    let mut sql = Sql::new(backend, &[]);
    let mut read = Vec::new();
    for search in searches {
        let table = sql.bind(search.table.clone());
        let wanted: Vec<String> = search.grams.iter().map(|gram| sql.bind(gram.clone())).collect();
        let stored = sql.list(&["g.gram".to_owned(), format!("CASE WHEN g.size <= {MOST} THEN g.row_keys END")]);
        let stored = sql.array(&stored, None, None);
        let stored = format!(
            "(SELECT {stored} FROM search_gram g WHERE g.noun = {table} AND g.gram IN ({}))",
            wanted.join(", ")
        );
        let waiting = sql.array(&sql.list(&["p.row_key".to_owned()]), None, None);
        let waiting = format!(
            "(SELECT {waiting} FROM \
             (SELECT row_key FROM search_pending WHERE noun = {table} ORDER BY row_key LIMIT {}) p)",
            MOST + 1
        );
        read.push(sql.json(&sql.list(&[sql.json(&stored), sql.json(&waiting)])));
    }
    let text = format!("SELECT {} AS data", sql.as_text(&sql.list(&read)));
    sql.statement(text)
}

/// Narrows a statement to the rows that the index gives, as [`lookup`] has read them.
pub(crate) fn narrow(
    asked: sea_orm::Statement,
    searches: &[Search],
    read: &str,
) -> Result<sea_orm::Statement, serde_json::Error> {
    let read: Vec<Entry> = serde_json::from_str(read)?;
    let backend = asked.db_backend;
    let mut values = asked.values.map(|values| values.0).unwrap_or_default();
    let mut places = Vec::new();
    for (search, (stored, waiting)) in searches.iter().zip(&read) {
        places.push(candidates(search, stored, waiting).map(|keys| {
            values.push(key_list(backend, keys).into());
            format!("${}", values.len())
        }));
    }
    let sql = unmarked(&asked.sql, |number, key| {
        let place = places.get(number)?.as_ref()?;
        Some(format!("{key} {}", among(backend, place)))
    });
    Ok(sea_orm::Statement { sql, values: Some(Values(values)), db_backend: backend })
}

/// Returns the keys of the rows that may have all grams of a search; none if they are not known or too many.
fn candidates(search: &Search, stored: &[(String, Option<String>)], waiting: &[(i64,)]) -> Option<BTreeSet<i64>> {
    if waiting.len() > MOST {
        return None;
    }
    let stored: BTreeMap<&str, Option<&str>> =
        stored.iter().map(|(gram, keys)| (gram.as_str(), keys.as_deref())).collect();
    let of_gram = |gram: &String| match stored.get(gram.as_str()) {
        None => Some(HashSet::new()),
        Some(keys) => keys.map(|keys| keys.split(',').filter_map(|key| key.parse::<i64>().ok()).collect()),
    };
    let mut lists: Vec<HashSet<i64>> = search.grams.iter().filter_map(of_gram).collect();
    lists.sort_by_key(HashSet::len);
    let (fewest, others) = lists.split_first()?;
    let found = fewest.iter().copied().filter(|key| others.iter().all(|list| list.contains(key)));
    Some(found.chain(waiting.iter().map(|(key,)| *key)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_the_pairs_of_its_words_in_normal_form() {
        let expected = ["pm", "m2", "2.", ".5", "生态", "态环", "环境"].map(str::to_owned);
        assert_eq!(grams("ＰＭ２．５　生態環境 水"), BTreeSet::from(expected));
    }

    #[test]
    fn keys_have_every_gram_that_is_stored_or_wait() {
        let search = Search { table: "measure".to_owned(), grams: grams("生态环") };
        let stored = |first: Option<&str>, second: Option<&str>| {
            let of = |gram: &str, keys: Option<&str>| (gram.to_owned(), keys.map(str::to_owned));
            vec![of("生态", first), of("态环", second)]
        };
        let found = |stored: &[(String, Option<String>)]| candidates(&search, stored, &[(9,)]);
        assert_eq!(found(&stored(Some("1,2,3"), Some("3,2,5"))), Some(BTreeSet::from([2, 3, 9])));
        assert_eq!(found(&stored(Some("1,2,3"), None)), Some(BTreeSet::from([1, 2, 3, 9])));
        assert_eq!(found(&stored(None, None)), None);
        assert_eq!(found(&[]), Some(BTreeSet::from([9])));
        assert_eq!(candidates(&search, &[], &vec![(1,); MOST + 1]), None);
    }
}
