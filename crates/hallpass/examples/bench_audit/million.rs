//! What the commands that read the log take with a million records in it.

use crate::stage::{CLIENTS, Home};
use crate::{load_average, median};
use hallpass::audit::bring_up;
use hallpass::clock;
use hallpass::fault::{Doing as _, Result};
use hallpass::home::Home as Place;
use hallpass::installation::Installation;
use hallpass_core::{Event, Outcome};
use std::path::Path;
use std::time::Instant;

const RECORDS: i64 = 1_000_000;
const GROUP: i64 = 2000;
const DAYS: i64 = 30;
const DAY_MS: i64 = 86_400_000;
const SERVERS: [&str; 3] = ["docs", "files", "search"];
const TOOLS: [&str; 5] = ["read", "write", "list", "find", "fetch"];
const RUNS: usize = 3;

const COMMANDS: [&[&str]; 10] = [
    &["log"],
    &["log", "--client", "c1", "--server", "files", "--lines", "1000"],
    &["log", "--tool", "find", "--outcome", "error", "--since", "7d", "--json"],
    &["log", "--outcome", "refused", "--since", "30d"],
    &["log", "--since", "1d", "--json"],
    &["log", "--since", "60d", "--json"],
    &["usage"],
    &["usage", "--by", "client,server,tool,day", "--json"],
    &["audit", "verify"],
    &["audit", "reindex"],
];

/// Measures and prints.
pub(crate) async fn run(hallpass: &Path) -> Result<bool> {
    let home = Home::make(hallpass, "http://127.0.0.1:9/mcp", "")?;
    let installation = Installation::open(&Place::locate(Some(&home.path()))?).await?;
    println!("\n{RECORDS} records of {DAYS} days           seconds");
    print("written to the log, 2000 at once, synced", write(&installation)?);
    let begun = Instant::now();
    bring_up(&installation.audit, None).await?;
    print("taken into the view", begun.elapsed().as_secs_f64());
    installation.audit.checkpoint(true).map_err(|fault| installation.audit.fault(&fault))?;
    for command in COMMANDS {
        let mut times = Vec::new();
        for _ in 0..RUNS {
            let begun = Instant::now();
            home.succeed(command)?;
            times.push(begun.elapsed().as_secs_f64());
        }
        print(&format!("`hallpass {}`", command.join(" ")), median(times));
    }
    installation.store.forget_logged(0).await.doing("the view")?;
    let begun = Instant::now();
    home.succeed(&["audit", "reindex"])?;
    print("`hallpass audit reindex`, the view made anew", begun.elapsed().as_secs_f64());
    println!("median of {RUNS} runs of each command; load average of the machine: {}", load_average());
    Ok(true)
}

fn print(what: &str, seconds: f64) {
    println!("{what:76} {seconds:8.2}");
}

/// As the gateway does, but for those who wait.
fn write(installation: &Installation) -> Result<f64> {
    let begun = Instant::now();
    let start_ms = clock::now_ms() - DAYS * DAY_MS;
    for first in (0..RECORDS).step_by(2000) {
        let group: Vec<String> =
            (first..first + GROUP).map(|number| event(number, start_ms).json_line()).collect();
        installation.audit.append(&group, true).map_err(|fault| installation.audit.fault(&fault))?;
    }
    Ok(begun.elapsed().as_secs_f64())
}

/// A call of somebody; of a hundred, three fail and two are refused.
fn event(number: i64, start_ms: i64) -> Event {
    let at = |few: &[&'static str], by: i64| {
        let place = usize::try_from(number / by).unwrap_or_default() % few.len();
        Some(few[place].to_owned())
    };
    let outcome = match number % 100 {
        17 | 43 | 71 => Outcome::Error,
        29 | 83 => Outcome::Refused,
        _ => Outcome::Ok,
    };
    Event {
        client: at(&CLIENTS, 1),
        jti: Some(format!("01a20b07-8086-7abc-a123-{:012x}", number % 4)),
        server: at(&SERVERS, 7),
        method: Some("tools/call".into()),
        tool: at(&TOOLS, 3),
        reason: (outcome == Outcome::Refused).then(|| "policy".into()),
        status: Some(if outcome == Outcome::Refused { 403 } else { 200 }),
        duration_us: Some(900 + number.unsigned_abs() * 7919 % 40_000),
        bytes_in: Some(120),
        bytes_out: Some(80 + number.unsigned_abs() % 4000),
        address: Some("127.0.0.1".into()),
        request_id: Some(format!("{:012x}-{number:x}", 0x1a2b_3c4d_5e6f_i64)),
        ..Event::new(start_ms + number * (DAYS * DAY_MS / RECORDS), "call", outcome)
    }
}
