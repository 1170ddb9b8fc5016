//! The mutations that check or set secrets.

/// The mutations that check or set a secret. A request may contain only one, and each waits in the queue of
/// `gate::credentials`.
pub(crate) const CREDENTIALS: &[&str] = &[
    "signIn",
    "signInAsDemo",
    "signInWithCode",
    "createAccount",
    "createFirstAccount",
    "setPassword",
    "requestPasswordReset",
    "setPasswordWithLink",
    "enrolSecondFactor",
    "confirmSecondFactor",
    "removeSecondFactor",
    "updateAccount",
    "eraseAccount",
    "eraseLeader",
];
/// The mutations among `CREDENTIALS` that cannot be used to guess a secret, so that the rate limit on sign-ins does not
/// apply.
pub(crate) const UNGUESSED: &[&str] = &["createAccount"];
