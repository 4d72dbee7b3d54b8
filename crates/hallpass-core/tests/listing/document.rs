//! Makes answers that list tools, laid out in every way that JSON allows, and says what has to be left of them.

use hallpass_core::event_sieve::EventSieve;
use hallpass_core::policy::{Effect, Policy, PolicySettings};
use hallpass_core::tool_sieve::{Expected, ToolSieve, Unreadable};
use hallpass_core::{Ask, ServerName};
use std::sync::Arc;

pub(crate) const LIST: Expected = Expected { list: true, caches: false };

pub(crate) fn docs() -> ServerName {
    ServerName::new("docs").unwrap()
}

pub(crate) fn policy(rules: &[&str], default: Effect) -> Arc<Policy> {
    let settings = PolicySettings {
        rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
        default,
        rate: None,
        burst: None,
        in_flight: None,
        shadow: false,
    };
    Arc::new(Policy::new("p", &settings).unwrap())
}

pub(crate) fn may_call(policy: &Policy, tool: &str) -> bool {
    policy.rule_on(&docs(), Ask::Tool(tool)).effect == Effect::Allow
}

/// What passes of one document that comes in pieces of this size.
pub(crate) fn sieved(
    policy: &Arc<Policy>,
    expected: Expected,
    text: &[u8],
    piece: usize,
) -> Result<String, Unreadable> {
    let mut sieve = ToolSieve::new(Arc::clone(policy), docs(), expected);
    let mut out = Vec::new();
    for piece in text.chunks(piece) {
        sieve.text(piece, &mut out)?;
    }
    sieve.end()?;
    Ok(String::from_utf8(out).unwrap())
}

/// What passes of a stream of events that comes in pieces of this size.
pub(crate) fn sieved_events(
    policy: &Arc<Policy>,
    expected: Expected,
    text: &[u8],
    piece: usize,
) -> Result<String, Unreadable> {
    let mut sieve = EventSieve::new(ToolSieve::new(Arc::clone(policy), docs(), expected));
    let mut out = Vec::new();
    for piece in text.chunks(piece) {
        sieve.feed(piece, &mut out)?;
    }
    Ok(String::from_utf8(out).unwrap())
}

/// Dice that fall the same way for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % most
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn space(&mut self) -> &'static str {
        self.pick(&["", "", "", " ", "\n", "\t", " \n  ", "\n\n"])
    }
}

/// An answer that lists tools.
pub(crate) struct Listing {
    before: String,
    tools: Vec<Tool>,
    after: String,
}

struct Tool {
    name: String,
    space_before: &'static str,
    text: String,
    space_after: &'static str,
}

impl Listing {
    pub(crate) fn of(names: &[String], dice: &mut Dice) -> Self {
        let tools = names
            .iter()
            .map(|name| Tool {
                name: name.clone(),
                space_before: dice.space(),
                text: tool(name, dice),
                space_after: dice.space(),
            })
            .collect();
        let odd = r#""x":"]}\"\\[{\u0022,","y":[{"tools":[{"name":"z"}]},-1.5e3,null]"#;
        let (mut before, mut after) = (vec![odd.to_owned()], vec![r#""nextCursor":"tools""#.to_owned()]);
        let side = if dice.below(2) == 0 { &mut before } else { &mut after };
        side.push(r#""cacheScope":"private","ttlMs":5"#.to_owned());
        if dice.below(2) == 0 {
            before.clear();
        }
        let (s, t, u) = (dice.space(), dice.space(), dice.space());
        let result = dice.pick(&["\"result\"", r#""\u0072esult""#, r#""resul\u0074""#]);
        let list = dice.pick(&["\"tools\"", r#""t\u006fols""#]);
        before.push(String::new());
        after.insert(0, String::new());
        let (before, after) = (before.join(&format!(",{s}")), after.join(&format!(",{t}")));
        let head = dice.pick(&["", r#""jsonrpc":"2.0","id":1,"#, r#""id":"result","method":"tools","#]);
        let tail = dice.pick(&["", r#","id":null"#, r#","_meta":{"result":{"tools":[{"name":"z"}]}}"#]);
        let (open, close) = if dice.below(8) == 0 { ("[{\"id\":0},", "]") } else { ("", "") };
        Self {
            before: format!("{s}{open}{{{t}{head}{result}{u}:{s}{{{t}{before}{list}{t}:{u}["),
            tools,
            after: format!("]{u}{after}{s}}}{t}{tail}}}{close}{u}"),
        }
    }

    pub(crate) fn text(&self) -> String {
        self.left(|_| true)
    }

    /// What is left: tools by their letters, and one comma between two of them.
    pub(crate) fn left(&self, shown: impl Fn(&str) -> bool) -> String {
        let mut text = self.before.clone();
        let (mut gap, mut any) = (String::new(), false);
        for (position, tool) in self.tools.iter().enumerate() {
            if position > 0 && any {
                gap.push(',');
            }
            if shown(&tool.name) {
                text += &gap;
                text += tool.space_before;
                text += &tool.text;
                any = true;
            }
            // The gap before a tool that is not shown goes with it.
            gap.clear();
            gap.push_str(tool.space_after);
        }
        text + &gap + &self.after
    }

    /// The same as one event of a stream, a line of data for each line.
    pub(crate) fn event(&self, end: &str) -> String {
        let data = self.text().lines().collect::<Vec<_>>().join(&format!("{end}data: "));
        format!("event: message{end}id: 7{end}data: {data}{end}{end}")
    }
}

fn tool(name: &str, dice: &mut Dice) -> String {
    let key = dice.pick(&["\"name\"", r#""n\u0061me""#, r#""\u006eame""#]);
    let name = format!("{key}{}:{}{}", dice.space(), dice.space(), spelt(name, dice));
    let mut members = vec![
        name,
        r#""description":"\"name\": \"x\" ]}""#.to_owned(),
        r#""inputSchema":{"name":1,"properties":{"name":{}},"x":[[],{}]}"#.to_owned(),
    ];
    members.truncate(1 + dice.below(3));
    let turned = dice.below(members.len());
    members.rotate_left(turned);
    let comma = format!("{},{}", dice.space(), dice.space());
    format!("{{{}{}{}}}", dice.space(), members.join(&comma), dice.space())
}

/// A text with some of its characters escaped, and all that must be.
fn spelt(text: &str, dice: &mut Dice) -> String {
    let mut spelt = String::from("\"");
    for c in text.chars() {
        if c.is_control() || matches!(c, '"' | '\\') || dice.below(4) == 0 {
            let mut units = [0; 2];
            spelt.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04X}")));
        } else {
            spelt.push(c);
        }
    }
    spelt + "\""
}

/// The data of the events of a stream, each event's lines joined.
pub(crate) fn data_of(stream: &str) -> Vec<String> {
    let stream = stream.replace("\r\n", "\n").replace('\r', "\n");
    let events = stream.split("\n\n").filter(|event| !event.trim().is_empty());
    let lines = |event: &str| {
        let data = event.lines().filter_map(|line| line.strip_prefix("data:"));
        let data: Vec<&str> = data.map(|data| data.strip_prefix(' ').unwrap_or(data)).collect();
        data.join("\n")
    };
    events.map(lines).collect()
}
