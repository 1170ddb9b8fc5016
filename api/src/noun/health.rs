//! The health of the installation, for administrators: the state of what it depends on, and what they should do.

use async_graphql::{Context, Enum, Object, SimpleObject};
use chrono::{DateTime, TimeDelta, Utc};
use entity::backup;
use ledger::people::policy::Act;
use ledger::rule::calendar::minute;
use planner::{Bilingual, MAX_KEYS};

use crate::context::Request;
use crate::error::masked;
use crate::installation::{Examined, ExaminedDatabase, ExaminedDisk, ExaminedJob, ExaminedOutbox};
use crate::part::scalar::Moment;

/// How long a mail may wait, a job may be late and a scheduler may be silent before administrators are told.
const LATE: TimeDelta = TimeDelta::minutes(15);
/// How long after its last tick a scheduler counts as not ready.
const SILENT: TimeDelta = TimeDelta::minutes(3);
/// The free bytes below which a disk counts as nearly full.
const LITTLE: u64 = 2_000_000_000;

/// What is wrong with the installation.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
pub(crate) enum HealthFindingCode {
    /// 数据库不能写入 · The database does not accept writes.
    DatabaseNotWritable,
    /// 定时任务停止 · The scheduler of this process does not tick.
    SchedulerSilent,
    /// 磁盘空间不足 · Little space is left on a disk.
    DiskNearlyFull,
    /// 邮件服务器不收信 · The mail server takes no mails.
    MailOutage,
    /// 邮件等待过久 · A mail has waited for more than 15 minutes.
    MailsWait,
    /// 邮件发送失败 · Mails have failed.
    MailsFailed,
    /// 任务失败 · A job fails.
    JobFails,
    /// 任务迟到 · A job has been due for more than 15 minutes.
    JobLate,
    /// 检索索引滞后 · Many texts wait to be indexed, so that searches are slow.
    SearchIndexBehind,
    /// 接口推送失败 · Receivers of messages to other systems fail.
    WebhooksFail,
    /// 没有备份 · No backup was made of this database.
    BackupMissing,
    /// 备份过旧 · The last backup is too old.
    BackupOld,
    /// 备份有误 · The verification of the last backup found faults.
    BackupFaulty,
}

/// One thing that an administrator has to look after.
#[derive(SimpleObject)]
pub(crate) struct HealthFinding {
    /// What is wrong.
    code: HealthFindingCode,
    /// Whether the installation is not ready because of it, as `/readyz` says; otherwise it only works less well.
    is_critical: bool,
    /// What is wrong, in words, in the language of the request.
    message: String,
    /// What to do about it, in the language of the request.
    advice: String,
}

/// State of the database.
#[derive(SimpleObject)]
pub(crate) struct DatabaseHealth {
    /// Kind of database, `SQLite` or `PostgreSQL`.
    kind: String,
    /// Version of the database program.
    version: String,
    /// Size of the database in bytes.
    byte_count: f64,
    /// Name of the last step by which the database was migrated.
    schema_step: String,
    /// Number of connections to it that this process has open.
    open_connection_count: u32,
    /// Number of open connections that are not in use.
    idle_connection_count: u32,
    /// Largest number of connections that this process opens.
    max_connection_count: u32,
    /// Whether the database accepts writes.
    is_writable: bool,
}

impl From<ExaminedDatabase> for DatabaseHealth {
    fn from(database: ExaminedDatabase) -> Self {
        let ExaminedDatabase { kind, version, bytes, step, open, idle, most, is_writable } = database;
        Self {
            kind: kind.to_owned(),
            version,
            byte_count: bytes as f64,
            schema_step: step,
            open_connection_count: open,
            idle_connection_count: idle,
            max_connection_count: most,
            is_writable,
        }
    }
}

/// State of the outbox and of the mail server.
#[derive(SimpleObject)]
pub(crate) struct OutboxHealth {
    /// Number of mails that wait or are being sent.
    waiting_count: u32,
    /// Number of mails that have failed.
    failed_count: u32,
    /// Moment at which the oldest waiting mail was queued; null if none waits.
    oldest_queued_at: Option<Moment>,
    /// Moment since which the mail server takes no mails; null while it does.
    outage_since: Option<Moment>,
}

impl From<ExaminedOutbox> for OutboxHealth {
    fn from(outbox: ExaminedOutbox) -> Self {
        Self {
            waiting_count: count(outbox.waiting),
            failed_count: count(outbox.failed),
            oldest_queued_at: outbox.oldest.map(Moment),
            outage_since: outbox.outage_since.map(Moment),
        }
    }
}

