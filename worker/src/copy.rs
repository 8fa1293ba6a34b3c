//! How does the worker get into a container whose image does not have it?

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use maptask_exchange::PROGRAM;

/// Copies this program into a directory, executable by everybody, and tries it there. Says why it can't work.
pub fn copy_into(directory: &Path) -> Result<(), String> {
    let to = directory.join(PROGRAM);
    copy(&to).map_err(|error| format!("the worker can't be copied to {}: {error}", to.display()))?;
    let tried = Command::new(&to).arg("version").stdin(Stdio::null()).stdout(Stdio::null()).status();
    match tried {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the worker at {} does not work: {status}", to.display())),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(format!(
            "the worker at {} can't be executed: the volume is mounted noexec on this node: allow programs under the kubelet's \
             directory, or build the worker into the image and set workers.inject to false",
            to.display()
        )),
        Err(error) => Err(format!("the worker at {} can't be executed: {error}", to.display())),
    }
}

fn copy(to: &Path) -> io::Result<()> {
    // Under another name first: nobody sees half a program.
    let part = to.with_extension("part");
    fs::copy("/proc/self/exe", &part)?;
    fs::set_permissions(&part, fs::Permissions::from_mode(0o555))?;
    fs::rename(&part, to)
}
