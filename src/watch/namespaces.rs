//! Watches of some namespaces instead of all.
//!
//! A namespace that is gone, or in which the operator has no rights, is left out until that changes, so that it holds
//! up no other. Then all are listed again with it, pods before tasks: a task that is loaded before its pods takes them
//! for lost.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::runtime::watcher;
use kube::{Api, Client};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::joint::of_each;
use super::pods::LeanPod;
use super::tasks::GuardedTask;
use super::{AbortOnDrop, forward, pods, tasks};
use crate::api::{MapTask, labels};
use crate::core::port::Event;
use crate::plain::plain;

/// How often a namespace that was left out is asked again.
const AGAIN: Duration = Duration::from_secs(10);

/// Watches these namespaces until it is stopped.
pub(super) async fn watch(
    client: Client,
    names: Vec<String>,
    config: watcher::Config,
    events: mpsc::Sender<Event>,
    stop: CancellationToken,
) {
    loop {
        let (mut good, mut left_out) = (Vec::new(), Vec::new());
        for name in &names {
            match is_open(&client, name).await {
                Ok(()) => good.push(name.clone()),
                Err(error) => {
                    tracing::error!(namespace = name, error = plain(&error), "left out until the operator may read it");
                    left_out.push(name.clone());
                }
            }
        }
        let opens = async {
            loop {
                tokio::time::sleep(AGAIN).await;
                for name in &left_out {
                    if is_open(&client, name).await.is_ok() {
                        return name;
                    }
                }
            }
        };
        // They run until they are dropped.
        let running = async {
            let _watches = start(&client, &good, &config, &events, &stop).await;
            std::future::pending::<Infallible>().await
        };
        tokio::select! {
            () = stop.cancelled() => return,
            never = running => match never {},
            name = opens, if !left_out.is_empty() => tracing::info!(namespace = name, "the operator may read it now"),
        }
    }
}

/// Starts to watch pods, and tasks once all pods have been listed.
async fn start(
    client: &Client,
    names: &[String],
    config: &watcher::Config,
    events: &mpsc::Sender<Event>,
    stop: &CancellationToken,
) -> [AbortOnDrop; 2] {
    let listed = Arc::new(Notify::new());
    let says = Arc::clone(&listed);
    let translate = move |event| {
        let event = pods::translate(event);
        if matches!(event, Some(Event::PodsListed)) {
            says.notify_one();
        }
        event
    };
    let watch = of_each::<LeanPod>(client, names, &config.clone().labels(labels::NAME));
    let pods = AbortOnDrop(tokio::spawn(forward("pods", watch, translate, events.clone(), stop.clone())));
    listed.notified().await;
    let watch = of_each::<GuardedTask>(client, names, config);
    let tasks = forward("maptasks", watch, tasks::translate, events.clone(), stop.clone());
    [pods, AbortOnDrop(tokio::spawn(tasks))]
}

/// Whether tasks and pods of a namespace can be read. Trouble that passes, such as an API server that does not answer,
/// counts as that they can: the watches try again.
async fn is_open(client: &Client, name: &str) -> Result<(), kube::Error> {
    let one = ListParams::default().limit(1);
    let tasks: Api<MapTask> = Api::namespaced(client.clone(), name);
    let pods: Api<Pod> = Api::namespaced(client.clone(), name);
    for answer in [tasks.list_metadata(&one).await.map(drop), pods.list_metadata(&one).await.map(drop)] {
        match answer {
            Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => return Err(kube::Error::Api(status)),
            _ => {}
        }
    }
    Ok(())
}
