//! How a server stops: it says first that it is not ready, and answers what still arrives.

use crate::support::{Server, World, stories};

use super::{ANY, ask};

stories!(a_server_that_is_told_to_stop_still_answers_what_arrives,);

fn a_server_that_is_told_to_stop_still_answers_what_arrives(world: &World) {
    let mut server = world.serve_with(&[("RECTIFY_DRAIN_SECONDS", "300")]);
    let keeps = |server: &Server| ask(server, ANY).header("connection").is_empty();
    assert!(server.get("/readyz").status == 200 && keeps(&server));
    server.signal("HUP");
    assert!(server.get("/readyz").status == 200 && keeps(&server), "SIGHUP changes nothing");
    server.signal("TERM");
    // The signal arrives at its own time.
    while server.get("/readyz").status == 200 {
        std::thread::yield_now();
    }
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
