//! The stores that are in use. A new one is a file beside the others and a line here.

use std::sync::Arc;

use kube::Client;

use super::{cache, results};

/// The store of results.
pub fn result_store(client: &Client) -> Arc<dyn results::Store> {
    Arc::new(results::ConfigMaps::new(client.clone()))
}

/// Where results and entries of caches are kept.
#[derive(Clone)]
pub struct Stores {
    /// Keeps results.
    pub results: Arc<dyn results::Store>,
    /// Keeps what tasks with a cache have computed.
    pub cache: Arc<dyn cache::Store>,
}

impl Stores {
    /// Both in `ConfigMaps`. The entries of one cache take `cache_bytes` at most.
    pub fn in_config_maps(client: &Client, cache_bytes: u64) -> Self {
        Self { results: result_store(client), cache: Arc::new(cache::ConfigMaps::new(client.clone(), cache_bytes)) }
    }
}
