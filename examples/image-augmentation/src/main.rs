//! Makes three augmented images of one: flipped, rotated, brightened. Reports them, and the folder, as its result.
//!
//! `augment IMAGE.png FOLDER`, or `augment make-samples FOLDER` for the five images of the example.

mod samples;

use std::path::Path;

use anyhow::{Context, bail};
use image::{RgbImage, imageops};
use serde_json::{Value, json};

/// How much brighter, of 255.
const BRIGHTER: i32 = 40;

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make-samples", folder] => samples::make(Path::new(folder)),
        [image, folder] => augment(Path::new(image), Path::new(folder)),
        _ => bail!("usage: augment IMAGE.png FOLDER"),
    }
}

fn augment(input: &Path, folder: &Path) -> anyhow::Result<()> {
    let original = image::open(input).with_context(|| format!("{} is no image", input.display()))?.into_rgb8();
    let stem = input.file_stem().context("the image has no name")?.to_string_lossy();
    println!("{}: {} × {} pixels", input.display(), original.width(), original.height());
    let mut outputs: Vec<Value> = Vec::new();
    for (name, image) in variants(&original) {
        let name = format!("{stem}-{name}.png");
        let path = folder.join(&name);
        image.save(&path).with_context(|| format!("can't write {}", path.display()))?;
        let bytes = path.metadata()?.len();
        println!("{name}: {bytes} bytes");
        outputs.push(json!({ "name": name, "bytes": bytes }));
    }
    let image = input.file_name().unwrap_or_default().to_string_lossy();
    let folder = std::env::var("MAPTASK_ARTIFACTS").unwrap_or_else(|_| folder.display().to_string());
    let result = json!({ "image": image, "folder": folder, "outputs": outputs });
    let file = std::env::var("MAPTASK_RESULT").unwrap_or_else(|_| "/dev/stdout".to_owned());
    std::fs::write(&file, result.to_string()).with_context(|| format!("can't write {file}"))
}

fn variants(original: &RgbImage) -> [(&'static str, RgbImage); 3] {
    [
        ("flip", imageops::flip_horizontal(original)),
        ("rotate", imageops::rotate90(original)),
        ("brightness", imageops::brighten(original, BRIGHTER)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flip_of_a_flip_and_four_rotations_are_the_original() {
        for (_, image) in samples::all() {
            let flip = |i: &RgbImage| variants(i)[0].1.clone();
            let rotate = |i: &RgbImage| variants(i)[1].1.clone();
            assert_eq!(flip(&flip(&image)), image);
            assert_ne!(flip(&image), image);
            assert_eq!(rotate(&rotate(&rotate(&rotate(&image)))), image);
        }
    }

    #[test]
    fn brightness_adds_to_every_channel_up_to_white() {
        let image = RgbImage::from_pixel(1, 1, image::Rgb([0, 100, 250]));
        assert_eq!(variants(&image)[2].1.get_pixel(0, 0).0, [40, 140, 255]);
    }
}
