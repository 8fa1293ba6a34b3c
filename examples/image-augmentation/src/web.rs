//! A web server with the five images, and what a client of it needs: just enough of HTTP for an example.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};

/// Words under which an image is found.
const TAGS: [(&str, &[&str]); 5] = [
    ("balls.png", &["picture", "still life"]),
    ("flag.png", &["picture", "symbol"]),
    ("hills.png", &["picture", "landscape"]),
    ("mandelbrot.png", &["picture", "fractal"]),
    ("sunset.png", &["picture", "landscape"]),
];
/// How long a client, or a server, may say nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves the images of a folder: `/search?q=WORD` has the address of each image that is found, one a line.
pub(crate) fn serve(folder: &Path, address: &str) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).with_context(|| format!("can't listen at {address}"))?;
    println!("serving {} at {address}", folder.display());
    for client in listener.incoming() {
        let folder = folder.to_owned();
        std::thread::spawn(move || {
            if let Err(error) = client.map_err(Into::into).and_then(|client| answer(client, &folder)) {
                eprintln!("{error:#}");
            }
        });
    }
    Ok(())
}

fn answer(mut client: TcpStream, folder: &Path) -> anyhow::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(client.try_clone()?.take(8_192)).lines();
    let first = lines.next().context("no request")??;
    let mut host = String::new();
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("host")) {
            println!("{first} {name}{value}");
            value.trim().clone_into(&mut host);
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    let (status, body) = match content(path, &host, folder) {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", b"there is /search?q=WORD and /images/NAME\n".to_vec()),
    };
    write!(client, "HTTP/1.0 {status}\r\nContent-Length: {}\r\n\r\n", body.len())?;
    Ok(client.write_all(&body)?)
}

fn content(path: &str, host: &str, folder: &Path) -> Option<Vec<u8>> {
    if let Some(word) = path.strip_prefix("/search?q=") {
        let found = TAGS.iter().filter(|(_, tags)| tags.contains(&word));
        let lines: Vec<String> = found.map(|(name, _)| format!("http://{host}/images/{name}\n")).collect();
        return Some(lines.concat().into_bytes());
    }
    let name = path.strip_prefix("/images/")?;
    let (name, _) = TAGS.iter().find(|(known, _)| *known == name)?;
    fs::read(folder.join(name)).ok()
}

/// The content at an address such as `http://gallery/images/flag.png`.
pub(crate) fn get(url: &str) -> anyhow::Result<Vec<u8>> {
    let rest = url.strip_prefix("http://").with_context(|| format!("{url} does not begin with http://"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let mut server = TcpStream::connect(&address).with_context(|| format!("can't reach {address}"))?;
    server.set_read_timeout(Some(PATIENCE))?;
    write!(server, "GET /{path} HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").with_context(|| format!("{url}: no answer"))?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    if head.split(' ').nth(1) != Some("200") {
        bail!("{url}: {}", head.lines().next().unwrap_or_default());
    }
    Ok(answer.split_off(end + 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_names_images_that_are_there() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("images");
        let text =
            |path: &str| content(path, "gallery", &folder).map(|body| String::from_utf8_lossy(&body).into_owned());
        let found = text("/search?q=landscape").unwrap();
        assert_eq!(found, "http://gallery/images/hills.png\nhttp://gallery/images/sunset.png\n");
        assert_eq!(text("/search?q=picture").unwrap().lines().count(), 5);
        assert_eq!(text("/search?q=nothing").as_deref(), Some(""));
        assert!(text("/images/sunset.png").unwrap().contains("PNG"));
        assert_eq!((text("/images/../Cargo.toml"), text("/")), (None, None));
    }

    #[test]
    fn what_is_served_can_be_got() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("images");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            for client in listener.incoming().take(2) {
                answer(client.unwrap(), &folder).unwrap();
            }
        });
        let image = get(&format!("http://{address}/images/flag.png")).unwrap();
        assert!(image.starts_with(b"\x89PNG"));
        let error = get(&format!("http://{address}/nothing")).unwrap_err().to_string();
        assert!(error.contains("404 Not Found"), "{error}");
        server.join().unwrap();
    }
}
