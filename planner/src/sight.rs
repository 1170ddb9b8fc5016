//! What the caller may see: a condition on the rows of each table, which the planner adds wherever a statement reads
//! that table.

use sea_orm::Value;

use crate::condition::{Condition, Member};
use crate::sql::{Sql, replaced};

/// Decides which rows of each table the caller may see.
pub trait Sight: Send + Sync {
    /// Returns the condition that a row of the table must satisfy to be seen. An implementation hides tables that it
    /// does not know: it returns `Condition::never`.
    fn rows(&self, table: &str) -> Condition;

    /// Returns whether the region with this key is the whole nation, as far as that is known.
    fn is_nation(&self, region: &Value) -> bool;

    /// Returns whether the caller sees so few rows of the table that a list of them is found and sorted as a whole.
    /// Rows of others are rather read in the order of an index, until the page is full: quickly if many rows are seen.
    fn sees_few(&self, table: &str) -> bool;

    /// Returns the region by whose rights the caller sees, if that is how they see.
    fn region(&self) -> Option<Value> {
        None
    }

    /// Returns whether the list contains every row that the caller may see. The statement then need not check
    /// membership.
    fn implies(&self, member: &Member) -> bool;

    /// Returns the further condition that a row in the list must satisfy. It removes rows that are listed only because
    /// of something that the caller may not see.
    fn lists(&self, member: &Member) -> Condition;
}

/// A sight without limits, for the program's own jobs and commands.
#[derive(Debug, Clone, Copy, Default)]
pub struct Everything;

impl Sight for Everything {
    fn rows(&self, _: &str) -> Condition {
        Condition::always()
    }

    fn is_nation(&self, _: &Value) -> bool {
        false
    }

    fn sees_few(&self, _: &str) -> bool {
        false
    }

    fn implies(&self, _: &Member) -> bool {
        false
    }

    fn lists(&self, _: &Member) -> Condition {
        Condition::always()
    }
}

impl Sql<'_> {
    /// Writes the condition that the row `alias` of the table must satisfy to be seen; none if every row may be seen.
    pub fn seen(&mut self, table: &str, alias: &str) -> Option<String> {
        let condition = self.sight().rows(table);
        (!condition.is_always()).then(|| condition.to_sql(self, alias))
    }

    /// Returns the region by whose rights the caller sees, if that is how they see.
    pub fn region(&self) -> Option<Value> {
        self.sight().region()
    }

    /// Returns a source with each `{sees:table:alias}` replaced by the condition for that row, each `{fact:name}` by
    /// the value of the fact, `{found:name:alias}` by the condition that the row may contain the text of the fact
    /// `searched`, `{first:name:alias}` by that for the fact `search`, `{worded:name:alias}` by that for it and the
    /// words of `searched` that no number has, and `{has:expression}` by the condition that the expression contains the
    /// word of the fact `search`.
    pub fn source(&mut self, source: &str) -> String {
        let whole = replaced(source, "{sees:", |mark| {
            let (table, alias) = mark.split_once(':').unwrap_or((mark, mark));
            self.seen(table, alias).unwrap_or_else(|| "TRUE".to_owned())
        });
        let whole = self.with_facts(&whole);
        self.with_found(&whole)
    }

    /// Returns whether the caller may see every row of the tables that a source marks.
    pub(crate) fn sees_all(&self, source: &str) -> bool {
        let tables = source.split("{sees:").skip(1).filter_map(|after| after.split([':', '}']).next());
        tables.map(|table| self.sight().rows(table)).all(|rows| rows.is_always())
    }

    /// Returns a template with each `{fact:name}` replaced by the value of the fact.
    pub(crate) fn with_facts(&mut self, source: &str) -> String {
        replaced(source, "{fact:", |name| self.fact(name))
    }

    /// Combines the filter of a list with what the caller may see. A membership in the filter is dropped if the list
    /// contains everything that the caller may see; otherwise it stays first, so that the rows are read from its list.
    /// Where a root field lists a table of which the caller sees few rows, those of each alternative are found by
    /// itself.
    pub(crate) fn narrowed(&self, filter: &Condition, table: &'static str, is_root: bool) -> Condition {
        let sight = self.sight();
        let seen = match sight.rows(table) {
            Condition::Any(any) if is_root && sight.sees_few(table) => Condition::Union(table, any),
            seen => seen,
        };
        let filter = filter.clone().in_nation(&|region| sight.is_nation(region));
        match filter.split_member() {
            (Some(member), rest) if !sight.implies(&member) => {
                let listed = if seen.is_always() { Condition::always() } else { sight.lists(&member) };
                Condition::Member(member).and(listed).and(rest).and(seen)
            }
            (_, rest) => seen.and(rest),
        }
    }
}
