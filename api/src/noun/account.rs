//! Accounts (填报人), their sessions and tokens: types, filters and mutations. Signing in is in `sign_in.rs`.

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use ledger::fault::{self, Thing};
use ledger::keep::Patch;
use ledger::people::account::{self as acts, Hashed, erase, link, new_password, session};
use ledger::people::saved_view;
use planner::{Condition, Connection, Dimension, Kind, Link, Noun, SortKey, SortType, Sql, noun};

use crate::context::{Request, Wish};
use crate::noun::mail::Mail;
use crate::noun::region::{Region, SubtreeFilter};
use crate::noun::saved_view::{DeleteViewInput, SaveViewInput, SavedView, SavedViewPayload};
use crate::noun::sign_in::{EndSessionPayload, SignInPayload};
use crate::noun::task::Task;
use crate::noun::unit::{Unit, UnitFilter};
use crate::part::filter::{DateTimeFilter, RelationFilter, TextFilter, filter, one_of};
use crate::part::group;
use crate::part::order::order;
use crate::part::patch::{clearable, patch};
use crate::part::payload::{DeletePayload, UserError, key_of, outcome, payload};
use crate::part::reread::Reread;
use crate::part::scalar::{Date, Moment};

/// Role of an account: decides what the account may see and do.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::account::Role")]
pub(crate) enum Role {
    /// 区整改办 · Regional rectification office: sees everything in its region; issues problems and measures, changes
    /// deadlines, closes, reopens and makes spot checks.
    RegionalOffice,
    /// 市整改办 · City rectification office: sees its region and everything below it; assigns measures, verifies,
    /// returns and supports extensions.
    CityOffice,
    /// 县整改办 · County rectification office: sees its region and everything below it; takes on assignments, makes
    /// self-inspections and applies for close-out.
    CountyOffice,
    /// 牵头单位 · Lead unit: sees the measures that it leads and all assignments to them; consolidates them and
    /// publishes notices.
    LeadUnit,
    /// 责任单位 · Responsible unit: sees its own assignments; reports progress, uploads evidence and applies for
    /// close-out.
    ResponsibleUnit,
    /// 督导单位 · Supervising unit: sees what it supervises; checks it and urges progress (催办).
    SupervisingUnit,
    /// 领导 · Leader: sees a region and everything below it; comments.
    Leader,
    /// 督察组 · Inspection team: reads a region and everything below it, until the account's `validUntil`.
    Inspector,
    /// 系统管理员 · System administrator: manages accounts, dictionaries, schedules and mail; sees no problems,
    /// measures or cases.
    Administrator,
}

/// Language that mails are written in.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::language::Language")]
pub(crate) enum Language {
    /// 中文 · Chinese.
    Zh,
    /// 英文 · English.
    En,
}

/// Kind of a session: opened by signing in, or created as a token.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "entity::session::SessionKind")]
pub(crate) enum SessionKind {
    /// 登录会话 · Session opened by signing in.
    Session,
    /// 访问令牌 · Token created for an integration.
    Token,
}

/// Returns SQL for the account's name: in full for callers who may see the person's data, else the first character and
/// `**`.
fn name(sql: &mut Sql<'_>, account: &str) -> String {
    masked_unless_known(sql, account, &format!("substr({account}.name, 1, 1) || '**'"), "name")
}

/// Returns SQL for the telephone number: in full for callers who may see the person's data, else masked as
/// `138****1234`. A number shorter than 11 characters is masked entirely, because its first three and last four digits
/// would reveal all or most of it.
fn phone(sql: &mut Sql<'_>, account: &str) -> String {
    let phone = format!("{account}.phone");
    let mask = format!(
        "CASE WHEN length({phone}) < 11 THEN '****' \
         ELSE substr({phone}, 1, 3) || '****' || substr({phone}, length({phone}) - 3) END"
    );
    masked_unless_known(sql, account, &mask, "phone")
}

/// Returns SQL for the sign-in address; NULL for callers who may not see the person's data.
fn email(sql: &mut Sql<'_>, account: &str) -> String {
    masked_unless_known(sql, account, "NULL", "email")
}

