//! Resource exhaustion: no caller can starve others by expensive work or by holding shared resources.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use socket2::{Domain, Socket as Raw, Type};

use crate::support::evidence::{Counties, PDF, refusal, upload};
use crate::support::socket::{LONG, PROTOCOL, Socket};
use crate::support::{Server, World, block_on, eventually, stories};

stories!(
    a_request_checks_one_secret_however_it_is_written,
    a_flood_of_sign_ins_delays_nobody_else_for_ever,
    an_address_that_guesses_is_told_to_wait,
    strangers_hold_no_socket_and_leave_descriptors_for_others,
    files_that_trickle_keep_no_other_account_waiting,
    a_caller_is_where_the_last_trusted_proxy_saw_it,
);

const PASSWORD: &str = "correct horse battery";
const OFFICE: &str = "office@gov.example";

/// Sets up a closed installation: one with an account.
fn closed(world: &World) {
    world.done(&["demo"]);
    let create = ["account", "create", OFFICE, "--role", "city-office", "--region", "990100"];
    world.done_with(&create, &format!("{PASSWORD}\n"));
}

fn credentials(email: &str, password: &str) -> Value {
    json!({"input": {"email": email, "password": password}})
}

fn sessions(world: &World) -> i64 {
    block_on(async {
        let db = world.db().await;
        let count = Statement::from_string(db.get_database_backend(), "SELECT COUNT(*) AS n FROM session");
        db.query_one_raw(count).await.unwrap().unwrap().try_get("", "n").unwrap()
    })
}

