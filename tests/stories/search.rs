//! Searching: one normal form of width, case and script in every list, and one list of everything.

use ledger::search;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::ledgers::{ROUND, city};
use crate::support::{Server, World, block_on, stories};

stories!(
    width_case_and_script_make_no_difference,
    everything_with_words_is_found_within_ones_rights,
    what_is_found_is_the_same_before_and_after_it_is_indexed,
);

fn width_case_and_script_make_no_difference(world: &World) {
    let county = world.file("县.xlsx", &city(&crate::support::ledgers::CITY_ROWS));
    world.done(&["import", &county, "--round", ROUND, "--region", "540329", "--issued-by", "540300", "--create-units"]);
    block_on(async {
        let db = world.db().await;
        for (id, text) in [(1, "治理ＰＭ２．５点位20处"), (2, "治理PM2.5點位２０处")] {
            db.execute_unprepared(&format!("UPDATE measure SET content = '{text}' WHERE id = {id}")).await.unwrap();
        }
    });
    let server = world.serve();
    for words in ["PM2.5", "pm2.5", "ＰＭ２．５", "ｐｍ", "20处", "２０處", "點位", "点位 pm"] {
        let found = server.data(
            "query($words: String!) { measures(filter: {text: {search: $words}}) { totalCount }
                search(text: $words) { totalCount nodes { kind rank snippet objectId measure { content }
                    problem { id } } } }",
            &json!({ "words": words }),
        );
        assert_eq!(found["measures"]["totalCount"], 2, "{words}: {found}");
        assert_eq!(found["search"]["totalCount"], 2, "{words}: {found}");
        let hit = &found["search"]["nodes"][0];
        assert_eq!(hit["kind"], "MEASURE");
        assert!(hit["snippet"].as_str().unwrap().contains("治理"), "{hit}");
        assert!(hit["measure"]["content"].is_string() && hit["problem"].is_null(), "{hit}");
    }
    for blank in ["", " \u{3000}"] {
        let said = server
            .graphql("query($words: String!) { search(text: $words) { totalCount } }", &json!({ "words": blank }));
        assert_eq!(said["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{said}");
    }
}

