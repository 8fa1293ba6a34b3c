//! The page for those who see it otherwise: all namespaces, workers, a screen reader, no colours, paper.

use serde_json::json;

use crate::browser::{Browser, Theme};
use crate::kubectl::{Namespace, real_task};
use crate::page::{Page, quiet, twelve};
use crate::undisturbed;

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_page_of_all_namespaces_names_them_and_changes_a_task_in_any() {
    let _undisturbed = undisturbed();
    let (one, two) = (Namespace::new("page-all-one"), Namespace::new("page-all-two"));
    let page = Page::serve(&one, &["-A"]);
    let mut browser = Browser::start();
    browser.open(&page.url);
    browser.wait_for("#crumbs", "all namespaces");
    let suspended = json!({ "items": { "count": 3 }, "suspend": true });
    for (namespace, name) in [(&one, "everywhere-a"), (&two, "everywhere-b")] {
        namespace.apply(&real_task(name, &suspended, "true"));
    }
    let filter = "(() => { const i = document.querySelector('input[type=search]'); i.value = 'everywhere'; \
                  i.dispatchEvent(new Event('input')); })()";
    browser.wait("document.querySelector('input[type=search]')");
    browser.eval(filter);
    browser.wait("document.querySelectorAll('tbody tr').length === 2");
    assert_eq!(browser.text("thead th:nth-child(2)"), "Namespace");
    browser.wait_for("tbody", &one.0);
    let choose = "(() => { const s = document.querySelector('[data-key=filter-namespace]'); s.value = 'NS'; \
                  s.dispatchEvent(new Event('change')); })()";
    browser.eval(&choose.replace("NS", &two.0));
    browser.wait("document.querySelectorAll('tbody tr').length === 1");
    // The table is drawn again while the button of the mouse is down, as it is when tasks run.
    let link = browser.place("td.name a");
    browser.mouse("mousePressed", &link);
    browser.eval(filter);
    browser.mouse("mouseReleased", &link);
    browser.wait_for("h1", "everywhere-b");
    browser.click("[data-verb=resume]");
    browser.wait_for("dialog[open] code", &format!("kubectl maptask resume everywhere-b -n {}", two.0));
    browser.click("dialog [type=submit]");
    browser.wait_for("h1 .chip", "Succeeded");
    assert_eq!(one.get("maptask", "everywhere-a").unwrap()["spec"]["suspend"], true);
    quiet(&browser);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn an_item_of_a_worker_has_its_log_and_the_name_of_its_worker_on_the_page() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("page-workers");
    let spec =
        json!({ "items": { "count": 20 }, "concurrency": 2, "workers": {}, "remainingItems": { "onFailure": "Run" } });
    namespace.apply(&real_task("t", &spec, "echo line of $MAPTASK_INDEX; [ $MAPTASK_INDEX != 7 ]"));
    assert_eq!(namespace.wait_for_end("t")["phase"], "Failed");
    let page = Page::serve(&namespace, &[]);
    let mut browser = Browser::start();
    for (item, phase) in [(5, "succeeded"), (7, "failed")] {
        browser.open("about:blank");
        browser.open(&page.at(&namespace, &format!("t/{item}")));
        browser.wait_for(".item", &format!("Item {item}{phase}"));
        browser.wait_for("pre.log", &format!("line of {item}"));
        assert_eq!(browser.text("pre.log"), format!("line of {item}"), "of no other item");
        browser.wait_for(".pairs", "Workert-worker-");
    }
    quiet(&browser);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_screen_reader_finds_a_name_for_everything_on_the_page() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("page-spoken");
    twelve(&namespace);
    namespace.wait_for_end("t");
    let page = Page::serve(&namespace, &[]);
    let mut browser = Browser::start();
    browser.open(&page.url);
    browser.wait_for("tbody tr", "Succeeded");
    let list = browser.spoken();
    all_have_names(&list);
    has(&list, "link", "t");
    has(&list, "image", "100 percent done");
    has(&list, "columnheader", "Phase");

    browser.open("about:blank");
    browser.open(&page.at(&namespace, "t/3"));
    browser.wait_for("pre.log", "no luck");
    browser.eval("document.querySelector('#map').focus()");
    let task = browser.spoken();
    all_have_names(&task);
    has(&task, "heading", "t Succeeded");
    has(
        &task,
        "grid",
        "Map of 12 items. Arrow keys move, n goes to the next failed item, Enter opens it, t is the table.",
    );
    has(&task, "gridcell", "Item 3, failed, Failed exit 3");
    has(&task, "image", "91.7 percent succeeded or cached, 8.3 percent failed, 0 running, 0 pending");
    has(&task, "button", "Suspend (the task has ended)");
    has(&task, "button", "Show item 3 on the map");
    has(&task, "button", "Zoom in");
    has(&task, "button", "Copy the command");
    has(&task, "button", "Log of item 3");
    has(&task, "region", "Log of t-3-1");
    has(&task, "button", "Next item");
    has(&task, "textbox", "Number of the item to go to");
    has(&task, "region", "Failures");
    has(&task, "navigation", "Where you are");
    browser.click("[data-verb=delete]");
    browser.wait("document.querySelector('dialog').open");
    has(&browser.spoken(), "dialog", "Delete t?");
    quiet(&browser);
}

