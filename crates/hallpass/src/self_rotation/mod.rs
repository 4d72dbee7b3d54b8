//! The gateway's own rotation: a new token when two thirds of the one before's life are over, where it is read without
//! a restart; a word to the operator where it is not. On a thread of its own: it writes files, and what is in force must
//! not wait for that.

mod due;

use crate::carry_out::act;
use crate::clock;
use crate::fault::{Doing, Fault, Result};
use crate::installation::Installation;
use crate::output::note;
use crate::plan::{ClientPlan, Registration, Stale, TokenStep, Turn, crowded};
use crate::settings::Settings;
use crate::standing::look_at_token_file;
use crate::target::{Ours, Target, find_app};
use due::{LOOK_MOST, decide, pause};
use hallpass_core::snapshot::TokenState;
use hallpass_core::{ClientName, Event, UnixTime};
use hallpass_store::{AgeingToken, Overlap, TokenRead, TokenRow};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

/// How long the one before stays good, or until it expires.
const OVERLAP: Overlap = Overlap { seconds: 24 * 3600, until_seen: false };
/// Why, in the log.
const WHY: &str = "two thirds of its life are over";

/// The thread. It ends, after the rotation that is under way, when this is dropped.
pub struct SelfRotation {
    stop: Option<watch::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl SelfRotation {
    /// Starts it, with the settings that the gateway was started with. It shares the gateway's connections: one of its own
    /// would hold on to a database that has lost its name.
    pub fn start(installation: Arc<Installation>, settings: &Settings) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.doing("cannot start the rotation of tokens")?;
        let (stop, stopped) = watch::channel(());
        let rotation = Rotation { settings: settings.clone(), said: HashMap::new() };
        let thread = std::thread::Builder::new().name("rotation".into()).spawn(move || {
            runtime.block_on(rotation.run(&installation, stopped));
        });
        Ok(Self { stop: Some(stop), thread: Some(thread.doing("cannot start the rotation of tokens")?) })
    }
}

impl Drop for SelfRotation {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            note("the rotation of tokens had stopped: please report what it said above");
        }
    }
}

/// The loop and what it has said.
struct Rotation {
    settings: Settings,
    /// The last word about each client (`None`: about all), so that none is repeated each minute.
    said: HashMap<Option<ClientName>, String>,
}

