//! Feeds libFuzzer's inputs to [`flockmq_fuzz::recording`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| flockmq_fuzz::recording(data));
