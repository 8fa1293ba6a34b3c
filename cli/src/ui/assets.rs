//! The files of the page, which are part of the program.

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! file {
    ($name:literal, $kind:expr) => {
        (concat!("/", $name), $kind, include_bytes!(concat!("../../assets/", $name)))
    };
}

/// Path, type and content of each.
pub const FILES: [(&str, &str, &[u8]); 22] = [
    ("/", "text/html; charset=utf-8", include_bytes!("../../assets/index.html")),
    file!("app.css", "text/css; charset=utf-8"),
    file!("icon.svg", "image/svg+xml"),
    file!("actions.js", SCRIPT),
    file!("api.js", SCRIPT),
    file!("bar.js", SCRIPT),
    file!("details.js", SCRIPT),
    file!("dom.js", SCRIPT),
    file!("failures.js", SCRIPT),
    file!("figures.js", SCRIPT),
    file!("glyphs.js", SCRIPT),
    file!("item.js", SCRIPT),
    file!("layout.js", SCRIPT),
    file!("list.js", SCRIPT),
    file!("main.js", SCRIPT),
    file!("map.js", SCRIPT),
    file!("planes.js", SCRIPT),
    file!("plot.js", SCRIPT),
    file!("table.js", SCRIPT),
    file!("task.js", SCRIPT),
    file!("words.js", SCRIPT),
    ("/favicon.ico", "image/svg+xml", include_bytes!("../../assets/icon.svg")),
];

/// The type and content of a file.
pub fn find(path: &str) -> Option<(&'static str, &'static [u8])> {
    FILES.iter().find(|(known, ..)| *known == path).map(|(_, kind, content)| (*kind, *content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(content: &'static [u8]) -> &'static str {
        std::str::from_utf8(content).unwrap()
    }

    #[test]
    fn every_file_of_the_folder_is_served_and_has_at_most_400_lines() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assets");
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let path = if name == "index.html" { "/".to_owned() } else { format!("/{name}") };
            let (kind, content) = find(&path).unwrap_or_else(|| panic!("{name} is not served"));
            assert!(kind != SCRIPT || text(content).lines().count() <= 400, "{name} is too long");
        }
        assert_eq!(find("/../Cargo.toml"), None);
    }

    #[test]
    fn no_script_makes_markup_code_or_styles_of_texts() {
        for (path, kind, content) in FILES {
            let content = text(content);
            let bad =
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "cssText"];
            if kind == SCRIPT {
                assert_eq!(bad.iter().find(|word| content.contains(**word)), None, "{path}");
                assert!(!content.contains("'style'") && !content.contains("style:"), "{path} has an inline style");
            }
            if path == "/" {
                assert!(!content.contains("style=") && !content.contains("<style") && !content.contains(" onload"));
                assert!(content.matches("<script").count() == 1 && content.contains("src=\"/main.js\"></script>"));
            }
            let elsewhere = content.replace("http://www.w3.org/2000/svg", "").replace("/^https?:\\/\\/|", "");
            assert!(!elsewhere.contains("https://") && !elsewhere.contains("http://"), "{path} names another host");
        }
    }

    #[test]
    fn every_module_that_is_imported_is_served() {
        for (path, ..) in FILES.iter().filter(|(_, kind, _)| *kind == SCRIPT) {
            let (_, content) = find(path).unwrap();
            for line in text(content).lines().filter(|line| line.starts_with("import ")) {
                let from = line.rsplit_once("from './").unwrap_or_else(|| panic!("{path}: {line}")).1;
                let name = from.trim_end_matches("';");
                assert!(find(&format!("/{name}")).is_some(), "{path} imports {name}");
            }
        }
    }
}
