//! Accounts: the four-eyes principle, stolen credentials, forgotten passwords, the second factor, and correcting,
//! exporting and erasing personal data.

use hmac::{Hmac, KeyInit, Mac};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use sha1::Sha1;

use crate::support::evidence::{PDF, upload};
use crate::support::{PASSWORD, Server, World, block_on, read, stories};

stories!(
    nobody_decides_on_their_own_submission_in_whatever_name,
    a_new_password_ends_stolen_sessions_and_tokens,
    a_forgotten_password_is_set_by_a_link_that_works_once,
    a_second_factor_is_asked_for_and_demanded,
    an_account_is_corrected_given_out_and_erased,
    accounts_are_loaded_all_or_none,
    what_is_idle_or_over_ends_and_is_forgotten,
);

const OFFICE: &str = "云溪市生态环境保护督察整改办";
const NEW: &str = "another long password";

/// Executes a mutation with a token and returns its payload.
fn act(server: &Server, token: &str, mutation: &str) -> Value {
    let answer = server.data_as(token, &format!("mutation {{ it: {mutation} }}"), &json!({}));
    answer["it"].clone()
}

fn code(payload: &Value) -> &str {
    payload["errors"][0]["code"].as_str().unwrap_or_default()
}

fn delegate(server: &Server, from: &str, to: &str) -> Value {
    let id = server.data_as(to, "{ viewer { id } }", &json!({}))["viewer"]["id"].clone();
    let until = server.data_as(from, "{ sessions(first: 1) { nodes { expiresAt } } }", &json!({}));
    let until = &until["sessions"]["nodes"][0]["expiresAt"];
    let given = format!(
        "delegate(input: {{delegateId: {id}, reason: \"外出\", endsAt: {until}}}) {{ delegation {{ id }} \
         errors {{ code }} }}"
    );
    act(server, from, &given)
}

fn act_for(server: &Server, delegate: &str, delegation: &Value) -> String {
    let given = act(
        server,
        delegate,
        &format!("actFor(input: {{delegationId: {}}}) {{ token errors {{ code }} }}", delegation["delegation"]["id"]),
    );
    given["token"].as_str().unwrap_or_else(|| panic!("{given}")).to_owned()
}

