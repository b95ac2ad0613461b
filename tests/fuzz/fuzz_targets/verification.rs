//! Fuzzes messages and their proofs; what is asserted stands in `src/verification.rs`, which the test suite replays, too.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wrapup_fuzz::verification::run(data));
