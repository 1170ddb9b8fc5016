//! A naive GraphQL interpreter that evaluates a document over the ledger in memory, in the most obvious way.
//!
//! It shares no code with the planner: where both give the same answer, that answer is what the schema describes.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::fmt::Write as _;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{Directive, ExecutableDocument, Field, Selection, SelectionSet};
use async_graphql::{Name, Positioned, Value as Argument};
use chrono::DateTime;
use serde_json::{Map, Value, json};

use super::graph::{Cell, Graph, Object};

/// The default size of a page, in rows, and of `groups`.
const PAGE: usize = 50;
const GROUPS: usize = 100;

/// Marks a cursor in an expected answer; the list, the key of its owner and the row's key follow. The server's opaque
/// cursor for it is learnt from the answer.
const CURSOR: &str = "cursor of ";

/// The cursors that the server's answers contained, which are opaque to a caller.
#[derive(Default)]
pub(crate) struct Cursors {
    /// For each cursor of a list, the keys of the list's owner and of the row.
    rows: HashMap<(String, String), (i64, i64)>,
    lists: HashMap<String, Vec<String>>,
}

impl Cursors {
    /// Returns the cursors seen so far for a list, as [`list`] names it, the latest last.
    pub(crate) fn of(&self, list: &str) -> &[String] {
        self.lists.get(list).map_or(&[], Vec::as_slice)
    }

    fn learn(&mut self, row: &str, cursor: &str) -> Result<(), String> {
        let (list, key) = row.rsplit_once(' ').unwrap();
        let (list, owner) = list.rsplit_once(' ').unwrap();
        let keys = (owner.parse().unwrap(), key.parse().unwrap());
        match self.rows.insert((list.to_owned(), cursor.to_owned()), keys) {
            Some(other) if other != keys => Err(format!("row {keys:?} has the same cursor as row {other:?}")),
            Some(_) => Ok(()),
            None => {
                self.lists.entry(list.to_owned()).or_default().push(cursor.to_owned());
                Ok(())
            }
        }
    }
}

/// Returns the name of a list: its field with the owner's type, its filter and its order. Filters that mean the same
/// have the same name, however they are written.
pub(crate) fn list(field: &str, filter: &Value, wishes: &[Wish]) -> String {
    let mut list = format!("{field} {}", plainly(filter));
    for wish in wishes {
        let _ = write!(list, " {}{}", if wish.descending { "-" } else { "+" }, wish.cell);
    }
    list
}

/// Returns a filter without nulls, with a list of one element as that element, and members in the order of their names.
fn plainly(filter: &Value) -> Value {
    match filter {
        Value::Array(list) if list.len() == 1 => plainly(&list[0]),
        Value::Array(list) => list.iter().map(plainly).collect(),
        Value::Object(members) => {
            let given = members.iter().filter(|(_, value)| !value.is_null());
            let sorted: BTreeMap<&String, Value> = given.map(|(name, value)| (name, plainly(value))).collect();
            json!(sorted)
        }
        one => one.clone(),
    }
}

/// Compares an answer with the expected one and learns the cursors in it. Numbers and moments are compared by value,
/// everything else literally, the order of object members included.
pub(crate) fn compare(expected: &Value, answer: &Value, cursors: &mut Cursors, path: &str) -> Result<(), String> {
    let differs = || Err(format!("at `{path}`: expected {expected}, answered {answer}"));
    match (expected, answer) {
        (Value::Object(wanted), Value::Object(given)) => {
            if !wanted.keys().eq(given.keys()) {
                return differs();
            }
            wanted.iter().try_for_each(|(key, value)| compare(value, &given[key], cursors, &format!("{path}.{key}")))
        }
        (Value::Array(wanted), Value::Array(given)) if wanted.len() == given.len() => {
            let mut pairs = wanted.iter().zip(given).enumerate();
            pairs.try_for_each(|(index, (one, other))| compare(one, other, cursors, &format!("{path}.{index}")))
        }
        (Value::Number(wanted), Value::Number(given)) => {
            let (wanted, given) = (wanted.as_f64().unwrap(), given.as_f64().unwrap());
            // A sum depends on the order of addition, and means are rounded to six decimal places.
            if (wanted - given).abs() <= 1e-6 { Ok(()) } else { differs() }
        }
        (Value::String(wanted), Value::String(given)) => match wanted.strip_prefix(CURSOR) {
            Some(row) => cursors.learn(row, given).map_err(|why| format!("at `{path}`: {why}")),
            None if by_value(expected, answer) == Ordering::Equal => Ok(()),
            None => differs(),
        },
        _ if expected == answer => Ok(()),
        _ => differs(),
    }
}

