use super::*;
use crate::core::pod::Holder;

/// The series of a text, without their values.
fn series(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

#[test]
fn every_series_is_there_before_its_first_event() {
    let metrics = Metrics::default();
    let at_first = series(&metrics.text());
    let text = String::new;
    let holder = Holder { owner: None, left_over: false, terminating: false, finalizers: Vec::new() };
    for outcome in [
        CreateOutcome::Created,
        CreateOutcome::NameTaken(holder),
        CreateOutcome::Quota(text()),
        CreateOutcome::Contended,
        CreateOutcome::Throttled(None),
        CreateOutcome::Indeterminate,
        CreateOutcome::Failed { message: text(), may_exist: true },
        CreateOutcome::Refused(text()),
        CreateOutcome::Invalid(text()),
    ] {
        metrics.created(&outcome);
    }
    for outcome in [DeleteOutcome::Taken, DeleteOutcome::Failed, DeleteOutcome::Changed] {
        metrics.deleted(outcome);
    }
    for outcome in [
        WriteOutcome::Written { version: 1, rewritten: 0, uncached: None },
        WriteOutcome::Conflict,
        WriteOutcome::Gone,
        WriteOutcome::Damaged(Vec::new()),
        WriteOutcome::NotStored { message: text(), refused: false },
        WriteOutcome::Failed(text()),
    ] {
        metrics.written(&outcome, &MapTaskStatus::default());
    }
    let failures = OutcomeCategory::ALL.map(OutcomeCategory::as_str).into_iter();
    let outcomes = failures.chain(["Succeeded", "Stopped"]).map(|outcome| (outcome, 1)).collect();
    metrics.set(&Gauges { outcomes, ..Gauges::default() });
    assert_eq!(series(&metrics.text()), at_first, "an event made a series");
    for line in [
        r#"maptask_status_writes_total{outcome="written"}"#,
        r#"maptask_pod_creates_total{outcome="created"}"#,
        r#"maptask_item_attempts_total{outcome="OutOfMemory"}"#,
        r#"maptask_exchange_requests_total{status="503"}"#,
        r#"maptask_token_reviews_total{outcome="no_pod"}"#,
        "maptask_suspended_items",
    ] {
        assert!(at_first.iter().any(|series| series == line), "{line} is not among {at_first:?}");
    }
}
