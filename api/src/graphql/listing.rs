//! The operation that reads a list for its export: the document with the columns of the list, each with its heading and
//! how its values are written.

use async_graphql::parser::types::{BaseType, OperationType, Type};
use async_graphql::{Value, Variables};
use ledger::fault::Fault;
use planner::{Bilingual, Selected, Selection};
use serde_json::{Map, Value as Json};

use crate::context::Wish;
use crate::error::{Code, Refused};
use crate::graphql::document::Operation;
use crate::graphql::label;
use crate::graphql::types::{Misfit, Types, base};
use crate::language::Language;

/// The most columns of an export.
const MAX_COLUMNS: usize = 100;
/// The fields by which people know an object, the first that it has.
const NAMES: &[&str] = &["name", "title", "raw", "content", "number"];
/// Fields that are columns only if they are asked for: versions of rows, and addresses signed for their reader.
const ON_DEMAND: &[&str] = &["version", "url", "viewUrl", "thumbnailUrl"];

/// A column of an exported list.
#[derive(Debug, Clone)]
pub struct Column {
    /// The heading.
    pub heading: String,
    /// The path of the value in an item, such as `problem.title`; a number is a place in a list. Without such a number,
    /// the values of all items of a list are written in one cell.
    pub path: String,
    /// What the values are.
    pub kind: ColumnKind,
}

/// What the values of a column are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnKind {
    /// Texts.
    Text,
    /// Numbers.
    Number,
    /// Dates; of a moment, the local date.
    Day,
    /// Moments, in the time zone of the ledger.
    Moment,
    /// Yes or no.
    Flag,
    /// Values of the enum type with this name.
    Enum(String),
}

/// Returns the names of the lists that can be exported: the root fields that have pages.
pub(crate) fn lists(types: &Types) -> Vec<String> {
    let fields = types.fields("Query").into_iter().map(|(name, _)| name);
    fields.filter(|name| listed(types, name).is_some()).map(str::to_owned).collect()
}

/// Returns the type of the items of a list; none if there is no such list. What has to be asked for by an argument,
/// such as a search, is not exported.
pub(crate) fn listed<'a>(types: &'a Types, list: &str) -> Option<&'a str> {
    if types.needs_arguments("Query", list) {
        return None;
    }
    let connection = base(types.field("Query", list)?);
    types.field(connection, "pageInfo")?;
    types.field(connection, "nodes").map(base)
}

/// Returns the fields of an object that are plain values and not its id.
fn values_of<'a>(types: &'a Types, object: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    let is_value = |ty: &&Type| !types.is_object(base(ty)) && base(ty) != "ID" && matches!(ty.base, BaseType::Named(_));
    types.fields(object).into_iter().filter(move |(_, ty)| is_value(ty)).map(|(name, _)| name)
}

/// Returns the columns of a list that are written if none are asked for: all plain values, and the names of the objects
/// that an item refers to.
fn usual(types: &Types, noun: &str) -> Vec<String> {
    let own = types.fields(noun).into_iter().flat_map(|(name, ty)| {
        let of = base(ty);
        if ON_DEMAND.contains(&name) || of == "ID" || matches!(ty.base, BaseType::List(_)) {
            Vec::new()
        } else if !types.is_object(of) {
            vec![name.to_owned()]
        } else if types.field(of, "id").is_none() && named(types, of).is_some() {
            // A part of the item, such as its deadline.
            values_of(types, of).map(|value| format!("{name}.{value}")).collect()
        } else {
            named(types, of).map(|value| format!("{name}.{value}")).into_iter().collect()
        }
    });
    own.collect()
}

/// Returns the field by which people know an object.
fn named(types: &Types, object: &str) -> Option<&'static str> {
    NAMES.iter().find(|name| types.field(object, name).is_some()).copied()
}

/// Returns the columns of a list. `wanted` are paths of fields, separated by commas; an object in place of a value
/// stands for the field by which people know it.
///
/// # Errors
///
/// Refuses too many columns, and a path that is none of a value.
pub(crate) fn columns(
    types: &Types,
    noun: &str,
    wanted: Option<&str>,
    language: Language,
) -> Result<Vec<Column>, Refused> {
    let paths: Vec<String> = match wanted {
        None => usual(types, noun),
        Some(wanted) => wanted.split(',').map(|path| path.trim().to_owned()).collect(),
    };
    if paths.iter().any(String::is_empty) {
        let (zh, en) = (
            "columns 应为字段的路径，用逗号分隔，如 number,leadUnit.name",
            "`columns` should be paths of fields, separated by commas, such as number,leadUnit.name",
        );
        return Err(Refused::new(Code::BadRequest, zh, en));
    }
    if paths.len() > MAX_COLUMNS {
        let (zh, en) =
            (format!("导出的列最多 {MAX_COLUMNS} 个"), format!("an export has at most {MAX_COLUMNS} columns"));
        return Err(Refused::new(Code::BadRequest, zh, en));
    }
    paths.iter().map(|path| column(types, noun, path, language)).collect()
}

