//! A gateway that is not where clients look for it.

use super::scene::{doctor, finds, mends, placed, run, sound, tool, typed};
use crate::stage::{Stage, overwrite};
use rustix::process::Signal;

/// Types what starts a gateway, and returns it once it listens.
async fn served(stage: &Stage, mend: &str) -> crate::program::Serving {
    // The shell becomes the gateway, so that it ends with the test.
    let line = mend.replace("hallpass serve", "exec hallpass serve");
    stage.hallpass.start(typed(stage, &line)).await
}

#[tokio::test]
async fn none_runs_though_clients_rely_on_it() {
    let stage = placed().await;
    let said = finds(&stage, "gateway_down error - -").await;
    assert_eq!(said.mend(), "hallpass serve");
    let _serving = served(&stage, said.mend()).await;
    assert_eq!(doctor(&stage).await.short(), Vec::<String>::new());
}

#[tokio::test]
async fn none_is_missed_where_nobody_relies_on_it() {
    let stage = placed().await;
    stage.hallpass.must(&["disable", "ann", "--reason", "away"]).await;
    assert_eq!(doctor(&stage).await.short(), Vec::<String>::new());
}

#[tokio::test]
async fn one_runs_and_does_not_answer() {
    let (stage, serving) = sound().await;
    serving.signal(Signal::STOP);
    let said = doctor(&stage).await;
    assert_eq!(said.short(), ["gateway_silent error - -"]);
    let mend = said.mend().to_owned();
    assert!(mend.starts_with(&format!("kill -9 {}; ", serving.id())), "{mend}");
    // Whoever started it sees it end.
    let (_serving, _ended) = tokio::join!(served(&stage, &mend), serving.ended());
    assert_eq!(doctor(&stage).await.short(), Vec::<String>::new());
}

#[tokio::test]
async fn bridges_are_told_another_address() {
    let (stage, _serving) = sound().await;
    let endpoint = stage.hallpass.home().join("endpoint");
    overwrite(&endpoint, "http://127.0.0.1:1\n");
    mends(&stage, "gateway_elsewhere error - endpoint").await;
    std::fs::remove_file(&endpoint).expect("the file");
    mends(&stage, "gateway_elsewhere error - endpoint").await;
}

#[tokio::test]
async fn an_address_in_a_file_where_nobody_answers() {
    let (stage, _serving) = sound().await;
    let entry = r#"{"mcpServers":{"docs":{"url":"http://127.0.0.1:1/c/eve/s/docs/mcp"}}}"#;
    stage.hallpass.write(".claude.json", entry);
    let endpoint = crate::stage::text(&stage.hallpass.home().join("endpoint"));
    let authority = endpoint.trim_end().strip_prefix("http://").expect("an address").to_owned();
    tool(&stage, "editor", &format!("sed -i 's/127.0.0.1:1/{authority}/' \"$2\""));
    mends(&stage, "gateway_elsewhere error - .claude.json").await;
}

/// Its entries say what hallpass.toml says.
#[tokio::test]
async fn a_gateway_that_was_started_elsewhere() {
    let stage = placed().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    stage.swap("hallpass.toml", "127.0.0.1:0", &free.to_string());
    stage.swap("hallpass.toml", "placement = \"bridge\"", "placement = \"environment\"");
    stage.hallpass.must(&["apply", "--yes"]).await;
    let serving = stage.hallpass.serve().await;
    let said = finds(&stage, "gateway_elsewhere error ann mcp.json").await;
    let mend = said.mend().to_owned();
    assert!(mend.starts_with(&format!("kill {}; ", serving.id())), "{mend}");
    let (_serving, _ended) = tokio::join!(served(&stage, &mend), serving.ended());
    run(&stage, "hallpass doctor").await;
}
