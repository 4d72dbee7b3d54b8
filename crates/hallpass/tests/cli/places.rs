//! Symlinks, git work trees, folders without write permission, two ways to one file.

use crate::stage::{CLAUDE, CLIENTS, Stage, VSCODE1, mode, overwrite, run};
use std::fs;
use std::os::unix::fs::symlink;

#[tokio::test]
async fn through_a_symlink_the_file_behind_it_is_written_and_the_link_stays() {
    let stage = Stage::founded().await;
    fs::create_dir(stage.file("dotfiles")).expect("a folder");
    fs::rename(stage.file(CLAUDE), stage.file("dotfiles/claude.json")).expect("a move");
    symlink("../../dotfiles/claude.json", stage.file(CLAUDE)).expect("a link");
    let said = stage.said(&["apply", "--yes"]).await;
    assert!(said.stdout.contains("(a link to USER/dotfiles/claude.json)"), "{said:#?}");
    assert!(fs::symlink_metadata(stage.file(CLAUDE)).expect("a link").is_symlink());
    assert!(fs::symlink_metadata(stage.file("dotfiles/claude.json")).expect("a file").is_file());
    assert!(stage.token(CLAUDE).is_some());
    let before = stage.picture().await;
    stage.hallpass.must(&["apply", "--yes"]).await;
    stage.picture().await.assert_same(&before, "a second apply");
}

#[tokio::test]
async fn a_link_that_leads_nowhere_or_stands_where_everybody_writes_is_refused() {
    let stage = Stage::founded().await;
    fs::rename(stage.file(CLAUDE), stage.file("claude.json")).expect("a move");
    let nowhere = format!(
        "error: `USER/{CLAUDE}` is a symlink that leads nowhere\n\
         hint: make the link lead to the client's configuration file, or take it away\n"
    );
    fs::create_dir(stage.file("shared")).expect("a folder");
    mode(&stage.file("shared"), 0o1777);
    symlink("../claude.json", stage.file("shared/link")).expect("a link");
    let open = "error: everybody may write in `USER/shared`\nhint: `chmod o-w USER/shared`\n".to_owned();
    for (link, words) in
        [("nowhere", &nowhere), (&format!("../../{CLAUDE}"), &nowhere), ("../../shared/link", &open)]
    {
        symlink(link, stage.file(CLAUDE)).expect("a link");
        let before = stage.picture().await;
        let said = stage.said(&["apply", "--yes"]).await;
        assert_eq!((said.code, &said.stderr), (Some(1), words), "{link}");
        stage.picture().await.assert_same(&before, link);
        fs::remove_file(stage.file(CLAUDE)).expect("the link");
    }
}

/// Whoever may write where a folder's link is could make it lead to another folder of ours.
#[tokio::test]
async fn a_folder_behind_a_link_where_everybody_writes_is_refused() {
    let stage = Stage::founded().await;
    fs::create_dir(stage.file("shared")).expect("a folder");
    mode(&stage.file("shared"), 0o1777);
    symlink("../config", stage.file("shared/way")).expect("a link");
    symlink("shared/way", stage.file("own")).expect("a link");
    for way in ["shared/way", "own"] {
        stage.swap(
            "hallpass.toml",
            "\"config/daemon/mcp-config.claude",
            &format!("\"{way}/daemon/mcp-config.claude"),
        );
        let said = stage.said(&["apply", "--yes"]).await;
        assert_eq!(said.code, Some(1), "{said:#?}");
        let words = "error: the way leads over the link `USER/shared/way`, and everybody may write in `USER/shared`\n";
        assert!(said.stderr.starts_with(words), "{said:#?}");
        assert_eq!(stage.token(CLAUDE), None);
        stage.swap(
            "hallpass.toml",
            &format!("\"{way}/daemon/mcp-config.claude"),
            "\"config/daemon/mcp-config.claude",
        );
    }
}

#[tokio::test]
async fn two_ways_to_one_file_are_one_file() {
    let stage = Stage::applied().await;
    symlink("config", stage.file("other")).expect("a link");
    let before = stage.token(CLAUDE);
    stage.swap("hallpass.toml", "config/daemon/mcp-config.claude", "other/../other/daemon/mcp-config.claude");
    stage.hallpass.must(&["apply", "--yes"]).await;
    assert_eq!(stage.token(CLAUDE), before, "the token stays where it is");
    // Two clients in one file by two ways, in one entry and variable.
    stage.swap(
        "hallpass.toml",
        "other/../other/daemon/mcp-config.claude.json",
        "other/daemon/mcp-config.augmentcode.vscode1.json",
    );
    stage.swap("hallpass.toml", "\"exai-mcp\"", "\"EXAI-WS-VSCode1\"");
    let said = stage.said(&["apply", "--yes"]).await;
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("`claude` and `vscode1` would share one place"), "{said:#?}");
}

