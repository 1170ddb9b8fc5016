//! Null propagation as in section 6.4.4 of the GraphQL specification: a failed field is null, or makes its parent null
//! if it is non-null. async-graphql is pinned, because 7.1 and 7.2 drop a failed field instead and answer out of order.

use async_graphql::{EmptyMutation, EmptySubscription, Object, Result, Schema};
use serde_json::{Value, json};

use crate::support::{World, stories};

stories!(a_root_that_fails_is_null_by_itself, nothing_is_written_whose_answer_cannot_be_read);

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

fn a_root_that_fails_is_null_by_itself(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let failed = |key: &str| json!([{"path": [key], "code": "BAD_USER_INPUT"}]);
    let said = |answer: &Value| -> Value {
        let errors = answer["errors"].as_array().unwrap().iter();
        errors.map(|error| json!({"path": error["path"], "code": error["extensions"]["code"]})).collect()
    };
    // Twice, because the server caches known documents.
    for _ in 0..2 {
        let answer =
            server.graphql("{ measure(id: \"measure_1\") { id } region { id } last: viewer { id } }", &json!({}));
        assert_eq!(answer["data"], json!({"measure": {"id": "measure_1"}, "region": null, "last": null}));
        assert_eq!(said(&answer), failed("region"));
        let inside =
            "{ node(id: \"problem_1\") { id } measure(id: \"measure_2\") { comments(first: 999) { totalCount } } }";
        let answer = server.graphql(inside, &json!({}));
        assert_eq!((&answer["data"]["node"]["id"], &answer["data"]["measure"]), (&json!("problem_1"), &Value::Null));
        assert_eq!(said(&answer), failed("measure"));
        let answer =
            server.graphql("{ measure(id: \"measure_1\") { id } measures(first: 999) { totalCount } }", &json!({}));
        assert_eq!((&answer["data"], said(&answer)), (&Value::Null, failed("measures")));
    }
}

fn nothing_is_written_whose_answer_cannot_be_read(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let write = "mutation($first: Int!, $input: CommentOnMeasureInput!) {
        a: commentOnMeasure(input: $input) { errors { code } measure { id } }
        b: commentOnMeasure(input: $input) { errors { code } measure { comments(first: $first) { totalCount } } } }";
    let ask = |first: i32| {
        let input = json!({"measureId": "measure_3", "text": "只写一次。"});
        server.graphql(write, &json!({"first": first, "input": input}))
    };
    let refused = |answer: &Value| {
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
        assert_eq!(answer.get("data"), None, "{answer}");
    };
    refused(&ask(999));
    let done = ask(5);
    assert_eq!(done["data"]["b"], json!({"errors": [], "measure": {"comments": {"totalCount": 2}}}), "{done}");
    refused(&ask(999));
    assert_eq!(
        ask(5)["data"]["b"]["measure"]["comments"]["totalCount"],
        4,
        "two of four requests must write, two comments each"
    );
}