/// State of an enabled background job.
#[derive(SimpleObject)]
pub(crate) struct JobHealth {
    /// Stable name of the job, such as `overdue`.
    name: String,
    /// Moment at which the job last succeeded by its schedule; null before it first does.
    succeeded_at: Option<Moment>,
    /// Number of attempts that have failed since; 0 while the job succeeds.
    failure_count: u32,
    /// Moment since which the next run has been due; null if none is.
    due_since: Option<Moment>,
}

impl From<ExaminedJob> for JobHealth {
    fn from(job: ExaminedJob) -> Self {
        let ExaminedJob { name, succeeded_at, failures, due_since } = job;
        Self { name, succeeded_at: succeeded_at.map(Moment), failure_count: failures, due_since: due_since.map(Moment) }
    }
}

/// Files of evidence (佐证材料) and where they are stored.
#[derive(SimpleObject)]
pub(crate) struct EvidenceHealth {
    /// Address of the storage, without secrets.
    place: String,
    /// Number of files that the ledger has.
    file_count: u32,
    /// Size of these files together, in bytes.
    byte_count: f64,
}

/// A folder of the ledger on the machine that answers, and the space that is left on its disk.
#[derive(SimpleObject)]
pub(crate) struct DiskHealth {
    /// Path of the folder.
    folder: String,
    /// Free space on its disk, in bytes.
    free_byte_count: f64,
    /// Size of the disk, in bytes.
    total_byte_count: f64,
}

impl From<ExaminedDisk> for DiskHealth {
    fn from(disk: ExaminedDisk) -> Self {
        let ExaminedDisk { folder, free, total } = disk;
        Self { folder, free_byte_count: free as f64, total_byte_count: total as f64 }
    }
}

/// A backup that `rectify backup` made of this database.
#[derive(SimpleObject)]
pub(crate) struct BackupRecord {
    /// Moment that the backup shows the ledger of.
    made_at: Moment,
    /// Name of the file, without folders; `-` for one that was written to the standard output.
    file_name: String,
    /// Size of the file in bytes.
    byte_count: f64,
    /// Whether the files of evidence are in it.
    has_files: bool,
    /// Moment at which `rectify backup verify` last checked it; null if it never did.
    verified_at: Option<Moment>,
    /// Number of faults that the check found; null if there was none.
    fault_count: Option<i32>,
}

impl From<backup::Model> for BackupRecord {
    fn from(backup: backup::Model) -> Self {
        Self {
            made_at: Moment(backup.made_at),
            file_name: backup.file_name,
            byte_count: backup.byte_count as f64,
            has_files: backup.has_files,
            verified_at: backup.verified_at.map(Moment),
            fault_count: backup.fault_count,
        }
    }
}

/// Health of the installation: the process that answers, and what it depends on.
#[derive(SimpleObject)]
pub(crate) struct SystemHealth {
    /// Moment at which the state was read.
    checked_at: Moment,
    /// Version of the program.
    version: String,
    /// What administrators have to look after, the most urgent first; empty if all is well.
    findings: Vec<HealthFinding>,
    /// Moment at which the scheduler of this process last ticked; null if another process runs the scheduler.
    scheduler_ticked_at: Option<Moment>,
    /// State of the database.
    database: DatabaseHealth,
    /// State of the outbox and of the mail server.
    outbox: OutboxHealth,
    /// States of the enabled jobs, by name.
    jobs: Vec<JobHealth>,
    /// Files of evidence and their storage.
    evidence: EvidenceHealth,
    /// Folders of the ledger on this machine, with the space that is left.
    disks: Vec<DiskHealth>,
    /// The backup that was made last; null if none was made of this database.
    last_backup: Option<BackupRecord>,
    /// Number of days without a backup after which administrators are warned; 0 if they never are.
    backup_days: i64,
}

/// Queries on the health of the installation.
#[derive(Default)]
pub(crate) struct HealthQuery;

