//! A piece of a list that is stored elsewhere.

/// As it is stored, whatever source it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The name of the `ConfigMap` that it is from.
    pub name: String,
    /// The bytes that it has.
    pub bytes: Vec<u8>,
}

impl Part {
    /// These bytes of that `ConfigMap`.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }
}
