//! Posts one message: to a permitted address, within a bounded time, following no redirect, and reading the beginning
//! of the answer only.

use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use entity::webhook::{self, WebhookKind};
use ledger::record::webhook::Outcome;
use ledger::rule::wording::masked_numbers;
use reqwest::{Client as Http, Response, redirect};
use serde_json::Value;

use super::guard::{Guard, Refused, Resolver};
use super::shape::Posting;

/// How long a receiver may take to accept a connection, and for all of its answer.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(15);
/// The most bytes of an answer that are read, and that are kept.
const MAX_READ_BYTES: usize = 4_096;
const MAX_KEPT_BYTES: usize = 1_024;

/// The HTTP clients of an installation. Each is built when it is first used: that fails on a machine without
/// certificates of authorities, where everything else can run.
pub(super) struct Client {
    guard: Arc<Guard>,
    encrypted: OnceLock<Http>,
    plain: OnceLock<Http>,
}

impl Client {
    pub(super) fn new(guard: Guard) -> Self {
        Self { guard: Arc::new(guard), encrypted: OnceLock::new(), plain: OnceLock::new() }
    }

    /// Returns the client that speaks with or without encryption (`is_plain`). It uses the crypto provider of the
    /// process, which the program installs at its start.
    fn http(&self, is_plain: bool) -> Result<&Http, String> {
        let built = if is_plain { &self.plain } else { &self.encrypted };
        if let Some(http) = built.get() {
            return Ok(http);
        }
        let http = Http::builder()
            .dns_resolver(Arc::new(Resolver { guard: self.guard.clone(), is_plain }))
            .https_only(!is_plain)
            .redirect(redirect::Policy::none())
            // A proxy would resolve names by itself.
            .no_proxy()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .user_agent(concat!("Rectify/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("HTTP 客户端无法建立：{error}"))?;
        Ok(built.get_or_init(|| http))
    }

    /// Posts a message to a receiver.
    pub(super) async fn post(&self, receiver: &webhook::Model, posting: Posting) -> Outcome {
        let failed = |error: String| Outcome { status: None, answer: None, error: Some(error) };
        if let Err(refused) = self.guard.check(&posting.url) {
            return failed(refused.to_string());
        }
        let client = match self.http(posting.url.scheme() != "https") {
            Ok(client) => client,
            Err(error) => return failed(error),
        };
        let mut request = client.post(posting.url).header("content-type", "application/json").body(posting.body);
        for (name, value) in posting.headers {
            request = request.header(name, value);
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return failed(said(error)),
        };
        let status = response.status();
        let answer = match beginning(response).await {
            Ok(answer) => answer,
            Err(error) => return Outcome { status: Some(status.as_u16()), ..failed(said(error)) },
        };
        let error = if status.is_redirection() {
            Some(format!("接口答复 {}：不跟随跳转，请填写最终地址", status.as_u16()))
        } else if !status.is_success() {
            Some(format!("接口答复 {}", status.as_u16()))
        } else if receiver.kind == WebhookKind::Standard {
            None
        } else {
            refusal(receiver, &answer)
        };
        Outcome { status: Some(status.as_u16()), answer: Some(masked(receiver, &answer)), error }
    }
}

/// Reads the beginning of an answer.
async fn beginning(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut read = Vec::new();
    while read.len() < MAX_READ_BYTES {
        let Some(chunk) = response.chunk().await? else { break };
        read.extend_from_slice(&chunk[..chunk.len().min(MAX_READ_BYTES - read.len())]);
    }
    Ok(read)
}

/// Returns why a robot has not taken a message, although it answered with 200: its `errcode` is not 0. Its reason may
/// repeat the key in its address.
fn refusal(receiver: &webhook::Model, answer: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    match answer["errcode"].as_i64() {
        Some(0) => None,
        Some(code) => {
            let why = masked(receiver, answer["errmsg"].as_str().unwrap_or_default().as_bytes());
            Some(format!("机器人答复 errcode {code}：{why}"))
        }
        None => Some("机器人的答复中没有 errcode".to_owned()),
    }
}

/// Returns what is kept of an answer: its beginning, without what could be personal data, and without the secrets of
/// the receiver, which it may repeat.
fn masked(receiver: &webhook::Model, answer: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(answer).replace('\0', " ");
    let query = receiver.url.split_once('?').map(|(_, query)| query);
    let values = query.into_iter().flat_map(|query| query.split('&')).filter_map(|pair| Some(pair.split_once('=')?.1));
    let secrets = [&receiver.secret, &receiver.previous_secret].into_iter().filter_map(|secret| secret.as_deref());
    for secret in values.chain(secrets).filter(|secret| secret.len() >= 8) {
        text = text.replace(secret, "***");
    }
    let text = masked_numbers(&text);
    text[..text.floor_char_boundary(MAX_KEPT_BYTES)].to_owned()
}

/// Returns what went wrong with a connection, without the address, which may contain a key.
fn said(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
        if let Some(refused) = cause.downcast_ref::<Refused>() {
            return refused.to_string();
        }
    }
    if error.is_timeout() && error.is_connect() {
        return format!("接口在 {} 秒内没有接受连接", CONNECT.as_secs());
    }
    if error.is_timeout() {
        return format!("接口在 {} 秒内没有答复", ANSWER.as_secs());
    }
    let what = if error.is_connect() { "无法连接接口" } else { "与接口的连接中断" };
    format!("{what}：{cause}")
}
