//! Can the colours of the page be told apart? Computed from its style sheet, for normal and other colour vision.

#![allow(clippy::many_single_char_names, reason = "the formulas' own letters")]

/// The colours of the phases, by the names of the style sheet.
const PHASES: [&str; 6] = ["succeeded", "cached", "running", "failed", "pending", "cancelled"];
/// Least contrast of a shape to what it is on (WCAG 1.4.11), and of text (WCAG 1.4.3).
const SHAPE: f64 = 3.0;
const TEXT: f64 = 4.5;
/// Least distance between two phases: far above 2.3, what people just notice.
const DISTANCE: f64 = 12.0;

type Linear = [f64; 3];

/// Linear light of `#RRGGBB`.
fn linear(hex: &str) -> Linear {
    let part = |at: usize| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
    [1, 3, 5].map(|at| {
        let c = part(at);
        if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    })
}

fn luminance(c: Linear) -> f64 {
    0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]
}

fn contrast(a: Linear, b: Linear) -> f64 {
    let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
    a.max(b) / a.min(b)
}

/// How a colour looks without one kind of cones (Machado, Oliveira and Fernandes 2009, severity 1).
const VISIONS: [(&str, [[f64; 3]; 3]); 4] = [
    ("normal", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    (
        "protanopia",
        [[0.152_286, 1.052_583, -0.204_868], [0.114_503, 0.786_281, 0.099_216], [-0.003_882, -0.048_116, 1.051_998]],
    ),
    (
        "deuteranopia",
        [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]],
    ),
    (
        "tritanopia",
        [[1.255_528, -0.076_749, -0.178_779], [-0.078_411, 0.930_809, 0.147_602], [0.004_733, 0.691_367, 0.303_900]],
    ),
];

fn seen(c: Linear, vision: [[f64; 3]; 3]) -> Linear {
    vision.map(|row| (row[0] * c[0] + row[1] * c[1] + row[2] * c[2]).clamp(0.0, 1.0))
}

/// CIELAB for the white of D65.
fn lab(c: Linear) -> [f64; 3] {
    let x = (0.412_456_4 * c[0] + 0.357_576_1 * c[1] + 0.180_437_5 * c[2]) / 0.950_47;
    let y = luminance(c);
    let z = (0.019_333_9 * c[0] + 0.119_192 * c[1] + 0.950_304_1 * c[2]) / 1.088_83;
    let f = |t: f64| if t > 216.0 / 24_389.0 { t.cbrt() } else { (24_389.0 / 27.0 * t + 16.0) / 116.0 };
    [116.0 * f(y) - 16.0, 500.0 * (f(x) - f(y)), 200.0 * (f(y) - f(z))]
}

/// ΔE2000 (Sharma, Wu and Dalal 2005).
fn distance(one: [f64; 3], two: [f64; 3]) -> f64 {
    let chroma = |a: f64, b: f64| a.hypot(b);
    let mean = f64::midpoint(chroma(one[1], one[2]), chroma(two[1], two[2])).powi(7);
    let g = 0.5 * (1.0 - (mean / (mean + 25_f64.powi(7))).sqrt());
    let prime = |c: [f64; 3]| {
        let a = c[1] * (1.0 + g);
        let hue = c[2].atan2(a).to_degrees().rem_euclid(360.0);
        (c[0], chroma(a, c[2]), if a == 0.0 && c[2] == 0.0 { 0.0 } else { hue })
    };
    let ((l1, c1, h1), (l2, c2, h2)) = (prime(one), prime(two));
    let mut dh = h2 - h1;
    if c1 * c2 == 0.0 {
        dh = 0.0;
    } else if dh > 180.0 {
        dh -= 360.0;
    } else if dh < -180.0 {
        dh += 360.0;
    }
    let dh2 = 2.0 * (c1 * c2).sqrt() * (dh / 2.0).to_radians().sin();
    let (l, c) = (f64::midpoint(l1, l2), f64::midpoint(c1, c2));
    let mut h = h1 + h2;
    if c1 * c2 != 0.0 {
        h = if (h1 - h2).abs() <= 180.0 {
            h / 2.0
        } else if h < 360.0 {
            f64::midpoint(h, 360.0)
        } else {
            f64::midpoint(h, -360.0)
        };
    }
    let t = 1.0 - 0.17 * (h - 30.0).to_radians().cos()
        + 0.24 * (2.0 * h).to_radians().cos()
        + 0.32 * (3.0 * h + 6.0).to_radians().cos()
        - 0.20 * (4.0 * h - 63.0).to_radians().cos();
    let (dl, dc) = (l2 - l1, c2 - c1);
    let sl = 1.0 + 0.015 * (l - 50.0).powi(2) / (20.0 + (l - 50.0).powi(2)).sqrt();
    let (sc, sh) = (1.0 + 0.045 * c, 1.0 + 0.015 * c * t);
    let rotation = 60.0 * (-((h - 275.0) / 25.0).powi(2)).exp();
    let rt = -2.0 * (c.powi(7) / (c.powi(7) + 25_f64.powi(7))).sqrt() * rotation.to_radians().sin();
    ((dl / sl).powi(2) + (dc / sc).powi(2) + (dh2 / sh).powi(2) + rt * (dc / sc) * (dh2 / sh)).sqrt()
}

