//! Generates random valid operations from the schema, with values that occur in the ledger.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{BaseType, Type, TypeKind, TypeSystemDefinition};
use chrono::{DateTime, Days, FixedOffset, NaiveDate, TimeDelta};
use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::graph::{Cell, Graph, NOUNS};
use super::interpreter::{Cursors, list, searched, wishes};

/// The maximum depth of an operation, counted in types with a global id.
const DEPTH: usize = 4;
/// The approximate maximum number of fields of one operation.
const FIELDS: usize = 70;
/// The maximum number of rows that the pages around a field can hold together.
const ROWS: u64 = 1_500;
/// The maximum nesting of selection sets; the server accepts 32.
const NESTING: usize = 30;
/// The maximum nesting of filters.
const FILTERS: usize = 3;

/// Fields that are never selected, and members of filters that are never given, because they depend on the time of the
/// request or are covered by other stories.
const LEFT_OUT: &[(&str, &str)] = &[
    ("Query", "calendar"),
    ("Query", "mailReason"),
    ("Query", "whyNoMail"),
    ("Query", "simulateReminders"),
    ("Query", "reminderRules"),
    ("Query", "reminderRuleHistory"),
    ("Query", "selfInspections"),
    ("Query", "enumLabels"),
    ("Query", "mySignIns"),
    ("Query", "installation"),
    // The story `installation` is about these.
    ("Query", "systemHealth"),
    ("Query", "effectiveSettings"),
    // The story `delivery` is about this.
    ("Query", "mailOutage"),
    // Changes with the request that reads it.
    ("Session", "lastUsedAt"),
    ("Query", "statistics"),
    ("Query", "monthlyStatistics"),
    // The story `search` is about it.
    ("Query", "search"),
    // The story `briefing` is about this.
    ("Query", "briefing"),
    // The story `monthly_account` is about these.
    ("Query", "monthlyAccounts"),
    ("Query", "demoAccounts"),
    ("Query", "signInProvider"),
    // The story `screens` is about these.
    ("Query", "milestones"),
    ("Query", "notices"),
    ("Query", "publicNotices"),
    ("Query", "mailLink"),
    // The story `administration` is about it.
    ("Query", "mailContent"),
    // The story `saved_views` is about these.
    ("Query", "savedViews"),
    // The story `own_mail` is about these.
    ("Query", "mailSubscription"),
    ("Query", "myMailSettings"),
    ("Query", "suppressions"),
    ("Account", "inbox"),
    // The story `webhooks` is about these.
    ("Query", "webhooks"),
    ("Query", "webhookDeliveries"),
    // The story `pending_import` is about these.
    ("Query", "pendingImports"),
    ("Query", "pendingImport"),
    // The story `decisions` is about these.
    ("Query", "importDecisions"),
    ("Query", "importMapping"),
    ("Schedule", "nextOccurrences"),
    ("Evidence", "viewUrl"),
    ("Evidence", "thumbnailUrl"),
    // The stories `available` and `desk` are about these.
    ("Account", "tasks"),
    ("Assignment", "availableActions"),
    // The story `cards` is about these.
    ("Assignment", "card"),
    ("AssignmentFilter", "card"),
    ("Measure", "card"),
    ("MeasureFilter", "answered"),
    ("MeasureFilter", "card"),
    ("Problem", "card"),
    ("ProblemFilter", "answered"),
    ("ProblemFilter", "card"),
    ("Measure", "availableActions"),
    ("Problem", "availableActions"),
    ("InspectionCase", "availableActions"),
    ("CloseOut", "availableActions"),
    ("DeadlineChange", "availableActions"),
    ("SupervisionAction", "availableActions"),
    ("Objection", "availableActions"),
    ("InspectionRound", "availableActions"),
    ("PublishedFigure", "availableActions"),
    ("AuditEntry", "label"),
    // The story `offices` is about these.
    ("Measure", "task"),
    ("Measure", "taskNumber"),
    // The story `leaders` is about these.
    ("Measure", "leaders"),
    // The story `published` is about these.
    ("PublishedFigure", "computed"),
    ("PublishedFigure", "isDifferent"),
    ("PublishedFigureFilter", "isDifferent"),
    ("AuditEntry", "changes"),
    // The story `accountability` is about it.
    ("ProblemFilter", "ownership"),
];

/// A generated operation and its variables.
pub(crate) struct Operation {
    pub(crate) text: String,
    variables: Vec<Variable>,
}

struct Variable {
    name: String,
    ty: String,
    /// `None` if the variable is omitted, or left to its default.
    value: Option<Value>,
    default: Option<String>,
    domain: Domain,
}

/// The set of values that [`Operations::vary`] may choose from.
#[derive(Clone, PartialEq)]
enum Domain {
    Flag,
    Size,
    Filter(String),
    /// The value must not change, because something else depends on it.
    Fixed,
}

