//! The command line as types. Parses and does nothing.

mod audit;
mod grace;
mod log;
mod placing;
mod policy;
mod report;
mod rotation;
mod shim;
mod status;
mod usage;

pub use self::policy::PolicyCommand;
pub use audit::{AuditCommand, AuditExport, AuditLog, AuditVerify, ExportFormat};
pub use grace::{GraceCommand, GraceStart, ReportFormat, SecretPlace};
pub use log::{Log, Narrowed};
pub use placing::{Add, Setup};
pub use report::{Format, ReportOf};
pub use rotation::{Rotation, Wait};
pub use shim::Shim;
pub use status::Status;
pub use usage::{UsageBy, UsageOf};

use crate::output::without_tokens;
use clap::{Args, Parser, Subcommand, ValueHint};
use std::convert::Infallible;
use std::path::PathBuf;

/// A reason as it is kept. A token that was pasted into it would stand in the log for good.
#[expect(clippy::unnecessary_wraps, reason = "the parser asks for it")]
fn reason(text: &str) -> Result<String, Infallible> {
    Ok(without_tokens(text))
}

/// Every MCP client gets its own pass.
#[derive(Parser, Debug)]
#[command(name = "hallpass", version, about, max_term_width = 100, propagate_version = true)]
#[command(
    after_help = "Start with `hallpass tour` (20 seconds, touches nothing of yours), then `hallpass up`."
)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// The configuration [default: hallpass.toml in this folder, else the one in the home]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Args, Debug, Clone)]
pub struct Global {
    /// Where keys, database and tokens are kept [default: the platform's data folder]
    #[arg(long, global = true, env = "HALLPASS_HOME", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub home: Option<PathBuf>,
    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    pub json: bool,
}

