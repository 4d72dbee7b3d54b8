//! The home itself, and hallpass.toml.

use super::scene::{ANN, anns, mends, placed, run, sound, tool};
use crate::stage::{mode, overwrite};

#[tokio::test]
async fn whatever_of_the_home_is_open_to_others() {
    let (stage, _serving) = sound().await;
    let home = stage.hallpass.home();
    for (path, open, expect) in [
        (home.clone(), 0o755, "home"),
        (home.join("tokens"), 0o750, "tokens"),
        (home.join("hallpass.db"), 0o644, "hallpass.db"),
        (home.join("seal.key"), 0o604, "seal.key"),
    ] {
        mode(&path, open);
        let mend = mends(&stage, &format!("home_open error - {expect}")).await;
        assert_eq!(mend, format!("chmod go-rwx {}", path.display()));
    }
    mode(&home, 0o755);
    let said = stage.said(&["doctor"]).await;
    assert!(
        said.stdout.ends_with("\n1 error, 0 warnings: the rest is looked at once this is mended\n"),
        "{said:#?}"
    );
}

#[tokio::test]
async fn the_folder_around_the_home() {
    let (stage, _serving) = sound().await;
    mode(&stage.file(".."), 0o777);
    let around = stage.hallpass.home().parent().expect("a folder").to_owned();
    let name = around.file_name().expect("a name").to_str().expect("UTF-8").to_owned();
    mends(&stage, &format!("folder_open error - {name}")).await;
    // Where only its owner may take it away, nobody can put another in its place.
    mode(&stage.file(".."), 0o1777);
    run(&stage, "hallpass doctor").await;
}

#[tokio::test]
async fn a_configuration_that_is_refused() {
    let (stage, _serving) = sound().await;
    let good = stage.text("hallpass.toml");
    stage.hallpass.write("good.toml", &good);
    overwrite(&stage.file("hallpass.toml"), good + "colour = \"red\"\n");
    tool(&stage, "editor", "cat good.toml > \"$1\"");
    mends(&stage, "configuration_refused error - hallpass.toml").await;
}

#[tokio::test]
async fn another_home_and_configuration_are_named_in_what_to_type() {
    let stage = placed().await;
    let (home, config) = (stage.hallpass.home(), stage.file("hallpass.toml"));
    let (home, config) = (home.to_str().expect("UTF-8"), config.to_str().expect("UTF-8"));
    let mut command = stage.hallpass.command(&["doctor", "--json", "--home", home, "--config", config]);
    command.env_remove("HALLPASS_HOME").current_dir("/");
    let said = super::scene::read(&stage.hallpass.finish(command).await);
    assert_eq!(said.short(), ["gateway_down error - -"]);
    assert_eq!(said.mend(), format!("hallpass --home {home} --config {config} serve"));
}

#[tokio::test]
async fn what_stands_in_the_way_comes_first() {
    let (stage, _serving) = sound().await;
    let token = anns(&stage);
    overwrite(&stage.file(ANN), "{ \"mcpServers\": ");
    mode(&stage.file(".cursor"), 0o777);
    stage.hallpass.write(".cursor/mcp.json~", &token);
    let said = super::scene::doctor(&stage).await.short();
    assert_eq!(
        said,
        ["folder_open error ann mcp.json", "unparsable error ann mcp.json", "copy error ann mcp.json~"]
    );
}
