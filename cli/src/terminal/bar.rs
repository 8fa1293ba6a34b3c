//! A bar of what has become of the items: successes from the left, failures from the right.

use maptask::api::ItemCounts;

use super::line::{Line, Style};

/// The bar in brackets, with this many cells between them. What has failed or runs has at least one.
pub fn bar(counts: ItemCounts, cells: usize) -> Line {
    let parts = [
        (counts.succeeded, '#', Style::Good),
        (counts.cached, '=', Style::Cached),
        (counts.running, '>', Style::Busy),
        (counts.pending, '.', Style::Dim),
        (counts.cancelled, '-', Style::Plain),
        (counts.failed, 'x', Style::Bad),
    ];
    let widths = shares(&parts.map(|(count, ..)| u64::try_from(count).unwrap_or(0)), cells);
    let mut line = Line::new("[");
    for ((_, character, style), width) in parts.into_iter().zip(widths).filter(|(_, width)| *width > 0) {
        line = line.and(style, character.to_string().repeat(width));
    }
    line.and(Style::Plain, "]")
}

/// Cells for each number: at least one for what is there, the largest gives.
fn shares(numbers: &[u64], cells: usize) -> Vec<usize> {
    let total: u64 = numbers.iter().sum();
    if total == 0 {
        // Nothing is known: all of it is pending.
        return numbers.iter().enumerate().map(|(place, _)| if place == 3 { cells } else { 0 }).collect();
    }
    let share = |number: u64| {
        let share = u128::from(number) * cells as u128 / u128::from(total);
        usize::try_from(share).unwrap_or(cells).max(usize::from(number > 0))
    };
    let mut widths: Vec<usize> = numbers.iter().map(|number| share(*number)).collect();
    let mut sum: usize = widths.iter().sum();
    while sum != cells {
        // Rounding: the largest takes what is left, and gives what is too much.
        let Some(largest) = widths.iter_mut().max() else { break };
        if sum > cells {
            if *largest == 0 {
                break;
            }
            *largest -= 1;
            sum -= 1;
        } else {
            *largest += cells - sum;
            sum = cells;
        }
    }
    widths
}

/// Ended items in percent: 100 only when all have ended.
pub fn percent(ended: i32, items: i32) -> u32 {
    if items <= 0 {
        return 100;
    }
    let (ended, items) = (i64::from(ended.max(0)), i64::from(items));
    let rounded = (ended * 200 + items) / (items * 2);
    u32::try_from(if ended < items { rounded.min(99) } else { 100 }).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(succeeded: i32, cached: i32, running: i32, pending: i32, cancelled: i32, failed: i32) -> ItemCounts {
        ItemCounts { pending, running, succeeded, failed, cached, cancelled, retried: 0 }
    }

    #[test]
    fn a_failure_is_never_averaged_away() {
        assert_eq!(bar(counts(999_999, 0, 0, 0, 0, 1), 10).plain(), "[#########x]");
        assert_eq!(bar(counts(0, 0, 0, 4, 0, 0), 10).plain(), "[..........]");
        assert_eq!(bar(counts(0, 0, 0, 0, 0, 0), 4).plain(), "[....]");
        assert_eq!(bar(counts(5, 2, 1, 1, 0, 1), 10).plain(), "[#####==>.x]");
        assert_eq!(bar(counts(1_019, 0, 0, 0, 18_580, 401), 70).plain().len(), 72);
        assert_eq!(bar(counts(1, 1, 1, 1, 1, 1), 3).width(), 5, "more kinds than cells");
    }

    #[test]
    fn all_is_only_what_is_all() {
        assert_eq!(
            [(15_172, 20_000), (19_999, 20_000), (20_000, 20_000), (1, 20_000), (0, 0)].map(|(a, b)| percent(a, b)),
            [76, 99, 100, 0, 100]
        );
    }
}
