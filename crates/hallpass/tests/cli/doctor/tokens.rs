//! Tokens that are shared, ended, unknown, lost.

use super::scene::{ANN, BOB, anns, bobs, doctor, finds, give_bob, mends, run, sound, tool};
use crate::stage::{Stage, overwrite};
use sqlx::{Connection as _, SqliteConnection};
use std::fs;

/// A row of the store as something else left it.
async fn sql(stage: &Stage, statement: &'static str) {
    let database = stage.hallpass.home().join("hallpass.db");
    let mut connection =
        SqliteConnection::connect(&format!("sqlite://{}", database.display())).await.expect("the database");
    sqlx::query(statement).execute(&mut connection).await.expect("a change");
    connection.close().await.expect("an end");
}

#[tokio::test]
async fn one_clients_token_in_anothers_place() {
    let (stage, _serving) = sound().await;
    let before = bobs(&stage);
    let anns = anns(&stage);
    give_bob(&stage, &anns);
    let said = finds(&stage, "shared_token error bob bob.json").await;
    assert!(
        said.says().starts_with("`mcpServers.docs.env.DOCS_TOKEN` holds the token of `ann`: "),
        "{said:#?}"
    );
    assert_eq!(mends(&stage, "shared_token error bob bob.json").await, "hallpass issue bob");
    assert!(bobs(&stage) != anns && bobs(&stage) != before, "a token of its own");
}