impl Operation {
    /// Returns the values of the variables that are not omitted.
    pub(crate) fn variables(&self) -> Map<String, Value> {
        let given = self.variables.iter().filter_map(|one| Some((one.name.clone(), one.value.clone()?)));
        given.collect()
    }
}

/// The types of the schema, by name.
struct Schema {
    /// The fields of each object.
    objects: BTreeMap<String, Vec<Member>>,
    /// The members of each input.
    inputs: HashMap<String, Vec<Member>>,
    enums: HashMap<String, Vec<String>>,
}

#[derive(Clone)]
struct Member {
    name: String,
    ty: Type,
    arguments: Vec<(String, Type)>,
}

impl Schema {
    fn read(sdl: &str) -> Self {
        let mut schema = Self { objects: BTreeMap::new(), inputs: HashMap::new(), enums: HashMap::new() };
        for definition in parse_schema(sdl).unwrap().definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let name = definition.node.name.node.to_string();
            match definition.node.kind {
                TypeKind::Object(object) => {
                    let fields = object.fields.into_iter().map(|field| {
                        let arguments = field.node.arguments.into_iter();
                        let arguments = arguments.map(|one| (one.node.name.node.to_string(), one.node.ty.node));
                        Member {
                            name: field.node.name.node.to_string(),
                            ty: field.node.ty.node,
                            arguments: arguments.collect(),
                        }
                    });
                    schema.objects.insert(name, fields.collect());
                }
                TypeKind::InputObject(input) => {
                    let members = input.fields.into_iter().map(|member| Member {
                        name: member.node.name.node.to_string(),
                        ty: member.node.ty.node,
                        arguments: Vec::new(),
                    });
                    schema.inputs.insert(name, members.collect());
                }
                TypeKind::Enum(listed) => {
                    let values = listed.values.into_iter().map(|value| value.node.value.node.to_string());
                    schema.enums.insert(name, values.collect());
                }
                _ => {}
            }
        }
        schema
    }

    /// Returns the fields of a type that may be selected; of the interface `Node` only `id`.
    fn fields(&self, ty: &str) -> Vec<Member> {
        let of = if ty == "Node" { "Account" } else { ty };
        let fields = self.objects[of].iter().filter(|field| ty != "Node" || field.name == "id");
        fields.filter(|field| !LEFT_OUT.contains(&(ty, &field.name))).cloned().collect()
    }

    fn is_object(&self, ty: &str) -> bool {
        ty == "Node" || self.objects.contains_key(ty)
    }
}

fn base(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => base(inner),
    }
}

fn is_noun(ty: &str) -> bool {
    ty == "Node" || NOUNS.iter().any(|(noun, _)| *noun == ty)
}

/// Generates operations from a seed.
pub(crate) struct Operations<'a> {
    rng: Rng,
    graph: &'a Graph,
    schema: Schema,
    /// The lists generated so far: field with the owner's type, filter and order.
    lists: Vec<(String, Value, Value)>,
}

/// An operation under construction.
struct Draft<'a> {
    rng: &'a mut Rng,
    graph: &'a Graph,
    schema: &'a Schema,
    cursors: &'a Cursors,
    lists: &'a mut Vec<(String, Value, Value)>,
    variables: Vec<Variable>,
    fragments: Vec<Fragment>,
    fields: usize,
    aliases: usize,
    /// How deeply the current selection set is nested, and the deepest nesting so far.
    nesting: usize,
    deepest: usize,
}

struct Fragment {
    name: String,
    at: Place,
    body: String,
    /// How deeply its selection sets are nested.
    height: usize,
}

/// The place where fields are selected.
#[derive(Debug, Clone, PartialEq)]
struct Place {
    ty: String,
    /// How many more levels of types with a global id may follow.
    depth: usize,
    /// How many rows the pages around it can hold together.
    rows: u64,
    /// Which fields get an alias, so that they do not conflict with other selections of the same object.
    apart: Apart,
    /// Whether the object is the one that a root field names: a cursor of another object's list is then refused.
    is_named: bool,
}

/// See [`Place::apart`].
#[derive(Debug, Clone, Copy, PartialEq)]
enum Apart {
    /// Only fields that would conflict.
    Few,
    /// All fields with arguments: in a fragment it is unknown what else is selected.
    Arguments,
    /// All fields but `id`: fields of the same name differ between types.
    All,
}

/// The fields selected on one object: by response key, the text of the field, its place, and the fields below it.
#[derive(Default)]
struct Scope(HashMap<String, (String, Place, Scope)>);

impl<'a> Operations<'a> {
    pub(crate) fn new(graph: &'a Graph, seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), graph, schema: Schema::read(&api::sdl()), lists: Vec::new() }
    }

    /// Checks whether the schema declares a field as non-null.
    pub(crate) fn requires(&self, noun: &str, field: &str) -> bool {
        self.schema.objects[noun].iter().any(|member| member.name == field && !member.ty.nullable)
    }

