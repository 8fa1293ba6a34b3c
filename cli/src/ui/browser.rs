//! Opens the browser by a file that only the user can read: arguments of programs are visible to all users.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The file, which is removed with this.
pub struct Opened(PathBuf);

impl Drop for Opened {
    fn drop(&mut self) {
        // What is gone already is gone.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Opens the address in a browser; `None` if there is none, as over SSH.
pub fn open(url: &str) -> Option<Opened> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let has_screen = cfg!(target_os = "macos") || set("DISPLAY") || set("WAYLAND_DISPLAY");
    if !has_screen || set("SSH_CONNECTION") {
        return None;
    }
    let file = write(url).ok()?;
    let quiet =
        |command: &mut Command| command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    quiet(Command::new(program).arg(&file.0)).ok()?;
    Some(file)
}

/// A page that leads to the address.
fn write(url: &str) -> std::io::Result<Opened> {
    let folder = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let path = folder.join(format!("kubectl-maptask-{}.html", std::process::id()));
    // Never a file or link that somebody else has put there.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    let opened = Opened(path);
    let page = format!(
        "<!doctype html><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0;url={url}\"><title>MapTask</title>\n"
    );
    file.write_all(page.as_bytes())?;
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_the_user_can_read_the_file_and_it_goes_with_the_program() {
        let opened = write("http://127.0.0.1:1/#t=secret").unwrap();
        let path = opened.0.clone();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(write("http://127.0.0.1:1/").is_err(), "a file that exists is not followed");
        assert!(std::fs::read_to_string(&path).unwrap().contains("#t=secret"));
        drop(opened);
        assert!(!path.exists());
    }
}
