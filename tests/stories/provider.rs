//! Sign-in through an identity provider (Glewlwyd, OpenID Connect): who is let in, as which account, and what is
//! refused.

use chrono::TimeDelta;
use entity::{account, audit_entry};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};

use crate::support::clocked::StoryClock;
use crate::support::provider::{Browser, Provider};
use crate::support::{Answer, Server, World, block_on, read, silent_peer, stories};

stories!(
    a_person_signs_in_by_the_provider_and_works_within_their_scope,
    the_desk_leads_to_the_provider_and_back,
    what_was_bound_stays_bound_when_addresses_change,
    nobody_without_an_account_is_let_in_and_all_are_told_the_same,
    a_way_back_that_was_not_begun_here_leads_nowhere,
    what_takes_too_long_is_over,
    any_replica_ends_what_another_began_and_new_keys_are_fetched,
    a_provider_that_is_down_keeps_nobody_else_out,
    without_settings_there_is_no_provider_and_wrong_ones_are_named
);

const LI: &str = "li@gov.example";
const VIEWER: &str = "{ viewer { email role } }";

/// Creates a demo ledger with an account for Li, of 青坪县人民政府 and without a password.
fn ledger(world: &World) {
    world.done(&["demo"]);
    let li = ["account", "create", LI, "--role", "responsible-unit", "--unit", "青坪县人民政府", "--no-password"];
    world.done(&li);
}

fn serve(world: &World, provider: &Provider) -> Server {
    let settings = provider.settings();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    world.serve_with(&[settings.as_slice(), &[("RECTIFY_LOG", "debug")]].concat())
}

/// Returns the status and the code of the error page of a refused sign-in.
fn refused(answer: &Answer) -> (u16, String) {
    assert!(answer.kind.starts_with("text/html"), "{}", answer.kind);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-request-id"), "story");
    assert!(answer.body.contains("story"), "the page must show the request's id: {}", answer.body);
    let code = answer.body.split("<small>").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    (answer.status, code)
}

/// Returns the acts in the audit chain of an account, oldest first.
fn audited(world: &World, email: &str) -> Vec<String> {
    block_on(async {
        let db = world.db().await;
        let found = account::Entity::find().filter(account::Column::Email.eq(email)).one(&db).await.unwrap().unwrap();
        let entries = audit_entry::Entity::find()
            .filter(audit_entry::Column::Chain.eq(format!("account_{}", found.id)))
            .order_by_asc(audit_entry::Column::Position);
        entries.all(&db).await.unwrap().into_iter().map(|entry| entry.act).collect()
    })
}

fn a_person_signs_in_by_the_provider_and_works_within_their_scope(world: &World) {
    ledger(world);
    let Some(provider) = Provider::start() else { return };
    let server = serve(world, &provider);
    provider.serves(&server);
    provider.knows("li", "Li@Gov.example", true);
    let offered = server.data("{ signInProvider { name url } }", &json!({}));
    let url = format!("{}/sign-in/oidc", server.base);
    assert_eq!(offered["signInProvider"], json!({"name": "市政务统一认证", "url": url}));

    let browser = Browser::of(&provider, "li");
    let left = browser.leaves(&server);
    let asked = left.header("location").to_owned();
    assert!(asked.starts_with(&provider.issuer()), "{asked}");
    for part in ["response_type=code", "code_challenge_method=S256", "scope=openid+email", "nonce=", "state="] {
        assert!(asked.contains(part), "{part} is missing: {asked}");
    }
    let set = left.header("set-cookie");
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.contains("Max-Age=600"), "{set}");
    let cookie = browser.cookie().unwrap();
    let callback = browser.passes(&asked);
    let back = browser.go(&callback);
    assert_eq!(browser.cookie(), None, "the cookie must be removed at the end");
    assert_eq!(back.header("referrer-policy"), "no-referrer");
    let given = browser.enters(&server, &back);
    let token = given["token"].as_str().unwrap().to_owned();

    let seen = server.data_as(&token, VIEWER, &json!({}));
    assert_eq!(seen["viewer"], json!({"email": LI, "role": "RESPONSIBLE_UNIT"}));
    let own = "{ assignments(first: 100) { nodes { id version unit { name } } } }";
    let own = server.data_as(&token, own, &json!({}))["assignments"]["nodes"].as_array().unwrap().clone();
    assert!(!own.is_empty() && own.iter().all(|row| row["unit"]["name"] == "青坪县人民政府"), "{own:?}");
    let report = "mutation($input: ReportProgressInput!) { reportProgress(input: $input) { errors { code } } }";
    let input = |row: &Value| {
        json!({"input": {"assignmentId": row["id"], "version": row["version"],
        "period": "2025-10", "text": "已完成排查。"}})
    };
    let done = own.iter().map(|row| server.data_as(&token, report, &input(row))["reportProgress"]["errors"].clone());
    assert!(
        done.into_iter().any(|errors| errors == json!([])),
        "the account must be able to report on its own assignments"
    );
    let other = json!({"id": "assignment_1", "version": 1});
    let done = server.data_as(&token, report, &input(&other));
    assert_eq!(done["reportProgress"]["errors"][0]["code"], "NOT_FOUND", "and not on others");

    let password = "mutation { setPassword(input: {password: \"correct horse battery\"}) { errors { code } } }";
    let done = server.data_as(&token, password, &json!({}));
    assert_eq!(
        done["setPassword"]["errors"][0]["code"], "NOT_ALLOWED",
        "a bound account cannot give itself a password"
    );

    assert_eq!(audited(world, LI)[..3], ["ACCOUNT_CREATED", "IDENTITY_BOUND", "SIGNED_IN"]);
    world.done(&["audit", "verify"]);
    let code = back.header("location").rsplit('=').next().unwrap();
    let log = read(world.log());
    let kept = format!("{}{log}", world.done(&["config"]));
    for secret in [token.as_str(), code, &provider.secret, &cookie, callback.rsplit('=').next().unwrap()] {
        assert!(!kept.contains(secret), "{secret} is in the log");
    }
}

