//! An identity provider (Glewlwyd, OpenID Connect) of one story, and simulated browsers that sign in through it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use url::Url;

use super::{Answer, Server, answer, eventually, free_port, skipped};

const SCHEMA: &str = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3";
const CLIENT: &str = "rectify";
/// The password of every user at the provider.
const PASSWORD: &str = "correct horse battery";

/// An identity provider that runs as a child process with its data in a temporary folder.
pub(crate) struct Provider {
    child: Option<Child>,
    folder: TempDir,
    port: u16,
    admin: Browser,
    pub(crate) secret: String,
}

impl Provider {
    /// Starts a provider without users and clients. Returns `None` if Glewlwyd is not installed; the story is
    /// [`skipped`] then.
    pub(crate) fn start() -> Option<Self> {
        let mut provider = Self::planned()?;
        provider.open();
        Some(provider)
    }

    /// Returns a provider that is not running, with the address at which [`Self::open`] starts it. Returns `None` if
    /// Glewlwyd is not installed; the story is [`skipped`] then.
    pub(crate) fn planned() -> Option<Self> {
        if !Path::new(SCHEMA).exists() {
            skipped("glewlwyd is not installed");
            return None;
        }
        let (folder, port, admin) = (TempDir::new().unwrap(), free_port(), Browser::new());
        Some(Self { child: None, folder, port, admin, secret: "7f3kQ0vLw2TzXb9Rr4MhYc6N".to_owned() })
    }

    /// Starts the provider.
    pub(crate) fn open(&mut self) {
        let (base, port, file) = (self.base(), self.port, |name: &str| self.folder.path().join(name));
        let schema = std::fs::read_to_string(SCHEMA)
            .unwrap_or_else(|error| panic!("{SCHEMA}: {error}; run the stories with `make test`"));
        // Users have a property that says whether their address is verified.
        let setup = "PRAGMA synchronous = OFF;\nBEGIN;\n".to_owned()
            + &schema
            + "UPDATE g_user_module_instance SET gumi_parameters = \
               '{\"use-glewlwyd-connection\":true,\"data-format\":{\"verified\":{\"multiple\":false,\
               \"read\":true,\"write\":true}}}';\n\
               INSERT INTO g_scope (gs_name, gs_display_name, gs_password_required) \
               VALUES ('email', 'email', 0);\n\
               COMMIT;\n";
        let database = file("provider.db");
        run(Command::new("sqlite3").arg(&database), &setup);
        let mut settings = format!(
            "port={port}\nbind_address=\"127.0.0.1\"\nexternal_url=\"{base}\"\ncookie_domain=\"127.0.0.1\"\n\
             database={{ type=\"sqlite3\" path=\"{}\" }};\n",
            database.display()
        );
        settings += "login_url=\"login.html\"\napi_prefix=\"api\"\nstatic_files_path=\"/usr/share/glewlwyd/webapp/\"\n\
            log_mode=\"console\"\nlog_level=\"ERROR\"\ncookie_secure=0\nsession_expiration=3600\n\
            session_key=\"session\"\n\
            admin_scope=\"g_admin\"\nprofile_scope=\"g_profile\"\nhash_algorithm=\"SHA512\"\n";
        for (kind, folder) in [
            ("user", "user"),
            ("user_middleware", "user_middleware"),
            ("client", "client"),
            ("user_auth_scheme", "scheme"),
            ("plugin", "plugin"),
        ] {
            writeln!(settings, "{kind}_module_path=\"/usr/lib/glewlwyd/{folder}\"").unwrap();
        }
        std::fs::write(file("provider.conf"), settings).unwrap();
        let log = std::fs::File::create(file("log")).unwrap();
        let child = Command::new("glewlwyd")
            .arg(format!("--config-file={}", file("provider.conf").display()))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("glewlwyd: {error}; run the stories with `make test`"));
        self.child = Some(child);
        eventually("the provider does not start", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        self.admin.sign_in(self, "admin", "password");
        self.ask("POST", "/api/mod/plugin/", &self.plugin());
    }

