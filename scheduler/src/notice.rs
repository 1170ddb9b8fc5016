//! Notices: mails about one event, sent at once rather than gathered into a day's digest. Each kind has its words here; a
//! mail's `reason` says what happened.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use entity::mail;
use entity::one_time_secret::Purpose;
use ledger::people::account::link;
use minijinja::context;
use sea_orm::{DatabaseConnection, FromQueryResult, Statement};

use ledger::rule::wording::shortened;

use crate::letter::{Letter, Letters, Unwritten, Written};

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

const KINDS: &[Words] = &[
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
        kind: "urge",
        headline: "催办通知",
        reason_heading: "催办事由",
        action: "请抓紧推进整改，并在期限内填报进展。",
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
        kind: "listing",
        headline: "挂牌督办通知",
        reason_heading: "挂牌事由",
        action: "请由主要负责人牵头限期整改，在期限内填报进展；整改到位后由整改办解除挂牌。",
        over: &["CLOSED", "CLOSED_ONGOING", "NOT_APPLICABLE"],
    },
    Words {
        kind: "summons",
        headline: "约谈通知",
        reason_heading: "约谈事由",
        action: "请主要负责人按要求参加约谈，并在期限内填报整改安排和进展。",
        over: &["CLOSED", "CLOSED_ONGOING", "NOT_APPLICABLE"],
    },
    Words {
        kind: "case-handed-over",
        headline: "收到交办案件",
        reason_heading: "交办要求",
        action: "请及时签收，组织调查核实和整改，在时限内填报办理情况并办结。",
        over: &["IN_PROGRESS", "PARTLY_RESOLVED", "RESOLVED", "ACCEPTED", "CLOSED"],
    },
    Words {
        kind: "case-returned",
        headline: "交办案件被退回",
        reason_heading: "退回原因",
        action: "请按退回意见继续办理，重新办结。",
        over: &["RESOLVED", "ACCEPTED", "CLOSED"],
    },
    Words {
        kind: "case-relapse",
        headline: "已销号案件反弹，重新办理",
        reason_heading: "反弹情况",
        action: "请立即组织整改，查明反弹原因，在新的时限内办结。",
        over: &["RESOLVED", "ACCEPTED", "CLOSED"],
    },
    Words {
        kind: "account-locked",
        headline: "账户已临时锁定",
        reason_heading: "原因",
        action: "如是您本人输错，请稍后再试（每多错一次，等待时间加倍，最长 1 小时），或在登录处申请重设密码；如非本人操作，请立即联系系统管理员。",
        over: &[],
    },
    Words {
        kind: "password-set",
        headline: "登录密码已更改",
        reason_heading: "情况",
        action: "如非本人操作，请立即联系系统管理员，并在登录处申请重设密码。",
        over: &[],
    },
    Words {
        kind: "account-changed",
        headline: "账户安全设置已更改",
        reason_heading: "情况",
        action: "如非本人操作，请立即联系系统管理员。",
        over: &[],
    },
    Words {
        kind: "password-reset",
        headline: "重设登录密码",
        reason_heading: "情况",
        action: "如是您本人申请，请点击下面的按钮设置新密码。",
        over: &[],
    },
    Words {
        kind: "invitation",
        headline: "账户已开通",
        reason_heading: "情况",
        action: "请点击下面的按钮设置登录密码。",
        over: &[],
    },
    Words {
        kind: crate::jobs::SEAL_NOTICE,
        headline: "审计每日封存",
        reason_heading: "封存值",
        action: "请将封存值保存在本系统之外；核验时运行 rectify audit verify --head 封存值，与当日封存不符即为改动。",
        over: &[],
    },
];

/// Whether mails of this kind are notices.
pub(crate) fn is_known(kind: &str) -> bool {
    KINDS.iter().any(|words| words.kind == kind)
}

