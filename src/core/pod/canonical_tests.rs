//! Templates that mean the same, and such that do not.

use super::*;

fn template() -> Value {
    json!({ "spec": {
        "serviceAccountName": "reader",
        "containers": [{
            "name": "main", "image": "x:1", "command": ["run"], "env": [{ "name": "A" }],
            "ports": [{ "containerPort": 80 }],
            "resources": { "limits": { "cpu": "1", "memory": "1Gi" } },
            "readinessProbe": { "httpGet": { "port": 80 } },
            "volumeMounts": [{ "name": "scratch", "mountPath": "/s" }],
        }],
        "initContainers": [{ "name": "i", "image": "y" }],
        "nodeSelector": { "protocol": "TCP" },
        "tolerations": [{ "key": "a", "value": "b" }],
        "volumes": [{ "name": "scratch" }, { "name": "c", "configMap": { "name": "c" } }],
    } })
}

fn changed(changes: &[(&str, Value)]) -> Value {
    let mut template = template();
    for (place, value) in changes {
        let (parent, field) = place.rsplit_once('/').unwrap();
        template.pointer_mut(parent).unwrap()[field] = value.clone();
    }
    template
}

#[test]
fn nulls_empty_maps_and_lists_and_defaults_change_nothing() {
    let same = [
        ("/metadata", json!({ "name": "x", "creationTimestamp": null, "labels": {} })),
        ("/spec/nodeName", json!("")),
        ("/spec/affinity", json!({})),
        ("/spec/imagePullSecrets", json!([])),
        ("/spec/securityContext", json!({})),
        ("/spec/runtimeClassName", json!(null)),
        ("/spec/restartPolicy", json!("Never")),
        ("/spec/dnsPolicy", json!("ClusterFirst")),
        ("/spec/schedulerName", json!("default-scheduler")),
        ("/spec/terminationGracePeriodSeconds", json!(30)),
        ("/spec/enableServiceLinks", json!(true)),
        ("/spec/hostNetwork", json!(false)),
        ("/spec/serviceAccount", json!("reader")),
        ("/spec/containers/0/imagePullPolicy", json!("IfNotPresent")),
        ("/spec/initContainers/0/imagePullPolicy", json!("Always")),
        ("/spec/containers/0/terminationMessagePath", json!("/dev/termination-log")),
        ("/spec/containers/0/terminationMessagePolicy", json!("FallbackToLogsOnError")),
        ("/spec/containers/0/args", json!([])),
        ("/spec/containers/0/securityContext", json!({ "privileged": false, "capabilities": { "add": [] } })),
        ("/spec/containers/0/env", json!([{ "name": "A", "value": "", "valueFrom": null }])),
        ("/spec/containers/0/ports/0/protocol", json!("TCP")),
        (
            "/spec/containers/0/resources",
            json!({ "limits": { "cpu": 1, "memory": "1024Mi" }, "requests": { "cpu": "1000m" } }),
        ),
        ("/spec/containers/0/readinessProbe/httpGet", json!({ "port": 80, "path": "/", "scheme": "HTTP" })),
        ("/spec/containers/0/readinessProbe/periodSeconds", json!(10)),
        ("/spec/containers/0/readinessProbe/failureThreshold", json!(3)),
        ("/spec/containers/0/volumeMounts/0/readOnly", json!(false)),
        ("/spec/tolerations", json!([{ "key": "a", "operator": "Equal", "value": "b" }])),
        ("/spec/volumes/0/emptyDir", json!({})),
        ("/spec/hostUsers", json!(true)),
        ("/spec/hostIPC", json!(false)),
        ("/spec/hostPID", json!(false)),
        ("/spec/setHostnameAsFQDN", json!(false)),
        ("/spec/shareProcessNamespace", json!(false)),
        ("/spec/hostname", json!("")),
        ("/spec/priorityClassName", json!("")),
        ("/spec/subdomain", json!("")),
        ("/spec/preemptionPolicy", json!("PreemptLowerPriority")),
        ("/spec/initContainers/0/stdin", json!(false)),
        ("/spec/initContainers/0/stdinOnce", json!(false)),
        ("/spec/initContainers/0/tty", json!(false)),
        ("/spec/initContainers/0/workingDir", json!("")),
        ("/spec/initContainers/0/securityContext", json!({ "readOnlyRootFilesystem": false, "procMount": "Default" })),
        ("/spec/initContainers/0/ports", json!([])),
        ("/spec/containers/0/readinessProbe/initialDelaySeconds", json!(0)),
        ("/spec/containers/0/readinessProbe/timeoutSeconds", json!(1)),
        ("/spec/containers/0/readinessProbe/successThreshold", json!(1)),
        ("/spec/containers/0/volumeMounts/0/mountPropagation", json!("None")),
        ("/spec/containers/0/volumeMounts/0/recursiveReadOnly", json!("Disabled")),
        ("/spec/containers/0/volumeMounts/0/subPath", json!("")),
        ("/spec/containers/0/volumeMounts/0/subPathExpr", json!("")),
        ("/spec/containers/0/ports/0/hostPort", json!(0)),
        ("/spec/volumes/1/configMap/defaultMode", json!(420)),
        ("/spec/volumes/1/configMap/optional", json!(false)),
    ];
    for change in &same {
        assert_eq!(canonical(&changed(std::slice::from_ref(change))), canonical(&template()), "{}", change.0);
    }
    assert_eq!(canonical(&changed(&same)), canonical(&template()), "all of them");
}

