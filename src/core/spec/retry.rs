//! Does an item get another attempt, and when?

use crate::api::retry_policy::{RetryRule, RuleAction};
use crate::api::spec::MapTaskSpec;
use crate::core::attempt_end::{AttemptOutcome, Cost};
use crate::core::backoff::doubled;
use crate::core::ids::{Index, Time};
use crate::core::phases::Tries;
use crate::core::pod::memory::Growth;

/// After an outcome that cost nothing, the delay doubles at most this often: it says nothing about the item.
const FREE_DOUBLINGS: u32 = 3;

/// What a task gives an item beyond its first attempt.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Attempts after application failures.
    pub retries: u32,
    /// Attempts after infrastructure failures.
    pub infrastructure_retries: u32,
    /// Milliseconds before the second attempt.
    pub backoff_millis: u64,
    /// Most milliseconds before an attempt.
    pub max_backoff_millis: u64,
    /// The first one that fits an outcome counts.
    pub rules: Vec<RetryRule>,
    /// How the memory of the container that was short grows.
    pub growth: Growth,
}

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another attempt.
    Again(Tries),
    /// The item fails.
    FailItem,
    /// The item and the task fail.
    FailTask,
}

impl Policy {
    /// The policy of a spec; how memory grows is for its template to say.
    pub fn of(spec: &MapTaskSpec) -> Self {
        let policy = &spec.retry_policy;
        let millis = |seconds: i32| u64::try_from(seconds).unwrap_or(0) * 1_000;
        Self {
            retries: u32::try_from(spec.retries).unwrap_or(0),
            infrastructure_retries: u32::try_from(policy.infrastructure_retries).unwrap_or(0),
            backoff_millis: millis(policy.backoff_seconds),
            max_backoff_millis: millis(policy.max_backoff_seconds),
            rules: policy.rules.clone(),
            growth: Growth::default(),
        }
    }

    /// What follows an outcome that was no success.
    pub fn next(&self, tries: Tries, outcome: &AttemptOutcome) -> Next {
        let cost = match self.rules.iter().find(|rule| fits(rule, outcome)).map(|rule| rule.action) {
            Some(RuleAction::FailItem) => return Next::FailItem,
            Some(RuleAction::FailTask) => return Next::FailTask,
            Some(RuleAction::Retry) => Cost::Application,
            Some(RuleAction::Ignore) => Cost::Free,
            None => outcome.cost().unwrap_or(Cost::Free),
        };
        let mut tries = Tries { attempt: tries.attempt.next(), ..tries };
        match cost {
            Cost::Application => tries.application += 1,
            Cost::Infrastructure => tries.infrastructure += 1,
            Cost::Free => {}
        }
        if let AttemptOutcome::OutOfMemory { container, .. } = outcome
            && let Some(position) = self.growth.container_to_raise(container, tries.memory_raises)
        {
            tries.memory_raises = tries.memory_raises.raised(position);
        }
        let spent = tries.application > self.retries || tries.infrastructure > self.infrastructure_retries;
        if spent { Next::FailItem } else { Next::Again(tries) }
    }

    /// When the next attempt may start: a delay that doubles with each attempt that cost something, up to a cap, spread
    /// over its upper half so that items that failed together don't come back together.
    pub fn not_before(&self, now: Time, seed: u64, index: Index, before: Tries, tries: Tries) -> Time {
        let costs = |tries: Tries| tries.application + tries.infrastructure;
        let doublings = match costs(tries) {
            paid if paid > costs(before) => paid - 1,
            _ => (tries.attempt.0.saturating_sub(2)).min(FREE_DOUBLINGS),
        };
        let delay = doubled(self.backoff_millis, doublings, self.max_backoff_millis);
        let spread = mix(seed ^ (u64::from(index.0) << 32) ^ u64::from(tries.attempt.0)) % (delay / 2 + 1);
        now.plus_millis(delay - spread)
    }
}

fn fits(rule: &RetryRule, outcome: &AttemptOutcome) -> bool {
    let RetryRule { category, exit_codes, container, action: _ } = rule;
    let Some(actual) = outcome.category() else { return false };
    category.is_none_or(|category| category == actual)
        && exit_codes.as_ref().is_none_or(|codes| outcome.exit_code().is_some_and(|code| codes.contains(&code)))
        && container.as_ref().is_none_or(|name| outcome.container() == Some(name))
}

