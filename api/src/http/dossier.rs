//! `GET /dossier/{id}`: downloads the dossier of a measure (一措施一档案) as a ZIP archive, which is packed while it is
//! sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use ledger::fault::{self, Thing};
use ledger::file::dossier::{self, Unpacked};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::context::Caller;
use crate::error::{Code, Unserved};
use crate::http::files::{attachment, refuse, slot};
use crate::http::state::AppState;
use crate::http::transfer::{Transfer, ending};
use crate::noun::measure::Measure;
use crate::part::payload::key_of;

/// The size in bytes of the pieces in which a dossier is sent.
const CHUNK: usize = 64 << 10;

/// `GET /dossier/measure_12`: downloads the dossier of a measure (整改措施) by its global id.
pub(crate) async fn dossier(request: HttpRequest, id: web::Path<String>, state: web::Data<AppState>) -> HttpResponse {
    let mut caller = state.caller(&request);
    let packed = pack(&request, &id, &state, &mut caller).await;
    packed.unwrap_or_else(|why| refuse(&why, &caller))
}

async fn pack(
    request: &HttpRequest,
    id: &str,
    state: &AppState,
    caller: &mut Caller,
) -> Result<HttpResponse, Unserved> {
    state.admit_somebody(request, caller).await?;
    let files = &state.files;
    let slot = slot(&files.dossiers, caller)?;
    let (services, now) = (&files.services, (files.services.clock)());
    let not_there = || ledger::Error::from(fault::unknown(Thing::Measure, &[]));
    let key = key_of::<Measure>(&id.into()).ok_or_else(not_there)?;
    let read = dossier::read(&services.db, &caller.admitted.principal, key, (now, services.zone)).await?;
    let dossier = read.ok_or_else(not_there)?;
    // Check for missing files before the status is sent: afterwards, the response can only be cut off.
    dossier.check(&services.storage).await.map_err(|why| match why {
        Unpacked::Evidence(zh) => {
            tracing::error!(why = zh, "a dossier could not be packed: a file of evidence is missing");
            let en = "a file of evidence is missing from the storage: the dossier cannot be packed";
            Unserved::new(Code::Internal.status(), Code::Internal.as_str(), zh, en)
        }
        other => Unserved::masked(&other),
    })?;
    let mut answer = attachment(&dossier.file_name, "application/zip");
    let (sender, receiver) = mpsc::channel(2);
    let is_whole = Arc::new(AtomicBool::new(false));
    let told = is_whole.clone();
    let (storage, runtime) = (services.storage.clone(), Handle::current());
    tokio::task::spawn_blocking(move || {
        let out = Sending { sender, runtime: runtime.clone(), transfer: Transfer::begin(), is_broken: false };
        let mut out = std::io::BufWriter::with_capacity(CHUNK, out);
        let packed = dossier.pack(&storage, &runtime, &mut out);
        let is_out = std::io::Write::flush(&mut out).is_ok();
        let is_left = out.get_ref().sender.is_closed() || out.get_ref().is_broken;
        match packed {
            Ok(()) if is_out && !out.get_ref().is_broken => told.store(true, Ordering::Release),
            Err(error) if !is_left => {
                tracing::error!(error = &error as &dyn std::error::Error, "the download of a dossier failed");
            }
            _ => {}
        }
        // Close the channel only now that the outcome is set. The place becomes free although the client may still be
        // reading.
        drop((slot, out));
    });
    // If the archive is incomplete, the body ends with an error, so that clients do not take it for complete.
    Ok(answer.streaming(ending(receiver, move || is_whole.load(Ordering::Acquire))))
}

/// A writer that sends everything to the client, as fast as the client reads. When the client no longer reads, one
/// write fails, and later ones succeed without effect: the archive still writes its end after an error.
struct Sending {
    sender: mpsc::Sender<std::io::Result<Bytes>>,
    runtime: Handle,
    transfer: Transfer,
    is_broken: bool,
}

impl std::io::Write for Sending {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.is_broken {
            return Ok(bytes.len());
        }
        let sent = self.transfer.wait(self.sender.send(Ok(Bytes::copy_from_slice(bytes))));
        if matches!(self.runtime.block_on(sent), Ok(Ok(()))) {
            self.transfer.count(bytes.len());
            return Ok(bytes.len());
        }
        self.is_broken = true;
        Err(std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