#[test]
fn what_pods_differ_by_is_a_change() {
    for change in [
        ("/metadata", json!({ "labels": { "a": "b" } })),
        ("/metadata", json!({ "annotations": { "a": "" } })),
        ("/spec/restartPolicy", json!("Always")),
        ("/spec/terminationGracePeriodSeconds", json!(0)),
        ("/spec/automountServiceAccountToken", json!(true)),
        ("/spec/serviceAccountName", json!("writer")),
        ("/spec/nodeSelector", json!({})),
        ("/spec/nodeSelector/protocol", json!("UDP")),
        ("/spec/containers/0/image", json!("x:2")),
        ("/spec/containers/0/imagePullPolicy", json!("Always")),
        ("/spec/containers/0/terminationMessagePolicy", json!("File")),
        ("/spec/containers/0/env/0/value", json!("0")),
        ("/spec/containers/0/securityContext", json!({ "runAsNonRoot": false })),
        ("/spec/containers/0/resources/requests", json!({ "cpu": "999m" })),
        (
            "/spec/affinity",
            json!({ "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [
            { "topologyKey": "a", "labelSelector": {} }] } }),
        ),
        ("/spec/volumes/0/downwardAPI", json!({})),
        ("/spec/volumes/1/configMap/defaultMode", json!(256)),
        ("/spec/someFieldOfTomorrow", json!(false)),
    ] {
        assert_ne!(canonical(&changed(std::slice::from_ref(&change))), canonical(&template()), "{}", change.0);
    }
    let selects = |selector: Value| {
        canonical(&changed(&[(
            "/spec/topologySpreadConstraints",
            json!([{ "topologyKey": "a", "labelSelector": selector }]),
        )]))
    };
    assert_ne!(selects(json!({})), selects(json!(null)), "all pods, or none");
    assert_eq!(selects(json!({ "matchLabels": {} })), selects(json!({})));
}

#[test]
fn defaults_of_volumes_and_accounts_change_nothing() {
    let pod = |spec: Value| canonical(&json!({ "spec": spec }));
    let volume = |volume: Value| pod(json!({ "volumes": [volume] }));
    for (short, long) in [
        (json!({ "hostPath": { "path": "/" } }), json!({ "hostPath": { "path": "/", "type": "" } })),
        (
            json!({ "image": { "reference": "x:1" } }),
            json!({ "image": { "reference": "x:1", "pullPolicy": "IfNotPresent" } }),
        ),
        (
            json!({ "persistentVolumeClaim": { "claimName": "c" } }),
            json!({ "persistentVolumeClaim": { "claimName": "c", "readOnly": false } }),
        ),
        (
            json!({ "projected": { "sources": [{ "serviceAccountToken": { "path": "t" } }] } }),
            json!({ "projected": { "defaultMode": 420, "sources": [{ "serviceAccountToken": { "path": "t", "expirationSeconds": 3600 } }] } }),
        ),
        (
            json!({ "ephemeral": { "volumeClaimTemplate": { "spec": { "accessModes": ["a"] } } } }),
            json!({ "ephemeral": { "volumeClaimTemplate": { "spec": { "accessModes": ["a"], "volumeMode": "Filesystem" } } } }),
        ),
    ] {
        assert_eq!(volume(short), volume(long.clone()), "{long}");
    }
    assert_eq!(pod(json!({ "serviceAccount": "a" })), pod(json!({ "serviceAccountName": "a" })));
    assert_eq!(pod(json!({ "serviceAccount": null, "serviceAccountName": "default" })), pod(json!({})));
    let context = |context: Value| pod(json!({ "securityContext": context }));
    let written_out = json!({ "fsGroup": 1, "fsGroupChangePolicy": "Always", "supplementalGroupsPolicy": "Merge" });
    assert_eq!(context(written_out), context(json!({ "fsGroup": 1 })));
    let env = |from: Value| pod(json!({ "containers": [{ "env": [{ "valueFrom": { "fieldRef": from } }] }] }));
    assert_eq!(env(json!({ "fieldPath": "a", "apiVersion": "v1" })), env(json!({ "fieldPath": "a" })));
}

#[test]
fn nothing_in_a_map_of_the_users_own_is_a_default() {
    let own = json!({ "protocol": "TCP", "operator": "Equal", "value": "" });
    for spec in [
        json!({ "nodeSelector": own }),
        json!({ "overhead": own }),
        json!({ "volumes": [{ "csi": { "volumeAttributes": own } }] }),
        json!({ "volumes": [{ "flexVolume": { "options": own } }] }),
        json!({ "affinity": { "podAffinity": { "labelSelector": { "matchLabels": own } } } }),
    ] {
        assert_eq!(canonical(&json!({ "spec": spec }))["spec"], spec);
    }
    let template = json!({ "metadata": { "labels": own, "annotations": own } });
    assert_eq!(canonical(&template)["metadata"], template["metadata"]);
}

#[test]
fn an_image_is_pulled_as_its_tag_says() {
    let policy = |image: &str, policy: &str| {
        let container = json!({ "name": "main", "image": image, "imagePullPolicy": policy });
        let canonical = canonical(&json!({ "spec": { "containers": [container] } }));
        canonical["spec"]["containers"][0].get("imagePullPolicy").is_none()
    };
    for image in ["x", "x:latest", "registry:5000/x", "a/b/x:latest"] {
        assert!(policy(image, "Always") && !policy(image, "IfNotPresent"), "{image}");
    }
    for image in ["x:1", "registry:5000/x:1", "x@sha256:abc", "x:1@sha256:abc"] {
        assert!(policy(image, "IfNotPresent") && !policy(image, "Always"), "{image}");
    }
}