/// Returns SQL for whether signing in requires a second factor; NULL for callers who may not see the person's data.
fn second_factor(sql: &mut Sql<'_>, account: &str) -> String {
    let has_one = sql.boolean(&format!("{account}.totp_since IS NOT NULL"));
    match sql.seen("account.person", account) {
        Some(known) => format!("CASE WHEN {known} THEN {has_one} END"),
        None => has_one,
    }
}

/// Returns SQL for the last sign-in; NULL for callers who may not see the person's data.
fn signed_in_at(sql: &mut Sql<'_>, account: &str) -> String {
    masked_unless_known(sql, account, "NULL", "signed_in_at")
}

/// Returns SQL for whether the caller may see the person's data.
fn is_known(sql: &mut Sql<'_>, account: &str) -> String {
    sql.seen("account.person", account).unwrap_or_else(|| "TRUE".to_owned())
}

/// Returns a condition on personal data, which accounts whose data the caller may not see never satisfy: otherwise a
/// filter would tell what is masked.
fn of_known(condition: Condition) -> Condition {
    Condition::Holds(is_known, true).and(condition)
}

fn masked_unless_known(sql: &mut Sql<'_>, account: &str, mask: &str, column: &str) -> String {
    match sql.seen("account.person", account) {
        Some(known) => format!("CASE WHEN {known} THEN {account}.{column} ELSE {mask} END"),
        None => format!("{account}.{column}"),
    }
}

/// The mails to an account: to its address, or to one of its unit's.
const INBOX: &str = "SELECT i.id FROM mail i WHERE i.recipient = {t}.email \
    OR i.recipient IN (SELECT x.address FROM unit_address x WHERE x.unit_id = {t}.unit_id)";

const KEY: SortKey = SortKey::column("{t}.id", "id", SortType::Integer);

// Lists are ordered by personal data as the caller sees them: masked or absent where they are for the caller. A
// masked name is ordered by its first character (`name_order::WIDTH`).
const NAME: SortKey = SortKey::expression(
    "CASE WHEN {sees:account.person:{t}} THEN {t}.name_order ELSE substr({t}.name_order, 1, 8) END",
    SortType::Text,
);
const EMAIL: SortKey = SortKey::expression(
    "coalesce(CASE WHEN {sees:account.person:{t}} THEN {t}.email END, '\u{10FFFF}')",
    SortType::Text,
);
const SIGNED_IN_AT: SortKey = SortKey::expression(
    "coalesce(CASE WHEN {sees:account.person:{t}} THEN {t}.signed_in_at END, '9999-12-31T00:00:00+00:00')",
    SortType::Moment,
);
const REGION: SortKey = SortKey::expression(
    "coalesce((SELECT r.code FROM region r WHERE r.id = {t}.region_id), '999999999999')",
    SortType::Text,
);

const GROUPS: &[Dimension] = &[
    Dimension::plain("ROLE", "角色 · Role of the account.", "{t}.role"),
    Dimension::of("UNIT", "所属单位 · Unit that the user of the account works for.", "{t}.unit_id", group::A_UNIT),
    Dimension::of("REGION", "行政区 · Region to which the role applies.", "{t}.region_id", group::A_REGION),
];

const SESSION_GROUPS: &[Dimension] =
    &[Dimension::plain("KIND", "会话类型 · Kind: a session of a browser, or a token.", "{t}.kind")];

