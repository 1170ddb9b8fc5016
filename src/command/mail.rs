//! `rectify mail`: sends a test mail, lists the outbox, requeues failed mails, and keeps the addresses to which nothing
//! is sent.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use entity::mail::{Column, Entity, MailState};
use entity::suppression as suppressed;
use entity::unit;
use ledger::keep::machine::{self, Requeued};
use ledger::keep::suppression;
use ledger::keep::suppression::Bounced;
use ledger::record::audit::By;
use ledger::reminder::{self, Whom};
use ledger::rule::calendar::{local_day, minute};
use ledger::rule::wording::one_line;
use sea_orm::{ActiveEnum, ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{acting, current, date};
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
    /// 说明一封邮件为什么发：按哪条规则、哪一天、列了哪些事项、怎样找到收件人
    Why {
        /// 邮件编号，如 12 或 mail_12
        id: String,
    },
    /// 说明为什么没有收到某类提醒，或会收到什么
    WhyNot {
        /// 收件地址
        #[arg(long, conflicts_with = "unit", required_unless_present = "unit")]
        to: Option<String>,
        /// 单位名称
        #[arg(long)]
        unit: Option<String>,
        /// 提醒的名称，如 overdue
        #[arg(long)]
        job: String,
        /// 哪一天；不写则为今天
        #[arg(long, value_parser = date)]
        on: Option<NaiveDate>,
    },
    /// 查看停止投递的邮箱
    Suppressed,
    /// 停止向一个邮箱投递
    Suppress {
        /// 邮箱
        address: String,
        /// 原因说明
        #[arg(long)]
        detail: Option<String>,
    },
    /// 恢复向一个邮箱投递
    Lift {
        /// 邮箱
        address: String,
    },
    /// 读取一封退信（邮件服务器的投递失败通知），与 bounce_mailbox 中的退信同样处理
    Bounced {
        /// 退信文件；- 或不写则为标准输入
        #[arg(default_value = "-")]
        file: PathBuf,
    },
    /// 登记退信：永久退信的邮箱停止投递，并通知系统管理员
    Bounce {
        /// 邮箱
        address: String,
        /// 暂时退信（邮箱已满等），只记入日志
        #[arg(long)]
        soft: bool,
        /// 邮件服务器的说明
        #[arg(long)]
        detail: Option<String>,
    },
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
            if context.post.folder().is_none() {
                say!("正在连接邮件服务器，最多等 2 分钟 / connecting to the mail server, for 2 minutes at most");
            }
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
        Mail::List { state } => list(&db, settings, state).await?,
        Mail::Why { id } => why(&db, settings, &id).await?,
        Mail::WhyNot { to, unit, job, on } => {
            let whom = match (to, unit) {
                (Some(address), _) => {
                    Whom::Address(ledger::unit::normal_address(&address, &["to"]).map_err(ledger::Error::from)?)
                }
                (None, name) => Whom::Unit(of_name(&db, &name.unwrap_or_default()).await?),
            };
            let on = on.unwrap_or_else(|| local_day(clock::now(), settings.zone()));
            let context = jobs_context(settings, &db).await?;
            let reasons = scheduler::why_no_mail(&context, &job, on, &whom).await?;
            let Some(reasons) = reasons else {
                return Err(Failure::Usage(format!("没有名为 {job} 的提醒")));
            };
            for reason in reasons {
                say!("{}", reason.message.zh);
                for item in reminder::describe(&db, &Vec::from_iter(reason.item)).await? {
                    say!("    {}", item_line(&item));
                }
            }
        }
        Mail::Requeue => {
            let by = By::program();
            let count = machine::requeue_mails(&acting(settings, &db, &by), Requeued::all_failed(), usize::MAX).await?;
            say!("已重新排队 {count} 封");
        }
        Mail::Suppressed => {
            let query = suppressed::Entity::find().order_by_asc(suppressed::Column::Address);
            for row in query.all(&db).await? {
                let detail = one_line(&row.detail.unwrap_or_default());
                let at = minute(row.created_at, settings.zone());
                say!("{}\t{}\t{at}\t{detail}", row.address, row.reason.to_value());
            }
        }
        Mail::Suppress { address, detail } => {
            let new = suppression::New { address, reason: suppressed::SuppressionReason::ByHand, detail };
            suppression::suppress(&acting(settings, &db, &By::program()), new).await?;
            say!("已停止投递");
        }
        Mail::Lift { address } => {
            let by = By::program();
            let acting = acting(settings, &db, &by);
            let found = suppression::of_address(&acting, &address).await?;
            suppression::lift(&acting, found).await?;
            say!("已恢复投递");
        }
        Mail::Bounced { file } => {
            let message =
                beginning(&file).map_err(|error| Failure::Rejected(format!("{} 无法读取：{error}", file.display())))?;
            let context = jobs_context(settings, &db).await?;
            match scheduler::read_bounce(&context, &message).await? {
                Bounced::Hard(mail) => say!("mail_{mail} 被永久退回，收件地址已停止投递"),
                Bounced::Soft(mail) => say!("mail_{mail} 被退回，已记录，继续投递"),
                Bounced::Known => say!("这封退信已登记过"),
                Bounced::Unknown => say!("不是本系统所发邮件的退信，未作处理"),
            }
        }
        Mail::Bounce { address, soft, detail } => {
            let by = By::program();
            let done = suppression::report_bounce(&acting(settings, &db, &by), &address, !soft, detail).await?;
            if done.is_some() { say!("已停止投递") } else { say!("已记录，继续投递") }
        }
    }
    Ok(())
}

