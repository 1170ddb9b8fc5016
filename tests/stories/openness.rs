//! Access before the first account exists. Only callers on this machine are let in, not requests through a proxy, under
//! a foreign host name or from a page elsewhere. Demo accounts work until the first real account; the set-up code
//! creates the first administrator.

use serde_json::{Value, json};

use crate::support::socket::{PROTOCOL, Socket};
use crate::support::{PASSWORD, Server, World, stories};

stories!(
    a_stranger_behind_a_proxy_is_nobody,
    the_first_account_ends_the_demo_s_for_good,
    a_name_that_points_here_reaches_nothing,
    the_first_administrator_is_made_with_the_set_up_code,
);

const COUNT: &str = "{ problems { totalCount } }";
const DEMO: &str = "{ demoAccounts { accountId role } }";
const AS_DEMO: &str = "mutation($id: ID!) { signInAsDemo(accountId: $id) { token errors { code } } }";

fn status(server: &Server, headers: &[(&str, &str)]) -> (u16, String) {
    let answer = server.ask(&json!({ "query": COUNT }), headers);
    (answer.status, answer.code())
}

fn refused(code: &str) -> (u16, String) {
    (if code == "FORBIDDEN" { 403 } else { 401 }, code.to_owned())
}

fn open() -> (u16, String) {
    (200, String::new())
}

/// Asserts that an attacker who finds an installation behind a proxy can neither read, nor sign in as a demo account,
/// nor create an account, nor set a password.
fn attack(server: &Server, headers: &[(&str, &str)]) {
    assert_eq!(status(server, headers), refused("UNAUTHENTICATED"));
    let ask = |query: &str| server.ask(&json!({ "query": query }), headers).json();
    assert_eq!(ask(DEMO)["data"]["demoAccounts"], json!([]));
    for number in 1..=9 {
        let request = json!({"query": AS_DEMO, "variables": {"id": format!("account_{number}")}});
        let answer = server.ask(&request, headers).json();
        assert_eq!(answer["data"]["signInAsDemo"]["errors"][0]["code"], "NOT_FOUND", "{answer}");
    }
    for act in [
        r#"createAccount(input: {email: "me@evil.example", name: "我", role: ADMINISTRATOR}) { errors { code } }"#,
        r#"setPassword(input: {accountId: "account_1", password: "another long password"}) { errors { code } }"#,
    ] {
        let answer = server.ask(&json!({ "query": format!("mutation {{ {act} }}") }), headers);
        assert_eq!((answer.status, answer.code().as_str()), (401, "UNAUTHENTICATED"), "{act}");
    }
    assert_eq!(ask("{ installation { isOpen } }")["data"]["installation"]["isOpen"], false);
}

