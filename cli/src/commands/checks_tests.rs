use super::*;

#[test]
fn fields_that_an_older_crd_lacks_are_named_once() {
    let mut ours = serde_json::to_value(maptask::api::crd()).unwrap();
    let schema = ours["spec"]["versions"][0]["schema"]["openAPIV3Schema"].take();
    let openapi = |mut schema: Value| {
        schema["x-kubernetes-group-version-kind"] = json!([{ "kind": "MapTask" }]);
        json!({ "components": { "schemas": { "dev.maptask.v1alpha1.MapTask": schema } } })
    };
    assert_eq!(missing(&openapi(schema.clone())), Vec::<String>::new());
    let mut old = schema;
    old["properties"]["spec"]["properties"].as_object_mut().unwrap().remove("workers");
    old["properties"]["status"]["properties"].as_object_mut().unwrap().remove("failedIndexes");
    assert_eq!(missing(&openapi(old)), ["spec.workers", "status.failedIndexes"]);
}

#[test]
fn a_lease_that_nobody_renews_means_that_nobody_leads() {
    let now = "2026-03-04T14:00:00Z".parse().unwrap();
    let lease = |renewed: &str| json!({ "renewTime": renewed, "acquireTime": "2026-03-01T14:00:00.000000Z" });
    assert_eq!(leading(&lease("2026-03-04T13:59:55.123456Z"), now), Ok(", leader since 3d".to_owned()));
    assert_eq!(leading(&lease("2026-03-04T13:50:00.000000Z"), now), Err("nobody has led for 10m".to_owned()));
}

#[test]
fn a_full_quota_is_found_in_any_unit() {
    let quota = json!({ "metadata": { "name": "team" }, "status": {
        "hard": { "pods": "10", "limits.memory": "1Gi", "limits.cpu": "2" },
        "used": { "pods": "9", "limits.memory": "1024Mi", "limits.cpu": "1500m" } } });
    assert_eq!(full(&quota), ["team is full: limits.memory 1Gi"]);
}

#[test]
fn the_operator_that_is_judged_is_the_one_that_watches_the_namespace() {
    let deployment = |name: &str, args: &[&str]| {
        let containers =
            json!([{ "name": "proxy", "args": ["--namespace=none"] }, { "name": "operator", "args": args }]);
        json!({ "metadata": { "name": name }, "spec": { "template": { "spec": { "containers": containers } } } })
    };
    let teams =
        [deployment("ab", &["--max-pods=5", "--namespace=team-a,team-b"]), deployment("c", &["--namespace=team-c"])];
    let found = |deployments: &[Value], namespace: &str| {
        watching(deployments, namespace).map(|deployment| deployment["metadata"]["name"].as_str().unwrap().to_owned())
    };
    assert_eq!(found(&teams, "team-b").as_deref(), Some("ab"));
    assert_eq!(found(&teams, "team-c").as_deref(), Some("c"));
    assert_eq!(found(&teams, "team"), None);
    for all in [["--namespace="].as_slice(), &[]] {
        assert_eq!(found(&[deployment("all", all)], "team").as_deref(), Some("all"), "{all:?}");
    }
}