/// Returns the expected answer to a document with variables. A cursor may belong to a row that only the `whole` ledger
/// contains: it denotes a position in an order and can be used by any account.
pub(crate) fn answer(
    (graph, whole): (&Graph, &Graph),
    cursors: &Cursors,
    text: &str,
    variables: &Map<String, Value>,
) -> Value {
    let document = parse_query(text).unwrap();
    let (_, operation) = document.operations.iter().next().unwrap();
    let mut variables = variables.clone();
    for definition in &operation.node.variable_definitions {
        if let Some(default) = &definition.node.default_value {
            let default = || default.node.clone().into_json().unwrap();
            variables.entry(definition.node.name.node.as_str()).or_insert_with(default);
        }
    }
    let interpreter = Interpreter { graph, whole, cursors, document: &document, variables };
    interpreter.object_of("Query", &[&operation.node.selection_set.node], |wanted| interpreter.root(wanted))
}

struct Interpreter<'a> {
    graph: &'a Graph,
    whole: &'a Graph,
    cursors: &'a Cursors,
    document: &'a ExecutableDocument,
    variables: Map<String, Value>,
}

/// The fields that are selected under one response key.
struct SelectedField<'d> {
    key: &'d str,
    fields: Vec<&'d Field>,
}

impl<'d> SelectedField<'d> {
    fn name(&self) -> &'d str {
        &self.fields[0].name.node
    }

    fn below(&self) -> Vec<&'d SelectionSet> {
        self.fields.iter().map(|field| &field.selection_set.node).collect()
    }
}

impl<'a> Interpreter<'a> {
    // The language: variables, directives, fragments, response keys.

    /// Returns the value of a variable; null if it was omitted.
    fn variable(&self, name: &Name) -> Argument {
        let value = self.variables.get(name.as_str()).cloned();
        Argument::from_json(value.unwrap_or_default()).unwrap()
    }

    /// Returns the value of an argument; null if it was omitted. No argument distinguishes the two.
    fn argument(&self, wanted: &SelectedField<'_>, name: &str) -> Value {
        let Some(value) = wanted.fields[0].get_argument(name) else { return Value::Null };
        let value = value.node.clone().into_const_with(|name| Ok::<_, Infallible>(self.variable(&name))).unwrap();
        value.into_json().unwrap()
    }

    fn is_in(&self, directives: &[Positioned<Directive>]) -> bool {
        directives.iter().all(|directive| {
            let condition = directive.node.get_argument("if").unwrap().node.clone();
            let condition = condition.into_const_with(|name| Ok::<_, Infallible>(self.variable(&name))).unwrap();
            condition == Argument::Boolean(directive.node.name.node == "include")
        })
    }

    fn collect(&self, noun: &str, set: &'a SelectionSet, wanted: &mut Vec<SelectedField<'a>>) {
        for item in &set.items {
            if !self.is_in(item.node.directives()) {
                continue;
            }
            let (on, inner) = match &item.node {
                Selection::Field(field) => {
                    let key = field.node.response_key().node.as_str();
                    match wanted.iter_mut().find(|other| other.key == key) {
                        Some(other) => other.fields.push(&field.node),
                        None => wanted.push(SelectedField { key, fields: vec![&field.node] }),
                    }
                    continue;
                }
                Selection::InlineFragment(inline) => (inline.node.type_condition.as_ref(), &inline.node.selection_set),
                Selection::FragmentSpread(spread) => {
                    let fragment = &self.document.fragments[&spread.node.fragment_name.node].node;
                    (Some(&fragment.type_condition), &fragment.selection_set)
                }
            };
            if on.is_none_or(|on| on.node.on.node == noun || on.node.on.node == "Node") {
                self.collect(noun, &inner.node, wanted);
            }
        }
    }

    /// Builds an object of a type, computing each selected field with a function.
    fn object_of(&self, noun: &str, sets: &[&'a SelectionSet], field: impl Fn(&SelectedField<'a>) -> Value) -> Value {
        let mut wanted = Vec::new();
        for set in sets {
            self.collect(noun, set, &mut wanted);
        }
        let value =
            |wanted: &SelectedField<'a>| if wanted.name() == "__typename" { json!(noun) } else { field(wanted) };
        wanted.iter().map(|wanted| (wanted.key.to_owned(), value(wanted))).collect::<Map<_, _>>().into()
    }

    // The schema: roots, objects, lists.

