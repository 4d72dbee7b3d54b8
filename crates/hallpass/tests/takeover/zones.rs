//! Where the machine stands makes no difference to a token: it is good at once.

use crate::house::{Caller, House, now, part};

#[tokio::test]
async fn a_minted_token_is_good_at_once_in_every_time_zone() {
    let house = House::with_clients(&["claude"]).await;
    let serving = house.hallpass.serve().await;
    let mut caller = Caller::of(&serving).await;
    for zone in ["UTC", "America/Los_Angeles", "Australia/Sydney", "Pacific/Kiritimati"] {
        let zone = [("TZ", zone)];
        let before = now();
        let issued = house.run_with(&["issue", "claude", "--print", "--yes"], "", &zone).await;
        assert_eq!(issued.code, Some(0), "{zone:?}: {issued:#?}");
        let token = issued.stdout.trim();
        let issued_at = part(token, 1)["iat"].as_i64().expect("a time");
        assert!((before..=now()).contains(&issued_at), "{zone:?}: {issued_at}");
        let verified = house.run_with(&["verify", "-"], &issued.stdout, &zone).await;
        assert_eq!(verified.code, Some(0), "{zone:?}: {verified:#?}");
        assert!(verified.stdout.contains("passes: it is the token of `claude`"), "{zone:?}: {verified:#?}");
        caller.until(token, 200).await;
    }
}
