//! Every object that a git repository has: all commits, what no branch reaches any more included. Asks git.

use crate::git;
use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead, BufReader, Error, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// The repository around a path, by its folder of git's.
pub(super) fn repository(path: &Path) -> Option<PathBuf> {
    let folder = if path.is_dir() { path } else { path.parent()? };
    // The path of a file that was named without a folder.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let said = said(folder, &["rev-parse", "--absolute-git-dir"])?;
    Some(PathBuf::from(said.trim_end()))
}

/// Calls `each` with the name and the bytes of every object but the folders.
pub(super) fn objects(
    repository: &Path,
    mut each: impl FnMut(&str, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let mut command = git::command(repository);
    command.args(["cat-file", "--batch-all-objects", "--batch", "--unordered", "--buffer"]);
    let mut running = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let output = running.stdout.take().ok_or_else(|| Error::other("no pipe"))?;
    let read = read(BufReader::with_capacity(64 << 10, output), &mut each);
    if read.is_err() {
        let _ = running.kill();
    }
    let ended = running.wait()?;
    read?;
    if ended.success() { Ok(()) } else { Err(Error::other(format!("`git cat-file` ended with {ended}"))) }
}

/// `NAME KIND SIZE`, then so many bytes, then a line's end; again and again.
fn read(
    mut output: impl BufRead,
    each: &mut impl FnMut(&str, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    loop {
        let mut head = String::new();
        if output.by_ref().take(256).read_line(&mut head)? == 0 {
            return Ok(());
        }
        let mut words = head.split_ascii_whitespace();
        let (Some(name), Some(kind), Some(Ok(size))) =
            (words.next(), words.next(), words.next().map(str::parse::<u64>))
        else {
            return Err(Error::other("`git cat-file` says something that is not understood"));
        };
        let mut object = output.by_ref().take(size);
        if kind != "tree" {
            each(name, &mut object)?;
        }
        io::copy(&mut object, &mut io::sink())?;
        output.read_exact(&mut [0])?;
    }
}

/// Where each of these objects was first seen, as `COMMIT:PATH`. One walk for all of them: a long history takes a while.
/// What no branch or tag leads to is not among them.
pub(super) fn places(repository: &Path, objects: &HashSet<&str>) -> HashMap<String, String> {
    let mut command = git::command(repository);
    command.args(["log", "--all", "--reverse", "--no-renames", "--raw", "--no-abbrev", "--format=%h"]);
    let Ok(mut running) = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn() else {
        return HashMap::new();
    };
    let places = running.stdout.take().map(|output| first_seen(BufReader::new(output), objects));
    // It may have more to say than was needed.
    let _ = running.kill();
    let _ = running.wait();
    places.unwrap_or_default()
}

/// A commit's name, then for each file `:MODE MODE OLD NEW STATUS`, a tab and its path.
fn first_seen(mut output: impl BufRead, objects: &HashSet<&str>) -> HashMap<String, String> {
    let (mut places, mut commit, mut line) = (HashMap::new(), String::new(), Vec::new());
    while places.len() < objects.len() {
        line.clear();
        if !matches!(output.read_until(b'\n', &mut line), Ok(1..)) {
            break;
        }
        let said = String::from_utf8_lossy(&line);
        match said.trim_end_matches('\n').split_once('\t') {
            Some((change, path)) => {
                let object = change.split(' ').nth(3).filter(|object| objects.contains(object));
                if let Some(object) = object {
                    places.entry(object.to_owned()).or_insert_with(|| format!("{commit}:{path}"));
                }
            }
            None if !said.trim().is_empty() => said.trim().clone_into(&mut commit),
            None => {}
        }
    }
    places
}

fn said(folder: &Path, question: &[&str]) -> Option<String> {
    let output = git::command(folder).args(question).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{first_seen, read};
    use std::collections::HashSet;
    use std::io::Read;

    #[test]
    fn the_first_commit_that_has_an_object_is_its_place() {
        let output = b"c1\n\n:000000 100644 00 aa A\tone two\n:000000 100644 00 bb A\tx\nc2\nc3\n\n:100644 100644 aa cc M\tx\n:000000 100644 00 aa A\ty\n";
        let places = first_seen(&output[..], &HashSet::from(["aa", "cc", "dd"]));
        let mut places: Vec<_> = places.iter().map(|(object, place)| format!("{object} {place}")).collect();
        places.sort();
        assert_eq!(places, ["aa c1:one two", "cc c3:x"]);
    }

    #[test]
    fn objects_are_told_apart_whatever_is_in_them() {
        let output = b"aa blob 8\nx\nblob \n\nbb tree 2\n\0\n\ncc commit 0\n\n";
        let mut all = Vec::new();
        read(&output[..], &mut |name: &str, object: &mut dyn Read| {
            let mut bytes = Vec::new();
            // A reader that leaves some of it is no trouble.
            object.take(3).read_to_end(&mut bytes)?;
            all.push((name.to_owned(), bytes));
            Ok(())
        })
        .unwrap();
        assert_eq!(all, [("aa".into(), b"x\nb".to_vec()), ("cc".into(), Vec::new())]);
        assert!(read(&b"aa missing\n"[..], &mut |_, _| Ok(())).is_err());
        assert!(read(&b"aa blob 9\nx"[..], &mut |_, _| Ok(())).is_err());
    }
}
