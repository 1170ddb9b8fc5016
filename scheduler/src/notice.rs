//! Notices: mails about one event, sent at once rather than gathered into a day's digest. Each kind has its words here; a
//! mail's `reason` says what happened.

use entity::mail;
use minijinja::context;
use sea_orm::{DatabaseConnection, FromQueryResult, Statement};

use crate::letter::{Letter, Letters, Unwritten, Written, shortened};

/// The words of a kind of notice.
struct Words {
    /// The kind, as acts queue it.
    kind: &'static str,
    /// What it is about.
    headline: &'static str,
    /// What goes before the reason.
    reason_heading: &'static str,
    /// What the reader has to do.
    action: &'static str,
    /// The states in which there is nothing to be said any more; none for what is said anyhow.
    over: &'static [&'static str],
}

const KINDS: [Words; 5] = [
    Words {
        kind: "returned",
        headline: "整改事项被退回",
        reason_heading: "退回原因",
        action: "请按退回意见继续整改，补充佐证材料后重新提请销号。",
        over: &["CLOSED", "CLOSED_ONGOING", "NOT_APPLICABLE"],
    },
    Words {
        kind: "objection",
        headline: "公示期间收到异议",
        reason_heading: "异议情况",
        action: "请核实异议反映的情况，于 3 个工作日内填报核实结果，配合整改办作出结论。",
        over: &["CLOSED", "CLOSED_ONGOING", "NOT_APPLICABLE"],
    },
    Words {
        kind: "relapse",
        headline: "已销号事项反弹，重启整改",
        reason_heading: "反弹情况",
        action: "请立即组织整改，查明反弹原因，并于 3 个工作日内填报进展。",
        over: &["CLOSED", "CLOSED_ONGOING", "NOT_APPLICABLE"],
    },
    Words {
        kind: "supervision",
        headline: "督办通知",
        reason_heading: "督办事由",
        action: "请按要求办理，并在期限内填报进展。",
        over: &["CLOSED", "CLOSED_ONGOING", "NOT_APPLICABLE"],
    },
    Words {
        kind: "account-locked",
        headline: "账户已临时锁定",
        reason_heading: "原因",
        action: "如是您本人输错，请 15 分钟后再试；如非本人操作，请立即联系系统管理员。",
        over: &[],
    },
];

/// Whether mails of this kind are notices.
pub(crate) fn is_known(kind: &str) -> bool {
    KINDS.iter().any(|words| words.kind == kind)
}

#[derive(FromQueryResult)]
struct About {
    measure_id: i64,
    number: Option<String>,
    content: String,
    due_raw: String,
    problem: String,
    round: String,
    unit: Option<String>,
    status: Option<String>,
}

/// Writes a notice of the outbox; one whose matter is settled by now is not sent.
pub(crate) async fn write(
    letters: &Letters,
    db: &DatabaseConnection,
    mail: &mail::Model,
) -> Result<Written, Unwritten> {
    let Some(words) = KINDS.iter().find(|words| words.kind == mail.kind) else { return Ok(Written::NothingLeft) };
    let statement = Statement::from_sql_and_values(
        db.get_database_backend(),
        "SELECT m.id AS measure_id, m.number, m.content, m.due_raw, p.title AS problem, r.name AS round, u.name AS unit, \
                a.status FROM mail_item i JOIN measure m ON m.id = i.measure_id JOIN problem p ON p.id = m.problem_id \
         JOIN inspection_round r ON r.id = m.round_id LEFT JOIN assignment a ON a.id = i.assignment_id \
         LEFT JOIN unit u ON u.id = a.unit_id WHERE i.mail_id = $1 ORDER BY i.id",
        [mail.id.into()],
    );
    let about = About::find_by_statement(statement).one(db).await?;
    let is_over = |about: &About| about.status.as_deref().is_some_and(|status| words.over.contains(&status));
    if about.as_ref().is_some_and(is_over) {
        return Ok(Written::NothingLeft);
    }
    let about = about.map(|about| {
        context! {
            number => about.number.unwrap_or_default(),
            content => shortened(&about.content, 200),
            problem => shortened(&about.problem, 60),
            round => about.round,
            deadline => about.due_raw,
            unit => about.unit.unwrap_or_default(),
            link => letters.link(about.measure_id),
        }
    });
    let values = context! {
        subject => mail.subject.clone(),
        headline => words.headline,
        reason_heading => words.reason_heading,
        reason => mail.reason.clone(),
        action => words.action,
        about => about,
        url => letters.home(),
    };
    let (html, text) = letters.render("notice", &values)?;
    Ok(Written::Letter(Letter { subject: mail.subject.clone(), text, html }))
}
