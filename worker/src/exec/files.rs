//! Where may an item put its files? A TMPDIR and a file for its result of its own, which the next one finds empty.

use std::fs::{self, DirBuilder, File, FileTimes, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use maptask_exchange::Outcome;
use nix::libc::O_NONBLOCK;

use crate::log::end_of;

/// The worker's directory for files of items.
#[derive(Debug)]
pub struct Scratch {
    directory: PathBuf,
    /// Whether it is on a disk, and not where only memory is.
    is_disk: bool,
}

/// The files of the item in one slot.
#[derive(Debug)]
pub struct Files {
    tmp: Option<PathBuf>,
    tmp_is_empty: bool,
    result: PathBuf,
    /// Inode of the result's file while nobody has written to it.
    empty_result: Option<u64>,
}

impl Scratch {
    /// Makes the directory where that is possible: in TMPDIR, in /tmp, or in the container's shared memory, which can
    /// be written to even if the container's file system is read-only.
    pub fn new(tmpdir: Option<&str>, name: &str) -> io::Result<Self> {
        let mut last = io::Error::from(ErrorKind::NotFound);
        for (base, is_disk) in [(tmpdir.unwrap_or("/tmp"), true), ("/tmp", true), ("/dev/shm", false)] {
            let directory = Path::new(base).join(format!("maptask-{name}"));
            match DirBuilder::new().mode(0o755).create(&directory) {
                Ok(()) => return Ok(Self { directory, is_disk }),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The files of one slot.
    pub fn files(&self, slot: usize) -> Files {
        Files {
            tmp: self.is_disk.then(|| self.directory.join(format!("tmp-{slot}"))),
            tmp_is_empty: false,
            result: self.directory.join(format!("result-{slot}")),
            empty_result: None,
        }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        _ = remove(&self.directory);
    }
}

impl Files {
    /// The directory for temporary files, if there is a disk for it.
    pub fn tmp(&self) -> Option<&Path> {
        self.tmp.as_deref()
    }

    /// The file for the result.
    pub fn result(&self) -> &Path {
        &self.result
    }

    /// Makes what is missing. Most items touch neither, and then nothing has to be made for the next one.
    pub fn prepare(&mut self) -> io::Result<()> {
        if let Some(tmp) = &self.tmp
            && !self.tmp_is_empty
        {
            DirBuilder::new().create(tmp)?;
            // Programs that give up rights must be able to write, whatever the umask.
            fs::set_permissions(tmp, Permissions::from_mode(0o1777))?;
            File::open(tmp)?.set_times(FileTimes::new().set_modified(SystemTime::UNIX_EPOCH))?;
            self.tmp_is_empty = true;
        }
        if self.empty_result.is_none() {
            let file = OpenOptions::new().write(true).create_new(true).open(&self.result)?;
            file.set_permissions(Permissions::from_mode(0o666))?;
            self.empty_result = Some(file.metadata()?.ino());
        }
        Ok(())
    }

    /// Whether an item has left something in its directory: each new entry changes the directory's time.
    pub fn has_temporary(&self) -> bool {
        let untouched = self.tmp.as_ref().is_none_or(|tmp| {
            fs::symlink_metadata(tmp)
                .is_ok_and(|found| found.is_dir() && found.mtime() == 0 && found.mode() & 0o7777 == 0o1777)
        });
        !untouched
    }

    /// Removes the item's temporary files; called where that may take long.
    pub fn remove_temporary(&mut self) -> io::Result<()> {
        self.tmp_is_empty = false;
        self.tmp.as_ref().map_or(Ok(()), |tmp| remove(tmp))
    }

    /// What the item has written as its result, at most one byte more than may be kept, and how many bytes it is.
    pub fn take_result(&mut self, limit: usize) -> Option<ResultText> {
        let found = fs::metadata(&self.result).ok();
        let empty = found.as_ref().is_some_and(|found| found.is_file() && found.len() == 0);
        if empty && found.as_ref().map(MetadataExt::ino) == self.empty_result {
            return None;
        }
        self.empty_result = None;
        let text = (limit > 0 && !empty).then(|| self.read_result(limit)).flatten();
        _ = remove(&self.result);
        text
    }

    fn read_result(&self, limit: usize) -> Option<ResultText> {
        // A pipe under this name must stop nobody.
        let mut file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(&self.result).ok()?;
        let found = file.metadata().ok().filter(fs::Metadata::is_file)?;
        let bytes = found.len();
        if bytes > limit as u64 {
            io::Seek::seek(&mut file, io::SeekFrom::End(-i64::try_from(limit).ok()?)).ok()?;
        }
        let mut text = Vec::new();
        file.take(limit as u64).read_to_end(&mut text).ok()?;
        Some(ResultText { text, bytes })
    }
}

/// The bytes of a result, or the end of them.
#[derive(Debug)]
pub struct ResultText {
    /// At most as many as may be kept.
    pub text: Vec<u8>,
    /// How many there were.
    pub bytes: u64,
}

impl ResultText {
    /// The outcome of an item that has succeeded with it.
    pub fn into_outcome(self, limit: usize) -> Outcome {
        // A replaced byte is longer than it was.
        let text = String::from_utf8_lossy(&self.text);
        if self.bytes > limit as u64 || text.len() > limit {
            return Outcome::ResultTooLarge {
                bytes: self.bytes.max(text.len() as u64),
                end: end_of(&self.text, limit),
            };
        }
        Outcome::Succeeded { result: (!text.is_empty()).then(|| text.into_owned()) }
    }
}

/// Removes a file or a directory with all that is in it, also directories that forbid it, as some package managers
/// leave them.
fn remove(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.is_dir() {
        return fs::remove_file(path);
    }
    if fs::remove_dir_all(path).is_ok() {
        return Ok(());
    }
    allow(path);
    fs::remove_dir_all(path)
}

fn allow(directory: &Path) {
    _ = fs::set_permissions(directory, Permissions::from_mode(0o700));
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            allow(&entry.path());
        }
    }
}