noun! {
    /// A user of the system (填报人). Name, telephone number and e-mail address are personal data: they are shown in
    /// full to the user, to accounts of the same unit, to superior offices and leaders and to administrators, and
    /// masked for everyone else.
    pub(crate) Account from "account" as "account" {
        order: &[KEY],
        total: None,
        filter: AccountFilter,
        by: AccountOrder,
        groups: GROUPS
    }
    /// Global id of the account, for example `account_12`.
    id: ID = Kind::Id;
    /// Name of the user; masked (`张**`) for callers outside the unit and its superiors.
    name: String = Kind::Expression(name);
    /// Telephone number; masked (`138****1234`) for callers outside the unit and its superiors. Null if none is
    /// recorded.
    phone: Option<String> = Kind::Expression(phone);
    /// Language of mails to the user; null if it is that of the unit.
    language: Option<Language> = Kind::Column("language");
    /// Whether digests of deadlines to the user bring a calendar of them (iCalendar).
    hasCalendar: bool = Kind::Boolean("attaches_calendar");
    /// Mails to the account's address, or to an address of its unit, the oldest first by default; those that the caller
    /// may see.
    inbox(pages Mail): Connection<Mail> = Link::Among(INBOX);
    /// E-mail address that the user signs in with; null for callers outside the unit and its superiors.
    email: Option<String> = Kind::Expression(email);
    /// Role of the account, which decides what it may see and do.
    role: Role = Kind::Column("role");
    /// Unit that the user works for; null if the account belongs to none.
    unit: Option<Unit> = Kind::One(<Unit as Noun>::table, "unit_id");
    /// Region that the role applies to; null if the account has none, which only an administrator's may.
    region: Option<Region> = Kind::One(<Region as Noun>::table, "region_id");
    /// Last local date on which the account can be used; null if it does not expire.
    validUntil: Option<Date> = Kind::Column("valid_until");
    /// What waits for the account, the most urgent first; its groups count the kinds. The caller sees tasks about what
    /// it may see itself.
    tasks(pages Task): Connection<Task> = Link::Inside;
    /// Whether the account is disabled, so that signing in to it is refused.
    isDisabled: bool = Kind::Boolean("is_disabled");
    /// Whether signing in requires a second factor; null for callers outside the unit and its superiors.
    hasSecondFactor: Option<bool> = Kind::Expression(second_factor);
    /// When the user last signed in; null if they never did, and for callers outside the unit and its superiors.
    signedInAt: Option<Moment> = Kind::Expression(signed_in_at);
    /// When the user's personal data was erased; null if it was not. The account keeps its id, so that what it has done
    /// stays attributed to it.
    erasedAt: Option<Moment> = Kind::Column("erased_at");
    /// Version number, increased by every correction and by erasure. Pass it to `updateAccount` so that a concurrent
    /// change is detected (`STALE_VERSION`).
    version: i32 = Kind::Column("version");
    /// When the account was created.
    createdAt: Moment = Kind::Column("created_at");
}

order! { AccountOrder by AccountOrderField {
    /// 姓名 · Name of the user, as the caller sees it, in the order of a Chinese dictionary (pinyin).
    Name = NAME,
    /// 邮箱 · E-mail address; those that the caller may not see come last, or first in descending order.
    Email = EMAIL,
    /// 行政区 · Division code of the region that the role applies to;
    /// accounts without one come last, or first in descending order.
    Region = REGION,
    /// 最近登录 · When the user last signed in;
    /// those who never did, or whose sign-in the caller may not see, come last, or first in descending order.
    SignedInAt = SIGNED_IN_AT,
    /// 创建时间 · When the account was created.
    CreatedAt = SortKey::column("{t}.created_at", "created_at", SortType::Moment),
} }

filter! {
    /// Conditions on accounts. All that are given have to hold.
    AccountFilter {
        /// Condition on the name of the user. Accounts whose name is masked for the caller never satisfy it.
        name: TextFilter = |name| of_known(name.condition("name", &["name"])),
        /// Condition on the e-mail address. Accounts whose address the caller may not see never satisfy it.
        email: TextFilter = |email| of_known(email.condition("email", &["email"])),
        /// Condition on when the user last signed in. Accounts whose sign-in the caller may not see never satisfy it.
        signed_in_at: DateTimeFilter = |at| of_known(at.condition("signed_in_at")),
        /// Condition on the unit that the user works for.
        unit: RelationFilter<UnitFilter> = |unit| unit.condition("unit_id", <Unit as Noun>::table()),
        /// The account has one of these roles.
        role: Vec<Role> = |roles| one_of::<_, entity::account::Role>("role", roles),
        /// True: only disabled accounts. False: only those in use.
        is_disabled: bool = |disabled| Condition::Compare("is_disabled", "=", (*disabled).into()),
        /// Condition on the region to which the role applies.
        region: SubtreeFilter = |region| region.below(),
    }
}

const OPENED: SortKey = SortKey::column("{t}.id", "id", SortType::Integer);

