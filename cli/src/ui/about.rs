//! What is asked once: rights, the spec as text, the Events of the cluster.

use k8s_openapi::api::core::v1::Event;
use kube::api::ListParams;
use serde_json::{Value, json};

use super::reply::Problem;
use crate::cluster::Session;
use crate::read::Task;

/// Most bytes of the spec's text.
const SPEC_BYTES: usize = 256 * 1024;
/// Most Events.
const EVENTS: u32 = 100;
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// What the user may do in the session's namespace.
pub async fn rights(session: &Session) -> Result<Value, Problem> {
    let may = |group: &'static str, resource: &'static str, subresource: &'static str, verb: &'static str| async move {
        let attributes = json!({ "namespace": session.namespace, "group": group, "resource": resource,
            "subresource": subresource, "verb": verb });
        let review = json!({ "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": { "resourceAttributes": attributes } });
        let request = http::Request::post(REVIEWS).header(http::header::CONTENT_TYPE, "application/json");
        let request = request.body(review.to_string().into_bytes()).map_err(kube::Error::HttpError)?;
        let answer: Value = session.client.request(request).await?;
        Ok::<bool, kube::Error>(answer["status"]["allowed"] == true)
    };
    let (patch, delete, logs) = futures::try_join!(
        may("maptask.dev", "maptasks", "", "patch"),
        may("maptask.dev", "maptasks", "", "delete"),
        may("", "pods", "log", "get"),
    )?;
    Ok(json!({ "patch": patch, "delete": delete, "logs": logs }))
}

/// The spec as YAML, without the values of environment variables.
pub fn spec(task: &Task) -> Value {
    let mut spec = serde_json::to_value(&task.spec).unwrap_or_default();
    hide(&mut spec);
    let mut text = serde_yaml::to_string(&spec).unwrap_or_else(|error| error.to_string());
    if text.len() > SPEC_BYTES {
        let end = (0..=SPEC_BYTES).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let all = text.len();
        text.truncate(end);
        text =
            format!("{text}\n… {} of {all} bytes are left out: kubectl get maptask {} -o yaml", all - end, task.name());
    }
    json!({ "text": text })
}

/// Replaces the value of every variable in every `env`.
fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                if name == "env"
                    && let Some(variables) = inner.as_array_mut()
                {
                    for variable in variables.iter_mut().filter_map(|variable| variable.get_mut("value")) {
                        *variable = Value::from("(left out)");
                    }
                }
                hide(inner);
            }
        }
        Value::Array(all) => all.iter_mut().for_each(hide),
        _ => {}
    }
}

/// The Events of the cluster about the task, the newest first.
pub async fn history(session: &Session, task: &Task) -> Result<Value, Problem> {
    let params = ListParams::default().fields(&format!("involvedObject.uid={}", task.uid())).limit(EVENTS);
    let found = session.api::<Event>().list(&params).await?;
    let mut events: Vec<(Option<jiff::Timestamp>, Value)> = found.items.into_iter().map(event).collect();
    events.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    Ok(json!({ "events": events.into_iter().map(|(_, event)| event).collect::<Vec<_>>() }))
}

fn event(event: Event) -> (Option<jiff::Timestamp>, Value) {
    let series = event.series.as_ref();
    let time = series.and_then(|series| series.last_observed_time.as_ref()).map(|time| time.0);
    let time = time.or(event.last_timestamp.map(|time| time.0)).or(event.event_time.map(|time| time.0));
    let count = series.and_then(|series| series.count).or(event.count).unwrap_or(1);
    let json = json!({ "time": time.map(|time| time.to_string()), "type": event.type_, "reason": event.reason,
        "message": event.message, "count": count });
    (time, json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::task::tests::task;

    #[test]
    fn the_spec_is_shown_without_values_of_variables() {
        let container = json!({ "name": "a", "image": "busybox", "env": [
            { "name": "KEY", "value": "hunter2" },
            { "name": "REF", "valueFrom": { "secretKeyRef": { "name": "s", "key": "k" } } } ] });
        let template = json!({ "spec": { "containers": [container], "initContainers": [container] } });
        let of = task(&json!({ "template": template, "reduce": { "template": template } }), &json!({}));
        let text = spec(&of)["text"].as_str().unwrap().to_owned();
        assert!(!text.contains("hunter2"), "{text}");
        assert_eq!(text.matches("(left out)").count(), 4, "{text}");
        assert!(text.contains("image: busybox") && text.contains("secretKeyRef"), "{text}");
    }

    #[test]
    fn a_long_spec_is_cut_and_says_so() {
        let values: Vec<String> = (0..40_000).map(|n| format!("värde {n}")).collect();
        let text =
            spec(&task(&json!({ "items": { "values": values } }), &json!({})))["text"].as_str().unwrap().to_owned();
        assert!(text.len() < SPEC_BYTES + 200);
        assert!(text.ends_with("bytes are left out: kubectl get maptask t -o yaml"), "{}", &text[text.len() - 100..]);
    }
}
