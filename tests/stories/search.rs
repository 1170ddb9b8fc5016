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
    counts_stay_exact_whatever_is_edited,
    hits_come_in_one_order_whatever_the_page,
    what_has_a_number_is_found_by_it,
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
        assert!(search::index_pending(&db).await.unwrap() > 0);
        assert_eq!(search::index_pending(&db).await.unwrap(), 0);
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
        search::index_pending(&db).await.unwrap();
        assert_eq!(count("独一无二"), 1);
        db.execute_unprepared("UPDATE measure SET content = '雨污分流改造完成整改' WHERE id = 1").await.unwrap();
        for settled in [false, true] {
            if settled {
                assert_eq!(search::index_pending(&db).await.unwrap(), 1, "only what was written since");
            }
            assert_eq!((count("分流改造完"), count("独一无二")), (1, 0));
        }
    });
    assert!(count("雨污分流") >= before && count("整改") >= all);
}

/// Returns what the server finds for some words.
fn found(server: &Server) -> Vec<Value> {
    let words = [
        "整改",
        "水",
        "生态环境",
        "垃圾 整改",
        "生態環境",
        "没有的词",
        "局",
        "整改方案已印发",
        "Ａ1",
        "改，",
        "1-1",
        "4-3 水",
        "水 4-3",
    ];
    words.iter().map(|words| server.data(INDEXED, &json!({ "words": words }))).collect()
}

fn counts_stay_exact_whatever_is_edited(world: &World) {
    world.done(&["demo"]);
    assert!(world.done(&["search", "rebuild"]).contains("已重建"));
    let server = world.serve();
    // The stored numbers, and those of the rows themselves, which a second filter or groups make the database read.
    let agree = |words: &str| {
        let query = "query($words: String!) {
            measures(filter: {text: {search: $words}}) { totalCount aggregate { count } }
            read: measures(filter: {text: {search: $words}, not: {number: {eq: \"-\"}}}) { totalCount }
            all: search(text: $words) { totalCount groups(by: [KIND]) { aggregate { count } } } }";
        let found = server.data(query, &json!({ "words": words }));
        let total = &found["measures"]["totalCount"];
        assert_eq!((total, total), (&found["read"]["totalCount"], &found["measures"]["aggregate"]["count"]), "{words}");
        let groups = found["all"]["groups"].as_array().unwrap().iter();
        let groups: i64 = groups.map(|group| group["aggregate"]["count"].as_i64().unwrap()).sum();
        assert_eq!(found["all"]["totalCount"], groups, "{words}");
        (total.as_i64().unwrap(), groups)
    };
    let execute = |sql: &str| block_on(async { world.db().await.execute_unprepared(sql).await.unwrap() });
    let index = || block_on(async { search::index_pending(&world.db().await).await.unwrap() });
    let is_right = || world.done(&["search", "check"]).contains("一致");
    let words = ["整改", "水质", "新词", "旧词", "10", "1-"];
    let before = words.map(agree);
    execute("UPDATE measure SET content = '旧词整改' WHERE id = 1");
    index();
    let with = words.map(agree);
    for text in ["新词", "旧词整改", "新词旧词整改", "旧词整改"] {
        execute(&format!("UPDATE measure SET content = '{text}' WHERE id = 1"));
        for words in words {
            agree(words);
        }
        assert!(is_right());
    }
    assert_eq!(words.map(agree), with);
    index();
    assert_eq!(words.map(agree), with, "edits to and fro leave nothing behind");
    assert!(is_right());
    // A row that is written and deleted before it is indexed, and one that is deleted afterwards.
    let insert = "INSERT INTO comment (measure_id, author_id, written_at, text) \
        SELECT measure_id, author_id, written_at, '新词整改' FROM comment LIMIT 1";
    for settles in [false, true] {
        execute(insert);
        if settles {
            index();
        }
        assert_eq!(agree("新词").1, with[2].1 + 1);
        execute("DELETE FROM comment WHERE text = '新词整改'");
        assert_eq!(words.map(agree), with);
        index();
        assert_eq!(words.map(agree), with);
        assert!(is_right());
    }
    assert!(before[3].0 < with[3].0);
    // A fault is found, and mended.
    execute("UPDATE search_gram SET size = size + 1 WHERE noun = 'measure' AND gram = '整改'");
    let found = world.run(&["search", "check"]);
    assert!(found.code == 1 && found.out.contains("1 个字对"), "{}: {}", found.code, found.out);
    assert!(world.done(&["search", "check", "--mend"]).contains("已重建"));
    assert!(is_right());
    assert_eq!(words.map(agree), with);
}

fn hits_come_in_one_order_whatever_the_page(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let ids = |arguments: &str| -> Vec<String> {
        let (mut ids, mut after) = (Vec::new(), String::new());
        loop {
            let query = format!(
                "{{ search(text: \"整改\", {arguments}{after}) {{
                    nodes {{ objectId rank }} pageInfo {{ hasNextPage endCursor }} }} }}"
            );
            let page = server.data(&query, &json!({}))["search"].clone();
            ids.extend(page["nodes"].as_array().unwrap().iter().map(Value::to_string));
            if page["pageInfo"]["hasNextPage"] == json!(false) || arguments.starts_with("last") {
                return ids;
            }
            after = format!(", after: {}", page["pageInfo"]["endCursor"]);
        }
    };
    let all = ids("first: 200");
    assert!(all.len() > 100, "several parts of the search have hits: {}", all.len());
    for size in [7, 60] {
        assert_eq!(ids(&format!("first: {size}")), all);
    }
    assert_eq!(ids("last: 5"), all[all.len() - 5..]);
    let mut reversed = ids("first: 9, orderBy: [{field: RANK, direction: DESC}]");
    reversed.reverse();
    assert_eq!(reversed, all);
}