fn everything_with_words_is_found_within_ones_rights(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let accounts = server.data("{ demoAccounts { accountId role } }", &json!({}))["demoAccounts"].clone();
    let search = "query($after: String) { search(text: \"整改\", first: 50, after: $after) { totalCount
        pageInfo { hasNextPage endCursor } groups(by: [KIND]) { groupCount keys { key } aggregate { count } }
        nodes { kind rank objectId snippet unit { id } } }
        problems(filter: {text: {search: \"整改\"}}) { totalCount } 
        measures(filter: {text: {search: \"整改\"}}) { totalCount }
        units(filter: {name: {search: \"整改\"}}) { totalCount } }";
    for account in accounts.as_array().unwrap() {
        let entered = "mutation($account: ID!) { signInAsDemo(accountId: $account) { token } }";
        let entered = server.data(entered, &json!({ "account": account["accountId"] }));
        let token = entered["signInAsDemo"]["token"].as_str().unwrap();
        let mut after = json!(null);
        let (mut ids, mut ranks) = (Vec::new(), Vec::new());
        loop {
            let data = server.data_as(token, search, &json!({ "after": after }));
            let count = |kind: &str| {
                let groups = data["search"]["groups"].as_array().unwrap().iter();
                groups
                    .filter(|group| group["keys"][0]["key"] == kind)
                    .filter_map(|group| group["aggregate"]["count"].as_i64())
                    .sum::<i64>()
            };
            for (kind, list) in [("PROBLEM", "problems"), ("MEASURE", "measures"), ("UNIT", "units")] {
                assert_eq!(json!(count(kind)), data[list]["totalCount"], "{kind} for {account}");
            }
            for node in data["search"]["nodes"].as_array().unwrap() {
                ids.push(node["objectId"].as_str().unwrap().to_owned());
                ranks.push(node["rank"].as_i64().unwrap());
                assert_eq!(node["kind"] == "UNIT", node["unit"]["id"] == node["objectId"], "{node}");
            }
            if data["search"]["pageInfo"]["hasNextPage"] == json!(false) {
                assert_eq!(json!(ids.len()), data["search"]["totalCount"], "for {account}");
                break;
            }
            after = data["search"]["pageInfo"]["endCursor"].clone();
        }
        assert!(ranks.is_sorted(), "{ranks:?}");
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all, "no hit comes twice");
    }
}

/// The index narrows the searches for these words, in each list that it covers, and by a filter of another list. Words
/// of one character and words that nearly every text has are looked for in the texts themselves.
const INDEXED: &str = "query($words: String!) {
    problems(first: 50, filter: {text: {search: $words}}) { totalCount nodes { id } }
    numbers: problems(first: 50, filter: {number: {search: $words}}) { totalCount nodes { id } }
    measures(first: 50, filter: {text: {search: $words}}) { totalCount nodes { id } }
    others: measures(first: 50, filter: {not: {text: {search: $words}}}) { totalCount nodes { id } }
    either: measures(first: 50, filter: {or: [{text: {search: $words}}, {number: {search: $words}}]}) { totalCount }
    assignments(first: 50, filter: {measure: {is: {text: {search: $words}}}}) { totalCount nodes { id } }
    units(first: 50, filter: {name: {search: $words}}) { totalCount nodes { id } }
    inspectionCases(first: 50, filter: {text: {search: $words}}) { totalCount nodes { id } }
    progressReports(first: 50, filter: {text: {search: $words}}) { totalCount nodes { id } }
    search(text: $words, first: 50) { totalCount nodes { objectId rank snippet } }
}";

fn what_is_found_is_the_same_before_and_after_it_is_indexed(world: &World) {
    world.done(&["demo"]);
    // Nothing is indexed yet: this server has no scheduler.
    let server = world.serve();
    let scanned = found(&server);
    block_on(async {
        let db = world.db().await;
        assert!(search::settle(&db).await.unwrap() > 0);
        assert_eq!(search::settle(&db).await.unwrap(), 0);
    });
    assert_eq!(found(&server), scanned);
    // A text that is corrected is found by its new words at once, and no longer by its old ones.
    let count = |words: &str| {
        let query = "query($words: String!) { measures(filter: {text: {search: $words}}) { totalCount } }";
        server.data(query, &json!({ "words": words }))["measures"]["totalCount"].as_i64().unwrap()
    };
    let (before, all) = (count("雨污分流"), count("整改"));
    let round = "{ search(text: \"演示\", filter: {kind: [INSPECTION_ROUND]}) { totalCount } }";
    assert!(server.data(round, &json!({}))["search"]["totalCount"].as_i64().unwrap() > 0, "rounds are found by words");
    block_on(async {
        let db = world.db().await;
        db.execute_unprepared("UPDATE measure SET content = '独一无二的旧词' WHERE id = 1").await.unwrap();
        search::settle(&db).await.unwrap();
        assert_eq!(count("独一无二"), 1);
        db.execute_unprepared("UPDATE measure SET content = '雨污分流改造完成整改' WHERE id = 1").await.unwrap();
        for settled in [false, true] {
            if settled {
                assert_eq!(search::settle(&db).await.unwrap(), 1, "only what was written since");
            }
            assert_eq!((count("分流改造完"), count("独一无二")), (1, 0));
        }
    });
    assert!(count("雨污分流") >= before && count("整改") >= all);
}

/// Returns what the server finds for some words.
fn found(server: &Server) -> Vec<Value> {
    let words = ["整改", "水", "生态环境", "垃圾 整改", "生態環境", "没有的词", "局", "整改方案已印发", "Ａ1", "改，"];
    words.iter().map(|words| server.data(INDEXED, &json!({ "words": words }))).collect()
}
