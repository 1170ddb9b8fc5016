//! The index of searches: which rows may contain the words that are looked for, and how many contain a pair.
//!
//! `search_gram` has, for the texts that are indexed and each pair of adjacent characters (gram) in normal form, the
//! number of the rows whose texts have it, and their keys. `search_pending` has the rows that were written since, each
//! with the text that the index has of it: they may contain anything. Before a statement that searches is run, one
//! statement reads both, and the keys that remain are bound to it. They only narrow: the exact condition on the text
//! stays. Keys of a gram that more than [`MAX_KEYS`] rows have are not stored, because the page of a list is then soon
//! full without an index. Their number is: the total of a list that only looks for a pair is read from there.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sea_orm::{DbBackend, Value, Values};

use crate::fold;
use crate::sql::{Sql, among, key_list, replaced};

/// The most rows whose keys are stored for a gram, and the most rows that may be waiting to be indexed.
pub const MAX_KEYS: usize = 3_000;

/// What stands in the text of a statement where a search can be narrowed, followed by the number of the search, the
/// expression of the row's key, and `}`.
const MARK: &str = "{narrowed:";

/// The columns in which a search looks.
#[derive(Debug, Clone, Copy)]
pub struct Texts {
    /// The columns of the row.
    pub columns: &'static [&'static str],
    index: Index,
}

/// Where the index has the texts of a row.
#[derive(Debug, Clone, Copy)]
enum Index {
    Nowhere,
    /// The row is one of the table.
    Of(Indexed),
    /// The row is one of several tables, which its source narrows. Some rows are found by their numbers, too: the
    /// numbers, and the texts of the same table.
    OfParts(&'static [Indexed], &'static [(Indexed, Indexed)]),
}

/// Columns of a table that the index covers together.
#[derive(Debug, Clone, Copy)]
pub struct Indexed {
    /// The name under which the index has their grams.
    pub name: &'static str,
    /// The table.
    pub table: &'static str,
    /// All columns that have this name in the index.
    pub columns: &'static [&'static str],
}

impl Texts {
    /// Returns columns of a subquery that have the texts of several tables, all that the index covers of them, and of
    /// some the numbers, too: `numbered` has these with the texts beside them.
    pub const fn of_parts(
        columns: &'static [&'static str],
        parts: &'static [Indexed],
        numbered: &'static [(Indexed, Indexed)],
    ) -> Self {
        Self { columns, index: Index::OfParts(parts, numbered) }
    }
}

impl From<Indexed> for Texts {
    fn from(indexed: Indexed) -> Self {
        Self { columns: indexed.columns, index: Index::Of(indexed) }
    }
}

impl<const N: usize> From<&'static [&'static str; N]> for Texts {
    fn from(columns: &'static [&'static str; N]) -> Self {
        Self { columns, index: Index::Nowhere }
    }
}

