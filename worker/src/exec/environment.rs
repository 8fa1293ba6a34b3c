//! Which variables does a program see? Those of its container, and those of its item.

use std::collections::HashMap;
use std::ffi::{CStr, CString, OsString};
use std::os::unix::ffi::OsStringExt;

use maptask_exchange::variables::{ARTIFACTS, ARTIFACTS_PATH, RESULT};
use maptask_exchange::{CONFIG_VARIABLE, Config, Grant};

use super::{Slot, Template};

/// Names that the worker sets; what the container has under them is not passed on.
const OWN: [&str; 9] = [
    "MAPTASK_SLOT",
    "MAPTASK_ITEM",
    "MAPTASK_INDEX",
    "MAPTASK_ATTEMPT",
    "MAPTASK_COUNT",
    "MAPTASK_NAME",
    RESULT,
    ARTIFACTS,
    ARTIFACTS_PATH,
];

/// The container's own variables.
#[derive(Debug)]
pub struct Environment {
    /// `NAME=value`, as a program gets it.
    constant: Vec<(String, CString)>,
    /// Variables of the template that refer to the item: the kubelet could not expand them.
    templates: Vec<(String, Template)>,
    values: HashMap<String, String>,
}

/// The variables of one item.
#[derive(Debug, Default)]
pub struct Variables(Vec<(String, String)>);

impl Variables {
    /// Those that say which item and attempt it is.
    pub fn of(config: &Config, grant: &Grant) -> Self {
        let text = grant.item.get();
        let item = serde_json::from_str::<String>(text).unwrap_or_else(|_| text.to_owned());
        let mut variables = Self::default();
        variables.set("MAPTASK_ITEM", item);
        variables.set("MAPTASK_INDEX", grant.id.0.to_string());
        variables.set("MAPTASK_ATTEMPT", grant.id.1.to_string());
        variables.set_task(config);
        for (name, value) in &grant.env {
            variables.set(name, value.clone());
        }
        variables
    }

    /// Those of a program that reads its items.
    pub fn of_stream(config: &Config) -> Self {
        let mut variables = Self::default();
        variables.set_task(config);
        variables
    }

    /// Where the program runs.
    pub fn set_place(&mut self, slot: &Slot) {
        self.set("MAPTASK_SLOT", slot.number.to_string());
        if let Some(tmp) = slot.files.tmp() {
            self.set("TMPDIR", tmp.to_string_lossy().into_owned());
        }
    }

    fn set_task(&mut self, config: &Config) {
        self.set("MAPTASK_COUNT", config.count.to_string());
        self.set("MAPTASK_NAME", config.task.clone());
    }

    /// Sets a variable, once.
    pub fn set(&mut self, name: &str, value: String) {
        self.0.push((name.to_owned(), value));
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

impl Environment {
    /// From the variables of this process.
    pub fn new(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let mut own = Self { constant: Vec::new(), templates: Vec::new(), values: HashMap::new() };
        for (name, value) in variables {
            let key = name.to_string_lossy().into_owned();
            if key == CONFIG_VARIABLE || OWN.contains(&key.as_str()) {
                continue;
            }
            let text = value.to_string_lossy().into_owned();
            if text.contains("$(MAPTASK_") {
                own.templates.push((key.clone(), Template::parse(&text.replace("$$", "$$$$"))));
            } else {
                let line = [name.into_vec(), value.into_vec()].join(&b'=');
                if let Ok(line) = CString::new(line) {
                    own.constant.push((key.clone(), line));
                }
            }
            own.values.insert(key, text);
        }
        own
    }

    /// A variable of the container.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The value of a variable as an item sees it.
    pub fn lookup<'a>(&'a self, variables: &'a Variables, name: &str) -> Option<&'a str> {
        variables.get(name).or_else(|| self.get(name))
    }

    /// The lines that only this item has: its variables, and those of the container that refer to them. A value with a
    /// zero byte can't be passed on.
    pub fn lines_of(&self, variables: &Variables) -> Result<Vec<CString>, String> {
        let templates =
            self.templates.iter().filter(|(name, _)| variables.get(name).is_none()).map(|(name, template)| {
                let value = template.render(|reference| self.lookup(variables, reference));
                (name, value)
            });
        let own = variables.0.iter().map(|(name, value)| (name, value.clone()));
        own.chain(templates)
            .map(|(name, value)| {
                CString::new(format!("{name}={value}"))
                    .map_err(|_| format!("{name} has a zero byte, which no environment variable can hold"))
            })
            .collect()
    }

    /// The whole environment: the container's, less what the item sets itself.
    pub fn join<'a>(&'a self, variables: &Variables, lines: &'a [CString]) -> Vec<&'a CStr> {
        let constant = self.constant.iter().filter(|(name, _)| variables.get(name).is_none());
        constant.map(|(_, line)| line.as_c_str()).chain(lines.iter().map(CString::as_c_str)).collect()
    }
}
