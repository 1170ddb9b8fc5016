//! The query's syntax as the planner reads it: fragments spread, `@skip` and `@include` decided, variables put in, fields
//! with the same response key merged.

use async_graphql::parser::types::{Directive, Field, Selection as Syntax, SelectionSet};
use async_graphql::{Context, Name, Positioned, ServerError, ServerResult, Value};
use async_graphql_value::Value as Syntactic;

/// One selected field with what is selected below it.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// The name in the response.
    pub key: String,
    /// The name in the schema.
    pub name: String,
    /// The arguments that were given.
    pub arguments: Vec<(Name, Value)>,
    /// The type conditions of the fragments around it.
    conditions: Vec<String>,
    /// What is selected below.
    children: Vec<Selection>,
}

impl Selection {
    /// The selection of the field that is being resolved.
    pub fn of(ctx: &Context<'_>) -> ServerResult<Self> {
        Reader { ctx }.field(ctx.item, Vec::new())
    }

    /// The value of an argument, unless it was left out.
    pub fn argument(&self, name: &str) -> Option<&Value> {
        self.arguments.iter().find(|(given, _)| given == name).map(|(_, value)| value)
    }

    /// What is selected below on an object of the given type, fields with one response key made one.
    pub fn children(&self, type_name: &str) -> Vec<Selection> {
        let mut merged: Vec<Selection> = Vec::new();
        for child in &self.children {
            if !child.conditions.iter().all(|condition| condition == type_name || condition == "Node") {
                continue;
            }
            match merged.iter_mut().find(|other| other.key == child.key) {
                Some(other) => other.children.extend(child.children.iter().cloned()),
                None => merged.push(child.clone()),
            }
        }
        merged
    }

    /// The selections of one field below, under any of its response keys.
    pub fn child(&self, name: &str) -> Option<Selection> {
        let mut found = self.children.iter().filter(|child| child.name == name).cloned();
        let mut first = found.next()?;
        for more in found {
            first.children.extend(more.children);
        }
        Some(first)
    }
}

struct Reader<'a> {
    ctx: &'a Context<'a>,
}

impl Reader<'_> {
    fn field(&self, field: &Positioned<Field>, conditions: Vec<String>) -> ServerResult<Selection> {
        let mut children = Vec::new();
        self.collect(&field.node.selection_set.node, &[], &mut children)?;
        Ok(Selection {
            key: field.node.response_key().node.to_string(),
            name: field.node.name.node.to_string(),
            arguments: self.arguments(&field.node)?,
            conditions,
            children,
        })
    }

    fn collect(&self, set: &SelectionSet, conditions: &[String], into: &mut Vec<Selection>) -> ServerResult<()> {
        for item in &set.items {
            match &item.node {
                Syntax::Field(field) => {
                    if self.included(&field.node.directives)? {
                        into.push(self.field(field, conditions.to_vec())?);
                    }
                }
                Syntax::FragmentSpread(spread) => {
                    if !self.included(&spread.node.directives)? {
                        continue;
                    }
                    // Validation has refused unknown and circular fragments.
                    if let Some(fragment) = self.ctx.query_env.fragments.get(&spread.node.fragment_name.node) {
                        let on = fragment.node.type_condition.node.on.node.to_string();
                        self.collect(&fragment.node.selection_set.node, &[conditions, &[on]].concat(), into)?;
                    }
                }
                Syntax::InlineFragment(fragment) => {
                    if !self.included(&fragment.node.directives)? {
                        continue;
                    }
                    let on = fragment.node.type_condition.as_ref().map(|on| on.node.on.node.to_string());
                    let conditions: Vec<String> = conditions.iter().cloned().chain(on).collect();
                    self.collect(&fragment.node.selection_set.node, &conditions, into)?;
                }
            }
        }
        Ok(())
    }

    fn included(&self, directives: &[Positioned<Directive>]) -> ServerResult<bool> {
        for directive in directives {
            let excluding = match directive.node.name.node.as_str() {
                "skip" => true,
                "include" => false,
                _ => continue,
            };
            let condition = directive.node.get_argument("if").map(|value| self.value(value)).transpose()?.flatten();
            if condition == Some(Value::Boolean(excluding)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn arguments(&self, field: &Field) -> ServerResult<Vec<(Name, Value)>> {
        let mut arguments = Vec::with_capacity(field.arguments.len());
        for (name, value) in &field.arguments {
            if let Some(value) = self.value(value)? {
                arguments.push((name.node.clone(), value));
            }
        }
        Ok(arguments)
    }

    /// The value with variables put in; none when it is a variable that was not given and has no default.
    fn value(&self, value: &Positioned<Syntactic>) -> ServerResult<Option<Value>> {
        if let Syntactic::Variable(name) = &value.node {
            return Ok(self.variable(name));
        }
        value
            .node
            .clone()
            .into_const_with(|name| Ok::<_, ServerError>(self.variable(&name).unwrap_or(Value::Null)))
            .map(Some)
    }

    fn variable(&self, name: &Name) -> Option<Value> {
        if let Some(given) = self.ctx.query_env.variables.get(name) {
            return Some(given.clone());
        }
        let definitions = &self.ctx.query_env.operation.node.variable_definitions;
        let definition = definitions.iter().find(|definition| definition.node.name.node == *name)?;
        definition.node.default_value().cloned()
    }
}
