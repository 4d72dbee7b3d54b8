//! One program, from `hallpass add` to what it says after `hallpass revoke`.

use std::fmt;
use std::path::Path;

use hallpass::fault::Result;
use tokio::process::Command;

use crate::codex;
use crate::listing::Shown;
use crate::programs::{Program, Tells, Way};
use crate::running::{self, readable};
use crate::stage::Stage;

/// How it went.
pub(crate) enum Verdict {
    /// Everything is as it should be, in these ways.
    Reads(Vec<&'static str>),
    /// What is not.
    FallsShort(Vec<String>),
    /// Why it could not be tried here.
    Skipped(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reads(ways) => write!(f, "reads it ({})", ways.join(", ")),
            Self::FallsShort(shortfalls) => write!(f, "FALLS SHORT\n    {}", shortfalls.join("\n    ")),
            Self::Skipped(why) => write!(f, "skipped: {why}"),
        }
    }
}

pub(crate) struct Trial<'a> {
    pub(crate) program: &'a Program,
    /// The npm folder.
    pub(crate) modules: &'a Path,
    pub(crate) stage: &'a mut Stage,
}

impl Trial<'_> {
    /// The program's name, with its version if it told one, and how it went.
    pub(crate) async fn hold(mut self) -> (String, Verdict) {
        let app = self.program.app;
        let version = match self.version().await {
            Ok(version) => version,
            Err(why) => return (app.to_owned(), Verdict::Skipped(why)),
        };
        // What ends a trial is the program's own shortfall: the others are tried all the same.
        let shortfalls = self.shortfalls().await.unwrap_or_else(|fault| vec![fault.to_string()]);
        let verdict = if shortfalls.is_empty() {
            Verdict::Reads(self.program.ways.iter().map(Way::word).collect())
        } else {
            Verdict::FallsShort(shortfalls)
        };
        (format!("{app} {version}"), verdict)
    }

    /// The number in what `--version` prints, or why there is none.
    async fn version(&self) -> Result<String, String> {
        if self.program.start.iter().any(|word| word.contains('/') && !self.modules.join(word).exists()) {
            return Err("npm has no package of it for this machine in the lock file".into());
        }
        let mut command = self.start();
        command.arg("--version");
        let output = running::finish(command).await.map_err(|fault| fault.to_string())?;
        let said = String::from_utf8_lossy(&output.stdout);
        let number = said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        match number {
            Some(number) if output.status.success() => Ok(number.to_owned()),
            _ => {
                let said = readable(&String::from_utf8_lossy(&output.stderr));
                Err(format!("`--version` ends with {}: {said}", output.status))
            }
        }
    }

    async fn shortfalls(&mut self) -> Result<Vec<String>> {
        self.place().await?;
        let shortfalls = self.connects().await?;
        if !shortfalls.is_empty() {
            return Ok(shortfalls);
        }
        for way in self.program.ways {
            let client = way.client(self.program.app);
            self.stage.hallpass(&["revoke", &client, "--reason", "the end of the trial", "--wait"]).await?;
        }
        self.is_refused().await
    }

    /// An entry for each way, in the program's own file.
    async fn place(&self) -> Result<()> {
        for (file, text) in self.program.files {
            self.stage.has(file, text)?;
        }
        let app = self.program.app;
        for way in self.program.ways {
            let client = way.client(app);
            let mut add = vec!["add", &client, "--app", app, "--entry", way.word(), "--yes"];
            add.extend(way.placement.into_iter().flat_map(|placement| ["--placement", placement]));
            self.stage.hallpass(&add).await?;
        }
        Ok(())
    }

    async fn connects(&mut self) -> Result<Vec<String>> {
        let shown = self.servers().await?;
        let mut shortfalls = Vec::new();
        for way in self.program.ways {
            let shortfall = match shown.iter().find(|server| server.entry == way.word()) {
                None => "it does not list the entry".to_owned(),
                Some(server) if !server.connected => {
                    format!("it does not connect, and says: {}", readable(&server.words))
                }
                Some(_) if self.stage.log.names(&way.client(self.program.app), "ok").await? => continue,
                Some(_) => "the log does not name the client".to_owned(),
            };
            shortfalls.push(format!("{}: {shortfall}", way.word()));
        }
        Ok(shortfalls)
    }

    async fn is_refused(&mut self) -> Result<Vec<String>> {
        let shown = self.servers().await?;
        let mut shortfalls = Vec::new();
        for way in self.program.ways {
            let shortfall = match shown.iter().find(|server| server.entry == way.word()) {
                None => "it does not list the entry of a revoked client".to_owned(),
                Some(server) if server.connected => "it connects after the revocation".to_owned(),
                Some(server) if !server.words.contains(way.refused) => {
                    format!("`{}` is not in what it says: {}", way.refused, readable(&server.words))
                }
                Some(_) if self.stage.log.names(&way.client(self.program.app), "refused").await? => continue,
                Some(_) => "the log does not name the refused client".to_owned(),
            };
            shortfalls.push(format!("{}: {shortfall}", way.word()));
        }
        Ok(shortfalls)
    }

    /// What it shows of its servers, started as a person would: with the variables that `hallpass add` names.
    async fn servers(&self) -> Result<Vec<Shown>> {
        let clients: Vec<String> = self.program.ways.iter().map(|way| way.client(self.program.app)).collect();
        let variables = self.stage.variables(&clients)?;
        let start = || {
            let mut command = self.start();
            command.envs(&variables);
            command
        };
        match self.program.tells {
            Tells::CodexServer => codex::servers(start).await,
            Tells::List(read) => {
                let mut list = start();
                list.args(["mcp", "list"]);
                let output = running::finish(list).await?;
                // Some list on standard error.
                Ok(read(&String::from_utf8_lossy(&[output.stdout, output.stderr].concat())))
            }
        }
    }

    /// The program as it was installed, without arguments.
    fn start(&self) -> Command {
        let mut words = self
            .program
            .start
            .iter()
            .map(|word| if word.contains('/') { self.modules.join(word) } else { word.into() });
        let mut command = running::foreign(words.next().unwrap_or_default(), self.stage.user());
        command.args(words).envs(self.program.variables.iter().copied());
        command
    }
}
