//! When has a task succeeded, and when can it no longer? Decided from counts alone, in integers.

use std::fmt;

use crate::core::ids::ItemCount;

/// Most decimals of a ratio: 10^18 times a million items stays within 128 bits.
const MAX_SCALE: u32 = 18;

/// A share from 0 to 1 as the decimal that was written: `digits / 10^scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    digits: u64,
    scale: u32,
}

/// Why a success criterion is no good.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum SuccessError {
    /// Not a decimal from 0 to 1.
    #[error("spec.minSuccessRatio is {0}: give a decimal from 0 to 1, such as 0.98")]
    OutOfRange(String),
    /// More decimals than are computed with.
    #[error("spec.minSuccessRatio is {0}: give at most {MAX_SCALE} decimals")]
    TooPrecise(String),
    /// More successes than there are items.
    #[error("spec.minSuccesses is {wanted}, but there are only {items} items: lower it, or use spec.minSuccessRatio")]
    TooMany {
        /// Successes asked for.
        wanted: u32,
        /// Items there are.
        items: u32,
    },
}

impl Ratio {
    /// All items.
    pub const ONE: Self = Self { digits: 1, scale: 0 };

    /// The decimal that was written: the shortest one that reads as this number.
    pub fn from_f64(ratio: f64) -> Result<Self, SuccessError> {
        Self::parse(&format!("{ratio}"))
    }

    /// Reads a decimal such as `0.98`.
    pub fn parse(text: &str) -> Result<Self, SuccessError> {
        let out_of_range = || SuccessError::OutOfRange(text.to_owned());
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let decimals = decimals.trim_end_matches('0');
        let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(decimals) {
            return Err(out_of_range());
        }
        let scale = u32::try_from(decimals.len()).unwrap_or(u32::MAX);
        match whole.trim_start_matches('0') {
            "" if scale > MAX_SCALE => Err(SuccessError::TooPrecise(text.to_owned())),
            "" => Ok(Self { digits: format!("0{decimals}").parse().map_err(|_| out_of_range())?, scale }),
            "1" if decimals.is_empty() => Ok(Self::ONE),
            _ => Err(out_of_range()),
        }
    }

    /// Successes needed among this number of items: the share rounded up.
    pub fn required(self, count: ItemCount) -> u32 {
        let required = (u128::from(self.digits) * u128::from(count.get())).div_ceil(10u128.pow(self.scale));
        u32::try_from(required).unwrap_or(count.get())
    }
}

impl fmt::Display for Ratio {
    /// In percent, as few digits as tell it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scaled = u128::from(self.digits) * 100;
        let unit = 10u128.pow(self.scale);
        write!(f, "{}", scaled / unit)?;
        let rest = scaled % unit;
        if rest > 0 {
            let decimals = format!("{rest:0width$}", width = self.scale as usize);
            write!(f, ".{}", decimals.trim_end_matches('0'))?;
        }
        Ok(())
    }
}

/// What a user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Criterion {
    /// A share of the items.
    Ratio(Ratio),
    /// A number of items.
    Count(u32),
}

impl Criterion {
    /// Successes needed among this number of items.
    pub fn required(self, count: ItemCount) -> Result<u32, SuccessError> {
        match self {
            Self::Ratio(ratio) => Ok(ratio.required(count)),
            Self::Count(wanted) if wanted <= count.get() => Ok(wanted),
            Self::Count(wanted) => Err(SuccessError::TooMany { wanted, items: count.get() }),
        }
    }

    /// The share needed in percent, for people: cut to one decimal, but for what is less than that.
    pub fn percent(self, count: ItemCount) -> String {
        match self {
            Self::Ratio(ratio) => {
                let permille = u128::from(ratio.digits) * 1_000 / 10u128.pow(ratio.scale);
                let least = u64::from(ratio.digits > 0);
                Ratio { digits: u64::try_from(permille).unwrap_or(1_000).max(least), scale: 3 }.to_string()
            }
            Self::Count(wanted) => {
                let permille = u64::from(wanted) * 1_000 / u64::from(count.get().max(1));
                Ratio { digits: permille.min(1_000), scale: 3 }.to_string()
            }
        }
    }
}

