//! Building the text of an SQL statement: bound values, aliases, and the few functions that PostgreSQL and SQLite spell
//! differently. No other file builds SQL that is specific to one of the two.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use sea_orm::sea_query::{CommonTableExpression, Expr, Query, SelectStatement, SubQueryStatement, WithQuery};
use sea_orm::{DbBackend, Statement, Value};

use crate::fold;
use crate::search::{self, Search};
use crate::sight::{Everything, Sight};

/// The most members in one call of the JSON object function. PostgreSQL accepts 100 arguments, two for each member.
const OBJECT_CHUNK: usize = 45;

/// Replaces each `?` of a query by a placeholder: `$3`, `$4`, … if `first` is 3.
pub fn numbered(sql: &str, first: usize) -> String {
    let mut pieces = sql.split('?');
    let start = pieces.next().unwrap_or_default().to_owned();
    pieces.zip(first..).fold(start, |mut sql, (piece, number)| {
        let _ = write!(sql, "${number}{piece}");
        sql
    })
}

/// An SQL statement under construction. Expressions are plain text, in which the placeholders that `bind` returns refer
/// to bound values.
pub struct Sql<'a> {
    backend: DbBackend,
    values: Vec<Value>,
    aliases: usize,
    facts: &'a [(&'static str, Value)],
    bound_facts: Vec<(&'static str, String)>,
    sight: &'a dyn Sight,
    /// The searches in the statement that the index may narrow.
    searches: Vec<Search>,
    /// Whether searches are narrowed at this place of the statement.
    narrows: bool,
}

