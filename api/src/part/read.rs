//! Reading rows that a field speaks of: one planned statement, within the sight of whoever asks.

use async_graphql::{Context, Error, ServerError};
use planner::{Noun, Planned, Refusal, Root, Selected, Selection, Statement};

use crate::context::Request;
use crate::error::{Code, coded, masked};

/// A root field that is ready to be read.
pub(crate) enum Plan {
    /// By a statement.
    Statement(Statement),
    /// Without one.
    Constant(&'static str),
}

impl Plan {
    /// The field's JSON.
    pub(crate) async fn run(self, request: &Request) -> Result<String, Error> {
        match self {
            Self::Statement(statement) => request.reader.read(statement).await.map_err(|failure| masked(&failure)),
            Self::Constant(json) => Ok(json.to_owned()),
        }
    }
}

/// An error of the field at hand.
pub(crate) fn placed(ctx: &Context<'_>, error: Error) -> ServerError {
    ctx.set_error_path(error.into_server_error(ctx.item.pos))
}

pub(crate) fn statement(root: Root<'_>, selection: &Selected<'_>, request: &Request) -> Result<Statement, Error> {
    planned(root, selection, request).map_err(|refusal| coded(Code::BadUserInput, refusal.0))
}

pub(crate) fn planned(root: Root<'_>, selection: &Selected<'_>, request: &Request) -> Result<Statement, Refusal> {
    let facts = ledger::rule::pace::facts(request.today());
    planner::plan(request.reader.backend(), root, selection, &facts, request.principal())
}

/// Reads a root of the caller's own making.
pub(crate) async fn root(root: Root<'_>, selection: &Selected<'_>, request: &Request) -> Result<String, Error> {
    Plan::Statement(statement(root, selection, request)?).run(request).await
}

/// Reads what a mutation has written, as the payload's field asks for it. Where that fails, the field is null beside the
/// error: the write holds, and the rest of the payload says so.
pub(crate) async fn back<N: Noun>(ctx: &Context<'_>, key: i64) -> Option<Planned<N>> {
    let field = Selection::read(&ctx.item.node, &ctx.query_env.fragments);
    let root = Root::One(N::table(), "id", key.into());
    let selection = field.with(&ctx.query_env.variables);
    let read = async { self::root(root, &selection, ctx.data::<Request>()?).await };
    match read.await {
        Ok(json) => Some(Planned::new(json)),
        Err(error) => {
            ctx.add_error(placed(ctx, error));
            None
        }
    }
}
