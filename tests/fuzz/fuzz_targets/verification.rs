#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wrapup_fuzz::verification::run(data));
