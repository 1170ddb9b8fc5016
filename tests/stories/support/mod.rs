//! Shared helpers of the stories: an isolated world with its own database and folder, the program run as a child
//! process, and clients of its interfaces.

pub(crate) mod allowed;
pub(crate) mod browser;
pub(crate) mod clocked;
pub(crate) mod cluster;
pub(crate) mod evidence;
pub(crate) mod graph;
pub(crate) mod interpreter;
pub(crate) mod ledgers;
pub(crate) mod operations;
pub(crate) mod own;
pub(crate) mod people;
pub(crate) mod provider;
pub(crate) mod receiver;
pub(crate) mod s3;
mod smtp;
pub(crate) mod socket;
pub(crate) mod way;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, EntityTrait};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) use smtp::Smtp;

/// Environment variable with the URL of the PostgreSQL server to test against, without a database name. `make test`
/// starts a server and sets it.
const POSTGRES: &str = "RECTIFY_TEST_POSTGRES";
/// Environment variable that forbids skipping stories. `make test` sets it.
const ALL: &str = "RECTIFY_TEST_ALL";

/// How long a request may take. A large import takes a minute or two on a slow machine.
const UNANSWERED: Duration = Duration::from_mins(5);

/// The password of every account that a story creates.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Declares a `#[test]` for each named story on each database, in the modules `sqlite` and `postgres`. The tests of
/// `postgres` are skipped where no PostgreSQL is named, see [`World::postgres`].
macro_rules! stories {
    ($($story:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $story() {
                crate::support::within_time(|| super::$story(&crate::support::World::sqlite()));
            })+
        }
        mod postgres {
            $(#[test] fn $story() {
                if let Some(world) = crate::support::World::postgres() {
                    crate::support::within_time(move || super::$story(&world));
                }
            })+
        }
    };
}
pub(crate) use stories;

/// The isolated environment of one story: a temporary folder and a database of its own.
pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) url: String,
}

impl Drop for World {
    /// Drops this world's database, so that a run of all stories takes little room on the disk.
    fn drop(&mut self) {
        let (Ok(server), Some((_, name))) = (std::env::var(POSTGRES), self.url.rsplit_once('/')) else { return };
        if self.url.starts_with("sqlite:") {
            return;
        }
        let (server, drop) = (format!("{server}/postgres"), format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        // In a thread of its own, for the story may end within a runtime. A server that is gone holds nothing.
        let dropped = std::thread::spawn(move || {
            block_on(async {
                if let Ok(db) = Database::connect(server).await {
                    let _ = db.execute_unprepared(&drop).await;
                }
            });
        });
        let _ = dropped.join();
    }
}

/// The exit code of a command, and its standard output followed by its standard error.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
}

impl World {
    pub(crate) fn sqlite() -> Self {
        let dir = TempDir::new().unwrap();
        let url = format!("sqlite:{}", dir.path().join("rectify.db").display());
        Self { dir, url }
    }

