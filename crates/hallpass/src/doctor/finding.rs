//! What is wrong, as data.

use super::facts::Program;
use super::synced::Service;
use hallpass_clients::KeyPath;
use hallpass_core::{ClientName, UnixTime};
use std::path::PathBuf;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(super) what: What,
    pub(super) severity: Severity,
    /// The client that it is about, if it is about one.
    pub(super) client: Option<ClientName>,
    /// The file or folder that it is about, if it is about one.
    pub(super) file: Option<PathBuf>,
    pub(super) mend: Mend,
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// A person is needed now.
    Error,
    /// It can wait, and does not mend itself.
    Warning,
}

/// What is wrong. In the order in which to mend it: what comes first may stand in the way of the rest.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// A part of the home is open to others.
    HomeOpen {
        mode: u32,
    },
    /// Everybody may put another home in the place of this one.
    AroundHomeOpen,
    ConfigurationRefused {
        why: String,
    },
    ClockBehind {
        seen: UnixTime,
    },
    /// Everybody may write in this folder; `link`: a link that stands there is not followed.
    FolderOpen {
        folder: PathBuf,
        holds: Holds,
    },
    LinkToNowhere,
    Special,
    Unreadable {
        why: String,
    },
    Unparsable {
        why: String,
    },
    WouldCommit,
    Synced {
        service: Service,
        root: PathBuf,
        whole_home: bool,
    },
    Copy {
        of: PathBuf,
        is_live: bool,
    },
    FileOpen {
        mode: u32,
    },
    SharedToken {
        owner: ClientName,
        spot: Spot,
    },
    EndedToken {
        of: ClientName,
        how: Ended,
        spot: Spot,
    },
    UnknownToken {
        is_signed: bool,
        spot: Spot,
    },
    IssuedAhead {
        at: UnixTime,
    },
    GraceAhead {
        seen: UnixTime,
    },
    PlaceLost {
        why: Lost,
    },
    EntryLost,
    StaleEntry {
        client: String,
        key: KeyPath,
    },
    NobodysTokenFile,
    ProgramMoved {
        program: Program,
        key: KeyPath,
    },
    ShimLink {
        leads_to: Program,
    },
    GatewayDown,
    GatewaySilent {
        authority: String,
    },
    EndpointElsewhere {
        noted: Option<String>,
        authority: String,
    },
    AddressElsewhere {
        key: KeyPath,
        named: String,
        authority: String,
    },
}

/// What a folder in which everybody may write has to do with us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// The file itself.
    File,
    /// The link that leads to it, and is not followed.
    Link,
}

/// Where in a file a token stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Spot {
    Key(KeyPath),
    Line(u64),
}

/// How a token came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Expired(UnixTime),
    Superseded(UnixTime),
    Revoked(UnixTime),
}

/// Why a client has no token to show.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Lost {
    /// It has none in force.
    NoneInForce,
    /// It is not where it was put.
    NotThere,
    /// Where it goes cannot be worked on any more.
    NoPlace(String),
}

/// What mends it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mend {
    /// A fresh token in its place.
    Issue(ClientName),
    /// Another token for this one, at once; `print`: a person keeps it.
    Rotate {
        client: ClientName,
        print: bool,
    },
    Remove(ClientName),
    Apply,
    /// A client of its own for a variable of an entry.
    Add {
        name: String,
        app: String,
        file: PathBuf,
        entry: String,
        variable: String,
    },
    /// Takes permissions away, or gives them: `go-rwx`.
    Permit {
        change: &'static str,
        path: PathBuf,
    },
    /// The file or folder becomes that user's.
    Own {
        uid: u32,
        path: PathBuf,
    },
    Delete(PathBuf),
    /// A person decides what should stand there.
    Edit {
        file: PathBuf,
        line: Option<u64>,
    },
    /// Git leaves the file alone from now on.
    Ignore(PathBuf),
    /// Syncthing leaves it out from now on.
    LeaveOut {
        root: PathBuf,
        inside: PathBuf,
    },
    /// It is moved, and a link stands in its place.
    MoveOut {
        path: PathBuf,
        name: String,
    },
    /// The link leads to that program.
    Link {
        link: PathBuf,
        program: PathBuf,
    },
    Serve,
    /// The one that runs ends, and another starts.
    Restart {
        pid: u32,
        is_hung: bool,
    },
    /// The file holds that line.
    Note {
        file: PathBuf,
        line: String,
    },
    SetClock,
    ExtendGrace {
        until: UnixTime,
    },
}

impl What {
    /// The word for programs.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::HomeOpen { .. } => "home_open",
            Self::AroundHomeOpen | Self::FolderOpen { .. } => "folder_open",
            Self::ConfigurationRefused { .. } => "configuration_refused",
            Self::ClockBehind { .. } => "clock_behind",
            Self::LinkToNowhere => "link_to_nowhere",
            Self::Special => "not_a_file",
            Self::Unreadable { .. } => "unreadable",
            Self::Unparsable { .. } => "unparsable",
            Self::WouldCommit => "git_would_commit",
            Self::Synced { .. } => "synced",
            Self::Copy { .. } => "copy",
            Self::FileOpen { .. } => "file_open",
            Self::SharedToken { .. } => "shared_token",
            Self::EndedToken { .. } => "ended_token",
            Self::UnknownToken { .. } => "unknown_token",
            Self::IssuedAhead { .. } => "issued_ahead",
            Self::GraceAhead { .. } => "grace_ahead",
            Self::PlaceLost { .. } => "place_lost",
            Self::EntryLost => "entry_lost",
            Self::StaleEntry { .. } => "stale_entry",
            Self::NobodysTokenFile => "nobodys_token_file",
            Self::ProgramMoved { .. } => "program_moved",
            Self::ShimLink { .. } => "shim_link",
            Self::GatewayDown => "gateway_down",
            Self::GatewaySilent { .. } => "gateway_silent",
            Self::EndpointElsewhere { .. } | Self::AddressElsewhere { .. } => "gateway_elsewhere",
        }
    }
}

impl Finding {
    pub(super) fn error(what: What, mend: Mend) -> Self {
        Self { what, severity: Severity::Error, client: None, file: None, mend }
    }

    pub(super) fn warning(what: What, mend: Mend) -> Self {
        Self { severity: Severity::Warning, ..Self::error(what, mend) }
    }

    pub(super) fn of(mut self, client: &ClientName) -> Self {
        self.client = Some(client.clone());
        self
    }

    pub(super) fn at(mut self, file: impl Into<PathBuf>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Whether a person is needed now.
    pub(crate) fn severity(&self) -> Severity {
        self.severity
    }
}
