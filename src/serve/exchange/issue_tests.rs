use tokio_rustls::rustls::pki_types::UnixTime;

use super::*;
use crate::serve::exchange::certificate::Material;

const NOW: u64 = 1_800_000_000;

fn names(name: &str) -> Vec<String> {
    vec![name.to_owned(), "10.96.0.7".to_owned()]
}

/// The certificate that is shown, with what a worker of some time before trusts.
fn material(shown: &Issued, trusted: &str) -> Material {
    let Serving { certificate, key, .. } = shown.serving.clone().unwrap();
    Material { chain: certificate, key, authorities: trusted.to_owned() }
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
}

#[test]
fn workers_of_before_a_certificate_change_know_the_new_certificate() {
    let mut issued = Issued::default().renewed(&names("a.ns.svc"), NOW).unwrap().unwrap();
    // What pods of the last year were given.
    let mut given: Vec<(u64, String)> = Vec::new();
    let (mut changes, mut signers) = (0, std::collections::BTreeSet::new());
    for month in 0..(30 * 12) {
        let now = NOW + month * 30 * DAY;
        if let Some(renewed) = issued.renewed(&names("a.ns.svc"), now).unwrap() {
            issued = renewed;
            changes += 1;
        }
        signers.insert(issued.serving.clone().unwrap().issuer);
        given.retain(|(since, _)| now - since < 360 * DAY);
        given.push((now, issued.bundle()));
        for (since, bundle) in &given {
            for name in ["a.ns.svc", "10.96.0.7"] {
                let loaded = material(&issued, bundle).load(name, at(now));
                assert!(loaded.is_ok(), "month {month}, a pod of {} days: {:?}", (now - since) / DAY, loaded.err());
            }
        }
        assert!(issued.authorities.len() <= 2);
    }
    assert!((30..60).contains(&changes) && signers.len() == 4, "{changes} {signers:?}");
}

#[test]
fn a_certificate_is_renewed_in_time_and_when_its_names_change_and_else_stays() {
    let issued = Issued::default().renewed(&names("a"), NOW).unwrap().unwrap();
    assert_eq!(issued.renewed(&names("a"), NOW + 240 * DAY).unwrap(), None);
    let renewed = issued.renewed(&names("a"), NOW + 246 * DAY).unwrap().unwrap();
    assert_eq!(renewed.authorities, issued.authorities, "by the same authority");
    assert_ne!(renewed.serving, issued.serving);
    let moved = issued.renewed(&names("b"), NOW).unwrap().unwrap();
    assert!(material(&moved, &issued.bundle()).load("b", at(NOW)).is_ok());
    assert!(material(&moved, &issued.bundle()).load("a", at(NOW)).is_err());
}

#[test]
fn a_certificate_that_workers_would_refuse_is_not_used() {
    let issued = Issued::default().renewed(&names("a"), NOW).unwrap().unwrap();
    let other = Issued::default().renewed(&names("a"), NOW).unwrap().unwrap();
    let error = |material: Material, name: &str, now| material.load(name, at(now)).unwrap_err().to_string();
    let good = material(&issued, &issued.bundle());
    assert!(error(good.clone(), "b", NOW).contains("workers would refuse tls.crt for b"));
    assert!(error(material(&issued, &other.bundle()), "a", NOW).contains("workers would refuse"));
    assert!(error(good.clone(), "a", NOW + 366 * DAY).contains("expired"));
    assert!(good.load("a", at(NOW - DAY / 2)).is_ok(), "a clock half a day behind");
    let key = other.serving.unwrap().key;
    assert!(error(Material { key, ..good.clone() }, "a", NOW).contains("tls.key does not fit"));
    for (missing, words) in [
        (Material { chain: String::new(), ..good.clone() }, "tls.crt has no certificate"),
        (Material { key: "rubbish".to_owned(), ..good.clone() }, "tls.key has no private key"),
        (Material { authorities: String::new(), ..good.clone() }, "ca.crt has no certificate"),
    ] {
        let error = error(missing, "a", NOW);
        assert!(error.contains(words), "{error}");
    }
}