impl<'a> Sql<'a> {
    /// Makes an empty statement that may read everything. `facts` are values that expressions refer to by name, such as
    /// today's date.
    pub fn new(backend: DbBackend, facts: &'a [(&'static str, Value)]) -> Self {
        Self::within(backend, facts, &Everything)
    }

    /// Makes an empty statement that may read only the rows in `sight`.
    pub fn within(backend: DbBackend, facts: &'a [(&'static str, Value)], sight: &'a dyn Sight) -> Self {
        let (values, bound_facts, searches) = (Vec::new(), Vec::new(), Vec::new());
        Self { backend, values, aliases: 0, facts, bound_facts, sight, searches, narrows: true }
    }

    /// Returns what the caller may see.
    pub(crate) fn sight(&self) -> &'a dyn Sight {
        self.sight
    }

    /// Finishes the statement with this text, which must contain a placeholder for every bound value. A prepared
    /// statement is looked up by its text alone, and PostgreSQL refuses it with a different number of values.
    pub fn statement(self, text: impl Into<String>) -> Statement {
        let text = text.into();
        let text = if self.searches.is_empty() { text } else { search::unmarked(&text, |_, _| None) };
        self.marked(text).0
    }

    /// Finishes the statement like [`Sql::statement`], with the marks at which the index may narrow these searches.
    pub(crate) fn marked(self, text: String) -> (Statement, Vec<Search>) {
        debug_assert!(has_places(&text, self.values.len()), "bound values and placeholders do not match: {text}");
        (Statement::from_sql_and_values(self.backend, text, self.values), self.searches)
    }

    /// Enters a search and returns its number; none at a place where searches are not narrowed.
    pub(crate) fn search(&mut self, search: Search) -> Option<usize> {
        if !self.narrows {
            return None;
        }
        let known = self.searches.iter().position(|known| *known == search);
        Some(known.unwrap_or_else(|| {
            self.searches.push(search);
            self.searches.len() - 1
        }))
    }

    /// Writes something in which no search is narrowed.
    pub(crate) fn widely<T>(&mut self, write: impl FnOnce(&mut Self) -> T) -> T {
        let narrows = std::mem::replace(&mut self.narrows, false);
        let written = write(self);
        self.narrows = narrows;
        written
    }

    /// Returns the value of a named fact.
    pub(crate) fn given(&self, name: &str) -> Option<&Value> {
        self.facts.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Returns the number of values bound so far.
    pub fn bound(&self) -> usize {
        self.values.len()
    }

    /// Returns the kind of database that the statement is for.
    pub fn backend(&self) -> DbBackend {
        self.backend
    }

    fn is_postgres(&self) -> bool {
        self.backend == DbBackend::Postgres
    }

    /// Binds a value and returns its placeholder, such as `$3`.
    pub fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// Returns the placeholder of a named fact, which is bound at its first use only. An unknown name gives `NULL`.
    pub fn fact(&mut self, name: &str) -> String {
        if let Some((_, placeholder)) = self.bound_facts.iter().find(|(bound, _)| *bound == name) {
            return placeholder.clone();
        }
        let Some((name, value)) = self.facts.iter().find(|(known, _)| *known == name) else {
            return "NULL".to_owned();
        };
        let placeholder = self.bind(value.clone());
        self.bound_facts.push((*name, placeholder.clone()));
        placeholder
    }

    /// Returns a new table alias: `t1`, `t2`, …
    pub fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases)
    }

    /// Replaces `{t}` in a template by the alias of the row.
    pub fn on(template: &str, alias: &str) -> String {
        template.replace("{t}", alias)
    }

    /// Writes a boolean expression as a JSON boolean; unknown becomes null.
    pub fn boolean(&self, expression: &str) -> String {
        if self.is_postgres() {
            format!("({expression})")
        } else {
            format!("json(CASE ({expression}) WHEN 1 THEN 'true' WHEN 0 THEN 'false' END)")
        }
    }

    /// Marks an expression as JSON. SQLite loses the JSON subtype of a value that leaves a subquery, and would quote it
    /// as text.
    pub fn json(&self, expression: &str) -> String {
        if self.is_postgres() { expression.to_owned() } else { format!("json({expression})") }
    }

    /// Writes the values of an expression over the rows of `from`, joined by commas; null if there are no rows. `from`
    /// is what follows `FROM`.
    pub fn joined(&self, expression: &str, from: &str) -> String {
        if self.is_postgres() {
            format!("(SELECT string_agg(CAST({expression} AS text), ',') FROM {from})")
        } else {
            format!("(SELECT group_concat({expression}, ',') FROM {from})")
        }
    }

    /// Writes a JSON object of (key, value) members, in this order.
    pub fn object(&self, members: &[(&str, String)]) -> String {
        let function = if self.is_postgres() { "json_build_object" } else { "json_object" };
        let chunk = |members: &[(&str, String)]| {
            let mut call = format!("{function}(");
            for (index, (key, value)) in members.iter().enumerate() {
                let _ = write!(call, "{}'{key}', {value}", if index == 0 { "" } else { ", " });
            }
            call + ")"
        };
        if members.len() <= OBJECT_CHUNK {
            return chunk(members);
        }
        // An object with too many members for one call is joined from several as text, without the braces in between.
        let parts: Vec<String> = members.chunks(OBJECT_CHUNK).map(chunk).collect();
        let cast = |part: &str| if self.is_postgres() { format!("{part}::text") } else { part.to_owned() };
        let last = parts.len() - 1;
        let pieces: Vec<String> = parts
            .iter()
            .enumerate()
            .map(|(index, part)| {
                let text = cast(part);
                let open = if index == 0 { text.clone() } else { format!("substr({text}, 2)") };
                if index == last { open } else { format!("substr({open}, 1, length({open}) - 1)") }
            })
            .collect();
        let joined = pieces.join(" || ',' || ");
        if self.is_postgres() { format!("({joined})::json") } else { format!("json({joined})") }
    }

    /// Returns whether an aggregate receives the rows of an ordered subquery in that order. PostgreSQL does so if the
    /// aggregate reads the subquery directly; SQLite may drop the order of a subquery.
    pub fn keeps_order(&self) -> bool {
        self.is_postgres()
    }

    /// Writes an aggregate that collects the element of each row of the group into a JSON array, `[]` for an empty
    /// group. `order` is an `ORDER BY` list; `only` is a condition that rows must satisfy to be included.
    pub fn array(&self, element: &str, order: Option<&str>, only: Option<&str>) -> String {
        let filter = only.map(|only| format!(" FILTER (WHERE {only})")).unwrap_or_default();
        let order = order.map(|order| format!(" ORDER BY {order}")).unwrap_or_default();
        if self.is_postgres() {
            format!("coalesce(json_agg({element}{order}){filter}, '[]'::json)")
        } else {
            format!("json_group_array(json({element}){order}){filter}")
        }
    }

    /// Writes a JSON array that left a subquery, with `[]` in place of null.
    pub fn or_empty(&self, array: &str) -> String {
        if self.is_postgres() {
            format!("coalesce({array}, '[]'::json)")
        } else {
            format!("json(coalesce({array}, '[]'))")
        }
    }

    /// Writes the smaller of two numbers.
    pub fn least(&self, number: &str, other: u64) -> String {
        format!("{}({number}, {other})", if self.is_postgres() { "least" } else { "min" })
    }

    /// Writes a JSON array of the given values.
    pub fn list(&self, values: &[String]) -> String {
        let function = if self.is_postgres() { "json_build_array" } else { "json_array" };
        format!("{function}({})", values.join(", "))
    }

    /// Writes the mean of the group's numbers, rounded to six decimal places, because the databases add in different
    /// orders.
    pub fn average(&self, number: &str) -> String {
        if self.is_postgres() {
            format!("round(avg({number})::numeric, 6)::float8")
        } else {
            format!("round(avg({number}), 6)")
        }
    }

    /// Writes the number of the group's rows that satisfy a condition. A row for which it is unknown does not count.
    pub fn count_of(&self, condition: &str) -> String {
        format!("count(CASE WHEN {condition} THEN 1 END)")
    }

    /// Writes the share of the group's rows that satisfy a condition, from 0 to 1; null for a group without rows.
    pub fn share_of(&self, condition: &str) -> String {
        self.average(&format!("CASE WHEN {condition} THEN 1.0 ELSE 0.0 END"))
    }

    /// Writes an opaque cursor: the lower-case hexadecimal form of the JSON array of the given expressions.
    pub fn cursor(&self, parts: &[String]) -> String {
        let parts = parts.join(", ");
        if self.is_postgres() {
            format!("encode(convert_to(json_build_array({parts})::text, 'UTF8'), 'hex')")
        } else {
            format!("lower(hex(json_array({parts})))")
        }
    }

    /// Writes the number of whole days from one date to another, as a floating-point number so that divisions do not
    /// round.
    pub fn days_between(&self, from: &str, to: &str) -> String {
        if self.is_postgres() {
            format!("(({to})::date - ({from})::date)::float8")
        } else {
            format!("(julianday({to}) - julianday({from}))")
        }
    }

    /// Writes the clause that locks the selected rows until the transaction ends, only those of the alias `of` if it is
    /// given. Empty on SQLite, where a transaction locks the whole database when it begins.
    pub fn lock(&self, of: Option<&str>) -> String {
        match of {
            _ if !self.is_postgres() => String::new(),
            Some(alias) => format!(" FOR UPDATE OF {alias}"),
            None => " FOR UPDATE".to_owned(),
        }
    }

    /// Writes the day after a date.
    pub fn next_day(&self, date: &str) -> String {
        if self.is_postgres() { format!("({date} + 1)") } else { format!("date({date}, '+1 day')") }
    }

    /// Writes the first day of the month of a date.
    pub fn month(&self, date: &str) -> String {
        if self.is_postgres() {
            format!("date_trunc('month', {date})::date")
        } else {
            format!("date({date}, 'start of month')")
        }
    }

    /// Writes the first day of the year of a date.
    pub fn year(&self, date: &str) -> String {
        if self.is_postgres() {
            format!("date_trunc('year', {date})::date")
        } else {
            format!("date({date}, 'start of year')")
        }
    }

    /// Writes a date, given as `YYYY-MM-DD`, as a literal.
    pub fn date(&self, date: &str) -> String {
        if self.is_postgres() { format!("DATE '{date}'") } else { format!("'{date}'") }
    }

    /// Writes the sum of the group's whole numbers as a 64-bit whole number; 0 for an empty group.
    pub fn sum(&self, number: &str) -> String {
        format!("CAST(coalesce(sum({number}), 0) AS bigint)")
    }

    /// Binds a word for [`Sql::contains`].
    pub(crate) fn word(&mut self, word: &str) -> Word {
        let normal = fold::normal(word);
        let forms = fold::forms(&normal);
        let forms = if self.is_postgres() {
            let (from, to): (String, String) = forms.into_iter().unzip();
            if from.is_empty() { Vec::new() } else { vec![(self.bind(from), self.bind(to))] }
        } else {
            let pair = |(form, letter): (char, char)| (self.bind(form.to_string()), self.bind(letter.to_string()));
            forms.into_iter().map(pair).collect()
        };
        // Without letters that have a case, as in Chinese, no text has to be put into lower case.
        let has_case = fold::has_case(&normal);
        Word { normal: self.bind(normal), forms, has_case }
    }

    /// Writes the condition that a text contains a word, whatever the case and the width of letters, and whether
    /// characters are traditional or simplified.
    pub(crate) fn contains(&self, text: &str, word: &Word) -> String {
        let (replace, find) = if self.is_postgres() { ("translate", "strpos") } else { ("replace", "instr") };
        let text = if word.has_case { format!("lower({text})") } else { text.to_owned() };
        let folded =
            word.forms.iter().fold(text, |text, (form, letter)| format!("{replace}({text}, {form}, {letter})"));
        format!("{find}({folded}, {}) > 0", word.normal)
    }

    /// Writes about 80 characters of a text around the first place of a word, given in lower case; its beginning if the
    /// word does not occur in this form.
    pub fn excerpt(&self, text: &str, word: &str) -> String {
        let (greatest, find) = if self.is_postgres() { ("greatest", "strpos") } else { ("max", "instr") };
        format!("substr({text}, {greatest}({find}(lower({text}), {word}) - 20, 1), 80)")
    }

    /// Writes the key of the next row of this table, for an insert that has to know the key beforehand. On PostgreSQL,
    /// this takes the key from the sequence. On SQLite, it reads the last key, which is safe because there is only one
    /// writer at a time.
    pub fn next_key(&self, table: &str) -> String {
        if self.is_postgres() {
            format!("nextval(pg_get_serial_sequence('{table}', 'id'))")
        } else {
            format!("coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{table}'), 0) + 1")
        }
    }

    /// Binds any number of keys as one value, and writes what makes a condition of a column: `id {keys}`. The text of
    /// the statement does not depend on their number.
    pub fn among(&mut self, keys: impl IntoIterator<Item = i64>) -> String {
        let place = self.bind(key_list(self.backend, keys));
        among(self.backend, &place)
    }

    /// Binds rows, a JSON array of arrays, as one value, and writes them as a table of these columns, each with its
    /// type on PostgreSQL. The text of the statement does not depend on their number.
    pub fn rows(&mut self, rows: &serde_json::Value, columns: &[(&str, &str)]) -> String {
        let rows = self.bind(rows.to_string());
        let is_postgres = self.is_postgres();
        let column = |(place, (name, of_type)): (usize, &(&str, &str))| {
            if is_postgres {
                format!("CAST(value ->> {place} AS {of_type}) AS \"{name}\"")
            } else {
                format!("value ->> {place} AS \"{name}\"")
            }
        };
        let columns: Vec<String> = columns.iter().enumerate().map(column).collect();
        let each = if is_postgres {
            format!("jsonb_array_elements(CAST({rows} AS jsonb))")
        } else {
            format!("json_each({rows})")
        };
        format!("(SELECT {} FROM {each} AS element)", columns.join(", "))
    }

    /// Casts the expression to text, for the only column of a planned statement.
    pub fn as_text(&self, expression: &str) -> String {
        if self.is_postgres() { format!("({expression})::text") } else { expression.to_owned() }
    }
}

