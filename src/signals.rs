//! Signals of the operating system to a server.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{CtrlC, ctrl_c};

/// What tells a process to stop: SIGTERM or Ctrl-C.
///
/// A signal that arrives when nobody waits is kept for the next [`Stop::told`], so none is lost while a server starts
/// or turns from one task to the next.
pub(crate) struct Stop {
    #[cfg(unix)]
    terminate: Signal,
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(windows)]
    interrupt: CtrlC,
}

impl Stop {
    /// Listens from now on. Until then, either signal ends the process at once, unless it is the first of a container:
    /// the kernel ignores signals to that for which it does not listen.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate())?,
            #[cfg(unix)]
            interrupt: signal(SignalKind::interrupt())?,
            #[cfg(windows)]
            interrupt: ctrl_c()?,
        })
    }

    /// Waits until the process is told to stop.
    pub(crate) async fn told(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        #[cfg(windows)]
        self.interrupt.recv().await;
    }
}

/// Ignores SIGHUP, which ends a process by default: settings are read at start only. Says so in the log.
#[cfg(unix)]
pub(crate) fn ignore_hangups() -> io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            tracing::warn!("SIGHUP is ignored: settings are read at start only; restart to apply them");
        }
    });
    Ok(())
}

/// Does nothing: the system has no SIGHUP.
#[cfg(windows)]
#[expect(clippy::unnecessary_wraps, reason = "same signature as on Unix")]
pub(crate) fn ignore_hangups() -> io::Result<()> {
    Ok(())
}
