//! The syntax of a query, as the planner reads it. Fragments are expanded once, when the document is read. `@skip`,
//! `@include`, variables and the merging of fields with the same response key are evaluated for each request.

use std::collections::HashMap;

use async_graphql::parser::types::{Directive, Field, FragmentDefinition, Selection as Syntax, SelectionSet};
use async_graphql::{Name, Positioned, Value, Variables};
use async_graphql_value::Value as Syntactic;

/// The fragments of a document, by name.
pub type Fragments = HashMap<Name, Positioned<FragmentDefinition>>;

/// One field of a document with its selection set, independent of the values of variables.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// The response key: the alias, or else the name.
    key: String,
    /// The name of the field in the schema.
    name: String,
    /// The arguments as written in the document.
    arguments: Vec<(Name, Syntactic)>,
    /// The type conditions of the fragments that enclose the field, outermost first.
    conditions: Vec<String>,
    /// The `@skip` (true) and `@include` (false) directives of the field and of the enclosing fragments, each with its
    /// `if` argument.
    switches: Vec<(bool, Syntactic)>,
    /// The selection set of the field, with fragments expanded.
    children: Vec<Selection>,
}

impl Selection {
    /// Reads a field of a document. The fragments must not form a cycle; unknown ones are ignored.
    pub fn read(field: &Field, fragments: &Fragments) -> Self {
        Around { conditions: Vec::new(), switches: switches(&field.directives) }.field(field, fragments)
    }

    /// Reads the root fields of an operation.
    pub fn roots(set: &SelectionSet, fragments: &Fragments) -> Vec<Self> {
        let mut roots = Vec::new();
        Around::default().collect(set, fragments, &mut roots);
        roots
    }

    /// Returns the name of the field in the schema.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the response key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns the type condition of the innermost fragment that has one and encloses the field.
    pub fn condition(&self) -> Option<&str> {
        self.conditions.last().map(String::as_str)
    }

    /// Returns the selection set, including fields that variables may exclude.
    pub fn below(&self) -> &[Selection] {
        &self.children
    }

    /// Returns an argument as written; none if it was omitted.
    pub fn given(&self, name: &str) -> Option<Given<'_>> {
        let (_, value) = self.arguments.iter().find(|(given, _)| given == name)?;
        Some(Given(value))
    }

    /// Applies variables to the selection. `variables` must include the defaults of those that were not given.
    pub fn with<'a>(&'a self, variables: &'a Variables) -> Selected<'a> {
        Selected { parts: vec![self], variables }
    }

    /// Applies variables to the root fields, and merges those with the same response key. `type_name` is the root type.
    pub fn with_all<'a>(roots: &'a [Selection], type_name: &str, variables: &'a Variables) -> Vec<Selected<'a>> {
        merged(roots.iter(), type_name, variables)
    }
}

/// The value of an argument as written in the document.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a>(&'a Syntactic);

impl Given<'_> {
    /// Returns the value with variables replaced; none if it is a variable that was not given.
    pub fn with(self, variables: &Variables) -> Option<Value> {
        value_of(self.0, variables)
    }

    /// Returns the value; none if it contains a variable.
    pub fn constant(self) -> Option<Value> {
        self.0.clone().into_const()
    }
}

/// The type conditions and directives of the fragments that enclose a field.
#[derive(Clone, Default)]
struct Around {
    conditions: Vec<String>,
    switches: Vec<(bool, Syntactic)>,
}

impl Around {
    fn field(self, field: &Field, fragments: &Fragments) -> Selection {
        let mut children = Vec::new();
        Self::default().collect(&field.selection_set.node, fragments, &mut children);
        Selection {
            key: field.response_key().node.to_string(),
            name: field.name.node.to_string(),
            arguments: field.arguments.iter().map(|(name, value)| (name.node.clone(), value.node.clone())).collect(),
            conditions: self.conditions,
            switches: self.switches,
            children,
        }
    }

    fn collect(&self, set: &SelectionSet, fragments: &Fragments, into: &mut Vec<Selection>) {
        for item in &set.items {
            match &item.node {
                Syntax::Field(field) => {
                    let here = self.within(None, &field.node.directives);
                    into.push(here.field(&field.node, fragments));
                }
                Syntax::FragmentSpread(spread) => {
                    if let Some(fragment) = fragments.get(&spread.node.fragment_name.node) {
                        let on = fragment.node.type_condition.node.on.node.to_string();
                        let here = self.within(Some(on), &spread.node.directives);
                        here.collect(&fragment.node.selection_set.node, fragments, into);
                    }
                }
                Syntax::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref().map(|on| on.node.on.node.to_string());
                    let here = self.within(on, &inline.node.directives);
                    here.collect(&inline.node.selection_set.node, fragments, into);
                }
            }
        }
    }

    fn within(&self, condition: Option<String>, directives: &[Positioned<Directive>]) -> Self {
        let mut inner = self.clone();
        inner.conditions.extend(condition);
        inner.switches.extend(switches(directives));
        inner
    }
}

