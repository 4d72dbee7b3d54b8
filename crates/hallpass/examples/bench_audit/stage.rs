//! Homes, and gateways as processes: started, looked at, ended. Measures nothing.

use hallpass::fault::{Doing as _, Fault, Result};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The clients of every home.
pub(crate) const CLIENTS: [&str; 4] = ["c0", "c1", "c2", "c3"];

/// A home with clients that hold tokens.
pub(crate) struct Home {
    hallpass: PathBuf,
    folder: TempDir,
}

impl Home {
    /// In front of a server; `more` stands in its hallpass.toml.
    pub(crate) fn make(hallpass: &Path, server: &str, more: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("hallpass-audit-").tempdir();
        let home = Self { hallpass: hallpass.to_owned(), folder: folder.doing("a temporary folder")? };
        let mut roster = format!("{more}\n[servers.docs]\nurl = \"{server}\"\n");
        for name in CLIENTS {
            let _ = write!(roster, "[clients.{name}]\napp = \"claude-desktop\"\nconfig = \"{name}.json\"\n");
        }
        std::fs::write(home.folder.path().join("hallpass.toml"), roster).doing("hallpass.toml")?;
        home.succeed(&["init"])?;
        home.succeed(&["apply", "--yes"])?;
        Ok(home)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(crate) fn tokens(&self) -> Result<Vec<String>> {
        let read = |name| std::fs::read_to_string(self.path().join("tokens").join(name));
        CLIENTS.iter().map(|name| Ok(read(name).doing("a token")?.trim_end().to_owned())).collect()
    }

    /// Runs a command to its end.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> Result<()> {
        let mut command = self.ready(Command::new(&self.hallpass));
        let output =
            command.args(arguments).stdin(Stdio::null()).output().doing("cannot start the program")?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Fault::new(format!("`hallpass {}`: {}", arguments.join(" "), said.trim_end())))
    }

    /// The program itself.
    pub(crate) fn serve(&self) -> Result<Gateway> {
        let mut command = self.ready(Command::new(&self.hallpass));
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        Gateway::start(command)
    }

    /// The same without a log.
    pub(crate) fn serve_unlogged(&self) -> Result<Gateway> {
        let this = std::env::current_exe().doing("cannot find this program")?;
        let mut command = self.ready(Command::new(this));
        command.arg("unlogged").arg(self.path());
        Gateway::start(command)
    }

    fn ready(&self, mut command: Command) -> Command {
        command.env_clear().current_dir(self.folder.path());
        command.env("HOME", self.folder.path()).env("HALLPASS_HOME", self.path());
        command
    }
}

/// A running gateway, killed when it is dropped.
pub(crate) struct Gateway {
    child: Child,
    /// Host and port.
    pub(crate) address: String,
}

/// Nanoseconds of processor time.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cpu {
    /// Of the threads that serve calls.
    pub(crate) calls: u64,
    /// Of all others: with a log, most of it is the log's.
    pub(crate) others: u64,
}

impl Gateway {
    fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().doing("cannot start a gateway")?;
        let stderr = child.stderr.take().ok_or_else(|| Fault::new("no pipe"))?;
        let mut said = BufReader::new(stderr).lines().map_while(std::result::Result::ok);
        let ready = said.find_map(|line| Some(line.split_once("listening on http://")?.1.to_owned()));
        // Whatever it says later is shown, and never fills the pipe.
        std::thread::spawn(move || said.for_each(|line| eprintln!("gateway: {line}")));
        let gateway = Self { child, address: ready.unwrap_or_default() };
        if gateway.address.is_empty() { Err(Fault::new("the gateway does not start")) } else { Ok(gateway) }
    }

    /// What it has had so far.
    pub(crate) fn cpu(&self) -> Result<Cpu> {
        let mut cpu = Cpu::default();
        for task in
            std::fs::read_dir(format!("/proc/{}/task", self.child.id())).doing("the gateway's threads")?
        {
            let path = task.doing("a thread")?.path();
            // A thread may end meanwhile.
            let read = |file: &str| std::fs::read_to_string(path.join(file)).unwrap_or_default();
            let spent = read("schedstat").split(' ').next().and_then(|spent| spent.parse().ok()).unwrap_or(0);
            if read("comm").starts_with("gateway-") { cpu.calls += spent } else { cpu.others += spent }
        }
        Ok(cpu)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