    fn root(&self, wanted: &SelectedField<'a>) -> Value {
        let of_id = |id: &Value| self.graph.of_id(id.as_str()?);
        let optional = |object: Option<&Object>| object.map_or(Value::Null, |object| self.object(object, wanted));
        let every = |noun| {
            let field = format!("Query.{}", wanted.name());
            self.connection(noun, self.graph.all(noun).iter().collect(), (&field, 0), wanted)
        };
        let single = |noun| optional(of_id(&self.argument(wanted, "id")).filter(|object| object.noun == noun));
        match wanted.name() {
            "regions" => every("Region"),
            "units" => every("Unit"),
            "inspectionRounds" => every("InspectionRound"),
            "problems" => every("Problem"),
            "measures" => every("Measure"),
            "assignments" => every("Assignment"),
            "progressReports" => every("ProgressReport"),
            "checks" => every("Check"),
            "closeOuts" => every("CloseOut"),
            "evidence" => every("Evidence"),
            "deadlineChanges" => every("DeadlineChange"),
            "supervisionActions" => every("SupervisionAction"),
            "inspectionCases" => every("InspectionCase"),
            "accountabilities" => every("Accountability"),
            "roundResults" => every("RoundResult"),
            "publishedFigures" => every("PublishedFigure"),
            "auditEntries" => every("AuditEntry"),
            "accounts" => every("Account"),
            "sessions" => every("Session"),
            "mails" => every("Mail"),
            "myDelegations" => {
                let own = |field: &str, one: &Object| match one.cell(field) {
                    Cell::One(_, key) => key.is_some() && *key == self.graph.viewer,
                    _ => false,
                };
                let delegations = self.graph.all("Delegation").iter();
                let delegations = delegations.filter(|one| own("account", one) || own("delegate", one));
                let mut delegations: Vec<&Object> = delegations.collect();
                delegations.sort_by_key(|one| std::cmp::Reverse(one.key));
                delegations.iter().map(|one| self.object(one, wanted)).collect()
            }
            "schedules" => {
                let mut schedules: Vec<&Object> = self.graph.all("Schedule").iter().collect();
                schedules.sort_by_key(|schedule| schedule.value("name").as_str());
                schedules.iter().map(|schedule| self.object(schedule, wanted)).collect()
            }
            "region" => match self.argument(wanted, "code") {
                Value::Null => single("Region"),
                code => optional(self.graph.all("Region").iter().find(|region| *region.value("code") == code)),
            },
            "unit" => single("Unit"),
            "inspectionRound" => single("InspectionRound"),
            "problem" => single("Problem"),
            "measure" => single("Measure"),
            "assignment" => single("Assignment"),
            "inspectionCase" => single("InspectionCase"),
            "account" => single("Account"),
            "viewer" => optional(self.graph.viewer.and_then(|viewer| self.graph.one("Account", viewer))),
            "node" => optional(of_id(&self.argument(wanted, "id"))),
            "nodes" => list_of(&self.argument(wanted, "ids")).iter().map(|id| optional(of_id(id))).collect(),
            other => unreachable!("`{other}` is no root field"),
        }
    }

    fn object(&self, object: &Object, wanted: &SelectedField<'a>) -> Value {
        self.object_of(object.noun, &wanted.below(), |wanted| match object.cell(wanted.name()) {
            Cell::Plain(value) => value.clone(),
            Cell::Part(part) => self.object(part, wanted),
            Cell::Parts(parts) => parts.iter().map(|part| self.object(part, wanted)).collect(),
            Cell::One(noun, key) => {
                let other = key.map(|key| self.graph.one(noun, key).unwrap());
                other.map_or(Value::Null, |other| self.object(other, wanted))
            }
            Cell::Many(noun, keys) => {
                let field = format!("{}.{}", object.noun, wanted.name());
                self.connection(noun, self.many(noun, keys), (&field, object.key), wanted)
            }
            Cell::All(noun, keys) => self.many(noun, keys).iter().map(|one| self.object(one, wanted)).collect(),
        })
    }

