//! Disks that are full, for real: small file systems in memory. Without the right to mount them there is nothing to show.

use crate::commands::overwrite;
use crate::program::{Hallpass, Serving};
use crate::scene::{Calling, ECHO, Scene};
use hallpass::presence::NODE;
use hallpass_store::Store;
use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// A file system in memory; gone when it is dropped.
struct Small(PathBuf);

impl Small {
    fn at(folder: &Path, size: &str) -> Option<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).expect("a folder");
        let options = format!("size={size},mode=0700");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder).status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(folder.to_owned()))
    }

    /// Until not one byte more fits.
    fn fill(&self) {
        let mut file = File::create(self.0.join("filler")).expect("a file");
        for size in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("filler")).expect("a file");
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// The status of a call on a connection of its own; `None`: it was not answered in time, or not to its end.
async fn status(gateway: &Serving, token: &str) -> Option<u16> {
    let mut calling = Calling::new(gateway, token).await;
    let head = timeout(Duration::from_secs(2), calling.call(ECHO)).await.ok()??;
    Some(head.status())
}

async fn until(gateway: &Serving, token: &str, wanted: u16) {
    let found = timeout(Duration::from_secs(30), async {
        while status(gateway, token).await != Some(wanted) {
            sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(found.await.is_ok(), "calls never end with {wanted}");
}

/// Until the gateway has said in the database what it has in force.
async fn until_heard(home: &Path) {
    let store = Store::open(&home.join("hallpass.db")).await.expect("the database");
    let heard = timeout(Duration::from_secs(30), async {
        while store.gateway(NODE).await.expect("the database").is_none() {
            sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(heard.await.is_ok(), "the gateway says nothing of itself");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_refused_while_the_log_has_no_space_and_a_client_is_cut_off_all_the_same() {
    let program = Hallpass::new();
    DirBuilder::new().mode(0o700).create(program.home()).expect("a folder");
    let Some(disk) = Small::at(&program.home().join("audit"), "2m") else {
        eprintln!("nothing was shown: no file system can be mounted here");
        return;
    };
    let scene = Scene::in_home(program, 2, "").await;
    let (kept, lost) = (scene.token("c0"), scene.token("c1"));
    let gateway = scene.program.serve().await;
    assert_eq!(status(&gateway, &kept).await, Some(200));
    assert_eq!(status(&gateway, &lost).await, Some(200));
    disk.fill();
    until(&gateway, &kept, 503).await;
    assert!(
        gateway.stderr().contains("the log cannot be written, calls are refused"),
        "{}",
        gateway.stderr()
    );
    // What would grant something is not done, and says why.
    let denied = scene.program.run(&["issue", "c0", "--yes"]).await;
    assert_eq!(denied.code, Some(1), "{denied:#?}");
    // What cuts off is done, and recorded in the space that was kept for it.
    let revoked = scene.program.run(&["revoke", "c1", "--reason", "laptop lost"]).await;
    assert_eq!(revoked.code, Some(0), "{revoked:#?}");
    let newest = scene.records().pop().expect("a record");
    assert_eq!(
        (newest["kind"].as_str(), newest["client"].as_str()),
        (Some("revoke"), Some("c1")),
        "{newest}"
    );
    scene.assert_whole();
    disk.empty();
    until(&gateway, &kept, 200).await;
    until(&gateway, &lost, 401).await;
    gateway.terminate().await;
    let records = scene.records();
    let gap =
        records.iter().find(|record| record["kind"] == "gap").expect("a record of the time without one");
    assert!(gap["reason"].as_str().is_some_and(|reason| reason.contains("calls refused")), "{gap}");
    scene.assert_whole();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_losses_are_counted_calls_go_on_and_the_log_says_how_many_it_missed() {
    let program = Hallpass::new();
    DirBuilder::new().mode(0o700).create(program.home()).expect("a folder");
    let Some(disk) = Small::at(&program.home().join("audit"), "2m") else {
        eprintln!("nothing was shown: no file system can be mounted here");
        return;
    };
    let scene = Scene::in_home(program, 1, "[audit]\non_failure = \"count\"").await;
    let token = scene.token("c0");
    let gateway = scene.program.serve().await;
    assert_eq!(status(&gateway, &token).await, Some(200));
    disk.fill();
    let mut calls = 1;
    while !gateway.stderr().contains("the log cannot be written, calls are made without a record") {
        assert_eq!(status(&gateway, &token).await, Some(200));
        calls += 1;
    }
    for _ in 0..50 {
        assert_eq!(status(&gateway, &token).await, Some(200));
    }
    calls += 50;
    disk.empty();
    let over = timeout(Duration::from_secs(30), async {
        while !gateway.stderr().contains("the log can be written again") {
            sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(over.await.is_ok(), "{}", gateway.stderr());
    gateway.terminate().await;
    let records = scene.records();
    let written = records.iter().filter(|record| record["kind"] == "call").count();
    let gap = records.iter().find(|record| record["kind"] == "gap").expect("a record of the gap");
    let missed: usize =
        gap["count"].as_u64().and_then(|count| usize::try_from(count).ok()).expect("how many");
    assert_eq!(written + missed, calls, "{gap}");
    scene.assert_whole();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_cut_off_where_the_database_has_no_space_either() {
    let program = Hallpass::new();
    let Some(disk) = Small::at(&program.home(), "6m") else {
        eprintln!("nothing was shown: no file system can be mounted here");
        return;
    };
    let scene = Scene::in_home(program, 2, "").await;
    let (kept, lost) = (scene.token("c0"), scene.token("c1"));
    let gateway = scene.program.serve().await;
    assert_eq!(status(&gateway, &lost).await, Some(200));
    until_heard(&scene.program.home()).await;
    disk.fill();
    let revoked = scene.program.run(&["revoke", "c1", "--reason", "laptop lost", "--wait"]).await;
    assert_eq!(revoked.code, Some(0), "{revoked:#?}");
    disk.empty();
    until(&gateway, &lost, 401).await;
    until(&gateway, &kept, 200).await;
    gateway.terminate().await;
    let records = scene.records();
    assert!(records.iter().any(|record| record["kind"] == "revoke" && record["client"] == "c1"));
    scene.assert_whole();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_ends_though_its_log_takes_nothing() {
    let program = Hallpass::new();
    DirBuilder::new().mode(0o700).create(program.home()).expect("a folder");
    let Some(disk) = Small::at(&program.home().join("audit"), "2m") else {
        eprintln!("nothing was shown: no file system can be mounted here");
        return;
    };
    let scene = Scene::in_home(program, 1, "").await;
    let token = scene.token("c0");
    let gateway = scene.program.serve().await;
    disk.fill();
    until(&gateway, &token, 503).await;
    let ended = timeout(Duration::from_secs(30), gateway.terminate()).await.expect("an end");
    assert!(ended.stderr.contains("were never written: the log takes none"), "{ended:#?}");
}

/// What is mounted cannot be moved away.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_log_that_cannot_be_begun_leaves_the_view_as_it_was() {
    let program = Hallpass::new();
    DirBuilder::new().mode(0o700).create(program.home()).expect("a folder");
    let Some(_disk) = Small::at(&program.home().join("audit"), "2m") else {
        eprintln!("nothing was shown: no file system can be mounted here");
        return;
    };
    let scene = Scene::in_home(program, 2, "").await;
    let before = scene.program.must(&["log", "--json"]).await;
    let segment = scene.log().join("segments/00000000000000000000.jsonl");
    let good = fs::read(&segment).expect("a segment");
    let mut bad = good.clone();
    bad[100] ^= 1;
    overwrite(segment.clone(), &bad);
    let refused = scene.program.run(&["serve", "--listen", "127.0.0.1:0", "--new-log"]).await;
    assert!(refused.code == Some(1) && refused.stderr.contains("cannot move the log"), "{refused:#?}");
    overwrite(segment, &good);
    assert_eq!(scene.program.must(&["log", "--json"]).await, before);
}
