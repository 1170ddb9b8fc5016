//! The requests that receivers expect: signed JSON by the specification Standard Webhooks, and the messages of robots
//! of WeCom and DingTalk.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use entity::language::Language;
use entity::webhook::{self, WebhookKind};
use hmac::{Hmac, KeyInit, Mac};
use ledger::keep::webhook::TEST;
use ledger::record::webhook::Claimed;
use ledger::rule::wording::shortened;
use ledger::work::event::Event;
use serde_json::{Value, json};
use sha2::Sha256;
use url::Url;

/// The most characters of one line of a robot's message. All its lines stay below the 4,096 bytes that WeCom takes.
const LINE: usize = 100;

/// A request to a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Posting {
    pub(super) url: Url,
    /// Headers besides the type of the content.
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// Returns the request of a message. `public_url` is the address of this installation, without a slash at its end. The
/// error says what is wrong with what is stored.
pub(super) fn posting(
    claimed: &Claimed,
    (public_url, language): (&str, Language),
    now: DateTime<Utc>,
) -> Result<Posting, String> {
    let receiver = &claimed.webhook;
    let mut url: Url = receiver.url.parse().map_err(|_| "接口地址无效".to_owned())?;
    let mut payload: Value =
        serde_json::from_str(&claimed.delivery.payload).map_err(|_| "推送内容无法读取".to_owned())?;
    payload["data"]["link"] = link(&payload["data"], public_url).into();
    match receiver.kind {
        WebhookKind::Standard => {
            let (id, body) = (claimed.id(), payload.to_string());
            let timestamp = now.timestamp().to_string();
            let signature = signatures(receiver, &format!("{id}.{timestamp}.{body}"), now)?;
            let headers = vec![("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signature)];
            Ok(Posting { url, headers, body })
        }
        WebhookKind::Wecom => {
            let (_, text) = message(&claimed.delivery.event, &payload["data"], language);
            let body = json!({ "msgtype": "markdown", "markdown": { "content": text } }).to_string();
            Ok(Posting { url, headers: Vec::new(), body })
        }
        WebhookKind::Dingtalk => {
            if let Some(secret) = &receiver.secret {
                let timestamp = now.timestamp_millis().to_string();
                let sign = BASE64_STANDARD.encode(hash(secret.as_bytes(), &format!("{timestamp}\n{secret}"))?);
                url.query_pairs_mut().append_pair("timestamp", &timestamp).append_pair("sign", &sign);
            }
            let (title, text) = message(&claimed.delivery.event, &payload["data"], language);
            let body = json!({ "msgtype": "markdown", "markdown": { "title": title, "text": text } }).to_string();
            Ok(Posting { url, headers: Vec::new(), body })
        }
    }
}

/// Returns the page of what a message is about. It needs a sign-in.
fn link(data: &Value, public_url: &str) -> String {
    match (data["case"].as_str(), data["measure"].as_str()) {
        (Some(case), _) => format!("{public_url}/cases/{case}"),
        (None, Some(measure)) => format!("{public_url}/measures/{measure}"),
        (None, None) => format!("{public_url}/"),
    }
}

/// Returns the signatures of a text: by the secret and, for some time after a rotation, by the one before.
fn signatures(receiver: &webhook::Model, text: &str, now: DateTime<Utc>) -> Result<String, String> {
    let previous =
        receiver.previous_secret.as_ref().filter(|_| receiver.previous_until.is_some_and(|until| now < until));
    let secrets = receiver.secret.iter().chain(previous);
    let signed = secrets.map(|secret| Ok(format!("v1,{}", signature(secret, text)?)));
    Ok(signed.collect::<Result<Vec<_>, String>>()?.join(" "))
}

/// Returns the signature of a text by a secret of the form `whsec_…`.
fn signature(secret: &str, text: &str) -> Result<String, String> {
    let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret));
    Ok(BASE64_STANDARD.encode(hash(&key.map_err(|_| "密钥无效".to_owned())?, text)?))
}

fn hash(key: &[u8], text: &str) -> Result<Vec<u8>, String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| "密钥无效".to_owned())?;
    mac.update(text.as_bytes());
    Ok(mac.finalize().into_bytes().to_vec())
}

/// Returns title and text (Markdown) of a robot's message.
fn message(kind: &str, data: &Value, language: Language) -> (String, String) {
    let is_zh = language == Language::Zh;
    let name = match Event::of_kind(kind).map(Event::name) {
        Some(name) if is_zh => name.zh,
        Some(name) => name.en,
        None if kind == TEST && is_zh => "测试推送".to_owned(),
        None if kind == TEST => "Test message".to_owned(),
        None => kind.to_owned(),
    };
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(plain);
    let title = match text(&data["number"]) {
        Some(number) => format!("{name} {}", shortened(&number, LINE)),
        None => name,
    };
    let units = data["units"].as_array().into_iter().flatten();
    let units: Vec<String> = units.filter_map(|unit| text(&unit["name"])).collect();
    let mut lines = vec![format!("### {}{title}", if is_zh { "【整改台账】" } else { "[Rectification] " })];
    let said = [
        (("整改措施", "Measure"), text(&data["text"])),
        (("责任单位", "Units"), Some(units.join(if is_zh { "、" } else { ", " })).filter(|units| !units.is_empty())),
        (("行政区", "Region"), text(&data["region"]["name"])),
        (("督察轮次", "Round"), text(&data["round"])),
        (("时限", "Deadline"), text(&data["deadline"]).or_else(|| text(&data["deadlineText"]))),
        (("办理", "By"), text(&data["by"]["unit"])),
    ];
    for ((zh, en), value) in said {
        let Some(value) = value else { continue };
        let value = shortened(&value, LINE);
        lines.push(if is_zh { format!("> {zh}：{value}") } else { format!("> {en}: {value}") });
    }
    let page = data["link"].as_str().unwrap_or_default();
    lines.push(format!("[{}]({page})", if is_zh { "打开台账" } else { "Open the ledger" }));
    (title, lines.join("\n\n"))
}

/// Returns a text in which nothing is Markdown, a link or the mention of a member (`<@…>`).
fn plain(text: &str) -> String {
    let full_width = |letter: char| match letter {
        '<' => '＜',
        '>' => '＞',
        '[' => '［',
        ']' => '］',
        '*' => '＊',
        '`' => '｀',
        '_' => '＿',
        '#' => '＃',
        other => other,
    };
    text.chars().map(full_width).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_specification() {
        let signed = signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            r#"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}"#,
        );
        assert_eq!(signed.unwrap(), "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_robots_message_is_short_and_mentions_nobody() {
        let long = "整改".repeat(3_000);
        let units: Vec<Value> = (0..200).map(|_| json!({ "name": long })).collect();
        let data = json!({
            "number": long, "text": "<@all> [点此](http://evil.example)", "round": long, "region": { "name": long },
            "units": units, "deadline": "2023-05-30", "by": { "unit": long },
            "link": "https://ledger.example/measures/m",
        });
        for language in [Language::Zh, Language::En] {
            let (_, text) = message("closed", &data, language);
            assert!(text.len() <= 4_096, "{} bytes", text.len());
            assert!(!text.contains("<@") && !text.contains("](http://evil"), "{text}");
        }
    }
}
