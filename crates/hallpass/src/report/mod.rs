//! What the report for an auditor is made of, and its three renderings. Counts nothing: that is `hallpass-core`'s job.

mod charts;
mod facts;
mod integrity;
mod markdown;
mod page;
mod sections;
mod table;
mod words;

pub use facts::gather;

use crate::fault::{Doing, Result};
use hallpass_core::report::Report;
use serde::Serialize;

/// Each rendering begins with it, so that a file of ours is known when it is replaced.
const MADE_BY: &str = "hallpass report";
/// How far it is looked for.
const LOOKED_AT: usize = 1024;
/// The layout of the JSON document: counted up when a member changes its meaning.
const LAYOUT: u32 = 1;

/// The page for a browser and for paper.
pub fn html(report: &Report) -> String {
    page::page(report)
}

/// The text.
pub fn markdown(report: &Report) -> String {
    markdown::text(report)
}

/// The document for a program.
pub fn json(report: &Report) -> Result<String> {
    #[derive(Serialize)]
    struct Document<'a> {
        made_by: &'static str,
        layout: u32,
        #[serde(flatten)]
        report: &'a Report,
    }
    let document = Document { made_by: MADE_BY, layout: LAYOUT, report };
    serde_json::to_string_pretty(&document).map(|text| text + "\n").doing("the report")
}

/// Whether a file begins as a report of ours does in one of the three formats.
pub fn is_ours(bytes: &[u8]) -> bool {
    let beginning = String::from_utf8_lossy(&bytes[..bytes.len().min(LOOKED_AT)]);
    let names_us = format!("<meta name=\"generator\" content=\"{MADE_BY} ");
    beginning.starts_with(&format!("<!-- {MADE_BY} -->\n"))
        || beginning.starts_with(&format!("{{\n  \"made_by\": \"{MADE_BY}\","))
        || (beginning.starts_with("<!doctype html>\n") && beginning.contains(&names_us))
}