fn switches(directives: &[Positioned<Directive>]) -> Vec<(bool, Syntactic)> {
    let switch = |directive: &Positioned<Directive>| {
        let excluding = match directive.node.name.node.as_str() {
            "skip" => true,
            "include" => false,
            _ => return None,
        };
        directive.node.get_argument("if").map(|value| (excluding, value.node.clone()))
    };
    directives.iter().filter_map(switch).collect()
}

/// One selected field, with variables applied.
#[derive(Debug, Clone)]
pub struct Selected<'a> {
    /// The places in the document that select the field under this response key; never empty.
    parts: Vec<&'a Selection>,
    variables: &'a Variables,
}

impl<'a> Selected<'a> {
    /// Returns the response key.
    pub fn key(&self) -> &'a str {
        &self.parts[0].key
    }

    /// Returns the name of the field in the schema.
    pub fn name(&self) -> &'a str {
        &self.parts[0].name
    }

    /// Returns the value of an argument; none if it was omitted.
    pub fn argument(&self, name: &str) -> Option<Value> {
        let (_, value) = self.parts[0].arguments.iter().find(|(given, _)| given == name)?;
        value_of(value, self.variables)
    }

    /// Returns all arguments that were given, with their values.
    pub fn arguments(&self) -> Vec<(Name, Value)> {
        let given = self.parts[0].arguments.iter();
        given.filter_map(|(name, value)| Some((name.clone(), value_of(value, self.variables)?))).collect()
    }

    /// Returns the fields that are selected on an object of the given type, those with the same response key merged.
    pub fn children(&self, type_name: &str) -> Vec<Selected<'a>> {
        merged(self.parts.iter().flat_map(|part| part.children.iter()), type_name, self.variables)
    }

    /// Returns the fields that are selected on a value of a concrete type that is not a noun, as response keys and
    /// names.
    pub(crate) fn members(&self) -> Vec<(String, String)> {
        let below = self.parts.iter().flat_map(|part| part.children.iter());
        let mut members: Vec<(String, String)> = Vec::new();
        for child in below.filter(|child| child.is_in(self.variables)) {
            if !members.iter().any(|(key, _)| *key == child.key) {
                members.push((child.key.clone(), child.name.clone()));
            }
        }
        members
    }

    /// Returns the merged selections of one field of the selection set, under any response key; none if it is not
    /// selected.
    pub fn child(&self, name: &str) -> Option<Selected<'a>> {
        let below = self.parts.iter().flat_map(|part| part.children.iter());
        let parts: Vec<_> = below.filter(|child| child.name == name && child.is_in(self.variables)).collect();
        (!parts.is_empty()).then_some(Selected { parts, variables: self.variables })
    }
}

impl Selection {
    fn is_in(&self, variables: &Variables) -> bool {
        let excluded =
            |(excluding, value): &(bool, Syntactic)| value_of(value, variables) == Some(Value::Boolean(*excluding));
        !self.switches.iter().any(excluded)
    }
}

fn merged<'a>(
    selections: impl Iterator<Item = &'a Selection>,
    type_name: &str,
    variables: &'a Variables,
) -> Vec<Selected<'a>> {
    let mut merged: Vec<Selected<'a>> = Vec::new();
    for selection in selections {
        let meant = selection.conditions.iter().all(|condition| condition == type_name || condition == "Node");
        if !meant || !selection.is_in(variables) {
            continue;
        }
        match merged.iter_mut().find(|other| other.key() == selection.key) {
            Some(other) => other.parts.push(selection),
            None => merged.push(Selected { parts: vec![selection], variables }),
        }
    }
    merged
}

/// Returns the value with variables replaced; none if it is a variable that was not given. A member of an input object
/// whose variable was not given is omitted, as the GraphQL specification requires (3.10, input coercion).
fn value_of(value: &Syntactic, variables: &Variables) -> Option<Value> {
    match value {
        Syntactic::Variable(name) => variables.get(name).cloned(),
        Syntactic::List(list) => {
            Some(Value::List(list.iter().map(|one| value_of(one, variables).unwrap_or_default()).collect()))
        }
        Syntactic::Object(members) => {
            let given = members.iter().filter_map(|(name, one)| Some((name.clone(), value_of(one, variables)?)));
            Some(Value::Object(given.collect()))
        }
        other => other.clone().into_const(),
    }
}
