//! Selection × description → one statement that builds the JSON.

use async_graphql::{Name, Value as Argument};
use sea_orm::{DbBackend, Value};

use crate::Refusal;
use crate::condition::{Condition, Member};
use crate::group::{Grouping, figures};
use crate::noun::{Kind, Link, PageArguments, Table};
use crate::page::Page;
use crate::selection::Selected;
use crate::sql::Sql;

/// The most values of one statement, within SQLite's bound on variables.
const MAX_VALUES: usize = 10_000;

/// What a root field asks for.
#[derive(Clone)]
pub enum Root<'a> {
    /// A page of all rows.
    Many(&'a Table, PageArguments),
    /// All rows, in their default order.
    List(&'a Table),
    /// The rows that satisfy a condition, in their default order.
    Where(&'a Table, Condition),
    /// The rows of several nouns by their keys, in the order asked for; null where there is none.
    Several(Vec<Option<(&'a Table, Value)>>),
    /// The row that a column finds, or none.
    One(&'a Table, &'static str, Value),
}

/// A statement ready to run, with what the program still has to put into its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Its text, with `$1` … for the values.
    pub sql: String,
    /// The values.
    pub values: Vec<Value>,
    /// The fields to finish.
    pub(crate) finishes: Vec<Finish>,
}

/// A step into the answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Segment {
    /// A member of an object.
    Key(String),
    /// Every element of a list.
    Each,
}

/// A field whose value the program completes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finish {
    pub(crate) path: Vec<Segment>,
    pub(crate) finisher: &'static str,
    pub(crate) arguments: Vec<(Name, Argument)>,
}

/// Plans a root field. `facts` are values that expressions may name; `visible` restricts the root's rows.
pub fn plan(
    backend: DbBackend,
    root: Root<'_>,
    selection: &Selected<'_>,
    facts: &[(&'static str, Value)],
) -> Result<Statement, Refusal> {
    let mut planner = Planner { sql: Sql::new(backend, facts), path: Vec::new(), finishes: Vec::new() };
    let expression = match root {
        Root::Many(table, arguments) => planner.connection(table, selection, arguments, None)?,
        Root::List(table) => planner.list(table, selection, None, &Condition::always())?,
        Root::Where(table, condition) => planner.list(table, selection, None, &condition)?,
        Root::Several(wanted) => planner.several(&wanted, selection)?,
        Root::One(table, column, key) => {
            let alias = planner.sql.alias();
            let key = planner.sql.bind(key);
            let object = planner.object(table, &alias, selection)?;
            format!("(SELECT {object} FROM {} {alias} WHERE {alias}.{column} = {key})", table.source)
        }
    };
    if planner.sql.bound() > MAX_VALUES {
        return Err(Refusal::new(
            format!("筛选条件超过 {MAX_VALUES} 个值，请拆分"),
            format!("the filter names more than {MAX_VALUES} values: split it"),
        ));
    }
    let sql = format!("SELECT {} AS data", planner.sql.as_text(&expression));
    Ok(Statement { sql, finishes: planner.finishes, values: planner.sql.into_values() })
}

struct Planner<'a> {
    sql: Sql<'a>,
    /// Where in the answer the walk stands.
    path: Vec<Segment>,
    finishes: Vec<Finish>,
}

/// The owner of a list: its alias and how the rows belong to it.
type Owner<'o> = Option<(&'o str, Link)>;

impl Planner<'_> {
    /// The JSON object of one row.
    fn object(&mut self, table: &Table, alias: &str, selection: &Selected<'_>) -> Result<String, Refusal> {
        let mut members = Vec::new();
        for child in selection.children(table.name) {
            self.path.push(Segment::Key(child.key().to_owned()));
            let value = self.value(table, alias, &child);
            self.path.pop();
            members.push((child.key(), value?));
        }
        Ok(self.sql.object(&members))
    }

    fn value(&mut self, table: &Table, alias: &str, child: &Selected<'_>) -> Result<String, Refusal> {
        if child.name() == "__typename" {
            return Ok(format!("'{}'", table.name));
        }
        let Some(field) = table.field(child.name()) else {
            return Err(Refusal::plain(format!("`{}` has no field `{}`", table.name, child.name())));
        };
        Ok(match &field.kind {
            Kind::Id => format!("'{}_' || {alias}.id", table.prefix.unwrap_or_default()),
            Kind::Column(column) => format!("{alias}.{column}"),
            Kind::Boolean(column) => self.sql.boolean(&format!("{alias}.{column}")),
            Kind::Expression(write) => write(&mut self.sql, alias),
            Kind::Finished(write, finisher) => {
                let arguments = child.arguments();
                self.finishes.push(Finish { path: self.path.clone(), finisher, arguments });
                write(&mut self.sql, alias)
            }
            Kind::Embedded(part) => self.object(part(), alias, child)?,
            Kind::One(other, column) => {
                let key = format!("{alias}.{column}");
                self.one(other(), &key, child)?
            }
            Kind::Found(other, find) => {
                let key = find(&mut self.sql, alias);
                self.one(other(), &key, child)?
            }
            Kind::List(other, link) => {
                let list = self.list(other(), child, Some((alias, *link)), &Condition::always())?;
                self.sql.json(&list)
            }
            Kind::Many(other, link, arguments) => {
                let page = self.connection(other(), child, *arguments, Some((alias, *link)))?;
                self.sql.json(&page)
            }
        })
    }

    /// The array of the rows wanted, of whatever noun; each noun is described once.
    fn several(&mut self, wanted: &[Option<(&Table, Value)>], selection: &Selected<'_>) -> Result<String, Refusal> {
        if wanted.is_empty() {
            return Ok(self.sql.list(&[]));
        }
        let mut nouns: Vec<(&Table, Vec<String>)> = Vec::new();
        for (place, (table, key)) in wanted.iter().enumerate().filter_map(|(place, one)| Some((place, one.as_ref()?))) {
            let row = format!("SELECT {place} AS place, {} AS id", self.sql.bind(key.clone()));
            match nouns.iter_mut().find(|(known, _)| known.name == table.name) {
                Some((_, rows)) => rows.push(row),
                None => nouns.push((*table, vec![row])),
            }
        }
        let mut found = vec!["SELECT -1 AS place, NULL AS data".to_owned()];
        for (table, rows) in nouns {
            let (alias, keys) = (self.sql.alias(), self.sql.alias());
            self.path.push(Segment::Each);
            let object = self.object(table, &alias, selection);
            self.path.pop();
            found.push(format!(
                "SELECT {keys}.place, {} FROM ({}) {keys} JOIN {} {alias} ON {alias}.id = {keys}.id",
                object?,
                rows.join(" UNION ALL "),
                table.source
            ));
        }
        let places: Vec<String> = (0..wanted.len()).map(|place| format!("SELECT {place} AS place")).collect();
        let array = self.sql.array("d.data", "p.place", None);
        Ok(format!(
            "(SELECT {array} FROM ({}) p LEFT JOIN ({}) d ON d.place = p.place)",
            places.join(" UNION ALL "),
            found.join(" UNION ALL ")
        ))
    }

    fn one(&mut self, table: &Table, key: &str, selection: &Selected<'_>) -> Result<String, Refusal> {
        let alias = self.sql.alias();
        let object = self.object(table, &alias, selection)?;
        let row = format!("(SELECT {object} FROM {} {alias} WHERE {alias}.id = {key})", table.source);
        Ok(self.sql.json(&row))
    }

    /// A plain list, in the noun's own order.
    fn list(
        &mut self,
        table: &Table,
        selection: &Selected<'_>,
        owner: Owner<'_>,
        condition: &Condition,
    ) -> Result<String, Refusal> {
        let alias = self.sql.alias();
        self.path.push(Segment::Each);
        let object = self.object(table, &alias, selection);
        self.path.pop();
        let direction = |descending: bool| if descending { " DESC" } else { "" };
        let order: Vec<String> = table
            .order
            .iter()
            .map(|key| format!("{}{}", Sql::on(key.expression, &alias), direction(key.descending)))
            .collect();
        let (from, mut conditions) = self.belonging(table, &alias, owner, None);
        if !condition.is_always() {
            conditions.push(condition.to_sql(&mut self.sql, &alias));
        }
        let array = self.sql.array(&object?, &order.join(", "), None);
        Ok(format!("(SELECT {array} FROM {from}{})", wherever(&conditions)))
    }

    /// A connection: a page of rows, and a count of all of them only where it is asked for.
    fn connection(
        &mut self,
        table: &Table,
        selection: &Selected<'_>,
        arguments: PageArguments,
        owner: Owner<'_>,
    ) -> Result<String, Refusal> {
        let page = Page::read(selection, table, arguments)?;
        let connection = format!("{}Connection", table.name);
        let wanted = selection.children(&connection);
        let alias = self.sql.alias();
        let list = Listed::of(&page, &wanted, &alias);
        let mut members = Vec::new();
        for child in &wanted {
            self.path.push(Segment::Key(child.key().to_owned()));
            let value = match child.name() {
                "__typename" => Ok(format!("'{connection}'")),
                "totalCount" => Ok(self.total(table, owner, &page.condition)),
                "pageInfo" => Ok(self.page_info(&page, &list, child)),
                "aggregate" => Ok(self.aggregate(table, owner, &page.condition, child)),
                "groups" => self.groups(table, owner, &page.condition, child),
                rows => {
                    self.path.push(Segment::Each);
                    let element = match rows {
                        "edges" => self.edge(table, &alias, &list, child),
                        _ => self.object(table, &alias, child),
                    };
                    self.path.pop();
                    element.map(|element| self.sql.array(&element, &list.forth, list.visible.as_deref()))
                }
            };
            self.path.pop();
            members.push((child.key(), value?));
        }
        let object = self.sql.object(&members);
        if !list.reads_rows {
            return Ok(format!("(SELECT {object})"));
        }
        let rows = self.page(table, &page, owner, &alias, &list)?;
        Ok(format!("(SELECT {object} FROM {rows} {alias})"))
    }

    /// The rows of the page, each with its sort keys as `k0` …, and numbered where one more than the page is read.
    /// Whatever is selected is computed outside, for the page's rows only.
    fn page(
        &mut self,
        table: &Table,
        page: &Page,
        owner: Owner<'_>,
        alias: &str,
        list: &Listed,
    ) -> Result<String, Refusal> {
        let (member, rest) = page.condition.clone().split_member();
        let walked = member.as_ref().map(|member| (self.sql.alias(), member));
        let walked = walked.as_ref().map(|(walk, member)| (walk.as_str(), *member));
        let keys = page.keys(alias, walked);
        let (from, mut conditions) = self.belonging(table, alias, owner, walked);
        conditions.extend(page.bounds(&keys, &mut self.sql)?);
        if !rest.is_always() {
            conditions.push(rest.to_sql(&mut self.sql, alias));
        }
        let named: Vec<String> = keys.iter().enumerate().map(|(index, key)| format!(", {key} AS k{index}")).collect();
        let rows = format!(
            "(SELECT {alias}.*{} FROM {from}{} ORDER BY {} LIMIT {})",
            named.join(""),
            wherever(&conditions),
            page.order_by(&keys),
            page.size + u64::from(list.visible.is_some()),
        );
        if list.visible.is_none() {
            return Ok(rows);
        }
        let walk = if page.backward { &list.back } else { &list.forth };
        Ok(format!("(SELECT {alias}.*, row_number() OVER (ORDER BY {walk}) AS rn FROM {rows} {alias})"))
    }

    fn edge(&mut self, table: &Table, alias: &str, list: &Listed, edge: &Selected<'_>) -> Result<String, Refusal> {
        let name = format!("{}Edge", table.name);
        let mut members = Vec::new();
        for child in edge.children(&name) {
            let value = match child.name() {
                "__typename" => format!("'{name}'"),
                "cursor" => self.sql.cursor(&list.keys),
                _ => {
                    self.path.push(Segment::Key(child.key().to_owned()));
                    let object = self.object(table, alias, &child);
                    self.path.pop();
                    object?
                }
            };
            members.push((child.key(), value));
        }
        Ok(self.sql.object(&members))
    }

    fn page_info(&self, page: &Page, list: &Listed, info: &Selected<'_>) -> String {
        let visible = list.visible.as_deref();
        let cursor = self.sql.cursor(&list.keys);
        let more = self.sql.boolean(&format!("count(*) > {}", page.size));
        let given = |cursor: &Option<String>| self.sql.boolean(if cursor.is_some() { "1 = 1" } else { "1 = 0" });
        let members: Vec<(&str, String)> = info
            .children("PageInfo")
            .into_iter()
            .map(|child| {
                let value = match child.name() {
                    "hasNextPage" if page.backward => given(&page.before),
                    "hasNextPage" => more.clone(),
                    "hasPreviousPage" if page.backward => more.clone(),
                    "hasPreviousPage" => given(&page.after),
                    "startCursor" => self.sql.first(&cursor, &list.forth, visible),
                    "endCursor" => self.sql.first(&cursor, &list.back, visible),
                    _ => "'PageInfo'".to_owned(),
                };
                (child.key(), value)
            })
            .collect();
        self.sql.object(&members)
    }

    /// The number of rows on all pages: the kept one where the list keeps it, else a count.
    fn total(&mut self, table: &Table, owner: Owner<'_>, condition: &Condition) -> String {
        if owner.is_none() {
            if let (true, Some(total)) = (condition.is_always(), table.total) {
                return format!("coalesce(({total}), 0)");
            }
            if let (Some(member), rest) = condition.clone().split_member()
                && rest.is_always()
            {
                let value = self.sql.bind(member.value);
                return format!("coalesce(({}), 0)", member.total.replace("{}", &value));
            }
        }
        let alias = self.sql.alias();
        format!("(SELECT count(*) FROM {})", self.all_rows(table, &alias, owner, condition))
    }

    /// What is reckoned over all pages. A count alone may be a kept one.
    fn aggregate(&mut self, table: &Table, owner: Owner<'_>, condition: &Condition, child: &Selected<'_>) -> String {
        let wanted = child.children(&format!("{}Aggregate", table.name));
        if wanted.iter().all(|one| one.name() == "count") {
            let total = self.total(table, owner, condition);
            let members: Vec<(&str, String)> = wanted.iter().map(|one| (one.key(), total.clone())).collect();
            return self.sql.object(&members);
        }
        let alias = self.sql.alias();
        let rows = self.all_rows(table, &alias, owner, condition);
        let figures = figures(&self.sql, table, &alias, child);
        self.sql.json(&format!("(SELECT {figures} FROM {rows})"))
    }

    fn groups(
        &mut self,
        table: &Table,
        owner: Owner<'_>,
        condition: &Condition,
        child: &Selected<'_>,
    ) -> Result<String, Refusal> {
        let grouping = Grouping::read(table, child)?;
        let (alias, outer) = (self.sql.alias(), self.sql.alias());
        let rows = self.all_rows(table, &alias, owner, condition);
        let array = grouping.array(&self.sql, table, &alias, &rows, &outer, child);
        Ok(self.sql.json(&array))
    }

    /// The rows of all pages, as FROM and WHERE.
    fn all_rows(&mut self, table: &Table, alias: &str, owner: Owner<'_>, condition: &Condition) -> String {
        let (member, rest) = condition.clone().split_member();
        let walked = member.as_ref().map(|member| (self.sql.alias(), member));
        let (from, mut conditions) =
            self.belonging(table, alias, owner, walked.as_ref().map(|(list, member)| (list.as_str(), *member)));
        if !rest.is_always() {
            conditions.push(rest.to_sql(&mut self.sql, alias));
        }
        format!("{from}{}", wherever(&conditions))
    }

    /// Where a list's rows are and what ties them to their owner or to the list that is walked.
    fn belonging(
        &mut self,
        table: &Table,
        alias: &str,
        owner: Owner<'_>,
        walked: Option<(&str, &Member)>,
    ) -> (String, Vec<String>) {
        let mut from = format!("{} {alias}", table.source);
        let mut conditions = Vec::new();
        if let Some((list, member)) = walked {
            let value = self.sql.bind(member.value.clone());
            from = format!("{} {list} JOIN {from} ON {alias}.id = {list}.{}", member.table, member.row);
            conditions.push(format!("{list}.{} = {value}", member.list));
        }
        match owner {
            None => {}
            Some((owner, Link::Inside)) => from = from.replace("{owner}", owner),
            Some((owner, Link::Column(column))) => conditions.push(format!("{alias}.{column} = {owner}.id")),
            Some((owner, Link::Among(keys))) => {
                conditions.push(format!("{alias}.id IN ({})", Sql::on(keys, owner)));
            }
        }
        (from, conditions)
    }
}