/// What a notice is about, as its table shows it.
struct About {
    /// The state that it is in now.
    state: Option<String>,
    /// The unit that has to act.
    answers: Option<i64>,
    /// Where the reader finds it.
    link: String,
    /// Headings and what stands beside them; the first is linked.
    rows: [(&'static str, String); 4],
}

#[derive(FromQueryResult)]
struct OfMeasure {
    measure_id: i64,
    number: Option<String>,
    content: String,
    due_raw: String,
    problem: String,
    round: String,
    unit: Option<String>,
    unit_id: Option<i64>,
    status: Option<String>,
}

#[derive(FromQueryResult)]
struct OfCase {
    number: String,
    summary: String,
    due_on: NaiveDate,
    round: String,
    region: String,
    unit: String,
    unit_id: i64,
    state: String,
}

/// Writes a notice of the outbox; one whose matter is settled by now is not sent.
pub(crate) async fn write(
    letters: &Letters,
    db: &DatabaseConnection,
    mail: &mail::Model,
    (now, zone): (DateTime<Utc>, Tz),
) -> Result<Written, Unwritten> {
    let Some(words) = KINDS.iter().find(|words| words.kind == mail.kind) else { return Ok(Written::NothingLeft) };
    let about = match mail.case_id {
        Some(case) => of_case(letters, db, case).await?,
        None => of_measure(letters, db, mail.id).await?,
    };
    let is_over = |about: &About| about.state.as_deref().is_some_and(|state| words.over.contains(&state));
    if about.as_ref().is_some_and(is_over) {
        return Ok(Written::NothingLeft);
    }
    // Whoever only hears of it sees to it that it is done.
    let acts = about.as_ref().and_then(|about| about.answers).zip(mail.unit_id).is_none_or(|(one, told)| one == told);
    let action = if acts {
        words.action.to_owned()
    } else {
        format!("请督促责任单位{}", words.action.trim_start_matches('请'))
    };
    let about = about.map(|about| {
        let rows = about.rows.map(|(heading, text)| context! { heading => heading, text => text });
        context! { link => about.link, rows => rows.to_vec() }
    });
    let purpose = match words.kind {
        "password-reset" => Some(Purpose::PasswordReset),
        "invitation" => Some(Purpose::Invitation),
        _ => None,
    };
    let button = match purpose {
        Some(purpose) => {
            // Drawn now, so that it is nowhere but in the mail.
            let Some((secret, until)) = link::draw(db, &mail.recipient, purpose, now).await? else {
                return Ok(Written::NothingLeft);
            };
            let until = until.with_timezone(&zone).format("%Y年%-m月%-d日 %H:%M");
            Some(context! {
                link => format!("{}/set-password#token={secret}", letters.home()),
                label => "设置密码",
                note => format!("链接只能使用一次，有效期至 {until}。请勿转发本邮件。"),
            })
        }
        None => None,
    };
    let values = context! {
        button => button,
        subject => mail.subject.clone(),
        headline => words.headline,
        reason_heading => words.reason_heading,
        reason => mail.reason.clone(),
        action => action,
        about => about,
        url => letters.home(),
    };
    let (html, text) = letters.render("notice", &values)?;
    Ok(Written::Letter(Letter { subject: mail.subject.clone(), text, html }))
}

async fn of_measure(letters: &Letters, db: &DatabaseConnection, mail: i64) -> Result<Option<About>, Unwritten> {
    let statement = Statement::from_sql_and_values(
        db.get_database_backend(),
        "SELECT m.id AS measure_id, m.number, m.content, m.due_raw, p.title AS problem, r.name AS round, u.name AS unit, \
                a.unit_id, a.status FROM mail_item i JOIN measure m ON m.id = i.measure_id JOIN problem p ON p.id = m.problem_id \
         JOIN inspection_round r ON r.id = m.round_id LEFT JOIN assignment a ON a.id = i.assignment_id \
         LEFT JOIN unit u ON u.id = a.unit_id WHERE i.mail_id = $1 ORDER BY i.id",
        [mail.into()],
    );
    let found = OfMeasure::find_by_statement(statement).one(db).await?;
    Ok(found.map(|found| About {
        state: found.status,
        answers: found.unit_id,
        link: letters.link("measure", found.measure_id),
        rows: [
            (
                "整改措施",
                format!("{} {}", found.number.unwrap_or_default(), shortened(&found.content, 200)).trim().to_owned(),
            ),
            ("所属问题", format!("{} · {}", shortened(&found.problem, 60), found.round)),
            ("整改时限", found.due_raw),
            ("责任单位", found.unit.unwrap_or_default()),
        ],
    }))
}

async fn of_case(letters: &Letters, db: &DatabaseConnection, case: i64) -> Result<Option<About>, Unwritten> {
    let statement = Statement::from_sql_and_values(
        db.get_database_backend(),
        "SELECT c.number, c.summary, c.due_on, c.state, r.name AS round, g.name AS region, u.name AS unit, \
                c.lead_unit_id AS unit_id FROM inspection_case c JOIN inspection_round r ON r.id = c.round_id JOIN region g ON g.id = c.region_id \
         JOIN unit u ON u.id = c.lead_unit_id WHERE c.id = $1",
        [case.into()],
    );
    let found = OfCase::find_by_statement(statement).one(db).await?;
    Ok(found.map(|found| About {
        state: Some(found.state),
        answers: Some(found.unit_id),
        link: letters.link("case", case),
        rows: [
            ("交办案件", format!("{} {}", found.number, shortened(&found.summary, 200))),
            ("督察轮次", format!("{} · {}", found.round, found.region)),
            ("办理时限", found.due_on.format("%Y年%-m月%-d日").to_string()),
            ("主办单位", found.unit),
        ],
    }))
}