    /// Stops the provider.
    pub(crate) fn close(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns the issuer, as in the `iss` claim of its tokens.
    pub(crate) fn issuer(&self) -> String {
        format!("{}/api/oidc", self.base())
    }

    /// Returns the environment variables of a server that uses this provider.
    pub(crate) fn settings(&self) -> [(&'static str, String); 4] {
        [
            ("RECTIFY_OIDC_ISSUER", self.issuer()),
            ("RECTIFY_OIDC_CLIENT_ID", CLIENT.to_owned()),
            ("RECTIFY_OIDC_CLIENT_SECRET", self.secret.clone()),
            ("RECTIFY_OIDC_NAME", "市政务统一认证".to_owned()),
        ]
    }

    /// Returns the settings of a server within the test process that uses this provider.
    pub(crate) fn oidc(&self, public_url: &str) -> api::Oidc {
        api::Oidc {
            issuer: self.issuer(),
            client_id: CLIENT.to_owned(),
            client_secret: self.secret.clone(),
            name: "市政务统一认证".to_owned(),
            public_url: public_url.to_owned(),
        }
    }

    /// Registers a server as a client.
    pub(crate) fn serves(&self, server: &Server) {
        let client = json!({
            "client_id": CLIENT, "name": "Rectify", "confidential": true, "enabled": true,
            "client_secret": self.secret, "password": self.secret, "authorization_type": ["code"],
            "redirect_uri": [format!("{}/sign-in/oidc/callback", server.base)],
            "token_endpoint_auth_method": ["client_secret_basic"], "scope": [],
        });
        self.ask("POST", "/api/client/", &client);
    }

    /// Registers a user.
    pub(crate) fn knows(&self, name: &str, email: &str, is_verified: bool) {
        let verified = if is_verified { "yes" } else { "no" };
        let person = json!({
            "username": name, "password": PASSWORD, "name": name, "email": email, "enabled": true,
            "verified": verified, "scope": ["openid", "email"],
        });
        self.ask("POST", "/api/user/", &person);
    }

    /// Changes a user's e-mail address.
    pub(crate) fn moves(&self, name: &str, email: &str) {
        let person = json!({
            "name": name, "email": email, "enabled": true, "verified": "yes", "scope": ["openid", "email"],
        });
        self.ask("PUT", &format!("/api/user/{name}"), &person);
    }

    /// Replaces the signing key.
    pub(crate) fn changes_its_key(&self) {
        let keys = || self.admin.go(&format!("{}/jwks", self.issuer())).body;
        let before = keys();
        self.ask("PUT", "/api/mod/plugin/oidc", &self.plugin());
        self.ask("PUT", "/api/mod/plugin/oidc/reset", &json!({}));
        assert_ne!(keys(), before);
    }

    /// Returns the provider's time.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        let answer = self.admin.go(&format!("{}/.well-known/openid-configuration", self.issuer()));
        DateTime::parse_from_rfc2822(answer.header("date")).unwrap().to_utc()
    }

    /// Returns the configuration of the OpenID Connect plugin, with a newly generated key.
    fn plugin(&self) -> Value {
        let key = run(Command::new("openssl").args(["genpkey", "-algorithm", "RSA"]), "");
        let public = run(Command::new("openssl").args(["pkey", "-pubout"]), &key);
        let verified = json!({
            "name": "email_verified", "user-property": "verified", "type": "boolean", "mandatory": true,
            "boolean-value-true": "yes", "boolean-value-false": "no",
        });
        json!({"module": "oidc", "name": "oidc", "display_name": "OpenID Connect", "parameters": {
            "iss": self.issuer(), "jwt-type": "rsa", "jwt-key-size": "256", "key": key, "cert": public,
            "jwks-show": true, "subject-type": "public", "email-claim": "mandatory", "claims": [verified],
            "access-token-duration": 3600, "refresh-token-duration": 3600, "refresh-token-rolling": false,
            "code-duration": 600, "allow-non-oidc": false, "auth-type-code-enabled": true,
            "auth-type-id-token-enabled": true, "auth-type-token-enabled": false, "auth-type-none-enabled": false,
            "auth-type-password-enabled": false, "auth-type-client-enabled": false,
            "auth-type-device-enabled": false, "auth-type-refresh-enabled": false,
            "pkce-allowed": true, "pkce-required": true, "pkce-method-plain-allowed": false,
        }})
    }

    fn ask(&self, method: &str, path: &str, body: &Value) {
        let answer = self.admin.send(method, &format!("{}{path}", self.base()), body);
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.body);
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.close();
    }
}

