//! Accounts (填报人), their sessions and tokens, and signing in.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use entity::account as accounts;
use entity::region as regions;
use entity::session::SessionKind as Opening;
use ledger::account::{self as acts, Opened};
use ledger::fault::{Fault, FaultCode};
use ledger::policy::{Act, not_allowed};
use planner::{Condition, Dimension, Kind, Named, Noun, SortKey, SortType, Sql, noun};
use sea_orm::{ActiveEnum, ColumnTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect};

use crate::context::Request;
use crate::error::masked;
use crate::filter::{RelationFilter, TextFilter, filter};
use crate::order::order;
use crate::payload::{UserError, bare, key_of, outcome, payload};
use crate::region::Region;
use crate::scalar::{Date, Moment};
use crate::unit::{Unit, UnitFilter};

/// What a user may see and do.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::account::Role")]
pub(crate) enum Role {
    /// 区整改办: sees its region; issues, changes deadlines, closes, reopens, spot-checks.
    RegionalOffice,
    /// 市整改办: sees its subtree; assigns, verifies, returns, supports extensions.
    CityOffice,
    /// 县整改办: sees its subtree; takes on, self-inspects, signs off.
    CountyOffice,
    /// 牵头单位: sees its measures and all assignments to them; consolidates, publishes notices.
    LeadUnit,
    /// 责任单位: sees its assignments; reports, uploads evidence, applies for close-out.
    ResponsibleUnit,
    /// 督导单位: sees what it supervises; checks and duns.
    SupervisingUnit,
    /// 领导: sees a subtree; comments.
    Leader,
    /// 督察组: reads until a date.
    Inspector,
    /// 系统管理员: keeps accounts, dictionaries, schedules and mail; sees no business.
    Administrator,
}

/// How a session came to be.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::session::SessionKind")]
pub(crate) enum SessionKind {
    /// Opened by signing in.
    Session,
    /// Made for an integration.
    Token,
}

/// The name in full for those who may know it, else its first letter.
fn name(sql: &mut Sql<'_>, account: &str) -> String {
    masked_unless_known(sql, account, &format!("substr({account}.name, 1, 1) || '**'"), "name")
}

/// The telephone number: 138****1234. Of a short one those letters would be all, so none is shown.
fn phone(sql: &mut Sql<'_>, account: &str) -> String {
    let phone = format!("{account}.phone");
    let mask = format!(
        "CASE WHEN length({phone}) < 11 THEN '****' \
         ELSE substr({phone}, 1, 3) || '****' || substr({phone}, length({phone}) - 3) END"
    );
    masked_unless_known(sql, account, &mask, "phone")
}

/// The address, for those who may know it.
fn email(sql: &mut Sql<'_>, account: &str) -> String {
    masked_unless_known(sql, account, "NULL", "email")
}

fn masked_unless_known(sql: &mut Sql<'_>, account: &str, mask: &str, column: &str) -> String {
    match sql.seen("account.person", account) {
        Some(known) => format!("CASE WHEN {known} THEN {account}.{column} ELSE {mask} END"),
        None => format!("{account}.{column}"),
    }
}

const KEY: SortKey = SortKey::column("{t}.id", "id", SortType::Integer);

const GROUPS: &[Dimension] = &[
    Dimension::plain("ROLE", "What they may see and do.", "{t}.role"),
    Dimension {
        name: "UNIT",
        description: "The unit that they work for.",
        key: "{t}.unit_id",
        of: Some(Named { prefix: "unit", table: "unit", name: "SELECT name FROM unit WHERE id = {}" }),
    },
];

noun! {
    /// A user of the system (填报人). Names, telephone numbers and addresses are personal data: they are shown in full to
    /// the same unit and its superiors, and masked for everybody else.
    pub(crate) Account from "account" as "account" {
        order: &[KEY],
        total: None,
        filter: AccountFilter,
        by: AccountOrder,
        groups: GROUPS
    }
    /// The global id.
    id: ID = Kind::Id;
    /// The name; masked (张**) for those outside the unit and its superiors.
    name: String = Kind::Expression(name);
    /// The telephone number; masked (138****1234) for those outside the unit and its superiors.
    phone: Option<String> = Kind::Expression(phone);
    /// The sign-in address; null for those outside the unit and its superiors.
    email: Option<String> = Kind::Expression(email);
    /// What it may see and do.
    role: Role = Kind::Column("role");
    /// The unit that it works for.
    unit: Option<Unit> = Kind::One(<Unit as Noun>::table, "unit_id");
    /// The region that the role is about.
    region: Option<Region> = Kind::One(<Region as Noun>::table, "region_id");
    /// The last day on which it may be used.
    validUntil: Option<Date> = Kind::Column("valid_until");
    /// Whether nobody signs in to it any more.
    isDisabled: bool = Kind::Boolean("is_disabled");
    /// When it was made.
    createdAt: Moment = Kind::Column("created_at");
}