#[tokio::test]
async fn a_token_is_not_written_where_git_would_publish_it() {
    let refusal = |file: &str| {
        let name = file.rsplit('/').next().expect("a name");
        format!(
            "error: git would commit `USER/{file}`, and a token is a secret\n\
             hint: add `{name}` to .gitignore (and `git rm --cached` it if it is tracked), or say `--git-ok`\n"
        )
    };
    let stage = Stage::founded().await;
    run(&stage.hallpass.user(), "git", &["init", "-q"]);
    let untouched = stage.picture().await;
    let check = async |stage: &Stage, words: String| {
        let said = stage.said(&["apply", "--yes"]).await;
        assert_eq!((said.code, said.stderr), (Some(1), words));
    };
    check(&stage, refusal(CLAUDE)).await;
    stage.picture().await.assert_same(&untouched, "a refusal");
    // The folder is reached through a link that stands outside the work tree.
    symlink(stage.file("config"), stage.hallpass.home().join("../link")).expect("a link");
    stage.swap("hallpass.toml", "\"config/", "\"../link/");
    check(&stage, refusal(CLAUDE)).await;
    stage.swap("hallpass.toml", "\"../link/", "\"config/");
    // Ignored, but tracked before that: it would be committed.
    run(&stage.hallpass.user(), "git", &["add", "-f", VSCODE1]);
    stage.hallpass.write(".gitignore", "config/\n");
    check(&stage, refusal(VSCODE1)).await;
    run(&stage.hallpass.user(), "git", &["rm", "-q", "--cached", VSCODE1]);
    stage.hallpass.must(&["apply", "--yes"]).await;
    for (_, file, _) in CLIENTS {
        assert!(stage.token(file).is_some());
    }
}

/// A hook of another repository, or a shell that works on one, has these set.
#[tokio::test]
async fn what_git_is_told_about_another_repository_changes_nothing() {
    let stage = Stage::founded().await;
    run(&stage.hallpass.user(), "git", &["init", "-q"]);
    for name in ["other", "ignoring"] {
        fs::create_dir(stage.file(name)).expect("a folder");
        run(&stage.file(name), "git", &["init", "-q"]);
    }
    stage.hallpass.write("everything", "*\n");
    let file = |name: &str| stage.file(name).to_str().expect("UTF-8").to_owned();
    let ignore_all = ("GIT_CONFIG_KEY_0", "core.excludesFile".to_owned());
    let settings: [&[(&str, String)]; 8] = [
        &[("GIT_DIR", file("other/.git"))],
        &[("GIT_DIR", file("other/.git")), ("GIT_WORK_TREE", file("."))],
        &[("GIT_INDEX_FILE", file("other/index"))],
        &[("GIT_CEILING_DIRECTORIES", file("config"))],
        &[("GIT_CONFIG_COUNT", "1".into()), ignore_all, ("GIT_CONFIG_VALUE_0", file("everything"))],
        &[("GIT_CONFIG_PARAMETERS", format!("'core.excludesFile={}'", file("everything")))],
        &[(
            "GIT_CONFIG_GLOBAL",
            stage
                .hallpass
                .write("global", &format!("[core]\nexcludesFile = {}\n", file("everything")))
                .display()
                .to_string(),
        )],
        &[("GIT_COMMON_DIR", file("other/.git"))],
    ];
    run(&stage.hallpass.user(), "git", &["add", "-f", CLAUDE]);
    for ignored in ["", "config/\n"] {
        stage.hallpass.write(".gitignore", ignored);
        for variables in settings {
            let mut command = stage.hallpass.command(&["apply", "--yes"]);
            command.envs(variables.iter().map(|(name, value)| (*name, value)));
            let outcome = stage.hallpass.finish(command).await;
            assert_eq!(outcome.code, Some(1), "{variables:?}: {outcome:#?}");
            assert!(outcome.stderr.starts_with("error: git would commit"), "{variables:?}: {outcome:#?}");
        }
    }
    assert!(stage.token(CLAUDE).is_none());
}

/// Its name would match another file that is tracked.
#[tokio::test]
async fn a_files_name_is_no_pattern_for_git() {
    let stage = Stage::founded().await;
    run(&stage.hallpass.user(), "git", &["init", "-q"]);
    stage.hallpass.write("ax.json", "{}");
    run(&stage.hallpass.user(), "git", &["add", "ax.json"]);
    stage.hallpass.write("a[x].json", "{ \"mcpServers\": { \"docs\": { \"command\": \"docs\" } } }");
    stage.hallpass.write(".gitignore", "a?x?.json\n");
    let add =
        ["add", "x", "--app", "json", "--config", "a[x].json", "--entry", "docs", "--env", "TOKEN", "--yes"];
    stage.hallpass.must(&add).await;
    assert!(stage.text("a[x].json").contains("eyJ"));
}

