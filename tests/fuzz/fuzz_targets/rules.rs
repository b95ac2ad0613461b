//! Fuzzes rules files; what is asserted stands in `src/rules.rs`, which the test suite replays, too.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wrapup_fuzz::rules::run(data));
