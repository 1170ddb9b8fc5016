//! How a server stops: it says first that it is not ready, and answers what still arrives.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::support::{Server, World, eventually, stories};

use super::{ANY, ask};

stories!(
    a_server_that_has_only_just_started_hears_that_it_shall_stop,
    a_server_that_is_told_to_stop_still_answers_what_arrives,
    no_request_is_lost_at_the_moment_when_a_server_stops,
);

fn a_server_that_has_only_just_started_hears_that_it_shall_stop(world: &World) {
    for _ in 0..5 {
        let mut server = world.serve();
        server.signal("TERM");
        assert!(server.ended().success());
    }
}

fn a_server_that_is_told_to_stop_still_answers_what_arrives(world: &World) {
    let mut server = world.serve_with(&[("RECTIFY_DRAIN_SECONDS", "300")]);
    let keeps = |server: &Server| ask(server, ANY).header("connection").is_empty();
    assert!(server.get("/readyz").status == 200 && keeps(&server));
    server.signal("HUP");
    assert!(server.get("/readyz").status == 200 && keeps(&server), "SIGHUP changes nothing");
    server.signal("TERM");
    // The signal arrives at its own time.
    eventually("the server does not stop", || server.get("/readyz").status != 200);
    let unready = server.get("/readyz");
    assert!(unready.status == 503 && unready.body.contains("stopping"), "{}", unready.body);
    assert_eq!(server.get("/healthz").status, 200);
    let answer = ask(&server, ANY);
    assert_eq!((answer.status, answer.code().as_str()), (200, ""));
    assert_eq!(answer.header("connection"), "close", "the connection ends in order after its answer");
    // Told once more, it does not wait any longer.
    server.signal("TERM");
    assert!(server.ended().success());
}

/// Each connection ends with its answer while a server drains, so that a balancer opens many at the moment of the end.
/// Where the kernel lets this user set no packet filter, those that are being opened at that moment are lost.
fn no_request_is_lost_at_the_moment_when_a_server_stops(world: &World) {
    let port: socket2::Socket = TcpListener::bind("127.0.0.1:0").unwrap().into();
    if port.attach_filter(&[socket2::SockFilter::new(0x06, 0, 0, u32::MAX)]).is_err() {
        return;
    }
    let mut server = world.serve_with(&[("RECTIFY_DRAIN_SECONDS", "1")]);
    let address: SocketAddr = server.base.trim_start_matches("http://").parse().unwrap();
    let answered = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8).map(|_| scope.spawn(move || ask_until_refused(address))).collect();
        server.signal("TERM");
        clients.into_iter().map(|client| client.join().unwrap()).sum::<usize>()
    });
    assert!(answered > 8, "{answered} requests were answered");
    assert!(server.ended().success());
}

/// Sends requests, each on a connection of its own, until none can be opened. Returns how many were answered.
fn ask_until_refused(address: SocketAddr) -> usize {
    let (mut answered, begun) = (0, Instant::now());
    while let Ok(mut connection) = TcpStream::connect_timeout(&address, Duration::from_secs(10)) {
        let mut answer = String::new();
        let asked = connection
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .and_then(|()| connection.read_to_string(&mut answer));
        assert!(asked.is_ok() && answer.starts_with("HTTP/1.1 200"), "after {answered}: {asked:?} {answer}");
        answered += 1;
        assert!(begun.elapsed() < Duration::from_mins(1), "the server does not stop");
    }
    answered
}
