//! How a server that is told to stop ends its connections, so that few requests fail.
//!
//! A balancer sends requests until it notices that the server is not ready, and a connection that the server closes may
//! carry a request at that moment. So the server first goes on serving ([`Drain::wait`]) and ends each connection with
//! its next answer; then it takes no new ones; then it answers those that it has taken; and only then it closes what
//! is still open.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use api::Connections;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

/// How long the server waits until the connections that are being opened are taken.
const OPENING: Duration = Duration::from_millis(200);
/// How long a connection may take until it sends its request, once no new ones are taken.
const ASKING: Duration = Duration::from_secs(1);

/// The end of a server.
pub(crate) struct Drain {
    /// How long the server goes on serving; zero if it stops at once.
    length: Duration,
    /// Whether the server is not ready any more.
    begun: Arc<AtomicBool>,
    /// The port on which it listens.
    port: socket2::Socket,
    /// Whether connections without a request are closed.
    closes: watch::Sender<bool>,
}

impl Drain {
    /// Plans the end of the server that listens on `port`. `begun` is set when it begins.
    pub(crate) fn new(length: Duration, port: &std::net::TcpListener, begun: Arc<AtomicBool>) -> io::Result<Self> {
        Ok(Self { length, begun, port: port.try_clone()?.into(), closes: watch::Sender::new(false) })
    }

    /// Returns what tells a connection to close as soon as it has no request.
    pub(crate) fn closing(&self) -> impl Fn() -> BoxFuture<'static, ()> + Clone + use<> {
        let closes = self.closes.subscribe();
        move || {
            let mut closes = closes.clone();
            // An error means that the server has ended.
            async move { _ = closes.wait_for(|closes| *closes).await }.boxed()
        }
    }

    /// Says that the server is not ready any more, and goes on serving for its time or until `again`. Then
    /// [`Drain::stop`] waits for requests in progress only.
    pub(crate) async fn wait(&mut self, connections: &Connections, again: impl Future<Output = ()>) {
        self.begun.store(true, Ordering::Relaxed);
        connections.drain();
        let seconds = self.length.as_secs();
        if seconds > 0 {
            tracing::info!(seconds, "not ready any more; answering what still arrives before stopping");
        }
        tokio::select! {
            () = tokio::time::sleep(self.length) => {}
            () = again => {
                tracing::info!("told to stop again; not waiting for what may still arrive");
                self.length = Duration::ZERO;
            }
        }
    }

    /// Stops the server: takes no new connections, answers those that it has, and closes them.
    pub(crate) async fn stop(self, server: ServerHandle) {
        let Self { length, port, closes, .. } = self;
        if !length.is_zero() && takes_no_more(&port) {
            tokio::time::sleep(OPENING).await;
        }
        // Or the kernel would go on taking connections that nobody serves.
        drop(port);
        let close = async {
            if !length.is_zero() {
                tokio::time::sleep(ASKING).await;
            }
            _ = closes.send(true);
        };
        tokio::join!(server.stop(true), close);
    }
}

/// Lets the kernel ignore who wants to open a connection, so that the client tries again and is then refused. A port
/// that is only closed resets the connections that are being opened at that moment, and the requests on them.
///
/// Returns false if the kernel does not let this process set a filter, which depends on the machine.
#[cfg(target_os = "linux")]
fn takes_no_more(port: &socket2::Socket) -> bool {
    use socket2::SockFilter;
    /// A packet filter that drops the first packet of a connection, which has SYN set. The others of a connection that
    /// is being opened pass, or its client would send a request to nobody.
    const NO_SYN: [SockFilter; 4] = [
        // Load the flags, byte 13 of the TCP header.
        SockFilter::new(0x30, 0, 0, 13),
        // If SYN is set, go on, else skip one.
        SockFilter::new(0x45, 0, 1, 0x02),
        // Take nothing of the packet.
        SockFilter::new(0x06, 0, 0, 0),
        // Take all of it.
        SockFilter::new(0x06, 0, 0, u32::MAX),
    ];
    let filtered = port.attach_filter(&NO_SYN);
    if let Err(error) = &filtered {
        tracing::debug!(%error, "the port is closed without a filter before it");
    }
    filtered.is_ok()
}

#[cfg(not(target_os = "linux"))]
fn takes_no_more(_: &socket2::Socket) -> bool {
    false
}