/// Which hallpass.toml.
#[derive(Args, Debug, Clone, Default)]
pub struct Roster {
    /// The configuration [default: hallpass.toml in this folder, else the one in the home]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

/// How a command that changes something goes about it.
#[derive(Args, Debug, Clone, Copy, Default)]
pub struct Consent {
    /// Show the plan and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do it without asking
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Write a literal token also into a file that git would commit
    #[arg(long)]
    pub git_ok: bool,
}

/// The commands.
#[expect(missing_docs, reason = "what has no words of its own is flattened, and has them there")]
#[derive(Subcommand, Debug)]
pub enum Command {
    /// The whole story in 20 seconds, in a temporary home; touches nothing of yours
    Tour {
        /// Make the home there, and leave it to look at
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        keep: Option<PathBuf>,
    },
    /// Make the home if needed, apply hallpass.toml, serve the gateway
    Up {
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        listen: Listen,
        #[command(flatten)]
        roster: Roster,
    },
    /// Make the home: configuration, keys, database
    Init {
        /// Take over a former set-up: its environment file, with `JWT_SECRET_KEY` and the rest
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        from_env: Option<PathBuf>,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        roster: Roster,
    },
    /// Find the MCP clients on this machine, and give each its own token
    Setup(Setup),
    /// Take back what the last command registered or changed, in every file to the byte
    #[command(mut_arg("git_ok", |arg| arg.hide(true)))]
    Undo {
        #[command(flatten)]
        consent: Consent,
    },
    /// Register a client, issue its token and place it in the client's configuration
    Add(Add),
    /// Make the store match hallpass.toml: register, issue and place what is missing
    Apply {
        /// The configuration to apply
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
        /// Also remove the clients that the file does not name
        #[arg(long)]
        prune: bool,
        /// Where an entry starts the Python shim of a former set-up, put `hallpass shim` in its place: only its `command`
        /// changes
        #[arg(long)]
        shim: bool,
        /// Also write files of programs whose place is not verified (docs/clients.md)
        #[arg(long)]
        unverified: bool,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        roster: Roster,
    },
    /// A fresh token, placed in the client's configuration; the one before it ends
    Issue {
        #[command(flatten)]
        who: Who,
        /// Print the token instead of placing it (one client only): its place is then yours to choose, and `hallpass
        /// apply` leaves the client alone while that token is good
        #[arg(long, conflicts_with = "all")]
        print: bool,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        roster: Roster,
    },
    /// A new token in the place of the one before, which stays good for a while: no call fails
    Rotate {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        rotation: Rotation,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        wait: Wait,
        #[command(flatten)]
        roster: Roster,
    },
    /// Cut a client or one token off: final, in force within 300 ms, open streams are cut
    #[command(mut_arg("git_ok", |arg| arg.hide(true)), mut_arg("yes", |arg| arg.hide(true)))]
    Revoke {
        /// A client's name, or a token's `jti`
        #[arg(value_name = "NAME|JTI")]
        what: String,
        /// Why; kept in the log
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: String,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        wait: Wait,
    },
    /// Refuse a client's tokens and cut its streams until `hallpass enable`; nothing else changes
    #[command(mut_arg("git_ok", |arg| arg.hide(true)), mut_arg("yes", |arg| arg.hide(true)))]
    Disable {
        /// The client
        name: String,
        /// Why; kept in the log
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: String,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        wait: Wait,
    },
    /// Let a disabled client in again, with the tokens that it has
    #[command(mut_arg("git_ok", |arg| arg.hide(true)), mut_arg("yes", |arg| arg.hide(true)))]
    Enable {
        /// The client
        name: String,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        wait: Wait,
    },
    /// Revoke a client, take our entry out of its configuration, put back what stood there
    Remove {
        /// The client
        name: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// Take over a token that a former set-up made: it goes on to work until it is replaced
    Adopt {
        /// A file that holds the token, or `-` for standard input
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Whose it is [default: the client with the token's subject]
        #[arg(long, value_name = "NAME")]
        client: Option<String>,
        #[command(flatten)]
        consent: Consent,
    },
    /// The authority's keys: list, rotate, revoke
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// The policies in force: list, show, and test what one says of a call
    Policy {
        #[command(subcommand)]
        command: PolicyCommand,
        #[command(flatten)]
        roster: Roster,
    },
    /// The grace period: until when the secret that clients shared before is still accepted
    Grace {
        #[command(subcommand)]
        command: GraceCommand,
    },
    /// The clients
    List,
    /// One client and its tokens, in full
    Show {
        /// The client
        name: String,
    },
    /// One screen: gateway, clients, tokens, expiry, last seen, grace period, warnings
    Status(Status),
    /// Look at the set-up of this machine: what is wrong, what it means, and the one command that mends it
    #[command(
        after_help = "Changes nothing. Ends with 0 if nothing is wrong, with 1 if there is an error or a warning."
    )]
    Doctor {
        #[command(flatten)]
        roster: Roster,
    },
    /// What a token is, whether it would pass, and exactly why not
    Verify {
        /// A file that holds the token, or `-` for standard input
        #[arg(value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        #[command(flatten)]
        offline: Offline,
    },
    /// Find tokens where none should be: in files, and in the history of git
    #[command(after_help = "Ends with 1 if a live token was found where hallpass did not place it.")]
    Scan {
        /// Files and folders to look into. Compressed files are not opened
        #[arg(value_name = "PATH", required = true, value_hint = ValueHint::AnyPath)]
        paths: Vec<PathBuf>,
        /// Also look into all that the git repositories around them keep
        #[arg(long)]
        history: bool,
    },
    /// What happened, one line a call
    Log(Log),
    /// The record: verified, proven, handed out, pruned
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Calls counted, by client, server, tool and day
    Usage(UsageOf),
    /// What an auditor asks for: clients, credentials, refusals, usage, integrity, in one document
    Report(ReportOf),
    /// The gateway
    Serve {
        #[command(flatten)]
        listen: Listen,
        #[command(flatten)]
        roster: Roster,
    },
    /// The bridge: MCP over standard input and output to one server behind the gateway
    Connect {
        /// The server
        server: String,
        /// The client whose token is shown: HOME/tokens/NAME, else the variable `HALLPASS_TOKEN`
        #[arg(long, value_name = "NAME")]
        client: String,
        /// The gateway [default: where `hallpass serve` listens]
        #[arg(long, env = "HALLPASS_URL", value_name = "URL", value_hint = ValueHint::Url)]
        url: Option<String>,
        /// Send the token unencrypted to a gateway on another machine: whoever is on the way can read it
        #[arg(long)]
        cleartext_ok: bool,
    },
    /// For programs that ask a command for their headers: prints the `Authorization` header of a client, as JSON
    #[command(hide = true)]
    Headers {
        /// The client whose token is shown: HOME/tokens/NAME
        #[arg(long, value_name = "NAME")]
        client: String,
        /// Print the token alone
        #[arg(long)]
        bare: bool,
    },
    /// A stand-in for the Python shim of a former WebSocket daemon: MCP over standard input and output, the daemon's dialect
    /// to the daemon or the gateway; reads the same variables (`EXAI_WS_HOST`, `EXAI_JWT_TOKEN`, ...)
    Shim(Shim),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write all of them into a folder
    Man {
        /// Write hallpass.1 and one page a command there
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
}

/// Where the gateway listens, for this run.
#[derive(Args, Debug, Clone, Default)]
pub struct Listen {
    /// Listen there instead of `gateway.listen` (port 0: any free one)
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<std::net::SocketAddr>,
    /// Write the log's lines as JSON
    #[arg(long)]
    pub log_json: bool,
    /// Close a log that is damaged, and go on with a new one that names it
    #[arg(long)]
    pub new_log: bool,
    /// Serve with a database that is older than the log: what was revoked since counts again
    #[arg(long)]
    pub accept_rollback: bool,
}

/// Against what a token is verified without this home.
#[derive(Args, Debug, Clone, Default)]
pub struct Offline {
    /// Only against the public keys of this JWK Set, without this home's registry
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "secret_env")]
    pub jwks: Option<PathBuf>,
    /// Only against the HS256 secret in this environment variable
    #[arg(long, value_name = "NAME")]
    pub secret_env: Option<String>,
    /// The `iss` that an offline check expects [default: the token's own]
    #[arg(long)]
    pub issuer: Option<String>,
    /// The `aud` that an offline check expects [default: the token's own]
    #[arg(long)]
    pub audience: Option<String>,
}

