//! Each way to tamper with a log, and what a verifier has to say of it.

use super::case::*;
use super::odd::*;
use hallpass_audit::Hash;
use std::fs;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Say {
    /// Tampered, first at this record.
    Bad(u64),
    /// Whole: so many records, signed up to there.
    Whole(u64, u64),
    /// What was given is no pin of this log.
    NoPin,
    /// A file could not be read.
    Unreadable,
}
use Say::{Bad, NoPin, Unreadable, Whole};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pins {
    None,
    At400,
    At650,
    Both,
    Forged,
}

/// A hand that does something to a log.
pub(super) type Change = fn(&Case);

/// What is done; which pins are given; what is said with the tiles there, and without.
#[rustfmt::skip]
pub(super) const MATRIX: &[(&str, Change, Pins, Say, Say)] = &[
    ("nothing", |_| (), Pins::None, Whole(700, 650), Whole(700, 650)),
    ("nothing, with pins", |_| (), Pins::Both, Whole(700, 650), Whole(700, 650)),
    // Bytes.
    ("seq", |c| c.replace(100, "\"seq\":100", "\"seq\":900"), Pins::None, Bad(100), Bad(100)),
    ("seq to the one before", |c| c.replace(101, "\"seq\":101", "\"seq\":100"), Pins::None, Bad(101), Bad(101)),
    ("prev", |c| c.replace(100, "\"prev\":\"", "\"prev\":\"A"), Pins::None, Bad(100), Bad(100)),
    ("prev to another hash", flip_prev_100, Pins::None, Bad(100), Bad(100)),
    ("prev of the first", |c| c.replace(0, "AAAAA", "AAAAB"), Pins::None, Bad(0), Bad(0)),
    ("node", |c| c.replace(100, "\"main\"", "\"mail\""), Pins::None, Bad(100), Bad(100)),
    ("version", |c| c.replace(100, "\"v\":1", "\"v\":2"), Pins::None, Bad(100), Bad(100)),
    ("body", |c| c.replace(100, "echo", "echa"), Pins::None, Bad(100), Bad(100)),
    ("body to no JSON", |c| c.replace(100, "\"tool\"", "\"tool"), Pins::None, Bad(100), Bad(100)),
    ("body names seq again", |c| c.replace(100, "\"tool\"", "\"seq\""), Pins::None, Bad(100), Bad(100)),
    ("body of the first", |c| c.replace(0, "done", "gone"), Pins::None, Bad(0), Bad(0)),
    ("body at a segment's end", |c| c.replace(299, "echo", "echa"), Pins::None, Bad(299), Bad(299)),
    ("body behind a kept checkpoint", |c| c.replace(400, "echo", "echa"), Pins::None, Bad(400), Bad(400)),
    ("body of the last that is signed", |c| c.replace(649, "echo", "echa"), Pins::None, Bad(649), Bad(649)),
    ("newline to a space", |c| c.replace(100, "\n", " "), Pins::None, Bad(100), Bad(100)),
    ("newline to a control character", |c| c.replace(100, "\n", "\u{b}"), Pins::None, Bad(100), Bad(100)),
    ("a newline within", |c| c.replace(100, ",\"tool", ",\n\"tool"), Pins::None, Bad(100), Bad(100)),
    ("a blank at the end", |c| c.replace(100, "}\n", "} \n"), Pins::None, Bad(100), Bad(100)),
    ("a carriage return", |c| c.replace(100, "}\n", "}\r\n"), Pins::None, Bad(100), Bad(100)),
    ("an empty line", |c| c.lines(100, |lines, at| lines.insert(at, "\n".into())), Pins::None, Bad(100), Bad(100)),
    ("a line that is too long", |c| c.replace(100, "echo", &"e".repeat(70_000)), Pins::None, Bad(100), Bad(100)),
    // Bytes of what nobody signed yet.
    ("body in the unsigned tail", |c| c.replace(660, "echo", "echa"), Pins::None, Bad(660), Bad(660)),
    ("prev in the unsigned tail", |c| c.replace(670, "\"prev\":\"", "\"prev\":\"A"), Pins::None, Bad(670), Bad(670)),
    ("body of the first unsigned", |c| c.replace(650, "echo", "echa"), Pins::None, Bad(650), Bad(650)),
    ("body of the last of all", |c| c.replace(699, "echo", "echa"), Pins::None, Whole(700, 650), Whole(700, 650)),
    ("prev of the last of all", |c| c.replace(699, "\"prev\":\"", "\"prev\":\"A"), Pins::None, Whole(699, 650), Whole(699, 650)),
    ("seq of the last of all", |c| c.replace(699, "\"seq\":699", "\"seq\":698"), Pins::None, Bad(699), Bad(699)),
    ("an unsigned record re-made", |c| c.rewrite(660), Pins::None, Whole(700, 650), Whole(700, 650)),
    ("nested too deep in the unsigned tail", |c| c.replace(690, "\"echo\"", &nested(7_000)), Pins::None, Bad(690), Bad(690)),
    ("nested too deep by one", |c| c.replace(690, "\"echo\"", &nested(64)), Pins::None, Bad(690), Bad(690)),
    ("nested as deep as may be", |c| { c.replace(690, "\"echo\"", &nested(63)); c.chain(); }, Pins::None, Whole(700, 650), Whole(700, 650)),
    ("nested too deep, the last", |c| c.replace(699, "\"echo\"", &nested(64)), Pins::None, Whole(699, 650), Whole(699, 650)),
    ("seq of 6,000 digits", |c| c.replace(690, "\"seq\":690", &format!("\"seq\":{}", "9".repeat(6_000))), Pins::None, Bad(690), Bad(690)),
    ("seq of 2 to the 64th", |c| c.replace(690, "\"seq\":690", "\"seq\":18446744073709551616"), Pins::None, Bad(690), Bad(690)),
    ("before_seq of 6,000 digits", |c| prune_said(c, &"9".repeat(6_000)), Pins::None, Whole(700, 650), Whole(700, 650)),
    ("before_seq of no digits", |c| prune_said(c, "1e6000"), Pins::None, Whole(700, 650), Whole(700, 650)),
    // Lines.
    ("a line deleted", |c| c.lines(100, |lines, at| drop(lines.remove(at))), Pins::None, Bad(100), Bad(100)),
    ("the first deleted", |c| c.lines(0, |lines, at| drop(lines.remove(at))), Pins::None, Bad(0), Bad(0)),
    ("a segment's last deleted", |c| c.lines(299, |lines, at| drop(lines.remove(at))), Pins::None, Bad(299), Bad(299)),
    ("the last signed deleted", |c| c.lines(649, |lines, at| drop(lines.remove(at))), Pins::None, Bad(649), Bad(649)),
    ("an unsigned one deleted", |c| c.lines(675, |lines, at| drop(lines.remove(at))), Pins::None, Bad(675), Bad(675)),
    ("the last of all deleted", |c| c.lines(699, |lines, at| drop(lines.remove(at))), Pins::None, Whole(699, 650), Whole(699, 650)),
    ("a line doubled", |c| c.lines(100, |lines, at| lines.insert(at, lines[at].clone())), Pins::None, Bad(101), Bad(101)),
    ("an unsigned line doubled", |c| c.lines(670, |lines, at| lines.insert(at, lines[at].clone())), Pins::None, Bad(671), Bad(671)),
    ("two lines swapped", |c| c.lines(100, |lines, at| lines.swap(at, at + 1)), Pins::None, Bad(100), Bad(100)),
    ("two lines far apart swapped", |c| c.lines(100, |lines, at| lines.swap(at, at + 50)), Pins::None, Bad(100), Bad(100)),
    ("a line put in", |c| c.lines(100, put_in), Pins::None, Bad(100), Bad(100)),
    ("a line put into the unsigned tail", |c| c.lines(670, put_in), Pins::None, Bad(670), Bad(670)),
    ("re-made from 100 on", |c| c.rewrite(100), Pins::None, Bad(100), Bad(0)),
    ("re-made from 450 on", |c| c.rewrite(450), Pins::None, Bad(450), Bad(400)),
    ("re-made from 600 on", |c| c.rewrite(600), Pins::None, Bad(600), Bad(520)),
    ("re-made, and another changed later", |c| { c.rewrite(450); c.replace(560, "echo", "echa"); }, Pins::None, Bad(450), Bad(400)),
    // The end.
    ("cut within a signed line", |c| c.cut(600, 80), Pins::None, Bad(600), Bad(600)),
    ("cut behind a checkpoint", |c| c.cut(640, 0), Pins::None, Bad(640), Bad(640)),
    ("cut at the checkpoint", |c| c.cut(650, 0), Pins::None, Whole(650, 650), Whole(650, 650)),
    ("cut within an unsigned line", |c| c.cut(680, 80), Pins::None, Whole(680, 650), Whole(680, 650)),
    ("the last segment removed", |c| c.remove("segments/00000000000000000520.jsonl"), Pins::None, Bad(520), Bad(520)),
    ("every segment removed", |c| c.remove("segments"), Pins::None, Bad(0), Bad(0)),
    ("every segment and checkpoint removed", |c| { c.remove("segments"); c.remove("checkpoint"); }, Pins::None, Bad(0), Bad(0)),
    ("cut, and an older checkpoint put back", cut_to_520, Pins::None, Bad(400), Bad(400)),
    ("cut, with every trace of what was signed later", cut_to_400, Pins::None, Whole(400, 400), Whole(400, 400)),
    ("the same behind a pin", cut_to_400, Pins::At650, Bad(400), Bad(400)),
    ("an old copy", old_copy, Pins::None, Whole(400, 400), Whole(400, 400)),
    ("an old copy and an old pin", old_copy, Pins::At400, Whole(400, 400), Whole(400, 400)),
    ("an old copy behind a pin", old_copy, Pins::At650, Bad(400), Bad(400)),
    ("old segments under a newer checkpoint", old_segments, Pins::None, Bad(400), Bad(400)),
    // Segments.
    ("two segments swapped", swap_segments, Pins::None, Bad(300), Bad(300)),
    ("a segment removed", |c| c.remove("segments/00000000000000000300.jsonl"), Pins::None, Bad(300), Bad(300)),
    ("the first removed", |c| c.remove("segments/00000000000000000000.jsonl"), Pins::None, Bad(0), Bad(0)),
    ("a segment renamed", |c| rename(c, "00000000000000000301.jsonl"), Pins::None, Bad(300), Bad(300)),
    ("a segment renamed to no segment", |c| rename(c, "300.jsonl"), Pins::None, Bad(300), Bad(300)),
    ("a segment put in", |c| c.put("segments/00000000000000000299.jsonl", ""), Pins::None, Bad(300), Bad(300)),
    ("a file that is no segment", |c| c.put("segments/notes.txt", "x"), Pins::None, Whole(700, 650), Whole(700, 650)),
    ("a segment of a number that no record has", |c| c.put("segments/99999999999999999999.jsonl", ""), Pins::None, Whole(700, 650), Whole(700, 650)),
    ("a segment of the largest number", |c| c.put("segments/18446744073709551615.jsonl", ""), Pins::None, Bad(700), Bad(700)),
    ("a segment that is a link", |c| link(c, "segments/00000000000000000300.jsonl"), Pins::None, Unreadable, Unreadable),
    ("a segment that is a pipe", |c| pipe(c, "segments/00000000000000000300.jsonl"), Pins::None, Unreadable, Unreadable),
    ("a segment that is a folder", |c| folder(c, "segments/00000000000000000300.jsonl"), Pins::None, Unreadable, Unreadable),
    ("segments that are a file", |c| { c.remove("segments"); c.put("segments", ""); }, Pins::None, Unreadable, Unreadable),
    // Checkpoints.
    ("checkpoint: size", |c| c.edit("checkpoint", "\n650\n", "\n651\n"), Pins::None, Bad(520), Bad(520)),
    ("checkpoint: size, with a pin", |c| c.edit("checkpoint", "\n650\n", "\n651\n"), Pins::At650, Bad(650), Bad(650)),
    ("checkpoint: root", flip_root, Pins::None, Bad(520), Bad(520)),
    ("checkpoint: signature", flip_signature, Pins::None, Bad(520), Bad(520)),
    ("checkpoint: origin", |c| c.edit("checkpoint", "test/main", "text/main"), Pins::None, Bad(520), Bad(520)),
    ("checkpoint: signed by another key", forged, Pins::None, Bad(520), Bad(520)),
    ("checkpoint: of another log", of_another_log, Pins::None, Bad(520), Bad(520)),
    ("checkpoint: an older one", |c| c.put("checkpoint", &template().pin_400), Pins::None, Bad(400), Bad(400)),
    ("checkpoint: an older one, none kept", replayed, Pins::None, Whole(700, 400), Whole(700, 400)),
    ("the same with a pin", replayed, Pins::At650, Whole(700, 650), Whole(700, 650)),
    ("checkpoint: missing", |c| c.remove("checkpoint"), Pins::None, Bad(520), Bad(520)),
    ("checkpoint: cut", |c| c.put("checkpoint", &template().pin_650[..60]), Pins::None, Bad(520), Bad(520)),
    ("checkpoint: empty", |c| c.put("checkpoint", ""), Pins::None, Bad(520), Bad(520)),
    ("checkpoint: another's signature", |c| c.add("checkpoint", "\u{2014} other AAAAAAAAAAAA\n"), Pins::None, Whole(700, 650), Whole(700, 650)),
    ("checkpoint: a signature by a name with a plus", |c| c.add("checkpoint", "\u{2014} a+b AAAAAAAAAAAA\n"), Pins::None, Bad(520), Bad(520)),
    ("checkpoint: a signature by a name with a space", |c| c.add("checkpoint", "\u{2014} a\u{2003}b AAAAAAAAAAAA\n"), Pins::None, Bad(520), Bad(520)),
    ("checkpoint: a signature by a name with a control", |c| c.add("checkpoint", "\u{2014} a\u{85}b AAAAAAAAAAAA\n"), Pins::None, Bad(520), Bad(520)),
    ("checkpoint: a signature by nobody", |c| c.add("checkpoint", "\u{2014}  AAAAAAAAAAAA\n"), Pins::None, Bad(520), Bad(520)),
    ("checkpoint: a signature without its end", |c| c.add("checkpoint", "\u{2014} other AAAAAAAAAAAA"), Pins::None, Bad(520), Bad(520)),
    ("checkpoint: signed, of a size of 6,000 digits", |c| sign_text(c, &"9".repeat(6_000), &Hash::ZERO.to_string()), Pins::None, Bad(520), Bad(520)),
    ("checkpoint: signed, of 2 to the 64th", |c| sign_text(c, "18446744073709551616", &Hash::ZERO.to_string()), Pins::None, Bad(520), Bad(520)),
    ("checkpoint: signed, of a root that is too short", |c| sign_text(c, "650", "AAAA"), Pins::None, Bad(520), Bad(520)),
    ("checkpoint: signed, of a root of another form", |c| sign_text(c, "650", &"A".repeat(44)), Pins::None, Bad(520), Bad(520)),
    ("checkpoint: a link", |c| link(c, "checkpoint"), Pins::None, Unreadable, Unreadable),
    ("checkpoint: a pipe", |c| pipe(c, "checkpoint"), Pins::None, Unreadable, Unreadable),
    ("checkpoint: too long", |c| c.put("checkpoint", &"x".repeat((64 << 10) + 1)), Pins::None, Unreadable, Unreadable),
    ("checkpoints: a pipe", |c| pipe(c, "checkpoints"), Pins::None, Unreadable, Unreadable),
    ("checkpoints: too long", |c| fs::File::create(c.path("checkpoints")).unwrap().set_len((32 << 20) + 1).unwrap(), Pins::None, Unreadable, Unreadable),
    ("checkpoints: another's signature without its end", |c| c.add("checkpoints", "\u{2014} other AAAAAAAAAAAA"), Pins::None, Bad(650), Bad(650)),
    ("every checkpoint missing", |c| { c.remove("checkpoint"); c.remove("checkpoints"); }, Pins::None, Bad(0), Bad(0)),
    ("a kept one changed", |c| c.edit("checkpoints", "\n300\n", "\n301\n"), Pins::None, Bad(650), Bad(650)),
    ("kept ones missing", |c| c.remove("checkpoints"), Pins::None, Whole(700, 650), Whole(700, 650)),
    // Pins.
    ("a forged pin", |_| (), Pins::Forged, NoPin, NoPin),
    ("all signed again from 100 on, no pin", |c| { c.rewrite(100); c.sign_again(); }, Pins::None, Whole(700, 700), Whole(700, 700)),
    ("all signed again from 100 on", |c| { c.rewrite(100); c.sign_again(); }, Pins::At400, Bad(100), Bad(0)),
    ("all signed again from 450 on", |c| { c.rewrite(450); c.sign_again(); }, Pins::Both, Bad(450), Bad(400)),
    ("all signed again behind the pin", |c| { c.rewrite(450); c.sign_again(); }, Pins::At400, Whole(700, 700), Whole(700, 700)),
    ("cut and signed again", |c| { c.cut(620, 0); c.sign_again(); }, Pins::At650, Bad(620), Bad(620)),
    // Tiles are derived: they point to the record, and prove nothing by themselves.
    ("a tile", |c| flip_tile(c, 5), Pins::None, Whole(700, 650), Whole(700, 650)),
    ("a tile and a body", |c| { flip_tile(c, 5); c.replace(100, "echo", "echa"); }, Pins::None, Bad(100), Bad(100)),
    ("a tile and a chain", |c| { flip_tile(c, 5); c.rewrite(450); }, Pins::None, Bad(400), Bad(400)),
    ("a partial tile and a chain", |c| { partial_tile(c, "100"); c.rewrite(450); }, Pins::None, Bad(400), Bad(400)),
    ("a partial tile of another name and a body", |c| { partial_tile(c, "\u{b2}"); c.replace(100, "echo", "echa"); }, Pins::None, Bad(100), Bad(100)),
    ("a tile that is a link", |c| { link_tile(c); c.rewrite(450); }, Pins::None, Bad(400), Bad(400)),
    ("a tile cut short and a chain", |c| { put_tile(c, b"short"); c.rewrite(450); }, Pins::None, Bad(400), Bad(400)),
];
