//! Keeps the certificate valid and the address right, while the operator runs: looks at both once a minute.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kube::Client;
use tokio::sync::watch;
use tokio_rustls::rustls::pki_types::UnixTime;

use super::address::{self, Location, NoLocation};
use super::certificate::{LiveCertificate, Material, Unusable};
use super::options::ExchangeArgs;
use super::secret::{OwnSecret, SecretError};
use crate::core::exchange_address::ExchangeAddress;

/// How often it looks.
const EVERY: Duration = Duration::from_mins(1);
/// How often it looks while something is wrong.
const AGAIN: Duration = Duration::from_secs(10);
/// How long it waits for the API server.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why pods can't become workers.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Location(#[from] NoLocation),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("failed to read {0}: {1}: it is mounted from the Secret workers.tls.secretName of the chart")]
    File(PathBuf, std::io::Error),
    #[error("the certificate for workers can't be used: {0}")]
    Unusable(#[from] Unusable),
    #[error("the API server does not answer")]
    NoAnswer,
}

/// Where certificates come from.
enum Source {
    /// The operator makes them.
    Own(Box<OwnSecret>),
    /// Somebody else does, into files of this directory.
    Files(PathBuf),
}

/// Keeps certificate and address.
pub(super) struct Keeper {
    client: Client,
    url: Option<String>,
    service: String,
    namespace: String,
    source: Source,
    live: Arc<LiveCertificate>,
    address: watch::Sender<Option<ExchangeAddress>>,
    in_use: Option<(Material, String)>,
    trouble: String,
}

impl Keeper {
    pub(super) fn new(
        client: Client,
        args: &ExchangeArgs,
        namespace: &str,
        live: Arc<LiveCertificate>,
        address: watch::Sender<Option<ExchangeAddress>>,
    ) -> Self {
        let source = match args.exchange_tls_directory.as_deref() {
            Some(directory) if !directory.as_os_str().is_empty() => Source::Files(directory.to_owned()),
            _ => Source::Own(Box::new(OwnSecret::new(client.clone(), namespace, &args.exchange_secret))),
        };
        Self {
            client,
            url: Some(args.exchange_url.clone()).filter(|url| !url.is_empty()),
            service: args.exchange_service.clone(),
            namespace: namespace.to_owned(),
            source,
            live,
            address,
            in_use: None,
            trouble: String::new(),
        }
    }

    /// Looks again and again.
    pub(super) async fn keep(mut self) {
        loop {
            let pause = if self.look_and_report().await { EVERY } else { AGAIN };
            tokio::time::sleep(pause).await;
        }
    }

    /// Looks once. False if something is wrong, which is logged once.
    async fn look_and_report(&mut self) -> bool {
        let seen = tokio::time::timeout(PATIENCE, self.look()).await.unwrap_or(Err(Trouble::NoAnswer));
        let trouble = match seen {
            Ok(address) => {
                let changed = |known: &mut Option<ExchangeAddress>| {
                    let is_new = known.as_ref() != Some(&address);
                    if is_new {
                        tracing::info!(url = address.url, name = address.server_name, "workers can exchange");
                        *known = Some(address.clone());
                    }
                    is_new
                };
                self.address.send_if_modified(changed);
                String::new()
            }
            Err(trouble) => {
                // What was right a minute ago stays until it is certain that it is not.
                if matches!(&trouble, Trouble::Location(problem) if problem.is_certain()) {
                    self.address.send_if_modified(|known| known.take().is_some());
                }
                trouble.to_string()
            }
        };
        if !trouble.is_empty() && trouble != self.trouble {
            let works = self.address.borrow().is_some();
            let so = if works { "what was known stays in use" } else { "tasks with workers have to wait" };
            tracing::warn!("{trouble}: {so}, will look again");
        }
        self.trouble = trouble;
        self.trouble.is_empty()
    }

    async fn look(&mut self) -> Result<ExchangeAddress, Trouble> {
        let Location { url, server_name, names } = match &self.url {
            Some(url) => address::of_url(url)?,
            None => address::of_service(&self.client, &self.namespace, &self.service).await?,
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let material = match &self.source {
            Source::Own(secret) => secret.certificates(&names, now.as_secs()).await?,
            Source::Files(directory) => read(directory)?,
        };
        let ca_pem = material.authorities.clone();
        let in_use = (material, server_name.clone());
        if self.in_use.as_ref() != Some(&in_use) {
            self.live.set(in_use.0.load(&server_name, UnixTime::since_unix_epoch(now))?);
            self.in_use = Some(in_use);
        }
        Ok(ExchangeAddress { url, server_name, ca_pem })
    }
}

fn read(directory: &Path) -> Result<Material, Trouble> {
    let file = |name: &str| {
        let path = directory.join(name);
        fs::read_to_string(&path).map_err(|error| Trouble::File(path, error))
    };
    Ok(Material { chain: file("tls.crt")?, key: file("tls.key")?, authorities: file("ca.crt")? })
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
