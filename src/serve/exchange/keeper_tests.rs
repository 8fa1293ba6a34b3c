use clap::Parser;
use serde_json::{Value, json};

use super::*;
use crate::args::Cli;
use crate::serve::exchange::fake_api::FakeApi;

const SERVICE: &str = "/api/v1/namespaces/system/services/workers";

fn service(ip: &str) -> Value {
    json!({ "metadata": { "name": "workers" }, "spec": { "clusterIP": ip, "ports": [{ "port": 8443 }] } })
}

struct Rig {
    api: FakeApi,
    keeper: Keeper,
    address: watch::Receiver<Option<ExchangeAddress>>,
}

fn rig(more: &[&str]) -> Rig {
    let args = [&["maptask-operator", "--exchange-service=workers"], more].concat();
    let args = Cli::parse_from(args).run.exchange;
    let (api, (sender, address)) = (FakeApi::default(), watch::channel(None));
    let keeper = Keeper::new(api.client(), &args, "system", Arc::default(), sender);
    Rig { api, keeper, address }
}

impl Rig {
    async fn look(&mut self) -> (bool, Option<ExchangeAddress>) {
        let good = self.keeper.look_and_report().await;
        (good, self.address.borrow().clone())
    }
}

#[tokio::test]
async fn a_headless_or_missing_service_disables_workers_and_trouble_of_the_api_server_does_not() {
    let mut rig = rig(&[]);
    assert_eq!(rig.look().await, (false, None));
    assert!(rig.keeper.trouble.contains("the Service workers in namespace system is not there"));
    rig.api.set(SERVICE, service("None"));
    assert_eq!(rig.look().await, (false, None));
    assert!(rig.keeper.trouble.contains("has no ClusterIP"), "{}", rig.keeper.trouble);
    rig.api.set(SERVICE, service("10.96.0.7"));
    let (good, address) = rig.look().await;
    let address = address.unwrap();
    assert!(good && address.ca_pem.contains("BEGIN CERTIFICATE"));
    assert_eq!((address.url.as_str(), address.server_name.as_str()), ("https://10.96.0.7:8443", "workers.system.svc"));
    rig.api.break_with(500);
    assert_eq!(rig.look().await, (false, Some(address.clone())), "what was right stays in use");
    rig.api.break_with(0);
    assert_eq!(rig.look().await, (true, Some(address.clone())));
    rig.api.set(SERVICE, service("10.96.0.8"));
    let moved = rig.look().await.1.unwrap();
    assert_eq!((moved.url.as_str(), moved.ca_pem), ("https://10.96.0.8:8443", address.ca_pem));
    rig.api.set(SERVICE, service("None"));
    assert_eq!(rig.look().await, (false, None));
}

#[tokio::test]
async fn a_certificate_that_the_chart_names_is_read_again_when_its_files_change() {
    let directory = std::env::temp_dir().join(format!("maptask-tls-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let option = format!("--exchange-tls-directory={}", directory.display());
    let mut rig = rig(&["--exchange-url=https://10.0.0.1:9443", &option]);
    assert_eq!(rig.look().await, (false, None));
    assert!(rig.keeper.trouble.contains("tls.crt"), "{}", rig.keeper.trouble);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let put = || {
        let issued = super::super::issue::Issued::default().renewed(&["10.0.0.1".to_owned()], now).unwrap().unwrap();
        let serving = issued.serving.clone().unwrap();
        for (name, text) in [("tls.crt", &serving.certificate), ("tls.key", &serving.key), ("ca.crt", &issued.bundle())]
        {
            fs::write(directory.join(name), text).unwrap();
        }
        issued.bundle()
    };
    for _ in 0..2 {
        let bundle = put();
        let (good, address) = rig.look().await;
        assert!(good, "{}", rig.keeper.trouble);
        assert_eq!(address.unwrap().ca_pem, bundle);
    }
    fs::write(directory.join("tls.key"), "rubbish").unwrap();
    let (good, address) = rig.look().await;
    assert!(!good && address.is_some() && rig.keeper.trouble.contains("tls.key"), "{}", rig.keeper.trouble);
    assert!(rig.api.0.lock().unwrap().objects.by_path.is_empty(), "no Secret and no Service is asked for");
    fs::remove_dir_all(directory).unwrap();
}