order! { AccountOrder by AccountOrderField {
    /// When it was made.
    CreatedAt = SortKey::column("{t}.created_at", "created_at", SortType::Moment),
} }

filter! {
    /// Demands on accounts.
    AccountFilter {
        /// The unit that it works for.
        unit: RelationFilter<UnitFilter> = |unit| unit.condition("unit_id", <Unit as Noun>::table()),
        /// It has one of these roles.
        role: Vec<Role> = |roles| Condition::In(
            "role",
            roles.iter().map(|role| entity::account::Role::from(*role).to_value().into()).collect(),
        ),
    }
}

const OPENED: SortKey = SortKey::column("{t}.id", "id", SortType::Integer);

noun! {
    /// A session of somebody who signed in, or a token of an integration.
    pub(crate) Session from "session" as "session" {
        order: &[OPENED.reversed()],
        total: None,
        filter: SessionFilter,
        by: SessionOrder
    }
    /// The global id.
    id: ID = Kind::Id;
    /// Whose rights it has.
    account: Option<Account> = Kind::One(<Account as Noun>::table, "account_id");
    /// Who really acts, where that is a delegate.
    actor: Option<Account> = Kind::One(<Account as Noun>::table, "actor_id");
    /// How it came to be.
    kind: SessionKind = Kind::Column("kind");
    /// What it is for, or what it was opened with.
    name: String = Kind::Column("name");
    /// Whether nothing may be changed with it.
    isReadOnly: bool = Kind::Boolean("is_read_only");
    /// The address that it was opened from.
    address: Option<String> = Kind::Column("address");
    /// When it was opened.
    createdAt: Moment = Kind::Column("created_at");
    /// When it ends by itself.
    expiresAt: Moment = Kind::Column("expires_at");
    /// When it was ended.
    revokedAt: Option<Moment> = Kind::Column("revoked_at");
}

order! { SessionOrder by SessionOrderField {
    /// When it was opened.
    CreatedAt = SortKey::column("{t}.created_at", "created_at", SortType::Moment),
} }

filter! {
    /// Demands on sessions and tokens.
    SessionFilter {
        /// What it is for.
        name: TextFilter = |name| name.condition("name", &["name"]),
        /// Whose rights it has.
        account: RelationFilter<AccountFilter> = |account| account.condition("account_id", <Account as Noun>::table()),
    }
}

/// Who signs in.
#[derive(InputObject)]
pub(crate) struct SignInInput {
    /// The sign-in address.
    email: String,
    /// The password.
    #[graphql(secret)]
    password: String,
}

/// A token to be made.
#[derive(InputObject)]
pub(crate) struct CreateTokenInput {
    /// The account whose rights it has; one's own when left out.
    account_id: Option<ID>,
    /// What it is for.
    name: String,
    /// How many days it lasts, at most 366.
    #[graphql(default = 90)]
    days: i32,
    /// Whether nothing may be changed with it.
    #[graphql(default = false)]
    is_read_only: bool,
}

/// An account to be made.
#[derive(InputObject)]
pub(crate) struct CreateAccountInput {
    /// The sign-in address.
    email: String,
    /// The name shown to colleagues.
    name: String,
    /// The telephone number.
    phone: Option<String>,
    /// What it may see and do.
    role: Role,
    /// The unit that it works for.
    unit_id: Option<ID>,
    /// The region that the role is about, where that is not the unit's.
    region_id: Option<ID>,
    /// The first password, 10 letters at least; none for who signs in by a provider or with tokens only.
    #[graphql(secret)]
    password: Option<String>,
    /// The last day on which it may be used.
    valid_until: Option<Date>,
}

/// What came of signing in, or of making a token.
#[derive(SimpleObject)]
pub(crate) struct SignInPayload {
    /// What to send as `Authorization: Bearer …`, and in `connection_init` as `{"authorization": "Bearer …"}`. It is shown
    /// this once.
    token: Option<String>,
    /// When it ends by itself.
    expires_at: Option<Moment>,
    /// Why there is none; empty when there is.
    errors: Vec<UserError>,
}

impl SignInPayload {
    pub(crate) fn new(opened: Option<Opened>, errors: Vec<UserError>) -> Self {
        let expires_at = opened.as_ref().map(|opened| Moment(opened.session.expires_at));
        Self { token: opened.map(|opened| opened.secret), expires_at, errors }
    }
}

/// What came of ending a session.
#[derive(SimpleObject)]
pub(crate) struct EndSessionPayload {
    /// Whether it was open and is ended now.
    ended: bool,
    /// Why it was not ended; empty where it was, and where there was none to end.
    errors: Vec<UserError>,
}

