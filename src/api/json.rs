//! JSON whose text is kept: what a number was written as is what everybody sees of it.
//!
//! A number as the machine has it is not the number that was written: 12345678901234567890123 would become
//! 1.2345678901234568e22, and 1.0 and 1 the same. So values from users stay text from one end to the other.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// Most levels of lists and objects in each other; the JSON library reads no more, either.
pub const MAX_DEPTH: usize = 128;

/// A JSON value as its text, without white space between the tokens. Numbers, the order of keys and escapes in strings
/// are as they were written.
#[derive(Clone, PartialEq, Eq)]
pub struct Json(Box<str>);

impl Json {
    /// Reads one value and nothing after it.
    pub fn parse(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str::<&RawValue>(text).map(Self::compact)
    }

    /// A string.
    pub fn string(text: &str) -> Self {
        Self(serde_json::Value::from(text).to_string().into())
    }

    /// An integer.
    pub fn integer(number: i64) -> Self {
        Self(number.to_string().into())
    }

    /// Null.
    pub fn null() -> Self {
        Self("null".into())
    }

    /// An object with these entries, in this order.
    pub fn object<'a>(entries: impl IntoIterator<Item = (&'a str, &'a Self)>) -> Self {
        let entries: Vec<String> =
            entries.into_iter().map(|(key, value)| format!("{}:{}", Self::string(key).0, value.0)).collect();
        Self(format!("{{{}}}", entries.join(",")).into())
    }

    /// Converts it to a value that is serialized as it is.
    pub fn into_raw(self) -> Box<RawValue> {
        // What is in here was read as a value.
        RawValue::from_string(self.0.into()).unwrap_or_default()
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What the string says, if it is one.
    pub fn as_string(&self) -> Option<String> {
        serde_json::from_str(&self.0).ok().filter(|_| self.0.starts_with('"'))
    }

    /// The entries of the object, if it is one, as they were written: a key that is there twice is there twice.
    pub fn entries(&self) -> Option<Vec<(String, Self)>> {
        self.0.starts_with('{').then(|| serde_json::from_str::<Entries>(&self.0).map(|all| all.0).ok()).flatten()
    }

    /// The elements of the list, if it is one.
    pub fn elements(&self) -> Option<Vec<Self>> {
        self.0.starts_with('[').then(|| serde_json::from_str(&self.0).ok()).flatten()
    }

    /// How many lists and objects are in each other at most.
    pub fn depth(&self) -> usize {
        let (mut depth, mut most) = (0_usize, 0);
        for token in tokens(&self.0) {
            match token {
                "[" | "{" => {
                    depth += 1;
                    most = most.max(depth);
                }
                "]" | "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        most
    }

    /// The numbers in it, as they were written.
    pub fn numbers(&self) -> impl Iterator<Item = &str> {
        tokens(&self.0).filter(|token| token.starts_with(|c: char| c == '-' || c.is_ascii_digit()))
    }

    /// Equal values have equal canonical text: keys in order, strings with no more escapes than they need. Numbers stay
    /// as they were written. Only for values of bounded depth.
    pub fn canonical(&self) -> String {
        if let Some(text) = self.as_string() {
            return Self::string(&text).0.into();
        }
        if let Some(entries) = self.entries() {
            // Of a key that is there twice the last one counts, as everywhere.
            let sorted: std::collections::BTreeMap<String, Self> = entries.into_iter().collect();
            let entry = |(key, value): (&String, &Self)| format!("{}:{}", Self::string(key).0, value.canonical());
            return format!("{{{}}}", sorted.iter().map(entry).collect::<Vec<_>>().join(","));
        }
        match self.elements() {
            Some(list) => format!("[{}]", list.iter().map(Self::canonical).collect::<Vec<_>>().join(",")),
            None => self.0.to_string(),
        }
    }

    /// The text without the white space between tokens.
    fn compact(raw: &RawValue) -> Self {
        Self(tokens(raw.get()).collect::<String>().into())
    }
}

/// The tokens of a valid JSON text: strings with their quotes, numbers and words, and each bracket, comma and colon.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let bytes = text.as_bytes();
    let mut place = 0;
    std::iter::from_fn(move || {
        while bytes.get(place).is_some_and(u8::is_ascii_whitespace) {
            place += 1;
        }
        let start = place;
        place += match bytes.get(start)? {
            b'"' => string_length(&bytes[start..]),
            b'[' | b']' | b'{' | b'}' | b',' | b':' => 1,
            _ => {
                let ends = |byte: &u8| byte.is_ascii_whitespace() || b"[]{},:\"".contains(byte);
                bytes[start..].iter().position(ends).unwrap_or(bytes.len() - start).max(1)
            }
        };
        text.get(start..place)
    })
}

/// Bytes of the string that begins here, with its quotes.
fn string_length(bytes: &[u8]) -> usize {
    let mut place = 1;
    while let Some(byte) = bytes.get(place) {
        match byte {
            b'"' => return place + 1,
            b'\\' => place += 2,
            _ => place += 1,
        }
    }
    bytes.len()
}

/// The entries of an object, in order.
struct Entries(Vec<(String, Json)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Self::compact(&raw))
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: [&str; 9] = [
        "12345678901234567890123",
        "1e3",
        "3.10",
        "1.0",
        "0.00001",
        "18446744073709551615",
        "1E400",
        "-0",
        "0.1000000000000000055511151231257827",
    ];

    #[test]
    fn a_number_keeps_its_text() {
        for number in NUMBERS {
            assert_eq!(Json::parse(&format!(" {number}\n")).unwrap().text(), number);
            let object = Json::parse(&format!("{{\"b\": [ {number} ], \"a\" : {number}}}")).unwrap();
            assert_eq!(object.text(), format!("{{\"b\":[{number}],\"a\":{number}}}"));
            assert_eq!(object.canonical(), format!("{{\"a\":{number},\"b\":[{number}]}}"));
            assert_eq!(object.numbers().collect::<Vec<_>>(), [number, number]);
            let again = serde_json::to_string(&vec![object.clone()]).unwrap();
            assert_eq!(serde_json::from_str::<Vec<Json>>(&again).unwrap(), [object]);
        }
    }

    #[test]
    fn white_space_goes_between_tokens_and_stays_in_strings() {
        let value = Json::parse("{\"a b\" : \"c  \\\" d\\\\\" ,\r\n\t\"e\": [ ] }").unwrap();
        assert_eq!(value.text(), r#"{"a b":"c  \" d\\","e":[]}"#);
        let keys: Vec<String> = value.entries().unwrap().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["a b", "e"]);
        assert_eq!(Json::parse(r#""ä\u00e4\n""#).unwrap().as_string().as_deref(), Some("ää\n"));
        assert_eq!(Json::parse("7").unwrap().as_string(), None);
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "01", "+1", ".5", "NaN", "1 2", "{a: 1}", "[1,]", "'x'", "\u{feff}1"] {
            assert!(Json::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn depth_is_counted_without_going_down() {
        assert_eq!(Json::parse(r#"[{"a":"[[["}, []]"#).unwrap().depth(), 2);
        let deep = "[".repeat(50_000) + &"]".repeat(50_000);
        assert_eq!(Json::parse(&deep).unwrap().depth(), 50_000);
    }

    #[test]
    fn equal_values_are_canonically_equal() {
        let canonical = |text: &str| Json::parse(text).unwrap().canonical();
        assert_eq!(canonical(r#"{"a": "\u00e4", "b": [1, null]}"#), canonical(r#"{"b":[1,null],"a":"ä"}"#));
        assert_ne!(canonical("[1.0]"), canonical("[1]"));
        assert_eq!(canonical(r#"{"a":1,"a":2}"#), r#"{"a":2}"#);
    }
}