    /// Returns operations that could reveal a hidden row: for every list, each grouping, and each filter on a
    /// reference, on a list below the row and on its region.
    pub(crate) fn probes(&mut self) -> Vec<Operation> {
        let mut asked = Vec::new();
        let lists = self.schema.fields("Query").into_iter();
        for list in lists.filter(|list| base(&list.ty).ends_with("Connection")) {
            let noun = base(&list.ty).strip_suffix("Connection").unwrap().to_owned();
            let argument = |ty: &str| format!("{noun}{ty}");
            for dimension in self.schema.enums.get(&argument("Dimension")).into_iter().flatten() {
                let groups = format!(
                    "groups(by: {dimension}, first: 1000) {{ \
                     groupCount keys {{ key label code }} aggregate {{ count }} }}"
                );
                asked.push(format!("{} {{ totalCount {groups} }}", list.name));
            }
            let input = if noun == "Region" { "RegionFilter".to_owned() } else { argument("Filter") };
            for member in &self.schema.inputs[&input] {
                let name = &member.name;
                let demands: Vec<String> = match base(&member.ty) {
                    "SubtreeFilter" => {
                        let ids = self.graph.all("Region").iter().map(|region| region.value("id"));
                        let mut ids: Vec<&Value> = ids.collect();
                        self.rng.shuffle(&mut ids);
                        ids.iter().take(8).map(|id| format!("{{within: {id}}}")).collect()
                    }
                    ty if ty.ends_with("ListFilter") => {
                        ["{some: {}}", "{none: {}}", "{every: {not: {}}}"].map(str::to_owned).into()
                    }
                    ty if ty.ends_with("RelationFilter") => {
                        let mut ids: Vec<String> = self.graph.referred(&noun, name).into_iter().collect();
                        self.rng.shuffle(&mut ids);
                        let known = ids.iter().take(4).map(|id| format!("{{eq: \"{id}\"}}"));
                        let others = ["{isNull: true}", "{isNull: false}", "{is: {}}"].map(str::to_owned);
                        known.chain(others).collect()
                    }
                    _ => Vec::new(),
                };
                let demands = demands.into_iter().map(|demand| format!("{{{name}: {demand}}}"));
                for demand in demands.flat_map(|demand| [demand.clone(), format!("{{not: {demand}}}")]) {
                    asked.push(format!("{}(first: 9, filter: {demand}) {{ totalCount nodes {{ id }} }}", list.name));
                }
            }
        }
        let named = |(index, field): (usize, &String)| format!("p{index}: {field}");
        let document = |fields: &[String]| fields.iter().enumerate().map(named).collect::<Vec<_>>().join(" ");
        let operation =
            |fields: &[String]| Operation { text: format!("{{ {} }}", document(fields)), variables: Vec::new() };
        asked.chunks(10).map(operation).collect()
    }

    /// Generates a new operation.
    pub(crate) fn draw(&mut self, cursors: &Cursors) -> Operation {
        let mut draft = self.draft(cursors);
        let root = Place { ty: "Query".to_owned(), depth: DEPTH, rows: 1, apart: Apart::Few, is_named: false };
        let body = draft.selection(&root, &mut Scope::default());
        let Draft { variables, fragments, .. } = draft;
        let mut text = if variables.is_empty() && self.rng.bool() { String::new() } else { "query Drawn".to_owned() };
        if !variables.is_empty() {
            let declared = variables.iter().map(|one| {
                let default = one.default.as_ref().map(|default| format!(" = {default}")).unwrap_or_default();
                format!("${}: {}{default}", one.name, one.ty)
            });
            let _ = write!(text, "({})", declared.collect::<Vec<_>>().join(", "));
        }
        let _ = write!(text, " {{ {body} }}");
        for fragment in fragments {
            let _ = write!(text, " fragment {} on {} {{ {} }}", fragment.name, fragment.at.ty, fragment.body);
        }
        Operation { text, variables }
    }

    /// Gives new values to the variables that can vary; returns `false` if there are none.
    pub(crate) fn vary(&mut self, operation: &mut Operation, cursors: &Cursors) -> bool {
        let mut draft = self.draft(cursors);
        let mut varies = false;
        for variable in operation.variables.iter_mut().filter(|variable| variable.domain != Domain::Fixed) {
            variable.value = Some(match &variable.domain {
                Domain::Flag => json!(draft.rng.bool()),
                Domain::Filter(input) => draft.filter(input, FILTERS),
                _ => json!(draft.rng.u64(0..6)),
            });
            varies = true;
        }
        varies
    }

    fn draft<'d>(&'d mut self, cursors: &'d Cursors) -> Draft<'d> {
        let (variables, fragments) = (Vec::new(), Vec::new());
        let Self { rng, graph, schema, lists } = self;
        Draft {
            rng,
            graph,
            schema,
            cursors,
            lists,
            variables,
            fragments,
            fields: 0,
            aliases: 0,
            nesting: 0,
            deepest: 0,
        }
    }
}

