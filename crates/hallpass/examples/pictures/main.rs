//! Takes pictures of the report for auditors in a real browser: `pictures HALLPASS CHROMIUM FOLDER`, the built program, the
//! browser, and where the pictures go. For eyes: nothing is compared here.
//!
//! The report is of a home with three clients and a busy month, in a temporary folder. Each page is taken light and dark, at
//! the width of a phone and of a desktop, and printed.

#[path = "../../tests/cli/busy_month.rs"]
mod busy_month;

use hallpass::fault::{Doing as _, Fault, Result};
use hallpass_store::Store;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// 2026-10-20T00:00:00Z
const START_MS: i64 = 1_792_454_400_000;
const CALLS: i64 = 60_000;
const PERIOD: [&str; 4] = ["--from", "2026-10-20", "--to", "2026-11-18"];
const EXAMPLE: [&str; 4] = [
    "hallpass.toml",
    "config/daemon/mcp-config.augmentcode.vscode1.json",
    "config/daemon/mcp-config.augmentcode.vscode2.json",
    "config/daemon/mcp-config.claude.json",
];
/// A name, the width, the height, and the browser's word for the colours that a person prefers.
const PICTURES: [(&str, u32, u32, &str); 4] = [
    ("desktop-light", 1280, 9000, "1"),
    ("desktop-dark", 1280, 9000, "0"),
    ("phone-light", 390, 16_000, "1"),
    ("phone-dark", 390, 16_000, "0"),
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("error: {fault}");
            if let Some(hint) = fault.next_step() {
                eprintln!("hint: {hint}");
            }
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [hallpass, chromium, folder] = arguments.as_slice() else {
        return Err(Fault::new("a program, a browser or a folder is missing").hint("`cargo xtask pictures`"));
    };
    let home = tempfile::Builder::new().prefix("hallpass-pictures-").tempdir();
    let home = home.doing("cannot make a temporary folder")?;
    set(hallpass, home.path()).await?;
    std::fs::create_dir_all(folder).doing(folder.display())?;
    for name in ["report.html", "report.md", "report.json"] {
        let file = folder.join(name);
        let output = ["--force", "--output", text(&file)?];
        succeed(&mut command(hallpass, home.path(), &[&["report"], &PERIOD[..], &output].concat()))?;
        println!("{}", file.display());
    }
    let page = folder.join("report.html").canonicalize().doing("the page")?;
    for (name, width, height, colours) in PICTURES {
        let picture = folder.join(format!("{name}.png"));
        take(chromium, home.path(), &page, (width, height), colours, &picture)?;
        println!("{}", picture.display());
    }
    let paper = folder.join("report.pdf");
    let print = format!("--print-to-pdf={}", text(&paper)?);
    browse(chromium, home.path(), &["--no-pdf-header-footer", &print, &address(&page)?])?;
    println!("{}", paper.display());
    Ok(())
}

/// The example with three clients, and the month.
async fn set(hallpass: &Path, home: &Path) -> Result<()> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("example");
    for file in EXAMPLE {
        let to = home.join(file);
        std::fs::create_dir_all(to.parent().unwrap_or(home)).doing(file)?;
        std::fs::copy(example.join(file), &to).doing(file)?;
    }
    succeed(&mut command(hallpass, home, &["init"]))?;
    succeed(&mut command(hallpass, home, &["apply", "--yes"]))?;
    let store = Store::open(&home.join("home/hallpass.db")).await.doing("the store")?;
    store.add_events(&busy_month::busy_month(START_MS, CALLS)).await.doing("the month")?;
    store.close().await;
    Ok(())
}

/// In a frame: a browser's own window is never as narrow as a phone.
fn take(
    chromium: &Path,
    home: &Path,
    page: &Path,
    (width, height): (u32, u32),
    colours: &str,
    picture: &Path,
) -> Result<()> {
    let frame = home.join("frame.html");
    let html = format!(
        "<!doctype html><style>*{{margin:0;border:0}}</style><iframe src=\"{}\" style=\"width:{width}px;height:{height}px\"></iframe>",
        address(page)?
    );
    #[expect(clippy::disallowed_methods, reason = "a file of this run, in its temporary folder")]
    std::fs::write(&frame, html).doing("the frame")?;
    let size = format!("--window-size={width},{height}");
    let colours = format!("--blink-settings=preferredColorScheme={colours}");
    let screenshot = format!("--screenshot={}", text(picture)?);
    browse(chromium, home, &["--hide-scrollbars", &size, &colours, &screenshot, &address(&frame)?])
}

fn browse(chromium: &Path, home: &Path, arguments: &[&str]) -> Result<()> {
    let profile = format!("--user-data-dir={}", text(&home.join("browser"))?);
    let fixed = ["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", &profile];
    succeed(Command::new(chromium).args(fixed).args(arguments))
}

fn command(hallpass: &Path, home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(hallpass);
    command.args(arguments).current_dir(home).env("HOME", home).env("HALLPASS_HOME", home.join("home"));
    command
}

fn succeed(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_owned();
    let output = command.output().doing(program.display())?;
    if output.status.success() {
        return Ok(());
    }
    Err(Fault::new(format!("{}: {}", program.display(), String::from_utf8_lossy(&output.stderr).trim())))
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| Fault::new(format!("`{}` is no UTF-8", path.display())))
}

fn address(path: &Path) -> Result<String> {
    text(path).map(|path| format!("file://{path}"))
}
