//! The field `query` of payloads: what the caller reads in the request of a mutation, after the act.

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, Object, OutputType, Positioned, ServerResult, Value};
use planner::Bilingual;
use tokio::time::timeout_at;

use crate::context::Request;
use crate::error::{Code, coded};
use crate::graphql::schema::Query;

/// The part of a payload that reads anew. Every payload includes it.
#[derive(Default)]
pub(crate) struct Reread;

#[Object]
impl Reread {
    /// Query root, read after the mutation has been committed or refused, so that a client gets what it shows anew in
    /// the same request. The rights are those at the beginning of the request. Null only if reading failed: an error
    /// with the path of the failed field then says why, and the other fields still say whether the mutation succeeded.
    async fn query(&self) -> Again {
        Again
    }
}

/// The query root as a nullable field, so that an error below it does not make the payload null.
struct Again;

impl OutputType for Again {
    fn type_name() -> Cow<'static, str> {
        Query::type_name()
    }

    fn qualified_type_name() -> String {
        Option::<Query>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Option::<Query>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let Some(request) = ctx.data_opt::<Request>() else { return Ok(Value::Null) };
        let query = Query::default();
        let error = match timeout_at(request.until.into(), query.resolve(ctx, field)).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error,
            Err(_) => {
                let message = Bilingual::new(
                    "变更已处理完毕，其后的读取（query）超时，请另发查询",
                    "the mutation is over, but reading `query` after it took too long: send a query of its own",
                );
                ctx.set_error_path(coded(Code::Timeout, message).into_server_error(field.pos))
            }
        };
        ctx.add_error(error);
        Ok(Value::Null)
    }
}
