//! A gateway as a process: started, looked at, ended.

use super::home::Home;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Where the time went.
#[derive(Clone, Copy, Default)]
pub struct Cpu {
    /// In the threads that serve calls.
    pub calls: u64,
    /// In the others: most of it is writing the log.
    pub log: u64,
}

/// A running gateway, killed when it is dropped.
pub struct Gateway {
    child: Child,
    /// `127.0.0.1:PORT`
    pub address: String,
    /// From the start of the process until it listened.
    pub started_in: Duration,
}

impl Gateway {
    pub fn start(home: &Home) -> Self {
        let begun = Instant::now();
        let mut command = home.command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let ready =
            said.find_map(|line| Some(line.unwrap().strip_prefix("listening on http://")?.to_owned()));
        let started_in = begun.elapsed();
        let address = ready.expect("the gateway listens");
        // Whatever it says later is shown, and never fills the pipe.
        std::thread::spawn(move || said.for_each(|line| eprintln!("gateway: {}", line.unwrap_or_default())));
        Self { child, address, started_in }
    }

    /// Processor time that it has had so far, in nanoseconds.
    pub fn cpu(&self) -> Cpu {
        let mut cpu = Cpu::default();
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap() {
            let read =
                |file: &str| std::fs::read_to_string(task.as_ref().unwrap().path().join(file)).unwrap();
            let spent = first_number(&read("schedstat"));
            if read("comm").starts_with("gateway-") { cpu.calls += spent } else { cpu.log += spent }
        }
        cpu
    }

    /// Memory in MB: now, and the most so far.
    pub fn memory_mb(&self) -> (f64, f64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            first_number(line.trim_start()) as f64 / 1024.0
        };
        (field("VmRSS:"), field("VmHWM:"))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn first_number(text: &str) -> u64 {
    text.split_whitespace().next().unwrap().parse().unwrap()
}
