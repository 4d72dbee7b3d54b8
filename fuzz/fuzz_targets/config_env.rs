//! Environment files: whatever the text, an edit changes our line only, and can be taken back.
//! The property is the one that the tests hold against made-up documents.
#![no_main]

#[path = "../../crates/hallpass-clients/tests/formats/property.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    property::any_text(data, hallpass_clients::Dialect::Env);
});
