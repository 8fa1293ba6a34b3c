//! Lists as users write them.

use super::*;
use crate::core::pod::variables::Uses;
use proptest::prelude::*;
use serde_json::{Value, json};

fn accept(json: Value) -> Result<ItemList, ItemsError> {
    ItemList::accept(&serde_json::from_value(json).unwrap())
}

fn all(json: Value) -> Vec<Value> {
    let list = accept(json).unwrap();
    list.count().indexes().map(|index| serde_json::from_str(list.get(index).text()).unwrap()).collect()
}

fn refusal(json: Value) -> String {
    accept(json).unwrap_err().to_string()
}

#[test]
fn each_source_makes_its_list() {
    assert_eq!(
        all(json!({ "values": [{ "a": 1 }, "x", 7, null] })),
        [json!({ "a": 1 }), json!("x"), json!(7), json!(null)]
    );
    assert_eq!(all(json!({ "count": 3 })), [json!(0), json!(1), json!(2)]);
    assert_eq!(all(json!({ "range": { "start": 0, "stop": 12, "step": 5 } })), [json!(0), json!(5), json!(10)]);
    assert_eq!(all(json!({ "range": { "start": 2, "stop": -3, "step": -2 } })), [json!(2), json!(0), json!(-2)]);
    assert_eq!(all(json!({ "range": { "stop": 2 } })), [json!(0), json!(1)]);
    assert_eq!(
        all(json!({ "matrix": { "b": [1, 2], "a": ["x", "y"] } })),
        [json!({"a": "x", "b": 1}), json!({"a": "x", "b": 2}), json!({"a": "y", "b": 1}), json!({"a": "y", "b": 2})]
    );
}

#[test]
fn a_list_of_nothing_is_a_list() {
    let mut overflow_and_empty = json!({ "matrix": { "z": [] } });
    (0..11).for_each(|i| overflow_and_empty["matrix"][format!("k{i}")] = json!(vec![0; 100]));
    for empty in [
        json!({ "values": [] }),
        json!({ "count": 0 }),
        json!({ "range": { "stop": 0 } }),
        json!({ "matrix": { "a": [], "b": [1] } }),
        overflow_and_empty,
    ] {
        assert!(all(empty).is_empty());
    }
    assert_eq!(accept(json!({ "count": 1 })).unwrap().get(Index(1)), Json::null());
}

#[test]
fn too_many_items_are_refused_with_their_number() {
    let axis = |n: usize| vec![0; n];
    let message = refusal(json!({ "matrix": { "a": axis(200), "b": axis(100), "c": axis(100) } }));
    assert!(message.contains("has 2000000 items (200 × 100 × 100); the limit is 1000000"), "{message}");
    let huge: BTreeMap<String, Vec<u8>> = (0..16).map(|i| (format!("k{i}"), vec![0; 100])).collect();
    assert!(refusal(json!({ "matrix": huge })).contains("more than 2^64"));
    assert!(
        refusal(json!({ "range": { "start": i64::MIN, "stop": i64::MAX } })).contains("18446744073709551615 items")
    );
}

#[test]
fn no_source_and_two_sources_are_refused() {
    assert_eq!(accept(json!({})).unwrap_err(), ItemsError::Sources(0));
    assert_eq!(accept(json!({ "count": 1, "values": [] })).unwrap_err(), ItemsError::Sources(2));
    assert!(refusal(json!({ "range": { "stop": 1, "step": 0 } })).contains("step is 0"));
    assert!(refusal(json!({ "matrix": {} })).contains("no keys"));
    assert!(refusal(json!({ "count": -5 })).contains("negative"));
    let keys: BTreeMap<String, Vec<u8>> = (0..17).map(|i| (format!("k{i}"), vec![0])).collect();
    assert!(refusal(json!({ "matrix": keys })).contains("16 keys"));
}

#[test]
fn what_does_not_fit_is_refused_with_its_size() {
    let message = refusal(json!({ "values": vec!["x".repeat(97); 10_001] }));
    assert!(message.contains("1000100 bytes") && message.contains("1000000"), "{message}");
    let message = refusal(json!({ "values": ["a", "x".repeat(100_000)] }));
    assert!(message.contains("item 1 has 100002 bytes"), "{message}");
    assert!(refusal(json!({ "values": ["a\u{0}b"] })).contains("item 0 contains a NUL"));
    assert!(refusal(json!({ "matrix": { "k": [1, "\u{0}"] } })).contains("matrix.k[1] contains a NUL"));
}

/// The depth of a value that is this many lists in each other.
fn nested(lists: usize) -> Value {
    (0..lists).fold(json!(1), |inner, _| json!([inner]))
}

