//! The five images of the example, computed, so that they are nobody's but ours.

use std::path::Path;

use image::{Rgb, RgbImage};

const WIDTH: u32 = 128;
const HEIGHT: u32 = 96;

/// Writes the images as PNG files.
pub(crate) fn make(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (name, image) in all() {
        image.save(folder.join(format!("{name}.png")))?;
    }
    Ok(())
}

/// The images and their names.
pub(crate) fn all() -> [(&'static str, RgbImage); 5] {
    [
        ("balls", draw(balls)),
        ("flag", draw(flag)),
        ("hills", draw(hills)),
        ("mandelbrot", draw(mandelbrot)),
        ("sunset", draw(sunset)),
    ]
}

type Color = [f64; 3];

/// Paints with a function of the place, both coordinates from 0 to 1, y downwards.
fn draw(color_at: impl Fn(f64, f64) -> Color) -> RgbImage {
    RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let color = color_at(f64::from(x) / f64::from(WIDTH), f64::from(y) / f64::from(HEIGHT));
        Rgb(color.map(|c| to_byte(c * 255.0)))
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte before")]
fn to_byte(value: f64) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

fn mix(a: Color, b: Color, share: f64) -> Color {
    std::array::from_fn(|i| a[i] + (b[i] - a[i]) * share)
}

fn sunset(x: f64, y: f64) -> Color {
    let distance = ((x - 0.35) * 4.0 / 3.0).hypot(y - 0.55);
    if y > 0.7 {
        return mix([0.9, 0.4, 0.2], [0.05, 0.05, 0.25], (y - 0.7) / 0.3);
    }
    if distance < 0.14 { [1.0, 0.9, 0.4] } else { mix([0.15, 0.1, 0.4], [1.0, 0.5, 0.2], y / 0.7) }
}

fn hills(x: f64, y: f64) -> Color {
    let far = 0.5 + 0.08 * (x * 9.0).sin();
    let near = 0.68 + 0.1 * (x * 5.0 + 1.0).sin();
    if y > near {
        mix([0.2, 0.5, 0.2], [0.1, 0.3, 0.1], (y - near) * 3.0)
    } else if y > far {
        [0.4, 0.6, 0.5]
    } else {
        mix([0.4, 0.7, 1.0], [0.9, 0.95, 1.0], y / far)
    }
}

fn balls(x: f64, y: f64) -> Color {
    let centers = [(0.3, 0.45, [0.9, 0.2, 0.2]), (0.6, 0.6, [0.2, 0.4, 0.9]), (0.75, 0.3, [0.95, 0.8, 0.2])];
    for (cx, cy, color) in centers {
        let (dx, dy) = ((x - cx) * 4.0 / 3.0, y - cy);
        if dx.hypot(dy) < 0.2 {
            let light = (1.0 - (dx + 0.07).hypot(dy + 0.07) * 4.0).max(0.1);
            return mix([0.0; 3], color, 0.5 + light / 2.0);
        }
    }
    let dark = ((x * 8.0).floor() + (y * 6.0).floor()) % 2.0 < 0.5;
    if dark { [0.75; 3] } else { [0.9; 3] }
}

fn flag(x: f64, y: f64) -> Color {
    let wave = y + 0.04 * (x * 12.0).sin();
    let shade = 0.85 + 0.15 * (x * 12.0).cos();
    let color = if x < 0.3 {
        [0.1, 0.3, 0.6]
    } else if wave < 0.35 {
        [0.95, 0.95, 0.9]
    } else if wave < 0.65 {
        [0.9, 0.6, 0.1]
    } else {
        [0.2, 0.5, 0.3]
    };
    mix([0.0; 3], color, shade)
}

fn mandelbrot(x: f64, y: f64) -> Color {
    let (cx, cy) = (x * 3.2 - 2.2, y * 2.4 - 1.2);
    let (mut zx, mut zy) = (0.0f64, 0.0f64);
    for step in 0..60u32 {
        if zx * zx + zy * zy > 4.0 {
            let share = f64::from(step) / 24.0;
            return mix([0.0, 0.05, 0.2], [0.9, 0.8, 0.3], share.min(1.0));
        }
        (zx, zy) = (zx * zx - zy * zy + cx, 2.0 * zx * zy + cy);
    }
    [0.0; 3]
}
