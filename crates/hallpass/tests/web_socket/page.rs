//! docs/shared-token.md, followed from its first command to its last. What it prints is compared word by word; times,
//! ports, ids and folders are those of the machine.

use crate::origin::{Origin, SdkClient};
use crate::program::{Hallpass, Serving};
use crate::python::{Daemon, SHARED, Talker, until, until_or};
use serde_json::{Value, json};
use std::time::Duration;

const PAGE: &str = include_str!("../../../../docs/shared-token.md");
const FORMER: &str = include_str!("../takeover/env.docker");

/// What the page asks of its reader, in its order.
#[derive(Debug)]
enum Step<'a> {
    /// A file to write.
    Roster(&'a str),
    /// A command, and what it prints.
    Command { typed: &'a str, prints: &'a str },
    /// Lines that the gateway prints, in this order, among others.
    Log(&'a str),
    /// What others do meanwhile.
    Meanwhile(&'a str),
}

fn steps() -> Vec<Step<'static>> {
    let (mut steps, mut rest) = (Vec::new(), PAGE);
    while let Some(at) = ["```", "<!-- "].iter().filter_map(|mark| rest.find(mark)).min() {
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!-- ") {
            let (said, after) = comment.split_once(" -->").expect("the comment's end");
            steps.push(Step::Meanwhile(said));
            rest = after;
            continue;
        }
        let (kind, block) = rest[3..].split_once('\n').expect("a block");
        let (block, after) = block.split_once("```\n").expect("the block's end");
        steps.push(match kind {
            "toml" => Step::Roster(block),
            "log" => Step::Log(block),
            "console" => {
                let (typed, prints) = block
                    .strip_prefix("$ hallpass ")
                    .and_then(|block| block.split_once('\n'))
                    .expect("a command");
                Step::Command { typed, prints }
            }
            other => panic!("a block of another kind: {other}"),
        });
        rest = after;
    }
    steps
}

/// The reader.
struct Reader {
    hallpass: Hallpass,
    daemon: Daemon,
    gateway: Option<Serving>,
    address: String,
    /// How much of what the gateway printed was read.
    read: usize,
}

impl Reader {
    async fn follow(&mut self, step: &Step<'_>) {
        match step {
            Step::Roster(text) => {
                let port = |url: &str| url.rsplit(':').next().expect("a port").to_owned();
                let text = text.replace("127.0.0.1:8080", &format!("127.0.0.1:{}", port(&self.daemon.url)));
                self.hallpass.write("hallpass.toml", &text.replace("127.0.0.1:8079", "127.0.0.1:0"));
            }
            Step::Command { typed: "serve", prints } => self.serve(prints).await,
            Step::Command { typed, prints } => {
                // The log gets a record a moment after the caller has its answer. Who reads the page is not as quick.
                let looks_only = typed.starts_with("grace status");
                let mut said = self.hallpass.must(&words(typed)).await;
                for _ in 0..100 {
                    if !looks_only || self.plain(&said) == self.plain(prints) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    said = self.hallpass.must(&words(typed)).await;
                }
                assert_eq!(self.plain(&said), self.plain(prints), "hallpass {typed}\n{said}");
            }
            Step::Log(lines) => self.printed(lines).await,
            Step::Meanwhile("the three clients call, and a script that has the shared token only") => {
                for (file, entry) in Origin::ENTRIES {
                    self.client(file, entry).await;
                }
                let mut script = self.script().await;
                script.sum().await;
            }
            Step::Meanwhile("the script tries again, and vscode1 calls") => {
                self.refused_script().await;
                let (file, entry) = Origin::ENTRIES[0];
                self.client(file, entry).await;
            }
            Step::Meanwhile(other) => panic!("nobody here does this: {other}"),
        }
    }

    async fn serve(&mut self, prints: &str) {
        let mut serve = self.hallpass.command(&["serve", "--listen", "127.0.0.1:0"]);
        serve.env("EXAI_WS_TOKEN", SHARED);
        let gateway = self.hallpass.start(serve).await;
        let lines = prints.lines().count();
        let said = until(|| Some(gateway.stderr()).filter(|said| said.lines().count() >= lines)).await;
        assert_eq!(self.plain(&said), self.plain(prints));
        let last = said.lines().last().expect("a line");
        let address = last.split_whitespace().find(|word| word.starts_with("ws://")).expect("an address");
        self.address = String::from(address);
        self.gateway = Some(gateway);
    }

    /// A client program, from its configuration file on.
    async fn client(&self, file: &str, entry: &str) {
        let config = self.hallpass.user().join(file);
        let text = std::fs::read_to_string(&config).expect("a file");
        let port = self.address.rsplit(':').next().expect("a port");
        self.hallpass.write(file, &text.replace("\"8079\"", &format!("\"{port}\"")));
        let (mut client, _) = SdkClient::start(&self.hallpass, &config, entry, "legacy").await;
        client.sum().await;
        client.end().await;
        self.hallpass.write(file, &text);
    }

