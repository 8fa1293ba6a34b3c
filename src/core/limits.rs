//! How much at once? The operator's own limits: those that its administrator sets, and bounds that are there for the
//! API server's sake and the operator's own.

/// The operator's own limits. They are fields, and not constants where they bind, so that the simulation can draw them
/// small.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Pods at most, over all tasks, creates in progress included: one for each running item, or for each worker.
    pub max_pods: usize,
    /// The same in each namespace.
    pub max_pods_per_namespace: Option<usize>,
    /// Pods created in a second at most, over all tasks.
    pub pods_per_second: Option<u32>,
    /// Finished pods that stay for `kubectl logs`, for each task.
    pub finished_pods: usize,
    /// Maximum that a spec may ask for with finishedPods.
    pub max_finished_pods: usize,
    /// Every other finished pod stays for this many milliseconds after its end was recorded, unless there are too many.
    pub linger_millis: u64,
    /// Maximum number of finished pods that stay for `linger_millis`, over all tasks.
    pub lingering_pods: usize,
    /// Creates on their way at most, at least 1. The window grows up to it.
    pub creates_in_flight: u32,
    /// Deletes on their way at most, at least 1.
    pub deletes_in_flight: usize,
    /// Maximum number of GETs of pods in flight, at least 1.
    pub gets_in_flight: usize,
    /// Writes without an answer that a task remembers, at least 1: the one that is on its way.
    pub attempted_writes: usize,
    /// Bytes of lists of items in memory at most, over all tasks.
    pub list_bytes: u64,
}

/// Lists of items in memory, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct ListMemory {
    /// What all of them take.
    pub taken: u64,
    /// What they may take.
    pub most: u64,
}

impl ListMemory {
    /// Why there is no room for a list of this many bytes, if there is none.
    pub fn problem(self, bytes: u64) -> Option<String> {
        let Self { taken, most } = self;
        let has = megabytes(bytes);
        let limit = format!("listMegabytes of the operator is {}", most / MEGABYTE);
        if bytes > most {
            let way_out = "split the list into several tasks, or raise the limit together with the operator's memory";
            return Some(format!("{limit}, and the list takes {has}: {way_out}"));
        }
        let others = megabytes(taken);
        (taken + bytes > most).then(|| {
            format!("{limit}: the list takes {has} and those of other tasks {others}; it is read once they end")
        })
    }
}

/// Bytes of the unit in which the administrator sets a limit.
pub const MEGABYTE: u64 = 1 << 20;

fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / MEGABYTE, bytes % MEGABYTE * 10 / MEGABYTE)
}

impl Limits {
    /// What holds unless the administrator says otherwise.
    pub const DEFAULT: Self = Self {
        max_pods: 5_000,
        max_pods_per_namespace: None,
        pods_per_second: None,
        finished_pods: 10,
        // A few megabytes a task in etcd, and enough for one pod of each of the groups of failures that a status has.
        max_finished_pods: 100,
        // Deletes are put off for as long as that, so that the API server's time goes to what starts, and there is time
        // to look at the pod.
        linger_millis: 60_000,
        // 25 MB in etcd and in each watcher of all pods. Kubernetes itself begins to delete finished pods at 12,500
        // (the controller manager's terminated-pod-gc-threshold).
        lingering_pods: 5_000,
        // More bring no more pods a second, only more connections, and each create takes longer.
        creates_in_flight: 128,
        // A delete costs the API server about as much as a create, and nobody waits for it.
        deletes_in_flight: 32,
        // GETs of pods are rare but after a restart, when nothing that starts should wait behind them.
        gets_in_flight: 16,
        // Each holds a whole status in memory. A task that has more without an answer takes what the watch shows for
        // another writer's, and is loaded from it again: slower, but correct.
        attempted_writes: 8,
        // With what is needed to read the next one, they fit into the memory that the chart gives the operator.
        list_bytes: 96 * MEGABYTE,
    };
}