noun! {
    /// A session opened by signing in, or a token created for an integration.
    pub(crate) Session from "session" as "session" {
        order: &[OPENED.reversed()],
        total: None,
        filter: SessionFilter,
        by: SessionOrder,
        groups: SESSION_GROUPS
    }
    /// Global id of the session or token, for example `session_7`.
    id: ID = Kind::Id;
    /// Account whose rights the session has; null if the caller may not see it.
    account: Option<Account> = Kind::One(<Account as Noun>::table, "account_id");
    /// Account of the delegate who acts in the session; null if its own user acts, or if the caller may not see the
    /// delegate.
    actor: Option<Account> = Kind::One(<Account as Noun>::table, "actor_id");
    /// Whether it is a session opened by signing in or a token.
    kind: SessionKind = Kind::Column("kind");
    /// Purpose of a token, or how a session was opened, for example `密码登录`.
    name: String = Kind::Column("name");
    /// Whether the session can only read: every change is refused.
    isReadOnly: bool = Kind::Boolean("is_read_only");
    /// Network address from which the session was opened; null if none is recorded, as for tokens.
    address: Option<String> = Kind::Column("address");
    /// When the session was opened or the token created.
    createdAt: Moment = Kind::Column("created_at");
    /// When the session or token expires, unless it is revoked before. A session also ends after it was idle too long.
    expiresAt: Moment = Kind::Column("expires_at");
    /// When the session or token was revoked; null if it was not.
    revokedAt: Option<Moment> = Kind::Column("revoked_at");
    /// When the session or token was last used, to the minute; null if no use is recorded.
    lastUsedAt: Option<Moment> = Kind::Column("last_used_at");
    /// Whether the session can only be used to set up the second factor that the account's role requires.
    isLimited: bool = Kind::Boolean("is_limited");
    /// Whether it is the secret address of the account's calendar of deadlines, which opens nothing else.
    isCalendar: bool = Kind::Boolean("is_calendar");
}

order! { SessionOrder by SessionOrderField {
    /// 创建时间 · When the session was opened or the token created.
    CreatedAt = SortKey::column("{t}.created_at", "created_at", SortType::Moment),
} }

filter! {
    /// Conditions on sessions and tokens. All that are given have to hold.
    SessionFilter {
        /// Condition on the purpose of the token, or on how the session was opened.
        name: TextFilter = |name| name.condition("name", &["name"]),
        /// Condition on the account whose rights the session has.
        account: RelationFilter<AccountFilter> = |account| account.condition("account_id", <Account as Noun>::table()),
    }
}

/// Input of `createToken`: purpose, lifetime and rights of the new token.
#[derive(InputObject)]
pub(crate) struct CreateTokenInput {
    /// Account whose rights the token has; the caller's own if left out.
    account_id: Option<ID>,
    /// Purpose of the token, 1 to 60 characters.
    name: String,
    /// Lifetime of the token in days, 1 to 366.
    #[graphql(default = 90)]
    days: i32,
    /// Whether the token can only read.
    #[graphql(default = false)]
    is_read_only: bool,
}

/// Input of `createAccount`: the user, the role and the place of the new account.
#[derive(InputObject)]
pub(crate) struct CreateAccountInput {
    /// E-mail address to sign in with, at most 200 bytes. It is stored in lower case, and no other account may have it.
    email: String,
    /// Name shown to colleagues, 1 to 40 characters.
    name: String,
    /// Telephone number, 1 to 40 characters; none if left out.
    phone: Option<String>,
    /// Language of mails to the user; that of the unit, else of the installation, if left out.
    language: Option<Language>,
    /// Role of the account, which decides what it may see and do.
    role: Role,
    /// Unit that the user works for. `LEAD_UNIT`, `RESPONSIBLE_UNIT` and `SUPERVISING_UNIT` require one.
    unit_id: Option<ID>,
    /// Region that the role applies to; the unit's region if left out. Every role except `ADMINISTRATOR` requires a
    /// unit or a region.
    region_id: Option<ID>,
    /// Initial password, 12 to 200 characters. Leave it out for a user who is invited, or who signs in only through an
    /// identity provider or with tokens.
    #[graphql(secret)]
    password: Option<String>,
    /// Last local date on which the account can be used; it does not expire if left out. `INSPECTOR` requires one.
    valid_until: Option<Date>,
    /// Whether the user is invited by mail to set a password.
    #[graphql(default = false)]
    is_invited: bool,
}

