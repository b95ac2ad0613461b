//! Notices that the text of a file has changed, however that came about.
//!
//! It goes by the text itself. Time, size and number of a file stay when it is written over within one tick of the
//! clock, or by a tool that keeps times; and whoever listens for changes has to listen at every link and folder on the
//! way, because editors rename and Kubernetes swaps a link two folders up, and hears nothing on a network file system.
//! Reading some kilobytes every second is cheaper than being wrong.

use std::fmt::Display;

use crate::rules;

/// The hash of the text, or why there is none.
type Look = Result<String, String>;

pub(super) struct Watch {
    /// What was handed on last, good or bad.
    taken: Look,
    last: Look,
}

impl Watch {
    /// From the rules in force on.
    pub(super) fn new(in_force: &str) -> Self {
        Self {
            taken: Ok(in_force.to_owned()),
            last: Ok(in_force.to_owned()),
        }
    }

    /// Whether what is there now is new, and was there the last time, too: not in the middle of being written, and not
    /// away for just a moment.
    pub(super) fn sees(&mut self, now: &Result<String, impl Display>) -> bool {
        let now = look(now);
        let settled = now == self.last && now != self.taken;
        if settled {
            self.taken.clone_from(&now);
        }
        self.last = now;
        settled
    }

    /// What is there now is handed on, whether it is new or not.
    pub(super) fn takes(&mut self, now: &Result<String, impl Display>) {
        self.taken = look(now);
        self.last.clone_from(&self.taken);
    }
}

fn look(read: &Result<String, impl Display>) -> Look {
    match read {
        Ok(text) => Ok(rules::hash_of(text)),
        Err(why) => Err(why.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};
    use std::path::{Path, PathBuf};

    use super::*;

    const OLD: &str = "[[rule]]\nname = 'a'\nassign = 'OLD'\n";
    const NEW: &str = "[[rule]]\nname = 'a'\nassign = 'NEW'\n";

    struct Watched {
        folder: tempfile::TempDir,
        watch: Watch,
    }

    impl Watched {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("rules.toml"), OLD).unwrap();
            let watch = Watch::new(&rules::hash_of(OLD));
            Self { folder, watch }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn file(&self) -> PathBuf {
            self.path("rules.toml")
        }

        fn look(&mut self) -> bool {
            self.watch.sees(&fs::read_to_string(self.file()))
        }

        /// Seen at the second look, and once.
        #[track_caller]
        fn is_seen(&mut self) {
            let looks = [self.look(), self.look(), self.look()];
            assert_eq!(looks, [false, true, false]);
        }
    }

    #[test]
    fn a_file_that_nobody_touches_is_left_alone() {
        let mut watched = Watched::new();
        assert!(!watched.look() && !watched.look());
        // Written again as it was.
        fs::write(watched.file(), OLD).unwrap();
        assert!(!watched.look() && !watched.look());
    }

    #[test]
    fn a_file_that_was_renamed_over_it_is_seen() {
        let mut watched = Watched::new();
        fs::write(watched.path("rules.toml~"), NEW).unwrap();
        fs::rename(watched.path("rules.toml~"), watched.file()).unwrap();
        watched.is_seen();
        // Other editors move the old one away first.
        fs::rename(watched.file(), watched.path("backup")).unwrap();
        assert!(!watched.look());
        fs::write(watched.file(), OLD).unwrap();
        watched.is_seen();
    }

    /// As the kubelet does it: the file is a link into `..data`, which is a link that is swapped whole.
    fn publish(folder: &Path, version: &str, text: &str) {
        fs::create_dir(folder.join(version)).unwrap();
        fs::write(folder.join(version).join("rules.toml"), text).unwrap();
        symlink(version, folder.join("..data_tmp")).unwrap();
        fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    }

    #[test]
    fn a_link_that_is_swapped_on_the_way_is_seen() {
        let mut watched = Watched::new();
        fs::remove_file(watched.file()).unwrap();
        let folder = watched.folder.path().to_owned();
        publish(&folder, "..2026_11_25_1", OLD);
        symlink("..data/rules.toml", watched.file()).unwrap();
        assert!(!watched.look() && !watched.look());
        publish(&folder, "..2026_11_25_2", NEW);
        fs::remove_dir_all(folder.join("..2026_11_25_1")).unwrap();
        watched.is_seen();
    }

    #[test]
    fn an_edit_that_keeps_size_time_and_number_is_seen() {
        let mut watched = Watched::new();
        let before = fs::metadata(watched.file()).unwrap();
        fs::write(watched.file(), NEW).unwrap();
        let file = fs::File::options().write(true).open(watched.file());
        let file = file.unwrap();
        file.set_modified(before.modified().unwrap()).unwrap();
        let after = fs::metadata(watched.file()).unwrap();
        let marks = |seen: &fs::Metadata| (seen.len(), seen.ino(), seen.mtime_nsec(), seen.mtime());
        assert_eq!(marks(&before), marks(&after), "the test shows nothing else");
        watched.is_seen();
    }

    #[test]
    fn a_file_that_vanishes_is_told_once_and_seen_when_it_is_back() {
        let mut watched = Watched::new();
        fs::rename(watched.file(), watched.path("away")).unwrap();
        assert!(!watched.look(), "it may be back in a moment");
        fs::rename(watched.path("away"), watched.file()).unwrap();
        assert!(!watched.look() && !watched.look(), "and was");

        fs::rename(watched.file(), watched.path("away")).unwrap();
        watched.is_seen();
        fs::rename(watched.path("away"), watched.file()).unwrap();
        watched.is_seen();
        fs::remove_file(watched.file()).unwrap();
        watched.is_seen();
        fs::write(watched.file(), NEW).unwrap();
        watched.is_seen();
    }

    #[test]
    fn a_file_is_not_read_while_it_is_being_written() {
        let mut watched = Watched::new();
        for end in [0, 5, 20] {
            fs::write(watched.file(), &NEW.as_bytes()[..end]).unwrap();
            assert!(!watched.look(), "{end}");
        }
        fs::write(watched.file(), NEW).unwrap();
        watched.is_seen();
    }

    #[test]
    fn what_was_taken_on_a_signal_is_not_seen_again() {
        let mut watched = Watched::new();
        fs::write(watched.file(), NEW).unwrap();
        assert!(!watched.look());
        let read = fs::read_to_string(watched.file());
        watched.watch.takes(&read);
        assert!(!watched.look() && !watched.look());
        fs::write(watched.file(), OLD).unwrap();
        watched.is_seen();
    }
}