payload! {
    /// What came of making or changing an account.
    AccountPayload {
        /// The account as it is now; null when nothing was changed.
        account: Account,
        /// Why not; empty when it was.
        errors
    }
}

/// An account of the demo, to be signed in to by one click.
#[derive(SimpleObject)]
pub(crate) struct DemoAccount {
    /// The account's global id, to sign in with.
    account_id: ID,
    /// The name.
    name: String,
    /// What it may see and do.
    role: Role,
    /// The name of the region that its role is about.
    region: Option<String>,
}

/// Asking who there is to sign in as.
#[derive(Default)]
pub(crate) struct AccountQuery;

#[Object]
impl AccountQuery {
    /// The accounts that the demo made; empty unless the program runs a demo on this machine only.
    async fn demo_accounts(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<DemoAccount>> {
        let request = ctx.data::<Request>()?;
        if !request.demo_sign_in {
            return Ok(Vec::new());
        }
        let place = accounts::Entity::belongs_to(regions::Entity)
            .from(accounts::Column::RegionId)
            .to(regions::Column::Id)
            .into();
        let found = accounts::Entity::find()
            .select_also(regions::Entity)
            .join(JoinType::LeftJoin, place)
            .filter(accounts::Column::IsDemo.eq(true))
            .order_by_asc(accounts::Column::Id);
        let rows = found.all(&request.db).await.map_err(|failure| masked(&failure))?;
        let account = |(row, place): (accounts::Model, Option<regions::Model>)| DemoAccount {
            account_id: ID(format!("account_{}", row.id)),
            name: row.name,
            role: row.role.into(),
            region: place.map(|place| place.name),
        };
        Ok(rows.into_iter().map(account).collect())
    }
}

/// What is done to accounts and sessions.
#[derive(Default)]
pub(crate) struct AccountMutation;

#[Object]
impl AccountMutation {
    /// Opens a session with an address and a password. Five wrong passwords in a row lock the account for a quarter of an
    /// hour, and its owner is told by mail.
    async fn sign_in(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who signs in.")] input: SignInInput,
    ) -> async_graphql::Result<SignInPayload> {
        let request = ctx.data::<Request>()?;
        let times = (request.now, request.zone);
        let done = acts::sign_in(&request.db, &input.email, &input.password, request.by.address.clone(), times).await;
        let (opened, errors) = outcome(done, request.language)?;
        Ok(SignInPayload::new(opened, errors))
    }

    /// Opens a session as an account of the demo; only where the demo runs on this machine only.
    async fn sign_in_as_demo(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account.")] account_id: ID,
    ) -> async_graphql::Result<SignInPayload> {
        let request = ctx.data::<Request>()?;
        let found = match key_of::<Account>(&account_id).filter(|_| request.demo_sign_in) {
            Some(key) => {
                let found = entity::account::Entity::find_by_id(key).one(&request.db).await;
                found.map_err(|failure| masked(&failure))?.filter(|account| account.is_demo)
            }
            None => None,
        };
        let done = match found {
            Some(account) => acts::open_demo(&request.db, account.id, request.by.address.clone(), request.now).await,
            None => Err(unknown("没有这个演示账户", "there is no such demo account", "accountId").into()),
        };
        let (opened, errors) = outcome(bare(done), request.language)?;
        Ok(SignInPayload::new(opened, errors))
    }

    /// Ends the session that asks.
    async fn sign_out(&self, ctx: &Context<'_>) -> async_graphql::Result<EndSessionPayload> {
        let request = ctx.data::<Request>()?;
        let (Some((session, _)), Some(account)) = (&request.admitted.session, request.principal().account) else {
            return Ok(EndSessionPayload { ended: false, errors: Vec::new() });
        };
        let done = acts::revoke(&request.db, &request.by, account, *session, request.now).await;
        let (ended, errors) = outcome(done, request.language)?;
        Ok(EndSessionPayload { ended: ended.unwrap_or(false), errors })
    }

    /// Ends one of one's own sessions or tokens; administrators end anybody's.
    async fn revoke_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session or token.")] session_id: ID,
    ) -> async_graphql::Result<EndSessionPayload> {
        let request = ctx.data::<Request>()?;
        let key = key_of::<Session>(&session_id).unwrap_or_default();
        let found =
            entity::session::Entity::find_by_id(key).one(&request.db).await.map_err(|failure| masked(&failure))?;
        let owner = found.map(|session| session.account_id);
        let is_own = owner.is_some() && owner == request.principal().account;
        let done = match owner.filter(|_| is_own || request.principal().may(Act::KeepAccounts)) {
            Some(owner) => acts::revoke(&request.db, &request.by, owner, key, request.now).await,
            None => Err(unknown("没有这个会话", "there is no such session", "sessionId").into()),
        };
        let (ended, errors) = outcome(bare(done), request.language)?;
        Ok(EndSessionPayload { ended: ended.unwrap_or(false), errors })
    }