/// The colours of one theme: the light one stands first in the style sheet, the dark one second.
struct Theme(&'static str, &'static str);

impl Theme {
    fn both() -> [Self; 2] {
        let css = include_str!("../../assets/app.css");
        let mut themes = css.split(":root {").skip(1).map(|rest| rest.split_once('}').unwrap().0);
        [Self("light", themes.next().unwrap()), Self("dark", themes.next().unwrap())]
    }

    fn colour(&self, name: &str) -> Linear {
        let (_, rest) = self.1.split_once(&format!("--{name}: ")).unwrap_or_else(|| panic!("no {name} in {}", self.0));
        linear(&rest[..7])
    }
}

#[test]
fn every_phase_stands_out_from_its_card() {
    for theme in Theme::both() {
        for name in PHASES {
            let contrast = contrast(theme.colour(name), theme.colour("card"));
            assert!(contrast >= SHAPE, "{name}, {}: {contrast:.2}", theme.0);
        }
    }
}

#[test]
fn every_text_can_be_read_on_what_it_is_on() {
    let pairs = [
        ("ink", "page"),
        ("ink", "card"),
        ("ink", "sunk"),
        ("soft", "page"),
        ("soft", "card"),
        ("soft", "sunk"),
        ("soft", "amber-card"),
        ("ink", "amber-card"),
        ("amber-text", "amber-card"),
        ("amber-text", "page"),
        ("red-text", "card"),
        ("red-text", "page"),
        ("card", "ink"),
        ("term-text", "term"),
        ("term-soft", "term"),
    ];
    for theme in Theme::both() {
        for (text, on) in pairs {
            let contrast = contrast(theme.colour(text), theme.colour(on));
            assert!(contrast >= TEXT, "{text} on {on}, {}: {contrast:.2}", theme.0);
        }
        assert!(contrast(theme.colour("focus"), theme.colour("card")) >= SHAPE, "focus, {}", theme.0);
    }
}

#[test]
fn any_two_phases_differ_for_every_kind_of_colour_vision() {
    for theme in Theme::both() {
        for (vision, matrix) in VISIONS {
            for (at, one) in PHASES.iter().enumerate() {
                for two in &PHASES[at + 1..] {
                    let see = |name: &str| lab(seen(theme.colour(name), matrix));
                    let distance = distance(see(one), see(two));
                    assert!(distance >= DISTANCE, "{one} and {two}, {}, {vision}: {distance:.1}", theme.0);
                }
            }
        }
    }
}

#[test]
fn the_distance_is_that_of_the_published_test_data() {
    // Pairs 1, 7 and 25 of Sharma, Wu and Dalal.
    let pairs = [
        ([50.0, 2.6772, -79.7751], [50.0, 0.0, -82.7485], 2.0425),
        ([50.0, 0.0, 0.0], [50.0, -1.0, 2.0], 2.3669),
        ([60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387], 1.2644),
    ];
    for (one, two, expected) in pairs {
        assert!((distance(one, two) - expected).abs() < 0.0001, "{}", distance(one, two));
    }
}
