//! Sign-in by password: sessions, the lock after wrong passwords with a mail to the owner, tokens, and how they end.

use chrono::TimeDelta;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::{PASSWORD, World, block_on, stories};

stories!(
    wrong_passwords_lock_an_account_for_a_while_and_its_owner_is_told,
    guesses_at_once_are_counted_like_guesses_one_by_one,
    a_session_in_use_is_over_at_once,
    what_was_opened_is_ended_and_secrets_stay_secret,
    an_account_is_of_a_place_that_is_there,
);

pub(crate) const SIGN_IN: &str = "mutation($input: SignInInput!) { signIn(input: $input) { token errors { code } } }";

fn accounts(world: &World) {
    world.done(&["demo"]);
    let create = ["account", "create", "Office@Gov.example", "--role", "city-office", "--region", "990100"];
    world.done_with(&create, &format!("{PASSWORD}\n"));
}

fn wrong_passwords_lock_an_account_for_a_while_and_its_owner_is_told(world: &World) {
    accounts(world);
    let (server, clock) = world.serve_under_clock("2026-11-30T09:00");
    let sign_in = |email: &str, password: &str| -> Value {
        server.data(SIGN_IN, &json!({"input": {"email": email, "password": password}}))["signIn"].clone()
    };
    let code = |given: &Value| given["errors"][0]["code"].as_str().unwrap_or_default().to_owned();
    assert!(sign_in(" office@gov.EXAMPLE ", PASSWORD)["token"].is_string());
    let unknown = sign_in("nobody@gov.example", PASSWORD);
    let wrong = sign_in("office@gov.example", "wrong");
    assert_eq!(unknown, wrong, "an unknown address must be answered like a wrong password");
    for _ in 0..3 {
        assert_eq!(code(&sign_in("office@gov.example", "wrong")), "SIGN_IN_FAILED");
    }
    assert_eq!(
        sign_in("office@gov.example", "wrong"),
        unknown,
        "a locked account must be answered like an unknown one"
    );
    assert_eq!(sign_in("office@gov.example", PASSWORD), unknown, "the right password must not open a locked account");
    let told = world.done(&["mail", "list"]);
    assert_eq!(told.lines().filter(|line| line.contains("账户已临时锁定")).count(), 1, "{told}");
    clock.set("2026-11-30T09:16");
    assert!(sign_in("office@gov.example", PASSWORD)["token"].is_string());
    world.done(&["job", "run", "deliver-mail", "--at", "2026-11-30T10:00:00+08:00"]);
    let sent = world.done(&["mail", "list", "--state", "sent"]);
    assert!(sent.contains("账户已临时锁定"), "{sent}");
    world.done(&["account", "disable", "office@gov.example"]);
    assert_eq!(code(&sign_in("office@gov.example", PASSWORD)), "SIGN_IN_FAILED");
}

