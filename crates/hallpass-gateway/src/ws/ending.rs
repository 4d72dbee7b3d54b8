//! How a connection's conversation came to its end, what each side is told of it, and what the log is. Sends nothing.

use crate::failure::Failure;
use crate::line::Cut;
use crate::ws::calls::Calls;
use crate::ws::close::Close;
use crate::ws::dialect::Dialect;
use crate::ws::receive::Fault;
use crate::ws::words;
use hallpass_core::{Outcome, ServerName};

/// How it ended.
pub(crate) enum Ending {
    /// The gateway ended it.
    Cut(Cut),
    /// The client said that it is done.
    ClientClosed(Option<Close>),
    /// What the client sent is no message, or it is gone.
    ClientFault(Fault),
    /// The server said that it is done.
    ServerClosed(Option<Close>),
    /// The server broke off, or sent what is no message.
    ServerFailed(Failure),
}

/// What is left to be said and noted.
pub(crate) struct Epilogue {
    /// The client's close. None if there is nobody to send it to.
    pub(crate) to_client: Option<Close>,
    /// The server's.
    pub(crate) to_server: Close,
    pub(crate) outcome: Outcome,
    pub(crate) reason: Option<&'static str>,
}

impl Ending {
    /// Ends the calls that still wait, and says what is left.
    pub(crate) fn epilogue(self, calls: &Calls, dialect: Dialect, server: &ServerName) -> Epilogue {
        let done = || Close::new(1000, "");
        let (to_client, to_server, outcome, reason) = match self {
            Self::Cut(cut) => {
                calls.cut(&cut);
                let reason = match &cut {
                    Cut::Denied(denial) => denial.code(),
                    Cut::Shutdown => "shutdown",
                };
                (Some(words::cut(&cut, dialect)), done(), Outcome::Cut, Some(reason))
            }
            Self::ClientClosed(close) => {
                calls.gone();
                let close = close.unwrap_or_else(done);
                (Some(close.clone()), close, Outcome::Ok, None)
            }
            Self::ClientFault(fault) => {
                calls.gone();
                match fault {
                    Fault::Gone => (None, Close::new(words::GOING_AWAY, ""), Outcome::Gone, None),
                    fault => (Some(words::fault(fault)), done(), Outcome::Cut, Some(fault.code())),
                }
            }
            Self::ServerClosed(close) => {
                calls.failed(Failure::BrokeOff);
                let close = close.unwrap_or_else(done);
                (Some(words::passed_on(close.clone())), close, Outcome::Ok, None)
            }
            Self::ServerFailed(failure) => {
                calls.failed(failure);
                let to_client = words::broken(failure, server);
                (Some(to_client), done(), Outcome::Failed, Some(failure.code()))
            }
        };
        Epilogue { to_client, to_server, outcome, reason }
    }
}