    /// Makes a token for an integration, for one's own account; administrators make them for any.
    async fn create_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token.")] input: CreateTokenInput,
    ) -> async_graphql::Result<SignInPayload> {
        let request = ctx.data::<Request>()?;
        let principal = request.principal();
        let wanted = match &input.account_id {
            Some(id) => key_of::<Account>(id),
            None => principal.account,
        };
        // A token makes no token that can do more than itself.
        let is_own = wanted.is_some() && wanted == principal.account && !principal.is_read_only;
        let is_token = match &request.admitted.session {
            Some((session, _)) => {
                let found = entity::session::Entity::find_by_id(*session).one(&request.db).await;
                found.map_err(|failure| masked(&failure))?.is_some_and(|session| session.kind == Opening::Token)
            }
            None => false,
        };
        let done = match wanted.filter(|_| is_own || principal.may(Act::KeepAccounts)) {
            Some(_) if is_token => Err(Fault::new(
                FaultCode::NotAllowed,
                "令牌不能再生成令牌，请登录后操作",
                "a token makes no token: sign in",
                &["input"],
            )
            .into()),
            Some(account) => {
                let what = (input.name.as_str(), i64::from(input.days), input.is_read_only);
                acts::make_token(&request.db, &request.by, account, what, request.now).await
            }
            None => Err(unknown("没有这个账户", "there is no such account", "accountId").into()),
        };
        let (opened, errors) = outcome(done, request.language)?;
        Ok(SignInPayload::new(opened, errors))
    }

    /// Makes an account; for administrators.
    async fn create_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account.")] input: CreateAccountInput,
    ) -> async_graphql::Result<AccountPayload> {
        let request = ctx.data::<Request>()?;
        let done = if request.principal().may(Act::KeepAccounts) {
            create(request, input).await
        } else {
            Err(not_allowed(Act::KeepAccounts).into())
        };
        AccountPayload::of(done.map(|account| account.id), request)
    }

    /// Lets an account in no more, which also ends its sessions and tokens, or lets it in again; for administrators.
    async fn set_account_disabled(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account.")] account_id: ID,
        #[graphql(desc = "Whether nobody may sign in to it.")] disabled: bool,
    ) -> async_graphql::Result<AccountPayload> {
        let request = ctx.data::<Request>()?;
        let key = key_of::<Account>(&account_id).unwrap_or_default();
        let done = if request.principal().may(Act::KeepAccounts) {
            acts::set_disabled(&request.db, &request.by, key, disabled, request.now).await
        } else {
            Err(not_allowed(Act::KeepAccounts).into())
        };
        AccountPayload::of(bare(done).map(|()| key), request)
    }

    /// Sets a password, 10 letters at least, and ends the account's sessions: one's own, where one has one, or as an
    /// administrator anybody's.
    async fn set_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account; one's own when left out.")] account_id: Option<ID>,
        #[graphql(desc = "The new password.", secret)] password: String,
    ) -> async_graphql::Result<AccountPayload> {
        let request = ctx.data::<Request>()?;
        let principal = request.principal();
        let key = account_id.map_or(principal.account, |id| key_of::<Account>(&id));
        let is_own = key.is_some() && key == principal.account && !principal.is_read_only;
        let done = match key.filter(|_| is_own || principal.may(Act::KeepAccounts)) {
            Some(key) => acts::set_password(&request.db, &request.by, key, password, request.now).await.map(|()| key),
            None => Err(unknown("没有这个账户", "there is no such account", "accountId").into()),
        };
        AccountPayload::of(bare(done), request)
    }
}

async fn create(request: &Request, input: CreateAccountInput) -> ledger::Result<entity::account::Model> {
    let unit = match &input.unit_id {
        Some(id) => Some(key_of::<Unit>(id).ok_or_else(|| unknown("没有这个单位", "there is no such unit", "unitId"))?),
        None => None,
    };
    let region = match &input.region_id {
        Some(id) => {
            Some(key_of::<Region>(id).ok_or_else(|| unknown("没有这个行政区", "there is no such region", "regionId"))?)
        }
        None => None,
    };
    let new = acts::New {
        email: input.email,
        name: input.name,
        phone: input.phone,
        role: input.role.into(),
        unit,
        region,
        password: input.password,
        valid_until: input.valid_until.map(|day| day.0),
        is_demo: false,
    };
    let transaction = ledger::database::begin(&request.db).await?;
    let account = acts::create(&transaction, &request.by, new, request.now).await?;
    transaction.commit().await?;
    Ok(account)
}

fn unknown(zh: &str, en: &str, part: &str) -> Fault {
    Fault::new(FaultCode::NotFound, zh, en, &["input", part])
}