    fn many(&self, noun: &str, keys: &[i64]) -> Vec<&'a Object> {
        keys.iter().map(|key| self.graph.one(noun, *key).unwrap()).collect()
    }

    /// Reads a page of a list: that of a field, with the owner's type, of the row with the key `owner`.
    fn connection(
        &self,
        noun: &str,
        mut rows: Vec<&Object>,
        (field, owner): (&str, i64),
        wanted: &SelectedField<'a>,
    ) -> Value {
        let filter = self.argument(wanted, "filter");
        rows.retain(|row| self.satisfies(row, &filter));
        let wishes = wishes(noun, &self.argument(wanted, "orderBy"));
        rows.sort_by(|one, other| in_order(one, other, &wishes));
        let list = list(field, &filter, &wishes);
        let page = self.page(noun, &rows, (&list, owner, &wishes), wanted);
        let cursor =
            |row: Option<&&Object>| row.map_or(Value::Null, |row| json!(format!("{CURSOR}{list} {owner} {}", row.key)));
        self.object_of(&format!("{noun}Connection"), &wanted.below(), |wanted| match wanted.name() {
            "nodes" => page.rows.iter().map(|row| self.object(row, wanted)).collect(),
            "edges" => {
                let edge = |row: &&Object| {
                    self.object_of(&format!("{noun}Edge"), &wanted.below(), |wanted| match wanted.name() {
                        "cursor" => cursor(Some(row)),
                        _ => self.object(row, wanted),
                    })
                };
                page.rows.iter().map(edge).collect()
            }
            "pageInfo" => self.object_of("PageInfo", &wanted.below(), |wanted| match wanted.name() {
                "hasNextPage" => json!(page.has_next),
                "hasPreviousPage" => json!(page.has_previous),
                "startCursor" => cursor(page.rows.first()),
                _ => cursor(page.rows.last()),
            }),
            "totalCount" => json!(rows.len()),
            "aggregate" => self.aggregate(noun, &rows, wanted),
            _ => self.groups(noun, &rows, wanted),
        })
    }

    /// Returns the rows between the cursors, cut to the page's size. On the side of the cut, `hasNextPage` or
    /// `hasPreviousPage` says whether rows were cut off; on the other side, whether a cursor was given. A cursor of
    /// another owner's list leaves no rows.
    fn page<'r>(
        &self,
        noun: &str,
        rows: &[&'r Object],
        (list, owner, wishes): (&str, i64, &[Wish]),
        wanted: &SelectedField<'a>,
    ) -> Page<'r> {
        let row_of = |argument: &str| match self.argument(wanted, argument) {
            Value::String(cursor) => {
                let place = (list.to_owned(), cursor);
                let (of_owner, key) = *self.cursors.rows.get(&place).unwrap_or_else(|| panic!("no cursor {place:?}"));
                Some((of_owner == owner, self.whole.one(noun, key).unwrap()))
            }
            _ => None,
        };
        let (after, before) = (row_of("after"), row_of("before"));
        let is_own = [after, before].iter().flatten().all(|(is_own, _)| *is_own);
        let (after, before) = (after.map(|(_, row)| row), before.map(|(_, row)| row));
        let mut rows = if is_own { rows.to_vec() } else { Vec::new() };
        rows.retain(|row| after.is_none_or(|after| in_order(row, after, wishes) == Ordering::Greater));
        rows.retain(|row| before.is_none_or(|before| in_order(row, before, wishes) == Ordering::Less));
        let size = |argument: &str| self.argument(wanted, argument).as_u64().map(|size| size as usize);
        if let Some(last) = size("last") {
            let has_previous = rows.len() > last;
            rows.drain(..rows.len().saturating_sub(last));
            return Page { rows, has_previous, has_next: before.is_some() };
        }
        let first = size("first").unwrap_or(PAGE);
        let has_next = rows.len() > first;
        rows.truncate(first);
        Page { rows, has_previous: after.is_some(), has_next }
    }

    fn aggregate(&self, noun: &str, rows: &[&Object], wanted: &SelectedField<'a>) -> Value {
        self.object_of(&format!("{noun}Aggregate"), &wanted.below(), |wanted| {
            let count = |cell: &str, ones: &[&str]| {
                rows.iter().filter(|row| row.value(cell).as_str().is_some_and(|value| ones.contains(&value))).count()
            };
            let resolved = || count("state", &["RESOLVED", "ACCEPTED", "CLOSED"]);
            match (noun, wanted.name()) {
                (_, "count") => return json!(rows.len()),
                ("Assignment", "quantities") => return self.quantities(rows, wanted),
                ("InspectionCase", "resolved") => return json!(resolved()),
                ("InspectionCase", "closed") => return json!(count("state", &["CLOSED"])),
                ("InspectionCase", "overdue") => {
                    return json!(rows.iter().filter(|row| row.value("isOverdue") == true).count());
                }
                ("InspectionCase", "substantiated") => return json!(count("finding", &["TRUE", "PARTLY_TRUE"])),
                ("InspectionCase", "resolutionRate") if rows.is_empty() => return Value::Null,
                ("InspectionCase", "resolutionRate") => return json!(resolved() as f64 / rows.len() as f64),
                _ => {}
            }
            let mut values: Vec<&Value> = rows.iter().map(|row| row.value(wanted.name())).collect();
            values.retain(|value| !value.is_null());
            values.sort_by(|one, other| by_value(one, other));
            let sum = || values.iter().map(|value| value.as_f64().unwrap()).sum::<f64>();
            let summary = match wanted.name() {
                "peopleHeld" | "budget" | "amountCounted" | "moneyCounted" => "NumberSummary",
                "updatedAt" | "submittedAt" | "sentAt" => "MomentRange",
                _ => "DateRange",
            };
            self.object_of(summary, &wanted.below(), |wanted| match wanted.name() {
                _ if values.is_empty() => Value::Null,
                "min" => values[0].clone(),
                "max" => values[values.len() - 1].clone(),
                "sum" => json!(sum()),
                _ => json!(sum() / values.len() as f64),
            })
        })
    }

    /// Adds up the quantities of assignments by label and unit of measure.
    fn quantities(&self, rows: &[&Object], wanted: &SelectedField<'a>) -> Value {
        let mut totals: BTreeMap<(String, String), Vec<(i64, &Object)>> = BTreeMap::new();
        for row in rows {
            let Cell::Parts(parts) = row.cell("quantities") else { unreachable!("assignments have quantities") };
            for part in parts {
                let key = (part.value("label").as_str().unwrap(), part.value("unit").as_str().unwrap_or_default());
                totals.entry((key.0.to_owned(), key.1.to_owned())).or_default().push((row.key, part));
            }
        }
        let mut totals: Vec<Object> = totals
            .into_values()
            .map(|parts| {
                let sum = |name: &str| {
                    let amounts: Vec<f64> = parts.iter().filter_map(|(_, part)| part.value(name).as_f64()).collect();
                    (!amounts.is_empty()).then(|| amounts.iter().sum::<f64>())
                };
                let assignments: BTreeSet<i64> = parts.iter().map(|(key, _)| *key).collect();
                let (label, unit) = (parts[0].1.value("label"), parts[0].1.value("unit"));
                Object::part(
                    "QuantityTotal",
                    json!({"label": label, "unit": unit, "done": sum("done"),
                    "target": sum("target"), "assignmentCount": assignments.len()}),
                )
            })
            .collect();
        totals.sort_by_key(|total| Reverse(total.value("assignmentCount").as_u64()));
        totals.iter().map(|total| self.object(total, wanted)).collect()
    }

    fn groups(&self, noun: &str, rows: &[&Object], wanted: &SelectedField<'a>) -> Value {
        let by = list_of(&self.argument(wanted, "by"));
        let mut groups: Vec<(Vec<Key>, Vec<&Object>)> = Vec::new();
        for row in rows {
            let mut places: Vec<Vec<Key>> = vec![Vec::new()];
            for (turn, dimension) in by.iter().enumerate() {
                let keys = self.keys(row, dimension.as_str().unwrap());
                // A dimension that is asked for twice has the same key in both places.
                let earlier = by[..turn].iter().position(|other| other == dimension);
                let longer = |place: Vec<Key>| {
                    let keys = earlier.map_or_else(|| keys.clone(), |earlier| vec![place[earlier].clone()]);
                    keys.into_iter().map(|key| [place.as_slice(), &[key]].concat()).collect::<Vec<_>>()
                };
                places = places.into_iter().flat_map(longer).collect();
            }
            for keys in places {
                match groups.iter_mut().find(|(other, _)| *other == keys) {
                    Some((_, rows)) => rows.push(row),
                    None => groups.push((keys, vec![row])),
                }
            }
        }
        let count = groups.len();
        groups.sort_by(|(keys, rows), (other_keys, other_rows)| {
            let keys = keys.iter().zip(other_keys).map(|(key, other)| by_value(&key.order, &other.order));
            other_rows.len().cmp(&rows.len()).then(keys.fold(Ordering::Equal, Ordering::then))
        });
        groups.truncate(self.argument(wanted, "first").as_u64().map_or(GROUPS, |first| first as usize));
        let group = |(keys, rows): &(Vec<Key>, Vec<&Object>)| {
            self.object_of(&format!("{noun}Group"), &wanted.below(), |wanted| {
                if wanted.name() == "aggregate" {
                    return self.aggregate(noun, rows, wanted);
                }
                if wanted.name() == "groupCount" {
                    return json!(count);
                }
                let key = |key: &Key| {
                    self.object_of("GroupKey", &wanted.below(), |wanted| match wanted.name() {
                        "key" => key.shown.clone(),
                        "code" => key.code.clone(),
                        _ => key.label.clone(),
                    })
                };
                keys.iter().map(key).collect()
            })
        };
        groups.iter().map(group).collect()
    }

    /// Returns the keys of a row in one dimension: several where it belongs to several groups.
    fn keys(&self, row: &Object, dimension: &str) -> Vec<Key> {
        let other = |cell: &str| match row.cell(cell) {
            Cell::One(noun, Some(key)) => self.graph.one(noun, *key),
            _ => None,
        };
        let sector = |unit: Option<&Object>| unit.map_or(Value::Null, |unit| unit.value("sector").clone());
        let beyond = |owner: Option<&Object>| owner.map_or(vec![Key::none()], |owner| self.keys(owner, dimension));
        let parts = |cell: &str, of: &str| -> Vec<Value> {
            let Cell::Parts(parts) = row.cell(cell) else { unreachable!("`{cell}` is a list of parts") };
            parts.iter().map(|part| part.value(of).clone()).collect()
        };
        let values = match (row.noun, dimension) {
            (noun, "MONTH" | "QUARTER" | "YEAR") => vec![span(row.value(main_date(noun)), dimension)],
            ("Problem", "DOMAIN") => parts("domains", "name"),
            ("InspectionCase", "POLLUTION") => parts("pollution", "kind"),
            ("Problem", "SECTOR") => {
                let Cell::Many(noun, measures) = row.cell("measures") else { unreachable!("a problem has measures") };
                let measures = measures.iter().filter_map(|key| self.graph.one(noun, *key));
                let sectors: BTreeSet<String> = measures
                    .flat_map(|measure| self.keys(measure, dimension))
                    .filter_map(|key| key.shown.as_str().map(str::to_owned))
                    .collect();
                sectors.into_iter().map(Value::from).collect()
            }
            ("Measure" | "InspectionCase", "SECTOR") => vec![sector(other("leadUnit"))],
            ("Assignment", "SECTOR") => vec![sector(other("unit"))],
            ("Measure", "DOMAIN") => return beyond(other("problem")),
            ("Assignment", "ROUND" | "LEAD_UNIT") => return beyond(other("measure")),
            ("Check" | "CloseOut" | "ProgressReport" | "Evidence", "UNIT" | "REGION") => {
                return beyond(other("assignment"));
            }
            _ => match row.cell(&camel(dimension)) {
                Cell::Plain(value) => vec![value.clone()],
                Cell::One(noun, Some(key)) => {
                    let other = self.graph.one(noun, *key).unwrap();
                    let code = if *noun == "Region" { other.value("code").clone() } else { Value::Null };
                    return vec![Key {
                        shown: other.value("id").clone(),
                        label: self.label(other),
                        code,
                        order: json!(key),
                    }];
                }
                _ => vec![Value::Null],
            },
        };
        let keys: Vec<Key> = values.into_iter().map(Key::plain).collect();
        if keys.is_empty() { vec![Key::none()] } else { keys }
    }

    /// Returns the label of an object in groups: the title of a problem, the answering unit of an assignment, else its
    /// name.
    fn label(&self, object: &Object) -> Value {
        let name = match object.noun {
            "Assignment" => {
                let Cell::One(noun, Some(unit)) = object.cell("unit") else { return Value::Null };
                self.graph.one(noun, *unit).unwrap().value("name")
            }
            "Problem" => object.value("title"),
            "Measure" => object.value("content"),
            _ => object.value("name"),
        };
        name.clone()
    }

    // Filters.

    fn satisfies(&self, row: &Object, filter: &Value) -> bool {
        let Value::Object(demands) = filter else { return true };
        demands.iter().filter(|(_, demand)| !demand.is_null()).all(|(name, demand)| match name.as_str() {
            "and" => list_of(demand).iter().all(|filter| self.satisfies(row, filter)),
            "or" => list_of(demand).iter().any(|filter| self.satisfies(row, filter)),
            "not" => !self.satisfies(row, demand),
            "name" | "email" | "signedInAt" if row.noun == "Account" => {
                row.value("isKnown") == true && plain(row, name, demand)
            }
            "isOverdue" if matches!(row.noun, "InspectionCase" | "Problem") => row.value("isOverdue") == demand,
            "isWithdrawn" => row.value("withdrawnAt").is_null() != *demand,
            "pollution" => {
                let Cell::Parts(kinds) = row.cell("pollution") else { unreachable!() };
                kinds.iter().any(|kind| list_of(demand).contains(kind.value("kind")))
            }
            "isOverdue" => (row.value("pace") == "OVERDUE") == *demand,
            "isPaceDifferent" => {
                let (stated, pace) = (row.value("statedPace"), row.value("pace"));
                let is_met = stated == pace
                    || (stated == "ON_SCHEDULE" && pace == "AHEAD")
                    || (stated == "BEHIND_AND_REPORTED" && pace == "BEHIND");
                (!stated.is_null() && !pace.is_null() && !is_met) == *demand
            }
            "isCompleted" => row.value("completedOn").is_null() != *demand,
            "isRetired" => row.value("retiredOn").is_null() != *demand,
            "hasOpenObjection" => {
                let Cell::All(noun, keys) = row.cell("objections") else { unreachable!() };
                let mut objections = keys.iter().filter_map(|key| self.graph.one(noun, *key));
                objections.any(|one| one.value("decidedAt").is_null()) == *demand
            }
            "isDeclined" => row.value("declinedAt").is_null() != *demand,
            "domains" => {
                let Cell::Parts(domains) = row.cell("domains") else { unreachable!() };
                domains.iter().any(|domain| list_of(demand).contains(domain.value("name")))
            }
            "region" => match &demand["within"] {
                Value::String(id) => self.key_of("Region", id).is_some_and(|top| self.graph.is_within(row, top)),
                _ => true,
            },
            name => match row.cell(searched(row.noun, name)[0]) {
                Cell::One(noun, key) => self.relation(noun, *key, demand),
                Cell::Many(noun, keys) => self.list(&self.many(noun, keys), demand),
                _ => plain(row, name, demand),
            },
        })
    }

    fn relation(&self, noun: &str, key: Option<i64>, demand: &Value) -> bool {
        let is = |id: &Value| key.is_some() && self.key_of(noun, id.as_str().unwrap_or_default()) == key;
        members(demand).all(|(name, demand)| match name.as_str() {
            "eq" => is(demand),
            "in" => list_of(demand).iter().any(is),
            "isNull" => key.is_none() == *demand,
            _ => key.is_some_and(|key| self.satisfies(self.graph.one(noun, key).unwrap(), demand)),
        })
    }

    fn list(&self, rows: &[&Object], demand: &Value) -> bool {
        members(demand).all(|(name, demand)| match name.as_str() {
            "some" => rows.iter().any(|row| self.satisfies(row, demand)),
            "every" => rows.iter().all(|row| self.satisfies(row, demand)),
            _ => !rows.iter().any(|row| self.satisfies(row, demand)),
        })
    }

    fn key_of(&self, noun: &str, id: &str) -> Option<i64> {
        self.graph.of_id(id).filter(|object| object.noun == noun).map(|object| object.key)
    }
}

