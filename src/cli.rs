//! The command line: its arguments, and the dispatch of each command to the module that runs it.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::command::{
    self, account, audit, backup, calendar, demo, dossier, evidence, export, health, import, job, mail, region,
    reminder, search, statistics, unit, webhook,
};
use crate::serve::{self, Role};
use crate::settings::{self, Flags, Settings};
use crate::{Failure, say, telemetry};

/// 生态环境督察整改台账：GraphQL 数据平台与定时提醒
#[derive(Debug, Parser)]
#[command(name = "rectify", version, about, max_term_width = 120)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// 启动服务：先升级数据库，再提供接口并运行定时任务
    Serve {
        /// 只运行其中一部分
        #[arg(long, value_enum, default_value_t = Role::All)]
        role: Role,
    },
    /// 询问本机的服务是否就绪，供容器健康检查使用
    Health(health::Health),
    /// 升级数据库到最新结构
    Migrate,
    /// 备份整个台账（服务照常运行），或核验备份
    Backup(backup::Create),
    /// 把备份恢复到空数据库
    Restore(backup::Restore),
    /// 把整个台账复制到另一个空数据库（SQLite 与 PostgreSQL 之间均可），编号不变
    Copy(backup::Copy),
    /// 在空数据库中生成虚构的演示台账
    Demo(demo::Demo),
    /// 行政区：列出、添加、全部载入
    #[command(subcommand)]
    Region(region::Region),
    /// 单位：列出、登记、设置邮箱和别名、批量载入
    #[command(subcommand)]
    Unit(unit::Unit),
    /// 导入台账（.xlsx、.xls、.ods，UTF-8 或 GB18030 的 .csv）
    Import(import::Import),
    /// 导出台账、填报表和统计表（.xlsx）
    Export(export::Export),
    /// 提交导出后填写的“进展填报”工作表
    Report(export::Report),
    /// 定时任务：列出、手动运行
    #[command(subcommand)]
    Job(job::Job),
    /// 邮件：测试、查看发件箱、重发
    #[command(subcommand)]
    Mail(mail::Mail),
    /// 接口推送：列出、登记、测试、查看记录
    #[command(subcommand)]
    Webhook(webhook::Webhook),
    /// 账户：创建、列出、重设密码、解除绑定、停用、启用
    #[command(subcommand)]
    Account(account::Account),
    /// 访问令牌：生成、列出、撤销
    #[command(subcommand)]
    Token(account::Token),
    /// 审计记录：核验
    #[command(subcommand)]
    Audit(audit::Audit),
    /// 一措施一档案：把一项措施的全部材料打包为可离线核验的压缩包
    Dossier(dossier::Dossier),
    /// 佐证材料：核验存储
    #[command(subcommand)]
    Evidence(evidence::Evidence),
    /// 工作日历：设置放假与调休
    #[command(subcommand)]
    Calendar(calendar::Calendar),
    /// 提醒规则：查看、设置各类提醒何时发、发给谁
    #[command(subcommand)]
    Reminder(reminder::Reminder),
    /// 统计数：与全面重算核对
    #[command(subcommand)]
    Statistics(statistics::Statistics),
    /// 检索索引：核对、重建
    #[command(subcommand)]
    Search(search::Search),
    /// 显示生效的设置（不含密码）
    Config {
        /// 显示全部设置的默认值和说明
        #[arg(long)]
        defaults: bool,
    },
    /// 输出 GraphQL 模式
    Schema,
}

/// Runs the command and returns its exit code. A failure goes to standard error: as a log entry if `serve` logs JSON,
/// otherwise as plain text.
pub fn run(arguments: Arguments) -> ExitCode {
    // For the clients of S3, webhooks and traces. Nothing has installed another one before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Arguments { command, flags } = arguments;
    let is_server = matches!(command, Command::Serve { .. });
    let settings = Settings::read(&flags);
    let is_json = match &settings {
        Ok(settings) => settings.logs_json(),
        // The settings could not be read, so only the environment tells.
        Err(_) => std::env::var("RECTIFY_LOG_FORMAT").is_ok_and(|format| format == "json"),
    };
    let done = settings.and_then(|settings| {
        let done = begin(command, &settings);
        #[cfg(unix)]
        if !is_server {
            crate::ownership::hand_over(settings.data_dir());
        }
        done
    });
    let Err(failure) = done else { return ExitCode::SUCCESS };
    // A log collector parses every line of a server's JSON log, including the last; a person reads other commands.
    if is_server && is_json && tracing::dispatcher::has_been_set() {
        tracing::error!(%failure, "the server has failed");
    } else if is_server && is_json {
        eprintln!("{}", telemetry::entry("ERROR", &failure.to_string()));
    } else {
        eprintln!("{failure}");
    }
    ExitCode::from(failure.exit_code())
}

fn begin(command: Command, settings: &Settings) -> Result<(), Failure> {
    let _traces = telemetry::begin(settings);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Rejected(format!("无法启动：{error}")))?;
    let done = runtime.block_on(dispatch(command, settings));
    // A look-up of a name or a file on a drive that hangs, which nobody waits for any more, keeps its thread.
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

async fn dispatch(command: Command, settings: &Settings) -> Result<(), Failure> {
    match command {
        Command::Serve { role } => serve::run(settings, role).await,
        Command::Health(health) => health::run(settings, &health),
        Command::Migrate => command::migrate(settings).await,
        Command::Backup(command) => Box::pin(backup::create(settings, &command)).await,
        Command::Restore(command) => Box::pin(backup::restore(settings, &command)).await,
        Command::Copy(command) => Box::pin(backup::copy(settings, &command)).await,
        Command::Demo(demo) => demo::run(settings, &demo).await,
        Command::Region(region) => region::run(settings, region).await,
        Command::Unit(unit) => unit::run(settings, unit).await,
        Command::Import(import) => Box::pin(import::run(settings, import)).await,
        Command::Export(export) => export::run(settings, &export).await,
        Command::Report(report) => export::report(settings, &report).await,
        Command::Job(job) => job::run(settings, job).await,
        Command::Mail(mail) => mail::run(settings, mail).await,
        Command::Webhook(webhook) => webhook::run(settings, webhook).await,
        Command::Account(account) => account::run(settings, account).await,
        Command::Token(token) => account::run_token(settings, token).await,
        Command::Audit(audit) => audit::run(settings, &audit).await,
        Command::Dossier(dossier) => dossier::run(settings, &dossier).await,
        Command::Evidence(evidence) => evidence::run(settings, &evidence).await,
        Command::Calendar(calendar) => calendar::run(settings, &calendar).await,
        Command::Reminder(reminder) => reminder::run(settings, &reminder).await,
        Command::Statistics(statistics) => statistics::run(settings, &statistics).await,
        Command::Search(search) => search::run(settings, &search).await,
        Command::Config { defaults } => {
            say!("{}", if defaults { settings::DEFAULTS.to_owned() } else { settings.shown() }.trim_end());
            Ok(())
        }
        Command::Schema => {
            say!("{}", api::sdl().trim_end());
            Ok(())
        }
    }
}
