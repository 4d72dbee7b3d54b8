//! A disk that says that it could not sync: nothing that was said to be safe is lost.

use crate::scene::{Calling, ECHO, Scene};
use crate::traced::Tracer;
use std::time::Duration;
use tokio::time::{sleep, timeout};

#[tokio::test(flavor = "multi_thread")]
async fn after_one_failure_the_records_are_in_a_new_segment_and_calls_go_on() {
    let scene = Scene::new(1, "[audit]\ndurability = \"each\"").await;
    let gateway = scene.program.serve().await;
    let mut calling = Calling::new(&gateway, &scene.token("c0")).await;
    assert_eq!(calling.call(ECHO).await.expect("an answer").status(), 200);
    let segment = scene.log().join("segments/00000000000000000000.jsonl");
    let (file, segment) = (scene.program.user().join("trace"), segment.display().to_string());
    let arguments = ["-P", &segment, "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=1"];
    let Some(strace) = Tracer::at(&gateway, &file, &arguments).await else {
        eprintln!("nothing was shown: strace does not trace here");
        return;
    };
    let mut ids = Vec::new();
    for _ in 0..20 {
        let head = calling.call(ECHO).await.expect("an answer");
        assert_eq!(head.status(), 200);
        ids.push(head.value("hallpass-request-id").expect("an id").to_owned());
    }
    let traced = strace.end().await;
    assert!(traced.contains("(INJECTED)"), "{traced}");
    gateway.terminate().await;
    let records = scene.records();
    for id in &ids {
        assert_eq!(records.iter().filter(|record| record["request_id"] == id.as_str()).count(), 1);
    }
    assert!(records.iter().any(|record| record["kind"] == "audit-sync-failed"), "it is on record");
    assert_eq!(std::fs::read_dir(scene.log().join("segments")).expect("a folder").count(), 2);
    scene.assert_whole();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nothing_can_be_synced_nothing_is_answered_and_it_is_over_when_the_disk_is_well() {
    let scene = Scene::new(1, "[audit]\ndurability = \"each\"").await;
    let gateway = scene.program.serve().await;
    let token = scene.token("c0");
    let file = scene.program.user().join("trace");
    let arguments = ["-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=1+"];
    let Some(strace) = Tracer::at(&gateway, &file, &arguments).await else {
        eprintln!("nothing was shown: strace does not trace here");
        return;
    };
    let mut waiting = Calling::new(&gateway, &token).await;
    waiting.send(ECHO).await.expect("an open connection");
    let refused = timeout(Duration::from_secs(20), async {
        loop {
            let mut calling = Calling::new(&gateway, &token).await;
            match timeout(Duration::from_secs(1), calling.call(ECHO)).await {
                Ok(Some(head)) if head.status() == 503 => return,
                Ok(Some(head)) => panic!("answered with {}", head.status()),
                Ok(None) | Err(_) => {}
            }
        }
    });
    assert!(refused.await.is_ok(), "calls are never refused");
    let traced = strace.end().await;
    assert!(traced.contains("(INJECTED)"), "{traced}");
    let well = timeout(Duration::from_secs(20), async {
        loop {
            let mut calling = Calling::new(&gateway, &token).await;
            if let Some(head) = calling.call(ECHO).await
                && head.status() == 200
            {
                return head.value("hallpass-request-id").expect("an id").to_owned();
            }
            sleep(Duration::from_millis(50)).await;
        }
    });
    let id = well.await.expect("it is over");
    gateway.terminate().await;
    assert!(scene.records().iter().any(|record| record["request_id"] == id.as_str()));
    scene.assert_whole();
}

/// The checkpoint cannot be synced once, and then the record of the time without a log cannot be written once.
#[tokio::test(flavor = "multi_thread")]
async fn calls_go_on_though_the_record_of_a_gap_could_not_be_written_at_first() {
    let scene = Scene::new(1, "").await;
    let gateway = scene.program.serve().await;
    let token = scene.token("c0");
    let paths = ["segments/00000000000000000000.jsonl", "checkpoint.new"].map(|name| scene.log().join(name));
    let [segment, checkpoint] = paths.map(|path| path.display().to_string());
    let file = scene.program.user().join("trace");
    let arguments = [
        "-P",
        &segment,
        "-P",
        &checkpoint,
        "-etrace=fsync,pwrite64",
        "-einject=fsync:error=EIO:when=1",
        "-einject=pwrite64:error=ENOSPC:when=2",
    ];
    let Some(strace) = Tracer::at(&gateway, &file, &arguments).await else {
        eprintln!("nothing was shown: strace does not trace here");
        return;
    };
    let mut calling = Calling::new(&gateway, &token).await;
    assert_eq!(calling.call(ECHO).await.expect("an answer").status(), 200);
    let again = timeout(Duration::from_secs(30), async {
        while !gateway.stderr().contains("the log can be written again") {
            sleep(Duration::from_millis(20)).await;
        }
        let mut calling = Calling::new(&gateway, &token).await;
        assert_eq!(calling.call(ECHO).await.expect("an answer").status(), 200);
    });
    assert!(again.await.is_ok(), "{}", gateway.stderr());
    let traced = strace.end().await;
    assert_eq!(traced.matches("(INJECTED)").count(), 2, "{traced}");
    gateway.terminate().await;
    assert_eq!(scene.records().iter().filter(|record| record["kind"] == "gap").count(), 1);
    scene.assert_whole();
}
