//! The cluster that a command talks to: the user's kubeconfig, as kubectl reads it.

use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Resource};
use serde::de::DeserializeOwned;

use crate::error::Failure;
use crate::requests::{PrintRequests, REQUESTS};
use crate::terminal::Talk;
use crate::terminal::words::parse_span;

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
        let wrong = |error| Failure::from(error).at("the kubeconfig").hint("try the same with kubectl");
        let client = if options.verbosity >= REQUESTS {
            let stack = ClientBuilder::try_from(config).map_err(wrong)?;
            stack.with_layer(&PrintRequests::new(&server, talk)).build()
        } else {
            Client::try_from(config).map_err(wrong)?
        };
        Ok(Self { client, namespace, server })
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