fn a_request_checks_one_secret_however_it_is_written(world: &World) {
    closed(world);
    let server = world.serve_with(&[("RECTIFY_MAX_BATCH", "10")]);
    let one = format!(r#"signIn(input: {{email: "{OFFICE}", password: "{PASSWORD}"}}) {{ token }}"#);
    let aliases = (0..50).map(|number| format!("a{number}: {one}")).collect::<Vec<_>>().join(" ");
    let before = sessions(world);
    for document in [
        format!("mutation {{ {aliases} }}"),
        format!("mutation {{ {one} {one} }}"),
        format!("mutation {{ a: {one} ... on Mutation {{ b: {one} }} }}"),
        format!("mutation {{ ...F a: {one} }} fragment F on Mutation {{ b: {one} }}"),
        format!("mutation {{ ...F ...F }} fragment F on Mutation {{ b: {one} }}"),
        format!("mutation {{ a: {one} ... @include(if: false) {{ b: {one} }} }}"),
        format!(
            "mutation {{ a: {one} b: setPassword(input: {{password: \"another long password\"}}) \
             {{ errors {{ code }} }} }}"
        ),
        format!(r#"mutation {{ a: {one} b: signInAsDemo(accountId: "account_1") {{ token }} }}"#),
    ] {
        let refused = server.ask(&json!({ "query": document }), &[]);
        assert_eq!((refused.status, refused.code().as_str()), (400, "TOO_COMPLEX"), "{document}");
        assert!(refused.body.contains("逐个发送"), "{}", refused.body);
    }
    let single = json!({ "query": format!("mutation {{ {one} }}") });
    let other = json!({ "query": "{ __typename }" });
    let refused = server.ask(&json!([single, other, single]), &[("accept", "application/json")]);
    assert_eq!((refused.status, refused.code().as_str()), (400, "TOO_COMPLEX"));
    assert_eq!(sessions(world), before, "refused requests must not sign in");

    // A single sign-in is accepted, also in a batch with other operations.
    let taken = server.ask(&json!([single, other]), &[("accept", "application/json")]).json();
    assert!(taken[0]["data"]["signIn"]["token"].is_string(), "{taken}");
    let two = format!("mutation A {{ {one} }} mutation B {{ {one} }}");
    let taken = server.ask(&json!({ "query": two, "operationName": "B" }), &[]).json();
    assert!(taken["data"]["signIn"]["token"].is_string(), "{taken}");
    assert_eq!(sessions(world), before + 2);
}

fn a_flood_of_sign_ins_delays_nobody_else_for_ever(world: &World) {
    closed(world);
    let mine = world.done(&["token", "create", OFFICE]).trim().to_owned();
    let settings = [("RECTIFY_PROXIES", r#"["127.0.0.1"]"#), ("RECTIFY_MAX_SIGN_INS_PER_MINUTE", "0")];
    let server = world.serve_with(&settings);
    let from = |address: &str, email: &str, password: &str| {
        let request = json!({ "query": super::sign_in::SIGN_IN, "variables": credentials(email, password) });
        server.ask(&request, &[("x-forwarded-for", address)])
    };
    let (is_over, tried, refused) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        // The flood continues until the honest caller is served, so a caller that had to wait for its end would never
        // be.
        for number in 0..100 {
            let (from, is_over, tried, refused) = (&from, &is_over, &tried, &refused);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let answer = from("203.0.113.9", &format!("somebody{number}@gov.example"), "a wrong password");
                    if answer.status == 429 {
                        assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
                        refused.fetch_add(1, Ordering::Relaxed);
                    } else {
                        assert_eq!(answer.status, 200, "{}", answer.body);
                        assert_eq!(answer.json()["data"]["signIn"]["errors"][0]["code"], "SIGN_IN_FAILED");
                        tried.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let honest = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            // Waits until the flood fills its share of the queue.
            eventually("nothing is refused", || refused.load(Ordering::Relaxed) > 0);
            for _ in 0..3 {
                let answer = from("198.51.100.7", OFFICE, PASSWORD);
                assert_eq!(answer.status, 200, "{}", answer.body);
                assert!(answer.json()["data"]["signIn"]["token"].is_string(), "{}", answer.body);
                for _ in 0..5 {
                    server.data_as(&mine, "{ measures(first: 1) { nodes { id } } }", &json!({}));
                }
                assert_eq!(server.get("/healthz").status, 200);
            }
        }));
        is_over.store(true, Ordering::Relaxed);
        honest.unwrap_or_else(|why| std::panic::resume_unwind(why));
    });
    assert!(tried.into_inner() > 0, "the flooding address must get its share as well");
}

fn an_address_that_guesses_is_told_to_wait(world: &World) {
    closed(world);
    let settings = [("RECTIFY_PROXIES", r#"["127.0.0.1"]"#), ("RECTIFY_MAX_SIGN_INS_PER_MINUTE", "3")];
    let server = world.serve_with(&settings);
    let from = |address: &str| {
        let request = json!({ "query": super::sign_in::SIGN_IN, "variables": credentials("nobody@gov.example",
            "a wrong password") });
        server.ask(&request, &[("x-forwarded-for", address)])
    };
    for last in 1..=3 {
        assert_eq!(from(&format!("2001:db8::{last}")).status, 200);
    }
    let refused = from("2001:db8::4");
    assert_eq!((refused.status, refused.code().as_str()), (429, "TOO_MANY_REQUESTS"), "one IPv6 /64 is one address");
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=21).contains(&seconds), "{seconds}");
    assert_eq!(from("203.0.113.9").status, 200, "other addresses are not limited");
    let reading = server.ask(&json!({"query": "{ __typename }"}), &[("x-forwarded-for", "2001:db8::4")]);
    assert_eq!(reading.status, 200, "cheap operations are not limited");
}

/// Opens a TCP connection from a given loopback address.
fn connect(server: &Server, from: [u8; 4]) -> std::io::Result<TcpStream> {
    let to: SocketAddr = server.base.trim_start_matches("http://").parse().unwrap();
    let raw = Raw::new(Domain::IPV4, Type::STREAM, None)?;
    raw.bind(&SocketAddr::from((from, 0)).into())?;
    raw.connect_timeout(&to.into(), LONG)?;
    let stream = TcpStream::from(raw);
    stream.set_read_timeout(Some(LONG))?;
    Ok(stream)
}

/// Reads the first line of a connection; returns an empty string if it is closed without data.
fn first_line(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).is_ok_and(|read| read == 1) && byte[0] != b'\n' {
        text.extend_from_slice(&byte);
    }
    String::from_utf8(text).unwrap().trim().to_owned()
}