/// Returns any number of keys as the one value that [`among`] reads.
pub(crate) fn key_list(backend: DbBackend, keys: impl IntoIterator<Item = i64>) -> String {
    let keys: Vec<String> = keys.into_iter().map(|key| key.to_string()).collect();
    let keys = keys.join(",");
    if backend == DbBackend::Postgres { format!("{{{keys}}}") } else { format!("[{keys}]") }
}

/// Writes what makes a condition of a column: that it is among the keys that are bound to this placeholder.
pub(crate) fn among(backend: DbBackend, place: &str) -> String {
    if backend == DbBackend::Postgres {
        format!("= ANY (CAST({place} AS bigint[]))")
    } else {
        format!("IN (SELECT value FROM json_each({place}))")
    }
}

/// The placeholders of a word that is looked for: its normal form, and what is replaced in the texts.
pub(crate) struct Word {
    normal: String,
    forms: Vec<(String, String)>,
    has_case: bool,
}

/// Returns a text in which what stands between each `{begin` and the next `}` is replaced.
pub(crate) fn replaced(text: &str, begin: &str, mut by: impl FnMut(&str) -> String) -> String {
    let mut rest = text;
    let mut whole = String::with_capacity(text.len());
    while let Some((before, after)) = rest.split_once(begin) {
        let Some((mark, behind)) = after.split_once('}') else { break };
        whole.push_str(before);
        whole.push_str(&by(mark));
        rest = behind;
    }
    whole.push_str(rest);
    whole
}

