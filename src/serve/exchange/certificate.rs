//! The certificate that is shown to workers: loaded, checked, and exchanged without a restart.

use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{Error, RootCertStore, ServerConfig};

/// A certificate with its chain, its key, and the authorities that workers are to trust, all as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Material {
    pub(super) chain: String,
    pub(super) key: String,
    pub(super) authorities: String,
}

/// Why a certificate can't be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// What a file or key should hold is not there.
    #[error("{0} has no {1} in PEM format")]
    Missing(&'static str, &'static str),
    /// The key is of another certificate, or of a kind that is not supported.
    #[error("tls.key does not fit tls.crt: {0}")]
    Key(Error),
    /// Workers would refuse it.
    #[error("workers would refuse tls.crt for {name} with ca.crt: {problem}")]
    Refused {
        /// The name by which workers know the operator.
        name: String,
        /// What they would say.
        problem: String,
    },
}

impl Material {
    /// The certificate, checked as a worker does that knows the operator by this name.
    pub(super) fn load(&self, server_name: &str, now: UnixTime) -> Result<CertifiedKey, Unusable> {
        let provider = Arc::new(ring::default_provider());
        let chain = certificates(&self.chain);
        let Some((first, rest)) = chain.split_first() else { return Err(Unusable::Missing("tls.crt", "certificate")) };
        let refused =
            |problem: &dyn ToString| Unusable::Refused { name: server_name.to_owned(), problem: problem.to_string() };
        let mut roots = RootCertStore::empty();
        if roots.add_parsable_certificates(certificates(&self.authorities)).0 == 0 {
            return Err(Unusable::Missing("ca.crt", "certificate"));
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let verifier = verifier.build().map_err(|problem| refused(&problem))?;
        let name = ServerName::try_from(server_name).map_err(|problem| refused(&problem))?;
        verifier.verify_server_cert(first, rest, &name, &[], now).map_err(|problem| refused(&problem))?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes());
        let key = key.map_err(|_| Unusable::Missing("tls.key", "private key"))?;
        CertifiedKey::from_der(chain, key, &provider).map_err(Unusable::Key)
    }
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok).collect()
}

/// The certificate in use, if there is one yet.
#[derive(Debug, Default)]
pub(super) struct LiveCertificate(RwLock<Option<Arc<CertifiedKey>>>);

impl LiveCertificate {
    /// New connections see this one from now on.
    pub(super) fn set(&self, certificate: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(certificate));
    }
}

impl ResolvesServerCert for LiveCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// TLS 1.3 with that certificate. Both ends are ours, so that nothing older is needed.
pub(super) fn acceptor(live: Arc<LiveCertificate>) -> Result<TlsAcceptor, Error> {
    let provider: CryptoProvider = ring::default_provider();
    let config = ServerConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(&[&TLS13])?;
    let mut config = config.with_no_client_auth().with_cert_resolver(live);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Connections last; what would be kept to make the next ones cheaper is not worth its memory.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
