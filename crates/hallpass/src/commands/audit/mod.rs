//! `hallpass audit`: the record of what happened, for those who do not take our word for it.

mod export;
mod prove;
mod prune;
mod reindex;
mod verify;

use super::Context;
use crate::cli::AuditCommand;
use crate::fault::{Doing, Fault, Result};
use crate::given_file;
use crate::output::{print_line, quoted};
use hallpass_audit::VerifierKey;
use hallpass_core::arguments::ArgumentKey;
use serde_json::json;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The most bytes of a file that a person names: a proof, a checkpoint, a value.
const FILE_MOST: usize = 1 << 20;

pub(super) async fn run(context: &Context, command: &AuditCommand) -> Result<()> {
    match command {
        AuditCommand::Verify(asked) => verify::run(context, asked).await,
        AuditCommand::Prove { seq, log } => prove::run(context, *seq, log).await,
        AuditCommand::Check { proof, record, vkey } => {
            prove::check(context, proof, record.as_deref(), vkey.as_deref()).await
        }
        AuditCommand::Pin { output } => pin(context, output.as_deref()).await,
        AuditCommand::Export(asked) => export::run(context, asked).await,
        AuditCommand::Prune { before, reason, consent } => {
            prune::run(context, before, reason.as_deref(), *consent).await
        }
        AuditCommand::Reindex => reindex::run(context).await,
        AuditCommand::Hash { file } => hash(context, file).await,
    }
}

/// Signs what there is and hands the checkpoint out.
async fn pin(context: &Context, output: Option<&Path>) -> Result<()> {
    let installation = context.installation().await?;
    let audit = &installation.audit;
    audit.take_acts().await?;
    let note = audit.checkpoint(true).map_err(|fault| audit.fault(&fault))?;
    let size = note.lines().nth(1).unwrap_or_default().to_owned();
    let Some(file) = output else {
        if context.output.is_json() {
            context.output.document(&json!({ "size": size.parse::<u64>().ok(), "checkpoint": note }));
        } else {
            print_line(note.trim_end_matches('\n'));
        }
        return Ok(());
    };
    write_new(file, note.as_bytes())?;
    context.output.line(format!(
        "a checkpoint of the first {size} records is in `{}`: keep it where nobody who can write this log can change it",
        file.display()
    ));
    context
        .output
        .line(format!("later: `hallpass audit verify --pin {}`", quoted(&file.display().to_string())));
    context.output.document(&json!({ "size": size.parse::<u64>().ok(), "file": file, "checkpoint": note }));
    Ok(())
}

/// The hash under which a record keeps a value that somebody knows.
async fn hash(context: &Context, file: &Path) -> Result<()> {
    let installation = context.installation().await?;
    let text = text_of(file)?;
    let text = text.trim_end_matches(['\n', '\r']);
    // What is no JSON is meant as a text.
    let value = match serde_json::from_str::<serde_json::Value>(text) {
        Ok(_) => text.to_owned(),
        Err(_) => serde_json::Value::from(text).to_string(),
    };
    let hash = ArgumentKey::new(&installation.seal.derive("audit arguments")).hash(&value);
    context.output.line(&hash);
    context.output.document(&json!({ "hash": hash }));
    context.output.note(format!("records with it: `hallpass audit export | grep {hash}`"));
    Ok(())
}

/// What a file holds that a person named; `-` is standard input.
fn text_of(file: &Path) -> Result<String> {
    let read = if file == Path::new("-") {
        given_file::read_text(std::io::stdin().lock(), FILE_MOST)
    } else {
        given_file::regular_or_open(file).and_then(|opened| given_file::read_text(opened, FILE_MOST))
    };
    read.map(|text| text.to_string()).doing(format!("cannot read `{}`", file.display()))
}

/// A new file; one that is there stays as it is: it may be the older checkpoint that tells more.
fn write_new(file: &Path, bytes: &[u8]) -> Result<()> {
    let write = || {
        let mut new = File::create_new(file)?;
        new.write_all(bytes)?;
        new.sync_all()
    };
    write().map_err(|error: std::io::Error| {
        let said = Fault::new(format!("cannot write `{}`: {error}", file.display()));
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            said.hint("name a file that is not there yet")
        } else {
            said
        }
    })
}

/// A public key that was typed, or the file that holds it.
fn given_key(given: &str) -> Result<VerifierKey> {
    let text = if given.contains('+') { given.to_owned() } else { text_of(Path::new(given))? };
    text.trim().parse().map_err(|fault| {
        Fault::usage(format!("`--vkey`: the key {fault}"))
            .hint("it looks like `hallpass.local/1a2b3c4d/main+5e6f7a8b+AbC...`, or is a file that holds it")
    })
}

/// The log that is meant: a folder that was named, else the home's.
struct Named {
    folder: PathBuf,
    key: VerifierKey,
    key_from: KeyFrom,
    /// The newest checkpoint that the home's database knows of, where it is the home's own log and key.
    signed: Option<String>,
}

/// Where the key that verifies is from.
#[derive(Clone, Copy, PartialEq)]
enum KeyFrom {
    /// The person named it.
    Given,
    /// This home's database.
    Home,
    /// The log's own folder.
    Folder,
}

impl KeyFrom {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Home => "home",
            Self::Folder => "folder",
        }
    }
}

impl Named {
    async fn find(context: &Context, dir: Option<&Path>, vkey: Option<&str>) -> Result<Self> {
        let folder = dir.map_or_else(|| context.home.audit(), Path::to_owned);
        if let Some(vkey) = vkey {
            return Ok(Self { folder, key: given_key(vkey)?, key_from: KeyFrom::Given, signed: None });
        }
        if dir.is_none() {
            let installation = context.installation().await?;
            let key = installation.audit.verifier()?;
            let signed = installation.store.signed_checkpoint().await.doing("what was signed of the log")?;
            return Ok(Self { folder, key, key_from: KeyFrom::Home, signed });
        }
        let file = folder.join("vkey");
        let text = text_of(&file).map_err(|fault| {
            Fault::new(format!("there is no public key: {fault}"))
                .hint("name it: `--vkey KEY`, or a file that holds it")
        })?;
        let key = text.trim().parse().doing(format!("the key in `{}`", file.display()))?;
        Ok(Self { folder, key, key_from: KeyFrom::Folder, signed: None })
    }
}
