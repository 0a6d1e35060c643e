#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    gatehouse_contract::fuzzing::json(data, |text| serde_json::from_slice::<serde_json::Value>(text).is_ok());
});