/// Prints the newest mails.
async fn list(db: &DatabaseConnection, settings: &Settings, state: Option<State>) -> Result<(), Failure> {
    let context = jobs_context(settings, db).await?;
    let mut query = Entity::find().order_by_desc(Column::CreatedAt).order_by_desc(Column::Id).limit(SHOWN);
    if let Some(state) = state {
        query = query.filter(Column::State.eq(MailState::from(state)));
    }
    for mail in query.all(db).await? {
        // A mail gets its subject when it is written.
        let preview = context.writer.preview(db, &mail, (clock::now(), settings.zone())).await;
        let preview = preview.unwrap_or_default().filter(|_| mail.state != MailState::Cancelled);
        let (subject, reason) = preview
            .map_or_else(|| (mail.kind.clone(), mail.reason.clone()), |preview| (preview.subject, preview.reason));
        let subject = if mail.subject.is_empty() { subject } else { mail.subject.clone() };
        let (subject, reason) = (one_line(&subject), one_line(&reason));
        say!("{}\t{}\t{}\t{subject}\t{reason}", mail.id, mail.state.to_value(), mail.recipient);
        if let Some(error) = mail.last_error {
            say!("\t尝试 {} 次：{}", mail.attempts, one_line(&error));
        }
    }
    Ok(())
}

/// Reads the beginning of a message from a file, or from standard input if the file is `-`.
fn beginning(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut input: Box<dyn Read> =
        if file == Path::new("-") { Box::new(std::io::stdin().lock()) } else { Box::new(File::open(file)?) };
    let mut message = Vec::new();
    input.by_ref().take(scheduler::MAX_BOUNCE_BYTES as u64).read_to_end(&mut message)?;
    // A mail server takes it for a failure if its message is not read to the end.
    std::io::copy(&mut input, &mut std::io::sink())?;
    Ok(message)
}

/// Says why a mail is sent.
async fn why(db: &DatabaseConnection, settings: &Settings, id: &str) -> Result<(), Failure> {
    let key = id.trim_start_matches("mail_").parse::<i64>().ok();
    let found = match key {
        Some(key) => Entity::find_by_id(key).one(db).await?,
        None => None,
    };
    let Some(mail) = found else { return Err(Failure::Usage(format!("没有编号为 {id} 的邮件"))) };
    let why = reminder::why(db, &mail, &settings.timing()).await?;
    for line in &why.lines {
        say!("{}", line.zh);
    }
    for item in &why.items {
        say!("    {}", item_line(item));
    }
    Ok(())
}

fn item_line(item: &reminder::Described) -> String {
    let unit = item.unit.as_ref().map(|unit| format!("（{unit}）")).unwrap_or_default();
    let text = ledger::rule::wording::shortened(&item.text, 40);
    format!("{} {} {text}{unit}", item.due_on, item.number.as_deref().unwrap_or("-"))
}

/// Returns the key of the unit with a name.
async fn of_name(db: &DatabaseConnection, name: &str) -> Result<i64, Failure> {
    let found = unit::Entity::find().filter(unit::Column::Name.eq(name)).one(db).await?;
    found.map(|unit| unit.id).ok_or_else(|| Failure::Usage(format!("没有名为“{name}”的单位")))
}
