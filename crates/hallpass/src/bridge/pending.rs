//! The requests that wait for an answer: who takes one out is the one who answers. Sends nothing itself.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

use super::message::Id;

/// All waiting requests.
#[derive(Default)]
pub(super) struct Pending(Mutex<HashMap<Box<str>, Waiting>>);

struct Waiting {
    id: Id,
    is_modern: bool,
    is_listening: bool,
    /// No answer is due, and the server is being told.
    is_cancelled: bool,
    task: Option<AbortHandle>,
}

impl Waiting {
    fn end(&self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// What a cancellation means for the request it names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cancelled {
    /// The HTTP request was ended, which is all that is due.
    Ended,
    /// The server must be told.
    TellServer,
    Unknown,
}

impl Pending {
    /// `false` when this id waits already.
    pub(super) fn open(&self, id: &Id, is_modern: bool, is_listening: bool) -> bool {
        let mut waiting = self.lock();
        if waiting.contains_key(&id.key) {
            return false;
        }
        let request = Waiting { id: id.clone(), is_modern, is_listening, is_cancelled: false, task: None };
        waiting.insert(id.key.clone(), request);
        true
    }

    /// Names the task that works on a request. Without effect once it was answered.
    pub(super) fn attach(&self, id: &Id, task: AbortHandle) {
        if let Some(waiting) = self.lock().get_mut(&id.key) {
            waiting.task = Some(task);
        }
    }

    /// `true` for exactly one caller: the one that answers.
    pub(super) fn claim(&self, id: &Id) -> bool {
        self.lock().remove(&id.key).is_some_and(|waiting| !waiting.is_cancelled)
    }

    /// Whether somebody still wants the answer.
    pub(super) fn is_open(&self, id: &Id) -> bool {
        self.lock().get(&id.key).is_some_and(|waiting| !waiting.is_cancelled)
    }

    /// Ends the waiting: an answer to a cancelled request is not expected any more.
    pub(super) fn cancel(&self, id: &Id) -> Cancelled {
        let mut all = self.lock();
        match all.get_mut(&id.key) {
            None => Cancelled::Unknown,
            Some(waiting) if waiting.is_modern => {
                waiting.end();
                all.remove(&id.key);
                Cancelled::Ended
            }
            Some(waiting) => {
                waiting.is_cancelled = true;
                Cancelled::TellServer
            }
        }
    }

    /// Ends a request whose cancellation the server knows of. An id that waits anew is left alone.
    pub(super) fn forget_cancelled(&self, id: &Id) {
        let mut all = self.lock();
        if let Some(waiting) = all.get(&id.key).filter(|waiting| waiting.is_cancelled) {
            waiting.end();
            all.remove(&id.key);
        }
    }

    /// Takes out the requests that never end by themselves, ends them, and says who is owed an answer.
    pub(super) fn take_listening(&self) -> Vec<Id> {
        self.take(|waiting| waiting.is_listening)
    }

    /// Takes out every request, ends it, and says who is owed an answer.
    pub(super) fn take_all(&self) -> Vec<Id> {
        self.take(|_| true)
    }

    fn take(&self, which: impl Fn(&Waiting) -> bool) -> Vec<Id> {
        let taken = self.lock().extract_if(|_, waiting| which(waiting)).collect::<Vec<_>>();
        for (_, waiting) in &taken {
            waiting.end();
        }
        taken
            .into_iter()
            .filter(|(_, waiting)| !waiting.is_cancelled)
            .map(|(_, waiting)| waiting.id)
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