fn the_desk_leads_to_the_provider_and_back(world: &World) {
    ledger(world);
    let Some(provider) = Provider::start() else { return };
    let server = serve(world, &provider);
    provider.serves(&server);
    provider.knows("li", LI, true);
    let browser = Browser::of(&provider, "li");
    let page = browser.go(&format!("{}/sign-in?to=/ledger", server.base)).body.replace("&#x2f;", "/");
    assert!(page.contains("市政务统一认证") && page.contains("/sign-in/provider"), "{page}");
    let left = browser.go(&format!("{}/sign-in/provider?to=/ledger", server.base));
    let set = left.header("set-cookie").to_owned();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.contains("Max-Age=600"), "{set}");
    let asked = browser.go(left.header("location"));
    let back = browser.go(&browser.passes(asked.header("location")));
    let (address, code) = back.header("location").split_once("#sign-in-code=").unwrap();
    assert_eq!(address, format!("{}/sign-in/finish", server.base));
    assert!(browser.go(address).body.contains("data-code"), "the page takes the code that only a script can read");
    let send = |cookies: &str| {
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("origin", server.base.as_str()),
            ("cookie", cookies),
        ];
        crate::support::asked(&server, "POST", "/sign-in/finish", &headers, format!("code={code}").as_bytes())
    };
    let other = send("");
    assert_eq!(other.status, 403, "a browser that did not begin the sign-in: {}", other.body);
    let done = send(&browser.cookies());
    assert_eq!((done.status, done.header("location")), (303, "/ledger"), "{}", done.body);
    let cookie = done.header("set-cookie").split(';').next().unwrap().to_owned();
    let page = crate::support::asked(&server, "GET", "/me", &[("cookie", cookie.as_str())], b"");
    assert!(page.status == 200 && page.body.contains(LI) && page.body.contains("青坪县人民政府"), "{}", page.body);
}

fn what_was_bound_stays_bound_when_addresses_change(world: &World) {
    ledger(world);
    let Some(provider) = Provider::start() else { return };
    let server = serve(world, &provider);
    provider.serves(&server);
    provider.knows("li", LI, true);
    let browser = Browser::of(&provider, "li");
    let first = browser.signs_in(&server);
    // Li's address changes at the provider, and the old one is given to another person.
    provider.moves("li", "li.new@gov.example");
    provider.knows("wang", LI, true);
    let again = browser.signs_in(&server);
    assert_eq!(server.data_as(&again, VIEWER, &json!({}))["viewer"]["email"], LI);
    let other = Browser::of(&provider, "wang");
    assert_eq!(refused(&other.journeys(&server)), (403, "SIGN_IN_FAILED".to_owned()));
    let bound = audited(world, LI).into_iter().filter(|act| act == "IDENTITY_BOUND").count();
    assert_eq!(bound, 1, "the account must be bound once");

    // After `unbind` the next sign-in binds by address again; open sessions end.
    world.done(&["account", "unbind", LI]);
    assert_eq!(server.ask_as(&first, VIEWER, &json!({})).status, 401);
    assert_eq!(world.run(&["account", "unbind", LI]).code, 1);
    assert_eq!(refused(&browser.journeys(&server)), (403, "SIGN_IN_FAILED".to_owned()));
    other.signs_in(&server);
    let acts = audited(world, LI);
    assert_eq!(acts[acts.len() - 3..], ["IDENTITY_UNBOUND", "IDENTITY_BOUND", "SIGNED_IN"]);
}

