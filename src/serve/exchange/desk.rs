//! Where is the request that a reply is for? Requests wait here, each under a ticket, from the queue into the core
//! until the core's reply, however that takes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use maptask_exchange::Request;
use tokio::sync::{mpsc, oneshot};

use super::doors::Room;
use super::metrics::ExchangeMetrics;
use super::review::Identity;
use crate::core::port::{Event, Exchange, ExchangeRefusal, ListPart, Listed, Reply, Said};

/// Requests that wait for the core at most. It takes all of them in at once, at least every few milliseconds.
const QUEUE: usize = 1_024;

/// Where requests wait for their replies.
#[derive(Clone)]
pub struct Desk {
    shared: Arc<Shared>,
}

struct Shared {
    parked: Mutex<Parked>,
    queue: mpsc::Sender<Incoming>,
    metrics: ExchangeMetrics,
}

#[derive(Default)]
struct Parked {
    /// Whether this instance leads, and takes requests.
    open: bool,
    last: u64,
    by_ticket: HashMap<u64, oneshot::Sender<Result<Said, ExchangeRefusal>>>,
}

/// A request on its way to the core.
pub struct Incoming {
    event: Event,
    /// Free once the core has it.
    _room: Option<Room>,
}

impl Incoming {
    /// The request as an event of the core.
    pub fn into_event(self) -> Event {
        self.event
    }
}

/// Why the desk takes no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// Another instance leads, or this one is about to end.
    NotLeading,
    /// Too many wait for the core.
    Full,
}

/// A request that waits. Dropped, it waits no longer: its client is gone, or has waited long enough.
pub(super) struct Ticket {
    desk: Desk,
    number: u64,
    reply: oneshot::Receiver<Result<Said, ExchangeRefusal>>,
}

impl Ticket {
    /// The reply; `None` if the desk was closed.
    pub(super) async fn reply(&mut self) -> Option<Result<Said, ExchangeRefusal>> {
        (&mut self.reply).await.ok()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.desk.forget(self.number);
    }
}

impl Desk {
    /// A desk that is closed, and what goes from it to the core.
    pub fn new(metrics: ExchangeMetrics) -> (Self, mpsc::Receiver<Incoming>) {
        let (queue, incoming) = mpsc::channel(QUEUE);
        (Self { shared: Arc::new(Shared { parked: Mutex::default(), queue, metrics }) }, incoming)
    }

    /// This instance leads: requests are taken.
    pub fn open(&self) {
        self.parked().open = true;
    }

    /// It leads no longer, or ends: what waits gets no answer, and nothing more is taken.
    pub fn close(&self) {
        let mut parked = self.parked();
        parked.open = false;
        parked.by_ticket.clear();
        self.shared.metrics.parked(0);
    }

