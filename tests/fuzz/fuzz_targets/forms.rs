//! Fuzzes forms, multipart bodies and compressed ones; what is asserted stands in `src/forms.rs`, which the test suite replays, too.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wrapup_fuzz::forms::run(data));
