//! Spells what mends a finding as one line for a shell.

use super::finding::{Finding, Mend};
use crate::target::quoted;
use std::path::{Path, PathBuf};

/// How this program is called here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Way {
    /// The home, if it is not found by itself.
    pub(crate) home: Option<PathBuf>,
    /// The hallpass.toml, if it was named.
    pub(crate) config: Option<PathBuf>,
    /// Where files go that are not to be carried elsewhere.
    pub(crate) kept: PathBuf,
}

impl Finding {
    /// The one command that mends it.
    pub(crate) fn mend(&self, way: &Way) -> String {
        match &self.mend {
            Mend::Issue(client) => way.hallpass(&format!("issue {client}")),
            Mend::Rotate { client, print } => {
                let print = if *print { " --print" } else { "" };
                way.hallpass(&format!("rotate {client} --now{print}"))
            }
            Mend::Remove(client) => way.hallpass(&format!("remove {client}")),
            Mend::Apply => way.hallpass("apply"),
            Mend::Add { name, app, file, entry, variable } => {
                let (file, entry) = (path(file), quoted(entry));
                let add = format!(
                    "add {name} --app {app} --config {file} --entry {entry} --env {}",
                    quoted(variable)
                );
                way.hallpass(&add)
            }
            Mend::Permit { change, path: of } => format!("chmod {change} {}", path(of)),
            Mend::Own { uid, path: of } => format!("sudo chown {uid} {}", path(of)),
            Mend::Delete(of) => format!("rm {}", path(of)),
            Mend::Edit { file, line } => {
                let line = line.map(|line| format!("+{line} ")).unwrap_or_default();
                format!("${{EDITOR:-vi}} {line}{}", path(file))
            }
            Mend::Ignore(file) => ignore(file),
            Mend::LeaveOut { root, inside } => {
                let line = quoted(&format!("/{}", inside.display()));
                format!("printf '\\n%s\\n' {line} >> {}", path(&root.join(".stignore")))
            }
            Mend::MoveOut { path: from, name } => {
                let (folder, to) = (path(&way.kept), path(&way.kept.join(name)));
                let from = path(from);
                format!("mkdir -p -m 700 {folder} && [ ! -e {to} ] && mv {from} {to} && ln -s {to} {from}")
            }
            Mend::Link { link, program } => format!("ln -sfn {} {}", path(program), path(link)),
            Mend::Serve => way.hallpass("serve"),
            Mend::Restart { pid, is_hung } => {
                let kill = if *is_hung { "kill -9" } else { "kill" };
                let serve = way.hallpass("serve");
                // The home is free once it has ended.
                format!("{kill} {pid}; while kill -0 {pid} 2>/dev/null; do sleep 1; done; {serve}")
            }
            Mend::Note { file, line } => format!("echo {} > {}", quoted(line), path(file)),
            Mend::SetClock if cfg!(target_os = "macos") => "sudo sntp -sS time.apple.com".into(),
            Mend::SetClock => "sudo timedatectl set-ntp true".into(),
            Mend::ExtendGrace { until } => {
                let extend = format!("grace extend --until {until} --reason 'a clock ran ahead'");
                way.hallpass(&extend)
            }
        }
    }
}

impl Way {
    /// Both options may stand before any command.
    fn hallpass(&self, command: &str) -> String {
        let option = |name: &str, value: &Option<PathBuf>| {
            value.as_ref().map_or_else(String::new, |value| format!(" --{name} {}", path(value)))
        };
        format!("hallpass{}{} {command}", option("home", &self.home), option("config", &self.config))
    }
}

/// Out of the index, and named behind whatever `.gitignore` of the same folder says: the last line that fits decides.
fn ignore(file: &Path) -> String {
    let folder = file.parent().unwrap_or(Path::new("."));
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let mut pattern = String::from("/");
    for c in name.chars() {
        if "\\*?[ ".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    let (folder, ignore) = (path(folder), path(&folder.join(".gitignore")));
    let name = quoted(&format!(":(literal){name}"));
    let pattern = quoted(&pattern);
    format!(
        "git -C {folder} rm -q --cached --ignore-unmatch {name} && printf '\\n%s\\n' {pattern} >> {ignore}"
    )
}

fn path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::{Finding, Mend, Way};
    use crate::doctor::finding::What;
    use std::path::Path;

    fn line(mend: Mend, way: &Way) -> String {
        Finding::error(What::Special, mend).mend(way)
    }

    #[test]
    fn paths_are_words_of_a_shell() {
        let way = Way::default();
        assert_eq!(line(Mend::Delete("/a b/it's.json~".into()), &way), r"rm '/a b/it'\''s.json~'");
        let edit = Mend::Edit { file: "/a/mcp.json".into(), line: Some(3) };
        assert_eq!(line(edit, &way), "${EDITOR:-vi} +3 /a/mcp.json");
        assert_eq!(
            line(Mend::Ignore("/w/a [1].json".into()), &way),
            r"git -C /w rm -q --cached --ignore-unmatch ':(literal)a [1].json' && printf '\n%s\n' '/a\ \[1].json' >> /w/.gitignore"
        );
    }

    #[test]
    fn a_home_that_is_not_found_by_itself_is_named() {
        let way =
            Way { home: Some("/h".into()), config: Some("/c.toml".into()), kept: Path::new("/k").into() };
        assert_eq!(line(Mend::Serve, &way), "hallpass --home /h --config /c.toml serve");
        let client = hallpass_core::ClientName::new("ann").unwrap();
        assert_eq!(line(Mend::Remove(client), &way), "hallpass --home /h --config /c.toml remove ann");
    }
}
