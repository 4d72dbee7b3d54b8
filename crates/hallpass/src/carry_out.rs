//! Carries a plan out: register, mint, place, note. In an order that a crash at any point leaves mendable.

use crate::atomic_file::{self, Original, replace};
use crate::clock;
use crate::edits::{self, Earlier, Placed};
use crate::fault::{Doing, Fault, Result};
use crate::installation::Installation;
use crate::mint::{Authority, Token, mint};
use crate::plan::{ClientPlan, Known, Registration, TokenStep, Turn, is_same_file};
use crate::target::{Shape, Target, find_app, is_bridge_of, utf8};
use hallpass_core::claims::LEEWAY;
use hallpass_core::snapshot::TokenState;
use hallpass_core::{ClientName, Event, Outcome, TokenDigest};
use hallpass_store::{ClientRow, NewToken, Overlap, PlacementKind, PlacementRow, TokenRow};
use serde_json::Value;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// What was done for one client.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// The `jti` of the token issued.
    pub issued: Option<String>,
    /// Whether its configuration file was written.
    pub file_changed: bool,
}

/// How a token is issued: which act it is in the log, why, and what becomes of the one before.
#[derive(Clone, Copy, Debug)]
pub struct Issue {
    act: &'static str,
    why: &'static str,
    overlap: Overlap,
}

impl Issue {
    /// The one before ends at once.
    pub fn fresh(why: &'static str) -> Self {
        Self { act: "issue", why, overlap: Overlap::NONE }
    }

    /// The one before stays good for a while.
    pub fn of(turn: &Turn) -> Self {
        Self { act: "rotate", why: turn.why, overlap: turn.overlap }
    }

    /// The act in the log, which is the command too.
    pub fn act(&self) -> &'static str {
        self.act
    }
}

/// An act of an operator, for the log.
pub fn act(kind: &'static str, client: &ClientName) -> Event {
    Event { client: Some(client.to_string()), ..Event::new(clock::now_ms(), kind, Outcome::Done) }
}

impl Installation {
    /// What the store knows of the client.
    pub async fn known(&self, client: &ClientName) -> Result<Known> {
        let placement = match self.store.placement(client.as_str()).await.doing("the placement")? {
            Some(row) => Some((PathBuf::from(&row.file), self.open_undo(&row)?)),
            None => None,
        };
        Ok(Known {
            client: self.store.client(client.as_str()).await.doing("the client")?,
            tokens: self.store.tokens_of(client.as_str()).await.doing("the client's tokens")?,
            placement,
        })
    }

    /// The places that a placement wrote.
    pub fn open_undo(&self, row: &PlacementRow) -> Result<Vec<Placed>> {
        let plain =
            self.seal.open("undo", &row.undo).doing(format!("what stood in the file of `{}`", row.client))?;
        serde_json::from_slice(&plain).doing(format!("what stood in the file of `{}`", row.client))
    }

    /// Carries out the plan for one client. The home is locked by the caller.
    pub async fn carry_out(&self, plan: &ClientPlan, authority: &Authority) -> Result<Done> {
        if plan.registration != Registration::Same {
            let registered = act("register", &plan.client.name);
            self.store
                .put_client(&plan.client, Some(&registered))
                .await
                .doing("cannot register the client")?;
        }
        match &plan.step {
            TokenStep::Keep { .. }
            | TokenStep::KeepPrinted { .. }
            | TokenStep::LeftRevoked { .. }
            | TokenStep::LeftCrowded { .. } => Ok(Done::default()),
            TokenStep::PutRight => self.put_right(plan).await,
            TokenStep::Issue { why } => self.issue(plan, authority, Issue::fresh(why)).await,
            TokenStep::Rotate(turn) => self.issue(plan, authority, Issue::of(turn)).await,
        }
    }

    async fn issue(&self, plan: &ClientPlan, authority: &Authority, how: Issue) -> Result<Done> {
        let client = &plan.client;
        self.check_not_revoked_since(plan).await?;
        let (token, row) = mint(authority, &client.name, &client.subject, clock::now())?;
        self.store.add_successor(&row, how.overlap).await.doing("cannot note the new token")?;
        let placed = self.place(plan, &token).await;
        let (placement, file_changed) = match placed {
            Ok(placed) => placed,
            // Nobody has seen it: it is as if it had never been minted, and the old token stays in force.
            Err(fault) => {
                self.store.drop_pending(&row.jti).await.doing("cannot take back the new token")?;
                return Err(fault);
            }
        };
        self.activate(&row, Some(&placement), how).await?;
        Ok(Done { issued: Some(row.jti), file_changed })
    }

