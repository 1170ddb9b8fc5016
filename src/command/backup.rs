//! `rectify backup`, `restore` and `copy`: a whole ledger in a file, out of it, and in another database.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use ledger::file::storage::create_private;
use ledger::record::audit::Asked;
use ledger::record::backup::{self, Made};
use ledger::statistics::kept;
use sea_orm::DatabaseConnection;

use super::current;
use crate::archive::{self, Backup, Manifest, Source, Target};
use crate::database;
use crate::settings::Settings;
use crate::{Failure, clock, say, secret};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Create {
    #[command(subcommand)]
    verify: Option<Check>,
    /// 写入的文件；- 为标准输出，可接 age、gpg 加密
    #[arg(value_name = "FILE", required = true)]
    file: Option<PathBuf>,
    /// 不含佐证材料的文件（另行备份 evidence_url 时）
    #[arg(long)]
    without_files: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Check {
    /// 核验备份：恢复到临时的 SQLite，核对每一行、审计、统计数和佐证材料；有任何问题时退出码为 1
    Verify {
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// 备份文件；- 为标准输入
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// 备份时在发件箱中等待的邮件照常发送（默认改为失败，确认没有发出后用 rectify mail requeue 重发）
    #[arg(long)]
    send_mails: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Copy {
    /// 目标数据库，须为空：sqlite:文件 或 postgres://…；密码可写在 RECTIFY_COPY_TO 中
    #[arg(long, value_name = "URL", env = "RECTIFY_COPY_TO", hide_env_values = true)]
    to: String,
}

pub(crate) async fn create(settings: &Settings, command: &Create) -> Result<(), Failure> {
    if let Some(Check::Verify { file }) = &command.verify {
        return verify(settings, file).await;
    }
    let Some(file) = &command.file else { return Err(Failure::Usage("缺少文件 / a FILE is needed".to_owned())) };
    let db = current(settings).await?;
    let storage = if command.without_files { None } else { Some(settings.storage_to_read()?) };
    let began = Instant::now();
    let about = (migration::applied(&db).await?, clock::now());
    let source = Source::open(&db).await?;
    if file.as_os_str() == "-" {
        let mut out = Counting { out: std::io::stdout().lock(), bytes: 0 };
        let manifest = archive::write(&source, storage.as_ref(), about, &mut out).await?;
        note(&db, &manifest, "-", out.bytes).await;
        return judge(&manifest, &mut |line| eprintln!("{line}"), began);
    }
    // Under another name until it is whole, so that nobody takes half of it for a backup.
    let part = part_of(file);
    let written = async {
        let out = create_private(&part).map_err(|error| unwritable(&part, &error))?;
        let manifest = archive::write(&source, storage.as_ref(), about, BufWriter::new(out)).await?;
        let sync = File::open(&part).and_then(|out| out.sync_all()).and_then(|()| std::fs::rename(&part, file));
        sync.map_err(|error| unwritable(file, &error))?;
        Ok(manifest)
    };
    let written: Result<Manifest, Failure> = written.await;
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    let manifest = written?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    note(&db, &manifest, &name, std::fs::metadata(file).map_or(0, |file| file.len())).await;
    judge(&manifest, &mut |line| say!("{line}"), began)
}

/// Counts the bytes that are written.
struct Counting<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, some: &[u8]) -> std::io::Result<usize> {
        let written = self.out.write(some)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// Notes in the database that a backup was made. A backup that cannot be noted is good all the same.
async fn note(db: &DatabaseConnection, manifest: &Manifest, file_name: &str, bytes: u64) {
    let (at, rows, has_files) = (manifest.made_at, manifest.rows(), manifest.files.is_some());
    if let Err(error) = backup::note(db, Made { at, file_name, bytes, rows, has_files }).await {
        tracing::warn!(%error, "the backup is written, but could not be noted in the database");
    }
}

/// Notes in the database of the settings, where it is there, how the verification of one of its backups ended.
async fn note_verified(settings: &Settings, manifest: &Manifest, faults: usize) {
    let Ok(db) = current(settings).await else { return };
    match backup::note_verified(&db, manifest.made_at, faults, clock::now()).await {
        Ok(true) => say!("核验结果已记入数据库，系统状态页可见"),
        Ok(false) => {}
        Err(error) => tracing::warn!(%error, "the verification could not be noted in the database"),
    }
}

/// Tells what a backup has. Fails if evidence is missing in it.
fn judge(manifest: &Manifest, tell: &mut dyn FnMut(String), began: Instant) -> Result<(), Failure> {
    let seconds = began.elapsed().as_secs_f64();
    tell(format!("{}，用时 {seconds:.1} 秒", described(manifest)));
    let Some(files) = manifest.files.as_ref().filter(|files| !files.faulty.is_empty()) else { return Ok(()) };
    let faulty = files.faulty.join("\n");
    Err(Failure::Rejected(format!(
        "备份已写入，但存储中有 {} 个佐证材料缺失或内容被改动 / the backup is written, but evidence is missing or has \
         changed:\n{faulty}",
        files.faulty.len()
    )))
}

fn described(manifest: &Manifest) -> String {
    let files = manifest.files.as_ref().map_or_else(
        || "不含佐证材料文件".to_owned(),
        |files| format!("佐证材料 {} 个（{:.1} MB）", files.count, files.bytes as f64 / 1e6),
    );
    let (tables, rows) = (manifest.tables.len(), manifest.rows());
    format!("{} 的台账：{tables} 张表，{rows} 行，{files}", manifest.made_at.format("%Y-%m-%d %H:%M:%SZ"))
}

fn part_of(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    file.with_file_name(name)
}

fn unwritable(file: &Path, error: &std::io::Error) -> Failure {
    Failure::Rejected(format!("{} 无法写入：{error} / cannot be written", file.display()))
}

pub(crate) async fn restore(settings: &Settings, command: &Restore) -> Result<(), Failure> {
    let file;
    let kept;
    let path = if command.file.as_os_str() == "-" {
        file = from_input()?;
        file.path()
    } else {
        kept = command.file.clone();
        &kept
    };
    let mut backup = Backup::open(path)?;
    let began = Instant::now();
    let (db, target, _lock) = load(settings, &mut backup).await?;
    let parked = if command.send_mails { 0 } else { target.park_mails().await? };
    // Before the rows are committed, for they never name what is not there.
    let files = match backup.manifest.files {
        Some(_) => backup.put_files(&settings.storage()?).await?,
        None => 0,
    };
    target.finish(&backup.manifest.tables).await?;
    database::migrate(&db).await?;
    // Closed in order, an embedded database is whole in its file.
    db.close().await?;
    say!("已恢复 {}，用时 {:.1} 秒", described(&backup.manifest), began.elapsed().as_secs_f64());
    say!("写入佐证材料 {files} 个；每张表写入后已逐行核对");
    if parked > 0 {
        say!("发件箱中有 {parked} 封邮件在备份时等待发送，已改为失败；确认没有发出后运行 rectify mail requeue 重发");
    }
    Ok(())
}

/// Keeps the standard input in a temporary file: a backup is read from its end.
fn from_input() -> Result<tempfile::NamedTempFile, Failure> {
    let failed =
        |error: std::io::Error| Failure::Rejected(format!("标准输入无法读取：{error} / cannot read the input"));
    let mut file = tempfile::NamedTempFile::new().map_err(failed)?;
    std::io::copy(&mut std::io::stdin().lock().by_ref(), &mut file).map_err(failed)?;
    file.flush().map_err(failed)?;
    Ok(file)
}

/// Writes the rows of a backup into the empty database of the settings and compares them. Nothing is committed yet.
/// Returns what keeps servers away, too.
async fn load(settings: &Settings, backup: &mut Backup) -> Result<(DatabaseConnection, Target, Option<File>), Failure> {
    let (db, lock) = database::open_empty(settings, &backup.manifest.steps).await?;
    let target = Target::open(&db).await?;
    backup.load(&target).await?;
    target.compare(&backup.manifest.tables).await?;
    Ok((db, target, lock))
}

async fn verify(settings: &Settings, file: &Path) -> Result<(), Failure> {
    let mut backup = Backup::open(file)?;
    let began = Instant::now();
    say!("{}", described(&backup.manifest));
    let faults = faults(settings, &mut backup).await;
    // A backup that cannot be read to its end has at least one.
    note_verified(settings, &backup.manifest, faults.as_ref().map_or(1, Vec::len)).await;
    let faults = faults?;
    if faults.is_empty() {
        say!("备份完好，用时 {:.1} 秒", began.elapsed().as_secs_f64());
        return Ok(());
    }
    Err(Failure::Rejected(format!("发现问题 / faults:\n{}", faults.join("\n"))))
}

/// Restores a backup into a temporary database, and returns what is wrong with it.
async fn faults(settings: &Settings, backup: &mut Backup) -> Result<Vec<String>, Failure> {
    let folder = tempfile::tempdir()
        .map_err(|error| Failure::Rejected(format!("临时文件夹无法建立：{error} / no temporary folder")))?;
    let aside = settings.with_database(&format!("sqlite:{}", folder.path().join("aside.db").display()));
    let (db, target, _lock) = load(&aside, backup).await?;
    target.finish(&backup.manifest.tables).await?;
    database::migrate(&db).await?;
    say!("已恢复到临时数据库，每张表逐行相符");
    let mut faults = Vec::new();
    let keys = settings.audit_keys()?;
    let asked = Asked { keys: &keys, anchors: &[], now: clock::now(), zone: settings.zone() };
    let found = ledger::record::audit::verify(&db, asked).await?;
    say!("审计记录 {} 条，{} 条链，封存 {} 日", found.entries, found.chains, found.days);
    faults.extend(found.faults.told.iter().map(|fault| format!("审计：{fault}")));
    let reading = ledger::record::database::begin_to_read(&db).await?;
    let differences = kept::differences(&reading).await?;
    reading.rollback().await?;
    if differences > 0 {
        faults.push(format!("统计数与全面重算有 {differences} 处不一致"));
    }
    if let Some(files) = backup.manifest.files.clone() {
        let places = Source::open(&db).await?.evidence().await?;
        let missing = places.iter().map(|(place, _)| place).filter(|place| !backup.holds(place));
        let missing = missing.filter(|place| !files.faulty.contains(place));
        faults.extend(missing.map(|place| format!("备份中没有佐证材料 {place}")));
        let damaged = backup.damaged_files()?;
        faults.extend(damaged.iter().map(|place| format!("佐证材料 {place} 与登记的 SHA-256 不符")));
        faults.extend(files.faulty.iter().map(|place| format!("备份时佐证材料 {place} 已缺失或被改动")));
    }
    db.close().await?;
    Ok(faults)
}

pub(crate) async fn copy(settings: &Settings, command: &Copy) -> Result<(), Failure> {
    let began = Instant::now();
    let db = current(settings).await?;
    let there = settings.with_database(&command.to);
    let steps = migration::applied(&db).await?;
    let (target_db, _lock) = database::open_empty(&there, &steps).await?;
    let source = Source::open(&db).await?;
    let mut target = Target::open(&target_db).await?;
    let tallies = source
        .copy_to(&mut target, |table, rows| {
            if rows > 0 {
                say!("{table}：{rows} 行");
            }
        })
        .await?;
    target.compare(&tallies).await?;
    target.finish(&tallies).await?;
    database::migrate(&target_db).await?;
    // Closed in order, an embedded database is whole in its file.
    target_db.close().await?;
    let to = secret::shown(&command.to);
    say!("已复制到 {to}，每张表逐行相符，用时 {:.1} 秒", began.elapsed().as_secs_f64());
    say!("复制期间的改动不在其中：请在停止服务后复制，再把设置改到新的数据库。佐证材料仍在 evidence_url");
    Ok(())
}
