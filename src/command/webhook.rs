//! `rectify webhook`: lists, enters and tries receivers of messages to other systems, and shows the log of messages.

use std::time::{Duration, Instant};

use entity::webhook::{self, WebhookKind};
use entity::webhook_delivery::{self, Column, DeliveryState};
use ledger::keep::webhook as keep;
use ledger::record::audit::By;
use ledger::rule::calendar::minute;
use ledger::rule::wording::one_line;
use ledger::work::event::Event;
use sea_orm::{ActiveEnum, ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{acting, current, jobs_context};
use crate::settings::Settings;
use crate::{Failure, say};

/// Maximum number of messages listed.
const SHOWN: u64 = 50;
/// How long a test waits for a service that runs beside it and has claimed the message, and how often it looks. An
/// answer takes 15 seconds at most.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Webhook {
    /// 列出推送接口
    List,
    /// 登记一个推送接口；标准接口的密钥只在此显示一次
    Add {
        /// 名称
        name: String,
        /// 接口地址，应为 https://…
        url: String,
        /// 接口种类
        #[arg(long, value_enum, default_value = "standard")]
        kind: Kind,
        /// 钉钉机器人“加签”密钥所在的文件
        #[arg(long)]
        secret_file: Option<std::path::PathBuf>,
        /// 推送哪种事项，如 closed，可多次给出；不写则为全部
        #[arg(long = "event", value_parser = event)]
        events: Vec<Event>,
        /// 只推送这个行政区及其下级的事项：行政区代码
        #[arg(long)]
        region: Option<String>,
    },
    /// 立即推送一条测试消息，并显示结果
    Test {
        /// 接口编号，如 3 或 webhook_3
        id: String,
    },
    /// 查看推送记录，最新的在前
    Log {
        /// 只看一个接口：编号，如 3 或 webhook_3
        id: Option<String>,
    },
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Kind {
    /// 标准接口（Standard Webhooks）
    Standard,
    /// 企业微信群机器人
    Wecom,
    /// 钉钉群机器人
    Dingtalk,
}

impl From<Kind> for WebhookKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Standard => Self::Standard,
            Kind::Wecom => Self::Wecom,
            Kind::Dingtalk => Self::Dingtalk,
        }
    }
}

fn event(text: &str) -> Result<Event, String> {
    Event::of_kind(text).ok_or_else(|| {
        let kinds = <Event as sea_orm::Iterable>::iter().map(|event| event.rule().kind);
        format!("应为 {}", kinds.collect::<Vec<_>>().join("、"))
    })
}

pub(crate) async fn run(settings: &Settings, command: Webhook) -> Result<(), Failure> {
    let db = current(settings).await?;
    let by = By::program();
    match command {
        Webhook::List => {
            for row in webhook::Entity::find().order_by_asc(webhook::Column::Name).all(&db).await? {
                let state = match (row.is_enabled, row.failing_since) {
                    (true, None) => "正常".to_owned(),
                    (true, Some(since)) => {
                        format!("推送失败，始于 {}", minute(since, settings.zone()))
                    }
                    (false, _) if row.stopped_at.is_some() => "已自动停用".to_owned(),
                    (false, _) => "已停用".to_owned(),
                };
                say!("{}\t{}\t{}\t{}\t{state}", row.id, row.name, row.kind.to_value(), row.shown_url);
            }
        }
        Webhook::Add { name, url, kind, secret_file, events, region } => {
            let secret = match secret_file {
                Some(file) => Some(String::from_utf8_lossy(&super::read(&file)?).trim().to_owned()),
                None => None,
            };
            let region = match region {
                Some(code) => Some(of_code(&db, &code).await?),
                None => None,
            };
            let new = keep::New { name, kind: kind.into(), url, secret, events, region };
            let (key, secret) = keep::create(&acting(settings, &db, &by), new).await?;
            say!("已登记，编号 {key}");
            if let Some(secret) = secret {
                say!("密钥（只显示这一次）：{secret}");
            }
        }
        Webhook::Test { id } => {
            let key = keep::test(&acting(settings, &db, &by), key(&id, "webhook_")).await?;
            let context = jobs_context(settings, &db).await?;
            let find = || webhook_delivery::Entity::find_by_id(key).one(&db);
            let queued = find().await?.ok_or_else(|| Failure::Rejected("推送记录不见了".to_owned()))?;
            scheduler::deliver_to(&context, queued.webhook_id).await?;
            let begun = Instant::now();
            let tried = loop {
                let found = find().await?.ok_or_else(|| Failure::Rejected("推送记录不见了".to_owned()))?;
                let is_over = matches!(found.state, DeliveryState::Delivered | DeliveryState::Failed);
                if is_over || found.last_error.is_some() || begun.elapsed() >= PATIENCE {
                    break found;
                }
                tokio::time::sleep(LOOK).await;
            };
            if tried.state != DeliveryState::Delivered {
                let why = tried.last_error.unwrap_or_else(|| "排在其他推送之后，稍后发送".to_owned());
                return Err(Failure::Rejected(format!("推送未成功：{}", one_line(&why))));
            }
            say!("已送达，接口答复 {}", tried.status.unwrap_or_default());
        }
        Webhook::Log { id } => {
            let mut log = webhook_delivery::Entity::find().order_by_desc(Column::CreatedAt).order_by_desc(Column::Id);
            if let Some(id) = id {
                log = log.filter(Column::WebhookId.eq(key(&id, "webhook_").unwrap_or_default()));
            }
            for row in log.limit(SHOWN).all(&db).await? {
                let at = row.created_at.with_timezone(&settings.zone()).format("%Y-%m-%d %H:%M:%S");
                let status = row.status.unwrap_or_default();
                say!("{}\twebhook_{}\t{at}\t{}\t{}\t{status}", row.id, row.webhook_id, row.event, row.state.to_value());
                if let Some(error) = row.last_error {
                    say!("\t尝试 {} 次：{}", row.attempts, one_line(&error));
                }
            }
        }
    }
    Ok(())
}

/// Returns the key in a number or a global id.
fn key(id: &str, prefix: &str) -> Option<i64> {
    id.strip_prefix(prefix).unwrap_or(id).parse().ok()
}

/// Returns the key of the region with a code; `None` if there is none.
async fn of_code(db: &DatabaseConnection, code: &str) -> Result<Option<i64>, Failure> {
    let found = entity::region::Entity::find().filter(entity::region::Column::Code.eq(code)).one(db).await?;
    Ok(found.map(|region| region.id))
}
