//! Signing in and out, the first account of an installation, the second factor, password resets, and the caller's
//! recent sign-ins.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::{account, region};
use ledger::people::account::sign_in::{self as acts, Given};
use ledger::people::account::{Opened, link, second_factor, session, set_up};
use sea_orm::{ColumnTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect};
use tokio::time::Instant;

use crate::context::Request;
use crate::error::masked;
use crate::gate::credentials::hold_back;
use crate::noun::account::{Account, Role};
use crate::part::payload::{UserError, key_of, outcome};
use crate::part::reread::Reread;
use crate::part::scalar::Moment;

/// The largest number of sign-ins that `mySignIns` returns.
const MAX_SIGN_INS: i32 = 100;

/// Input of `signIn`: the credentials of an account.
#[derive(InputObject)]
pub(crate) struct SignInInput {
    /// E-mail address with which the account signs in; case and surrounding blanks are ignored.
    email: String,
    /// Password with which the account signs in.
    #[graphql(secret)]
    password: String,
    /// Six-digit code of the authenticator app, or a recovery code. Needed only if the account has a second factor; the
    /// error `SECOND_FACTOR_REQUIRED` asks for it.
    #[graphql(secret)]
    code: Option<String>,
}

/// Input of `createFirstAccount`: the first administrator of an installation.
#[derive(InputObject)]
pub(crate) struct CreateFirstAccountInput {
    /// Set-up code that the server printed when it started; case and hyphens are ignored.
    #[graphql(secret)]
    code: String,
    /// E-mail address with which the account will sign in.
    email: String,
    /// Name of the person, shown to colleagues.
    name: String,
    /// Password, 12 to 200 characters and not easy to guess.
    #[graphql(secret)]
    password: String,
}

/// Input of `requestPasswordReset`: the account whose password is forgotten.
#[derive(InputObject)]
pub(crate) struct RequestPasswordResetInput {
    /// E-mail address with which the account signs in.
    email: String,
}

/// Input of `setPasswordWithLink`: the token of a mailed link and the new password.
#[derive(InputObject)]
pub(crate) struct SetPasswordWithLinkInput {
    /// Token of the link: the text after `#token=`. It can be used once.
    #[graphql(secret)]
    token: String,
    /// New password, 12 to 200 characters and not easy to guess.
    #[graphql(secret)]
    password: String,
}

/// Input of `enrolSecondFactor`: proof of the caller's identity.
#[derive(InputObject)]
pub(crate) struct EnrolSecondFactorInput {
    /// Current password of the caller. Null for an account without a password, which must have signed in within the
    /// last ten minutes instead.
    #[graphql(secret)]
    current_password: Option<String>,
}

/// Input of `confirmSecondFactor`: proof that the authenticator app has the secret.
#[derive(InputObject)]
pub(crate) struct ConfirmSecondFactorInput {
    /// Six-digit code that the authenticator app shows.
    #[graphql(secret)]
    code: String,
}

/// Input of `removeSecondFactor`: the account, and proof of the caller's identity.
#[derive(InputObject)]
pub(crate) struct RemoveSecondFactorInput {
    /// Global id of the account; null or omitted for the caller's own. Only administrators may name another account.
    account_id: Option<ID>,
    /// Current password of the caller. Null for an account without a password, which must have signed in within the
    /// last ten minutes instead.
    #[graphql(secret)]
    current_password: Option<String>,
    /// Code of the authenticator app or a recovery code; required if the account is the caller's own.
    #[graphql(secret)]
    code: Option<String>,
}

/// Result of a mutation that opens a session or creates a token.
#[derive(SimpleObject)]
pub(crate) struct SignInPayload {
    /// Secret of the session or token: send it as `Authorization: Bearer …`, or in the WebSocket's `connection_init` as
    /// `{"authorization": "Bearer …"}`. It is returned only here, never again. Null if the mutation was refused.
    token: Option<String>,
    /// Moment at which the session or token expires; null if the mutation was refused.
    expires_at: Option<Moment>,
    /// Whether the session can only be used to set up the second factor that the role requires. Call
    /// `enrolSecondFactor`, then `confirmSecondFactor`; after that the session has the account's full rights.
    has_to_set_up_second_factor: bool,
    /// Reasons why the mutation was refused; empty on success.
    errors: Vec<UserError>,
    #[graphql(flatten)]
    reread: Reread,
}

