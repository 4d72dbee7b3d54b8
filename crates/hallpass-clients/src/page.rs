//! The page about all clients, `docs/clients.md`, from the tables alone. Writes no file.

use crate::candidates::{Os, Places};
use crate::client::{Client, Evidence, Format, Reload, apps, clients};
use crate::placement::PlacementKind;

const HEAD: &str = "\
# Clients

Which clients Hallpass knows, where their files are, and how it places a token for each.
This page is made by `cargo xtask docs` from `crates/hallpass-clients/src/clients.toml` and `files.toml`: change those.

`~` is the home, `$XDG_CONFIG_HOME` is `~/.config` where it is not set, `<project>` the folder of a project; a `*` in a name
stands for any run of characters. Files and ways to place a token stand best first; the first way is taken unless another is
asked for.

";

const VERIFIED: &str = "
*Verified* means that the vendor, or the client's own code, says where the file is, under which key servers stand, and which
field a header goes in. For the others it is what other people's tools do: look at the plan before you agree to it.
";

/// The page, in Markdown.
pub fn clients_page() -> String {
    let files = apps().skip(clients().len());
    let sections = clients().iter().map(section);
    [HEAD.to_owned(), kinds(), VERIFIED.to_owned(), overview()]
        .into_iter()
        .chain(sections)
        .chain(["\n# Files of which only the format is known\n".to_owned()])
        .chain(files.map(section))
        .collect()
}

fn kinds() -> String {
    let rows = PlacementKind::ALL.iter().map(|kind| {
        let restart = if kind.is_read_afresh() { "at once" } else { "when it reads its file again" };
        format!("| `{}` | {} | {restart} |\n", kind.word(), kind.about())
    });
    let head = "| way | what is placed | the client sees a new token |\n|---|---|---|\n".to_owned();
    std::iter::once(head).chain(rows).collect()
}

fn overview() -> String {
    let rows = clients().iter().map(|client| {
        let verified = if client.verified { "yes" } else { "no" };
        let anchor = anchor(&client.name);
        format!("| [{}](#{anchor}) | `{}` | {verified} | {} |\n", client.name, client.id, ways(client))
    });
    let head = "\n| client | id | verified | ways, best first |\n|---|---|---|---|\n".to_owned();
    std::iter::once(head).chain(rows).collect()
}

/// As a heading's anchor is made: lower case, blanks as hyphens, other signs left out.
fn anchor(name: &str) -> String {
    let kept = name.chars().filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|char| if char == ' ' { '-' } else { char }).collect()
}

fn ways(client: &Client) -> String {
    let words: Vec<_> = client.placements().iter().map(|kind| format!("`{}`", kind.word())).collect();
    words.join(", ")
}

fn section(client: &Client) -> String {
    let mut lines = vec![format!("\n## {}\n", client.name)];
    let verified = if client.verified { "verified" } else { "not verified" };
    lines.push(format!(
        "- `{}`, {}, {verified}: {}, {}",
        client.id,
        format_words(client),
        evidence(client.evidence),
        client.source
    ));
    lines.extend(files(client));
    lines.push(format!("- Ways: {}", ways(client)));
    lines.push(format!("- After a change of its file: {}", reload(client.reload)));
    lines.join("\n") + "\n"
}

fn format_words(client: &Client) -> String {
    let format = match client.format {
        Format::Json => "strict JSON",
        Format::Jsonc => "JSON, comments are kept and none are added",
        Format::Json5 => "JSON5, not edited",
        Format::Toml => "TOML",
        Format::Yaml => "YAML",
        Format::Env => return "lines `NAME=value`".to_owned(),
    };
    let list = if client.list { ", a list, not edited" } else { "" };
    format!("{format}, servers under `{}`{list}", client.container().join("` / `"))
}

fn evidence(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::SourceCode => "by the client's own code",
        Evidence::OfficialDocs => "by the vendor's documentation",
        Evidence::VendorGuide => "by a guide of a vendor of servers",
        Evidence::ThirdParty => "by other people's tools",
    }
}

fn reload(reload: Reload) -> &'static str {
    match reload {
        Reload::Live => "nothing, it watches the file",
        Reload::Reconnect => "reconnect the server in its window",
        Reload::Restart => "restart it",
        Reload::Unknown => "not known, restart it",
    }
}

/// A line for each scope that has files.
fn files(client: &Client) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |what: &str, paths: String| {
        if !paths.is_empty() {
            lines.push(format!("- {what}: {paths}"));
        }
    };
    let user = [&client.linux, &client.macos, &client.windows];
    say("The user's file", on_each(user.map(Vec::as_slice)));
    say("Moved by", moved(client));
    say("A profile's", of_places(&client.profiles));
    say("On a remote machine", code(&client.remote));
    say("A project's", code(&client.project));
    say("For one project, in the user's file, under", local(client));
    say("Read instead if it is there, and not edited", of_places(&client.instead));
    say("Read by former versions only", of_places(&client.former));
    say(
        "If the file is written for its newer form, it is taken as that of",
        client.newer.as_ref().map(|id| format!("`{id}`")).unwrap_or_default(),
    );
    if lines.is_empty() {
        lines.push("- No file is known: name it, or put the entry in by its settings".to_owned());
    }
    lines
}

fn local(client: &Client) -> String {
    let keys: Vec<_> = client.local.iter().map(|key| format!("`{key}`")).collect();
    keys.join(" / ")
}

fn moved(client: &Client) -> String {
    let words = client.variables.iter().map(|variable| {
        let besides = if variable.adds { ", read besides" } else { "" };
        format!("`${}{}`{besides}", variable.name, variable.rest)
    });
    words.collect::<Vec<_>>().join("; ")
}

fn code(paths: &[String]) -> String {
    let words: Vec<_> = paths.iter().map(|path| format!("`{path}`")).collect();
    words.join(", ")
}

fn of_places(places: &Places) -> String {
    on_each([Os::Linux, Os::Macos, Os::Windows].map(|os| places.on(os)))
}

/// Systems with the same files stand together.
fn on_each(paths: [&[String]; 3]) -> String {
    let names = ["Linux", "macOS", "Windows"];
    let mut groups: Vec<(Vec<&str>, &[String])> = Vec::new();
    for (name, paths) in names.into_iter().zip(paths).filter(|(_, paths)| !paths.is_empty()) {
        match groups.iter_mut().find(|(_, known)| *known == paths) {
            Some((names, _)) => names.push(name),
            None => groups.push((vec![name], paths)),
        }
    }
    let words: Vec<_> =
        groups.iter().map(|(names, paths)| format!("{} on {}", code(paths), names.join(", "))).collect();
    words.join("; ")
}
