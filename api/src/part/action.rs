//! What the caller may do to an object: the field `availableActions`, which the nouns share. The statement that reads
//! the object delivers the facts; the workflow and the policy decide.

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::{Deprecation, MetaEnumValue, MetaType, MetaTypeId, Registry};
use async_graphql::{ContextSelectionSet, Name, OutputType, Positioned, ServerResult, SimpleObject, Value};
use ledger::work::available::{self, Action, Asking, Available, Subject};
use planner::Finish;
use serde_json::{Value as Json, json};

use crate::context::Request;
use crate::language::Language;

/// The names under which `crate::noun::FINISHERS` has the field of each noun.
pub(crate) const ASSIGNMENT: &str = "actionsOnAssignment";
pub(crate) const MEASURE: &str = "actionsOnMeasure";
pub(crate) const PROBLEM: &str = "actionsOnProblem";
pub(crate) const CASE: &str = "actionsOnCase";
pub(crate) const CLOSE_OUT: &str = "actionsOnCloseOut";
pub(crate) const EXTENSION: &str = "actionsOnExtension";
pub(crate) const SUPERVISION: &str = "actionsOnSupervision";
pub(crate) const OBJECTION: &str = "actionsOnObjection";
pub(crate) const ROUND: &str = "actionsOnRound";
pub(crate) const PUBLISHED_FIGURE: &str = "actionsOnPublishedFigure";

/// An action that people can do to an object, and whether the caller may do it now. A mutation checks again, because
/// the object may have changed in the meantime.
#[derive(SimpleObject)]
pub(crate) struct AvailableAction {
    /// Code of the action.
    action: ActionCode,
    /// Name of the mutation that carries out the action, such as `verifyCloseOut`; null for an upload of evidence
    /// (`POST /evidence`).
    mutation: Option<String>,
    /// What a button for the action says, in the language of the request, such as `核查通过`.
    label: String,
    /// Whether the caller may do it now.
    is_available: bool,
    /// Whether the caller may do it in some state of the object. If not, it is for others to do.
    is_permitted: bool,
    /// Why the caller may not do it now, in the language of the request; null if the action is available.
    reason: Option<String>,
}

/// The code of an action as the schema knows it.
struct ActionCode;

impl OutputType for ActionCode {
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed("Action")
    }

    fn create_type_info(registry: &mut Registry) -> String {
        registry.create_output_type::<Self, _>(MetaTypeId::Enum, |_| MetaType::Enum {
            name: Self::type_name().into_owned(),
            description: Some("Action that people can do to an object.".to_owned()),
            enum_values: Action::ALL.iter().map(|action| (action.code().to_owned(), value(*action))).collect(),
            visible: None,
            inaccessible: false,
            tags: Vec::new(),
            rust_typename: Some(std::any::type_name::<Self>()),
            directive_invocations: Vec::new(),
            requires_scopes: Vec::new(),
        })
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        // The planner answers every field of this type.
        Ok(Value::Enum(Name::new(Action::ALL[0].code())))
    }
}

fn value(action: Action) -> MetaEnumValue {
    let (zh, en) = action.words();
    let by = match action.mutation() {
        "" => "`POST /evidence`".to_owned(),
        mutation => format!("mutation `{mutation}`"),
    };
    MetaEnumValue {
        name: action.code().to_owned(),
        description: Some(format!("{zh} · {en} ({by}).")),
        deprecation: Deprecation::NoDeprecated,
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        directive_invocations: Vec::new(),
    }
}

/// Returns the actions on an object for the caller of a request, with the selected fields.
pub(crate) fn available(subject: Subject, request: &Request, finish: &Finish, facts: &Json) -> Json {
    let asking = Asking { principal: request.principal(), today: request.today(), zone: request.zone };
    let one = |available: &Available| {
        let (zh, en) = available.action.words();
        let field = |name: &str| match name {
            "action" => json!(available.action.code()),
            "mutation" => json!(Some(available.action.mutation()).filter(|name| !name.is_empty())),
            "label" => json!(if request.language == Language::English { en } else { zh }),
            "isAvailable" => json!(available.reason.is_none()),
            "isPermitted" => json!(available.is_permitted),
            "reason" => json!(available.reason.as_ref().map(|reason| request.language.of(reason))),
            _ => json!("AvailableAction"),
        };
        finish.fields.iter().map(|(key, name)| (key.clone(), field(name))).collect::<serde_json::Map<_, _>>()
    };
    available::actions(asking, subject, facts).iter().map(one).map(Json::Object).collect()
}
