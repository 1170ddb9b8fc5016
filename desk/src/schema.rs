//! The schema of the API, as the desk reads it: what types the variables and inputs of operations have, and the labels
//! of enum values.

use std::collections::HashMap;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{BaseType, InputValueDefinition, Type, TypeKind, TypeSystemDefinition};

/// Separates the Chinese label from the English description in the description of an enum value.
const SEPARATOR: &str = " · ";

/// A field of an object or of an input object.
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) of: Type,
    /// Whether the schema gives a default value, so that the field may be left out.
    pub(crate) has_default: bool,
    /// The type of the argument `input`, of a mutation.
    input: Option<String>,
}

/// The schema of the API.
pub(crate) struct Schema {
    objects: HashMap<String, Vec<Field>>,
    inputs: HashMap<String, Vec<Field>>,
    /// The values of each enum with their Chinese labels, in the order of the schema.
    enums: HashMap<String, Vec<(String, String)>>,
}

impl Schema {
    /// Reads the schema from its definition language.
    pub(crate) fn read(sdl: &str) -> Result<Self, async_graphql::parser::Error> {
        let mut schema = Self { objects: HashMap::new(), inputs: HashMap::new(), enums: HashMap::new() };
        for definition in parse_schema(sdl)?.definitions {
            let TypeSystemDefinition::Type(of) = definition else { continue };
            let name = of.node.name.node.to_string();
            match of.node.kind {
                TypeKind::Object(object) => {
                    let field = |field: &async_graphql::parser::types::FieldDefinition| Field {
                        name: field.name.node.to_string(),
                        of: field.ty.node.clone(),
                        has_default: false,
                        input: field.arguments.iter().find(|one| one.node.name.node == "input").and_then(|argument| {
                            match &argument.node.ty.node.base {
                                BaseType::Named(name) => Some(name.to_string()),
                                BaseType::List(_) => None,
                            }
                        }),
                    };
                    let fields = object.fields.iter().map(|one| field(&one.node)).collect();
                    schema.objects.insert(name, fields);
                }
                TypeKind::InputObject(input) => {
                    let field = |field: &InputValueDefinition| Field {
                        name: field.name.node.to_string(),
                        of: field.ty.node.clone(),
                        has_default: field.default_value.is_some(),
                        input: None,
                    };
                    schema.inputs.insert(name, input.fields.iter().map(|one| field(&one.node)).collect());
                }
                TypeKind::Enum(values) => {
                    let value = |value: &async_graphql::parser::types::EnumValueDefinition| {
                        let description = value.description.as_ref().map_or("", |said| said.node.as_str());
                        let label = description.split_once(SEPARATOR).map_or("", |(label, _)| label);
                        (value.value.node.to_string(), label.trim().to_owned())
                    };
                    schema.enums.insert(name, values.values.iter().map(|one| value(&one.node)).collect());
                }
                _ => {}
            }
        }
        Ok(schema)
    }

    /// Returns the type of the argument `input` of a mutation.
    pub(crate) fn input_of(&self, mutation: &str) -> Option<&str> {
        self.field("Mutation", mutation)?.input.as_deref()
    }

    /// Returns the fields of the payload of a mutation.
    pub(crate) fn payload_of(&self, mutation: &str) -> Option<&[Field]> {
        self.objects.get(&base(&self.field("Mutation", mutation)?.of.base)).map(Vec::as_slice)
    }

    /// Returns the selection of a field with everything below it. For plain data, whose types do not lead back to
    /// themselves.
    pub(crate) fn selection(&self, field: &Field) -> String {
        let Some(below) = self.objects.get(&base(&field.of.base)) else { return field.name.clone() };
        let below: Vec<String> = below.iter().map(|field| self.selection(field)).collect();
        format!("{} {{ {} }}", field.name, below.join(" "))
    }

    /// Returns a field of an object type.
    pub(crate) fn field(&self, object: &str, name: &str) -> Option<&Field> {
        self.objects.get(object)?.iter().find(|field| field.name == name)
    }

    /// Returns the fields of an input type.
    pub(crate) fn inputs(&self, name: &str) -> Option<&[Field]> {
        self.inputs.get(name).map(Vec::as_slice)
    }

    /// Returns the field of an input type at a path such as `deadline.on`.
    pub(crate) fn at<'a>(&'a self, input: &str, path: &str) -> Option<&'a Field> {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let field = self.inputs.get(input)?.iter().find(|field| field.name == name)?;
        match rest {
            Some(rest) => self.at(&base(&field.of.base), rest),
            None => Some(field),
        }
    }

    /// Returns the values of an enum with their Chinese labels; none if there is no such enum.
    pub(crate) fn values(&self, name: &str) -> Option<&[(String, String)]> {
        self.enums.get(name).map(Vec::as_slice)
    }

    /// Returns the label of an enum value: the Chinese one of the schema, or its code as English words. A value that
    /// the schema does not have is its own label.
    pub(crate) fn label(&self, name: &str, value: &str, is_english: bool) -> String {
        let known = self.enums.get(name).and_then(|values| values.iter().find(|(code, _)| code == value));
        match known {
            Some((_, label)) if !is_english && !label.is_empty() => label.clone(),
            Some((code, _)) => api::in_words(code),
            None => value.to_owned(),
        }
    }
}

/// Returns the name of the type in lists and non-null types.
pub(crate) fn base(of: &BaseType) -> String {
    match of {
        BaseType::Named(name) => name.to_string(),
        BaseType::List(inner) => base(&inner.base),
    }
}