#[tokio::test]
async fn a_token_pasted_into_the_file_of_a_program_that_is_not_registered() {
    let (stage, _serving) = sound().await;
    let token = bobs(&stage);
    let entry = format!(r#"{{"mcpServers":{{"web":{{"command":"x","env":{{"T":"{token}"}}}}}}}}"#);
    let file = stage.hallpass.write(".claude.json", &entry);
    crate::stage::mode(&file, 0o600);
    let mend = mends(&stage, "shared_token error - .claude.json").await;
    let path = stage.file(".claude.json");
    assert_eq!(
        mend,
        format!("hallpass add claude-code --app claude-code --config {} --entry web --env T", path.display())
    );
    assert_eq!(bobs(&stage), token, "its owner keeps it");
    assert!(!stage.text(".claude.json").contains(&token), "and the other has one of its own");
}

#[tokio::test]
async fn a_token_pasted_where_no_client_can_be_registered() {
    let (stage, _serving) = sound().await;
    let token = bobs(&stage);
    let entry = format!(
        "[mcp_servers.web]\nurl = \"http://x.test\"\nhttp_headers = {{ Authorization = \"Bearer {token}\" }}\n"
    );
    let file = stage.hallpass.write(".codex/config.toml", &entry);
    crate::stage::mode(&file, 0o600);
    let said = finds(&stage, "shared_token error - config.toml").await;
    assert_eq!(said.mend(), "hallpass rotate bob --now");
    run(&stage, "hallpass rotate bob --now").await;
    // Nobody shares any more. What is left there opens nothing, and a person takes it out.
    tool(&stage, "editor", "sed -i /Authorization/d \"$2\"");
    let mend = mends(&stage, "ended_token warning - config.toml").await;
    assert!(mend.starts_with("${EDITOR:-vi} +3 "), "{mend}");
}

#[tokio::test]
async fn a_printed_token_may_be_in_one_place() {
    let (stage, _serving) = sound().await;
    let printed = stage.hallpass.must(&["issue", "bob", "--print", "--yes"]).await;
    let own = bobs(&stage);
    overwrite(&stage.file(BOB), stage.text(BOB).replace(&own, "elsewhere"));
    for (file, key) in [(".codex/config.toml", "a"), (".grok/config.toml", "b")] {
        let file = stage.hallpass.write(file, &format!("{key} = \"{}\"\n", printed.trim_end()));
        crate::stage::mode(&file, 0o600);
        if key == "a" {
            assert_eq!(doctor(&stage).await.short(), Vec::<String>::new());
        }
    }
    let said = finds(&stage, "shared_token error - config.toml").await;
    assert_eq!(said.mend(), "hallpass rotate bob --now --print");
    run(&stage, said.mend()).await;
    let rest = doctor(&stage).await.short();
    assert_eq!(rest, ["ended_token warning - config.toml", "ended_token warning - config.toml"]);
}

#[tokio::test]
async fn an_expired_token_in_its_place() {
    let (stage, _serving) = sound().await;
    let past =
        "UPDATE token SET issued_at = issued_at - 100, expires_at = issued_at - 50 WHERE client = 'bob'";
    sql(&stage, past).await;
    let said = finds(&stage, "ended_token error bob bob.json").await;
    assert!(said.says().contains("holds a token of `bob` that expired "), "{said:#?}");
    mends(&stage, "ended_token error bob bob.json").await;
}

#[tokio::test]
async fn a_token_that_was_replaced_and_put_back_by_hand() {
    let (stage, _serving) = sound().await;
    let former = bobs(&stage);
    stage.hallpass.must(&["rotate", "bob", "--now", "--yes"]).await;
    give_bob(&stage, &former);
    let said = finds(&stage, "ended_token error bob bob.json").await;
    assert!(said.says().contains("was replaced by a newer one and ended"), "{said:#?}");
    mends(&stage, "ended_token error bob bob.json").await;
    // One that is still good for a while is no trouble yet, and is not the one that should be there.
    let former = bobs(&stage);
    stage.hallpass.must(&["rotate", "bob", "--yes"]).await;
    give_bob(&stage, &former);
    mends(&stage, "place_lost error bob bob.json").await;
}

#[tokio::test]
async fn a_revoked_token_can_wait() {
    let (stage, _serving) = sound().await;
    stage.hallpass.must(&["revoke", "bob", "--reason", "lost"]).await;
    mends(&stage, "ended_token warning bob bob.json").await;
    stage.hallpass.must(&["revoke", "ann", "--reason", "lost"]).await;
    mends(&stage, "ended_token warning ann ann").await;
}

#[tokio::test]
async fn a_token_of_a_client_that_was_removed() {
    let (stage, _serving) = sound().await;
    let kept = stage.text(BOB);
    stage.hallpass.must(&["remove", "bob", "--yes"]).await;
    // Another program's file, in which it was copied.
    let file = stage.hallpass.write(".claude.json", &kept);
    crate::stage::mode(&file, 0o600);
    let mend = mends(&stage, "ended_token warning - .claude.json").await;
    assert!(mend.starts_with("hallpass add claude-code --app claude-code"), "{mend}");
}

#[tokio::test]
async fn a_token_that_nobody_here_knows() {
    let (stage, _serving) = sound().await;
    sql(&stage, "DELETE FROM token WHERE client = 'bob'").await;
    let said = finds(&stage, "unknown_token error bob bob.json").await;
    assert!(said.says().contains("a key of this home signed"), "{said:#?}");
    mends(&stage, "unknown_token error bob bob.json").await;
}

#[tokio::test]
async fn a_token_of_another_home_of_the_same_name() {
    let (stage, _serving) = sound().await;
    let (other, _other_serving) = sound().await;
    give_bob(&stage, &bobs(&other));
    mends(&stage, "unknown_token error bob bob.json").await;
    let foreign = bobs(&other);
    let file = stage.hallpass.write(".codex/config.toml", &format!("# {foreign}\n"));
    crate::stage::mode(&file, 0o600);
    tool(&stage, "editor", "sed -i 1d \"$2\"");
    mends(&stage, "unknown_token warning - config.toml").await;
}

#[tokio::test]
async fn tokens_of_others_are_nobodys_business() {
    let (stage, _serving) = sound().await;
    let claims = hallpass_core::encoding::base64url(br#"{"iss":"https://login.example","sub":"x"}"#);
    stage.hallpass.write(".claude.json", &format!(r#"{{"key":"eyJhbGciOiJub25lIn0.{claims}.c2ln"}}"#));
    assert_eq!(doctor(&stage).await.short(), Vec::<String>::new());
}

#[tokio::test]
async fn a_token_that_is_not_where_it_was_put() {
    let (stage, _serving) = sound().await;
    let token = bobs(&stage);
    give_bob(&stage, "changed by hand");
    mends(&stage, "place_lost error bob bob.json").await;
    assert_ne!(bobs(&stage), token);
    fs::remove_file(stage.hallpass.home().join("tokens/ann")).expect("the file");
    mends(&stage, "place_lost error ann mcp.json").await;
}

#[tokio::test]
async fn a_client_whose_entry_or_file_is_gone() {
    let (stage, _serving) = sound().await;
    overwrite(&stage.file(BOB), r#"{"mcpServers":{"other":{"command":"x"}}}"#);
    assert_eq!(mends(&stage, "place_lost error bob bob.json").await, "hallpass remove bob");
    let (stage, _serving) = sound().await;
    fs::remove_file(stage.file(BOB)).expect("the file");
    assert_eq!(mends(&stage, "place_lost error bob bob.json").await, "hallpass remove bob");
    // Where the bridge is, all of it can be made anew.
    let (stage, _serving) = sound().await;
    fs::remove_file(stage.file(ANN)).expect("the file");
    assert_eq!(mends(&stage, "entry_lost error ann mcp.json").await, "hallpass apply");
}

#[tokio::test]
async fn a_token_that_is_dated_ahead() {
    let (stage, _serving) = sound().await;
    sql(&stage, "UPDATE token SET issued_at = issued_at + 86400 WHERE client = 'ann'").await;
    let said = finds(&stage, "issued_ahead error ann -").await;
    assert!(said.says().starts_with("its token was issued in "), "{said:#?}");
    mends(&stage, "issued_ahead error ann -").await;
}
