//! Random bytes of the operating system, for secrets and salts.

use crate::{Error, Result};

/// Returns random bytes.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Error::failed("generating random bytes"))?;
    Ok(bytes)
}

/// Returns 256 random bits in hexadecimal.
pub(crate) fn hexadecimal() -> Result<String> {
    Ok(hex::encode(bytes::<32>()?))
}
