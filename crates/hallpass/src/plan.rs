//! What has to happen so that a client has its token in its place. Looks and decides; changes nothing.

use crate::atomic_file::{check_writable, target_of};
use crate::change::Change;
use crate::edits::{self, Placed};
use crate::fault::{Fault, Result};
use crate::former_shim;
use crate::git::{self, GitView};
use crate::standing::{Standing, look};
use crate::target::{Ours, Shape, Surroundings, Target};
use hallpass_clients::{Client, Dialect};
use hallpass_core::snapshot::TokenState;
use hallpass_core::{ClientName, UnixTime};
use hallpass_store::{ClientRow, Overlap, PlacementRow, TokenRow};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

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

/// What happens to a client's token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenStep {
    /// It has one, and it is in its place.
    Keep {
        /// When it ends.
        expires_at: UnixTime,
    },
    /// It has one that was printed, not placed: whoever asked for it keeps it.
    KeepPrinted {
        /// When it ends.
        expires_at: UnixTime,
    },
    /// The token stays, entries of the configuration are put right.
    PutRight,
    /// A fresh one is issued and placed.
    Issue {
        /// Why, in a few words.
        why: &'static str,
    },
    /// A fresh one takes the place of one that is in force and stays good for a while.
    Rotate(Turn),
    /// A person revoked it: only `hallpass issue NAME` gives a new one.
    LeftRevoked {
        /// When it was revoked.
        at: UnixTime,
    },
    /// Too many that were superseded before are still good.
    LeftCrowded {
        /// How many.
        count: usize,
        /// When the first of them ends.
        until: UnixTime,
    },
}

/// How a token follows the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// How long both are good.
    pub overlap: Overlap,
    /// Why, in a few words.
    pub why: &'static str,
    /// When the one before ends at the latest.
    pub until: UnixTime,
    /// How many that were superseded earlier are still good.
    pub older: usize,
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

/// What a plan is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Whatever is missing.
    WhatIsMissing,
    /// A fresh token in any case.
    FreshToken,
    /// A fresh token, but not for a client that a person cut off.
    FreshUnlessRevoked,
    /// A fresh token beside the one before, where a person has not decided otherwise.
    Rotation {
        /// How long both are good.
        overlap: Overlap,
        /// Why, in a few words.
        why: &'static str,
    },
}

/// Each token that is still good is a secret that opens the door. More than these no client can have in use.
pub const SUPERSEDED_MOST: usize = 3;

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
        if let Some(step) = left_alone(&tokens, live, wish, now) {
            let (step, standing) = former_shim::put_right(step, &target, &wanted, around)?;
            return Ok(Self {
                client: wanted,
                registration,
                target,
                standing,
                step,
                stale: Stale::default(),
                was_revoked,
                only_token_file: None,
                could_be_shim,
                ours,
                leads_to,
            });
        }
        let mut standing = look(&target, &ours, around.leaving)?;
        standing.foreign &= !known.tokens.iter().any(|token| standing.holds(token));
        let stale = stale(&target, known)?;
        let step = match (wish, live) {
            (Wish::FreshToken | Wish::FreshUnlessRevoked, _) => TokenStep::Issue { why: "asked for" },
            (Wish::Rotation { overlap, why }, Some(token)) => {
                TokenStep::Rotate(Turn::of(token, &tokens, overlap, why, now))
            }
            (Wish::WhatIsMissing | Wish::Rotation { .. }, None) => {
                TokenStep::Issue { why: why_none(&tokens, now) }
            }
            (Wish::WhatIsMissing, Some(token)) => step_of_live(token, &standing, stale.places.is_empty()),
        };
        let only_token_file = None;
        Ok(Self {
            client: wanted,
            registration,
            target,
            standing,
            step,
            stale,
            was_revoked,
            only_token_file,
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

/// A client that a person cut off, or whose token a person took into his own hands, is left as it is.
fn left_alone(tokens: &[&TokenRow], live: Option<&TokenRow>, wish: Wish, now: UnixTime) -> Option<TokenStep> {
    let revoked = revoked_by_a_person(tokens).map(|at| TokenStep::LeftRevoked { at });
    match wish {
        Wish::FreshToken => None,
        Wish::FreshUnlessRevoked => revoked,
        Wish::WhatIsMissing => revoked.or_else(|| {
            let printed = live.filter(|token| !token.placed)?;
            Some(TokenStep::KeepPrinted { expires_at: printed.expires_at })
        }),
        Wish::Rotation { overlap, .. } => {
            // One that was taken over has no place of ours either, and a rotation is its way into one.
            let printed = live.filter(|token| !token.placed && !token.adopted);
            let printed = printed.map(|token| TokenStep::KeepPrinted { expires_at: token.expires_at });
            revoked.or(printed).or_else(|| crowded(tokens, overlap, now))
        }
    }
}

/// The newest token counts: if a person revoked it, the client is cut off.
pub fn revoked_by_a_person(tokens: &[&TokenRow]) -> Option<UnixTime> {
    match tokens.first()?.state {
        TokenState::Revoked { at } => Some(at),
        TokenState::Pending | TokenState::Active | TokenState::Superseded { .. } => None,
    }
}

/// Refuses to add to the tokens that are still good. A rotation that ends them all at once is never refused.
pub fn crowded(tokens: &[&TokenRow], overlap: Overlap, now: UnixTime) -> Option<TokenStep> {
    let ends: Vec<UnixTime> = still_good(tokens, now).collect();
    let until = *ends.iter().min()?;
    (overlap != Overlap::NONE && ends.len() >= SUPERSEDED_MOST)
        .then_some(TokenStep::LeftCrowded { count: ends.len(), until })
}

/// When those that were superseded and are still good end.
fn still_good<'a>(tokens: &'a [&TokenRow], now: UnixTime) -> impl Iterator<Item = UnixTime> + 'a {
    tokens.iter().filter_map(move |token| token.good_beside_its_successor(now))
}

impl Turn {
    /// The turn from `token`, which is in force, to a new one.
    pub fn of(
        token: &TokenRow,
        tokens: &[&TokenRow],
        overlap: Overlap,
        why: &'static str,
        now: UnixTime,
    ) -> Self {
        let until = now.plus(overlap.seconds).min(token.expires_at);
        Self { overlap, why, until, older: still_good(tokens, now).count() }
    }
}

fn why_none(tokens: &[&TokenRow], now: UnixTime) -> &'static str {
    if tokens.is_empty() {
        "the first one"
    } else if live(tokens, now).is_some() {
        "the one before has another subject"
    } else if tokens.first().is_some_and(|token| matches!(token.state, TokenState::Superseded { .. })) {
        "the one before was stopped"
    } else {
        "the one before has expired"
    }
}

fn step_of_live(token: &TokenRow, standing: &Standing, nothing_stale: bool) -> TokenStep {
    if standing.is_complete_for(token) && nothing_stale {
        TokenStep::Keep { expires_at: token.expires_at }
    } else if !standing.holds(token) {
        TokenStep::Issue { why: "its place does not hold the one before" }
    } else if standing.open_to_others {
        TokenStep::Issue { why: "others could read the one before" }
    } else {
        TokenStep::PutRight
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

fn live<'a>(tokens: &[&'a TokenRow], now: UnixTime) -> Option<&'a TokenRow> {
    tokens.iter().copied().find(|token| token.state == TokenState::Active && token.expires_at > now)
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
