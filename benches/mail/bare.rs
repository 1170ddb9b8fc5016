//! The limit: a loop that sends one finished message over lettre's connections, and does nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lettre::address::Envelope;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use tokio::net::TcpStream;

use crate::Outcome;
use crate::sink::{COPY, Sink};

/// Sends the sink's last message so many times over so many connections.
pub(crate) fn send(sink: &Sink, count: usize, connections: usize) -> Outcome<()> {
    let message = Arc::new(sink.message().strip_suffix(b"\r\n.\r\n").ok_or("no message to send")?.to_vec());
    let left = Arc::new(AtomicUsize::new(count));
    let port = sink.port;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let loops: Vec<_> =
            (0..connections).map(|_| tokio::spawn(one_connection(port, message.clone(), left.clone()))).collect();
        for one in loops {
            one.await??;
        }
        Ok(())
    })
}

async fn one_connection(port: u16, message: Arc<Vec<u8>>, left: Arc<AtomicUsize>) -> Outcome<()> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let mut connection = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &ClientId::default()).await?;
    let envelope = Envelope::new(Some("ledger@county.example".parse()?), vec![format!("{COPY}@far.example").parse()?])?;
    let takes = |left: usize| left.checked_sub(1);
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, takes).is_ok() {
        connection.send(&envelope, &message).await?;
    }
    connection.quit().await?;
    Ok(())
}
