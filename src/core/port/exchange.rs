//! What workers say, and what is answered.

use std::fmt;
use std::sync::Arc;

use maptask_exchange::{Answer, Request};
pub use maptask_exchange::{ListAnswer, ListEnd};

use crate::core::items::Digest;

/// A request of a worker, whose token names the pod.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// By which the reply finds the request.
    pub ticket: u64,
    /// The pod's namespace.
    pub namespace: Arc<str>,
    /// The pod's name.
    pub pod: String,
    /// The pod's UID.
    pub pod_uid: String,
    /// What it says.
    pub request: Request,
}

/// What a request is answered. It may come long after the request.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Of the request.
    pub ticket: u64,
    /// The answer, or why there is none.
    pub result: Result<Said, ExchangeRefusal>,
}

/// An answer, by the kind of the request.
#[derive(Clone, Debug)]
pub enum Said {
    /// To a worker.
    Worker(Answer),
    /// To the pod of a list.
    List(ListAnswer),
}

impl Reply {
    /// To a worker.
    pub fn to_worker(ticket: u64, answer: Answer) -> Self {
        Self { ticket, result: Ok(Said::Worker(answer)) }
    }

    /// There is no answer.
    pub fn refused(ticket: u64, refusal: ExchangeRefusal) -> Self {
        Self { ticket, result: Err(refusal) }
    }

    /// What a worker learns from it.
    pub fn for_worker(self) -> Option<Answer> {
        match self.result {
            Ok(Said::Worker(answer)) => Some(answer),
            Ok(Said::List(_)) | Err(_) => None,
        }
    }
}

/// A request of the pod of a list, whose token names the pod.
#[derive(Clone, Debug)]
pub struct Listed {
    /// By which the reply finds the request.
    pub ticket: u64,
    /// The pod's namespace.
    pub namespace: Arc<str>,
    /// The pod's name.
    pub pod: String,
    /// The pod's UID.
    pub pod_uid: String,
    /// What it says.
    pub part: ListPart,
}

/// What the pod of a list says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListPart {
    /// Its command still runs.
    Running,
    /// A piece.
    Piece {
        /// Its number, from 0.
        number: u32,
        /// The SHA-256 of its bytes.
        digest: Digest,
        /// Its bytes, in base64.
        data: Arc<str>,
    },
    /// These were all.
    End(ListEnd),
}

/// Why a worker's request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeRefusal {
    /// The pod is no worker of a task that the operator knows: 403. The worker is not wanted and ends.
    NotAWorker,
    /// Another process of the same pod has spoken since, or a later request of the same one: 409.
    Superseded,
    /// Not yet: the operator has just begun, is about to end, or was not shown the pod yet: 503.
    NotReady,
    /// The API server does not store the piece of a list: 503.
    NotStored,
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.result {
            Ok(Said::Worker(answer)) => write!(f, "answer {} with {} grants", self.ticket, answer.grants.len()),
            Ok(Said::List(ListAnswer { stored, complete })) => {
                let whole = if *complete { ", the whole list" } else { "" };
                write!(f, "answer {} with {stored} pieces stored{whole}", self.ticket)
            }
            Err(refusal) => write!(f, "refuse {}: {refusal:?}", self.ticket),
        }
    }
}
