//! Reading the rows that a field selects, by one planned statement that returns only what the caller may see.

use async_graphql::{Context, Error, ServerError};
use ledger::rule::calendar::Month;
use planner::{
    Finish, Finisher, Noun, Planned, Premise, Refusal, Root, Selected, Selection, Statement, Trouble, trouble,
};

use serde_json::Value;

use crate::context::Request;
use crate::error::{Code, Refused, coded, failed, masked};

/// A value to which the SQL of nouns refers by name.
pub(crate) type Fact = (&'static str, sea_orm::Value);

/// The plan by which a root field is read.
pub(crate) enum Plan {
    /// Runs this statement against the database.
    Statement(Statement),
    /// Returns this JSON without a statement.
    Constant(&'static str),
}

/// Completes the values that the database cannot compute, for a request.
struct Completing<'a>(&'a Request);

impl Finisher for Completing<'_> {
    fn finish(&self, finish: &Finish, value: &Value) -> Value {
        let found = self.0.finishers.iter().find(|(name, _)| *name == finish.name);
        found.map_or(Value::Null, |(_, complete)| complete(self.0, finish, value))
    }
}

impl Plan {
    /// Runs the plan and returns the JSON of the field. Failures of the database are masked.
    pub(crate) async fn run(self, request: &Request) -> Result<String, Error> {
        match self {
            Self::Statement(statement) => {
                let finisher = Completing(request);
                request
                    .reader
                    .read(statement, (request.lane, request.freshness), &finisher)
                    .await
                    .map_err(|failure| masked(&failure))
            }
            Self::Constant(json) => Ok(json.to_owned()),
        }
    }

    /// Returns whether nothing is read.
    pub(crate) fn is_constant(&self) -> bool {
        matches!(self, Self::Constant(_))
    }

    /// Runs the plan like [`Plan::run`] if the premise holds. None if it does not, if the statement fails, and where
    /// nothing is read, so that nothing could tell. Refuses it while the database is away, where nobody could be
    /// authenticated either.
    pub(crate) async fn run_if(self, premise: &Premise, request: &Request) -> Result<Option<String>, Refused> {
        let Self::Statement(statement) = self else { return Ok(None) };
        match request.reader.read_if(premise, statement, request.lane, &Completing(request)).await {
            Ok(json) => Ok(json),
            Err(failure) if trouble(&failure) == Some(Trouble::Away) => Err(failed(&failure)),
            Err(failure) => {
                tracing::warn!(error = %failure, "a read that finds the session failed; both are tried apart");
                Ok(None)
            }
        }
    }
}

/// Adds the position and the path of the current field to an error.
pub(crate) fn placed(ctx: &Context<'_>, error: Error) -> ServerError {
    ctx.set_error_path(error.into_server_error(ctx.item.pos))
}

/// Plans the statement for a root and a selection; a refusal becomes a `BAD_USER_INPUT` error.
pub(crate) fn statement(root: Root<'_>, selection: &Selected<'_>, request: &Request) -> Result<Statement, Error> {
    planned(root, selection, request).map_err(|refusal| coded(Code::BadUserInput, refusal.0))
}

/// Plans the statement for a root and a selection, with today's date in the ledger's time zone as the day of reference
/// and limited to the rows that the caller may see.
pub(crate) fn planned(root: Root<'_>, selection: &Selected<'_>, request: &Request) -> Result<Statement, Refusal> {
    planned_with(&facts_of(Month::of(request.today()), request), root, selection, request)
}

/// Plans the statement for a root about a month and a selection, like [`planned`]. A refusal becomes a `BAD_USER_INPUT`
/// error.
pub(crate) fn statement_of(
    month: Month,
    root: Root<'_>,
    selection: &Selected<'_>,
    request: &Request,
) -> Result<Statement, Error> {
    let facts = facts_of(month, request);
    planned_with(&facts, root, selection, request).map_err(|refusal| coded(Code::BadUserInput, refusal.0))
}

/// Plans the statement for a root whose SQL refers to more facts, like [`statement_of`].
pub(crate) fn statement_with(
    more: impl IntoIterator<Item = Fact>,
    root: Root<'_>,
    selection: &Selected<'_>,
    request: &Request,
) -> Result<Statement, Error> {
    let mut facts = facts_of(Month::of(request.today()), request);
    facts.extend(more);
    planned_with(&facts, root, selection, request).map_err(|refusal| coded(Code::BadUserInput, refusal.0))
}

fn facts_of(month: Month, request: &Request) -> Vec<Fact> {
    let mut facts = ledger::rule::pace::facts(request.today(), request.zone);
    facts.extend(ledger::monthly_account::facts(month, request.today(), request.zone));
    facts
}

fn planned_with(
    facts: &[Fact],
    root: Root<'_>,
    selection: &Selected<'_>,
    request: &Request,
) -> Result<Statement, Refusal> {
    planner::plan(request.reader.backend(), root, selection, facts, request.principal())
}

/// Plans and reads a root that the calling function has built, and returns its JSON.
pub(crate) async fn root(root: Root<'_>, selection: &Selected<'_>, request: &Request) -> Result<String, Error> {
    Plan::Statement(statement(root, selection, request)?).run(request).await
}

/// Reads the object that a mutation has written, with the fields selected in the payload. If reading fails, the field
/// is null and the error is added to the response: the write has been committed, and the rest of the payload says so.
pub(crate) async fn back<N: Noun>(ctx: &Context<'_>, key: i64) -> Option<Planned<N>> {
    written(ctx, Root::One(N::table(), "id", key.into())).await.map(Planned::new)
}

/// Reads the objects that a mutation has written, in the order of their keys here, like [`back`].
pub(crate) async fn all_back<N: Noun>(ctx: &Context<'_>, keys: &[i64]) -> Option<Planned<Vec<Option<N>>>> {
    let rows = keys.iter().map(|key| Some((N::table(), (*key).into())));
    written(ctx, Root::Several(rows.collect())).await.map(Planned::new)
}

/// Reads what a field of a payload selects.
async fn written(ctx: &Context<'_>, root: Root<'_>) -> Option<String> {
    let field = Selection::read(&ctx.item.node, &ctx.query_env.fragments);
    let selection = field.with(&ctx.query_env.variables);
    let read = async { self::root(root, &selection, ctx.data::<Request>()?).await };
    match read.await {
        Ok(json) => Some(json),
        Err(error) => {
            ctx.add_error(placed(ctx, error));
            None
        }
    }
}
