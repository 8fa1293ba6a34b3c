//! Memory of a process.

/// Resident megabytes.
pub fn resident(pid: u32) -> f64 {
    megabytes(pid, "VmRSS:")
}

/// A line of the process's status, in megabytes.
pub fn megabytes(pid: u32, line: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|text| text.strip_prefix(line)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1_024.0
}