/// Returns the column with a path.
fn column(types: &Types, noun: &str, path: &str, language: Language) -> Result<Column, Refused> {
    let wrong = |zh: String, en: String| {
        Refused::new(Code::BadRequest, format!("columns：{path}：{zh}"), format!("columns: {path}: {en}"))
    };
    let mut object = noun;
    let mut names: Vec<&str> = path.split('.').collect();
    let mut headings: Vec<String> = Vec::new();
    let mut place = 0;
    loop {
        let Some(name) = names.get(place).copied() else {
            let Some(name) = named(types, object) else {
                return Err(wrong(format!("请写明 {object} 的字段"), format!("name a field of {object}")));
            };
            names.push(name);
            continue;
        };
        let Some(ty) = types.field(object, name) else {
            return Err(wrong(format!("{object} 没有字段 {name}"), format!("{object} has no field {name}")));
        };
        let of = base(ty);
        if types.needs_arguments(object, name) {
            return Err(wrong(format!("{name} 需要参数，不能导出"), format!("{name} needs arguments")));
        }
        place += 1;
        // 督察轮次 rather than 督察轮次·名称.
        let is_name = place > 1 && place == names.len() && named(types, object) == Some(name);
        if !is_name {
            headings.push(match language {
                Language::Chinese => label::chinese(object, name),
                Language::English => label::english(name),
            });
        }
        if !types.is_object(of) {
            if place < names.len() {
                return Err(wrong(format!("{name} 没有下级字段"), format!("{name} has no fields")));
            }
            let separator = if language == Language::Chinese { "·" } else { ": " };
            let kind = match of {
                "Date" => ColumnKind::Day,
                "DateTime" => ColumnKind::Moment,
                "Int" | "Float" => ColumnKind::Number,
                "Boolean" => ColumnKind::Flag,
                name if types.is_enum(name) => ColumnKind::Enum(name.to_owned()),
                _ => ColumnKind::Text,
            };
            return Ok(Column { heading: headings.join(separator), path: names.join("."), kind });
        }
        object = of;
    }
}

/// Checks that a list can be read with a filter, an order and columns, each in the form that an export takes.
pub(crate) fn check(types: &Types, wish: &Wish<'_>) -> Result<(), Fault> {
    let Some(noun) = listed(types, wish.list) else {
        let (zh, en) = (format!("没有列表 {}", wish.list), format!("there is no list {}", wish.list));
        return Err(Fault::invalid(zh, en, &["input", "list"]));
    };
    for (argument, text) in [("filter", wish.filter), ("orderBy", wish.order_by)] {
        let Some(text) = text else { continue };
        let wrong = |zh: String, en: String| {
            Fault::invalid(format!("{argument}{zh}"), format!("{argument}{en}"), &["input", argument])
        };
        let value: Json = serde_json::from_str(text)
            .map_err(|why| wrong(format!(" 应为 JSON：{why}"), format!(" should be JSON: {why}")))?;
        let value = Value::from_json(value).map_err(|why| wrong(format!("：{why}"), format!(": {why}")))?;
        let misfit = types.of_argument("Query", wish.list, argument).and_then(|(ty, _)| types.misfit(&value, ty));
        if let Some(Misfit { path, why }) = misfit {
            let (zh, en) = why.words();
            return Err(wrong(format!("{path} {zh}"), format!("{path} {en}")));
        }
    }
    let wanted = wish.columns.filter(|columns| !columns.trim().is_empty());
    columns(types, noun, wanted, Language::Chinese).map(drop).map_err(|refused| {
        let Bilingual { zh, en } = refused.message;
        Fault::invalid(zh, en, &["input", "columns"])
    })
}

/// What an operation asks to be exported: one list, its columns, and its filter and order.
pub(crate) struct ExportRequest {
    /// The name of the list, a root field.
    pub(crate) list: String,
    /// The columns, in the order of the selection.
    pub(crate) columns: Vec<Column>,
    /// The values of `filter` and `orderBy`, as far as they are given.
    pub(crate) variables: Map<String, Json>,
}

