//! How the items stand, for the status: counts, packed phases, failures.

use crate::api::status::{ItemCounts, MapTaskStatus, ResultShards};
use crate::core::attempts::ItemTable;
use crate::core::ids::TaskKey;
use crate::core::phases::{Counts, ItemPhase};
use crate::core::pod::ResultNames;
use crate::core::ranges::as_a_job;
use crate::core::record::number;
use crate::core::results::Layout;
use crate::core::spec::AcceptedSpec;

/// Most bytes of `status.failedIndexes`: some 2,400 indexes of a million that do not touch.
const FAILED_INDEXES_LIMIT: usize = 16 * 1_024;

/// Says in the status how the items stand.
pub fn describe(items: &ItemTable, spec: &AcceptedSpec, status: &mut MapTaskStatus) {
    let counts = items.counts();
    let count = spec.count();
    status.items = Some(number(count.get()));
    status.required = Some(number(spec.required));
    status.counts = Some(ItemCounts {
        pending: number(counts.pending),
        running: number(counts.running),
        succeeded: number(counts.succeeded),
        failed: number(counts.failed),
        cached: number(counts.cached),
        cancelled: number(counts.cancelled),
        retried: number(u32::try_from(items.all_tries().count()).unwrap_or(u32::MAX)),
    });
    status.phases = Some(items.phases().encode());
    status.attempts = Some(items.all_tries().encode(count)).filter(|text| !text.is_empty());
    let (indexes, listed) = as_a_job(items.phases().ranges_in(ItemPhase::Failed), FAILED_INDEXES_LIMIT);
    status.failed_indexes = Some(indexes).filter(|indexes| !indexes.is_empty());
    status.failed_indexes_omitted = Some(number(counts.failed - listed)).filter(|omitted| *omitted > 0);
    status.done = Some(format!("{}/{}", counts.ended(), count.get()));
    status.ratio = Some(format!("{}/{}%", success_percent(counts), spec.required_percent));
    status.failures = items.failures().to_status();
    status.items_hash = spec.source.as_ref().and_then(|(_, hash)| hash.clone());
    status.results = spec.results.map(|layout| result_shards(&spec.blueprint.key, layout));
    // They are emptied before this is written.
    status.former_results = None;
}

/// Where the results of a task are.
pub fn result_shards(task: &TaskKey, layout: Layout) -> ResultShards {
    ResultShards {
        config_map_prefix: ResultNames::new(&task.name, layout.shards()).prefix().to_owned(),
        shards: number(layout.shards()),
        items_per_shard: number(layout.items_per_shard()),
    }
}

/// Successes among the ended items in percent with one decimal, cut and not rounded: 100 means all. `-` before any end.
fn success_percent(counts: Counts) -> String {
    let good = u64::from(counts.succeeded + counts.cached);
    let ended = good + u64::from(counts.failed);
    if ended == 0 {
        return "-".to_owned();
    }
    let permille = good * 1_000 / ended;
    match permille % 10 {
        0 => format!("{}", permille / 10),
        tenth => format!("{}.{tenth}", permille / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_successes_is_cut_to_one_decimal() {
        let percent = |succeeded, failed| success_percent(Counts { succeeded, failed, ..Counts::default() });
        assert_eq!(percent(0, 0), "-");
        assert_eq!(percent(5, 0), "100");
        assert_eq!(percent(8_082, 41), "99.4");
        assert_eq!(percent(999_999, 1), "99.9", "never 100 with a failure");
        assert_eq!(percent(0, 3), "0");
    }
}
