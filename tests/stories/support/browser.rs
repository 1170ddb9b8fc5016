//! A real browser (Chromium, headless), driven over its DevTools protocol.

use std::io::{BufRead, BufReader, ErrorKind};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

use super::skipped;

/// The timeout of one call, generous for a busy machine.
const LONG: Duration = Duration::from_mins(2);
/// A script that runs in every page before its own: it records violations of the Content Security Policy in `refused`,
/// and defines `until`, which waits for a condition and, when it has waited too long, says where it waited.
const WATCH: &str = "window.refused = [];
    document.addEventListener('securitypolicyviolation', ({violatedDirective, sourceFile, lineNumber}) =>
        window.refused.push(`${violatedDirective} at ${sourceFile}:${lineNumber}`));
    window.until = (find) => new Promise((done, fail) => {
        const end = Date.now() + 90_000;
        const look = () => {
            let found;
            try { found = find(); } catch (error) { return fail(error); }
            if (found) done(true);
            else if (Date.now() > end) fail(new Error(`${location.href}\n${document.body?.innerText}`));
            else setTimeout(look, 10);
        };
        look();
    });";

/// A page in a browser process of its own.
pub(crate) struct Page {
    child: Child,
    _profile: TempDir,
    stream: WebSocket<TcpStream>,
    session: Option<String>,
    asked: u64,
    /// The identifier of the page's main frame.
    frame: Value,
    /// The documents that have loaded since [`Page::go`] or [`Page::leave`] began, by the identifiers of their loaders.
    loaded: Vec<Value>,
    /// Warnings and errors of the console, those of the browser included.
    pub(crate) said: Vec<String>,
}

impl Page {
    /// Opens an address and waits until the page has loaded. Returns `None` if Chromium is not installed; the story is
    /// [`skipped`] then.
    pub(crate) fn open(address: &str) -> Option<Self> {
        let profile = TempDir::new().unwrap();
        let started = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args(["--disable-background-networking", "--remote-debugging-port=0", "--window-size=1400,900"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        if started.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            skipped("chromium is not installed");
            return None;
        }
        let mut child = started.unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let url =
            lines.find_map(|line| line.unwrap().strip_prefix("DevTools listening on ").map(str::to_owned)).unwrap();
        // The browser keeps writing to standard error and would block if the pipe were full.
        std::thread::spawn(move || lines.for_each(drop));
        let authority = url.trim_start_matches("ws://").split('/').next().unwrap();
        let stream = TcpStream::connect(authority).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        let (stream, _) = tungstenite::client(url.as_str(), stream).unwrap();
        let mut page = Self {
            child,
            _profile: profile,
            stream,
            session: None,
            asked: 0,
            frame: Value::Null,
            loaded: Vec::new(),
            said: Vec::new(),
        };
        page.frame = page.call("Target.createTarget", &json!({"url": "about:blank"}))["targetId"].clone();
        let attached = page.call("Target.attachToTarget", &json!({"targetId": page.frame, "flatten": true}));
        page.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            page.call(&format!("{domain}.enable"), &json!({}));
        }
        page.call("Page.setLifecycleEventsEnabled", &json!({"enabled": true}));
        page.call("Page.addScriptToEvaluateOnNewDocument", &json!({"source": WATCH}));
        page.go(address);
        Some(page)
    }

    /// Runs a script in the page and returns the value that its promise resolves to.
    pub(crate) fn run(&mut self, script: &str) -> Value {
        let wish = json!({"expression": script, "awaitPromise": true, "returnByValue": true});
        let done = self.call("Runtime.evaluate", &wish);
        assert!(done.get("exceptionDetails").is_none(), "{script}\n{done:#}\n{:#?}", self.said);
        done["result"]["value"].clone()
    }