#[tokio::test]
async fn git_ok_is_a_way_through_and_remove_needs_none() {
    let stage = Stage::founded().await;
    run(&stage.hallpass.user(), "git", &["init", "-q"]);
    stage.hallpass.must(&["apply", "--yes", "--git-ok"]).await;
    assert!(stage.token(CLAUDE).is_some());
    let said = stage.said(&["issue", "claude", "--yes"]).await;
    assert_eq!(said.code, Some(1), "a fresh token is asked about again: {said:#?}");
    stage.hallpass.must(&["remove", "claude", "--yes"]).await;
}

/// Runs as root only by way of `setpriv`, because root writes wherever it likes.
#[tokio::test]
async fn a_folder_without_write_permission() {
    let stage = Stage::founded().await;
    let folder = stage.file("config/daemon");
    mode(&folder, 0o555);
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = tokio::process::Command::new("setpriv");
        command.args(["--reuid=65534", "--clear-groups", env!("CARGO_BIN_EXE_hallpass"), "apply", "--yes"]);
        let around = stage.hallpass.home().join("..");
        run(&around, "chown", &["-R", "65534", "."]);
        command
            .env("HOME", stage.hallpass.user())
            .env("HALLPASS_HOME", stage.hallpass.home())
            .current_dir(stage.hallpass.user());
        command
    } else {
        stage.hallpass.command(&["apply", "--yes"])
    };
    let before = stage.picture().await;
    let Ok(ran) = command.output().await else { return };
    let words = stage.neutral(&String::from_utf8_lossy(&ran.stderr));
    assert_eq!(ran.status.code(), Some(1), "{words}");
    let expect = "error: cannot write in `USER/config/daemon`: Permission denied (os error 13)\n\
                  hint: the new file is made beside the old one: make the folder writable for you\n";
    assert_eq!(words, expect);
    stage.picture().await.assert_same(&before, "a refusal");
    mode(&folder, 0o755);
}

#[tokio::test]
async fn what_another_program_leaves_beside_the_file_is_not_ours_to_delete() {
    let stage = Stage::founded().await;
    for name in [
        ".mcp-config.claude.json.tmp",
        ".mcp-config.claude.json.hallpass-otherone-1.tmp",
        "mcp-config.claude.json~",
    ] {
        overwrite(&stage.file("config/daemon").join(name), "theirs");
    }
    stage.hallpass.must(&["apply", "--yes"]).await;
    assert_eq!(fs::read_dir(stage.file("config/daemon")).expect("a folder").count(), 6);
}

#[tokio::test]
async fn a_file_with_two_names_is_not_split() {
    let stage = Stage::founded().await;
    fs::hard_link(stage.file(CLAUDE), stage.file("other-name.json")).expect("a hard link");
    let before = stage.picture().await;
    let said = stage.said(&["apply", "--yes"]).await;
    assert_eq!(said.code, Some(1));
    assert!(
        said.stderr.contains("has 2 names (hard links)")
            && said.stderr.contains("hint: make it a file of its own"),
        "{said:#?}"
    );
    stage.picture().await.assert_same(&before, "a refused apply");
}

/// As Cline does: a folder that is not empty, which counts for ten seconds.
#[tokio::test]
async fn a_lock_folder_of_another_program_is_waited_for() {
    let stage = Stage::founded().await;
    let lock = stage.file(&format!("{CLAUDE}.lock"));
    fs::create_dir(&lock).expect("a folder");
    let owner = stage.hallpass.write(format!("{CLAUDE}.lock/owner.1"), "x");
    let mut child = stage.hallpass.command(&["apply", "--yes"]).spawn().expect("the program");
    // Its tokens are minted, and the first of them is about to be placed.
    let store = stage.store().await.expect("the store");
    while store.pending().await.expect("tokens").is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(child.try_wait().expect("a child"), None);
    assert!(stage.token(CLAUDE).is_none_or(|token| token.is_empty()));
    fs::remove_file(owner).expect("a file");
    fs::remove_dir(&lock).expect("a folder");
    assert_eq!(child.wait().await.expect("an end").code(), Some(0));
    assert!(stage.token(CLAUDE).is_some_and(|token| !token.is_empty()));
    // One that was left behind stops nobody.
    fs::create_dir(&lock).expect("a folder");
    run(&stage.hallpass.user(), "touch", &["-d", "1 minute ago", lock.to_str().expect("UTF-8")]);
    stage.hallpass.must(&["issue", "claude", "--yes"]).await;
    assert!(lock.is_dir(), "and it is not ours to take away");
}
