//! Which hallpass.toml counts, and what it says. Changes nothing.

use crate::fault::{Doing, Fault, Result};
use crate::given_file;
use crate::home::Home;
use hallpass_core::roster::Roster;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// The gateway's own address unless told otherwise.
pub const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4255);

/// The largest hallpass.toml that is read, in bytes.
const MOST: usize = 1 << 20;

/// The configuration in force and where it stands.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What it says. Empty if there is no file.
    pub roster: Roster,
    /// The file, absolute. `None` if there is none.
    pub file: Option<PathBuf>,
}

impl Settings {
    /// `--config FILE`, else `hallpass.toml` in the current folder, else the home's (which may name another by `follow`).
    pub fn load(named: Option<&Path>, home: &Home) -> Result<Self> {
        let file = Self::file(named, home);
        if named.is_none() && !file.exists() {
            return Ok(Self { roster: Roster::default(), file: None });
        }
        Self::read(&file)
    }

    /// The file that is read first.
    pub fn file(named: Option<&Path>, home: &Home) -> PathBuf {
        let here = Path::new("hallpass.toml");
        match named {
            Some(file) => file.to_owned(),
            None if here.exists() => here.to_owned(),
            None => home.roster_file(),
        }
    }

    fn read(file: &Path) -> Result<Self> {
        let settings = Self::read_one(file)?;
        let Some(followed) = &settings.roster.follow else { return Ok(settings) };
        let target = settings.resolve(followed);
        let settings = Self::read_one(&target)?;
        if settings.roster.follow.is_some() {
            return Err(Fault::new(format!("`{}` follows a file that itself has `follow`", file.display())));
        }
        Ok(settings)
    }

    fn read_one(file: &Path) -> Result<Self> {
        let shown = file.display();
        let text = match given_file::regular(file).and_then(|opened| given_file::read_text(opened, MOST)) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Fault::new(format!("there is no `{shown}`"))
                    .hint("name another with `--config FILE`, or start one with `hallpass init`"));
            }
            Err(error) => return Err(Fault::new(format!("cannot read `{shown}`: {error}"))),
        };
        let roster = Roster::parse(&text).map_err(|fault| {
            Fault::new(format!("`{shown}` is refused: {fault}"))
                .hint("nothing was changed; mend the file and run the command again")
        })?;
        let file = std::path::absolute(file).doing(format!("the path of `{shown}`"))?;
        Ok(Self { roster, file: Some(file) })
    }

    /// A path of the file: relative ones are relative to the file's folder; `~/` is the user's home folder.
    pub fn resolve(&self, path: &str) -> PathBuf {
        if let Some((rest, home)) = path.strip_prefix("~/").zip(crate::environment::variable("HOME")) {
            return Path::new(&home).join(rest);
        }
        let base = self.file.as_deref().and_then(Path::parent).unwrap_or(Path::new("."));
        normal(&base.join(path))
    }

    /// The address by which clients of this machine reach the gateway. Where its port is any free one, the address that it
    /// had last.
    pub fn gateway(&self, home: &Home) -> String {
        let listen = self.listen();
        if listen.port() == 0
            && let Some(noted) = noted_endpoint(home)
        {
            return noted;
        }
        let ip = match listen.ip() {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        format!("http://{}", SocketAddr::new(ip, listen.port()))
    }

    /// Where the gateway listens.
    pub fn listen(&self) -> SocketAddr {
        self.roster.gateway.listen.unwrap_or(LISTEN)
    }
}

/// Where the gateway of this home was last told to listen.
pub fn noted_endpoint(home: &Home) -> Option<String> {
    let noted =
        given_file::regular(&home.endpoint()).and_then(|file| given_file::read_text(file, 256)).ok()?;
    Some(noted.trim().to_owned()).filter(|noted| !noted.is_empty())
}

/// The path without `.` parts (`..` stays: taking it out would be wrong behind a symlink).
fn normal(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, std::path::Component::CurDir)).collect()
}
