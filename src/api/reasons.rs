//! The reasons of conditions and of Events: closed sets, so that each can be looked up in the documentation.

/// An enum of words as they stand in the API.
macro_rules! words {
    ($(#[$of_enum:meta])* $name:ident { $($(#[$of_word:meta])* $word:ident,)+ }) => {
        $(#[$of_enum])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$of_word])* $word,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$word,)+];

            /// The word as it stands in the object.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => stringify!($word),)+
                }
            }
        }
    };
}

words! {
    /// Why a condition is as it is. `Reconciling` has the reason for which the task waits, or its phase; `Stalled` that
    /// of `Failed`, or the phase.
    ConditionReason {
        /// The spec is good and its pods can be created.
        Accepted,
        /// The pods can't be created yet, for a reason that can be repaired.
        FailedCreate,
        /// The list is not one: no source or two, text that can't be read, an item that can't be a variable.
        InvalidItems,
        /// The list has more items than a task may have.
        TooManyItems,
        /// The list, or one item, has more bytes than a task may have.
        ItemsTooLarge,
        /// Two keys of an item would be one variable, which the template uses.
        EnvNameCollision,
        /// The template uses a variable of a key that no item has.
        NoSuchKey,
        /// The task whose results are the items has failed, or stores none.
        DependencyFailed,
        /// Tasks wait for each other's results.
        DependencyCycle,
        /// The pod that computes the list has failed, and has no attempts left.
        ItemsPodFailed,
        /// The template can't be one for items, for the reduce, or for the list.
        InvalidTemplate,
        /// The results have no room.
        InvalidResults,
        /// More successes are required than there are items, or a ratio that is none.
        InvalidSuccessCriterion,
        /// The API server refuses a pod of the template, and no cluster would take it.
        TemplateRefused,
        /// A quota or a limit of the namespace can never admit a pod of the template.
        NeverFits,
        /// Enough items have succeeded.
        EnoughSuccesses,
        /// So many items have failed that the others can't be enough.
        TooManyFailures,
        /// A rule of the retry policy with the action `FailTask` applied.
        FailTaskRule,
        /// `activeDeadlineSeconds` of the task, or of its reduce, has passed.
        DeadlineExceeded,
        /// `spec.cancel` is true.
        Cancelled,
        /// The reduce has failed, and has no attempts left.
        ReduceFailed,
        /// The state of the items in `status` can't be decoded.
        StatusUnreadable,
        /// A rerun takes back what was decided.
        Rerun,
        /// `spec.suspend` is true.
        Suspended,
        /// The task is not suspended any more.
        Resumed,
        /// Nothing is in progress.
        Idle,
        /// Somebody else has changed or deleted results, and they are lost.
        ChangedOrDeleted,
        /// All results are there again.
        Restored,
    }
}

words! {
    /// What an Event on a `MapTask` is about.
    EventReason {
        /// The spec is good and its pods can be created.
        Accepted,
        /// The pod of `spec.items.pod` has written the list, and all of it is stored.
        Listed,
        /// The task ended before it was accepted.
        Refused,
        /// The task waits, at most once in ten minutes.
        Blocked,
        /// The task has succeeded; with a reduce, so has the reduce.
        Succeeded,
        /// The task has failed.
        Failed,
        /// A rerun was started, or will be.
        Rerun,
        /// A rerun can't be done.
        RerunRefused,
        /// The task asks for more finished pods than the operator keeps.
        FinishedPodsLimited,
        /// The cache can't be read, so that all items run.
        CacheUnreadable,
        /// Entries of the cache are damaged, so that their items run.
        CacheDamaged,
        /// Results are stored, but not in the cache.
        NotCached,
        /// Somebody else has changed or deleted results, and they are lost.
        ResultsDamaged,
        /// Somebody else has changed or deleted results, and they were restored from finished pods.
        ResultsRestored,
        /// A worker takes no more items, since it fails what succeeds elsewhere.
        WorkerDrained,
        /// An item takes much longer than the others did.
        Straggler,
    }
}
