//! Makes three augmented images of one: flipped, rotated, brightened. Reports them, and the folder, as its result.
//!
//! `augment IMAGE.png FOLDER`, where the image may also be at `http://HOST/PATH/IMAGE.png`. For the examples there are
//! also `augment make-samples FOLDER` for their five images, `augment serve FOLDER ADDRESS` for a web server with them,
//! and `augment flatten FOLDER` for a reduce: the outputs of all results in a folder, as one list.

mod samples;
mod web;

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
        ["serve", folder, address] => web::serve(Path::new(folder), address),
        ["flatten", folder] => flatten(Path::new(folder)),
        [image, folder] => augment(Path::new(image), Path::new(folder)),
        _ => bail!("usage: augment IMAGE.png FOLDER"),
    }
}

/// Puts the outputs of all results into one list: each line of each file is one.
fn flatten(folder: &Path) -> anyhow::Result<()> {
    let files = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files: Vec<_> = files.collect::<Result<_, _>>()?;
    // A volume of ConfigMaps has folders of its own beside the files.
    files.retain(|file| file.is_file());
    files.sort();
    let mut all: Vec<String> = Vec::new();
    for file in files {
        for line in std::fs::read_to_string(&file)?.lines() {
            let result: Value = serde_json::from_str(line).with_context(|| format!("{} is no JSON", file.display()))?;
            let (folder, outputs) = (result["folder"].as_str().unwrap_or_default(), result["outputs"].as_array());
            let names = outputs.into_iter().flatten().filter_map(|output| output["name"].as_str());
            all.extend(names.map(|name| format!("{folder}/{name}")));
        }
    }
    report(&json!(all))
}

/// Leaves a result.
fn report(result: &Value) -> anyhow::Result<()> {
    let file = std::env::var("MAPTASK_RESULT").unwrap_or_else(|_| "/dev/stdout".to_owned());
    std::fs::write(&file, result.to_string()).with_context(|| format!("can't write {file}"))
}

/// The image in a file, or at an address.
fn read(input: &Path) -> anyhow::Result<RgbImage> {
    let url = input.to_str().filter(|text| text.starts_with("http://"));
    let image = match url {
        Some(url) => image::load_from_memory(&web::get(url)?),
        None => image::open(input),
    };
    Ok(image.with_context(|| format!("{} is no image", input.display()))?.into_rgb8())
}

fn augment(input: &Path, folder: &Path) -> anyhow::Result<()> {
    let original = read(input)?;
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
    report(&json!({ "image": image, "folder": folder, "outputs": outputs }))
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
