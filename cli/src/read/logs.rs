//! The logs of items, also of those that shared a pod: a worker marks each line with the index of its item.

use std::collections::VecDeque;

use futures::io::AsyncBufRead;
use futures::{AsyncBufReadExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{ListParams, LogParams};
use maptask::api::labels;

use super::task::{PAGE, Task, next_page};
use crate::cluster::Session;
use crate::error::Failure;

/// Most bytes of a line. What is longer comes in several.
const MAX_LINE: usize = 1 << 20;

/// A pod of a task that has a log, or will have one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPod {
    /// Its name.
    pub name: String,
    /// Whose log it is.
    pub of: Whose,
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    pub phase: String,
    /// The node that it was given to, if it was.
    pub node: Option<String>,
}

impl LogPod {
    /// The item of a line of its log, and the line without the mark of a worker.
    pub fn line<'a>(&self, line: &'a [u8]) -> Option<(u32, &'a [u8])> {
        match self.of {
            Whose::Attempt(index, _) => Some((index, line)),
            Whose::Worker(_) => item_of(line),
        }
    }
}

/// Whose log a pod has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// An attempt at an item.
    Attempt(u32, u32),
    /// Many items, each line with the index of its item; the number of the worker.
    Worker(u32),
}

impl Whose {
    /// The label of a line: `17.2` for the second attempt at item 17, `17.w3` for worker 3.
    pub fn label(self, item: u32) -> String {
        match self {
            Self::Attempt(index, attempt) => format!("{index}.{attempt}"),
            Self::Worker(number) => format!("{item}.w{number}"),
        }
    }
}

/// The pods of a task: those of one item, or of all.
pub async fn pods(session: &Session, task: &Task, item: Option<u32>) -> Result<Vec<LogPod>, kube::Error> {
    let mut selector = format!("{}={}", labels::CONTROLLER_UID, task.uid());
    if let Some(item) = item {
        let index = if task.spec.workers.is_some() { "worker".to_owned() } else { item.to_string() };
        selector = format!("{selector},{}={index}", labels::INDEX);
    }
    let api: Api<Pod> = session.api();
    let mut next = Some(ListParams::default().labels(&selector).limit(PAGE));
    let mut found = Vec::new();
    while let Some(params) = next {
        let page = api.list(&params).await?;
        found.extend(page.items.into_iter().filter_map(log_pod));
        next = next_page(params, &page.metadata);
    }
    found.sort_by_key(|pod: &LogPod| pod.of);
    Ok(found)
}

fn log_pod(pod: Pod) -> Option<LogPod> {
    let labels = pod.metadata.labels.unwrap_or_default();
    let number = |label: &str| labels.get(label).and_then(|text| text.parse().ok());
    let attempt = number(labels::ATTEMPT)?;
    let of = match labels.get(labels::INDEX)?.as_str() {
        "worker" => Whose::Worker(attempt),
        _ => Whose::Attempt(number(labels::INDEX)?, attempt),
    };
    let phase = pod.status.and_then(|status| status.phase).unwrap_or_else(|| "Pending".to_owned());
    Some(LogPod { name: pod.metadata.name?, of, phase, node: pod.spec.and_then(|spec| spec.node_name) })
}

/// The last lines of a log.
#[derive(Debug, Default)]
pub struct Tail(VecDeque<Vec<u8>>);

impl Tail {
    /// Adds a line; of more than `most` the first ones go.
    pub fn add(&mut self, line: &[u8], most: usize) {
        self.0.push_back(line.to_vec());
        if self.0.len() > most {
            self.0.pop_front();
        }
    }

    /// The lines that are left, in order.
    pub fn lines(self) -> impl Iterator<Item = Vec<u8>> {
        self.0.into_iter()
    }
}

/// The container of the items: the one that the spec names, or the first of its template.
pub fn container(task: &Task) -> Option<String> {
    let first = || task.spec.template.pointer("/spec/containers/0/name")?.as_str().map(str::to_owned);
    task.spec.container.clone().or_else(first)
}

/// The lines of a container's log.
pub struct Lines {
    reader: std::pin::Pin<Box<dyn AsyncBufRead + Send>>,
}

impl Lines {
    /// Opens the log of a pod.
    pub async fn open(session: &Session, pod: &str, params: &LogParams) -> Result<Self, kube::Error> {
        let api: Api<Pod> = session.api();
        Ok(Self { reader: Box::pin(api.log_stream(pod, params).await?) })
    }

    /// The next line without its `\n`; nothing else ends a line.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let mut line = Vec::new();
        loop {
            let buffer = self.reader.fill_buf().await.map_err(|error| Failure::new(error.to_string()).at("the log"))?;
            if buffer.is_empty() {
                return Ok((!line.is_empty()).then_some(line));
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(buffer.len()).min(MAX_LINE - line.len());
            line.extend_from_slice(&buffer[..taken]);
            let is_whole = end == Some(taken);
            self.reader.consume_unpin(taken + usize::from(is_whole));
            if is_whole || line.len() == MAX_LINE {
                return Ok(Some(line));
            }
        }
    }

    /// The lines as a stream.
    pub fn stream(self) -> impl futures::Stream<Item = Result<Vec<u8>, Failure>> + Send {
        futures::stream::try_unfold(self, |mut lines| async move { Ok(lines.next().await?.map(|line| (line, lines))) })
            .into_stream()
    }
}

/// The item that a line of a worker is of, and the line without its mark.
fn item_of(line: &[u8]) -> Option<(u32, &[u8])> {
    let rest = line.strip_prefix(b"[")?;
    let end = rest.iter().take(8).position(|byte| *byte == b']')?;
    let (digits, rest) = (&rest[..end], &rest[end + 1..]);
    let digits = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some((digits.parse().ok()?, rest.strip_prefix(b" ").unwrap_or(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_of_a_worker_is_of_the_item_that_it_names() {
        assert_eq!(item_of(b"[17] hello"), Some((17, b"hello".as_slice())));
        assert_eq!(item_of(b"[17] "), Some((17, b"".as_slice())));
        for line in ["[x] a", "17] a", "[] a", "[123456789] a", "maptask-worker: a", "[+1] a"] {
            assert_eq!(item_of(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn a_pod_is_of_an_attempt_or_a_worker() {
        let pod = |index: &str, attempt: &str| {
            let labels = json!({ "maptask.dev/index": index, "maptask.dev/attempt": attempt });
            log_pod(serde_json::from_value(json!({ "metadata": { "name": "p", "labels": labels } })).unwrap())
        };
        assert_eq!(pod("17", "2").unwrap().of.label(0), "17.2");
        assert_eq!(pod("worker", "3").unwrap().of.label(17), "17.w3");
        assert_eq!(pod("reduce", "1"), None);
    }

    #[test]
    fn lines_end_at_line_feeds_and_bytes_stay() {
        let text: &[u8] = b"one\rtwo\n\n\xff\nlast";
        let mut lines = Lines { reader: Box::pin(futures::io::BufReader::with_capacity(3, text)) };
        let mut all = Vec::new();
        while let Some(line) = futures::executor::block_on(lines.next()).unwrap() {
            all.push(line);
        }
        assert_eq!(all, [b"one\rtwo".as_slice(), b"", b"\xff", b"last"]);
    }
}
