//! How often was the memory of each container of an item raised?

/// How often the memory of each container was raised. A container is known by its position among those of its template
/// that can grow; all counts together are one number, so that a million items stay small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Raises(u64);

impl Raises {
    /// Containers of a template that can grow.
    pub const CONTAINERS: usize = 8;
    /// Most raises of one container: at the smallest factor, 1.01, twelve times its memory; at 1.1, more than any node
    /// has.
    pub const MOST: u32 = 255;
    /// None.
    pub const NONE: Self = Self(0);

    /// How often this container was raised, up to [`Self::MOST`].
    pub fn of(self, container: usize) -> u32 {
        self.0.to_le_bytes().get(container).copied().map_or(0, u32::from)
    }

    /// Counts one more raise of the container, where there is room for one.
    #[must_use]
    pub fn raised(self, container: usize) -> Self {
        let mut counts = self.0.to_le_bytes();
        if let Some(count) = counts.get_mut(container) {
            *count = count.saturating_add(1);
        }
        Self(u64::from_le_bytes(counts))
    }

    /// Whether no container was raised.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// As one number: eight counts of eight bits, that of the first container lowest.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// From the number that [`Self::bits`] gives.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_container_has_a_count_of_its_own_that_ends_at_255() {
        let mut raises = Raises::NONE.raised(7).raised(8);
        for _ in 0..300 {
            raises = raises.raised(1);
        }
        assert_eq!([0, 1, 2, 7, 8].map(|container| raises.of(container)), [0, Raises::MOST, 0, 1, 0]);
        assert_eq!(Raises::NONE.raised(0).bits(), 1, "of one container it is a small number");
        assert_eq!(Raises::from_bits(raises.bits()), raises);
        assert!(Raises::NONE.is_none() && !raises.is_none());
    }
}
