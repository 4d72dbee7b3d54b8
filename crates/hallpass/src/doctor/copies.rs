//! The names of copies that editors, backups and sync programs leave beside a file. Looks at no file.

/// What stands behind the whole name.
const BEHIND: [&str; 8] = ["~", ".bak", ".backup", ".orig", ".old", ".save", ".tmp", ".~"];

/// Whether `name` has the look of a copy of the file `of` in the same folder.
pub(super) fn is_copy(name: &str, of: &str) -> bool {
    is_backup(name, of) || is_swap(name, of) || is_conflict(name, of) || is_temporary(name, of)
}

/// `mcp.json~`, `mcp.json.bak`, `mcp.json.backup.17`
fn is_backup(name: &str, of: &str) -> bool {
    let behind = name.strip_prefix(of);
    behind.is_some_and(|behind| BEHIND.iter().any(|mark| behind.starts_with(mark)))
}

/// `.mcp.json.swp` and the like of vim, `#mcp.json#` of Emacs.
fn is_swap(name: &str, of: &str) -> bool {
    let visible = of.strip_prefix('.').unwrap_or(of);
    let behind = name.strip_prefix('.').and_then(|name| name.strip_prefix(visible));
    behind.is_some_and(|behind| behind.starts_with(".sw") && behind.len() == ".swp".len())
        || name.strip_prefix('#').and_then(|name| name.strip_suffix('#')) == Some(of)
}

/// `mcp (Ann's conflicted copy 2026-01-01).json`, `mcp.sync-conflict-20260101-120000-ABCDEFG.json`, `mcp (1).json`
fn is_conflict(name: &str, of: &str) -> bool {
    let (stem, end) = of.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).unwrap_or((of, ""));
    let inner = name.strip_prefix(stem).and_then(|rest| {
        let rest = rest.strip_suffix(end)?;
        if end.is_empty() { Some(rest) } else { rest.strip_suffix('.') }
    });
    inner.is_some_and(|inner| {
        let in_brackets = inner.starts_with(" (") && inner.ends_with(')');
        in_brackets || inner.to_ascii_lowercase().contains("conflict") || inner == " copy"
    })
}

/// What an interrupted command of ours leaves.
fn is_temporary(name: &str, of: &str) -> bool {
    let rest = name.strip_prefix('.').and_then(|name| name.strip_prefix(of));
    rest.and_then(|rest| rest.strip_suffix(".tmp")).is_some_and(|rest| rest.starts_with(".hallpass-"))
}

#[cfg(test)]
mod tests {
    use super::is_copy;

    #[test]
    fn what_editors_and_sync_programs_leave_has_the_look_of_a_copy() {
        for name in [
            "mcp.json~",
            "mcp.json.bak",
            "mcp.json.bak2",
            "mcp.json.backup.1764000000",
            "mcp.json.orig",
            ".mcp.json.swp",
            ".mcp.json.swo",
            "#mcp.json#",
            "mcp (conflicted copy).json",
            "mcp (Ann's conflicted copy 2026-01-01).json",
            "mcp (1).json",
            "mcp.sync-conflict-20260101-120000-ABCDEFG.json",
            "mcp copy.json",
            ".mcp.json.hallpass-0a1b2c3d-0199.tmp",
        ] {
            assert!(is_copy(name, "mcp.json"), "{name}");
        }
        for (name, of) in [
            (".claude.json.swp", ".claude.json"),
            (".claude.json.backup", ".claude.json"),
            (".env.sync-conflict-20260101-120000-ABCDEFG", ".env"),
            ("ann~", "ann"),
        ] {
            assert!(is_copy(name, of), "{name}");
        }
    }

    #[test]
    fn a_file_of_its_own_is_no_copy() {
        for (name, of) in [
            ("mcp.json", "mcp.json"),
            ("mcp.local.json", "mcp.json"),
            ("mcp.json5", "mcp.json"),
            ("mcp2.json", "mcp.json"),
            ("mcp.jsonc", "mcp.json"),
            ("bob", "ann"),
            ("ann.env", "ann"),
            ("", "mcp.json"),
        ] {
            assert!(!is_copy(name, of), "{name}");
        }
    }
}
