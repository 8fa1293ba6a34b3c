//! `cache`: what is cached in a namespace, and how to forget it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams};
use maptask::api::labels;
use serde_json::{Value, json};

use super::change::confirm;
use crate::app::{App, Format};
use crate::error::{Exit, Failure, code};
use crate::read::task::next_page;
use crate::terminal::Table;
use crate::terminal::words::{age, counted, size};

/// ConfigMaps in one answer: each has up to 256 KB.
const PAGE: u32 = 20;
/// The key of the entries.
const KEY: &str = "entries";

/// What is cached in a namespace
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum Command {
    /// The caches, with their entries and sizes
    List {
        /// Name of a cache: spec.cache.name, or that of its task
        #[arg(value_name = "NAME")]
        name: Option<String>,
        /// Format: json, yaml or name
        #[arg(short, long, value_enum, value_name = "FORMAT")]
        output: Option<Format>,
    },
    /// Forgets the results of a cache; those of tasks stay
    Clear {
        /// Name of a cache: spec.cache.name, or that of its task
        #[arg(value_name = "NAME")]
        name: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        /// Delete nothing: say what would be deleted
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Clone, Debug, Default)]
struct Cache {
    entries: i64,
    bytes: u64,
    maps: Vec<String>,
    oldest: Option<Timestamp>,
}

/// Runs it.
pub async fn run(app: &mut App, args: &Args) -> Result<Exit, Failure> {
    match &args.command {
        Command::List { name, output } => list(app, name.as_deref(), *output).await,
        Command::Clear { name, yes, dry_run } => clear(app, name, *yes, *dry_run).await,
    }
}

async fn list(app: &mut App, name: Option<&str>, output: Option<Format>) -> Result<Exit, Failure> {
    Format::check(output, &[Format::Json, Format::Yaml, Format::Name])?;
    let caches = caches(app, name).await?;
    let now = app.now();
    if let Some(format) = output.filter(|format| *format != Format::Name) {
        let all: Vec<Value> = caches
            .iter()
            .map(|(name, cache)| {
                json!({ "cache": name, "entries": cache.entries, "size": cache.bytes, "configMaps": cache.maps.len(),
                    "age": age(cache.oldest, now) })
            })
            .collect();
        app.document(format, "CacheList", &json!({ "namespace": app.session.namespace, "caches": all }))?;
        return Ok(Exit::Done);
    }
    if caches.is_empty() {
        app.session.check_namespace().await?;
        app.talk.say(format!("no cache in {}", app.session.namespace));
        return Ok(Exit::Done);
    }
    if output == Some(Format::Name) {
        caches.keys().try_for_each(|name| app.out.data(name))?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["CACHE", "ENTRIES", "SIZE", "CONFIGMAPS", "AGE"]);
    for (name, cache) in caches {
        let maps = cache.maps.len().to_string();
        table
            .plain(&mut app.out, [name, cache.entries.to_string(), size(cache.bytes), maps, age(cache.oldest, now)])?;
    }
    table.finish(&mut app.out)?;
    Ok(Exit::Done)
}

async fn clear(app: &mut App, name: &str, yes: bool, dry_run: bool) -> Result<Exit, Failure> {
    let Some(cache) = caches(app, Some(name)).await?.remove(name) else {
        app.session.check_namespace().await?;
        return Err(Failure::new(format!("there is no cache {name} in {}", app.session.namespace))
            .hint("see what there is: kubectl maptask cache list"));
    };
    let entries = counted(cache.entries, "entry", "entries");
    if dry_run {
        app.out.line(format!("cache {name} would be cleared: {entries} (dry run)"))?;
        return Ok(Exit::Done);
    }
    confirm(app, yes, &format!("The cache {name} forgets {entries}; items are computed again."))?;
    let api = app.session.api::<ConfigMap>();
    // From the last on: what is left then is a cache without a gap, if this is interrupted.
    for map in cache.maps.iter().rev() {
        match api.delete(map, &DeleteParams::default()).await {
            Err(error) if code(&error) != Some(404) => return Err(error.into()),
            _ => {}
        }
    }
    app.out.line(format!("cache {name} cleared: {entries}, {}", size(cache.bytes)))?;
    Ok(Exit::Done)
}

/// The caches of the namespace by name, or one of them.
async fn caches(app: &App, name: Option<&str>) -> Result<BTreeMap<String, Cache>, Failure> {
    let selector = name.map_or(labels::CACHE.to_owned(), |name| format!("{}={name}", labels::CACHE));
    let api = app.session.api::<ConfigMap>();
    let mut next = Some(ListParams::default().labels(&selector).limit(PAGE));
    let mut caches: BTreeMap<String, Cache> = BTreeMap::new();
    while let Some(params) = next {
        let page = api.list(&params).await?;
        page.items.into_iter().for_each(|map| add(&mut caches, map));
        next = next_page(params, &page.metadata);
    }
    Ok(caches)
}

fn add(caches: &mut BTreeMap<String, Cache>, map: ConfigMap) {
    let Some(name) = map.metadata.labels.and_then(|mut labels| labels.remove(labels::CACHE)) else { return };
    let text = map.data.and_then(|mut data| data.remove(KEY)).unwrap_or_default();
    let made = map.metadata.creation_timestamp.map(|time| time.0);
    let cache = caches.entry(name).or_default();
    cache.entries += i64::try_from(text.lines().count()).unwrap_or(0);
    cache.bytes += text.len() as u64;
    cache.oldest = cache.oldest.into_iter().chain(made).min();
    cache.maps.extend(map.metadata.name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configmaps_of_a_cache_are_added_up() {
        let map = |name: &str, time: &str, text: &str| -> ConfigMap {
            let metadata = json!({ "name": name, "labels": { "maptask.dev/cache": "c" }, "creationTimestamp": time });
            serde_json::from_value(json!({ "metadata": metadata, "data": { "entries": text } })).unwrap()
        };
        let mut caches = BTreeMap::new();
        add(&mut caches, map("maptask-cache-c-0", "2026-03-01T14:00:00Z", "a 1\nb 2\n"));
        add(&mut caches, map("maptask-cache-c-1", "2026-03-01T13:00:00Z", "c 3\n"));
        let cache = &caches["c"];
        assert_eq!((cache.entries, cache.bytes, cache.maps.len()), (3, 12, 2));
        assert_eq!(cache.oldest.unwrap().to_string(), "2026-03-01T13:00:00Z");
    }
}
