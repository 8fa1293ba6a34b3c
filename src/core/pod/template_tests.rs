//! Templates as users write them, and the pods that come of them.

use super::*;
use crate::core::ids::{Attempt, Index};

fn template() -> Value {
    json!({
        "metadata": { "labels": {
            "team": "a", "maptask.dev/index": "77", "app.kubernetes.io/managed-by": "me",
        } },
        "spec": { "containers": [{ "name": "main", "image": "x", "env": [{ "name": "MAPTASK_ITEM", "value": "mine" }] },
                                 { "name": "side", "image": "y" }] },
    })
}

#[test]
fn a_pod_carries_its_name_labels_owner_and_item() {
    let template = PodTemplate::accept(&template(), None).unwrap();
    let env = [("MAPTASK_ITEM".to_owned(), "7".to_owned()), ("MAPTASK_INDEX".to_owned(), "3".to_owned())];
    let pod = template.pod(&TaskKey::new("ns", "t"), "u-1", PodRole::Item(Index(3), Attempt(2)), &env, Raises::NONE);
    assert_eq!(pod["metadata"]["name"], "t-3-2");
    let labels = json!({
        "team": "a", "maptask.dev/name": "t", "maptask.dev/controller-uid": "u-1", "maptask.dev/index": "3",
        "maptask.dev/attempt": "2", "app.kubernetes.io/managed-by": "maptask-operator",
    });
    assert_eq!(pod["metadata"]["labels"], labels, "the template's own, and ours");
    assert_eq!(pod["metadata"]["ownerReferences"][0]["uid"], "u-1");
    assert_eq!(pod["spec"]["restartPolicy"], "Never");
    let names: Vec<_> = pod["spec"]["containers"][0]["env"].as_array().unwrap().iter().map(|e| &e["value"]).collect();
    assert_eq!(names, ["/dev/termination-log", "3", "mine"], "the user's own variable wins and comes last");
    assert_eq!(pod["spec"]["containers"][1]["env"][0]["value"], "7");
}

#[test]
fn maptask_result_is_the_termination_message_of_the_items_container() {
    let result = |path: Value, env: Value| {
        let mut template = template();
        template["spec"]["containers"][1]["terminationMessagePath"] = path;
        template["spec"]["containers"][1]["env"] = env;
        let template = PodTemplate::accept(&template, Some("side")).unwrap();
        let pod =
            template.pod(&TaskKey::new("ns", "t"), "u-1", PodRole::Item(Index(0), Attempt::FIRST), &[], Raises::NONE);
        assert_eq!(
            pod["spec"]["containers"][0]["env"].as_array().unwrap().len(),
            1,
            "another container's is no result"
        );
        pod["spec"]["containers"][1]["env"][0]["value"].clone()
    };
    for absent in [json!(null), json!("")] {
        assert_eq!(result(absent, json!(null)), "/dev/termination-log");
    }
    assert_eq!(result(json!("/tmp/message"), json!(null)), "/tmp/message");
    let own = json!([{ "name": "MAPTASK_RESULT", "value": "/tmp/own" }]);
    assert_eq!(result(json!("/tmp/message"), own), "/tmp/own", "the user's own variable wins");
}

#[test]
fn an_item_is_not_expanded() {
    assert_eq!(variable("A", "$(HOME) $$ $")["value"], "$$(HOME) $$$$ $$");
}

#[test]
fn a_template_whose_pods_would_not_end_is_refused() {
    for policy in ["Always", "OnFailure"] {
        let mut template = template();
        template["spec"]["restartPolicy"] = json!(policy);
        let error = PodTemplate::accept(&template, None).unwrap_err();
        assert!(error.to_string().contains(policy), "{error}");
    }
}

