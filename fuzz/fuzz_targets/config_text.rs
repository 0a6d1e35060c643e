#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gatehouse_config::fuzzing::config_text(data));
