//! One change of a text, to be shown: what is put in, and how much is taken out. What is taken out is not shown, it may be
//! somebody's secret; nor is anything around it.

/// Stands for the token where a change is tried.
pub const REHEARSED: &str = "rehearsed-token";

/// What one edit changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The first line that changes, from 1.
    pub line: usize,
    /// How many bytes go.
    pub taken: usize,
    /// What comes in their place, the token masked.
    pub put: String,
}

impl Change {
    /// Between two texts of which one was edited in one place.
    pub fn between(before: &[u8], after: &[u8]) -> Self {
        let shorter = before.len().min(after.len());
        let same = |(one, other): &(&u8, &u8)| one == other;
        let head = before.iter().zip(after).take_while(same).count();
        let tail = before.iter().rev().zip(after.iter().rev()).take(shorter - head).take_while(same).count();
        let (head, tail) = around_the_token(after, head, tail);
        let put = &after[head..after.len() - tail];
        let blank = put.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == b',').count();
        let line = after[..head + blank].split(|byte| *byte == b'\n').count();
        Self {
            line,
            taken: before.len() - tail - head,
            put: String::from_utf8_lossy(put).replace(REHEARSED, "<the token>"),
        }
    }

    /// Line by line, as a person reads a difference.
    pub fn lines(&self) -> Vec<String> {
        let taken =
            (self.taken > 0).then(|| format!("- {} bytes that stand there (kept sealed)", self.taken));
        let text = self.put.trim_matches([',', '\n', '\r']);
        let put = text.lines().filter(|line| !line.trim().is_empty()).map(|line| format!("+ {line}"));
        let at = format!("@ line {}", self.line);
        std::iter::once(at).chain(taken).chain(put).collect()
    }
}

/// What stood there may begin or end with the same letters as [`REHEARSED`]: that is shown whole or not at all.
fn around_the_token(after: &[u8], head: usize, tail: usize) -> (usize, usize) {
    let token = memchr::memmem::find(after, REHEARSED.as_bytes()).map(|start| start..start + REHEARSED.len());
    match token {
        Some(token) if token.start < after.len() - tail && head < token.end => {
            (head.min(token.start), tail.min(after.len() - token.end))
        }
        _ => (head, tail),
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, REHEARSED};

    #[test]
    fn nothing_but_what_is_put_in_is_shown() {
        let before = br#"{"mcpServers":{"files":{"env":{"KEY":"s3cret"}}}}"#;
        let after = br#"{"mcpServers":{"files":{"env":{"KEY":"s3cret"}},"docs":{"command":"hallpass"}}}"#;
        let change = Change::between(before, after);
        assert_eq!((change.line, change.taken), (1, 0));
        let shown = change.lines().join("\n");
        assert!(shown.contains("hallpass") && !shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn what_is_replaced_is_counted_and_the_token_masked() {
        let after = format!("{{\n  \"TOKEN\": \"{REHEARSED}\"\n}}\n");
        let change = Change::between(b"{\n  \"TOKEN\": \"abcdef\"\n}\n", after.as_bytes());
        assert_eq!(change, Change { line: 2, taken: 6, put: change.put.clone() });
        let lines = change.lines();
        assert_eq!(lines[0], "@ line 2");
        assert!(lines[1].starts_with("- 6 bytes") && !lines.concat().contains("bcd"), "{lines:?}");
    }

    #[test]
    fn what_has_letters_of_the_masked_token_at_its_ends_does_not_unmask_it() {
        for before in ["rehash", "s3cret-token", "n", "rn", "r"] {
            let after = format!("KEY={REHEARSED}\n");
            let change = Change::between(format!("KEY={before}\n").as_bytes(), after.as_bytes());
            assert_eq!((change.taken, change.put.as_str()), (before.len(), "<the token>"), "{before}");
        }
    }

    #[test]
    fn texts_that_repeat_themselves_do_not_confuse_it() {
        let change = Change::between(b"aaaa", b"aaaaaa");
        assert_eq!((change.taken, change.put.as_str()), (0, "aa"));
        assert_eq!(Change::between(b"", b"x").put, "x");
        assert_eq!(Change::between(b"same", b"same").put, "");
    }
}