#[Object]
impl HealthQuery {
    /// Examines the installation: database, outbox, jobs, storage, disks and backups, with what has to be done. For
    /// administrators; null for others. `/readyz` says in short whether the installation is ready.
    async fn system_health(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<SystemHealth>> {
        let request = ctx.data::<Request>()?;
        if !request.principal().may(Act::KeepAccounts) {
            return Ok(None);
        }
        let examined = (request.installation.examine)().await.map_err(|failure| masked(&failure))?;
        Ok(Some(health(request, examined)))
    }
}

fn health(request: &Request, examined: Examined) -> SystemHealth {
    let backup_days = request.installation.backup_days;
    let found = Found { request, examined: &examined, findings: Vec::new() };
    let findings = found.all(backup_days);
    let (files, bytes) = examined.evidence;
    SystemHealth {
        checked_at: Moment(request.now),
        version: examined.version.to_owned(),
        findings,
        scheduler_ticked_at: examined.ticked_at.map(Moment),
        database: examined.database.into(),
        outbox: examined.outbox.into(),
        jobs: examined.jobs.into_iter().map(Into::into).collect(),
        evidence: EvidenceHealth { place: examined.evidence_place, file_count: count(files), byte_count: bytes as f64 },
        disks: examined.disks.into_iter().map(Into::into).collect(),
        last_backup: examined.backup.map(Into::into),
        backup_days,
    }
}

fn count(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Collects the findings of an examination.
struct Found<'a> {
    request: &'a Request,
    examined: &'a Examined,
    findings: Vec<HealthFinding>,
}

impl Found<'_> {
    fn all(mut self, backup_days: i64) -> Vec<HealthFinding> {
        self.of_this_process();
        self.of_mail();
        self.of_jobs();
        self.of_backups(backup_days);
        // In a stable order otherwise.
        self.findings.sort_by_key(|finding| !finding.is_critical);
        self.findings
    }

    fn add(&mut self, code: HealthFindingCode, message: &Bilingual, advice: &Bilingual) {
        let is_critical = matches!(code, HealthFindingCode::DatabaseNotWritable | HealthFindingCode::SchedulerSilent);
        let language = self.request.language;
        let (message, advice) = (language.of(message).to_owned(), language.of(advice).to_owned());
        self.findings.push(HealthFinding { code, is_critical, message, advice });
    }

    /// Returns a moment as local time, in words.
    fn local(&self, at: DateTime<Utc>) -> String {
        minute(at, self.request.zone)
    }

    fn is_older(&self, at: DateTime<Utc>, than: TimeDelta) -> bool {
        self.request.now - at > than
    }

    fn of_this_process(&mut self) {
        let examined = self.examined;
        if !examined.database.is_writable {
            self.add(
                HealthFindingCode::DatabaseNotWritable,
                &Bilingual::new(
                    "数据库不能写入，任何办理都会失败。",
                    "The database does not accept writes; every act fails.",
                ),
                &Bilingual::new(
                    "检查数据库所在磁盘的空间和数据库的日志；空间恢复后程序自行继续。",
                    "Check the disk of the database and its log; the program goes on by itself once it accepts writes.",
                ),
            );
        }
        if let Some(at) = examined.ticked_at.filter(|at| self.is_older(*at, SILENT)) {
            let at = self.local(at);
            self.add(
                HealthFindingCode::SchedulerSilent,
                &Bilingual::new(
                    format!("定时任务自 {at} 起没有运行。"),
                    format!("The scheduler has not ticked since {at}."),
                ),
                &Bilingual::new("查看程序日志，重新启动程序。", "Look into the log of the program, and restart it."),
            );
        }
        for disk in examined.disks.iter().filter(|disk| disk.free < LITTLE) {
            let (folder, free) = (&disk.folder, disk.free / 1_000_000);
            self.add(
                HealthFindingCode::DiskNearlyFull,
                &Bilingual::new(
                    format!("{folder} 所在的磁盘只剩 {free} MB。"),
                    format!("Only {free} MB are left on the disk of {folder}."),
                ),
                &Bilingual::new(
                    "清理磁盘或扩容；磁盘写满后台账不能写入。",
                    "Free space or enlarge the disk; nothing can be written once it is full.",
                ),
            );
        }
    }

    fn of_mail(&mut self) {
        let outbox = self.examined.outbox;
        if let Some(since) = outbox.outage_since {
            let since = self.local(since);
            self.add(
                HealthFindingCode::MailOutage,
                &Bilingual::new(
                    format!("邮件服务器自 {since} 起不收信；邮件留在发件箱中，不会丢失。"),
                    format!("The mail server has taken no mails since {since}; they wait in the outbox."),
                ),
                &Bilingual::new(
                    "运行 rectify mail test 邮箱 查看原因，核对 mail_url 等设置。",
                    "rectify mail test ADDRESS tells the reason; check the settings of the mail server.",
                ),
            );
        } else if let Some(oldest) = outbox.oldest.filter(|at| self.is_older(*at, LATE)) {
            let oldest = self.local(oldest);
            self.add(
                HealthFindingCode::MailsWait,
                &Bilingual::new(
                    format!("有邮件自 {oldest} 起等待发送。"),
                    format!("A mail has waited to be sent since {oldest}."),
                ),
                &Bilingual::new(
                    "在发件箱中查看原因；确认有一个运行定时任务的程序。",
                    "The outbox tells why; make sure that a process runs the scheduler.",
                ),
            );
        }
        if outbox.failed > 0 {
            let failed = outbox.failed;
            self.add(
                HealthFindingCode::MailsFailed,
                &Bilingual::new(format!("{failed} 封邮件发送失败。"), format!("{failed} mails have failed.")),
                &Bilingual::new(
                    "在发件箱中查看原因，改正邮箱后重新发送。",
                    "The outbox tells why; correct the addresses and send the mails again.",
                ),
            );
        }
    }

