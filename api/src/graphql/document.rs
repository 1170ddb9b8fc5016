//! Known documents: each is parsed, measured and validated once, and then kept in a cache of bounded size. A known
//! document whose query the planner supports is executed without the library.

use std::collections::HashSet;
use std::sync::Arc;

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, InlineFragment, OperationDefinition, OperationType, Selection as Syntax,
    SelectionSet, Type,
};
use async_graphql::{Name, Pos, Positioned, Value, Variables};
use async_graphql_value::Value as Syntactic;
use planner::{Lane, Selection};
use quick_cache::sync::Cache;

use crate::context::Limits;
use crate::error::{Code, Refused};
use crate::graphql::limits::{cost, load};
use crate::graphql::literal;
use crate::graphql::params::Params;
use crate::graphql::query;
use crate::graphql::types::{Misfit, Types, root_type};

/// A document with the requested operation.
pub(crate) struct Document {
    pub(crate) parsed: ExecutableDocument,
    /// None if no operation has the requested name, or if there are several and none is requested. The library then
    /// reports the error.
    pub(crate) operation: Option<Operation>,
}

/// One operation of a document.
pub(crate) struct Operation {
    pub(crate) kind: OperationType,
    pub(crate) name: Option<String>,
    variables: Vec<Variable>,
    pub(crate) roots: Vec<Selection>,
    /// Whether the planner can execute the operation without the library.
    pub(crate) is_planned: bool,
    /// The name of its root type.
    pub(crate) root: &'static str,
    /// Its cost, counting a full page wherever a variable gives the size of a page.
    most: u64,
}

struct Variable {
    name: Name,
    ty: Type,
    default: Option<Value>,
    /// The position of its declaration in the document.
    position: Pos,
}

/// Moves the directives of each `__typename` to an inline fragment around it. The library does not check directives of
/// that field: neither whether they exist nor which variables they use.
pub(crate) fn frame(document: &mut ExecutableDocument) {
    for operation in operations(&mut document.operations) {
        framed(&mut operation.selection_set.node);
    }
    for fragment in document.fragments.values_mut() {
        framed(&mut fragment.node.selection_set.node);
    }
}

fn operations(operations: &mut DocumentOperations) -> Vec<&mut OperationDefinition> {
    match operations {
        DocumentOperations::Single(one) => vec![&mut one.node],
        DocumentOperations::Multiple(all) => all.values_mut().map(|one| &mut one.node).collect(),
    }
}

fn framed(set: &mut SelectionSet) {
    for item in &mut set.items {
        let at = item.pos;
        match &mut item.node {
            Syntax::Field(field) if field.node.name.node == "__typename" && !field.node.directives.is_empty() => {
                let directives = std::mem::take(&mut field.node.directives);
                let items = vec![Positioned::new(Syntax::Field(field.clone()), at)];
                let selection_set = Positioned::new(SelectionSet { items }, at);
                let fragment = InlineFragment { type_condition: None, directives, selection_set };
                item.node = Syntax::InlineFragment(Positioned::new(fragment, at));
            }
            Syntax::Field(field) => framed(&mut field.node.selection_set.node),
            Syntax::InlineFragment(inline) => framed(&mut inline.node.selection_set.node),
            Syntax::FragmentSpread(_) => {}
        }
    }
}

impl Document {
    /// Reads a parsed document that is within the limits. `name` is the requested operation.
    pub(crate) fn read(parsed: ExecutableDocument, name: Option<&str>, types: &Types) -> Self {
        let mut named = parsed.operations.iter();
        let found = match name {
            Some(name) => named.find(|(known, _)| known.map(Name::as_str) == Some(name)),
            None => named.next().filter(|_| named.next().is_none()),
        };
        let operation = found.map(|(name, found)| {
            let roots = Selection::roots(&found.node.selection_set.node, &parsed.fragments);
            let root = root_type(found.node.ty);
            let variables = found.node.variable_definitions.iter().map(|given| Variable {
                name: given.node.name.node.clone(),
                ty: given.node.var_type.node.clone(),
                default: given.node.default_value.as_ref().map(|default| default.node.clone()),
                position: given.pos,
            });
            Operation {
                kind: found.node.ty,
                name: name.map(ToString::to_string),
                variables: variables.collect(),
                is_planned: found.node.ty == OperationType::Query
                    && roots.iter().all(|root| query::is_planned(root.name())),
                root,
                most: cost(types, root, &roots, None),
                roots,
            }
        });
        Self { parsed, operation }
    }
}

