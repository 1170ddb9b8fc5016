//! Accounts (填报人), their sessions and tokens. Signing in has a file of its own.

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use ledger::fault::{Fault, FaultCode};
use ledger::keep::Patch;
use ledger::people::account::{self as acts, Hashed, erase, link, password, session};
use planner::{Condition, Dimension, Kind, Named, Noun, SortKey, SortType, Sql, noun};
use sea_orm::ActiveEnum;

use crate::context::Request;
use crate::noun::region::Region;
use crate::noun::sign_in::{EndSessionPayload, SignInPayload};
use crate::noun::unit::{Unit, UnitFilter};
use crate::part::filter::{RelationFilter, TextFilter, filter};
use crate::part::order::order;
use crate::part::patch::{clearable, patch};
use crate::part::payload::{UserError, bare, key_of, outcome, payload};
use crate::part::scalar::{Date, Moment};

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

/// Whether signing in asks for a second factor, for those who may know the person.
fn second_factor(sql: &mut Sql<'_>, account: &str) -> String {
    let has_one = sql.boolean(&format!("{account}.totp_since IS NOT NULL"));
    match sql.seen("account.person", account) {
        Some(known) => format!("CASE WHEN {known} THEN {has_one} END"),
        None => has_one,
    }
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
    /// Whether signing in asks for a second factor; null for those outside the unit and its superiors.
    hasSecondFactor: Option<bool> = Kind::Expression(second_factor);
    /// When the person was erased; the account's number stays for what it has done.
    erasedAt: Option<Moment> = Kind::Column("erased_at");
    /// Grows with every correction; send it along with the next one.
    version: i32 = Kind::Column("version");
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
    /// When it was last used, to the minute.
    lastUsedAt: Option<Moment> = Kind::Column("last_used_at");
    /// Whether it only serves to set up the second factor that the role demands.
    isLimited: bool = Kind::Boolean("is_limited");
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
    /// The first password, 12 characters at least; none for who is invited, or signs in by a provider or with tokens only.
    #[graphql(secret)]
    password: Option<String>,
    /// The last day on which it may be used.
    valid_until: Option<Date>,
    /// Whether its owner is invited by mail to set a password.
    #[graphql(default = false)]
    is_invited: bool,
}

/// Corrections of an account: what is left out stays, null clears.
#[derive(InputObject)]
pub(crate) struct UpdateAccountInput {
    /// The account; one's own when left out.
    account_id: Option<ID>,
    /// The version that was read; a correction of another one is refused.
    version: Option<i32>,
    /// The sign-in address; asks for `currentPassword`.
    email: MaybeUndefined<String>,
    /// The name shown to colleagues.
    name: MaybeUndefined<String>,
    /// The telephone number.
    phone: MaybeUndefined<String>,
    /// What it may see and do; for administrators.
    role: MaybeUndefined<Role>,
    /// The unit that it works for; for administrators.
    unit_id: MaybeUndefined<ID>,
    /// The region that the role is about; the unit's where only the unit changes; for administrators.
    region_id: MaybeUndefined<ID>,
    /// The last day on which it may be used; for administrators.
    valid_until: MaybeUndefined<Date>,
    /// The password of who asks, where the address changes.
    #[graphql(secret)]
    current_password: Option<String>,
}

/// An account to be erased.
#[derive(InputObject)]
pub(crate) struct EraseAccountInput {
    /// The account.
    account_id: ID,
    /// The password of who asks.
    #[graphql(secret)]
    current_password: Option<String>,
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

/// What came of asking for a copy of what is kept of a person.
#[derive(SimpleObject)]
pub(crate) struct ExportAccountPayload {
    /// The copy as JSON text; null when it is not given.
    data: Option<String>,
    /// Why it is not given; empty when it is.
    errors: Vec<UserError>,
}

/// What is done to accounts, sessions and tokens.
#[derive(Default)]
pub(crate) struct AccountMutation;

#[Object]
impl AccountMutation {
    /// Ends one of one's own sessions or tokens; administrators end anybody's.
    async fn revoke_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session or token.")] session_id: ID,
    ) -> async_graphql::Result<EndSessionPayload> {
        let request = ctx.data::<Request>()?;
        let done = session::revoke(&request.desk(), key_of::<Session>(&session_id).unwrap_or_default()).await;
        EndSessionPayload::of(bare(done), request)
    }

