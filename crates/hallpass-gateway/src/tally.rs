//! What each caller has under way and what is left of its budget, in all threads together. In memory: a limit waits for
//! no disk and is counted from no log.

use hallpass_core::Denial;
use hallpass_core::judge::Principal;
use hallpass_core::policy::Policy;
use hallpass_core::rate::{Rate, Step};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::time::Instant;

const SECOND_US: u64 = 1_000_000;

/// The callers' accounts, by the clients' names. Those who share the shared secret cannot be told apart, whichever path
/// they dial: they share one.
#[derive(Debug)]
pub(crate) struct Tallies {
    clients: RwLock<HashMap<Box<str>, Arc<Account>>>,
    legacy: Arc<Account>,
    /// Budgets go by the clock that only goes forward.
    started: Instant,
}

#[derive(Debug, Default)]
struct Account {
    /// Calls and streams in progress.
    open: AtomicUsize,
    /// Calls that wait for their answers, of callers under a policy.
    waiting: AtomicU32,
    budget: Mutex<Budget>,
}

/// What was spent, and by which rate. It outlives a change of the policy: otherwise each would hand out a fresh burst.
#[derive(Debug, Default)]
struct Budget {
    rate: Option<Rate>,
    whole_at_us: i64,
}

/// One call or stream in progress.
#[derive(Debug)]
pub(crate) struct Tally {
    account: Arc<Account>,
    waits: bool,
}

/// More than a policy allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Excess {
    InFlight,
    Rate { wait_s: u64 },
}

impl Tallies {
    pub(crate) fn new() -> Self {
        Self { clients: RwLock::default(), legacy: Arc::default(), started: Instant::now() }
    }

    /// Counts a call or stream of `principal`, unless `most` are in progress.
    pub(crate) fn take(&self, principal: Principal<'_>, most: usize) -> Result<Tally, Denial> {
        let account = match principal {
            Principal::Client(client) => self.account_of(client.as_str()),
            Principal::Legacy(_) => Arc::clone(&self.legacy),
        };
        // Dropping the tally takes the call off again.
        let before = account.open.fetch_add(1, Ordering::Relaxed);
        let tally = Tally { account, waits: false };
        if before >= most { Err(Denial::TooManyInFlight) } else { Ok(tally) }
    }

    /// Forgets clients that are no longer there. Accounts in use live on with their calls.
    pub(crate) fn keep_only(&self, is_client: impl Fn(&str) -> bool) {
        let mut accounts = self.clients.write().unwrap_or_else(PoisonError::into_inner);
        accounts.retain(|client, account| is_client(client) || account.open.load(Ordering::Relaxed) > 0);
    }

    /// The calls and streams of all callers together.
    pub(crate) fn in_progress(&self) -> usize {
        let accounts = self.clients.read().unwrap_or_else(PoisonError::into_inner);
        let clients = accounts.values().map(|account| account.open.load(Ordering::Relaxed)).sum::<usize>();
        clients + self.legacy.open.load(Ordering::Relaxed)
    }

    /// Microseconds since the start.
    pub(crate) fn now_us(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX)
    }

    fn account_of(&self, client: &str) -> Arc<Account> {
        if let Some(account) = self.clients.read().unwrap_or_else(PoisonError::into_inner).get(client) {
            return Arc::clone(account);
        }
        let mut accounts = self.clients.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(accounts.entry(client.into()).or_default())
    }
}

impl Tally {
    /// Takes a place in flight and one call of the budget, or neither.
    pub(crate) fn spend(&mut self, policy: &Policy, now_us: i64) -> Result<(), Excess> {
        self.wait(policy.in_flight())?;
        let spent = match policy.rate() {
            Some(rate) => {
                self.account.budget.lock().unwrap_or_else(PoisonError::into_inner).spend(rate, now_us)
            }
            None => Ok(()),
        };
        if spent.is_err() {
            self.wait_no_more();
        }
        spent
    }

