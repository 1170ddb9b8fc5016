//! The language of error messages, chosen by `Accept-Language`.

use serde_json::json;

use crate::support::{World, stories};

use super::ANY;

stories!(the_language_of_a_refused_report_is_the_caller_s,);

#[test]
fn messages_are_in_the_language_that_the_caller_prefers() {
    let world = World::sqlite();
    let server = world.serve();
    let said = |query: &str, language: &str| {
        let headers = [("accept-language", language)];
        let answer = server.ask(&json!({ "query": query }), if language.is_empty() { &[] } else { &headers });
        answer.json()["errors"][0]["message"].as_str().unwrap().to_owned()
    };
    for (query, zh, en) in [
        ("{ nope }", "查询不符合接口定义：Unknown field", "Unknown field"),
        ("{", "查询无法解析：", "syntax error: "),
        ("query($n: Int!) { problems(first: $n) { totalCount } }", "变量 $n 应为 Int!", "variable $n should be Int!"),
        ("{ problems(first: 999) { totalCount } }", "`first: 999` 超出范围", "`first: 999` is out of range"),
        ("{ region { id } }", "给出 id 或 code 其中之一", "give either `id` or `code`"),
    ] {
        for language in
            ["", "zh", "zh-CN,zh;q=0.9,en;q=0.8", "fr", "fr, *;q=0.1", "en;q=0.2, zh-Hant;q=0.3", "nonsense;;"]
        {
            assert!(said(query, language).starts_with(zh), "{language}: {}", said(query, language));
        }
        for language in ["en", "en-GB", "fr, en;q=0.8, zh;q=0.7", "EN-us"] {
            assert!(said(query, language).starts_with(en), "{language}: {}", said(query, language));
        }
    }
    // The message names the path of the wrong member within the variable.
    let dated = "query($filter: MeasureFilter) { measures(filter: $filter) { totalCount } }";
    for (filter, message) in [
        (json!({"dueOn": {"eq": "2026-02-30"}}), "变量 $filter.dueOn.eq 应为 Date (2026-10-13)"),
        (json!({"and": [{}, {"dueOn": {"gt": 1}}]}), "变量 $filter.and.1.dueOn.gt 应为 Date (2026-10-13)"),
        (
            json!({"assignments": {"some": {"updatedAt": {"gte": "2026-10-13"}}}}),
            "变量 $filter.assignments.some.updatedAt.gte 应为 DateTime (2026-10-13T09:30:00+08:00)",
        ),
    ] {
        let answer = server.graphql(dated, &json!({ "filter": filter }));
        assert_eq!(answer["errors"][0]["message"], message, "{answer}");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    }
    let literal = said("{ measures(filter: {dueOn: {eq: \"2026-02-30\"}}) { totalCount } }", "en");
    assert!(literal.contains("filter.dueOn.eq") && literal.contains("Date"), "{literal}");
    let huge =
        server.send(&[("content-type", "application/json")], "{\"query\": \"{ a }\",\n\"variables\": {\"n\": 1e400}}");
    assert!(huge.body.contains("number out of range at line 2"), "{}", huge.body);
    let not_json = server.send(&[("content-type", "text/plain"), ("accept-language", "en")], ANY);
    assert!(not_json.body.contains("send JSON in UTF-8"), "{}", not_json.body);
}

fn the_language_of_a_refused_report_is_the_caller_s(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let query =
        "mutation($input: ReportProgressInput!) { reportProgress(input: $input) { errors { code message path } } }";
    let input = json!({"assignmentId": "assignment_1", "version": 77, "period": "2025-10", "text": "x"});
    let said = |language: &str| {
        let request = json!({"query": query, "variables": {"input": input}});
        server.ask(&request, &[("accept-language", language)]).json()["data"]["reportProgress"]["errors"][0].clone()
    };
    let (zh, en) = (said("zh-CN"), said("en"));
    assert_eq!((&zh["code"], &en["code"]), (&json!("STALE_VERSION"), &json!("STALE_VERSION")));
    assert!(zh["message"].as_str().unwrap().starts_with("责任分解已被他人更新"), "{zh}");
    assert!(en["message"].as_str().unwrap().starts_with("someone else has changed the assignment"), "{en}");
}
