//! `hallpass log`

use clap::Args;

/// `hallpass log`
#[derive(Args, Debug, Clone)]
pub struct Log {
    /// Go on with what happens from now
    #[arg(long, short, conflicts_with = "until")]
    pub follow: bool,
    /// Which records
    #[command(flatten)]
    pub narrowed: Narrowed,
    /// Only this outcome: ok, error, refused, cut, gone, failed, done
    #[arg(long)]
    pub outcome: Option<String>,
    /// Only this kind: call, close, or an act (issue, rotate, revoke, ...)
    #[arg(long)]
    pub kind: Option<String>,
    /// Only what is no call: what operators did, and what was done by itself
    #[arg(long, conflicts_with = "kind")]
    pub acts: bool,
    /// Only the newest so many [default: 100; all with --since or --until]
    #[arg(long, short = 'n')]
    pub lines: Option<u32>,
}

/// What `log` and `usage` are narrowed to.
#[derive(Args, Debug, Clone)]
pub struct Narrowed {
    /// Only this client
    #[arg(long)]
    pub client: Option<String>,
    /// Only this server
    #[arg(long)]
    pub server: Option<String>,
    /// Only calls of this tool
    #[arg(long)]
    pub tool: Option<String>,
    /// Only from then on: a day, an instant, or so long ago (`2h`, `7d`)
    #[arg(long, value_name = "DATE")]
    pub since: Option<String>,
    /// Only before then
    #[arg(long, value_name = "DATE")]
    pub until: Option<String>,
}
