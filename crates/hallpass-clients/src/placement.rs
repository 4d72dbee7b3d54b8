//! The ways in which a token can get to a client, and which of them a client offers, best first.

use crate::client::{Client, Format, ReferenceKind};

/// How a token gets to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlacementKind {
    /// An entry that starts the bridge, which reads a token file: no secret in the configuration.
    Bridge,
    /// An address, and a command that the client asks for the header: no secret in the configuration.
    Helper,
    /// An address, and a reference to a token file.
    TokenFile,
    /// An address, and a reference to a variable of the client's environment.
    Environment,
    /// An address, and the token itself in a header.
    Header,
    /// The token itself in a variable of an entry that is there already.
    Variable,
    /// A line `NAME=TOKEN` in an environment file.
    EnvFile,
    /// A bridge entry that a person puts in, for files that have no editor.
    Instructions,
}

impl PlacementKind {
    /// All of them, best first.
    pub const ALL: [Self; 8] = [
        Self::Bridge,
        Self::Helper,
        Self::TokenFile,
        Self::Environment,
        Self::Header,
        Self::Variable,
        Self::EnvFile,
        Self::Instructions,
    ];

    /// The word in commands and in hallpass.toml.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Helper => "helper",
            Self::TokenFile => "token-file",
            Self::Environment => "environment",
            Self::Header => "header",
            Self::Variable => "variable",
            Self::EnvFile => "env-file",
            Self::Instructions => "instructions",
        }
    }

    /// What is placed, for people.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Bridge => {
                "an entry that starts the bridge, which reads a token file; no secret in the configuration"
            }
            Self::Helper => {
                "an address, and a command that the client asks for the header; no secret in the configuration"
            }
            Self::TokenFile => "an address, and a reference to a token file",
            Self::Environment => "an address, and a reference to a variable of the client's environment",
            Self::Header => "an address, and the token in a header; the file is for its owner only (0600)",
            Self::Variable => {
                "the token in a variable of an entry that is there already; the file is for its owner only (0600)"
            }
            Self::EnvFile => "a line `NAME=TOKEN`; the file is for its owner only (0600)",
            Self::Instructions => "nothing: the entry is printed, and a person puts it in",
        }
    }

    /// The kind of that word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Whether the client's own file then holds the token.
    pub const fn is_literal(self) -> bool {
        match self {
            Self::Header | Self::Variable | Self::EnvFile => true,
            Self::Bridge | Self::Helper | Self::TokenFile | Self::Environment | Self::Instructions => false,
        }
    }

    /// Whether a new token is read without a restart of the client.
    pub const fn is_read_afresh(self) -> bool {
        match self {
            Self::Bridge | Self::Helper | Self::Instructions => true,
            Self::TokenFile | Self::Environment | Self::Header | Self::Variable | Self::EnvFile => false,
        }
    }
}

impl Client {
    /// What it offers, best first. Never empty.
    pub fn placements(&self) -> Vec<PlacementKind> {
        PlacementKind::ALL.into_iter().filter(|kind| self.offers(*kind)).collect()
    }

    /// Whether it offers that.
    pub fn offers(&self, kind: PlacementKind) -> bool {
        let edited = self.dialect().is_some() && !self.list;
        let called = edited && self.has_http_entry();
        let resolves = |kind| self.reference(kind).is_some();
        match kind {
            PlacementKind::Bridge => edited && self.has_stdio_entry(),
            PlacementKind::Helper => {
                called && (self.headers_command.is_some() || resolves(ReferenceKind::Command))
            }
            PlacementKind::TokenFile => called && resolves(ReferenceKind::File),
            PlacementKind::Environment => {
                called && (self.token_variable.is_some() || resolves(ReferenceKind::Environment))
            }
            PlacementKind::Header => called,
            PlacementKind::Variable => edited && self.has_variables(),
            PlacementKind::EnvFile => self.format == Format::Env,
            PlacementKind::Instructions => !edited,
        }
    }
}