    /// Between the plan and the answer to its question, somebody may have cut the client off: that stands.
    async fn check_not_revoked_since(&self, plan: &ClientPlan) -> Result<()> {
        let name = &plan.client.name;
        let tokens = self.store.tokens_of(name.as_str()).await.doing("the client's tokens")?;
        let newest = tokens.iter().find(|token| !token.former);
        let revoked = newest.is_some_and(|token| matches!(token.state, TokenState::Revoked { .. }));
        if !revoked || plan.was_revoked {
            return Ok(());
        }
        Err(Fault::new(format!("`{name}` was revoked while this was being planned"))
            .hint(format!("`hallpass issue {name}` gives it a new token")))
    }

    /// A fresh token that is handed to the caller instead of being placed.
    pub async fn issue_unplaced(
        &self,
        client: &ClientRow,
        authority: &Authority,
        how: Issue,
    ) -> Result<(Token, NewToken)> {
        let (token, row) = mint(authority, &client.name, &client.subject, clock::now())?;
        self.store.add_successor(&row, how.overlap).await.doing("cannot note the new token")?;
        self.activate(&row, None, how).await?;
        Ok((token, row))
    }

    async fn activate(&self, row: &NewToken, placement: Option<&PlacementRow>, how: Issue) -> Result<()> {
        let reason = Some(how.why.to_owned());
        let issued = Event { jti: Some(row.jti.clone()), reason, ..act(how.act, &row.client) };
        let activated = self.store.activate(&row.jti, clock::now(), placement, &issued).await;
        if activated.doing("cannot note the new token as placed")? {
            return Ok(());
        }
        Err(Fault::new(format!("`{}` was revoked while its new token was on its way", row.client))
            .hint(format!("`hallpass issue {}` if it shall have one all the same", row.client)))
    }

    async fn place(&self, plan: &ClientPlan, token: &Token) -> Result<(PlacementRow, bool)> {
        let edited = match &plan.only_token_file {
            Some(placement) => (placement.clone(), false),
            None => self.edit_config(plan, token.expose()).await?,
        };
        // After the configuration: if that is refused, the bridge goes on with the token it has.
        if let Shape::Bridge { token_file, .. } = &plan.target.shape {
            self.write_token_file(token_file, token)?;
        }
        Ok(edited)
    }

    async fn put_right(&self, plan: &ClientPlan) -> Result<Done> {
        if let Shape::Variable(_) = plan.target.shape {
            self.take_out_stale(plan).await?;
            return Ok(Done { issued: None, file_changed: true });
        }
        let (placement, file_changed) = self.edit_config(plan, "").await?;
        self.store.put_placement(&placement).await.doing("cannot note the placement")?;
        Ok(Done { issued: None, file_changed })
    }

    /// Writes the client's configuration. `token` is used by the shape that holds it.
    async fn edit_config(&self, plan: &ClientPlan, token: &str) -> Result<(PlacementRow, bool)> {
        self.take_out_stale(plan).await?;
        let target = &plan.target;
        let known = self.known(&plan.client.name).await?.placement;
        let kept = match known {
            Some((file, placed)) if is_same_file(&file, &target.file)? => placed,
            _ => Vec::new(),
        };
        let ours = self.ours(&plan.client.name).await?;
        let earlier = Earlier { placed: &kept, is_ours: &ours };
        let mut row = placement_row(&plan.client.name, target)?;
        let file_changed = {
            let row = &mut row;
            edits::put_in(target, token, &earlier, &self.tag, async |placed: &[Placed]| {
                row.undo = self.seal_undo(placed)?;
                self.store.put_placement(row).await.doing("cannot note the placement")
            })
            .await?
        };
        Ok((row, file_changed))
    }

