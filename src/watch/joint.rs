//! Several watches of one kind, each of another namespace, as one.
//!
//! The core knows one list of a kind at a time: it begins, shows objects, and is complete. So all namespaces are
//! listed together, and the list is complete when each of them is. If one watch has to list again after it has shown
//! something, all others list again with it.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use futures::stream::{BoxStream, FuturesUnordered};
use futures::{Stream, StreamExt};
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::watcher::{Event, Result};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

/// One watch's next event, and the watch.
type Next<K> =
    Pin<Box<dyn Future<Output = (usize, Option<Result<Event<K>>>, BoxStream<'static, Result<Event<K>>>)> + Send>>;

/// What one watch has shown in the list that is being made, or was made last.
#[derive(Clone, Copy, Default)]
struct Shown {
    something: bool,
    all: bool,
}

struct Joint<K, Open> {
    open: Open,
    watches: FuturesUnordered<Next<K>>,
    shown: Vec<Shown>,
    begun: bool,
}

impl<K, Open> Joint<K, Open>
where
    K: Send + 'static,
    Open: Fn(usize) -> BoxStream<'static, Result<Event<K>>> + Send,
{
    fn wait_for(&self, number: usize, mut watch: BoxStream<'static, Result<Event<K>>>) {
        self.watches.push(Box::pin(async move {
            let event = watch.next().await;
            (number, event, watch)
        }));
    }

    /// All watches but this one list again; this one has begun to.
    fn restart(&mut self, but: usize) {
        self.watches = FuturesUnordered::new();
        self.shown.fill(Shown::default());
        for other in (0..self.shown.len()).filter(|other| *other != but) {
            self.wait_for(other, (self.open)(other));
        }
    }

    async fn next(&mut self) -> Option<Result<Event<K>>> {
        loop {
            let (number, event, watch) = self.watches.next().await?;
            let passed_on = event.and_then(|event| self.pass_on(number, event));
            self.wait_for(number, watch);
            if passed_on.is_some() {
                return passed_on;
            }
        }
    }

    fn pass_on(&mut self, number: usize, event: Result<Event<K>>) -> Option<Result<Event<K>>> {
        let shown = self.shown[number];
        match &event {
            Ok(Event::Init) if !self.begun => self.begun = true,
            Ok(Event::Init) if shown.something || shown.all => self.restart(number),
            Ok(Event::Init) => return None,
            Ok(Event::InitApply(_) | Event::Apply(_)) => self.shown[number].something = true,
            Ok(Event::InitDone) => {
                self.shown[number].all = true;
                if !self.shown.iter().all(|shown| shown.all) {
                    return None;
                }
            }
            Ok(Event::Delete(_)) | Err(_) => {}
        }
        Some(event)
    }
}

/// One watch of what `open` opens for each of the numbers below `count`.
pub(super) fn joint<K, Open>(count: usize, open: Open) -> impl Stream<Item = Result<Event<K>>> + Send
where
    K: Send + 'static,
    Open: Fn(usize) -> BoxStream<'static, Result<Event<K>>> + Send,
{
    let joint = Joint { watches: FuturesUnordered::new(), shown: vec![Shown::default(); count], begun: false, open };
    (0..count).for_each(|number| joint.wait_for(number, (joint.open)(number)));
    futures::stream::unfold(joint, |mut joint| async move { joint.next().await.map(|event| (event, joint)) })
}

/// The watches of these namespaces as one. Of none, the list is empty.
pub(super) fn of_each<K>(
    client: &Client,
    names: &[String],
    config: &watcher::Config,
) -> BoxStream<'static, Result<Event<K>>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    if names.is_empty() {
        let empty = futures::stream::iter([Ok(Event::Init), Ok(Event::InitDone)]);
        return empty.chain(futures::stream::pending()).boxed();
    }
    let apis: Vec<Api<K>> = names.iter().map(|name| Api::namespaced(client.clone(), name)).collect();
    let config = config.clone();
    joint(apis.len(), move |number| watcher(apis[number].clone(), config.clone()).default_backoff().boxed()).boxed()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures::FutureExt;
    use futures::channel::mpsc::{UnboundedSender, unbounded};
    use kube::runtime::watcher::Error;

    use super::*;

    /// How often a watch was opened, and where its events are sent.
    type Opened = (u32, UnboundedSender<Result<Event<&'static str>>>);

    /// Two watches, whose events the test sends; how often each was opened.
    struct Pair {
        senders: Arc<Mutex<Vec<Opened>>>,
        joint: BoxStream<'static, Result<Event<&'static str>>>,
    }

    impl Pair {
        fn new() -> Self {
            let senders = Arc::new(Mutex::new((0..2).map(|_| (0, unbounded().0)).collect::<Vec<_>>()));
            let opened = Arc::clone(&senders);
            let joint = joint(2, move |number| {
                let (sender, receiver) = unbounded();
                let mut senders = opened.lock().unwrap();
                senders[number] = (senders[number].0 + 1, sender);
                receiver.boxed()
            });
            Self { senders, joint: joint.boxed() }
        }

        /// What comes of an event, in words.
        fn send(&mut self, number: usize, event: Result<Event<&'static str>>) -> String {
            self.senders.lock().unwrap()[number].1.unbounded_send(event).unwrap();
            let mut words = Vec::new();
            while let Some(Some(event)) = self.joint.next().now_or_never() {
                words.push(match event {
                    Ok(Event::Apply(name)) => format!("apply {name}"),
                    Ok(Event::InitApply(name)) => format!("show {name}"),
                    Ok(Event::Delete(name)) => format!("delete {name}"),
                    Ok(Event::Init) => "begin".to_owned(),
                    Ok(Event::InitDone) => "complete".to_owned(),
                    Err(_) => "error".to_owned(),
                });
            }
            words.join(", ")
        }

        fn opened(&self) -> Vec<u32> {
            self.senders.lock().unwrap().iter().map(|(times, _)| *times).collect()
        }
    }

    fn listed() -> Pair {
        let mut pair = Pair::new();
        assert_eq!(pair.send(0, Ok(Event::Init)), "begin");
        assert_eq!(pair.send(0, Ok(Event::InitApply("a"))), "show a");
        assert_eq!(pair.send(0, Ok(Event::InitDone)), "", "the other namespace is not listed yet");
        assert_eq!(pair.send(1, Ok(Event::Init)), "");
        assert_eq!(pair.send(0, Ok(Event::Delete("a"))), "delete a");
        assert_eq!(pair.send(1, Ok(Event::InitApply("b"))), "show b");
        assert_eq!(pair.send(1, Ok(Event::InitDone)), "complete");
        pair
    }

    #[test]
    fn a_list_of_two_namespaces_is_complete_when_both_are() {
        let mut pair = listed();
        assert_eq!(pair.send(1, Ok(Event::Apply("b"))), "apply b");
        assert_eq!(pair.send(0, Ok(Event::Apply("a"))), "apply a");
        assert_eq!(pair.opened(), [1, 1]);
    }

    #[test]
    fn a_namespace_that_lists_again_makes_all_list_again() {
        let mut pair = listed();
        assert_eq!(pair.send(1, Ok(Event::Init)), "begin");
        assert_eq!(pair.opened(), [2, 1], "the one that has begun already is not opened again");
        assert_eq!(pair.send(1, Ok(Event::InitDone)), "");
        assert_eq!(pair.send(0, Ok(Event::Init)), "");
        assert_eq!(pair.send(0, Ok(Event::InitApply("a"))), "show a");
        assert_eq!(pair.send(0, Ok(Event::InitDone)), "complete");
    }

    #[test]
    fn a_namespace_that_fails_before_it_has_shown_anything_holds_nobody_up() {
        let mut pair = Pair::new();
        assert_eq!(pair.send(0, Ok(Event::Init)), "begin");
        for _ in 0..3 {
            assert_eq!(pair.send(1, Ok(Event::Init)), "");
            assert_eq!(pair.send(1, Err(Error::NoResourceVersion)), "error");
        }
        assert_eq!(pair.send(0, Ok(Event::InitApply("a"))), "show a");
        assert_eq!(pair.opened(), [1, 1]);
        // What it has shown of a list that it begins again may be gone: nobody would say so.
        assert_eq!(pair.send(1, Ok(Event::InitApply("b"))), "show b");
        assert_eq!(pair.send(1, Ok(Event::Init)), "begin");
        assert_eq!(pair.opened(), [2, 1]);
    }
}