fn strangers_hold_no_socket_and_leave_descriptors_for_others(world: &World) {
    closed(world);
    let mine = world.done(&["token", "create", OFFICE]).trim().to_owned();
    // A connection without `connection_init` can stay open for longer than the story takes.
    let server = world.serve_limited(256, &[("RECTIFY_MAX_INTRODUCTION_SECONDS", "600")]);
    let mut stranger = Socket::connect(&server, &[PROTOCOL]).unwrap();
    stranger.say(&json!({"type": "connection_init"}));
    assert_eq!(stranger.closed(), 4403, "a connection without a token must be closed");
    let mut known = Socket::open_as(&server, &mine);
    known.subscribe("one", "{ viewer { email } }", &json!({}));
    assert_eq!(known.hear_of("one")["payload"]["data"]["viewer"]["email"], OFFICE);

    let shake = format!(
        "GET /graphql/ws HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n",
        server.base.trim_start_matches("http://")
    );
    // One address: half of its connections may become WebSockets, others get 429, and connections beyond its share are
    // closed at once.
    let mut held = Vec::new();
    let mut lines = Vec::new();
    for _ in 0..100 {
        let Ok(mut stream) = connect(&server, [127, 0, 0, 9]) else { continue };
        let _ = stream.write_all(shake.as_bytes());
        lines.push(first_line(&mut stream));
        held.push(stream);
    }
    let count = |status: &str| lines.iter().filter(|line| line.contains(status)).count();
    assert_eq!(count(" 101 "), 24, "{lines:?}");
    assert!(count(" 429 ") > 0 && count(" 5") == 0, "{lines:?}");
    assert_eq!(server.get("/healthz").status, 200);

    // Four addresses occupy all free connections without sending anything.
    for last in 9..=12 {
        held.extend((0..100).filter_map(|_| connect(&server, [127, 0, 0, last]).ok()));
    }
    assert_eq!(server.get("/healthz").status, 200);
    server.data_as(&mine, "{ measures(first: 1) { nodes { id } } }", &json!({}));
    let answer =
        server.ask(&json!({ "query": super::sign_in::SIGN_IN, "variables": credentials(OFFICE, PASSWORD) }), &[]);
    assert!(answer.json()["data"]["signIn"]["token"].is_string(), "{}", answer.body);
    drop(held);
}

/// Starts an upload and stops after a few bytes.
fn trickle(server: &Server, path: &str, token: &str, length: usize) -> TcpStream {
    let authority = server.base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {authority}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/octet-stream\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&PDF[..8]).unwrap();
    stream
}