    fn seal_undo(&self, placed: &[Placed]) -> Result<Vec<u8>> {
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(placed).doing("what stood in the file")?);
        self.seal.seal("undo", &plain).doing("cannot seal what stood in the file")
    }

    async fn take_out_stale(&self, plan: &ClientPlan) -> Result<()> {
        if plan.stale.is_empty() {
            return Ok(());
        }
        let Some(row) = self.store.placement(plan.client.name.as_str()).await.doing("the placement")? else {
            return Ok(());
        };
        let left: Vec<Placed> = self
            .open_undo(&row)?
            .into_iter()
            .filter(|place| !plan.stale.iter().any(|stale| stale.path == place.path))
            .collect();
        let ours = self.ours(&plan.client.name).await?;
        edits::take_out(Path::new(&row.file), plan.target.app.dialect, &plan.stale, &ours, &self.tag, false)?;
        if let Some(token_file) =
            row.token_file.as_deref().filter(|file| !plan.target.shape.reads(Path::new(file)))
        {
            atomic_file::delete(Path::new(token_file))?;
        }
        let row = PlacementRow { undo: self.seal_undo(&left)?, ..row };
        self.store.put_placement(&row).await.doing("cannot note the placement")
    }

    /// Tells what we wrote for this client from what somebody else wrote.
    pub async fn ours(&self, client: &ClientName) -> Result<impl Fn(&Value) -> bool + use<>> {
        let tokens = self.store.tokens_of(client.as_str()).await.doing("the client's tokens")?;
        let digests: HashSet<TokenDigest> = tokens.iter().map(|token| token.digest).collect();
        let name = client.to_string();
        Ok(move |value: &Value| match value {
            Value::String(text) => digests.contains(&TokenDigest::of(text)),
            entry => is_bridge_of(entry, &name),
        })
    }

    fn write_token_file(&self, path: &Path, token: &Token) -> Result<()> {
        let original = Original::read(path)?;
        let line = zeroize::Zeroizing::new(format!("{}\n", token.expose()));
        replace(path, &original, line.as_bytes(), true, &self.tag).map_err(|fault| match fault {
            atomic_file::ReplaceFault::Changed => {
                Fault::new(format!("`{}` was changed by somebody else", path.display()))
            }
            atomic_file::ReplaceFault::Other(fault) => fault,
        })
    }

    /// Finishes what an interrupted run left: a token that reached its place counts, one that did not is taken back,
    /// temporary files go. The home is locked by the caller.
    pub async fn mend(&self) -> Result<()> {
        for token in self.store.pending().await.doing("the pending tokens")? {
            let placement = self.store.placement(token.client.as_str()).await.doing("the placement")?;
            let reached = match &placement {
                Some(row) => self.holds(row, &token).await?,
                None => Some(false),
            };
            match reached {
                Some(true) => {
                    let kind = if token.overlap == Overlap::NONE { "issue" } else { "rotate" };
                    let issued = Event {
                        jti: Some(token.jti.clone()),
                        reason: Some("mended".into()),
                        ..act(kind, &token.client)
                    };
                    let activated =
                        self.store.activate(&token.jti, clock::now(), placement.as_ref(), &issued).await;
                    activated.doing("cannot mend a token")?;
                }
                Some(false) => self.store.drop_pending(&token.jti).await.doing("cannot mend a token")?,
                None => {}
            }
        }
        let spent = clock::now().plus(-LEEWAY);
        self.store.retire_spent_keys(spent).await.doing("cannot retire the spent keys")?;
        self.sweep().await
    }

    /// Whether the token stands in its place. `None`: its file cannot be read now, so it stays as it is.
    async fn holds(&self, row: &PlacementRow, token: &TokenRow) -> Result<Option<bool>> {
        let text = match (&row.kind, &row.token_file) {
            (PlacementKind::Bridge, Some(file)) => Original::read(Path::new(file))
                .ok()
                .and_then(|original| String::from_utf8(original.bytes).ok()),
            (PlacementKind::Bridge, None) => Some(String::new()),
            (PlacementKind::Env, _) => self.placed_text(row).await?,
        };
        Ok(text.map(|text| TokenDigest::of(text.trim_end()).matches(&token.digest)))
    }

    /// What stands in the place of a variable; empty if nothing does. `None`: the file cannot be read now.
    async fn placed_text(&self, row: &PlacementRow) -> Result<Option<String>> {
        let client = self.store.client(row.client.as_str()).await.doing("the client")?;
        let places = self.open_undo(row)?;
        let (Some(client), Some(place)) = (client, places.first()) else { return Ok(Some(String::new())) };
        let Ok(original) =
            atomic_file::target_of(Path::new(&row.file)).and_then(|file| Original::read(&file))
        else {
            return Ok(None);
        };
        if !original.exists() {
            return Ok(Some(String::new()));
        }
        Ok(match hallpass_clients::read(&original.bytes, find_app(&client.app)?.dialect, &place.path) {
            Ok(hallpass_clients::Found::Present(present)) => {
                Some(present.value.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned())
            }
            Ok(hallpass_clients::Found::Absent(_)) => Some(String::new()),
            Err(_) => None,
        })
    }

    async fn sweep(&self) -> Result<()> {
        let mut folders = HashSet::from([self.home.folder().to_owned(), self.home.tokens()]);
        for row in self.store.placements().await.doing("the placements")? {
            let file = PathBuf::from(&row.file);
            let file = atomic_file::target_of(&file).unwrap_or(file);
            folders.extend(file.parent().map(Path::to_owned));
        }
        for folder in folders {
            atomic_file::sweep(&folder, &self.tag);
        }
        Ok(())
    }
}

fn placement_row(client: &ClientName, target: &Target) -> Result<PlacementRow> {
    let (kind, token_file) = match &target.shape {
        Shape::Variable(_) => (PlacementKind::Env, None),
        Shape::Bridge { token_file, .. } => (PlacementKind::Bridge, Some(utf8(token_file)?.to_owned())),
    };
    let file = utf8(&target.file)?.to_owned();
    Ok(PlacementRow { client: client.clone(), kind, file, token_file, undo: Vec::new(), at: clock::now() })
}