    fn of_jobs(&mut self) {
        for job in &self.examined.jobs {
            let name = &job.name;
            if job.failures > 0 {
                let failures = job.failures;
                self.add(
                    HealthFindingCode::JobFails,
                    &Bilingual::new(
                        format!("任务 {name} 已连续失败 {failures} 次。"),
                        format!("The job {name} has failed {failures} times in a row."),
                    ),
                    &Bilingual::new(
                        "在定时任务中查看错误；程序会自行重试。",
                        "The schedules tell the error; the program tries again by itself.",
                    ),
                );
            } else if let Some(since) = job.due_since.filter(|at| self.is_older(*at, LATE)) {
                let since = self.local(since);
                self.add(
                    HealthFindingCode::JobLate,
                    &Bilingual::new(
                        format!("任务 {name} 自 {since} 起应运行而未运行。"),
                        format!("The job {name} has been due since {since}."),
                    ),
                    &Bilingual::new(
                        "确认有一个运行定时任务的程序（rectify serve，或 --role scheduler）。",
                        "Make sure that a process runs the scheduler: rectify serve, or --role scheduler.",
                    ),
                );
            }
        }
        let unindexed = self.examined.unindexed;
        if unindexed > MAX_KEYS as u64 {
            self.add(
                HealthFindingCode::SearchIndexBehind,
                &Bilingual::new(
                    format!("{unindexed} 段文字等待建立检索索引，其间检索较慢。"),
                    format!("{unindexed} texts wait to be indexed; until then, searches are slow."),
                ),
                &Bilingual::new(
                    "大批导入后几分钟内自行完成；\
                     否则确认有一个运行定时任务的程序（rectify serve，或 --role scheduler）。",
                    "After a large import, it takes a few minutes. \
                     Otherwise, make sure that a process runs the scheduler: rectify serve, or --role scheduler.",
                ),
            );
        }
        if let Some(since) = self.examined.webhooks_failing_since.first() {
            let (count, since) = (self.examined.webhooks_failing_since.len(), self.local(*since));
            self.add(
                HealthFindingCode::WebhooksFail,
                &Bilingual::new(
                    format!("{count} 个推送接口失败，最早自 {since} 起。"),
                    format!("{count} receivers of messages fail, the first since {since}."),
                ),
                &Bilingual::new("在接口推送中查看对方的答复。", "The webhooks page shows what the receivers answer."),
            );
        }
    }

    fn of_backups(&mut self, days: i64) {
        let make = Bilingual::new(
            "运行 rectify backup 文件，并把它列入每天的计划任务；备份存放在另一台机器上。",
            "Run rectify backup FILE, every day by a timer, and keep the backups on another machine.",
        );
        match &self.examined.backup {
            _ if days == 0 => {}
            None => self.add(
                HealthFindingCode::BackupMissing,
                &Bilingual::new("这个数据库还没有备份过。", "No backup was made of this database yet."),
                &make,
            ),
            Some(backup) if self.is_older(backup.made_at, TimeDelta::days(days)) => {
                let at = self.local(backup.made_at);
                self.add(
                    HealthFindingCode::BackupOld,
                    &Bilingual::new(
                        format!("最近一次备份在 {at}，已超过 {days} 天。"),
                        format!("The last backup was made at {at}, more than {days} days ago."),
                    ),
                    &make,
                );
            }
            Some(_) => {}
        }
        if let Some(backup) = &self.examined.backup
            && let Some(faults) = backup.fault_count.filter(|faults| *faults > 0)
        {
            let at = self.local(backup.made_at);
            self.add(
                HealthFindingCode::BackupFaulty,
                &Bilingual::new(
                    format!("{at} 的备份核验出 {faults} 个问题。"),
                    format!("The verification of the backup of {at} found {faults} faults."),
                ),
                &Bilingual::new(
                    "重新备份并核验；仍有问题时运行 rectify evidence verify 和 rectify audit verify。",
                    "Make another backup and verify it; if faults remain, run rectify evidence verify and rectify \
                     audit verify.",
                ),
            );
        }
    }
}
