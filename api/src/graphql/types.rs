//! The types of the schema, in the form needed to compute the cost of documents, to check variables before the planner
//! executes a known document without the library, and to export lists.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{BaseType, OperationType, Type, TypeKind, TypeSystemDefinition};
use async_graphql::{Number, ScalarType, Value};

use crate::noun::enum_label::label_of;
use crate::part::scalar::{Date, Moment};

/// An argument, or a field of an input object: its name, its type, and whether it has a default.
type Given = (String, Type, bool);

/// The types of the schema, by name.
#[derive(Default)]
pub(crate) struct Types {
    /// For each object and interface, its fields.
    fields: HashMap<String, HashMap<String, Field>>,
    /// For each field of an object or interface, its arguments.
    arguments: HashMap<(String, String), Vec<Given>>,
    /// For each input object, its fields.
    inputs: HashMap<String, Vec<Given>>,
    /// For each enum, its values with their Chinese labels; a value without a label is its own.
    enums: HashMap<String, HashMap<String, String>>,
    scalars: HashSet<String>,
    interfaces: HashSet<String>,
}

/// A field of an object or interface.
struct Field {
    ty: Type,
    /// The place among the fields of the object, from 0.
    place: usize,
}

/// Returns the name of the root type of an operation.
pub(crate) fn root_type(ty: OperationType) -> &'static str {
    match ty {
        OperationType::Query => "Query",
        OperationType::Mutation => "Mutation",
        OperationType::Subscription => "Subscription",
    }
}

