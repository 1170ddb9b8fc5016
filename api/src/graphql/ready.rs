//! A request that may be executed, and what its operation is: a query, a change or a subscription.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use planner::{Lane, Selection};

use crate::error::{Code, Refused};
use crate::graphql::credentials::CREDENTIALS;
use crate::graphql::document::{Document, Operation};
use crate::graphql::params::Params;
use crate::graphql::rights;
use crate::graphql::types::Types;

/// Whether the request method permits changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// A safe method (GET), which must not change anything.
    Safe,
    /// Any other method or protocol.
    Any,
}

/// A request that has passed the checks of limits and rights, and may be executed.
pub(crate) struct Ready {
    pub(crate) document: Arc<Document>,
    /// Whether the document is known to be valid, because it was executed or validated before.
    pub(crate) is_known: bool,
    /// How much the operation asks of the database.
    pub(crate) lane: Lane,
    pub(crate) asked: Params,
    /// The request as it was sent, if the document is that of an earlier one which differed only in its literals.
    pub(crate) sent: Option<Params>,
}

impl Ready {
    /// Returns the operation if the planner answers it.
    pub(crate) fn planned(&self, types: &Types) -> Option<&Operation> {
        let operation = self.document.operation.as_ref().filter(|operation| operation.is_planned)?;
        operation.takes(&self.asked.variables, types).then_some(operation)
    }

    /// Returns for how many seconds caches may keep the answer: 0 unless it is the same for all callers.
    pub(crate) fn max_age(&self) -> i32 {
        let is_shared = self.document.operation.as_ref().is_some_and(rights::is_shared);
        if is_shared { rights::SHARED_FOR } else { 0 }
    }

    /// Refuses a subscription, and a change that is requested in a manner that must not change anything.
    pub(crate) fn permit(&self, manner: Manner) -> Result<(), Refused> {
        if self.subscribes() {
            return Err(Refused::new(
                Code::NotAcceptable,
                "订阅请用 Accept: text/event-stream，或经 WebSocket（/graphql/ws）",
                "subscriptions require Accept: text/event-stream, or the WebSocket at /graphql/ws",
            ));
        }
        if manner == Manner::Safe && self.changes() {
            return Err(Refused::new(
                Code::MethodNotAllowed,
                "GET 只能查询，变更请用 POST",
                "GET is for queries only: use POST for mutations",
            ));
        }
        Ok(())
    }

    /// Returns the root field that checks or sets a secret, if there is one.
    pub(crate) fn credential(&self) -> Option<&str> {
        let operation = self.document.operation.as_ref().filter(|one| one.kind == OperationType::Mutation)?;
        operation.roots.iter().map(Selection::name).find(|name| CREDENTIALS.contains(name))
    }

    /// Returns the names of the root fields, separated by commas.
    pub(crate) fn root_names(&self) -> String {
        let roots = self.document.operation.iter().flat_map(|operation| &operation.roots);
        roots.map(Selection::name).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn queries(&self) -> bool {
        self.document.operation.as_ref().is_some_and(|operation| operation.kind == OperationType::Query)
    }

    pub(crate) fn changes(&self) -> bool {
        self.document.operation.as_ref().is_some_and(|operation| operation.kind == OperationType::Mutation)
    }

    pub(crate) fn subscribes(&self) -> bool {
        self.document.operation.as_ref().is_some_and(|operation| operation.kind == OperationType::Subscription)
    }
}