impl SignInPayload {
    /// Builds the payload from the result of the act.
    pub(crate) fn of(done: ledger::Result<Opened>, request: &Request) -> async_graphql::Result<Self> {
        let (opened, errors) = outcome(done, request.language)?;
        let expires_at = opened.as_ref().map(|opened| Moment(opened.session.expires_at));
        let has_to_set_up_second_factor = opened.as_ref().is_some_and(|opened| opened.session.is_limited);
        Ok(Self {
            token: opened.map(|opened| opened.secret),
            expires_at,
            has_to_set_up_second_factor,
            errors,
            reread: Reread,
        })
    }
}

/// Result of a mutation that ends a session or token.
#[derive(SimpleObject)]
pub(crate) struct EndSessionPayload {
    /// True if the mutation ended the session; false if it had ended before, or if there was none to end.
    is_ended: bool,
    /// Reasons why the mutation was refused; empty on success, and if there was no session to end.
    errors: Vec<UserError>,
    #[graphql(flatten)]
    reread: Reread,
}

impl EndSessionPayload {
    /// Builds the payload from the result of the act.
    pub(crate) fn of(done: ledger::Result<bool>, request: &Request) -> async_graphql::Result<Self> {
        let (ended, errors) = outcome(done, request.language)?;
        Ok(Self { is_ended: ended.unwrap_or(false), errors, reread: Reread })
    }
}

/// Result of a mutation that returns no object.
#[derive(SimpleObject)]
pub(crate) struct DonePayload {
    /// Whether the mutation was carried out.
    is_done: bool,
    /// Reasons why the mutation was refused; empty on success.
    errors: Vec<UserError>,
    #[graphql(flatten)]
    reread: Reread,
}

impl DonePayload {
    fn of(done: ledger::Result<()>, request: &Request) -> async_graphql::Result<Self> {
        let (done, errors) = outcome(done, request.language)?;
        Ok(Self { is_done: done.is_some(), errors, reread: Reread })
    }
}

/// Result of `enrolSecondFactor`: the secret to enter into an authenticator app.
#[derive(SimpleObject)]
pub(crate) struct EnrolSecondFactorPayload {
    /// Secret in Base32, to be typed into the app. It is returned only here, never again. Null if the mutation was
    /// refused.
    secret: Option<String>,
    /// Secret as an `otpauth://` URL, to be shown as a QR code; null if the mutation was refused.
    url: Option<String>,
    /// Reasons why the mutation was refused; empty on success.
    errors: Vec<UserError>,
    #[graphql(flatten)]
    reread: Reread,
}

/// Result of `confirmSecondFactor`: the recovery codes of the account.
#[derive(SimpleObject)]
pub(crate) struct ConfirmSecondFactorPayload {
    /// Ten recovery codes for signing in when the app is lost; each can be used once. They are returned only here,
    /// never again. Empty if the mutation was refused.
    recovery_codes: Vec<String>,
    /// Reasons why the mutation was refused; empty on success.
    errors: Vec<UserError>,
    #[graphql(flatten)]
    reread: Reread,
}

/// Whether the caller can use the installation without signing in, and whether it still has to be set up.
#[derive(SimpleObject)]
pub(crate) struct Installation {
    /// Whether the installation is open to the caller: no account exists other than those of the demo, and callers on
    /// the server's own machine may read and write everything without signing in.
    is_open: bool,
    /// Whether the first account has yet to be created (`createFirstAccount`) with the set-up code that the server
    /// printed when it started. Always false while the installation is open to the caller.
    is_awaiting_set_up: bool,
}

/// A sign-in to the caller's account, successful or not.
#[derive(SimpleObject)]
pub(crate) struct SignIn {
    /// Moment at which the sign-in was attempted.
    at: Moment,
    /// Network address from which it was made; null if it is not known.
    address: Option<String>,
    /// Whether the sign-in succeeded and opened a session.
    has_succeeded: bool,
    /// Means of signing in: `PASSWORD`, `TOTP`, `RECOVERY_CODE`, `PROVIDER`, `DELEGATION`, `DEMO` or `SET_UP`; null if
    /// the sign-in failed.
    means: Option<String>,
}

