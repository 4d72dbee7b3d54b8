//! The screen as lines, no wider than a terminal of 100 columns, readable without colours.

use super::grace::caller_word;
use super::{ClientStanding, GatewayStanding, Health, Need, Overview, TokenStanding, needs};
use crate::output::{distance, table};
use hallpass_core::UnixTime;

/// The widest line.
const WIDTH: usize = 100;
/// Clients, and lines of one kind besides, that are shown before the rest is only counted.
const CLIENTS_MOST: usize = 40;
const LINES_MOST: usize = 10;

/// The whole screen.
pub fn lines(overview: &Overview) -> Vec<String> {
    let mut lines = vec![gateway(&overview.gateway), titled("home", &overview.home)];
    for (name, url) in &overview.servers {
        lines.push(titled("server", &format!("{name} -> {url}")));
    }
    lines.extend(grace(overview));
    lines.push(String::new());
    lines.extend(clients(overview));
    let odd = warnings(overview);
    let replaced = replaced(overview);
    for block in [replaced, odd, next(overview)] {
        if !block.is_empty() {
            lines.push(String::new());
            lines.extend(block);
        }
    }
    lines.iter().map(|line| fit(line, WIDTH)).collect()
}

/// Only what needs a person, one line each.
pub fn need_lines(needs: &[Need], now: UnixTime) -> Vec<String> {
    needs.iter().map(|need| format!("{}: {}", need.says(now), typed(need))).collect()
}

fn titled(title: &str, text: &str) -> String {
    format!("{title:<9} {text}")
}

fn gateway(gateway: &GatewayStanding) -> String {
    let Some(running) = &gateway.running else {
        return titled("gateway", "does not run (`hallpass serve` starts it)");
    };
    let revision = match gateway.in_force {
        Some(in_force) if in_force < gateway.newest => {
            format!(", has revision {in_force} in force, {} is the newest", gateway.newest)
        }
        Some(in_force) => format!(", revision {in_force} in force"),
        None => String::new(),
    };
    let health = match gateway.health {
        Health::Ready => "",
        Health::Stale => ", and refuses everything: it cannot read its database",
        Health::Silent => ", and does not answer",
    };
    titled("gateway", &format!("runs ({running}){revision}{health}"))
}

fn grace(overview: &Overview) -> Vec<String> {
    let Some(grace) = &overview.grace else { return Vec::new() };
    let when = |at: UnixTime| distance(at.seconds(), overview.now.seconds());
    let text = match grace.over_since {
        Some(over) => format!("over since {over} ({})", when(over)),
        None => format!("until {} ({})", grace.until, when(grace.until)),
    };
    let users = match grace.users.as_slice() {
        [] => "nobody uses the shared secret".to_owned(),
        [newest, rest @ ..] => {
            let seen = when(UnixTime::from_seconds(newest.let_in_ms.unwrap_or(newest.last_ms) / 1000));
            let others = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            format!("used by {} ({seen}){others}", caller_word(newest))
        }
    };
    vec![titled("grace", &text), titled("", &users)]
}

fn clients(overview: &Overview) -> Vec<String> {
    if overview.clients.is_empty() {
        return vec!["no client yet: name them in hallpass.toml, or `hallpass add NAME --app APP`".into()];
    }
    let now = overview.now;
    let shown = worth_showing(&overview.clients);
    let rows: Vec<Vec<String>> = shown.iter().map(|client| client_row(client, now)).collect();
    let header = ["CLIENT", "APP", "TOKEN", "LAST SEEN", "SERVER", "FROM"];
    let mut lines: Vec<String> = table(&header, &rows).lines().map(str::to_owned).collect();
    let rest = overview.clients.len() - shown.len();
    if rest > 0 {
        lines.push(format!("and {rest} more, seen longer ago (`hallpass list`)"));
    }
    lines
}