impl Types {
    /// Reads a schema in the schema definition language. If it cannot be parsed, the result has no types and no value
    /// fits.
    pub(crate) fn read(sdl: &str) -> Self {
        let mut types = Self::default();
        let Ok(document) = parse_schema(sdl) else { return types };
        for definition in document.definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let name = definition.node.name.node.to_string();
            if matches!(definition.node.kind, TypeKind::Interface(_)) {
                types.interfaces.insert(name.clone());
            }
            match definition.node.kind {
                TypeKind::Object(async_graphql::parser::types::ObjectType { fields, .. })
                | TypeKind::Interface(async_graphql::parser::types::InterfaceType { fields, .. }) => {
                    for field in &fields {
                        let given =
                            field.node.arguments.iter().map(|one| &one.node).map(|one| {
                                (one.name.node.to_string(), one.ty.node.clone(), one.default_value.is_some())
                            });
                        types.arguments.insert((name.clone(), field.node.name.node.to_string()), given.collect());
                    }
                    let fields = fields.into_iter().map(|field| field.node).enumerate();
                    let named =
                        fields.map(|(place, field)| (field.name.node.to_string(), Field { ty: field.ty.node, place }));
                    types.fields.insert(name, named.collect());
                }
                TypeKind::InputObject(input) => {
                    let members = input.fields.into_iter().map(|member| {
                        let member = member.node;
                        (member.name.node.to_string(), member.ty.node, member.default_value.is_some())
                    });
                    types.inputs.insert(name, members.collect());
                }
                TypeKind::Enum(listed) => {
                    let values = listed.values.into_iter().map(|value| {
                        let code = value.node.value.node.to_string();
                        let described = value.node.description.as_ref().map_or("", |said| said.node.as_str());
                        let label = label_of(&code, described).0.to_owned();
                        (code, label)
                    });
                    types.enums.insert(name, values.collect());
                }
                TypeKind::Scalar => drop(types.scalars.insert(name)),
                TypeKind::Union(_) => {}
            }
        }
        types
    }

    /// Returns the name of the type of an object's field, without list and non-null markers; empty if the schema has no
    /// such field, as for introspection.
    pub(crate) fn of_field(&self, object: &str, field: &str) -> &str {
        self.field(object, field).map_or("", base)
    }

    /// Returns the type of a field of an object or interface.
    pub(crate) fn field(&self, object: &str, field: &str) -> Option<&Type> {
        self.fields.get(object)?.get(field).map(|field| &field.ty)
    }

    /// Returns the fields of an object or interface with their types, in the order of the schema; none for other types.
    pub(crate) fn fields(&self, object: &str) -> Vec<(&str, &Type)> {
        let Some(fields) = self.fields.get(object) else { return Vec::new() };
        let mut fields: Vec<(&String, &Field)> = fields.iter().collect();
        fields.sort_by_key(|(_, field)| field.place);
        fields.into_iter().map(|(name, field)| (name.as_str(), &field.ty)).collect()
    }

    /// Returns whether a field of an object has an argument that has to be given.
    pub(crate) fn needs_arguments(&self, object: &str, field: &str) -> bool {
        let given = self.arguments.get(&(object.to_owned(), field.to_owned()));
        given.is_some_and(|given| given.iter().any(|(_, ty, has_default)| !ty.nullable && !has_default))
    }

    /// Returns whether a type is an interface, so that an object may have several of its fragments.
    pub(crate) fn is_interface(&self, name: &str) -> bool {
        self.interfaces.contains(name)
    }

    /// Returns whether a type is an object or interface.
    pub(crate) fn is_object(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// Returns the Chinese label of an enum value; none if there is no such value.
    pub(crate) fn label(&self, name: &str, value: &str) -> Option<&str> {
        self.enums.get(name)?.get(value).map(String::as_str)
    }

    /// Returns the type of an argument of an object's field, and whether it has a default.
    pub(crate) fn of_argument(&self, object: &str, field: &str, argument: &str) -> Option<(&Type, bool)> {
        let arguments = self.arguments.get(&(object.to_owned(), field.to_owned()))?;
        arguments.iter().find(|(name, ..)| name == argument).map(|(_, ty, has_default)| (ty, *has_default))
    }

    /// Returns whether a type is an input type.
    pub(crate) fn is_input(&self, ty: &Type) -> bool {
        let name = base(ty);
        matches!(name, "Int" | "Float" | "String" | "Boolean" | "ID")
            || self.scalars.contains(name)
            || self.inputs.contains_key(name)
            || self.enums.contains_key(name)
    }

    /// Returns whether a type is an enum.
    pub(crate) fn is_enum(&self, name: &str) -> bool {
        self.enums.contains_key(name)
    }

    /// Returns the type of a field of an input object, and whether it has a default.
    pub(crate) fn of_member(&self, input: &str, member: &str) -> Option<(&Type, bool)> {
        let members = self.inputs.get(input)?;
        members.iter().find(|(name, ..)| name == member).map(|(_, ty, has_default)| (ty, *has_default))
    }

    /// Returns whether a value has a type exactly. A value that would have to be converted does not fit.
    pub(crate) fn fits(&self, value: &Value, ty: &Type) -> bool {
        match (value, &ty.base) {
            (Value::Null, _) => ty.nullable,
            (Value::List(list), BaseType::List(inner)) => list.iter().all(|one| self.fits(one, inner)),
            (_, BaseType::List(_)) => false,
            (value, BaseType::Named(name)) => self.fits_named(value, name),
        }
    }

    /// Turns numbers without a fraction into whole numbers wherever the type expects `Int`.
    pub(crate) fn integers_where_expected(&self, value: &mut Value, ty: &Type) {
        match (value, &ty.base) {
            (Value::List(list), BaseType::List(inner)) => {
                for one in list {
                    self.integers_where_expected(one, inner);
                }
            }
            (one, BaseType::List(inner)) => self.integers_where_expected(one, inner),
            (Value::Number(number), BaseType::Named(name)) if name == "Int" => {
                if let Some(whole) = whole(number) {
                    *number = whole.into();
                }
            }
            (Value::Object(given), BaseType::Named(name)) => {
                for (member, ty, _) in self.inputs.get(name.as_str()).into_iter().flatten() {
                    if let Some(one) = given.get_mut(member.as_str()) {
                        self.integers_where_expected(one, ty);
                    }
                }
            }
            _ => {}
        }
    }

    fn fits_named(&self, value: &Value, name: &str) -> bool {
        match (name, value) {
            ("Boolean", Value::Boolean(_)) | ("Float", Value::Number(_)) => true,
            ("Int", Value::Number(number)) => number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            ("Date", value) => Date::is_valid(value),
            ("DateTime", value) => Moment::is_valid(value),
            (_, Value::String(text)) => match self.enums.get(name) {
                Some(values) => values.contains_key(text),
                None => !matches!(name, "Boolean" | "Int" | "Float") && !self.inputs.contains_key(name),
            },
            (_, Value::Enum(text)) => self.enums.get(name).is_some_and(|values| values.contains_key(text.as_str())),
            (_, Value::Object(given)) => self.inputs.get(name).is_some_and(|members| {
                let known = given.keys().all(|key| members.iter().any(|(member, ..)| member == key.as_str()));
                known
                    && members.iter().all(|(member, ty, has_default)| match given.get(member.as_str()) {
                        Some(value) => self.fits(value, ty),
                        None => ty.nullable || *has_default,
                    })
            }),
            _ => false,
        }
    }
}

