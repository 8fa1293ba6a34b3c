//! The metrics: name, type, labels with all their values, meaning. All of it is in the registry.

use std::collections::BTreeMap;
use std::fmt::Write;

const HEAD: &str = "# Metrics

<!-- Generated from src/serve by `make crds`. -->

What the operator serves at `/metrics`. [Monitoring](../operations/monitoring.md) says how to scrape it, and which
alerts and dashboard the chart has. Every label has a fixed set of values: no task, item or namespace becomes a label.
All series exist from the start, and counters begin at 0 when the operator starts.

| metric | type | labels | meaning |
| --- | --- | --- | --- |
";

#[derive(Default)]
struct Metric {
    kind: String,
    help: String,
    labels: BTreeMap<String, Vec<String>>,
}

/// The metrics of a text in the format of `OpenMetrics`.
fn metrics(text: &str) -> BTreeMap<String, Metric> {
    let mut found: BTreeMap<String, Metric> = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            help.trim_end_matches('.').clone_into(&mut found.entry(name.to_owned()).or_default().help);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            kind.clone_into(&mut found.entry(name.to_owned()).or_default().kind);
        } else if let Some((series, labels)) = line.split_once('{') {
            let base = ["_total", "_bucket"].iter().find_map(|end| series.strip_suffix(end)).unwrap_or(series);
            let metric = found.get_mut(base).unwrap_or_else(|| panic!("{line} has no help"));
            let (labels, _) = labels.split_once('}').unwrap();
            // The bounds of a histogram are no label that one asks for.
            let pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
            for (label, value) in pairs.filter(|(label, _)| *label != "le") {
                let values = metric.labels.entry(label.to_owned()).or_default();
                let value = value.trim_matches('"').to_owned();
                if !values.contains(&value) {
                    values.push(value);
                }
            }
        }
    }
    found
}

#[test]
fn the_generated_page_of_metrics_is_what_the_registry_says() {
    let mut text = HEAD.to_owned();
    let found = metrics(&maptask::serve::metrics::Metrics::default().text());
    assert!(found.len() >= 20, "{} metrics", found.len());
    for (name, metric) in found {
        let end = if metric.kind == "counter" { "_total" } else { "" };
        let labels: Vec<String> = metric
            .labels
            .into_iter()
            .map(|(label, mut values)| {
                values.sort();
                format!("`{label}`: {}", values.join(", "))
            })
            .collect();
        let _ = writeln!(text, "| `{name}{end}` | {} | {} | {} |", metric.kind, labels.join("; "), metric.help);
    }
    crate::generated("docs/reference/metrics.md", &text);
}