/// An account of the demo, which can be signed in to without a password (`signInAsDemo`).
#[derive(SimpleObject)]
pub(crate) struct DemoAccount {
    /// Global id of the account, the argument of `signInAsDemo`.
    account_id: ID,
    /// Name shown for the account.
    name: String,
    /// Role of the account, which decides what it may see and do.
    role: Role,
    /// Name of the region to which the role applies; null if the role does not apply to a region.
    region: Option<String>,
}

/// Queries that are needed before signing in, and the caller's own sign-ins.
#[derive(Default)]
pub(crate) struct SignInQuery;

#[Object]
impl SignInQuery {
    /// State of the installation for the caller: open, closed, or not set up yet.
    async fn installation(&self, ctx: &Context<'_>) -> async_graphql::Result<Installation> {
        let request = ctx.data::<Request>()?;
        let is_open = request.is_open().await?;
        Ok(Installation { is_open, is_awaiting_set_up: !is_open && !request.has_accounts().await? })
    }

    /// Accounts created by the demo, the oldest first; empty unless the installation is open to the caller.
    async fn demo_accounts(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<DemoAccount>> {
        let request = ctx.data::<Request>()?;
        if !request.is_open().await? {
            return Ok(Vec::new());
        }
        let place =
            account::Entity::belongs_to(region::Entity).from(account::Column::RegionId).to(region::Column::Id).into();
        let found = account::Entity::find()
            .select_also(region::Entity)
            .join(JoinType::LeftJoin, place)
            .filter(account::Column::IsDemo.eq(true))
            .order_by_asc(account::Column::Id);
        let rows = found.all(&request.db).await.map_err(|failure| masked(&failure))?;
        let account = |(row, place): (account::Model, Option<region::Model>)| DemoAccount {
            account_id: ID(format!("account_{}", row.id)),
            name: row.name,
            role: row.role.into(),
            region: place.map(|place| place.name),
        };
        Ok(rows.into_iter().map(account).collect())
    }

    /// Recent sign-ins and failed attempts for the caller's account, the newest first, so that the caller can spot any
    /// that were made by someone else. Empty for delegates and without an account.
    async fn my_sign_ins(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of sign-ins to return, clamped to 0 to 100.", default = 20)] first: i32,
    ) -> async_graphql::Result<Vec<SignIn>> {
        let request = ctx.data::<Request>()?;
        let most = u64::try_from(first.clamp(0, MAX_SIGN_INS)).unwrap_or_default();
        let found = acts::recent(&request.acting(), most).await.map_err(|failure| masked(&failure))?;
        let told = |one: acts::SignIn| SignIn {
            at: Moment(one.at),
            address: one.address,
            has_succeeded: one.has_succeeded,
            means: one.means,
        };
        Ok(found.into_iter().map(told).collect())
    }
}

/// Mutations for signing in and out, passwords, and the second factor.
#[derive(Default)]
pub(crate) struct SignInMutation;

#[Object]
impl SignInMutation {
    /// Opens a session with an e-mail address and a password, and with a code if the account has a second factor. From
    /// the fifth wrong password or code in a row on, each locks the account temporarily, for one minute at first, then
    /// for twice as long each time, up to an hour. The owner is notified by mail, at most once an hour.
    async fn sign_in(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The credentials of the account.")] input: SignInInput,
    ) -> async_graphql::Result<SignInPayload> {
        let request = ctx.data::<Request>()?;
        let given = Given { email: &input.email, password: &input.password, code: input.code.as_deref() };
        let done = no_sooner(Box::pin(acts::sign_in(&request.acting(), given, &request.second_factor_roles))).await;
        SignInPayload::of(done, request)
    }

    /// Opens a session as an account of the demo; possible only while the installation is open to the caller.
    async fn sign_in_as_demo(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Global id of a demo account (`demoAccounts`).")] account_id: ID,
    ) -> async_graphql::Result<SignInPayload> {
        let request = ctx.data::<Request>()?;
        let is_open = request.is_open().await?;
        let key = key_of::<Account>(&account_id).filter(|_| is_open);
        SignInPayload::of(acts::open_demo(&request.acting(), key).await, request)
    }