/// Whether the success criterion is met, by the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CriterionState {
    /// Both are still possible.
    Open,
    /// Enough items have succeeded.
    Met,
    /// Too many items have failed for that.
    Unreachable,
}

/// The state of the success criterion. `succeeded` includes cached items. Both can't be true at once; neither is ever
/// taken back, since successes and failures only grow.
pub fn criterion_state(succeeded: u32, failed: u32, required: u32, count: ItemCount) -> CriterionState {
    if succeeded >= required {
        CriterionState::Met
    } else if failed > count.get().saturating_sub(required) {
        CriterionState::Unreachable
    } else {
        CriterionState::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(n: u32) -> ItemCount {
        ItemCount::new(u64::from(n)).unwrap()
    }

    #[test]
    fn the_required_number_is_exact_for_every_whole_percent() {
        for percent in 0..=100u32 {
            let text = format!("{}.{:02}", percent / 100, percent % 100);
            let ratios = [Ratio::from_f64(f64::from(percent) / 100.0).unwrap(), Ratio::parse(&text).unwrap()];
            for n in 1..=1_000 {
                let expected = (percent * n).div_ceil(100);
                assert_eq!(ratios.map(|r| r.required(count(n))), [expected; 2], "{percent} % of {n}");
            }
        }
    }

    #[test]
    fn what_floats_get_wrong_is_right() {
        assert_eq!(Ratio::from_f64(0.6).unwrap().required(count(10)), 6);
        assert_eq!(Ratio::from_f64(0.07).unwrap().required(count(100)), 7);
        assert_eq!(Ratio::from_f64(0.999_999).unwrap().required(count(1_000_000)), 999_999);
        assert_eq!(Ratio::parse("0.000000000000000001").unwrap().required(count(1_000_000)), 1);
    }

    #[test]
    fn a_ratio_is_shown_in_percent_with_one_decimal() {
        let shown = |text| Ratio::parse(text).unwrap().to_string();
        assert_eq!(["1", "0.98", "0.995", "0", "0.07", "1.0"].map(shown), ["100", "98", "99.5", "0", "7", "100"]);
        let of = |text| Criterion::Ratio(Ratio::parse(text).unwrap()).percent(count(3));
        assert_eq!(["0.3333333", "0.99999", "0.00001", "0", "1"].map(of), ["33.3", "99.9", "0.1", "0", "100"]);
        assert_eq!(Criterion::Count(1).percent(count(3)), "33.3");
        assert_eq!(Criterion::Count(3).percent(count(3)), "100");
    }

    #[test]
    fn what_is_no_share_is_refused_with_its_value() {
        for text in ["1.5", "-0.1", "2", "x", "", ".5", "1.000001", "NaN"] {
            let error = Ratio::parse(text).unwrap_err();
            assert!(matches!(&error, SuccessError::OutOfRange(found) if found == text), "{error}");
        }
        assert!(matches!(Ratio::from_f64(1e-30), Err(SuccessError::TooPrecise(_))));
        let error = Criterion::Count(11).required(count(10)).unwrap_err().to_string();
        assert!(error.contains("11") && error.contains("10"), "{error}");
    }

    #[test]
    fn the_outcome_is_decided_as_soon_as_it_is_certain_and_never_changes() {
        for n in 0..=12 {
            for required in 0..=n {
                for succeeded in 0..=n {
                    for failed in 0..=n - succeeded {
                        let now = criterion_state(succeeded, failed, required, count(n));
                        let possible = succeeded + (n - succeeded - failed) >= required;
                        let expected = match (succeeded >= required, possible) {
                            (true, _) => CriterionState::Met,
                            (false, true) => CriterionState::Open,
                            (false, false) => CriterionState::Unreachable,
                        };
                        assert_eq!(now, expected, "{succeeded} + {failed} of {n}, {required} required");
                    }
                }
            }
        }
    }
}
