//! A WebSocket's first frame, and a later one of the hello dialect.
//! The property is the one that the tests hold against made-up input.
#![no_main]

#[expect(dead_code, reason = "each target holds one of the properties")]
#[path = "../../crates/hallpass-core/tests/proof/property.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    property::first_frame(data);
});
