//! Every word that a user may meet in a status or an Event has its entry on the page about trouble.

use maptask::api::conditions::ConditionType;
use maptask::api::{ConditionReason, EventReason, OutcomeCategory};
use serde_json::Value;

const PAGE: &str = "docs/operations/troubleshooting.md";

/// The words of a section: those of its headings, and the first cells of its tables.
fn entries(section: &str) -> Vec<String> {
    let page = crate::read(PAGE);
    let (_, rest) = page.split_once(&format!("\n## {section}\n")).unwrap_or_else(|| panic!("{PAGE} has no {section}"));
    let (section, _) = rest.split_once("\n## ").unwrap_or((rest, ""));
    let word = |line: &str| {
        let rest = line.strip_prefix("### `").or_else(|| line.strip_prefix("| `"))?;
        Some(rest.split_once('`')?.0.to_owned())
    };
    section.lines().filter_map(word).collect()
}

fn compare(section: &str, mut words: Vec<String>) {
    let mut found = entries(section);
    found.sort();
    words.sort();
    let missing: Vec<_> = words.iter().filter(|word| !found.contains(word)).collect();
    assert!(missing.is_empty(), "{PAGE} has no entry for {missing:?} in {section}");
    assert_eq!(
        found, words,
        "{PAGE}, {section}: an entry is there twice, or for a word that the operator does not use"
    );
}

/// The words of an open enum: they are in its description.
fn described(pointer: &str) -> Vec<String> {
    let crd = serde_json::to_value(maptask::api::crd()).unwrap();
    let path = format!("/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/{pointer}/description");
    let text = crd.pointer(&path).and_then(Value::as_str).unwrap_or_else(|| panic!("{path}"));
    let word = |line: &str| Some(line.trim().strip_prefix("- ")?.split_once(':')?.0.trim_matches('`').to_owned());
    text.lines().filter_map(word).collect()
}

#[test]
fn every_reason_for_which_a_task_waits_has_an_entry() {
    let words = described("waiting/properties/reason");
    assert!(words.len() >= 17, "{words:?}");
    compare("Why a task waits", words);
}

#[test]
fn every_category_of_failures_has_an_entry() {
    compare("Why attempts fail", OutcomeCategory::ALL.iter().map(|category| category.as_str().to_owned()).collect());
}

#[test]
fn every_condition_and_each_of_its_reasons_has_an_entry() {
    compare("Conditions", ConditionType::ALL.iter().map(|type_| type_.as_str().to_owned()).collect());
    compare("Reasons of conditions", ConditionReason::ALL.iter().map(|reason| reason.as_str().to_owned()).collect());
}

#[test]
fn every_event_has_an_entry() {
    compare("Events", EventReason::ALL.iter().map(|reason| reason.as_str().to_owned()).collect());
}
