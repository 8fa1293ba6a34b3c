//! Many tasks at once: the API server's table of them, which never has the phases of their items.

use jiff::Timestamp;
use kube::Resource;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::task::{PAGE, Task};
use crate::cluster::Session;

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";

/// One task of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// The word for its phase.
    pub phase: String,
    /// Items that have ended.
    pub ended: Option<u32>,
    /// Items of the list.
    pub items: Option<u32>,
    /// Items that run.
    pub running: u32,
    /// Items that failed.
    pub failed: u32,
    /// Items that ended in the last minute, if it is known.
    pub per_minute: Option<u32>,
    /// One word for why it waits or failed.
    pub reason: String,
    /// How long it took, if it has ended.
    pub duration: Option<u64>,
    /// One sentence about it.
    pub message: String,
}

/// A page of the API server's table of tasks, or what one event of its watch has.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Table {
    #[serde(default)]
    metadata: Meta,
    /// `null` but in the first table of a watch.
    #[serde(default, deserialize_with = "or_none")]
    column_definitions: Vec<Column>,
    #[serde(default, deserialize_with = "or_none")]
    rows: Vec<Row>,
}

fn or_none<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    #[serde(default, rename = "continue")]
    next: String,
    #[serde(default)]
    resource_version: String,
}

#[derive(Clone, Deserialize)]
struct Column {
    name: String,
}

#[derive(Clone, Deserialize)]
struct Row {
    cells: Vec<Value>,
    #[serde(default)]
    object: Value,
}

impl Table {
    /// The tasks of its rows.
    pub fn tasks(&self) -> Vec<Listed> {
        self.rows.iter().map(|row| listed(&self.column_definitions, row)).collect()
    }

    /// The version of the whole list.
    pub fn version(&self) -> &str {
        &self.metadata.resource_version
    }

    /// Where the next page begins; empty on the last.
    pub fn next(&self) -> &str {
        &self.metadata.next
    }

    /// The version of the last of its objects.
    pub fn row_version(&self) -> Option<&str> {
        self.rows.last()?.object["metadata"]["resourceVersion"].as_str()
    }

    /// Of a watch only the first table has columns: keeps them for the others.
    pub fn keep_columns(&mut self, known: &mut Columns) {
        if self.column_definitions.is_empty() {
            self.column_definitions.clone_from(&known.0);
        } else {
            known.0.clone_from(&self.column_definitions);
        }
    }
}

/// Which tasks.
#[derive(Clone)]
pub struct Tasks {
    /// The API server, and the namespace.
    pub session: Session,
    /// One namespace or all.
    pub scope: Scope,
    /// Only tasks with these labels.
    pub selector: Option<String>,
}

/// A list with the version from which it is watched.
pub struct Snapshot {
    /// The tasks, in the order of the API server: namespace, then name.
    pub tasks: Vec<Listed>,
    /// The version of the whole list.
    pub version: String,
}

impl Tasks {
    /// Reads the list, in pages of the same version.
    pub async fn read(&self) -> Result<Snapshot, kube::Error> {
        let (mut tasks, mut next) = (Vec::new(), String::new());
        loop {
            let from = if next.is_empty() { String::new() } else { format!("&continue={}", encoded(&next)) };
            let page = self.page(&from).await?;
            tasks.extend(page.tasks());
            page.next().clone_into(&mut next);
            if next.is_empty() {
                return Ok(Snapshot { tasks, version: page.version().to_owned() });
            }
        }
    }

    fn labels(&self) -> String {
        self.selector.as_deref().map(|text| format!("&labelSelector={}", encoded(text))).unwrap_or_default()
    }

    /// A page of the list; where it begins stands in the query with a `&` before it.
    async fn page(&self, from: &str) -> Result<Table, kube::Error> {
        let query = format!("limit={PAGE}{}{from}", self.labels());
        self.session.get(&format!("{}?{query}", self.path()), TABLE).await
    }

    /// Asks for all changes since this version, for at most these seconds.
    pub fn watched(&self, version: &str, seconds: u32) -> Result<http::Request<Vec<u8>>, kube::Error> {
        let version = encoded(version);
        let query = format!("watch=true&resourceVersion={version}&timeoutSeconds={seconds}{}", self.labels());
        let request = http::Request::get(format!("{}?{query}", self.path())).header(http::header::ACCEPT, TABLE);
        request.body(Vec::new()).map_err(kube::Error::HttpError)
    }

    fn path(&self) -> String {
        Task::url_path(&(), (self.scope == Scope::Namespace).then_some(self.session.namespace.as_str()))
    }
}

/// The columns of a watch.
#[derive(Default)]
pub struct Columns(Vec<Column>);