/// What can be used, read as a picture or jumped to needs a name.
fn all_have_names(tree: &[(String, String)]) {
    const NAMED: [&str; 15] = [
        "button",
        "link",
        "textbox",
        "searchbox",
        "combobox",
        "grid",
        "gridcell",
        "image",
        "img",
        "region",
        "dialog",
        "navigation",
        "heading",
        "DisclosureTriangle",
        "spinbutton",
    ];
    let nameless: Vec<_> =
        tree.iter().filter(|(role, name)| NAMED.contains(&role.as_str()) && name.trim().is_empty()).collect();
    assert!(nameless.is_empty(), "{nameless:?} in {tree:?}");
    assert!(tree.len() > 20, "{tree:?}");
}

fn has(tree: &[(String, String)], role: &str, name: &str) {
    assert!(tree.iter().any(|one| one.0 == role && one.1.trim() == name), "no {role} {name:?} in {tree:?}");
}

/// Squares and tiles in one colour: pairs that look the same are those that only their colour told apart.
const COLOURLESS: &str = "(async () => { \
    const { Glyphs } = await import('/glyphs.js'), { PHASES } = await import('/words.js'), same = []; \
    const colours = { phase: Array(6).fill(0xff000000), card: 0xffffffff, faint: 0xffeeeeee }; \
    for (const ratio of [1, 2]) for (const pitch of [4, 5, 6, 7, 8, 9, 12, 16, 24]) { \
        const glyphs = new Glyphs(colours, pitch * ratio, ratio), shown = Array(6).fill(1), looks = []; \
        PHASES.forEach((phase, p) => looks.push([phase, glyphs.single[p].join()])); \
        if (pitch >= 6 && pitch <= 9) for (const share of [1, 0.6]) PHASES.forEach((phase, p) => { \
            const counts = [0, 0, 0, 0, 0, 0]; counts[p] += 10 * share; counts[0] += 10 - 10 * share; \
            if (p || share === 1) looks.push([`${share} ${phase}`, glyphs.tile(glyphs.heights(counts, 10, shown)).join()]); }); \
        looks.forEach(([a, x], i) => looks.slice(i + 1).forEach(([b, y]) => { \
            const tiles = a.includes(' ') && b.includes(' '), singles = !a.includes(' ') && !b.includes(' '); \
            if (x === y && (tiles || singles)) same.push(`${a} and ${b} at ${pitch} times ${ratio}`); })); } \
    return same; })()";

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn phases_differ_on_the_map_without_their_colours_one_by_one_and_in_tiles() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("page-colourless");
    let page = Page::serve(&namespace, &[]);
    let mut browser = Browser::start();
    browser.open(&page.url);
    browser.wait_for("main", "There is no task yet");
    assert_eq!(browser.eval(COLOURLESS), json!([]));
    // All phases in tiles, for people to look at.
    browser.eval(
        "(async () => { const { ItemMap } = await import('/map.js'); const map = new ItemMap({ open() {} }); \
         document.querySelector('main').replaceChildren(map.element); const phases = new Uint8Array(40000); \
         phases.forEach((_, i) => { const part = Math.floor(i / 6700); phases[i] = i % 11 < 7 ? part : i % 11 === 7 ? 3 : 0; }); \
         map.update(phases); })()",
    );
    browser.picture("tiles");
    quiet(&browser);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_page_is_printed_light_and_without_what_only_a_screen_can_use() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("page-paper");
    twelve(&namespace);
    namespace.wait_for_end("t");
    let page = Page::serve(&namespace, &[]);
    let mut browser = Browser::start();
    browser.look(1600, 1000, Theme::Dark);
    browser.open(&page.at(&namespace, "t/3"));
    browser.wait_for("pre.log", "no luck");
    browser.look(794, 1123, Theme::Dark);
    browser.paper(Theme::Dark);
    let shown =
        |selector: &str| format!("[...document.querySelectorAll('{selector}')].filter((e) => e.offsetParent).length");
    for hidden in [".top", ".actions", ".choice", ".field", ".item .row button"] {
        assert_eq!(browser.eval(&shown(hidden)), 0, "{hidden}");
    }
    for there in [".figures", "svg.bar, .legend", ".map canvas", ".group", "pre.log"] {
        assert_ne!(browser.eval(&shown(there)), 0, "{there}");
    }
    browser.wait("matchMedia('print').matches");
    let colours = "(() => { const c = document.querySelector('.map canvas:not(.whole)'), x = c.getContext('2d'); \
        const all = new Set(); const d = x.getImageData(0, 0, c.width, c.height).data; \
        for (let i = 0; i < d.length; i += 4) if (d[i + 3] === 255) all.add(`${d[i]},${d[i + 1]},${d[i + 2]}`); \
        return [...all].includes('255,255,255') && [...all].includes('63,143,216'); })()";
    browser.wait(colours);
    browser.picture("paper");
    let paper = browser.call("Page.printToPDF", &json!({ "printBackground": false }));
    let size = paper["data"].as_str().map(str::len);
    assert!(size > Some(10_000), "{size:?}");
    quiet(&browser);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_page_whose_server_stops_says_so_and_keeps_what_it_shows() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("page-stopped");
    twelve(&namespace);
    namespace.wait_for_end("t");
    let page = Page::serve(&namespace, &[]);
    let mut browser = Browser::start();
    browser.open(&page.at(&namespace, "t"));
    browser.wait_for(".figures", "12 of 12");
    drop(page);
    browser.wait_for("#live-text", "kubectl maptask ui has stopped");
    assert!(browser.text(".figures").contains("12 of 12"), "{}", browser.text(".figures"));
}

