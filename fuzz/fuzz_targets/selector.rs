//! Feeds libFuzzer's inputs to [`flockmq_fuzz::selector`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| flockmq_fuzz::selector(data));
