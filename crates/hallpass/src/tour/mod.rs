//! `hallpass tour`: the whole story in a temporary home. It checks what it shows, and touches nothing of the user's.

mod client;
mod old_program;
mod stage;

use crate::fault::{Doing, Fault, Result};
use crate::output::{Output, Style};
use crate::sample;
use client::Client;
use serde_json::{Value, json};
use stage::Stage;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long any single step may take.
const STEP: Duration = Duration::from_secs(10);
/// How soon after `hallpass revoke` has returned a call must be refused.
const REFUSED_WITHIN: Duration = Duration::from_millis(300);
/// How soon an open stream must have ended.
const CUT_WITHIN: Duration = Duration::from_secs(1);

const CLIENTS: [&str; 3] = ["vscode1", "vscode2", "claude"];

/// Plays the story. `keep`: the home is made there and left.
pub async fn run(keep: Option<&Path>, output: Output) -> Result<()> {
    let began = now();
    let mut tour = Tour { output, shown: Vec::new(), titles: 0 };
    let upstream =
        tokio::net::TcpListener::bind("127.0.0.1:0").await.doing("cannot start the sample server")?;
    let server = upstream.local_addr().doing("the sample server's address")?;
    let mut stage = Stage::set(keep, server)?;
    let ended = tokio::select! {
        ended = tour.play(&mut stage) => ended,
        ended = sample::serve(upstream) => Err(Fault::new(format!("the sample server stopped: {ended:?}"))),
        _ = tokio::signal::ctrl_c() => Err(Fault::new("interrupted")),
    };
    stage.stop().await;
    ended.map_err(|fault| Fault::new(format!("the tour found something that does not hold: {fault}")))?;
    tour.summary(&stage, began.elapsed());
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the tour measures real delays")]
fn now() -> Instant {
    Instant::now()
}

struct Tour {
    output: Output,
    shown: Vec<String>,
    titles: usize,
}

impl Tour {
    async fn play(&mut self, stage: &mut Stage) -> Result<()> {
        self.issue_and_place(stage).await?;
        let mut clients = self.call(stage).await?;
        self.names_in_the_log(stage).await?;
        self.cut_one_off(stage, &mut clients).await?;
        self.leave_the_secret_behind(stage).await?;
        self.second_run(stage).await?;
        self.check_the_record(stage).await
    }

    async fn issue_and_place(&mut self, stage: &mut Stage) -> Result<()> {
        self.title("One command: keys, three tokens, three files, the gateway");
        self.typed("hallpass up --yes");
        for line in stage.up().await? {
            self.quote(&line);
        }
        let mut tokens = Vec::new();
        for client in CLIENTS {
            stage.check_only_ours_changed(client)?;
            tokens.push(stage.token(client)?);
        }
        tokens.dedup();
        ensure(tokens.len() == CLIENTS.len(), "three clients have three different tokens")?;
        self.show("three clients got three different tokens; in each file only our line changed");
        Ok(())
    }

    async fn call(&mut self, stage: &Stage) -> Result<Vec<Client>> {
        self.title("Each client calls the same server through the gateway, with its own token");
        let mut clients = Vec::new();
        for name in CLIENTS {
            let mut client = Client::connect(stage, name)?;
            client.initialize().await?;
            let answer = client.call("echo", &json!({ "text": format!("hello from {name}") })).await?;
            let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_default().to_owned();
            ensure(text.contains(name), "the sample server answers the call")?;
            self.quote(&format!("{name}: echo -> {text}"));
            clients.push(client);
        }
        Ok(clients)
    }

    async fn names_in_the_log(&mut self, stage: &Stage) -> Result<()> {
        self.title("The log names every one of them");
        self.typed("hallpass log");
        let log =
            stage.log_until(|lines| CLIENTS.iter().all(|client| find_call(lines, client).is_some())).await?;
        for client in CLIENTS {
            self.quote(find_call(&log, client).unwrap_or_default());
        }
        self.show("each call is on a line with its client's name");
        Ok(())
    }

    async fn cut_one_off(&mut self, stage: &Stage, clients: &mut [Client]) -> Result<()> {
        self.title("One laptop is lost: its client is cut off, the others notice nothing");
        let [first, lost, other] = clients else { return Err(Fault::new("three clients")) };
        let (stream, lost_stream) = (first.open_stream().await?, lost.open_stream().await?);
        self.typed("hallpass revoke vscode2 --reason \"laptop lost\"");
        for line in stage.command(&["revoke", "vscode2", "--reason", "laptop lost"]).await? {
            self.quote(&line);
        }
        let revoked = now();
        let (last_success, refused) = within(STEP, call_until_refused(lost, revoked)).await?;
        let end = within(STEP, lost.answer_to(lost_stream)).await?;
        let cut_after = revoked.elapsed();
        ensure(is_error(&end), "the open stream of the revoked client ends")?;
        ensure(cut_after <= CUT_WITHIN, "the stream ends within 1 s")?;
        ensure(
            is_error(&refused) && message(&refused).contains("revoked"),
            "its next call is refused with the reason",
        )?;
        ensure(last_success <= REFUSED_WITHIN, "no call succeeds later than 300 ms after the command")?;
        self.quote(&format!("vscode2: {}", message(&refused)));
        within(STEP, first.next_message(stream)).await?;
        for client in [first, other] {
            let answer = client.call("echo", &json!({ "text": "still here" })).await?;
            ensure(!is_error(&answer), "the others go on")?;
        }
        let shown = format!(
            "vscode2's open stream was cut {} ms after the command returned, its next call refused; the stream of vscode1 flows on",
            cut_after.as_millis()
        );
        self.show(&shown);
        Ok(())
    }

    async fn leave_the_secret_behind(&mut self, stage: &Stage) -> Result<()> {
        self.title(
            "A program that still shows the old shared secret goes on until a date, or until you end it",
        );
        let (secret, file) = stage.old_secret()?;
        let (status, _) = old_program::call(stage.endpoint(), secret).await?;
        ensure(status == 401, "before a grace period the shared secret lets nobody in")?;
        self.command(stage, &["grace", "start", "--until", "14d", "--secret-file", file, "--yes", "--wait"])
            .await?;
        let (status, answer) = old_program::call(stage.endpoint(), secret).await?;
        ensure(status == 200, "during it the old program is let in")?;
        let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_default();
        self.quote(&format!("{}: echo -> {text}", old_program::NAME));
        let log = stage.log_until(|lines| find_legacy(lines).is_some()).await?;
        self.quote(find_legacy(&log).unwrap_or_default());
        let status = self.command(stage, &["grace", "status"]).await?;
        let listed = format!("{}/1 at 127.0.0.1: 1 call", old_program::NAME);
        ensure(
            status.iter().any(|line| line.contains(&listed)),
            "the status names the one that has not moved",
        )?;
        self.typed("hallpass grace end --yes");
        let refusal = stage.refused(&["grace", "end", "--yes"]).await?;
        ensure(
            refusal.contains("was let in by the shared secret"),
            "an end over recent use wants to be forced",
        )?;
        self.quote(refusal.lines().next().unwrap_or_default());
        self.command(stage, &["grace", "end", "--force", "--yes", "--wait"]).await?;
        let (status, answer) = old_program::call(stage.endpoint(), secret).await?;
        ensure(status == 401, "after the end the old program is refused")?;
        let told = answer["error_description"].as_str().unwrap_or_default();
        ensure(told.contains("no longer accepted"), "it is told why")?;
        self.quote(&format!("{}: {told}", old_program::NAME));
        self.show("the shared secret was let in as `legacy`, its caller listed as the one that has not moved, and refused after `grace end`");
        Ok(())
    }

    /// Types a command, runs it, and shows what it printed.
    async fn command(&self, stage: &Stage, arguments: &[&str]) -> Result<Vec<String>> {
        self.typed(&format!("hallpass {}", arguments.join(" ")));
        let lines = stage.command(arguments).await?;
        for line in lines.iter().filter(|line| !line.is_empty()) {
            self.quote(line);
        }
        Ok(lines)
    }

    async fn second_run(&mut self, stage: &mut Stage) -> Result<()> {
        self.title("A second run changes nothing, and gives a revoked client nothing back");
        let before = stage.look_at_files()?;
        self.typed("hallpass apply --yes");
        for line in stage.command(&["apply", "--yes"]).await? {
            self.quote(&line);
        }
        ensure(before == stage.look_at_files()?, "a second run leaves every file as it is, byte and time")?;
        self.show("`apply` left every file as it was, and did not re-issue what a person revoked");
        Ok(())
    }

    async fn check_the_record(&mut self, stage: &Stage) -> Result<()> {
        self.title(
            "All of it is on record, and anybody with the public key can check that nothing was changed",
        );
        let said = self.command(stage, &["audit", "verify"]).await?;
        ensure(said.iter().any(|line| line.starts_with("whole: ")), "the record is whole")?;
        self.show("the record of all this is whole; `hallpass audit pin` hands out what shows it later");
        Ok(())
    }

    fn title(&mut self, text: &str) {
        self.titles += 1;
        self.output.styled_line("\n", Style::Title, &format!("{}. {text}", self.titles), "");
    }

    fn typed(&self, text: &str) {
        self.output.line(format!("   $ {text}"));
    }

    fn quote(&self, text: &str) {
        self.output.line(format!("     {text}"));
    }

    fn show(&mut self, text: &str) {
        self.output.styled_line("   ", Style::Good, "ok", &format!(" {text}"));
        self.shown.push(text.to_owned());
    }

    fn summary(&self, stage: &Stage, took: Duration) {
        self.output.line(format!("\nShown and checked in {:.1} s:", took.as_secs_f32()));
        for shown in &self.shown {
            self.output.line(format!("  - {shown}"));
        }
        match stage.kept() {
            Some(folder) => self.output.line(format!(
                "\nThe home is left in {}: look at it with `hallpass --home {} status`",
                folder.display(),
                folder.join("home").display()
            )),
            None => self.output.line("\nNothing of yours was touched. Next: `hallpass init`, name your clients in hallpass.toml, `hallpass up`."),
        }
        self.output.document(&json!({ "held": true, "shown": self.shown, "seconds": took.as_secs_f32(), "kept": stage.kept() }));
    }
}

/// Calls without pause until a call is refused. How long after `since` the last success came, and the refusal.
async fn call_until_refused(client: &mut Client, since: Instant) -> Result<(Duration, Value)> {
    let mut last_success = Duration::ZERO;
    loop {
        let answer = client.call("echo", &json!({ "text": "still there?" })).await?;
        if is_error(&answer) {
            return Ok((last_success, answer));
        }
        last_success = since.elapsed();
    }
}

fn find_call<'a>(lines: &'a [String], client: &str) -> Option<&'a str> {
    let name = format!(" client={client} ");
    lines
        .iter()
        .find(|line| line.contains(&name) && line.contains("tool=echo") && line.contains(" ok"))
        .map(String::as_str)
}

/// The call of somebody who showed the shared secret.
fn find_legacy(lines: &[String]) -> Option<&str> {
    lines.iter().find(|line| line.contains(" client=- legacy ") && line.contains(" ok")).map(String::as_str)
}

fn is_error(answer: &Value) -> bool {
    answer.get("error").is_some()
}

fn message(answer: &Value) -> &str {
    answer["error"]["message"].as_str().unwrap_or_default()
}

fn ensure(holds: bool, what: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(Fault::new(format!("not so: {what}"))) }
}

async fn within<T>(limit: Duration, step: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(limit, step)
        .await
        .map_err(|_| Fault::new(format!("nothing came within {} s", limit.as_secs())))?
}