fn what_has_a_number_is_found_by_it(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let search = |words: &str| {
        let query = "query($words: String!) { search(text: $words, first: 200) { totalCount nodes { kind objectId rank
            snippet problem { number } measure { number } inspectionCase { number } } }
            measures(filter: {number: {search: $words}}) { totalCount }
            problems(filter: {number: {search: $words}}) { totalCount } }";
        server.data(query, &json!({ "words": words }))
    };
    let case = server.data("{ inspectionCases(first: 1) { nodes { id number summary } } }", &json!({}));
    let case = &case["inspectionCases"]["nodes"][0];
    for settled in [false, true] {
        if settled {
            assert!(block_on(async { search::index_pending(&world.db().await).await.unwrap() }) > 0);
        }
        let found = search(case["number"].as_str().unwrap());
        assert_eq!(
            (&found["search"]["totalCount"], &found["search"]["nodes"][0]["objectId"]),
            (&json!(1), &case["id"])
        );
        let found = search("1-1");
        let hits = found["search"]["nodes"].as_array().unwrap();
        let of = |kind: &str, name: &str| {
            let is_numbered =
                |hit: &&Value| hit["kind"] == kind && hit[name]["number"].as_str().unwrap().contains("1-1");
            hits.iter().filter(is_numbered).count()
        };
        assert!(of("MEASURE", "measure") > 0, "{found}");
        assert_eq!(of("MEASURE", "measure"), found["measures"]["totalCount"].as_u64().unwrap() as usize);
        assert_eq!(of("PROBLEM", "problem"), found["problems"]["totalCount"].as_u64().unwrap() as usize);
        assert!(hits[0]["snippet"].as_str().unwrap().contains("1-1"), "numbers come first: {}", hits[0]);
        assert_eq!(found["search"]["totalCount"], json!(hits.len()));
    }
    // A number and words of the text together.
    let number = case["number"].as_str().unwrap();
    let pair: String = case["summary"].as_str().unwrap().chars().take(2).collect();
    assert_eq!(search(&format!("{number} {pair}"))["search"]["totalCount"], 1);
    assert_eq!(search(&format!("{number} 没有的词"))["search"]["totalCount"], 0);
}
