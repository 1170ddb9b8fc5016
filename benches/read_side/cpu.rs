//! Processor time and memory of processes, from Linux's `/proc`.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use crate::Outcome;

/// The unit of processor time in `/proc`: `USER_HZ` is 100 on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// A part of `/proc/PID/stat`: name, parent process, and processor time of all threads.
struct Stat {
    name: String,
    parent: u32,
    spent: Duration,
}

fn stat(pid: u32) -> Outcome<Stat> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let unreadable = || format!("cannot parse /proc/{pid}/stat");
    // The name is in parentheses and can itself contain parentheses.
    let (head, rest) = line.rsplit_once(')').ok_or_else(unreadable)?;
    let name = head.split_once('(').ok_or_else(unreadable)?.1.to_owned();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let field = |index: usize| fields.get(index).and_then(|field| field.parse::<u32>().ok()).ok_or_else(unreadable);
    Ok(Stat { name, parent: field(1)?, spent: TICK * (field(11)? + field(12)?) })
}

/// Returns the processor time that a process has used so far.
pub(crate) fn of_process(pid: u32) -> Outcome<Duration> {
    Ok(stat(pid)?.spent)
}

/// Returns the resident memory of a process in MB: current and peak.
pub(crate) fn memory(pid: u32) -> Outcome<(f64, f64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let megabytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()).and_then(|text| text.parse::<f64>().ok());
        kilobytes.map(|kilobytes| kilobytes / 1024.0).ok_or_else(|| format!("/proc/{pid}/status lacks {name}"))
    };
    Ok((megabytes("VmRSS:")?, megabytes("VmHWM:")?))
}

/// PostgreSQL: all child processes of its listening process.
pub(crate) struct Database {
    postmaster: u32,
}

/// Processor time by process id.
pub(crate) type Spent = HashMap<u32, Duration>;

impl Database {
    /// Finds the PostgreSQL server of a backend process, which must run on this machine.
    pub(crate) fn of_backend(backend: u32) -> Outcome<Self> {
        match stat(backend) {
            Ok(stat) if stat.name.starts_with("postgres") => Ok(Self { postmaster: stat.parent }),
            _ => {
                Err("PostgreSQL has to run on this machine, outside of containers: its processor time is measured"
                    .into())
            }
        }
    }

    /// Returns the processor time of each of its processes so far.
    pub(crate) fn spent(&self) -> Outcome<Spent> {
        let mut spent = Spent::new();
        for entry in fs::read_dir("/proc")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // A process can end while `/proc` is read.
            if let Ok(stat) = stat(pid)
                && stat.parent == self.postmaster
            {
                spent.insert(pid, stat.spent);
            }
        }
        Ok(spent)
    }

    /// Returns the processor time used since an earlier reading.
    pub(crate) fn since(&self, before: &Spent) -> Outcome<Duration> {
        let none = Duration::ZERO;
        let now = self.spent()?;
        Ok(now.iter().map(|(pid, spent)| spent.saturating_sub(*before.get(pid).unwrap_or(&none))).sum())
    }
}
