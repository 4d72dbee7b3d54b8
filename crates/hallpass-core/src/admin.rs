//! `[admin]` and `[warnings]` of hallpass.toml: where a running gateway can be watched, and which warnings do more than warn.

use crate::roster::{RosterFault, value};
use crate::uses::WarningKind;
use core::net::SocketAddr;
use serde::Deserialize;
use std::collections::BTreeSet;

/// Where metrics are served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdminSettings {
    /// Address and port. Absent: nowhere.
    pub listen: Option<SocketAddr>,
    /// `Host` values that are accepted besides the address itself and, on loopback, `localhost`.
    pub hosts: Vec<String>,
}

/// What a warning does besides warning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WarningSettings {
    /// The warnings that disable the token's client.
    pub disable: BTreeSet<WarningKind>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAdmin {
    listen: Option<String>,
    #[serde(default)]
    hosts: Vec<String>,
}

impl RawAdmin {
    pub(crate) fn check(self) -> Result<AdminSettings, RosterFault> {
        if self.hosts.iter().any(|entry| entry.is_empty() || entry.contains('*')) {
            return Err(value(
                "admin.hosts",
                "each entry must be one exact value: empty ones and `*` are refused",
            ));
        }
        let listen = self.listen.map(|text| {
            text.parse()
                .map_err(|_| value("admin.listen", "it must be an address and a port, like `127.0.0.1:4256`"))
        });
        Ok(AdminSettings { listen: listen.transpose()?, hosts: self.hosts })
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawWarnings {
    #[serde(default)]
    disable: Vec<String>,
}

impl RawWarnings {
    pub(crate) fn check(self) -> Result<WarningSettings, RosterFault> {
        let kind = |word: String| {
            let kind = WarningKind::from_word(&word).ok_or_else(|| {
                let known = WarningKind::ALL.map(WarningKind::as_str).join("`, `");
                value("warnings.disable", &format!("`{}` is none of `{known}`", word.escape_debug()))
            })?;
            // Whose token it would be, its signer chose.
            if kind == WarningKind::UnknownToken {
                return Err(value("warnings.disable", "of `unknown_token` there is nobody to disable"));
            }
            Ok(kind)
        };
        Ok(WarningSettings { disable: self.disable.into_iter().map(kind).collect::<Result<_, _>>()? })
    }
}
