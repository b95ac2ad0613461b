//! File systems of a test's own: small ones, and read-only ones. Only root can mount.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Mounted for as long as it lives, also while a test panics.
pub struct Mount {
    at: PathBuf,
}

impl Mount {
    /// A file system in memory. None, loudly, where nothing can be mounted: a test without it shows nothing.
    pub fn tmpfs(at: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(at).expect("a temporary folder");
        Self::new(at, &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
    }

    /// The folder over itself, read-only: what is open stays writable, what is opened from now on is not.
    pub fn read_only(at: &Path) -> Option<Self> {
        let folder = at.to_str().expect("a temporary folder's name is UTF-8");
        let mount = Self::new(at, &["--bind", folder])?;
        run(Command::new("mount")
            .args(["-o", "remount,bind,ro"])
            .arg(at))
        .expect("who can mount can also do this");
        Some(mount)
    }

    fn new(at: &Path, options: &[&str]) -> Option<Self> {
        match run(Command::new("mount").args(options).arg(at)) {
            Ok(()) => Some(Self { at: at.to_owned() }),
            Err(why) => {
                let root = run(Command::new("sh").args(["-c", "test $(id -u) = 0"])).is_ok();
                let ci = std::env::var("CI").is_ok_and(|value| value == "true");
                assert!(!(root && ci), "root on CI must be able to mount: {why}");
                eprintln!("SKIPPED: this test needs root to mount a file system: {why}");
                None
            }
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a service that a failing test leaves behind still has it open.
        if let Err(why) = run(Command::new("umount").arg("-l").arg(&self.at)) {
            eprintln!("{} stays mounted: {why}", self.at.display());
        }
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|cause| format!("{command:?}: {cause}"))?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}", told.trim()))
}
