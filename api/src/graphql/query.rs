//! The planned fields of the query root: their descriptions, and how each of them becomes one statement.

use std::borrow::Cow;
use std::sync::LazyLock;

use async_graphql::parser::types::Field as Syntax;
use async_graphql::registry::{Deprecation, MetaField, MetaInputValue, MetaType, MetaTypeId, MetaTypeName, Registry};
use async_graphql::{
    ContainerType, Context, ContextSelectionSet, Error, ID, ObjectType, OutputType, Positioned, QueryPathSegment,
    ServerResult, Value,
};
use ledger::rule::calendar::Month;
use planner::{
    Bilingual, Condition, Connection, DEFAULT_PAGE, FieldType, Listed, MAX_PAGE, Noun, PageArguments, Planned, Root,
    Selected, Selection, Table, argument, field, object, page_arguments, page_size, register_page_arguments,
};

use crate::context::Request;
use crate::error::{Code, coded, said};
use crate::graphql::types::root_type;
use crate::noun::account::{Account, Session};
use crate::noun::accountability::Accountability;
use crate::noun::assignment::Assignment;
use crate::noun::audit::AuditEntry;
use crate::noun::case::InspectionCase;
use crate::noun::case_report::CaseReport;
use crate::noun::check::Check;
use crate::noun::close_out::{CloseOut, Objection};
use crate::noun::delegation::Delegation;
use crate::noun::evidence::Evidence;
use crate::noun::extension::DeadlineChange;
use crate::noun::import_decision::ImportDecision;
use crate::noun::mail::{Mail, MailOutage};
use crate::noun::measure::Measure;
use crate::noun::milestone::Milestone;
use crate::noun::monthly_account::MonthlyAccount;
use crate::noun::problem::Problem;
use crate::noun::progress_report::ProgressReport;
use crate::noun::public_notice::{self, PublicNotice};
use crate::noun::published_figure::PublishedFigure;
use crate::noun::region::Region;
use crate::noun::responsible_party::ResponsibleParty;
use crate::noun::round::InspectionRound;
use crate::noun::round_result::RoundResult;
use crate::noun::saved_view::SavedView;
use crate::noun::schedule::{JobRun, Schedule};
use crate::noun::search_hit::{self, SearchHit};
use crate::noun::supervision::{Comment, SupervisionAction};
use crate::noun::suppression::Suppression;
use crate::noun::unit::Unit;
use crate::noun::webhook::{Webhook, WebhookDelivery};
use crate::part::read::{self, Plan};

/// The part of the query root whose fields are planned.
#[derive(Default)]
pub(crate) struct Reads;

/// A planned root field: its signature, and what it reads.
struct Field {
    name: &'static str,
    description: &'static str,
    register: fn(&mut Registry) -> String,
    arguments: fn(&mut Registry) -> Vec<MetaInputValue>,
    read: Read,
}

