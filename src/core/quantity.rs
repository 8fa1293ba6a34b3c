//! Amounts as Kubernetes writes them, such as `1500m`, `2Gi` or `3e3`.
//!
//! Our own, since the library for it panics on large numbers and knows no exponents; quota messages hold both.

use std::fmt;

/// An amount in thousandths, or in thousandths of a byte. Rounded up; what is too large to count is the most there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(u128);

impl Quantity {
    /// Reads an amount; `None` for what is none, or is below zero.
    pub fn parse(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && decimals.is_empty() || decimals.contains('.') || number.len() > 30 {
            return None;
        }
        let digits: u128 = format!("0{whole}{decimals}").parse().ok()?;
        let (base, exponent) = scale(suffix)?;
        // digits / 10^decimals × base^exponent, in thousandths.
        let decimals = u32::try_from(decimals.len()).ok()?;
        let (up, down) = match u32::try_from(exponent) {
            Ok(up) => (u128::from(base).saturating_pow(up), 1),
            Err(_) => (1, u128::from(base).saturating_pow(exponent.unsigned_abs())),
        };
        let milli = digits.saturating_mul(1_000).saturating_mul(up);
        Some(Self(milli.div_ceil(down.saturating_mul(10u128.saturating_pow(decimals)))))
    }

    /// The amount `times` over, up to `most`; as whole bytes.
    #[must_use]
    pub fn grown(self, times: f64, most: Self) -> Self {
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let grown = Self((self.0 as f64 * times) as u128);
        Self(grown.min(most).max(self).0.div_ceil(1_000) * 1_000)
    }
}

/// The base and exponent of a suffix.
fn scale(suffix: &str) -> Option<(u32, i32)> {
    Some(match suffix {
        "" => (10, 0),
        "n" => (10, -9),
        "u" => (10, -6),
        "m" => (10, -3),
        "k" => (10, 3),
        "M" => (10, 6),
        "G" => (10, 9),
        "T" => (10, 12),
        "P" => (10, 15),
        "E" => (10, 18),
        "Ki" => (2, 10),
        "Mi" => (2, 20),
        "Gi" => (2, 30),
        "Ti" => (2, 40),
        "Pi" => (2, 50),
        "Ei" => (2, 60),
        _ => (10, suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
    })
}

impl fmt::Display for Quantity {
    /// In the largest binary unit that tells it exactly.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_multiple_of(1_000) {
            return write!(f, "{}m", self.0);
        }
        let amount = self.0 / 1_000;
        let units = [("Pi", 50), ("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)];
        match units.iter().find(|(_, bits)| amount > 0 && amount.is_multiple_of(1 << bits)) {
            Some((unit, bits)) => write!(f, "{}{unit}", amount >> bits),
            None => write!(f, "{amount}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn q(text: &str) -> Quantity {
        Quantity::parse(text).unwrap()
    }

    #[test]
    fn the_same_amount_in_other_units_is_equal() {
        for (a, b) in
            [("1", "1000m"), ("1Ki", "1024"), ("1.5Gi", "1536Mi"), ("2e3", "2k"), ("0.5", "500m"), ("1E", "1e18")]
        {
            assert_eq!(q(a), q(b), "{a} {b}");
        }
        assert!(q("2Gi") > q("2G") && q("100m") < q("1"));
        assert!(q("999999999999999999E") >= q("1Ei"), "too large, but no panic");
    }

    #[test]
    fn every_unit_is_the_one_below_it_a_thousand_or_1024_times_over() {
        assert_eq!(q("1000000n"), q("1m"));
        assert_eq!(q("1000u"), q("1m"));
        for units in ["m kMGTPE", " kMGTPE"] {
            let units: Vec<String> = units.chars().map(|unit| unit.to_string().trim().to_owned()).collect();
            for pair in units.windows(2) {
                assert_eq!(q(&format!("1000{}", pair[0])), q(&format!("1{}", pair[1])), "{pair:?}");
            }
        }
        for pair in ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].windows(2) {
            assert_eq!(q(&format!("1024{}", pair[0])), q(&format!("1{}", pair[1])), "{pair:?}");
        }
        assert!(q("1n") == q("1m"), "less than a thousandth is rounded up");
    }

    #[test]
    fn an_amount_is_told_in_the_largest_binary_unit_that_tells_it_exactly() {
        for (amount, told) in [
            ("0", "0"),
            ("1", "1"),
            ("1023", "1023"),
            ("1024", "1Ki"),
            ("1025", "1025"),
            ("1536Mi", "1536Mi"),
            ("4096Pi", "4096Pi"),
            ("1500m", "1500m"),
            ("2000m", "2"),
        ] {
            assert_eq!(q(amount).to_string(), told, "{amount}");
        }
    }

    #[test]
    fn a_number_of_more_than_thirty_characters_is_none() {
        assert!(Quantity::parse(&"1".repeat(30)).is_some());
        assert_eq!(Quantity::parse(&"1".repeat(31)), None);
    }

    #[test]
    fn what_is_no_amount_is_none() {
        for text in ["", "Gi", "1x", "-1", "1.2.3", ".", "1e", "1 Gi"] {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
    }

    #[test]
    fn memory_grows_by_a_factor_up_to_its_cap_and_never_shrinks() {
        assert_eq!(q("64Mi").grown(1.5, q("1Gi")).to_string(), "96Mi");
        assert_eq!(q("64Mi").grown(100.0, q("1Gi")).to_string(), "1Gi");
        assert_eq!(q("2Gi").grown(2.0, q("1Gi")).to_string(), "2Gi");
    }
}
