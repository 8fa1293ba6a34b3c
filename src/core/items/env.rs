//! How an item reaches its container: as environment variables.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{ItemsError, MAX_KEY_BYTES};

/// `MAPTASK_ITEM`, and for an object one `MAPTASK_ITEM_<KEY>` for each key: a string as it is, anything else as JSON.
pub fn item_env(item: &Value) -> Vec<(String, String)> {
    let mut env = vec![("MAPTASK_ITEM".to_owned(), text(item))];
    if let Value::Object(object) = item {
        env.extend(object.iter().map(|(key, value)| (env_name(key), text(value))));
    }
    env
}

/// The variable of an object's key: upper case, and `_` for all that a variable's name can't hold.
fn env_name(key: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("MAPTASK_ITEM_{}", key.chars().map(fit).collect::<String>())
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
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
        if let Some(first) = names.insert(name.clone(), key) {
            let (place, first, second) = (place.to_owned(), first.clone(), key.clone());
            return Err(ItemsError::EnvNameCollision { place, first, second, name });
        }
    }
    Ok(())
}

/// Whether a variable made of the value would hold a NUL character. In JSON text they are escaped.
pub(super) fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Object(object) => object.values().any(|v| v.as_str().is_some_and(|text| text.contains('\0'))),
        _ => false,
    }
}
