//! The page of `kubectl maptask ui` in a real browser: what people see, click and type.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::json;

use crate::browser::{Browser, Theme};
use crate::kubectl::{Namespace, Running, kubectl_with, real_task};
use crate::plugin::command;
use crate::undisturbed;

/// `kubectl maptask ui` for a namespace; it ends with this.
pub struct Page {
    _server: Running,
    pub url: String,
}

impl Page {
    pub fn serve(namespace: &Namespace, options: &[&str]) -> Self {
        let mut command = command();
        command.args(["ui", "--no-browser", "-n", &namespace.0]).args(options);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(url.starts_with("http://127.0.0.1:") && url.contains("/#t="), "{url:?}");
        Self { _server: Running(child), url: url.trim().to_owned() }
    }

    /// The address of a task, or of one of its items.
    pub fn at(&self, namespace: &Namespace, rest: &str) -> String {
        format!("{}&/{}/{rest}", self.url, namespace.0)
    }
}

/// 12 items, two at a time, of which the one with index 3 fails.
pub fn twelve(namespace: &Namespace) {
    let script = "echo this is $MAPTASK_ITEM; sleep 1; \
                  if [ $MAPTASK_INDEX = 3 ]; then echo '<img src=x onerror=alert(1)> no luck' >&2; exit 3; fi; \
                  echo \"{\\\"n\\\":$MAPTASK_INDEX}\" > /dev/termination-log";
    let spec = json!({ "items": { "range": { "start": 100, "stop": 112 } }, "concurrency": 2, "minSuccessRatio": 0.5,
        "remainingItems": { "onSuccess": "Run" } });
    namespace.apply(&real_task("t", &spec, script));
}

/// A task that runs for as long as a test needs.
fn endless(namespace: &Namespace) {
    let spec = json!({ "items": { "count": 40 }, "concurrency": 1 });
    namespace.apply(&real_task("t", &spec, "sleep 3600"));
    namespace.wait("an item that runs", || (namespace.status("t")["counts"]["running"] == 1).then_some(()));
}