/// Checks whether a scalar field satisfies a condition of a filter.
fn plain(row: &Object, name: &str, demand: &Value) -> bool {
    let cells = searched(row.noun, name);
    let value = row.value(cells[0]);
    if !demand.is_object() {
        return list_of(demand).contains(value);
    }
    let compared = |demand: &Value| if value.is_null() { None } else { Some(by_value(value, demand)) };
    members(demand).all(|(name, demand)| match name.as_str() {
        "isNull" => value.is_null() == *demand,
        "eq" => compared(demand) == Some(Ordering::Equal),
        "in" => list_of(demand).contains(value),
        "lt" => compared(demand) == Some(Ordering::Less),
        "lte" => compared(demand).is_some_and(Ordering::is_le),
        "gt" => compared(demand) == Some(Ordering::Greater),
        "gte" => compared(demand).is_some_and(Ordering::is_ge),
        "startsWith" => value.as_str().is_some_and(|text| text.starts_with(demand.as_str().unwrap())),
        _ => demand.as_str().unwrap().split_whitespace().all(|word| {
            let mut texts = cells.iter().filter_map(|cell| row.value(cell).as_str());
            texts.any(|text| planner::normal(text).contains(&planner::normal(word)))
        }),
    })
}

/// A page of a list.
struct Page<'r> {
    rows: Vec<&'r Object>,
    has_previous: bool,
    has_next: bool,
}

