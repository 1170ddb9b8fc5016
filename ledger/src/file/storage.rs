//! Stores evidence files in a folder or in S3-compatible storage.
//!
//! A file arrives under a temporary name; on the way its size is limited, its hash computed and its type recognised. It
//! is then stored under the name of its hash, so that identical files are stored once.
//!
//! The client of S3 uses the crypto provider of the process, which the program installs at its start.
//!
//! The storage belongs to this crate because both the HTTP API and the command line need it.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path as Folder;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, RetryConfig};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, MutexGuard};

use crate::file::media::{self, Unfit};

/// The bytes of an arriving file that are buffered in memory before they are written to a folder: 1 MiB.
const PART: usize = 1 << 20;
/// The bytes of an arriving file that are buffered in memory before they are sent to S3, which accepts no smaller parts
/// of an upload: 5 MiB.
const PART_OF_S3: usize = 5 << 20;

/// How long a request to S3 is retried. It is short because a user waits for the answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// The number of locks for the contents of files.
const LOCKS: usize = 256;

/// What the address of a storage should be, for the operator.
const EXPECTED: &str = "应为 file:文件夹 或 s3://存储桶/前缀?endpoint=…&region=… / must be file:FOLDER or \
                        s3://bucket/prefix?endpoint=…&region=…";
/// Where credentials belong, for the operator.
const CREDENTIALS: &str = "凭据应放在环境变量 AWS_ACCESS_KEY_ID、AWS_SECRET_ACCESS_KEY 中，不写入地址 / credentials \
                           belong into the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), not into the \
                           address";

/// A storage of files, each under the name of its hash.
#[derive(Clone)]
pub struct Storage {
    store: Arc<dyn ObjectStore>,
    part: usize,
    /// Locked by content, from the moment a file is moved to its final place until its row is written.
    removals: Arc<[Mutex<()>; LOCKS]>,
}

/// Why a file was not accepted. Nothing of it is kept.
#[derive(Debug, thiserror::Error)]
pub enum Unstored {
    /// Its type is not accepted, or its name contradicts its content.
    #[error("the file is not acceptable as evidence")]
    Unfit(Unfit),
    /// It is larger than this number of bytes.
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    /// The storage failed.
    #[error("file storage error")]
    Failed(#[from] object_store::Error),
}

/// A file that is being received.
pub struct Arriving {
    store: Arc<dyn ObjectStore>,
    place: Path,
    name: String,
    part: usize,
    /// The most bytes that it may have.
    most: u64,
    size: u64,
    sha: Sha256,
    /// The bytes not yet sent to the storage: the whole file until it fills one part.
    buffer: Vec<u8>,
    media_type: Option<&'static str>,
    upload: Option<Box<dyn MultipartUpload>>,
}

/// A file that has arrived completely and is not yet at its final place.
pub struct Arrived {
    place: Path,
    stored: Stored,
}

/// A file that is in the file storage.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The file name as uploaded.
    pub name: String,
    /// The media type, as determined from the first bytes.
    pub media_type: String,
    /// The size in bytes.
    pub size: i64,
    /// The SHA-256 of the content, in hexadecimal.
    pub sha256: String,
    /// The path of the file in the storage.
    pub place: String,
}

/// The result of hashing a stored file anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The file has the expected hash.
    Whole,
    /// The file has this hash instead, in hexadecimal.
    Changed(String),
    /// There is no file.
    Missing,
}

impl Storage {
    /// Opens the storage at an address: `file:FOLDER`, or `s3://BUCKET/PREFIX`. A folder that is missing is created.
    ///
    /// Further settings of S3 (`endpoint`, `region` …) are in the query of the address, the credentials in the
    /// environment (`AWS_…`). The error is a message for the operator, in Chinese and English.
    pub fn open(address: &str) -> Result<Self, String> {
        match address.strip_prefix("file:") {
            Some(folder) => {
                let folder = Folder::new(folder);
                create_private_folder(folder).map_err(|error| unusable(folder, &error))?;
                Ok(Self::of(Arc::new(folder_store(folder)?), PART))
            }
            None => Ok(Self::of(s3_store(address)?, PART_OF_S3)),
        }
    }

    /// Opens the storage at an address to read from it. A folder that is missing is not created, and counts as empty.
    pub fn open_to_read(address: &str) -> Result<Self, String> {
        match address.strip_prefix("file:").map(Folder::new) {
            Some(folder) if folder.exists() => Ok(Self::of(Arc::new(folder_store(folder)?), PART)),
            Some(_) => Ok(Self::of(Arc::new(InMemory::new()), PART)),
            None => Ok(Self::of(s3_store(address)?, PART_OF_S3)),
        }
    }