fn guesses_at_once_are_counted_like_guesses_one_by_one(world: &World) {
    accounts(world);
    let server = world.serve();
    let guess = |password: String| {
        let input = json!({"input": {"email": "office@gov.example", "password": password}});
        let given = server.data(SIGN_IN, &input)["signIn"].clone();
        given["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
    };
    let codes: Vec<String> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..12).map(|index| scope.spawn(move || guess(format!("guess number {index}")))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let count = |code: &str| codes.iter().filter(|given| *given == code).count();
    assert_eq!(count("SIGN_IN_FAILED"), 12, "{codes:?}");
    assert_eq!(guess(PASSWORD.to_owned()), "SIGN_IN_FAILED", "the account is locked");
    let told = world.done(&["mail", "list"]);
    assert_eq!(told.lines().filter(|line| line.contains("账户已临时锁定")).count(), 1, "{told}");
}

fn an_account_is_of_a_place_that_is_there(world: &World) {
    accounts(world);
    world.done(&["account", "create", "admin@gov.example", "--role", "administrator", "--no-password"]);
    let admin = world.done(&["token", "create", "admin@gov.example"]).trim().to_owned();
    let server = world.serve();
    let create = |given: Value| {
        let mut input = json!({"email": "new@gov.example", "name": "某某", "role": "COUNTY_OFFICE"});
        input.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
        let query = "mutation($input: CreateAccountInput!) { createAccount(input: $input) { account { email } \
            errors { code path } } }";
        let made = server.data_as(&admin, query, &json!({ "input": input }))["createAccount"].clone();
        (made["account"]["email"].clone(), made["errors"][0]["code"].clone(), made["errors"][0]["path"][1].clone())
    };
    let refused = |code: &str, field: &str| (Value::Null, json!(code), json!(field));
    assert_eq!(create(json!({"unitId": "unit_999999"})), refused("NOT_FOUND", "unitId"));
    assert_eq!(create(json!({"unitId": "unit_999999", "regionId": "region_4"})), refused("NOT_FOUND", "unitId"));
    assert_eq!(create(json!({"regionId": "region_999999"})), refused("NOT_FOUND", "regionId"));
    assert_eq!(create(json!({"regionId": "region_4", "phone": "1".repeat(41)})), refused("INVALID", "phone"));
    assert_eq!(create(json!({"regionId": "region_4", "role": "INSPECTOR"})), refused("INVALID", "validUntil"));
    assert_eq!(create(json!({"regionId": "region_4"})), (json!("new@gov.example"), Value::Null, Value::Null));
}

fn a_session_in_use_is_over_at_once(world: &World) {
    world.done(&["demo"]);
    let office = ["--role", "city-office", "--region", "990100"];
    for (email, until) in [("until@gov.example", &["--until", "2026-11-30"][..]), ("moved@gov.example", &[])] {
        world.done_with(&[&["account", "create", email], &office[..], until].concat(), PASSWORD);
    }
    let (server, clock) = world.serve_under_clock("2026-11-30T23:59");
    let sign_in = |email: &str| {
        let input = json!({"input": {"email": email, "password": PASSWORD}});
        server.data(SIGN_IN, &input)["signIn"]["token"].as_str().unwrap().to_owned()
    };
    let read = "{ assignments(first: 1) { totalCount } }";
    let nothing = "{ problems @skip(if: true) { totalCount } }";
    // Twice, so that the server knows the documents and the caller.
    let in_use = |email: &str| {
        let token = sign_in(email);
        for _ in 0..2 {
            server.data_as(&token, read, &json!({}));
            assert_eq!(server.data_as(&token, nothing, &json!({})), json!({}));
        }
        token
    };
    for query in [read, nothing, "no document"] {
        let ended = in_use("moved@gov.example");
        server.data_as(&ended, "mutation { signOut { isEnded } }", &json!({}));
        assert_eq!(server.ask_as(&ended, query, &json!({})).code(), "UNAUTHENTICATED", "{query}");
    }
    let [until, moved] = ["until@gov.example", "moved@gov.example"].map(in_use);
    let seen = || server.data_as(&moved, read, &json!({}))["assignments"]["totalCount"].as_i64().unwrap();
    let of_the_city = seen();
    let change = "UPDATE account SET role = 'COUNTY_OFFICE', \
        region_id = (SELECT min(id) FROM region WHERE level = 'COUNTY') WHERE email = 'moved@gov.example'";
    block_on(async { world.db().await.execute_unprepared(change).await.unwrap() });
    let of_a_county = seen();
    assert!(0 < of_a_county && of_a_county < of_the_city, "{of_a_county} of {of_the_city}");
    // On another day, an account may have expired.
    clock.pass(TimeDelta::seconds(61));
    assert_eq!(server.ask_as(&until, read, &json!({})).code(), "UNAUTHENTICATED");
    server.data_as(&moved, read, &json!({}));
    clock.pass(TimeDelta::hours(12));
    assert_eq!(server.ask_as(&moved, read, &json!({})).code(), "UNAUTHENTICATED");
}

fn what_was_opened_is_ended_and_secrets_stay_secret(world: &World) {
    accounts(world);
    let weak =
        world.run(&["account", "create", "weak@gov.example", "--role", "administrator", "--until", "2020-01-01"]);
    assert_eq!(weak.code, 1, "no password was given: {}", weak.out);
    let server = world.serve_with(&[("RECTIFY_LOG", "debug")]);
    let input = json!({"input": {"email": "office@gov.example", "password": PASSWORD}});
    let token = server.data(SIGN_IN, &input)["signIn"]["token"].as_str().unwrap().to_owned();
    let own = "{ viewer { email role } sessions { totalCount nodes { id kind } } }";
    let seen = server.data_as(&token, own, &json!({}));
    assert_eq!(seen["viewer"], json!({"email": "office@gov.example", "role": "CITY_OFFICE"}));
    let integration =
        "mutation { createToken(input: {name: \"大屏\", isReadOnly: true, days: 30}) { token errors { code } } }";
    let reader = server.data_as(&token, integration, &json!({}))["createToken"]["token"].as_str().unwrap().to_owned();
    let found = server.data_as(&reader, "{ measures(first: 1) { nodes { id } } }", &json!({}));
    let comment = "mutation($id: ID!) { commentOnMeasure(input: {measureId: $id, text: \"好\"}) { errors { code } } }";
    let id = json!({ "id": found["measures"]["nodes"][0]["id"] });
    assert_eq!(server.ask_as(&reader, comment, &id).code(), "FORBIDDEN", "the token is read-only");
    let revoke = "mutation { revokeSession(input: {sessionId: \"session_1\"}) { isEnded errors { code } } }";
    assert_eq!(server.ask_as(&reader, revoke, &json!({})).code(), "FORBIDDEN");
    assert_eq!(server.data_as(&token, "mutation { signOut { isEnded } }", &json!({}))["signOut"]["isEnded"], true);
    assert_eq!(server.ask_as(&token, own, &json!({})).status, 401);
    let answer = server.ask_as(&token, own, &json!({}));
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    world.done_with(&["account", "password", "office@gov.example"], "another long password\n");
    assert_eq!(server.data(SIGN_IN, &input)["signIn"]["errors"][0]["code"], "SIGN_IN_FAILED");
    // A new password also ends tokens.
    assert_eq!(server.ask_as(&reader, own, &json!({})).status, 401);
    let reader = world.done(&["token", "create", "office@gov.example", "--read-only"]).trim().to_owned();
    // Enabling a disabled account does not restore its tokens.
    assert_eq!(server.ask_as(&reader, own, &json!({})).status, 200);
    world.done(&["account", "disable", "office@gov.example"]);
    assert_eq!(server.ask_as(&reader, own, &json!({})).status, 401);
    world.done(&["account", "enable", "office@gov.example"]);
    assert_eq!(server.ask_as(&reader, own, &json!({})).status, 401);
    let log = std::fs::read_to_string(world.log()).unwrap();
    for secret in [PASSWORD, token.as_str(), reader.as_str()] {
        assert!(!log.contains(secret), "a secret must not be in the log");
    }
}
