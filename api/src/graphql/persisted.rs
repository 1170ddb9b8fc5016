//! Documents that clients request by hash: those that clients register on the fly (automatic persisted queries) or, if
//! the installation is configured so, only those that are registered with the release (trusted documents).

use std::collections::HashMap;
use std::sync::Arc;

use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

use crate::error::{Code, Refused};
use crate::graphql::params::Params;

/// The most documents that are remembered by hash.
const REMEMBERED: usize = 1_000;
/// The most bytes of a document that is remembered. Longer ones are executed, but not remembered.
const MAX_TEXT_BYTES: usize = 32 << 10;

/// The persisted documents, by the SHA-256 of their text, in lower-case hexadecimal.
pub(crate) struct Persisted {
    /// The trusted documents, by hash and also by the id with which they are registered; none if any document may be
    /// executed.
    trusted: Option<HashMap<String, String>>,
    remembered: Cache<String, Arc<str>>,
}

/// Returns the SHA-256 of the text of a document, in lower-case hexadecimal.
pub(crate) fn document_hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// Returns the id of a document without the prefix that names the hash.
fn bare(id: &str) -> &str {
    id.strip_prefix("sha256:").unwrap_or(id)
}

impl Persisted {
    /// `trusted` are the trusted documents by their ids. If they are given, no other document is executed.
    pub(crate) fn new(trusted: Option<HashMap<String, String>>) -> Self {
        let named = |(id, text): (String, String)| [(document_hash(&text), text.clone()), (id.to_lowercase(), text)];
        let trusted = trusted.map(|documents| documents.into_iter().flat_map(named).collect());
        Self { trusted, remembered: Cache::new(REMEMBERED) }
    }

    /// Returns whether only trusted documents are executed.
    pub(crate) fn is_closed(&self) -> bool {
        self.trusted.is_some()
    }

    /// Adds the text of the document to a request that has only its hash, and refuses documents that may not be
    /// executed.
    pub(crate) fn resolve(&self, asked: &mut Params) -> Result<(), Refused> {
        if let Some(trusted) = &self.trusted {
            return Self::among(trusted, asked);
        }
        let Some(hash) = asked.hash.as_deref().map(bare) else { return Ok(()) };
        match &asked.query {
            Some(text) if document_hash(text) != hash => Err(Refused::new(
                Code::PersistedQueryMismatch,
                "sha256Hash 与查询文本不符",
                "sha256Hash is not the hash of the document",
            )),
            Some(text) => {
                if text.len() <= MAX_TEXT_BYTES {
                    self.remembered.insert(hash.to_owned(), text.as_str().into());
                }
                Ok(())
            }
            None => {
                // Clients expect exactly this message; they then repeat the request with the text.
                let unknown =
                    || Refused::new(Code::PersistedQueryNotFound, "PersistedQueryNotFound", "PersistedQueryNotFound");
                asked.query = Some(self.remembered.get(hash).ok_or_else(unknown)?.to_string());
                Ok(())
            }
        }
    }

    fn among(trusted: &HashMap<String, String>, asked: &mut Params) -> Result<(), Refused> {
        let hash = asked.hash.clone().or_else(|| asked.query.as_deref().map(document_hash)).unwrap_or_default();
        let untrusted = || {
            Refused::new(Code::DocumentNotTrusted, "本服务只执行已登记的查询", "only registered documents are executed")
        };
        // The keys of a file may have the prefix, too.
        let text = trusted.get(&hash).or_else(|| trusted.get(bare(&hash)));
        asked.query = Some(text.ok_or_else(untrusted)?.clone());
        Ok(())
    }
}
