//! The table of clients: complete, in order, and what it gives on a machine.

use hallpass_clients::{
    Client, Dialect, Machine, Os, ReferenceKind, Reload, Scope, app, client, clients, clients_page,
};
use serde_json::json;

fn on<'a>(os: Os, home: &'a str, variable: &'a dyn Fn(&str) -> Option<String>) -> Machine<'a> {
    Machine { os, home, variable, project: Some("/work/site") }
}

fn paths(client: &Client, machine: &Machine<'_>, scope: Scope) -> Vec<String> {
    let candidates = client.candidates(machine).into_iter();
    candidates.filter(|candidate| candidate.scope == scope).map(|candidate| candidate.path).collect()
}

fn known(id: &str) -> &'static Client {
    client(id).unwrap_or_else(|| panic!("{id} is not in the table"))
}

#[test]
fn the_table_is_in_order_and_says_where_each_fact_is_from() {
    let ids: Vec<_> = clients().iter().map(|client| client.id.as_str()).collect();
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(ids, sorted);
    for client in clients() {
        assert!(!client.source.is_empty() && !client.name.is_empty(), "{}", client.id);
        assert!(client.entry_path("x").is_some() != client.list, "{}", client.id);
    }
}

#[test]
fn every_verified_client_has_a_file_a_format_and_an_entry() {
    for client in clients().iter().filter(|client| client.verified) {
        let found = [Os::Linux, Os::Macos, Os::Windows]
            .into_iter()
            .any(|os| !paths(client, &on(os, "/home/u", &|_| None), Scope::User).is_empty());
        assert!(found && client.dialect().is_some(), "{}", client.id);
        let entry = client.stdio_entry("x", "/opt/hallpass", &["connect".into()]).expect("starts a program");
        let text = entry.to_string();
        assert!(text.contains("/opt/hallpass") && text.contains("connect"), "{}", client.id);
        assert!(!text.contains("\"{"), "{}: {text}", client.id);
        if let Some(entry) = client.http_entry("x", "https://gw", "Bearer t") {
            let text = entry.to_string();
            assert!(
                text.contains("https://gw") && text.contains("Bearer t") && !text.contains("\"{"),
                "{text}"
            );
        }
    }
}