/// The value that the rows of a group share in one dimension, its label and official code, and its sort key among
/// groups of equal size.
#[derive(Clone, PartialEq)]
struct Key {
    shown: Value,
    label: Value,
    code: Value,
    order: Value,
}

impl Key {
    fn plain(value: Value) -> Self {
        Self { shown: value.clone(), label: Value::Null, code: Value::Null, order: value }
    }

    fn none() -> Self {
        Self::plain(Value::Null)
    }
}

/// Returns the field with the date by which lists of a noun are grouped into months, quarters and years.
fn main_date(noun: &str) -> &'static str {
    match noun {
        "InspectionRound" => "feedbackOn",
        "ProgressReport" => "period",
        "CloseOut" => "closedOn",
        "Mail" => "localDay",
        "InspectionCase" => "handedOverOn",
        "Accountability" | "RoundResult" => "decidedOn",
        "PublishedFigure" => "asOf",
        "SupervisionAction" => "answerBy",
        "DeadlineChange" => "newDueOn",
        _ => "dueOn",
    }
}

/// Returns the month, quarter or year of a date.
fn span(date: &Value, dimension: &str) -> Value {
    let Some(date) = date.as_str() else { return Value::Null };
    let quarter = || date[5..7].parse::<u32>().unwrap().div_ceil(3);
    match dimension {
        "MONTH" => json!(date[..7]),
        "QUARTER" => json!(format!("{}Q{}", &date[..4], quarter())),
        _ => json!(date[..4]),
    }
}

