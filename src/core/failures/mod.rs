//! Which failures are alike, and how many? At most ten groups, for `status.failures`.

mod pattern;
pub mod sample;

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::api::OutcomeCategory;
use crate::api::failures::{FailureGroup, FailureSample};
use crate::core::attempt_end::AttemptOutcome;
use crate::core::ids::{Attempt, Index};
use crate::core::phases::Tries;
use crate::core::pod::{Detail, PodOutcome};
use crate::core::ranges::Ranges;
use pattern::pattern;
use sample::sample;

/// Most groups; the last one takes what fits none of the others.
const MAX_GROUPS: usize = 10;
/// Most characters of a sample's message.
const MESSAGE_LIMIT: usize = 400;
/// Most characters of a sample's message in the one sentence about a task.
const WORDS_LIMIT: usize = 200;
/// Most characters of a reason: CamelCase words by convention, but anybody's to choose.
const REASON_LIMIT: usize = 64;
/// The category of the last group.
const OTHER: &str = "Other";

/// What failures have in common that are alike: they are of one group, and one pod of them is worth more than a second.
#[derive(Debug, Hash)]
struct Kind {
    category: &'static str,
    reason: Option<String>,
    exit_code: Option<i32>,
    container: Option<String>,
    pattern: Option<String>,
}

impl Kind {
    fn of(category: OutcomeCategory, outcome: &AttemptOutcome, detail: &Detail) -> Self {
        Self {
            category: category.as_str(),
            reason: detail.reason.as_deref().map(|reason| crate::text::cut(reason, REASON_LIMIT)),
            exit_code: outcome.exit_code(),
            container: outcome.container().map(|name| crate::text::cut(name, REASON_LIMIT)),
            pattern: message_of(detail).map(pattern),
        }
    }

    fn alike(&self) -> Alike {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        Alike(hasher.finish())
    }

    fn is_of(&self, group: &FailureGroup) -> bool {
        group.category == self.category
            && group.exit_code == self.exit_code
            && group.container == self.container
            && group.reason == self.reason
            && group.pattern == self.pattern
    }
}

/// Stands for a kind of failure: two that have the same number are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Alike(u64);

impl Alike {
    /// That of a pod which ended so, if it has failed: one whose attempt does not count any more, or has been counted
    /// before.
    pub fn of(outcome: &PodOutcome, detail: &Detail) -> Option<Self> {
        let outcome = AttemptOutcome::from(outcome.clone());
        Some(Kind::of(outcome.category()?, &outcome, detail).alike())
    }
}

fn message_of(detail: &Detail) -> Option<&str> {
    detail.message.as_deref().filter(|message| !message.trim().is_empty())
}

/// The failures of a task so far.
#[derive(Clone, Debug, Default)]
pub struct Failures {
    groups: Vec<Group>,
}

/// What has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// Attempts of items.
    Items,
    /// Attempts of the reduce, which is no item.
    Reduce,
}

#[derive(Clone, Debug)]
struct Group {
    shown: FailureGroup,
    indexes: Ranges,
}

impl Failures {
    /// What an earlier status recorded.
    pub fn from_status(groups: &[FailureGroup]) -> Self {
        let group = |shown: &FailureGroup| Group { indexes: Ranges::parse(&shown.indexes), shown: shown.clone() };
        Self { groups: groups.iter().take(MAX_GROUPS).map(group).collect() }
    }

    /// The most frequent failure with one sample, in words: `most often (6 attempts): Failed exit 1 in container main:
    /// no such file (item 4)`. Of a reduce without the item.
    pub fn most_often(&self, of: Failed) -> Option<String> {
        let known = self.groups.iter().filter(|group| group.shown.category != OTHER);
        let FailureGroup { category, reason, exit_code, container, attempts: count, sample, .. } =
            &known.rev().max_by_key(|group| group.shown.attempts)?.shown;
        let attempts = if *count == 1 { "attempt" } else { "attempts" };
        let reason = reason.as_ref().filter(|word| *word != category && *word != "Error");
        let parts = [
            Some(format!("most often ({count} {attempts}): {category}")),
            exit_code.map(|code| format!(" exit {code}")),
            reason.filter(|_| exit_code.is_none()).map(|word| format!(" ({word})")),
            container.as_ref().map(|name| format!(" in container {name}")),
            sample.message.as_ref().map(|message| format!(": {}", crate::text::cut(message, WORDS_LIMIT))),
            (of == Failed::Items).then(|| format!(" (item {})", sample.index)),
        ];
        Some(parts.into_iter().flatten().collect())
    }