#[expect(clippy::too_many_lines, reason = "one story covers each kind of submission in turn")]
fn nobody_decides_on_their_own_submission_in_whatever_name(world: &World) {
    world.done(&["demo"]);
    world.employ("a@gov.example", "responsible-unit", "白河县人民政府");
    let both = [
        "account",
        "create",
        "b@gov.example",
        "--role",
        "city-office",
        "--unit",
        "白河县人民政府",
        "--region",
        "990100",
    ];
    world.done_with(&both, &format!("{PASSWORD}\n"));
    world.employ("c@gov.example", "city-office", OFFICE);
    let server = world.serve();
    let [a, b, c] = ["a", "b", "c"].map(|who| server.sign_in(&format!("{who}@gov.example")));
    let delegation = delegate(&server, &a, &b);
    let as_a = act_for(&server, &b, &delegation);
    let open = |most: usize| {
        let query = "{ assignments(filter: {status: [ASSIGNED, IN_PROGRESS], \
            measure: {is: {dueOn: {isNull: false}}}}, first: 50) { nodes { id version status } } }";
        // The demo has an extension that waits already: another for the same answer is refused.
        let waiting = "{ deadlineChanges(last: 50) { nodes { assignment { id } } } }";
        let waiting = server.data_as(&c, waiting, &json!({}))["deadlineChanges"]["nodes"].clone();
        let asked =
            |one: &Value| waiting.as_array().unwrap().iter().any(|change| change["assignment"]["id"] == one["id"]);
        let found = server.data_as(&a, query, &json!({}))["assignments"]["nodes"].clone();
        let found: Vec<Value> = found.as_array().unwrap().iter().filter(|one| !asked(one)).cloned().collect();
        assert!(found.len() >= most, "{found:?}");
        found
    };
    let mine = open(2);

    // An extension.
    let on = mine[0]["id"].clone();
    let asked = act(
        &server,
        &as_a,
        &format!(
            "requestExtension(input: {{assignmentId: {on}, newDueOn: \"2029-12-31\", reason: \"雨季施工\"}}) \
             {{ errors {{ code message }} }}"
        ),
    );
    assert_eq!(code(&asked), "", "{asked}");
    let decide = |who: &str| {
        let requests = "{ deadlineChanges(last: 50) { nodes { id assignment { id } } } }";
        let requests = server.data_as(&c, requests, &json!({}))["deadlineChanges"]["nodes"].clone();
        let id = requests.as_array().unwrap().iter().rfind(|one| one["assignment"]["id"] == on).unwrap()["id"].clone();
        let given = act(
            &server,
            who,
            &format!(
                "decideExtension(input: {{extensionId: {id}, decision: ENDORSE, words: \"同意\"}}) \
                 {{ errors {{ code }} }}"
            ),
        );
        code(&given).to_owned()
    };
    assert_eq!(decide(&b), "NOT_ALLOWED", "a delegate who requested must not decide in their own name");
    assert_eq!(decide(&c), "");

    // 不涉及.
    let fresh = mine.iter().rev().find(|one| one["id"] != on).unwrap();
    let given = act(
        &server,
        &as_a,
        &format!(
            "proposeNotApplicable(input: {{assignmentId: {}, version: {}, reason: \"不涉及\"}}) \
             {{ assignment {{ version }} errors {{ code message }} }}",
            fresh["id"], fresh["version"]
        ),
    );
    assert_eq!(code(&given), "", "{given}");
    let settle = |who: &str, step: &str, more: &str| {
        let given = act(
            &server,
            who,
            &format!(
                "{step}(input: {{assignmentId: {}, version: {}{more}}}) {{ errors {{ code }} }}",
                fresh["id"], given["assignment"]["version"]
            ),
        );
        code(&given).to_owned()
    };
    assert_eq!(settle(&b, "confirmNotApplicable", ""), "NOT_ALLOWED");
    assert_eq!(settle(&b, "rejectNotApplicable", ", reason: \"应整改\""), "NOT_ALLOWED");
    assert_eq!(settle(&c, "confirmNotApplicable", ""), "");

    // A close-out.
    let state = || {
        let found =
            server.data_as(&a, "query($id: ID!) { assignment(id: $id) { id version status } }", &json!({ "id": on }));
        found["assignment"].clone()
    };
    let now = state();
    let reported = act(
        &server,
        &a,
        &format!(
            "reportProgress(input: {{assignmentId: {on}, version: {}, period: \"2026-11\", \
             text: \"已完成整改\", completedOn: \"2026-11-01\"}}) {{ errors {{ code message }} }}",
            now["version"]
        ),
    );
    assert_eq!(code(&reported), "", "{reported}");
    let uploaded = upload(&server, &a, on.as_str().unwrap(), "验收.pdf", PDF);
    assert_eq!(uploaded.status, 201, "{}", uploaded.body);
    let checked = act(
        &server,
        &a,
        &format!(
            "recordCheck(input: {{assignmentId: {on}, kind: SELF_INSPECTION, result: PASSED, \
             findings: \"已到位\"}}) {{ errors {{ code message }} }}"
        ),
    );
    assert_eq!(code(&checked), "", "{checked}");
    let applied = act(
        &server,
        &as_a,
        &format!(
            "applyForCloseOut(input: {{assignmentId: {on}, version: {}, application: \"申请销号\"}}) \
             {{ assignment {{ version }} errors {{ code message }} }}",
            state()["version"]
        ),
    );
    assert_eq!(code(&applied), "", "{applied}");
    let judge = |who: &str, step: &str, words: &str| {
        let given = act(
            &server,
            who,
            &format!(
                "{step}(input: {{assignmentId: {on}, version: {}, {words}: \"意见\"}}) {{ errors {{ code }} }}",
                applied["assignment"]["version"]
            ),
        );
        code(&given).to_owned()
    };
    assert_eq!(judge(&b, "verifyCloseOut", "opinion"), "NOT_ALLOWED");
    assert_eq!(judge(&b, "returnCloseOut", "reason"), "NOT_ALLOWED");
    // An unrelated city office can decide.
    assert_eq!(judge(&c, "verifyCloseOut", "opinion"), "");

    // Delegation is limited to the same unit and needs a session. A delegate can neither list nor end the other's
    // sessions.
    assert_eq!(code(&delegate(&server, &a, &c)), "NOT_FOUND");
    let token = world.done(&["token", "create", "a@gov.example"]).trim().to_owned();
    assert_eq!(code(&delegate(&server, &token, &b)), "NOT_ALLOWED");
    let own = server.data_as(&a, "{ sessions { nodes { id actor { id } } } }", &json!({}))["sessions"]["nodes"].clone();
    let signed_in = own.as_array().unwrap().iter().find(|one| one["actor"].is_null()).unwrap()["id"].clone();
    assert_eq!(server.data_as(&as_a, "{ sessions { totalCount } }", &json!({}))["sessions"]["totalCount"], 0);
    assert_eq!(
        code(&act(
            &server,
            &as_a,
            &format!("revokeSession(input: {{sessionId: {signed_in}}}) {{ isEnded errors {{ code }} }}")
        )),
        "NOT_FOUND"
    );
    assert_eq!(act(&server, &as_a, "signOut { isEnded }")["isEnded"], true);
}