impl Document {
    /// Refuses a subscription with more than one root field (GraphQL specification, 5.2.3.1), which the library does
    /// not check.
    pub(crate) fn check_subscription(&self) -> Result<(), Refused> {
        let watched = self.operation.iter().filter(|operation| operation.kind == OperationType::Subscription);
        let keys: HashSet<&str> = watched.flat_map(|operation| &operation.roots).map(Selection::key).collect();
        if keys.len() > 1 {
            let (zh, en) = ("一个订阅只能有一个根字段", "a subscription must have exactly one root field");
            return Err(Refused::new(Code::ValidationFailed, zh, en));
        }
        Ok(())
    }

    /// Refuses a mutation that selects a root field twice under one response key. By the specification it is carried
    /// out once, for all its selections; the library would carry it out for each of them.
    pub(crate) fn check_mutation(&self) -> Result<(), Refused> {
        let mut keys = HashSet::new();
        let acts = self.operation.iter().filter(|operation| operation.kind == OperationType::Mutation);
        let mut roots = acts.flat_map(|operation| &operation.roots).filter(|root| root.name() != "__typename");
        match roots.find(|root| !keys.insert(root.key())) {
            None => Ok(()),
            Some(root) => {
                let key = root.key();
                let zh = format!("变更 {key} 在文档中选取了两次，请合为一处，或用别名区分");
                let en = format!("the document selects the mutation {key} twice: do so once, or give one an alias");
                Err(Refused::new(Code::ValidationFailed, zh, en))
            }
        }
    }

    /// Returns the document without the arguments whose variables are not given, so that the defaults of the arguments
    /// apply. The library would use null for them.
    pub(crate) fn given(&self, variables: &Variables) -> ExecutableDocument {
        let mut document = self.parsed.clone();
        let declared = self.operation.iter().flat_map(|operation| &operation.variables);
        let missing: HashSet<&Name> =
            declared.map(|variable| &variable.name).filter(|name| !variables.contains_key(*name)).collect();
        if missing.is_empty() {
            return document;
        }
        for operation in operations(&mut document.operations) {
            operation.variable_definitions.retain(|variable| !missing.contains(&variable.node.name.node));
            leave_out(&mut operation.selection_set.node, &missing);
        }
        for fragment in document.fragments.values_mut() {
            leave_out(&mut fragment.node.selection_set.node, &missing);
        }
        document
    }
}

/// Removes the arguments of a selection whose variables are missing.
fn leave_out(set: &mut SelectionSet, missing: &HashSet<&Name>) {
    for item in &mut set.items {
        match &mut item.node {
            Syntax::Field(field) => {
                field.node.arguments.retain_mut(|(_, value)| keeps(&mut value.node, missing));
                leave_out(&mut field.node.selection_set.node, missing);
            }
            Syntax::InlineFragment(inline) => leave_out(&mut inline.node.selection_set.node, missing),
            Syntax::FragmentSpread(_) => {}
        }
    }
}

/// Returns whether a value is given, and removes missing variables inside it: members of objects are removed, and
/// elements of lists become null.
fn keeps(value: &mut Syntactic, missing: &HashSet<&Name>) -> bool {
    match value {
        Syntactic::Variable(name) => return !missing.contains(&*name),
        Syntactic::List(list) => {
            for one in list {
                if !keeps(one, missing) {
                    *one = Syntactic::Null;
                }
            }
        }
        Syntactic::Object(members) => members.retain(|_, one| keeps(one, missing)),
        _ => {}
    }
    true
}

/// The field of payloads whose selection is one of the query root.
pub(crate) const REREAD: &str = "query";

impl Operation {
    /// Returns the root fields of the operation, and those of the query root that the payloads of a mutation read.
    pub(crate) fn root_fields(&self) -> impl Iterator<Item = &Selection> {
        let of_payloads = self.roots.iter().filter(|_| self.kind == OperationType::Mutation).flat_map(Selection::below);
        let reads = of_payloads.filter(|field| field.name() == REREAD).flat_map(Selection::below);
        self.roots.iter().chain(reads)
    }

    /// Turns numbers without a fraction, such as `2.0`, into whole numbers where `Int` is expected. JSON does not tell
    /// the two apart.
    pub(crate) fn integers_where_expected(&self, variables: &mut Variables, types: &Types) {
        for Variable { name, ty, .. } in &self.variables {
            if let Some(value) = variables.get_mut(name) {
                types.integers_where_expected(value, ty);
            }
        }
    }

    /// Adds the defaults of variables that are not given. The library evaluates `@skip` and `@include` before it
    /// applies defaults.
    pub(crate) fn complete(&self, variables: &mut Variables) {
        for variable in &self.variables {
            if let Some(default) = &variable.default {
                variables.entry(variable.name.clone()).or_insert_with(|| default.clone());
            }
        }
    }