/// Whose tasks are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of the session's namespace.
    Namespace,
    /// Those of all namespaces.
    All,
}

fn listed(columns: &[Column], row: &Row) -> Listed {
    let cell = |name: &str| {
        let place = columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
        place.and_then(|place| row.cells.get(place)).unwrap_or(&Value::Null)
    };
    let text = |name: &str| cell(name).as_str().unwrap_or_default().to_owned();
    let number = |name: &str| cell(name).as_u64().and_then(|number| u32::try_from(number).ok());
    let meta = |name: &str| row.object["metadata"][name].as_str().unwrap_or_default().to_owned();
    let done = text("Done");
    let (ended, items) = done.split_once('/').unwrap_or_default();
    Listed {
        namespace: meta("namespace"),
        name: meta("name"),
        created: meta("creationTimestamp").parse().ok(),
        phase: Some(text("Phase")).filter(|phase| !phase.is_empty()).unwrap_or_else(|| "Pending".to_owned()),
        ended: ended.parse().ok(),
        items: items.parse().ok(),
        running: number("Running").unwrap_or(0),
        failed: number("Failed").unwrap_or(0),
        per_minute: number("Rate"),
        reason: text("Reason"),
        duration: crate::terminal::words::parse_span(&text("Duration")).ok(),
        message: text("Message"),
    }
}

impl Listed {
    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed")
    }

    /// About when it ended, if it has: tasks start when they are made.
    pub fn ended_at(&self) -> Option<Timestamp> {
        let seconds = i64::try_from(self.duration.filter(|_| self.has_ended())?).ok()?;
        self.created?.checked_add(jiff::SignedDuration::from_secs(seconds)).ok()
    }

    /// About how many seconds it has left, at the rate of the last minute.
    pub fn left(&self) -> Option<u64> {
        let rate = self.per_minute.filter(|rate| *rate > 0 && self.phase == "Running")?;
        let steady = self.reason.is_empty() || super::waiting::is_steady(&self.reason);
        let rest = self.items?.checked_sub(self.ended?)?;
        steady.then(|| u64::from(rest) * 60 / u64::from(rate))
    }
}

/// For a query of an URL.
pub fn encoded(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string can't fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    pub(crate) fn row(name: &str, cells: &Value) -> Listed {
        let columns = ["Phase", "Done", "Running", "Failed", "Reason", "Rate", "Duration"];
        let columns: Vec<Column> = columns.into_iter().map(|name| Column { name: name.to_owned() }).collect();
        let metadata = json!({ "name": name, "namespace": "ns", "creationTimestamp": "2026-03-01T14:00:00Z" });
        let row = Row { cells: cells.as_array().unwrap().clone(), object: json!({ "metadata": metadata }) };
        listed(&columns, &row)
    }

    #[test]
    fn only_the_first_table_of_a_watch_names_its_columns() {
        let table = |text: &str| serde_json::from_str::<Table>(text).unwrap();
        let mut columns = Columns::default();
        let cells = r#""rows":[{"cells":["Running"],"object":{"metadata":{"name":"t","namespace":"ns"}}}]"#;
        for definitions in [r#"[{"name":"Phase"}]"#, "null"] {
            let mut table = table(&format!(r#"{{"columnDefinitions":{definitions},{cells}}}"#));
            table.keep_columns(&mut columns);
            assert_eq!(table.tasks()[0].phase, "Running");
        }
        assert!(table(r#"{"rows":null}"#).tasks().is_empty());
    }

    #[test]
    fn a_row_of_the_table_is_read_by_the_names_of_its_columns() {
        let task = row("t", &json!(["Running", "15172/20000", 64, 118, "Quota", 852, null]));
        assert_eq!((task.ended, task.items, task.running, task.failed), (Some(15_172), Some(20_000), 64, 118));
        assert_eq!((task.left(), task.ended_at()), (Some(340), None));
        let new = row("t", &json!([null, "0/?"]));
        assert_eq!((new.phase.as_str(), new.ended, new.items, new.per_minute), ("Pending", Some(0), None, None));
        let ended = row("t", &json!(["Failed", "1420/20000", 0, 401, "TooManyFailures", null, "3m12s"]));
        assert_eq!(ended.ended_at().unwrap().to_string(), "2026-03-01T14:03:12Z");
        assert_eq!(row("t", &json!(["Running", "1/20", 1, 0, "NoCapacity", 60])).left(), None);
    }

    #[test]
    fn queries_are_encoded() {
        assert_eq!(encoded("a=b,c in (d)"), "a%3Db%2Cc%20in%20%28d%29");
    }
}