/// Runs a program with the given standard input, asserts that it succeeds, and returns its standard output.
fn run(command: &mut Command, input: &str) -> String {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap_or_else(|error| {
            panic!("{command:?}: {error}; run the stories with `make test`");
        });
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A simulated browser: it keeps cookies, follows redirects one step at a time, and has a page that signs in.
pub(crate) struct Browser {
    agent: ureq::Agent,
    cookies: RefCell<BTreeMap<String, String>>,
    language: &'static str,
    /// The secret that only the page knows.
    pub(crate) proof: String,
}

impl Browser {
    pub(crate) fn new() -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
        let agent = config.max_redirects_will_error(false).build().into();
        let proof = "what only this page knows".to_owned();
        Self { agent, cookies: RefCell::default(), language: "zh-CN", proof }
    }

    pub(crate) fn speaking(language: &'static str) -> Self {
        Self { language, ..Self::new() }
    }

    /// Returns a browser whose user has signed in at the provider and agreed to share `openid email` with the ledger.
    pub(crate) fn of(provider: &Provider, name: &str) -> Self {
        let browser = Self::new();
        browser.sign_in(provider, name, PASSWORD);
        let grant = json!({"scope": "openid email"});
        let answer = browser.send("PUT", &format!("{}/api/auth/grant/{CLIENT}", provider.base()), &grant);
        assert_eq!(answer.status, 200, "{}", answer.body);
        browser
    }

    fn sign_in(&self, provider: &Provider, name: &str, password: &str) {
        let who = json!({"username": name, "password": password});
        let answer = self.send("POST", &format!("{}/api/auth/", provider.base()), &who);
        assert_eq!(answer.status, 200, "{name} cannot sign in: {}", answer.body);
    }

    /// Sends one GET without following redirects.
    pub(crate) fn go(&self, address: &str) -> Answer {
        let request = self.agent.get(address);
        let headers = self.headers();
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        self.keep(request.call().unwrap())
    }

    fn send(&self, method: &str, address: &str, body: &Value) -> Answer {
        let request = if method == "PUT" { self.agent.put(address) } else { self.agent.post(address) };
        let headers = self.headers();
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        self.keep(request.send(body.to_string()).unwrap())
    }

    /// Returns all cookies as the browser sends them.
    pub(crate) fn cookies(&self) -> String {
        let cookies: Vec<String> =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        cookies.join("; ")
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        vec![
            ("cookie", self.cookies()),
            ("accept-language", self.language.to_owned()),
            ("content-type", "application/json".to_owned()),
            ("x-request-id", "story".to_owned()),
        ]
    }

    fn keep(&self, response: ureq::http::Response<ureq::Body>) -> Answer {
        for cookie in response.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.borrow_mut().remove(name);
            } else {
                self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
            }
        }
        answer(response)
    }

    /// Returns the cookie of a sign-in in progress.
    pub(crate) fn cookie(&self) -> Option<String> {
        self.cookies.borrow().get("rectify-sign-in").cloned()
    }

    /// Restores the cookie of a sign-in in progress.
    pub(crate) fn put_back(&self, cookie: &str) {
        self.cookies.borrow_mut().insert("rectify-sign-in".to_owned(), cookie.to_owned());
    }

    /// Starts a sign-in: the page sends the browser to the server, which redirects it to the provider.
    pub(crate) fn leaves(&self, server: &Server) -> Answer {
        let challenge = hex::encode(Sha256::digest(&self.proof));
        self.go(&format!("{}/sign-in/oidc?challenge={challenge}&to=/%3Fid=measure_1", server.base))
    }

    /// Agrees at the provider; returns the address to which it redirects the browser.
    pub(crate) fn passes(&self, asked: &str) -> String {
        // The parameter by which the provider's own page says that the user agreed.
        let answer = self.go(&format!("{asked}&g_continue"));
        assert_eq!(answer.status, 302, "{asked}: {}", answer.body);
        answer.header("location").to_owned()
    }

    /// Goes to the provider and returns the callback address to which it redirects, without opening it.
    pub(crate) fn travels(&self, server: &Server) -> String {
        let left = self.leaves(server);
        assert_eq!(left.status, 303, "{}", left.body);
        self.passes(left.header("location"))
    }

    /// Goes to the provider and back; returns the response of the callback.
    pub(crate) fn journeys(&self, server: &Server) -> Answer {
        self.go(&self.travels(server))
    }

    /// Exchanges the code in the callback's response for a session; returns the payload of `signInWithCode`.
    pub(crate) fn enters(&self, server: &Server, back: &Answer) -> Value {
        assert_eq!(back.status, 303, "{}", back.body);
        let page = Url::parse(back.header("location")).unwrap();
        assert_eq!(page.as_str().split('#').next().unwrap(), format!("{}/?id=measure_1", server.base));
        let code = page.fragment().unwrap().strip_prefix("sign-in-code=").unwrap();
        self.exchanges(server, code)
    }

    pub(crate) fn exchanges(&self, server: &Server, code: &str) -> Value {
        let exchange = "mutation($input: SignInWithCodeInput!) { signInWithCode(input: $input) { token \
            errors { code message } } }";
        let input = json!({"input": {"code": code, "proof": self.proof}});
        server.data(exchange, &input)["signInWithCode"].clone()
    }

    /// Signs in from start to end and returns the session's token.
    pub(crate) fn signs_in(&self, server: &Server) -> String {
        let given = self.enters(server, &self.journeys(server));
        given["token"].as_str().unwrap_or_else(|| panic!("{given}")).to_owned()
    }
}
