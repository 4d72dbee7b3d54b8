//! The home, its clock, and what is left over in it.

use crate::doctor::facts::{Facts, Opened, Role};
use crate::doctor::finding::{Finding, Mend, What};
use hallpass_core::UnixTime;
use hallpass_core::claims::LEEWAY;

/// What can be told without opening it, and hallpass.toml.
pub(super) fn outside(facts: &Facts) -> Vec<Finding> {
    let home = &facts.home;
    let open = home.open.iter().map(|(path, mode)| {
        let mend = Mend::Permit { change: "go-rwx", path: path.clone() };
        Finding::error(What::HomeOpen { mode: *mode }, mend).at(path)
    });
    let around = home.open_around.iter().map(|around| {
        let mend = Mend::Permit { change: "o-w", path: around.clone() };
        Finding::error(What::AroundHomeOpen, mend).at(around)
    });
    let refused = facts.refused.iter().map(|refused| {
        let what = What::ConfigurationRefused { why: refused.why.clone() };
        Finding::error(what, Mend::Edit { file: refused.file.clone(), line: None }).at(&refused.file)
    });
    open.chain(around).chain(refused).collect()
}

/// A clock that is behind what it said before. One that ran ahead and was put right since is no trouble by itself: what
/// was dated then is, if it still counts.
pub(super) fn clock(opened: &Opened, now: UnixTime) -> Option<Finding> {
    let seen = UnixTime::from_seconds(opened.times.newest_ms / 1000);
    if seen.since(now) > LEEWAY {
        return Some(Finding::error(What::ClockBehind { seen }, Mend::SetClock));
    }
    let (until, seen) = opened.times.grace?;
    (until > now && seen.since(now) > 2 * LEEWAY)
        .then(|| Finding::warning(What::GraceAhead { seen }, Mend::ExtendGrace { until }))
}

/// Token files that a program carries to other places go with the whole home.
pub(super) fn carried(facts: &Facts, opened: &Opened, now: UnixTime) -> Option<Finding> {
    let synced = facts.home.synced.as_ref()?;
    let holds_token = |role: &Role| *role == Role::TokenFile;
    let mut files = opened.files.iter().filter(|file| holds_token(&file.role));
    files.find(|file| file.tokens.iter().any(|token| token.good(now).is_some()))?;
    let what = What::Synced { service: synced.service, root: synced.root.clone(), whole_home: true };
    let mend = Mend::out_of(synced, &facts.home.real, "home".into());
    Some(Finding::warning(what, mend).at(&facts.home.folder))
}

/// Token files of nobody. A copy beside one is told as a copy.
pub(super) fn left_over(opened: &Opened) -> Vec<Finding> {
    let is_told = |path: &std::path::PathBuf| opened.files.iter().any(|file| file.path == *path);
    let files = opened.nobodys.iter().filter(|path| !is_told(path));
    files.map(|path| Finding::warning(What::NobodysTokenFile, Mend::Delete(path.clone())).at(path)).collect()
}
