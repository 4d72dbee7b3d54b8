//! The grace period's row: set by acts of a person, ended once, and what a gateway makes of it.

use crate::scene::{NOW, Scene, client};
use hallpass_core::grace::{SecretTag, TagKey};
use hallpass_core::policy::PolicySettings;
use hallpass_core::snapshot::ServerScope;
use hallpass_core::{Bearer, Event, Outcome, PolicyName, ServerName, UnixTime};
use hallpass_store::{GraceRow, SHARED_SECRETS};

const DAY: i64 = 86_400;
const SECRET: &str = "shared-by-all-of-us";

fn tag(scene: &Scene) -> SecretTag {
    TagKey::new(&scene.seal().derive(SHARED_SECRETS)).tag(SECRET.as_bytes())
}

/// A period of two weeks.
fn row(scene: &Scene) -> GraceRow {
    GraceRow {
        period: 0,
        tag: tag(scene),
        until: NOW.plus(14 * DAY),
        started_at: NOW,
        ended_at: None,
        seen: NOW,
        servers: ServerScope::All,
        policy: None,
        strict: false,
    }
}

fn act(kind: &'static str) -> Event {
    Event { reason: Some("why".into()), by: Some("ann".into()), ..Event::new(0, kind, Outcome::Done) }
}

async fn started() -> Scene {
    let scene = Scene::new().await;
    assert!(scene.store.put_grace(&row(&scene), None, &act("grace-start")).await.unwrap());
    scene
}

async fn stored(scene: &Scene) -> GraceRow {
    scene.another().await.grace().await.unwrap().unwrap()
}

/// Since when the period is over, as a gateway that is started at `now` finds it.
async fn over_since(scene: &Scene, now: UnixTime) -> Option<UnixTime> {
    scene.snapshot().await.grace().unwrap().over_since(now)
}

#[tokio::test]
async fn the_row_comes_back_as_it_was_put_and_counts_the_acts() {
    let scene = Scene::new().await;
    assert!(scene.store.grace().await.unwrap().is_none());
    let policy = PolicyName::new("readers").unwrap();
    let settings: PolicySettings = serde_json::from_str(r#"{"rules":["allow docs/*"]}"#).unwrap();
    scene.store.put_policies(&[(policy.clone(), settings)].into(), &act("policy")).await.unwrap();
    let narrow = GraceRow {
        servers: ServerScope::Only([ServerName::new("docs").unwrap()].into()),
        policy: Some(policy.clone()),
        strict: true,
        ..row(&scene)
    };
    let before = scene.revision().await;
    assert!(scene.store.put_grace(&narrow, None, &act("grace-start")).await.unwrap());
    assert!(scene.revision().await > before, "it is in force");
    let back = stored(&scene).await;
    assert_eq!((back.period, back.until, back.started_at, back.ended_at), (1, narrow.until, NOW, None));
    assert_eq!(
        (back.seen, &back.servers, &back.policy, back.strict),
        (NOW, &narrow.servers, &Some(policy.clone()), true)
    );
    assert!(back.tag == narrow.tag);
    assert!(scene.store.put_grace(&row(&scene), Some(1), &act("grace-extend")).await.unwrap());
    assert_eq!(stored(&scene).await.period, 2);
    assert_eq!(scene.store.drop_policies_but(&[]).await.unwrap(), [policy], "nobody is under it any more");
    assert_eq!(scene.acts().await, ["policy", "grace-start", "grace-extend"]);
}

#[tokio::test]
async fn a_policy_of_the_period_is_not_dropped() {
    let scene = Scene::new().await;
    let policy = PolicyName::new("readers").unwrap();
    let settings: PolicySettings = serde_json::from_str("{}").unwrap();
    scene.store.put_policies(&[(policy.clone(), settings)].into(), &act("policy")).await.unwrap();
    let under = GraceRow { policy: Some(policy), ..row(&scene) };
    scene.store.put_grace(&under, None, &act("grace-start")).await.unwrap();
    assert_eq!(scene.store.drop_policies_but(&[]).await.unwrap(), []);
}

#[tokio::test]
async fn an_act_that_looked_at_something_older_changes_nothing() {
    let scene = started().await;
    for before in [None, Some(0), Some(2)] {
        assert!(!scene.store.put_grace(&row(&scene), before, &act("grace-extend")).await.unwrap());
    }
    assert!(!scene.store.end_grace(2, NOW, &act("grace-end")).await.unwrap());
    assert_eq!((stored(&scene).await.period, scene.acts().await), (1, vec!["grace-start".to_owned()]));
}

#[tokio::test]
async fn it_ends_once_and_stays_ended_whatever_the_clock_says() {
    let scene = started().await;
    let early = NOW.plus(3 * DAY);
    assert!(scene.store.end_grace(1, early, &act("grace-end")).await.unwrap());
    assert!(!scene.store.end_grace(1, early, &act("grace-over")).await.unwrap());
    assert!(!scene.store.end_grace(2, early, &act("grace-over")).await.unwrap());
    assert_eq!(scene.acts().await, ["grace-start", "grace-end"]);
    for now in [NOW.plus(-DAY), NOW, early, NOW.plus(99 * DAY)] {
        assert_eq!(over_since(&scene, now).await, Some(early));
    }
}

#[tokio::test]
async fn the_highest_time_seen_survives_a_restart_and_never_goes_back() {
    let scene = started().await;
    let before = scene.revision().await;
    for (seen, expect) in [(5, 5), (3, 5), (6, 6)] {
        scene.store.note_grace_seen(1, NOW.plus(seen * DAY)).await.unwrap();
        assert_eq!(stored(&scene).await.seen, NOW.plus(expect * DAY));
    }
    assert_eq!(scene.revision().await, before, "nothing that is in force changed");
    scene.store.note_grace_seen(7, NOW.plus(9 * DAY)).await.unwrap();
    assert_eq!(stored(&scene).await.seen, NOW.plus(6 * DAY), "another period");
    scene.store.note_grace_seen(1, NOW.plus(14 * DAY)).await.unwrap();
    assert_eq!(
        over_since(&scene, NOW).await,
        Some(NOW.plus(14 * DAY)),
        "a clock set back brings nothing back"
    );
}

#[tokio::test]
async fn the_secret_is_recognised_by_its_tag_and_is_nowhere_in_the_file() {
    let scene = started().await;
    let snapshot = scene.snapshot().await;
    let recognised = |text| snapshot.grace().unwrap().recognise(&Bearer::new(text).unwrap()).is_some();
    assert!(recognised(SECRET));
    assert!(!recognised("shared-by-all-of-u") && !recognised("shared-by-all-of-us2"));
    scene.store.put_client(&client("ann"), None).await.unwrap();
    scene.store.close().await;
    for entry in std::fs::read_dir(scene.folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(8).any(|window| window == &SECRET.as_bytes()[..8]));
    }
}
