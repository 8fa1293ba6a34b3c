//! What to do when a task waits.

use maptask::api::WaitingReason;
use serde_json::Value;

/// What to do about a reason of this word; `None` for one that this version does not know.
pub fn to_do(reason: &str) -> Option<&'static str> {
    serde_json::from_value::<WaitingReason>(Value::from(reason)).ok().map(WaitingReason::advice)
}

/// Whether items end and start all the time while a task waits for this, so that its rate tells when it ends.
pub fn is_steady(reason: &str) -> bool {
    matches!(reason, "Concurrency" | "Quota" | "OperatorLimit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_the_operator_has_a_sentence_and_an_entry_in_the_documentation() {
        let page = include_str!("../../../docs/operations/troubleshooting.md");
        let crd = serde_json::to_value(maptask::api::crd()).unwrap();
        let schema = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/waiting/properties/reason";
        // Enums of the status are open strings: their words are in the description.
        let text = crd.pointer(&format!("{schema}/description")).and_then(Value::as_str).unwrap();
        let words: Vec<&str> = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("- ")?.split_once(':'))
            .map(|(word, _)| word.trim_matches('`'))
            .collect();
        assert!(words.len() >= 17, "{words:?} of {text}");
        for word in words {
            let sentence = to_do(word).unwrap_or_else(|| panic!("nothing to do about {word}"));
            assert!(sentence.len() > 20 && sentence.len() <= 110 && !sentence.contains('\n'), "{word}: {sentence}");
            assert!(page.contains(&format!("\n### `{word}`\n")), "{word} in docs/operations/troubleshooting.md");
        }
        assert_eq!(to_do("Eclipse"), None);
    }
}