fn a_new_password_ends_stolen_sessions_and_tokens(world: &World) {
    world.done(&["demo"]);
    world.employ("office@gov.example", "city-office", OFFICE);
    world.employ("colleague@gov.example", "responsible-unit", OFFICE);
    world.employ("admin@gov.example", "administrator", OFFICE);
    let server = world.serve();
    let [office, colleague, admin] =
        ["office", "colleague", "admin"].map(|who| server.sign_in(&format!("{who}@gov.example")));
    let token = world.done(&["token", "create", "office@gov.example"]).trim().to_owned();
    let of_admin = world.done(&["token", "create", "admin@gov.example"]).trim().to_owned();
    let viewer = "{ viewer { id } }";
    let id = |token: &str| server.data_as(token, viewer, &json!({}))["viewer"]["id"].clone();
    let (own, kept) = (id(&office), id(&admin));

    // A token must not change anything that outlasts it, even with the password and even an administrator's token.
    let set = |who: &str, account: &Value, current: &str| {
        let given = act(
            &server,
            who,
            &format!(
                "setPassword(input: {{accountId: {account}, password: \"{NEW}\"{current}}}) \
                 {{ errors {{ code path }} }}"
            ),
        );
        code(&given).to_owned()
    };
    let current = format!(", currentPassword: \"{PASSWORD}\"");
    for (who, account) in [(&token, &own), (&of_admin, &own), (&of_admin, &kept)] {
        assert_eq!(set(who, account, &current), "NOT_ALLOWED");
        for more in [
            format!("createToken(input: {{accountId: {account}, name: \"再来一个\"}}) {{ errors {{ code }} }}"),
            format!(
                "updateAccount(input: {{accountId: {account}, email: \"evil@evil.example\", \
                 currentPassword: \"{PASSWORD}\"}}) {{ errors {{ code }} }}"
            ),
            "enrolSecondFactor(input: {}) { errors { code } }".to_owned(),
            format!("exportAccount(input: {{accountId: {account}}}) {{ errors {{ code }} }}"),
        ] {
            assert_eq!(code(&act(&server, who, &more)), "NOT_ALLOWED", "{more}");
        }
    }
    let made = act(
        &server,
        &of_admin,
        "createAccount(input: {email: \"x@gov.example\", name: \"某某\", role: ADMINISTRATOR}) { errors { code } }",
    );
    assert_eq!(code(&made), "NOT_ALLOWED");

    // A session needs its account's password; wrong ones pause the account as at sign-in.
    assert_eq!(set(&office, &own, ""), "SIGN_IN_FAILED");
    assert_eq!(set(&admin, &own, ""), "SIGN_IN_FAILED", "an administrator must give their own password");
    for _ in 0..5 {
        assert_eq!(set(&office, &own, ", currentPassword: \"a wrong password\""), "SIGN_IN_FAILED");
    }
    assert_eq!(set(&office, &own, &current), "SIGN_IN_FAILED", "the account is paused");
    assert_eq!(world.done(&["mail", "list"]).matches("账户已临时锁定").count(), 1);

    // A new password ends all sessions, tokens and delegations in both directions, and the owner is notified.
    let theirs = act_for(&server, &colleague, &delegate(&server, &office, &colleague));
    let mine = act_for(&server, &office, &delegate(&server, &colleague, &office));
    assert_eq!(set(&admin, &own, &current), "");
    for over in [&office, &token, &theirs, &mine] {
        assert_eq!(server.ask_as(over, viewer, &json!({})).status, 401);
    }
    assert_eq!(server.ask_as(&colleague, viewer, &json!({})).status, 200);
    let left = server.data_as(&colleague, "{ myDelegations { revokedAt } }", &json!({}))["myDelegations"].clone();
    assert!(left.as_array().unwrap().iter().all(|one| one["revokedAt"].is_string()), "{left}");
    assert!(world.done(&["mail", "list"]).contains("登录密码已更改"));

    // The owner sees the attempts in `mySignIns`; the security log has them too, without secrets.
    let sign_in =
        format!("mutation {{ signIn(input: {{email: \"office@gov.example\", password: \"{NEW}\"}}) {{ token }} }}");
    let again = server.data(&sign_in, &json!({}))["signIn"]["token"].as_str().unwrap().to_owned();
    let seen =
        server.data_as(&again, "{ mySignIns(first: 20) { hasSucceeded address means } }", &json!({}))["mySignIns"]
            .clone();
    assert_eq!(seen[0], json!({"hasSucceeded": true, "address": "127.0.0.1", "means": "PASSWORD"}));
    let failed = seen.as_array().unwrap().iter().filter(|one| one["hasSucceeded"] == false).count();
    assert_eq!(failed, 5, "{seen}");
    // Repeated denials make one audit entry.
    for _ in 0..3 {
        let denied = act(
            &server,
            &again,
            "createAccount(input: {email: \"x@gov.example\", name: \"某某\", role: LEADER}) { errors { code } }",
        );
        assert_eq!(code(&denied), "NOT_ALLOWED");
    }
    let query = format!("{{ auditEntries(filter: {{objectId: {own}, act: {{eq: \"DENIED\"}}}}) {{ totalCount }} }}");
    assert_eq!(server.data_as(&admin, &query, &json!({}))["auditEntries"]["totalCount"], 1);
    let log = read(world.log());
    assert!(log.contains("sign-in-failed") && log.contains("denied"), "{log}");
    for secret in [PASSWORD, NEW, again.as_str(), "office@gov.example"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    assert!(world.done(&["audit", "verify"]).contains("无缺失"));
}

/// Delivers queued mails and returns the token of the set-password link in the newest one that contains a subject.
fn link(world: &World, subject: &str) -> String {
    world.done(&["job", "run", "deliver-mail"]);
    let folder = world.dir.path().join("data/mail");
    let mut letters: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    letters
        .retain(|path| path.extension().is_some_and(|ending| ending == "html") && read(path.clone()).contains(subject));
    letters.sort_by_key(|path| {
        path.file_name().unwrap().to_string_lossy().split('-').nth(2).unwrap().parse::<i64>().unwrap()
    });
    let letter =
        read(letters.last().unwrap_or_else(|| panic!("no letter has {subject}")).clone()).replace("&#x2f;", "/");
    let token = letter.split("/set-password#token=").nth(1).unwrap();
    token[..token.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap()].to_owned()
}

fn a_forgotten_password_is_set_by_a_link_that_works_once(world: &World) {
    world.done(&["demo"]);
    world.employ("office@gov.example", "city-office", OFFICE);
    let server = world.serve();
    let session = server.sign_in("office@gov.example");
    let ask = |email: &str| {
        let query = "mutation($input: RequestPasswordResetInput!) { requestPasswordReset(input: $input) { \
            isDone errors { code } } }";
        server.data(query, &json!({"input": {"email": email}}))["requestPasswordReset"].clone()
    };
    let set = |token: &str, password: &str| {
        let query = "mutation($input: SetPasswordWithLinkInput!) { setPasswordWithLink(input: $input) { isDone \
            errors { code path } } }";
        server.data(query, &json!({"input": {"token": token, "password": password}}))["setPasswordWithLink"].clone()
    };
    assert_eq!(
        ask("nobody@gov.example"),
        ask(" Office@gov.example "),
        "the answer must not reveal whether the account exists"
    );
    ask("office@gov.example");
    let queued = world.done(&["mail", "list", "--state", "queued"]);
    assert_eq!(queued.matches("【账户安全】重设登录密码").count(), 1, "repeated requests must send one mail: {queued}");
    let token = link(world, "重设登录密码");
    // The token is only in the sent mail, not in the outbox.
    let rows = block_on(async {
        let db = world.db().await;
        let all = "SELECT coalesce(group_concat(cause || subject || reason || facts), '') AS words FROM mail";
        let all = if world.url.starts_with("sqlite") {
            all.to_owned()
        } else {
            all.replace(
                "group_concat(cause || subject || reason || facts)",
                "string_agg(cause || subject || reason || facts, '')",
            )
        };
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), all)).await.unwrap().unwrap();
        row.try_get::<String>("", "words").unwrap()
    });
    assert!(!rows.contains(&token));
    assert_eq!(
        set(&token, "password123")["errors"][0]["path"],
        json!(["input", "password"]),
        "a weak password does not use up the link"
    );
    assert_eq!(set("0".repeat(64).as_str(), NEW)["errors"][0]["code"], "SIGN_IN_FAILED");
    assert_eq!(set(&token, NEW)["isDone"], true);
    assert_eq!(set(&token, "yet another long password")["errors"][0]["code"], "SIGN_IN_FAILED", "the link works once");
    assert_eq!(server.ask_as(&session, "{ viewer { id } }", &json!({})).status, 401);
    // The page that the link opens loads nothing from other hosts.
    let page = server.get("/set-password");
    assert!(
        page.status == 200
            && page.body.contains("设置密码")
            && !page.body.contains("http://")
            && !page.body.contains("https://"),
        "{}",
        page.body
    );

    // A new account is invited by such a link.
    world.done(&["account", "create", "new@gov.example", "--role", "leader", "--region", "990100", "--invite"]);
    let token = link(world, "请设置登录密码");
    assert_eq!(set(&token, PASSWORD)["isDone"], true);
    server.sign_in("new@gov.example");
    // A link expires: an invitation after 72 hours, a reset after 30 minutes.
    world.done(&["account", "invite", "new@gov.example"]);
    let token = link(world, "请设置登录密码");
    block_on(async {
        let past = "UPDATE one_time_secret SET expires_at = '2026-01-01T00:00:00+00:00' WHERE purpose = 'INVITATION'";
        world.db().await.execute_unprepared(past).await.unwrap();
    });
    assert_eq!(set(&token, NEW)["errors"][0]["code"], "SIGN_IN_FAILED");
    // A disabled account cannot be invited, and queued mails to it are cancelled.
    world.done(&["account", "invite", "new@gov.example"]);
    world.done(&["account", "disable", "new@gov.example"]);
    world.done(&["job", "run", "deliver-mail"]);
    assert!(world.done(&["mail", "list", "--state", "cancelled"]).contains("收件人的账户已停用"));
    assert_eq!(world.run(&["account", "invite", "new@gov.example"]).code, 1);
}

