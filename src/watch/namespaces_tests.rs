use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::*;
use crate::fake_api::{Asked, list, refuse, slow_client};

/// Longer than any of these tests takes: when it is over, what is waited for never comes.
const NEVER: Duration = Duration::from_secs(20);
const SOON: Duration = Duration::from_millis(1);

/// Parts of paths that are refused, and with which code. Each namespace has one task.
type Closed = BTreeSet<(&'static str, u16)>;

async fn answer(asked: Asked, mut closed: watch::Receiver<Closed>) -> (u16, Value) {
    let refusal = |closed: &Closed| closed.iter().find(|(part, _)| asked.path.contains(part)).map(|(_, code)| *code);
    let refused = refusal(&closed.borrow_and_update());
    if let Some(code) = refused {
        return refuse(code, "Refused");
    }
    if asked.is_watch() {
        // It ends when rights change.
        let _ = closed.changed().await;
        return (200, Value::Null);
    }
    let namespace = asked.path.split('/').nth(5).unwrap();
    let metadata = json!({ "name": "t", "namespace": namespace, "uid": "u", "resourceVersion": "1" });
    let task = json!({ "apiVersion": "maptask.dev/v1alpha1", "kind": "MapTask", "metadata": metadata,
        "spec": { "items": { "count": 1 }, "template": { "spec": { "containers": [] } } } });
    if asked.path.ends_with("/maptasks") { list(&[task]) } else { list(&[]) }
}

struct Rig {
    closed: watch::Sender<Closed>,
    events: mpsc::Receiver<Event>,
    _watches: AbortOnDrop,
}

/// Watches these namespaces with Kueue.
fn rig(names: &[&str], closed: &[(&'static str, u16)]) -> Rig {
    let (closed, seen) = watch::channel(closed.iter().copied().collect());
    let client = slow_client(move |asked| answer(asked, seen.clone()));
    let (events_in, events) = mpsc::channel(64);
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    let (config, stop) = (watcher::Config::default(), CancellationToken::new());
    let namespaces = Namespaces { client, names, config, kueue: true, events: events_in, stop };
    let watches = AbortOnDrop(tokio::spawn(namespaces.watch_and_ask(SOON)));
    Rig { closed, events, _watches: watches }
}

impl Rig {
    /// The events up to the end of the next list of tasks, in words.
    async fn listed(&mut self) -> Vec<String> {
        let mut words = Vec::new();
        while words.last().is_none_or(|last| last != "tasks") {
            let event = tokio::time::timeout(NEVER, self.events.recv()).await;
            let event = event.unwrap_or_else(|_| panic!("no list of tasks after {words:?}")).unwrap();
            words.push(match event {
                Event::Task(task) => format!("{}/{}", task.key.namespace, task.key.name),
                Event::LeftOut(names) if names.is_empty() => continue,
                Event::LeftOut(names) => format!("without {names:?}"),
                Event::PodsListed => "pods".to_owned(),
                Event::WorkloadsListed => "workloads".to_owned(),
                Event::TasksListed => "tasks".to_owned(),
                Event::TasksListing | Event::PodsListing | Event::WorkloadsListing => continue,
                other => panic!("{other:?}"),
            });
        }
        words
    }
}

/// The order of pods and Workloads is open.
fn sorted(mut words: Vec<String>) -> Vec<String> {
    words.sort();
    words
}

#[tokio::test]
async fn a_namespace_that_may_not_be_read_holds_up_no_list_of_the_others() {
    for part in ["namespaces/b/", "namespaces/b/workloads"] {
        let mut rig = rig(&["a", "b", "c"], &[(part, 403)]);
        let words = rig.listed().await;
        assert_eq!(words.last().unwrap(), "tasks", "what tasks need comes before them");
        assert_eq!(words[0], "without {\"b\"}");
        assert_eq!(sorted(words)[..5], ["a/t", "c/t", "pods", "tasks", "without {\"b\"}"], "{part}");
    }
}

#[tokio::test]
async fn a_namespace_whose_rights_go_is_left_out_until_they_are_back() {
    let mut rig = rig(&["a", "b"], &[]);
    assert_eq!(sorted(rig.listed().await), ["a/t", "b/t", "pods", "tasks", "workloads"]);
    rig.closed.send_replace([("namespaces/b/", 403)].into());
    let words = rig.listed().await;
    assert_eq!(words[0], "without {\"b\"}", "before its pods and Workloads are: {words:?}");
    assert_eq!(sorted(words[1..].to_vec()), ["a/t", "pods", "tasks", "workloads"]);
    rig.closed.send_replace(Closed::new());
    assert_eq!(sorted(rig.listed().await), ["a/t", "b/t", "pods", "tasks", "workloads"]);
}

#[tokio::test]
async fn where_no_namespace_may_be_read_all_lists_are_empty() {
    let mut rig = rig(&["a"], &[("namespaces/a/", 403)]);
    assert_eq!(sorted(rig.listed().await), ["pods", "tasks", "without {\"a\"}", "workloads"]);
}

#[tokio::test]
async fn tasks_of_a_namespace_that_opens_wait_for_its_workloads_though_their_list_fails() {
    let mut rig = rig(&["a", "b"], &[("namespaces/b/", 403)]);
    rig.listed().await;
    rig.closed.send_replace([("namespaces/b/workloads", 500)].into());
    let early = tokio::time::timeout(Duration::from_millis(300), rig.listed()).await;
    assert!(early.is_err(), "{early:?}");
    rig.closed.send_replace(Closed::new());
    let words = rig.listed().await;
    assert!(words.contains(&"b/t".to_owned()), "{words:?}");
}

#[tokio::test]
async fn a_cluster_without_kueue_has_tasks_all_the_same() {
    let mut rig = rig(&["a"], &[("/workloads", 404)]);
    assert_eq!(rig.listed().await, ["pods", "a/t", "tasks"]);
}
