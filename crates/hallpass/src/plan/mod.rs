//! What has to happen so that a client has its token in its place. Looks and decides; changes nothing.

mod step;

pub use step::{SUPERSEDED_MOST, TokenStep, Turn, Wish, crowded, revoked_by_a_person};

use crate::atomic_file::{check_writable, target_of};
use crate::change::Change;
use crate::edits::{self, Placed};
use crate::fault::{Fault, Result};
use crate::former_shim;
use crate::git::{self, GitView};
use crate::standing::{Standing, look};
use crate::target::{Ours, Shape, Surroundings, Target};
use hallpass_clients::{Client, Dialect};
use hallpass_core::{ClientName, UnixTime};
use hallpass_store::{ClientRow, PlacementRow, TokenRow};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use step::{decide, left_alone, live};

/// Whether a client's registration changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// It is not there yet.
    New,
    /// It is there and differs.
    Changed,
    /// It is there as wanted.
    Same,
}

/// The plan for one client.
#[derive(Clone)]
pub struct ClientPlan {
    /// The client as it shall be registered.
    pub client: ClientRow,
    /// Whether that changes something.
    pub registration: Registration,
    /// Where its token goes.
    pub target: Target,
    /// What stands there now.
    pub standing: Standing,
    /// What happens to its token.
    pub step: TokenStep,
    /// What an earlier placement wrote and the new one does not: it is taken out.
    pub stale: Stale,
    /// A person had cut the client off when the plan was made.
    pub was_revoked: bool,
    /// Only the token file of this placement is written: the client's configuration is left alone.
    pub only_token_file: Option<PlacementRow>,
    /// A former set-up's shim is started there, and `hallpass shim` could stand in for it.
    pub could_be_shim: bool,
    /// Tells what is the client's own.
    pub ours: Ours,
    /// The file behind links, as it was shown.
    pub leads_to: PathBuf,
}

/// Places of an earlier placement that the new one does not write.
#[derive(Clone, Default)]
pub struct Stale {
    /// In its file.
    pub places: Vec<Placed>,
    /// How that file is edited; `None`: it is not.
    pub dialect: Option<Dialect>,
}

/// What the store knows of a client before the plan.
#[derive(Clone, Default)]
pub struct Known {
    /// Its registration.
    pub client: Option<ClientRow>,
    /// Its tokens, newest first.
    pub tokens: Vec<TokenRow>,
    /// The file of its placement and the places in it.
    pub placement: Option<(PathBuf, Vec<Placed>)>,
}

impl ClientPlan {
    /// Plans for one client. Refuses what could not be carried out.
    pub fn make(
        wanted: ClientRow,
        known: &Known,
        around: &Surroundings<'_>,
        wish: Wish,
        now: UnixTime,
    ) -> Result<Self> {
        let mut target = Target::of(&wanted, around)?;
        // Told where a set-up is put in order, not at each rotation.
        let could_be_shim = former_shim::choose(&mut target, known, around)? && wish == Wish::WhatIsMissing;
        let registration = registration(&wanted, known.client.as_ref());
        if registration != Registration::Same && target.is_guessed() && !around.besides.unverified {
            return Err(unverified(&wanted, &target));
        }
        let ours = Ours::of(&wanted.name, &known.tokens);
        let leads_to = target_of(&target.file)?;
        // Those of an earlier client of that name say nothing about this one.
        let tokens: Vec<&TokenRow> = known.tokens.iter().filter(|token| !token.former).collect();
        let live = live(&tokens, now).filter(|token| token.subject == wanted.subject);
        let was_revoked = revoked_by_a_person(&tokens).is_some();
        let (step, standing, stale) = if let Some(step) = left_alone(&tokens, live, wish, now) {
            let (step, standing) = former_shim::put_right(step, &target, &wanted, around)?;
            (step, standing, Stale::default())
        } else {
            let mut standing = look(&target, &ours, around.leaving)?;
            standing.foreign &= !known.tokens.iter().any(|token| standing.holds(token));
            let stale = stale(&target, known)?;
            let is_whole = |token: &TokenRow| standing.is_complete_for(token) && stale.places.is_empty();
            let step = decide(wish, live, &tokens, &standing, is_whole, now);
            (step, standing, stale)
        };
        Ok(Self {
            client: wanted,
            registration,
            target,
            standing,
            step,
            stale,
            was_revoked,
            only_token_file: None,
            could_be_shim,
            ours,
            leads_to,
        })
    }

