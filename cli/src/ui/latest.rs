//! The newest version of a task, for all requests while a stream follows it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::read::Task;

/// The newest version of a task that a stream has seen.
#[derive(Clone, Default)]
pub struct Latest(Arc<Mutex<Option<Arc<Task>>>>);

impl Latest {
    /// The newest.
    pub fn get(&self) -> Option<Arc<Task>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps it.
    pub fn set(&self, task: Task) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(task));
    }

    /// There is none any more.
    pub fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether a stream still keeps it up to date, beside the one who asks.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}
