//! The text of a statement under construction: bound values, aliases, and the few functions that the two databases spell
//! differently. No other file spells SQL for one of them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use sea_orm::sea_query::{CommonTableExpression, SubQueryStatement, WithQuery};
use sea_orm::{DbBackend, Statement, Value};

use crate::sight::{Everything, Sight};

/// The most members in one call of the JSON object function; PostgreSQL takes 100 arguments.
const OBJECT_CHUNK: usize = 45;

/// A statement under construction. Expressions are plain text that may hold the placeholders which `bind` hands out.
pub struct Sql<'a> {
    backend: DbBackend,
    values: Vec<Value>,
    aliases: usize,
    facts: &'a [(&'static str, Value)],
    bound_facts: Vec<(&'static str, String)>,
    sight: &'a dyn Sight,
}

impl<'a> Sql<'a> {
    /// An empty statement that may read everything; `facts` are values that expressions may name, such as today's date.
    pub fn new(backend: DbBackend, facts: &'a [(&'static str, Value)]) -> Self {
        Self::within(backend, facts, &Everything)
    }

    /// An empty statement that may read what is in sight.
    pub fn within(backend: DbBackend, facts: &'a [(&'static str, Value)], sight: &'a dyn Sight) -> Self {
        Self { backend, values: Vec::new(), aliases: 0, facts, bound_facts: Vec::new(), sight }
    }

    /// What may be seen.
    pub(crate) fn sight(&self) -> &'a dyn Sight {
        self.sight
    }

    /// The statement with this text, which has a place for every value that was bound: a prepared statement is found again
    /// by its text alone, and PostgreSQL refuses it with another number of values.
    pub fn statement(self, text: impl Into<String>) -> Statement {
        let text = text.into();
        debug_assert!(has_places(&text, self.values.len()), "values without a place: {text}");
        Statement::from_sql_and_values(self.backend, text, self.values)
    }

    /// How many values are bound so far.
    pub fn bound(&self) -> usize {
        self.values.len()
    }

    /// The database that the statement is for.
    pub fn backend(&self) -> DbBackend {
        self.backend
    }

    fn is_postgres(&self) -> bool {
        self.backend == DbBackend::Postgres
    }

    /// Binds a value and returns its placeholder.
    pub fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// The placeholder of a named fact, bound once however often it is used; an unknown name is NULL.
    pub fn fact(&mut self, name: &'static str) -> String {
        if let Some((_, placeholder)) = self.bound_facts.iter().find(|(bound, _)| *bound == name) {
            return placeholder.clone();
        }
        let Some((_, value)) = self.facts.iter().find(|(known, _)| *known == name) else {
            return "NULL".to_owned();
        };
        let placeholder = self.bind(value.clone());
        self.bound_facts.push((name, placeholder.clone()));
        placeholder
    }

    /// A fresh table alias.
    pub fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases)
    }

    /// `{t}` in a template stands for the alias of the row at hand.
    pub fn on(template: &str, alias: &str) -> String {
        template.replace("{t}", alias)
    }

    /// A boolean as a JSON boolean.
    pub fn boolean(&self, expression: &str) -> String {
        if self.is_postgres() {
            format!("({expression})")
        } else {
            format!("json(CASE ({expression}) WHEN 1 THEN 'true' WHEN 0 THEN 'false' END)")
        }
    }

    /// Marks text that is JSON as JSON: SQLite forgets it at the border of a subquery.
    pub fn json(&self, expression: &str) -> String {
        if self.is_postgres() { expression.to_owned() } else { format!("json({expression})") }
    }

    /// A JSON object of (key, value) members, in their order.
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
        // Objects too wide for one call are joined as text: without the closing brace of one and the opening of the next.
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

    /// Whether an aggregate takes the rows of an ordered subquery in their order. PostgreSQL does so as long as nothing
    /// stands between the two; SQLite may drop the order of a subquery.
    pub fn keeps_order(&self) -> bool {
        self.is_postgres()
    }

    /// A JSON array of the group's values, `[]` for an empty group.
    pub fn array(&self, element: &str, order: Option<&str>, only: Option<&str>) -> String {
        let filter = only.map(|only| format!(" FILTER (WHERE {only})")).unwrap_or_default();
        let order = order.map(|order| format!(" ORDER BY {order}")).unwrap_or_default();
        if self.is_postgres() {
            format!("coalesce(json_agg({element}{order}){filter}, '[]'::json)")
        } else {
            format!("json_group_array(json({element}){order}){filter}")
        }
    }

    /// The lesser of two numbers.
    pub fn least(&self, number: &str, other: u64) -> String {
        format!("{}({number}, {other})", if self.is_postgres() { "least" } else { "min" })
    }

    /// A JSON array of the given values.
    pub fn list(&self, values: &[String]) -> String {
        let function = if self.is_postgres() { "json_build_array" } else { "json_array" };
        format!("{function}({})", values.join(", "))
    }

    /// The mean of the group's numbers, to six places: the databases add in different orders.
    pub fn average(&self, number: &str) -> String {
        if self.is_postgres() {
            format!("round(avg({number})::numeric, 6)::float8")
        } else {
            format!("round(avg({number}), 6)")
        }
    }

    /// An opaque cursor: the hexadecimal form of the JSON array of the given expressions.
    pub fn cursor(&self, keys: &[String]) -> String {
        let keys = keys.join(", ");
        if self.is_postgres() {
            format!("encode(convert_to(json_build_array({keys})::text, 'UTF8'), 'hex')")
        } else {
            format!("lower(hex(json_array({keys})))")
        }
    }

    /// The whole days from one date to another, as a number that divides without rounding.
    pub fn days_between(&self, from: &str, to: &str) -> String {
        if self.is_postgres() {
            format!("(({to})::date - ({from})::date)::float8")
        } else {
            format!("(julianday({to}) - julianday({from}))")
        }
    }

    /// Locks the rows that are read, of one table of several, until the transaction ends. SQLite's transactions begin with
    /// the lock on the whole.
    pub fn lock(&self, of: Option<&str>) -> String {
        match of {
            _ if !self.is_postgres() => String::new(),
            Some(alias) => format!(" FOR UPDATE OF {alias}"),
            None => " FOR UPDATE".to_owned(),
        }
    }

    /// The day after a date.
    pub fn next_day(&self, date: &str) -> String {
        if self.is_postgres() { format!("({date} + 1)") } else { format!("date({date}, '+1 day')") }
    }

    /// The first day of a date's month.
    pub fn month(&self, date: &str) -> String {
        if self.is_postgres() {
            format!("date_trunc('month', {date})::date")
        } else {
            format!("date({date}, 'start of month')")
        }
    }

    /// The first day of a date's year.
    pub fn year(&self, date: &str) -> String {
        if self.is_postgres() {
            format!("date_trunc('year', {date})::date")
        } else {
            format!("date({date}, 'start of year')")
        }
    }

    /// A date that is written out.
    pub fn date(&self, date: &str) -> String {
        if self.is_postgres() { format!("DATE '{date}'") } else { format!("'{date}'") }
    }

    /// A sum of whole numbers, as one.
    pub fn sum(&self, number: &str) -> String {
        format!("CAST(coalesce(sum({number}), 0) AS bigint)")
    }

    /// Whether a text contains another, letter case aside for Latin letters.
    pub fn contains(&self, text: &str, words: &str) -> String {
        if self.is_postgres() {
            format!("strpos(lower({text}), lower({words})) > 0")
        } else {
            format!("instr(lower({text}), lower({words})) > 0")
        }
    }

    /// The key that a row will have which is to be added to this table by a writer who has to know it beforehand. SQLite's
    /// writers are alone.
    pub fn next_key(&self, table: &str) -> String {
        if self.is_postgres() {
            format!("nextval(pg_get_serial_sequence('{table}', 'id'))")
        } else {
            format!("coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{table}'), 0) + 1")
        }
    }

    /// The statement's only column, as text.
    pub fn as_text(&self, expression: &str) -> String {
        if self.is_postgres() { format!("({expression})::text") } else { expression.to_owned() }
    }
}

/// Whether a text has a place for each of so many values, and no other.
fn has_places(text: &str, values: usize) -> bool {
    let places = text.split('$').skip(1).filter_map(|after| {
        let end = after.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(after.len());
        after[..end].parse().ok()
    });
    places.collect::<BTreeSet<usize>>().into_iter().eq(1..=values)
}

/// The statements that carry these writes out, none of which reads or changes what another does. PostgreSQL takes them as
/// the parts of one, for which it is asked once; SQLite is at hand, and knows no such parts.
pub fn together(backend: DbBackend, mut writes: Vec<SubQueryStatement>) -> Vec<Statement> {
    if backend != DbBackend::Postgres || writes.len() < 2 {
        return writes.into_iter().map(|write| alone(backend, write)).collect();
    }
    let mut all = WithQuery::new();
    let Some(last) = writes.pop() else { return Vec::new() };
    for (index, write) in writes.into_iter().enumerate() {
        all.cte(CommonTableExpression::new().table_name(format!("w{index}")).query(write).to_owned());
    }
    vec![backend.build(all.query(last))]
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