/// `hallpass keys`
#[derive(Subcommand, Debug, Clone)]
pub enum KeysCommand {
    /// Every key: where it stands, and how many tokens hang on it
    List,
    /// Sign with a new key; the one before verifies until its last token ends
    Rotate {
        /// ES256, EdDSA, Ed25519 or HS256 [default: `authority.algorithm`, else ES256]
        #[arg(long, value_name = "ALG")]
        algorithm: Option<String>,
        /// Only publish the new key in the JWK Set; the next `keys rotate` signs with it
        #[arg(long)]
        announce: bool,
        /// How to go about it
        #[command(flatten)]
        consent: Consent,
        /// Which hallpass.toml
        #[command(flatten)]
        roster: Roster,
    },
    /// Stop a key and every token that it signed, at once, and issue new tokens. A secret that has two names is stopped
    /// under both
    Revoke {
        /// The key
        kid: String,
        /// Why; kept in the log
        #[arg(long, value_name = "TEXT", value_parser = reason)]
        reason: String,
        /// How to go about it
        #[command(flatten)]
        consent: Consent,
        /// Whether to wait
        #[command(flatten)]
        wait: Wait,
        /// Which hallpass.toml
        #[command(flatten)]
        roster: Roster,
    },
}

/// Which clients.
#[derive(Args, Debug, Clone)]
#[group(required = true, multiple = false)]
pub struct Who {
    /// The client
    pub name: Option<String>,
    /// Every client
    #[arg(long)]
    pub all: bool,
}
