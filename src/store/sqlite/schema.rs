//! The file's schema and its version: made, migrated forward, never back.

use std::path::{Path, PathBuf};

use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
};

use super::lock::open_private;

/// Each brings the schema from the version that is its place to the next. A list to add to: nothing in it is changed.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("sql/schema_1.sql"),
    include_str!("sql/schema_2.sql"),
    include_str!("sql/schema_3.sql"),
    include_str!("sql/schema_4.sql"),
];

/// `wrap` in ASCII, in the file's header: so that no other program's database is taken for ours.
pub(super) const APPLICATION_ID: i64 = 0x7772_6170;

/// What an opened file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// Empty: there is no schema yet.
    New,
    /// By this version or an earlier one.
    Version(i64),
    /// By a later version.
    Later(i64),
    /// By another program.
    Foreign,
}

/// Looks at whose the file is. Changes nothing.
pub(super) fn inspect(db: &Connection, migrations: &[&str]) -> rusqlite::Result<Made> {
    let number = |pragma: &str| db.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    let ours = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    Ok(match (application, version, tables) {
        (0, 0, 0) => Made::New,
        (APPLICATION_ID, version, _) if version > ours => Made::Later(version),
        (APPLICATION_ID, version, _) => Made::Version(version),
        _ => Made::Foreign,
    })
}

/// Brings the schema to the newest version, in one transaction. A file with something in it is copied first;
/// answers where the copy is.
pub(super) fn migrate(
    db: &mut Connection,
    path: &Path,
    migrations: &[&str],
    made: Made,
) -> rusqlite::Result<Option<PathBuf>> {
    let from = match made {
        Made::New => 0,
        Made::Version(version) => usize::try_from(version).unwrap_or(0),
        Made::Later(_) | Made::Foreign => return Ok(None),
    };
    if from == migrations.len() {
        return Ok(None);
    }
    let copy = match made {
        Made::Version(version) => {
            tracing::info!(
                version,
                newest = migrations.len(),
                "the store is of an earlier version: it is copied and brought up to date, which takes a while if it is large"
            );
            Some(copy(db, path, version)?)
        }
        _ => None,
    };
    let transaction = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for migration in migrations.iter().skip(from) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    let version = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()?;
    Ok(copy)
}

