//! An S3 server (s3s over a folder) in a thread of the test process.

use std::path::Path;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;

/// Starts a server over a folder, with a bucket named `evidence`, and returns the environment variables of a program
/// that keeps its evidence there.
pub(crate) fn serve(folder: &Path) -> [(&'static str, String); 3] {
    std::fs::create_dir_all(folder.join("evidence")).unwrap();
    let mut service = S3ServiceBuilder::new(FileSystem::new(folder).unwrap());
    service.set_auth(SimpleAuth::from_single("ledger", "a secret of the story"));
    let service = service.build();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        super::block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    // A client that disconnects early is not an error.
                    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
    });
    let address = format!("s3://evidence/ledger?endpoint=http://127.0.0.1:{port}&region=cn-north-1&allow_http=true");
    [
        ("RECTIFY_EVIDENCE_URL", address),
        ("AWS_ACCESS_KEY_ID", "ledger".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "a secret of the story".to_owned()),
    ]
}
