//! `hallpass scan`

use super::Context;
use super::list::state_word;
use crate::clock;
use crate::fault::{Doing, Fault, Result};
use crate::git::{self, GitView};
use crate::installation::Installation;
use crate::output::counted;
use crate::scan::{Place, Sighting, Whose, in_history, sweep, whose};
use hallpass_core::Snapshot;
use hallpass_store::{PlacementRow, TokenRow};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What one sighting comes to.
enum Verdict {
    /// A token of ours, in the place where it was put.
    Placed(TokenRow),
    /// One that is accepted.
    Live(TokenRow),
    /// One that is not, or not any more.
    Ended(TokenRow),
    /// A key of ours signed it and nobody here knows it.
    Unknown,
    /// It says that we issued it, and no key of ours signed it.
    Claimed,
}

/// One that is told.
struct Told {
    place: Place,
    /// Where git has it, if it is there that it was found.
    in_history: Option<String>,
    line: u64,
    verdict: Verdict,
}

/// Looks below these paths, and says whose each token is and whether it still counts.
pub(super) async fn run(context: &Context, paths: &[PathBuf], with_history: bool) -> Result<()> {
    let installation = context.installation().await?;
    let judge = Judge {
        snapshot: installation.snapshot().await?,
        placements: installation.store.placements().await.doing("the placements")?,
        installation,
    };
    let swept = sweep(paths, with_history)?;
    let mut ours = Vec::new();
    for sighting in &swept.sightings {
        if let Some(verdict) = judge.verdict(sighting).await? {
            ours.push((sighting, verdict));
        }
    }
    let in_history = in_history(ours.iter().map(|(sighting, _)| &sighting.place));
    let told = |(Sighting { place, line, .. }, verdict): (&Sighting, Verdict)| Told {
        place: place.clone(),
        in_history: in_history.get(place).cloned(),
        line: *line,
        verdict,
    };
    let mut all: Vec<Told> = ours.into_iter().map(told).collect();
    all.sort_by(|one, other| (&one.place, one.line).cmp(&(&other.place, other.line)));
    for told in &all {
        context.output.line(told.text());
    }
    for unread in swept.unread.iter().take(5) {
        context.output.note(format!("not read: {unread}"));
    }
    if let Some(more @ 1..) = swept.unread.len().checked_sub(5) {
        context.output.note(format!("not read: {more} more"));
    }
    context.output.document(&json!({
        "files": swept.files,
        "objects": swept.objects,
        "unread": swept.unread,
        "tokens": all.iter().map(Told::document).collect::<Vec<_>>(),
    }));
    let objects = if with_history {
        format!(" and {} of git", counted(swept.objects, "object"))
    } else {
        String::new()
    };
    let read = format!("{}{objects} read", counted(swept.files, "file"));
    let live: Vec<&TokenRow> = all.iter().filter_map(|told| told.verdict.live()).collect();
    let Some(first) = live.first() else {
        context.output.line(format!("no live token lies where none should be: {read}"));
        return Ok(());
    };
    let handles: BTreeSet<&str> = live.iter().map(|token| token.jti.as_str()).collect();
    let them = if handles.len() == 1 {
        "a live token lies".into()
    } else {
        format!("{} live tokens lie", handles.len())
    };
    let places = counted(live.len() as u64, "place");
    Err(Fault::new(format!("{them} where none should be, in {places}: {read}")).hint(format!(
        "`hallpass rotate {} --now` gives its client another and ends this one; `hallpass revoke {} --reason \"found in a file\"` only ends it",
        first.client, first.jti
    )))
}

/// What a sighting is judged by.
struct Judge {
    installation: Installation,
    snapshot: Snapshot,
    placements: Vec<PlacementRow>,
}

impl Judge {
    /// `None`: it is somebody else's.
    async fn verdict(&self, sighting: &Sighting) -> Result<Option<Verdict>> {
        let whose = whose(&self.installation.store, &self.snapshot, &sighting.token).await?;
        Ok(whose.map(|whose| match whose {
            Whose::Signed => Verdict::Unknown,
            Whose::Claimed => Verdict::Claimed,
            Whose::Known(row) if !row.is_good(clock::now()) => Verdict::Ended(row),
            Whose::Known(row) if self.is_placed(&row, &sighting.place) => Verdict::Placed(row),
            Whose::Known(row) => Verdict::Live(row),
        }))
    }

    /// Where it was put, and git leaves it alone.
    fn is_placed(&self, token: &TokenRow, place: &Place) -> bool {
        let Place::File(file) = place else { return false };
        let is_this = |path: &str| is_same(file, Path::new(path));
        let mut own = self.placements.iter().filter(|placement| placement.client == token.client);
        let is_here =
            own.any(|placed| is_this(&placed.file) || placed.token_file.as_deref().is_some_and(is_this));
        is_here && git::view(file) != GitView::WouldCommit
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| path.canonicalize().ok();
    whole(one).is_some_and(|one| Some(one) == whole(other))
}

impl Verdict {
    fn live(&self) -> Option<&TokenRow> {
        match self {
            Self::Live(token) => Some(token),
            Self::Placed(_) | Self::Ended(_) | Self::Unknown | Self::Claimed => None,
        }
    }

    /// The word for programs, and the token if it is known.
    fn parts(&self) -> (&'static str, Option<&TokenRow>) {
        match self {
            Self::Placed(token) => ("placed", Some(token)),
            Self::Live(token) => ("live", Some(token)),
            Self::Ended(token) => ("ended", Some(token)),
            Self::Unknown => ("unknown", None),
            Self::Claimed => ("claimed", None),
        }
    }
}

impl Told {
    fn text(&self) -> String {
        let of = |token: &TokenRow| format!("token of `{}` ({})", token.client, token.jti);
        let what = match &self.verdict {
            Verdict::Placed(token) => format!("{}, where hallpass placed it", of(token)),
            Verdict::Live(token) => {
                format!("LIVE {}, {}, ends on {}", of(token), state_word(token), token.expires_at)
            }
            Verdict::Ended(token) => format!("{}, {}", of(token), state_word(token)),
            Verdict::Unknown => "a key of this home signed it, and this home does not know it: if the database was not restored from a backup, the key has leaked (`hallpass keys revoke`)".into(),
            Verdict::Claimed => "says that this home's issuer issued it, and no key of this home signed it: it is refused here".into(),
        };
        let history = self.in_history.as_ref().map(|commit| format!(" ({commit})")).unwrap_or_default();
        // A name with a line's end in it would begin a line of its own.
        format!("{}:{}{history}: {what}", self.place, self.line).replace('\n', "\\n")
    }

    fn document(&self) -> Value {
        let (state, token) = self.verdict.parts();
        json!({
            "place": self.place.to_string(),
            "in_history": self.in_history,
            "line": self.line,
            "state": state,
            "client": token.map(|token| token.client.as_str()),
            "jti": token.map(|token| token.jti.as_str()),
            "expires_at": token.map(|token| token.expires_at.to_string()),
        })
    }
}
