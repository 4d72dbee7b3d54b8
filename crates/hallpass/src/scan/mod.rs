//! Looks for tokens where none should be: in files and in the history of git. Reads, and decides nothing about them.

mod find;
mod history;
mod progress;
mod walk;
mod whose;

pub(crate) use find::{Candidate, search};
pub use whose::{Whose, whose};

use crate::fault::{Fault, Result};
use crate::given_file;
use progress::Progress;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What has the look of a token, and where it lies.
#[derive(Debug)]
pub struct Sighting {
    /// Where.
    pub place: Place,
    /// In which line, from 1.
    pub line: u64,
    /// Its text.
    pub token: Zeroizing<String>,
}

/// Where something lies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// In a file.
    File(PathBuf),
    /// In an object that a repository keeps.
    Object {
        /// The repository's own folder.
        repository: PathBuf,
        /// The object's name.
        name: String,
    },
}

/// Where in the history each object is, if a branch or tag leads there.
pub fn in_history<'a>(places: impl Iterator<Item = &'a Place>) -> HashMap<&'a Place, String> {
    let mut repositories: BTreeMap<&Path, HashMap<&str, &Place>> = BTreeMap::new();
    for place in places {
        if let Place::Object { repository, name } = place {
            repositories.entry(repository).or_default().insert(name, place);
        }
    }
    let mut all = HashMap::new();
    for (repository, objects) in repositories {
        let found = history::places(repository, &objects.keys().copied().collect());
        all.extend(found.into_iter().filter_map(|(name, at)| Some((*objects.get(&*name)?, at))));
    }
    all
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Object { repository, name } => write!(f, "{}, object {name}", repository.display()),
        }
    }
}

/// What was looked at, and what was seen.
#[derive(Debug, Default)]
pub struct Swept {
    /// All that has the look of a token.
    pub sightings: Vec<Sighting>,
    /// How many files were read.
    pub files: u64,
    /// How many objects of git's.
    pub objects: u64,
    /// What could not be read, and why.
    pub unread: Vec<String>,
}

/// Reads everything below these paths; with `history`, also all that the repositories around them keep.
pub fn sweep(paths: &[PathBuf], with_history: bool) -> Result<Swept> {
    let mut sweep = Sweep { swept: Swept::default(), room: Vec::new(), progress: Progress::begin() };
    // First of all, so that a mistake is told at once.
    let repositories = if with_history { repositories(paths)? } else { BTreeSet::new() };
    for path in paths {
        if let Err(error) = std::fs::metadata(path) {
            return Err(Fault::new(format!("cannot read `{}`: {error}", path.display())));
        }
    }
    for path in paths {
        sweep.files(path);
    }
    for repository in repositories {
        sweep.history(&repository)?;
    }
    Ok(sweep.swept)
}

fn repositories(paths: &[PathBuf]) -> Result<BTreeSet<PathBuf>> {
    let found = paths.iter().map(|path| {
        history::repository(path).ok_or_else(|| {
            Fault::new(format!(
                "there is no git repository around `{}`, or git cannot be run",
                path.display()
            ))
            .hint("leave `--history` out, or name a path inside a repository")
        })
    });
    found.collect()
}

struct Sweep {
    swept: Swept,
    room: Vec<u8>,
    progress: Progress,
}

impl Sweep {
    fn files(&mut self, start: &Path) {
        let Self { swept, room, progress } = self;
        let Swept { sightings, files, objects: _, unread } = swept;
        // Both closures note what cannot be read.
        let unread = std::cell::RefCell::new(unread);
        walk::walk(
            start,
            |path| {
                let place = Place::File(path.to_owned());
                let found = |candidate| sightings.push(sighting(&place, candidate));
                match given_file::regular(path).and_then(|file| search(file, room, found)) {
                    Ok(()) => *files += 1,
                    Err(error) => unread.borrow_mut().push(format!("{}: {error}", path.display())),
                }
                progress.show(|| format!("{files} files read"));
            },
            |path, error| unread.borrow_mut().push(format!("{}: {error}", path.display())),
        );
    }

    fn history(&mut self, repository: &Path) -> Result<()> {
        let Self { swept, room, progress } = self;
        let read = history::objects(repository, |name, object| {
            let place = Place::Object { repository: repository.to_owned(), name: name.to_owned() };
            search(object, room, |candidate| swept.sightings.push(sighting(&place, candidate)))?;
            swept.objects += 1;
            progress.show(|| format!("{} objects of git read", swept.objects));
            Ok(())
        });
        read.map_err(|error| {
            Fault::new(format!("cannot read the history of `{}`: {error}", repository.display()))
        })
    }
}

fn sighting(place: &Place, Candidate { token, line }: Candidate) -> Sighting {
    Sighting { place: place.clone(), line, token }
}
