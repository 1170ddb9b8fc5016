//! async-graphql is pinned: 7.1 and 7.2 drop a failed field instead of nulling its parent, and answer out of order.

use async_graphql::{EmptyMutation, EmptySubscription, Object, Result, Schema};

struct Query;
struct Part;

#[Object]
impl Query {
    async fn part(&self) -> Option<Part> {
        Some(Part)
    }

    async fn slow(&self) -> i32 {
        tokio::task::yield_now().await;
        1
    }

    async fn fast(&self) -> i32 {
        2
    }
}

#[Object]
impl Part {
    async fn ok(&self) -> i32 {
        1
    }

    async fn bad(&self) -> Result<i32> {
        tokio::task::yield_now().await;
        Err("no".into())
    }
}

#[test]
fn a_failed_non_null_field_nulls_its_parent_and_fields_keep_their_order() {
    crate::support::block_on(async {
        let schema = Schema::build(Query, EmptyMutation, EmptySubscription).finish();
        let answer = schema.execute("{ part { ok bad } }").await;
        assert_eq!(serde_json::to_string(&answer.data).unwrap(), r#"{"part":null}"#);
        assert_eq!(answer.errors.len(), 1);
        let answer = schema.execute("{ slow fast }").await;
        assert_eq!(serde_json::to_string(&answer.data).unwrap(), r#"{"slow":1,"fast":2}"#);
    });
}
