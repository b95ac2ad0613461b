//! The rule sets that decided, each kept once: their names are most of a trace, and the same for every survey.
//!
//! A rule set stays. It is a few hundred bytes, and there is one for each change of the rules file.

use std::sync::Arc;

use rusqlite::{OptionalExtension, params};

use super::batch::Batch;
use crate::store::DecisionRecord;

/// The number of the rule set that decided, which is put down if it has none.
pub(super) fn number(batch: &mut Batch<'_>, decision: &DecisionRecord) -> rusqlite::Result<i64> {
    if let Some((hash, n)) = &batch.recent.rule_set
        && *hash == decision.rules_hash
    {
        return Ok(*n);
    }
    let hash = &*decision.rules_hash;
    let known = batch
        .db
        .prepare_cached("SELECT n FROM rule_set WHERE hash = ?1")?
        .query_row([hash], |row| row.get(0))
        .optional()?;
    let n = if let Some(n) = known {
        n
    } else {
        let names = serde_json::to_string(&decision.rules).expect("names are always JSON");
        batch
            .db
            .prepare_cached("INSERT INTO rule_set (hash, rules) VALUES (?1, ?2)")?
            .execute(params![hash, names])?;
        batch.db.last_insert_rowid()
    };
    batch.recent.rule_set = Some((Arc::clone(&decision.rules_hash), n));
    Ok(n)
}
