//! `{}` and `{key}` in the command: the item, and a key of it. They become `$(MAPTASK_ITEM)`, which the kubelet or the
//! worker puts in, never a shell.

use std::collections::BTreeSet;

use crate::error::Failure;

/// Shells whose `-c` takes a script.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "zsh", "ksh"];

/// The command with variables in place of braces. `{key}` only for keys that the items have.
pub fn replaced(command: &[String], mark: &str, keys: &BTreeSet<String>) -> Result<Vec<String>, Failure> {
    if mark.is_empty() {
        return Ok(command.to_vec());
    }
    if let Some(place) = script(command)
        && let Some(found) = first(&command[place], mark, keys)
    {
        let variable = if found == mark { "MAPTASK_ITEM".to_owned() } else { variable(found.trim_matches(['{', '}'])) };
        return Err(Failure::usage(format!(
            "{found} is inside the script of {}: the item's text would run as code",
            command[0]
        ))
        .hint(format!("write \"${variable}\" in the script; -I '' leaves braces as they are")));
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

/// Where the script of a shell is among the arguments.
fn script(command: &[String]) -> Option<usize> {
    let program = command.first()?.rsplit('/').next()?;
    if !SHELLS.contains(&program) {
        return None;
    }
    let is_option = |text: &String| text.starts_with('-') && !text.starts_with("--") && text.ends_with('c');
    let option = command.iter().skip(1).take_while(|text| text.starts_with('-')).position(is_option)?;
    Some(option + 2).filter(|place| *place < command.len())
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
        assert!(replaced(&words("find -c {}"), "{}", &keys()).is_ok(), "no shell");
    }

    #[test]
    fn an_argument_that_a_shell_has_emptied_is_noticed() {
        assert!(empty_argument(&["a".to_owned(), String::new()]).unwrap().starts_with("argument 2"));
        assert_eq!(empty_argument(&words("a b")), None);
    }
}
