//! The security headers of every response, successful or not, and GraphiQL's page under its Content Security Policy.

use serde_json::json;
use ureq::http::HeaderMap;

use crate::support::browser::Page;
use crate::support::evidence::{Counties, PNG};
use crate::support::provider::{Browser, Provider};
use crate::support::socket::{PROTOCOL, Socket};
use crate::support::{Server, World, read, stories};

stories!(
    every_answer_tells_browsers_to_keep_to_themselves,
    refusals_of_every_kind_have_the_headers_too,
    pages_of_other_origins_may_ask_where_they_are_named,
    graphiql_works_under_a_policy_without_unsafe,
    the_cookie_of_a_journey_is_of_this_host_alone,
);

/// The values of `public_url` that the stories try, and whether the server then sends `Strict-Transport-Security`.
const PUBLIC: [(&str, bool); 2] = [("", false), ("https://ledger.example", true)];

/// A request: method, path, headers, body and the expected status.
type Asked<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a [u8], u16);

/// Sends a request, asserts its status, and returns the headers of the response.
fn ask(base: &str, (method, path, headers, body, status): Asked) -> HeaderMap {
    let mut request = ureq::http::Request::builder().method(method).uri(format!("{base}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let agent =
        ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).allow_non_standard_methods(true);
    let agent: ureq::Agent = agent.build().into();
    let answer = agent.run(request.body(body.to_vec()).unwrap()).unwrap();
    assert_eq!(answer.status(), status, "{method} {path} {headers:?}");
    answer.headers().clone()
}

/// Asserts the headers that every response must have.
fn check(what: &str, headers: &HeaderMap, is_tls: bool) {
    let values = |name: &str| -> Vec<String> {
        headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    };
    let one = |name: &str| {
        let found = values(name);
        assert_eq!(found.len(), 1, "{what}: expected one {name}: {headers:?}");
        found[0].clone()
    };
    let policy = one("content-security-policy");
    assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"), "{what}: {policy}");
    for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action '"] {
        assert!(policy.contains(part), "{what}: {policy}");
    }
    assert_eq!(one("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(one("x-frame-options"), "DENY", "{what}");
    assert_eq!(one("referrer-policy"), "no-referrer", "{what}");
    assert_eq!(one("cross-origin-opener-policy"), "same-origin", "{what}");
    assert_eq!(one("cross-origin-resource-policy"), "same-origin", "{what}");
    for closed in ["camera=()", "microphone=()", "geolocation=()"] {
        assert!(one("permissions-policy").contains(closed), "{what}");
    }
    assert!(!one("cache-control").is_empty(), "{what}");
    let expected: &[&str] = if is_tls { &["max-age=31536000"] } else { &[] };
    assert_eq!(values("strict-transport-security"), expected, "{what}");
    for named in ["server", "x-powered-by"] {
        assert!(!headers.contains_key(named), "{what}: {named} must not be sent");
    }
}

fn every_answer_tells_browsers_to_keep_to_themselves(world: &World) {
    let mut counties = None;
    for (public, is_tls) in PUBLIC {
        let settings = [("RECTIFY_PUBLIC_URL", public)];
        let (server, known) = match counties.take() {
            None => Counties::open(world, &settings),
            Some(known) => (world.serve_with(&settings), known),
        };
        let mine = format!("Bearer {}", known.mine);
        let city = format!("Bearer {}", known.city);
        let (mine, city) = ([("authorization", mine.as_str())], [("authorization", city.as_str())]);
        let name = if is_tls { "b.png" } else { "a.png" };
        let photo = if is_tls { [PNG, b"another"].concat() } else { PNG.to_vec() };
        let upload = format!("/evidence?assignment={}&name={name}", known.assignment);
        check("POST /evidence", &ask(&server.base, ("POST", &upload, &mine, &photo, 201)), is_tls);
        let dossier = format!("/dossier/{}", known.measure);
        let json = [("content-type", "application/json"), city[0]];
        let query: &[u8] = br#"{"query": "{ viewer { email } }"}"#;
        let events = [json[0], json[1], ("accept", "text/event-stream")];
        let answers: &[Asked] = &[
            ("GET", "/graphiql", &[], b"", 200),
            ("HEAD", "/graphiql", &[], b"", 200),
            ("GET", "/assets/graphiql.js", &[], b"", 200),
            ("GET", "/assets/page.css", &[], b"", 200),
            ("GET", "/healthz", &[], b"", 200),
            ("GET", "/readyz", &[], b"", 200),
            ("GET", "/schema.graphql", &[], b"", 200),
            ("POST", "/graphql", &json, query, 200),
            ("POST", "/graphql", &events, query, 200),
            ("GET", "/graphql?query=%7B__typename%7D", &city, b"", 200),
            ("GET", "/evidence/evidence_1", &mine, b"", 200),
            ("GET", &dossier, &city, b"", 200),
            ("GET", "/export/ledger.xlsx", &city, b"", 200),
            ("GET", "/export/regions.csv", &city, b"", 200),
            ("GET", "/export/regions.xlsx", &city, b"", 200),
        ];
        for asked in answers {
            let headers = ask(&server.base, *asked);
            let what = format!("{} {}", asked.0, asked.1);
            check(&what, &headers, is_tls);
            let is_file = ["/evidence", "/dossier", "/export"].iter().any(|path| asked.1.starts_with(path));
            let policy = headers["content-security-policy"].to_str().unwrap();
            assert_eq!(policy.starts_with("sandbox;"), is_file, "{what}: downloads, and only those, must be sandboxed");
            let keeping = headers["cache-control"].to_str().unwrap();
            assert_eq!(keeping.contains("no-store"), !asked.1.starts_with("/assets/"), "{what}: {keeping}");
        }
        let socket = ask(&server.base, ("GET", "/graphql/ws", &UPGRADE, b"", 101));
        check("GET /graphql/ws", &socket, is_tls);
        Socket::open_as(&server, &known.city);
        for path in ["/metrics", "/readyz"] {
            let base = server.metrics.trim_end_matches("/metrics");
            check(path, &ask(base, ("GET", path, &[], b"", 200)), false);
            check(path, &ask(base, ("GET", "/nothing", &[], b"", 404)), false);
        }
        // The page requests assets by versioned addresses, which browsers may cache.
        let page = server.get("/graphiql").body;
        let versioned = page.split('"').filter(|part| part.starts_with("/assets/")).collect::<Vec<_>>();
        assert_eq!(versioned.len(), 9, "{versioned:?}");
        for path in versioned {
            let kept = ask(&server.base, ("GET", path, &[], b"", 200));
            assert_eq!(kept["cache-control"], "public, max-age=31536000, immutable", "{path}");
            check(path, &kept, is_tls);
        }
        let stale = ask(&server.base, ("GET", "/assets/page.js?v=0123456789abcdef", &[], b"", 200));
        assert_eq!(stale["cache-control"], "no-cache");
        counties = Some(known);
    }
}

/// The headers of a WebSocket handshake.
const UPGRADE: [(&str, &str); 5] = [
    ("connection", "upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    PROTOCOL,
];

fn refusals_of_every_kind_have_the_headers_too(world: &World) {
    let mut counties = None;
    for (public, is_tls) in PUBLIC {
        let settings = [("RECTIFY_PUBLIC_URL", public), ("RECTIFY_ORIGINS", "[\"https://board.example.cn\"]")];
        let (server, known) = match counties.take() {
            None => Counties::open(world, &settings),
            Some(known) => (world.serve_with(&settings), known),
        };
        let mine = format!("Bearer {}", known.mine);
        let mine = [("authorization", mine.as_str())];
        let json = ("content-type", "application/json");
        let large = vec![b' '; 2 << 20];
        let upload = format!("/evidence?assignment={}&name=a.exe", known.assignment);
        let elsewhere =
            [("origin", "https://attacker.example"), UPGRADE[0], UPGRADE[1], UPGRADE[2], UPGRADE[3], PROTOCOL];
        let answers: &[Asked] = &[
            ("GET", "/nothing", &[], b"", 404),
            ("POST", "/nothing", &[], b"", 404),
            ("DELETE", "/", &[], b"", 404),
            ("GET", "/assets/nothing.js", &[], b"", 404),
            ("GET", "/assets/../Cargo.toml", &[], b"", 404),
            ("PUT", "/graphql", &[], b"", 405),
            ("OPTIONS", "/graphql", &[], b"", 405),
            ("TRACE", "/graphql", &[], b"", 405),
            ("GET", "/graphql", &[], b"", 400),
            ("GET", "/graphql?query=mutation%7B__typename%7D", &[], b"", 405),
            ("POST", "/graphql", &[json], b"{", 400),
            ("POST", "/graphql", &[json], &large, 413),
            ("POST", "/graphql", &[("content-type", "text/plain")], b"{}", 415),
            ("POST", "/graphql", &[json, ("accept", "image/png")], b"{}", 406),
            ("POST", "/graphql", &[json, ("authorization", "Bearer nothing")], b"{}", 401),
            ("POST", "/graphql", &[json, ("host", "attacker.example")], b"{}", 403),
            ("GET", "/graphql/ws", &[], b"", 400),
            ("GET", "/graphql/ws", &elsewhere, b"", 403),
            ("GET", "/evidence/evidence_1", &[], b"", 401),
            ("GET", "/evidence/evidence_99", &mine, b"", 404),
            ("DELETE", "/evidence/evidence_1", &mine, b"", 404),
            ("POST", &upload, &mine, b"MZ", 422),
            ("POST", "/evidence", &mine, b"", 404),
            ("GET", "/dossier/measure_99999", &mine, b"", 404),
            ("GET", "/export/ledger.xlsx", &[], b"", 401),
            ("POST", "/import", &[], b"", 401),
            ("GET", "/sign-in/oidc", &[], b"", 404),
            ("GET", "/sign-in/oidc/callback?state=1&code=2", &[], b"", 404),
            ("GET", "/graphiql", &[("accept-encoding", "identity;q=0")], b"", 406),
        ];
        for asked in answers {
            check(&format!("{} {} {:?}", asked.0, asked.1, asked.2), &ask(&server.base, *asked), is_tls);
        }
        counties = Some(known);
    }
    // Refusals that depend on settings or on a damaged storage.
    let (server, known) = {
        let known = counties.unwrap();
        (world.serve_with(&[("RECTIFY_MAX_REQUESTS_PER_MINUTE", "2"), ("RECTIFY_INTROSPECTION", "false")]), known)
    };
    check("GET /schema.graphql", &ask(&server.base, ("GET", "/schema.graphql", &[], b"", 404)), false);
    let json = [("content-type", "application/json")];
    let asked: Asked = ("POST", "/graphql", &json, br#"{"query": "{ __typename }"}"#, 200);
    let of = |status| (asked.0, asked.1, asked.2, asked.3, status);
    // Repeated, because the allowance is refilled as time passes.
    let refused = (0..50).find_map(|_| {
        let answer = server.send(&json, r#"{"query": "{ __typename }"}"#);
        (answer.status == 429).then_some(answer)
    });
    assert!(refused.unwrap().header("content-security-policy").starts_with("default-src 'none'"));
    drop(server);
    let server = world.serve();
    let mine = format!("Bearer {}", known.mine);
    let mine = [("authorization", mine.as_str())];
    let upload = format!("/evidence?assignment={}&name=c.png", known.assignment);
    ask(&server.base, ("POST", &upload, &mine, PNG, 201));
    // The files of the evidence are lost.
    std::fs::remove_dir_all(world.dir.path().join("data/evidence/sha256")).unwrap();
    check("a lost file", &ask(&server.base, ("GET", "/evidence/evidence_1", &mine, b"", 500)), false);
    let open = ask(&server.base, of(200));
    check("POST /graphql", &open, false);
}

fn pages_of_other_origins_may_ask_where_they_are_named(world: &World) {
    world.done(&["demo"]);
    let server = world.serve_with(&[("RECTIFY_ORIGINS", "[\"https://board.example.cn\"]")]);
    let preflight = |origin: &'static str| {
        [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type"),
        ]
    };
    let known = ask(&server.base, ("OPTIONS", "/graphql", &preflight("https://board.example.cn"), b"", 200));
    check("a preflight", &known, false);
    assert_eq!(known["access-control-allow-origin"], "https://board.example.cn");
    let unknown = ask(&server.base, ("OPTIONS", "/graphql", &preflight("https://attacker.example"), b"", 400));
    check("a preflight of an unknown origin", &unknown, false);
    assert!(!unknown.contains_key("access-control-allow-origin"));
    let headers = [("origin", "https://board.example.cn"), ("content-type", "application/json")];
    let answer = ask(&server.base, ("POST", "/graphql", &headers, br#"{"query": "{ __typename }"}"#, 200));
    check("an answer", &answer, false);
    assert_eq!(answer["access-control-allow-origin"], "https://board.example.cn");
}

fn graphiql_works_under_a_policy_without_unsafe(world: &World) {
    world.done(&["demo"]);
    let create = ["account", "create", "office@gov.example", "--role", "city-office", "--region", "990100"];
    world.done_with(&create, "correct horse battery\n");
    let server = world.serve();
    let nonce = |server: &Server| {
        let headers = ask(&server.base, ("GET", "/graphiql", &[], b"", 200));
        headers["content-security-policy"].to_str().unwrap().split("'nonce-").nth(1).unwrap()[..32].to_owned()
    };
    assert_ne!(nonce(&server), nonce(&server), "each response must have a nonce of its own");

    let Some(mut page) = Page::open(&format!("{}/graphiql", server.base)) else { return };
    page.run("until(() => document.querySelector('.graphiql-execute-button'))");
    page.run(
        "email.value = 'office@gov.example'; password.value = 'correct horse battery'; who.requestSubmit();
        until(() => !leave.hidden)",
    );
    // The bar is in the language of the browser.
    let (role, leave) = if page.run("navigator.language.startsWith('en')") == true {
        ("city office", "Sign out")
    } else {
        ("市整改办", "退出")
    };
    assert!(page.run("me.textContent").as_str().unwrap().contains(role));
    assert_eq!(page.run("leave.textContent"), leave);
    page.run(
        "document.querySelector('.graphiql-execute-button').click();
        until(() => document.querySelector('.graphiql-response').textContent.includes('measuresByDeadlineYear'))",
    );
    // A dialog adds a style element, which the nonce permits.
    page.run(
        "document.querySelector('[aria-label=\"Open settings dialog\"]').click();
        until(() => document.querySelector('.graphiql-dialog') && document.querySelector('style'))",
    );
    assert_ne!(page.run("document.querySelector('style').sheet.cssRules.length"), json!(0));
    page.run(
        "document.querySelector('.graphiql-dialog-close').click();
        until(() => !document.querySelector('.graphiql-dialog'))",
    );
    // The editor's dialog uses style attributes.
    let width = page.run(
        "document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror.execCommand('jumpToLine');
        until(() => document.querySelector('.CodeMirror-search-field'))
            .then(() => document.querySelector('.CodeMirror-search-field').style.width)",
    );
    assert_eq!(width, "10em");
    page.run(
        "document.querySelector('[aria-label=\"Show Documentation Explorer\"]').click();
        until(() => document.querySelector('.graphiql-doc-explorer-content')?.textContent.includes('Query'))",
    );
    assert_eq!(page.refused(), json!([]), "{:#?}", page.said);
    let complaints: Vec<_> = page.said.iter().filter(|line| line.contains("olicy")).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");

    // In a narrow window, no tab stands out sideways.
    page.widen(360);
    let outside = page.run(
        "[...document.querySelectorAll('.graphiql-tab')]
            .filter((tab) => tab.getBoundingClientRect().right > innerWidth).map((tab) => tab.textContent)",
    );
    assert_eq!(outside, json!([]));
    page.widen(1400);

    // The policy is enforced: an injected script, event handler, style or image is blocked.
    page.run(
        "const script = document.createElement('script'); script.textContent = 'window.smuggled = true';
        document.body.append(script);
        document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\" \
        onclick=\"smuggled = true\">smuggled</p>');
        const image = new Image(); image.src = 'http://attacker.example/';
        until(() => window.refused.length >= 4)",
    );
    assert_eq!(page.run("window.smuggled ?? null"), json!(null));
}

fn the_cookie_of_a_journey_is_of_this_host_alone(world: &World) {
    world.done(&["demo"]);
    let Some(provider) = Provider::start() else { return };
    let settings = provider.settings();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for (public, is_tls) in PUBLIC {
        let server = world.serve_with(&[settings.as_slice(), &[("RECTIFY_PUBLIC_URL", public)]].concat());
        let off = format!("/sign-in/oidc?challenge={}&to=/", "0".repeat(64));
        let left = ask(&server.base, ("GET", &off, &[], b"", 303));
        check("GET /sign-in/oidc", &left, is_tls);
        let cookie = left["set-cookie"].to_str().unwrap();
        for part in ["; Path=/;", "; HttpOnly", "; SameSite=Lax"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
        assert_eq!(cookie.starts_with("__Host-rectify-sign-in="), is_tls, "{cookie}");
        assert_eq!(cookie.ends_with("; Secure"), is_tls, "{cookie}");
        let log = read(world.log());
        assert_eq!(log.contains("neither Secure nor __Host-"), !is_tls, "{log}");
        let stopped = Browser::new().go(&format!("{}/sign-in/oidc/callback", server.base));
        assert_eq!((stopped.status, stopped.body.contains("<style")), (400, false), "{}", stopped.body);
        let stopped = ask(&server.base, ("GET", "/sign-in/oidc/callback", &[], b"", 400));
        check("GET /sign-in/oidc/callback", &stopped, is_tls);
    }
}
