//! Fuzzes bodies against configured fields; what is asserted stands in `src/reading.rs`, which the test suite replays, too.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wrapup_fuzz::reading::run(data));
