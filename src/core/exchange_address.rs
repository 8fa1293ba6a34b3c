//! Where do workers reach the operator? Read outside of the core, and passed on to pods that are made from now on.

/// Where workers reach the operator, and how they know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeAddress {
    /// `https://HOST:PORT`, without a path; IPv6 in brackets.
    pub url: String,
    /// The name or IP that the operator's certificate must be for.
    pub server_name: String,
    /// The certificates to trust, as PEM: the one in use, and those that come before and after it.
    pub ca_pem: String,
}