/// Returns the whole number that a number with a decimal point stands for; none if it has a fraction, or does not fit
/// `Int`.
fn whole(number: &Number) -> Option<i32> {
    let value = number.as_f64().filter(|value| number.is_f64() && value.fract() == 0.0)?;
    let is_int = (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&value);
    is_int.then_some(value as i32)
}

/// Why a value does not fit a type.
pub(crate) struct Misfit {
    /// The path of the misfit inside the value, such as `.filter.0.status`; empty for the value itself.
    pub(crate) path: String,
    pub(crate) why: Why,
}

/// What is wrong with a value.
pub(crate) enum Why {
    /// It is not of this type.
    Type(String),
    /// It is a member that this input object does not have.
    Unknown(String),
}

impl Why {
    /// Returns the words that follow the name of the value, in Chinese and English.
    pub(crate) fn words(&self) -> (String, String) {
        match self {
            Self::Type(expected) => (format!("应为 {expected}"), format!("should be {expected}")),
            Self::Unknown(input) => (format!("不在 {input} 中"), format!("is not in {input}")),
        }
    }
}

impl Types {
    /// Returns why a value does not fit a type; none if it fits or can be converted, as a single value to a list of
    /// one, and a whole number to an id.
    pub(crate) fn misfit(&self, value: &Value, ty: &Type) -> Option<Misfit> {
        let wrong = || Some(Misfit { path: String::new(), why: Why::Type(expected(ty)) });
        let at = |step: &str, wrong: Misfit| Misfit { path: format!(".{step}{}", wrong.path), ..wrong };
        match (value, &ty.base) {
            (Value::Null, _) => wrong().filter(|_| !ty.nullable),
            (Value::List(list), BaseType::List(inner)) => {
                let mut places = list.iter().enumerate();
                places.find_map(|(place, one)| Some(at(&place.to_string(), self.misfit(one, inner)?)))
            }
            (one, BaseType::List(inner)) => self.misfit(one, inner),
            (Value::Number(number), BaseType::Named(name)) if name == "ID" && number.is_i64() => None,
            (Value::Object(given), BaseType::Named(name)) if self.inputs.contains_key(name.as_str()) => {
                let members = &self.inputs[name.as_str()];
                let is_known = |key: &str| members.iter().any(|(member, ..)| member == key);
                if let Some(key) = given.keys().find(|key| !is_known(key)) {
                    return Some(at(key, Misfit { path: String::new(), why: Why::Unknown(name.to_string()) }));
                }
                members.iter().find_map(|(member, ty, has_default)| match given.get(member.as_str()) {
                    None if ty.nullable || *has_default => None,
                    given => Some(at(member, self.misfit(given.unwrap_or(&Value::Null), ty)?)),
                })
            }
            (value, BaseType::Named(name)) => wrong().filter(|_| !self.fits_named(value, name)),
        }
    }
}

/// Returns the name of a type for messages, with an example if its values have a special format.
fn expected(ty: &Type) -> String {
    match base(ty) {
        "Date" => format!("{ty} (2026-10-13)"),
        "DateTime" => format!("{ty} (2026-10-13T09:30:00+08:00)"),
        _ => ty.to_string(),
    }
}

/// Returns the name of a type without list and non-null markers.
pub(crate) fn base(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => base(inner),
    }
}