pub fn quiet(browser: &Browser) {
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_page_shows_a_task_live_from_the_list_to_the_log_of_a_failed_item() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("page-live");
    let page = Page::serve(&namespace, &[]);
    let mut browser = Browser::start();
    browser.open(&page.url);
    browser.wait_for("main", "There is no task yet");
    assert_eq!(browser.eval("location.hash"), "#/", "the token is no longer in the address");
    assert_eq!(browser.eval("document.cookie"), "");

    // Nothing is loaded again from here on: all that changes comes over the stream.
    twelve(&namespace);
    browser.wait_for("tbody tr", "Running");
    browser.click("td.name a");
    browser.wait_for("h1", "t");
    browser.wait_for(".group", "no luck");
    assert!(browser.text(".group").contains("exit 3"), "{}", browser.text(".group"));
    browser.wait_for("h1 .chip", "Succeeded");
    browser.wait_for(".figures", "12 of 12");
    browser.wait_for("[data-key=phase-Failed]", "1");
    browser.wait_for("[data-key=phase-Succeeded]", "11");
    assert!(browser.text("#live-text").starts_with("Live"));
    assert!(browser.eval("document.title").as_str().unwrap().contains("Succeeded · t"));

    // The map by keyboard alone.
    browser.eval("document.querySelector('#map').focus()");
    browser.key("End");
    browser.wait_for("#cell", "Item 11, succeeded");
    browser.key("Home");
    browser.wait_for("#cell", "Item 0, succeeded");
    browser.key("n");
    browser.wait_for("#cell", "Item 3, failed");
    browser.key("ArrowLeft");
    browser.wait_for("#cell", "Item 2, succeeded");
    browser.key("n");
    browser.key("Enter");
    browser.wait_for(".item", "Item 3");
    browser.wait_for(".item", "103");
    browser.wait_for(".item", "t-3-1");
    browser.wait_for("pre.log", "<img src=x onerror=alert(1)> no luck");
    assert!(browser.eval("location.hash").as_str().unwrap().ends_with("/t/3"), "an address of its own");
    assert_eq!(browser.eval("document.querySelectorAll('pre img').length"), 0, "a log is text");
    browser.eval("document.querySelector('#map').focus()");
    browser.key("t");
    browser.wait("document.querySelectorAll('table.list tbody tr').length === 12");
    browser.click("[data-key=phase-Failed]");
    browser.wait("document.querySelectorAll('table.list tbody tr').length === 1");
    browser.wait_for("table.list tbody", "Failed exit 3");

    // The address of an item is enough.
    browser.eval("location.reload()");
    browser.wait_for(".item", "Item 3");
    quiet(&browser);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_change_on_the_page_shows_its_command_and_is_made_unless_the_task_was_changed_meanwhile() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("page-change");
    endless(&namespace);
    let page = Page::serve(&namespace, &[]);
    let mut browser = Browser::start();
    browser.open(&page.at(&namespace, "t"));
    browser.click("[data-verb=suspend]");
    let command = format!("kubectl maptask suspend t -n {}", namespace.0);
    browser.wait_for("dialog[open] code", &command);
    assert_eq!(browser.text(".actions .cmd code"), command);
    browser.wait_for("dialog[open]", "39 pending items wait");
    browser.click("dialog [type=submit]");
    browser.wait_for("h1 .chip", "Suspended");
    assert_eq!(namespace.get("maptask", "t").unwrap()["spec"]["suspend"], true);

    browser.click("[data-verb=resume]");
    browser.wait("document.querySelector('dialog').open");
    // Somebody else changes the spec while the dialog is open.
    namespace.kubectl(&["patch", "maptask", "t", "--type=merge", "-p", r#"{"spec":{"priority":7}}"#]);
    browser.click("dialog [type=submit]");
    browser.wait_for("dialog .error", "changed or recreated meanwhile");
    assert_eq!(namespace.get("maptask", "t").unwrap()["spec"]["suspend"], true, "it was not resumed");
    browser.key("Escape");
    browser.wait("!document.querySelector('dialog').open");
    assert_eq!(browser.eval("document.activeElement.dataset.verb"), "resume", "the focus returns");

    browser.click("[data-verb=scale]");
    browser.wait("document.querySelector('dialog input')");
    browser.eval("(() => { const i = document.querySelector('dialog input'); i.value = '3'; i.dispatchEvent(new Event('input')); })()");
    browser.wait_for("dialog[open] code", "--concurrency 3");
    browser.click("dialog [type=submit]");
    namespace.wait("the concurrency", || (namespace.get("maptask", "t")?["spec"]["concurrency"] == 3).then_some(()));
    browser.wait("!document.querySelector('dialog').open");
    browser.click("[data-verb=cancel]");
    browser.click("dialog [type=submit]");
    browser.wait_for("h1 .chip", "Failed");
    browser.click("[data-verb=delete]");
    browser.click("dialog [type=submit]");
    browser.wait_for("main", "There is no task yet");
    assert!(namespace.get("maptask", "t").is_none());
    // The refused change is the only complaint.
    browser.complaints.retain(|text| !text.contains("409"));
    quiet(&browser);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_page_without_rights_or_with_read_only_changes_nothing_and_says_why() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("page-rights");
    endless(&namespace);
    let mut browser = Browser::start();
    let read_only = Page::serve(&namespace, &["--read-only"]);
    browser.open(&read_only.at(&namespace, "t"));
    browser.wait_for("h1", "Running");
    assert_eq!(browser.eval("document.querySelectorAll('[data-verb]').length"), 0);
    let task = namespace.get("maptask", "t").unwrap();
    let body = json!({ "uid": task["metadata"]["uid"], "generation": task["metadata"]["generation"] });
    let ask = format!(
        "import('/api.js').then(api => api.post('/api/tasks/{}/t/suspend', {body}).then(() => 'done', e => e.message))",
        namespace.0
    );
    assert_eq!(browser.eval(&ask), "there are no changes with --read-only");

    namespace.kubectl(&["create", "serviceaccount", "viewer"]);
    let account = format!("--serviceaccount={}:viewer", namespace.0);
    namespace.kubectl(&["create", "rolebinding", "viewer", "--clusterrole=view", &account]);
    let viewer = format!("system:serviceaccount:{}:viewer", namespace.0);
    namespace.wait("the role", || {
        let ask = ["-n", &namespace.0, "auth", "can-i", "watch", "maptasks.maptask.dev", "--as", &viewer];
        kubectl_with("", &ask).0.then_some(())
    });
    let view = Page::serve(&namespace, &["--as", &viewer]);
    browser.open(&view.at(&namespace, "t"));
    browser.wait_for("[data-verb=suspend]", &format!("you may not patch maptasks in {}", namespace.0));
    browser.wait_for("[data-verb=delete]", "you may not delete maptasks");
    browser.click("[data-verb=suspend]");
    assert_eq!(browser.eval("document.querySelector('dialog').open"), false);
    let answer = browser.eval(&ask);
    assert!(answer.as_str().unwrap().contains("cannot patch resource \"maptasks\""), "{answer}");
    assert_ne!(namespace.get("maptask", "t").unwrap()["spec"]["suspend"], true);

    let nobody = Page::serve(&namespace, &["--as", "nobody"]);
    browser.open(&nobody.url);
    browser.wait_for("main", "cannot list resource \"maptasks\"");
}

/// Widths, and whether anything sticks out of the window or is too small to hit.
const FITS: &str = "(() => { \
    const wide = Math.max(0, document.documentElement.scrollWidth - innerWidth); \
    const small = [...document.querySelectorAll('button, a, input, select, summary')].filter((e) => { \
        const b = e.getBoundingClientRect(); return b.width && !e.classList.contains('skip') && (b.height < 24 || b.width < 20); \
    }).map((e) => e.outerHTML.slice(0, 80)); return { wide, small }; })()";

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_page_fits_a_phone_and_a_large_screen_in_light_and_dark() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("page-fits");
    twelve(&namespace);
    namespace.wait_for_end("t");
    let page = Page::serve(&namespace, &[]);
    let mut browser = Browser::start();
    for (width, height) in [(400, 900), (1600, 1000)] {
        for theme in [Theme::Light, Theme::Dark] {
            browser.look(width, height, theme);
            for (name, address, ready) in
                [("list", page.url.clone(), "tbody"), ("task", page.at(&namespace, "t/3"), "pre.log")]
            {
                browser.open("about:blank");
                browser.open(&address);
                browser.wait(&format!("document.querySelector('{ready}')"));
                let fits = browser.eval(FITS);
                assert_eq!(fits, json!({ "wide": 0, "small": [] }), "{name} at {width}");
                browser.picture(&format!("{name}-{width}-{theme:?}").to_lowercase());
            }
        }
    }
    quiet(&browser);
}

/// Makes a map of a million items, half of them done, and changes 10,000 of them before each frame.
const MILLION: &str = "(async () => { \
    const { ItemMap } = await import('/map.js'); const { unpack } = await import('/planes.js'); \
    const n = 1e6, bytes = n / 8, planes = new Uint8Array(3 * bytes); \
    for (let i = 0; i < n / 2; i++) { planes[bytes + (i >> 3)] |= 1 << (i & 7); if (i % 100 === 7) planes[i >> 3] |= 1 << (i & 7); } \
    let start = performance.now(); let phases = unpack(planes, n); const decode = performance.now() - start; \
    const map = new ItemMap({ open() {} }); document.querySelector('main').replaceChildren(map.element); \
    map.update(phases); await new Promise(requestAnimationFrame); const squares = map.view.tiles; map.times = []; \
    for (let frame = 0; frame < 20; frame++) { \
        phases = phases.slice(); for (let i = 0; i < 10000; i++) phases[5e5 + frame * 10000 + i] = 2; \
        map.phases = phases; map.draw(); await new Promise(requestAnimationFrame); } \
    const news = map.times; \
    const put = CanvasRenderingContext2D.prototype.putImageData; let pixels = 0; \
    CanvasRenderingContext2D.prototype.putImageData = function (...all) { pixels += all[5] * all[6]; return put.apply(this, all); }; \
    const painted = (change) => { pixels = 0; change(); return Math.round(1000 * pixels / (map.image.width * map.image.height)); }; \
    const same = painted(() => map.draw()); \
    const some = painted(() => { map.phases = phases.slice().fill(2, 8e5, 8.1e5); map.draw(); }); \
    const all = painted(() => map.relayout()); \
    const moved = painted(() => map.go(map.at + map.view.cols)); \
    CanvasRenderingContext2D.prototype.putImageData = put; \
    const zooms = []; for (let i = 0; i < 8; i++) { start = performance.now(); map.zoomTo(map.zoom + 1); zooms.push(performance.now() - start); } \
    const moves = []; map.grid.focus(); for (let i = 0; i < 50; i++) { start = performance.now(); map.go(map.at + map.view.cols); moves.push(performance.now() - start); } \
    const middle = (all) => all.toSorted((a, b) => a - b)[all.length >> 1]; map.close(); \
    return { squares, decode, news: middle(news), zoom: middle(zooms), move: middle(moves), same, some, all, moved, \
        nodes: document.querySelectorAll('main *').length }; })()";

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn of_a_million_items_only_the_rows_that_changed_are_drawn_and_with_a_handful_of_elements() {
    let namespace = Namespace::new("page-million");
    let page = Page::serve(&namespace, &[]);
    let mut browser = Browser::start();
    browser.open(&page.url);
    browser.wait_for("main", "There is no task yet");
    let seen = browser.eval(MILLION);
    println!("a million items, times in ms, thousandths of the map that were painted: {seen}");
    let of = |what: &str| seen[what].as_i64().unwrap();
    assert!(of("nodes") < 20 && of("squares") > 1000, "{seen}");
    assert_eq!((of("same"), of("moved"), of("all")), (0, 0, 1000), "{seen}");
    // One item of a hundred has changed.
    assert!(of("some") > 0 && of("some") < 50, "{seen}");
    quiet(&browser);
}
