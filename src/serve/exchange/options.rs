//! The options of the exchange on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

/// Options of the exchange with workers. Its Service, its Secret and the operator are in one namespace.
#[derive(Clone, Debug, Args)]
pub struct ExchangeArgs {
    /// Address to serve the exchange with workers on, over TLS; empty: none. `[::]` takes IPv4 as well, and only IPv4
    /// where IPv6 is off. Needs --exchange-service or --exchange-url.
    #[arg(long, env = "MAPTASK_EXCHANGE_LISTEN", default_value = "[::]:8443", value_parser = listen_address, global = true)]
    pub exchange_listen: ListenAddress,
    /// Service of the exchange in the operator's namespace; workers reach the operator by its `ClusterIP`.
    #[arg(long, env = "MAPTASK_EXCHANGE_SERVICE", default_value = "", global = true)]
    pub exchange_service: String,
    /// Where workers reach the operator if not by the Service: `https://HOST:PORT`.
    #[arg(long, env = "MAPTASK_EXCHANGE_URL", default_value = "", global = true)]
    pub exchange_url: String,
    /// Secret in the operator's namespace in which it keeps a certificate of its own.
    #[arg(long, env = "MAPTASK_EXCHANGE_SECRET", default_value = "maptask-operator-workers", global = true)]
    pub exchange_secret: String,
    /// Directory with tls.crt, tls.key and ca.crt, instead of a certificate of the operator's own; read every minute.
    #[arg(long, env = "MAPTASK_EXCHANGE_TLS_DIRECTORY", global = true)]
    pub exchange_tls_directory: Option<PathBuf>,
}

/// An address to listen on, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress(pub Option<SocketAddr>);

fn listen_address(text: &str) -> Result<ListenAddress, std::net::AddrParseError> {
    if text.is_empty() { Ok(ListenAddress(None)) } else { text.parse().map(|address| ListenAddress(Some(address))) }
}

impl ExchangeArgs {
    /// Where to listen, if workers can know of it.
    pub fn listen(&self) -> Option<SocketAddr> {
        let is_known = !self.exchange_service.is_empty() || !self.exchange_url.is_empty();
        self.exchange_listen.0.filter(|_| is_known)
    }
}
