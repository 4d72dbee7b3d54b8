//! The programs: where npm puts them, what keeps them at home, in which ways tokens get to them, what they say. Data only.

use crate::listing::{self, Shown};

/// One real client.
pub(crate) struct Program {
    /// Its id in the table of clients.
    pub(crate) app: &'static str,
    /// What starts it. A path is one in the npm folder.
    pub(crate) start: &'static [&'static str],
    /// Files that it has before Hallpass comes, below the user's home. Without them some programs have no folder yet.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// What keeps it from telemetry, updates and the like, by its own documentation.
    pub(crate) variables: &'static [(&'static str, &'static str)],
    /// How tokens get to it.
    pub(crate) ways: &'static [Way],
    /// How it tells which servers it has.
    pub(crate) tells: Tells,
}

/// A way in which a token gets to a program.
pub(crate) struct Way {
    /// For `--placement`; without it, what `hallpass add` does by itself.
    pub(crate) placement: Option<&'static str>,
    /// What the program says among other words once the client is revoked.
    pub(crate) refused: &'static str,
}

/// How a program tells which servers it has, and how each of them is.
pub(crate) enum Tells {
    /// `mcp list` connects and says how that went.
    List(fn(&str) -> Vec<Shown>),
    /// `mcp list` only reads; the `app-server` connects.
    CodexServer,
}

impl Way {
    /// The word for it.
    pub(crate) fn word(&self) -> &'static str {
        self.placement.unwrap_or("bridge")
    }

    /// The client that it is placed for.
    pub(crate) fn client(&self, app: &str) -> String {
        format!("{app}-{}", self.word())
    }
}

const fn by_itself(refused: &'static str) -> Way {
    Way { placement: None, refused }
}

const fn placed(placement: &'static str, refused: &'static str) -> Way {
    Way { placement: Some(placement), refused }
}

/// The gateway's own words, which the bridge hands on.
const REVOKED: &str = "this token was revoked on ";

pub(crate) const ALL: [Program; 4] = [
    Program {
        app: "codex",
        start: &[".bin/codex"],
        // https://developers.openai.com/codex/config-reference; with plugins it asks for those of a public repository.
        files: &[(
            ".codex/config.toml",
            "check_for_update_on_startup = false

[analytics]
enabled = false

[features]
plugins = false
",
        )],
        variables: &[],
        // Over HTTP it takes every 401 for a missing login, and keeps the answer's words to itself.
        ways: &[
            by_itself(REVOKED),
            placed("helper", "Auth required"),
            placed("environment", "Auth required"),
            placed("header", "Auth required"),
        ],
        tells: Tells::CodexServer,
    },
    Program {
        app: "gemini-cli",
        start: &[".bin/gemini"],
        // `bundle/docs/reference/configuration.md` in its package
        files: &[(
            ".gemini/settings.json",
            r#"{
  "general": {
    "enableAutoUpdate": false,
    "enableAutoUpdateNotification": false
  },
  "privacy": {
    "usageStatisticsEnabled": false
  }
}
"#,
        )],
        // `bundle/docs/cli/trusted-folders.md`: in a folder that nobody trusts it connects to no server.
        variables: &[("GEMINI_CLI_TRUST_WORKSPACE", "true")],
        // Its list says no more than that.
        ways: &[
            by_itself("Disconnected"),
            placed("environment", "Disconnected"),
            placed("header", "Disconnected"),
        ],
        tells: Tells::List(listing::gemini),
    },
    Program {
        app: "claude-code",
        // What stands in for its install script.
        start: &["node", "@anthropic-ai/claude-code/cli-wrapper.cjs"],
        files: &[],
        // https://code.claude.com/docs/en/env-vars
        variables: &[
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
            ("DISABLE_AUTOUPDATER", "1"),
            ("DISABLE_ERROR_REPORTING", "1"),
            ("DISABLE_TELEMETRY", "1"),
        ],
        ways: &[
            by_itself(REVOKED),
            placed("helper", REVOKED),
            placed("environment", REVOKED),
            placed("header", REVOKED),
        ],
        tells: Tells::List(listing::claude),
    },
    Program {
        app: "opencode",
        // The build itself: its launcher's package needs an install script, and a second build. Elsewhere it is skipped.
        start: &["opencode-linux-x64/bin/opencode"],
        // https://opencode.ai/docs/config, https://opencode.ai/docs/cli; nothing there keeps it from asking npm for a package
        // of its own, so it asks in vain.
        files: &[(
            ".config/opencode/opencode.jsonc",
            r#"{
  "autoupdate": false,
  "share": "disabled"
}
"#,
        )],
        variables: &[
            ("OPENCODE_DISABLE_AUTOUPDATE", "true"),
            ("OPENCODE_DISABLE_DEFAULT_PLUGINS", "true"),
            ("OPENCODE_DISABLE_LSP_DOWNLOAD", "true"),
            ("OPENCODE_DISABLE_MODELS_FETCH", "true"),
        ],
        // Over HTTP it tries the transport of 2024-11-05 after a 401, and shows how that went.
        ways: &[
            by_itself(REVOKED),
            placed("token-file", "401"),
            placed("environment", "401"),
            placed("header", "401"),
        ],
        tells: Tells::List(listing::opencode),
    },
];