fn nobody_without_an_account_is_let_in_and_all_are_told_the_same(world: &World) {
    ledger(world);
    let region = ["--role", "leader", "--region", "990100", "--no-password"];
    for (email, more) in [("gone@gov.example", &[][..]), ("over@gov.example", &["--until", "2020-01-01"])] {
        world.done(&[&["account", "create", email], &region[..], more].concat());
    }
    world.done(&["account", "disable", "gone@gov.example"]);
    let demo = block_on(async {
        let found = account::Entity::find().filter(account::Column::IsDemo.eq(true));
        found.one(&world.db().await).await.unwrap().unwrap().email
    });
    let Some(provider) = Provider::start() else { return };
    let server = serve(world, &provider);
    provider.serves(&server);
    let people = [
        ("unknown", "nobody@gov.example", true),
        ("unverified", LI, false),
        ("gone", "gone@gov.example", true),
        ("over", "over@gov.example", true),
        ("demo", &demo, true),
    ];
    let mut pages = Vec::new();
    for (name, email, is_verified) in people {
        provider.knows(name, email, is_verified);
        let answer = Browser::of(&provider, name).journeys(&server);
        assert_eq!(refused(&answer), (403, "SIGN_IN_FAILED".to_owned()), "{name}");
        pages.push(answer.body);
    }
    assert!(pages.iter().all(|page| *page == pages[0]), "the page must not reveal the reason");
    assert!(pages[0].contains("没有可以登录的账户") && !pages[0].contains('@'), "{}", pages[0]);
    assert_eq!(audited(world, LI), ["ACCOUNT_CREATED"], "no identity may be bound");

    // A disabled account is refused, even with a code that was issued before.
    provider.knows("li", LI, true);
    let browser = Browser::of(&provider, "li");
    let token = browser.signs_in(&server);
    let back = browser.journeys(&server);
    world.done(&["account", "disable", LI]);
    assert_eq!(browser.enters(&server, &back)["errors"][0]["code"], "SIGN_IN_FAILED");
    assert_eq!(server.ask_as(&token, VIEWER, &json!({})).status, 401);
    assert_eq!(browser.journeys(&server).body, pages[0]);
}