    /// Opens another address and waits until its page has loaded. Works without scripts.
    pub(crate) fn go(&mut self, address: &str) {
        self.loaded.clear();
        let gone = self.call("Page.navigate", &json!({"url": address}));
        let loader = gone["loaderId"].clone();
        assert!(loader.is_string(), "{address}: {gone}");
        self.wait_for_load(|loaded| *loaded == loader);
    }

    /// Runs a script that leads to another page, such as a click, and waits until that page has loaded. Works without
    /// scripts of the page.
    pub(crate) fn leave(&mut self, script: &str) {
        let before = self.call("Page.getFrameTree", &json!({}))["frameTree"]["frame"]["loaderId"].clone();
        self.loaded.clear();
        self.value(script);
        self.wait_for_load(|loaded| *loaded != before);
    }

    /// Returns the value of an expression. Works without scripts of the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let done = self.call("Runtime.evaluate", &json!({"expression": expression, "returnByValue": true}));
        assert!(done.get("exceptionDetails").is_none(), "{expression}\n{done:#}");
        done["result"]["value"].clone()
    }

    /// Waits until a document that is asked for has loaded. The page that is left may tell late that it had loaded.
    fn wait_for_load(&mut self, asked_for: impl Fn(&Value) -> bool) {
        // Each call reads the events before its answer.
        let begun = Instant::now();
        while !self.loaded.iter().any(&asked_for) {
            assert!(begun.elapsed() < LONG, "the page does not load");
            self.call("Runtime.evaluate", &json!({"expression": "1"}));
        }
    }

    /// Turns the scripts of pages off.
    pub(crate) fn without_scripts(&mut self) {
        self.call("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    }

    /// Makes the window this wide, as on a phone or a desktop.
    pub(crate) fn widen(&mut self, width: u32) {
        let metrics = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500});
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Sets a cookie of a site.
    pub(crate) fn keep(&mut self, address: &str, name: &str, value: &str) {
        self.call("Network.setCookie", &json!({"name": name, "value": value, "url": address}));
    }

    /// Chooses a file in the field that a selector names, as soon as the page has it.
    pub(crate) fn choose(&mut self, selector: &str, file: &str) {
        self.run(&format!("until(() => document.querySelector({}))", json!(selector)));
        let root = self.call("DOM.getDocument", &json!({}))["root"]["nodeId"].clone();
        let found = self.call("DOM.querySelector", &json!({"nodeId": root, "selector": selector}))["nodeId"].clone();
        self.call("DOM.setFileInputFiles", &json!({"files": [file], "nodeId": found}));
    }

    /// What the page's policy refused.
    pub(crate) fn refused(&mut self) -> Value {
        self.run("window.refused")
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.asked += 1;
        let mut call = json!({"id": self.asked, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            call["sessionId"] = json!(session);
        }
        self.stream.send(Message::text(call.to_string())).unwrap();
        loop {
            let message =
                self.stream.read().unwrap_or_else(|error| panic!("{method} {parameters}: {error}\n{:#?}", self.said));
            let Ok(text) = message.to_text() else { continue };
            let told: Value = serde_json::from_str(text).unwrap();
            match told["method"].as_str() {
                Some("Page.lifecycleEvent")
                    if told["params"]["name"] == "load" && told["params"]["frameId"] == self.frame =>
                {
                    self.loaded.push(told["params"]["loaderId"].clone());
                }
                Some("Log.entryAdded") => self.said.push(told["params"]["entry"]["text"].to_string()),
                Some("Runtime.exceptionThrown") => self.said.push(told["params"]["exceptionDetails"].to_string()),
                Some("Runtime.consoleAPICalled") if told["params"]["type"] != "log" => {
                    self.said.push(told["params"]["args"].to_string());
                }
                None if told["id"] == self.asked => {
                    // A page that is being left has no answer.
                    if told["error"]["message"].as_str().is_some_and(|why| why.contains("navigated")) {
                        return Value::Null;
                    }
                    assert!(told.get("error").is_none(), "{method} {parameters}: {told}");
                    return told["result"].clone();
                }
                _ => {}
            }
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
