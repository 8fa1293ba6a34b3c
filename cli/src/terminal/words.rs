//! Numbers, times and lengths of time in words.

use jiff::Timestamp;
use maptask::text::duration;

/// With a comma between thousands: `20,000`.
pub fn number(number: impl Into<i64>) -> String {
    let number: i64 = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut out = String::from(if number < 0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 item`, `20,000 items`.
pub fn counted(count: impl Into<i64>, one: &str, many: &str) -> String {
    let count: i64 = count.into();
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// Seconds from one time to another, 0 if it is later.
pub fn seconds_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_second() - from.as_second()).unwrap_or(0)
}

/// The time since then in one unit, as kubectl shows ages: `16m`, `3d`.
pub fn age(since: Option<Timestamp>, now: Timestamp) -> String {
    since.map_or_else(|| "-".to_owned(), |since| short(seconds_between(since, now)))
}

/// A length of time in two units at most, in one from ten of it: `45s`, `3m12s`, `16m`, `2h5m`.
pub fn short(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => duration(seconds),
        600..10_800 => format!("{}m", seconds / 60),
        10_800..172_800 => duration(seconds / 60 * 60),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A length of time for a sentence: `45 s`, `16 min`, `3 h 5 min`, `2 d`.
pub fn span(seconds: u64) -> String {
    match (seconds / 86_400, seconds / 3_600, seconds / 60 % 60) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, ..) => format!("{days} d"),
    }
}

/// A size: `231 KB`, `1.4 MB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..999_500 => format!("{} KB", (bytes + 500) / 1_000),
        _ => format!("{}.{} MB", (bytes + 50_000) / 1_000_000, (bytes + 50_000) / 100_000 % 10),
    }
}

/// The length of time of an option: `90`, `30s`, `10m`, `1h30m`, `2d`.
pub fn parse_span(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a duration: write 30s, 10m, 1h30m or 2d");
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let (mut total, mut digits) = (0_u64, String::new());
    for character in text.chars() {
        if character.is_ascii_digit() {
            digits.push(character);
            continue;
        }
        let unit = match character {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        total = number.checked_mul(unit).and_then(|seconds| total.checked_add(seconds)).ok_or_else(wrong)?;
        digits.clear();
    }
    if digits.is_empty() && !text.is_empty() { Ok(total) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas_and_sizes_units() {
        assert_eq!([0, 999, 1_000, 1_234_567, -4_500].map(number), ["0", "999", "1,000", "1,234,567", "-4,500"]);
        assert_eq!(
            [12, 231_400, 999_499, 1_000_000, 3_249_999].map(size),
            ["12 bytes", "231 KB", "999 KB", "1.0 MB", "3.2 MB"]
        );
        assert_eq!(counted(1, "item", "items"), "1 item");
    }

    #[test]
    fn lengths_of_time_are_short() {
        assert_eq!(
            [5, 119, 192, 960, 7_500, 11_100, 200_000].map(short),
            ["5s", "119s", "3m12s", "16m", "125m", "3h5m", "2d"]
        );
        assert_eq!([5, 960, 3_600, 11_100, 200_000].map(span), ["5 s", "16 min", "1 h", "3 h 5 min", "2 d"]);
        assert_eq!(["90", "30s", "1h30m", "2d"].map(|text| parse_span(text).unwrap()), [90, 30, 5_400, 172_800]);
        for wrong in ["", "m", "5x", "1h5", "-5s"] {
            assert!(parse_span(wrong).is_err(), "{wrong}");
        }
    }
}
