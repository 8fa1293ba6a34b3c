//! What reduces the results of a task: the accepted part of `spec.reduce`.

use crate::api::spec::{MapTaskSpec, Reduce};
use crate::core::blueprint::Purpose;
use crate::core::ids::{Index, TaskKey};
use crate::core::phases::Counts;
use crate::core::pod::results_view::ResultsView;
use crate::core::pod::{PodTemplate, ResultNames};
use crate::core::results::Layout;
use crate::core::spec::{AcceptedSpec, Refusal, seconds, solo};

/// The place of the reduce in its own run.
pub const SELF: Index = Index(0);

/// What reduces the results of a task.
#[derive(Clone, Debug)]
pub struct Reducer {
    /// What its pods are made from.
    pub spec: AcceptedSpec,
    /// How long it may take over all its attempts.
    pub deadline_millis: Option<u64>,
}

impl Reducer {
    /// Checks what the API server's dry run can't know.
    pub fn accept(
        key: &TaskKey,
        uid: &str,
        task: &MapTaskSpec,
        reduce: &Reduce,
        layout: Layout,
    ) -> Result<Self, Refusal> {
        let mut template =
            PodTemplate::accept(&reduce.template, reduce.container.as_deref()).map_err(Refusal::Reduce)?;
        let names = ResultNames::new(&key.name, layout.shards());
        let view = ResultsView { names, shards: layout.shards().max(1) };
        template.complete_with(task.completion);
        template.show_results(view).map_err(Refusal::Reduce)?;
        let purpose = Purpose::Reduce(Counts::default());
        let spec = solo::accept(key, uid, task, template, purpose, reduce.retries, reduce.start_deadline_seconds)?;
        let spec = AcceptedSpec { results: Some(Layout::of_reduce()), ..spec };
        Ok(Self { spec, deadline_millis: seconds(reduce.active_deadline_seconds) })
    }

    /// The spec of the reduce of items that ended like this.
    pub fn spec_for(&self, counts: Counts) -> AcceptedSpec {
        self.spec.with_blueprint(|blueprint| blueprint.purpose = Purpose::Reduce(counts))
    }
}