    /// Whose token goes where.
    pub fn place(&self) -> (&ClientName, &Target) {
        (&self.client.name, &self.target)
    }

    /// Whether anything would change.
    pub fn changes_something(&self) -> bool {
        self.registration != Registration::Same || self.touches_files()
    }

    /// Whether files would be written.
    pub fn touches_files(&self) -> bool {
        match self.step {
            TokenStep::Issue { .. } | TokenStep::Rotate(_) | TokenStep::PutRight => true,
            TokenStep::Keep { .. }
            | TokenStep::KeepPrinted { .. }
            | TokenStep::LeftRevoked { .. }
            | TokenStep::LeftCrowded { .. } => false,
        }
    }

    /// What would change in the client's file.
    pub fn preview(&self) -> Result<Vec<Change>> {
        if !self.touches_files() {
            return Ok(Vec::new());
        }
        edits::rehearse(&self.target, &self.ours)
    }

    /// Refuses now what would fail half-way: a file that cannot be edited or written, or that git would publish.
    pub fn check_feasible(&self, git_ok: bool) -> Result<()> {
        if !self.touches_files() || matches!(self.target.shape, Shape::ByHand { .. }) {
            return Ok(());
        }
        if let Some(token_file) = self.target.shape.token_file()
            && token_file.path.parent().is_some_and(Path::exists)
        {
            check_writable(&target_of(&token_file.path)?)?;
        }
        let file = target_of(&self.target.file)?;
        self.preview()?;
        check_writable(&file)?;
        if self.target.shape.is_literal() { check_git(&file, git_ok) } else { Ok(()) }
    }
}

/// Two clients whose tokens would land in the same place.
pub fn check_distinct<'a>(targets: impl IntoIterator<Item = (&'a ClientName, &'a Target)>) -> Result<()> {
    let mut places = HashMap::new();
    for (name, target) in targets {
        for path in target.paths() {
            let Some(other) = places.insert((target_of(&target.file)?, path.clone()), name) else {
                continue;
            };
            return Err(Fault::new(format!(
                "`{other}` and `{name}` would share one place: `{path}` in `{}`",
                target.file.display()
            ))
            .hint("give each client its own `config` or its own `entry`"));
        }
    }
    Ok(())
}

fn unverified(client: &ClientRow, target: &Target) -> Fault {
    let app = target.app;
    Fault::new(format!("where {} keeps its servers is not verified (`{}`: {})", app.name, client.name, app.source))
        .hint("say `--unverified` if it shall be tried, or name what is there already: its file, its `entry` and the variable in `env`")
}

fn registration(wanted: &ClientRow, stored: Option<&ClientRow>) -> Registration {
    match stored {
        None => Registration::New,
        Some(stored) if stored.removed => Registration::New,
        Some(stored) if stored == wanted => Registration::Same,
        Some(_) => Registration::Changed,
    }
}

fn stale(target: &Target, known: &Known) -> Result<Stale> {
    let Some((file, placed)) = &known.placement else { return Ok(Stale::default()) };
    let elsewhere = !is_same_file(file, &target.file)?;
    let kept = |place: &&Placed| elsewhere || !target.paths().contains(&&place.path);
    let app = known.client.as_ref().and_then(|client| hallpass_clients::app(&client.app));
    Ok(Stale {
        places: placed.iter().filter(kept).cloned().collect(),
        dialect: app.and_then(Client::dialect),
    })
}

/// Whether two paths lead to one file. One that leads nowhere any more is another.
pub fn is_same_file(earlier: &Path, now: &Path) -> Result<bool> {
    let now = target_of(now)?;
    Ok(target_of(earlier).is_ok_and(|earlier| earlier == now))
}

fn check_git(file: &Path, git_ok: bool) -> Result<()> {
    if git_ok || git::view(file) != GitView::WouldCommit {
        return Ok(());
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    Err(Fault::new(format!("git would commit `{}`, and a token is a secret", file.display())).hint(format!(
        "add `{name}` to .gitignore (and `git rm --cached` it if it is tracked), or say `--git-ok`"
    )))
}
