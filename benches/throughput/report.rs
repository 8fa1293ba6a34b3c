//! Figures, medians, ratios, and the files that they go to.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::contender::Contender;
use crate::figures::{Figures, Gone, Restart, median};
use crate::meter::{BENCHMARK, OPERATOR, PROGRAMS};
use crate::page;
use crate::plot;

/// A table with a column for each contender.
pub fn table(title: &str, figures: &BTreeMap<Contender, Vec<Figures>>) -> String {
    let line = |label: &str, cells: Vec<String>| format!("| {label} | {} |\n", cells.join(" | "));
    let mut text = format!("### {title}\n\n");
    text += &line("median", figures.keys().map(|contender| contender.name().to_owned()).collect());
    text += &line("---", figures.keys().map(|_| "---".to_owned()).collect());
    let mut row = |label: &str, cell: &dyn Fn(Contender, &[Figures]) -> String| {
        text += &line(label, figures.iter().map(|(contender, all)| cell(*contender, all)).collect());
    };
    row("items/s", &|_, all| {
        let spread = |pick: fn(f64, f64) -> f64, from| all.iter().map(|f| f.rate).fold(from, pick);
        let (least, most) = (spread(f64::min, f64::INFINITY), spread(f64::max, 0.0));
        format!("{:.1} ({least:.1} to {most:.1})", median(all, |f| f.rate))
    });
    row("from apply to the first pod, ms", &|_, all| format!("{:.0}", median(all, |f| f.first_millis)));
    row("from apply to the end, s", &|_, all| format!("{:.1}", median(all, |f| f.seconds)));
    for program in PROGRAMS.into_iter().chain([BENCHMARK]) {
        let label = format!("CPU s for 1,000 items: {program}");
        row(&label, &|_, all| format!("{:.2}", median(all, |f| f.cpu.get(program).copied().unwrap_or(0.0))));
    }
    row("CPU s for 1,000 items: operator", &|contender, all| match contender.controller() {
        Some(OPERATOR) => format!("{:.2}", controller_cpu(contender, all)),
        _ => "-".to_owned(),
    });
    row("memory of the controller, MB", &|_, all| format!("{:.0}", median(all, |f| f.controller_megabytes)));
    row("bytes that etcd writes for each item", &|_, all| format!("{:.0}", median(all, |f| f.etcd_bytes)));
    row("the object as JSON, bytes", &|_, all| format!("{:.0}", median(all, |f| f.object_bytes)));
    row("pods at the end", &|_, all| format!("{:.0}", median(all, |f| f.left.pods)));
    let after = |of: &dyn Fn(&Gone) -> f64, digits: usize, all: &[Figures]| {
        let gone: Vec<Figures> = all.iter().filter(|f| f.left.gone.is_some()).cloned().collect();
        let of = |f: &Figures| f.left.gone.as_ref().map_or(0.0, of);
        if gone.is_empty() { "-".to_owned() } else { format!("{:.digits$}", median(&gone, of)) }
    };
    row("after the end: cleanup, s", &|_, all| after(&|gone| gone.seconds, 0, all));
    for program in ["kube-apiserver", OPERATOR] {
        let cpu = move |gone: &Gone| gone.cpu.get(program).copied().unwrap_or(0.0);
        row(&format!("after the end: CPU s for 1,000 items: {program}"), &|_, all| after(&cpu, 2, all));
    }
    if figures.values().flatten().any(|f| f.restart.is_some()) {
        let restart = |all: &[Figures], of: fn(Restart) -> f64| median(all, |f| f.restart.map_or(0.0, of));
        row("memory of the operator halfway, MB", &|_, all| format!("{:.0}", restart(all, |r| r.megabytes)));
        row("killed halfway: from its start to the next pod, s", &|_, all| {
            format!("{:.1}", restart(all, |r| r.seconds))
        });
    }
    let mut kinds: Vec<String> = figures.values().flatten().flat_map(|f| f.writes.keys().cloned()).collect();
    kinds.sort();
    kinds.dedup();
    for kind in kinds {
        let of = |all: &[Figures]| median(all, |f| f.writes.get(&kind).copied().unwrap_or(0.0));
        if figures.values().any(|all| of(all) >= 0.0005) {
            row(&format!("writes for each item: {kind}"), &|_, all| format!("{:.3}", of(all)));
        }
    }
    text + &ratios(figures)
}

fn controller_cpu(contender: Contender, all: &[Figures]) -> f64 {
    let program = contender.controller().unwrap_or_default();
    median(all, |f| f.cpu.get(program).copied().unwrap_or(0.0))
}

/// `MapTask` against the others, beside what was aimed at.
fn ratios(figures: &BTreeMap<Contender, Vec<Figures>>) -> String {
    let rate = |all: &[Figures]| median(all, |f| f.rate);
    if let (Some(with), Some(without)) = (figures.get(&Contender::FloodedWithSchema), figures.get(&Contender::Flooded))
    {
        return format!("\nWith the FlowSchema: **{:.2}** times the items/s without.\n", rate(with) / rate(without));
    }
    let Some(ours) = figures.get(&Contender::MapTask) else { return String::new() };
    let mut text = String::new();
    for (other, goal) in [
        (Contender::Bare, "0.95"),
        (Contender::Job, "1.0"),
        (Contender::JobDefault, "7"),
        (Contender::MapTaskWithout, "none"),
    ] {
        let Some(theirs) = figures.get(&other) else { continue };
        let ratio = rate(ours) / rate(theirs);
        let _ = write!(text, "\nMapTask / {}: **{ratio:.2}** times its items/s (goal {goal})", other.name());
        if other == Contender::Job {
            let cpu = controller_cpu(Contender::MapTask, ours) / controller_cpu(other, theirs).max(0.001);
            let _ = write!(text, ", **{cpu:.2}** of its CPU (goal: at most 0.3)");
        }
        text.push_str(".\n");
    }
    text
}

/// The shape's data in docs/benchmarks, and its plot.
pub fn write(shape: &str, title: &str, figures: &BTreeMap<Contender, Vec<Figures>>, rounds: usize) {
    page::file(&format!("{shape}.svg"), &plot::bars(title, figures));
    data(shape, rounds, &table(title, figures));
}

/// Writes the rows of a table as comma-separated values, and how they were measured.
pub fn data(shape: &str, rounds: usize, table: &str) {
    let cell = |text: &str| {
        let text = text.trim().trim_matches('*').to_owned();
        if text.contains(',') { format!("\"{text}\"") } else { text }
    };
    let rows = table.lines().filter(|line| line.starts_with('|') && !line.contains("---"));
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row.trim_matches(['|', ' ']).split(" | ").map(cell).collect();
        let _ = writeln!(text, "{}", cells.join(","));
    }
    let _ = writeln!(text, "command,BENCH_SHAPES={shape} BENCH_ROUNDS={rounds} make bench");
    let _ = writeln!(text, "measured,{}", cell(&page::stamp()));
    page::file(&format!("{shape}.csv"), &text);
}
