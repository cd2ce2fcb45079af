#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| taosd_fuzz::api::accept(data));