    /// Passes a reply to its request, if that still waits.
    pub fn reply(&self, reply: Reply) {
        if let Some(request) = self.forget(reply.ticket) {
            // Nobody waits any more if the client has just gone.
            let _ = request.send(reply.result);
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.parked().open
    }

    /// Passes a request on to the core.
    pub(super) fn submit(&self, from: &Identity, request: Request, room: Option<Room>) -> Result<Ticket, Closed> {
        let Identity { namespace, pod, pod_uid } = from;
        let (namespace, pod, pod_uid) = (Arc::clone(namespace), pod.to_string(), pod_uid.to_string());
        self.submit_event(room, |ticket| {
            Event::Exchange(Box::new(Exchange { ticket, namespace, pod, pod_uid, request }))
        })
    }

    /// Submits a part of a list to the core.
    pub(super) fn submit_part(&self, from: &Identity, part: ListPart, room: Option<Room>) -> Result<Ticket, Closed> {
        let Identity { namespace, pod, pod_uid } = from;
        let (namespace, pod, pod_uid) = (Arc::clone(namespace), pod.to_string(), pod_uid.to_string());
        self.submit_event(room, |ticket| Event::Listed(Box::new(Listed { ticket, namespace, pod, pod_uid, part })))
    }

    fn submit_event(&self, room: Option<Room>, event: impl FnOnce(u64) -> Event) -> Result<Ticket, Closed> {
        let (sender, reply) = oneshot::channel();
        let mut parked = self.parked();
        if !parked.open {
            return Err(Closed::NotLeading);
        }
        let ticket = parked.last + 1;
        self.shared.queue.try_send(Incoming { event: event(ticket), _room: room }).map_err(|_| Closed::Full)?;
        parked.last = ticket;
        parked.by_ticket.insert(ticket, sender);
        self.shared.metrics.parked(parked.by_ticket.len());
        Ok(Ticket { desk: self.clone(), number: ticket, reply })
    }

    fn forget(&self, ticket: u64) -> Option<oneshot::Sender<Result<Said, ExchangeRefusal>>> {
        let mut parked = self.parked();
        let request = parked.by_ticket.remove(&ticket);
        self.shared.metrics.parked(parked.by_ticket.len());
        request
    }

    fn parked(&self) -> MutexGuard<'_, Parked> {
        self.shared.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use maptask_exchange::Answer;

    use super::*;
    use crate::serve::exchange::review::Identity;

    fn identity() -> Identity {
        Identity { namespace: "ns".into(), pod: "t-w-0-1".into(), pod_uid: "u".into() }
    }

    fn request(number: u64) -> Request {
        serde_json::from_value(serde_json::json!({ "session": "00c0ffee00c0ffee", "number": number })).unwrap()
    }

    fn submit(desk: &Desk, number: u64) -> Result<Ticket, Closed> {
        desk.submit(&identity(), request(number), None)
    }

    #[tokio::test]
    async fn each_reply_finds_its_request_in_any_order() {
        let (desk, mut incoming) = Desk::new(ExchangeMetrics::default());
        assert_eq!(submit(&desk, 1).err(), Some(Closed::NotLeading), "not open yet");
        desk.open();
        let (mut first, mut second) = (submit(&desk, 1).unwrap(), submit(&desk, 2).unwrap());
        let mut tickets = Vec::new();
        for _ in 0..2 {
            let Event::Exchange(exchange) = incoming.recv().await.unwrap().into_event() else { panic!() };
            tickets.push((exchange.ticket, exchange.request.number));
        }
        for (ticket, number) in tickets.into_iter().rev() {
            desk.reply(Reply::to_worker(ticket, Answer { number, ..Answer::default() }));
        }
        assert!(matches!(first.reply().await.unwrap().unwrap(), Said::Worker(answer) if answer.number == 1));
        assert!(matches!(second.reply().await.unwrap().unwrap(), Said::Worker(answer) if answer.number == 2));
        desk.reply(Reply::refused(99, ExchangeRefusal::NotReady));
        assert!(desk.parked().by_ticket.is_empty());
    }

    #[tokio::test]
    async fn a_parked_exchange_of_a_leader_that_lost_its_lease_is_released_at_once() {
        let (desk, _incoming) = Desk::new(ExchangeMetrics::default());
        desk.open();
        let mut ticket = submit(&desk, 1).unwrap();
        desk.close();
        assert!(ticket.reply().await.is_none());
        assert_eq!(submit(&desk, 2).err(), Some(Closed::NotLeading));
    }

    #[test]
    fn a_queue_that_is_full_takes_nothing_more_and_keeps_no_ticket() {
        let (desk, _incoming) = Desk::new(ExchangeMetrics::default());
        desk.open();
        let tickets: Vec<_> = (0..QUEUE as u64).map(|number| submit(&desk, number).unwrap()).collect();
        assert_eq!(submit(&desk, 0).err(), Some(Closed::Full));
        assert_eq!(desk.parked().by_ticket.len(), QUEUE);
        drop(tickets);
        assert!(desk.parked().by_ticket.is_empty(), "clients that are gone wait for nothing");
    }
}