    /// As the status shows them.
    pub fn to_status(&self) -> Vec<FailureGroup> {
        self.groups
            .iter()
            .map(|group| FailureGroup { indexes: group.indexes.to_string(), ..group.shown.clone() })
            .collect()
    }

    /// Adds an attempt that did not succeed, and notes its group with the item's tries: each item counts once in a
    /// group. Returns its kind.
    pub fn add(
        &mut self,
        index: Index,
        tries: &mut Tries,
        category: OutcomeCategory,
        outcome: &AttemptOutcome,
        detail: &Detail,
    ) -> Alike {
        let kind = Kind::of(category, outcome, detail);
        let alike = kind.alike();
        let place = self.place_of(kind, |kind| group_of(index, tries.attempt, kind, detail));
        let group = &mut self.groups[place];
        group.shown.attempts = group.shown.attempts.saturating_add(1);
        if tries.failure_groups & (1 << place) == 0 {
            tries.failure_groups |= 1 << place;
            group.shown.items = group.shown.items.saturating_add(1);
        }
        group.indexes.insert(index);
        alike
    }

    /// The place of the group that takes a failure of this kind, which is made if there is room.
    fn place_of(&mut self, kind: Kind, make: impl FnOnce(Kind) -> FailureGroup) -> usize {
        let is_other = |group: &Group| group.shown.category == OTHER;
        let place = self.groups.iter().position(|group| kind.is_of(&group.shown));
        let place = place.or_else(|| self.groups.iter().position(is_other).filter(|_| self.groups.len() == MAX_GROUPS));
        place.unwrap_or_else(|| {
            let mut shown = make(kind);
            if self.groups.len() + 1 == MAX_GROUPS {
                let (reason, container, pattern) = (None, None, None);
                shown =
                    FailureGroup { category: OTHER.to_owned(), reason, exit_code: None, container, pattern, ..shown };
            }
            self.groups.push(Group { shown, indexes: Ranges::default() });
            self.groups.len() - 1
        })
    }
}

