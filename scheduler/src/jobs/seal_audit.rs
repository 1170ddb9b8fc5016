//! `seal-audit`: every night, some time after the day's end, the audit of the day before is sealed, and the seal is mailed to
//! whoever keeps it elsewhere.

use entity::audit_head;
use entity::schedule::Misfire;
use ledger::record::audit::Anchor;
use ledger::record::outbox::Notice;

use super::{Job, Work};

pub(super) const JOB: Job = Job {
    name: "seal-audit",
    about: "每日封存前一日的审计记录，使缺失或改动可被查出",
    cron: "0 0 1 * * *",
    misfire: Misfire::Latest,
    work: Work::SealAudit,
};

/// The kind of the mail with a seal.
pub(crate) const NOTICE: &str = "audit-head";

/// The mail with a seal: `DAY:DIGEST` on a line of its own.
pub(crate) fn notice(recipient: &str, head: &audit_head::Model) -> Notice {
    let by = if head.key_id.is_empty() { "未签名".to_owned() } else { format!("签名密钥 {}", head.key_id) };
    Notice {
        cause: format!("{NOTICE}:{}:{recipient}", head.day),
        kind: NOTICE,
        recipient: recipient.to_owned(),
        unit: None,
        subject: format!("审计封存 {}", head.day),
        reason: format!("\n{}\n记录 {} 条，{by}。", Anchor::from(head), head.entries),
        items: Vec::new(),
        case: None,
    }
}
