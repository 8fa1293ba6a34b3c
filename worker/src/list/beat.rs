//! Does the operator know that the command runs? A request at its start and every 20 seconds says so. A pod that can't
//! reach the operator is therefore noticed long before there is a list to send.

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

/// Reports that the command runs, until this future is dropped.
pub(super) async fn beat(config: &ListConfig, paths: Paths) -> Infallible {
    // An invalid configuration is reported when the list is sent.
    let Ok(client) = Client::new(&config.url, &config.server_name, &config.ca, paths.token) else {
        return pending().await;
    };
    let client = Rc::new(client);
    let mut backoff = Backoff::new(Jitter::new());
    let mut is_logged = false;
    loop {
        let body = serde_json::to_vec(&ListRequest::Running).unwrap_or_default();
        let pause = match Rc::clone(&client).post::<ListAnswer>(ITEMS_PATH, body).await {
            Ok(_) => {
                backoff.succeeded();
                is_logged = false;
                Duration::from_secs(LIST_BEAT_SECONDS)
            }
            Err(failure) => {
                client.forget_connections();
                if let Failure::Unreachable(message) = failure
                    && !is_logged
                {
                    is_logged = true;
                    eprintln!("maptask-worker: the operator at {} is not reached yet: {message}", client.address());
                }
                backoff.failed()
            }
        };
        sleep(pause).await;
    }
}
