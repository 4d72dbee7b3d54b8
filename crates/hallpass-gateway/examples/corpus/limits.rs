//! The verifier's own limits beside those that a file names. They are built in, so that another number is a note.

use hallpass_core::{bearer, claims, keys, name, signed, time};
use std::collections::BTreeMap;

pub(crate) fn differing(wanted: &BTreeMap<String, i64>) -> Vec<String> {
    let own = own();
    let note = |(name, wanted): (&String, &i64)| match own.get(name.as_str()) {
        Some(own) if own == wanted => None,
        Some(own) => Some(format!("the file's `{name}` is {wanted}, the verifier's {own}")),
        None => Some(format!("the limit `{name}` is not known here")),
    };
    wanted.iter().filter_map(note).collect()
}

fn own() -> BTreeMap<&'static str, i64> {
    let sizes = [
        ("max_token_bytes", bearer::TOKEN_MOST),
        ("max_segments", signed::PARTS),
        ("max_json_depth", signed::DEPTH_MOST),
        ("max_kid_chars", keys::KID_MOST),
        ("max_sub_chars", name::TEXT_MOST),
        ("max_jti_chars", claims::ID_MOST),
        ("max_aud_entries", claims::AUDIENCES_MOST),
    ];
    let sizes = sizes.map(|(name, size)| (name, i64::try_from(size).unwrap_or(i64::MAX)));
    sizes.into_iter().chain([("max_numericdate", time::LATEST)]).collect()
}
