//! What must hold whatever a stranger, a sender or an operator's editor writes: one function for each fuzz target.
//!
//! `cargo fuzz` calls them with what it makes up, the test suite (`tests/it/fuzz.rs`, which takes this file in as a
//! module) with what is kept in `corpus/` and `regressions/`. Each asserts more than that nothing panics.

pub mod config;
pub mod forms;
pub mod reading;
pub mod rules;
pub mod verification;

mod sources;
