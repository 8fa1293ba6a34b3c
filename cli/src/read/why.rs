//! Why has an item failed? As far as the groups of failures tell.

use maptask::api::FailureGroup;
use maptask::core::ids::Index;
use maptask::core::phases::Tries;
use maptask::core::ranges;

/// Stands at the end of a list of indexes for those that were left out.
const MORE: char = '…';

/// The groups of a task's failures, with the indexes that they list.
#[derive(Clone, Debug, Default)]
pub struct Why {
    groups: Vec<Listed>,
}

#[derive(Clone, Debug)]
struct Listed {
    title: String,
    ranges: Vec<(u32, u32)>,
    /// Whether items of the group may be missing in the list.
    is_cut: bool,
}

impl Why {
    /// Of the groups of a status.
    pub fn of(groups: &[FailureGroup]) -> Self {
        let listed = |group: &FailureGroup| Listed {
            title: title(group),
            ranges: group.indexes.split(',').filter_map(ranges::range).collect(),
            is_cut: group.indexes.ends_with(MORE),
        };
        Self { groups: groups.iter().map(listed).collect() }
    }

    /// Why this item has failed, if that is known: its last failure counts before those of earlier attempts.
    pub fn failed(&self, index: Index, tries: Tries) -> Option<&str> {
        let lists = |group: &&Listed| group.ranges.iter().any(|(first, last)| (*first..=*last).contains(&index.0));
        let had = |place: usize| tries.failure_groups & (1 << place.min(31)) != 0;
        let listed: Vec<usize> = self.groups.iter().enumerate().filter(|(_, g)| lists(g)).map(|(n, _)| n).collect();
        // The group of the last attempt is not among those that the tries note, unless it was an earlier one's as well.
        let last = listed.iter().find(|place| !had(**place)).or(listed.first()).copied();
        let only = || {
            let mut cut = self.groups.iter().enumerate().filter(|(_, group)| group.is_cut);
            cut.next().filter(|_| cut.next().is_none()).map(|(place, _)| place)
        };
        let sole = (self.groups.len() == 1).then_some(0);
        last.or(sole).or_else(only).and_then(|place| self.groups.get(place)).map(|group| group.title.as_str())
    }
}

/// A group in two or three words: `Failed exit 1`, `OutOfMemory`, `Rejected (OutOfcpu)`.
pub fn title(group: &FailureGroup) -> String {
    let code = group.exit_code.filter(|_| group.category == "Failed").map(|code| format!(" exit {code}"));
    let reason = group.reason.as_ref().filter(|reason| **reason != group.category && *reason != "Error");
    let reason = reason.filter(|_| group.exit_code.is_none()).map(|reason| format!(" ({reason})"));
    format!("{}{}{}", group.category, code.unwrap_or_default(), reason.unwrap_or_default())
}

/// What the failures of a group have in common, or the sample's message, on one line.
pub fn words(group: &FailureGroup) -> &str {
    group.sample.message.as_deref().or(group.pattern.as_deref()).unwrap_or("-")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) fn group(
        category: &str,
        exit: Option<i32>,
        attempts: i32,
        indexes: &str,
        message: &str,
    ) -> FailureGroup {
        let sample = json!({ "index": 7, "attempt": 1, "message": message, "node": "node-03" });
        let mut group = json!({ "category": category, "attempts": attempts, "items": attempts, "indexes": indexes,
            "sample": sample });
        if let Some(exit) = exit {
            group["exitCode"] = json!(exit);
        }
        serde_json::from_value(group).unwrap()
    }

    #[test]
    fn an_item_is_of_the_group_that_lists_it() {
        let groups = [group("Failed", Some(1), 3, "3,7-9", "a"), group("OutOfMemory", Some(137), 9, "12-14,…", "b")];
        let why = Why::of(&groups);
        let of = |index| why.failed(Index(index), Tries::default());
        assert_eq!((of(8), of(13)), (Some("Failed exit 1"), Some("OutOfMemory")));
        assert_eq!(of(100), Some("OutOfMemory"), "only that list was cut");
        let both = Why::of(&[groups[0].clone(), group("Deadline", None, 1, "7", "c")]);
        let earlier = Tries { failure_groups: 1, ..Tries::default() };
        assert_eq!(both.failed(Index(7), earlier), Some("Deadline"), "the last attempt's");
        assert_eq!(both.failed(Index(100), earlier), None, "nobody knows");
        assert_eq!(Why::default().failed(Index(1), Tries::default()), None);
        assert_eq!(Why::of(&groups[..1]).failed(Index(99), Tries::default()), Some("Failed exit 1"));
    }
}