#[test]
fn what_just_fits_is_accepted_and_one_more_is_not() {
    // With its quotes, and the comma behind it, a value takes three bytes more than its text.
    let values = |bytes: usize| json!({ "values": vec!["x".repeat(bytes - 3); 10] });
    let axis = |items: usize, bytes: usize| vec!["x".repeat(bytes - 3); items];
    let last = |bytes: usize| json!({ "matrix": { "a": axis(99_999, 10), "b": axis(1, bytes) } });
    // The largest item of a matrix has the largest value of each key.
    let largest =
        |bytes: usize| json!({ "matrix": { "a": ["x", "x".repeat(59_998), ""], "b": ["x".repeat(bytes - 2)] } });
    for (fits, does_not, words) in [
        (values(100_000), values(100_001), "spec.items.values has 1000010 bytes"),
        (last(10), last(11), "spec.items.matrix has 1000001 bytes"),
        (last(10), last(12), "spec.items.matrix has 1000002 bytes"),
        (largest(40_000), largest(40_001), "the largest item of the matrix has 100001 bytes"),
        (largest(40_000), largest(40_002), "the largest item of the matrix has 100002 bytes"),
        (
            json!({ "values": ["x".repeat(99_998)] }),
            json!({ "values": ["x".repeat(99_999)] }),
            "item 0 has 100001 bytes",
        ),
        (
            json!({ "values": [nested(128)] }),
            json!({ "values": [nested(129)] }),
            "item 0 has more than 128 nested lists",
        ),
        (
            json!({ "values": [nested(128)] }),
            json!({ "values": [nested(130)] }),
            "item 0 has more than 128 nested lists",
        ),
        (json!({ "count": 1_000_000 }), json!({ "count": 1_000_001 }), "has 1000001 items; the limit is 1000000"),
    ] {
        assert!(accept(fits).is_ok(), "{words}");
        let message = refusal(does_not);
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_list_that_is_refused_has_a_reason_by_which_it_is_known() {
    let reason = |items: Value| accept(items).unwrap_err().reason();
    assert_eq!(reason(json!({ "count": 1_000_001 })), ConditionReason::TooManyItems);
    assert_eq!(reason(json!({ "values": ["x".repeat(100_000)] })), ConditionReason::ItemsTooLarge);
    assert_eq!(reason(json!({ "values": vec!["x".repeat(99_000); 11] })), ConditionReason::ItemsTooLarge);
    for invalid in [json!({}), json!({ "count": -1 }), json!({ "values": ["\0"] }), json!({ "values": [nested(129)] })]
    {
        assert_eq!(reason(invalid), ConditionReason::InvalidItems);
    }
    let list = accept(json!({ "values": [{ "a-b": 1, "a.b": 2 }] })).unwrap();
    assert_eq!(list.survey(&uses("$(MAPTASK_ITEM_A_B)")).unwrap_err().reason(), ConditionReason::EnvNameCollision);
    assert_eq!(list.survey(&uses("$(MAPTASK_ITEM_C)")).unwrap_err().reason(), ConditionReason::NoSuchKey);
}

#[test]
fn a_configmap_is_no_list_before_it_has_been_read() {
    let error = refusal(json!({ "configMap": { "name": "inputs", "key": "items" } }));
    assert_eq!(error, "spec.items.configMap has not been read");
    let awaited = ItemList::awaited(ItemCount::new(3).unwrap());
    assert_eq!(awaited.survey(&uses("$(MAPTASK_ITEM_LR)")), Ok(None), "which keys it has is not known");
    assert!(!awaited.is_known() && awaited.get(Index(0)) == Json::null());
}

#[test]
fn only_a_value_that_becomes_text_can_not_hold_a_nul_character() {
    for fits in [json!(r"\u0000"), json!({ "a": r"\u0000", "b": "c" }), json!({ "a": ["\0"] }), json!(["\0"])] {
        assert!(accept(json!({ "values": [fits] })).is_ok(), "{fits}");
    }
    let message = refusal(json!({ "values": [1, { "a": "b", "c": "\0" }] }));
    assert!(message.contains("item 1 contains a NUL"), "{message}");
}

/// What a template with this command uses.
fn uses(command: &str) -> Uses {
    Uses::of(json!({ "containers": [{ "command": [command] }] }).as_object().unwrap())
}

/// The keys without a variable, of a template that has this command; or why the list is refused.
fn survey(items: Value, command: &str) -> Result<Option<String>, String> {
    accept(items).unwrap().survey(&uses(command)).map_err(|error| error.to_string())
}

#[test]
fn keys_with_the_same_variable_are_refused_only_if_the_template_uses_it() {
    let items = || json!({ "values": [1, { "a-b": 1, "A.b": 2, "c": 3 }] });
    assert_eq!(survey(items(), "echo $(MAPTASK_ITEM_C)").unwrap().unwrap(), r#""A.b", "a-b""#);
    for command in ["echo $(MAPTASK_ITEM_A_B)", "echo \"${MAPTASK_ITEM_A_B}\""] {
        let message = survey(items(), command).unwrap_err();
        for word in ["item 1", "\"A.b\"", "\"a-b\"", "MAPTASK_ITEM_A_B"] {
            assert!(message.contains(word), "{message}");
        }
    }
    let matrix = || json!({ "matrix": { "x": [1], "X": [2] } });
    assert_eq!(survey(matrix(), "echo").unwrap().unwrap(), r#""X", "x""#);
    assert!(survey(matrix(), "$(MAPTASK_ITEM_X)").is_err());
}

#[test]
fn keys_that_can_be_no_variable_are_told_and_not_refused() {
    let long = "k".repeat(300);
    let told = survey(json!({ "values": [{ "": 1, "a": 2 }, { long: 3 }] }), "echo").unwrap().unwrap();
    assert!(told.starts_with("\"\", \"kkk") && told.len() < 100, "{told}");
    let many: Vec<Value> = (0..9).map(|i| json!({ format!("a{i}-"): 1, format!("a{i}."): 2 })).collect();
    let told = survey(json!({ "values": many }), "echo").unwrap().unwrap();
    assert!(told.ends_with(", …") && told.len() < 100, "{told}");
    let keys = |number: usize| {
        json!({ "values": [{ format!("a{}", "b".repeat(252)): 0, "c": 1 },
        (0..number).map(|i| (format!("{i}{}", "k".repeat(253)), i)).collect::<BTreeMap<_, _>>()] })
    };
    assert_eq!(survey(keys(0), "echo"), Ok(None), "253 bytes can be a variable");
    for (number, shown) in [(1, 1), (5, 5), (6, 5)] {
        let told = survey(keys(number), "echo").unwrap().unwrap();
        assert_eq!((told.matches("kk\"").count(), told.ends_with(", …")), (shown, number > shown), "{told}");
    }
    assert_eq!(survey(json!({ "values": [{ "größe": 1 }] }), "$(MAPTASK_ITEM_GR__E)"), Ok(None));
}

#[test]
fn a_variable_that_no_item_has_is_refused_by_name() {
    for items in [json!({ "values": [{ "lr": 1 }] }), json!({ "count": 3 }), json!({ "matrix": { "lr": [1] } })] {
        let message = survey(items, "$(MAPTASK_ITEM_LRR)").unwrap_err();
        assert!(message.contains("$(MAPTASK_ITEM_LRR)"), "{message}");
    }
    assert_eq!(
        survey(json!({ "values": [{ "lr": 1 }, { "seed": 2 }] }), "$(MAPTASK_ITEM_LR) $(MAPTASK_ITEM_SEED)"),
        Ok(None)
    );
    assert_eq!(survey(json!({ "values": [] }), "$(MAPTASK_ITEM_LR)"), Ok(None), "no item needs it");
}

#[test]
fn an_item_becomes_variables() {
    let env = |item: Value| {
        item_env(&Json::parse(&item.to_string()).unwrap())
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(env(json!("a b")), ["MAPTASK_ITEM=a b"]);
    assert_eq!(env(json!(0.1)), ["MAPTASK_ITEM=0.1"]);
    assert_eq!(env(json!([1, "x"])), ["MAPTASK_ITEM=[1,\"x\"]"]);
    assert_eq!(
        env(json!({ "lr": 0.1, "batch-size": "32" })),
        ["MAPTASK_ITEM={\"batch-size\":\"32\",\"lr\":0.1}", "MAPTASK_ITEM_BATCH_SIZE=32", "MAPTASK_ITEM_LR=0.1"]
    );
}

proptest! {
    #[test]
    fn a_matrix_is_every_combination_in_order(axes in prop::collection::vec(0usize..5, 1..5)) {
        let matrix: BTreeMap<String, Vec<usize>> = axes.iter().enumerate().map(|(k, n)| (format!("k{k}"), (0..*n).collect())).collect();
        let list = accept(json!({ "matrix": matrix })).unwrap();
        let mut plain = vec![vec![]];
        for n in &axes {
            plain = plain.into_iter().flat_map(|head: Vec<usize>| (0..*n).map(move |v| [head.clone(), vec![v]].concat())).collect();
        }
        let listed: Vec<Vec<usize>> = list.count().indexes().map(|index| {
            let item: Value = serde_json::from_str(list.get(index).text()).unwrap();
            (0..axes.len()).map(|k| usize::try_from(item[format!("k{k}")].as_u64().unwrap()).unwrap()).collect()
        }).collect();
        prop_assert_eq!(listed, plain);
    }
}