/// Copies the whole database beside itself, as `<file>.v<version>`, never over a copy that is there.
fn copy(db: &Connection, path: &Path, version: i64) -> rusqlite::Result<PathBuf> {
    let named = |n: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(match n {
            0 => format!(".v{version}"),
            n => format!(".v{version}.{n}"),
        });
        PathBuf::from(name)
    };
    let target = (0..u32::MAX)
        .map(named)
        .find(|name| !name.exists())
        .expect("there is a free number");
    open_private(&target).map_err(|cause| {
        rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN),
            Some(format!(
                "no copy can be made, {}: {cause}",
                target.display()
            )),
        )
    })?;
    let mut into = Connection::open(&target)?;
    // All in one step, and synced before SQLite says that it is done.
    let step = Backup::new(db, &mut into)?.step(-1)?;
    if step == StepResult::Done {
        return Ok(target);
    }
    Err(rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
        Some(format!("{} could not be copied", path.display())),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::keys::KEY_BYTES;
    use super::super::{known, meta, read};
    use super::*;
    use crate::clock::UnixMs;
    use crate::ids::{DeliveryId, RuleName};

    const TWO: &[&str] = &[
        include_str!("sql/schema_1.sql"),
        "ALTER TABLE survey ADD COLUMN later TEXT",
    ];

    fn at_version_one(path: &Path) -> Connection {
        let mut db = Connection::open(path).unwrap();
        assert_eq!(inspect(&db, MIGRATIONS).unwrap(), Made::New);
        migrate(&mut db, path, &MIGRATIONS[..1], Made::New).unwrap();
        db
    }

    #[test]
    fn an_older_schema_is_copied_and_then_migrated_forward() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let mut db = at_version_one(&path);
        db.execute("INSERT INTO survey (seq, fields) VALUES (1, 'x')", [])
            .unwrap();

        let made = inspect(&db, TWO).unwrap();
        assert_eq!(made, Made::Version(1));
        let copy = migrate(&mut db, &path, TWO, made).unwrap().unwrap();

        assert_eq!(inspect(&db, TWO).unwrap(), Made::Version(2));
        db.query_row("SELECT later FROM survey", [], |_| Ok(()))
            .unwrap();
        assert_eq!(copy, folder.path().join("a.db.v1"));
        let before = Connection::open(&copy).unwrap();
        assert_eq!(inspect(&before, TWO).unwrap(), Made::Version(1));
        let text: String = before
            .query_row("SELECT fields FROM survey", [], |row| row.get(0))
            .unwrap();
        assert_eq!(text, "x");
    }

    #[test]
    fn a_migration_that_fails_changes_nothing_and_keeps_its_copy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let mut db = at_version_one(&path);
        let broken = &[TWO[0], "ALTER TABLE survey ADD COLUMN later TEXT; nonsense"];
        migrate(&mut db, &path, broken, Made::Version(1)).unwrap_err();
        assert_eq!(inspect(&db, TWO).unwrap(), Made::Version(1));
        db.query_row("SELECT later FROM survey", [], |_| Ok(()))
            .unwrap_err();
        migrate(&mut db, &path, TWO, Made::Version(1)).unwrap();
        assert!(folder.path().join("a.db.v1").exists());
        assert!(folder.path().join("a.db.v1.1").exists());
    }

    #[test]
    fn what_version_three_kept_is_told_as_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let mut db = Connection::open(&path).unwrap();
        migrate(&mut db, &path, &MIGRATIONS[..3], Made::New).unwrap();
        let trace = r#"[{"rule":"a","finding":"not-evaluated","why":"x is missing"},{"rule":"b","finding":"matched"}]"#;
        for (seq, trace, hash, problems) in [
            (1, Some(trace), Some("abc"), None),
            (2, None, None, Some(r#"["unreadable"]"#)),
            (3, Some(&*trace.replace("x is", "y is")), Some("abc"), None),
        ] {
            db.execute(
                "INSERT INTO delivery (seq, id, source, state, accepted_at, ended_at, rule) \
                 VALUES (?1, randomblob(16), 's', 3, 1, 1, 'b')",
                [seq],
            )
            .unwrap();
            db.execute(
                "INSERT INTO survey (seq, body, fields, trace, rules_hash, problems) \
                 VALUES (?1, x'ff', '{}', ?2, ?3, ?4)",
                rusqlite::params![seq, trace, hash, problems],
            )
            .unwrap();
        }

        for (seq, keys) in [(1, 1), (3, 2), (200, 1)] {
            db.execute(
                "INSERT INTO known (seq, id, at, keys) VALUES (?1, ?2, ?3, ?4)",
                rusqlite::params![seq, [9u8; 16], seq * -7, vec![1u8; keys * KEY_BYTES]],
            )
            .unwrap();
        }

        migrate(&mut db, &path, MIGRATIONS, Made::Version(3)).unwrap();

        let mut known = Vec::new();
        known::after(&db, 0, |entry| {
            known.push(entry.clone());
            Ok(())
        })
        .unwrap();
        let entry = |seq, keys| known::Entry {
            seq,
            id: DeliveryId(uuid::Uuid::from_bytes([9; 16])),
            at: UnixMs(seq * -7),
            keys: vec![[1; KEY_BYTES]; keys],
        };
        assert_eq!(known, [entry(1, 1), entry(3, 2), entry(200, 1)]);
        let newest = meta::number(&db, "newest").unwrap();
        assert_eq!(newest, 3, "what AUTOINCREMENT had given");
        let found = |seq| read::by_number(&db, seq).unwrap().unwrap();
        for (seq, why) in [(1, "x is missing"), (3, "y is missing")] {
            let record = found(seq);
            assert_eq!(record.rules_hash.as_deref(), Some("abc"));
            assert_eq!(record.rules, ["a", "b"].map(RuleName::from));
            assert_eq!(record.failures, [("a".into(), why.to_owned())]);
            assert_eq!(record.problems, None);
        }
        let unreadable = found(2);
        assert_eq!(unreadable.rules_hash, None);
        assert_eq!(unreadable.problems, Some(serde_json::json!(["unreadable"])));
        let bodies: i64 = db
            .query_row(
                "SELECT count(*) FROM survey WHERE body = x'ff'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(bodies, 3);
    }

    #[test]
    fn a_later_schema_and_another_programs_are_told_apart() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE t (x)").unwrap();
        assert_eq!(inspect(&db, MIGRATIONS).unwrap(), Made::Foreign);
        db.pragma_update(None, "application_id", APPLICATION_ID)
            .unwrap();
        db.pragma_update(None, "user_version", 9).unwrap();
        assert_eq!(inspect(&db, MIGRATIONS).unwrap(), Made::Later(9));
    }
}
