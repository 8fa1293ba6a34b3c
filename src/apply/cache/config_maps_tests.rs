use std::sync::{Arc, Mutex};

use serde_json::json;

use super::*;
use crate::core::cache::{Key, Keys};
use crate::core::ids::{Index, TaskKey};
use crate::fake_api::{Objects, client};

struct Server(Arc<Mutex<Objects>>);

impl Server {
    fn new() -> Self {
        Self(Arc::default())
    }

    fn client(&self) -> Client {
        let objects = Arc::clone(&self.0);
        client(move |method, path, body| objects.lock().unwrap().answer(method, path, body))
    }

    fn store(&self, bytes: usize) -> ConfigMaps {
        ConfigMaps::new(self.client(), bytes as u64)
    }

    fn names(&self) -> Vec<String> {
        let name = |path: &String| path.strip_prefix("/api/v1/namespaces/ns/configmaps/").unwrap().to_owned();
        self.0.lock().unwrap().by_path.keys().map(name).collect()
    }
}

/// Where the first ConfigMap of the cache is.
const FIRST: &str = "/api/v1/namespaces/ns/configmaps/maptask-cache-c-0";

fn cache() -> CacheId {
    CacheId { namespace: "ns".into(), name: "c".into() }
}

fn key(item: u32) -> Key {
    let spec = json!({ "items": {}, "template": {}, "cache": { "version": "1", "name": "c" } });
    let keys = Keys::of(&TaskKey::new("ns", "t"), &serde_json::from_value(spec).unwrap()).unwrap();
    keys.key(&crate::api::Json::integer(item.into()))
}

/// Entries with results of 1,000 bytes. A ConfigMap holds about 250 of them.
fn entries(items: std::ops::Range<u32>) -> Vec<Entry> {
    items.map(|item| Entry { key: key(item), line: format!("\"{item:0>1000}\"") }).collect()
}

/// Which of the items up to 5,000 are found.
async fn found(store: &ConfigMaps) -> Vec<u32> {
    let wanted: LookupKeys = (0..5_000).map(|item| (key(item), Index(item))).collect();
    let (mut all, mut from) = (Vec::new(), Some(0));
    while let Some(page) = from {
        let page = store.find(&cache(), &wanted, page).await.unwrap();
        for entry in page.entries {
            let index = wanted.items(&entry.key).next().unwrap();
            assert!(entry.line.ends_with(&format!("{index}\"")), "{index}: {}", entry.line);
            all.push(index.0);
        }
        from = page.next;
    }
    all.sort_unstable();
    all
}

const ALL: usize = 64 << 20;

#[tokio::test]
async fn what_is_put_is_found_by_every_operator() {
    let server = Server::new();
    let store = server.store(ALL);
    assert!(found(&store).await.is_empty());
    store.put(&cache(), &entries(0..3)).await.unwrap();
    store.put(&cache(), &entries(3..3_000)).await.unwrap();
    let all: Vec<u32> = (0..3_000).collect();
    assert!(found(&store).await == all);
    assert!(found(&server.store(ALL)).await == all, "by one that was started since");
    assert_eq!(server.names().len(), 12);
    let writes = |server: &Server| server.0.lock().unwrap().requests.clone();
    let before = writes(&server);
    store.put(&cache(), &entries(2_990..3_000)).await.unwrap();
    let after = writes(&server);
    assert_eq!((before.get("PATCH"), before.get("POST")), (after.get("PATCH"), after.get("POST")), "put before");
}

#[tokio::test]
async fn the_oldest_entries_are_deleted_first_when_a_cache_is_full() {
    let server = Server::new();
    let store = server.store(4 * SEGMENT_BYTES);
    for part in 0..50 {
        store.put(&cache(), &entries(part * 100..(part + 1) * 100)).await.unwrap();
    }
    let left = found(&store).await;
    assert!((750..1_020).contains(&left.len()), "{}", left.len());
    let first = *left.first().unwrap();
    assert!(left == (first..5_000).collect::<Vec<_>>(), "the newest are there without a gap");
    assert_eq!(server.names(), [0, 1, 2, 3].map(|segment| format!("maptask-cache-c-{segment}")));
    assert!(found(&server.store(4 * SEGMENT_BYTES)).await == left);
}

#[tokio::test]
async fn a_cleared_cache_starts_empty() {
    let server = Server::new();
    let store = server.store(ALL);
    store.put(&cache(), &entries(0..600)).await.unwrap();
    server.0.lock().unwrap().by_path.clear();
    assert!(found(&store).await.is_empty());
    store.put(&cache(), &entries(10..12)).await.unwrap();
    assert_eq!((found(&store).await, server.names()), (vec![10, 11], vec!["maptask-cache-c-0".to_owned()]));
    server.0.lock().unwrap().by_path.clear();
    store.put(&cache(), &entries(20..21)).await.unwrap();
    assert_eq!((found(&store).await, server.names()), (vec![20], vec!["maptask-cache-c-0".to_owned()]));
}

#[tokio::test]
async fn two_operators_do_not_lose_what_the_other_has_put() {
    let server = Server::new();
    let stores = [server.store(ALL), server.store(ALL)];
    for part in 0..20 {
        stores[part as usize % 2].put(&cache(), &entries(part * 100..(part + 1) * 100)).await.unwrap();
    }
    let (first, second) = (entries(2_000..3_000), entries(3_000..4_000));
    let id = cache();
    let both = tokio::join!(stores[0].put(&id, &first), stores[1].put(&id, &second));
    assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
    for store in stores {
        assert!(found(&store).await == (0..4_000).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn damaged_entries_are_misses_and_somebody_elses_config_map_is_left_alone() {
    let server = Server::new();
    let store = server.store(ALL);
    store.put(&cache(), &entries(0..3)).await.unwrap();
    let text =
        |server: &Server| server.0.lock().unwrap().by_path[FIRST]["data"]["entries"].as_str().unwrap().to_owned();
    let damaged = text(&server).replacen("000", "111", 1) + "rubbish\n";
    server.0.lock().unwrap().by_path.get_mut(FIRST).unwrap()["data"]["entries"] = json!(damaged);
    let wanted: LookupKeys = (0..3).map(|item| (key(item), Index(item))).collect();
    let page = store.find(&cache(), &wanted, 0).await.unwrap();
    assert_eq!((page.entries.len(), page.damaged), (2, 2));
    let labels = json!({ "app": "another" });
    server.0.lock().unwrap().by_path.get_mut(FIRST).unwrap()["metadata"]["labels"] = labels;
    let refused = store.put(&cache(), &entries(5..6)).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Refused(message) if message.contains("maptask-cache-c-0")), "{refused}");
    assert_eq!(text(&server), damaged);
}

#[tokio::test]
async fn a_configmap_of_an_older_operator_gets_the_labels_that_it_lacks_with_the_next_write() {
    let server = Server::new();
    let store = server.store(ALL);
    store.put(&cache(), &entries(0..1)).await.unwrap();
    let all = json!({ "maptask.dev/cache": "c", "app.kubernetes.io/managed-by": "maptask-operator" });
    let labels = |server: &Server| server.0.lock().unwrap().by_path[FIRST]["metadata"]["labels"].clone();
    assert_eq!(labels(&server), all);
    let old = json!({ "maptask.dev/cache": "c", "mine": "1" });
    server.0.lock().unwrap().by_path.get_mut(FIRST).unwrap()["metadata"]["labels"] = old;
    store.put(&cache(), &entries(1..2)).await.unwrap();
    let mut expected = all;
    expected["mine"] = json!("1");
    assert_eq!(labels(&server), expected, "what others have put there stays");
}
