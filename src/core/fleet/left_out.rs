//! Namespaces that the operator may not read for now.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::core::fleet::Fleet;
use crate::core::ids::TaskKey;
use crate::core::port::ExchangeRefusal;

impl Fleet {
    /// These are all that can't be read. Their tasks are forgotten: what becomes of them is not known. Their pods run
    /// on, and workers ask again until the tasks are known once more.
    pub fn handle_left_out(&mut self, namespaces: BTreeSet<Arc<str>>) {
        self.left_out = namespaces;
        let is_left_out = |key: &&TaskKey| self.left_out.contains(&key.namespace);
        let gone: Vec<TaskKey> = self.entries.keys().filter(is_left_out).cloned().collect();
        for key in &gone {
            self.handle_task_gone(key);
        }
    }

    /// What a pod is told whose task is not known.
    pub(super) fn refusal_without_task(&self, namespace: &str) -> ExchangeRefusal {
        if self.is_synced() && !self.left_out.contains(namespace) {
            ExchangeRefusal::NotAWorker
        } else {
            ExchangeRefusal::NotReady
        }
    }
}