    /// Creates the first account of the installation, an administrator, with the set-up code, and opens a session for
    /// it.
    async fn create_first_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The set-up code and the account.")] input: CreateFirstAccountInput,
    ) -> async_graphql::Result<SignInPayload> {
        let request = ctx.data::<Request>()?;
        let first = set_up::First { code: input.code, email: input.email, name: input.name, password: input.password };
        SignInPayload::of(no_sooner(Box::pin(set_up::create_first(&request.acting(), first))).await, request)
    }

    /// Ends the session or token with which the caller is signed in.
    async fn sign_out(&self, ctx: &Context<'_>) -> async_graphql::Result<EndSessionPayload> {
        let request = ctx.data::<Request>()?;
        let done = match request.by.session {
            Some(own) => session::revoke(&request.acting(), own).await,
            None => Ok(false),
        };
        EndSessionPayload::of(done, request)
    }

    /// Sends a link for setting a new password to an e-mail address, if an account uses it. The response is the same
    /// whether or not an account exists.
    async fn request_password_reset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account whose password is forgotten.")] input: RequestPasswordResetInput,
    ) -> async_graphql::Result<DonePayload> {
        let request = ctx.data::<Request>()?;
        let begun = Instant::now();
        let done = link::ask(&request.acting(), &input.email).await;
        hold_back(begun);
        DonePayload::of(done, request)
    }

    /// Sets a password with the link of an invitation or of a password reset, and ends every session, token and
    /// delegation of the account.
    async fn set_password_with_link(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token of the link and the new password.")] input: SetPasswordWithLinkInput,
    ) -> async_graphql::Result<DonePayload> {
        let request = ctx.data::<Request>()?;
        let done = no_sooner(Box::pin(link::redeem(&request.acting(), &input.token, input.password))).await;
        DonePayload::of(done, request)
    }

    /// Generates a secret for an authenticator app (TOTP, six digits, 30 seconds, SHA-1) and stores it for the caller's
    /// account. Signing in does not ask for a code until `confirmSecondFactor` has succeeded.
    async fn enrol_second_factor(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Proof of the caller's identity.")] input: EnrolSecondFactorInput,
    ) -> async_graphql::Result<EnrolSecondFactorPayload> {
        let request = ctx.data::<Request>()?;
        let done = second_factor::enrol(&request.acting(), input.current_password.as_deref()).await;
        let (drawn, errors) = outcome(done, request.language)?;
        let (secret, url) = drawn.map(|drawn| (drawn.secret, drawn.url)).unzip();
        Ok(EnrolSecondFactorPayload { secret, url, errors, reread: Reread })
    }

    /// Enables the second factor: verifies a code of the authenticator app, then requires one at every later sign-in to
    /// the caller's account.
    async fn confirm_second_factor(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The code that the app shows.")] input: ConfirmSecondFactorInput,
    ) -> async_graphql::Result<ConfirmSecondFactorPayload> {
        let request = ctx.data::<Request>()?;
        let (codes, errors) = outcome(second_factor::confirm(&request.acting(), &input.code).await, request.language)?;
        Ok(ConfirmSecondFactorPayload { recovery_codes: codes.unwrap_or_default(), errors, reread: Reread })
    }

    /// Removes the second factor of the caller's own account, which requires a code, or, for administrators, of any
    /// account. Ends the other sessions of the account.
    async fn remove_second_factor(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account, and proof of the caller's identity.")] input: RemoveSecondFactorInput,
    ) -> async_graphql::Result<DonePayload> {
        let request = ctx.data::<Request>()?;
        let whose = input.account_id.as_ref().map(|id| key_of::<Account>(id).unwrap_or_default());
        let (current, code) = (input.current_password.as_deref(), input.code.as_deref());
        DonePayload::of(second_factor::remove(&request.acting(), whose, current, code).await, request)
    }
}

/// Runs a check of credentials and delays the response if it is refused, so that its timing reveals nothing about why.
async fn no_sooner<T>(act: impl Future<Output = ledger::Result<T>>) -> ledger::Result<T> {
    let begun = Instant::now();
    let done = act.await;
    if done.is_err() {
        hold_back(begun);
    }
    done
}
