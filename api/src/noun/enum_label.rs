//! Labels of enum values, for screens: they are the Chinese half of the descriptions in the schema, so that a value and
//! its label are written in one place.

use async_graphql::registry::MetaType;
use async_graphql::{Context, Object, SimpleObject};

/// Separates the label from the English description in the description of an enum value.
const SEPARATOR: &str = " · ";

/// An enum type with a label for each of its values.
#[derive(SimpleObject)]
pub(crate) struct EnumLabels {
    /// Name of the enum type in this schema, such as `Status`.
    name: String,
    /// Values of the enum type, in alphabetical order of their codes.
    values: Vec<EnumValueLabel>,
}

/// Label of one value of an enum type.
#[derive(SimpleObject)]
pub(crate) struct EnumValueLabel {
    /// Code of the value, such as `IN_PROGRESS`.
    value: String,
    /// Chinese label to show to people, such as 整改中.
    label: String,
    /// English description of the value.
    description: String,
}

/// Query on the labels of enum values.
#[derive(Default)]
pub(crate) struct EnumLabelQuery;

#[Object]
impl EnumLabelQuery {
    /// Chinese labels of the values of enum types, for lists to choose from and for cells of tables. They only change
    /// with the version of this server, so a page may load them once.
    async fn enum_labels(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Names of the enum types, such as `Status`; all types of this schema if left out. Unknown names \
                          are skipped."
        )]
        names: Option<Vec<String>>,
    ) -> Vec<EnumLabels> {
        let is_wanted = |name: &str| match &names {
            Some(names) => names.iter().any(|wanted| wanted == name),
            None => !name.starts_with("__"),
        };
        let types = ctx.schema_env.registry.types.values();
        types
            .filter_map(|ty| match ty {
                MetaType::Enum { name, enum_values, .. } if is_wanted(name) => {
                    let mut values: Vec<_> =
                        enum_values.values().map(|value| labelled(&value.name, value.description.as_deref())).collect();
                    values.sort_by(|one, other| one.value.cmp(&other.value));
                    Some(EnumLabels { name: name.clone(), values })
                }
                _ => None,
            })
            .collect()
    }
}

/// Takes the description of a value apart, into its label and the rest; a value without a label is shown by its code.
pub(crate) fn label_of<'a>(value: &'a str, description: &'a str) -> (&'a str, &'a str) {
    description.split_once(SEPARATOR).unwrap_or((value, description))
}

fn labelled(value: &str, description: Option<&str>) -> EnumValueLabel {
    let (label, description) = label_of(value, description.unwrap_or_default());
    let description = description.split_whitespace().collect::<Vec<_>>().join(" ");
    EnumValueLabel { value: value.to_owned(), label: label.to_owned(), description }
}
