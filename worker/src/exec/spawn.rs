//! How is a program started? With as few system calls as possible, since thousands of items end in a second.

use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Pid, pipe2};

use super::{Environment, Template, Variables};

/// The kernel's own search path where the container has none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why a program was not started.
#[derive(Debug, PartialEq, Eq)]
pub enum CannotRun {
    /// Nobody can start it: it is not there, or is no program.
    Nobody(String),
    /// This item can't be passed to it.
    ThisItem(String),
    /// This worker can't, now: no process, memory, disk or descriptor is left.
    ThisWorker(String),
}

impl CannotRun {
    /// Whose fault an error of the system is.
    pub fn from_errno(errno: Errno, what: &str) -> Self {
        let message = format!("{what}: {}", errno.desc());
        match errno {
            Errno::E2BIG => Self::ThisItem(format!(
                "{message}: with its variables and arguments the item is larger than the system passes to a program (128 KiB each)"
            )),
            Errno::ENOENT
            | Errno::EACCES
            | Errno::ENOEXEC
            | Errno::ENOTDIR
            | Errno::ELOOP
            | Errno::EISDIR
            | Errno::ENAMETOOLONG
            | Errno::EPERM
            | Errno::EROFS
            | Errno::EINVAL
            | Errno::ELIBBAD => Self::Nobody(message),
            _ => Self::ThisWorker(message),
        }
    }

    /// Whose fault an error of the standard library is.
    pub fn from_io(error: &io::Error, what: &str) -> Self {
        Self::from_errno(Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32)), what)
    }
}

/// A program that was started.
#[derive(Debug)]
pub struct Started {
    /// The process, which leads a group of its own.
    pub leader: Pid,
    /// Where its stdout is read.
    pub stdout: OwnedFd,
    /// Where its stderr is read.
    pub stderr: OwnedFd,
}

/// A program that reads its items.
#[derive(Debug)]
pub struct Streaming {
    /// The process and its output.
    pub started: Started,
    /// Where its items are written.
    pub stdin: OwnedFd,
    /// Where its answers are read if it writes them to descriptor 3.
    pub answers: OwnedFd,
}

/// The container's command.
#[derive(Debug)]
pub struct Program {
    command: Vec<Template>,
    attributes: PosixSpawnAttr,
    null: File,
    /// Descriptors that somebody has left to this process.
    inherited: Vec<RawFd>,
}

impl Program {
    /// The command. Each part may refer to variables.
    pub fn new(command: &[String], inherited: Vec<RawFd>) -> io::Result<Self> {
        let mut attributes = PosixSpawnAttr::init()?;
        attributes.set_flags(
            PosixSpawnFlags::POSIX_SPAWN_SETPGROUP
                | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF
                | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK,
        )?;
        attributes.set_pgroup(Pid::from_raw(0))?;
        // Rust ignores it, and programs expect that a closed pipe ends them.
        let mut defaults = SigSet::empty();
        defaults.add(Signal::SIGPIPE);
        attributes.set_sigdefault(&defaults)?;
        attributes.set_sigmask(&SigSet::empty())?;
        let command = command.iter().map(|part| Template::parse(part)).collect();
        Ok(Self { command, attributes, null: File::open("/dev/null")?, inherited })
    }

    /// Starts the program for an item.
    pub fn start(&self, environment: &Environment, variables: &Variables) -> Result<Started, CannotRun> {
        self.launch(environment, variables, self.null.as_raw_fd(), None)
    }

    /// Starts the program for all items.
    pub fn start_stream(&self, environment: &Environment, variables: &Variables) -> Result<Streaming, CannotRun> {
        let pipe = || pipe2(OFlag::O_CLOEXEC).map_err(|errno| CannotRun::from_errno(errno, "pipe"));
        let ((input, stdin), (answers, out)) = (pipe()?, pipe()?);
        let started = self.launch(environment, variables, input.as_raw_fd(), Some(out.as_raw_fd()))?;
        Ok(Streaming { started, stdin, answers })
    }

    fn launch(
        &self,
        environment: &Environment,
        variables: &Variables,
        stdin: RawFd,
        answers: Option<RawFd>,
    ) -> Result<Started, CannotRun> {
        let rendered = self.command.iter().map(|part| part.render(|name| environment.lookup(variables, name)));
        let arguments: Vec<CString> = rendered
            .map(|text| CString::new(text).map_err(|_| CannotRun::ThisItem("an argument has a zero byte".to_owned())))
            .collect::<Result<_, _>>()?;
        let lines = environment.lines_of(variables).map_err(CannotRun::ThisItem)?;
        let environment_lines = environment.join(variables, &lines);
        let name = arguments[0].to_string_lossy().into_owned();
        let path = find(&name, environment.lookup(variables, "PATH"))?;
        self.spawn(&path, &arguments, &environment_lines, stdin, answers)
            .map_err(|errno| CannotRun::from_errno(errno, &format!("exec {name}")))
    }

    fn spawn(
        &self,
        path: &CStr,
        arguments: &[CString],
        environment: &[&CStr],
        stdin: RawFd,
        answers: Option<RawFd>,
    ) -> Result<Started, Errno> {
        let (stdout, out) = pipe2(OFlag::O_CLOEXEC)?;
        let (stderr, err) = pipe2(OFlag::O_CLOEXEC)?;
        let mut actions = PosixSpawnFileActions::init()?;
        for descriptor in &self.inherited {
            actions.add_close(*descriptor)?;
        }
        // In this order, since one of the pipes may have the number 3 here.
        actions.add_dup2(stdin, 0)?;
        actions.add_dup2(out.as_raw_fd(), 1)?;
        actions.add_dup2(err.as_raw_fd(), 2)?;
        if let Some(answers) = answers {
            actions.add_dup2(answers, 3)?;
        }
        let leader = posix_spawn(path, &actions, &self.attributes, arguments, environment)?;
        Ok(Started { leader, stdout, stderr })
    }
}

/// The descriptors of this process besides the first three. Called before it opens any, these are what it was left:
/// none in a container. Its own are closed by the start of a program.
pub fn inherited() -> Vec<RawFd> {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return Vec::new() };
    // The system refuses to close one above the limit.
    let limit =
        getrlimit(Resource::RLIMIT_NOFILE).map_or(RawFd::MAX, |(soft, _)| soft.try_into().unwrap_or(RawFd::MAX));
    let open: Vec<RawFd> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| (3..limit).contains(fd))
        .collect();
    // Not the one that this list was read with, which is closed by now.
    open.into_iter().filter(|fd| fs::symlink_metadata(format!("/proc/self/fd/{fd}")).is_ok()).collect()
}

/// The file of a command, which without a slash is looked for as a container runtime does it.
fn find(name: &str, path: Option<&str>) -> Result<CString, CannotRun> {
    let no_zero =
        |text: String| CString::new(text).map_err(|_| CannotRun::Nobody("the command has a zero byte".to_owned()));
    if name.contains('/') {
        return no_zero(name.to_owned());
    }
    let path = path.unwrap_or(DEFAULT_PATH);
    for directory in path.split(':') {
        let file = format!("{}/{name}", if directory.is_empty() { "." } else { directory });
        if fs::metadata(&file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0) {
            return no_zero(file);
        }
    }
    Err(CannotRun::Nobody(format!("exec {name}: executable file not found in $PATH ({path})")))
}