/// Reads what an operation asks to be exported. Its only root field has to be a list; the fields that it selects of
/// `nodes` become columns, and what it selects beside `nodes` is left out.
///
/// # Errors
///
/// Refuses an operation of another form, and what has no place in a table: aliases, arguments of fields, pages.
pub(crate) fn wanted(
    types: &Types,
    operation: &Operation,
    variables: &Variables,
    language: Language,
) -> Result<ExportRequest, Refused> {
    let roots = Selection::with_all(&operation.roots, operation.root, variables);
    let (OperationType::Query, [root]) = (operation.kind, roots.as_slice()) else {
        return Err(unfit("text/csv 只导出含一个列表的查询", "text/csv exports a query with one root field, a list"));
    };
    let list = root.name();
    let Some(noun) = listed(types, list) else {
        let (zh, en) = if types.needs_arguments("Query", list) {
            (format!("{list} 须给出参数，不能导出"), format!("{list} needs arguments and is not exported"))
        } else {
            (format!("{list} 不是列表，不能导出"), format!("{list} is no list and is not exported"))
        };
        return Err(unfit(zh, en));
    };
    let Some(nodes) = root.child("nodes") else {
        return Err(unfit(format!("请在 {list} 中选取 nodes"), format!("select `nodes` of {list}")));
    };
    let mut values = Map::new();
    for (name, value) in root.arguments() {
        if !["filter", "orderBy"].contains(&name.as_str()) {
            let zh = format!("导出包含全部行，请去掉参数 {name}");
            return Err(unfit(zh, format!("an export has all rows: leave out the argument {name}")));
        }
        let json = value.into_json().map_err(|error| unfit(format!("{name}：{error}"), format!("{name}: {error}")))?;
        values.insert(name.to_string(), json);
    }
    let mut paths = Vec::new();
    leaves(types, noun, &nodes, "", &mut paths)?;
    if paths.is_empty() {
        return Err(unfit("请在 nodes 中选取要导出的字段", "select the fields to export in `nodes`"));
    }
    let columns = columns(types, noun, Some(&paths.join(",")), language)?;
    Ok(ExportRequest { list: list.to_owned(), columns, variables: values })
}

/// Collects the paths of the values that are selected on an object.
fn leaves(
    types: &Types,
    object: &str,
    selected: &Selected<'_>,
    above: &str,
    paths: &mut Vec<String>,
) -> Result<(), Refused> {
    for child in selected.children(object) {
        let name = child.name();
        let path = if above.is_empty() { name.to_owned() } else { format!("{above}.{name}") };
        if child.key() != name || !child.arguments().is_empty() {
            let zh = format!("{path}：导出的字段不能有别名或参数");
            return Err(unfit(zh, format!("{path}: exported fields have no alias and no arguments")));
        }
        let of = types.of_field(object, name);
        if types.field(of, "pageInfo").is_some() {
            let zh = format!("{path}：分页的列表须单独导出");
            return Err(unfit(zh, format!("{path}: a list with pages is exported by itself")));
        }
        if types.is_object(of) {
            leaves(types, of, &child, &path, paths)?;
        } else if name != "__typename" {
            paths.push(path);
        }
    }
    Ok(())
}

fn unfit(zh: impl Into<String>, en: impl Into<String>) -> Refused {
    Refused::new(Code::BadRequest, zh, en)
}

/// Writes the document that reads a page of a list with these columns.
pub(crate) fn document(types: &Types, list: &str, columns: &[Column]) -> String {
    let argument =
        |name: &str| types.of_argument("Query", list, name).map(|(ty, _)| ty.to_string()).unwrap_or_default();
    let (filter, order) = (argument("filter"), argument("orderBy"));
    let selected = |column: &Column| {
        let (path, depth) = (column.path.replace('.', " { "), column.path.matches('.').count());
        path + &" }".repeat(depth)
    };
    let columns: Vec<String> = columns.iter().map(selected).collect();
    format!(
        "query Export($filter: {filter}, $orderBy: {order}, $first: Int, $after: String) {{ {list}(filter: $filter, \
         orderBy: $orderBy, first: $first, after: $after) {{ pageInfo {{ hasNextPage endCursor }} nodes {{ {} }} }} }}",
        columns.join(" ")
    )
}
