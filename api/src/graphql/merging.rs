//! The rule that fields with the same response key can be merged (GraphQL specification, 5.3.2). The library compares
//! only the fields of one selection set; this module also compares those of fragments on other types, and what is
//! selected below merged fields.

use std::collections::HashMap;

use async_graphql::parser::types::{BaseType, ExecutableDocument, Field, Selection, SelectionSet, Type};
use async_graphql::{Pos, Positioned};

use crate::error::Refused;
use crate::graphql::position::refused;
use crate::graphql::types::{Types, base, root_type};

/// Refuses a document in which fields with the same response key cannot be merged. The document has no cycles of
/// fragments, and is within the limits with its fragments expanded.
pub(crate) fn check(document: &ExecutableDocument, types: &Types) -> Result<(), Refused> {
    let merging = Merging { document, types };
    document.operations.iter().try_for_each(|(_, operation)| {
        let mut roots = Vec::new();
        merging.collect(&operation.node.selection_set.node, root_type(operation.node.ty), &mut roots);
        merging.meanings(&roots)?;
        merging.shapes(&roots)
    })
}

struct Merging<'d> {
    document: &'d ExecutableDocument,
    types: &'d Types,
}

/// A selected field.
#[derive(Clone, Copy)]
struct Found<'d> {
    /// The type on which it is selected.
    owner: &'d str,
    field: &'d Positioned<Field>,
}

impl<'d> Found<'d> {
    fn key(self) -> &'d str {
        &self.field.node.response_key().node
    }

    fn name(self) -> &'d str {
        &self.field.node.name.node
    }

    /// Returns whether both are the same field with the same arguments.
    fn means(self, other: Self) -> bool {
        let (arguments, others) = (&self.field.node.arguments, &other.field.node.arguments);
        let is_same = |name: &str, value| other.field.node.get_argument(name).is_some_and(|other| other.node == value);
        self.name() == other.name()
            && arguments.len() == others.len()
            && arguments.iter().all(|(name, value)| is_same(&name.node, value.node.clone()))
    }
}

impl<'d> Merging<'d> {
    /// Collects the fields of a selection set, with its fragments expanded.
    fn collect(&self, set: &'d SelectionSet, owner: &'d str, into: &mut Vec<Found<'d>>) {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => into.push(Found { owner, field }),
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref().map_or(owner, |on| on.node.on.node.as_str());
                    self.collect(&inline.node.selection_set.node, on, into);
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.node.fragment_name.node) {
                        let on = fragment.node.type_condition.node.on.node.as_str();
                        self.collect(&fragment.node.selection_set.node, on, into);
                    }
                }
            }
        }
    }

    /// Collects what is selected below several fields.
    fn below(&self, fields: &[Found<'d>]) -> Vec<Found<'d>> {
        let mut below = Vec::new();
        for found in fields {
            let owner = self.types.of_field(found.owner, found.name());
            self.collect(&found.field.node.selection_set.node, owner, &mut below);
        }
        below
    }

    /// Checks that the fields of each response key have values of the same shape, whatever the type of the object turns
    /// out to be (SameResponseShape).
    fn shapes(&self, fields: &[Found<'d>]) -> Result<(), Refused> {
        for same in by(fields, Found::key) {
            let mut typed = same.iter().filter_map(|found| Some((found, self.type_of(*found)?)));
            if let Some((first, ty)) = typed.next()
                && let Some((other, of_other)) = typed.find(|(_, other)| !self.is_alike(&ty, other))
            {
                let key = first.key();
                return Err(conflict(
                    [*first, *other],
                    &format!("键 {key} 在同一处既是 {ty} 又是 {of_other}"),
                    &format!("the key {key} is a {ty} and a {of_other} at the same place"),
                ));
            }
            self.shapes(&self.below(&same))?;
        }
        Ok(())
    }

    /// Checks that the fields of each response key that may be selected on the same object are the same field with the
    /// same arguments (FieldsInSetCanMerge).
    fn meanings(&self, fields: &[Found<'d>]) -> Result<(), Refused> {
        for same in by(fields, Found::key) {
            let (common, own): (Vec<Found>, Vec<Found>) =
                same.into_iter().partition(|found| self.types.is_interface(found.owner));
            let mut owners = by(&own, |found| found.owner);
            if owners.is_empty() {
                owners.push(Vec::new());
            }
            for owner in owners {
                let met: Vec<Found> = owner.into_iter().chain(common.iter().copied()).collect();
                let [first, rest @ ..] = met.as_slice() else { continue };
                if let Some(other) = rest.iter().find(|other| !other.means(*first)) {
                    let (key, name, another) = (first.key(), first.name(), other.name());
                    let (zh, en) = if name == another {
                        (
                            format!("键 {key} 两次选取 {name} 而参数不同"),
                            format!("the key {key} selects {name} twice with different arguments"),
                        )
                    } else {
                        (
                            format!("键 {key} 既是 {name} 又是 {another}"),
                            format!("the key {key} is both {name} and {another}"),
                        )
                    };
                    return Err(conflict([*first, *other], &zh, &en));
                }
                self.meanings(&self.below(&met))?;
            }
        }
        Ok(())
    }

    /// Returns the type of a field; none if the schema does not know it, as for introspection.
    fn type_of(&self, found: Found<'_>) -> Option<Type> {
        if found.name() == "__typename" {
            Type::new("String!")
        } else {
            self.types.field(found.owner, found.name()).cloned()
        }
    }

    /// Returns whether values of both types have the same shape. Those of objects do if their fields do.
    fn is_alike(&self, one: &Type, other: &Type) -> bool {
        let is_leaf = |ty: &Type| !self.types.is_object(base(ty));
        one.nullable == other.nullable
            && match (&one.base, &other.base) {
                (BaseType::List(one), BaseType::List(other)) => self.is_alike(one, other),
                (BaseType::Named(name), BaseType::Named(of_other)) => {
                    name == of_other || !is_leaf(one) && !is_leaf(other)
                }
                _ => false,
            }
    }
}

/// Splits fields by a text, in the order in which each text is first found.
fn by<'d>(fields: &[Found<'d>], text: impl Fn(Found<'d>) -> &'d str) -> Vec<Vec<Found<'d>>> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut split: Vec<Vec<Found>> = Vec::new();
    for found in fields {
        let place = *places.entry(text(*found)).or_insert(split.len());
        match split.get_mut(place) {
            Some(known) => known.push(*found),
            None => split.push(vec![*found]),
        }
    }
    split
}

fn conflict(fields: [Found<'_>; 2], zh: &str, en: &str) -> Refused {
    let locations: Vec<Pos> = fields.iter().map(|found| found.field.pos).collect();
    let refused = refused(locations[0], &format!("{zh}，请用别名区分"), &format!("{en}: give one of them an alias"));
    Refused { locations, ..refused }
}
