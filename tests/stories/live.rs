//! Subscriptions over WebSocket (graphql-transport-ws) and server-sent events.

use std::io::{BufRead, BufReader};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use serde_json::{Value, json};
use tungstenite::protocol::CloseFrame;
use tungstenite::{Message, Utf8Bytes};

use crate::support::ledgers::{CITY_ROWS, ROUND, city};
use crate::support::socket::{LONG, PROTOCOL, Socket};
use crate::support::{Server, World, stories};

stories!(
    a_county_hears_nothing_of_its_sibling_and_nothing_after_it_has_left,
    a_watcher_hears_of_its_own_region_only,
    one_connection_carries_every_kind_of_operation,
    an_import_in_another_process_reaches_the_watcher,
    events_stream_what_a_socket_would,
    whoever_is_let_in_no_more_is_let_in_nowhere,
    watchers_who_ask_the_same_share_a_read,
);

const CHANGES: &str = "subscription($within: ID) { ledgerChanged(within: $within) {
    kind problem { title } measure { id } assignment { id status latestReport { text } } } }";

/// Subscribes and waits until the subscription is active: the server answers a later ping only then.
fn watch(socket: &mut Socket, id: &str, variables: &Value) {
    socket.subscribe(id, CHANGES, variables);
    socket.say(&json!({"type": "ping"}));
    socket.hear_that(|message| *message == json!({"type": "pong"}));
}

/// Executes a query and waits for its end: earlier messages have been processed by then.
fn ask(socket: &mut Socket, id: &str) {
    socket.subscribe(id, "{ problems { totalCount } }", &json!({}));
    assert_eq!(socket.hear_of(id)["payload"]["data"]["problems"]["totalCount"], 24);
    assert_eq!(socket.hear_of(id), json!({"type": "complete", "id": id}));
}

fn region(server: &Server, code: &str) -> String {
    let data = server.data("query($code: String!) { region(code: $code) { id } }", &json!({ "code": code }));
    data["region"]["id"].as_str().unwrap().to_owned()
}

/// Returns the id of an assignment in a region that can be reported on.
fn assignment(server: &Server, region: &str) -> Value {
    let query = "query($region: ID!) {
        assignments(first: 1, filter: {region: {within: $region}, status: [ASSIGNED, IN_PROGRESS]}) { nodes { id } } }";
    server.data(query, &json!({ "region": region }))["assignments"]["nodes"][0]["id"].clone()
}

/// Returns the variables of a report on an assignment, with its current version.
fn report_on(server: &Server, assignment: &Value) -> Value {
    let found = server.data("query($id: ID!) { assignment(id: $id) { version } }", &json!({ "id": assignment }));
    let version = &found["assignment"]["version"];
    json!({"input": {"assignmentId": assignment, "version": version, "period": "2025-10", "text": "已完成一半。"}})
}

const REPORT: &str = "mutation($input: ReportProgressInput!) { reportProgress(input: $input) { errors { message } } }";

fn report(server: &Server, assignment: &Value) {
    let done = server.data(REPORT, &report_on(server, assignment));
    assert_eq!(done["reportProgress"]["errors"], json!([]));
}

fn changed(message: &Value) -> &Value {
    &message["payload"]["data"]["ledgerChanged"]
}