/// `splitmix64`: a fixed, well-spread function of its input.
pub(crate) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::Attempt;
    use crate::core::phases::Raises;
    use crate::core::pod::PodTemplate;
    use serde_json::json;

    fn tries(attempt: u32, own: u32, infrastructure: u32) -> Tries {
        Tries {
            attempt: Attempt(attempt),
            application: own,
            infrastructure,
            memory_raises: Raises::NONE,
            failure_groups: 0,
        }
    }

    fn policy(retries: u32, retry_policy: &serde_json::Value) -> Policy {
        let spec = json!({ "items": { "count": 1 }, "template": {}, "retries": retries, "retryPolicy": retry_policy });
        Policy::of(&serde_json::from_value(spec).unwrap())
    }

    fn failed(exit_code: i32) -> AttemptOutcome {
        AttemptOutcome::Failed { exit_code, container: "main".to_owned() }
    }

    fn oom(container: &str) -> AttemptOutcome {
        AttemptOutcome::OutOfMemory { exit_code: 137, container: container.to_owned() }
    }

    #[test]
    fn own_failures_cost_retries_and_the_clusters_do_not() {
        let next = |retries, before, outcome: AttemptOutcome| policy(retries, &json!({})).next(before, &outcome);
        assert_eq!(next(0, tries(1, 0, 0), failed(1)), Next::FailItem);
        assert_eq!(next(1, tries(1, 0, 0), failed(1)), Next::Again(tries(2, 1, 0)));
        assert_eq!(next(1, tries(2, 1, 0), failed(1)), Next::FailItem);
        assert_eq!(next(0, tries(1, 0, 0), AttemptOutcome::NodeLost), Next::Again(tries(2, 0, 1)));
        assert_eq!(next(0, tries(11, 0, 10), AttemptOutcome::NodeLost), Next::FailItem);
        assert_eq!(
            next(0, tries(99, 0, 10), AttemptOutcome::Evicted { started: false }),
            Next::Again(tries(100, 0, 10))
        );
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let rules = json!({ "rules": [
            { "exitCodes": [3], "action": "FailItem" },
            { "exitCodes": [3, 4], "action": "Ignore" },
            { "category": "Evicted", "action": "Retry" },
            { "category": "Failed", "container": "side", "action": "Ignore" },
            { "exitCodes": [137], "action": "FailTask" },
        ] });
        let next = |outcome| policy(1, &rules).next(tries(1, 0, 0), &outcome);
        assert_eq!(next(failed(3)), Next::FailItem);
        assert_eq!(next(failed(4)), Next::Again(tries(2, 0, 0)));
        assert_eq!(next(failed(5)), Next::Again(tries(2, 1, 0)), "no rule fits: its category decides");
        assert_eq!(next(AttemptOutcome::Evicted { started: true }), Next::Again(tries(2, 1, 0)));
        assert_eq!(
            next(AttemptOutcome::Failed { exit_code: 9, container: "side".to_owned() }),
            Next::Again(tries(2, 0, 0))
        );
        assert_eq!(next(oom("main")), Next::FailTask, "its exit code is 137");
    }

    #[test]
    fn memory_is_raised_after_each_attempt_that_ran_out_of_it() {
        let limit = |name: &str| json!({ "name": name, "resources": { "limits": { "memory": "10Mi" } } });
        let raw = json!({ "spec": { "containers": [limit("main"), limit("side"), { "name": "open" }] } });
        let mut template = PodTemplate::accept(&raw, None).unwrap();
        let growth = serde_json::from_value(json!({ "factor": 2, "maxMemory": "1Gi" })).unwrap();
        template.grow_memory(&growth).unwrap();
        let growing = Policy { growth: template.growth().clone(), ..policy(9, &json!({})) };
        let outcomes = [oom("main"), failed(1), oom("side"), oom("open"), oom("side"), oom("main")];
        let after = |tries, outcome: &AttemptOutcome| match growing.next(tries, outcome) {
            Next::Again(tries) => tries,
            other => panic!("{other:?}"),
        };
        let raises = outcomes.iter().fold(tries(1, 0, 0), after).memory_raises;
        assert_eq!([0, 1, 2].map(|slot| raises.of(slot)), [2, 2, 0], "of each container by itself, and stays raised");
    }

    #[test]
    fn the_delay_doubles_up_to_its_cap_and_has_jitter() {
        let policy = policy(9, &json!({ "backoffSeconds": 2, "maxBackoffSeconds": 30 }));
        let delay =
            |own, index| policy.not_before(Time(0), 1, Index(index), tries(own, own - 1, 0), tries(own + 1, own, 0)).0;
        assert!((1_000..=2_000).contains(&delay(1, 0)));
        assert!((2_000..=4_000).contains(&delay(2, 0)));
        assert!((15_000..=30_000).contains(&delay(40, 0)));
        let spread: std::collections::BTreeSet<_> = (0..100).map(|i| delay(1, i)).collect();
        assert!(spread.len() > 50, "only {} different delays", spread.len());
    }

    #[test]
    fn an_outcome_that_costs_nothing_does_not_delay_the_item_for_long() {
        let policy = policy(9, &json!({}));
        let delay = policy.not_before(Time(0), 1, Index(0), tries(50, 0, 0), tries(51, 0, 0)).0;
        assert!((4_000..=8_000).contains(&delay), "{delay}");
    }

    #[test]
    fn delays_are_spread_over_items_and_attempts_whatever_the_seed() {
        let policy = policy(9, &json!({ "backoffSeconds": 60, "maxBackoffSeconds": 60 }));
        for seed in [0, u64::MAX] {
            let delay = |index, own| {
                policy.not_before(Time(0), seed, Index(index), tries(own, own - 1, 0), tries(own + 1, own, 0)).0
            };
            let items: std::collections::BTreeSet<_> = (0..100).map(|index| delay(index, 1)).collect();
            let attempts: std::collections::BTreeSet<_> = (1..100).map(|own| delay(0, own)).collect();
            assert!(items.len() > 90 && attempts.len() > 90, "{} and {} under {seed}", items.len(), attempts.len());
        }
    }

    #[test]
    fn chance_is_splitmix64() {
        // The first numbers of its published sequences from the states 0 and 0x9e3779b97f4a7c15.
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mix(0x9e37_79b9_7f4a_7c15), 0x6e78_9e6a_a1b9_65f4);
    }
}
