//! Whether each variable fits where it is used (All Variable Usages Are Allowed): async-graphql has this rule and, in the
//! pinned version, never asks it about arguments.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::{
    BaseType, Directive, ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet, Type,
    VariableDefinition,
};
use async_graphql::{Name, Pos, Positioned, Value as Constant};
use async_graphql_value::Value;

use crate::error::{Code, Refused};
use crate::types::Types;

/// Refuses a document in which a variable stands where its type may not.
pub(crate) fn check(document: &ExecutableDocument, types: &Types) -> Result<(), Refused> {
    for (_, operation) in document.operations.iter() {
        let OperationDefinition { ty, variable_definitions, selection_set, .. } = &operation.node;
        let declared = variable_definitions.iter().map(|one| (&one.node.name.node, &one.node)).collect();
        let mut walk = Walk { document, types, declared, spread: HashSet::new() };
        let root = match ty {
            OperationType::Query => "Query",
            OperationType::Mutation => "Mutation",
            OperationType::Subscription => "Subscription",
        };
        walk.selection(&selection_set.node, root)?;
    }
    Ok(())
}

/// A walk through one operation.
struct Walk<'d> {
    document: &'d ExecutableDocument,
    types: &'d Types,
    declared: HashMap<&'d Name, &'d VariableDefinition>,
    /// The fragments that were walked through.
    spread: HashSet<&'d Name>,
}

impl<'d> Walk<'d> {
    fn selection(&mut self, set: &'d SelectionSet, owner: &str) -> Result<(), Refused> {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    self.directives(&field.directives)?;
                    for (name, value) in &field.arguments {
                        if let Some(place) = self.types.of_argument(owner, &field.name.node, &name.node) {
                            self.value(&value.node, place, value.pos)?;
                        }
                    }
                    let below = self.types.of_field(owner, &field.name.node);
                    self.selection(&field.selection_set.node, below)?;
                }
                Selection::InlineFragment(inline) => {
                    self.directives(&inline.node.directives)?;
                    let on = inline.node.type_condition.as_ref().map_or(owner, |on| on.node.on.node.as_str());
                    self.selection(&inline.node.selection_set.node, on)?;
                }
                Selection::FragmentSpread(spread) => {
                    self.directives(&spread.node.directives)?;
                    let name = &spread.node.fragment_name.node;
                    if let Some(fragment) = self.document.fragments.get(name)
                        && self.spread.insert(name)
                    {
                        let on = fragment.node.type_condition.node.on.node.as_str();
                        self.selection(&fragment.node.selection_set.node, on)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// `@skip` and `@include`, which both ask `if: Boolean!`.
    fn directives(&self, directives: &[Positioned<Directive>]) -> Result<(), Refused> {
        let Some(boolean) = Type::new("Boolean!") else { return Ok(()) };
        let values = directives.iter().filter_map(|one| one.node.get_argument("if"));
        values.into_iter().try_for_each(|value| self.value(&value.node, (&boolean, false), value.pos))
    }

    fn value(&self, value: &Value, (ty, has_default): (&Type, bool), at: Pos) -> Result<(), Refused> {
        match (value, &ty.base) {
            (Value::Variable(name), _) => {
                let fits = |declared: &&&VariableDefinition| !is_allowed(declared, ty, has_default);
                match self.declared.get(name).filter(fits) {
                    Some(declared) => Err(misplaced(name, &declared.var_type.node, ty, at)),
                    None => Ok(()),
                }
            }
            (Value::List(list), BaseType::List(inner)) => {
                list.iter().try_for_each(|one| self.value(one, (&**inner, false), at))
            }
            // One value stands for a list of it.
            (one @ Value::Object(_), BaseType::List(inner)) => self.value(one, (&**inner, false), at),
            (Value::Object(members), BaseType::Named(input)) => members.iter().try_for_each(|(name, one)| {
                let place = self.types.of_member(input, name);
                place.map_or(Ok(()), |place| self.value(one, place, at))
            }),
            _ => Ok(()),
        }
    }
}

/// A variable that may be null stands where null may not be only if it, or the place, has a default.
fn is_allowed(declared: &VariableDefinition, place: &Type, has_default: bool) -> bool {
    let ty = &declared.var_type.node;
    if place.nullable || !ty.nullable {
        return fits(ty, place);
    }
    let default = declared.default_value.as_ref().is_some_and(|default| default.node != Constant::Null);
    (default || has_default) && fits(ty, &Type { nullable: true, ..place.clone() })
}

fn fits(ty: &Type, place: &Type) -> bool {
    let of_base = match (&ty.base, &place.base) {
        (BaseType::Named(one), BaseType::Named(other)) => one == other,
        (BaseType::List(one), BaseType::List(other)) => fits(one, other),
        _ => false,
    };
    of_base && (place.nullable || !ty.nullable)
}

fn misplaced(name: &Name, ty: &Type, place: &Type, at: Pos) -> Refused {
    Refused {
        locations: vec![at],
        ..Refused::new(
            Code::ValidationFailed,
            format!("变量 ${name} 声明为 {ty}，不能用在需要 {place} 的位置"),
            format!("variable ${name} is declared as {ty}, which is not allowed where {place} is expected"),
        )
    }
}
