//! What grows, as lines over the number of items; both axes are logarithmic, so that what grows as the items do is a
//! diagonal.

use std::fmt::Write;

use crate::page::svg;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 30.0;
const RIGHT: f64 = 250.0;
const BOTTOM: f64 = 40.0;
/// Powers of ten on the axes: items from 10^3 to 10^6, multiples from 10^-1 to 10^3.
const ITEMS: (f64, f64) = (3.0, 6.0);
const MULTIPLES: (f64, f64) = (-1.0, 3.0);
const COLOURS: [&str; 7] = ["#2f6fde", "#e1a03c", "#3a9a5b", "#c0392b", "#8e44ad", "#16a2a8", "#9aa5b1"];

fn x(items: f64) -> f64 {
    LEFT + (items.log10() - ITEMS.0) / (ITEMS.1 - ITEMS.0) * (WIDTH - LEFT - RIGHT)
}

fn y(multiple: f64) -> f64 {
    let share = (multiple.log10() - MULTIPLES.0) / (MULTIPLES.1 - MULTIPLES.0);
    HEIGHT - BOTTOM - share.clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM)
}

/// One line for each quantity: its name, and its values by number of items; drawn as multiples of the first.
pub fn lines(quantities: &[(&str, Vec<(u32, f64)>)]) -> String {
    let mut body = String::new();
    let _ = writeln!(body, r#"<text x="8" y="18" font-weight="bold">times what it is with 1,000 items</text>"#);
    for (power, label) in [(-1, "0.1"), (0, "1"), (1, "10"), (2, "100"), (3, "1,000")] {
        let y = y(10_f64.powi(power));
        let _ = writeln!(
            body,
            r##"<line x1="{LEFT}" x2="{}" y1="{y:.1}" y2="{y:.1}" stroke="#ddd"/><text x="{}" y="{:.1}" text-anchor="end">{label}</text>"##,
            WIDTH - RIGHT,
            LEFT - 6.0,
            y + 4.0,
        );
    }
    for (items, label) in [(1e3, "1,000"), (1e4, "10,000"), (1e5, "100,000"), (1e6, "1,000,000 items")] {
        let _ = writeln!(
            body,
            r#"<text x="{:.1}" y="{}" text-anchor="middle">{label}</text>"#,
            x(items),
            HEIGHT - BOTTOM + 18.0
        );
    }
    // What ends at the same height would hide each other's names.
    let mut names: Vec<(f64, &str, &str)> = Vec::new();
    for ((name, values), colour) in quantities.iter().zip(COLOURS) {
        let Some(&(_, first)) = values.first() else { continue };
        let points = values.iter().map(|&(items, value)| format!("{:.1},{:.1}", x(f64::from(items)), y(value / first)));
        let points: Vec<String> = points.collect();
        let _ = writeln!(
            body,
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2"/>"#,
            points.join(" ")
        );
        names.push((y(values.last().map_or(1.0, |(_, value)| value / first)), name, colour));
    }
    names.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut lowest = 0.0_f64;
    for (wanted, name, colour) in names {
        lowest = wanted.max(lowest + 15.0);
        let _ = writeln!(
            body,
            r#"<text x="{}" y="{:.1}" fill="{colour}">{name}</text>"#,
            WIDTH - RIGHT + 8.0,
            lowest + 4.0
        );
    }
    svg(WIDTH, HEIGHT, &body)
}