/// The rows that a root field reads.
enum Read {
    /// A page of all rows of a noun.
    Many(fn() -> &'static Table, PageArguments),
    /// A page of all rows that a noun has for a month.
    OfMonth(fn() -> &'static Table, PageArguments),
    /// A page of what contains the words of the argument `text`.
    Search,
    /// The newest public notices, without pages.
    Newest,
    /// All rows of a noun, without pages.
    All(fn() -> &'static Table),
    /// The rows of a noun that have the caller's account in one of these columns, without pages.
    Own(fn() -> &'static Table, &'static [&'static str]),
    /// The row of a noun with a global id.
    One(fn() -> &'static Table),
    /// The region with a global id or a division code.
    Region,
    /// The only row of a noun that has one or none, with the key 1.
    Only(fn() -> &'static Table),
    /// The account of the caller.
    Viewer,
    /// The row with a global id, of whichever noun the id names.
    Node,
    /// The rows with several global ids, of whichever nouns the ids name.
    Nodes,
}

/// Returns the description of a root field that pages through a noun.
fn many<N: Listed + OutputType>(name: &'static str, description: &'static str) -> Field {
    Field {
        name,
        description,
        register: <Connection<N> as FieldType>::register,
        arguments: register_page_arguments::<N>,
        read: Read::Many(N::table, page_arguments::<N>()),
    }
}

/// Returns the description of a root field that looks up one object of a noun by its global id.
fn one<N: Noun + OutputType>(name: &'static str, description: &'static str) -> Field {
    Field {
        name,
        description,
        register: <Option<N> as FieldType>::register,
        arguments: |registry| vec![argument::<ID>(registry, "id", "Global id of the object.", None)],
        read: Read::One(N::table),
    }
}

/// Returns the descriptions of all planned root fields, in the order of the schema.
#[expect(clippy::too_many_lines, reason = "one list: a line or a few for each root field")]
fn fields() -> Vec<Field> {
    vec![
        many::<Region>("regions", "Regions (行政区), by default by level with the nation first, then by code."),
        Field {
            name: "region",
            description: "The region with a global id or a division code; null if it does not exist. Takes exactly one \
                          of the two arguments.",
            register: <Option<Region> as FieldType>::register,
            arguments: |registry| {
                vec![
                    argument::<Option<ID>>(registry, "id", "Global id of the region.", None),
                    argument::<Option<String>>(
                        registry,
                        "code",
                        "Division code of the region, as in GB/T 2260, such as `540329`.",
                        None,
                    ),
                ]
            },
            read: Read::Region,
        },
        many::<Unit>("units", "Units (单位) that the caller may see, by default by name."),
        one::<Unit>("unit", "The unit with a global id; null if it does not exist or the caller may not see it."),
        many::<InspectionRound>(
            "inspectionRounds",
            "Inspection rounds (督察轮次) that the caller may see, by default the oldest entry first.",
        ),
        one::<InspectionRound>(
            "inspectionRound",
            "The inspection round with a global id; null if it does not exist or the caller may not see it.",
        ),
        many::<Problem>(
            "problems",
            "Problems (反馈问题) that the caller may see, by default in the order of their ledgers.",
        ),
        one::<Problem>(
            "problem",
            "The problem with a global id; null if it does not exist or the caller may not see it.",
        ),
        many::<Measure>(
            "measures",
            "Measures (整改措施) that the caller may see, by default in the order of their ledgers.",
        ),
        one::<Measure>(
            "measure",
            "The measure with a global id; null if it does not exist or the caller may not see it.",
        ),
        many::<Assignment>(
            "assignments",
            "Assignments (责任分解) that the caller may see, by default the oldest entry first.",
        ),
        one::<Assignment>(
            "assignment",
            "The assignment with a global id; null if it does not exist or the caller may not see it.",
        ),
        many::<Milestone>(
            "milestones",
            "Dated steps of deadlines (分步时限) of problems and measures that the caller may see, by default by date.",
        ),
        many::<ProgressReport>(
            "progressReports",
            "Progress reports (整改进展) that the caller may see, by default the newest first.",
        ),
        many::<Check>(
            "checks",
            "Recorded checks (自查、核查、抽查) that the caller may see, by default by the end of their period.",
        ),
        many::<CloseOut>("closeOuts", "Close-out cycles (销号) that the caller may see, by default the newest first."),
        many::<Evidence>("evidence", "Evidence files (佐证材料) that the caller may see, by default the newest first."),
        many::<DeadlineChange>(
            "deadlineChanges",
            "Deadline changes (延期), requested or made, that the caller may see, by default the oldest first.",
        ),
        many::<SupervisionAction>(
            "supervisionActions",
            "Acts of supervision (催办、督办、挂牌督办、约谈) that the caller may see, by default the newest first.",
        ),
        many::<InspectionCase>(
            "inspectionCases",
            "Complaint cases (交办案件) that the caller may see, by default by due date, the earliest first.",
        ),
        one::<InspectionCase>(
            "inspectionCase",
            "The complaint case with a global id; null if it does not exist or the caller may not see it.",
        ),
        Field {
            name: "monthlyAccounts",
            description: "Accounts of a month (月账) of the units that owe one, as far as the caller may see their \
                          assignments; by default those that miss most first.",
            register: <Connection<MonthlyAccount> as FieldType>::register,
            arguments: |registry| {
                let about = "Month such as `2023-04`, which must have begun; the current month if it is left out.";
                let month = argument::<Option<String>>(registry, "month", about, None);
                std::iter::once(month).chain(register_page_arguments::<MonthlyAccount>(registry)).collect()
            },
            read: Read::OfMonth(<MonthlyAccount as Noun>::table, page_arguments::<MonthlyAccount>()),
        },
        Field {
            name: "search",
            description: "Everything that contains all words of a text and that the caller may see: problems, \
                          measures, complaint cases and their steps, rounds, units, comments and progress reports. \
                          Case, width, and traditional or simplified characters make no difference. Hits in names and \
                          titles come first.",
            register: <Connection<SearchHit> as FieldType>::register,
            arguments: |registry| {
                let about = "Words separated by spaces, at least one.";
                let text = argument::<String>(registry, "text", about, None);
                std::iter::once(text).chain(register_page_arguments::<SearchHit>(registry)).collect()
            },
            read: Read::Search,
        },
        many::<Accountability>(
            "accountabilities",
            "Numbers of people held to account (责任追究), by default the newest decision first. No person is named.",
        ),
        many::<RoundResult>(
            "roundResults",
            "Results of inspection rounds (督察成果), such as plants closed or fines, by default the newest first.",
        ),
        many::<PublishedFigure>(
            "publishedFigures",
            "Numbers that published reports state about inspection rounds (公布数), by default the newest first.",
        ),
        many::<ImportDecision>(
            "importDecisions",
            "Remembered decisions about imports (导入读法) that the caller may see, by default the newest first.",
        ),
        many::<AuditEntry>("auditEntries", "Audit entries that the caller may see, by default the newest first."),
        Field {
            name: "schedules",
            description: "Schedules of all background jobs, by name; empty for callers other than administrators.",
            register: <Vec<Schedule> as FieldType>::register,
            arguments: |_| Vec::new(),
            read: Read::All(crate::noun::schedule::table),
        },
        many::<Mail>(
            "mails",
            "Mails of the outbox, by default the oldest first; for callers other than administrators, those to their \
             own address or an address of their unit.",
        ),
        many::<Suppression>(
            "suppressions",
            "Addresses to which no mail is sent, by default the newest first; empty for callers other than \
             administrators.",
        ),
        Field {
            name: "mailOutage",
            description: "The outage of the mail server, during which no mail is sent; null while it takes mails, and \
                          for callers other than administrators.",
            register: <Option<MailOutage> as FieldType>::register,
            arguments: |_| Vec::new(),
            read: Read::Only(crate::noun::mail::outage),
        },
        many::<Webhook>(
            "webhooks",
            "Receivers of messages to other systems (接口推送), by default by name; empty for callers other than \
             administrators.",
        ),
        many::<WebhookDelivery>(
            "webhookDeliveries",
            "Messages to other systems, by default the newest first; empty for callers other than administrators.",
        ),
        Field {
            name: "viewer",
            description: "Account of the caller; null for the local administrator of an open installation.",
            register: <Option<Account> as FieldType>::register,
            arguments: |_| Vec::new(),
            read: Read::Viewer,
        },
        many::<Account>("accounts", "Accounts that the caller may see, by default the oldest first."),
        one::<Account>(
            "account",
            "The account with a global id; null if it does not exist or the caller may not see it.",
        ),
        many::<Session>(
            "sessions",
            "Sessions and tokens of the caller, or, for administrators, of all accounts; by default the newest first.",
        ),
        Field {
            name: "myDelegations",
            description: "Delegations that the caller's account has made or received, the newest first; empty for a \
                          caller without an account.",
            register: <Vec<Delegation> as FieldType>::register,
            arguments: |_| Vec::new(),
            read: Read::Own(<Delegation as Noun>::table, &["account_id", "delegate_id"]),
        },
        Field {
            name: "savedViews",
            description: "Views of lists that the caller has saved (我的视图), by name; empty for a caller without an \
                          account, and for delegates.",
            register: <Vec<SavedView> as FieldType>::register,
            arguments: |_| Vec::new(),
            read: Read::Own(<SavedView as Noun>::table, &["account_id"]),
        },
        many::<PublicNotice>(
            "notices",
            "Close-out notices that were made public (公示), by default the newest first. Works without sign-in.",
        ),
        Field {
            name: "publicNotices",
            description: "Lists the close-out notices that were made public, newest first. Works without sign-in.",
            register: <Vec<PublicNotice> as FieldType>::register,
            arguments: |registry| {
                let first = "Number of notices to return, 0 to 200.";
                let after = "Return only notices that follow the one with this id.";
                vec![
                    argument::<i32>(registry, "first", first, Some("50")),
                    argument::<Option<ID>>(registry, "after", after, None),
                ]
            },
            read: Read::Newest,
        },
        Field {
            name: "node",
            description: "The object with a global id, of any type; null if it does not exist or the caller may not \
                          see it.",
            register: |registry| {
                register_node(registry);
                "Node".to_owned()
            },
            arguments: |registry| vec![argument::<ID>(registry, "id", "Global id of the object.", None)],
            read: Read::Node,
        },
        Field {
            name: "nodes",
            description: "The objects with several global ids, of any types, in the order of the ids; null in place of \
                          one that does not exist or that the caller may not see.",
            register: |registry| {
                register_node(registry);
                "[Node]!".to_owned()
            },
            arguments: |registry| {
                vec![argument::<Vec<ID>>(registry, "ids", "Global ids of the objects, at most 200.", None)]
            },
            read: Read::Nodes,
        },
    ]
}

/// The planned root fields that others have replaced, with the reason that the schema gives.
const DEPRECATED: &[(&str, &str)] =
    &[("publicNotices", "Use `notices`, which has pages, a total, a filter and an order.")];

/// Returns a planned root field for the schema.
fn described(root: &Field, registry: &mut Registry) -> MetaField {
    let ty = (root.register)(registry);
    let arguments = (root.arguments)(registry);
    let described = field(root.name, root.description, ty, arguments);
    match DEPRECATED.iter().find(|(name, _)| *name == root.name) {
        Some((_, reason)) => {
            MetaField { deprecation: Deprecation::Deprecated { reason: Some((*reason).to_owned()) }, ..described }
        }
        None => described,
    }
}

/// The tables of all nouns that have a global id.
const NODES: &[fn() -> &'static Table] = &[
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
    <Delegation as Noun>::table,
    <CloseOut as Noun>::table,
    <Objection as Noun>::table,
    <Evidence as Noun>::table,
    <DeadlineChange as Noun>::table,
    <SupervisionAction as Noun>::table,
    <Comment as Noun>::table,
    <InspectionCase as Noun>::table,
    <CaseReport as Noun>::table,
    <Accountability as Noun>::table,
    <RoundResult as Noun>::table,
    <PublishedFigure as Noun>::table,
    <ImportDecision as Noun>::table,
    <AuditEntry as Noun>::table,
    <Mail as Noun>::table,
    <Suppression as Noun>::table,
    <Webhook as Noun>::table,
    <WebhookDelivery as Noun>::table,
    <SavedView as Noun>::table,
    <Schedule as Noun>::table,
    <JobRun as Noun>::table,
];

/// The interface of all objects that have a global id. Only a marker: the fields are planned on the noun itself.
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

/// Registers the interface `Node` with all types that implement it.
fn register_node(registry: &mut Registry) {
    registry.create_output_type::<Node, _>(MetaTypeId::Interface, |registry| {
        let id: MetaField = field(
            "id",
            "Global id of the object: opaque and permanent.",
            <ID as FieldType>::register(registry),
            Vec::new(),
        );
        MetaType::Interface {
            name: "Node".to_owned(),
            description: Some("An object with a global id, which `node` and `nodes` look up.".to_owned()),
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
        object::<Self>(registry, "The planned fields of the query root.", None, |registry| {
            fields().iter().map(|root| described(root, registry)).collect()
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
        // async-graphql resolves each occurrence of a field in the document and keeps the first value for a response
        // key, so each occurrence is answered with the merged selection of all that share its key.
        let env = &ctx.query_env;
        let roots = Selection::roots(&env.operation.node.selection_set.node, &env.fragments);
        let Some(root) = merged(ctx, &roots) else { return Ok(None) };
        match read_field(ctx, &root).await {
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

/// Returns the merged selection of the current field, a root field or one below the `query` of a payload.
fn merged<'a>(ctx: &'a Context<'_>, roots: &'a [Selection]) -> Option<Selected<'a>> {
    let steps = std::iter::successors(ctx.path_node.as_ref(), |node| node.parent);
    let keys: Vec<&str> = steps
        .filter_map(|node| match node.segment {
            QueryPathSegment::Name(key) => Some(key),
            QueryPathSegment::Index(_) => None,
        })
        .collect();
    let (own, around) = keys.split_first()?;
    let mut owner = root_type(ctx.query_env.operation.node.ty);
    let mut fields = Selection::with_all(roots, owner, &ctx.query_env.variables);
    for key in around.iter().rev() {
        let outer = fields.into_iter().find(|field| field.key() == *key)?;
        let ty = &ctx.schema_env.registry.types.get(owner)?.field_by_name(outer.name())?.ty;
        owner = MetaTypeName::concrete_typename(ty);
        fields = outer.children(owner);
    }
    fields.into_iter().find(|field| field.key() == *own)
}

/// Returns whether the current field is nullable: if it fails, it becomes null itself instead of its parent object.
fn is_nullable(ctx: &Context<'_>) -> bool {
    let query = ctx.schema_env.registry.types.get("Query");
    let field = query.and_then(|query| query.field_by_name(&ctx.item.node.name.node));
    field.is_some_and(|field| !field.ty.ends_with('!'))
}

/// Plans and reads a root field, and returns its value for the response.
async fn read_field(ctx: &Context<'_>, root: &Selected<'_>) -> Result<Value, Error> {
    let request = ctx.data::<Request>()?;
    let json = plan(root, request)?.run(request).await?;
    Ok(Planned::<Value>::new(json).into_value())
}

static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(fields);

/// Returns whether a field of the query root is planned in this module.
pub(crate) fn is_planned(name: &str) -> bool {
    name == "__typename" || FIELDS.iter().any(|field| field.name == name)
}

/// Plans a root field. Fails with `BAD_USER_INPUT` if its arguments are invalid; an id that names no row becomes the
/// constant `null`.
pub(crate) fn plan(root: &Selected<'_>, request: &Request) -> Result<Plan, Error> {
    let Some(field) = FIELDS.iter().find(|field| field.name == root.name()) else {
        return Ok(Plan::Constant("\"Query\""));
    };
    let id = |name: &str| match root.argument(name) {
        Some(Value::String(id)) => Some(id),
        _ => None,
    };
    let found = match &field.read {
        Read::OfMonth(table, arguments) => {
            let month = match root.argument("month") {
                Some(Value::String(text)) => {
                    Month::begun(&text, request.today()).map_err(|fault| coded(Code::BadUserInput, fault.message))?
                }
                _ => Month::of(request.today()),
            };
            let statement = read::statement_of(month, Root::Many(table(), *arguments), root, request);
            return statement.map(Plan::Statement);
        }
        Read::Search => {
            let text = id("text").unwrap_or_default();
            let (condition, word) = search_hit::searched(&text)?;
            let found = Root::Found(<SearchHit as Noun>::table(), page_arguments::<SearchHit>(), condition);
            let facts = [("search", word.into()), ("searched", text.into())];
            return read::statement_with(facts, found, root, request).map(Plan::Statement);
        }
        Read::Newest => {
            let most = match root.argument("first") {
                Some(Value::Number(first)) => {
                    page_size("first", &first).map_err(|refusal| coded(Code::BadUserInput, refusal.0))?
                }
                _ => DEFAULT_PAGE,
            };
            let (rows, facts) = public_notice::page(most, id("after").as_deref())?;
            return read::statement_with(facts, rows, root, request).map(Plan::Statement);
        }
        Read::Many(table, arguments) => Some(Root::Many(table(), *arguments)),
        Read::All(table) => Some(Root::List(table())),
        Read::Own(table, columns) => {
            let own = request.principal().account;
            let is_own = |&column: &&'static str| own.map(|own| Condition::Compare(column, "=", own.into()));
            Some(Root::Where(table(), Condition::Any(columns.iter().filter_map(is_own).collect())))
        }
        Read::One(table) => id("id").and_then(|id| table().key(&id)).map(|key| Root::One(table(), "id", key)),
        Read::Only(table) => Some(Root::One(table(), "id", 1_i64.into())),
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
                    format!("`ids` has more than {MAX_PAGE} entries: split the request"),
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

/// Returns the table of the noun that a global id names and the key in the id, or `None` if it names no noun.
fn of_id(id: &str) -> Option<(&'static Table, sea_orm::Value)> {
    NODES.iter().map(|table| table()).find_map(|table| Some((table, table.key(id)?)))
}

/// Checks whether a field of a payload, of the type `ty`, can be read with this selection, and returns why not. Types
/// that are neither nouns nor the query root always pass.
pub(crate) fn check(ty: &str, selection: &Selected<'_>, request: &Request) -> Result<(), Bilingual> {
    if ty == "Query" {
        return selection.children(ty).iter().try_for_each(|root| check_root(root, request));
    }
    let Some(table) = NODES.iter().map(|table| table()).find(|table| table.name == ty) else { return Ok(()) };
    // The key is not known yet, so the row is not read as the only one whose lists the cursors may belong to.
    read::planned(Root::Several(vec![Some((table, 0_i64.into()))]), selection, request)
        .map(drop)
        .map_err(|refusal| refusal.0)
}

/// Checks whether a field of the query root can be read in a payload, and returns why not. What is not planned always
/// passes, but for introspection, which the library has at the root only.
fn check_root(root: &Selected<'_>, request: &Request) -> Result<(), Bilingual> {
    if matches!(root.name(), "__schema" | "__type") {
        let zh = "变更的 query 中不能查询接口定义，请另发查询";
        return Err(Bilingual::new(zh, "`query` of a payload has no introspection: send a query of its own"));
    }
    if !is_planned(root.name()) {
        return Ok(());
    }
    plan(root, request).map(drop).map_err(|error| said(&error))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use planner::{Kind, Link};
    use sea_orm::{ConnectionTrait, Database};

    use super::*;

    /// Adds the columns that a noun and what it links to name, each with the table that it must be in.
    fn columns(
        table: &'static Table,
        within: &str,
        found: &mut BTreeSet<(String, String)>,
        seen: &mut BTreeSet<&'static str>,
    ) {
        let source = if within.is_empty() { table.source } else { within };
        // A subquery names its columns itself; statements over it are covered by stories.
        let is_table = !source.starts_with('(');
        let mut add = |source: &str, column: &str| {
            found.insert((source.to_owned(), column.to_owned()));
        };
        for field in &table.fields {
            match &field.kind {
                Kind::Id if is_table => add(source, "id"),
                Kind::Column(column) | Kind::Boolean(column) if is_table => add(source, column),
                Kind::One(_, column) if is_table => add(source, column),
                Kind::First(of, link) | Kind::List(of, link) | Kind::Many(of, link, _) => {
                    if let Link::Column(column) | Link::Part(column) = link
                        && !of().source.starts_with('(')
                    {
                        add(of().source, column);
                    }
                }
                _ => {}
            }
        }
        for field in &table.fields {
            match &field.kind {
                Kind::Embedded(of) if is_table => columns(of(), source, found, seen),
                Kind::One(of, _) | Kind::First(of, _) | Kind::List(of, _) | Kind::Many(of, ..)
                    if seen.insert(of().name) =>
                {
                    columns(of(), "", found, seen);
                }
                _ => {}
            }
        }
    }

    #[tokio::test]
    async fn the_columns_that_nouns_name_are_in_the_tables() {
        let db = Database::connect("sqlite::memory:").await.unwrap();
        migration::up(&db).await.unwrap();
        let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::new());
        for table in NODES.iter().map(|table| table()).chain([<crate::noun::change::LedgerChange as Noun>::table()]) {
            seen.insert(table.name);
            columns(table, "", &mut found, &mut seen);
        }
        assert!(found.len() > 200, "{}", found.len());
        let mut missing = Vec::new();
        for (source, column) in &found {
            // A source is SQL: a name that is a keyword is quoted there.
            if db.execute_unprepared(&format!("SELECT t.{column} FROM {source} t LIMIT 0")).await.is_err() {
                missing.push(format!("{source}.{column}"));
            }
        }
        assert_eq!(missing, Vec::<String>::new());
    }
}