/// A group whose only failure is this one, not yet counted.
fn group_of(index: Index, attempt: Attempt, kind: Kind, detail: &Detail) -> FailureGroup {
    let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    let Kind { category, reason, exit_code, container, pattern } = kind;
    FailureGroup {
        category: category.to_owned(),
        reason,
        exit_code,
        container,
        attempts: 0,
        items: 0,
        indexes: String::new(),
        pattern,
        sample: FailureSample {
            index: number(index.0),
            attempt: number(attempt.0),
            node: detail.node.clone(),
            message: message_of(detail).map(|m| sample(m, MESSAGE_LIMIT)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(failures: &mut Failures, index: u32, message: &str) {
        add_of("main", failures, index, message);
    }

    fn add_of(container: &str, failures: &mut Failures, index: u32, message: &str) {
        let outcome = AttemptOutcome::Failed { exit_code: 1, container: container.to_owned() };
        let detail = Detail { reason: Some("Error".to_owned()), message: Some(message.to_owned()), node: None };
        failures.add(Index(index), &mut Tries::default(), OutcomeCategory::Failed, &outcome, &detail);
    }

    #[test]
    fn like_failures_are_one_group_with_their_items_and_the_first_message() {
        let mut failures = Failures::default();
        add(&mut failures, 3, "no file /a/3.png");
        add(&mut failures, 4, "no file /b/4.png");
        add(&mut failures, 9, "out of\u{0}luck");
        let shown = failures.to_status();
        assert_eq!(shown.len(), 2);
        assert_eq!((shown[0].attempts, shown[0].indexes.as_str()), (2, "3-4"));
        assert_eq!(shown[0].sample.message.as_deref(), Some("no file /a/3.png"));
        assert_eq!(shown[1].sample.message.as_deref(), Some("out of luck"));
        add(&mut failures, 5, "no file /c/5.png");
        let mut again = Failures::from_status(&shown);
        add(&mut again, 5, "no file /c/5.png");
        assert_eq!(again.to_status(), failures.to_status(), "a restart continues from the status");
    }

    #[test]
    fn failures_of_two_containers_are_two_groups_that_name_them() {
        let mut failures = Failures::default();
        add_of("main", &mut failures, 0, "no luck");
        add_of("side", &mut failures, 1, "no luck");
        let shown = failures.to_status();
        assert_eq!(
            shown.iter().map(|group| group.container.as_deref()).collect::<Vec<_>>(),
            [Some("main"), Some("side")]
        );
    }

    #[test]
    fn the_most_frequent_failure_is_told_with_one_sample() {
        let mut failures = Failures::default();
        assert_eq!(failures.most_often(Failed::Items), None);
        add(&mut failures, 3, "out of luck");
        let words = "most often (1 attempt): Failed exit 1 in container main: out of luck";
        assert_eq!(failures.most_often(Failed::Items), Some(format!("{words} (item 3)")));
        assert_eq!(failures.most_often(Failed::Reduce).as_deref(), Some(words), "of a reduce, which is no item");
        add(&mut failures, 4, "no file /b/4.png");
        add(&mut failures, 5, "no file /b/5.png");
        let words = "most often (2 attempts): Failed exit 1 in container main: no file /b/4.png (item 4)";
        assert_eq!(failures.most_often(Failed::Items).as_deref(), Some(words));
        let detail = Detail { reason: Some("OutOfcpu".to_owned()), ..Detail::default() };
        let mut failures = Failures::default();
        let rejected = AttemptOutcome::Rejected;
        failures.add(Index(0), &mut Tries::default(), OutcomeCategory::Rejected, &rejected, &detail);
        assert_eq!(
            failures.most_often(Failed::Items).as_deref(),
            Some("most often (1 attempt): Rejected (OutOfcpu) (item 0)")
        );
        // A reason that only repeats the message is left out.
        let told = |reason: &str| {
            let detail = Detail { reason: Some(reason.to_owned()), ..Detail::default() };
            let mut failures = Failures::default();
            failures.add(
                Index(0),
                &mut Tries::default(),
                OutcomeCategory::Evicted,
                &AttemptOutcome::Evicted { started: true },
                &detail,
            );
            failures.most_often(Failed::Items).unwrap()
        };
        assert_eq!(told("TerminationByKubelet"), "most often (1 attempt): Evicted (TerminationByKubelet) (item 0)");
        assert_eq!(
            (told("Evicted"), told("Error")),
            (told("Error"), "most often (1 attempt): Evicted (item 0)".to_owned())
        );
    }

    #[test]
    fn failures_are_alike_if_all_that_is_told_of_them_is() {
        let failed = |exit_code, container: &str| AttemptOutcome::Failed { exit_code, container: container.to_owned() };
        let detail = |reason: &str, message: &str| Detail {
            reason: Some(reason.to_owned()),
            message: Some(message.to_owned()),
            node: None,
        };
        let all = [
            (OutcomeCategory::Failed, failed(1, "main"), detail("Error", "oops")),
            (OutcomeCategory::OutOfMemory, failed(1, "main"), detail("Error", "oops")),
            (OutcomeCategory::Failed, failed(2, "main"), detail("Error", "oops")),
            (OutcomeCategory::Failed, failed(1, "side"), detail("Error", "oops")),
            (OutcomeCategory::Failed, failed(1, "main"), detail("StartError", "oops")),
            (OutcomeCategory::Failed, failed(1, "main"), detail("Error", "alas")),
        ];
        let mut failures = Failures::default();
        for _ in 0..2 {
            for (category, outcome, detail) in &all {
                failures.add(Index(0), &mut Tries::default(), *category, outcome, detail);
            }
        }
        assert_eq!(failures.to_status().iter().map(|group| group.attempts).collect::<Vec<_>>(), [2; 6]);
    }

    #[test]
    fn there_are_never_more_than_ten_groups_of_bounded_size() {
        let mut failures = Failures::default();
        for i in 0..26u8 {
            let letter = char::from(b'a' + i).to_string();
            for k in 0..4 {
                add(&mut failures, u32::from(i) * 7 + k, &format!("{letter} {}", "z".repeat(1_000_000)));
            }
        }
        let shown = failures.to_status();
        assert_eq!(shown.len(), 10);
        let other = &shown[9];
        assert_eq!((other.category.as_str(), other.attempts), ("Other", 17 * 4));
        assert_eq!((&other.reason, other.exit_code, &other.container, &other.pattern), (&None, None, &None, &None));
        assert_eq!(shown.iter().map(|group| group.attempts).sum::<i32>(), 26 * 4);
        assert!(serde_json::to_string(&shown).unwrap().len() < 12_000);
    }
}