fn a_way_back_that_was_not_begun_here_leads_nowhere(world: &World) {
    ledger(world);
    let Some(provider) = Provider::start() else { return };
    let server = serve(world, &provider);
    provider.serves(&server);
    provider.knows("li", LI, true);
    let browser = Browser::of(&provider, "li");
    let not_begun = (400, "SIGN_IN_NOT_BEGUN".to_owned());

    // The callback of another browser, without a sign-in of its own and with one.
    let callback = browser.travels(&server);
    let other = Browser::speaking("en");
    let answer = other.go(&callback);
    assert_eq!(refused(&answer), not_begun);
    assert!(answer.body.contains("was not started in this browser") && answer.header("content-language") == "en");
    other.leaves(&server);
    assert_eq!(refused(&other.go(&callback)), not_begun);
    // A forged state, and a forged cookie.
    let (cookie, changed) = (browser.cookie().unwrap(), callback.replace("state=", "state=0"));
    assert_eq!(refused(&browser.go(&changed)), not_begun);
    let last = if cookie.ends_with('0') { '1' } else { '0' };
    browser.put_back(&format!("{}{last}", &cookie[..cookie.len() - 1]));
    assert_eq!(refused(&browser.go(&callback)), not_begun);

    // The same callback twice: the cookie is gone, and with the cookie restored the provider rejects the used code.
    browser.put_back(&cookie);
    let back = browser.go(&callback);
    assert_eq!(back.status, 303);
    assert_eq!(refused(&browser.go(&callback)), not_begun);
    browser.put_back(&cookie);
    assert_eq!(refused(&browser.go(&callback)), (400, "SIGN_IN_OVER".to_owned()));

    // The code for the page needs the proof of the page, and any attempt uses it up.
    let code = back.header("location").rsplit('=').next().unwrap().to_owned();
    let mut thief = Browser::new();
    "a guess".clone_into(&mut thief.proof);
    assert_eq!(thief.exchanges(&server, &code)["errors"][0]["code"], "SIGN_IN_FAILED");
    assert_eq!(browser.exchanges(&server, &code)["token"], Value::Null);
    let code = browser.journeys(&server).header("location").rsplit('=').next().unwrap().to_owned();
    assert!(browser.exchanges(&server, &code)["token"].is_string());
    assert_eq!(browser.exchanges(&server, &code)["errors"][0]["code"], "SIGN_IN_FAILED", "the code works once");

    // An ID token whose nonce belongs to another sign-in.
    let left = browser.leaves(&server);
    let asked = left.header("location").replace("nonce=", "nonce=0");
    let answer = browser.go(&browser.passes(&asked));
    assert_eq!(refused(&answer), (502, "PROVIDER_NOT_BELIEVED".to_owned()));
    assert!(answer.body.contains("未通过核验") && !answer.body.contains("nonce"), "{}", answer.body);

    // The person declines at the provider; the provider's text is not shown.
    for (said, expected) in [
        ("access_denied", (403, "SIGN_IN_CANCELLED")),
        ("server_error&error_description=%3Cscript%3E", (502, "PROVIDER_REFUSED")),
    ] {
        let asked = browser.leaves(&server).header("location").to_owned();
        let state = asked.split(['?', '&']).find(|part| part.starts_with("state=")).unwrap().to_owned();
        let answer = browser.go(&format!("{}/sign-in/oidc/callback?{state}&error={said}", server.base));
        assert_eq!(refused(&answer), (expected.0, expected.1.to_owned()));
        assert!(!answer.body.contains("script"), "{}", answer.body);
    }

    // The server does not redirect to other sites.
    let challenge = "0".repeat(64);
    for to in ["https://elsewhere.example/", "//elsewhere.example", "/%5Celsewhere.example", "javascript:alert(1)"] {
        let answer = browser.go(&format!("{}/sign-in/oidc?challenge={challenge}&to={to}", server.base));
        assert_eq!(refused(&answer), (403, "FORBIDDEN".to_owned()), "{to}");
    }
    assert_eq!(refused(&browser.go(&format!("{}/sign-in/oidc", server.base))), (400, "BAD_REQUEST".to_owned()));
}

fn what_takes_too_long_is_over(world: &World) {
    ledger(world);
    let Some(provider) = Provider::start() else { return };
    let clock = StoryClock::at(provider.now());
    let server = world.serve_by_clock(&clock, |base| Some(provider.oidc(base)));
    provider.serves(&server);
    provider.knows("li", LI, true);
    let browser = Browser::of(&provider, "li");
    let callback = browser.travels(&server);
    clock.pass(TimeDelta::minutes(10));
    assert_eq!(refused(&browser.go(&callback)), (400, "SIGN_IN_OVER".to_owned()));
    let back = browser.journeys(&server);
    clock.pass(TimeDelta::seconds(60));
    assert_eq!(browser.enters(&server, &back)["errors"][0]["code"], "SIGN_IN_FAILED");
    assert!(browser.enters(&server, &browser.journeys(&server))["token"].is_string());
    // The provider's tokens are valid for one hour.
    clock.pass(TimeDelta::hours(2));
    assert_eq!(refused(&browser.journeys(&server)), (502, "PROVIDER_NOT_BELIEVED".to_owned()));
}

fn any_replica_ends_what_another_began_and_new_keys_are_fetched(world: &World) {
    ledger(world);
    let Some(provider) = Provider::start() else { return };
    let clock = StoryClock::at(provider.now());
    let mut public = String::new();
    let first = world.serve_by_clock(&clock, |base| {
        base.clone_into(&mut public);
        Some(provider.oidc(base))
    });
    let second = world.serve_by_clock(&clock, |_| Some(provider.oidc(&public)));
    provider.serves(&first);
    provider.knows("li", LI, true);
    let browser = Browser::of(&provider, "li");
    let back = browser.go(&browser.travels(&first).replace(&first.base, &second.base));
    assert_eq!(back.status, 303, "{}", back.body);
    assert!(browser.enters(&first, &back)["token"].is_string());
    // The first server has the old key in its cache by now.
    browser.signs_in(&first);
    provider.changes_its_key();
    browser.signs_in(&first);
}

