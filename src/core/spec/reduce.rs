//! What reduces the results of a task: the accepted part of `spec.reduce`.

use std::sync::Arc;

use crate::api::spec::{Items, MapTaskSpec, Reduce};
use crate::core::blueprint::Blueprint;
use crate::core::ids::{Index, TaskKey};
use crate::core::items::ItemList;
use crate::core::phases::Counts;
use crate::core::pod::results_view::ResultsView;
use crate::core::pod::{PodTemplate, ResultNames};
use crate::core::results::Layout;
use crate::core::spec::retry::Policy;
use crate::core::spec::{AcceptedSpec, Refusal, seconds};

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
        let retries = u32::try_from(reduce.retries).unwrap_or(0);
        let spec = AcceptedSpec {
            blueprint: Arc::new(Blueprint {
                key: key.clone(),
                uid: uid.to_owned(),
                items: ItemList::accept(&Items { count: Some(1), ..Items::default() })?,
                template,
                reduces: Some(Counts::default()),
                lists: None,
                workers: None,
            }),
            required: 1,
            required_percent: "100".to_owned(),
            remaining_items: task.remaining_items,
            policy: Policy { retries, rules: Vec::new(), ..Policy::of(task) },
            start_deadline_millis: seconds(reduce.start_deadline_seconds),
            source: None,
            results: Some(Layout::of_reduce()),
            nameless_keys: None,
            template_hash: String::new(),
            cache: None,
            reduce: None,
            lister: None,
        };
        Ok(Self { spec, deadline_millis: seconds(reduce.active_deadline_seconds) })
    }
}
