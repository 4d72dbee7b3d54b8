//! Where `hallpass shim` takes the place of a former set-up's shim in a client's entry. Looks and decides; changes nothing.

use crate::fault::Result;
use crate::plan::{Known, TokenStep, is_same_file};
use crate::standing::{Standing, entry_of, look};
use crate::target::{Ours, Shape, ShimCommand, Surroundings, Target, is_former_shim, is_shim_link};
use hallpass_store::ClientRow;

/// Decides whether the entry starts our shim: where a person says so now, and where an earlier placement did it and nobody
/// took it back. Returns whether it could and does not.
pub(crate) fn choose(target: &mut Target, known: &Known, around: &Surroundings<'_>) -> Result<bool> {
    let Some(entry_path) = target.entry() else { return Ok(false) };
    let Some(entry) = entry_of(target) else { return Ok(false) };
    let path = entry_path.join("command");
    let is_ours = entry.get("command").and_then(|command| command.as_str()).is_some_and(is_shim_link);
    let placed = match &known.placement {
        Some((file, placed)) => {
            placed.iter().any(|place| place.path == path) && is_same_file(file, &target.file)?
        }
        None => false,
    };
    let could = is_former_shim(&entry) && !is_ours;
    if !(is_ours && placed || could && around.besides.shim) {
        return Ok(could);
    }
    if let Shape::Variable { shim, .. } = &mut target.shape {
        *shim = Some(ShimCommand { path, link: around.home.shim_link() });
    }
    Ok(false)
}

/// Where a person keeps a token that is good, the shim can take its predecessor's place all the same.
pub(crate) fn put_right(
    step: TokenStep,
    target: &Target,
    client: &ClientRow,
    around: &Surroundings<'_>,
) -> Result<(TokenStep, Standing)> {
    let (TokenStep::KeepPrinted { .. }, Shape::Variable { shim: Some(_), .. }) = (&step, &target.shape)
    else {
        return Ok((step, Standing::default()));
    };
    let standing = look(target, &Ours::of(&client.name, &[]), around.leaving)?;
    let step = if standing.entries_in_place { step } else { TokenStep::PutRight };
    Ok((step, standing))
}
