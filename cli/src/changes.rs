//! What a change of a task sends and says, on the command line as on the page.

use serde_json::{Value, json};

use crate::read::Task;
use crate::terminal::words::counted;

/// The manager that the API server notes for what this program changes.
pub const FIELD_MANAGER: &str = "kubectl-maptask";

/// The fields of the spec that run items again, in the order in which they are set. `cancelled`: the task is, and
/// continues only without that.
pub fn rerun(items: &str, id: &str, cancelled: bool) -> Vec<(&'static str, Value)> {
    let mut fields = vec![("rerun", json!({ "id": id, "items": items }))];
    if cancelled {
        fields.push(("cancel", json!(false)));
    }
    fields
}

/// What a task keeps if it is cancelled now, and what does not run: `3 results kept, 5 items not run`.
pub fn kept_if_cancelled(task: &Task) -> String {
    let counts = task.counts();
    let kept = counted(counts.succeeded.saturating_add(counts.cached), "result", "results");
    let rest = counted(counts.pending.saturating_add(counts.running), "item", "items");
    format!("{kept} kept, {rest} not run")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_task_is_no_longer_cancelled() {
        let again = |items: &str| ("rerun", json!({ "id": "1", "items": items }));
        assert_eq!(rerun("Cancelled", "1", true), [again("Cancelled"), ("cancel", json!(false))]);
        assert_eq!(rerun("3", "1", false), [again("3")]);
    }
}
