//! Files by a pattern, for a shell that was kept from doing it: `--items 'data/*.csv'`.

use std::path::{Path, PathBuf};

use crate::error::Failure;

/// Most files: more do not become items one by one.
const MOST: usize = 1_000_000;

/// Whether a text is a pattern rather than the name of a file.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[']) && !Path::new(text).exists()
}

/// The files that the pattern matches, in the order of their names. `*` and `?` match within a name, `**` any folders.
pub fn files(pattern: &str) -> Result<Vec<String>, Failure> {
    let (root, rest) = match pattern.strip_prefix('/') {
        Some(rest) => (PathBuf::from("/"), rest),
        None => (PathBuf::new(), pattern),
    };
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let mut found = Vec::new();
    walk(&root, &parts, &mut found)?;
    found.sort();
    found.dedup();
    if found.is_empty() {
        return Err(Failure::usage(format!("no file matches {pattern}")).hint("patterns have *, ?, [abc] and **"));
    }
    Ok(found)
}

fn walk(place: &Path, parts: &[&str], found: &mut Vec<String>) -> Result<(), Failure> {
    let Some((part, rest)) = parts.split_first() else {
        if place.is_file() {
            found.push(place.to_string_lossy().into_owned());
        }
        return if found.len() > MOST { Err(Failure::usage(format!("more than {MOST} files match"))) } else { Ok(()) };
    };
    if *part == "**" {
        walk(place, rest, found)?;
    } else if !part.contains(['*', '?', '[']) {
        let next = place.join(part);
        return if next.exists() { walk(&next, rest, found) } else { Ok(()) };
    }
    let folder = if place.as_os_str().is_empty() { Path::new(".") } else { place };
    // A folder that can't be read holds nothing for us, as in a shell.
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') && !part.starts_with('.') {
            continue;
        }
        let next = place.join(&name);
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if *part == "**" && is_folder {
            walk(&next, parts, found)?;
        } else if *part != "**" && matches(part, &name) {
            walk(&next, rest, found)?;
        }
    }
    Ok(())
}

/// Whether a name is of a pattern.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where to go back to: behind the last star, with one more character for it.
    let mut star: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&'*') {
            star = Some((p + 1, n));
            p += 1;
            continue;
        }
        match (name.get(n), one(&pattern, p)) {
            (Some(c), Some((fits, next))) if fits(*c) => (p, n) = (next, n + 1),
            (None, None) => return true,
            _ => match star {
                Some((behind, from)) if from < name.len() => {
                    star = Some((behind, from + 1));
                    (p, n) = (behind, from + 1);
                }
                _ => return false,
            },
        }
    }
}

/// What fits one character.
type Fits = Box<dyn Fn(char) -> bool>;

/// What fits the pattern here, and where the rest begins.
fn one(pattern: &[char], place: usize) -> Option<(Fits, usize)> {
    let character = *pattern.get(place)?;
    if character == '?' {
        return Some((Box::new(|_| true), place + 1));
    }
    if character == '['
        && let Some(end) = pattern.iter().skip(place + 2).position(|c| *c == ']')
    {
        let set: Vec<char> = pattern[place + 1..place + 2 + end].to_vec();
        return Some((Box::new(move |c| in_set(&set, c)), place + 3 + end));
    }
    Some((Box::new(move |c| c == character), place + 1))
}

fn in_set(set: &[char], character: char) -> bool {
    let (negated, set) = match set {
        ['!' | '^', rest @ ..] => (true, rest),
        set => (false, set),
    };
    let is_range = set.windows(3).any(|w| w[1] == '-' && (w[0]..=w[2]).contains(&character));
    (is_range || set.contains(&character)) != negated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_patterns() {
        for (pattern, name, expected) in [
            ("*.csv", "a.csv", true),
            ("*.csv", "a.csv.gz", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYb", false),
            ("?.[ct]sv", "x.tsv", true),
            ("[!a-c]x", "dx", true),
            ("[!a-c]x", "bx", false),
            ("[", "[", true),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn files_come_in_order_and_hidden_ones_do_not() {
        let root = std::env::temp_dir().join(format!("maptask-glob-{}", std::process::id()));
        for file in ["b/2.txt", "b/1.txt", "a/3.txt", "a/c/4.txt", "a/.hidden.txt", "a/5.csv"] {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let find = |pattern: &str| {
            let all = files(&format!("{}/{pattern}", root.display())).map_err(|failure| failure.exit.code())?;
            Ok::<_, u8>(
                all.iter().map(|file| file[root.display().to_string().len() + 1..].to_owned()).collect::<Vec<_>>(),
            )
        };
        assert_eq!(find("*/*.txt").unwrap(), ["a/3.txt", "b/1.txt", "b/2.txt"]);
        assert_eq!(find("**/*.txt").unwrap(), ["a/3.txt", "a/c/4.txt", "b/1.txt", "b/2.txt"]);
        assert_eq!(find("a/*.json"), Err(2));
        std::fs::remove_dir_all(root).unwrap();
    }
}
