//! The report's tables, as data: what stands in which column. Knows no markup, so that every rendering says the same.

use super::table::{Cell, Column, Table};
use hallpass_core::UnixTime;
use hallpass_core::report::{Act, Counts, Credential, Report, Section, UsageLine, grouped};

const fn text(name: &'static str) -> Column {
    Column { name, number: false }
}

const fn number(name: &'static str) -> Column {
    Column { name, number: true }
}

fn optional(text: Option<&String>, cell: impl Fn(String) -> Cell) -> Cell {
    text.map_or(Cell::Nothing, |text| cell(text.clone()))
}

fn at(at: UnixTime) -> Cell {
    Cell::Moment(at.seconds().saturating_mul(1000))
}

fn both(first: Cell, second: Cell) -> Cell {
    match (first, second) {
        (Cell::Nothing, only) | (only, Cell::Nothing) => only,
        (first, second) => Cell::Both(Box::new(first), Box::new(second)),
    }
}

/// All tables, in the order of the report.
pub(super) fn tables(report: &Report) -> Vec<Table> {
    let mut tables = vec![
        refusals(report),
        usage("Usage by client", "Client", &report.usage.client),
        usage("Usage by server", "Server", &report.usage.server),
        usage("Usage by tool", "Tool", &report.usage.tool),
        who_used_what(report),
        clients(report),
        credentials(report),
    ];
    for section in Section::ALL {
        tables.push(acts(report, section));
        if section == Section::Keys {
            tables.push(keys(report));
        }
        if section == Section::Policies {
            tables.push(would_refuse(report));
        }
        if section == Section::Grace {
            tables.push(legacy(report));
        }
    }
    tables
}

fn refusals(report: &Report) -> Table {
    let rows = report.refusals.iter().map(|line| {
        let named: u64 = line.clients.values().sum();
        let mut who: Vec<String> =
            line.clients.iter().map(|(client, count)| format!("{client}: {}", grouped(*count))).collect();
        if named < line.count {
            who.push(format!("nobody that was verified: {}", grouped(line.count - named)));
        }
        vec![
            Cell::Name(line.reason.clone()),
            Cell::Number(line.count),
            Cell::Outside(who.join(", ")),
            both(Cell::Moment(line.first_ms), Cell::Moment(line.last_ms)),
        ]
    });
    Table {
        title: "Refusals by reason",
        note: "The gateway answered these itself: nothing of them reached a server.".into(),
        empty: "No call was refused.",
        columns: vec![text("Reason"), number("Refused"), text("Whose token was shown"), text("First, last")],
        rows: rows.collect(),
    }
}

fn usage(title: &'static str, what: &'static str, lines: &[UsageLine]) -> Table {
    let mut columns = vec![text(what)];
    columns.extend(COUNTS);
    let rows = lines.iter().map(|line| {
        let name = match what {
            "Client" => who(line.client.as_ref()),
            "Server" => optional(line.server.as_ref(), Cell::Name),
            _ => {
                both(optional(line.tool.as_ref(), Cell::Outside), optional(line.server.as_ref(), Cell::Name))
            }
        };
        let mut row = vec![if name == Cell::Nothing { Cell::Words("none".into()) } else { name }];
        row.extend(counts(&line.counts));
        row
    });
    Table { title, note: String::new(), empty: "No call in the period.", rows: rows.collect(), columns }
}

const COUNTS: [Column; 9] = [
    number("Calls"),
    number("Errors"),
    number("Failed"),
    number("Refused"),
    number("Cut"),
    number("Median"),
    number("95 %"),
    number("In, out"),
    text("First, last"),
];

fn counts(counts: &Counts) -> [Cell; 9] {
    let micros = |micros: Option<u64>| micros.map_or(Cell::Nothing, Cell::Micros);
    let moment = |at_ms: Option<i64>| at_ms.map_or(Cell::Nothing, Cell::Moment);
    [
        Cell::Number(counts.calls),
        Cell::Number(counts.errors),
        Cell::Number(counts.failed),
        Cell::Number(counts.refused),
        Cell::Number(counts.cut),
        micros(counts.p50_us),
        micros(counts.p95_us),
        both(Cell::Bytes(counts.bytes_in), Cell::Bytes(counts.bytes_out)),
        both(moment(counts.first_ms), moment(counts.last_ms)),
    ]
}

fn who(client: Option<&String>) -> Cell {
    client.map_or_else(|| Cell::Words("nobody that was verified".into()), |name| Cell::Name(name.clone()))
}

fn who_used_what(report: &Report) -> Table {
    let rows = report.usage.client_and_server.iter().map(|line| {
        vec![
            who(line.client.as_ref()),
            optional(line.server.as_ref(), Cell::Name),
            Cell::Number(line.counts.calls),
            Cell::Number(line.counts.let_in()),
            Cell::Number(line.counts.refused),
        ]
    });
    Table {
        title: "Who called which server",
        note: String::new(),
        empty: "No call in the period.",
        columns: vec![text("Client"), text("Server"), number("Calls"), number("Let in"), number("Refused")],
        rows: rows.collect(),
    }
}

