//! `rectify mail`: sends a test mail, lists the outbox, and requeues failed mails.

use entity::mail::{Column, Entity, MailState};
use ledger::keep::machine;
use ledger::record::audit::By;
use ledger::rule::wording::one_line;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{acting, current};
use crate::command::jobs_context;
use crate::settings::Settings;
use crate::{Failure, clock, say};

/// Maximum number of mails listed.
const SHOWN: u64 = 200;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Mail {
    /// 发送一封测试邮件
    Test {
        /// 收件地址
        address: String,
    },
    /// 查看发件箱，最新的在前
    List {
        /// 只看某一状态
        #[arg(long, value_enum)]
        state: Option<State>,
    },
    /// 将发送失败而搁置的邮件重新排队
    Requeue,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum State {
    Queued,
    Sending,
    Sent,
    Failed,
    Cancelled,
}

impl From<State> for MailState {
    fn from(state: State) -> Self {
        match state {
            State::Queued => Self::Queued,
            State::Sending => Self::Sending,
            State::Sent => Self::Sent,
            State::Failed => Self::Failed,
            State::Cancelled => Self::Cancelled,
        }
    }
}

pub(crate) async fn run(settings: &Settings, command: Mail) -> Result<(), Failure> {
    let db = current(settings).await?;
    match command {
        Mail::Test { address } => {
            let address = ledger::unit::normal_address(&address, &["address"]).map_err(ledger::Error::from)?;
            let context = jobs_context(settings, &db).await?;
            context
                .post
                .test(&context.writer, &address, clock::now())
                .await
                .map_err(|error| Failure::Rejected(format!("发送失败：{error}")))?;
            match context.post.folder() {
                Some(folder) => say!("测试邮件已写入 {}", folder.display()),
                None => say!("测试邮件已发往 {address}"),
            }
        }
        Mail::List { state } => {
            let context = jobs_context(settings, &db).await?;
            let mut query = Entity::find().order_by_desc(Column::CreatedAt).order_by_desc(Column::Id).limit(SHOWN);
            if let Some(state) = state {
                query = query.filter(Column::State.eq(MailState::from(state)));
            }
            for mail in query.all(&db).await? {
                // A mail gets its subject when it is written.
                let preview = context.writer.preview(&db, &mail, (clock::now(), settings.zone())).await;
                let preview = preview.filter(|_| mail.state != MailState::Cancelled);
                let (subject, reason) = preview.unwrap_or_else(|| (mail.kind.clone(), mail.reason.clone()));
                let subject = if mail.subject.is_empty() { subject } else { mail.subject.clone() };
                let (subject, reason) = (one_line(&subject), one_line(&reason));
                say!("{}\t{:?}\t{}\t{subject}\t{reason}", mail.id, mail.state, mail.recipient);
                if let Some(error) = mail.last_error {
                    say!("\t尝试 {} 次：{}", mail.attempts, one_line(&error));
                }
            }
        }
        Mail::Requeue => {
            let count = machine::requeue_failed(&acting(settings, &db, &By::program())).await?;
            say!("已重新排队 {count} 封");
        }
    }
    Ok(())
}