/// One sort criterion of a list.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    cell: String,
    descending: bool,
}

/// Returns the sort criteria of a list: those requested, else the default order of the type.
pub(crate) fn wishes(noun: &str, asked: &Value) -> Vec<Wish> {
    let asked: Vec<Wish> = list_of(asked)
        .iter()
        .map(|wish| match (noun, wish["field"].as_str().unwrap()) {
            ("Region", "LEVEL") => ("rank".to_owned(), wish),
            ("Region" | "Unit" | "Account", "NAME") => ("nameOrder".to_owned(), wish),
            ("Account", "REGION") => ("regionCode".to_owned(), wish),
            (_, "STATUS") => ("statusRank".to_owned(), wish),
            (_, field) => (camel(field), wish),
        })
        .map(|(cell, wish)| Wish { cell, descending: wish["direction"] == "DESC" })
        .collect();
    if !asked.is_empty() {
        return asked;
    }
    let own: &[(&str, bool)] = match noun {
        "Region" => &[("rank", false), ("code", false)],
        "Unit" => &[("nameOrder", false)],
        "Problem" | "Measure" | "ResponsibleParty" => &[("position", false)],
        "ProgressReport" => &[("submittedAt", true)],
        "Check" | "InspectionCase" => &[("dueOn", false)],
        "Accountability" => &[("decidedOn", true)],
        "CloseOut" | "Session" | "SupervisionAction" | "RoundResult" | "PublishedFigure" => &[("key", true)],
        "Evidence" => &[("uploadedAt", true)],
        "AuditEntry" => &[("at", true)],
        "Mail" => &[("createdAt", false)],
        "JobRun" => &[("occurrence", true)],
        _ => &[],
    };
    own.iter().map(|(cell, descending)| Wish { cell: (*cell).to_owned(), descending: *descending }).collect()
}

