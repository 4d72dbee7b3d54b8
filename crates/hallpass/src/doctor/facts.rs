//! What was seen on the machine, without anything that is secret.

use super::synced::Service;
use crate::output::counted;
use crate::plan::TokenStep;
use crate::scan::Whose;
use crate::standing::Standing;
use hallpass_clients::{Client, KeyPath};
use hallpass_core::{ClientName, TokenDigest, UnixTime};
use hallpass_store::{ClientRow, TokenRow};
use std::path::PathBuf;

/// All of it.
pub(crate) struct Facts {
    pub(super) home: HomeFacts,
    /// Why hallpass.toml is refused.
    pub(super) refused: Option<Refused>,
    /// `None`: home or hallpass.toml have to be mended first.
    pub(super) opened: Option<Opened>,
}

/// The home's files, without the store.
#[derive(Default)]
pub(super) struct HomeFacts {
    pub(super) folder: PathBuf,
    /// The folder behind links.
    pub(super) real: PathBuf,
    /// What others may read or write, with its mode.
    pub(super) open: Vec<(PathBuf, u32)>,
    /// The folder around the home, if everybody may put another home in its place.
    pub(super) open_around: Option<PathBuf>,
    /// The folder that a program carries elsewhere.
    pub(super) synced: Option<Synced>,
    /// The link by which this program is the shim, if it is there.
    pub(super) shim: Option<ShimLink>,
}

/// `HOME/hallpass-shim`
pub(super) struct ShimLink {
    pub(super) path: PathBuf,
    pub(super) leads_to: Program,
}

/// A configuration that is refused.
pub(super) struct Refused {
    pub(super) file: PathBuf,
    pub(super) why: String,
}

/// What can be seen once the home can be opened.
pub(super) struct Opened {
    pub(super) home: PathBuf,
    /// This program.
    pub(super) own_program: PathBuf,
    /// Those that are registered.
    pub(super) clients: Vec<ClientFacts>,
    /// Names that a new client cannot have.
    pub(super) names: Vec<String>,
    pub(super) files: Vec<FileFacts>,
    /// Files in the folder of tokens that belong to no client.
    pub(super) nobodys: Vec<PathBuf>,
    pub(super) gateway: GatewayFacts,
    pub(super) times: Times,
}

/// A registered client.
pub(super) struct ClientFacts {
    pub(super) row: ClientRow,
    /// Where its token is. `None`: a person keeps it, or where it goes cannot be said.
    pub(super) place: Option<Place>,
    /// Its newest token, if that one is in force.
    pub(super) live: Option<TokenRow>,
    /// What `hallpass apply` would do about it, or why it could do nothing.
    pub(super) step: Result<(TokenStep, Standing), String>,
    /// It has a token, or had one.
    pub(super) has_tokens: bool,
}

/// Where a client's token is.
pub(super) struct Place {
    /// Its own file, without links.
    pub(super) file: PathBuf,
    /// The keys in it that are ours.
    pub(super) keys: Vec<KeyPath>,
    /// The file of the home that holds the token; `None`: its own file does.
    pub(super) token_file: Option<PathBuf>,
    /// It reaches the servers over the gateway.
    pub(super) is_led_to_gateway: bool,
}

/// What a file is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A client's own.
    Config,
    /// One of the home's.
    TokenFile,
    /// A copy that something else left beside that file.
    CopyOf(PathBuf),
}

/// A file that was looked at.
pub(super) struct FileFacts {
    /// As it was named.
    pub(super) path: PathBuf,
    /// Behind links.
    pub(super) real: PathBuf,
    pub(super) role: Role,
    /// Programs that would read it.
    pub(super) apps: Vec<&'static Client>,
    /// Why it could not be looked into, or could not be edited.
    pub(super) trouble: Option<Trouble>,
    /// Permission bits.
    pub(super) mode: u32,
    /// Its folder, if everybody may write there.
    pub(super) open_folder: Option<PathBuf>,
    /// Git would commit it. Asked only where a token is in it.
    pub(super) would_commit: bool,
    /// A program carries it elsewhere. Asked only where a token is in it.
    pub(super) synced: Option<Synced>,
    pub(super) tokens: Vec<TokenSeen>,
    pub(super) entries: Vec<EntrySeen>,
    pub(super) addresses: Vec<AddressSeen>,
}