/// A search that the index may narrow: the name in the index, and the grams that the row must have.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Search {
    name: String,
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
        let Index::Of(indexed) = texts.index else { return String::new() };
        let mark = self.mark(indexed.name, text, &format!("{alias}.id"));
        mark.map(|mark| mark + " AND ").unwrap_or_default()
    }

    /// Writes the number of rows that contain a word, as far as the index has it: if the word is a pair, and the caller
    /// may see every row.
    ///
    /// It is the stored number, without the rows that wait and had the word, and with those that have it now. If too
    /// many wait, the texts are read.
    pub(crate) fn stored_total(&mut self, texts: &Texts, text: &str) -> Option<String> {
        let (parts, numbered) = match &texts.index {
            Index::Nowhere => return None,
            Index::Of(indexed) => (std::slice::from_ref(indexed), [].as_slice()),
            Index::OfParts(parts, numbered) => (*parts, *numbered),
        };
        let sees_all = parts.iter().all(|part| self.sight().rows(part.table).is_always());
        // What a database takes for the lower case of a letter may differ from what the index does.
        if !sees_all || !is_pair(text) || fold::has_case(text) {
            return None;
        }
        let (gram, word) = (self.bind(fold::normal(text)), self.word(text));
        let has = |columns: &[&str]| {
            let has: Vec<String> = columns.iter().map(|column| self.contains(&format!("x.{column}"), &word)).collect();
            has.join(" OR ")
        };
        // Few texts are numbers: most pairs are in none.
        let by_number = numbered.iter().map(|(Indexed { name, table, columns }, texts)| {
            format!(
                "CASE WHEN EXISTS (SELECT 1 FROM search_gram g WHERE g.noun = '{name}' AND g.gram = {gram}) \
                 OR EXISTS (SELECT 1 FROM search_pending p WHERE p.noun = '{name}') \
                 THEN (SELECT count(*) FROM {table} x WHERE ({}) AND NOT coalesce({}, FALSE)) ELSE 0 END",
                has(columns),
                has(texts.columns)
            )
        });
        let totals: Vec<String> = parts
            .iter()
            .map(|Indexed { name, table, columns }| {
                let (has, had) = (has(columns), self.contains("p.was", &word));
                format!(
                    "CASE WHEN (SELECT count(*) FROM \
                     (SELECT 1 FROM search_pending p WHERE p.noun = '{name}' LIMIT {most}) p) < {most} \
                     THEN coalesce((SELECT g.size FROM search_gram g WHERE g.noun = '{name}' AND g.gram = {gram}), 0) \
                     + (SELECT count(*) FROM \
                     (SELECT DISTINCT p.row_key FROM search_pending p WHERE p.noun = '{name}') p \
                     WHERE (SELECT {has} FROM {table} x WHERE x.id = p.row_key)) \
                     - (SELECT count(*) FROM search_pending p WHERE p.noun = '{name}' AND {had} AND NOT EXISTS \
                     (SELECT 1 FROM search_pending n WHERE n.noun = p.noun AND n.row_key = p.row_key \
                     AND (n.id < p.id OR n.was IS NULL))) \
                     ELSE (SELECT count(*) FROM {table} x WHERE {has}) END",
                    most = MAX_KEYS + 1
                )
            })
            .chain(by_number)
            .collect();
        Some(format!("({})", totals.join(" + ")))
    }

    /// Returns a source with each `{found:name:alias}` replaced by the condition that the row, by what the index has
    /// under this name, may contain the text that is searched for, the fact `searched`; each `{first:name:alias}` by
    /// the same for the first word of it, the fact `search`; each `{worded:name:alias}` by the same for the first word
    /// and those that no number has; and each `{has:expression}` by the condition that the expression contains the
    /// first word.
    pub(crate) fn with_found(&mut self, source: &str) -> String {
        let given = |sql: &Self, name| match sql.given(name) {
            Some(Value::String(Some(text))) => text.clone(),
            _ => String::new(),
        };
        let (text, first) = (given(self, "searched"), given(self, "search"));
        let normal = fold::normal(&text);
        let words = normal.split_whitespace().filter(|word| !may_be_of_number(word));
        let worded = std::iter::once(first.as_str()).chain(words).collect::<Vec<_>>().join(" ");
        let mut may_have = |mark: &str, text: &str| {
            let (name, alias) = mark.split_once(':').unwrap_or((mark, mark));
            self.mark(name, text, &format!("{alias}.id")).unwrap_or_else(|| "TRUE".to_owned())
        };
        let found = replaced(source, "{found:", |mark| may_have(mark, &text));
        let found = replaced(&found, "{first:", |mark| may_have(mark, &first));
        let found = replaced(&found, "{worded:", |mark| may_have(mark, &worded));
        let mut word = None;
        replaced(&found, "{has:", |expression| {
            let word = word.get_or_insert_with(|| self.word(&first));
            self.contains(expression, word)
        })
    }

    fn mark(&mut self, name: &str, text: &str, key: &str) -> Option<String> {
        let search = Search { name: name.to_owned(), grams: grams(text) };
        if search.grams.is_empty() {
            return None;
        }
        let number = self.search(search)?;
        Some(format!("{MARK}{number}:{key}}}"))
    }
}

/// Returns whether a word may be a part of a printed number, such as `4-3`, `D3SX2026` or `十九`.
fn may_be_of_number(word: &str) -> bool {
    word.chars().all(|letter| letter.is_ascii() || "〇零一二三四五六七八九十百千第号（）、—－".contains(letter))
}

/// Returns whether a word is one gram.
fn is_pair(word: &str) -> bool {
    word.chars().count() == 2 && grams(word).len() == 1
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
        let name = sql.bind(search.name.clone());
        let wanted: Vec<String> = search.grams.iter().map(|gram| sql.bind(gram.clone())).collect();
        let stored = sql.list(&["g.gram".to_owned(), "CASE WHEN g.row_keys <> '' THEN g.row_keys END".to_owned()]);
        let stored = sql.array(&stored, None, None);
        let stored =
            format!("(SELECT {stored} FROM search_gram g WHERE g.noun = {name} AND g.gram IN ({}))", wanted.join(", "));
        let waiting = sql.array(&sql.list(&["p.row_key".to_owned()]), None, None);
        let waiting = format!(
            "(SELECT {waiting} FROM \
             (SELECT DISTINCT row_key FROM search_pending WHERE noun = {name} ORDER BY row_key LIMIT {}) p)",
            MAX_KEYS + 1
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
    if waiting.len() > MAX_KEYS {
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
        let search = Search { name: "measure".to_owned(), grams: grams("生态环") };
        let stored = |first: Option<&str>, second: Option<&str>| {
            let of = |gram: &str, keys: Option<&str>| (gram.to_owned(), keys.map(str::to_owned));
            vec![of("生态", first), of("态环", second)]
        };
        let found = |stored: &[(String, Option<String>)]| candidates(&search, stored, &[(9,)]);
        assert_eq!(found(&stored(Some("1,2,3"), Some("3,2,5"))), Some(BTreeSet::from([2, 3, 9])));
        assert_eq!(found(&stored(Some("1,2,3"), None)), Some(BTreeSet::from([1, 2, 3, 9])));
        assert_eq!(found(&stored(None, None)), None);
        assert_eq!(found(&[]), Some(BTreeSet::from([9])));
        assert_eq!(candidates(&search, &[], &vec![(1,); MAX_KEYS + 1]), None);
    }
}