fn a_provider_that_is_down_keeps_nobody_else_out(world: &World) {
    ledger(world);
    let with_password = ["account", "create", "office@gov.example", "--role", "city-office", "--region", "990100"];
    world.done_with(&with_password, "correct horse battery\n");
    let Some(mut provider) = Provider::planned() else { return };
    let server = serve(world, &provider);
    let unavailable = (503, "PROVIDER_UNAVAILABLE".to_owned());
    let answer = Browser::new().leaves(&server);
    assert_eq!(refused(&answer), unavailable);
    assert!(answer.body.contains("暂时无法访问") && !answer.body.contains(&provider.issuer()), "{}", answer.body);
    assert!(Browser::speaking("en-GB").leaves(&server).body.contains("the provider does not answer"));
    let sign_in =
        "mutation { signIn(input: {email: \"office@gov.example\", password: \"correct horse battery\"}) { token } }";
    assert!(server.data(sign_in, &json!({}))["signIn"]["token"].is_string());

    provider.open();
    provider.serves(&server);
    provider.knows("li", LI, true);
    let browser = Browser::of(&provider, "li");
    browser.signs_in(&server);
    let callback = browser.travels(&server);
    provider.close();
    assert_eq!(refused(&browser.go(&callback)), unavailable);
    drop(server);

    // A provider that accepts the connection but never answers is given up after a timeout.
    let (peer, _) = silent_peer();
    let issuer = format!("http://{}/", peer.local_addr().unwrap());
    let mut settings = provider.settings();
    settings[0].1 = issuer;
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = world.serve_with(&settings);
    assert_eq!(refused(&Browser::new().leaves(&server)), unavailable);
}

fn without_settings_there_is_no_provider_and_wrong_ones_are_named(world: &World) {
    let server = world.serve();
    assert_eq!(server.data("{ signInProvider { name } }", &json!({}))["signInProvider"], Value::Null);
    let browser = Browser::new();
    let callback_at = |server: &Server| format!("{}/sign-in/oidc/callback?state=0&code=0", server.base);
    for answer in [browser.leaves(&server), browser.go(&callback_at(&server))] {
        assert_eq!(refused(&answer), (404, "NOT_FOUND".to_owned()));
    }
    assert_eq!(browser.exchanges(&server, "0")["errors"][0]["code"], "SIGN_IN_FAILED");
    drop(server);
    let server = world.serve_with(&[("RECTIFY_MAX_REQUESTS_PER_MINUTE", "2")]);
    let answers = [browser.leaves(&server), browser.go(&callback_at(&server)), browser.leaves(&server)];
    assert_eq!(answers.each_ref().map(|answer| refused(answer).0), [404, 404, 429]);
    assert!(!answers[2].header("retry-after").is_empty());

    let secret = world.file("secret", b"7f3kQ0vLw2TzXb9Rr4MhYc6N\n");
    let right = [
        ("RECTIFY_OIDC_ISSUER", "https://login.example"),
        ("RECTIFY_OIDC_CLIENT_ID", "rectify"),
        ("RECTIFY_OIDC_CLIENT_SECRET_FILE", secret.as_str()),
    ];
    let run = |wrong: &[(&str, &str)]| {
        let settings = right.iter().chain(wrong).copied();
        let output = world.program().arg("config").envs(settings).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    assert_eq!(run(&[]).0, 0);
    let shown = run(&[("RECTIFY_OIDC_CLIENT_SECRET_FILE", ""), ("RECTIFY_OIDC_CLIENT_SECRET", "7f3kQ0vLw2TzXb9R")]);
    assert!(shown.0 == 0 && shown.1.contains("***") && !shown.1.contains("7f3kQ0"), "{}", shown.1);
    for (name, value) in [
        ("RECTIFY_OIDC_ISSUER", "http://login.example"),
        ("RECTIFY_OIDC_ISSUER", ""),
        ("RECTIFY_OIDC_CLIENT_ID", ""),
        ("RECTIFY_OIDC_CLIENT_SECRET", "a second secret beside the file"),
        ("RECTIFY_OIDC_NAME", " "),
        ("RECTIFY_PUBLIC_URL", "http://ledger.example"),
    ] {
        let (code, said) = run(&[(name, value)]);
        let names = name.trim_start_matches("RECTIFY_").to_lowercase();
        assert!(code == 2 && said.contains(&names), "{name}={value}: {code} {said}");
    }
}
