//! A pod beside those of the items, alone in a run of its own: of the reduce, or of the list.

use std::sync::Arc;

use crate::api::spec::{Items, MapTaskSpec};
use crate::core::blueprint::{Blueprint, Purpose};
use crate::core::ids::TaskKey;
use crate::core::items::ItemList;
use crate::core::pod::PodTemplate;
use crate::core::spec::retry::Policy;
use crate::core::spec::{AcceptedSpec, Refusal, seconds, templates};

/// What its run goes by: as the task's own, but with a list of one, and with retries and a start deadline of its own.
pub(super) fn accept(
    key: &TaskKey,
    uid: &str,
    task: &MapTaskSpec,
    template: PodTemplate,
    purpose: Purpose,
    retries: i32,
    start_deadline_seconds: Option<i32>,
) -> Result<AcceptedSpec, Refusal> {
    let retries = u32::try_from(retries).unwrap_or(0);
    Ok(AcceptedSpec {
        blueprint: Arc::new(Blueprint {
            key: key.clone(),
            uid: uid.to_owned(),
            items: ItemList::accept(&Items { count: Some(1), ..Items::default() })?,
            template,
            purpose,
        }),
        required: 1,
        required_percent: "100".to_owned(),
        remaining_items: task.remaining_items,
        policy: Policy { retries, rules: Vec::new(), ..Policy::of(task) },
        start_deadline_millis: seconds(start_deadline_seconds),
        source: None,
        results: None,
        nameless_keys: None,
        template_hash: templates::hash(task),
        cache: None,
        reduce: None,
        lister: None,
    })
}
