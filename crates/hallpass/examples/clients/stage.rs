//! A user's home with a sample server and a gateway, and `hallpass` commands in it. Knows no client.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hallpass::fault::{Doing as _, Fault, Result};
use hallpass::sample;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::log::Log;
use crate::running;

/// What the sample server is called.
const SERVER: &str = "sample";

/// All of it ends with the value.
pub(crate) struct Stage {
    folder: TempDir,
    hallpass: PathBuf,
    pub(crate) log: Log,
    _gateway: Child,
    sample: JoinHandle<()>,
}

impl Stage {
    pub(crate) async fn set(hallpass: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("hallpass-clients-").tempdir();
        let folder = folder.doing("cannot make a temporary folder")?;
        let listener = TcpListener::bind("127.0.0.1:0").await.doing("no port for the sample server")?;
        let address = listener.local_addr().doing("no port for the sample server")?;
        let sample = tokio::spawn(async move {
            let _ = sample::serve(listener).await;
        });
        let roster = format!(
            "[gateway]\nlisten = \"127.0.0.1:0\"\n\n[servers.{SERVER}]\nurl = \"http://{address}/mcp\"\n"
        );
        let user = folder.path();
        put(&user.join("work/hallpass.toml"), &roster)?;
        std::fs::create_dir(user.join("tmp")).doing("cannot make a temporary folder")?;
        succeed(command(hallpass, user, &["init"])).await?;
        let gateway = serve(command(hallpass, user, &["serve"])).await?;
        let log = Log::follow(command(hallpass, user, &["log", "--follow", "--json"]))?;
        Ok(Self { hallpass: hallpass.to_owned(), log, _gateway: gateway, sample, folder })
    }

    /// The user's home, where clients have their files.
    pub(crate) fn user(&self) -> &Path {
        self.folder.path()
    }

    /// A file that a client has before Hallpass comes.
    pub(crate) fn has(&self, file: &str, text: &str) -> Result<()> {
        put(&self.user().join(file), text)
    }

    /// A command that has to succeed.
    pub(crate) async fn hallpass(&self, arguments: &[&str]) -> Result<()> {
        succeed(command(&self.hallpass, self.user(), arguments)).await
    }

    /// What the files that a shell reads before it starts these clients say.
    pub(crate) fn variables(&self, clients: &[String]) -> Result<BTreeMap<String, String>> {
        let tokens = self.user().join(".local/share/hallpass/tokens");
        let mut variables = BTreeMap::new();
        for file in clients.iter().map(|client| tokens.join(format!("{client}.env"))) {
            if file.exists() {
                let text = std::fs::read_to_string(&file).doing(file.display())?;
                let lines = text.lines().filter_map(|line| line.split_once('='));
                variables.extend(lines.map(|(name, token)| (name.to_owned(), token.to_owned())));
            }
        }
        Ok(variables)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.sample.abort();
    }
}

fn command(hallpass: &Path, user: &Path, arguments: &[&str]) -> Command {
    let mut command = running::command(hallpass, user);
    command.args(arguments);
    command
}

async fn succeed(command: Command) -> Result<()> {
    let typed: Vec<_> = command.as_std().get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    let output = running::finish(command).await?;
    if output.status.success() {
        return Ok(());
    }
    let said = running::readable(&String::from_utf8_lossy(&output.stderr));
    Err(Fault::new(format!("`hallpass {}`: {said}", typed.join(" "))))
}

/// Returns once it accepts connections.
async fn serve(mut command: Command) -> Result<Child> {
    let mut gateway =
        command.stdout(std::process::Stdio::null()).spawn().doing("cannot start the gateway")?;
    let err = gateway.stderr.take().ok_or_else(|| Fault::new("no output of `hallpass serve`"))?;
    let mut lines = BufReader::new(err).lines();
    while let Some(line) = lines.next_line().await.doing("`hallpass serve`")? {
        if line.starts_with("listening on ") {
            // Kept empty, so that the gateway never waits for a reader.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(gateway);
        }
    }
    Err(Fault::new("`hallpass serve` ended before it listened"))
}

#[expect(clippy::disallowed_methods, reason = "files in a folder that was made for them just now")]
fn put(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).doing(folder.display())?;
    std::fs::write(path, text).doing(path.display())
}
