//! The built program in a home of its own, with as many clients as are wanted.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A home and the program that it is for.
pub struct Home {
    folder: TempDir,
}

/// A gateway that is killed when it is dropped.
pub struct Gateway {
    /// Host and port.
    pub address: String,
    _child: Child,
}

impl Home {
    /// Makes the home and gives every client its token.
    pub async fn make(clients: &[String], server: &str) -> io::Result<Self> {
        let home = Self { folder: tempfile::Builder::new().prefix("hallpass-bench-").tempdir()? };
        let mut roster = format!("[servers.docs]\nurl = \"{server}\"\n");
        for name in clients {
            roster += &format!("[clients.{name}]\napp = \"claude-desktop\"\nconfig = \"{name}.json\"\n");
        }
        std::fs::write(home.folder.path().join("hallpass.toml"), roster)?;
        home.run(&["init"]).await?;
        home.run(&["apply", "--yes"]).await?;
        Ok(home)
    }

    /// The client's token.
    pub fn token(&self, client: &str) -> io::Result<String> {
        let file = self.folder.path().join("home/tokens").join(client);
        Ok(std::fs::read_to_string(file)?.trim_end().to_owned())
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> io::Result<()> {
        let output = self.command(arguments).output().await?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(io::Error::other(format!("`hallpass {}`: {}", arguments.join(" "), said.trim_end())))
    }

    /// Starts the gateway and waits until it listens.
    pub async fn serve(&self) -> io::Result<Gateway> {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let stderr = child.stderr.take().ok_or_else(|| io::Error::other("no pipe"))?;
        let mut lines = BufReader::new(stderr).lines();
        while let Some(line) = lines.next_line().await? {
            if let Some((_, address)) = line.split_once("listening on http://") {
                let address = address.to_owned();
                // What it says later must find a reader.
                tokio::spawn(async move {
                    while let Ok(Some(line)) = lines.next_line().await {
                        eprintln!("gateway: {line}")
                    }
                });
                return Ok(Gateway { address, _child: child });
            }
        }
        Err(io::Error::other("the gateway does not start"))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).env_clear().current_dir(self.folder.path());
        command.env("HOME", self.folder.path()).env("HALLPASS_HOME", self.folder.path().join("home"));
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}

fn program() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/hallpass")
}
