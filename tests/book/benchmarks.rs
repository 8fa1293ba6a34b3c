//! The page of benchmarks: its table and its plot are made from the data files.

use std::fmt::Write;

use serde_json::Value;

const PAGE: &str = "docs/benchmarks/README.md";
/// What runs a pod for each item, as the data files name it, with its colour.
const CONTENDERS: [(&str, &str); 4] = [
    ("MapTask", "#2f6fde"),
    ("Indexed Job, 5,000 QPS", "#e1a03c"),
    ("Indexed Job, default 20 QPS", "#e9c27f"),
    ("bare loop", "#9aa5b1"),
];
/// The shapes to show, and what they are.
const SHAPES: [(&str, &str); 6] = [
    ("1k", "1,000 items that end at once"),
    ("3k", "3,000 items that end at once"),
    ("3k-slow", "3,000 items of 1 to 10 s, 500 in flight"),
    ("failures", "1,000 items, every twentieth fails at first"),
    ("50-tasks", "50 tasks of 100 items"),
    ("20k", "one task of 20,000 items"),
];

/// The cells of a line of comma-separated values.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut is_quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(std::mem::take(&mut cell)),
            _ => cell.push(c),
        }
    }
    cells.push(cell);
    cells
}

/// A figure of a contender in a shape: the first number of its cell.
fn figure(shape: &str, row: &str, contender: &str) -> Option<f64> {
    let text = crate::read(&format!("docs/benchmarks/{shape}.csv"));
    let lines: Vec<Vec<String>> = text.lines().map(cells).collect();
    let column = lines[0].iter().position(|name| name == contender)?;
    let line = lines.iter().find(|line| line[0] == row)?;
    line.get(column)?.split(' ').next()?.parse().ok()
}

fn rate(shape: &str, contender: &str) -> Option<f64> {
    figure(shape, "items/s", contender)
}

/// The median of a figure of all turns of a contender whose name begins so.
fn of_workers(shape: &str, who: &str, label: &str) -> f64 {
    let data: Value = serde_json::from_str(&crate::read(&format!("docs/benchmarks/{shape}.json"))).unwrap();
    let turns = data["turns"].as_array().unwrap().iter();
    let mut found: Vec<f64> = turns
        .filter(|turn| turn["who"].as_str().unwrap().starts_with(who))
        .filter_map(|turn| turn["figures"][label].as_f64())
        .collect();
    found.sort_by(f64::total_cmp);
    found[found.len() / 2]
}

fn tables() -> String {
    let mut text = "| items/s | MapTask | Indexed Job, 5,000 QPS | Indexed Job, default 20 QPS | bare loop |\n\
                    | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for (shape, what) in SHAPES {
        let cells: Vec<String> = CONTENDERS
            .iter()
            .map(|(contender, _)| rate(shape, contender).map_or("-".to_owned(), |rate| format!("{rate:.1}")))
            .collect();
        let _ = writeln!(text, "| [{what}]({shape}.csv) | {} |", cells.join(" | "));
    }
    let end = "items/s, from apply to the end";
    let exec = |who: &str| of_workers("workers-exec", who, end);
    text += "\n| `/bin/true` for each item, on one node | items/s |\n| --- | --- |\n";
    for (name, who) in [
        ("MapTask with `workers`, mode Exec", "MapTask, Exec"),
        ("`xargs -P 2` on the machine itself, without Kubernetes", "xargs -P 2 on this machine"),
        ("HyperQueue on the machine itself, without Kubernetes", "HyperQueue"),
        ("MapTask with a pod for each item", "MapTask, a pod"),
        ("Indexed Job", "Indexed Job"),
    ] {
        let rate = exec(who);
        let _ = writeln!(text, "| {name} | {:.*} |", usize::from(rate < 10.0), rate);
    }
    let million = of_workers("workers-million", "MapTask", end);
    let _ = writeln!(text, "| MapTask with `workers`, mode Stream, a million lines that awk answers | {million:.0} |");
    text
}

/// Groups of bars, one for each shape.
fn plot() -> String {
    let (left, width, mut y) = (270.0, 460.0, 34.0);
    let most =
        SHAPES.iter().flat_map(|(shape, _)| CONTENDERS.map(|(who, _)| rate(shape, who))).flatten().fold(1.0, f64::max);
    let mut body = r#"<text x="8" y="18" font-weight="bold">Items a second with a pod for each item</text>"#.to_owned();
    for (shape, what) in SHAPES {
        let _ = write!(body, "\n<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{what}</text>", left - 8.0, y + 11.0);
        for (contender, colour) in CONTENDERS {
            let Some(rate) = rate(shape, contender) else { continue };
            let long = rate / most * width;
            let _ = write!(
                body,
                "\n<rect x=\"{left:.0}\" y=\"{y:.0}\" width=\"{long:.1}\" height=\"13\" fill=\"{colour}\"/>\
                 <text x=\"{:.1}\" y=\"{:.0}\" font-size=\"10.5\">{rate:.1}</text>",
                left + long + 5.0,
                y + 11.0,
            );
            y += 15.0;
        }
        y += 8.0;
    }
    let mut x = left;
    for (contender, colour) in CONTENDERS {
        let _ = write!(
            body,
            "\n<rect x=\"{x:.0}\" y=\"{y:.0}\" width=\"11\" height=\"11\" fill=\"{colour}\"/><text x=\"{:.0}\" y=\"{:.0}\" font-size=\"10.5\">{contender}</text>",
            x + 15.0,
            y + 10.0,
        );
        x += 40.0 + 6.2 * f64::from(u32::try_from(contender.len()).unwrap());
    }
    let height = y + 22.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 860 {height:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>Items a second with a pod for each item</title>\n<rect width=\"860\" height=\"{height:.0}\" fill=\"white\"/>\n{body}\n</svg>\n"
    )
}

#[test]
fn the_generated_page_of_benchmarks_is_what_the_data_say() {
    let (begin, end) = ("<!-- figures: begin -->\n", "<!-- figures: end -->");
    let page = crate::read(PAGE);
    let (head, rest) = page.split_once(begin).unwrap();
    let (_, tail) = rest.split_once(end).unwrap();
    crate::generated(PAGE, &format!("{head}{begin}{}{end}{tail}", tables()));
    crate::generated("docs/benchmarks/summary.svg", &plot());
}
