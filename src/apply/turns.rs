//! Who waits for whom: of each kind of request a few are on their way at once, and none waits for long behind slow
//! ones.

use std::time::Duration;

use tokio::sync::Semaphore;

use crate::core::port::Action;

/// Requests of a kind on their way at once, but creates: a task that is stopped may want thousands of deletes.
pub(super) const AT_ONCE: usize = 32;
/// After this time a request makes room for the next one: a webhook of its namespace may be slow, and others' requests
/// are not to wait for that.
const SLOW: Duration = Duration::from_secs(1);
/// Slow requests that have made room, of all kinds; bounds the connections.
const MAX_SLOW: usize = 256;

/// The turns of each kind: a status must not wait for ten thousand deletes, nor for Events that nobody takes.
pub(super) struct Turns {
    pods: Semaphore,
    events: Semaphore,
    others: Semaphore,
    slow: Semaphore,
}

impl Turns {
    pub(super) fn new() -> Self {
        let [pods, events, others] = [AT_ONCE; 3].map(Semaphore::new);
        Self { pods, events, others, slow: Semaphore::new(MAX_SLOW) }
    }

    /// The turns that an action takes part in, if it does: how many creates go out is for the core's window to say.
    pub(super) fn of(&self, action: &Action) -> Option<&Semaphore> {
        match action {
            Action::Create(_) => None,
            Action::Delete(_) | Action::GetPod(..) => Some(&self.pods),
            Action::EmitEvent(_) | Action::Explain(_) => Some(&self.events),
            _ => Some(&self.others),
        }
    }

    /// Carries a request out when its turn has come.
    pub(super) async fn run<T>(&self, turns: Option<&Semaphore>, request: impl Future<Output = T>) -> T {
        let Some(turns) = turns else { return request.await };
        // An error would mean that it is closed, which nobody does.
        let turn = turns.acquire().await.ok();
        let mut request = std::pin::pin!(request);
        if let Ok(answer) = tokio::time::timeout(SLOW, &mut request).await {
            return answer;
        }
        let slow = self.slow.try_acquire();
        if slow.is_ok() {
            drop(turn);
        }
        request.await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn requests_that_hang_do_not_hold_up_the_others() {
        let turns = Arc::new(Turns::new());
        for _ in 0..AT_ONCE {
            let turns = Arc::clone(&turns);
            tokio::spawn(async move { turns.run(Some(&turns.others), std::future::pending::<()>()).await });
        }
        tokio::task::yield_now().await;
        assert_eq!(turns.others.available_permits(), 0);
        // It would wait for ever.
        turns.run(Some(&turns.others), async {}).await;
    }
}