fn a_stranger_behind_a_proxy_is_nobody(world: &World) {
    world.done(&["demo"]);
    // A loopback listener behind a proxy, recognised by the public URL, by `proxies` or by a forwarding header.
    let server = world.serve_with(&[("RECTIFY_PUBLIC_URL", "https://ledger.example.cn")]);
    attack(&server, &[("host", "ledger.example.cn")]);
    attack(&server, &[("host", "ledger.example.cn"), ("x-forwarded-for", "203.0.113.9")]);
    attack(&server, &[]);
    drop(server);
    let server = world.serve_with(&[("RECTIFY_PROXIES", r#"["127.0.0.1"]"#)]);
    attack(&server, &[]);
    drop(server);
    let server = world.serve();
    for header in ["x-forwarded-for", "forwarded", "x-real-ip", "x-forwarded-host", "x-forwarded-proto", "via"] {
        attack(&server, &[(header, "127.0.0.1")]);
    }
    // A caller on this machine is let in, and the server says that it is open.
    assert_eq!(status(&server, &[]), open());
    assert_eq!(
        server.data("{ installation { isOpen isAwaitingSetUp } }", &json!({}))["installation"],
        json!({"isOpen": true, "isAwaitingSetUp": false})
    );
    assert!(server.get("/readyz").body.contains("open:"));
    assert!(crate::support::read(world.log()).contains("the installation is open"));
}

fn the_first_account_ends_the_demo_s_for_good(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let demo = server.data(DEMO, &json!({}))["demoAccounts"].clone();
    let keeper =
        demo.as_array().unwrap().iter().find(|one| one["role"] == "ADMINISTRATOR").unwrap()["accountId"].clone();
    let sign_in = || server.data(AS_DEMO, &json!({ "id": keeper }))["signInAsDemo"].clone();
    let session = sign_in()["token"].as_str().unwrap().to_owned();
    assert_eq!(server.ask_as(&session, "{ viewer { id } }", &json!({})).status, 200);
    // A real account, created on the command line while the server runs.
    world.employ("office@gov.example", "city-office", "云溪市生态环境保护督察整改办");
    assert_eq!(
        server.ask_as(&session, "{ viewer { id } }", &json!({})).status,
        401,
        "the demo session must end at once"
    );
    // The gate caches for a second whether the installation is open, but the demo account is disabled at once.
    let refused: Value = sign_in();
    assert_eq!((&refused["token"], &refused["errors"][0]["code"]), (&Value::Null, &json!("NOT_FOUND")));
    drop(server);
    let server = world.serve();
    attack(&server, &[]);
    let mail = world.done(&["account", "list"]);
    let demo = mail.lines().find(|line| line.contains("系统管理员")).unwrap();
    let enable = world.run(&["account", "enable", demo.split('\t').next().unwrap()]);
    assert!(enable.code == 1 && enable.out.contains("不能再启用"), "{}", enable.out);
    assert!(world.done(&["audit", "verify"]).contains("无缺失"));
}

/// Asserts that a page elsewhere reaches only the probes, whether it uses DNS rebinding or its own origin.
fn rebind(server: &Server) {
    assert_eq!(status(server, &[]), open());
    let port = server.base.rsplit(':').next().unwrap();
    for host in [format!("evil.example:{port}"), "evil.example".to_owned(), "127.0.0.1.evil.example".to_owned()] {
        assert_eq!(status(server, &[("host", &host)]), refused("FORBIDDEN"), "{host}");
        for path in ["/export/ledger.xlsx", "/export/regions.csv", "/evidence/evidence_1", "/dossier/measure_1"] {
            assert_eq!(server.fetch(path, &[("host", &host)]).0.status, 403, "{host} {path}");
        }
        for path in ["/import?round=x&region=1", "/evidence?assignment=assignment_1"] {
            let answer = server.put(path, &[("host", &host), ("x-rectify-upload", "1")], b"x");
            assert_eq!(answer.status, 403, "{host} {path}");
        }
        for probe in ["/healthz", "/readyz"] {
            assert_eq!(server.fetch(probe, &[("host", &host)]).0.status, 200, "{host} {probe}");
        }
    }
    // A foreign origin is refused, whatever it requests.
    for origin in ["https://evil.example", "null", "http://127.0.0.1"] {
        assert_eq!(status(server, &[("origin", origin)]), refused("FORBIDDEN"), "{origin}");
    }
    assert_eq!(status(server, &[("origin", &server.base)]), open());
    assert_eq!(status(server, &[("host", &format!("localhost:{port}"))]), open());
    let socket = Socket::connect(server, &[PROTOCOL, ("origin", "https://evil.example")]);
    assert_eq!(socket.err(), Some((403, "FORBIDDEN".to_owned())));
}

fn a_name_that_points_here_reaches_nothing(world: &World) {
    world.done(&["demo"]);
    let own = world.serve();
    rebind(&own);
    drop(own);
    // As in a container: explicitly open, listening on every address of the machine.
    let every = world.serve_everywhere("http://127.0.0.1:PORT", &[("RECTIFY_OPEN", "true")]);
    rebind(&every);
    drop(every);
    // Hosts listed in `hosts` are served. `open` contradicts a public URL elsewhere and proxies.
    let named = world.serve_with(&[("RECTIFY_HOSTS", r#"["Ledger.Example"]"#)]);
    assert_eq!(status(&named, &[("host", "ledger.example:8080")]), open());
    drop(named);
    for (name, value) in [("RECTIFY_PUBLIC_URL", "https://ledger.example.cn"), ("RECTIFY_PROXIES", r#"["10.0.0.1"]"#)] {
        let mut program = world.program();
        let ended = program.args(["serve"]).env("RECTIFY_OPEN", "true").env(name, value).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.code() == Some(2) && said.contains("open："), "{name}: {said}");
    }
}

fn the_first_administrator_is_made_with_the_set_up_code(world: &World) {
    world.done(&["migrate"]);
    let server = world.serve_everywhere("http://ledger.example.cn", &[]);
    let code = server.printed().rsplit('：').next().unwrap().trim().to_owned();
    let state = || server.data("{ installation { isOpen isAwaitingSetUp } }", &json!({}))["installation"].clone();
    assert_eq!(state(), json!({"isOpen": false, "isAwaitingSetUp": true}));
    let create = |code: &str, password: &str| {
        let query = "mutation($input: CreateFirstAccountInput!) { createFirstAccount(input: $input) { token \
            errors { code path } } }";
        let input = json!({"code": code, "email": "admin@gov.example", "name": "管理员", "password": password});
        server.data(query, &json!({ "input": input }))["createFirstAccount"].clone()
    };
    let wrong = create("00000-00000-00000-00000", PASSWORD);
    assert_eq!(wrong["errors"][0], json!({"code": "SIGN_IN_FAILED", "path": ["input", "code"]}));
    // A rejected password does not use up the code.
    assert_eq!(create(&code, "password123")["errors"][0]["path"], json!(["input", "password"]));
    let made = create(&code.to_uppercase(), PASSWORD);
    let session = made["token"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    assert_eq!(server.data_as(&session, "{ viewer { role } }", &json!({}))["viewer"]["role"], "ADMINISTRATOR");
    assert_eq!(create(&code, PASSWORD)["errors"][0]["code"], "SIGN_IN_FAILED", "the code works once");
    let log = crate::support::read(world.log());
    assert!(!log.contains(&code), "the code must not be in the log");
    assert!(world.done(&["audit", "verify"]).contains("无缺失"));
}