    /// Checks an address as [`Storage::open`] does, without touching a folder or asking a server.
    pub fn check(address: &str) -> Result<(), String> {
        match address.strip_prefix("file:") {
            Some(_) => Ok(()),
            None => s3_store(address).map(|_| ()),
        }
    }

    fn of(store: Arc<dyn ObjectStore>, part: usize) -> Self {
        Self { store, part, removals: Arc::new(std::array::from_fn(|_| Mutex::default())) }
    }

    /// Begins to receive a file of at most `most` bytes.
    pub fn receive(&self, name: &str, most: u64) -> Arriving {
        Arriving {
            store: self.store.clone(),
            place: Path::from_iter(["incoming", &uuid::Uuid::new_v4().simple().to_string()]),
            name: name.to_owned(),
            part: self.part,
            most,
            size: 0,
            sha: Sha256::new(),
            buffer: Vec::new(),
            media_type: None,
            upload: None,
        }
    }

    /// Waits until no other file with the same content, or one that shares its lock, is being moved to its final place,
    /// and blocks further ones while the guard exists.
    ///
    /// A file may be removed only under this lock: no row that refers to it can then be about to be written.
    pub(crate) async fn lock_removal(&self, file: &Arrived) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        file.stored.place.hash(&mut hasher);
        // Few contents share a lock. One lock for all would let every upload wait for one that waits for its row.
        self.removals[hasher.finish() as usize % LOCKS].lock().await
    }

    /// Moves a file to its final place. A file that is there already has the same content. On failure the file is
    /// discarded.
    pub(crate) async fn keep(&self, file: Arrived) -> Result<Stored, object_store::Error> {
        let kept = self.store.rename(&file.place, &Path::from(file.stored.place.as_str())).await;
        if kept.is_err() {
            self.discard(&file).await;
        }
        kept.map(|()| file.stored)
    }

    /// Deletes a file that was not moved to its final place. A failure is only logged.
    pub async fn discard(&self, file: &Arrived) {
        if let Err(error) = self.store.delete(&file.place).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot remove a received file that was not kept");
        }
    }

    /// Puts a file back to its place, from a backup.
    pub async fn put(&self, place: &str, content: Vec<u8>) -> Result<(), object_store::Error> {
        self.store.put(&Path::from(place), content.into()).await?;
        Ok(())
    }

    /// Deletes a stored file.
    pub(crate) async fn remove(&self, place: &str) -> Result<(), object_store::Error> {
        self.store.delete(&Path::from(place)).await
    }

    /// Returns the size of a file in bytes and a stream of its content, or `None` if there is no such file.
    pub async fn read(
        &self,
        place: &str,
    ) -> Result<Option<(u64, BoxStream<'static, object_store::Result<Bytes>>)>, object_store::Error> {
        match self.store.get(&Path::from(place)).await {
            Ok(found) => Ok(Some((found.meta.size, found.into_stream()))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Checks whether there is a file at a place.
    pub async fn holds(&self, place: &str) -> Result<bool, object_store::Error> {
        match self.store.head(&Path::from(place)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Hashes the file at a place anew and compares the result with `sha256`, in hexadecimal.
    pub async fn verify(&self, place: &str, sha256: &str) -> Result<Found, object_store::Error> {
        let Some((_, mut bytes)) = self.read(place).await? else { return Ok(Found::Missing) };
        let mut sha = Sha256::new();
        while let Some(chunk) = bytes.try_next().await? {
            sha.update(&chunk);
        }
        let hash = hex::encode(sha.finalize());
        Ok(if hash == sha256 { Found::Whole } else { Found::Changed(hash) })
    }

    /// Returns the places of all stored files.
    pub fn places(&self) -> BoxStream<'static, object_store::Result<String>> {
        self.store.list(Some(&Path::from("sha256"))).map_ok(|found| found.location.to_string()).boxed()
    }
}

/// Returns the place of the file with this hash.
fn place_of(sha256: &str) -> String {
    format!("sha256/{}/{sha256}", sha256.get(..2).unwrap_or_default())
}

impl Arriving {
    /// Returns the number of bytes that have been received.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Receives the next bytes. After an error, call [`Arriving::abort`]; the file cannot be completed.
    pub async fn write(&mut self, mut chunk: &[u8]) -> Result<(), Unstored> {
        self.size += chunk.len() as u64;
        if self.size > self.most {
            return Err(Unstored::TooLarge(self.most));
        }
        self.sha.update(chunk);
        while !chunk.is_empty() {
            let (now, later) = chunk.split_at(chunk.len().min(self.part - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            chunk = later;
            // Nothing is sent to the storage before the type of the file is known.
            if self.media_type.is_none() && self.buffer.len() >= media::HEAD {
                self.recognise()?;
            }
            if self.buffer.len() == self.part {
                self.send_on().await?;
            }
        }
        Ok(())
    }

    /// Recognises the type of the file by its first bytes, or refuses the file.
    fn recognise(&mut self) -> Result<&'static str, Unstored> {
        let head = self.buffer.get(..media::HEAD).unwrap_or(&self.buffer);
        let found = media::recognise(head, &self.name).map_err(Unstored::Unfit)?;
        self.media_type = Some(found);
        Ok(found)
    }

    /// Sends the buffer to the storage as the next part of the upload.
    async fn send_on(&mut self) -> Result<(), Unstored> {
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => none.insert(self.store.put_multipart(&self.place).await?),
        };
        let part = std::mem::replace(&mut self.buffer, Vec::with_capacity(self.part));
        upload.put_part(part.into()).await?;
        Ok(())
    }

    /// Completes a file of which all bytes have been written. On failure the upload is aborted.
    pub async fn finish(mut self) -> Result<Arrived, Unstored> {
        let done = self.complete().await;
        if done.is_err() {
            self.abort().await;
        }
        done
    }

    async fn complete(&mut self) -> Result<Arrived, Unstored> {
        let media_type = match self.media_type {
            Some(known) => known,
            None => self.recognise()?,
        };
        if self.upload.is_some() && !self.buffer.is_empty() {
            self.send_on().await?;
        }
        match &mut self.upload {
            Some(upload) => upload.complete().await?,
            None => self.store.put(&self.place, std::mem::take(&mut self.buffer).into()).await?,
        };
        let sha256 = hex::encode(std::mem::take(&mut self.sha).finalize());
        let stored = Stored {
            name: self.name.clone(),
            media_type: media_type.to_owned(),
            size: i64::try_from(self.size).unwrap_or(i64::MAX),
            place: place_of(&sha256),
            sha256,
        };
        Ok(Arrived { place: self.place.clone(), stored })
    }

    /// Gives up a file that will not be completed, and removes what was sent. A failure is only logged.
    pub async fn abort(mut self) {
        if let Some(upload) = &mut self.upload
            && let Err(error) = upload.abort().await
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot remove the parts of an aborted upload");
        }
    }
}

fn folder_store(folder: &Folder) -> Result<LocalFileSystem, String> {
    // With fsync, so that a row never exists before the bytes of its file are on the disk.
    Ok(LocalFileSystem::new_with_prefix(folder).map_err(|error| unusable(folder, &error))?.with_fsync(true))
}

fn unusable(folder: &Folder, why: &dyn std::fmt::Display) -> String {
    format!("佐证材料文件夹 {} 无法使用：{why} / the folder of evidence cannot be used", folder.display())
}

/// Creates a file that only its owner may read and write. Empties an existing file, whose mode stays as it is.
pub fn create_private(path: &Folder) -> std::io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Creates a folder that only its owner may enter, and the missing ones above it. An existing folder keeps its mode.
pub fn create_private_folder(path: &Folder) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

fn s3_store(address: &str) -> Result<Arc<dyn ObjectStore>, String> {
    let url = url::Url::parse(address).ok().filter(|url| url.scheme() == "s3").ok_or(EXPECTED)?;
    let bucket = url.host_str().filter(|bucket| !bucket.is_empty()).ok_or(EXPECTED)?;
    // Addresses are displayed and logged, so they must not contain credentials.
    let is_secret =
        |key: &str| ["secret", "token", "access_key", "key_id"].iter().any(|word| key.to_lowercase().contains(word));
    if !url.username().is_empty() || url.password().is_some() || url.query_pairs().any(|(key, _)| is_secret(&key)) {
        return Err(CREDENTIALS.to_owned());
    }
    // Without either, the client would ask Amazon's first region.
    let is_placed = url.query_pairs().any(|(key, _)| key.contains("endpoint") || key.contains("region"))
        || ["AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION"]
            .iter()
            .any(|name| std::env::var_os(name).is_some());
    if !is_placed {
        return Err(EXPECTED.to_owned());
    }
    let retry = RetryConfig { max_retries: 3, retry_timeout: PATIENCE, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry);
    for (key, value) in url.query_pairs() {
        let key: AmazonS3ConfigKey = key.parse().map_err(|_| EXPECTED.to_owned())?;
        builder = builder.with_config(key, value);
    }
    let store = builder.build().map_err(|error| format!("{EXPECTED}: {error}"))?;
    let prefix = Path::from(url.path());
    Ok(if prefix.as_ref().is_empty() {
        Arc::new(store)
    } else {
        Arc::new(object_store::prefix::PrefixStore::new(store, prefix))
    })
}
