//! One server at a time: an OS lock on `<file>.lock`, gone with the process, however it ends.
//!
//! The lock file stays behind when the lock is let go: taking it away would let two servers lock two files of one name.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::fault;
use crate::store::Error;

/// Between two looks at a lock that somebody holds.
const RETRY: Duration = Duration::from_millis(100);

/// Holds the lock for as long as it lives.
#[derive(Debug)]
pub(super) struct ServerLock {
    _file: File,
}

impl ServerLock {
    /// Waits for the lock for up to `patience`.
    pub(super) async fn take(database: &Path, patience: Duration) -> Result<Self, Error> {
        let path = path_for(database);
        let cannot = |cause: std::io::Error| {
            let advice = match cause.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => fault::MAKE_ROOM,
                _ => "its folder must exist and be writable for this user",
            };
            Error::Unavailable(format!(
                "the lock file {} cannot be used ({cause}): {advice}",
                path.display()
            ))
        };
        let mut file = open_private(&path).map_err(cannot)?;
        let deadline = Instant::now() + patience;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(std::fs::TryLockError::Error(cause)) => return Err(cannot(cause)),
                Err(std::fs::TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    return Err(Error::Held(format!(
                        "{} is in use by another server ({}): stop that one, or give this one a file of its own in \
                         store.url",
                        database.display(),
                        holder(&mut file)
                    )));
                }
                Err(std::fs::TryLockError::WouldBlock) => {
                    if !told {
                        tracing::info!(holder = %holder(&mut file), "waiting for another server to let go of the store");
                        told = true;
                    }
                    sleep(RETRY).await;
                }
            }
        }
        let who = format!("pid {} on {}\n", std::process::id(), host());
        let told = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(who.as_bytes()));
        if let Err(cause) = told {
            // It is held all the same. A full disk is told by those who need room on it.
            tracing::debug!(error = %cause, "the lock does not say who holds it");
        }
        Ok(Self { _file: file })
    }
}

fn path_for(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

/// Opens or creates a file that only its owner may read, whatever the umask.
pub(super) fn open_private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    match options.clone().create_new(true).mode(0o600).open(path) {
        Ok(file) => {
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
            Ok(file)
        }
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => options.open(path),
        Err(cause) => Err(cause),
    }
}

/// Who holds the lock, as far as it says.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| {
        let mut start = Read::take(&mut *file, 300);
        start.read_to_string(&mut text)
    });
    match read {
        Ok(1..) => text.trim().to_owned(),
        Ok(0) | Err(_) => "which does not say who it is".to_owned(),
    }
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::fs::read_to_string("/etc/hostname"))
        .map_or_else(
            |_| "an unknown host".to_owned(),
            |name| name.trim().to_owned(),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_second_server_is_told_who_the_first_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        let first = ServerLock::take(&file, Duration::ZERO).await.unwrap();
        let refused = ServerLock::take(&file, Duration::ZERO).await.unwrap_err();
        assert!(
            matches!(&refused, Error::Held(text) if text.contains(&format!("pid {} on ", std::process::id()))),
            "{refused}"
        );
        drop(first);
        // Not at once: what another test starts holds it, too, until it has become what it shall be.
        let patience = Duration::from_secs(20);
        ServerLock::take(&file, patience).await.unwrap();
    }

    #[tokio::test]
    async fn a_server_waits_for_one_that_is_about_to_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        let first = ServerLock::take(&file, Duration::ZERO).await.unwrap();
        let second = ServerLock::take(&file, Duration::from_secs(20));
        let (second, ()) = tokio::join!(second, async {
            sleep(Duration::from_millis(150)).await;
            drop(first);
        });
        second.unwrap();
    }
}
