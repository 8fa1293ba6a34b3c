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
    assert!(message.contains("makes 2000000 items (200 × 100 × 100); the limit is 1000000"), "{message}");
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
    assert!(refusal(json!({ "values": ["a\u{0}b"] })).contains("item 0 holds a NUL"));
    assert!(refusal(json!({ "matrix": { "k": [1, "\u{0}"] } })).contains("matrix.k[1] holds a NUL"));
}

/// The keys without a variable, of a template that has this command; or why the list is refused.
fn survey(items: Value, command: &str) -> Result<Option<String>, String> {
    let spec = json!({ "containers": [{ "command": [command] }] });
    accept(items).unwrap().survey(&Uses::of(spec.as_object().unwrap())).map_err(|error| error.to_string())
}

#[test]
fn keys_that_become_one_variable_are_refused_only_if_it_is_used() {
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
