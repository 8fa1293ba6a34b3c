//! Who may speak to the operator as a worker: with tokens that the API server makes, at the operator's Service.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::kubectl::{Namespace, kubectl, real_task};
use crate::{alone, undisturbed};

/// The operator as a worker knows it.
struct Operator {
    namespace: String,
    address: String,
    name: String,
    ca: String,
}

impl Operator {
    fn find() -> Self {
        let label = "app.kubernetes.io/name=maptask-operator";
        let all = kubectl(&["get", "services", "--all-namespaces", "-l", label, "-o", "json"]);
        let all: Value = serde_json::from_str(&all).unwrap();
        let ends_well = |service: &&Value| service["metadata"]["name"].as_str().unwrap().ends_with("-workers");
        let service = all["items"].as_array().unwrap().iter().find(ends_well).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (namespace, name) = (text(&service["metadata"]["namespace"]), text(&service["metadata"]["name"]));
        let (ip, port) = (text(&service["spec"]["clusterIP"]), &service["spec"]["ports"][0]["port"]);
        let ca = kubectl(&["-n", &namespace, "get", "secret", &name, "-o", r"jsonpath={.data.ca\.crt}"]);
        let ca = String::from_utf8(STANDARD.decode(ca).unwrap()).unwrap();
        Self { address: format!("{ip}:{port}"), name: format!("{name}.{namespace}.svc"), namespace, ca }
    }

    /// The status of the answer to a worker with this token.
    fn ask(&self, token: Option<&str>) -> Option<u16> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(self.ca.as_bytes()).map(Result::unwrap));
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        let name = ServerName::try_from(self.name.clone()).unwrap();
        let tls = ClientConnection::new(Arc::new(config.with_no_client_auth()), name).unwrap();
        let tcp = TcpStream::connect(&self.address).ok()?;
        tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut stream = StreamOwned::new(tls, tcp);
        let body = json!({ "session": "00c0ffee00c0ffee", "number": 1 }).to_string();
        let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let length = body.len();
        let text =
            format!("POST /v1/exchange HTTP/1.1\r\nhost: operator\r\n{token}content-length: {length}\r\n\r\n{body}");
        stream.write_all(text.as_bytes()).ok()?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).ok()?;
        String::from_utf8_lossy(&head).split(' ').nth(1)?.parse().ok()
    }
}

/// A token of the namespace's default service account.
fn token(namespace: &Namespace, audience: Option<&str>, pod: Option<&str>) -> String {
    let audience = audience.map(|audience| format!("--audience={audience}"));
    let pod = pod.map(|pod| format!("--bound-object-name={pod}"));
    let mut args = vec!["create", "token", "default"];
    args.extend(audience.as_deref());
    if let Some(pod) = &pod {
        args.extend(["--bound-object-kind=Pod", pod]);
    }
    namespace.kubectl(&args).trim().to_owned()
}

const OURS: Option<&str> = Some("maptask-operator");

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn only_a_worker_that_exists_may_speak_and_all_others_are_refused_with_their_status() {
    let _undisturbed = undisturbed();
    let operator = Operator::find();
    let (team, others) = (Namespace::new("speak"), Namespace::new("speak-others"));
    team.apply(&real_task("t", &json!({ "items": { "count": 1 } }), "sleep 600"));
    let running = |namespace: &Namespace| {
        let pods = namespace.list("pods");
        let pod = pods.first().filter(|pod| pod["status"]["phase"] == "Running")?;
        Some(pod["metadata"]["name"].as_str().unwrap().to_owned())
    };
    let of_task = team.wait("the task's pod", || running(&team));
    others.apply(&json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "stranger" },
        "spec": { "terminationGracePeriodSeconds": 0,
                  "containers": [{ "name": "main", "image": "busybox:1.36", "command": ["sleep", "600"] }] },
    }));
    others.wait("the other pod", || running(&others));
    let gone = token(&others, OURS, Some("stranger"));
    for (who, token, status) in [
        ("nobody", None, 401),
        ("rubbish", Some("rubbish".to_owned()), 401),
        ("a token for the API server", Some(token(&team, None, Some(&of_task))), 401),
        ("a token for somebody else", Some(token(&team, Some("vault"), Some(&of_task))), 401),
        ("a token of no pod", Some(token(&team, OURS, None)), 403),
        ("a pod of a task without workers", Some(token(&team, OURS, Some(&of_task))), 403),
        ("a pod of another namespace and of no task", Some(gone.clone()), 403),
    ] {
        assert_eq!(operator.ask(token.as_deref()), Some(status), "{who}");
    }
    let unseen = token(&others, OURS, Some("stranger"));
    others.kubectl(&["delete", "pod", "stranger", "--wait=true"]);
    // The first token was reviewed while its pod was there, which is remembered; the second was not.
    assert_eq!(operator.ask(Some(&gone)), Some(403), "a pod that is gone");
    assert_eq!(operator.ask(Some(&unseen)), Some(401), "a pod that is gone, for the first time");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_certificate_for_workers_survives_a_restart_of_the_operator() {
    let _alone = alone();
    let namespace = Namespace::new("certificate");
    let before = Operator::find();
    // It may still wait for the lease of one that another test has killed.
    namespace.wait("the operator to lead", || before.ask(None).filter(|status| *status == 401).map(|_| ()));
    let label = "app.kubernetes.io/name=maptask-operator";
    kubectl(&["-n", &before.namespace, "delete", "pod", "-l", label, "--wait=true"]);
    kubectl(&["-n", &before.namespace, "rollout", "status", "deployment", "maptask-operator", "--timeout=60s"]);
    namespace.wait("the operator with the certificate of before", || {
        before.ask(None).filter(|status| *status == 401).map(|_| ())
    });
    assert_eq!(Operator::find().ca, before.ca);
}
