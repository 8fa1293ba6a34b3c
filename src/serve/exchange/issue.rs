//! The operator's own certificates: which are valid, and which are issued again? Pure except for the random keys.
//!
//! A pod gets the authorities of its time and keeps them. So the next authority is among them for a year before it
//! signs anything: a pod of before its first certificate knows it already.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use serde::{Deserialize, Serialize};

const DAY: u64 = 86_400;
/// How long an authority is valid, in seconds.
const AUTHORITY: u64 = 3_650 * DAY;
/// How long before its end the next one is made, in seconds.
const SUCCESSION: u64 = 730 * DAY;
/// Seconds from the time at which pods trust a new authority until it signs. No worker lives longer.
const OVERLAP: u64 = 365 * DAY;
/// How long a serving certificate is valid, in seconds.
const SERVING: u64 = 365 * DAY;
/// How long before its end the next one is made, in seconds.
const RENEWAL: u64 = 120 * DAY;
/// Certificates begin that long before they are made, in seconds: clocks of nodes are not all the same.
const SKEW: u64 = DAY;

/// Certificates and their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Issued {
    /// The oldest first.
    pub(super) authorities: Vec<Authority>,
    /// What the operator shows.
    pub(super) serving: Option<Serving>,
}

/// A certificate authority. All times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Authority {
    name: String,
    begins: u64,
    ends: u64,
    certificate: String,
    key: String,
}

/// The certificate that the operator shows to workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Serving {
    issuer: String,
    names: Vec<String>,
    ends: u64,
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Issued {
    /// What is valid from now on for these names; `None` if that is what is there.
    pub(super) fn renewed(&self, names: &[String], now: u64) -> Result<Option<Self>, rcgen::Error> {
        let mut next = self.clone();
        next.authorities.retain(|authority| authority.ends > now);
        if next.authorities.last().is_none_or(|newest| newest.ends <= now + SUCCESSION) {
            next.authorities.push(Authority::new(now)?);
        }
        let Some(signer) = next.signer(now) else { return Ok(None) };
        let is_good = |serving: &Serving| {
            serving.issuer == signer.name
                && serving.names == names
                && serving.ends > now + RENEWAL.min(signer.ends - now)
        };
        if !next.serving.as_ref().is_some_and(is_good) {
            next.serving = Some(signer.sign(names, now)?);
        }
        Ok((next != *self).then_some(next))
    }

    /// The newest authority that pods have known for long enough, or else the oldest.
    fn signer(&self, now: u64) -> Option<&Authority> {
        let known = |authority: &&Authority| authority.begins + OVERLAP <= now;
        self.authorities.iter().rfind(known).or(self.authorities.first())
    }

    /// The certificates of all authorities, as PEM.
    pub(super) fn bundle(&self) -> String {
        self.authorities.iter().map(|authority| authority.certificate.as_str()).collect()
    }
}

impl Authority {
    fn new(now: u64) -> Result<Self, rcgen::Error> {
        let name = format!("maptask-operator workers {now}");
        let key = KeyPair::generate()?;
        let ends = now + AUTHORITY;
        let mut params = Self::params(&name);
        span(&mut params, now, ends);
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self { name, begins: now, ends, certificate, key: key.serialize_pem() })
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = called(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params
    }

    fn sign(&self, names: &[String], now: u64) -> Result<Serving, rcgen::Error> {
        let ends = (now + SERVING).min(self.ends);
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = called("maptask-operator");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        span(&mut params, now, ends);
        let issuer = Issuer::new(Self::params(&self.name), KeyPair::from_pem(&self.key)?);
        let key = KeyPair::generate()?;
        let certificate: Certificate = params.signed_by(&key, &issuer)?;
        Ok(Serving {
            issuer: self.name.clone(),
            names: names.to_vec(),
            ends,
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

/// From and to when a certificate is valid, in the type of the library.
fn span(params: &mut CertificateParams, now: u64, ends: u64) {
    let time = |seconds| date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(seconds);
    params.not_before = time(now.saturating_sub(SKEW));
    params.not_after = time(ends);
}

fn called(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

#[cfg(test)]
#[path = "issue_tests.rs"]
mod tests;
