//! Carries a plan out: register, mint, place, note. In an order that a crash at any point leaves mendable.

use crate::atomic_file::{self, Original, replace};
use crate::clock;
use crate::confirmation::Confirmation;
use crate::edits::{self, Earlier, Placed};
use crate::fault::{Doing, Fault, Result};
use crate::installation::Installation;
use crate::mint::{Authority, Token, mint};
use crate::operator;
use crate::plan::{ClientPlan, Known, Registration, TokenStep, Turn, is_same_file};
use crate::target::{Ours, Shape, Target, TokenFile, own_program, utf8};
use hallpass_clients::{KeyPath, Undo};
use hallpass_core::snapshot::TokenState;
use hallpass_core::{ClientName, Event, Outcome};
use hallpass_store::{ClientRow, NewToken, Overlap, PlacementRow, TokenRead};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What was done for one client.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// The `jti` of the token issued.
    pub issued: Option<String>,
    /// Whether its configuration file was written.
    pub file_changed: bool,
}

/// How long the running gateway may take to know a new token before that is placed.
const UNTIL_KNOWN: Duration = Duration::from_secs(5);

/// A plan that is under way: its token, if it needs one, is minted and noted, and not placed yet.
#[derive(Debug)]
pub struct Begun(Option<Minted>);

#[derive(Debug)]
struct Minted {
    token: Token,
    row: NewToken,
    how: Issue,
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
    Event {
        client: Some(client.to_string()),
        by: Some(operator::who()),
        ..Event::new(clock::now_ms(), kind, Outcome::Done)
    }
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
        let begun = self.begin(plan, authority).await?;
        self.make_known(std::slice::from_ref(&begun)).await?;
        self.finish(plan, begun).await
    }

    /// Registers the client and mints its token, which nobody sees yet.
    pub async fn begin(&self, plan: &ClientPlan, authority: &Authority) -> Result<Begun> {
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
            | TokenStep::LeftCrowded { .. }
            | TokenStep::PutRight => Ok(Begun(None)),
            TokenStep::Issue { why } => self.mint(plan, authority, Issue::fresh(why)).await,
            TokenStep::Rotate(turn) => self.mint(plan, authority, Issue::of(turn)).await,
        }
    }

    async fn mint(&self, plan: &ClientPlan, authority: &Authority, how: Issue) -> Result<Begun> {
        let client = &plan.client;
        self.check_not_revoked_since(&client.name, plan.was_revoked).await?;
        let (token, row) = mint(authority, &client.name, &client.subject, clock::now())?;
        self.store.add_successor(&row, how.overlap).await.doing("cannot note the new token")?;
        Ok(Begun(Some(Minted { token, row, how })))
    }

    /// Waits until the running gateway knows the new tokens: a client may show one as soon as it is placed. Where the
    /// one before is to stay good meanwhile, a gateway that does not take them in is a reason to leave everything as it is.
    pub async fn make_known(&self, begun: &[Begun]) -> Result<()> {
        let minted: Vec<&Minted> = begun.iter().filter_map(|begun| begun.0.as_ref()).collect();
        if minted.is_empty() { Ok(()) } else { self.wait_until_known(&minted).await }
    }

    async fn wait_until_known(&self, minted: &[&Minted]) -> Result<()> {
        let known = self.confirmation(UNTIL_KNOWN).await;
        let fault = match known {
            // One that starts reads the store when it does.
            Ok(Confirmation::NoGateway | Confirmation::Confirmed(_)) => return Ok(()),
            Ok(Confirmation::Missing { running, .. }) if running.pid.is_none() => return Ok(()),
            Ok(Confirmation::Missing { running, heard }) => Fault::new(format!(
                "the running gateway ({}) does not take in new tokens: {heard}",
                running.said
            ))
            .hint("a client that showed one would be refused: look at what the gateway says, or restart it"),
            Err(fault) => fault,
        };
        if minted.iter().all(|minted| minted.how.overlap == Overlap::NONE) {
            return Ok(());
        }
        for minted in minted {
            self.take_back(minted).await?;
        }
        Err(fault)
    }

    /// Puts the token in its place, and then lets it count alone, or beside the one before.
    pub async fn finish(&self, plan: &ClientPlan, begun: Begun) -> Result<Done> {
        let Some(minted) = begun.0 else {
            return match plan.step {
                TokenStep::PutRight => self.put_right(plan).await,
                TokenStep::Keep { .. }
                | TokenStep::KeepPrinted { .. }
                | TokenStep::LeftRevoked { .. }
                | TokenStep::LeftCrowded { .. }
                | TokenStep::Issue { .. }
                | TokenStep::Rotate(_) => Ok(Done::default()),
            };
        };
        let (placement, file_changed) = match self.place(plan, &minted.token).await {
            Ok(placed) => placed,
            Err(fault) => {
                self.take_back(&minted).await?;
                return Err(fault);
            }
        };
        self.activate(&minted.row, Some(&placement), minted.how).await?;
        Ok(Done { issued: Some(minted.row.jti), file_changed })
    }

    /// Nobody has seen it: it is as if it had never been minted, and the old token stays in force.
    async fn take_back(&self, minted: &Minted) -> Result<()> {
        self.store.drop_pending(&minted.row.jti).await.doing("cannot take back the new token")
    }

    /// Between the plan and the answer to its question, somebody may have cut the client off: that stands.
    async fn check_not_revoked_since(&self, name: &ClientName, was_revoked: bool) -> Result<()> {
        if was_revoked || !self.is_revoked(name).await? {
            return Ok(());
        }
        Err(Fault::new(format!("`{name}` was revoked while this was being planned"))
            .hint(format!("`hallpass issue {name}` gives it a new token")))
    }

    /// Whether somebody has cut the client off.
    pub async fn is_revoked(&self, name: &ClientName) -> Result<bool> {
        let tokens = self.store.tokens_of(name.as_str()).await.doing("the client's tokens")?;
        let newest = tokens.iter().find(|token| !token.former);
        Ok(newest.is_some_and(|token| matches!(token.state, TokenState::Revoked { .. })))
    }

    /// A fresh token that is handed to the caller instead of being placed. `was_revoked`: as the client was before the
    /// question.
    pub async fn issue_unplaced(
        &self,
        client: &ClientRow,
        authority: &Authority,
        how: Issue,
        was_revoked: bool,
    ) -> Result<(Token, NewToken)> {
        self.check_not_revoked_since(&client.name, was_revoked).await?;
        let (token, row) = mint(authority, &client.name, &client.subject, clock::now())?;
        self.store.add_successor(&row, how.overlap).await.doing("cannot note the new token")?;
        let minted = Minted { token, row, how };
        self.wait_until_known(&[&minted]).await?;
        self.activate(&minted.row, None, how).await?;
        Ok((minted.token, minted.row))
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
            None => self.edit_config(plan, Some(token.expose())).await?,
        };
        // After the configuration: if that is refused, the bridge goes on with the token it has.
        if let Some(token_file) = plan.target.shape.token_file() {
            self.write_token_file(token_file, token)?;
        }
        Ok(edited)
    }

    async fn put_right(&self, plan: &ClientPlan) -> Result<Done> {
        let (placement, file_changed) = match &plan.target.shape {
            Shape::Variable { path, shim: None } => (self.follow_the_token(plan, path).await?, true),
            _ => self.edit_config(plan, None).await?,
        };
        self.store.put_placement(&placement).await.doing("cannot note the placement")?;
        Ok(Done { issued: None, file_changed })
    }

    /// A person moved the file, or the token in it: its new place is ours to take out later, and what stood in the old one
    /// comes back there.
    async fn follow_the_token(&self, plan: &ClientPlan, path: &KeyPath) -> Result<PlacementRow> {
        let before = self.known(&plan.client.name).await?.placement;
        self.take_out_stale(plan).await?;
        let mut placed = before.into_iter().flat_map(|(_, placed)| placed);
        let undo = placed.find(|placed| placed.path == *path).map(|placed| placed.undo);
        let undo = undo.unwrap_or_else(Undo::without_record);
        let mut row = placement_row(&plan.client.name, &plan.target)?;
        row.undo = self.seal_undo(&[Placed { path: path.clone(), undo, made: false }])?;
        Ok(row)
    }

    /// Writes the client's configuration. `token` is used by the shape that holds it.
    async fn edit_config(&self, plan: &ClientPlan, token: Option<&str>) -> Result<(PlacementRow, bool)> {
        self.take_out_stale(plan).await?;
        let target = &plan.target;
        if let Shape::Variable { shim: Some(_), .. } = &target.shape {
            // Before the entry that names it.
            self.home.link_shim(Path::new(&own_program()?))?;
        }
        let known = self.known(&plan.client.name).await?;
        let kept = match known.placement {
            Some((file, placed)) if is_same_file(&file, &target.file)? => placed,
            _ => Vec::new(),
        };
        let ours = self.ours(&plan.client.name).await?;
        let earlier = Earlier { placed: &kept, ours: &ours };
        let former = self.former_token_file(plan).await?;
        let mut row = placement_row(&plan.client.name, target)?;
        if let Shape::ByHand { .. } = &target.shape {
            row.undo = self.seal_undo(&[])?;
            return Ok((row, false));
        }
        let file_changed = {
            let row = &mut row;
            edits::put_in(target, &plan.leads_to, token, &earlier, &self.tag, async |placed: &[Placed]| {
                row.undo = self.seal_undo(placed)?;
                self.store.put_placement(row).await.doing("cannot note the placement")
            })
            .await?
        };
        if let Some(former) = former {
            atomic_file::delete(&former)?;
        }
        Ok((row, file_changed))
    }

    /// The token file of an earlier placement that the new one does not read.
    async fn former_token_file(&self, plan: &ClientPlan) -> Result<Option<PathBuf>> {
        let row = self.store.placement(plan.client.name.as_str()).await.doing("the placement")?;
        let former = row.and_then(|row| row.token_file).map(PathBuf::from);
        Ok(former.filter(|file| !plan.target.shape.reads(file)))
    }

    fn seal_undo(&self, placed: &[Placed]) -> Result<Vec<u8>> {
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(placed).doing("what stood in the file")?);
        self.seal.seal("undo", &plain).doing("cannot seal what stood in the file")
    }

    async fn take_out_stale(&self, plan: &ClientPlan) -> Result<()> {
        let Some(dialect) = plan.stale.dialect.filter(|_| !plan.stale.places.is_empty()) else {
            return Ok(());
        };
        let stale = &plan.stale.places;
        let Some(row) = self.store.placement(plan.client.name.as_str()).await.doing("the placement")? else {
            return Ok(());
        };
        let left: Vec<Placed> = self
            .open_undo(&row)?
            .into_iter()
            .filter(|place| !stale.iter().any(|stale| stale.path == place.path))
            .collect();
        let ours = self.ours(&plan.client.name).await?;
        let is_ours = |value: &Value| ours.knows(value);
        edits::take_out(Path::new(&row.file), dialect, stale, &is_ours, &self.tag, false)?;
        let row = PlacementRow { undo: self.seal_undo(&left)?, ..row };
        self.store.put_placement(&row).await.doing("cannot note the placement")
    }

    /// Tells what we wrote for this client from what somebody else wrote.
    pub async fn ours(&self, client: &ClientName) -> Result<Ours> {
        let tokens = self.store.tokens_of(client.as_str()).await.doing("the client's tokens")?;
        Ok(Ours::of(client, &tokens))
    }

    fn write_token_file(&self, file: &TokenFile, token: &Token) -> Result<()> {
        let path = &file.path;
        let original = Original::read(path)?;
        let line = zeroize::Zeroizing::new(file.line(token.expose()));
        replace(&atomic_file::target_of(path)?, &original, line.as_bytes(), true, &self.tag).map_err(
            |fault| match fault {
                atomic_file::ReplaceFault::Changed => {
                    Fault::new(format!("`{}` was changed by somebody else", path.display()))
                }
                atomic_file::ReplaceFault::Other(fault) => fault,
            },
        )
    }
}

fn placement_row(client: &ClientName, target: &Target) -> Result<PlacementRow> {
    let read = if target.shape.is_read_afresh() { TokenRead::Afresh } else { TokenRead::AtStart };
    let token_file = target.shape.token_file().map(|file| utf8(&file.path).map(str::to_owned)).transpose()?;
    let file = utf8(&target.file)?.to_owned();
    Ok(PlacementRow { client: client.clone(), read, file, token_file, undo: Vec::new(), at: clock::now() })
}
