//! Where a measurement is written to: files in docs/benchmarks.

/// The documentation.
pub const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs");

/// A drawing in its frame.
pub fn svg(width: f64, height: f64, body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"{width}\" height=\"{height:.0}\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

/// Writes a plot or figures that pages link to.
pub fn file(name: &str, text: &str) {
    std::fs::create_dir_all(format!("{DOCS}/benchmarks")).unwrap();
    std::fs::write(format!("{DOCS}/benchmarks/{name}"), text).unwrap();
}

/// Date, version and machine.
pub fn stamp() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let date = std::process::Command::new("date").arg("+%F").output().unwrap().stdout;
    format!(
        "on {}, version {}, {cores} cores ({})",
        String::from_utf8_lossy(&date).trim(),
        env!("CARGO_PKG_VERSION"),
        model.unwrap_or("unknown model"),
    )
}
