//! `GET /dossier/{id}`: the dossier of a measure, packed as it is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use ledger::fault::{Fault, FaultCode};
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

/// A dossier is sent in pieces of so many bytes.
const CHUNK: usize = 64 << 10;

/// `GET /dossier/measure_12`
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
    let not_there =
        || ledger::Error::from(Fault::new(FaultCode::NotFound, "没有这项整改措施", "there is no such measure", &[]));
    let key = key_of::<Measure>(&id.into()).ok_or_else(not_there)?;
    let read = dossier::read(&services.db, &caller.admitted.principal, key, (now, services.zone)).await?;
    let dossier = read.ok_or_else(not_there)?;
    // What is known to be missing is said while there is a status to say it with.
    dossier.check(&services.storage).await.map_err(|why| match why {
        Unpacked::Evidence(zh) => {
            tracing::error!(why = zh, "a dossier could not be packed");
            let en = "a file of the evidence is missing: the dossier was not made";
            Unserved::new(Code::Internal.status(), Code::Internal.as_str(), zh, en)
        }
        other => Unserved::masked(&other),
    })?;
    let mut answer = attachment(caller, &dossier.file_name, "application/zip");
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
                tracing::error!(error = &error as &dyn std::error::Error, "a dossier broke off");
            }
            _ => {}
        }
        // The channel ends after the outcome is known; the place does not wait for what is still to be read.
        drop((slot, out));
    });
    // The body ends without its end where it is not whole, so that nobody takes it for whole.
    Ok(answer.streaming(ending(receiver, move || is_whole.load(Ordering::Acquire))))
}

/// Sends on what is written, as fast as it is taken. Where nobody takes it any more it fails, once: what the archive writes
/// to end itself after that goes nowhere.
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
