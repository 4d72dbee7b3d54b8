//! `hallpass policy`, as types.

use clap::Subcommand;

/// `hallpass policy`
#[derive(Subcommand, Debug, Clone)]
pub enum PolicyCommand {
    /// Every policy, and who is under it
    List,
    /// One policy as it is in force
    Show {
        /// The policy
        name: String,
    },
    /// Whether a call would be let through, and which line decides. Exit code 0: allowed, 1: denied
    Test {
        /// A client, else a policy
        name: String,
        /// The server
        server: String,
        /// The tool
        tool: String,
    },
}