/// Input of `updateAccount`. A field that is left out stays as it is; null clears a field that may be empty, and is
/// refused for any other.
#[derive(InputObject)]
pub(crate) struct UpdateAccountInput {
    /// Account to correct; the caller's own if left out.
    account_id: Option<ID>,
    /// Version of the account that the caller read; the correction is refused if it is outdated. Not checked if left
    /// out.
    version: Option<i32>,
    /// E-mail address to sign in with. Changing it requires `currentPassword`.
    email: MaybeUndefined<String>,
    /// Name shown to colleagues, 1 to 40 characters.
    name: MaybeUndefined<String>,
    /// Telephone number, 1 to 40 characters; null removes it.
    phone: MaybeUndefined<String>,
    /// Language of mails to the user; null means that of the unit, else of the installation.
    language: MaybeUndefined<Language>,
    /// Whether digests of deadlines to the user bring a calendar of them; cannot be null.
    has_calendar: MaybeUndefined<bool>,
    /// Role of the account. Only administrators may change it.
    role: MaybeUndefined<Role>,
    /// Unit that the user works for. Only administrators may change it; null removes it.
    unit_id: MaybeUndefined<ID>,
    /// Region that the role applies to; the new unit's region if only the unit changes. Only administrators may change
    /// it.
    region_id: MaybeUndefined<ID>,
    /// Last local date on which the account can be used. Only administrators may change it; null removes the limit.
    valid_until: MaybeUndefined<Date>,
    /// Current password of the caller, required to change the address. A caller who has no password must have signed in
    /// within the last ten minutes.
    #[graphql(secret)]
    current_password: Option<String>,
}

/// Input of `revokeSession`: the session or token to revoke.
#[derive(InputObject)]
pub(crate) struct RevokeSessionInput {
    /// Global id of the session or token to revoke.
    session_id: ID,
}

/// Input of `inviteAccount`: the account whose user is invited.
#[derive(InputObject)]
pub(crate) struct InviteAccountInput {
    /// Global id of the account whose user is invited.
    account_id: ID,
}

/// Input of `setAccountDisabled`: the account, and whether it is disabled.
#[derive(InputObject)]
pub(crate) struct SetAccountDisabledInput {
    /// Global id of the account to disable or enable.
    account_id: ID,
    /// True disables the account, false enables it again.
    is_disabled: bool,
}

/// Input of `setPassword`: the new password, and the caller's proof of identity.
#[derive(InputObject)]
pub(crate) struct SetPasswordInput {
    /// Account whose password is set; the caller's own if left out.
    account_id: Option<ID>,
    /// New password, 12 to 200 characters.
    #[graphql(secret)]
    password: String,
    /// Current password of the caller. A caller who has no password must have signed in within the last ten minutes.
    #[graphql(secret)]
    current_password: Option<String>,
}

/// Input of `exportAccount`: the person whose data is copied.
#[derive(InputObject)]
pub(crate) struct ExportAccountInput {
    /// Account whose data is copied; the caller's own if left out.
    account_id: Option<ID>,
}

/// Input of `eraseAccount`: the person to erase, and the caller's proof of identity.
#[derive(InputObject)]
pub(crate) struct EraseAccountInput {
    /// Account of the person to erase.
    account_id: ID,
    /// Current password of the caller. A caller who has no password must have signed in within the last ten minutes.
    #[graphql(secret)]
    current_password: Option<String>,
}

payload! {
    /// Result of creating or changing an account.
    AccountPayload {
        /// Account as it is now; null if the mutation was refused.
        account: Account,
        /// Reasons why the mutation was refused; empty if it was carried out.
        errors
    }
}

/// Result of `exportAccount`: a copy of the data kept about a person.
#[derive(SimpleObject)]
pub(crate) struct ExportAccountPayload {
    /// The copy as JSON text; null if the export was refused.
    data: Option<String>,
    /// Reasons why the export was refused; empty if it was carried out.
    errors: Vec<UserError>,
    #[graphql(flatten)]
    reread: Reread,
}

