//! What comes before what, by the system's own account: nobody is told of anything that is not on the disk.

use crate::scene::{Calling, ECHO, Scene};
use crate::traced::{Tracer, trace};

const CALLS: [&str; 4] = ["-y", "-s", "5000", "-etrace=write,pwrite64,writev,sendto,sendmsg,fdatasync,fsync"];

/// Where something begins, and where it has ended: another thread's lines may stand between.
fn ends(traced: &[&str], begins: usize) -> usize {
    let line = traced[begins];
    if !line.contains("<unfinished") {
        return begins;
    }
    let (thread, call) = line.split_once(' ').expect("a thread and a call");
    let call = call.trim_start().split('(').next().expect("a call");
    let resumed = format!("<... {call} resumed>");
    let end = (begins..traced.len())
        .find(|at| traced[*at].starts_with(&format!("{thread} ")) && traced[*at].contains(&resumed));
    end.expect("a call that ends")
}

/// The end of the first sync of a segment that begins after the record is written.
fn synced(traced: &[&str], record: &str) -> usize {
    let written = traced.iter().position(|line| line.contains("/audit/segments/") && line.contains(record));
    let written = ends(traced, written.unwrap_or_else(|| panic!("no record of {record}")));
    let sync = (written..traced.len()).find(|at| {
        (traced[*at].contains("fdatasync(") || traced[*at].contains("fsync("))
            && traced[*at].contains("/audit/segments/")
    });
    ends(traced, sync.unwrap_or_else(|| panic!("{record} is never synced")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_is_on_the_disk_before_anybody_is_told() {
    let scene = Scene::new(1, "").await;
    let file = scene.program.user().join("trace");
    let arguments = ["revoke", "c0", "--reason", "laptop lost"];
    let Some(traced) = trace(&scene.program, &file, &CALLS, &arguments).await else {
        eprintln!("nothing was shown: strace does not trace here");
        return;
    };
    let traced: Vec<&str> = traced.lines().collect();
    let said = traced.iter().position(|line| line.contains("c0: cut off")).expect("it is said");
    assert!(synced(&traced, r#"\"kind\":\"revoke\""#) < said);
    let database = traced.iter().position(|line| line.contains("sync(") && line.contains("hallpass.db-wal"));
    assert!(database.expect("the database is synced") < said);
    let signed = traced.iter().position(|line| line.contains("/audit/") && line.contains("hallpass.local/"));
    assert!(signed.expect("a checkpoint is written") < said);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_answer_comes_after_its_record_is_on_the_disk() {
    let scene = Scene::new(4, "[audit]\ndurability = \"each\"").await;
    let gateway = scene.program.serve().await;
    let file = scene.program.user().join("trace");
    let Some(strace) = Tracer::at(&gateway, &file, &CALLS).await else {
        eprintln!("nothing was shown: strace does not trace here");
        return;
    };
    let mut ids = Vec::new();
    for client in ["c0", "c1", "c2", "c3"] {
        let mut calling = Calling::new(&gateway, &scene.token(client)).await;
        for _ in 0..10 {
            let head = calling.call(ECHO).await.expect("an answer");
            ids.push(head.value("hallpass-request-id").expect("an id").to_owned());
        }
    }
    let traced = strace.end().await;
    let traced: Vec<&str> = traced.lines().collect();
    for id in &ids {
        let answered =
            traced.iter().position(|line| line.contains("HTTP/1.1 200") && line.contains(id.as_str()));
        assert!(synced(&traced, id) < answered.expect("an answer"), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_view_has_no_record_that_is_not_on_the_disk() {
    let scene = Scene::new(1, "").await;
    let gateway = scene.program.serve().await;
    let file = scene.program.user().join("trace");
    let Some(strace) = Tracer::at(&gateway, &file, &CALLS).await else {
        eprintln!("nothing was shown: strace does not trace here");
        return;
    };
    let mut calling = Calling::new(&gateway, &scene.token("c0")).await;
    let head = calling.call(ECHO).await.expect("an answer");
    let id = head.value("hallpass-request-id").expect("an id").to_owned();
    // Which waits for the view of what came before it, too.
    gateway.terminate().await;
    let traced = strace.end().await;
    let traced: Vec<&str> = traced.lines().collect();
    let added = traced.iter().position(|line| line.contains("hallpass.db-wal") && line.contains(&id));
    assert!(synced(&traced, &id) < added.expect("a row of the view"));
}
