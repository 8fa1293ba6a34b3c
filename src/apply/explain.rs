//! Reads the Events about a pod, and about its claims.

use http::Method;
use k8s_openapi::api::core::v1::Event;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::core::ObjectList;

use super::request::{Failure, send};
use crate::core::ids::Time;
use crate::core::pod::EventType;
use crate::core::pod::explain::Said;
use crate::core::port::{Explain, ExplainOutcome};

/// Most Events that are read of one object: a kubelet counts repeated ones and does not send them again.
const EVENTS: usize = 50;

/// What the Events say, in any order.
pub(super) async fn explain(client: &Client, explain: &Explain) -> ExplainOutcome {
    let namespace = &explain.id.key.namespace;
    let pod = (None, format!("involvedObject.uid={}", explain.uid));
    let claim = |claim: &String| {
        let selector = format!("involvedObject.kind=PersistentVolumeClaim,involvedObject.name={claim}");
        (Some(claim.clone()), selector)
    };
    let mut all = Vec::new();
    for (claim, selector) in [pod].into_iter().chain(explain.claims.iter().map(claim)) {
        let selector = selector.replace('=', "%3D").replace(',', "%2C");
        let path = format!("/api/v1/namespaces/{namespace}/events?limit={EVENTS}&fieldSelector={selector}");
        match send::<ObjectList<Event>>(client, Method::GET, &path, "application/json", None).await {
            Ok(events) => all.extend(events.items.into_iter().map(|event| said(claim.clone(), event))),
            Err(failure) => {
                tracing::debug!(pod = %explain.id, %failure, "Events not read");
                let is_denied = matches!(&failure, Failure::Kube(kube::Error::Api(status)) if status.code == 403);
                return if is_denied { ExplainOutcome::Denied } else { ExplainOutcome::Indeterminate };
            }
        }
    }
    ExplainOutcome::Said(all)
}

fn said(claim: Option<String>, event: Event) -> Said {
    let of_series = event.series.and_then(|series| series.last_observed_time).map(|time| time.0);
    let times = [
        of_series,
        event.last_timestamp.map(|time| time.0),
        event.event_time.map(|time| time.0),
        event.first_timestamp.map(|time| time.0),
        event.metadata.creation_timestamp.map(|time| time.0),
    ];
    let at = times.into_iter().flatten().max().map_or(0, Timestamp::as_millisecond);
    Said {
        claim,
        type_: if event.type_.as_deref() == Some("Warning") { EventType::Warning } else { EventType::Normal },
        reason: event.reason.unwrap_or_default(),
        message: event.message.unwrap_or_default(),
        at: Time(at),
    }
}
