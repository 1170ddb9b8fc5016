//! The root of reads: which fields there are, and how each becomes one planned statement.

use std::borrow::Cow;
use std::sync::LazyLock;

use async_graphql::parser::types::Field as Syntax;
use async_graphql::registry::{MetaField, MetaInputValue, MetaType, MetaTypeId, Registry};
use async_graphql::{
    ContainerType, Context, ContextSelectionSet, Error, ID, ObjectType, OutputType, Positioned, ServerResult, Value,
};
use planner::{
    Bilingual, Connection, FieldType, Listed, MAX_PAGE, Noun, PageArguments, Planned, Root, Selected, Selection, Table,
    argument, field, object, page_arguments, register_page_arguments,
};

use crate::context::Request;
use crate::error::{Code, coded};
use crate::noun::account::{Account, Session};
use crate::noun::accountability::Accountability;
use crate::noun::assignment::Assignment;
use crate::noun::audit::AuditEntry;
use crate::noun::case::InspectionCase;
use crate::noun::case_report::CaseReport;
use crate::noun::check::Check;
use crate::noun::close_out::{CloseOut, Objection};
use crate::noun::evidence::Evidence;
use crate::noun::extension::DeadlineChange;
use crate::noun::mail::Mail;
use crate::noun::measure::Measure;
use crate::noun::problem::Problem;
use crate::noun::progress_report::ProgressReport;
use crate::noun::region::Region;
use crate::noun::responsible_party::ResponsibleParty;
use crate::noun::round::InspectionRound;
use crate::noun::schedule::{JobRun, Schedule};
use crate::noun::supervision::{Comment, SupervisionAction};
use crate::noun::unit::Unit;
use crate::part::read::{self, Plan};

/// The planned part of the query root.
#[derive(Default)]
pub(crate) struct Reads;

/// A root field.
struct Field {
    name: &'static str,
    description: &'static str,
    register: fn(&mut Registry) -> String,
    arguments: fn(&mut Registry) -> Vec<MetaInputValue>,
    read: Read,
}