    /// Creates a database on the PostgreSQL server that `RECTIFY_TEST_POSTGRES` names. Returns `None` if the variable
    /// is not set; the story is [`skipped`] then.
    pub(crate) fn postgres() -> Option<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let Ok(server) = std::env::var(POSTGRES) else {
            skipped(&format!("{POSTGRES} is not set"));
            return None;
        };
        let name = format!("story_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        block_on(async {
            let db = Database::connect(format!("{server}/postgres")).await.unwrap();
            db.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
            db.close().await.unwrap();
        });
        Some(Self { dir: TempDir::new().unwrap(), url: format!("{server}/{name}") })
    }

    /// Returns a command that runs the program in this world's folder and on its database.
    pub(crate) fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rectify"));
        command
            .current_dir(self.dir.path())
            .env("RECTIFY_DATABASE_URL", &self.url)
            .env("RECTIFY_DATABASE_CONNECTIONS", "4")
            // `people::employ` opens sessions in the past, which an idle limit would end.
            .env("RECTIFY_SESSION_IDLE_MINUTES", "0")
            .env("RECTIFY_LOG", "warn");
        command
    }

    /// Runs the program with the given arguments and waits for it to exit.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.program().args(arguments).output().unwrap();
        let out = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        Ran { code: output.status.code().unwrap_or(-1), out }
    }

    /// Runs the program with the given standard input, asserts that it succeeds, and returns its output.
    pub(crate) fn done_with(&self, arguments: &[&str], input: &str) -> String {
        let mut child = self
            .program()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let out = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {out}");
        out
    }

    /// Creates an account whose password is [`PASSWORD`].
    pub(crate) fn employ(&self, email: &str, role: &str, unit: &str) {
        self.done_with(&["account", "create", email, "--role", role, "--unit", unit], &format!("{PASSWORD}\n"));
    }

    /// Creates an account and a token for it, as an administrator does on the command line; returns the token.
    pub(crate) fn account(&self, email: &str, role: &str, unit: &str) -> String {
        self.employ(email, role, unit);
        self.done(&["token", "create", email]).trim().to_owned()
    }

    /// Runs the program, asserts that it succeeds, and returns its output.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.out);
        ran.out
    }

    /// Writes a file into this world's folder and returns its path.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_string_lossy().into_owned()
    }

    /// Connects to this world's database, for facts that no public interface shows.
    pub(crate) async fn db(&self) -> DatabaseConnection {
        Database::connect(&self.url).await.unwrap()
    }

    /// Lets all that is in the ledger have been entered on a local day: a story about reminders of later days goes on
    /// from there, whatever the day is on which it runs.
    pub(crate) fn entered(&self, day: &str) {
        use entity::{assignment, measure};
        let at: chrono::DateTime<chrono::FixedOffset> = format!("{day}T09:00:00+08:00").parse().unwrap();
        let at = sea_orm::sea_query::Expr::value(at.to_utc());
        block_on(async {
            let db = self.db().await;
            let measures = measure::Entity::update_many().col_expr(measure::Column::CreatedAt, at.clone());
            measures.exec(&db).await.unwrap();
            let answers = assignment::Entity::update_many().col_expr(assignment::Column::CreatedAt, at);
            answers.exec(&db).await.unwrap();
            db.close().await.unwrap();
        });
    }

    /// Returns the path of the API server's log.
    pub(crate) fn log(&self) -> PathBuf {
        self.dir.path().join("serve.log")
    }

    /// Starts the API server as a child process.
    pub(crate) fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    /// Starts the API server as a child process, with additional environment variables.
    pub(crate) fn serve_with(&self, settings: &[(&str, &str)]) -> Server {
        self.serve_by(self.program(), "api", settings)
    }

    /// Starts the API server and the scheduler in one process, with additional environment variables.
    pub(crate) fn serve_with_scheduler(&self, settings: &[(&str, &str)]) -> Server {
        self.serve_by(self.program(), "all", settings)
    }

    /// Starts the API server listening on all addresses of the machine, as in a container. `PORT` in the public URL is
    /// replaced by the server's port.
    pub(crate) fn serve_everywhere(&self, public_url: &str, settings: &[(&str, &str)]) -> Server {
        let port = free_port();
        let (listen, public) = (format!("0.0.0.0:{port}"), public_url.replace("PORT", &port.to_string()));
        let own = [("RECTIFY_LISTEN", listen.as_str()), ("RECTIFY_PUBLIC_URL", public.as_str())];
        let mut server = self.serve_with(&[&own, settings].concat());
        server.base = format!("http://127.0.0.1:{port}");
        server
    }

    /// Starts the API server in a process that can open at most `files` file descriptors.
    pub(crate) fn serve_limited(&self, files: u32, settings: &[(&str, &str)]) -> Server {
        let program = self.program();
        let mut limited = Command::new("sh");
        limited.args(["-c", &format!("ulimit -n {files}; exec \"$0\" \"$@\"")]).arg(program.get_program());
        limited.current_dir(self.dir.path());
        limited.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        self.serve_by(limited, "api", settings)
    }

    fn serve_by(&self, mut program: Command, role: &str, settings: &[(&str, &str)]) -> Server {
        let (port, metrics) = (free_port(), free_port());
        let mut child = program
            .args(["serve", "--role", role])
            .env("RECTIFY_LISTEN", format!("127.0.0.1:{port}"))
            .env("RECTIFY_METRICS_LISTEN", format!("127.0.0.1:{metrics}"))
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(self.log()).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        assert!(line.contains("已启动"), "{line}{}", read(self.log()));
        Server {
            child: Some(child),
            out: Some(out.into()),
            handle: None,
            base: format!("http://127.0.0.1:{port}"),
            metrics: format!("http://127.0.0.1:{metrics}/metrics"),
        }
    }
}

/// Sends a request to a path with exactly the given headers, and returns the response without following redirects.
pub(crate) fn asked(server: &Server, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", server.base));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(UNANSWERED))
        .build()
        .into();
    answer(agent.run(request.body(body.to_vec()).unwrap()).unwrap())
}

