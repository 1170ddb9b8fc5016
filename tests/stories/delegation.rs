//! Delegation: a colleague acts for an absent account with its rights, under both names, until the delegation ends.

use serde_json::{Value, json};

use crate::support::{World, stories};

stories!(a_colleague_acts_with_another_s_rights_under_both_names_until_it_is_ended);

fn a_colleague_acts_with_another_s_rights_under_both_names_until_it_is_ended(world: &World) {
    world.done(&["demo"]);
    world.employ("office@gov.example", "city-office", "云溪市生态环境保护督察整改办");
    world.employ("colleague@gov.example", "responsible-unit", "云溪市生态环境保护督察整改办");
    world.employ("stranger@gov.example", "responsible-unit", "青坪县人民政府");
    let (server, clock) = world.serve_under_clock("2026-11-30T09:00");
    let [office, colleague, stranger] =
        ["office", "colleague", "stranger"].map(|who| server.sign_in(&format!("{who}@gov.example")));
    let id_of = |token: &str| server.data_as(token, "{ viewer { id } }", &json!({}))["viewer"]["id"].clone();
    let (away, acting) = (id_of(&office), id_of(&colleague));
    let delegate = "mutation($input: DelegateInput!) { delegate(input: $input) { delegation { id \
        account { id } delegate { id } } errors { code } } }";
    let give = |ends: &str| {
        let input = json!({"delegateId": acting, "reason": "外出学习", "endsAt": ends});
        server.data_as(&office, delegate, &json!({ "input": input }))["delegate"].clone()
    };
    assert_eq!(give("2027-11-30T09:00:00+08:00")["errors"][0]["code"], "INVALID");
    // The delegate must belong to the same unit.
    let elsewhere =
        json!({"delegateId": id_of(&stranger), "reason": "外出学习", "endsAt": "2026-12-10T18:00:00+08:00"});
    let refused = server.data_as(&office, delegate, &json!({ "input": elsewhere }));
    assert_eq!(refused["delegate"]["errors"][0]["code"], "NOT_FOUND");
    let given = give("2026-12-10T18:00:00+08:00");
    assert_eq!(given["errors"], json!([]));
    let delegation = given["delegation"]["id"].clone();
    let whole = json!({"id": delegation, "account": {"id": away}, "delegate": {"id": acting}});
    assert_eq!(given["delegation"], whole);
    // Both accounts see the delegation, and no other account does, not even by its id.
    let mine = "{ myDelegations { id account { id } delegate { id } } }";
    let node =
        format!("{{ node(id: {delegation}) {{ id ... on Delegation {{ account {{ id }} delegate {{ id }} }} }} }}");
    for token in [&office, &colleague] {
        assert_eq!(server.data_as(token, mine, &json!({}))["myDelegations"], json!([whole]));
        assert_eq!(server.data_as(token, &node, &json!({}))["node"], whole);
    }
    assert_eq!(server.data_as(&stranger, mine, &json!({}))["myDelegations"], json!([]));
    assert_eq!(server.data_as(&stranger, &node, &json!({}))["node"], Value::Null);

    // Only the named delegate can act, and only with the other account's rights.
    let act = "mutation($id: ID!) { actFor(input: {delegationId: $id}) { token errors { code } } }";
    let acts = |token: &str| server.data_as(token, act, &json!({ "id": delegation }))["actFor"].clone();
    assert_eq!(acts(&stranger)["errors"][0]["code"], "NOT_FOUND");
    let session = acts(&colleague)["token"].as_str().unwrap().to_owned();
    assert_eq!(id_of(&session), away);
    let passed_on = json!({"input": {"delegateId": acting, "reason": "再委托", "endsAt": "2026-12-01T00:00:00+08:00"}});
    assert_eq!(server.data_as(&session, delegate, &passed_on)["delegate"]["errors"][0]["code"], "NOT_ALLOWED");
    // A delegate must not create anything that outlasts the delegation.
    for lasting in ["createToken(input: {name: \"集成\"})", "setPassword(input: {password: \"1234567890ab\"})"] {
        let refused =
            server.data_as(&session, &format!("mutation {{ it: {lasting} {{ errors {{ code }} }} }}"), &json!({}));
        assert_eq!(refused["it"]["errors"][0]["code"], "NOT_ALLOWED", "{lasting}");
    }
    let measure = server.data_as(&session, "{ measures(first: 1) { nodes { id } } }", &json!({}));
    let measure = measure["measures"]["nodes"][0]["id"].clone();
    let comment = "mutation($input: CommentOnMeasureInput!) { commentOnMeasure(input: $input) { errors { code } } }";
    let input = json!({"input": {"measureId": measure, "text": "请加快整改。"}});
    assert_eq!(server.data_as(&colleague, comment, &input)["commentOnMeasure"]["errors"][0]["code"], "NOT_FOUND");
    assert_eq!(server.data_as(&session, comment, &input)["commentOnMeasure"]["errors"], json!([]));
    let trail =
        "{ auditEntries(first: 1, filter: {act: {eq: \"COMMENTED\"}}) { nodes { actor { id } onBehalfOf { id } } } }";
    let entry: Value = server.data_as(&office, trail, &json!({}))["auditEntries"]["nodes"][0].clone();
    assert_eq!(entry, json!({"actor": {"id": acting}, "onBehalfOf": {"id": away}}));

    // Revoking the delegation ends its sessions at once; otherwise they end when the delegation does.
    let revoke = "mutation($id: ID!) { revokeDelegation(input: {delegationId: $id}) { errors { code } } }";
    assert_eq!(
        server.data_as(&colleague, revoke, &json!({ "id": delegation }))["revokeDelegation"]["errors"][0]["code"],
        "NOT_FOUND"
    );
    assert_eq!(server.data_as(&office, revoke, &json!({ "id": delegation }))["revokeDelegation"]["errors"], json!([]));
    assert_eq!(server.ask_as(&session, "{ viewer { id } }", &json!({})).code(), "UNAUTHENTICATED");
    assert_eq!(acts(&colleague)["errors"][0]["code"], "NOT_FOUND");
    let again = give("2026-12-10T18:00:00+08:00")["delegation"]["id"].clone();
    clock.set("2026-12-10T17:00");
    let colleague = server.sign_in("colleague@gov.example");
    let late = server.data_as(&colleague, act, &json!({ "id": again }))["actFor"]["token"].as_str().unwrap().to_owned();
    clock.set("2026-12-10T18:01");
    assert_eq!(server.ask_as(&late, "{ viewer { id } }", &json!({})).code(), "UNAUTHENTICATED");
    assert!(world.done(&["audit", "verify"]).contains("无缺失"));
}