/// What a root field reads.
enum Read {
    /// A page of all rows.
    Many(fn() -> &'static Table, PageArguments),
    /// All rows.
    All(fn() -> &'static Table),
    /// The row of a global id.
    One(fn() -> &'static Table),
    /// The region of a global id or a code.
    Region,
    /// The account that asks.
    Viewer,
    /// The row of any noun's global id.
    Node,
    /// The rows of global ids of any nouns.
    Nodes,
}

fn many<N: Listed + OutputType>(name: &'static str, description: &'static str) -> Field {
    Field {
        name,
        description,
        register: <Connection<N> as FieldType>::register,
        arguments: register_page_arguments::<N>,
        read: Read::Many(N::table, page_arguments::<N>()),
    }
}

fn one<N: Noun + OutputType>(name: &'static str, description: &'static str) -> Field {
    Field {
        name,
        description,
        register: <Option<N> as FieldType>::register,
        arguments: |registry| vec![argument::<ID>(registry, "id", "The global id.", None)],
        read: Read::One(N::table),
    }
}

fn fields() -> Vec<Field> {
    vec![
        many::<Region>("regions", "Administrative divisions, the nation first."),
        Field {
            name: "region",
            description: "The division of a global id or a code of GB/T 2260; null when there is none.",
            register: <Option<Region> as FieldType>::register,
            arguments: |registry| {
                vec![
                    argument::<Option<ID>>(registry, "id", "The global id.", None),
                    argument::<Option<String>>(registry, "code", "The code: `540329`.", None),
                ]
            },
            read: Read::Region,
        },
        many::<Unit>("units", "Units, by name."),
        one::<Unit>("unit", "The unit of a global id; null when there is none."),
        many::<InspectionRound>("inspectionRounds", "Inspection rounds, the oldest first."),
        one::<InspectionRound>("inspectionRound", "The round of a global id; null when there is none."),
        many::<Problem>("problems", "Problems, in the order of their ledgers unless asked for otherwise."),
        one::<Problem>("problem", "The problem of a global id; null when there is none."),
        many::<Measure>("measures", "Measures, in the order of their ledgers unless asked for otherwise."),
        one::<Measure>("measure", "The measure of a global id; null when there is none."),
        many::<Assignment>("assignments", "Assignments, the oldest first."),
        one::<Assignment>("assignment", "The assignment of a global id; null when there is none."),
        many::<ProgressReport>("progressReports", "Progress reports, the newest first."),
        many::<Check>("checks", "Checks that were made, by the end of their period."),
        many::<CloseOut>("closeOuts", "Close-out cycles, the newest first."),
        many::<Evidence>("evidence", "Evidence, the newest first."),
        many::<DeadlineChange>("deadlineChanges", "Requests for a later deadline, the oldest first."),
        many::<SupervisionAction>("supervisionActions", "Supervision, the newest first."),
        many::<InspectionCase>("inspectionCases", "Complaint cases, those that are due first."),
        one::<InspectionCase>("inspectionCase", "The complaint case of a global id; null when there is none."),
        many::<Accountability>("accountabilities", "Who was held to account, by numbers, the newest decisions first."),
        many::<AuditEntry>("auditEntries", "What was done, the newest first."),
        Field {
            name: "schedules",
            description: "When each job is due, by name.",
            register: <Vec<Schedule> as FieldType>::register,
            arguments: |_| Vec::new(),
            read: Read::All(crate::noun::schedule::table),
        },
        many::<Mail>("mails", "The outbox, the oldest first."),
        Field {
            name: "viewer",
            description: "The account that asks; null for the local administrator of an open installation.",
            register: <Option<Account> as FieldType>::register,
            arguments: |_| Vec::new(),
            read: Read::Viewer,
        },
        many::<Account>("accounts", "Accounts, the oldest first."),
        one::<Account>("account", "The account of a global id; null when there is none."),
        many::<Session>(
            "sessions",
            "Sessions and tokens, the newest first: one's own, and for administrators everybody's.",
        ),
        Field {
            name: "node",
            description: "The object of a global id, of whatever type; null when there is none.",
            register: |registry| {
                register_node(registry);
                "Node".to_owned()
            },
            arguments: |registry| vec![argument::<ID>(registry, "id", "The global id.", None)],
            read: Read::Node,
        },
        Field {
            name: "nodes",
            description: "The objects of global ids, of whatever type, in the order of the ids; null where there is none.",
            register: |registry| {
                register_node(registry);
                "[Node]!".to_owned()
            },
            arguments: |registry| vec![argument::<Vec<ID>>(registry, "ids", "The global ids, 200 at most.", None)],
            read: Read::Nodes,
        },
    ]
}

/// Every noun that has a global id.
const NODES: [fn() -> &'static Table; 24] = [
    <Region as Noun>::table,
    <Unit as Noun>::table,
    <InspectionRound as Noun>::table,
    <Problem as Noun>::table,
    <Measure as Noun>::table,
    <ResponsibleParty as Noun>::table,
    <Assignment as Noun>::table,
    <ProgressReport as Noun>::table,
    <Check as Noun>::table,
    <Account as Noun>::table,
    <Session as Noun>::table,
    <CloseOut as Noun>::table,
    <Objection as Noun>::table,
    <Evidence as Noun>::table,
    <DeadlineChange as Noun>::table,
    <SupervisionAction as Noun>::table,
    <Comment as Noun>::table,
    <InspectionCase as Noun>::table,
    <CaseReport as Noun>::table,
    <Accountability as Noun>::table,
    <AuditEntry as Noun>::table,
    <Mail as Noun>::table,
    <Schedule as Noun>::table,
    <JobRun as Noun>::table,
];

/// The interface of everything with a global id; a marker, as its fields are planned on the noun itself.
enum Node {}

impl OutputType for Node {
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed("Node")
    }

    fn create_type_info(registry: &mut Registry) -> String {
        register_node(registry);
        Self::qualified_type_name()
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Syntax>) -> ServerResult<Value> {
        match *self {}
    }
}

fn register_node(registry: &mut Registry) {
    registry.create_output_type::<Node, _>(MetaTypeId::Interface, |registry| {
        let id: MetaField = field("id", "The global id.", <ID as FieldType>::register(registry), Vec::new());
        MetaType::Interface {
            name: "Node".to_owned(),
            description: Some("Anything with a global id.".to_owned()),
            fields: [("id".to_owned(), id)].into_iter().collect(),
            possible_types: NODES.iter().map(|table| table().name.to_owned()).collect(),
            extends: false,
            inaccessible: false,
            tags: Vec::new(),
            keys: None,
            visible: None,
            rust_typename: Some(std::any::type_name::<Node>()),
            directive_invocations: Vec::new(),
            requires_scopes: Vec::new(),
        }
    });
}

impl OutputType for Reads {
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed("Reads")
    }

    fn create_type_info(registry: &mut Registry) -> String {
        object::<Self>(registry, "Where reading begins.", None, |registry| {
            fields()
                .iter()
                .map(|root| {
                    let ty = (root.register)(registry);
                    let arguments = (root.arguments)(registry);
                    field(root.name, root.description, ty, arguments)
                })
                .collect()
        })
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Syntax>) -> ServerResult<Value> {
        Ok(Value::Null)
    }
}

impl ObjectType for Reads {}

impl ContainerType for Reads {
    async fn resolve_field(&self, ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        if !FIELDS.iter().any(|field| field.name == ctx.item.node.name.node.as_str()) {
            return Ok(None);
        }
        // The library asks for each place of the document, and keeps the first answer of those with one response key.
        let env = &ctx.query_env;
        let roots = Selection::roots(&env.operation.node.selection_set.node, &env.fragments);
        let key = ctx.item.node.response_key().node.as_str();
        let merged = Selection::with_all(&roots, "Query", &env.variables);
        let Some(root) = merged.iter().find(|root| root.key() == key) else { return Ok(None) };
        match read_field(ctx, root).await {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                let error = read::placed(ctx, error);
                if !is_nullable(ctx) {
                    return Err(error);
                }
                ctx.add_error(error);
                Ok(Some(Value::Null))
            }
        }
    }
}

