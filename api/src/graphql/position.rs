//! Validation rules that async-graphql does not enforce in the pinned version. Each variable must be declared once,
//! have an input type, be used, and fit each place where it is used (All Variable Usages Are Allowed); the library
//! never applies this last rule to arguments. The value of an enum must not be written as a string, which the library
//! accepts.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::{
    BaseType, Directive, ExecutableDocument, OperationDefinition, Selection, SelectionSet, Type, VariableDefinition,
};
use async_graphql::{Name, Pos, Positioned, Value as Constant};
use async_graphql_value::Value;

use crate::error::{Code, Refused};
use crate::graphql::types::{Types, root_type};

/// Refuses a document that violates a rule of this module. Fragments are followed; places that the schema does not know
/// are skipped.
pub(crate) fn check(document: &ExecutableDocument, types: &Types) -> Result<(), Refused> {
    for (_, operation) in document.operations.iter() {
        let OperationDefinition { ty, variable_definitions, selection_set, .. } = &operation.node;
        let mut declared = HashMap::new();
        for one in variable_definitions {
            let (name, ty) = (&one.node.name.node, &one.node.var_type.node);
            if declared.insert(name, &one.node).is_some() {
                return Err(refused(
                    one.pos,
                    &format!("变量 ${name} 声明了两次"),
                    &format!("variable ${name} is declared twice"),
                ));
            }
            if !types.is_input(ty) {
                let (zh, en) = (
                    format!("变量 ${name} 的类型 {ty} 不是输入类型"),
                    format!("the type {ty} of variable ${name} is not an input type"),
                );
                return Err(refused(one.pos, &zh, &en));
            }
        }
        let mut walk = Walk::new(document, types, declared);
        walk.selection(&selection_set.node, root_type(*ty))?;
        // A variable that is not given is removed from the document later, so that the library cannot check this.
        if let Some(one) = variable_definitions.iter().find(|one| !walk.used.contains(&one.node.name.node)) {
            let name = &one.node.name.node;
            let (zh, en) = (format!("变量 ${name} 声明了却没有用到"), format!("variable ${name} is never used"));
            return Err(refused(one.pos, &zh, &en));
        }
    }
    Ok(())
}

/// Returns the variables that are used but not declared, each with the type of its place. None if the document violates
/// a rule of this module.
pub(crate) fn undeclared(document: &ExecutableDocument, types: &Types) -> Option<Vec<(Name, Type)>> {
    let mut found = Vec::new();
    for (_, operation) in document.operations.iter() {
        let OperationDefinition { ty, variable_definitions, selection_set, .. } = &operation.node;
        let declared = variable_definitions.iter().map(|one| (&one.node.name.node, &one.node)).collect();
        let mut walk = Walk::new(document, types, declared);
        walk.selection(&selection_set.node, root_type(*ty)).ok()?;
        found.extend(walk.undeclared);
    }
    Some(found)
}

/// Makes the refusal of a document that violates a validation rule.
pub(crate) fn refused(at: Pos, zh: &str, en: &str) -> Refused {
    Refused { locations: vec![at], ..Refused::new(Code::ValidationFailed, zh, en) }
}

/// The traversal of one operation.
struct Walk<'d> {
    document: &'d ExecutableDocument,
    types: &'d Types,
    declared: HashMap<&'d Name, &'d VariableDefinition>,
    /// The fragments that have been visited.
    spread: HashSet<&'d Name>,
    /// The variables that have been used so far.
    used: HashSet<&'d Name>,
    /// The variables that are not declared, with the types of their places.
    undeclared: Vec<(Name, Type)>,
}

impl<'d> Walk<'d> {
    fn new(
        document: &'d ExecutableDocument,
        types: &'d Types,
        declared: HashMap<&'d Name, &'d VariableDefinition>,
    ) -> Self {
        Self { document, types, declared, spread: HashSet::new(), used: HashSet::new(), undeclared: Vec::new() }
    }

    fn selection(&mut self, set: &'d SelectionSet, owner: &str) -> Result<(), Refused> {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    self.directives(&field.directives)?;
                    for (name, value) in &field.arguments {
                        self.note(&value.node);
                        let types = self.types;
                        if let Some(place) = types.of_argument(owner, &field.name.node, &name.node) {
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

    /// Checks the argument `if: Boolean!` of `@skip` and `@include`.
    fn directives(&mut self, directives: &'d [Positioned<Directive>]) -> Result<(), Refused> {
        let Some(boolean) = Type::new("Boolean!") else { return Ok(()) };
        directives.iter().flat_map(|one| &one.node.arguments).for_each(|(_, value)| self.note(&value.node));
        let values = directives.iter().filter_map(|one| one.node.get_argument("if"));
        values.into_iter().try_for_each(|value| self.value(&value.node, (&boolean, false), value.pos))
    }

    /// Records the variables in a value as used, wherever the value appears.
    fn note(&mut self, value: &'d Value) {
        match value {
            Value::Variable(name) => drop(self.used.insert(name)),
            Value::List(list) => list.iter().for_each(|one| self.note(one)),
            Value::Object(members) => members.values().for_each(|one| self.note(one)),
            _ => {}
        }
    }

    fn value(&mut self, value: &Value, (ty, has_default): (&Type, bool), at: Pos) -> Result<(), Refused> {
        match (value, &ty.base) {
            (Value::Variable(name), _) => match self.declared.get(name) {
                Some(declared) if !is_allowed(declared, ty, has_default) => {
                    Err(misplaced(name, &declared.var_type.node, ty, at))
                }
                Some(_) => Ok(()),
                // The library refuses it.
                None => {
                    self.undeclared.push((name.clone(), ty.clone()));
                    Ok(())
                }
            },
            (Value::List(list), BaseType::List(inner)) => {
                list.iter().try_for_each(|one| self.value(one, (&**inner, false), at))
            }
            // A single value is allowed where a list is expected.
            (one @ Value::Object(_), BaseType::List(inner)) => self.value(one, (&**inner, false), at),
            (Value::String(_), BaseType::Named(name)) if self.types.is_enum(name) => Err(refused(
                at,
                &format!("{name} 的值是枚举值，不加引号"),
                &format!("values of the enum {name} are written without quotes"),
            )),
            // The library looks at the size of a number only where it executes the field.
            (Value::Number(number), BaseType::Named(name))
                if name == "Int" && number.as_i64().is_some_and(|number| i32::try_from(number).is_err()) =>
            {
                Err(refused(
                    at,
                    &format!("{number} 超出 Int 的范围（32 位整数）"),
                    &format!("{number} is outside the range of Int (whole numbers of 32 bits)"),
                ))
            }
            (one @ (Value::String(_) | Value::Number(_)), BaseType::List(inner)) => {
                self.value(one, (&**inner, false), at)
            }
            (Value::Object(members), BaseType::Named(input)) => members.iter().try_for_each(|(name, one)| {
                let types = self.types;
                let place = types.of_member(input, name);
                place.map_or(Ok(()), |place| self.value(one, place, at))
            }),
            _ => Ok(()),
        }
    }
}

/// Returns whether a variable may be used at a place (GraphQL specification, 5.8.5). A nullable variable is allowed at
/// a non-null place only if the variable has a default other than null, or the place has a default.
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
    refused(
        at,
        &format!("变量 ${name} 声明为 {ty}，不能用在需要 {place} 的位置"),
        &format!("variable ${name} is declared as {ty}, which is not allowed where {place} is expected"),
    )
}