impl Draft<'_> {
    /// Returns `true` once in `of` times on average.
    fn rarely(&mut self, of: u8) -> bool {
        self.rng.u8(0..of) == 0
    }

    fn one_of<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.rng.usize(0..list.len())].clone()
    }

    // Selections.

    fn selection(&mut self, at: &Place, scope: &mut Scope) -> String {
        let items = if at.ty == "Query" { self.rng.usize(1..4) } else { self.rng.usize(1..6) };
        self.nesting += 1;
        self.deepest = self.deepest.max(self.nesting);
        let items: Vec<String> = (0..items).map(|_| self.item(at, scope)).collect();
        self.nesting -= 1;
        items.join(" ")
    }

    fn item(&mut self, at: &Place, scope: &mut Scope) -> String {
        // Plain fields can only nest to half of the limit, which leaves room for fragments.
        let spent = self.fields > FIELDS || self.nesting > NESTING / 2;
        match self.rng.u8(0..24) {
            _ if spent => self.field(at, scope),
            0 => "__typename".to_owned(),
            1 => format!("...{} {{ {} }}", self.switch(), self.selection(at, scope)),
            2 => format!("... on {}{} {{ {} }}", at.ty, self.switch(), self.selection(at, scope)),
            3 => self.fragment(at),
            4 => {
                let fits = |fragment: &&Fragment| {
                    let there = &fragment.at;
                    there.ty == at.ty
                        && there.depth <= at.depth
                        && there.rows >= at.rows
                        && (there.is_named || !at.is_named)
                        && at.apart != Apart::All
                        && self.nesting + fragment.height <= NESTING
                };
                let known = self.fragments.iter().filter(fits).map(|one| (one.name.clone(), one.height));
                let known: Vec<(String, usize)> = known.collect();
                if known.is_empty() {
                    return self.field(at, scope);
                }
                let (name, height) = self.one_of(&known);
                self.deepest = self.deepest.max(self.nesting + height);
                format!("...{name}{}", self.switch())
            }
            5 | 6 => {
                let mut keys: Vec<String> = scope.0.keys().cloned().collect();
                keys.sort_unstable();
                if keys.is_empty() {
                    return self.field(at, scope);
                }
                let (head, below, inner) = scope.0.get_mut(&self.one_of(&keys)).unwrap();
                let head = head.clone() + &self.switch();
                self.with_selection(head, &below.clone(), inner)
            }
            7 if is_noun(&at.ty) && at.ty != "Node" => {
                let same = format!("... on {} {{ {} }}", at.ty, self.selection(at, scope));
                let node = Place { ty: "Node".to_owned(), ..at.clone() };
                format!("... on Node{} {{ {} {same} }}", self.switch(), self.field(&node, scope))
            }
            8..16 if at.ty == "Node" => {
                let (noun, _) = self.one_of(&NOUNS);
                let at = Place { ty: noun.to_owned(), apart: Apart::All, ..at.clone() };
                format!("... on {noun}{} {{ {} }}", self.switch(), self.selection(&at, &mut Scope::default()))
            }
            _ => self.field(at, scope),
        }
    }

    fn fragment(&mut self, at: &Place) -> String {
        let apart = if at.apart == Apart::All { Apart::All } else { Apart::Arguments };
        let at = Place { apart, ..at.clone() };
        let deepest = std::mem::replace(&mut self.deepest, self.nesting);
        let body = self.selection(&at, &mut Scope::default());
        let height = self.deepest - self.nesting;
        self.deepest = self.deepest.max(deepest);
        self.aliases += 1;
        let name = format!("F{}", self.aliases);
        self.fragments.push(Fragment { name: name.clone(), at, body, height });
        format!("...{name}{}", self.switch())
    }

    fn field(&mut self, at: &Place, scope: &mut Scope) -> String {
        self.fields += 1;
        let inside = at.ty.ends_with("Connection") || at.ty.ends_with("Edge");
        let mut fields = self.schema.fields(&at.ty);
        let goes_on = |ty: &str| is_noun(ty) || ty.ends_with("Connection");
        fields.retain(|field| {
            let ty = base(&field.ty);
            let affordable = self.fields <= FIELDS || !self.schema.is_object(ty);
            affordable && (inside || at.depth > 0 || !goes_on(ty))
        });
        if fields.is_empty() {
            return "__typename".to_owned();
        }
        let fresh: Vec<Member> = fields.iter().filter(|field| !scope.0.contains_key(&field.name)).cloned().collect();
        let field = if fresh.is_empty() || self.rarely(4) { self.one_of(&fields) } else { self.one_of(&fresh) };
        let ty = base(&field.ty).to_owned();
        let is_named = at.ty == "Query" && !ty.ends_with("Connection");
        let mut below = Place { ty, is_named, ..at.clone() };
        if !inside && goes_on(&below.ty) {
            below.depth -= 1;
        }
        if at.apart == Apart::All {
            below.apart = Apart::Few;
        }
        let arguments = self.arguments(&field, at, &mut below);
        let named = |head: &str| format!("{head}{arguments}");
        let own_name = match at.apart {
            Apart::All => field.name != "id",
            Apart::Arguments if !field.arguments.is_empty() => true,
            _ => scope.0.get(&field.name).is_some_and(|(head, ..)| *head != named(&field.name)) || self.rarely(6),
        };
        let (key, head) = if own_name {
            self.aliases += 1;
            let key = format!("{}{}", self.one_of(&["a", "_", "node", "Total_"]), self.aliases);
            let head = format!("{key}: {}", named(&field.name));
            (key, head)
        } else {
            (field.name.clone(), named(&field.name))
        };
        let written = head.clone() + &self.switch();
        let (_, below, inner) = scope.0.entry(key).or_insert_with(|| (head, below, Scope::default()));
        self.with_selection(written, &below.clone(), inner)
    }

    fn with_selection(&mut self, head: String, below: &Place, scope: &mut Scope) -> String {
        if !self.schema.is_object(&below.ty) {
            return head;
        }
        format!("{head} {{ {} }}", self.selection(below, scope))
    }

    /// Returns an occasional `@skip` or `@include`, else an empty string.
    fn switch(&mut self) -> String {
        if !self.rarely(10) {
            return String::new();
        }
        let flag = json!(self.rng.bool());
        let required = Type { base: BaseType::Named(async_graphql::Name::new("Boolean")), nullable: false };
        let flag = if self.rarely(4) { flag.to_string() } else { self.variable(&flag, &required, Domain::Flag) };
        format!(" @{}(if: {flag})", self.one_of(&["skip", "include"]))
    }

    // Arguments.

    fn arguments(&mut self, field: &Member, at: &Place, below: &mut Place) -> String {
        let ty = |name: &str| field.arguments.iter().find(|(known, _)| known == name).map(|(_, ty)| ty.clone());
        let mut given: Vec<(&str, Value, Domain)> = Vec::new();
        if let Some(noun) = below.ty.strip_suffix("Connection") {
            let input = base(&ty("filter").unwrap()).to_owned();
            let place = format!("{}.{}", at.ty, field.name);
            let (filter, order) = self.list(noun, &place, &input);
            let cursors =
                if at.is_named { &[] } else { self.cursors.of(&list(&place, &filter, &wishes(noun, &order))) };
            // Only recent cursors, so that lists are walked page by page.
            let latest = &cursors[cursors.len().saturating_sub(40)..];
            let walks = self.page(latest, &mut below.rows, &mut given);
            if !order.is_null() || self.rarely(8) {
                given.push(("orderBy", order, Domain::Fixed));
            }
            if !filter.is_null() {
                // With another filter, the cursors would be those of another list.
                given.push(("filter", filter, if walks { Domain::Fixed } else { Domain::Filter(input) }));
            }
        } else if field.name == "region" && ty("code").is_some() {
            if self.rng.bool() {
                let codes: Vec<Value> = self.column("Region", "code");
                given.push(("code", self.plausible(&codes), Domain::Fixed));
            } else {
                given.push(("id", json!(self.id("Region")), Domain::Fixed));
            }
        } else if ty("id").is_some() {
            let (any, _) = self.one_of(&NOUNS);
            let noun = if field.name == "node" { any } else { below.ty.as_str() };
            given.push(("id", json!(self.id(noun)), Domain::Fixed));
        } else if ty("ids").is_some() {
            let ids: Vec<String> = (0..self.rng.usize(0..5))
                .map(|_| {
                    let (noun, _) = self.one_of(&NOUNS);
                    self.id(noun)
                })
                .collect();
            below.rows *= 5;
            given.push(("ids", json!(ids), Domain::Fixed));
        } else if let Some(by) = ty("by") {
            let dimensions = self.schema.enums[base(&by)].clone();
            let by: Vec<String> = (0..self.rng.usize(1..4)).map(|_| self.one_of(&dimensions)).collect();
            given.push(("by", json!(by), Domain::Fixed));
            if self.rng.bool() {
                given.push(("first", json!(self.rng.u64(0..6)), Domain::Size));
            }
        }
        self.rng.shuffle(&mut given);
        let written: Vec<String> = given
            .into_iter()
            .map(|(name, value, domain)| {
                let ty = ty(name).unwrap();
                let value = if self.rarely(3) { self.variable(&value, &ty, domain) } else { self.literal(&value, &ty) };
                format!("{name}: {value}")
            })
            .collect();
        if written.is_empty() { String::new() } else { format!("({})", written.join(", ")) }
    }

    /// Adds the size and the cursors of a page to the arguments, and returns whether there is a cursor.
    fn page(&mut self, cursors: &[String], rows: &mut u64, given: &mut Vec<(&str, Value, Domain)>) -> bool {
        let mut walks = false;
        for bound in ["after", "before"] {
            if !cursors.is_empty() && self.rarely(3) {
                given.push((bound, json!(self.one_of(cursors)), Domain::Fixed));
                walks = true;
            } else if self.rarely(12) {
                given.push((bound, Value::Null, Domain::Fixed));
            }
        }
        let size = self.rng.u64(0..7);
        let (size, end) = match self.rng.u8(0..6) {
            0 if *rows * 50 <= ROWS => (50, None),
            1 if *rows * 200 <= ROWS => (200, Some("first")),
            2 | 3 => (size, Some("last")),
            _ => (size, Some("first")),
        };
        let size = if *rows * size > ROWS { 1 } else { size };
        // `vary` later chooses a size below six.
        *rows *= size.max(6);
        if let Some(end) = end {
            given.push((end, json!(size), Domain::Size));
            if self.rarely(10) {
                let other = if end == "first" { "last" } else { "first" };
                given.push((other, Value::Null, Domain::Fixed));
            }
        }
        walks
    }

    /// Generates the filter and the order of a list; often ones whose cursors are known, so that the list is walked
    /// further.
    fn list(&mut self, noun: &str, place: &str, input: &str) -> (Value, Value) {
        let known = |(of, filter, order): &&(String, Value, Value)| {
            of == place && !self.cursors.of(&list(place, filter, &wishes(noun, order))).is_empty()
        };
        let known: Vec<(Value, Value)> =
            self.lists.iter().filter(known).map(|(_, filter, order)| (filter.clone(), order.clone())).collect();
        if !known.is_empty() && self.rng.bool() {
            return self.one_of(&known[known.len().saturating_sub(9)..]);
        }
        let order = if self.rng.bool() { self.order(noun) } else { Value::Null };
        let filter = if self.rng.bool() { self.filter(input, FILTERS) } else { Value::Null };
        self.lists.push((place.to_owned(), filter.clone(), order.clone()));
        (filter, order)
    }

    /// Generates an order.
    fn order(&mut self, noun: &str) -> Value {
        let fields = self.schema.enums[&format!("{noun}OrderField")].clone();
        let wishes: Vec<Value> = (0..self.rng.usize(0..4))
            .map(|_| {
                let field = self.one_of(&fields);
                match self.rng.u8(0..3) {
                    0 => json!({"field": field}),
                    1 => json!({"field": field, "direction": "ASC"}),
                    _ => json!({"field": field, "direction": "DESC"}),
                }
            })
            .collect();
        json!(wishes)
    }

    // Filters.

    /// Generates a filter of an input type of the schema.
    fn filter(&mut self, input: &str, depth: usize) -> Value {
        let noun = if input == "RegionFilter" { "Region" } else { input.strip_suffix("Filter").unwrap() };
        let members = self.schema.inputs[input].iter().filter(|member| !LEFT_OUT.contains(&(input, &member.name)));
        let members: Vec<Member> = members.cloned().collect();
        let (words, demands): (Vec<Member>, Vec<Member>) =
            members.into_iter().partition(|member| matches!(member.name.as_str(), "and" | "or" | "not"));
        let mut filter = Map::new();
        for _ in 0..[0, 1, 1, 1, 2, 2][self.rng.usize(0..6)] {
            let member = if self.rarely(3) { self.one_of(&words) } else { self.one_of(&demands) };
            if let Some(demand) = self.demand(noun, &member, depth) {
                filter.insert(member.name, demand);
            }
        }
        filter.into()
    }

    /// Generates the value of a filter's member, or `None` if that would nest too deeply.
    fn demand(&mut self, noun: &str, member: &Member, depth: usize) -> Option<Value> {
        let ty = base(&member.ty);
        if self.rarely(30) {
            return Some(Value::Null);
        }
        let related = ty.strip_suffix("RelationFilter").or_else(|| ty.strip_suffix("ListFilter"));
        let many = matches!(member.ty.base, BaseType::List(_));
        Some(match (ty, related) {
            ("TextFilter", _) => self.text(noun, &member.name),
            ("DateFilter", _) => self.compared(noun, &member.name, &["eq", "lt", "lte", "gt", "gte"]),
            ("DateTimeFilter", _) => self.compared(noun, &member.name, &["lt", "lte", "gt", "gte"]),
            ("NumberFilter", _) => self.numbered(noun, &member.name),
            ("SubtreeFilter", _) if self.rarely(10) => json!({}),
            ("SubtreeFilter", _) => json!({"within": self.id("Region")}),
            ("Boolean", _) => json!(self.rng.bool()),
            ("ID", _) => {
                let column = self.column(noun, &member.name);
                self.plausible(&column)
            }
            ("String", _) => {
                let known = ["水", "大气", "矿山", "草原", "风"];
                json!((0..self.rng.usize(0..3)).map(|_| self.one_of(&known)).collect::<Vec<_>>())
            }
            (_, Some(other)) => self.related(other, ty.ends_with("RelationFilter"), depth)?,
            _ if self.schema.enums.contains_key(ty) => {
                let values = self.schema.enums[ty].clone();
                let chosen: Vec<String> = (0..self.rng.usize(0..4)).map(|_| self.one_of(&values)).collect();
                if many { json!(chosen) } else { json!(self.one_of(&values)) }
            }
            _ if depth == 0 => return None,
            _ if many => json!((0..self.rng.usize(0..4)).map(|_| self.filter(ty, depth - 1)).collect::<Vec<_>>()),
            _ => self.filter(ty, depth - 1),
        })
    }

    fn related(&mut self, noun: &str, one: bool, depth: usize) -> Option<Value> {
        let input = if noun == "Region" { "RegionFilter".to_owned() } else { format!("{noun}Filter") };
        let mut demands = Map::new();
        for _ in 0..self.rng.usize(1..3) {
            let (name, demand) = match (one, self.rng.u8(0..4)) {
                (true, 0) => ("eq", json!(self.id(noun))),
                (true, 1) => ("in", json!((0..self.rng.usize(0..5)).map(|_| self.id(noun)).collect::<Vec<_>>())),
                (true, 2) => ("isNull", json!(self.rng.bool())),
                _ if depth == 0 => return None,
                (true, _) => ("is", self.filter(&input, depth - 1)),
                (false, which) => {
                    (["some", "every", "none", "some"][usize::from(which)], self.filter(&input, depth - 1))
                }
            };
            demands.insert(name.to_owned(), demand);
        }
        Some(demands.into())
    }

    fn text(&mut self, noun: &str, demand: &str) -> Value {
        let cells = searched(noun, demand);
        let (compared, other) = (self.column(noun, cells[0]), self.column(noun, cells[cells.len() - 1]));
        let mut demands = Map::new();
        for _ in 0..self.rng.usize(1..3) {
            let (name, value) = match self.rng.u8(0..6) {
                0 => ("eq", self.plausible(&compared)),
                1 => ("in", json!((0..self.rng.usize(0..4)).map(|_| self.plausible(&compared)).collect::<Vec<_>>())),
                2 => ("startsWith", json!(self.piece(&compared, true))),
                3 => ("isNull", json!(self.rng.bool())),
                _ => {
                    let pieces: Vec<String> = (0..self.rng.usize(0..3)).map(|_| self.piece(&other, false)).collect();
                    ("search", json!(pieces.join(" ")))
                }
            };
            demands.insert(name.to_owned(), value);
        }
        demands.into()
    }

    /// Generates comparisons with dates or moments close to those that occur.
    fn compared(&mut self, noun: &str, demand: &str, operators: &[&str]) -> Value {
        let column = self.column(noun, demand);
        let mut demands = Map::new();
        for _ in 0..self.rng.usize(1..3) {
            if self.rarely(5) {
                demands.insert("isNull".to_owned(), json!(self.rng.bool()));
                continue;
            }
            let near = if column.is_empty() { json!("2026-01-01") } else { self.one_of(&column) };
            let near = near.as_str().unwrap();
            let value = if operators.contains(&"eq") {
                let day: NaiveDate = near.parse().unwrap();
                json!((day + Days::new(self.rng.u64(0..3)) - Days::new(1)).to_string())
            } else {
                let at = DateTime::parse_from_rfc3339(near).unwrap_or_default();
                let at = at + self.one_of(&[TimeDelta::zero(), TimeDelta::microseconds(1), TimeDelta::hours(-1)]);
                let east = FixedOffset::east_opt(8 * 3600).unwrap();
                json!(if self.rng.bool() { at.to_rfc3339() } else { at.with_timezone(&east).to_rfc3339() })
            };
            demands.insert(self.one_of(operators).to_owned(), value);
        }
        demands.into()
    }

    /// Generates comparisons with numbers close to those that occur.
    fn numbered(&mut self, noun: &str, demand: &str) -> Value {
        let column = self.column(noun, demand);
        let mut demands = Map::new();
        for _ in 0..self.rng.usize(1..3) {
            if self.rarely(5) {
                demands.insert("isNull".to_owned(), json!(self.rng.bool()));
                continue;
            }
            let near = if column.is_empty() { 1.0 } else { self.one_of(&column).as_f64().unwrap() };
            let operator = self.one_of(&["eq", "lt", "lte", "gt", "gte"]);
            demands.insert(operator.to_owned(), json!(near + self.one_of(&[-0.5, 0.0, 0.0, 1.0])));
        }
        demands.into()
    }

    // Values that occur in the ledger.

    /// Returns the values of a field that are not null.
    fn column(&self, noun: &str, cell: &str) -> Vec<Value> {
        let plain = |cell: &Cell| if let Cell::Plain(value) = cell { Some(value.clone()) } else { None };
        let values = self.graph.all(noun).iter().filter_map(|object| plain(object.cell(cell)));
        values.filter(|value| !value.is_null()).collect()
    }

    fn plausible(&mut self, column: &[Value]) -> Value {
        if column.is_empty() || self.rarely(10) {
            return json!(self.one_of(&["", "无此", "1", "%", "a'b\"c\\d"]));
        }
        self.one_of(column)
    }

    /// Returns up to three characters of a text that occurs.
    fn piece(&mut self, column: &[Value], from_the_beginning: bool) -> String {
        let text = self.plausible(column);
        let letters: Vec<char> = text.as_str().unwrap().chars().collect();
        let from = if from_the_beginning { 0 } else { self.rng.usize(0..=letters.len()) };
        let length = self.rng.usize(0..4);
        let piece: String = letters.into_iter().skip(from).take(length).collect();
        if self.rng.bool() { piece.to_ascii_uppercase() } else { piece }
    }

    /// Returns a global id: mostly of the given type, occasionally of another type, or malformed.
    fn id(&mut self, noun: &str) -> String {
        if self.rarely(10) {
            let odd = [
                "",
                "measure",
                "measure_",
                "measure_x",
                "measure_007",
                "problem_+1",
                "unit_999999",
                "problem_-1",
                "region_99999999999999999999",
            ];
            return self.one_of(&odd).to_owned();
        }
        let (any, _) = self.one_of(&NOUNS);
        let noun = if self.rarely(10) { any } else { noun };
        let ids = self.column(noun, "id");
        if ids.is_empty() { "none_1".to_owned() } else { self.one_of(&ids).as_str().unwrap().to_owned() }
    }

    // Literals and variables.

    /// Declares a variable with this value and returns its name.
    fn variable(&mut self, value: &Value, ty: &Type, domain: Domain) -> String {
        let name = format!("v{}", self.variables.len());
        let value = if self.rarely(6) { alone(value) } else { value.clone() };
        // A variable that is null or has a default can be omitted.
        let defaults = !value.is_null() && self.rarely(4);
        let default = defaults.then(|| self.constant(&value, ty));
        let is_given = if defaults || (value.is_null() && ty.nullable) { self.rng.bool() } else { true };
        let mut ty = ty.clone();
        if defaults {
            ty.nullable = true;
        } else if !value.is_null() && self.rarely(4) {
            ty.nullable = false;
        }
        let domain = if value.is_null() { Domain::Fixed } else { domain };
        let value = is_given.then_some(value);
        self.variables.push(Variable { name: name.clone(), ty: ty.to_string(), value, default, domain });
        format!("${name}")
    }

    /// Writes a value as a literal, occasionally with variables inside.
    fn literal(&mut self, value: &Value, ty: &Type) -> String {
        let single = if self.rarely(8) { alone(value) } else { value.clone() };
        self.written(&single, ty, true)
    }

    /// Writes a value as a literal without variables.
    fn constant(&mut self, value: &Value, ty: &Type) -> String {
        self.written(value, ty, false)
    }

    fn written(&mut self, value: &Value, ty: &Type, varies: bool) -> String {
        match (value, &ty.base) {
            (Value::Array(list), BaseType::List(inner)) => {
                let list: Vec<String> = list.iter().map(|one| self.inside(one, inner, varies)).collect();
                format!("[{}]", list.join(", "))
            }
            (_, BaseType::List(inner)) if !value.is_null() => self.written(value, inner, varies),
            (Value::Object(members), BaseType::Named(name)) => {
                let known = self.schema.inputs[name.as_str()].clone();
                let members: Vec<String> = members
                    .iter()
                    .map(|(key, value)| {
                        let ty = &known.iter().find(|member| member.name == *key).unwrap().ty;
                        format!("{key}: {}", self.inside(value, ty, varies))
                    })
                    .collect();
                format!("{{{}}}", members.join(", "))
            }
            (Value::String(code), BaseType::Named(name)) if self.schema.enums.contains_key(name.as_str()) => {
                code.clone()
            }
            _ => value.to_string(),
        }
    }

    fn inside(&mut self, value: &Value, ty: &Type, varies: bool) -> String {
        if varies && self.rarely(15) {
            return self.variable(value, ty, Domain::Fixed);
        }
        self.written(value, ty, varies)
    }
}

/// Replaces a list of one element by the element, which GraphQL coerces back to a list.
fn alone(value: &Value) -> Value {
    match value.as_array().map(Vec::as_slice) {
        Some([one]) if !one.is_null() => one.clone(),
        _ => value.clone(),
    }
}
