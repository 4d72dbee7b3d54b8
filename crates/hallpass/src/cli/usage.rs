//! `hallpass usage`

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
    /// Only from then on: a day, an instant, or so long ago (`7d`)
    #[arg(long, value_name = "DATE")]
    pub since: Option<String>,
    /// Only before then
    #[arg(long, value_name = "DATE")]
    pub until: Option<String>,
    /// Only this client
    #[arg(long)]
    pub client: Option<String>,
    /// Only this server
    #[arg(long)]
    pub server: Option<String>,
    /// Only calls of this tool
    #[arg(long)]
    pub tool: Option<String>,
    /// Print comma-separated values
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
}