    /// Counts under every policy: a limit that comes later must know of what is under way.
    fn wait(&mut self, most: Option<u32>) -> Result<(), Excess> {
        let before = self.account.waiting.fetch_add(1, Ordering::Relaxed);
        self.waits = true;
        if most.is_some_and(|most| before >= most) {
            self.wait_no_more();
            return Err(Excess::InFlight);
        }
        Ok(())
    }

    fn wait_no_more(&mut self) {
        if std::mem::take(&mut self.waits) {
            self.account.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Budget {
    fn spend(&mut self, rate: &Rate, now_us: i64) -> Result<(), Excess> {
        if let Some(before) = self.rate.replace(*rate).filter(|before| before != rate) {
            self.whole_at_us = rate.carry_over(&before, self.whole_at_us, now_us);
        }
        match rate.step(self.whole_at_us, now_us) {
            Step::Go { whole_at_us } => {
                self.whole_at_us = whole_at_us;
                Ok(())
            }
            // Rounded up: who comes back after that long is let in.
            Step::Wait { for_us } => {
                Err(Excess::Rate { wait_s: u64::try_from(for_us).unwrap_or(0).div_ceil(SECOND_US).max(1) })
            }
        }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.wait_no_more();
        self.account.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{Excess, Tallies, Tally};
    use hallpass_core::ClientName;
    use hallpass_core::judge::Principal;
    use hallpass_core::policy::{Policy, PolicySettings};

    fn policy(settings: &str) -> Policy {
        let settings: PolicySettings = serde_json::from_str(settings).unwrap();
        Policy::new("p", &settings).unwrap()
    }

    fn tally(tallies: &Tallies, client: &str) -> Tally {
        tallies.take(Principal::Client(&ClientName::new(client).unwrap()), 100).unwrap()
    }

    /// How many of ten calls, one after the other, are let through.
    fn let_through(tallies: &Tallies, client: &str, policy: &Policy) -> usize {
        (0..10).filter(|_| tally(tallies, client).spend(policy, 7).is_ok()).count()
    }

    #[test]
    fn each_client_has_a_budget_of_its_own_that_outlives_its_policy() {
        let tallies = Tallies::new();
        let (three, five, none) = (policy(r#"{"rate":"3/h"}"#), policy(r#"{"rate":"5/m"}"#), policy("{}"));
        assert_eq!(let_through(&tallies, "ann", &three), 3);
        assert_eq!(let_through(&tallies, "bob", &three), 3);
        assert_eq!(let_through(&tallies, "ann", &five), 2, "three are spent already");
        assert_eq!(let_through(&tallies, "ann", &none), 10);
        tallies.keep_only(|_| true);
        assert_eq!(let_through(&tallies, "ann", &three), 0);
        assert_eq!(tally(&tallies, "ann").spend(&three, 7), Err(Excess::Rate { wait_s: 1200 }));
    }

    #[test]
    fn a_call_that_is_refused_takes_no_place_and_spends_nothing() {
        let tallies = Tallies::new();
        let policy = policy(r#"{"rate":"2/h","in_flight":1}"#);
        let (mut one, mut two) = (tally(&tallies, "ann"), tally(&tallies, "ann"));
        assert_eq!(one.spend(&policy, 7), Ok(()));
        assert_eq!(two.spend(&policy, 7), Err(Excess::InFlight));
        drop(one);
        assert_eq!(two.spend(&policy, 7), Ok(()), "the budget still had one");
        drop(two);
        assert_eq!(tally(&tallies, "ann").spend(&policy, 7), Err(Excess::Rate { wait_s: 1800 }));
        assert_eq!(tally(&tallies, "ann").account.waiting.load(std::sync::atomic::Ordering::Relaxed), 0);
    }

    #[test]
    fn who_shares_the_secret_shares_the_count_on_every_path() {
        let tallies = Tallies::new();
        let (ann, bob) = (ClientName::new("ann").unwrap(), ClientName::new("bob").unwrap());
        let _one = tallies.take(Principal::Legacy(Some(&ann)), 2).unwrap();
        let _two = tallies.take(Principal::Legacy(None), 2).unwrap();
        assert!(tallies.take(Principal::Legacy(Some(&bob)), 2).is_err());
        assert!(tallies.take(Principal::Client(&ann), 2).is_ok());
    }
}
