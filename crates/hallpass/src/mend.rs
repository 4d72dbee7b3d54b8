//! Finishes what an interrupted command left. Decides by what stands in the clients' files, and gives no token a longer life
//! than was asked for.

use crate::atomic_file::{self, Original};
use crate::carry_out::act;
use crate::clock;
use crate::fault::{Doing, Result};
use crate::installation::Installation;
use crate::target::{Ours, find_app, token_in};
use hallpass_clients::Found;
use hallpass_core::claims::LEEWAY;
use hallpass_core::{Event, TokenDigest};
use hallpass_store::{Overlap, PlacementRow, TokenRow};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

impl Installation {
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
        let text = match &row.token_file {
            Some(file) => Original::read(Path::new(file))
                .ok()
                .and_then(|original| String::from_utf8(original.bytes).ok()),
            None => return self.is_placed(row, token).await,
        };
        Ok(text.map(|text| TokenDigest::of(token_in(&text)).matches(&token.digest)))
    }

    /// Whether the client's own file holds the token in the place of ours. `None`: the file cannot be read now.
    async fn is_placed(&self, row: &PlacementRow, token: &TokenRow) -> Result<Option<bool>> {
        let client = self.store.client(row.client.as_str()).await.doing("the client")?;
        let places = self.open_undo(row)?;
        let (Some(client), Some(place)) = (client, places.first()) else { return Ok(Some(false)) };
        let Some(dialect) = find_app(&client.app)?.dialect() else { return Ok(Some(false)) };
        let Ok(original) =
            atomic_file::target_of(Path::new(&row.file)).and_then(|file| Original::read(&file))
        else {
            return Ok(None);
        };
        if !original.exists() {
            return Ok(Some(false));
        }
        let only_this = Ours::of_token(&row.client, token.digest);
        Ok(match hallpass_clients::read(&original.bytes, dialect, &place.path) {
            Ok(Found::Present(present)) => Some(present.value.is_some_and(|value| only_this.holds(&value))),
            Ok(Found::Absent(_)) => Some(false),
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
