//! How a token follows the one before, and whether to wait until the gateway knows. Parses and does nothing.

use clap::Args;

/// How a token follows the one before.
#[derive(Args, Debug, Clone, Default)]
pub struct Rotation {
    /// How long the one before stays good, at most until it expires: a number with s, m, h or d [default: 24h]
    #[arg(long, value_name = "TIME", conflicts_with = "now")]
    pub overlap: Option<String>,
    /// It ends as soon as the new one is used, at the latest when the overlap ends
    #[arg(long, conflicts_with = "now")]
    pub until_seen: bool,
    /// It ends at once, and so does every older one
    #[arg(long)]
    pub now: bool,
    /// Print the new token instead of placing it (one client only)
    #[arg(long, conflicts_with = "all")]
    pub print: bool,
}

/// Whether a command waits for the running gateway.
#[derive(Args, Debug, Clone, Copy, Default)]
pub struct Wait {
    /// Return only when the running gateway has confirmed that it is in force; exit code 1 after so many seconds [default:
    /// 10]
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "10",
        value_parser = clap::value_parser!(u64).range(1..=600)
    )]
    pub wait: Option<u64>,
}
