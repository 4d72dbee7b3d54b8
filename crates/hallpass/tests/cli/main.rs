//! What each command does to files, and what it says. No gateway is called here and no server runs.
//!
//! - `stage`: the origin's example in a folder of its own, and pictures of it before and after.
//! - `example`: the main road: three clients, three tokens, three files; and the way back.
//! - `refused`: bad input of every kind, each with its words, and nothing changed.
//! - `places`: symlinks, git work trees, files of others, two ways to one file.
//! - `bridge`: Claude Desktop and VS Code, whose configuration gets no secret.
//! - `killed`: `kill -9` at every moment, and two and more commands at once.
//! - `rotated`: two tokens that both count for a while. `switched`: `disable` and `enable`.
//! - `asked`: a person at a terminal, who answers or interrupts.
//! - `policies`: what `apply` does to policies, and what `policy` says of them.
//! - `standing`: who was revoked, removed, renamed or printed for, and what `apply` then does.
//! - `given`: files that a person names: pipes, devices, giants.
//! - `terminal`: questions, their answers, Ctrl-C.
//! - `scan`: tokens where none should be.
//! - `grace`: the grace period from start to end.
//! - `setup`: what is found on a machine, what it gets, and `undo`. `ways`: each way in which a token gets to a client.
//! - `contended`: others who change the same file meanwhile, and links that are put in its place.
//! - `doctor`: what is wrong with a set-up, and that what is printed for it mends it.
//! - `usage`: calls counted. `logged`: what of the log is shown. `reported`: the report for auditors, over a `busy_month`.
//! - `words`: dry runs, JSON, colours, closed pipes, help.

mod asked;
mod bridge;
mod busy_month;
mod contended;
mod doctor;
mod example;
#[expect(dead_code, reason = "it is shared with the tests of grace periods, which use more of it")]
#[path = "../grace/faketime.rs"]
mod faketime;
mod given;
mod grace;
mod killed;
mod logged;
mod places;
mod policies;
#[expect(dead_code, reason = "it is shared with the end-to-end tests, which use more of it")]
#[path = "../e2e/program.rs"]
mod program;
mod refused;
mod reported;
mod rotated;
mod scan;
mod setup;
mod stage;
mod standing;
mod switched;
mod terminal;
mod usage;
mod ways;
mod words;
