//! Items a second as bars.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::contender::Contender;
use crate::figures::{Figures, median};
use crate::page::svg;

const WIDTH: f64 = 860.0;
const LEFT: f64 = 210.0;
const BAR: f64 = 16.0;

fn colour(contender: Contender) -> &'static str {
    match contender {
        Contender::Bare => "#9aa5b1",
        Contender::Job | Contender::JobDefault => "#e1a03c",
        _ => "#2f6fde",
    }
}

/// A bar for each contender.
pub fn bars(title: &str, figures: &BTreeMap<Contender, Vec<Figures>>) -> String {
    let rate = |figures: &[Figures]| median(figures, |f| f.rate);
    let most = figures.values().map(|all| rate(all)).fold(1.0, f64::max);
    let (mut body, mut y) = (String::new(), 10.0);
    let _ = writeln!(body, r#"<text x="8" y="{:.0}" font-weight="bold">{title}, items a second</text>"#, y + 12.0);
    y += 22.0;
    for (contender, figures) in figures {
        let (rate, label) = (rate(figures), contender.name());
        let width = rate / most * (WIDTH - LEFT - 80.0);
        let _ = writeln!(
            body,
            r#"<text x="{:.0}" y="{:.0}" text-anchor="end">{label}</text><rect x="{LEFT}" y="{y:.0}" width="{width:.1}" height="{BAR}" fill="{}"/><text x="{:.1}" y="{:.0}">{rate:.1}</text>"#,
            LEFT - 8.0,
            y + 12.0,
            colour(*contender),
            LEFT + width + 6.0,
            y + 12.0,
        );
        y += BAR + 4.0;
    }
    svg(WIDTH, y, &body)
}
