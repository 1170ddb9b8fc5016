//! `rectify audit`: verifies the audit, and prints its newest seal so that it can be kept outside this system. The job
//! `seal-audit` seals the audit every night.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use ledger::record::audit::{Anchor, Asked, Keys, Verified};
use ledger::rule::calendar::local_day;

use super::current;
use crate::settings::Settings;
use crate::{Failure, clock, say};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Audit {
    /// 核验全部审计链、每日封存及其签名，并与台账现状核对；有任何问题时退出码为 1
    Verify {
        /// 另行保存的封存值（日期:摘要），可重复；与当日封存不符或当日封存不存在即为问题
        #[arg(long = "head", value_name = "DAY:DIGEST")]
        heads: Vec<Anchor>,
        /// 另行保存的封存值的文件，每行一个
        #[arg(long = "heads", value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// 显示最新的封存值（日期:摘要），供保存在本系统之外
    Head {
        /// 同时追加到文件末尾
        #[arg(long, value_name = "FILE")]
        write: Option<PathBuf>,
    },
}

pub(crate) async fn run(settings: &Settings, command: &Audit) -> Result<(), Failure> {
    match command {
        Audit::Verify { heads, file } => verify(settings, heads, file.as_deref()).await,
        Audit::Head { write } => head(settings, write.as_deref()).await,
    }
}

async fn head(settings: &Settings, write: Option<&Path>) -> Result<(), Failure> {
    let db = current(settings).await?;
    let Some(head) = ledger::record::audit::newest(&db).await? else {
        return Err(Failure::Rejected(
            "尚未封存：每夜由 seal-audit 封存，或运行 rectify job run seal-audit".to_owned(),
        ));
    };
    let anchor = Anchor::from(&head).to_string();
    if let Some(file) = write {
        append(file, &anchor).map_err(|error| Failure::Rejected(format!("{} 无法写入：{error}", file.display())))?;
    }
    say!("{anchor}");
    Ok(())
}

/// Appends a line to a file unless the file contains it already. Creates a missing file with access for its owner only.
fn append(file: &Path, line: &str) -> io::Result<()> {
    let mut options = File::options();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(file)?;
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    if text.lines().any(|there| there.trim() == line) {
        return Ok(());
    }
    let start = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    file.write_all(format!("{start}{line}\n").as_bytes())?;
    file.sync_all()
}

/// Reads seals from a file, one per line. Skips empty lines and lines that begin with `#`.
fn read(file: &Path) -> Result<Vec<Anchor>, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Usage(format!("--heads：{} 无法读取：{error}", file.display())))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.parse().map_err(|why| Failure::Usage(format!("--heads：{}：{why}", file.display()))))
        .collect()
}

async fn verify(settings: &Settings, heads: &[Anchor], file: Option<&Path>) -> Result<(), Failure> {
    let mut anchors = heads.to_vec();
    if let Some(file) = file {
        anchors.extend(read(file)?);
    }
    let keys = settings.audit_keys()?;
    let db = current(settings).await?;
    let asked = Asked { keys: &keys, anchors: &anchors, now: clock::now(), zone: settings.zone() };
    let found = ledger::record::audit::verify(&db, asked).await?;
    tell(&found, settings);
    tell_signatures(&found, &keys);
    tell_rows(&found);
    if !found.faults.is_empty() {
        let more = found.faults.more;
        let more = if more > 0 { format!("\n另有 {more} 处") } else { String::new() };
        return Err(Failure::Rejected(format!("发现问题：\n{}{more}", found.faults.told.join("\n"))));
    }
    let but = if found.unchecked > 0 { "（签名未核对）" } else { "" };
    say!("全部相接，无缺失，无改动{but}");
    Ok(())
}

fn tell(found: &Verified, settings: &Settings) {
    let unsigned =
        if found.unsigned > 0 { format!("，其中 {} 日未签名", found.unsigned) } else { String::new() };
    say!("审计记录 {} 条，{} 条链，封存 {} 日{unsigned}", found.entries, found.chains, found.days);
    if found.gaps > 0 {
        say!("有 {} 日没有单独封存，由其后的封存涵盖：当夜 seal-audit 没有运行，或封存被删除后重新封存", found.gaps);
    }
    if found.anchored > 0 {
        say!("与另行保存的 {} 个封存值相符", found.anchored);
    }
    if let Some(since) = found.unsealed_since {
        let day = local_day(since, settings.zone());
        say!(
            "尚未封存 {} 条，最早的在 {day}：每夜由 seal-audit 封存，早于昨日的说明它没有运行，或封存被删除",
            found.unsealed
        );
    }
}

fn tell_signatures(found: &Verified, keys: &Keys) {
    if let Some(since) = found.signing_since {
        say!("自 {since} 起每日签名");
    }
    if found.signed > 0 {
        say!("签名已核对 {} 日", found.signed);
    }
    if found.unchecked > 0 {
        say!(
            "签名没有核对：{} 日有签名，手边没有密钥。能改写数据库的人可以重做没有核对的封存；\
             请设置 audit_key_file 后再核验",
            found.unchecked
        );
    } else if keys.current.is_none() && found.signed == 0 {
        say!("没有签名，也没有密钥：能改写数据库的人可以重做全部封存，除非封存值另行保存（rectify audit head）");
    }
}

fn tell_rows(found: &Verified) {
    let compared = &found.compared;
    say!(
        "台账与最后的审计记录相符：责任分解 {} 项、交办案件 {} 件、账户 {} 个",
        compared.assignments,
        compared.cases,
        compared.accounts
    );
    let left = [
        (compared.assignments_unnoted, "项责任分解由导入或演示写入，之后没有办理"),
        (compared.assignments_imported, "项责任分解在最后一次办理之后又被导入更新"),
        (compared.cases_unnoted, "件交办案件由演示写入，之后没有办理"),
    ];
    let left: Vec<String> =
        left.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    if !left.is_empty() {
        say!("未核对，审计中没有逐项状态：{}", left.join("；"));
    }
    say!("不在核对范围：问题、措施、进展、检查、销号、佐证等其他各表的内容，以及账户的姓名、邮箱、电话和密码");
}
