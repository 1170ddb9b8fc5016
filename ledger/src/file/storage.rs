//! Where the bytes of evidence are kept: a folder, or an S3-compatible storage. A file arrives under a name of its own,
//! bounded, hashed and recognised on the way, and is then kept under the name of its hash, so that what is the same is kept
//! once. It stands here because both the HTTP door and the command line need it, and the ledger is what they share.

use std::fs::File;
use std::path::Path as Folder;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, RetryConfig};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, MutexGuard};

use crate::file::media::{self, Unfit};
use crate::work::evidence::Stored;

/// How many bytes of an arriving file are held in memory before they are written to a folder.
const PART: usize = 1 << 20;
/// The same for S3, which takes no smaller parts of a whole.
const PART_OF_S3: usize = 5 << 20;

/// How long a request to S3 is tried again: somebody waits for it.
const PATIENCE: Duration = Duration::from_secs(15);

/// Files under the names of their hashes.
#[derive(Clone)]
pub struct Storage {
    store: Arc<dyn ObjectStore>,
    part: usize,
    /// Held from when a file gets its place until its row is written.
    settling: Arc<Mutex<()>>,
}

/// Why a file was not taken; nothing is kept of it.
#[derive(Debug, thiserror::Error)]
pub enum Unstored {
    /// It is not of a kind that is kept.
    #[error("the file is not of a kind that is kept")]
    Unfit(Unfit),
    /// It has more bytes than this.
    #[error("the file has more than {0} bytes")]
    TooLarge(u64),
    /// The storage failed.
    #[error("the storage of files failed")]
    Failed(#[from] object_store::Error),
}

/// A file on its way.
pub struct Arriving {
    store: Arc<dyn ObjectStore>,
    place: Path,
    name: String,
    part: usize,
    /// How many bytes it may have.
    most: u64,
    size: u64,
    sha: Sha256,
    /// What has not been sent on: all of it until there is more than a part.
    buffer: Vec<u8>,
    media_type: Option<&'static str>,
    upload: Option<Box<dyn MultipartUpload>>,
}

/// A file that has arrived whole and has no place yet.
pub struct Arrived {
    place: Path,
    stored: Stored,
}

/// What a place holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The file of that hash.
    Whole,
    /// Another, with this hash.
    Changed(String),
    /// Nothing.
    Missing,
}

impl Storage {
    /// Opens the storage at `file:FOLDER`, which is made when it is not there, or at `s3://BUCKET/PREFIX`, with what else
    /// there is to say in its query (`endpoint`, `region` …) and the credentials in the environment (`AWS_…`).
    pub fn open(address: &str) -> Result<Self, String> {
        let (store, part): (Arc<dyn ObjectStore>, usize) = if let Some(folder) = address.strip_prefix("file:") {
            (Arc::new(folder_store(Folder::new(folder))?), PART)
        } else if address.starts_with("s3:") {
            (s3_store(address)?, PART_OF_S3)
        } else {
            return Err("evidence_url：应以 file: 或 s3:// 开头".to_owned());
        };
        Ok(Self { store, part, settling: Arc::default() })
    }

    /// Begins to take a file of at most so many bytes.
    pub fn receive(&self, name: &str, most: u64) -> Arriving {
        Arriving {
            store: self.store.clone(),
            place: Path::from_iter(["incoming", &uuid::Uuid::now_v7().simple().to_string()]),
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

    /// Waits until nobody else gives a file its place: one may be removed only when no row can be on its way to it.
    pub(crate) async fn settle(&self) -> MutexGuard<'_, ()> {
        self.settling.lock().await
    }

    /// Gives a file its place. What is there already is the same.
    pub(crate) async fn keep(&self, file: Arrived) -> Result<Stored, object_store::Error> {
        let kept = self.store.rename(&file.place, &Path::from(file.stored.place.as_str())).await;
        if kept.is_err() {
            self.discard(&file).await;
        }
        kept.map(|()| file.stored)
    }

    /// Forgets a file that got no place.
    pub async fn discard(&self, file: &Arrived) {
        if let Err(error) = self.store.delete(&file.place).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "a file that was not kept could not be removed");
        }
    }

    /// Removes a file.
    pub(crate) async fn remove(&self, place: &str) -> Result<(), object_store::Error> {
        self.store.delete(&Path::from(place)).await
    }

    /// The bytes of a file, and how many; none when it is not there.
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

    /// Whether a place holds something.
    pub async fn holds(&self, place: &str) -> Result<bool, object_store::Error> {
        match self.store.head(&Path::from(place)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Hashes what a place holds anew.
    pub async fn verify(&self, place: &str, sha256: &str) -> Result<Found, object_store::Error> {
        let Some((_, mut bytes)) = self.read(place).await? else { return Ok(Found::Missing) };
        let mut sha = Sha256::new();
        while let Some(chunk) = bytes.try_next().await? {
            sha.update(&chunk);
        }
        let hash = hex::encode(sha.finalize());
        Ok(if hash == sha256 { Found::Whole } else { Found::Changed(hash) })
    }

    /// The places of all files that are kept.
    pub fn places(&self) -> BoxStream<'static, object_store::Result<String>> {
        self.store.list(Some(&Path::from("sha256"))).map_ok(|found| found.location.to_string()).boxed()
    }
}

