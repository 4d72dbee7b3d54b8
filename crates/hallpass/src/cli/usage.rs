//! `hallpass usage`

use super::Narrowed;
use clap::{Args, ValueEnum};

/// By what calls are counted apart.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageBy {
    /// By client
    Client,
    /// By server
    Server,
    /// By tool; calls of no tool by their method
    Tool,
    /// By day, in UTC
    Day,
}

/// Which calls, and how they are counted.
#[derive(Args, Debug, Clone)]
pub struct UsageOf {
    /// What is counted apart
    #[arg(long, value_name = "WHAT", value_delimiter = ',', default_value = "client,server")]
    pub by: Vec<UsageBy>,
    /// Which calls
    #[command(flatten)]
    pub narrowed: Narrowed,
    /// Print comma-separated values
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
}