/// Streams of the page are refused with the status `refusal`, while that is set.
const REFUSAL: &str = "(() => { const real = window.fetch; window.asked = 0; window.fetch = (path, ...rest) => { \
    if (!path.endsWith('/events') || !window.refusal) return real(path, ...rest); window.asked++; \
    return Promise.resolve(new Response('{\"error\":\"not now\"}', { status: window.refusal })); }; })()";
/// A list of the test's own.
const LIST: &str = "(async () => { const { ListView } = await import('/list.js'); \
    window.list = new ListView({ scope: 'namespace', namespace: 'NS' }); \
    document.querySelector('main').replaceChildren(window.list.element); })()";

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_list_that_is_refused_for_a_moment_keeps_its_rows_and_comes_back_and_one_that_may_not_be_read_says_so() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("page-refused");
    namespace.apply(&real_task("t", &json!({ "items": { "count": 3 }, "suspend": true }), "true"));
    let page = Page::serve(&namespace, &[]);
    let mut browser = Browser::start();
    browser.open(&page.url);
    browser.wait_for("td.name", "t");
    browser.eval(REFUSAL);
    // The page's own view is silent from here on.
    browser.eval(&format!("(window.refusal = 404, location.hash = '#/{}/t')", namespace.0));
    browser.wait_for("#live-text", "Not found");
    browser.eval("window.refusal = 0");
    browser.eval(&LIST.replace("NS", &namespace.0));
    browser.wait_for("td.name", "t");
    browser.wait_for("#live-text", "Live");

    // As when a hidden tab is looked at again, and the API server is away.
    browser.eval("(window.refusal = 502, window.asked = 0, window.list.stream.abort.abort())");
    browser.wait("window.asked > 1");
    browser.wait_for("#live-text", "Reconnecting");
    assert_eq!(browser.text("td.name"), "t");
    browser.eval("window.refusal = 0");
    browser.wait_for("#live-text", "Live");

    browser.eval("(window.refusal = 403, window.asked = 0, window.list.stream.abort.abort())");
    browser.wait_for("main", "not now");
    browser.wait_for("#live-text", "No access");
    // As the clock does every ten seconds.
    browser.eval("window.list.draw()");
    assert!(browser.text("main").contains("not now"), "{}", browser.text("main"));
    assert_eq!(browser.eval("window.asked"), 1);
}
