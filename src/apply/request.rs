//! The requests that the operator makes, as plain HTTP: bodies are built by hand, and answers are kept small.

use std::time::Duration;

use http::{Method, Request, header};
use kube::Client;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Only the metadata of the object comes back.
const METADATA_ONLY: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json";

/// A request without an answer after this time counts as unanswered. Admission webhooks may take 30 s.
const PATIENCE: Duration = Duration::from_secs(35);

/// Sends a request and reads the answer, giving up after a time.
pub(super) async fn send<T: DeserializeOwned>(
    client: &Client,
    method: Method,
    path: &str,
    content_type: &str,
    body: Option<&Value>,
) -> Result<T, Failure> {
    let accept = if method == Method::GET { "application/json" } else { METADATA_ONLY };
    send_for(client, accept, method, path, content_type, body).await
}

/// Reads the metadata of an object.
pub(super) async fn get_metadata(client: &Client, path: &str) -> Result<Partial, Failure> {
    send_for(client, METADATA_ONLY, Method::GET, path, "application/json", None).await
}

async fn send_for<T: DeserializeOwned>(
    client: &Client,
    accept: &str,
    method: Method,
    path: &str,
    content_type: &str,
    body: Option<&Value>,
) -> Result<T, Failure> {
    let request = Request::builder()
        .method(&method)
        .uri(path)
        .header(header::ACCEPT, accept)
        .header(header::CONTENT_TYPE, content_type)
        .body(body.map(|value| value.to_string().into_bytes()).unwrap_or_default())
        .map_err(kube::Error::HttpError)?;
    in_time(client.request::<T>(request)).await
}

/// The client's answer, if it comes before patience ends: by itself the client waits for minutes.
pub(super) async fn in_time<T>(answer: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Failure> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Failure::Timeout),
    }
}

/// Why there is no good answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The client, or the API server through it.
    #[error("{}", crate::plain::plain(.0))]
    Kube(#[from] kube::Error),
    /// No answer in time.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Timeout,
}

impl Failure {
    /// Whether the API server has answered that it won't, and not that it can't just now.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Kube(kube::Error::Api(status)) => {
                (400..500).contains(&status.code) && !matches!(status.code, 401 | 408 | 409 | 429)
            }
            _ => false,
        }
    }
}

/// The metadata of an object.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Partial {
    pub(super) metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
}

impl Partial {
    /// UID of the controlling owner.
    pub(super) fn owner_uid(&self) -> Option<&str> {
        let owners = self.metadata.owner_references.iter().flatten();
        owners.into_iter().find(|owner| owner.controller == Some(true)).map(|owner| owner.uid.as_str())
    }

    /// The version of the object.
    pub(super) fn version(&self) -> u64 {
        self.metadata.resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or(0)
    }
}