    /// Makes a token for an integration, for one's own account; administrators make them for any. A token makes no token.
    async fn create_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token.")] input: CreateTokenInput,
    ) -> async_graphql::Result<SignInPayload> {
        let request = ctx.data::<Request>()?;
        let wanted = own_or(request, input.account_id.as_ref());
        let what = (input.name.as_str(), i64::from(input.days), input.is_read_only);
        let done = session::make_token(&request.desk(), wanted.unwrap_or_default(), what).await;
        SignInPayload::of(done, request)
    }

    /// Makes an account; for administrators. A token makes no administrator, and gives nobody a password.
    async fn create_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account.")] input: CreateAccountInput,
    ) -> async_graphql::Result<AccountPayload> {
        let request = ctx.data::<Request>()?;
        AccountPayload::of(create(request, input).await.map(|account| account.id), request)
    }

    /// Corrects an account: one's own name, telephone and address, or as an administrator anything of anybody's. What
    /// changes the address or rights ends the account's sessions and tokens; a new address is told to both addresses.
    async fn update_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What changes.")] input: UpdateAccountInput,
    ) -> async_graphql::Result<AccountPayload> {
        let request = ctx.data::<Request>()?;
        AccountPayload::of(update(request, input).await, request)
    }

    /// Invites the owner of an account by mail to set a password; for administrators.
    async fn invite_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account.")] account_id: ID,
    ) -> async_graphql::Result<AccountPayload> {
        let request = ctx.data::<Request>()?;
        let key = key_of::<Account>(&account_id).unwrap_or_default();
        AccountPayload::of(bare(link::invite(&request.desk(), key).await).map(|()| key), request)
    }

    /// Lets an account in no more, which also ends its sessions, tokens and delegations, or lets it in again; for
    /// administrators.
    async fn set_account_disabled(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account.")] account_id: ID,
        #[graphql(desc = "Whether nobody may sign in to it.")] disabled: bool,
    ) -> async_graphql::Result<AccountPayload> {
        let request = ctx.data::<Request>()?;
        let key = key_of::<Account>(&account_id).unwrap_or_default();
        let done = acts::set_disabled(&request.desk(), key, disabled).await;
        AccountPayload::of(bare(done).map(|()| key), request)
    }

    /// Sets a password, 12 characters at least: one's own, where one has one, or as an administrator anybody's. Asks for the
    /// current password of who asks, and ends every session, token and delegation of the account.
    async fn set_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account; one's own when left out.")] account_id: Option<ID>,
        #[graphql(desc = "The new password.", secret)] password: String,
        #[graphql(
            desc = "The password of who asks; none for who has none and signed in within the last ten minutes.",
            secret
        )]
        current_password: Option<String>,
    ) -> async_graphql::Result<AccountPayload> {
        let request = ctx.data::<Request>()?;
        let done = match own_or(request, account_id.as_ref()) {
            Some(key) => {
                let done = password::set(&request.desk(), key, password, current_password.as_deref()).await;
                done.map(|()| key)
            }
            None => Err(unknown("没有这个账户", "there is no such account", "accountId").into()),
        };
        AccountPayload::of(bare(done), request)
    }

    /// Gives a copy of what is kept of a person, as JSON text: one's own, or as an administrator anybody's. It is noted.
    async fn export_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account; one's own when left out.")] account_id: Option<ID>,
    ) -> async_graphql::Result<ExportAccountPayload> {
        let request = ctx.data::<Request>()?;
        let key = own_or(request, account_id.as_ref()).unwrap_or_default();
        let (data, errors) = outcome(bare(erase::export(&request.desk(), key).await), request.language)?;
        Ok(ExportAccountPayload { data: data.map(|data| data.to_string()), errors })
    }

    /// Erases a person: name, address, telephone and all means to sign in go for good; what the account has done stays under
    /// its number. For administrators.
    async fn erase_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account.")] input: EraseAccountInput,
    ) -> async_graphql::Result<AccountPayload> {
        let request = ctx.data::<Request>()?;
        let key = key_of::<Account>(&input.account_id).unwrap_or_default();
        AccountPayload::of(erase::erase(&request.desk(), key, input.current_password.as_deref()).await, request)
    }
}

/// The account of an id; that of who asks where there is none.
fn own_or(request: &Request, id: Option<&ID>) -> Option<i64> {
    id.map_or(request.principal().account, key_of::<Account>)
}

fn unit_key(id: &ID) -> ledger::Result<i64> {
    Ok(key_of::<Unit>(id).ok_or_else(|| unknown("没有这个单位", "there is no such unit", "unitId"))?)
}

fn region_key(id: &ID) -> ledger::Result<i64> {
    Ok(key_of::<Region>(id).ok_or_else(|| unknown("没有这个行政区", "there is no such region", "regionId"))?)
}

async fn create(request: &Request, input: CreateAccountInput) -> ledger::Result<entity::account::Model> {
    acts::may_create(&request.desk(), input.role.into(), input.password.is_some())?;
    let password = match input.password {
        Some(given) => Some(Hashed::of(given, &input.email, &input.name).await?),
        None => None,
    };
    let new = acts::New {
        email: input.email,
        name: input.name,
        phone: input.phone,
        role: input.role.into(),
        unit: input.unit_id.as_ref().map(unit_key).transpose()?,
        region: input.region_id.as_ref().map(region_key).transpose()?,
        password,
        valid_until: input.valid_until.map(|day| day.0),
        is_demo: false,
    };
    acts::create_one(&request.desk(), new, input.is_invited).await
}

async fn update(request: &Request, input: UpdateAccountInput) -> ledger::Result<i64> {
    let key = own_or(request, input.account_id.as_ref())
        .ok_or_else(|| unknown("没有这个账户", "there is no such account", "accountId"))?;
    let keys = |given: MaybeUndefined<ID>, key: fn(&ID) -> ledger::Result<i64>| match given {
        MaybeUndefined::Undefined => Ok(Patch::Keep),
        MaybeUndefined::Null => Ok(Patch::Set(None)),
        MaybeUndefined::Value(id) => key(&id).map(|key| Patch::Set(Some(key))),
    };
    let edit = acts::Edit {
        version: input.version,
        email: patch(input.email, "email")?,
        name: patch(input.name, "name")?,
        phone: clearable(input.phone),
        role: match patch(input.role, "role")? {
            Patch::Keep => Patch::Keep,
            Patch::Set(role) => Patch::Set(role.into()),
        },
        unit: keys(input.unit_id, unit_key)?,
        region: keys(input.region_id, region_key)?,
        valid_until: clearable(match input.valid_until {
            MaybeUndefined::Value(day) => MaybeUndefined::Value(day.0),
            MaybeUndefined::Null => MaybeUndefined::Null,
            MaybeUndefined::Undefined => MaybeUndefined::Undefined,
        }),
    };
    acts::edit(&request.desk(), key, edit, input.current_password.as_deref()).await
}

fn unknown(zh: &str, en: &str, part: &str) -> Fault {
    Fault::new(FaultCode::NotFound, zh, en, &["input", part])
}
