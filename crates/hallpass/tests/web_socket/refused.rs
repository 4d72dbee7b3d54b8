//! What stops `serve` before it listens, and `shim` before it dials: a credential that is named and not there, or there and
//! no text, means `none` to nobody.

use crate::program::Hallpass;

async fn made(server: &str) -> Hallpass {
    let hallpass = Hallpass::new();
    hallpass.write("hallpass.toml", &format!("[servers.exai]\n{server}\n"));
    hallpass.must(&["init"]).await;
    hallpass
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legacy_token_that_is_named_has_to_be_there() {
    let hallpass = made("url = \"ws://127.0.0.1:1/\"\nlegacy_token_env = \"DAEMONS_TOKEN\"").await;
    for value in [None, Some("")] {
        let mut serve = hallpass.command(&["serve", "--listen", "127.0.0.1:0"]);
        serve.envs(value.map(|value| ("DAEMONS_TOKEN", value)));
        let outcome = hallpass.finish(serve).await;
        assert_eq!(outcome.code, Some(1));
        assert_eq!(
            outcome.stderr,
            "error: `servers.exai.legacy_token_env` names `DAEMONS_TOKEN`, which is empty or not set\n\
             hint: set it for this process, or take `legacy_token_env` out if the server asks for no token\n"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_the_daemon_still_has_says_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let hallpass = made(&format!("url = \"ws://127.0.0.1:1/\"\nlisten = \"{address}\"")).await;
    let outcome = hallpass.run(&["serve", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome.stderr.contains("let it listen on another one and change its `url`"),
        "{}",
        outcome.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_of_the_shim_that_is_no_text_is_not_taken_for_none() {
    use std::os::unix::ffi::OsStringExt as _;
    let hallpass = Hallpass::new();
    let mut shim = hallpass.command(&["shim"]);
    shim.env("EXAI_JWT_TOKEN", std::ffi::OsString::from_vec(vec![b'a', 0xff]));
    let outcome = hallpass.finish(shim).await;
    assert_eq!(outcome.code, Some(64));
    assert_eq!(
        outcome.stderr,
        "error: `EXAI_JWT_TOKEN` is not UTF-8\n\
         hint: leave `EXAI_JWT_TOKEN` out, or set it in the `env` of the client's entry\n"
    );
}
