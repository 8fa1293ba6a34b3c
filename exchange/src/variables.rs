//! Variables that a program has under the same names in a pod of its own and in a worker.

/// The file for the result.
pub const RESULT: &str = "MAPTASK_RESULT";
/// The name of the attempt's directory for artifacts on their volume.
pub const ARTIFACTS: &str = "MAPTASK_ARTIFACTS";
/// The path of that directory.
pub const ARTIFACTS_PATH: &str = "MAPTASK_ARTIFACTS_PATH";