/// Compares two rows by the sort criteria. Ties are broken by key, in the direction of the last criterion.
fn in_order(one: &Object, other: &Object, wishes: &[Wish]) -> Ordering {
    let directed = |order: Ordering, descending: bool| if descending { order.reverse() } else { order };
    let mut order = Ordering::Equal;
    for wish in wishes {
        order = order.then(directed(by_value(one.value(&wish.cell), other.value(&wish.cell)), wish.descending));
    }
    order.then(directed(one.key.cmp(&other.key), wishes.last().is_some_and(|wish| wish.descending)))
}

/// Compares two values: numbers and moments by value, null after everything else.
fn by_value(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64().unwrap().total_cmp(&other.as_f64().unwrap()),
        (Value::String(one), Value::String(other)) => {
            match (DateTime::parse_from_rfc3339(one), DateTime::parse_from_rfc3339(other)) {
                (Ok(one), Ok(other)) => one.cmp(&other),
                _ => one.cmp(other),
            }
        }
        _ => one.is_null().cmp(&other.is_null()),
    }
}

/// Returns the fields that a filter's member applies to: comparisons use the first, `search` uses all.
pub(crate) fn searched<'n>(noun: &str, demand: &'n str) -> Vec<&'n str> {
    match (noun, demand) {
        ("Problem", "text") => vec!["title", "description"],
        ("Measure", "text") => vec!["content"],
        ("InspectionCase", "text") => vec!["summary"],
        _ => vec![demand],
    }
}

fn list_of(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    }
}

fn members(demand: &Value) -> impl Iterator<Item = (&String, &Value)> {
    demand.as_object().into_iter().flatten().filter(|(_, demand)| !demand.is_null())
}

/// Converts an enum value to the name of a field: `DUE_ON` to `dueOn`.
fn camel(name: &str) -> String {
    let words = name.split('_').map(str::to_lowercase);
    let cased = words.enumerate().map(|(index, word)| match word.split_at_checked(1) {
        Some((first, rest)) if index > 0 => first.to_uppercase() + rest,
        _ => word,
    });
    cased.collect()
}
