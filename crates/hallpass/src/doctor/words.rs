//! What is wrong and what it means, in words. No token, and no part of one.

use super::facts::{Program, ProgramState};
use super::finding::{Ended, Finding, Holds, Lost, Severity, Spot, What};
use super::shell::Way;
use crate::output::{distance, without_tokens};
use hallpass_core::{ClientName, UnixTime};
use serde_json::{Value, json};
use std::fmt;

impl Finding {
    /// The block for eyes: what is so, what it means, what mends it.
    pub(crate) fn lines(&self, way: &Way, now: UnixTime) -> Vec<String> {
        let mut lines = vec![format!("{}: {}", self.severity.word(), self.place())];
        lines.push(format!("  {}", without_tokens(&self.so(now))));
        lines.push(format!("  {}", self.means()));
        lines.push(format!("  mend: {}", self.mend(way)));
        lines
    }

    /// The same for programs.
    pub(crate) fn document(&self, way: &Way, now: UnixTime) -> Value {
        json!({
            "kind": self.what.kind(),
            "severity": self.severity.word(),
            "client": self.client.as_ref().map(ClientName::as_str),
            "file": self.file.as_ref().map(|file| file.to_string_lossy()),
            "says": without_tokens(&format!("{}: {}", self.so(now), self.means())),
            "mend": self.mend(way),
        })
    }

    /// Whose, and where.
    fn place(&self) -> String {
        let file = self.file.as_ref().map(|file| file.display().to_string());
        let client = self.client.as_ref().map(ToString::to_string);
        let place: Vec<String> = client.into_iter().chain(file).collect();
        if place.is_empty() { "this machine".into() } else { place.join(", ") }
    }

    fn so(&self, now: UnixTime) -> String {
        let when = |at: &UnixTime| distance(at.seconds(), now.seconds());
        match &self.what {
            What::HomeOpen { mode } | What::FileOpen { mode } => {
                format!("it is open to others (mode {mode:o})")
            }
            What::AroundHomeOpen => "everybody may write in the folder around the home".into(),
            What::ConfigurationRefused { why }
            | What::Unreadable { why }
            | What::PlaceLost { why: Lost::NoPlace(why) } => why.clone(),
            What::ClockBehind { seen } => {
                format!("this machine's clock says {now}, and the last thing noted was at {seen}")
            }
            What::FolderOpen { folder, holds: Holds::File } => {
                format!("everybody may write in {}", folder.display())
            }
            What::FolderOpen { folder, holds: Holds::Link } => {
                format!(
                    "it leads over a link in {}, where everybody may write: it was not followed",
                    folder.display()
                )
            }
            What::LinkToNowhere => "it is a link that leads nowhere".into(),
            What::Special => "it is a pipe, a socket or a device, not a file".into(),
            What::Unparsable { why } => format!("it cannot be edited: {why}"),
            What::WouldCommit => "it holds a token, and git would commit it".into(),
            What::Synced { service, root, whole_home: false } => {
                format!("it holds a token, and {} carries {} to other places", service.name(), root.display())
            }
            What::Synced { service, root, whole_home: true } => {
                format!(
                    "the home's tokens lie in {}, which {} carries to other places",
                    root.display(),
                    service.name()
                )
            }
            What::Copy { of, is_live } => {
                let token = if *is_live { "a token that is in force" } else { "a token that has ended" };
                format!("it is a copy of {} that something left there, and holds {token}", of.display())
            }
            What::SharedToken { owner, spot } => format!("{spot} holds the token of `{owner}`"),
            What::EndedToken { of, how, spot } => {
                format!("{spot} holds a token of `{of}` that {}", how.said(now))
            }
            What::UnknownToken { is_signed: true, spot } => {
                format!(
                    "{spot} holds a token that a key of this home signed and that this home does not know"
                )
            }
            What::UnknownToken { is_signed: false, spot } => {
                format!("{spot} holds a token in this home's name that no key of this home signed")
            }
            What::IssuedAhead { at } => format!("its token was issued {}", when(at)),
            What::GraceAhead { seen } => format!("a clock ran ahead to {seen} during the grace period"),
            What::PlaceLost { why: Lost::NoneInForce } => "it has no token in force".into(),
            What::PlaceLost { why: Lost::NotThere } => "its token is not where it was put".into(),
            What::EntryLost => "its entries are not as they were put".into(),
            What::StaleEntry { client, key } => {
                format!(
                    "`{key}` starts hallpass for `{}`, and no such client is registered",
                    client.escape_debug()
                )
            }
            What::NobodysTokenFile => "no client's token is kept there".into(),
            What::ProgramMoved { program, key } => {
                format!("`{key}` starts {}, {}", program.path.display(), program.said())
            }
            What::ShimLink { leads_to } => {
                format!("it leads to {}, {}", leads_to.path.display(), leads_to.said())
            }
            What::GatewayDown => "the gateway does not run".into(),
            What::GatewaySilent { authority } => {
                format!("the gateway runs and does not answer at http://{authority}/healthz")
            }
            What::EndpointElsewhere { noted: Some(noted), authority } => {
                format!("bridges look for the gateway at {noted}, and it listens at http://{authority}")
            }
            What::EndpointElsewhere { noted: None, authority } => {
                format!("bridges are not told that the gateway listens at http://{authority}")
            }
            What::AddressElsewhere { key, named, authority } => {
                format!("`{key}` names {named}, where nobody answers, and the gateway listens at {authority}")
            }
        }
    }

