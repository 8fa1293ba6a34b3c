//! A reduce's JSON in `status.result`: does the API server keep its numbers?
//!
//! In objects it reads a number as an integer of 64 bits, or else as a float of 64 bits, and writes that. What is
//! another number then is not shown as one.

use crate::api::Json;

/// What `status.result` and `status.resultText` say of a line: the JSON, where the API server keeps every number in it,
/// else a string of its text; and its text, where that does not show it.
pub fn shown(line: &str) -> (Option<Json>, Option<String>) {
    let Ok(json) = Json::parse(line) else { return (None, None) };
    let is_number = json.numbers().next() == Some(json.text());
    let changes_text = json.numbers().any(|number| kept(number).as_deref() != Some(number));
    if is_number && changes_text || json.numbers().any(changes) {
        return (Some(Json::string(json.text())), None);
    }
    let text = changes_text.then(|| json.text().to_owned());
    (Some(json), text)
}

/// Whether the API server makes another number of it.
fn changes(number: &str) -> bool {
    kept(number).is_none_or(|kept| decimal(&kept) != decimal(number))
}

/// The number as the API server writes it; `None` if it takes no such number.
fn kept(number: &str) -> Option<String> {
    if let Ok(integer) = number.parse::<i64>() {
        return Some(integer.to_string());
    }
    let float = number.parse::<f64>().ok().filter(|float| float.is_finite())?;
    let size = float.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return Some(float.to_string());
    }
    let text = format!("{float:e}");
    Some(if size >= 1e21 { text.replace('e', "e+") } else { text })
}

/// The number that the text means: its sign, its digits from the first to the last that is not 0, and the power of ten
/// of the last; `None` for an exponent beyond counting.
fn decimal(number: &str) -> Option<(bool, String, i64)> {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (negative, mantissa) = mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let exponent = exponent.parse::<i64>().ok()?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let significant = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - significant.len()).ok()?;
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some((false, String::new(), 0));
    }
    Some((negative, significant.to_owned(), exponent.checked_add(zeros)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> (String, Option<String>) {
        let (result, text) = shown(line);
        (result.unwrap().text().to_owned(), text)
    }

    #[test]
    fn a_number_that_the_api_server_would_change_is_a_string() {
        for number in [
            "12345678901234567890123",
            "9223372036854775808",
            "18446744073709551615",
            "-9223372036854775809",
            "0.1000000000000000055511151231257827",
            "1E400",
            "-1e999",
            "1e99999999999999999999",
            "1e-400",
            "5e-325",
        ] {
            assert_eq!(of(number), (format!("\"{number}\""), None));
            let line = format!("{{\"a\": [1, {number}]}}");
            assert_eq!(of(&line), (format!("\"{{\\\"a\\\":[1,{number}]}}\""), None), "{number}");
        }
    }

    #[test]
    fn a_number_that_it_writes_in_another_way_keeps_its_text() {
        for number in ["3.10", "1.0", "1e3", "1E2", "-0", "0.0", "1e-5", "1e21", "100000000000000000000", "2.50e+1"] {
            assert_eq!(of(number).1, None);
            let bare = of(number).0;
            assert!(bare == format!("\"{number}\"") || bare == number, "{bare}");
            let line = format!("{{\"a\":{number}}}");
            assert_eq!(of(&line).0, line);
        }
        assert_eq!(of("[3.10]"), ("[3.10]".to_owned(), Some("[3.10]".to_owned())));
        assert_eq!(of("3.10"), ("\"3.10\"".to_owned(), None));
    }

    #[test]
    fn all_else_is_as_it_was_said() {
        for line in [
            "7",
            "-9223372036854775808",
            "0.1",
            "1e-7",
            "1e+21",
            "\"1e400\"",
            "[null,true]",
            r#"{"a":"12345678901234567890123"}"#,
        ] {
            assert_eq!(of(line), (line.to_owned(), None));
        }
        assert_eq!(shown("oops"), (None, None));
    }

    #[test]
    fn a_decimal_is_the_number_that_its_text_means() {
        assert_eq!(decimal("1e3"), decimal("1000.00"));
        assert_eq!(decimal("-0"), decimal("0.000e7"));
        assert_eq!(decimal("0.00120"), Some((false, "12".to_owned(), -4)));
        assert_ne!(decimal("-1"), decimal("1"));
        assert_eq!(decimal("1e99999999999999999999"), None);
    }
}
