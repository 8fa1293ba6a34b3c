//! What `run` makes of its options: items, template, manifest.

pub mod braces;
pub mod glob;
pub mod items;
pub mod manifest;
pub mod pieces;

pub use items::{Input, ItemsOptions};
pub use manifest::{Manifest, TaskOptions};