/// Whether the field at hand is null where it fails, rather than the object that it is a field of.
fn is_nullable(ctx: &Context<'_>) -> bool {
    let query = ctx.schema_env.registry.types.get("Query");
    let field = query.and_then(|query| query.field_by_name(&ctx.item.node.name.node));
    field.is_some_and(|field| !field.ty.ends_with('!'))
}

async fn read_field(ctx: &Context<'_>, root: &Selected<'_>) -> Result<Value, Error> {
    let request = ctx.data::<Request>()?;
    let json = plan(root, request)?.run(request).await?;
    Ok(Planned::<Value>::new(json).into_value())
}

static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(fields);

/// Whether a field of the query root is planned here.
pub(crate) fn is_planned(name: &str) -> bool {
    name == "__typename" || FIELDS.iter().any(|field| field.name == name)
}

/// Plans a root field.
pub(crate) fn plan(root: &Selected<'_>, request: &Request) -> Result<Plan, Error> {
    let Some(field) = FIELDS.iter().find(|field| field.name == root.name()) else {
        return Ok(Plan::Constant("\"Query\""));
    };
    let id = |name: &str| match root.argument(name) {
        Some(Value::String(id)) => Some(id),
        _ => None,
    };
    let found = match &field.read {
        Read::Many(table, arguments) => Some(Root::Many(table(), *arguments)),
        Read::All(table) => Some(Root::List(table())),
        Read::One(table) => id("id").and_then(|id| table().key(&id)).map(|key| Root::One(table(), "id", key)),
        Read::Viewer => {
            let own = request.principal().account;
            own.map(|account| Root::One(<Account as Noun>::table(), "id", account.into()))
        }
        Read::Node => id("id").and_then(|id| of_id(&id)).map(|(table, key)| Root::One(table, "id", key)),
        Read::Nodes => {
            let ids = match root.argument("ids") {
                Some(Value::List(ids)) => ids,
                one => one.into_iter().collect(),
            };
            if ids.len() as u64 > MAX_PAGE {
                let message = Bilingual::new(
                    format!("`ids` 最多 {MAX_PAGE} 个"),
                    format!("`ids` has more than {MAX_PAGE} entries: ask in parts"),
                );
                return Err(coded(Code::BadUserInput, message));
            }
            let row = |id: &Value| if let Value::String(id) = id { of_id(id) } else { None };
            Some(Root::Several(ids.iter().map(row).collect()))
        }
        Read::Region => {
            let table = <Region as Noun>::table();
            match (id("id"), id("code")) {
                (Some(id), None) => table.key(&id).map(|key| Root::One(table, "id", key)),
                (None, Some(code)) => Some(Root::One(table, "code", code.into())),
                _ => {
                    let message = Bilingual::new("给出 id 或 code 其中之一", "give either `id` or `code`");
                    return Err(coded(Code::BadUserInput, message));
                }
            }
        }
    };
    let Some(found) = found else { return Ok(Plan::Constant("null")) };
    read::statement(found, root, request).map(Plan::Statement)
}

/// The noun of a global id, and the key in it.
fn of_id(id: &str) -> Option<(&'static Table, sea_orm::Value)> {
    NODES.iter().map(|table| table()).find_map(|table| Some((table, table.key(id)?)))
}

/// Whether a row of a noun, if the type is one, can be read as the caller asks for it; why not.
pub(crate) fn check(ty: &str, selection: &Selected<'_>, request: &Request) -> Result<(), Bilingual> {
    let Some(table) = NODES.iter().map(|table| table()).find(|table| table.name == ty) else { return Ok(()) };
    read::planned(Root::One(table, "id", 0_i64.into()), selection, request).map(drop).map_err(|refusal| refusal.0)
}
