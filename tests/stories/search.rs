//! Searching: one normal form of width, case and script in every list, and one list of everything.

use serde_json::json;

use crate::support::ledgers::{ROUND, city};
use crate::support::{World, block_on, stories};

stories!(width_case_and_script_make_no_difference, everything_with_words_is_found_within_ones_rights);

fn width_case_and_script_make_no_difference(world: &World) {
    let county = world.file("县.xlsx", &city(&crate::support::ledgers::CITY_ROWS));
    world.done(&["import", &county, "--round", ROUND, "--region", "540329", "--issued-by", "540300", "--create-units"]);
    block_on(async {
        use sea_orm::ConnectionTrait;
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
