//! A folder of samples: the manifest, and what the notes beside the files add to it. Edits nothing.

use std::fs;
use std::path::Path;

use hallpass_clients::{Client, client};
use serde::Deserialize;

use crate::operation::Operation;

/// One file and what should come of it.
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) plan: Plan,
}

pub(crate) enum Plan {
    Try(Box<Wanted>),
    /// Not a matter of text.
    Skip(&'static str),
}

pub(crate) struct Wanted {
    pub(crate) client: &'static Client,
    pub(crate) operation: Operation,
    pub(crate) text: Vec<u8>,
    pub(crate) may_edit: bool,
    pub(crate) may_refuse: bool,
    pub(crate) must_keep: Vec<String>,
    pub(crate) crlf: bool,
    pub(crate) final_newline: Option<bool>,
}

#[derive(Deserialize)]
struct Manifest {
    sample: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    file: String,
    client: String,
    op: String,
    outcome: String,
    #[serde(default)]
    must_keep: Vec<String>,
    eol: Option<String>,
    final_newline: Option<bool>,
}

/// All samples that the manifest of a folder lists, those of folders in it one by one.
pub(crate) fn of(folder: &Path) -> Result<Vec<Sample>, String> {
    let manifest = text(&folder.join("manifest.toml"))?;
    let manifest: Manifest = toml::from_str(&manifest).map_err(|error| error.to_string())?;
    let mut samples = Vec::new();
    for listed in &manifest.sample {
        let path = folder.join(&listed.file);
        let stem = listed.file.rsplit_once('.').map_or(&*listed.file, |(stem, _)| stem);
        let notes = text(&folder.join(format!("{stem}.md"))).unwrap_or_default();
        if path.is_dir() {
            samples.extend(of_folder(&path, listed, &notes)?);
        } else {
            let outcome = Verdict::named(&listed.outcome)?;
            samples.push(listed.sample(&path, &listed.client, &outcome, &notes)?);
        }
    }
    Ok(samples)
}

fn text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn of_folder(folder: &Path, listed: &Listed, notes: &str) -> Result<Vec<Sample>, String> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    files.sort_by_key(fs::DirEntry::file_name);
    files.iter().map(|file| of_file(&file.path(), listed, notes)).collect()
}

fn of_file(path: &Path, listed: &Listed, notes: &str) -> Result<Sample, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name_here = format!("{}/{name}", listed.file);
    if path.extension().is_some_and(|end| end == "sh") {
        return Ok(Sample {
            name: name_here,
            plan: Plan::Skip("it builds files and links, which no editor sees"),
        });
    }
    let row =
        notes.lines().filter_map(row).find(|(files, _)| files.split(", ").any(|file| is_named(file, &name)));
    let Some((_, behaviour)) = row else {
        return Err(format!("{name_here}: no row of the notes says what should come of it"));
    };
    let end = path.extension().unwrap_or_default().to_string_lossy();
    let client = client_for(notes, &format!(".{end}")).unwrap_or(&listed.client);
    let mut sample = listed.sample(path, client, &Verdict::told(behaviour), notes)?;
    sample.name = name_here;
    Ok(sample)
}

/// The two cells of a row of a table.
fn row(line: &str) -> Option<(&str, &str)> {
    let (files, behaviour) = line.strip_prefix('|')?.split_once('|')?;
    Some((files.trim(), behaviour.trim().trim_end_matches('|').trim()))
}

fn is_named(cell: &str, name: &str) -> bool {
    cell.split_whitespace().next() == Some(name)
}

/// The client of which the notes say that it reads files with this ending: `vscode for .jsonc`.
fn client_for<'n>(notes: &'n str, end: &str) -> Option<&'n str> {
    let line = notes.lines().find_map(|line| line.strip_prefix("Client:"))?;
    let (before, _) = line
        .split_once(&format!(" for {end}"))
        .filter(|(_, rest)| !rest.starts_with(|next: char| next.is_ascii_alphanumeric()))?;
    let before = before.rsplit(", ").next()?;
    before.split_whitespace().find(|word| client(word).is_some())
}

struct Verdict {
    may_edit: bool,
    may_refuse: bool,
}

impl Verdict {
    fn named(outcome: &str) -> Result<Self, String> {
        match outcome {
            "edit" => Ok(Self { may_edit: true, may_refuse: false }),
            "refuse" => Ok(Self { may_edit: false, may_refuse: true }),
            "edit-or-refuse" => Ok(Self { may_edit: true, may_refuse: true }),
            other => Err(format!("no outcome is called `{other}`")),
        }
    }

    /// What a note says in words. What needs a flag is refused without one.
    fn told(behaviour: &str) -> Self {
        let refuses = behaviour.contains("refuse");
        let flag = behaviour.contains("explicit flag");
        let choice = behaviour.starts_with("documented choice") || behaviour.contains("may be");
        Self { may_edit: choice || !(refuses || flag), may_refuse: choice || refuses }
    }
}

impl Listed {
    fn sample(&self, path: &Path, id: &str, verdict: &Verdict, notes: &str) -> Result<Sample, String> {
        let client = client(id).ok_or_else(|| format!("no client is called `{id}`"))?;
        let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let operation = Operation::of(&self.op, notes, client)?;
        let wanted = Wanted {
            client,
            operation,
            text: bytes,
            may_edit: verdict.may_edit,
            may_refuse: verdict.may_refuse,
            must_keep: self.must_keep.clone(),
            crlf: self.eol.as_deref() == Some("crlf"),
            final_newline: self.final_newline,
        };
        Ok(Sample { name: self.file.clone(), plan: Plan::Try(Box::new(wanted)) })
    }
}
