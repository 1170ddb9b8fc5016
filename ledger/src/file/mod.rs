//! Evidence files: storing them, recognising their types, and packing them into dossiers.

pub mod dossier;
pub mod media;
pub mod storage;
