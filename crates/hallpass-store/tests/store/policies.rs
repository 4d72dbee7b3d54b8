//! Policies: put, changed, under which clients are, dropped when nobody is.

use crate::scene::{NOW, Scene, act, client, name};
use hallpass_core::PolicyName;
use hallpass_core::policy::PolicySettings;
use hallpass_store::ClientRow;
use std::collections::BTreeMap;

fn policy(text: &str) -> PolicyName {
    PolicyName::new(text).unwrap()
}

fn policies(settings: &[(&str, &str)]) -> BTreeMap<PolicyName, PolicySettings> {
    settings.iter().map(|(name, settings)| (policy(name), serde_json::from_str(settings).unwrap())).collect()
}

#[tokio::test]
async fn policies_come_back_as_they_were_put_and_the_same_ones_change_nothing() {
    let scene = Scene::new().await;
    let (readers, quiet) =
        (("readers", r#"{"rules":["deny docs/x"],"rate":"5/s","burst":9}"#), ("quiet", "{}"));
    let both = policies(&[readers, quiet]);
    assert!(scene.store.put_policies(&both, &act("policy", "-")).await.unwrap());
    assert_eq!(scene.another().await.policies().await.unwrap(), both);
    let before = scene.revision().await;
    assert!(!scene.store.put_policies(&policies(&[readers]), &act("policy", "-")).await.unwrap());
    assert_eq!(scene.revision().await, before);
    let changed = policies(&[("quiet", r#"{"shadow":true}"#)]);
    assert!(scene.store.put_policies(&changed, &act("policy", "-")).await.unwrap());
    assert_eq!(scene.store.policies().await.unwrap()[&policy("quiet")], changed[&policy("quiet")]);
    assert_eq!(scene.revision().await, before + 1);
    assert_eq!(scene.acts().await, ["policy", "policy"]);
}

#[tokio::test]
async fn the_snapshot_has_each_client_under_its_policy() {
    let scene = Scene::new().await;
    scene
        .store
        .put_policies(&policies(&[("readers", r#"{"in_flight":3}"#)]), &act("policy", "-"))
        .await
        .unwrap();
    let ann = ClientRow { policy: Some(policy("readers")), ..client("ann") };
    for row in [&ann, &client("bob")] {
        scene.store.put_client(row, None).await.unwrap();
    }
    let snapshot = scene.snapshot().await;
    let under = |client: &str| snapshot.client(client).unwrap().policy.clone();
    assert_eq!(under("ann").unwrap().in_flight(), Some(3));
    assert_eq!(under("bob"), None);
    let missing = ClientRow { policy: Some(policy("other")), ..client("eve") };
    assert!(
        scene.store.put_client(&missing, None).await.is_err(),
        "nobody is under a policy that is not there"
    );
    assert_eq!(scene.store.client("eve").await.unwrap(), None);
}

#[tokio::test]
async fn only_a_policy_that_nobody_is_under_is_dropped() {
    let (scene, _) = Scene::with_clients(&["ann"]).await;
    let both = policies(&[("readers", "{}"), ("quiet", "{}")]);
    scene.store.put_policies(&both, &act("policy", "-")).await.unwrap();
    scene
        .store
        .put_client(&ClientRow { policy: Some(policy("readers")), ..client("ann") }, None)
        .await
        .unwrap();
    let doomed = [&policy("readers"), &policy("quiet"), &policy("none")];
    let act = act("policy", "-");
    assert_eq!(scene.store.drop_policies(&doomed, &act).await.unwrap(), [policy("quiet")]);
    let before = scene.revision().await;
    assert_eq!(scene.store.drop_policies(&doomed, &act).await.unwrap(), []);
    assert_eq!(scene.revision().await, before);
    // Who was removed is under none.
    scene.store.remove_client(name("ann").as_str(), NOW, "left", &act).await.unwrap();
    assert_eq!(scene.store.drop_policies(&doomed, &act).await.unwrap(), [policy("readers")]);
    assert_eq!(scene.store.policies().await.unwrap(), BTreeMap::new());
}
