//! The cluster that a command talks to: the user's kubeconfig, as kubectl reads it.

use std::path::PathBuf;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use k8s_openapi::NamespaceResourceScope;
use kube::client::retry::RetryPolicy;
use kube::client::{Body, ClientBuilder};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Resource};
use serde::de::DeserializeOwned;
use tokio::time::Sleep;
use tower::BoxError;
use tower::buffer::BufferLayer;
use tower::retry::{Policy, RetryLayer};

use crate::error::Failure;
use crate::requests::{PrintRequests, REQUESTS};
use crate::terminal::Talk;
use crate::terminal::words::parse_span;

/// Requests that wait for the connection; more than a command sends at once.
const WAITING: usize = 64;

/// Options that mean what they mean for kubectl.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterOptions {
    /// Namespace; by default that of the context
    #[arg(short = 'n', long, global = true, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Context of the kubeconfig
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// The kubeconfig file
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Cluster of the kubeconfig
    #[arg(long, global = true, value_name = "NAME")]
    pub cluster: Option<String>,
    /// User of the kubeconfig
    #[arg(long, global = true, value_name = "NAME")]
    pub user: Option<String>,
    /// User to impersonate
    #[arg(long = "as", global = true, value_name = "USER")]
    pub impersonate: Option<String>,
    /// Group to impersonate; may be given several times
    #[arg(long = "as-group", global = true, value_name = "GROUP")]
    pub impersonate_groups: Vec<String>,
    /// Longest wait for an answer of the API server, such as 10s; 0 is no limit
    #[arg(long, global = true, value_name = "TIME", value_parser = parse_span)]
    pub request_timeout: Option<u64>,
    /// From 6 on, print each request to the API server on stderr
    #[arg(
        short = 'v',
        long = "v",
        global = true,
        value_name = "LEVEL",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub verbosity: u8,
}

/// A client, and the namespace that commands without `-n` mean.
#[derive(Clone)]
pub struct Session {
    /// The client.
    pub client: Client,
    /// The namespace.
    pub namespace: String,
    /// The address of the API server.
    pub server: String,
}

impl Session {
    /// Reads the kubeconfig. Sends no request; those of later are printed here, if the verbosity asks for it.
    pub async fn open(options: &ClusterOptions, talk: Talk) -> Result<Self, Failure> {
        let mut config = load(options).await?;
        if options.impersonate.is_some() {
            config.auth_info.impersonate.clone_from(&options.impersonate);
        }
        if !options.impersonate_groups.is_empty() {
            config.auth_info.impersonate_groups = Some(options.impersonate_groups.clone());
        }
        if let Some(seconds) = options.request_timeout.filter(|seconds| *seconds > 0) {
            config.connect_timeout = Some(Duration::from_secs(seconds));
            config.read_timeout = config.connect_timeout;
        }
        let namespace = options.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let server = config.cluster_url.to_string();
        let print = (options.verbosity >= REQUESTS).then(|| PrintRequests::new(&server, talk));
        let wrong = |error| Failure::from(error).at("the kubeconfig").hint("try the same with kubectl");
        Ok(Self { client: client(config, print).map_err(wrong)?, namespace, server })
    }

    /// Objects of a kind in the session's namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + DeserializeOwned,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The answer to a GET of a path, as JSON.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, accept: &str) -> Result<T, kube::Error> {
        let request = http::Request::get(path).header(http::header::ACCEPT, accept);
        self.client.request(request.body(Vec::new()).map_err(kube::Error::HttpError)?).await
    }

    /// Fails if the namespace is known not to exist. Who may not look learns nothing.
    pub async fn check_namespace(&self) -> Result<(), Failure> {
        let path = format!("/api/v1/namespaces/{}", self.namespace);
        match self.get::<serde::de::IgnoredAny>(&path, "application/json").await {
            Err(error) if crate::error::code(&error) == Some(404) => {
                Err(Failure::new(format!("the namespace {} does not exist", self.namespace))
                    .hint("see what there is: kubectl get namespaces"))
            }
            _ => Ok(()),
        }
    }
}