fn a_county_hears_nothing_of_its_sibling_and_nothing_after_it_has_left(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let (ours, theirs) =
        (assignment(&server, &region(&server, "990121")), assignment(&server, &region(&server, "990122")));
    let enter = "mutation($account: ID!) { signInAsDemo(accountId: $account) { token } }";
    let token = |account: &str| {
        let given = server.data(enter, &json!({ "account": account }));
        given["signInAsDemo"]["token"].as_str().unwrap().to_owned()
    };
    // Reporters of two counties, each subscribed to everything that it can see.
    let (mine, other) = (token("account_9"), token("account_11"));
    let (mut here, mut there) = (Socket::open_as(&server, &mine), Socket::open_as(&server, &other));
    watch(&mut there, "all", &json!({}));
    watch(&mut here, "all", &json!({}));
    report(&server, &ours);
    assert_eq!(changed(&here.hear())["assignment"]["id"], ours);
    report(&server, &theirs);
    let next = there.hear();
    assert_eq!(changed(&next)["assignment"]["id"], theirs, "the first event must not be about the sibling");

    assert_eq!(server.data_as(&mine, "mutation { signOut { isEnded } }", &json!({}))["signOut"]["isEnded"], true);
    report(&server, &ours);
    let last = here.hear();
    assert_eq!(last["payload"]["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    assert_eq!(here.hear()["type"], "complete");
    let mut stranger = Socket::connect(&server, &[PROTOCOL]).unwrap_or_else(|refused| panic!("{refused:?}"));
    stranger.say(&json!({"type": "connection_init", "payload": {"authorization": "Bearer none"}}));
    assert_eq!(stranger.closed(), 4403);
}

fn a_watcher_hears_of_its_own_region_only(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let (here, there) = (region(&server, "990121"), region(&server, "990122"));
    let (ours, theirs) = (assignment(&server, &here), assignment(&server, &there));
    let mut socket = Socket::open(&server);
    report(&server, &ours);
    watch(&mut socket, "there", &json!({ "within": there }));
    report(&server, &theirs);
    watch(&mut socket, "here", &json!({ "within": here }));
    assert_eq!(changed(&socket.hear_of("there"))["assignment"]["id"], theirs);
    report(&server, &ours);
    let first = socket.hear();
    assert_eq!((&first["type"], &first["id"]), (&json!("next"), &json!("here")));
    assert_eq!(changed(&first)["kind"], "PROGRESS_REPORTED");
    let seen = &changed(&first)["assignment"];
    let expected = json!({"id": ours, "status": "IN_PROGRESS", "latestReport": {"text": "已完成一半。"}});
    assert_eq!(*seen, expected, "an event shows the current state");

    // Had `there` received an event of the earlier change, it would be the next message.
    report(&server, &theirs);
    let next = socket.hear_of("there");
    assert_eq!(changed(&next)["assignment"]["id"], theirs);

    // A city's subscription includes its counties; one without a region includes everything.
    let city = region(&server, "990100");
    socket.subscribe("city", CHANGES, &json!({ "within": city }));
    socket.subscribe("all", CHANGES, &json!({}));
    socket.subscribe("none", CHANGES, &json!({"within": "measure_1"}));
    ask(&mut socket, "settled");
    report(&server, &ours);
    assert_eq!(changed(&socket.hear_of("city"))["assignment"]["id"], ours);
    report(&server, &theirs);
    assert_eq!(changed(&socket.hear_of("all"))["assignment"]["id"], ours);
    assert_eq!(changed(&socket.hear_of("all"))["assignment"]["id"], theirs);

    assert_eq!(changed(&socket.hear_of("there"))["assignment"]["id"], theirs);

    // A subscription that the client completes sends no more events, and its id can be used again.
    for id in ["here", "city", "all"] {
        socket.say(&json!({"type": "complete", "id": id}));
    }
    ask(&mut socket, "done");
    socket.forget();
    ask(&mut socket, "here");
    report(&server, &ours);
    report(&server, &theirs);
    let next = socket.hear();
    assert_eq!((&next["id"], &changed(&next)["assignment"]["id"]), (&json!("there"), &theirs));
}

fn one_connection_carries_every_kind_of_operation(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let mut socket = Socket::open(&server);
    socket.say(&json!({"type": "ping", "payload": {"beat": 1}}));
    assert_eq!(socket.hear(), json!({"type": "pong"}));
    socket.say(&json!({"type": "pong"}));
    socket.send(Message::Ping("still there?".into()));
    assert_eq!(socket.frame(LONG), Some(Message::Pong("still there?".into())));

    let city = region(&server, "990100");
    let board = std::fs::read_to_string("tests/contract/board.graphql").unwrap();
    socket.subscribe("board", &board, &json!({"region": city, "first": 3}));
    let found = socket.hear();
    assert_eq!(found["payload"]["data"]["problems"]["totalCount"], 24);
    assert_eq!(found["payload"]["data"], server.data(&board, &json!({"region": city, "first": 3})));
    assert_eq!(socket.hear(), json!({"type": "complete", "id": "board"}));

    let ours = assignment(&server, &city);
    watch(&mut socket, "watch", &json!({ "within": city }));
    socket.subscribe("report", REPORT, &report_on(&server, &ours));
    assert_eq!(socket.hear_of("report")["payload"]["data"]["reportProgress"]["errors"], json!([]));
    assert_eq!(
        changed(&socket.hear_of("watch"))["assignment"]["id"],
        ours,
        "a change must reach the connection that made it"
    );

    // The id of a completed operation can be used at once, independently of the old operation.
    socket.say(&json!({"type": "complete", "id": "watch"}));
    watch(&mut socket, "watch", &json!({ "within": city }));
    report(&server, &ours);
    assert_eq!(changed(&socket.hear_of("watch"))["assignment"]["id"], ours);

    // An error of a field is part of the answer; an error of the request ends its operation, and no other.
    socket.subscribe("field", "{ problems(first: 999) { totalCount } }", &json!({}));
    let partly = socket.hear_of("field");
    assert_eq!(partly["type"], "next");
    assert_eq!(partly["payload"]["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    assert_eq!(socket.hear_of("field")["type"], "complete");
    for (query, code) in [
        ("subscription { nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("query($n: Int!) { problems(first: $n) { totalCount } }", "GRAPHQL_VALIDATION_FAILED"),
    ] {
        socket.subscribe("bad", query, &json!({}));
        let refused = socket.hear_of("bad");
        assert_eq!((&refused["type"], refused.as_object().unwrap().len()), (&json!("error"), 3), "{refused}");
        assert_eq!(refused["payload"][0]["extensions"]["code"], code);
        assert!(refused["payload"][0]["locations"][0]["line"].is_u64(), "{refused}");
    }
    socket.say(&json!({"type": "subscribe", "id": "bad", "payload": {"query": 1}}));
    assert_eq!(socket.hear_of("bad")["payload"][0]["extensions"]["code"], "BAD_REQUEST");
    report(&server, &ours);
    assert_eq!(changed(&socket.hear_of("watch"))["assignment"]["id"], ours);
}

fn an_import_in_another_process_reaches_the_watcher(world: &World) {
    let file = world.file("县.xlsx", &city(&CITY_ROWS[..2]));
    let import = |file: &str, region: &str| {
        let place = ["--round", ROUND, "--region", region, "--issued-by", "540300", "--create-units"];
        world.done(&[&["import", file][..], &place].concat())
    };
    import(&file, "540329");
    import(&file, "540323");
    let server = world.serve();
    let (here, there) = (region(&server, "540329"), region(&server, "540323"));
    let mut socket = Socket::open(&server);
    watch(&mut socket, "there", &json!({ "within": there }));
    watch(&mut socket, "here", &json!({ "within": here }));

    let later = world.file("后.xlsx", &city(&CITY_ROWS[5..]));
    assert!(import(&later, "540329").contains("新增：1 个问题"));
    let expected = json!({
        "kind": "IMPORTED", "problem": {"title": "草原超载过牧问题突出"}, "measure": null, "assignment": null });
    assert_eq!(*changed(&socket.hear_of("here")), expected);

    import(&later, "540323");
    assert_eq!(*changed(&socket.hear_of("there")), expected, "the first event of the sibling must be its own import");
}

#[test]
fn every_way_to_get_the_protocol_wrong_has_its_code() {
    let world = World::sqlite();
    let server = world.serve_with(&[("RECTIFY_MAX_SUBSCRIPTIONS", "2"), ("RECTIFY_MAX_BODY_BYTES", "2000")]);
    let introduced = |say: &dyn Fn(&mut Socket)| {
        let mut socket = Socket::open(&server);
        say(&mut socket);
        socket.closed()
    };
    for text in
        ["", "{", "[]", "1", "{}", r#"{"type": "start"}"#, r#"{"type": "subscribe"}"#, r#"{"type": "complete"}"#]
    {
        assert_eq!(introduced(&|socket| socket.send(Message::text(text))), 4400, "{text}");
    }
    assert_eq!(introduced(&|socket| socket.send(Message::binary(br#"{"type": "ping"}"#.as_slice()))), 4400);
    assert_eq!(introduced(&|socket| socket.send(Message::text(" ".repeat(3_000)))), 4400, "too large");
    assert_eq!(introduced(&|socket| socket.say(&json!({"type": "connection_init"}))), 4429);
    let twice = |socket: &mut Socket| {
        socket.subscribe("one", CHANGES, &json!({}));
        socket.subscribe("one", "{ __typename }", &json!({}));
    };
    assert_eq!(introduced(&twice), 4409);

    let closed = |code: u16| {
        let frame = CloseFrame { code: code.into(), reason: Utf8Bytes::from_static("done") };
        introduced(&|socket| socket.send(Message::Close(Some(frame.clone()))))
    };
    assert_eq!((closed(1000), closed(4321)), (1000, 4321), "a close is answered in kind");

    let mut stranger = Socket::connect(&server, &[PROTOCOL]).unwrap();
    stranger.say(&json!({"type": "ping"}));
    assert_eq!(stranger.hear(), json!({"type": "pong"}), "a ping needs no `connection_init`");
    stranger.subscribe("one", "{ __typename }", &json!({}));
    assert_eq!(stranger.closed(), 4401);
    assert_eq!(Socket::connect(&server, &[]).unwrap().closed(), 4406);
    let (name, ours) = PROTOCOL;
    assert!(
        Socket::connect(&server, &[(name, &format!("graphql-ws, {ours}"))]).is_ok(),
        "the client may offer several subprotocols"
    );

    // An operation beyond the limit is refused; the others continue.
    let mut busy = Socket::open(&server);
    for id in ["one", "two", "three"] {
        busy.subscribe(id, CHANGES, &json!({}));
    }
    let refused = busy.hear();
    assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("three")));
    assert_eq!(refused["payload"][0]["extensions"]["code"], "TOO_COMPLEX");
    busy.say(&json!({"type": "complete", "id": "one"}));
    busy.subscribe("three", "{ __typename }", &json!({}));
    assert_eq!(busy.hear()["payload"]["data"], json!({"__typename": "Query"}));
}

#[test]
fn whoever_does_not_introduce_himself_is_not_waited_for() {
    let world = World::sqlite();
    let server = world.serve_with(&[("RECTIFY_MAX_INTRODUCTION_SECONDS", "1")]);
    let mut silent = Socket::connect(&server, &[PROTOCOL]).unwrap();
    assert_eq!(silent.closed(), 4408);
    let mut evasive = Socket::connect(&server, &[PROTOCOL]).unwrap();
    evasive.say(&json!({"type": "ping"}));
    assert_eq!(evasive.hear(), json!({"type": "pong"}));
    assert_eq!(evasive.closed(), 4408, "a ping must not extend the time for `connection_init`");
}

#[test]
fn pages_from_elsewhere_may_not_connect() {
    let world = World::sqlite();
    let server = world.serve_with(&[("RECTIFY_ORIGINS", r#"["https://board.example.cn"]"#)]);
    let from = |origin: &str| Socket::connect(&server, &[PROTOCOL, ("origin", origin)]).map(drop);
    let refused = Err((403, "FORBIDDEN".to_owned()));
    for origin in
        ["https://attacker.example", "https://board.example.cn.attacker.example", "null", "http://localhost:1"]
    {
        assert_eq!(from(origin), refused, "{origin}");
    }
    assert_eq!(from("https://board.example.cn"), Ok(()), "a listed origin is accepted");
    assert_eq!(from(&server.base), Ok(()), "the server's own page is accepted");
    let host = ("host", "ledger.attacker.example");
    assert_eq!(Socket::connect(&server, &[PROTOCOL, host]).map(drop), refused, "an unknown host is refused");
}

/// A server-sent event: its name and its data.
type Event = (String, Value);

/// A stream of server-sent events, read in a thread.
struct Events(Receiver<Event>);

impl Events {
    fn open(server: &Server, query: &str, variables: &Value) -> Self {
        let response = Server::agent()
            .post(format!("{}/graphql", server.base))
            .header("content-type", "application/json")
            .header("accept", "text/event-stream")
            .header("accept-encoding", "gzip")
            .send(json!({"query": query, "variables": variables}).to_string())
            .unwrap();
        Self::of(response)
    }

    fn of(response: ureq::http::Response<ureq::Body>) -> Self {
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(response.status(), 200);
        assert_eq!(header("content-type").unwrap(), "text/event-stream; charset=utf-8");
        assert_eq!(header("cache-control").unwrap(), "no-store");
        assert_eq!(
            header("content-encoding").as_deref().unwrap_or("identity"),
            "identity",
            "compression would hold events back"
        );
        let (sender, receiver) = channel();
        let mut lines = BufReader::new(response.into_body().into_reader()).lines();
        std::thread::spawn(move || {
            let mut name = String::new();
            while let Some(Ok(line)) = lines.next() {
                if let Some(found) = line.strip_prefix("event: ") {
                    found.clone_into(&mut name);
                } else if let Some(data) = line.strip_prefix("data:") {
                    let data = if data.is_empty() { Value::Null } else { serde_json::from_str(data).unwrap() };
                    if sender.send((name.clone(), data)).is_err() {
                        return;
                    }
                }
            }
        });
        Self(receiver)
    }

    fn next(&self) -> Event {
        self.0.recv_timeout(LONG).unwrap()
    }

    /// Returns the remaining events, up to the end of the stream.
    fn rest(&self) -> Vec<Event> {
        let events = std::iter::from_fn(|| match self.0.recv_timeout(LONG) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the stream does not end"),
        });
        events.collect()
    }
}

fn events_stream_what_a_socket_would(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let complete = ("complete".to_owned(), Value::Null);
    let once = Events::open(&server, "{ problems { totalCount } }", &json!({}));
    let answer = ("next".to_owned(), json!({"data": {"problems": {"totalCount": 24}}}));
    assert_eq!(once.rest(), [answer, complete.clone()]);

    let city = region(&server, "990100");
    let ours = assignment(&server, &city);
    let watch = Events::open(&server, CHANGES, &json!({ "within": city }));
    report(&server, &ours);
    let (name, told) = watch.next();
    assert_eq!((name.as_str(), &told["data"]["ledgerChanged"]["assignment"]["id"]), ("next", &ours));

    // An error of the document is sent as an event, because a stream was requested.
    for (query, code) in [("{ nope }", "GRAPHQL_VALIDATION_FAILED"), ("subscription {", "GRAPHQL_PARSE_FAILED")] {
        let events = Events::open(&server, query, &json!({})).rest();
        let [(name, told), last] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(name, "next");
        assert_eq!(told["errors"][0]["extensions"]["code"], code);
        assert!(told.get("data").is_none());
        assert_eq!(*last, complete);
    }
    let refused = server.send(&[("content-type", "application/json"), ("accept", "text/event-stream")], "nonsense");
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (400, "BAD_REQUEST"),
        "a body that is no request is refused without a stream"
    );

    // A browser's `EventSource` can only send GET, which must not change anything.
    let get = |query: &str| {
        let parameters = url::form_urlencoded::Serializer::new(String::new()).append_pair("query", query).finish();
        let request = Server::agent().get(format!("{}/graphql?{parameters}", server.base));
        Events::of(request.header("accept", "text/event-stream").call().unwrap())
    };
    let watch = get("subscription { ledgerChanged { assignment { id } } }");
    report(&server, &ours);
    let (_, told) = watch.next();
    assert_eq!(told, json!({"data": {"ledgerChanged": {"assignment": {"id": ours}}}}));
    let (_, refused) = get("mutation { __typename }").next();
    assert_eq!(refused["errors"][0]["extensions"]["code"], "METHOD_NOT_ALLOWED");
}

fn whoever_is_let_in_no_more_is_let_in_nowhere(world: &World) {
    world.done(&["demo"]);
    let mine = world.account("unit@gov.example", "responsible-unit", "白河县人民政府");
    let server = world.serve();
    let (mut watching, mut asking) = (Socket::open_as(&server, &mine), Socket::open_as(&server, &mine));
    watch(&mut watching, "watch", &json!({}));
    asking.subscribe("one", "{ viewer { email } }", &json!({}));
    assert_eq!(asking.hear_of("one")["payload"]["data"]["viewer"]["email"], "unit@gov.example");
    world.done(&["account", "disable", "unit@gov.example"]);
    // The subscription ends although nothing changes in the ledger.
    let told = watching.hear_of("watch");
    assert_eq!(told["payload"]["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{told}");
    asking.subscribe("two", "mutation { createToken(input: {name: \"大屏\", days: 300}) { token } }", &json!({}));
    assert_eq!(asking.closed(), 4403);
}

fn watchers_who_ask_the_same_share_a_read(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let (here, there) = (region(&server, "990121"), region(&server, "990122"));
    let ours = assignment(&server, &here);
    let reads = || server.figure("rectify_subscription_reads_total");
    let mut crowd: Vec<Socket> = (0..20).map(|_| Socket::open(&server)).collect();
    for socket in &mut crowd {
        watch(socket, "here", &json!({ "within": here }));
    }
    let mut elsewhere = Socket::open(&server);
    watch(&mut elsewhere, "there", &json!({ "within": there }));
    report(&server, &ours);
    for socket in &mut crowd {
        assert_eq!(changed(&socket.hear())["assignment"]["id"], ours);
    }
    // One for the crowd and one for the other question; a machine that is held up in between reads again.
    assert!((2..10).contains(&reads()), "{}", reads());
}
