//! Who speaks? The API server says so, once for each token; the answer is kept until the token ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kube::Client;
use maptask_exchange::AUDIENCE;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::{OnceCell, Semaphore};

use super::bounds::Bucket;
use super::metrics::ExchangeMetrics;
use super::review::{TokenStatus, review};

/// Tokens whose review is remembered at most: a worker has one at a time, and a new one every hour or so.
const REMEMBERED: usize = 8_192;
/// Reviews in progress at most.
const REVIEWS: usize = 16;
/// Reviews in a second, and at once after a pause: invalid tokens must not cause load on the API server.
const REVIEW_RATE: (u32, u32) = (200, 400);
/// How long a request waits for its review, and for its turn before.
const REVIEW_PATIENCE: Duration = Duration::from_secs(5);
/// Bounds of how long an accepted token is not reviewed again. The lower one is for clocks that differ: the API server
/// has just said that the token is good, whatever our clock says of its end.
const ACCEPTED: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(1));
/// How long a token that was not accepted is not reviewed again.
const REJECTED: Duration = Duration::from_secs(10);
/// How long a token whose review failed is not reviewed again.
const FAILED: Duration = Duration::from_secs(1);

struct Known {
    status: TokenStatus,
    until: Instant,
}

/// What is known of tokens.
pub(super) struct Tokens {
    client: Client,
    known: Mutex<HashMap<[u8; 32], Arc<OnceCell<Known>>>>,
    reviews: Semaphore,
    rate: Bucket,
    patience: Duration,
    metrics: ExchangeMetrics,
}

/// What a token says of itself. Nothing of it is believed before the API server has said that it is good.
#[derive(Deserialize)]
struct Claims {
    aud: Audience,
    exp: u64,
    #[serde(default)]
    iat: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Claims {
    fn of(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }

    fn is_for_us(&self) -> bool {
        match &self.aud {
            Audience::One(audience) => audience == AUDIENCE,
            Audience::Many(audiences) => audiences.iter().any(|audience| audience == AUDIENCE),
        }
    }

    /// How long the token is good from now on, at least and at most [`ACCEPTED`].
    fn remaining(&self, now: u64) -> Duration {
        let seconds = self.exp.saturating_sub(now).min(self.exp.saturating_sub(self.iat));
        Duration::from_secs(seconds).clamp(ACCEPTED.0, ACCEPTED.1)
    }
}

impl Tokens {
    pub(super) fn new(client: Client, metrics: ExchangeMetrics) -> Self {
        Self {
            client,
            known: Mutex::default(),
            reviews: Semaphore::new(REVIEWS),
            rate: Bucket::new(REVIEW_RATE),
            patience: REVIEW_PATIENCE,
            metrics,
        }
    }

    /// Whose token this is. Requests with the same token wait for one review.
    pub(super) async fn identify(&self, token: &str) -> TokenStatus {
        self.identify_at(token, Instant::now()).await
    }

    async fn identify_at(&self, token: &str, now: Instant) -> TokenStatus {
        let key = Sha256::digest(token).into();
        if let Some(status) = self.remembered(&key, now) {
            return status;
        }
        // Most garbage is found out without a review, and so is a token for the API server, which we must not pass on.
        let Some(claims) = Claims::of(token).filter(Claims::is_for_us) else { return TokenStatus::NotAuthenticated };
        let entry = self.entry(key, now);
        let known = entry.get_or_init(|| async {
            let status = self.review(token, now).await;
            self.metrics.reviewed(status.as_str());
            let kept = match status {
                TokenStatus::Pod(_) | TokenStatus::NoPod => claims.remaining(unix_seconds()),
                TokenStatus::NotAuthenticated => REJECTED,
                TokenStatus::Failed => FAILED,
            };
            Known { status, until: now + kept }
        });
        known.await.status.clone()
    }

    fn remembered(&self, key: &[u8; 32], now: Instant) -> Option<TokenStatus> {
        let all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.get(key)?.get().filter(|known| known.until > now)?;
        Some(known.status.clone())
    }

    /// What is remembered of a token, or an empty cell that is remembered from now on.
    fn entry(&self, key: [u8; 32], now: Instant) -> Arc<OnceCell<Known>> {
        let is_over = |entry: &Arc<OnceCell<Known>>| entry.get().is_some_and(|known| known.until <= now);
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = all.get(&key).filter(|entry| !is_over(entry)) {
            return Arc::clone(entry);
        }
        if all.len() >= REMEMBERED {
            all.retain(|_, entry| !is_over(entry));
        }
        if all.len() >= REMEMBERED {
            let is_of_pod = |known: &Known| matches!(known.status, TokenStatus::Pod(_));
            all.retain(|_, entry| entry.get().is_some_and(is_of_pod));
        }
        if all.len() >= REMEMBERED {
            all.clear();
        }
        let entry = Arc::new(OnceCell::new());
        all.insert(key, Arc::clone(&entry));
        entry
    }

    async fn review(&self, token: &str, now: Instant) -> TokenStatus {
        if !self.rate.take(now) {
            return TokenStatus::Failed;
        }
        let review = async {
            let Ok(_turn) = self.reviews.acquire().await else { return TokenStatus::Failed };
            review(&self.client, token).await
        };
        tokio::time::timeout(self.patience, review).await.unwrap_or(TokenStatus::Failed)
    }
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