/// A client that repeats what reads, if the API server can't answer now. What changes something is repeated only after
/// a 429: after a 504 it may have been executed, and the next one would say that the object is there already.
fn client(mut config: Config, print: Option<PrintRequests>) -> Result<Client, kube::Error> {
    config.default_retry = false;
    let stack = ClientBuilder::try_from(config)?;
    let stack = stack.with_layer(&BufferLayer::new(WAITING));
    let stack = stack.with_layer(&RetryLayer::new(Repeat(RetryPolicy::server_retry())));
    Ok(match print {
        Some(print) => stack.with_layer(&print).build(),
        None => stack.build(),
    })
}

/// The client's own policy, but for requests that may have been executed.
#[derive(Clone)]
struct Repeat(RetryPolicy);

impl<A> Policy<Request<Body>, Response<A>, BoxError> for Repeat {
    type Future = Sleep;

    fn retry(
        &mut self,
        request: &mut Request<Body>,
        result: &mut Result<Response<A>, BoxError>,
    ) -> Option<Self::Future> {
        let was_refused = result.as_ref().is_ok_and(|answer| answer.status() == StatusCode::TOO_MANY_REQUESTS);
        if request.method() == Method::GET || was_refused { self.0.retry(request, result) } else { None }
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        Policy::<_, Response<A>, _>::clone_request(&mut self.0, request)
    }
}

async fn load(options: &ClusterOptions) -> Result<Config, Failure> {
    let ClusterOptions { context, cluster, user, .. } = options;
    let wanted = KubeConfigOptions { context: context.clone(), cluster: cluster.clone(), user: user.clone() };
    let read = match &options.kubeconfig {
        Some(file) => Kubeconfig::read_from(file),
        None => Kubeconfig::read(),
    };
    let failed =
        |error: kube::config::KubeconfigError| Failure::new(maptask::plain::plain_chain(&error)).at("the kubeconfig");
    let kubeconfig = match read {
        Ok(kubeconfig) => kubeconfig,
        // In a pod there is none.
        Err(error) if options.kubeconfig.is_none() && wanted.context.is_none() => {
            return Config::incluster().map_err(|_| failed(error).hint("name one: --kubeconfig FILE, or KUBECONFIG"));
        }
        Err(error) => return Err(failed(error).hint("name another one: --kubeconfig FILE")),
    };
    Config::from_custom_kubeconfig(kubeconfig, &wanted)
        .await
        .map_err(|error| failed(error).hint("see what it has: kubectl config get-contexts"))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;

    use super::*;

    /// An API server that answers two requests with a status and the next ones well; how often it was asked.
    async fn asked(status: u16, request: Request<Vec<u8>>) -> (Result<serde_json::Value, kube::Error>, usize) {
        let count = Arc::new(AtomicUsize::new(0));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = Config::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap());
        let own = count.clone();
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let count = own.clone();
                let service = service_fn(move |_| {
                    let status = if count.fetch_add(1, Ordering::Relaxed) < 2 { status } else { 200 };
                    let answer = Response::builder().status(status).body("{}".to_owned()).unwrap();
                    async { Ok::<_, Infallible>(answer) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        let answer = client(config, None).unwrap().request(request).await;
        server.abort();
        (answer, count.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn what_reads_is_sent_again_and_what_changes_something_only_if_it_was_not_executed() {
        for (status, times) in [(429, 3), (503, 1), (504, 1)] {
            for method in [Method::POST, Method::PATCH, Method::DELETE, Method::PUT] {
                let request = Request::builder().method(&method).uri("/x").body(b"{}".to_vec()).unwrap();
                let (answer, count) = asked(status, request).await;
                assert_eq!((answer.is_ok(), count), (times == 3, times), "{method} {status}");
            }
            let (answer, count) = asked(status, Request::get("/x").body(Vec::new()).unwrap()).await;
            assert_eq!((answer.is_ok(), count), (true, 3), "GET {status}");
        }
    }
}