    /// A program that nobody thought of, after its `hello`.
    async fn script(&self) -> Talker {
        self.script_and_answer().await.0
    }

    async fn script_and_answer(&self) -> (Talker, Value) {
        let mut script = Talker::dial(&self.address);
        let hello = json!({ "op": "hello", "session_id": "old-script", "token": SHARED });
        let answer = script.ask(&hello).await;
        (script, answer)
    }

    /// The same once its secret is worth nothing. The end of the period is in force a moment after the command: on a busy
    /// machine the script may be let in once more, and is cut off then.
    async fn refused_script(&self) {
        loop {
            let (mut script, answer) = self.script_and_answer().await;
            let last = if answer["closed"].is_null() { script.heard().await } else { answer.clone() };
            assert_eq!(last["closed"], 4003, "{answer}");
            if answer["ok"] == false {
                return;
            }
        }
    }

    async fn printed(&mut self, lines: &str) {
        for line in lines.lines() {
            let wanted = self.plain(line);
            let gateway = self.gateway.as_ref().expect("a gateway");
            let found = || {
                let printed = gateway.stdout();
                let mut ends = printed
                    .match_indices('\n')
                    .map(|(end, _)| end + 1)
                    .scan(0, |start, end| Some((std::mem::replace(start, end), end)));
                ends.find(|(start, end)| *start >= self.read && self.plain(&printed[*start..*end]) == wanted)
            };
            let said = || {
                let printed = gateway.stdout();
                let (before, after) = printed.split_at(self.read);
                format!("no line like\n{line}\nafter\n{before}---- but\n{after}")
            };
            let (_, end) = until_or(found, said).await;
            self.read = end;
        }
    }

    /// The text without what differs from machine to machine and from day to day.
    fn plain(&self, text: &str) -> Vec<String> {
        let folder = |path: std::path::PathBuf| path.display().to_string();
        let text = text.replace(&folder(self.hallpass.home()), "/home/me/.local/share/hallpass");
        let text = text.replace(&folder(self.hallpass.user()), "/home/me/exai");
        text.lines().map(plain_line).collect()
    }
}

fn plain_line(line: &str) -> String {
    let line = line.replace("just now", "1 second ago");
    let mut words: Vec<String> = line.split_whitespace().map(plain_word).collect();
    // A slow machine is a little later.
    for at in 1..words.len() {
        let is_time = ["second", "minute", "hour", "day"].iter().any(|unit| words[at].starts_with(unit));
        if is_time && words[at - 1].chars().all(|c| c.is_ascii_digit()) {
            words[at - 1] = "#".into();
            words[at] = "time".into();
        }
    }
    words.join(" ")
}

fn plain_word(word: &str) -> String {
    for name in ["jti", "request", "from", "in", "out"] {
        if word.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')) {
            return format!("{name}=#");
        }
    }
    let core = word.trim_end_matches([',', '.', ';', ':', ')']);
    let shape: String = core.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    match shape.as_str() {
        "9999-99-99T99:99:99Z" | "9999-99-99T99:99:99.999Z" => return word.replace(core, "TIME"),
        "9999-99-99" => return word.replace(core, "DATE"),
        "99:99" => return word.replace(core, "CLOCK"),
        _ => {}
    }
    if shape.strip_suffix("ms").is_some_and(|number| number.chars().all(|c| matches!(c, '9' | '.'))) {
        return "#ms".to_owned();
    }
    for prefix in ["agent=\"Python/", "Python/", "websockets/"] {
        if word.trim_start_matches('(').starts_with(prefix) {
            return prefix.to_owned();
        }
    }
    match word.split_once("127.0.0.1:") {
        Some((before, port)) if port.starts_with(|c: char| c.is_ascii_digit()) => {
            format!("{before}127.0.0.1:#")
        }
        Some(_) | None => word.to_owned(),
    }
}

/// The arguments, as a shell would split them.
fn words(typed: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in typed.split('"').enumerate() {
        if at % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_on_leaving_a_shared_token_says_what_happens() {
    let hallpass = Hallpass::new();
    for (file, _) in Origin::ENTRIES {
        hallpass.write(file, &Origin::former(file));
    }
    hallpass.write("env.docker", FORMER);
    let daemon = Daemon::start().await;
    let mut reader = Reader { hallpass, daemon, gateway: None, address: String::new(), read: 0 };
    let steps = steps();
    assert_eq!(steps.len(), 12, "{steps:#?}");
    for step in &steps {
        reader.follow(step).await;
    }
}