/// Mutations on accounts, sessions and tokens.
#[derive(Default)]
pub(crate) struct AccountMutation;

#[Object]
impl AccountMutation {
    /// Revokes a session or token. Callers may revoke their own, administrators any; a delegate only the session in
    /// use.
    async fn revoke_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Session or token to revoke.")] input: RevokeSessionInput,
    ) -> async_graphql::Result<EndSessionPayload> {
        let request = ctx.data::<Request>()?;
        let key = key_of::<Session>(&input.session_id).unwrap_or_default();
        EndSessionPayload::of(session::revoke(&request.acting(), key).await, request)
    }

    /// Creates a token for an integration: for the caller's own account or, as an administrator, for any account.
    /// Neither a token nor a delegate can create one.
    async fn create_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Account, purpose and lifetime of the token.")] input: CreateTokenInput,
    ) -> async_graphql::Result<SignInPayload> {
        let request = ctx.data::<Request>()?;
        let wanted = own_or(request, input.account_id.as_ref());
        let what = (input.name.as_str(), i64::from(input.days), input.is_read_only);
        let done = session::make_token(&request.acting(), wanted.unwrap_or_default(), what).await;
        SignInPayload::of(done, request)
    }

    /// Saves a view of a list for the caller (我的视图), in place of the one of the same name; at most 50. Not as a
    /// delegate.
    async fn save_view(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The view to save.")] input: SaveViewInput,
    ) -> async_graphql::Result<SavedViewPayload> {
        let request = ctx.data::<Request>()?;
        let SaveViewInput { name, list, filter, order_by, columns } = input;
        let (filtered, ordered) = (filter.as_deref(), order_by.as_deref());
        let wish = Wish { list: &list, filter: filtered, order_by: ordered, columns: columns.as_deref() };
        if let Err(fault) = (request.check_list)(&wish) {
            return SavedViewPayload::of(Err::<i64, _>(fault.into()), request);
        }
        let new = saved_view::New { name, list, filter, order_by, columns };
        SavedViewPayload::of(saved_view::save(&request.acting(), new).await, request)
    }

    /// Deletes a view that the caller has saved.
    async fn delete_view(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The view to delete.")] input: DeleteViewInput,
    ) -> async_graphql::Result<DeletePayload> {
        let request = ctx.data::<Request>()?;
        let done = saved_view::delete(&request.acting(), key_of::<SavedView>(&input.view_id)).await;
        DeletePayload::of(done, input.view_id, request.language)
    }

    /// Creates an account. For administrators. Neither a token nor a delegate can create an administrator or set a
    /// password.
    async fn create_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "User, role and place of the new account.")] input: CreateAccountInput,
    ) -> async_graphql::Result<AccountPayload> {
        let request = ctx.data::<Request>()?;
        AccountPayload::of(create(request, input).await.map(|account| account.id), request)
    }

    /// Corrects an account. Callers may change their own name, telephone number and address; administrators may change
    /// every field of any account. A change of the address or the rights ends the account's sessions, tokens and
    /// delegations. A new address is announced by mail to both the old and the new address.
    async fn update_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Account, and the fields to change.")] input: UpdateAccountInput,
    ) -> async_graphql::Result<AccountPayload> {
        let request = ctx.data::<Request>()?;
        AccountPayload::of(update(request, input).await, request)
    }

    /// Invites the user of an account by mail to set a password; the link works for 72 hours. For administrators.
    async fn invite_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Account whose user is invited.")] input: InviteAccountInput,
    ) -> async_graphql::Result<AccountPayload> {
        let request = ctx.data::<Request>()?;
        let key = key_of::<Account>(&input.account_id).unwrap_or_default();
        AccountPayload::of(link::invite(&request.acting(), key).await.map(|()| key), request)
    }

    /// Disables an account, which ends its sessions, tokens and delegations for good, or enables it again. For
    /// administrators.
    async fn set_account_disabled(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Account, and whether it is disabled.")] input: SetAccountDisabledInput,
    ) -> async_graphql::Result<AccountPayload> {
        let request = ctx.data::<Request>()?;
        let key = key_of::<Account>(&input.account_id).unwrap_or_default();
        let done = acts::set_disabled(&request.acting(), key, input.is_disabled).await;
        AccountPayload::of(done.map(|()| key), request)
    }

    /// Sets a password. Callers may replace their own; administrators may set that of any account, and only they can
    /// give one to an account that has none. Requires the caller's current password and ends every session, token and
    /// delegation of the account.
    async fn set_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "New password, and the caller's proof of identity.")] input: SetPasswordInput,
    ) -> async_graphql::Result<AccountPayload> {
        let request = ctx.data::<Request>()?;
        let done = match own_or(request, input.account_id.as_ref()) {
            Some(key) => {
                let current = input.current_password.as_deref();
                new_password::set(&request.acting(), key, input.password, current).await.map(|()| key)
            }
            None => Err(fault::unknown(Thing::Account, &["input", "accountId"]).into()),
        };
        AccountPayload::of(done, request)
    }

    /// Returns, as JSON text, a copy of the data kept about a person: about the caller or, for administrators, about
    /// anyone. Every export is recorded in the audit. Source: Personal Information Protection Law (个人信息保护法),
    /// article 45.
    async fn export_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Account whose data is copied.")] input: ExportAccountInput,
    ) -> async_graphql::Result<ExportAccountPayload> {
        let request = ctx.data::<Request>()?;
        let key = own_or(request, input.account_id.as_ref()).unwrap_or_default();
        let (data, errors) = outcome(erase::export(&request.acting(), key).await, request.language)?;
        Ok(ExportAccountPayload { data: data.map(|data| data.to_string()), errors, reread: Reread })
    }

    /// Erases a person: name, address, telephone number and all means of signing in are deleted for good. What the
    /// account has done remains under its id. For administrators, who cannot erase themselves. Source: Personal
    /// Information Protection Law (个人信息保护法), article 47.
    async fn erase_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Account to erase, and the caller's password.")] input: EraseAccountInput,
    ) -> async_graphql::Result<AccountPayload> {
        let request = ctx.data::<Request>()?;
        let key = key_of::<Account>(&input.account_id).unwrap_or_default();
        AccountPayload::of(erase::erase(&request.acting(), key, input.current_password.as_deref()).await, request)
    }
}

