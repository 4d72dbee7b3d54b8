//! What a program shows of its servers, read from its output. Starts nothing.

/// One server as a program shows it.
#[derive(Debug, PartialEq)]
pub(crate) struct Shown {
    /// The entry's name in the program's file.
    pub(crate) entry: String,
    /// The program has spoken with it.
    pub(crate) connected: bool,
    /// All that it says about it.
    pub(crate) words: String,
}

/// `✓ NAME: ... - Connected`, `✗ NAME: ... - Disconnected`, `○ NAME: ... - Disabled`.
pub(crate) fn gemini(output: &str) -> Vec<Shown> {
    output
        .lines()
        .filter_map(|line| {
            let (mark, words) = line.split_once(' ')?;
            let (entry, _) = words.split_once(": ")?;
            let connected = mark == "✓" && words.ends_with("- Connected");
            ["✓", "✗", "○"].contains(&mark).then(|| shown(entry, connected, words))
        })
        .collect()
}

/// `NAME: ... - ✔ Connected`, `NAME: ... - ✘ Failed to connect — WORDS`.
pub(crate) fn claude(output: &str) -> Vec<Shown> {
    output
        .lines()
        .filter_map(|line| {
            let (entry, words) = line.split_once(": ")?;
            Some(shown(entry, words.ends_with(" - ✔ Connected"), words))
        })
        .collect()
}

/// `●  ✓ NAME connected`, `●  ✗ NAME failed`, and the lines below.
pub(crate) fn opencode(output: &str) -> Vec<Shown> {
    let mut servers: Vec<Shown> = Vec::new();
    for line in output.lines() {
        if let Some(head) = line.strip_prefix("●  ") {
            let mut words = head.split(' ');
            let (mark, entry) = (words.next(), words.next());
            servers.push(shown(entry.unwrap_or_default(), mark == Some("✓"), head));
        } else if let Some(server) = servers.last_mut() {
            server.words.push(' ');
            server.words.push_str(line.trim_start_matches('│').trim());
        }
    }
    servers
}

fn shown(entry: &str, connected: bool, words: &str) -> Shown {
    Shown { entry: entry.to_owned(), connected, words: words.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{Shown, claude, gemini, opencode};

    fn standing(servers: &[Shown]) -> Vec<(&str, bool)> {
        servers.iter().map(|server| (server.entry.as_str(), server.connected)).collect()
    }

    #[test]
    fn gemini_marks_each_server() {
        let servers = gemini(
            "Configured MCP servers:\n\n✓ a: http://h/mcp (http) - Connected\n✗ b: /p connect (stdio) - Disconnected\n\
             ○ c: /p connect (stdio) - Disabled\n",
        );
        assert_eq!(standing(&servers), [("a", true), ("b", false), ("c", false)]);
    }

    #[test]
    fn claude_gives_the_reason_behind_a_dash() {
        let servers = claude(
            "Checking MCP server health…\n\na: http://h/mcp (HTTP) - ✔ Connected\n\
             b: /p connect - ✘ Failed to connect — HTTP 401: this token was revoked\n",
        );
        assert_eq!(standing(&servers), [("a", true), ("b", false)]);
        assert!(servers[1].words.ends_with("this token was revoked"));
    }

    #[test]
    fn opencode_gives_the_reason_on_the_next_line() {
        let servers = opencode(
            "┌  MCP Servers\n│\n●  ✓ a \u{1b}[90mconnected\n│      \u{1b}[90m/p connect\n│\n\
             ●  ✗ b \u{1b}[90mfailed\n│      MCP error 401: this token was revoked\n│      \u{1b}[90m/p connect\n│\n└  2 server(s)\n",
        );
        assert_eq!(standing(&servers), [("a", true), ("b", false)]);
        assert!(servers[1].words.contains("401: this token was revoked"));
    }

    #[test]
    fn nothing_is_read_where_no_server_is_shown() {
        assert_eq!(gemini("No MCP servers configured.\n"), []);
        assert_eq!(claude("No MCP servers configured. Use `claude mcp add` to add a server.\n"), []);
        assert_eq!(opencode("┌  MCP Servers\n│\n▲  No MCP servers configured\n│\n└  Add servers\n"), []);
    }
}
