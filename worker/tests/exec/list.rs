//! A list gets from a program to its operator, whatever happens on the way.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use maptask_exchange::{
    CONFIG_VARIABLE, ITEMS_PATH, ListAnswer, ListConfig, ListFormat, ListRequest, variables::RESULT,
};

/// An operator that keeps what it is told.
struct Leader {
    listener: TcpListener,
}

impl Leader {
    fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").unwrap() }
    }

    /// The program as a list's pod runs it; with a folder of its own.
    fn command(&self, format: ListFormat, script: &str, folder: &std::path::Path) -> Command {
        let config = ListConfig {
            version: 1,
            url: format!("http://{}", self.listener.local_addr().unwrap()),
            server_name: String::new(),
            ca: String::new(),
            format,
            grace_seconds: 4,
        };
        std::fs::write(folder.join("token"), "token").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_maptask-worker"));
        command.arg("list").arg("--token").arg(folder.join("token")).args(["--", "sh", "-c", script]);
        command.env(CONFIG_VARIABLE, serde_json::to_string(&config).unwrap());
        command.env(RESULT, folder.join("message")).env("TMPDIR", folder);
        command
    }

    /// Answers until the list is complete. Answers with these numbers get lost, or are those of an operator that has
    /// just begun. Returns the text of the list.
    fn serve(self, lost: &[u32], new: &[u32]) -> String {
        let (mut pieces, mut number) = (Vec::new(), 0_u32);
        for stream in self.listener.incoming() {
            let mut stream = stream.unwrap();
            while let Some(request) = receive(&mut stream) {
                number += u32::from(request != ListRequest::Running);
                if new.contains(&number) {
                    pieces.clear();
                }
                let mut complete = false;
                match request {
                    ListRequest::Piece { number, data } if number as usize == pieces.len() => pieces.push(data),
                    ListRequest::Piece { .. } | ListRequest::Running => {}
                    ListRequest::End(end) => complete = end.pieces as usize == pieces.len(),
                }
                if lost.contains(&number) {
                    break;
                }
                let stored = u32::try_from(pieces.len()).unwrap();
                let body = serde_json::to_string(&ListAnswer { stored, complete }).unwrap();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all((head + &body).as_bytes()).unwrap();
                if complete {
                    return text(&pieces);
                }
            }
        }
        unreachable!("a listener goes on");
    }
}

fn text(pieces: &[String]) -> String {
    let mut text = String::new();
    for piece in pieces {
        GzDecoder::new(&STANDARD.decode(piece).unwrap()[..]).read_to_string(&mut text).unwrap();
    }
    text
}

fn receive(stream: &mut TcpStream) -> Option<ListRequest> {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut length, mut first) = (0, String::new());
    reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
    assert!(first.starts_with(&format!("POST {ITEMS_PATH} ")), "{first}");
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(serde_json::from_slice(&body).unwrap())
}

fn folder(test: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("maptask-list-{test}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned()
}

#[test]
fn a_list_arrives_whole_though_answers_get_lost_and_the_operator_begins_anew() {
    let (leader, folder) = (Leader::new(), folder("whole"));
    // Two pieces, since random digits hardly compress.
    let script = "echo first; head -c 900000 /dev/urandom | base64 -w 10000; echo last";
    let child =
        leader.command(ListFormat::Lines, script, &folder).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let output = std::thread::spawn(move || child.wait_with_output().unwrap());
    let text = leader.serve(&[1, 4], &[3]);
    let output = output.join().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text.as_bytes(), output.stdout, "the log has the same");
    assert!(text.starts_with("first\n") && text.ends_with("last\n") && text.lines().count() == 122, "{}", text.len());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_operator_hears_that_a_command_runs_long_before_its_list() {
    let (leader, folder) = (Leader::new(), folder("runs"));
    let script = "until [ -e $TMPDIR/go ]; do sleep 0.05; done; echo a";
    let child = leader.command(ListFormat::Lines, script, &folder).spawn().unwrap();
    let (mut stream, _) = leader.listener.accept().unwrap();
    assert_eq!(receive(&mut stream), Some(ListRequest::Running));
    drop(stream);
    std::fs::write(folder.join("go"), "").unwrap();
    assert_eq!(leader.serve(&[], &[]), "a\n");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_list_in_a_file_counts_whatever_stdout_says() {
    let (leader, folder) = (Leader::new(), folder("file"));
    let script = "echo no JSON; echo '[1, {\"a\": 2}]' > $MAPTASK_ITEMS_FILE; test -z \"$MAPTASK_WORKER\"";
    let mut command = leader.command(ListFormat::JsonArray, script, &folder);
    let child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    assert_eq!(leader.serve(&[], &[]), "1\n{\"a\":2}\n");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_program_that_fails_or_gives_no_list_sends_nothing_and_says_why() {
    let folder = folder("fails");
    let of = |format, script: &str| {
        let leader = Leader::new();
        let output = leader.command(format, script, &folder).output().unwrap();
        leader.listener.set_nonblocking(true).unwrap();
        while let Ok((mut stream, _)) = leader.listener.accept() {
            stream.set_nonblocking(false).unwrap();
            assert!(receive(&mut stream).is_none_or(|request| request == ListRequest::Running), "something was sent");
        }
        let message = std::fs::read_to_string(folder.join("message")).unwrap_or_default();
        _ = std::fs::remove_file(folder.join("message"));
        (output.status.code(), message, words(&output))
    };
    let (code, message, log) = of(ListFormat::Lines, "echo a; echo no luck >&2; exit 3");
    assert_eq!((code, message.as_str()), (Some(3), ""), "the end of the log says it");
    assert!(log.contains("no luck"));
    let (code, message, _) = of(ListFormat::JsonLines, "echo 1; echo '{oops}'");
    assert_eq!(
        (code, message.as_str()),
        (Some(1), "no list of items: line 2: \"{oops}\": key must be a string at column 2")
    );
    let (code, message, _) = of(ListFormat::Lines, "yes");
    assert!(code == Some(1) && message.contains("more than 1000000 items"), "{message}");
    std::fs::remove_dir_all(&folder).unwrap();
}
