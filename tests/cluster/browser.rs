//! A real browser without a window, driven by its debugging protocol over two pipes.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::kubectl::{PATIENCE, program};

/// Longest wait for the answer to one call.
const CALL: Duration = Duration::from_mins(1);

pub struct Browser {
    child: Child,
    folder: PathBuf,
    to: File,
    from: Receiver<Value>,
    session: String,
    number: u64,
    /// What the page has complained of: exceptions, errors, violations of its policy.
    pub complaints: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    Light,
    Dark,
}

impl Browser {
    /// Starts `chromium`, or what CHROMIUM names.
    pub fn start() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("maptask-browser-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (to, from) = (folder.join("to"), folder.join("from"));
        assert!(Command::new("mkfifo").args([&to, &from]).status().unwrap().success());
        let mut command = program("chromium", "CHROMIUM");
        let chromium = command.get_program().to_owned();
        let found = command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(
            found.is_ok_and(|status| status.success()),
            "chromium is missing: apt-get install chromium, or set CHROMIUM"
        );
        // The browser reads its commands from descriptor 3 and answers on 4.
        let script = r#"exec "$0" --headless=new --no-sandbox --disable-gpu --no-first-run --remote-debugging-pipe \
            --user-data-dir="$1/profile" about:blank 3<"$1/to" 4>"$1/from""#;
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).arg(chromium).arg(&folder);
        let child = shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let to = File::options().write(true).open(&to).unwrap();
        let answers = BufReader::new(File::open(&from).unwrap());
        let (send, receive) = channel();
        std::thread::spawn(move || {
            for message in answers.split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { return };
                if send.send(message).is_err() {
                    return;
                }
            }
        });
        let (session, complaints) = (String::new(), Vec::new());
        let mut browser = Self { child, folder, to, from: receive, session, number: 0, complaints };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attached =
            browser.call("Target.attachToTarget", &json!({ "targetId": target["targetId"], "flatten": true }));
        attached["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser.look(1600, 1000, Theme::Light);
        browser
    }

    /// A command of the protocol; its result.
    pub fn call(&mut self, method: &str, params: &Value) -> Value {
        self.number += 1;
        let mut message = json!({ "id": self.number, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        let end = Instant::now() + CALL;
        loop {
            let rest = end.saturating_duration_since(Instant::now());
            let mut answer = self.from.recv_timeout(rest).unwrap_or_else(|_| panic!("no answer to {method}"));
            if answer["id"] == self.number {
                assert!(answer["error"].is_null(), "{method} {params}: {answer}");
                return answer["result"].take();
            }
            self.note(&answer);
        }
    }

    fn note(&mut self, event: &Value) {
        let entry = &event["params"]["entry"];
        if event["method"] == "Runtime.exceptionThrown" || entry["level"] == "error" {
            self.complaints.push(event["params"].to_string());
        }
    }

    /// The size of the window in pixels, and the theme that the user prefers.
    pub fn look(&mut self, width: u32, height: u32, theme: Theme) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700 });
        self.call("Emulation.setDeviceMetricsOverride", &size);
        self.media("screen", theme);
    }

    /// What the page looks like on paper, for somebody who prefers this theme.
    pub fn paper(&mut self, theme: Theme) {
        self.media("print", theme);
    }

    fn media(&mut self, media: &str, theme: Theme) {
        let value = if theme == Theme::Dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": value },
            { "name": "prefers-reduced-motion", "value": "reduce" }]);
        self.call("Emulation.setEmulatedMedia", &json!({ "media": media, "features": features }));
    }

    /// Role and name of everything that a screen reader finds, in order.
    pub fn spoken(&mut self) -> Vec<(String, String)> {
        self.call("Accessibility.enable", &json!({}));
        let tree = self.call("Accessibility.getFullAXTree", &json!({}));
        let word = |node: &Value, key: &str| node[key]["value"].as_str().unwrap_or_default().to_owned();
        let nodes = tree["nodes"].as_array().unwrap();
        nodes
            .iter()
            .filter(|node| node["ignored"] != true)
            .map(|node| (word(node, "role"), word(node, "name")))
            .collect()
    }

    pub fn open(&mut self, url: &str) {
        self.call("Page.navigate", &json!({ "url": url }));
    }

    /// The value of an expression of JavaScript in the page.
    pub fn eval(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", &params);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// What an element shows, in one line; empty if there is none.
    pub fn text(&mut self, selector: &str) -> String {
        let selector = json!(selector);
        let value = self.eval(&format!("document.querySelector({selector})?.textContent ?? ''"));
        value.as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Waits until the expression is true.
    pub fn wait(&mut self, expression: &str) {
        self.wait_value(&format!("Boolean({expression}) || null"));
    }

    /// Waits until the expression has a value, and gives it.
    fn wait_value(&mut self, expression: &str) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let value = self.eval(expression);
            if !value.is_null() {
                return value;
            }
            if Instant::now() > end {
                let page = self.text("body");
                panic!("never {expression}; the page shows: {page}; it complains: {:?}", self.complaints);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until an element shows this text.
    pub fn wait_for(&mut self, selector: &str, text: &str) {
        let (selector, text) = (json!(selector), json!(text));
        self.wait(&format!("document.querySelector({selector})?.textContent.replace(/\\s+/g, ' ').includes({text})"));
    }

    /// Presses a key, for whatever has the focus.
    pub fn key(&mut self, key: &str) {
        let text = if key.chars().count() == 1 {
            key
        } else if key == "Enter" {
            "\r"
        } else {
            ""
        };
        let code = match key {
            "Enter" => 13,
            "Tab" => 9,
            "Escape" => 27,
            "Home" => 36,
            "End" => 35,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            _ => 0,
        };
        let mut event = json!({ "type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code });
        if !text.is_empty() {
            event["text"] = json!(text);
        }
        self.call("Input.dispatchKeyEvent", &event);
        self.call(
            "Input.dispatchKeyEvent",
            &json!({ "type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code }),
        );
    }

    /// Clicks an element, as a mouse does: once it has come to rest and nothing covers it.
    pub fn click(&mut self, selector: &str) {
        let place = self.place(selector);
        self.mouse("mouseMoved", &place);
        self.mouse("mousePressed", &place);
        self.mouse("mouseReleased", &place);
    }

    /// The middle of an element that stands still and can be reached.
    pub fn place(&mut self, selector: &str) -> Value {
        let place = format!(
            "new Promise(done => {{ const e = document.querySelector({}); if (!e) return done(null); \
             e.scrollIntoView({{ block: 'center' }}); const box = () => JSON.stringify(e.getBoundingClientRect()), then = box(); \
             setTimeout(() => {{ const b = e.getBoundingClientRect(), x = b.x + b.width / 2, y = b.y + b.height / 2; \
             const top = document.elementFromPoint(x, y); \
             done(e.isConnected && box() === then && (e.contains(top) || top?.contains(e)) ? [x, y] : null); }}, 50); }})",
            json!(selector)
        );
        self.wait_value(&place)
    }

    /// An event of the mouse at a place.
    pub fn mouse(&mut self, kind: &str, place: &Value) {
        let event = json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
        self.call("Input.dispatchMouseEvent", &event);
    }

    /// A picture of what the window shows, for people to look at: target/page/NAME.png.
    pub fn picture(&mut self, name: &str) {
        let answer = self.call("Page.captureScreenshot", &json!({ "format": "png" }));
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/page");
        std::fs::create_dir_all(&folder).unwrap();
        let mut base64 = Command::new("base64")
            .arg("-d")
            .stdin(Stdio::piped())
            .stdout(File::create(folder.join(format!("{name}.png"))).unwrap())
            .spawn()
            .unwrap();
        base64.stdin.take().unwrap().write_all(answer["data"].as_str().unwrap().as_bytes()).unwrap();
        assert!(base64.wait().unwrap().success());
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its helpers end with it.
        let _ = self.to.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end && self.child.try_wait().is_ok_and(|status| status.is_none()) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