/// Where a file of that hash is kept.
fn place_of(sha256: &str) -> String {
    format!("sha256/{}/{sha256}", sha256.get(..2).unwrap_or_default())
}

impl Arriving {
    /// Takes the next bytes. After an error the rest is of no use: `abort`.
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
            // Nothing is sent on before it is known what it is.
            if self.media_type.is_none() && self.buffer.len() >= media::HEAD {
                self.recognise()?;
            }
            if self.buffer.len() == self.part {
                self.send_on().await?;
            }
        }
        Ok(())
    }

    fn recognise(&mut self) -> Result<&'static str, Unstored> {
        let head = self.buffer.get(..media::HEAD).unwrap_or(&self.buffer);
        let found = media::recognise(head, &self.name).map_err(Unstored::Unfit)?;
        self.media_type = Some(found);
        Ok(found)
    }

    async fn send_on(&mut self) -> Result<(), Unstored> {
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => none.insert(self.store.put_multipart(&self.place).await?),
        };
        let part = std::mem::replace(&mut self.buffer, Vec::with_capacity(self.part));
        upload.put_part(part.into()).await?;
        Ok(())
    }

    /// Ends a file that is whole.
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

    /// Gives up a file that will not be whole.
    pub async fn abort(mut self) {
        if let Some(upload) = &mut self.upload
            && let Err(error) = upload.abort().await
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "a file that was broken off could not be removed");
        }
    }
}

fn folder_store(folder: &Folder) -> Result<LocalFileSystem, String> {
    let cannot = |why: &dyn std::fmt::Display| format!("佐证材料文件夹 {} 无法使用：{why}", folder.display());
    create_private_folder(folder).map_err(|error| cannot(&error))?;
    // A row must not be there before its bytes are.
    Ok(LocalFileSystem::new_with_prefix(folder).map_err(|error| cannot(&error))?.with_fsync(true))
}

/// Creates a file that only its owner may read, or empties one that is there, whose mode stays.
pub fn create_private(path: &Folder) -> std::io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Creates a folder that only its owner may enter, and those above it; one that is there keeps its mode.
pub fn create_private_folder(path: &Folder) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

fn s3_store(address: &str) -> Result<Arc<dyn ObjectStore>, String> {
    // The client asks for the process's own; somebody else may have said so already, and then it stands.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let bad = |why: &dyn std::fmt::Display| format!("evidence_url：{why}");
    let url = url::Url::parse(address).map_err(|error| bad(&error))?;
    let bucket = url.host_str().ok_or_else(|| bad(&"应写作 s3://存储桶/前缀"))?;
    let retry = RetryConfig { max_retries: 3, retry_timeout: PATIENCE, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry);
    for (key, value) in url.query_pairs() {
        // Addresses are shown and logged.
        if ["secret", "token", "access_key", "key_id"].iter().any(|word| key.to_lowercase().contains(word)) {
            return Err(bad(&"凭据应放在环境变量 AWS_ACCESS_KEY_ID、AWS_SECRET_ACCESS_KEY 中，不写入地址"));
        }
        let key: AmazonS3ConfigKey = key.parse().map_err(|error: object_store::Error| bad(&error))?;
        builder = builder.with_config(key, value);
    }
    let store = builder.build().map_err(|error| bad(&error))?;
    let prefix = Path::from(url.path());
    Ok(if prefix.as_ref().is_empty() {
        Arc::new(store)
    } else {
        Arc::new(object_store::prefix::PrefixStore::new(store, prefix))
    })
}
