//! `rectify health`: asks the server with the same settings on this machine whether it is ready. Container health
//! checks run it.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::serve::Role;
use crate::settings::Settings;
use crate::{Failure, say};

/// How long the server may take to accept the connection, and again to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum number of bytes of the answer that are read.
const MAX_ANSWER_BYTES: u64 = 10_000;

#[derive(Debug, clap::Args)]
pub(crate) struct Health {
    /// 询问的部分：scheduler 在 metrics_listen，其余在 listen
    #[arg(long, value_enum, default_value_t = Role::All)]
    role: Role,
}

pub(crate) fn run(settings: &Settings, health: &Health) -> Result<(), Failure> {
    let address = match health.role {
        Role::All | Role::Api => settings.listen,
        Role::Scheduler => settings
            .metrics_listen()?
            .ok_or_else(|| Failure::Usage("metrics_listen：未设置，无从询问定时任务的状态".to_owned()))?,
    };
    let answer = ask(reached_at(address))
        .map_err(|error| Failure::Rejected(format!("未就绪：{address} 没有应答（{error}），请查看服务日志")))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.split_whitespace().nth(1) != Some("200") {
        return Err(Failure::Rejected(format!("未就绪：{}", body.trim())));
    }
    say!("就绪");
    Ok(())
}

/// Returns the address at which this machine reaches a server listening on `address`: loopback for 0.0.0.0 and `[::]`.
fn reached_at(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, address.port())
}

/// Sends `GET /readyz` and returns the whole response, head and body.
fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET /readyz HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER_BYTES).read_to_string(&mut answer)?;
    Ok(answer)
}
