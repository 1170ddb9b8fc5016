//! The owner of the files that commands of the superuser make: that of the data folder, so that the service, which runs
//! as another user, can use them.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Stat, Uid};

/// How a folder is opened: never through a link, which another user could have put there.
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Gives what the superuser owns in a folder to the owner of the folder. Does nothing if another user runs the program,
/// if the folder belongs to the superuser, or if there is none.
pub(crate) fn hand_over(folder: &Path) {
    if !rustix::process::geteuid().is_root() || !folder.exists() {
        return;
    }
    let handed_over = std::fs::canonicalize(folder).and_then(|folder| {
        let folder = rustix::fs::openat(CWD, &folder, FOLDER, Mode::empty())?;
        let of = rustix::fs::fstat(&folder)?;
        if of.st_uid == 0 { Ok(()) } else { hand_over_in(&folder, &of) }
    });
    if let Err(error) = handed_over {
        let folder = folder.display();
        tracing::warn!(%folder, %error, "files that belong to the superuser could not be given to the folder's owner");
    }
}

fn hand_over_in(folder: &OwnedFd, of: &Stat) -> io::Result<()> {
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            hand_over_one(folder.as_fd(), name, of)?;
        }
    }
    Ok(())
}

fn hand_over_one(folder: BorrowedFd<'_>, name: &OsStr, of: &Stat) -> io::Result<()> {
    // What has been removed meanwhile needs no owner.
    let Ok(found) = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { return Ok(()) };
    let is_folder = FileType::from_raw_mode(found.st_mode).is_dir();
    // A file with two names may be one from elsewhere.
    if found.st_uid == 0 && (is_folder || found.st_nlink == 1) {
        let (user, group) = (Uid::from_raw(of.st_uid), Gid::from_raw(of.st_gid));
        rustix::fs::chownat(folder, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
    }
    if is_folder {
        hand_over_in(&rustix::fs::openat(folder, name, FOLDER, Mode::empty())?, of)?;
    }
    Ok(())
}