fn files_that_trickle_keep_no_other_account_waiting(world: &World) {
    let (server, people) = Counties::open(world, &[]);
    let keeper = |email: &str| {
        world.done(&["account", "create", email, "--no-password", "--role", "regional-office", "--region", "990000"]);
        world.done(&["token", "create", email]).trim().to_owned()
    };
    let path = format!("/evidence?assignment={}&name=a.pdf", people.assignment);
    let mut held: Vec<TcpStream> = (0..20).map(|_| trickle(&server, &path, &people.mine, 1 << 20)).collect();
    // The account's places are taken once the server has accepted the first of these uploads.
    let mut own = upload(&server, &people.mine, &people.assignment, "图.pdf", PDF);
    for _ in 0..10_000 {
        if own.status != 201 {
            break;
        }
        own = upload(&server, &people.mine, &people.assignment, "图.pdf", PDF);
    }
    assert_eq!(refusal(&own), (429, "TOO_MANY_REQUESTS".to_owned()), "uploads of one account are limited");
    assert_eq!(own.header("retry-after"), "10");
    let query = "{ assignments(filter: {status: [ASSIGNED, IN_PROGRESS], \
        unit: {is: {name: {search: \"青坪县人民政府\"}}}}, first: 1) {
        nodes { id } } }";
    let theirs = server.data_as(&people.sibling, query, &json!({}));
    let theirs = theirs["assignments"]["nodes"][0]["id"].as_str().unwrap().to_owned();
    let passed = upload(&server, &people.sibling, &theirs, "图.pdf", PDF);
    assert_eq!(passed.status, 201, "{}", passed.body);
    held.clear();

    // A workbook that is still arriving does not take a place among those that are read or written.
    let (first, second) = (keeper("k1@example.cn"), keeper("k2@example.cn"));
    let path = "/import?round=X&region=990121&name=a";
    held.extend((0..8).map(|_| trickle(&server, path, &first, 20 << 20)));
    let bearer = format!("Bearer {second}");
    let import = |token: &str| {
        let bearer = format!("Bearer {token}");
        server.put(
            path,
            &[("authorization", &bearer), ("content-type", "application/octet-stream")],
            &vec![b'x'; 13 << 20],
        )
    };
    let mut own = import(&first);
    for _ in 0..100 {
        if own.status == 429 {
            break;
        }
        own = import(&first);
    }
    assert_eq!(refusal(&own), (429, "TOO_MANY_REQUESTS".to_owned()));
    let (answer, bytes) = server.fetch("/export/ledger.xlsx", &[("authorization", &bearer)]);
    assert_eq!((answer.status, &bytes[..2]), (200, b"PK".as_slice()), "{}", answer.body);
    assert_eq!(import(&second).status, 422, "the file is read, but is not a workbook");
}

fn a_caller_is_where_the_last_trusted_proxy_saw_it(world: &World) {
    closed(world);
    let seen = |settings: &[(&str, &str)], headers: &[(&str, &str)]| {
        let server = world.serve_with(settings);
        let request = json!({ "query": super::sign_in::SIGN_IN, "variables": credentials(OFFICE, PASSWORD) });
        let token = server.ask(&request, headers).json()["data"]["signIn"]["token"].as_str().unwrap().to_owned();
        let own = "{ sessions(first: 1, orderBy: [{field: CREATED_AT, direction: DESC}]) { nodes { address } } }";
        server.data_as(&token, own, &json!({}))["sessions"]["nodes"][0]["address"].clone()
    };
    let proxies = [("RECTIFY_PROXIES", r#"["127.0.0.0/8", "10.0.0.2"]"#)];
    let forwarded = [proxies[0], ("RECTIFY_PROXY_HEADER", "Forwarded")];
    let via = "x-forwarded-for";
    assert_eq!(seen(&proxies, &[(via, "junk, 203.0.113.9")]), "203.0.113.9");
    assert_eq!(seen(&proxies, &[(via, "198.51.100.1, 203.0.113.9:4711, 10.0.0.2")]), "203.0.113.9");
    assert_eq!(seen(&proxies, &[(via, "198.51.100.1, junk")]), "127.0.0.1");
    assert_eq!(seen(&proxies, &[("forwarded", "for=198.51.100.1"), (via, "203.0.113.9")]), "203.0.113.9");
    assert_eq!(seen(&forwarded, &[("forwarded", "for=\"[2001:db8::1]:443\""), (via, "203.0.113.9")]), "2001:db8::1");
    assert_eq!(seen(&[], &[(via, "203.0.113.9")]), "127.0.0.1");
    let wrong = world.program().args(["config"]).env("RECTIFY_PROXIES", r#"["nginx"]"#).output().unwrap();
    assert!(!wrong.status.success());
}