/// Computes the six digits that an authenticator app shows for a Base32 secret at a Unix time (RFC 6238).
pub(crate) fn digits(secret: &str, moment: i64) -> String {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits =
        secret.chars().map(|letter| format!("{:05b}", alphabet.find(letter).unwrap())).collect::<Vec<_>>().concat();
    let key: Vec<u8> = bits
        .as_bytes()
        .chunks_exact(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect();
    let mut mac = Hmac::<Sha1>::new_from_slice(&key).unwrap();
    mac.update(&(moment / 30).to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let at = usize::from(hash[19] & 15);
    let number = u32::from_be_bytes([hash[at] & 127, hash[at + 1], hash[at + 2], hash[at + 3]]);
    format!("{:06}", number % 1_000_000)
}

#[expect(clippy::too_many_lines, reason = "the steps of one factor form one story")]
fn a_second_factor_is_asked_for_and_demanded(world: &World) {
    world.done(&["demo"]);
    world.employ("office@gov.example", "city-office", OFFICE);
    world.employ("admin@gov.example", "administrator", OFFICE);
    let (server, clock) =
        world.serve_under_clock_demanding("2026-11-30T09:00", &[entity::account::Role::Administrator]);
    let sign_in = |email: &str, code: Option<&str>| {
        let query =
            "mutation($input: SignInInput!) { signIn(input: $input) { token hasToSetUpSecondFactor errors { code } } }";
        server.data(query, &json!({"input": {"email": email, "password": PASSWORD, "code": code}}))["signIn"].clone()
    };
    let office = sign_in("office@gov.example", None);
    assert_eq!(office["hasToSetUpSecondFactor"], false);
    let office = office["token"].as_str().unwrap().to_owned();
    let enrol = |who: &str, current: &str| {
        act(
            &server,
            who,
            &format!("enrolSecondFactor(input: {{currentPassword: \"{current}\"}}) {{ secret url errors {{ code }} }}"),
        )
    };
    assert_eq!(code(&enrol(&office, "a wrong password")), "SIGN_IN_FAILED");
    let drawn = enrol(&office, PASSWORD);
    let secret = drawn["secret"].as_str().unwrap().to_owned();
    assert!(drawn["url"].as_str().unwrap().starts_with("otpauth://totp/Rectify:office%40gov.example?"), "{drawn}");
    assert!(
        sign_in("office@gov.example", None)["token"].is_string(),
        "an unconfirmed second factor must not be required"
    );
    let now = || digits(&secret, clock.now().timestamp());
    let confirm = |code: &str| {
        act(
            &server,
            &office,
            &format!("confirmSecondFactor(input: {{code: \"{code}\"}}) {{ recoveryCodes errors {{ code }} }}"),
        )
    };
    assert_eq!(code(&confirm("000000")), "SIGN_IN_FAILED");
    let used = now();
    let recovery = confirm(&used)["recoveryCodes"].clone();
    assert_eq!(recovery.as_array().unwrap().len(), 10);

    // From now on the password alone is not enough, and each code works once.
    assert_eq!(code(&sign_in("office@gov.example", None)), "SECOND_FACTOR_REQUIRED");
    assert_eq!(
        code(&sign_in("office@gov.example", Some(&used))),
        "SIGN_IN_FAILED",
        "the code was used for confirmation"
    );
    clock.set("2026-11-30T09:01");
    let code_now = now();
    assert!(sign_in("office@gov.example", Some(&code_now))["token"].is_string());
    assert_eq!(code(&sign_in("office@gov.example", Some(&code_now))), "SIGN_IN_FAILED");
    let lost = recovery[3].as_str().unwrap();
    assert!(sign_in("office@gov.example", Some(lost))["token"].is_string());
    assert_eq!(code(&sign_in("office@gov.example", Some(lost))), "SIGN_IN_FAILED", "a recovery code works once");
    // Wrong codes pause the account like wrong passwords.
    clock.set("2026-11-30T09:10");
    for _ in 0..5 {
        sign_in("office@gov.example", Some("000000"));
    }
    let right = now();
    assert_eq!(code(&sign_in("office@gov.example", Some(&right))), "SIGN_IN_FAILED", "the account is paused");

    // If the role requires a second factor, a session without one can only set it up.
    let admin = sign_in("admin@gov.example", None);
    assert_eq!(admin["hasToSetUpSecondFactor"], true);
    let admin = admin["token"].as_str().unwrap().to_owned();
    let accounts = "{ accounts { totalCount } }";
    for refused in [
        accounts,
        "{ viewer { id } }",
        "mutation { setAccountDisabled(input: {accountId: \"account_1\", isDisabled: true}) { errors { code } } }",
    ] {
        assert_eq!(server.ask_as(&admin, refused, &json!({})).code(), "FORBIDDEN", "{refused}");
    }
    let drawn = enrol(&admin, PASSWORD);
    let code_of_admin = digits(drawn["secret"].as_str().unwrap(), clock.now().timestamp());
    let set_up = act(
        &server,
        &admin,
        &format!("confirmSecondFactor(input: {{code: \"{code_of_admin}\"}}) {{ recoveryCodes errors {{ code }} }}"),
    );
    assert_eq!(code(&set_up), "");
    assert!(server.data_as(&admin, accounts, &json!({}))["accounts"]["totalCount"].as_i64() > Some(2));
    // An administrator removes a lost second factor with their own password, or on the command line.
    let id = server.data_as(
        &admin,
        "{ accounts(filter: {role: [CITY_OFFICE]}, last: 1) { nodes { id hasSecondFactor email } } }",
        &json!({}),
    )["accounts"]["nodes"][0]
        .clone();
    assert_eq!((&id["hasSecondFactor"], &id["email"]), (&json!(true), &json!("office@gov.example")));
    let remove = |current: &str| {
        act(
            &server,
            &admin,
            &format!(
                "removeSecondFactor(input: {{accountId: {}, currentPassword: \"{current}\"}}) {{ isDone \
                 errors {{ code }} }}",
                id["id"]
            ),
        )
    };
    assert_eq!(code(&remove("a wrong password")), "SIGN_IN_FAILED");
    assert_eq!(remove(PASSWORD)["isDone"], true);
    clock.set("2026-11-30T12:00");
    assert!(sign_in("office@gov.example", None)["token"].is_string());
    world.done(&["account", "reset-second-factor", "admin@gov.example"]);
    assert_eq!(sign_in("admin@gov.example", None)["hasToSetUpSecondFactor"], true);
    assert!(world.done(&["mail", "list"]).contains("已启用两步验证"));
}

#[expect(clippy::too_many_lines, reason = "one story covers the life of an account")]
fn an_account_is_corrected_given_out_and_erased(world: &World) {
    world.done(&["demo"]);
    world.employ("office@gov.example", "city-office", OFFICE);
    world.employ("admin@gov.example", "administrator", OFFICE);
    let server = world.serve();
    let [office, admin] = ["office", "admin"].map(|who| server.sign_in(&format!("{who}@gov.example")));
    let own = server.data_as(&office, "{ viewer { id version name phone } }", &json!({}))["viewer"].clone();
    let update = |who: &str, more: &str| {
        act(
            &server,
            who,
            &format!(
                "updateAccount(input: {{accountId: {}, {more}}}) {{ account {{ name phone email role version \
                 }} errors {{ code path }} }}",
                own["id"]
            ),
        )
    };
    // An account can edit its own name and telephone number, but not its rights.
    let given = update(&office, "version: 1, name: \"王 小明\", phone: \"0895-4567890\"");
    assert_eq!(
        (&given["account"]["name"], &given["account"]["phone"]),
        (&json!("王 小明"), &json!("0895-4567890")),
        "{given}"
    );
    assert_eq!(code(&update(&office, "version: 1, name: \"别的\"")), "STALE_VERSION");
    for rights in ["role: ADMINISTRATOR", "regionId: \"region_1\"", "validUntil: null", "unitId: null"] {
        assert_eq!(code(&update(&office, rights)), "NOT_ALLOWED", "{rights}");
    }
    assert_eq!(
        code(&update(&admin, "email: \"admin@gov.example\", currentPassword: \"correct horse battery\"")),
        "CONFLICT"
    );
    assert_eq!(
        code(&update(&office, "email: \"moved@gov.example\"")),
        "SIGN_IN_FAILED",
        "a new address requires the password"
    );
    // A change of rights ends all sessions; audit entries contain no personal data.
    assert_eq!(code(&update(&admin, "role: LEADER")), "");
    assert_eq!(server.ask_as(&office, "{ viewer { id } }", &json!({})).status, 401);
    let moved = update(&admin, "email: \"moved@gov.example\", currentPassword: \"correct horse battery\"");
    assert_eq!(
        (&moved["account"]["email"], &moved["account"]["role"]),
        (&json!("moved@gov.example"), &json!("LEADER")),
        "{moved}"
    );
    let told = world.done(&["mail", "list"]);
    assert!(
        told.lines().filter(|line| line.contains("登录邮箱已更改")).count() == 2,
        "both addresses must be notified: {told}"
    );
    let query = format!(
        "{{ auditEntries(filter: {{objectId: {}}}, first: 50) {{ nodes {{ act before after }} }} }}",
        own["id"]
    );
    let noted = server.data_as(&admin, &query, &json!({}))["auditEntries"]["nodes"].to_string();
    assert!(noted.contains("ACCOUNT_EDITED") && noted.contains("LEADER"), "{noted}");
    for personal in ["小明", "4567890", "moved@", "office@"] {
        assert!(!noted.contains(personal), "{personal}: {noted}");
    }
    world.done(&["account", "edit", "moved@gov.example", "--role", "city-office", "--name", "李四"]);

    // An export of the personal data, then their erasure.
    let session = server.sign_in("moved@gov.example");
    let copy = act(&server, &session, "exportAccount(input: {}) { data errors { code } }");
    let copy: Value = serde_json::from_str(copy["data"].as_str().unwrap()).unwrap();
    assert_eq!((&copy["account"]["name"], &copy["account"]["email"]), (&json!("李四"), &json!("moved@gov.example")));
    assert!(copy["sessions"].as_array().unwrap().len() >= 2 && copy["audit"].to_string().contains("ACCOUNT_CREATED"));
    assert!(!copy.to_string().contains("argon2") && !copy.to_string().contains("rcs_"));
    assert_eq!(world.run(&["account", "erase", "moved@gov.example"]).code, 2, "erasing requires a confirmation");
    let erase = |current: &str| {
        act(
            &server,
            &admin,
            &format!(
                "eraseAccount(input: {{accountId: {}, currentPassword: \"{current}\"}}) \
                 {{ account {{ name phone email erasedAt isDisabled }} errors {{ code }} }}",
                own["id"]
            ),
        )
    };
    assert_eq!(code(&erase("a wrong password")), "SIGN_IN_FAILED");
    let gone = erase(PASSWORD)["account"].clone();
    assert!(
        gone["name"].as_str().unwrap().starts_with("已注销用户")
            && gone["phone"].is_null()
            && gone["erasedAt"].is_string(),
        "{gone}"
    );
    assert_eq!(server.ask_as(&session, "{ viewer { id } }", &json!({})).status, 401);
    let everything = block_on(async {
        let db = world.db().await;
        let mut words = String::new();
        for query in [
            "SELECT name || email || coalesce(phone, '') AS w FROM account",
            "SELECT cause || recipient || reason AS w FROM mail",
            "SELECT before || after AS w FROM audit_entry",
        ] {
            for row in db.query_all_raw(Statement::from_string(db.get_database_backend(), query)).await.unwrap() {
                words.push_str(&row.try_get::<String>("", "w").unwrap());
            }
        }
        words
    });
    for personal in ["李四", "小明", "moved@gov.example", "office@gov.example", "4567890"] {
        assert!(!everything.contains(personal), "{personal} is still stored");
    }
    assert!(world.done(&["audit", "verify"]).contains("无缺失"), "erasing must not break the audit chain");
}

fn accounts_are_loaded_all_or_none(world: &World) {
    world.done(&["demo"]);
    let good = "邮箱,姓名,角色,单位,行政区,电话,有效期\n\
        a@gov.example,张三,responsible-unit,白河县人民政府,,0895-4567890,\n\
        b@gov.example,李四,督察组,,990100,,2100-12-31\n";
    let bad = format!(
        "{good}c@gov.example,王五,皇帝,,,,\nd@gov.example,赵六,leader,,,,\na@gov.example,重名,leader,,990100,,\n"
    );
    let file = world.file("坏.csv", bad.as_bytes());
    let ran = world.run(&["account", "load", &file]);
    assert_eq!(ran.code, 1);
    for line in ["第 4 行", "第 5 行", "第 6 行", "未创建任何账户"] {
        assert!(ran.out.contains(line), "{line}: {}", ran.out);
    }
    assert!(!world.done(&["account", "list"]).contains("a@gov.example"), "nothing must be written");
    let (encoded, ..) = encoding_rs::GB18030.encode(good);
    let file = world.file("好.csv", &encoded);
    assert!(world.done(&["account", "load", &file]).contains("已创建 2 个账户"));
    let queued = world.done(&["mail", "list", "--state", "queued"]);
    assert_eq!(queued.matches("账户已开通，请设置登录密码").count(), 2, "{queued}");
}

fn what_is_idle_or_over_ends_and_is_forgotten(world: &World) {
    world.done(&["demo"]);
    world.employ("office@gov.example", "city-office", OFFICE);
    let (server, clock) = world.serve_under_clock_demanding("2026-11-30T09:00", &[]);
    let session = server.sign_in("office@gov.example");
    let status = |token: &str| server.ask_as(token, "{ viewer { id } }", &json!({})).status;
    let token =
        act(&server, &session, "createToken(input: {name: \"大屏\", days: 30}) { token errors { code } }")["token"]
            .as_str()
            .unwrap()
            .to_owned();
    assert_eq!(status(&session), 200);
    // A session ends after two hours without a request; a token does not.
    clock.set("2026-11-30T11:01");
    assert_eq!((status(&session), status(&token)), (401, 200));
    world.done(&["job", "run", "purge-expired", "--at", "2026-12-31T03:00:00+08:00"]);
    let count = |table: &str| {
        block_on(async {
            let db = world.db().await;
            let count = Statement::from_string(db.get_database_backend(), format!("SELECT count(*) AS n FROM {table}"));
            db.query_one_raw(count).await.unwrap().unwrap().try_get::<i64>("", "n").unwrap()
        })
    };
    assert_eq!(count("session"), 2, "ended sessions are kept for half a year");
    let said = world.done(&["job", "run", "purge-expired", "--at", "2027-07-31T03:00:00+08:00"]);
    assert!(said.contains("已删除 2 个过期会话"), "{said}");
    assert_eq!(count("session"), 0);
}
