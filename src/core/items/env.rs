//! How an item reaches its container: as environment variables.

use std::collections::{BTreeMap, BTreeSet};

use super::MAX_KEY_BYTES;
use crate::api::json::Json;

/// `MAPTASK_ITEM`, and for an object one `MAPTASK_ITEM_<KEY>` for each key that has a variable of its own: a string as
/// it is, anything else as JSON.
pub fn item_env(item: &Json) -> Vec<(String, String)> {
    let mut env = vec![("MAPTASK_ITEM".to_owned(), text(item))];
    if let Some(entries) = item.entries() {
        env.extend(variables(entries).named.into_iter().map(|(name, value)| (name, text(&value))));
    }
    env
}

/// What the keys of an object become.
#[derive(Debug, Default)]
pub(super) struct Variables {
    /// The variables, by name.
    pub(super) named: BTreeMap<String, Json>,
    /// Keys without a variable: what is empty, too long, or would have the variable of another one.
    pub(super) nameless: BTreeSet<String>,
    /// Names that two keys would have, with both.
    pub(super) ambiguous: Vec<(String, String, String)>,
}

pub(super) fn variables(entries: Vec<(String, Json)>) -> Variables {
    // Of a key that is there twice the last one counts, as everywhere.
    let entries: BTreeMap<String, Json> = entries.into_iter().collect();
    let mut all = Variables::default();
    let mut keys: BTreeMap<String, String> = BTreeMap::new();
    for (key, value) in entries {
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            all.nameless.insert(key);
            continue;
        }
        let name = env_name(&key);
        if let Some(first) = keys.get(&name) {
            all.named.remove(&name);
            all.nameless.extend([first.clone(), key.clone()]);
            all.ambiguous.push((name, first.clone(), key));
        } else {
            keys.insert(name.clone(), key);
            all.named.insert(name, value);
        }
    }
    all
}

/// The variable of an object's key: upper case, and `_` for all that a variable's name can't hold.
fn env_name(key: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("MAPTASK_ITEM_{}", key.chars().map(fit).collect::<String>())
}

fn text(value: &Json) -> String {
    value.as_string().unwrap_or_else(|| value.text().to_owned())
}

/// Whether a variable made of the value would hold a NUL character. In JSON text they are escaped.
pub(super) fn holds_nul(value: &Json) -> bool {
    let holds = |value: &Json| value.text().contains("\\u0000") && text(value).contains('\0');
    match value.entries() {
        Some(entries) => entries.iter().any(|(_, value)| holds(value)),
        None => holds(value),
    }
}