    fn means(&self) -> &'static str {
        match &self.what {
            What::HomeOpen { .. } => {
                "who can read it can act as every client, and commands refuse to work: find out who has been there"
            }
            What::FileOpen { .. } => "others can read the token in it, and use it",
            What::AroundHomeOpen => "others can put another home in its place",
            What::ConfigurationRefused { .. } => "the rest is looked at once hallpass.toml can be read",
            What::ClockBehind { .. } => {
                "tokens count from and until other times than they say; if the clock is right, it ran ahead then, and this goes with the next change"
            }
            What::FolderOpen { .. } => {
                "others can put another file in its place, and hallpass leaves it alone"
            }
            What::LinkToNowhere => "neither the client nor hallpass can read it",
            What::Special => "it is not opened, and no client can keep its configuration there",
            What::Unreadable { .. } => "what is in it is not known, and hallpass leaves it alone",
            What::Unparsable { .. } => {
                "hallpass leaves it alone as it is, and its program may not read it either"
            }
            What::WouldCommit => {
                "the token would be published with the next commit; if it was already, give the client another"
            }
            What::Synced { .. } => {
                "whoever can read it there can use the token; what is there already stays good until it is replaced"
            }
            What::Copy { is_live: true, .. } => "whoever finds it can use the token",
            What::Copy { is_live: false, .. } => "it is of no use, and looks like a leak",
            What::SharedToken { .. } => {
                "two clients are one for the gateway and in the log, and cannot be told apart or cut off alone"
            }
            What::EndedToken { .. } => "whoever shows it is refused",
            What::UnknownToken { is_signed: true, .. } => {
                "it is refused; unless a backup was restored, the key has leaked: `hallpass keys list`"
            }
            What::UnknownToken { is_signed: false, .. } => {
                "it is refused: it comes from another home, or was forged"
            }
            What::IssuedAhead { .. } => "it is refused until then: a clock ran ahead when it was issued",
            What::GraceAhead { .. } => "the period is taken to be over before its time",
            What::PlaceLost { why: Lost::NoneInForce | Lost::NotThere } => {
                "the client has nothing to show, and is refused"
            }
            What::PlaceLost { why: Lost::NoPlace(_) } => {
                "the client has no token, and cannot be given one there"
            }
            What::EntryLost => "the client does not reach its servers, or not as itself",
            What::StaleEntry { .. } => {
                "its program starts something that is refused at once: take the entry out"
            }
            What::NobodysTokenFile => "it is left over, and may hold a token",
            What::ProgramMoved { program, .. } => program.means(),
            What::ShimLink { leads_to } => leads_to.means(),
            What::GatewayDown => "no call of its clients reaches a server",
            What::GatewaySilent { .. } => "its clients wait in vain",
            What::EndpointElsewhere { .. } => "bridges do not find it",
            What::AddressElsewhere { .. } => "this client does not find it",
        }
    }
}

impl Severity {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl Ended {
    fn said(self, now: UnixTime) -> String {
        let (what, at) = match self {
            Self::Expired(at) => ("expired", at),
            Self::Superseded(at) => ("was replaced by a newer one and ended", at),
            Self::Revoked(at) => ("was revoked", at),
        };
        format!("{what} {}", distance(at.seconds(), now.seconds()))
    }
}

impl Program {
    fn said(&self) -> &'static str {
        match self.state {
            ProgramState::Missing => "which is not there",
            ProgramState::NotExecutable => "which cannot be started",
            ProgramState::Other | ProgramState::Own => "which is not this program",
        }
    }

    fn means(&self) -> &'static str {
        match self.state {
            ProgramState::Missing | ProgramState::NotExecutable => {
                "the client cannot start it, and has no server"
            }
            ProgramState::Other | ProgramState::Own => "it may be another version, with other rules",
        }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "`{key}`"),
            Self::Line(line) => write!(f, "line {line}"),
        }
    }
}
