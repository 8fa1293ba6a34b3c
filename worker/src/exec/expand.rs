//! What does `$(NAME)` stand for? As Kubernetes expands it in commands and arguments, but for each item.

/// A text with references to variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(String),
}

impl Template {
    /// Reads a text: `$(NAME)` is a reference, `$$` is a dollar, anything else stands for itself.
    pub fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            plain.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            if let Some(behind) = after.strip_prefix('$') {
                plain.push('$');
                rest = behind;
            } else if let Some((name, behind)) = after.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(Part::Name(name.to_owned()));
                rest = behind;
            } else {
                plain.push('$');
                rest = after;
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Self(parts)
    }

    /// The text without references, if it has none.
    pub fn literal(&self) -> Option<&str> {
        match &self.0[..] {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text with the values of its references; one to a variable that does not exist stays as it is.
    pub fn render<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Name(name) => match value(name) {
                    Some(value) => text.push_str(value),
                    None => text.extend(["$(", name, ")"]),
                },
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_expanded_as_kubernetes_does() {
        // From the table of its tests, with VAR_A=A, VAR_B=B and VAR_EMPTY empty.
        let value = |name: &str| match name {
            "VAR_A" => Some("A"),
            "VAR_B" => Some("B"),
            "VAR_EMPTY" => Some(""),
            _ => None,
        };
        for (text, expected) in [
            ("$(VAR_A)", "A"),
            ("___$(VAR_B)___$(VAR_A)", "___B___A"),
            ("$(VAR_EMPTY)f", "f"),
            ("$(NOT_THERE)", "$(NOT_THERE)"),
            ("$$(VAR_A)_$(VAR_A)", "$(VAR_A)_A"),
            ("$$$(VAR_A)", "$A"),
            ("$$$$$$$(VAR_A)", "$$$A"),
            ("f000-$$VAR_A", "f000-$VAR_A"),
            ("foo\\$(VAR_A)bar", "foo\\Abar"),
            ("$(VAR_A", "$(VAR_A"),
            ("$()", "$()"),
            ("$VAR_A)", "$VAR_A)"),
            ("${VAR_A}", "${VAR_A}"),
            ("ends with $", "ends with $"),
            ("$(VAR_A)$(VAR_B)$", "AB$"),
            ("ä$(VAR_A)ö$ü", "äAö$ü"),
        ] {
            assert_eq!(Template::parse(text).render(value), expected, "{text}");
        }
    }
}
