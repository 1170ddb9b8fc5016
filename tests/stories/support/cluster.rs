//! A PostgreSQL server with a standby, for stories about replication.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use sea_orm::{ConnectionTrait, Database};
use tempfile::TempDir;

use super::{World, block_on, free_port, skipped};

/// A primary and its standby, which are stopped when this is dropped.
pub(crate) struct Cluster {
    dir: TempDir,
    programs: PathBuf,
    ports: [u16; 2],
}

const NAMES: [&str; 2] = ["primary", "standby"];

impl Cluster {
    /// Starts both. Returns `None` where PostgreSQL's programs are not installed; the story is [`skipped`] then.
    pub(crate) fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            skipped("PostgreSQL's programs are not installed");
            return None;
        };
        let cluster = Self { dir: TempDir::new().unwrap(), programs, ports: [free_port(), free_port()] };
        if let Some((user, group)) = postgres() {
            chown(cluster.dir.path(), Some(user), Some(group)).unwrap();
        }
        cluster
            .run("initdb", &["-D", "primary", "-U", "rectify", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"]);
        cluster.begin(0);
        let primary = cluster.ports[0].to_string();
        let here = ["-h", "127.0.0.1", "-p", &primary, "-U", "rectify"];
        cluster.run("pg_basebackup", &[&here[..], &["-D", "standby", "-R", "-X", "stream", "-c", "fast"]].concat());
        cluster.begin(1);
        cluster.tell(0, "postgres", "CREATE DATABASE ledger");
        Some(cluster)
    }

    /// Returns a world whose ledger is in the primary.
    pub(crate) fn world(&self) -> World {
        World { dir: TempDir::new().unwrap(), url: self.url(0, "ledger") }
    }

    /// Returns the URL of the ledger in the standby.
    pub(crate) fn standby(&self) -> String {
        self.url(1, "ledger")
    }

    /// Lets the standby replay what it receives, or not.
    pub(crate) fn replays(&self, replays: bool) {
        self.tell(1, "ledger", if replays { "SELECT pg_wal_replay_resume()" } else { "SELECT pg_wal_replay_pause()" });
    }

    /// Lets the standby stand still, without an answer to anybody, or go on.
    pub(crate) fn freeze(&self, stands_still: bool) {
        let process = self.process(1).unwrap();
        let signal = if stands_still { "-STOP" } else { "-CONT" };
        assert!(Command::new("pkill").args([signal, "-P", &process]).status().unwrap().success());
        assert!(Command::new("kill").args([signal, &process]).status().unwrap().success());
    }

    /// Stops the standby.
    pub(crate) fn stop_standby(&self) {
        self.run("pg_ctl", &["-D", NAMES[1], "-m", "immediate", "stop"]);
    }

    /// Returns the number of a server's first process; none while it does not run.
    fn process(&self, server: usize) -> Option<String> {
        let file = self.dir.path().join(NAMES[server]).join("postmaster.pid");
        Some(std::fs::read_to_string(file).ok()?.lines().next()?.to_owned())
    }

    fn begin(&self, server: usize) {
        let options = format!(
            "-c listen_addresses=127.0.0.1 -p {} -k {} -c fsync=off -c hot_standby_feedback=on",
            self.ports[server],
            self.dir.path().display()
        );
        self.run(
            "pg_ctl",
            &["-D", NAMES[server], "-l", &format!("{}.log", NAMES[server]), "-w", "-o", &options, "start"],
        );
    }

    fn url(&self, server: usize, name: &str) -> String {
        format!("postgres://rectify@127.0.0.1:{}/{name}", self.ports[server])
    }

    fn tell(&self, server: usize, name: &str, statement: &str) {
        let url = self.url(server, name);
        block_on(async {
            let db = Database::connect(url).await.unwrap();
            db.execute_unprepared(statement).await.unwrap();
            db.close().await.unwrap();
        });
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.programs.join(program);
        // PostgreSQL refuses to run as root.
        let mut command = match postgres() {
            Some((user, group)) => {
                let mut command = Command::new("setpriv");
                command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
                command.arg(program);
                command
            }
            None => Command::new(program),
        };
        let log = std::fs::File::create(self.dir.path().join("programs.log")).unwrap();
        command.args(arguments).current_dir(self.dir.path()).stdout(log.try_clone().unwrap()).stderr(log);
        let status = command.status().unwrap();
        assert!(status.success(), "{}", super::read(self.dir.path().join("programs.log")));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for process in [0, 1].into_iter().filter_map(|server| self.process(server)) {
            for signal in ["-QUIT", "-CONT"] {
                let _ = Command::new("kill").args([signal, &process]).status();
            }
        }
    }
}

/// Returns the folder of the newest PostgreSQL's programs.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let found = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    found.filter(|folder| folder.join("pg_basebackup").exists()).max()
}

/// Returns the user and group `postgres` if this program runs as root.
fn postgres() -> Option<(u32, u32)> {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    let number = |what: &str| {
        let said = Command::new("id").args([what, "postgres"]).output().ok()?.stdout;
        String::from_utf8_lossy(&said).trim().parse().ok()
    };
    (is_root && Path::new("/usr/bin/setpriv").exists()).then(|| Some((number("-u")?, number("-g")?))).flatten()
}
