//! The Secret with the operator's own certificates: read, and renewed by whichever replica comes first.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client};

use super::certificate::Material;
use super::issue::Issued;
use crate::plain::plain;

/// The key of all that is needed for renewal; the others are for people and tools.
const STATE: &str = "state.json";
/// How often replicas may overtake each other before this one waits for its next turn.
const TRIES: u32 = 5;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretError {
    /// The API server refuses, or does not answer.
    #[error(
        "failed to {verb} the Secret {name} in namespace {namespace}: {problem}: the chart creates it and gives the right to get and \
         update it (helm upgrade)"
    )]
    Refused {
        /// What was tried.
        verb: &'static str,
        /// The value of `--exchange-secret`.
        name: String,
        /// The operator's namespace.
        namespace: String,
        /// What the API server said.
        problem: String,
    },
    /// Another replica came first, again and again.
    #[error("the Secret {0} changes all the time")]
    Contended(String),
    /// No certificate could be made.
    #[error("no certificate made: {0}")]
    Issue(#[from] rcgen::Error),
}

/// The Secret of this name in the operator's namespace.
pub(super) struct OwnSecret {
    secrets: Api<Secret>,
    namespace: String,
    name: String,
}

impl OwnSecret {
    pub(super) fn new(client: Client, namespace: &str, name: &str) -> Self {
        let secrets = Api::namespaced(client, namespace);
        Self { secrets, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// Certificates for these names that are valid now: those of the Secret, or new ones that are in it from now on.
    pub(super) async fn certificates(&self, names: &[String], now: u64) -> Result<Material, SecretError> {
        for _ in 0..TRIES {
            let found = self.secrets.get_opt(&self.name).await.map_err(|problem| self.refused("get", &problem))?;
            let stored = found.as_ref().map(read).unwrap_or_default();
            let Some(renewed) = stored.renewed(names, now)? else { return Ok(material(&stored)) };
            tracing::info!(secret = self.name, ?names, "new certificate for workers");
            let written = self.write(found, &renewed).await;
            match written {
                Ok(()) => return Ok(material(&renewed)),
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(problem) => return Err(self.refused("write", &problem)),
            }
        }
        Err(SecretError::Contended(self.name.clone()))
    }

    /// Fails with a conflict if another replica was faster.
    async fn write(&self, found: Option<Secret>, issued: &Issued) -> Result<(), kube::Error> {
        let params = PostParams { field_manager: Some(crate::api::FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let data = Some(data(issued));
        if let Some(secret) = found {
            self.secrets.replace(&self.name, &params, &Secret { data, ..secret }).await?;
        } else {
            let labels = BTreeMap::from([("app.kubernetes.io/managed-by".to_owned(), "maptask-operator".to_owned())]);
            let metadata = ObjectMeta { name: Some(self.name.clone()), labels: Some(labels), ..ObjectMeta::default() };
            self.secrets.create(&params, &Secret { metadata, data, ..Secret::default() }).await?;
        }
        Ok(())
    }

    fn refused(&self, verb: &'static str, problem: &kube::Error) -> SecretError {
        let problem = plain(problem);
        SecretError::Refused { verb, name: self.name.clone(), namespace: self.namespace.clone(), problem }
    }
}

/// What a Secret holds. One that can't be read holds nothing: workers of before will then have to be replaced.
fn read(secret: &Secret) -> Issued {
    let Some(state) = secret.data.as_ref().and_then(|data| data.get(STATE)) else { return Issued::default() };
    serde_json::from_slice(&state.0).unwrap_or_else(|error| {
        tracing::warn!(%error, secret = secret.metadata.name, "certificates not readable, new ones are made");
        Issued::default()
    })
}

fn data(issued: &Issued) -> BTreeMap<String, ByteString> {
    let Material { chain, key, authorities } = material(issued);
    let state = serde_json::to_string(issued).unwrap_or_default();
    let all = [("ca.crt", authorities), ("tls.crt", chain), ("tls.key", key), (STATE, state)];
    all.into_iter().map(|(name, text)| (name.to_owned(), ByteString(text.into_bytes()))).collect()
}

fn material(issued: &Issued) -> Material {
    let (chain, key) = match &issued.serving {
        Some(serving) => (serving.certificate.clone(), serving.key.clone()),
        None => Default::default(),
    };
    Material { chain, key, authorities: issued.bundle() }
}

#[cfg(test)]
#[path = "secret_tests.rs"]
mod tests;
