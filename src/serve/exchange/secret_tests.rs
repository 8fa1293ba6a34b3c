use serde_json::json;

use super::*;
use crate::serve::exchange::fake_api::FakeApi;

const PATH: &str = "/api/v1/namespaces/system/secrets/workers";
const NOW: u64 = 1_800_000_000;
const YEAR: u64 = 365 * 86_400;

fn secret(api: &FakeApi) -> OwnSecret {
    OwnSecret::new(api.client(), "system", "workers")
}

fn names() -> Vec<String> {
    vec!["a.system.svc".to_owned()]
}

#[tokio::test]
async fn the_certificate_survives_a_restart_of_the_operator() {
    let api = FakeApi::default();
    // As the chart creates it.
    let labels = json!({ "app.kubernetes.io/instance": "m" });
    let empty = json!({ "metadata": { "name": "workers", "resourceVersion": "0", "labels": labels } });
    api.set(PATH, empty);
    let first = secret(&api).certificates(&names(), NOW).await.unwrap();
    let stored = api.get(PATH);
    assert_eq!(secret(&api).certificates(&names(), NOW + 60).await.unwrap(), first);
    assert_eq!(api.get(PATH), stored, "nothing is written");
    assert_eq!(stored["metadata"]["labels"], labels);
    let names_of: Vec<_> = stored["data"].as_object().unwrap().keys().collect();
    assert_eq!(names_of, ["ca.crt", "state.json", "tls.crt", "tls.key"]);
    let renewed = secret(&api).certificates(&names(), NOW + YEAR).await.unwrap();
    assert_ne!(renewed.chain, first.chain);
    assert_eq!(renewed.authorities, first.authorities);
}

#[tokio::test]
async fn two_replicas_that_start_together_show_one_certificate() {
    for present in [true, false] {
        let api = FakeApi::default();
        if present {
            api.set(PATH, json!({ "metadata": { "name": "workers", "resourceVersion": "0" } }));
        }
        let (names, both) = (names(), [secret(&api), secret(&api)]);
        let (first, second) = tokio::join!(both[0].certificates(&names, NOW), both[1].certificates(&names, NOW));
        assert_eq!(first.unwrap(), second.unwrap());
        let later = NOW + YEAR;
        let (first, second) = tokio::join!(both[0].certificates(&names, later), both[1].certificates(&names, later));
        assert_eq!(first.unwrap(), second.unwrap());
    }
}

#[tokio::test]
async fn a_secret_that_is_damaged_is_written_again() {
    let api = FakeApi::default();
    api.set(PATH, json!({ "metadata": { "name": "workers" }, "data": { "state.json": "cnViYmlzaA==" } }));
    let material = secret(&api).certificates(&names(), NOW).await.unwrap();
    assert_eq!(secret(&api).certificates(&names(), NOW).await.unwrap(), material);
}

#[tokio::test]
async fn a_secret_that_may_not_be_read_is_named_with_the_way_out() {
    let api = FakeApi::default();
    api.break_with(403);
    let error = secret(&api).certificates(&names(), NOW).await.unwrap_err().to_string();
    assert!(error.starts_with("failed to get the Secret workers in namespace system: "), "{error}");
    assert!(error.ends_with("(helm upgrade)"), "{error}");
}