fn clients(report: &Report) -> Table {
    let rows = report.clients.iter().map(|client| {
        let servers = match &client.servers {
            None => Cell::Words("all".into()),
            Some(servers) if servers.is_empty() => Cell::Words("none".into()),
            Some(servers) => Cell::Outside(servers.join(", ")),
        };
        let calls = report.usage.client.iter().find(|line| line.client.as_ref() == Some(&client.name));
        vec![
            Cell::Name(client.name.clone()),
            Cell::Outside(client.app.clone()),
            Cell::Words(client.state.into()),
            servers,
            optional(client.policy.as_ref(), Cell::Name),
            Cell::Number(calls.map_or(0, |line| line.counts.calls)),
        ]
    });
    let never = report.never_used.len();
    Table {
        title: "Clients",
        note: match never {
            0 => "As they are registered when the report is made.".into(),
            _ => format!(
                "As they are registered when the report is made. Without a call in the period: {}.",
                report.never_used.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            ),
        },
        empty: "No client is registered.",
        columns: vec![
            text("Client"),
            text("Program"),
            text("State"),
            text("Servers"),
            text("Policy"),
            number("Calls"),
        ],
        rows: rows.collect(),
    }
}

fn credentials(report: &Report) -> Table {
    Table {
        title: "Credentials",
        note: "Every token that counted at some time in the period, by its public handle; the registry keeps no token.".into(),
        empty: "No token counted in the period.",
        columns: vec![
            text("Client"),
            text("Token, key"),
            text("Issued, ends"),
            text("State"),
            text("Ended because"),
            number("Calls"),
        ],
        rows: report.credentials.iter().map(credential).collect(),
    }
}

fn credential(token: &Credential) -> Vec<Cell> {
    let state = if token.adopted { format!("{}, adopted", token.state) } else { token.state.into() };
    vec![
        Cell::Name(token.client.clone()),
        both(Cell::Name(token.jti.clone()), Cell::Name(token.kid.clone())),
        both(at(token.issued_at), at(token.expires_at)),
        both(Cell::Words(state), token.ended_at.map_or(Cell::Nothing, at)),
        optional(token.reason.as_ref(), Cell::Outside),
        Cell::Number(token.calls),
    ]
}

fn acts(report: &Report, section: Section) -> Table {
    Table {
        title: section.title(),
        note: String::new(),
        empty: "None in the period.",
        columns: vec![
            number("Record"),
            text("When"),
            text("What"),
            text("Client, token"),
            text(match section {
                Section::Credentials | Section::Revocations => "Why",
                Section::Grace
                | Section::Policies
                | Section::Keys
                | Section::Warnings
                | Section::Configuration => "What exactly, why",
            }),
            text("By whom"),
        ],
        rows: report.acts_of(section).map(act).collect(),
    }
}

fn act(act: &Act) -> Vec<Cell> {
    vec![
        act.seq.map_or_else(|| Cell::Words("closed".into()), |seq| Cell::Words(seq.to_string())),
        Cell::Moment(act.at_ms),
        Cell::Name(act.kind.clone()),
        both(optional(act.client.as_ref(), Cell::Name), optional(act.jti.as_ref(), Cell::Name)),
        optional(act.reason.as_ref(), Cell::Outside),
        optional(act.by.as_ref(), Cell::Outside),
    ]
}

fn keys(report: &Report) -> Table {
    let rows = report.keys.iter().map(|key| {
        let state = if key.former { format!("{}, of a former set-up", key.state) } else { key.state.into() };
        vec![
            Cell::Name(key.kid.clone()),
            Cell::Words(key.algorithm.clone()),
            Cell::Words(state),
            at(key.created_at),
            optional(key.reason.as_ref(), Cell::Outside),
        ]
    });
    Table {
        title: "Keys",
        note: "As they stand when the report is made.".into(),
        empty: "There is no key.",
        columns: vec![text("Key"), text("Algorithm"), text("State"), text("Made"), text("Revoked because")],
        rows: rows.collect(),
    }
}

fn would_refuse(report: &Report) -> Table {
    let rows = report.would_refuse.iter().map(|line| {
        vec![Cell::Name(line.policy.clone()), Cell::Name(line.reason.clone()), Cell::Number(line.count)]
    });
    Table {
        title: "What policies that only watch would have refused",
        note: String::new(),
        empty: "Nothing.",
        columns: vec![text("Policy"), text("Reason"), number("Calls")],
        rows: rows.collect(),
    }
}

fn legacy(report: &Report) -> Table {
    let rows = report.legacy.iter().map(|line| {
        let program = both(
            optional(line.client_info.as_ref(), Cell::Outside),
            optional(line.user_agent.as_ref(), Cell::Outside),
        );
        vec![
            if program == Cell::Nothing { Cell::Words("did not say".into()) } else { program },
            optional(line.path_client.as_ref(), Cell::Name),
            optional(line.address.as_ref(), Cell::Name),
            Cell::Number(line.let_in),
            Cell::Number(line.refused),
            both(Cell::Moment(line.first_ms), Cell::Moment(line.last_ms)),
        ]
    });
    Table {
        title: "Use of the shared secret",
        note: legacy_note(report),
        empty: "Nobody showed it.",
        columns: vec![
            text("Program, as it says"),
            text("Address of"),
            text("From"),
            number("Let in"),
            number("Refused"),
            text("First, last"),
        ],
        rows: rows.collect(),
    }
}

fn legacy_note(report: &Report) -> String {
    match &report.grace {
        None => "There was no grace period.".into(),
        Some(grace) => match grace.over_since {
            Some(over) => format!(
                "The grace period began at {} and is over since {}. What callers say of themselves proves nothing.",
                grace.started_at, over
            ),
            None => format!(
                "A grace period runs from {} until {}. What callers say of themselves proves nothing.",
                grace.started_at, grace.until
            ),
        },
    }
}
