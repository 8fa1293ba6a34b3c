//! `{}` and `{key}` in the command: the item, and a key of it. They become `$(MAPTASK_ITEM)`, which the kubelet or the
//! worker puts in, never a shell.

use std::collections::BTreeSet;

use crate::error::Failure;

/// Shells whose `-c` takes a script.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "zsh", "ksh"];
/// Long options of shells that take the next argument.
const VALUED: [&str; 2] = ["--rcfile", "--init-file"];

/// The command with variables in place of braces. `{key}` only for keys that the items have.
pub fn replaced(command: &[String], mark: &str, keys: &BTreeSet<String>) -> Result<Vec<String>, Failure> {
    if mark.is_empty() {
        return Ok(command.to_vec());
    }
    for (shell, script) in scripts(command) {
        if let Some(found) = first(script, mark, keys) {
            let variable =
                if found == mark { "MAPTASK_ITEM".to_owned() } else { variable(found.trim_matches(['{', '}'])) };
            let message = format!("{found} is inside the script of {shell}: the item's text would run as code");
            let hint = format!("write \"${variable}\" in the script; -I '' leaves braces as they are");
            return Err(Failure::usage(message).hint(hint));
        }
    }
    let replace = |argument: &String| {
        let with_item = argument.replace(mark, "$(MAPTASK_ITEM)");
        keys.iter().fold(with_item, |text, key| text.replace(&format!("{{{key}}}"), &format!("$({})", variable(key))))
    };
    Ok(command.iter().map(replace).collect())
}

/// A word about an argument that is empty, as `"$(MAPTASK_ITEM)"` is after the user's own shell has run it.
pub fn empty_argument(command: &[String]) -> Option<String> {
    let place = command.iter().position(|argument| argument.trim().is_empty())?;
    Some(format!(
        "argument {} of the command is empty: if it was $(MAPTASK_ITEM), your shell has run that; write {{}} or '$(MAPTASK_ITEM)'",
        place + 1
    ))
}

/// Each shell of the command and its script. A shell may stand anywhere, as after `env` or `timeout 9`.
fn scripts(command: &[String]) -> impl Iterator<Item = (&str, &str)> {
    command.iter().enumerate().filter_map(|(place, program)| {
        let is_shell = SHELLS.contains(&program.rsplit('/').next()?);
        let script = if is_shell { script(&command[place + 1..]) } else { None };
        Some((program.as_str(), script?))
    })
}

/// The script among the arguments of a shell: with `-c`, the first one that belongs to no option.
fn script(arguments: &[String]) -> Option<&str> {
    let (mut rest, mut has_script) = (arguments.iter(), false);
    while let Some(argument) = rest.next() {
        let is_group = argument.starts_with(['-', '+']) && !argument.starts_with("--");
        let values = if is_group && argument.len() > 1 {
            has_script |= argument.starts_with('-') && argument.contains('c');
            // `-o pipefail`, and as a part of a group.
            argument.matches(['o', 'O']).count()
        } else if argument.len() > 2 && argument.starts_with("--") {
            usize::from(VALUED.contains(&argument.as_str()))
        } else {
            // `-` and `--` end the options.
            let ends = ["-", "--"].contains(&argument.as_str());
            let script = if ends { rest.next() } else { Some(argument) };
            return script.filter(|_| has_script).map(String::as_str);
        };
        for _ in 0..values {
            rest.next();
        }
    }
    None
}

/// The first mark or key in braces of a text.
fn first(text: &str, mark: &str, keys: &BTreeSet<String>) -> Option<String> {
    let keyed = || keys.iter().map(|key| format!("{{{key}}}")).find(|braces| text.contains(braces));
    text.contains(mark).then(|| mark.to_owned()).or_else(keyed)
}

/// The variable of a key, by the operator's rule.
fn variable(key: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("MAPTASK_ITEM_{}", key.chars().map(fit).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    fn keys() -> BTreeSet<String> {
        ["lr", "part no"].map(str::to_owned).into()
    }

    #[test]
    fn braces_become_variables() {
        let command = words("train --lr={lr} {} {other} {}.out");
        let done = replaced(&command, "{}", &keys()).unwrap();
        assert_eq!(done.join(" "), "train --lr=$(MAPTASK_ITEM_LR) $(MAPTASK_ITEM) {other} $(MAPTASK_ITEM).out");
        assert_eq!(replaced(&command, "", &keys()).unwrap(), command);
        assert_eq!(replaced(&words("a @"), "@", &keys()).unwrap(), words("a $(MAPTASK_ITEM)"));
        assert_eq!(replaced(&["{part no}".to_owned()], "{}", &keys()).unwrap(), ["$(MAPTASK_ITEM_PART_NO)"]);
    }

    #[test]
    fn braces_inside_a_script_are_refused_and_after_it_they_are_arguments() {
        for (command, variable) in [("/bin/sh -ec curl={}", "MAPTASK_ITEM\""), ("bash -c x={lr}", "MAPTASK_ITEM_LR\"")]
        {
            let failure = replaced(&words(command), "{}", &keys()).unwrap_err();
            assert!(failure.message.contains("would run as code"), "{failure:?}");
            assert!(failure.hint.unwrap().contains(variable));
        }
        let good = replaced(&words("sh -c echo=\"$1\" x {}"), "{}", &keys()).unwrap();
        assert_eq!(good[4], "$(MAPTASK_ITEM)");
        for good in ["find -c {}", "sh {}", "bash -eo pipefail run.sh {}", "sh -c true sh {}", "env A={} train -c {}"] {
            assert!(replaced(&words(good), "{}", &keys()).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_script_is_found_behind_every_option_of_its_shell_and_behind_other_programs() {
        for command in [
            "bash -eo pipefail -c curl={}",
            "bash -euo pipefail -c curl={}",
            "bash -o pipefail -o errexit -c curl={}",
            "bash -O extglob +o posix -c curl={}",
            "bash -oc pipefail curl={}",
            "bash -ce curl={}",
            "bash -c -e curl={}",
            "bash -c -- curl={}",
            "bash --norc --rcfile file -c curl={}",
            "env sh -c curl={}",
            "/usr/bin/env -i A=b bash -c curl={}",
            "timeout 9 sh -c curl={}",
            "nice bash -c curl={}",
            "xargs -n 1 /bin/sh -ec curl={}",
            "sh -c true; sh -c curl={}",
        ] {
            let failure = replaced(&words(command), "{}", &keys()).unwrap_err();
            assert!(failure.message.contains("would run as code"), "{command}: {failure:?}");
        }
    }

    #[test]
    fn an_argument_that_a_shell_has_emptied_is_noticed() {
        assert!(empty_argument(&["a".to_owned(), String::new()]).unwrap().starts_with("argument 2"));
        assert_eq!(empty_argument(&words("a b")), None);
    }
}
