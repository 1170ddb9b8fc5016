//! A backup as a file.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use ledger::file::storage::Storage;
use sha2::{Digest, Sha256};
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::table::Row;
use super::{FORMAT, Files, Manifest, Source, Target};
use crate::Failure;

const MANIFEST: &str = "manifest.json";
/// The most bytes of a manifest.
const MAX_MANIFEST_BYTES: u64 = 16 << 20;

/// Writes a backup of a ledger, as it was when the source was opened. With a storage, the evidence is included.
/// `steps` are those by which its database was migrated.
pub(crate) async fn write(
    source: &Source,
    storage: Option<&Storage>,
    (steps, made_at): (Vec<String>, DateTime<Utc>),
    out: impl Write,
) -> Result<Manifest, Failure> {
    let mut zip = ZipWriter::new_stream(out);
    let mut manifest = Manifest {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        made_at,
        steps,
        tables: std::collections::BTreeMap::new(),
        files: None,
    };
    let tables: Vec<String> = source.tables().map(str::to_owned).collect();
    for table in tables {
        begin(&mut zip, &format!("tables/{table}.jsonl"), CompressionMethod::Deflated)?;
        let mut write = |line: &str| {
            zip.write_all(line.as_bytes()).and_then(|()| zip.write_all(b"\n")).map_err(|error| unwritten(&error))
        };
        let tally = source.read(&table, &mut write).await?;
        manifest.tables.insert(table, tally);
    }
    if let Some(storage) = storage {
        manifest.files = Some(write_files(source, storage, &mut zip).await?);
    }
    begin(&mut zip, MANIFEST, CompressionMethod::Deflated)?;
    serde_json::to_writer_pretty(&mut zip, &manifest).map_err(|error| unwritten(&error))?;
    let mut out = zip.finish().map_err(|error| unwritten(&error))?.into_inner();
    out.flush().map_err(|error| unwritten(&error))?;
    Ok(manifest)
}

async fn write_files<W: Write>(
    source: &Source,
    storage: &Storage,
    zip: &mut ZipWriter<StreamWriter<W>>,
) -> Result<Files, Failure> {
    let mut files = Files::default();
    for (place, sha256) in source.evidence().await? {
        let Some((_, mut content)) = storage.read(&place).await.map_err(|error| of_storage(&error))? else {
            files.faulty.push(place);
            continue;
        };
        begin(zip, &format!("files/{place}"), CompressionMethod::Stored)?;
        let mut hash = Sha256::new();
        while let Some(chunk) = content.try_next().await.map_err(|error| of_storage(&error))? {
            hash.update(&chunk);
            files.bytes += chunk.len() as u64;
            zip.write_all(&chunk).map_err(|error| unwritten(&error))?;
        }
        files.count += 1;
        if hex::encode(hash.finalize()) != sha256 {
            files.faulty.push(place);
        }
    }
    Ok(files)
}

fn begin<W: Write>(zip: &mut ZipWriter<StreamWriter<W>>, name: &str, method: CompressionMethod) -> Result<(), Failure> {
    let options = SimpleFileOptions::default().compression_method(method).large_file(true).unix_permissions(0o600);
    zip.start_file(name, options).map_err(|error| unwritten(&error))
}

fn unwritten(why: &dyn std::error::Error) -> Failure {
    Failure::Rejected(format!("备份无法写入：{why} / the backup cannot be written"))
}

fn of_storage(why: &dyn std::error::Error) -> Failure {
    Failure::Rejected(format!("佐证材料存储出错：{why} / the storage of evidence failed"))
}

fn unreadable(why: &dyn std::fmt::Display) -> Failure {
    Failure::Rejected(format!(
        "备份不完整或已损坏：{why} / the backup is incomplete or damaged; take another, or fetch it again"
    ))
}

/// A backup that is being read.
pub(crate) struct Backup {
    zip: ZipArchive<File>,
    pub(crate) manifest: Manifest,
}

impl Backup {
    /// Opens a backup.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let file = File::open(path)
            .map_err(|error| Failure::Rejected(format!("{shown} 无法读取：{error} / cannot be read")))?;
        let mut zip = ZipArchive::new(file).map_err(|error| unreadable(&error))?;
        let manifest = zip.by_name(MANIFEST).map_err(|error| unreadable(&error))?;
        let manifest: Manifest =
            serde_json::from_reader(manifest.take(MAX_MANIFEST_BYTES)).map_err(|error| unreadable(&error))?;
        if manifest.format > FORMAT {
            let (theirs, ours) = (&manifest.version, env!("CARGO_PKG_VERSION"));
            return Err(Failure::Rejected(format!(
                "备份由更新的版本 {theirs} 生成，本程序（{ours}）不能读取 / a newer version, {theirs}, made the \
                 backup; this one ({ours}) cannot read it"
            )));
        }
        Ok(Self { zip, manifest })
    }

    /// Writes all rows into an empty database.
    pub(crate) async fn load(&mut self, target: &Target) -> Result<(), Failure> {
        for table in self.manifest.tables.keys() {
            let entry = self.zip.by_name(&format!("tables/{table}.jsonl")).map_err(|error| unreadable(&error))?;
            let mut writing = target.begin_table(table)?;
            for line in BufReader::new(entry).lines() {
                let line = line.map_err(|error| unreadable(&error))?;
                let row: Row = serde_json::from_str(&line).map_err(|error| unreadable(&format!("{table}: {error}")))?;
                target.write(&mut writing, row).await?;
            }
            target.end_table(writing).await?;
        }
        Ok(())
    }

    /// Puts the evidence back into a storage, except what is there and what was faulty when the backup was made.
    /// Returns how many files were put.
    pub(crate) async fn put_files(&mut self, storage: &Storage) -> Result<u64, Failure> {
        let mut count = 0;
        let faulty = self.manifest.files.as_ref().map(|files| files.faulty.clone()).unwrap_or_default();
        for place in self.places().into_iter().filter(|place| !faulty.contains(place)) {
            if storage.holds(&place).await.map_err(|error| of_storage(&error))? {
                continue;
            }
            let content = self.content(&place)?;
            storage.put(&place, content).await.map_err(|error| of_storage(&error))?;
            count += 1;
        }
        Ok(count)
    }

    /// Reads the evidence anew, and returns the places of files that are not what they were, beyond those that were
    /// faulty already when the backup was made.
    pub(crate) fn damaged_files(&mut self) -> Result<Vec<String>, Failure> {
        let known = self.manifest.files.as_ref().map(|files| files.faulty.clone()).unwrap_or_default();
        let mut damaged = Vec::new();
        for place in self.places() {
            // A file has its hash as its name.
            let hash = hex::encode(Sha256::digest(self.content(&place)?));
            if !place.ends_with(&hash) && !known.contains(&place) {
                damaged.push(place);
            }
        }
        Ok(damaged)
    }

    /// Whether it has a file of evidence.
    pub(crate) fn holds(&self, place: &str) -> bool {
        self.zip.index_for_name(&format!("files/{place}")).is_some()
    }

    /// Returns the places of the files of evidence.
    fn places(&self) -> Vec<String> {
        let names = self.zip.file_names().filter_map(Result::ok);
        names.filter_map(|name| name.strip_prefix("files/").map(str::to_owned)).collect()
    }

    fn content(&mut self, place: &str) -> Result<Vec<u8>, Failure> {
        let mut entry = self.zip.by_name(&format!("files/{place}")).map_err(|error| unreadable(&error))?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(|error| unreadable(&format!("{place}: {error}")))?;
        Ok(content)
    }
}
