//! Documents that are known: parsed, measured and validated once, then kept within a bound. A known document that only
//! reads what the planner plans is run without the library.

use std::collections::HashSet;
use std::sync::Arc;

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, InlineFragment, OperationDefinition, OperationType, Selection as Syntax,
    SelectionSet, Type,
};
use async_graphql::{Name, Pos, Positioned, Value, Variables};
use async_graphql_value::Value as Syntactic;
use planner::Selection;
use quick_cache::sync::Cache;

use crate::context::Limits;
use crate::error::{Code, Refused};
use crate::graphql::limits::cost;
use crate::graphql::params::Params;
use crate::graphql::query;
use crate::graphql::types::{Misfit, Types, root_type};

/// A document with the operation that was asked for.
pub(crate) struct Document {
    pub(crate) parsed: ExecutableDocument,
    /// None where the name fits no operation, or none of several is named: the library says so.
    pub(crate) operation: Option<Operation>,
}

/// One operation of a document.
pub(crate) struct Operation {
    pub(crate) kind: OperationType,
    variables: Vec<Variable>,
    pub(crate) roots: Vec<Selection>,
    /// Whether the planner can run it by itself.
    pub(crate) is_planned: bool,
    /// Its root type's name.
    pub(crate) root: &'static str,
    /// What it costs with full pages wherever a variable sizes them.
    most: u64,
}

struct Variable {
    name: Name,
    ty: Type,
    default: Option<Value>,
    /// Where it is declared.
    position: Pos,
}

/// Puts each `__typename` that has directives into a fragment that has them: the library looks at no directive of that
/// field, neither whether it is one nor which variables it uses.
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
    /// Reads a document that was found to be within the limits.
    pub(crate) fn read(parsed: ExecutableDocument, name: Option<&str>, types: &Types) -> Self {
        let mut named = parsed.operations.iter();
        let found = match name {
            Some(name) => named.find(|(known, _)| known.map(Name::as_str) == Some(name)),
            None => named.next().filter(|_| named.next().is_none()),
        };
        let operation = found.map(|(_, found)| {
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
    /// Refuses a subscription to several things at once (GraphQL, 5.2.3.1), a rule that the library does not know.
    pub(crate) fn check_subscription(&self) -> Result<(), Refused> {
        let watched = self.operation.iter().filter(|operation| operation.kind == OperationType::Subscription);
        let keys: HashSet<&str> = watched.flat_map(|operation| &operation.roots).map(Selection::key).collect();
        if keys.len() > 1 {
            let (zh, en) = ("一个订阅只能有一个根字段", "a subscription has one root field");
            return Err(Refused::new(Code::ValidationFailed, zh, en));
        }
        Ok(())
    }

    /// The syntax as these variables leave it: an argument whose variable is left out is left out as well, so that its own
    /// default counts. The library would take null for it.
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

/// Leaves out the arguments of a selection whose variables are missing.
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

/// Whether a value is there, with what is missing left out of it.
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

impl Operation {
    /// Puts the defaults in. The library decides `@skip` and `@include` before it looks at them.
    pub(crate) fn complete(&self, variables: &mut Variables) {
        for variable in &self.variables {
            if let Some(default) = &variable.default {
                variables.entry(variable.name.clone()).or_insert_with(|| default.clone());
            }
        }
    }

    /// Refuses a variable that is missing or of another type. The library looks only at those that are an argument by
    /// themselves, and takes a filter whose region was forgotten for one that asks for no region.
    pub(crate) fn check(&self, variables: &Variables, types: &Types) -> Result<(), Refused> {
        for Variable { name, ty, position, .. } in &self.variables {
            let given = variables.get(name);
            if given.is_none() && ty.nullable {
                continue;
            }
            let Some(Misfit { path, expected }) = types.misfit(given.unwrap_or(&Value::Null), ty) else { continue };
            let (zh, en) = match expected {
                Some(expected) => (format!("应为 {expected}"), format!("should be {expected}")),
                None => (format!("不在 {ty} 中"), format!("is not in {ty}")),
            };
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

    /// Whether every variable is there and of its type, so that nothing need be converted or complained of.
    pub(crate) fn takes(&self, variables: &Variables, types: &Types) -> bool {
        self.variables.iter().all(|variable| match variables.get(&variable.name) {
            Some(value) => types.fits(value, &variable.ty),
            None => variable.ty.nullable,
        })
    }

    /// What it costs with these variables, unless it is affordable with any.
    pub(crate) fn cost(&self, variables: &Variables, types: &Types, limits: &Limits) -> u64 {
        if self.most <= limits.cost { self.most } else { cost(types, self.root, &self.roots, Some(variables)) }
    }
}

/// The documents that are known to be valid, by text and operation name, within a bound of bytes.
pub(crate) struct Known(Cache<Key, Arc<Document>, ByBytes>);

type Key = (String, Option<String>);

#[derive(Clone)]
struct ByBytes;

impl quick_cache::Weighter<Key, Arc<Document>> for ByBytes {
    fn weight(&self, key: &Key, _: &Arc<Document>) -> u64 {
        // What is kept of a document takes some ten times its text.
        (key.0.len() as u64 + 256) * 10
    }
}

/// The usual length of a document, for the first guess at how many there will be.
const USUAL: u64 = 20_000;

/// A borrowed key.
#[derive(Hash)]
struct Text<'a>(&'a str, Option<&'a str>);

impl quick_cache::Equivalent<Key> for Text<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.0 == key.0 && self.1 == key.1.as_deref()
    }
}

impl Known {
    pub(crate) fn within(bytes: u64) -> Self {
        let expected = usize::try_from(bytes / USUAL).unwrap_or(usize::MAX).max(1);
        Self(Cache::with_weighter(expected, bytes, ByBytes))
    }

    pub(crate) fn get(&self, asked: &Params) -> Option<Arc<Document>> {
        self.0.get(&Text(asked.query.as_deref()?, asked.operation_name.as_deref()))
    }

    pub(crate) fn keep(&self, asked: &Params, document: Arc<Document>) {
        if let Some(text) = &asked.query {
            self.0.insert((text.clone(), asked.operation_name.clone()), document);
        }
    }
}
