//! Tokens where they should not be, or that are worth nothing: each by its SHA-256.

use crate::discover::free_name;
use crate::doctor::facts::{ClientFacts, FileFacts, Opened, Role, TokenSeen};
use crate::doctor::finding::{Ended, Finding, Mend, Severity, Spot, What};
use crate::scan::Whose;
use hallpass_clients::{Client, app};
use hallpass_core::UnixTime;
use hallpass_core::snapshot::TokenState;
use hallpass_store::TokenRow;
use std::path::PathBuf;

/// Copies that something left beside a file.
pub(super) fn copies(opened: &Opened, now: UnixTime) -> Vec<Finding> {
    let copy = |file: &FileFacts| {
        let Role::CopyOf(of) = &file.role else { return None };
        let live = file.tokens.iter().find_map(|token| token.good(now));
        let known = live.or_else(|| file.tokens.iter().find_map(TokenSeen::row));
        let what = What::Copy { of: of.clone(), is_live: live.is_some() };
        let severity = if live.is_some() { Severity::Error } else { Severity::Warning };
        let finding = Finding::warning(what, Mend::Delete(file.path.clone())).at(&file.path);
        Some(Finding { severity, client: known.map(|row| row.client.clone()), ..finding })
    };
    opened.files.iter().filter_map(copy).collect()
}

/// The tokens in clients' files and in those of the home.
pub(super) fn at_their_spots(opened: &Opened, now: UnixTime) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in opened.files.iter().filter(|file| !matches!(file.role, Role::CopyOf(_))) {
        let mut told = Vec::new();
        for token in &file.tokens {
            let seen = Seen { opened, file, token };
            // One that stands twice in a file is told once, unless it is in two places.
            let place = seen.place().map(|client| &client.row.name);
            if told.contains(&(token.digest, place)) {
                continue;
            }
            told.push((token.digest, place));
            findings.extend(seen.judge(now));
        }
    }
    findings
}

struct Seen<'a> {
    opened: &'a Opened,
    file: &'a FileFacts,
    token: &'a TokenSeen,
}

impl<'a> Seen<'a> {
    /// The client whose place it is.
    fn place(&self) -> Option<&'a ClientFacts> {
        self.opened.at_place(self.file, self.token.key.as_ref())
    }

    fn judge(&self, now: UnixTime) -> Option<Finding> {
        let place = self.place();
        match &self.token.whose {
            Whose::Known(row) if row.is_good(now) => self.is_elsewhere(row, now).then(|| self.shared(row)),
            Whose::Known(row) => Some(self.ended(row, ended(row))),
            Whose::Signed => Some(self.unknown(true)),
            // In nobody's place, it may well be another home's.
            Whose::Claimed => Some(Finding {
                severity: if place.is_some() { Severity::Error } else { Severity::Warning },
                ..self.unknown(false)
            }),
        }
    }

    /// Whether it is in another file than the one where its client has it.
    fn is_elsewhere(&self, row: &TokenRow, now: UnixTime) -> bool {
        let own = self.place().is_some_and(|client| client.row.name == row.client);
        let in_own_file = self.opened.of_file(self.file).any(|client| client.row.name == row.client)
            && self.place().is_none();
        if own || in_own_file {
            return false;
        }
        let is_placed = self.opened.client(&row.client).is_some_and(|client| client.place.is_some());
        // One that was printed may be anywhere, but in one file only.
        row.placed && is_placed || self.place().is_some() || self.is_second_file(row, now)
    }

    fn is_second_file(&self, row: &TokenRow, now: UnixTime) -> bool {
        let holds = |file: &&FileFacts| {
            let same = |token: &TokenSeen| token.good(now).is_some_and(|token| token.jti == row.jti);
            !matches!(file.role, Role::CopyOf(_)) && file.tokens.iter().any(same)
        };
        self.opened.files.iter().find(holds).is_some_and(|first| first.real != self.file.real)
    }

    fn shared(&self, row: &TokenRow) -> Finding {
        let own = self.own_token_here();
        let rotate = || Mend::Rotate { client: row.client.clone(), print: !row.placed && !row.adopted };
        let what = What::SharedToken { owner: row.client.clone(), spot: self.spot() };
        self.said(Finding::error(what, own.unwrap_or_else(rotate)))
    }

    fn ended(&self, row: &TokenRow, how: Ended) -> Finding {
        let what = What::EndedToken { of: row.client.clone(), how, spot: self.spot() };
        let finding = Finding::error(what, self.own_token_here().unwrap_or_else(|| self.edit()));
        // Whoever revoked it meant it, and a spot of nobody's cuts nobody off.
        let can_wait = matches!(how, Ended::Revoked(_)) || self.place().is_none();
        let severity = if can_wait { Severity::Warning } else { Severity::Error };
        self.said(Finding { severity, ..finding })
    }

    fn unknown(&self, is_signed: bool) -> Finding {
        let what = What::UnknownToken { is_signed, spot: self.spot() };
        self.said(Finding::error(what, self.own_token_here().unwrap_or_else(|| self.edit())))
    }

    fn said(&self, finding: Finding) -> Finding {
        let finding = finding.at(&self.file.path);
        match self.place() {
            Some(client) => finding.of(&client.row.name),
            None => finding,
        }
    }

    fn spot(&self) -> Spot {
        self.token.key.clone().map_or(Spot::Line(self.token.line), Spot::Key)
    }

    fn edit(&self) -> Mend {
        Mend::Edit { file: self.file.real.clone(), line: Some(self.token.line) }
    }

    /// What puts a token of its own there: its client's, or that of a client yet to be registered.
    fn own_token_here(&self) -> Option<Mend> {
        match self.place() {
            Some(client) => Some(Mend::Issue(client.row.name.clone())),
            None => self.new_client(),
        }
    }

    /// Where a variable of an entry holds it, a client can be registered for that.
    fn new_client(&self) -> Option<Mend> {
        let key = self.token.key.as_ref()?;
        let [.., entry, _, variable] = key.segments() else { return None };
        let is_variable = |app: &&&'static Client| app.env_path(entry, variable).as_ref() == Some(key);
        let any_json = app("json");
        let app = self.file.apps.iter().chain(any_json.iter()).find(is_variable)?;
        let name = free_name(&app.id, |name| self.opened.names.iter().any(|taken| taken == name));
        let file: PathBuf = self.file.path.clone();
        Some(Mend::Add { name, app: app.id.clone(), file, entry: entry.clone(), variable: variable.clone() })
    }
}

/// How a token that is not accepted came to its end.
fn ended(row: &TokenRow) -> Ended {
    match row.state {
        TokenState::Revoked { at } => Ended::Revoked(at),
        TokenState::Superseded { until } if until < row.expires_at => Ended::Superseded(until),
        TokenState::Superseded { .. } | TokenState::Active | TokenState::Pending => {
            Ended::Expired(row.expires_at)
        }
    }
}