impl Rotation {
    async fn run(mut self, installation: &Installation, mut stopped: watch::Receiver<()>) {
        loop {
            let seconds = match self.look(installation, &stopped).await {
                Ok(seconds) => {
                    self.said.remove(&None);
                    seconds
                }
                Err(fault) => {
                    self.say(None, format!("tokens are not rotated now: {fault}"));
                    LOOK_MOST
                }
            };
            let pause = Duration::from_secs(seconds.unsigned_abs());
            tokio::select! {
                // The sender says nothing: it goes away.
                _ = stopped.changed() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Does what is due. Returns in how many seconds to look again.
    async fn look(&mut self, installation: &Installation, stopped: &watch::Receiver<()>) -> Result<i64> {
        let now = clock::now();
        let store = &installation.store;
        let tokens = store.ageing_tokens(now).await.doing("the tokens")?;
        let next = store.next_ageing(now).await.doing("the tokens")?;
        let todo = decide(&tokens, self.settings.roster.authority.rotate, now);
        mend(installation).await?;
        let mut left_undone = None;
        for token in todo.rotate {
            if stopped.has_changed().is_err() {
                break;
            }
            if !self.rotate(installation, token).await? {
                left_undone = Some(
                    left_undone.map_or(token.expires_at, |soonest: UnixTime| soonest.min(token.expires_at)),
                );
            }
        }
        for token in todo.tell {
            tell(installation, token, &advice(token)).await?;
        }
        Ok(pause(todo.next.into_iter().chain(next).min(), left_undone, clock::now()))
    }

    /// Gives one client its new token. `false`: not now.
    async fn rotate(&mut self, installation: &Installation, token: &AgeingToken) -> Result<bool> {
        // Whoever holds the lock may be about to do the same.
        let Some(_lock) = installation.home.try_lock()? else { return Ok(false) };
        let name = &token.client;
        let turned = match plan(installation, token, clock::now()).await {
            Ok(None) => return Ok(true),
            Ok(Some(plan)) => match installation.authority(&self.settings).await {
                Ok(authority) => installation.carry_out(&plan, &authority).await.map(|_| plan),
                Err(fault) => Err(fault),
            },
            Err(fault) => Err(fault),
        };
        match turned {
            Ok(plan) => {
                self.said.remove(&Some(name.clone()));
                if let TokenStep::Rotate(turn) = plan.step {
                    note(&format!("{name}: rotated, {WHY}; the one before is good until {}", turn.until));
                }
                Ok(true)
            }
            Err(fault) => {
                let why = format!("it could not be rotated ({fault}): `hallpass rotate {name}`");
                self.say(Some(name.clone()), format!("{name}: {}", ending(token, &why)));
                tell_quietly(installation, token, &why).await?;
                Ok(false)
            }
        }
    }

    fn say(&mut self, about: Option<ClientName>, text: String) {
        if self.said.get(&about) != Some(&text) {
            note(&text);
            self.said.insert(about, text);
        }
    }
}

/// Finishes what a command left that was killed: nobody else may come by for days.
async fn mend(installation: &Installation) -> Result<()> {
    if installation.store.pending().await.doing("the pending tokens")?.is_empty() {
        return Ok(());
    }
    match installation.home.try_lock()? {
        Some(_lock) => installation.mend().await,
        None => Ok(()),
    }
}

/// The plan of a rotation in the token file, which holds the token and nothing else: the client's configuration and
/// hallpass.toml are not looked at, so that an edit there which nobody has applied yet is neither applied nor in the way.
/// `None`: it was replaced, revoked or disabled since it was looked at.
async fn plan(installation: &Installation, token: &AgeingToken, now: UnixTime) -> Result<Option<ClientPlan>> {
    let known = installation.known(&token.client).await?;
    let tokens: Vec<&TokenRow> = known.tokens.iter().filter(|token| !token.former).collect();
    let live = tokens.iter().find(|row| row.jti == token.jti && row.state == TokenState::Active);
    let client = known.client.clone().filter(|client| client.enabled && !client.removed);
    let (Some(live), Some(client)) = (live, client) else { return Ok(None) };
    if let Some(TokenStep::LeftCrowded { count, .. }) = crowded(&tokens, OVERLAP, now) {
        return Err(Fault::new(format!("{count} tokens that were superseded are still good")));
    }
    let placement = installation.store.placement(client.name.as_str()).await.doing("the placement")?;
    let Some(placement) = placement else { return Ok(None) };
    let Some(token_file) = placement.token_file.as_ref().map(PathBuf::from) else { return Ok(None) };
    let standing = look_at_token_file(&token_file)?;
    if !standing.holds(live) {
        return Err(Fault::new("its place does not hold it"));
    }
    let app = find_app(&client.app)?;
    let ours = Ours::of(&client.name, &known.tokens);
    let leads_to = PathBuf::from(&placement.file);
    Ok(Some(ClientPlan {
        step: TokenStep::Rotate(Turn::of(live, &tokens, OVERLAP, WHY, now)),
        client,
        registration: Registration::Same,
        target: Target::token_file_of(&placement, token_file, app),
        standing,
        stale: Stale::default(),
        was_revoked: false,
        only_token_file: Some(placement),
        could_be_shim: false,
        ours,
        leads_to,
    }))
}

/// Says once that a person has to act, to whoever watches the gateway and in the log.
async fn tell(installation: &Installation, token: &AgeingToken, advice: &str) -> Result<()> {
    if tell_quietly(installation, token, advice).await? {
        note(&format!("{}: {}", token.client, ending(token, advice)));
    }
    Ok(())
}

/// In the log, once a token.
async fn tell_quietly(installation: &Installation, token: &AgeingToken, advice: &str) -> Result<bool> {
    let reason = Some(ending(token, advice));
    let warning = Event { jti: Some(token.jti.clone()), reason, ..act("warning", &token.client) };
    installation.store.tell_end(&token.jti, clock::now(), &warning).await.doing("the log")
}

fn ending(token: &AgeingToken, advice: &str) -> String {
    format!("its token ends on {}, and {advice}", token.expires_at)
}

/// What to type, and what comes after it.
fn advice(token: &AgeingToken) -> String {
    let name = &token.client;
    match token.placed {
        Some(TokenRead::AtStart) => {
            format!("a new one is read at a restart only: `hallpass rotate {name}`, then restart its program")
        }
        Some(TokenRead::Afresh) => format!("`authority.rotate` is `never`: `hallpass rotate {name}`"),
        None => format!("a person placed it: `hallpass rotate {name} --print`"),
    }
}
