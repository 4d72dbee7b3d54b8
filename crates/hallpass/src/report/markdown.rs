//! The report as Markdown: the tables and figures of the page, in a text for eyes and for a repository.

use super::sections::tables;
use super::table::{Cell, Table};
use super::words;
use super::{MADE_BY, page};
use crate::markup::capital;
use hallpass_core::migration::on_one_line;
use hallpass_core::report::{Integrity, Report, grouped};
use std::fmt::Write as _;

/// The whole text.
pub(super) fn text(report: &Report) -> String {
    let about = &report.about;
    let mut text = format!("<!-- {MADE_BY} -->\n\n# Access report\n\n");
    let _ = writeln!(
        text,
        "Installation `{}`, {}. Made at {} by hallpass {}. All times are UTC.\n",
        about.installation,
        words::period(about.from, about.to),
        words::instant(about.made_at),
        about.version
    );
    let _ = writeln!(text, "**{}.**\n", capital(&report.verdict.headline));
    for note in &report.verdict.notes {
        let _ = writeln!(text, "- {}", capital(note));
    }
    text += "\n| figure | |\n| --- | ---: |\n";
    for (figure, value, more) in page::figures(report) {
        let more = if more.is_empty() { String::new() } else { format!(" ({more})") };
        let _ = writeln!(text, "| {figure} | {value}{more} |");
    }
    for table in tables(report) {
        text += &section(&table);
    }
    text += "\n## Integrity\n\n";
    text += &integrity(report.integrity.as_ref());
    text += "\n## How to recompute it\n\n";
    for line in page::recompute(report) {
        let _ = writeln!(text, "{line}\n");
    }
    text.trim_end().to_owned() + "\n"
}

fn section(table: &Table) -> String {
    let mut text = format!("\n## {}\n\n", table.title);
    if !table.note.is_empty() {
        let _ = writeln!(text, "{}\n", table.note);
    }
    if table.rows.is_empty() {
        return text + table.empty + "\n";
    }
    let header: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
    let rule: Vec<&str> =
        table.columns.iter().map(|column| if column.number { "---:" } else { "---" }).collect();
    let _ = writeln!(text, "| {} |\n| {} |", header.join(" | "), rule.join(" | "));
    for row in table.shown() {
        let cells: Vec<String> = row.iter().map(cell).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    if let Some(left_out) = table.left_out() {
        let _ = writeln!(text, "\n{left_out}");
    }
    text
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Nothing => String::new(),
        Cell::Words(words) => words.clone(),
        Cell::Name(said) | Cell::Outside(said) => plain(said),
        Cell::Number(number) => grouped(*number),
        Cell::Micros(micros) => words::duration(*micros),
        Cell::Bytes(bytes) => words::bytes(*bytes),
        Cell::Moment(at_ms) => words::moment(*at_ms),
        Cell::Both(first, second) => format!("{}, {}", self::cell(first), self::cell(second)),
    }
}

/// What came from outside, with nothing in it that Markdown or a browser behind it would take for more than text.
fn plain(said: &str) -> String {
    let mut text = String::with_capacity(said.len());
    for c in on_one_line(said).chars() {
        match c {
            '<' => text += "&lt;",
            '>' => text += "&gt;",
            '&' => text += "&amp;",
            '|' => text += "&#124;",
            // Without brackets there is no link and no picture.
            '\\' | '*' | '_' | '[' | ']' | '~' => {
                text.push('\\');
                text.push(c);
            }
            // No address of a person becomes a link by itself.
            '@' => text += "&#64;",
            c => text.push(c),
        }
    }
    // No address of a page, either.
    text.replace("://", "&#58;//").replace("www.", "www&#46;")
}

fn integrity(integrity: Option<&Integrity>) -> String {
    let mut text = String::new();
    for paragraph in page::integrity_words(integrity) {
        let _ = writeln!(text, "{paragraph}\n");
    }
    if let Some(integrity) = integrity {
        let _ = writeln!(text, "    {}", integrity.checkpoint.trim_end().replace('\n', "\n    "));
        if let Some(vkey) = &integrity.vkey {
            let _ = writeln!(text, "\nPublic key:\n\n    {}", on_one_line(vkey));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn nothing_from_outside_is_markup() {
        assert_eq!(plain("<img src=x onerror=a()>|\n"), "&lt;img src=x onerror=a()&gt;&#124;\\\\n");
        assert_eq!(plain("[a](http://b) **c**"), "\\[a\\](http&#58;//b) \\*\\*c\\*\\*");
        assert_eq!(plain("tools/call 1.2"), "tools/call 1.2");
    }
}