/// All of them while they fit; else those that were seen last, by name.
fn worth_showing(clients: &[ClientStanding]) -> Vec<&ClientStanding> {
    let mut shown: Vec<&ClientStanding> = clients.iter().collect();
    if shown.len() > CLIENTS_MOST {
        let last = |client: &ClientStanding| client.seen.as_ref().map(|usage| usage.last_ms);
        shown.sort_by_key(|client| std::cmp::Reverse(last(client)));
        shown.truncate(CLIENTS_MOST);
        shown.sort_by(|a, b| a.name.cmp(&b.name));
    }
    shown
}

fn client_row(client: &ClientStanding, now: UnixTime) -> Vec<String> {
    let seen = client.seen.as_ref();
    let when = seen.map_or("never".into(), |usage| distance(usage.last_ms / 1000, now.seconds()));
    let server = seen.and_then(|usage| usage.server.as_deref()).unwrap_or_default();
    let from = seen.and_then(|usage| usage.address.as_deref()).unwrap_or_default();
    vec![
        fit(client.name.as_str(), 16),
        fit(&client.app, 14),
        fit(&token_word(client, now), 22),
        fit(&when, 14),
        fit(server, 10),
        fit(from, 15),
    ]
}

fn token_word(client: &ClientStanding, now: UnixTime) -> String {
    let when = |at: UnixTime| distance(at.seconds(), now.seconds());
    match client.token {
        _ if !client.enabled => "disabled".into(),
        TokenStanding::None => "none yet".into(),
        TokenStanding::Pending => "being placed".into(),
        TokenStanding::Good { ends, .. } => format!("ends {}", when(ends)),
        TokenStanding::Expired { at } => format!("expired {}", when(at)),
        TokenStanding::Replaced { at } => format!("replaced {}", when(at)),
        TokenStanding::Revoked { at } => format!("revoked {}", when(at)),
    }
}

/// Those that are still used: of the others nobody has to know.
fn replaced(overview: &Overview) -> Vec<String> {
    let when = |at: i64| distance(at, overview.now.seconds());
    let lines = overview.replaced.iter().filter_map(|replaced| {
        let used = replaced.used.as_ref()?;
        let from = used.address.as_ref().map(|address| format!(" from {address}")).unwrap_or_default();
        let (client, ends) = (&replaced.token.client, when(replaced.until.seconds()));
        let text =
            format!("{client}: its former token was used {}{from}, ends {ends}", when(used.last_ms / 1000));
        Some(titled("replaced", &text))
    });
    shortened(lines.collect())
}

fn warnings(overview: &Overview) -> Vec<String> {
    let lines = overview.warnings.iter().map(|(warning, seen)| {
        let whose = warning.client.as_ref().map_or("-", hallpass_core::ClientName::as_str);
        let when = distance(warning.last_ms / 1000, overview.now.seconds());
        let times = if warning.times == 1 { String::new() } else { format!(" {} times,", warning.times) };
        let seen = if *seen { " (acknowledged)" } else { "" };
        let text = format!("{} {whose}:{times} {when}{seen}: {}", warning.kind.as_str(), warning.detail);
        titled("warning", &text)
    });
    shortened(lines.collect())
}

fn next(overview: &Overview) -> Vec<String> {
    let needs = needs(overview);
    let mut lines: Vec<String> = Vec::new();
    for need in &needs {
        // What is odd stands above already.
        let line = match need {
            Need::Odd(_) => typed(need),
            _ => format!("{}: {}", typed(need), need.says(overview.now)),
        };
        let line = titled("next", &line);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let mut lines = shortened(lines);
    if needs.iter().any(|need| matches!(need, Need::Odd(_))) {
        lines.push(titled("next", "`hallpass status --acknowledge`, once you know what the warnings mean"));
    }
    lines
}

fn typed(need: &Need) -> String {
    let text = need.type_next();
    if text.starts_with("hallpass ") { format!("`{text}`") } else { text }
}

fn shortened(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > LINES_MOST {
        let rest = lines.len() - LINES_MOST;
        lines.truncate(LINES_MOST);
        lines.push(titled("", &format!("and {rest} more (`hallpass status --json`)")));
    }
    lines
}

/// Cut to a width, with a mark that it was.
fn fit(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 1).chain(['…']).collect()
}
