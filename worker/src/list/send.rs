//! How does a list get to the operator? One piece after the other, each again until it is stored.

use std::rc::Rc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maptask_exchange::{ITEMS_PATH, ListAnswer, ListConfig, ListRequest};
use tokio::time::{Instant, sleep};

use super::List;
use crate::client::{Client, Failure};
use crate::clock::Jitter;
use crate::session::Backoff;
use crate::settings::Paths;

/// How long the list is sent without an answer that helps, before it is given up.
const ALONE: Duration = Duration::from_mins(15);

/// Sends a list until the operator has recorded all of it. Says why that can't be.
pub(super) async fn send(config: &ListConfig, paths: Paths, list: Rc<List>) -> Result<(), String> {
    let client = Rc::new(Client::new(&config.url, &config.server_name, &config.ca, paths.token)?);
    let mut backoff = Backoff::new(Jitter::new());
    let (mut next, mut heard, mut last) = (0, Instant::now(), "no answer yet".to_owned());
    loop {
        let request = match list.pieces.get(next) {
            Some(piece) => ListRequest::Piece {
                number: u32::try_from(next).unwrap_or(u32::MAX),
                data: STANDARD.encode(&piece.data),
            },
            None => ListRequest::End(list.end.clone()),
        };
        let body = serde_json::to_vec(&request).unwrap_or_default();
        let pause = match Rc::clone(&client).post::<ListAnswer>(ITEMS_PATH, body).await {
            Ok(answer) if answer.complete => return Ok(()),
            Ok(answer) => {
                let stored = usize::try_from(answer.stored).unwrap_or(usize::MAX).min(list.pieces.len());
                let advances = stored > next;
                next = stored;
                heard = Instant::now();
                if advances {
                    backoff.succeeded();
                    continue;
                }
                backoff.failed()
            }
            Err(Failure::Status(status @ (400 | 403 | 404 | 405 | 413 | 431), text)) => {
                let address = client.address();
                return Err(format!("the operator at {address} does not take this list ({status}): {}", text.trim()));
            }
            Err(Failure::Status(status, text)) => {
                client.forget_connections();
                last = format!("HTTP status {status}: {}", text.trim());
                backoff.failed()
            }
            Err(Failure::Unreachable(message)) => {
                last = message;
                backoff.failed()
            }
            Err(Failure::Cut) => backoff.cut(),
        };
        if heard.elapsed() >= ALONE {
            return Err(format!(
                "the operator at {} did not take the list for {} s: {last}. Pods of this namespace must be allowed to reach that \
                 address by TCP: look for a NetworkPolicy, a firewall between nodes, or an operator that does not run",
                client.address(),
                ALONE.as_secs()
            ));
        }
        sleep(pause).await;
    }
}