/// Why a file is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A link on the way stands where everybody may write.
    OpenLink(PathBuf),
    /// A link leads nowhere.
    LinkToNowhere,
    /// It is a pipe, a socket or a device.
    Special,
    /// It cannot be read.
    Unreadable {
        why: String,
        /// What stops us.
        stopped_by: PathBuf,
        is_folder: bool,
        is_own: bool,
        /// Whose it would have to be.
        own_uid: u32,
    },
    /// It is read, and cannot be edited.
    Unparsable { why: String, line: usize },
}

/// A folder that a program carries elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Synced {
    pub(super) service: Service,
    pub(super) root: PathBuf,
}

/// A token that has to do with this home.
#[derive(Clone)]
pub(super) struct TokenSeen {
    pub(super) digest: TokenDigest,
    pub(super) line: u64,
    /// Where it stands, if that has a name.
    pub(super) key: Option<KeyPath>,
    pub(super) whose: Whose,
}

/// An entry of this home's that starts the bridge, or asks for a header.
#[derive(Clone, Debug)]
pub(super) struct EntrySeen {
    pub(super) key: KeyPath,
    pub(super) line: usize,
    pub(super) client: String,
    /// `None`: it is not named by its whole path.
    pub(super) program: Option<Program>,
}

/// A program that an entry names, or a link leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) state: ProgramState,
}

/// What stands at its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProgramState {
    /// This program.
    Own,
    /// Another one.
    Other,
    /// Something that cannot be started.
    NotExecutable,
    /// Nothing.
    Missing,
}

/// An address of a gateway in a client's file.
#[derive(Clone, Debug)]
pub(super) struct AddressSeen {
    pub(super) key: KeyPath,
    pub(super) line: usize,
    /// Like `127.0.0.1:4255`.
    pub(super) authority: String,
    /// Whether a gateway answers there. Asked only while ours runs.
    pub(super) answers: bool,
}

/// The gateway of this home.
#[derive(Clone, Debug, Default)]
pub(super) struct GatewayFacts {
    /// `None`: none runs.
    pub(super) running: Option<Running>,
    /// Where bridges look for it.
    pub(super) endpoint: Option<String>,
    /// Where hallpass.toml lets it listen.
    pub(super) configured: String,
}

/// One that runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Running {
    pub(super) pid: Option<u32>,
    /// Like `127.0.0.1:4255`; `None`: it starts, and has not said so yet.
    pub(super) authority: Option<String>,
    pub(super) answers: bool,
}

/// Times that the store has noted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    /// When the last thing was noted, in milliseconds.
    pub(super) newest_ms: i64,
    /// The end of the grace period and the highest time seen during it, if it could still be running.
    pub(super) grace: Option<(UnixTime, UnixTime)>,
}

impl Facts {
    /// How much was looked at.
    pub(crate) fn looked_at(&self) -> String {
        match &self.opened {
            Some(opened) => {
                let files = counted(opened.files.len() as u64, "file");
                format!("{files} and {} looked at", counted(opened.clients.len() as u64, "client"))
            }
            None => "the rest is looked at once this is mended".into(),
        }
    }
}

impl Opened {
    /// The client in whose place a token stands.
    pub(super) fn at_place(&self, file: &FileFacts, key: Option<&KeyPath>) -> Option<&ClientFacts> {
        self.clients.iter().find(|client| client.place.as_ref().is_some_and(|place| place.is(file, key)))
    }

    /// Those whose own file or token file it is.
    pub(super) fn of_file<'a>(&'a self, file: &'a FileFacts) -> impl Iterator<Item = &'a ClientFacts> {
        self.clients.iter().filter(|client| client.place.as_ref().is_some_and(|place| place.has(file)))
    }

    pub(super) fn client(&self, name: &ClientName) -> Option<&ClientFacts> {
        self.clients.iter().find(|client| client.row.name == *name)
    }
}

impl Place {
    fn has(&self, file: &FileFacts) -> bool {
        self.file == file.real || self.token_file.as_ref() == Some(&file.real)
    }

    fn is(&self, file: &FileFacts, key: Option<&KeyPath>) -> bool {
        if let Some(token_file) = &self.token_file {
            return *token_file == file.real;
        }
        let is_at = |key: &KeyPath| self.keys.iter().any(|own| key.segments().starts_with(own.segments()));
        self.file == file.real && key.is_some_and(is_at)
    }
}

impl TokenSeen {
    /// Its row, if it is known here.
    pub(super) fn row(&self) -> Option<&TokenRow> {
        match &self.whose {
            Whose::Known(row) => Some(row),
            Whose::Signed | Whose::Claimed => None,
        }
    }

    /// Its row, if it is accepted.
    pub(super) fn good(&self, now: UnixTime) -> Option<&TokenRow> {
        self.row().filter(|row| row.is_good(now))
    }
}
