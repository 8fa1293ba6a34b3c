//! Where the workers of pods that are made now find their operator and their program.

use tokio::sync::watch;

use crate::core::exchange_address::ExchangeAddress;
use crate::core::pod::WorkerHome;

/// The address and the image for pods of workers. The address may change while the operator runs.
#[derive(Clone, Default)]
pub struct Home {
    address: Option<watch::Receiver<Option<ExchangeAddress>>>,
    image: String,
    pull_policy: String,
}

impl Home {
    /// At this address, with the worker program in this image.
    pub fn new(address: watch::Receiver<Option<ExchangeAddress>>, image: String, pull_policy: String) -> Self {
        Self { address: Some(address), image, pull_policy }
    }

    /// As of now; `None` while the operator takes no workers.
    pub(super) fn now(&self) -> Option<WorkerHome> {
        let address = self.address.as_ref()?.borrow().clone()?;
        Some(WorkerHome { address, image: self.image.clone(), pull_policy: self.pull_policy.clone() })
    }
}
