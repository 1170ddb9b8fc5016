//! Compiles a selection and the description of its noun into one statement that builds the JSON of the answer.

use std::fmt::Write as _;

use async_graphql::{Name, Value as Argument};
use sea_orm::{DbBackend, Value};

use crate::Refusal;
use crate::condition::{Condition, Member};
use crate::cursor::Position;
use crate::group::{Grouping, figures, lists, reckons};
use crate::noun::{Kind, Link, PageArguments, Table};
use crate::page::Page;
use crate::search::Search;
use crate::selection::Selected;
use crate::sight::Sight;
use crate::sql::Sql;

/// The most bound values of one statement, below SQLite's default limit of 32,766 variables.
const MAX_VALUES: usize = 30_000;

/// What a root field returns.
#[derive(Clone)]
pub enum Root<'a> {
    /// A connection to all rows, a page at a time.
    Many(&'a Table, PageArguments),
    /// A connection to the rows that satisfy a condition, whatever its filter says.
    Found(&'a Table, PageArguments, Condition),
    /// All rows as a plain list, in their default order.
    List(&'a Table),
    /// The rows that satisfy a condition as a plain list, in their default order.
    Where(&'a Table, Condition),
    /// A list of rows, possibly of several nouns, by their keys and in this order. An element is null
    /// if it is none here, or if the caller may not see such a row.
    Several(Vec<Option<(&'a Table, Value)>>),
    /// The row with this value in this column, or null.
    One(&'a Table, &'static str, Value),
}

/// A statement that is ready to run, with the fields that the program has to complete in its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// The SQL statement with its bound values.
    pub(crate) asked: sea_orm::Statement,
    /// The fields that the program completes.
    pub(crate) finishes: Vec<Finish>,
    /// The searches at whose marks the statement can be narrowed.
    pub(crate) searches: Vec<Search>,
}

/// A step of a path into the answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Segment {
    /// The member of an object with this key.
    Key(String),
    /// Each element of a list.
    Each,
}

/// A field whose value the program completes.
#[derive(Debug, Clone, PartialEq)]
pub struct Finish {
    pub(crate) path: Vec<Segment>,
    /// The name of the value, as the description of the field gives it.
    pub name: &'static str,
    /// The arguments of the field.
    pub arguments: Vec<(Name, Argument)>,
    /// The selected fields of the value, as response keys and names; empty if the value is a scalar.
    pub fields: Vec<(String, String)>,
}

/// Plans a root field: compiles it into one statement. `facts` are values that expressions may refer to by name. The
/// statement reads only the rows in `sight`; rows outside it are answered like rows that do not exist.
///
/// # Errors
///
/// Refuses arguments that are out of range or malformed, and statements with too many bound values.
pub fn plan(
    backend: DbBackend,
    root: Root<'_>,
    selection: &Selected<'_>,
    facts: &[(&'static str, Value)],
    sight: &dyn Sight,
) -> Result<Statement, Refusal> {
    let sql = Sql::within(backend, facts, sight);
    let mut planner = Planner { sql, path: Vec::new(), finishes: Vec::new(), known: None };
    let mut from = String::new();
    let expression = match root {
        Root::Many(table, arguments) => {
            planner.connection(table, selection, arguments, Place::ROOT, Condition::always())?
        }
        Root::Found(table, arguments, condition) => {
            planner.connection(table, selection, arguments, Place::ROOT, condition)?
        }
        Root::List(table) => planner.list(table, selection, None, &Condition::always())?,
        Root::Where(table, condition) => planner.list(table, selection, None, &condition)?,
        Root::Several(wanted) => planner.several(&wanted, selection)?,
        Root::One(table, column, key) => {
            let alias = planner.sql.alias();
            if let ("id", Value::BigInt(Some(key))) = (column, &key) {
                planner.known = Some((alias.clone(), *key));
            }
            let key = planner.sql.bind(key);
            let object = planner.object(table, &alias, selection)?;
            let seen = planner.and_seen(table, &alias);
            from = format!(" FROM {} {alias} WHERE {alias}.{column} = {key}{seen}", table.source);
            object
        }
    };
    if planner.sql.bound() > MAX_VALUES {
        return Err(Refusal::new(
            format!("筛选条件超过 {MAX_VALUES} 个值，请拆分"),
            format!("the filter has more than {MAX_VALUES} values: split it into several requests"),
        ));
    }
    let text = format!("SELECT {} AS data{from}", planner.sql.as_text(&expression));
    let (asked, searches) = planner.sql.marked(text);
    Ok(Statement { asked, finishes: planner.finishes, searches })
}

struct Planner<'a> {
    sql: Sql<'a>,
    /// The path in the answer of the field that is being planned.
    path: Vec<Segment>,
    finishes: Vec<Finish>,
    /// The alias and the key of the row that the statement reads by its key.
    known: Option<(String, i64)>,
}

/// Whose list a connection is.
#[derive(Clone, Copy)]
pub(crate) struct Place<'o> {
    /// The owner of the list.
    pub(crate) owner: Owner<'o>,
    /// The type of the owner; empty for the query root.
    pub(crate) owner_type: &'static str,
    /// The key of the owner, if the request gives it.
    pub(crate) key: Option<i64>,
}

impl Place<'_> {
    /// The place of a list of the query root.
    const ROOT: Self = Self { owner: None, owner_type: "", key: None };
}

/// The owner of a list, if there is one: its alias, and how the rows of the list belong to it.
pub(crate) type Owner<'o> = Option<(&'o str, Link)>;

impl Planner<'_> {
    /// Writes the JSON object of one row.
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
            Kind::Finished(write, name) => {
                let (arguments, fields) = (child.arguments(), child.members());
                self.finishes.push(Finish { path: self.path.clone(), name, arguments, fields });
                write(&mut self.sql, alias)
            }
            Kind::Embedded(part) => self.object(part(), alias, child)?,
            Kind::One(other, column) => {
                let key = format!("{alias}.{column}");
                self.one(other(), &key, child)?
            }
            Kind::First(other, link) => self.first(other(), child, (alias, *link))?,
            Kind::List(other, link) => {
                let list = self.list(other(), child, Some((alias, *link)), &Condition::always())?;
                self.sql.json(&list)
            }
            Kind::Many(other, link, arguments) => {
                let key = self.known.as_ref().filter(|(known, _)| known == alias).map(|(_, key)| *key);
                let place = Place { owner: Some((alias, *link)), owner_type: table.name, key };
                let page = self.connection(other(), child, *arguments, place, Condition::always())?;
                self.sql.json(&page)
            }
        })
    }

    /// Writes the array for [`Root::Several`]. There is one subquery for each noun, however many of its rows are
    /// wanted.
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
            let seen = self.and_seen(table, &alias);
            found.push(format!(
                "SELECT {keys}.place, {} FROM ({}) {keys} JOIN {} {alias} ON {alias}.id = {keys}.id{seen}",
                object?,
                rows.join(" UNION ALL "),
                table.source
            ));
        }
        let places: Vec<String> = (0..wanted.len()).map(|place| format!("SELECT {place} AS place")).collect();
        let array = self.sql.array("d.data", Some("p.place"), None);
        Ok(format!(
            "(SELECT {array} FROM ({}) p LEFT JOIN ({}) d ON d.place = p.place)",
            places.join(" UNION ALL "),
            found.join(" UNION ALL ")
        ))
    }

    fn one(&mut self, table: &Table, key: &str, selection: &Selected<'_>) -> Result<String, Refusal> {
        let alias = self.sql.alias();
        let object = self.object(table, &alias, selection)?;
        let seen = self.and_seen(table, &alias);
        let row = format!("(SELECT {object} FROM {} {alias} WHERE {alias}.id = {key}{seen})", table.source);
        Ok(self.sql.json(&row))
    }

    /// Writes ` AND …` with the condition that the caller may see the row; empty if every row may be seen.
    fn and_seen(&mut self, table: &Table, alias: &str) -> String {
        self.sql.seen(table.source, alias).map(|seen| format!(" AND {seen}")).unwrap_or_default()
    }

    /// Writes the first row of a list, in the default order of the noun. The row's key breaks ties, in the direction of
    /// the last sort key.
    fn first(&mut self, table: &Table, selection: &Selected<'_>, owner: (&str, Link)) -> Result<String, Refusal> {
        let alias = self.sql.alias();
        let object = self.object(table, &alias, selection)?;
        let (from, mut conditions) = self.belonging(table, &alias, Some(owner), None);
        conditions.extend(self.sees(table, &alias));
        let descending = table.order.last().is_some_and(|key| key.descending);
        let keys = table.order.iter().map(|key| (Sql::on(key.expression, &alias), key.descending));
        let order: Vec<String> = keys
            .chain([(format!("{alias}.id"), descending)])
            .map(|(key, descending)| if descending { format!("{key} DESC") } else { key })
            .collect();
        let row =
            format!("(SELECT {object} FROM {from}{} ORDER BY {} LIMIT 1)", wherever(&conditions), order.join(", "));
        Ok(self.sql.json(&row))
    }

    /// Writes the condition that the caller may see a row of a list. None if the source is a subquery, which has marks
    /// of its own for each table that it reads.
    fn sees(&mut self, table: &Table, alias: &str) -> Option<String> {
        if table.source.starts_with('(') { None } else { self.sql.seen(table.source, alias) }
    }

    /// Writes a plain list, in the default order of the noun.
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
        conditions.extend(self.sees(table, &alias));
        if !condition.is_always() {
            conditions.push(condition.to_sql(&mut self.sql, &alias));
        }
        let array = self.sql.array(&object?, Some(&order.join(", ")), None);
        Ok(format!("(SELECT {array} FROM {from}{})", wherever(&conditions)))
    }

    /// Writes a connection: one page of rows, and the number of all rows only if it is selected. `only` is a condition
    /// besides the filter.
    fn connection(
        &mut self,
        table: &Table,
        selection: &Selected<'_>,
        arguments: PageArguments,
        place: Place<'_>,
        only: Condition,
    ) -> Result<String, Refusal> {
        let mut page = Page::read(selection, table, arguments, &place)?;
        page.condition = page.condition.and(only);
        page.condition.check()?;
        let owner = place.owner;
        // A subquery marks the tables that it reads itself.
        if !table.source.starts_with('(') {
            page.condition = self.sql.narrowed(&page.condition, table.source, owner.is_none());
        }
        let connection = format!("{}Connection", table.name);
        let wanted = selection.children(&connection);
        let alias = self.sql.alias();
        let mut list = Listed::of(&page, &wanted, &alias, owner, self.sql.keeps_order());
        let mut members = Vec::new();
        for child in &wanted {
            self.path.push(Segment::Key(child.key().to_owned()));
            let value = match child.name() {
                "__typename" => Ok(format!("'{connection}'")),
                "totalCount" if list.counts => Ok(format!("coalesce(max({alias}.total), 0)")),
                "totalCount" => Ok(self.total(table, owner, &page.condition)),
                "pageInfo" => Ok(self.page_info(&page, &mut list, &alias, child)),
                "aggregate" => Ok(self.aggregate(table, owner, &page.condition, child)),
                "groups" => self.groups(table, owner, &page.condition, child),
                rows => {
                    self.path.push(Segment::Each);
                    let element = match rows {
                        "edges" => self.edge(table, &alias, &mut list, child),
                        _ => self.object(table, &alias, child),
                    };
                    self.path.pop();
                    element.map(|element| self.sql.array(&element, list.order.as_deref(), list.visible.as_deref()))
                }
            };
            self.path.pop();
            members.push((child.key(), value?));
        }
        let object = self.sql.object(&members);
        if !list.reads_rows {
            return Ok(format!("(SELECT {object})"));
        }
        let rows = self.page(table, &page, owner, &alias, &list);
        Ok(format!("(SELECT {object} FROM {rows} {alias})"))
    }

    /// Writes the subquery that reads the rows of the page. It adds these columns to each row:
    ///
    /// - `k0`, `k1`, …: the sort keys;
    /// - `total`: the number of all rows, if `list.counts`;
    /// - `rn` and `n`: the position of the row and the number of rows read, if `list.visible`. One row more than the
    ///   page is then read, to learn whether more rows follow.
    ///
    /// The selected fields are computed outside of the subquery, so only for the rows of the page.
    fn page(&mut self, table: &Table, page: &Page, owner: Owner<'_>, alias: &str, list: &Listed) -> String {
        let (member, rest) = page.condition.clone().split_member();
        let walked = member.as_ref().map(|member| (self.sql.alias(), member));
        let walked = walked.as_ref().map(|(walk, member)| (walk.as_str(), *member));
        let keys = page.keys(alias, walked, &mut self.sql);
        // For those who see little, the database rather begins with what they see.
        let is_in_parts =
            !table.parts.is_empty() && owner.is_none() && page.follows(table.order) && self.sql.sees_all(table.source);
        let (from, mut conditions) =
            if is_in_parts { (String::new(), Vec::new()) } else { self.belonging(table, alias, owner, walked) };
        conditions.extend(page.bounds(&keys, owner.map(|(owner, _)| owner), &mut self.sql));
        if !rest.is_always() {
            conditions.push(rest.to_sql(&mut self.sql, alias));
        }
        // An index is in the order of columns, so the database sorts by what it has to select.
        let is_sorted = owner.is_none() && walked.is_none() && self.sql.sight().sees_few(table.source);
        let order = if is_sorted {
            page.order_by(&keys.iter().map(|key| format!("(SELECT {key})")).collect::<Vec<_>>())
        } else {
            page.order_by(&keys)
        };
        let mut named: Vec<String> =
            keys.iter().enumerate().map(|(index, key)| format!(", {key} AS k{index}")).collect();
        if list.counts {
            named.push(", count(*) OVER () AS total".to_owned());
        }
        let size = page.size + u64::from(list.visible.is_some());
        let rows_of = |from: &str, limit: &str| {
            let (named, conditions) = (named.join(""), wherever(&conditions));
            format!("(SELECT {alias}.*{named} FROM {from}{conditions} ORDER BY {order} LIMIT {limit})")
        };
        let rows = if is_in_parts {
            let sources: Vec<String> =
                table.parts.iter().map(|part| format!("{} {alias}", self.sql.source(part))).collect();
            one_after_the_other(&sources, size, rows_of)
        } else {
            rows_of(&from, &size.to_string())
        };
        if list.visible.is_none() {
            return rows;
        }
        format!(
            "(SELECT {alias}.*, row_number() OVER (ORDER BY {}) AS rn, count(*) OVER () AS n FROM {rows} {alias})",
            list.walk
        )
    }

    fn edge(&mut self, table: &Table, alias: &str, list: &mut Listed, edge: &Selected<'_>) -> Result<String, Refusal> {
        let name = format!("{}Edge", table.name);
        let mut members = Vec::new();
        for child in edge.children(&name) {
            let value = match child.name() {
                "__typename" => format!("'{name}'"),
                "cursor" => list.cursor(&mut self.sql),
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

    fn page_info(&mut self, page: &Page, list: &mut Listed, alias: &str, info: &Selected<'_>) -> String {
        let more = self.sql.boolean(&format!("count(*) > {}", page.size));
        let given = |cursor: &Option<Position>| if cursor.is_some() { "1 = 1" } else { "1 = 0" };
        let (after, before) = (self.sql.boolean(given(&page.after)), self.sql.boolean(given(&page.before)));
        let end_of_page = self.sql.least(&format!("{alias}.n"), page.size);
        // Row 1 is the row that was read first. Paging forwards, it is the start of the page; paging backwards, its
        // end.
        let at = |end: bool, cursor: &str| {
            // A page of size 0 still reads one row to learn whether more rows follow. It has no cursors: no row has
            // `rn` 0.
            let first = page.size.min(1).to_string();
            let place = if end == page.backward { &first } else { &end_of_page };
            format!("max(CASE WHEN {alias}.rn = {place} THEN {cursor} END)")
        };
        let members: Vec<(&str, String)> = info
            .children("PageInfo")
            .into_iter()
            .map(|child| {
                let value = match child.name() {
                    "hasNextPage" if page.backward => before.clone(),
                    "hasNextPage" => more.clone(),
                    "hasPreviousPage" if page.backward => more.clone(),
                    "hasPreviousPage" => after.clone(),
                    "startCursor" => at(false, &list.cursor(&mut self.sql)),
                    "endCursor" => at(true, &list.cursor(&mut self.sql)),
                    _ => "'PageInfo'".to_owned(),
                };
                (child.key(), value)
            })
            .collect();
        self.sql.object(&members)
    }

    /// Writes the number of rows on all pages: a stored number if there is one for the list, else a count.
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
            if let Some((texts, word)) = condition.only_search()
                && let Some(total) = self.sql.stored_total(texts, word)
            {
                return total;
            }
        }
        let alias = self.sql.alias();
        format!("(SELECT count(*) FROM {})", self.all_rows(table, &alias, owner, condition))
    }

    /// Writes the aggregates over all pages. If only `count` is selected, a stored number may answer it.
    fn aggregate(&mut self, table: &Table, owner: Owner<'_>, condition: &Condition, child: &Selected<'_>) -> String {
        let wanted = child.children(&format!("{}Aggregate", table.name));
        if !wanted.is_empty() && wanted.iter().all(|one| one.name() == "count") {
            let total = self.total(table, owner, condition);
            let members: Vec<(&str, String)> = wanted.iter().map(|one| (one.key(), total.clone())).collect();
            return self.sql.object(&members);
        }
        let alias = self.sql.alias();
        let reckons = reckons(table, child);
        let rows =
            if reckons || lists(table, child) { self.all_rows(table, &alias, owner, condition) } else { String::new() };
        let figures = figures(&mut self.sql, table, &alias, &rows, child);
        if !reckons {
            // Without an aggregate function, the query would return one object for each row instead of a single one.
            return figures;
        }
        self.sql.json(&format!("(SELECT {figures} FROM {rows})"))
    }

    fn groups(
        &mut self,
        table: &Table,
        owner: Owner<'_>,
        condition: &Condition,
        child: &Selected<'_>,
    ) -> Result<String, Refusal> {
        let grouping = Grouping::read(&self.sql, table, child)?;
        let (alias, outer) = (self.sql.alias(), self.sql.alias());
        let joins = grouping.joins(&mut self.sql, &alias);
        let rows = self.joined_rows(table, &alias, owner, condition, &joins);
        let array = grouping.array(&mut self.sql, table, &alias, &rows, &outer, child);
        Ok(self.sql.json(&array))
    }

    /// Writes the rows of all pages: what follows `FROM`, with the `WHERE` clause.
    fn all_rows(&mut self, table: &Table, alias: &str, owner: Owner<'_>, condition: &Condition) -> String {
        self.joined_rows(table, alias, owner, condition, "")
    }

    /// Writes the rows of all pages with further tables joined to them.
    fn joined_rows(
        &mut self,
        table: &Table,
        alias: &str,
        owner: Owner<'_>,
        condition: &Condition,
        joins: &str,
    ) -> String {
        let (member, rest) = condition.clone().split_member();
        let walked = member.as_ref().map(|member| (self.sql.alias(), member));
        let (from, mut conditions) =
            self.belonging(table, alias, owner, walked.as_ref().map(|(list, member)| (list.as_str(), *member)));
        if !rest.is_always() {
            conditions.push(rest.to_sql(&mut self.sql, alias));
        }
        format!("{from}{joins}{}", wherever(&conditions))
    }

    /// Writes what follows `FROM` for a list, and the conditions that tie its rows to their owner and to the membership
    /// list that they are read from.
    fn belonging(
        &mut self,
        table: &Table,
        alias: &str,
        owner: Owner<'_>,
        walked: Option<(&str, &Member)>,
    ) -> (String, Vec<String>) {
        let mut from = format!("{} {alias}", self.sql.source(table.source));
        let mut conditions = Vec::new();
        if let Some((list, member)) = walked {
            let value = self.sql.bind(member.value.clone());
            from = format!("{} {list} JOIN {from} ON {alias}.id = {list}.{}", member.table, member.row);
            conditions.push(format!("{list}.{} = {value}", member.list));
        }
        match owner {
            None => {}
            Some((owner, Link::Inside)) => from = from.replace("{owner}", owner),
            Some((owner, Link::Column(column) | Link::Part(column))) => {
                conditions.push(format!("{alias}.{column} = {owner}.id"));
            }
            Some((owner, Link::Among(keys))) => {
                conditions.push(format!("{alias}.id IN ({})", Sql::on(&self.sql.source(keys), owner)));
            }
        }
        (from, conditions)
    }
}

