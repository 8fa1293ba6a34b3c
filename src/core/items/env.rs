//! How an item reaches its container: as environment variables.

use std::collections::BTreeMap;

use super::{ItemsError, MAX_KEY_BYTES};
use crate::api::json::Json;

/// `MAPTASK_ITEM`, and for an object one `MAPTASK_ITEM_<KEY>` for each key: a string as it is, anything else as JSON.
pub fn item_env(item: &Json) -> Vec<(String, String)> {
    let mut env = vec![("MAPTASK_ITEM".to_owned(), text(item))];
    // Of a key that is there twice the last one counts, as everywhere.
    let entries: BTreeMap<String, Json> = item.entries().into_iter().flatten().collect();
    env.extend(entries.iter().map(|(key, value)| (env_name(key), text(value))));
    env
}

/// The variable of an object's key: upper case, and `_` for all that a variable's name can't hold.
fn env_name(key: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("MAPTASK_ITEM_{}", key.chars().map(fit).collect::<String>())
}

fn text(value: &Json) -> String {
    value.as_string().unwrap_or_else(|| value.text().to_owned())
}

/// Refuses keys that become the same variable.
pub(super) fn check_keys<'a>(place: &str, keys: impl Iterator<Item = &'a String>) -> Result<(), ItemsError> {
    let mut names: BTreeMap<String, &String> = BTreeMap::new();
    for key in keys {
        if key.is_empty() {
            return Err(ItemsError::EmptyKey(place.to_owned()));
        }
        if key.len() > MAX_KEY_BYTES {
            return Err(ItemsError::LongKey(place.to_owned(), key.len()));
        }
        let name = env_name(key);
        if let Some(first) = names.insert(name.clone(), key).filter(|first| *first != key) {
            let (place, first, second) = (place.to_owned(), first.clone(), key.clone());
            return Err(ItemsError::EnvNameCollision { place, first, second, name });
        }
    }
    Ok(())
}

/// Whether a variable made of the value would hold a NUL character. In JSON text they are escaped.
pub(super) fn holds_nul(value: &Json) -> bool {
    let holds = |value: &Json| value.text().contains("\\u0000") && text(value).contains('\0');
    match value.entries() {
        Some(entries) => entries.iter().any(|(_, value)| value.text().starts_with('"') && holds(value)),
        None => value.text().starts_with('"') && holds(value),
    }
}
