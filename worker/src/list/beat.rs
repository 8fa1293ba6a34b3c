//! Does the operator know that the command runs? It is told at once and from time to time, so that a pod that can't
//! reach it is known long before there is a list to send.

use std::convert::Infallible;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use maptask_exchange::{ITEMS_PATH, LIST_BEAT_SECONDS, ListAnswer, ListConfig, ListRequest};
use tokio::time::sleep;

use crate::client::{Client, Failure};
use crate::clock::Jitter;
use crate::session::Backoff;
use crate::settings::Paths;

/// Says that the command runs until nobody waits for this any more.
pub(super) async fn beat(config: &ListConfig, paths: Paths) -> Infallible {
    // What is wrong with the configuration is told with the list.
    let Ok(client) = Client::new(&config.url, &config.server_name, &config.ca, paths.token) else {
        return pending().await;
    };
    let client = Rc::new(client);
    let mut backoff = Backoff::new(Jitter::new());
    let mut is_told = false;
    loop {
        let body = serde_json::to_vec(&ListRequest::Running).unwrap_or_default();
        let pause = match Rc::clone(&client).post::<ListAnswer>(ITEMS_PATH, body).await {
            Ok(_) => {
                backoff.succeeded();
                is_told = false;
                Duration::from_secs(LIST_BEAT_SECONDS)
            }
            Err(failure) => {
                client.forget_connections();
                if let Failure::Unreachable(message) = failure
                    && !is_told
                {
                    is_told = true;
                    eprintln!("maptask-worker: the operator at {} is not reached yet: {message}", client.address());
                }
                backoff.failed()
            }
        };
        sleep(pause).await;
    }
}
