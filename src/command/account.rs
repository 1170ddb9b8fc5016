//! `rectify account` and `rectify token`: who may sign in, and tokens for integrations.

use std::collections::HashMap;
use std::io::{BufRead, IsTerminal};

use chrono::NaiveDate;
use entity::account::{self, Role};
use entity::session::{self, SessionKind};
use entity::unit;
use ledger::account as acts;
use ledger::audit::By;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::{current, date};
use crate::settings::Settings;
use crate::{Failure, clock, say};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Account {
    /// 创建账户；密码在提示后输入，或从标准输入读取一行
    Create {
        /// 登录邮箱
        email: String,
        /// 角色：regional-office 区整改办、city-office 市整改办、county-office 县整改办、lead-unit 牵头单位、
        /// responsible-unit 责任单位、supervising-unit 督导单位、leader 领导、inspector 督察组、administrator 系统管理员
        #[arg(long, value_parser = role)]
        role: Role,
        /// 所属单位名称或别名（重名时在名称前加行政区代码，如 540300/市水利局）
        #[arg(long, value_name = "NAME")]
        unit: Option<String>,
        /// 角色所管的行政区代码；默认为单位所在行政区
        #[arg(long, value_name = "CODE")]
        region: Option<String>,
        /// 姓名；默认为邮箱的用户名
        #[arg(long)]
        name: Option<String>,
        /// 电话
        #[arg(long)]
        phone: Option<String>,
        /// 最后可用日期，如 2026-12-31
        #[arg(long, value_name = "DATE", value_parser = date)]
        until: Option<NaiveDate>,
        /// 不设密码（只用令牌或统一身份认证登录）
        #[arg(long)]
        no_password: bool,
    },
    /// 列出账户
    List,
    /// 重设密码，并结束其全部会话
    Password {
        /// 登录邮箱
        email: String,
    },
    /// 解除账户与统一身份认证的绑定，并结束其全部会话；下次登录时重新绑定
    Unbind {
        /// 登录邮箱
        email: String,
    },
    /// 停用账户，其会话与令牌立即失效
    Disable {
        /// 登录邮箱
        email: String,
    },
    /// 重新启用账户
    Enable {
        /// 登录邮箱
        email: String,
    },
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Token {
    /// 生成令牌，只显示这一次
    Create {
        /// 账户的登录邮箱
        email: String,
        /// 有效天数，最多 366
        #[arg(long, default_value_t = 90)]
        days: i64,
        /// 用途
        #[arg(long, default_value = "命令行生成")]
        name: String,
        /// 只读
        #[arg(long)]
        read_only: bool,
    },
    /// 列出未撤销的令牌
    List,
    /// 撤销令牌
    Revoke {
        /// 编号，见 `rectify token list`
        id: i64,
    },
}

/// A role by its name in English, in any of the usual spellings, or in Chinese.
fn role(text: &str) -> Result<Role, String> {
    let plain = text.trim().to_lowercase().replace(['_', ' '], "-");
    let found = <Role as sea_orm::Iterable>::iter().find(|role| {
        let code = sea_orm::ActiveEnum::to_value(role).to_lowercase().replace('_', "-");
        code == plain || code.replace('-', "") == plain || ledger::policy::role_name(*role) == text.trim()
    });
    let known = match plain.as_str() {
        "reporter" | "填报人" => Some(Role::ResponsibleUnit),
        "admin" => Some(Role::Administrator),
        _ => found,
    };
    known.ok_or_else(|| {
        "应为 regional-office、city-office、county-office、lead-unit、responsible-unit、supervising-unit、leader、\
         inspector 或 administrator"
            .to_owned()
    })
}

pub(crate) async fn run(settings: &Settings, command: Account) -> Result<(), Failure> {
    let by = By::program();
    match command {
        Account::Create { email, role, unit, region, name, phone, until, no_password } => {
            let password = if no_password { None } else { Some(password()?) };
            let db = current(settings).await?;
            let transaction = ledger::database::begin(&db).await?;
            let unit = match unit {
                Some(name) => Some(ledger::unit::find_by_name(&transaction, &name).await?),
                None => None,
            };
            let region = match region {
                Some(code) => Some(ledger::region::ensure(&transaction, &code).await?.id),
                None => None,
            };
            let name = name.unwrap_or_else(|| email.split('@').next().unwrap_or_default().to_owned());
            let new = acts::New {
                email,
                name,
                phone,
                role,
                unit: unit.as_ref().map(|unit| unit.id),
                region,
                password,
                valid_until: until,
                is_demo: false,
            };
            let made = acts::create(&transaction, &by, new, clock::now()).await?;
            transaction.commit().await?;
            let unit = unit.map(|unit| format!("，{}", unit.name)).unwrap_or_default();
            say!("已创建账户：{}（{}{unit}）", made.email, ledger::policy::role_name(made.role));
        }
        Account::List => {
            let db = current(settings).await?;
            let units: HashMap<i64, String> =
                unit::Entity::find().all(&db).await?.into_iter().map(|unit| (unit.id, unit.name)).collect();
            for row in account::Entity::find().order_by_asc(account::Column::Id).all(&db).await? {
                let state = if row.is_disabled { "已停用" } else { "在用" };
                let unit = row.unit_id.and_then(|unit| units.get(&unit)).map_or("", String::as_str);
                say!("{}\t{}\t{unit}\t{state}", row.email, ledger::policy::role_name(row.role));
            }
        }
        Account::Password { email } => {
            let password = password()?;
            let db = current(settings).await?;
            let found = acts::find(&db, &email).await?;
            acts::set_password(&db, &by, found.id, password, clock::now()).await?;
            say!("已重设 {} 的密码，其会话均已结束", found.email);
        }
        Account::Unbind { email } => {
            let db = current(settings).await?;
            let found = acts::find(&db, &email).await?;
            if !ledger::identity::unbind(&db, &by, found.id, clock::now()).await? {
                return Err(Failure::Rejected(format!("{} 没有绑定统一身份认证", found.email)));
            }
            say!("已解除 {} 与统一身份认证的绑定，其会话均已结束", found.email);
        }
        Account::Disable { email } => set_disabled(settings, &email, true).await?,
        Account::Enable { email } => set_disabled(settings, &email, false).await?,
    }
    Ok(())
}

async fn set_disabled(settings: &Settings, email: &str, disabled: bool) -> Result<(), Failure> {
    let db = current(settings).await?;
    let found = acts::find(&db, email).await?;
    acts::set_disabled(&db, &By::program(), found.id, disabled, clock::now()).await?;
    say!("{}：{}", found.email, if disabled { "已停用" } else { "已启用" });
    Ok(())
}

pub(crate) async fn run_token(settings: &Settings, command: Token) -> Result<(), Failure> {
    let db = current(settings).await?;
    let by = By::program();
    match command {
        Token::Create { email, days, name, read_only } => {
            let found = acts::find(&db, &email).await?;
            let made = acts::make_token(&db, &by, found.id, (&name, days, read_only), clock::now()).await?;
            // Nothing but the token, so that scripts can take it.
            say!("{}", made.secret);
        }
        Token::List => {
            let rows = session::Entity::find()
                .filter(session::Column::Kind.eq(SessionKind::Token))
                .filter(session::Column::RevokedAt.is_null())
                .order_by_asc(session::Column::Id)
                .all(&db)
                .await?;
            for row in rows {
                let owner = account::Entity::find_by_id(row.account_id).one(&db).await?;
                let owner = owner.map(|owner| owner.email).unwrap_or_default();
                let until = row.expires_at.with_timezone(&settings.zone()).format("%Y-%m-%d %H:%M");
                say!("{}\t{owner}\t{}\t至 {until}", row.id, row.name);
            }
        }
        Token::Revoke { id } => {
            let row = session::Entity::find_by_id(id).one(&db).await?;
            let ended = match row {
                Some(row) => acts::revoke(&db, &by, row.account_id, id, clock::now()).await?,
                None => false,
            };
            if !ended {
                return Err(Failure::Rejected(format!("没有编号为 {id} 的有效令牌")));
            }
            say!("已撤销令牌 {id}");
        }
    }
    Ok(())
}

/// A password: typed unseen, or a line of standard input.
fn password() -> Result<String, Failure> {
    let cannot = |error: std::io::Error| Failure::Rejected(format!("无法读取密码：{error}"));
    if std::io::stdin().is_terminal() {
        let first = rpassword::prompt_password("密码（至少 10 个字符）：").map_err(cannot)?;
        let again = rpassword::prompt_password("再输一次：").map_err(cannot)?;
        return if first == again {
            Ok(first)
        } else {
            Err(Failure::Rejected("两次输入的密码不一致".to_owned()))
        };
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(cannot)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
