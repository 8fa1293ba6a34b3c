//! Where do workers reach the operator? By the IP of its Service: not every pod can resolve names.

use k8s_openapi::api::core::v1::Service;
use kube::{Api, Client};

use crate::plain::plain;

/// Where workers reach the operator, and the names that its certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) url: String,
    /// The name that workers check.
    pub(super) server_name: String,
    /// All names and IPs.
    pub(super) names: Vec<String>,
}

/// Why workers can't reach the operator.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLocation {
    /// The API server refuses, or does not answer.
    #[error("failed to get the Service {service}: {problem}: the chart gives the right to (helm upgrade)")]
    Refused {
        /// Its name and namespace.
        service: String,
        /// What came in place of an answer.
        problem: String,
    },
    /// There is none.
    #[error("the Service {0} is not there: the chart creates it with workers.enabled (helm upgrade)")]
    Missing(String),
    /// It has no IP of its own.
    #[error("the Service {0} has no ClusterIP: workers reach the operator by it, or by --exchange-url")]
    Headless(String),
    /// The option is not understood.
    #[error("--exchange-url is {0}: it must be https://HOST:PORT, with an IPv6 address in brackets")]
    BadUrl(String),
}

impl NoLocation {
    /// Whether the API server has said so, and not that it can't say just now.
    pub(super) fn is_certain(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }
}

/// What `--exchange-url` says.
pub(super) fn of_url(url: &str) -> Result<Location, NoLocation> {
    let bad = || NoLocation::BadUrl(url.to_owned());
    let parsed: http::Uri = url.parse().map_err(|_| bad())?;
    let host =
        parsed.host().filter(|_| parsed.scheme_str() == Some("https") && parsed.path() == "/").ok_or_else(bad)?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(Location { url: url.trim_end_matches('/').to_owned(), server_name: host.clone(), names: vec![host] })
}

/// Where the Service of this name is.
pub(super) async fn of_service(client: &Client, namespace: &str, name: &str) -> Result<Location, NoLocation> {
    let shown = format!("{name} in namespace {namespace}");
    let services: Api<Service> = Api::namespaced(client.clone(), namespace);
    match services.get_opt(name).await {
        Ok(Some(service)) => located(&service, namespace, name).ok_or(NoLocation::Headless(shown)),
        Ok(None) => Err(NoLocation::Missing(shown)),
        Err(problem) => Err(NoLocation::Refused { service: shown, problem: plain(&problem) }),
    }
}

fn located(service: &Service, namespace: &str, name: &str) -> Option<Location> {
    let spec = service.spec.as_ref()?;
    let ip: std::net::IpAddr = spec.cluster_ip.as_deref()?.parse().ok()?;
    let port = u16::try_from(spec.ports.as_ref()?.first()?.port).ok()?;
    let server_name = format!("{name}.{namespace}.svc");
    let mut names = vec![server_name.clone(), format!("{name}.{namespace}"), format!("{server_name}.cluster.local")];
    names.extend(spec.cluster_ips.iter().flatten().filter(|ip| ip.parse::<std::net::IpAddr>().is_ok()).cloned());
    if !names.contains(&ip.to_string()) {
        names.push(ip.to_string());
    }
    // Brackets around IPv6.
    let url = format!("https://{}", std::net::SocketAddr::new(ip, port));
    Some(Location { url, server_name, names })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(spec: &Value) -> Option<Location> {
        located(&serde_json::from_value(json!({ "spec": spec })).unwrap(), "maptask-system", "m-workers")
    }

    #[test]
    fn workers_reach_the_operator_by_the_ip_of_its_service_and_know_it_by_the_name() {
        let ports = json!([{ "name": "exchange", "port": 8443 }]);
        let location = of(&json!({ "clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7", "fd00::7"], "ports": ports }));
        let Location { url, server_name, names } = location.unwrap();
        assert_eq!((url.as_str(), server_name.as_str()), ("https://10.96.0.7:8443", "m-workers.maptask-system.svc"));
        assert_eq!(
            names,
            [
                "m-workers.maptask-system.svc",
                "m-workers.maptask-system",
                "m-workers.maptask-system.svc.cluster.local",
                "10.96.0.7",
                "fd00::7"
            ]
        );
        let six = of(&json!({ "clusterIP": "fd00::7", "ports": ports })).unwrap();
        assert_eq!(six.url, "https://[fd00::7]:8443");
        assert!(six.names.contains(&"fd00::7".to_owned()));
        for headless in [json!({ "clusterIP": "None", "ports": ports }), json!({ "ports": ports }), json!({})] {
            assert_eq!(of(&headless), None, "{headless}");
        }
    }

    #[test]
    fn an_exchange_url_that_is_none_is_refused_with_its_form() {
        let good = of_url("https://192.168.1.2:9443").unwrap();
        assert_eq!((good.url.as_str(), good.server_name.as_str()), ("https://192.168.1.2:9443", "192.168.1.2"));
        assert_eq!(of_url("https://[fd00::7]:8443/").unwrap().server_name, "fd00::7");
        for bad in ["http://a:1", "https://a/v1", "a:1", "", "https://"] {
            let error = of_url(bad).unwrap_err().to_string();
            assert!(error.contains("https://HOST:PORT"), "{error}");
        }
    }
}