/// A running API server; dropping it stops the server.
pub(crate) struct Server {
    child: Option<Child>,
    /// Standard output of the child process, after its first line.
    out: Option<std::sync::Mutex<BufReader<std::process::ChildStdout>>>,
    /// Handle of a server that runs within the test process instead of a child process.
    handle: Option<actix_web::dev::ServerHandle>,
    pub(crate) base: String,
    pub(crate) metrics: String,
}

/// An HTTP response.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) body: String,
    headers: ureq::http::HeaderMap,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Returns the `extensions.code` of the first error, or an empty string if there is none.
    pub(crate) fn code(&self) -> String {
        self.json()["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Returns the value of a header, or an empty string if it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

impl Server {
    /// Wraps a server that runs within the test process.
    fn within(base: String, handle: actix_web::dev::ServerHandle) -> Self {
        Self { child: None, out: None, handle: Some(handle), metrics: format!("{base}/metrics"), base }
    }

    /// Waits for the next line of the child's standard output and returns it.
    pub(crate) fn printed(&self) -> String {
        let mut line = String::new();
        self.out.as_ref().unwrap().lock().unwrap().read_line(&mut line).unwrap();
        line
    }

    pub(crate) fn agent() -> ureq::Agent {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(UNANSWERED));
        config.build().into()
    }

    /// Signs an account in with [`PASSWORD`] and returns the session's token.
    pub(crate) fn sign_in(&self, email: &str) -> String {
        let query = "mutation($input: SignInInput!) { signIn(input: $input) { token errors { code message } } }";
        let given = self.data(query, &json!({"input": {"email": email, "password": PASSWORD}}))["signIn"].clone();
        given["token"].as_str().unwrap_or_else(|| panic!("{email}: {given}")).to_owned()
    }

    /// Executes an operation with a token, asserts that it has no errors, and returns its data.
    pub(crate) fn data_as(&self, token: &str, query: &str, variables: &Value) -> Value {
        let answer = self.ask_as(token, query, variables).json();
        assert!(answer.get("errors").is_none(), "{query}\n{variables}\n{answer:#}");
        answer["data"].clone()
    }

    /// Executes an operation with a token and returns the response.
    pub(crate) fn ask_as(&self, token: &str, query: &str, variables: &Value) -> Answer {
        let bearer = format!("Bearer {token}");
        self.ask(&json!({ "query": query, "variables": variables }), &[("authorization", &bearer)])
    }

    /// Executes an operation without a token, asserts that it has no errors, and returns its data.
    pub(crate) fn data(&self, query: &str, variables: &Value) -> Value {
        let answer = self.graphql(query, variables);
        assert!(answer.get("errors").is_none(), "{query}\n{answer:#}");
        answer["data"].clone()
    }

    pub(crate) fn graphql(&self, query: &str, variables: &Value) -> Value {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let answer = self.post("application/json", "application/graphql-response+json", &body);
        serde_json::from_str(&answer.body).unwrap()
    }

    pub(crate) fn post(&self, kind: &str, accept: &str, body: &str) -> Answer {
        self.send(&[("content-type", kind), ("accept", accept)], body)
    }

    /// Sends a POST to `/graphql` with exactly the given headers.
    pub(crate) fn send(&self, headers: &[(&str, &str)], body: &str) -> Answer {
        let request = Self::agent().post(format!("{}/graphql", self.base));
        answer(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send(body).unwrap())
    }

    /// Sends a GraphQL request with the usual `Content-Type` and `Accept`, and additional headers.
    pub(crate) fn ask(&self, request: &Value, headers: &[(&str, &str)]) -> Answer {
        let usual = [("content-type", "application/json"), ("accept", "application/graphql-response+json")];
        self.send(&[&usual, headers].concat(), &request.to_string())
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        answer(Self::agent().get(format!("{}{path}", self.base)).call().unwrap())
    }

    /// Sends a POST with a binary body to a path.
    pub(crate) fn put(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let request = Self::agent().post(format!("{}{path}", self.base));
        answer(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send(body).unwrap())
    }

    /// Sends a GET to a path with the given headers. Returns the response and, if its status is 200, the bytes of its
    /// body.
    pub(crate) fn fetch(&self, path: &str, headers: &[(&str, &str)]) -> (Answer, Vec<u8>) {
        let request = Self::agent().get(format!("{}{path}", self.base));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let mut response = request.call().unwrap();
        if response.status() != 200 {
            return (answer(response), Vec::new());
        }
        let bytes = response.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap();
        let (parts, _) = response.into_parts();
        (answer(ureq::http::Response::from_parts(parts, ureq::Body::builder().data(""))), bytes)
    }

    /// Checks whether the response to a GET breaks off: within its body or, on a busy machine, before its head is sent.
    pub(crate) fn fetch_broken(&self, path: &str, headers: &[(&str, &str)]) -> bool {
        let request = Self::agent().get(format!("{}{path}", self.base));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        match request.call() {
            Ok(mut response) => response.status() == 200 && response.body_mut().read_to_vec().is_err(),
            Err(ureq::Error::Io(why)) => why.kind() == std::io::ErrorKind::UnexpectedEof,
            Err(other) => panic!("{other}"),
        }
    }

    /// Sends a signal, such as `TERM`, to the child process.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits for the end of the child process.
    pub(crate) fn ended(&mut self) -> std::process::ExitStatus {
        let child = self.child.as_mut().unwrap();
        let mut status = None;
        eventually("the server does not end", || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Returns the peak resident memory of the child process so far, in KiB.
    pub(crate) fn most_memory(&self) -> u64 {
        let status = read(format!("/proc/{}/status", self.child.as_ref().unwrap().id()).into());
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Sends an operation by GET, as query string parameters.
    pub(crate) fn get_graphql(&self, parameters: &[(&str, &str)]) -> Answer {
        let parameters = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        self.get(&format!("/graphql?{parameters}"))
    }

    /// Returns the number of SQL statements that the server has sent to the database so far.
    pub(crate) fn statements(&self) -> u64 {
        self.figure("rectify_sql_statements_total")
    }

    /// Returns the text of `/metrics`.
    pub(crate) fn figures(&self) -> String {
        answer(Self::agent().get(&self.metrics).call().unwrap()).body
    }

    /// Returns a figure of `/metrics`.
    pub(crate) fn figure(&self, name: &str) -> u64 {
        let figures = self.figures();
        let line = figures.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

pub(crate) fn answer(mut response: ureq::http::Response<ureq::Body>) -> Answer {
    let kind = response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
    Answer {
        status: response.status().as_u16(),
        kind: kind.unwrap_or_default(),
        headers: response.headers().clone(),
        body: response.body_mut().read_to_string().unwrap(),
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        if let Some(handle) = &self.handle {
            block_on(handle.stop(false));
        }
    }
}

/// Says on standard error that the story of this thread is skipped, and what is missing. Panics if `RECTIFY_TEST_ALL`
/// is set: then every story must run.
#[expect(clippy::explicit_write, reason = "the test harness captures what `eprintln!` writes")]
pub(crate) fn skipped(missing: &str) {
    assert!(std::env::var_os(ALL).is_none(), "{missing}, but {ALL} is set");
    let thread = std::thread::current();
    let story = thread.name().unwrap_or("a story");
    // The test harness hides what `eprintln!` writes in a story that passes.
    writeln!(std::io::stderr(), "skipped {story}: {missing}; `make test` provides it").unwrap();
}

/// Runs a story, and panics if it has not ended after a quarter of an hour, so that one that waits for ever is named
/// and the others are told. What it has started goes on. The longest takes two minutes on two
/// slow processors.
pub(crate) fn within_time(story: impl FnOnce() + Send + 'static) {
    let (ended, end) = std::sync::mpsc::channel::<()>();
    let name = std::thread::current().name().unwrap_or("story").to_owned();
    let running = std::thread::Builder::new().name(name).spawn(move || {
        let _ended = ended;
        story();
    });
    let waited = end.recv_timeout(Duration::from_mins(15));
    assert_ne!(waited, Err(RecvTimeoutError::Timeout), "the story has not ended after a quarter of an hour");
    if let Err(panic) = running.unwrap().join() {
        std::panic::resume_unwind(panic);
    }
}

/// Waits for what happens by itself within some seconds, and panics with `what` if it does not.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_mins(1), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Returns a listener that completes the TCP handshake but never answers, and an SMTP URL that points to it.
pub(crate) fn silent_peer() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}?tls=none", listener.local_addr().unwrap());
    (listener, url)
}

/// Returns an unused TCP port that no other story gets. It lies below the range of ephemeral ports, so an outgoing
/// connection does not take it meanwhile.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let start = std::process::id() as usize * 97;
    let ports = std::iter::repeat_with(|| 10_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000);
    let mut ports = ports.map(|port| u16::try_from(port).unwrap());
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

/// Runs a future to completion on a new single-threaded runtime.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Reads a file as text.
pub(crate) fn read(path: PathBuf) -> String {
    let mut text = String::new();
    std::fs::File::open(path).unwrap().read_to_string(&mut text).unwrap();
    text
}