/// Returns whether a text has placeholders for exactly this number of values: `$1` to `$values`, and no other.
fn has_places(text: &str, values: usize) -> bool {
    let places = text.split('$').skip(1).filter_map(|after| {
        let end = after.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(after.len());
        after[..end].parse().ok()
    });
    places.collect::<BTreeSet<usize>>().into_iter().eq(1..=values)
}

/// Builds the statements that execute these writes, none of which may read or change rows that another one changes. For
/// PostgreSQL, they become the common table expressions of a single statement, to save round trips. For SQLite, which
/// runs in this process and does not support writes in common table expressions, each is a statement of its own.
pub fn together(backend: DbBackend, writes: Vec<SubQueryStatement>) -> Vec<Statement> {
    if backend != DbBackend::Postgres || writes.len() < 2 {
        return writes.into_iter().map(|write| alone(backend, write)).collect();
    }
    joined(WithQuery::new(), writes).into_iter().collect()
}

/// The name of the row that [`together_holding`] locks.
const HELD: &str = "held";

/// Returns this integer, or null where the row that [`together_holding`] locks is not there.
pub fn if_held(value: Value) -> Expr {
    Expr::cust_with_values(format!("(SELECT CAST($1 AS integer) FROM {HELD})"), [value])
}

/// Builds one statement for PostgreSQL that executes these writes like [`together`], but first locks the row that
/// `hold` selects; none without writes. If there is no such row, nothing is updated, and [`if_held`] is null: inserted
/// into a column that cannot be null, it makes the statement fail as a whole.
///
/// PostgreSQL may execute the parts of a statement in any order, so each update asks for the locked row itself. Nothing
/// else is locked before it, and whoever else has locked it does not have to wait for this statement.
pub fn together_holding(hold: SelectStatement, mut writes: Vec<SubQueryStatement>) -> Option<Statement> {
    let mut all = WithQuery::new();
    all.cte(CommonTableExpression::new().table_name(HELD).query(hold).to_owned());
    for write in &mut writes {
        if let SubQueryStatement::UpdateStatement(change) = write {
            change.and_where(Expr::exists(Query::select().expr(Expr::val(1)).from(HELD).to_owned()));
        }
    }
    joined(all, writes)
}

/// Builds the statement of which all these writes but the last are common table expressions, after those of `all`.
fn joined(mut all: WithQuery, mut writes: Vec<SubQueryStatement>) -> Option<Statement> {
    let last = writes.pop()?;
    for (index, write) in writes.into_iter().enumerate() {
        all.cte(CommonTableExpression::new().table_name(format!("w{index}")).query(write).to_owned());
    }
    Some(DbBackend::Postgres.build(all.query(last)))
}

fn alone(backend: DbBackend, statement: SubQueryStatement) -> Statement {
    match statement {
        SubQueryStatement::SelectStatement(statement) => backend.build(&statement),
        SubQueryStatement::InsertStatement(statement) => backend.build(&statement),
        SubQueryStatement::UpdateStatement(statement) => backend.build(&statement),
        SubQueryStatement::DeleteStatement(statement) => backend.build(&statement),
        SubQueryStatement::WithStatement(statement) => backend.build(&statement),
    }
}
