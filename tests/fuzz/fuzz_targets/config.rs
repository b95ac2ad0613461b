//! Fuzzes configuration files; what is asserted stands in `src/config.rs`, which the test suite replays, too.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wrapup_fuzz::config::run(data));
