//! The bytes of evidence, what kind they are, and the dossier that they are packed into.

pub mod dossier;
pub mod media;
pub mod storage;