#[test]
fn variables_move_the_file_they_are_for() {
    let moved = |name: &'static str| move |asked: &str| (asked == name).then(|| "/else".to_owned());
    let user = |id, variable: &dyn Fn(&str) -> Option<String>| {
        paths(known(id), &on(Os::Linux, "/home/u", variable), Scope::User)
    };
    assert_eq!(user("codex", &|_| None), ["/home/u/.codex/config.toml"]);
    assert_eq!(user("codex", &moved("CODEX_HOME")), ["/else/config.toml"]);
    assert_eq!(user("claude-code", &moved("CLAUDE_CONFIG_DIR")), ["/else/.claude.json"]);
    assert_eq!(user("zed", &moved("XDG_CONFIG_HOME"))[0], "/else/zed/settings.json");
    assert_eq!(user("codex", &|_| Some("/else/".to_owned())), ["/else/config.toml"], "one slash is enough");
    assert_eq!(
        user("codex", &|_| Some("else".to_owned())),
        Vec::<String>::new(),
        "where it is started is not known"
    );
    assert_eq!(user("crush", &|_| Some("else".to_owned())), Vec::<String>::new());
    assert_eq!(
        user("zed", &|name| (name == "XDG_CONFIG_HOME").then(|| "else".to_owned()))[0],
        "/home/u/.config/zed/settings.json"
    );
    assert_eq!(
        user("cline", &|name| Some(format!("/{name}"))),
        ["/CLINE_MCP_SETTINGS_PATH"],
        "the first variable counts"
    );
    assert_eq!(user("goose", &moved("GOOSE_PATH_ROOT")), ["/else/config/config.yaml"]);
    assert_eq!(user("kimi-cli", &moved("KIMI_SHARE_DIR")), ["/else/mcp.json"]);
    assert_eq!(user("vscode-insiders", &moved("VSCODE_APPDATA")), ["/else/Code - Insiders/User/mcp.json"]);
    let windows =
        on(Os::Windows, r"C:\Users\u", &|name| (name == "CODEX_HOME").then(|| r"D:\codex\".to_owned()));
    assert_eq!(paths(known("codex"), &windows, Scope::User), [r"D:\codex\config.toml"]);
    let elsewhere = moved("XDG_CONFIG_HOME");
    let mac = on(Os::Macos, "/Users/u", &elsewhere);
    assert_eq!(paths(known("crush"), &mac, Scope::User), ["/else/crush/crush.json"]);
    assert_eq!(
        user("opencode", &moved("OPENCODE_CONFIG")),
        ["/else", "/home/u/.config/opencode/opencode.jsonc", "/home/u/.config/opencode/opencode.json"],
        "this one is read besides the usual ones"
    );
}

#[test]
fn instances_of_one_client_are_told_apart() {
    let machine = on(Os::Linux, "/home/u", &|_| None);
    for (id, folder, server) in [
        ("vscode", "Code", ".vscode-server"),
        ("vscode-insiders", "Code - Insiders", ".vscode-server-insiders"),
    ] {
        let of = |scope| paths(known(id), &machine, scope);
        assert_eq!(of(Scope::User), [format!("/home/u/.config/{folder}/User/mcp.json")]);
        assert_eq!(of(Scope::Profile), [format!("/home/u/.config/{folder}/User/profiles/*/mcp.json")]);
        assert_eq!(of(Scope::Remote), [format!("/home/u/{server}/data/User/mcp.json")]);
        assert_eq!(of(Scope::Project), ["/work/site/.vscode/mcp.json"]);
    }
    let windows = on(Os::Windows, r"C:\Users\u", &|_| None);
    assert_eq!(
        paths(known("vscode"), &windows, Scope::Profile),
        [r"C:\Users\u\AppData\Roaming\Code\User\profiles\*\mcp.json"]
    );
    assert_eq!(
        paths(known("claude-desktop"), &windows, Scope::User)[0],
        r"C:\Users\u\AppData\Local\Packages\Claude_*\LocalCache\Roaming\Claude\claude_desktop_config.json"
    );
    let mac = on(Os::Macos, "/Users/u", &|_| None);
    assert_eq!(
        paths(known("vscode"), &mac, Scope::Profile),
        ["/Users/u/Library/Application Support/Code/User/profiles/*/mcp.json"]
    );
}

#[test]
fn files_of_former_versions_and_those_that_overrule_are_no_candidates() {
    let machine = on(Os::Linux, "/home/u", &|_| None);
    let cline = known("cline");
    let former =
        "/home/u/.config/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json";
    assert_eq!(cline.former_files(&machine), [former]);
    assert_eq!(known("crush").overruling_files(&machine), ["/home/u/.config/crush/crushrc"]);
    for client in clients() {
        let candidates = client.candidates(&machine);
        let mut others = client.former_files(&machine);
        others.extend(client.overruling_files(&machine));
        assert!(!candidates.iter().any(|candidate| others.contains(&candidate.path)), "{}", client.id);
    }
    let xcode = |os| paths(known("claude-code"), &on(os, "/Users/u", &|_| None), Scope::Profile);
    assert_eq!(
        xcode(Os::Macos),
        ["/Users/u/Library/Developer/Xcode/CodingAssistant/ClaudeAgentConfig/.claude.json"]
    );
    assert_eq!(xcode(Os::Linux), Vec::<String>::new());
}

#[test]
fn the_newer_form_of_a_client_is_known_by_its_file() {
    let form = |text: &str| known("opencode").form_of(text.as_bytes()).id.as_str();
    assert_eq!(form(r#"{"mcp": {"servers": {"a": {"type": "local"}}}}"#), "opencode-v2");
    assert_eq!(form(r#"{"mcp": {"servers": {}}}"#), "opencode-v2");
    for text in [
        r#"{"mcp": {"a": {"type": "local"}}}"#,
        r#"{"mcp": {"servers": {"type": "local", "command": []}}}"#,
        "",
        "{",
    ] {
        assert_eq!(form(text), "opencode", "{text}");
    }
    assert_eq!(known("codex").form_of(b"[mcp_servers.a]").id, "codex");
    let machine = on(Os::Linux, "/home/u", &|_| None);
    let files = |id| paths(known(id), &machine, Scope::User);
    assert_eq!(files("opencode"), files("opencode-v2"));
}

#[test]
fn entries_have_the_shape_that_their_client_reads() {
    let args = ["connect".to_owned(), "docs".to_owned()];
    let stdio = |id| known(id).stdio_entry("docs", "/opt/hallpass", &args);
    let http = |id| known(id).http_entry("docs", "https://gw/docs", "Bearer t");
    assert_eq!(
        stdio("opencode"),
        Some(json!({"type": "local", "command": ["/opt/hallpass", "connect", "docs"], "enabled": true}))
    );
    assert_eq!(
        stdio("goose"),
        Some(json!({"enabled": true, "name": "docs", "type": "stdio", "cmd": "/opt/hallpass", "args": args}))
    );
    assert_eq!(
        http("codex"),
        Some(json!({"url": "https://gw/docs", "http_headers": {"Authorization": "Bearer t"}}))
    );
    let goose = known("goose").http_entry("docs", "https://gw", "Bearer ${TOKEN}").expect("calls addresses");
    assert_eq!(goose["env_keys"], json!(["TOKEN"]), "it resolves what is listed, nothing else");
    assert_eq!(http("goose").and_then(|entry| entry.get("env_keys").cloned()), None);
    assert_eq!(http("claude-desktop"), None, "it reads no server with an address");
    let header = known("copilot-jetbrains").header_path("docs", "Authorization").map(|path| path.to_string());
    assert_eq!(header.as_deref(), Some("servers.docs.requestInit.headers.Authorization"));
}

#[test]
fn references_are_spelt_as_their_client_resolves_them() {
    let spelt = |id, kind, name| known(id).reference(kind).map(|reference| reference.to(name));
    let variable = |id| spelt(id, ReferenceKind::Environment, "TOKEN");
    assert_eq!(variable("cursor").as_deref(), Some("${env:TOKEN}"));
    assert_eq!(variable("claude-code").as_deref(), Some("${TOKEN}"));
    assert_eq!(variable("codex"), None);
    assert_eq!(known("codex").token_variable.as_deref(), Some("bearer_token_env_var"));
    assert_eq!(known("claude-code").headers_command.as_deref(), Some("headersHelper"));
    assert_eq!(spelt("opencode", ReferenceKind::File, "/t").as_deref(), Some("{file:/t}"));
    assert_eq!(spelt("vscode", ReferenceKind::Input, "t").as_deref(), Some("${input:t}"));
}

/// The facts of the collection of client configurations, as it spells them.
#[test]
fn the_first_clients_are_as_their_vendors_describe_them() {
    let check = |id, dialect, container: &str, reload, places: [&[&str]; 3]| {
        let app = app(id).expect("it is in the table");
        assert_eq!((app.dialect(), app.reload), (Some(dialect), reload), "{id}");
        assert_eq!(app.entry_path("x").expect("no list").segments(), [container, "x"], "{id}");
        let homes = [(Os::Linux, "/home/u"), (Os::Macos, "/Users/u"), (Os::Windows, r"C:\Users\u")];
        for ((os, home), expect) in homes.into_iter().zip(places) {
            assert_eq!(paths(app, &on(os, home, &|_| None), Scope::User), expect, "{id} on {os:?}");
        }
    };
    let claude = [
        ["/home/u/.config/Claude/claude_desktop_config.json"].as_slice(),
        &["/Users/u/Library/Application Support/Claude/claude_desktop_config.json"],
        &[
            r"C:\Users\u\AppData\Local\Packages\Claude_*\LocalCache\Roaming\Claude\claude_desktop_config.json",
            r"C:\Users\u\AppData\Roaming\Claude\claude_desktop_config.json",
        ],
    ];
    let code = [
        ["/home/u/.config/Code/User/mcp.json"].as_slice(),
        &["/Users/u/Library/Application Support/Code/User/mcp.json"],
        &[r"C:\Users\u\AppData\Roaming\Code\User\mcp.json"],
    ];
    check("claude-desktop", Dialect::Json, "mcpServers", Reload::Restart, claude);
    check("vscode", Dialect::Jsonc, "servers", Reload::Live, code);
    check("augment-vscode", Dialect::Json, "mcpServers", Reload::Unknown, [&[]; 3]);
    check("json", Dialect::Jsonc, "mcpServers", Reload::Unknown, [&[]; 3]);
    assert!(app("vscod").is_none());
}

#[test]
fn ways_to_place_a_token_are_offered_best_first() {
    let ways = |id| app(id).expect("known").placements().iter().map(|kind| kind.word()).collect::<Vec<_>>();
    assert_eq!(ways("claude-code"), ["bridge", "helper", "environment", "header", "variable"]);
    assert_eq!(ways("opencode"), ["bridge", "token-file", "environment", "header", "variable"]);
    assert_eq!(ways("crush"), ["bridge", "helper", "environment", "header", "variable"]);
    assert_eq!(ways("claude-desktop"), ["bridge", "variable"], "it reads no server with an address");
    assert_eq!(ways("continue"), ["instructions"], "a list is not edited");
    assert_eq!(ways("openclaw"), ["instructions"], "nor is JSON5");
    assert_eq!(ways("env"), ["env-file"]);
}

#[test]
fn the_page_names_every_client_with_its_files_and_ways() {
    let page = clients_page();
    let section = |client: &Client| {
        let (_, behind) = page.split_once(&format!("\n## {}\n", client.name)).expect("has a section");
        behind.split("\n#").next().unwrap_or_default().to_owned()
    };
    for client in hallpass_clients::apps() {
        let section = section(client);
        assert!(
            section.contains(&format!("- `{}`, ", client.id)) && section.contains(&client.source),
            "{}",
            client.id
        );
        assert!(client.placements().iter().all(|kind| section.contains(&format!("`{}`", kind.word()))));
    }
    let codex = section(known("codex"));
    assert!(
        codex.contains("- The user's file: `~/.codex/config.toml` on Linux, macOS, Windows\n"),
        "{codex}"
    );
    assert!(codex.contains("- Moved by: `$CODEX_HOME/config.toml`\n"), "{codex}");
    assert!(section(known("copilot-xcode")).contains("No file is known"));
    assert!(section(known("zed")).contains("- After a change of its file: nothing, it watches the file\n"));
}
