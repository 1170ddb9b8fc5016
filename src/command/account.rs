//! `rectify account` and `rectify token`: manages accounts, and access tokens for integrations.

use std::collections::HashMap;
use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use entity::account::{self, Role};
use entity::language::Language;
use entity::session::{self, SessionKind};
use entity::unit;
use ledger::keep::Patch;
use ledger::people::account as acts;
use ledger::people::account::{erase, link, new_password, session as sessions};
use ledger::record::audit::By;
use ledger::rule::calendar::{local_day, minute};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::{acting, current, date, read, set_up};
use crate::settings::{Settings, language, role};
use crate::{Failure, clock, say};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Account {
    /// 创建账户；密码在提示后输入，或从标准输入读取一行
    Create {
        /// 登录邮箱
        email: String,
        /// 角色：regional-office 区整改办、city-office 市整改办、county-office 县整改办、lead-unit 牵头单位、
        /// responsible-unit 责任单位、supervising-unit 督导单位、leader 领导、inspector 督察组、
        /// administrator 系统管理员
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
        /// 邮件语言：zh 或 en；默认随单位
        #[arg(long, value_parser = language)]
        language: Option<Language>,
        /// 最后可用日期，如 2026-12-31
        #[arg(long, value_name = "DATE", value_parser = date)]
        until: Option<NaiveDate>,
        /// 不设密码（只用令牌或统一身份认证登录）
        #[arg(long, conflicts_with = "invite")]
        no_password: bool,
        /// 不设密码，发邮件邀请本人设置
        #[arg(long)]
        invite: bool,
    },
    /// 批量创建账户：CSV 文件，首行为 邮箱,姓名,角色,单位,行政区,电话,有效期；全部成功或全部不建
    Load {
        /// CSV 文件（UTF-8 或 GB18030）
        file: PathBuf,
        /// 不发邀请邮件
        #[arg(long)]
        no_invite: bool,
    },
    /// 更改账户；未给出的不变。更改邮箱或权限会结束其全部会话、令牌和委托
    Edit {
        /// 登录邮箱
        email: String,
        /// 新的登录邮箱
        #[arg(long, value_name = "EMAIL")]
        new_email: Option<String>,
        /// 姓名
        #[arg(long)]
        name: Option<String>,
        /// 电话；空文本表示删除
        #[arg(long)]
        phone: Option<String>,
        /// 邮件语言：zh 或 en
        #[arg(long, value_parser = language)]
        language: Option<Language>,
        /// 角色
        #[arg(long, value_parser = role)]
        role: Option<Role>,
        /// 所属单位名称或别名
        #[arg(long, value_name = "NAME")]
        unit: Option<String>,
        /// 角色所管的行政区代码
        #[arg(long, value_name = "CODE")]
        region: Option<String>,
        /// 最后可用日期
        #[arg(long, value_name = "DATE", value_parser = date)]
        until: Option<NaiveDate>,
    },
    /// 发邮件邀请本人设置密码
    Invite {
        /// 登录邮箱
        email: String,
    },
    /// 输出系统保存的某人的全部个人信息（JSON）
    Export {
        /// 登录邮箱
        email: String,
    },
    /// 注销账户并删除个人信息，不可恢复；其办理记录以编号保留
    Erase {
        /// 登录邮箱
        email: String,
        /// 确认不可恢复
        #[arg(long)]
        yes: bool,
    },
    /// 停用两步验证（手机丢失且没有恢复代码时）
    ResetSecondFactor {
        /// 登录邮箱
        email: String,
    },
    /// 列出账户
    List,
    /// 重设密码，并结束其全部会话、令牌和委托
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

pub(crate) async fn run(settings: &Settings, command: Account) -> Result<(), Failure> {
    let by = By::program();
    match command {
        Account::Create { email, role, unit, region, name, phone, language, until, no_password, invite } => {
            let wanted = NewAccount { email, name, role, unit, region, phone, language, until };
            create(settings, wanted, !(no_password || invite), invite).await?;
        }
        Account::Load { file, no_invite } => load(settings, &file, !no_invite).await?,
        Account::Edit { email, new_email, name, phone, language, role, unit, region, until } => {
            let db = current(settings).await?;
            let found = acts::find(&db, &email).await?;
            let unit = match unit {
                Some(name) => Patch::Set(Some(ledger::unit::find_by_name(&db, &name).await?.id)),
                None => Patch::Keep,
            };
            let region = match region {
                Some(code) => {
                    let known = ledger::region::find(&db, &code).await?;
                    let known = known.ok_or_else(|| Failure::Rejected(format!("没有代码为 {code} 的行政区")))?;
                    Patch::Set(Some(known.id))
                }
                None => Patch::Keep,
            };
            let edit = acts::Edit {
                version: None,
                email: new_email.map_or(Patch::Keep, Patch::Set),
                name: name.map_or(Patch::Keep, Patch::Set),
                phone: phone.map_or(Patch::Keep, |phone| Patch::Set(Some(phone).filter(|phone| !phone.is_empty()))),
                language: language.map_or(Patch::Keep, |language| Patch::Set(Some(language))),
                attaches_calendar: Patch::Keep,
                role: role.map_or(Patch::Keep, Patch::Set),
                unit,
                region,
                valid_until: until.map_or(Patch::Keep, |day| Patch::Set(Some(day))),
            };
            acts::edit(&acting(settings, &db, &by), found.id, edit, None).await?;
            say!("已更改 {} 的账户", found.email);
        }
        Account::Invite { email } => {
            let db = current(settings).await?;
            let found = acts::find(&db, &email).await?;
            link::invite(&acting(settings, &db, &by), found.id).await?;
            say!("邀请邮件已写入发件箱：{}", found.email);
        }
        Account::Export { email } => {
            let db = current(settings).await?;
            let found = acts::find(&db, &email).await?;
            let copy = erase::export(&acting(settings, &db, &by), found.id).await?;
            say!("{}", serde_json::to_string_pretty(&copy).unwrap_or_default());
        }
        Account::Erase { email, yes } => {
            if !yes {
                return Err(Failure::Usage("注销不可恢复：确认后加上 --yes 再运行".to_owned()));
            }
            let db = current(settings).await?;
            let found = acts::find(&db, &email).await?;
            erase::erase(&acting(settings, &db, &by), found.id, None).await?;
            say!("已注销账户 {}，其办理记录以编号 account_{} 保留", found.email, found.id);
        }
        Account::ResetSecondFactor { email } => {
            let db = current(settings).await?;
            let found = acts::find(&db, &email).await?;
            acts::second_factor::remove(&acting(settings, &db, &by), Some(found.id), None, None).await?;
            say!("已停用 {} 的两步验证，其会话均已结束", found.email);
        }
        Account::List => {
            let db = current(settings).await?;
            let units: HashMap<i64, String> =
                unit::Entity::find().all(&db).await?.into_iter().map(|unit| (unit.id, unit.name)).collect();
            let today = local_day(clock::now(), settings.zone());
            for row in account::Entity::find().order_by_asc(account::Column::Id).all(&db).await? {
                let state = match row.valid_until {
                    _ if row.is_disabled => "已停用".to_owned(),
                    Some(day) if day < today => format!("已过期（{day}）"),
                    _ => "在用".to_owned(),
                };
                let unit = row.unit_id.and_then(|unit| units.get(&unit)).map_or("", String::as_str);
                say!("{}\t{}\t{unit}\t{state}", row.email, ledger::people::policy::role_name(row.role));
            }
        }
        Account::Password { email } => {
            let password = password()?;
            let db = current(settings).await?;
            let found = acts::find(&db, &email).await?;
            new_password::set(&acting(settings, &db, &by), found.id, password, None).await?;
            say!("已重设 {} 的密码，其会话、令牌和委托均已结束", found.email);
        }
        Account::Unbind { email } => {
            let db = current(settings).await?;
            let found = acts::find(&db, &email).await?;
            if !ledger::people::identity::unbind(&acting(settings, &db, &by), found.id).await? {
                return Err(Failure::Rejected(format!("{} 没有绑定统一身份认证", found.email)));
            }
            say!("已解除 {} 与统一身份认证的绑定，其会话均已结束", found.email);
        }
        Account::Disable { email } => set_disabled(settings, &email, true).await?,
        Account::Enable { email } => set_disabled(settings, &email, false).await?,
    }
    Ok(())
}

/// Creates one account. Reads a password if `has_password`, and queues an invitation if `invites`.
async fn create(settings: &Settings, wanted: NewAccount, has_password: bool, invites: bool) -> Result<(), Failure> {
    let password = if has_password {
        let given = password()?;
        Some(acts::Hashed::of(given, &wanted.email, wanted.name.as_deref().unwrap_or_default()).await?)
    } else {
        None
    };
    let (db, by) = (set_up(settings).await?, By::program());
    let transaction = ledger::record::database::begin(&db).await?;
    let new = wanted.place(&transaction, password).await?;
    let made = acts::create(&transaction, &by, new, clock::now()).await?;
    if invites {
        link::queue_invitation(&transaction, &acting(settings, &db, &by), &made).await?;
    }
    transaction.commit().await?;
    let told = if invites { "，已发邀请" } else { "" };
    say!("已创建账户：{}（{}）{told}", made.email, ledger::people::policy::role_name(made.role));
    Ok(())
}

/// An account to create, with its unit and region as the operator names them.
struct NewAccount {
    email: String,
    name: Option<String>,
    role: Role,
    unit: Option<String>,
    region: Option<String>,
    phone: Option<String>,
    language: Option<Language>,
    until: Option<NaiveDate>,
}

impl NewAccount {
    /// Looks up the unit and the region, and returns the account to create. Without a name, it gets the part of its
    /// mail address before the `@`.
    async fn place(
        self,
        db: &ledger::record::database::Transaction,
        password: Option<acts::Hashed>,
    ) -> Result<acts::New, Failure> {
        let unit = match &self.unit {
            Some(name) => Some(ledger::unit::find_by_name(db, name).await?.id),
            None => None,
        };
        let region = match &self.region {
            Some(code) => Some(ledger::region::ensure(db, code, &["region"]).await?.id),
            None => None,
        };
        let name = self.name.unwrap_or_else(|| self.email.split('@').next().unwrap_or_default().to_owned());
        Ok(acts::New {
            email: self.email,
            name,
            phone: self.phone,
            language: self.language,
            role: self.role,
            unit,
            region,
            password,
            valid_until: self.until,
            is_demo: false,
        })
    }
}

/// Creates the accounts listed in a CSV file: all of them, or none. The error lists every invalid line.
async fn load(settings: &Settings, file: &Path, invites: bool) -> Result<(), Failure> {
    let sheets = workbook::open("账户", read(file)?)?;
    let rows = sheets.first().map(workbook::Sheet::lines).unwrap_or_default();
    let (heading, lines) = rows.split_first().ok_or_else(|| Failure::Rejected("文件没有内容".to_owned()))?;
    let column = |names: &[&str]| heading.iter().position(|cell| names.contains(&cell.as_str()));
    let (Some(email), Some(name), Some(kind)) =
        (column(&["邮箱", "登录邮箱", "email"]), column(&["姓名", "name"]), column(&["角色", "role"]))
    else {
        return Err(Failure::Rejected("首行应有 邮箱、姓名、角色，可有 单位、行政区、电话、有效期".to_owned()));
    };
    let (unit, region) = (column(&["单位", "unit"]), column(&["行政区", "行政区代码", "region"]));
    let (phone, until) = (column(&["电话", "手机", "phone"]), column(&["有效期", "最后可用日期", "until"]));
    let tongue = column(&["语言", "language"]);
    let db = set_up(settings).await?;
    let by = By::program();
    let acting = acting(settings, &db, &by);
    let transaction = ledger::record::database::begin(&db).await?;
    let (mut faults, mut made) = (Vec::new(), 0);
    for (index, line) in lines.iter().enumerate() {
        let cell =
            |column: Option<usize>| column.and_then(|column| line.get(column)).filter(|cell| !cell.is_empty()).cloned();
        let given = || -> Result<NewAccount, String> {
            Ok(NewAccount {
                email: cell(Some(email)).ok_or("没有邮箱")?,
                name: cell(Some(name)),
                role: role(&cell(Some(kind)).unwrap_or_default())?,
                unit: cell(unit),
                region: cell(region),
                phone: cell(phone),
                language: cell(tongue).map(|text| language(&text)).transpose()?,
                until: cell(until).map(|day| date(&day)).transpose()?,
            })
        };
        let done: Result<(), Failure> = async {
            let wanted = given().map_err(Failure::Rejected)?;
            let new = wanted.place(&transaction, None).await?;
            let row = acts::create(&transaction, &by, new, acting.now).await?;
            if invites {
                link::queue_invitation(&transaction, &acting, &row).await?;
            }
            Ok(())
        }
        .await;
        match done {
            Ok(()) => made += 1,
            Err(why) => faults.push(format!("第 {} 行：{why}", index + 2)),
        }
    }
    if !faults.is_empty() {
        return Err(Failure::Rejected(format!("未创建任何账户：\n{}", faults.join("\n"))));
    }
    transaction.commit().await?;
    say!("已创建 {made} 个账户{}", if invites { "，邀请邮件已写入发件箱" } else { "" });
    Ok(())
}

async fn set_disabled(settings: &Settings, email: &str, disabled: bool) -> Result<(), Failure> {
    let db = current(settings).await?;
    let found = acts::find(&db, email).await?;
    acts::set_disabled(&acting(settings, &db, &By::program()), found.id, disabled).await?;
    say!("{}：{}", found.email, if disabled { "已停用" } else { "已启用" });
    Ok(())
}

pub(crate) async fn run_token(settings: &Settings, command: Token) -> Result<(), Failure> {
    let db = current(settings).await?;
    let by = By::program();
    match command {
        Token::Create { email, days, name, read_only } => {
            let found = acts::find(&db, &email).await?;
            let made = sessions::make_token(&acting(settings, &db, &by), found.id, (&name, days, read_only)).await?;
            // Print nothing but the token, so that scripts can capture it.
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
                let until = minute(row.expires_at, settings.zone());
                say!("{}\t{owner}\t{}\t至 {until}", row.id, row.name);
            }
        }
        Token::Revoke { id } => {
            let row = session::Entity::find_by_id(id).one(&db).await?;
            let ended = match row {
                Some(_) => sessions::revoke(&acting(settings, &db, &by), id).await?,
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

/// Reads a password: twice without echo from a terminal, otherwise one line of standard input.
fn password() -> Result<String, Failure> {
    let cannot = |error: std::io::Error| Failure::Rejected(format!("无法读取密码：{error}"));
    if std::io::stdin().is_terminal() {
        let first = rpassword::prompt_password("密码（至少 12 个字符）：").map_err(cannot)?;
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
