//! Documents by their hash: those that callers register as they go (automatic persisted queries), and, in an installation
//! that wants it so, only those that were registered with the release (trusted documents).

use std::collections::HashMap;
use std::sync::Arc;

use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

use crate::error::{Code, Refused};
use crate::graphql::params::Params;

/// How many documents are remembered by hash.
const REMEMBERED: usize = 1_000;
/// Longer documents are run and not remembered.
const LONGEST: usize = 32 << 10;

/// Documents by the SHA-256 of their text, in hexadecimal.
pub(crate) struct Persisted {
    /// Also by the ids that whoever registered them gave them.
    trusted: Option<HashMap<String, String>>,
    remembered: Cache<String, Arc<str>>,
}

/// The SHA-256 of a document's text, in hexadecimal.
pub(crate) fn document_hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

impl Persisted {
    /// With `trusted` documents by their ids, only these are run.
    pub(crate) fn new(trusted: Option<HashMap<String, String>>) -> Self {
        let named = |(id, text): (String, String)| [(document_hash(&text), text.clone()), (id.to_lowercase(), text)];
        let trusted = trusted.map(|documents| documents.into_iter().flat_map(named).collect());
        Self { trusted, remembered: Cache::new(REMEMBERED) }
    }

    /// Puts the document's text where only its hash was given, and refuses what may not be run.
    pub(crate) fn resolve(&self, asked: &mut Params) -> Result<(), Refused> {
        if let Some(trusted) = &self.trusted {
            return Self::among(trusted, asked);
        }
        let Some(hash) = &asked.hash else { return Ok(()) };
        match &asked.query {
            Some(text) if document_hash(text) != *hash => Err(Refused::new(
                Code::PersistedQueryMismatch,
                "sha256Hash 与查询文本不符",
                "the sha256Hash is not that of the document's text",
            )),
            Some(text) => {
                if text.len() <= LONGEST {
                    self.remembered.insert(hash.clone(), text.as_str().into());
                }
                Ok(())
            }
            None => {
                // The words that clients look for; they answer by sending the text as well.
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
            Refused::new(Code::DocumentNotTrusted, "本服务只执行已登记的查询", "only registered documents are run here")
        };
        asked.query = Some(trusted.get(&hash).ok_or_else(untrusted)?.clone());
        Ok(())
    }
}