/// Returns the key of the account that an id names, or of the caller's account if no id is given.
fn own_or(request: &Request, id: Option<&ID>) -> Option<i64> {
    id.map_or(request.principal().account, key_of::<Account>)
}

fn unit_key(id: &ID) -> ledger::Result<i64> {
    Ok(key_of::<Unit>(id).ok_or_else(|| fault::unknown(Thing::Unit, &["input", "unitId"]))?)
}

fn region_key(id: &ID) -> ledger::Result<i64> {
    Ok(key_of::<Region>(id).ok_or_else(|| fault::unknown(Thing::Region, &["input", "regionId"]))?)
}

async fn create(request: &Request, input: CreateAccountInput) -> ledger::Result<entity::account::Model> {
    // Check the rights before the slow hashing of the password.
    request.principal().may_create_account(input.role.into(), input.password.is_some())?;
    let password = match input.password {
        Some(given) => Some(Hashed::of(given, &input.email, &input.name).await?),
        None => None,
    };
    let new = acts::New {
        email: input.email,
        name: input.name,
        phone: input.phone,
        language: input.language.map(Into::into),
        role: input.role.into(),
        unit: input.unit_id.as_ref().map(unit_key).transpose()?,
        region: input.region_id.as_ref().map(region_key).transpose()?,
        password,
        valid_until: input.valid_until.map(|day| day.0),
        is_demo: false,
    };
    acts::create_one(&request.acting(), new, input.is_invited).await
}

async fn update(request: &Request, input: UpdateAccountInput) -> ledger::Result<i64> {
    let key = own_or(request, input.account_id.as_ref())
        .ok_or_else(|| fault::unknown(Thing::Account, &["input", "accountId"]))?;
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
        language: clearable(input.language.map_value(Into::into)),
        attaches_calendar: patch(input.has_calendar, "hasCalendar")?,
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
    acts::edit(&request.acting(), key, edit, input.current_password.as_deref()).await
}