/// How the rows of a page are referred to outside the subquery that reads them.
struct Listed {
    /// Whether anything of the rows is asked for.
    reads_rows: bool,
    /// The sort keys.
    keys: Vec<String>,
    /// The order in which the page is shown.
    forth: String,
    /// Its reverse.
    back: String,
    /// Which rows belong to the page, where one more is read to learn whether there are more.
    visible: Option<String>,
}

impl Listed {
    fn of(page: &Page, wanted: &[Selected<'_>], alias: &str) -> Self {
        let probe = if page.backward { "hasPreviousPage" } else { "hasNextPage" };
        let probes = |info: &Selected<'_>| info.name() == "pageInfo" && info.child(probe).is_some();
        let keys: Vec<String> = (0..page.order.len()).map(|index| format!("{alias}.k{index}")).collect();
        let order = |flip: bool| {
            let parts: Vec<String> = keys
                .iter()
                .zip(&page.order)
                .map(|(key, (_, descending))| if *descending == flip { key.clone() } else { format!("{key} DESC") })
                .collect();
            parts.join(", ")
        };
        Self {
            reads_rows: wanted.iter().any(|child| matches!(child.name(), "nodes" | "edges" | "pageInfo")),
            forth: order(false),
            back: order(true),
            visible: wanted.iter().any(probes).then(|| format!("{alias}.rn <= {}", page.size)),
            keys,
        }
    }
}

fn wherever(conditions: &[String]) -> String {
    if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
}
