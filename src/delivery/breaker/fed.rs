//! What failed attempts have cost, to be given back if they open a breaker. Pure.
//!
//! Invariant: a delivery has back what it had before the first of its failures in the row, however many there were. The
//! store gives back to the lease that was told of last only, so what met a newer one is owed again when that fails.

use crate::store::Refund;

/// Attempts remembered while a row goes on; a row that opens a breaker is far shorter.
const MOST: usize = 4096;

#[derive(Debug, Default)]
pub(crate) struct Fed(Vec<Spent>);

#[derive(Debug)]
struct Spent {
    refund: Refund,
    /// Not given back since it was told of last.
    owed: bool,
}

impl Fed {
    pub(crate) fn add(&mut self, spent: Refund) {
        let known = self.0.iter_mut().find(|it| it.refund.seq == spent.seq);
        if let Some(known) = known {
            known.refund.fence = spent.fence;
            known.owed = true;
        } else if self.0.len() < MOST {
            self.0.push(Spent {
                refund: spent,
                owed: true,
            });
        }
    }

    /// What is owed now that a breaker is open.
    pub(crate) fn owed(&mut self) -> Vec<Refund> {
        let owed = self.0.iter_mut().filter(|it| it.owed);
        owed.map(|it| {
            it.owed = false;
            it.refund.clone()
        })
        .collect()
    }

    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}
