//! A real SMTP server, and the Python that it needs.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::free_port;

/// The package that `smtp.py` imports, in the version that is installed where Python does not have it.
const PACKAGE: &str = "aiosmtpd==1.4.6";
/// How long a story waits for a mail that has to arrive.
const PATIENCE: Duration = Duration::from_secs(40);

/// A real SMTP server that requires STARTTLS and a login, and writes accepted mails to a temporary folder.
pub(crate) struct Smtp {
    child: Child,
    pub(crate) url: String,
    pub(crate) port: u16,
    folder: TempDir,
    /// The names of the files of accepted mails.
    accepted: Mutex<Receiver<String>>,
}

impl Smtp {
    /// Starts a server whose certificate is valid for `localhost`.
    pub(crate) fn start() -> Self {
        Self::start_with(&json!({}))
    }

    /// Starts a server with options of `smtp.py`.
    pub(crate) fn start_with(options: &Value) -> Self {
        let folder = TempDir::new().unwrap();
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/stories/support/smtp.py");
        let port = free_port();
        let mut child = Command::new(python())
            .arg(script)
            .args([&port.to_string(), &folder.path().to_string_lossy().into_owned(), &options.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "ready", "the SMTP server does not start; it needs openssl");
        let url =
            format!("smtp://ledger:s%40fe@localhost:{port}?tls=starttls&ca={}", folder.path().join("ca.pem").display());
        let (sender, accepted) = mpsc::channel();
        std::thread::spawn(move || {
            for name in out.lines().map_while(Result::ok) {
                let _ = sender.send(name);
            }
        });
        Self { child, url, port, folder, accepted: Mutex::new(accepted) }
    }

    /// Sets what is wrong with the server, see `smtp.py`; nothing, if `mode` is empty.
    pub(crate) fn set(&self, mode: &str) {
        let part = self.folder.path().join("mode.part");
        std::fs::write(&part, mode).unwrap();
        std::fs::rename(part, self.folder.path().join("mode")).unwrap();
    }

    /// Waits for the next mail and returns it.
    pub(crate) fn next(&self) -> Value {
        let name = self.accepted.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        serde_json::from_str(&std::fs::read_to_string(self.folder.path().join(name)).unwrap()).unwrap()
    }

    /// Returns the path of the server's certificate.
    pub(crate) fn certificate(&self) -> String {
        self.folder.path().join("ca.pem").to_string_lossy().into_owned()
    }

    /// Returns the mails accepted so far as JSON texts, oldest first.
    pub(crate) fn mails(&self) -> Vec<String> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
            .collect();
        files.sort();
        files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a Python that can import aiosmtpd: the one that `RECTIFY_TEST_PYTHON` names, else one of the system, else
/// that of a virtual environment in `target/tmp`, which the first story creates. Panics if none can be had.
fn python() -> &'static str {
    static PYTHON: OnceLock<Result<String, String>> = OnceLock::new();
    let found = PYTHON.get_or_init(|| {
        if let Ok(named) = std::env::var("RECTIFY_TEST_PYTHON") {
            return Ok(named);
        }
        let of_system = ["python3", "/usr/bin/python3"].into_iter().find(|python| has_package(python));
        of_system.map_or_else(virtual_environment, |python| Ok(python.to_owned()))
    });
    match found {
        Ok(python) => python,
        Err(why) => panic!("{why}\nInstall python3-aiosmtpd or python3-venv, or run `make test`, which does it."),
    }
}

fn has_package(python: &str) -> bool {
    let asked = Command::new(python).args(["-c", "import aiosmtpd"]).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// Creates a virtual environment with the package, unless an earlier run did. Returns its Python, or what failed.
fn virtual_environment() -> Result<String, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(PACKAGE);
    let python = |folder: &Path| folder.join("bin/python").to_string_lossy().into_owned();
    if has_package(&python(&folder)) {
        return Ok(python(&folder));
    }
    // Completed under a name of its own first, so that a second process finds a complete one or none.
    let part = folder.with_file_name(format!("{PACKAGE}.{}", std::process::id()));
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE];
    run(Command::new("python3").args(["-m", "venv"]).arg(&part))
        .and_then(|()| run(Command::new(python(&part)).args(install)))
        .inspect_err(|_| drop(std::fs::remove_dir_all(&part)))?;
    let _ = std::fs::remove_dir_all(&folder);
    // Fails if another process was faster; its environment serves as well.
    let _ = std::fs::rename(&part, &folder);
    if has_package(&python(&folder)) { Ok(python(&folder)) } else { Err(format!("{} is incomplete", folder.display())) }
}

/// Runs a command to its end. Returns what it printed if it fails.
fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&said).trim()))
}