    /// Refuses a variable that is missing or has the wrong type. The library checks only variables that are a whole
    /// argument: it would treat a filter whose region variable is missing as a filter without a region.
    pub(crate) fn check(&self, variables: &Variables, types: &Types) -> Result<(), Refused> {
        for Variable { name, ty, position, .. } in &self.variables {
            let given = variables.get(name);
            if given.is_none() && ty.nullable {
                continue;
            }
            let Some(Misfit { path, why }) = types.misfit(given.unwrap_or(&Value::Null), ty) else { continue };
            let (zh, en) = why.words();
            return Err(Refused {
                locations: vec![*position],
                ..Refused::new(
                    Code::ValidationFailed,
                    format!("变量 ${name}{path} {zh}"),
                    format!("variable ${name}{path} {en}"),
                )
            });
        }
        Ok(())
    }

    /// Returns whether every variable is given and has its type as it is, so that none has to be converted or refused.
    pub(crate) fn takes(&self, variables: &Variables, types: &Types) -> bool {
        self.variables.iter().all(|variable| match variables.get(&variable.name) {
            Some(value) => types.fits(value, &variable.ty),
            None => variable.ty.nullable,
        })
    }

    /// Returns the cost of the operation with these variables, or an upper bound if that is within the limit.
    pub(crate) fn cost(&self, variables: &Variables, types: &Types, limits: &Limits) -> u64 {
        if self.most <= limits.cost { self.most } else { cost(types, self.root, &self.roots, Some(variables)) }
    }

    /// Returns the lane of the operation, by what it asks of the database.
    pub(crate) fn lane(&self, variables: &Variables, types: &Types, limits: &Limits) -> Lane {
        let load = load(types, self.root, &self.roots, variables);
        if load > limits.load.cheap { Lane::Dear } else { Lane::Cheap }
    }
}

/// A cache of the documents that are known to be valid, bounded in bytes: by text and operation name, and queries also
/// by their text without its literals.
pub(crate) struct Known(Cache<Key, Arc<Document>, ByBytes>);

/// The text of a document, the requested operation, and whether the text is without its literals.
type Key = (String, Option<String>, bool);

#[derive(Clone)]
struct ByBytes;

impl quick_cache::Weighter<Key, Arc<Document>> for ByBytes {
    fn weight(&self, key: &Key, _: &Arc<Document>) -> u64 {
        // A parsed document takes about ten times the memory of its text.
        (key.0.len() as u64 + 256) * 10
    }
}

/// The usual weight of a document, from which the expected number of documents is estimated.
const USUAL: u64 = 20_000;

/// A borrowed [`Key`], for lookups without allocation.
#[derive(Hash)]
struct Text<'a>(&'a str, Option<&'a str>, bool);

impl quick_cache::Equivalent<Key> for Text<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.0 == key.0 && self.1 == key.1.as_deref() && self.2 == key.2
    }
}

impl Known {
    /// Makes an empty cache of at most `bytes` bytes.
    pub(crate) fn within(bytes: u64) -> Self {
        let expected = usize::try_from(bytes / USUAL).unwrap_or(usize::MAX).max(1);
        Self(Cache::with_weighter(expected, bytes, ByBytes))
    }

    /// Returns the document of a request, if it is known.
    pub(crate) fn get(&self, asked: &Params) -> Option<Arc<Document>> {
        self.0.get(&Text(asked.query.as_deref()?, asked.operation_name.as_deref(), false))
    }

    /// Returns a known document that differs from that of a request only in its literals, and has variables in their
    /// place, with the request completed by their values. None if a literal would have to be converted or refused.
    pub(crate) fn alike(&self, asked: &Params, types: &Types) -> Option<(Arc<Document>, Params)> {
        let lifted = literal::lift(asked.query.as_deref()?)?;
        let document = self.0.get(&Text(&lifted.text, asked.operation_name.as_deref(), true))?;
        let mut completed = asked.clone();
        completed.variables.extend(lifted.variables());
        let fits = document.operation.as_ref()?.takes(&completed.variables, types);
        fits.then_some((document, completed))
    }

    /// Adds the document of a request to the cache, and a planned query also without its literals.
    pub(crate) fn keep(&self, asked: &Params, document: Arc<Document>, types: &Types) {
        let Some(text) = &asked.query else { return };
        let name = &asked.operation_name;
        if document.operation.as_ref().is_some_and(|operation| operation.is_planned)
            && let Some(lifted) = literal::lift(text)
            && let Some(parsed) = lifted.parse(types)
        {
            let document = Document::read(parsed, name.as_deref(), types);
            self.0.insert((lifted.text, name.clone(), true), Arc::new(document));
        }
        self.0.insert((text.clone(), name.clone(), false), document);
    }
}