#[test]
fn what_says_nothing_or_what_we_would_set_is_accepted() {
    for (field, value) in [
        ("/spec/restartPolicy", json!("Never")),
        ("/spec/restartPolicy", json!(null)),
        ("/metadata/labels", json!(null)),
    ] {
        let mut template = template();
        let (parent, name) = field.rsplit_once('/').unwrap();
        template.pointer_mut(parent).unwrap()[name] = value;
        assert!(PodTemplate::accept(&template, None).is_ok(), "{field}");
    }
    for (env, accepted) in [(json!(null), true), (json!([]), true), (json!({}), false), (json!("A=1"), false)] {
        for list in ["containers", "initContainers"] {
            let mut template = template();
            template["spec"]["initContainers"] = json!([{ "name": "init" }]);
            template["spec"][list][0]["env"] = env.clone();
            assert_eq!(PodTemplate::accept(&template, None).is_ok(), accepted, "{list} {env}");
        }
    }
}

#[test]
fn labels_and_annotations_are_maps_of_strings() {
    for field in ["labels", "annotations"] {
        for bad in [json!({ "a": 1 }), json!({ "a": "1", "b": null }), json!(["a"]), json!("a")] {
            let mut template = template();
            template["metadata"][field] = bad;
            assert_eq!(PodTemplate::accept(&template, None).unwrap_err(), TemplateError::BadMetadata(field));
        }
    }
}

#[test]
fn a_hostname_that_the_template_sets_stays() {
    let key = TaskKey::new("ns", "a.".repeat(31));
    let hostname = |own: Value| {
        let mut template = template();
        template["spec"]["hostname"] = own;
        let template = PodTemplate::accept(&template, None).unwrap();
        template.pod(&key, "u-1", PodRole::Item(Index(3), Attempt(2)), &[], Raises::NONE)["spec"]["hostname"].clone()
    };
    let ours = hostname(json!(null));
    assert!(ours.as_str().is_some_and(|name| !name.contains('.')), "a name that a host can have: {ours}");
    assert_eq!((hostname(json!("")), hostname(json!("mine"))), (ours, json!("mine")));
}

#[test]
fn a_template_uses_what_its_spec_does() {
    let mut template = template();
    template["spec"]["containers"][0]["command"] = json!(["train", "$(MAPTASK_ITEM_LR)"]);
    let uses = PodTemplate::accept(&template, None).unwrap().uses();
    assert!(uses.expanded.iter().eq(["MAPTASK_ITEM_LR"]), "{uses:?}");
}

#[test]
fn the_claims_of_a_pod_are_those_that_it_names_and_those_made_for_it() {
    let mut template = template();
    let claim = |name: &str| json!({ "name": name, "persistentVolumeClaim": { "claimName": format!("{name}-claim") } });
    template["spec"]["volumes"] = json!([
        claim("data"), { "name": "conf", "configMap": {} }, { "name": "scratch", "ephemeral": {} },
        claim("a"), claim("b"), claim("c"),
    ]);
    let claims = PodTemplate::accept(&template, None).unwrap().claims("t-3-2");
    assert_eq!(claims, ["data-claim", "t-3-2-scratch", "a-claim", "b-claim"], "each is a request");
}

#[test]
fn a_template_without_what_is_needed_is_refused() {
    let refused = |template: Value, container: Option<&str>| PodTemplate::accept(&template, container).unwrap_err();
    assert_eq!(refused(json!({}), None), TemplateError::NoSpec);
    assert_eq!(refused(json!({ "spc": {} }), None), TemplateError::UnknownField("spc".to_owned()));
    assert_eq!(refused(json!({ "spec": { "containers": [] } }), None), TemplateError::NoContainers);
    assert_eq!(refused(json!({ "spec": { "containers": [{}] } }), None), TemplateError::NamelessContainer(0));
    let error = refused(template(), Some("gone")).to_string();
    assert!(error.contains("\"gone\"") && error.contains("main, side"), "{error}");
}

#[test]
fn the_items_container_is_the_first_unless_named() {
    assert_eq!(PodTemplate::accept(&template(), None).unwrap().container(), "main");
    assert_eq!(PodTemplate::accept(&template(), Some("side")).unwrap().container(), "side");
}