/// How the selection of a connection refers to the rows of the subquery that reads the page.
struct Listed {
    /// Whether the selection needs any rows of the page.
    reads_rows: bool,
    /// Whether the subquery also counts all rows.
    counts: bool,
    /// The columns of the sort keys.
    keys: Vec<String>,
    /// The mark of the list in its cursors; after its first use, the placeholder to which it is bound.
    mark: Mark,
    /// The key of the row that owns the list.
    owner: Option<String>,
    /// The order in which the page is read, reversed for `last`.
    walk: String,
    /// The order in which the page is returned; none if the rows already arrive in it.
    order: Option<String>,
    /// The condition that a row belongs to the page; only if `pageInfo` needs the rows, so that one row more is read.
    visible: Option<String>,
}

impl Listed {
    fn of(page: &Page, wanted: &[Selected<'_>], alias: &str, owner: Owner<'_>, keeps_order: bool) -> Self {
        let keys: Vec<String> = (0..page.order.len()).map(|index| format!("{alias}.k{index}")).collect();
        let by_keys = |flip: bool| {
            let parts: Vec<String> = keys
                .iter()
                .zip(&page.order)
                .map(|(key, (_, descending))| if *descending == flip { key.clone() } else { format!("{key} DESC") })
                .collect();
            parts.join(", ")
        };
        let names = |name: &str| wanted.iter().any(|child| child.name() == name);
        let has_rows = names("nodes") || names("edges");
        // Parts of `pageInfo` that do not depend on the rows must not be selected from them: an expression without an
        // aggregate function would give no value for no rows, and several for several.
        let probe = if page.backward { "hasPreviousPage" } else { "hasNextPage" };
        let has_place = wanted.iter().any(|child| {
            child.name() == "pageInfo"
                && [probe, "startCursor", "endCursor"].iter().any(|part| child.child(part).is_some())
        });
        let is_whole = page.after.is_none() && page.before.is_none() && page.size > 0;
        Self {
            reads_rows: has_rows || has_place,
            counts: has_rows && is_whole && names("totalCount") && owner.is_some_and(|(_, link)| link.is_few()),
            walk: by_keys(page.backward),
            order: (page.backward || !keeps_order).then(|| by_keys(false)),
            visible: has_place.then(|| format!("{alias}.rn <= {}", page.size)),
            mark: Mark::Free(page.mark.clone()),
            owner: owner.map(|(owner, _)| format!("{owner}.id")),
            keys,
        }
    }

    /// Writes the cursor of a row. The mark is bound, so that the text of the statement does not depend on it.
    fn cursor(&mut self, sql: &mut Sql<'_>) -> String {
        let mark = match &self.mark {
            Mark::Bound(placeholder) => placeholder.clone(),
            Mark::Free(mark) => sql.bind(mark.clone()),
        };
        let parts = self.keys.iter().cloned().chain([format!("CAST({mark} AS text)")]).chain(self.owner.clone());
        self.mark = Mark::Bound(mark);
        sql.cursor(&parts.collect::<Vec<_>>())
    }
}

/// The mark of a list, which is bound only if the statement writes cursors.
enum Mark {
    Free(String),
    Bound(String),
}

/// Writes the first rows of several sources, the rows of each source before those of the next. Once there are enough,
/// the database reads no further source. `rows_of` writes a query for the first rows of a source.
fn one_after_the_other(sources: &[String], size: u64, rows_of: impl Fn(&str, &str) -> String) -> String {
    let (mut parts, mut rows, mut left) = (Vec::new(), Vec::new(), size.to_string());
    for (place, source) in sources.iter().enumerate() {
        parts.push(format!("part{place} AS MATERIALIZED {}", rows_of(source, &format!("({left})"))));
        rows.push(format!("SELECT * FROM part{place}"));
        let _ = write!(left, " - (SELECT count(*) FROM part{place})");
    }
    format!("(WITH {} {})", parts.join(", "), rows.join(" UNION ALL "))
}

fn wherever(conditions: &[String]) -> String {
    if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
}
