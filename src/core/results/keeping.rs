//! Has somebody changed a ConfigMap of results since it was written? It carries checksums of its lines, and which of
//! them are known to be damaged: so the next reader sees a deletion or an edit, also after a restart.

use std::fmt::Write;

use flate2::Crc;

use crate::core::results::places::Places;
use crate::core::results::{NO_RESULT, Shard};

/// Blocks of lines that have a checksum of their own, at most: eight characters each in an annotation. A ConfigMap of
/// the default size has fewer lines than that, so that a change is traced to its item.
const BLOCKS: u32 = 512;

/// A ConfigMap of results as it was found.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// The lines.
    pub text: &'a str,
    /// The checksums; empty if there are none.
    pub checks: &'a str,
    /// The damage that was reported before; empty if there is none.
    pub damaged: &'a str,
    /// The list whose lines they are.
    pub list: u32,
}

/// A ConfigMap of results as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// The lines.
    pub text: String,
    /// Their checksums.
    pub checks: String,
    /// Lines that somebody has changed or deleted: places in the ConfigMap.
    pub damaged: String,
}

/// Lines that were stored before and are not any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The number of the ConfigMap.
    pub shard: u32,
    /// Places in it.
    pub places: Places,
}

impl Shard {
    /// What the ConfigMap is to hold, if that is not what it holds. An error where it was changed or deleted in a way
    /// that the core does not know of: nothing is to be written over that before it does.
    pub fn keep(&self, old: Option<Kept<'_>>) -> Result<Option<Keep>, Damage> {
        if self.former && old.is_none() {
            return Ok(None);
        }
        // What is left of another list is as good as nothing.
        let old = old.filter(|kept| kept.list == self.list);
        let damaged: Places = match old {
            None => self.stored.iter().filter(|place| !self.lines.contains_key(place)).collect(),
            Some(kept) => {
                let told = Places::parse(kept.damaged);
                let changed = self.changed(kept);
                let is_damaged = |place: &u32| told.has(*place) || changed.has(*place);
                let is_missing = |place: &u32| self.stored.has(*place) && !self.lines.contains_key(place);
                (0..self.lines_in_all).filter(is_damaged).filter(is_missing).collect()
            }
        };
        if !damaged.is_within(&self.damaged) {
            return Err(Damage { shard: self.number, places: damaged });
        }
        let text = self.merge(old.map_or("", |kept| kept.text));
        let keep = Keep { checks: self.checks(&text), damaged: damaged.bounded().to_string(), text };
        let is_kept = old
            .is_some_and(|kept| kept.text == keep.text && kept.checks == keep.checks && kept.damaged == keep.damaged);
        Ok((!is_kept).then_some(keep))
    }

    /// Lines of blocks whose checksum does not fit.
    fn changed(&self, kept: Kept<'_>) -> Places {
        let found = self.checks(kept.text);
        if found == kept.checks {
            return Places::default();
        }
        let size = self.block();
        let check = |checks: &str, block: u32| {
            let start = block as usize * 8;
            checks.get(start..start + 8).map(str::to_owned)
        };
        let differs = |place: &u32| check(&found, place / size) != check(kept.checks, place / size);
        (0..self.lines_in_all).filter(differs).collect()
    }

    /// Lines in a block.
    fn block(&self) -> u32 {
        self.lines_in_all.div_ceil(BLOCKS).max(1)
    }

    /// A CRC-32 of each block of lines, in hexadecimal, one after the other.
    fn checks(&self, text: &str) -> String {
        let mut lines: Vec<&str> = text.lines().collect();
        lines.resize(self.lines_in_all as usize, NO_RESULT);
        let mut checks = String::new();
        for block in lines.chunks(self.block() as usize) {
            let mut crc = Crc::new();
            for line in block {
                crc.update(line.as_bytes());
                crc.update(b"\n");
            }
            // Writing to a string does not fail.
            let _ = write!(checks, "{:08x}", crc.sum());
        }
        checks
    }
}

/// Items in words: their ranges, as far as there is room.
pub fn items_in_words(items: &Places) -> String {
    crate::text::cut(&items.to_string(), 200)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::spec::Results;
    use crate::core::ids::ItemCount;
    use crate::core::results::Layout;

    fn shard(stored: &str, lines: &[(u32, &str)]) -> Shard {
        let lines = lines.iter().map(|(place, line)| (*place, (*line).to_owned())).collect();
        let (stored, damaged) = (Places::parse(stored), Places::default());
        Shard { number: 0, of: 1, first: 0, lines_in_all: 4, lines, stored, damaged, list: 0, former: false }
    }

    fn kept(keep: &Keep) -> Kept<'_> {
        Kept { text: &keep.text, checks: &keep.checks, damaged: &keep.damaged, list: 0 }
    }

    #[test]
    fn what_nobody_has_touched_is_added_to() {
        let first = shard("", &[(0, "7"), (2, "8")]).keep(None).unwrap().unwrap();
        assert_eq!((first.text.as_str(), first.damaged.as_str()), ("7\nnull\n8\nnull\n", ""));
        assert_eq!(shard("0,2", &[]).keep(Some(kept(&first))), Ok(None), "nothing to do");
        let second = shard("0,2", &[(1, "9")]).keep(Some(kept(&first))).unwrap().unwrap();
        assert_eq!(second.text, "7\n9\n8\nnull\n");
        // An operator that died before it could record what it had stored.
        assert_eq!(shard("0,2", &[(1, "9")]).keep(Some(kept(&second))), Ok(None));
    }

    #[test]
    fn a_configmap_that_is_gone_has_lost_what_was_stored_in_it() {
        let damage = Damage { shard: 0, places: Places::parse("0,2") };
        assert_eq!(shard("0,2", &[]).keep(None), Err(damage.clone()));
        // Some of it is known.
        assert_eq!(shard("0,2", &[(0, "7")]).keep(None), Err(Damage { places: Places::parse("2"), ..damage }));
        let mut told = shard("0,2", &[(0, "7")]);
        told.damaged = Places::parse("2");
        let keep = told.keep(None).unwrap().unwrap();
        assert_eq!((keep.text.as_str(), keep.damaged.as_str()), ("7\nnull\nnull\nnull\n", "2"));
        // A later writer that does not know of it finds it recorded there, until the item has run again.
        assert_eq!(shard("0,2", &[]).keep(Some(kept(&keep))).unwrap_err().places, Places::parse("2"));
        let failed = shard("0", &[]).keep(Some(kept(&keep))).unwrap().unwrap();
        assert_eq!(failed.damaged, "", "an item that has failed since has no result to be damaged");
        let healed = shard("0,2", &[(2, "8")]).keep(Some(kept(&keep))).unwrap().unwrap();
        assert_eq!(healed.damaged, "");
    }

    #[test]
    fn a_line_that_was_edited_is_seen_and_stays_until_it_is_known_again() {
        let first = shard("", &[(0, "7"), (2, "8")]).keep(None).unwrap().unwrap();
        for edited in ["7\nnull\n9\nnull\n", "7\n", "7\nnull\nnull\nnull\n", "7\nnull\n88\nnull\nmore\n"] {
            let found = Kept { text: edited, ..kept(&first) };
            let damage = shard("0,2", &[(1, "1")]).keep(Some(found)).unwrap_err();
            assert_eq!(damage.places, Places::parse("2"), "{edited:?}");
            let restored = shard("0,2", &[(1, "1"), (2, "8")]).keep(Some(found)).unwrap().unwrap();
            assert_eq!((restored.text.as_str(), restored.damaged.as_str()), ("7\n1\n8\nnull\n", ""));
        }
        let bare = Kept { checks: "", ..kept(&first) };
        assert_eq!(
            shard("0,2", &[]).keep(Some(bare)).unwrap_err().places,
            Places::parse("0,2"),
            "nothing vouches for it"
        );
        let other = Kept { text: "7\n5\n8\nnull\n", ..kept(&first) };
        let keep = shard("0,2", &[]).keep(Some(other)).unwrap().unwrap();
        assert_eq!(keep.text, "7\n5\n8\nnull\n", "the line of an item that has none yet is nobody's result");
    }

    #[test]
    fn lines_of_a_former_list_are_replaced_and_are_no_damage() {
        let first = shard("", &[(0, "7"), (2, "8")]).keep(None).unwrap().unwrap();
        let second = Shard { list: 3, ..shard("", &[(1, "9")]) };
        let keep = second.keep(Some(kept(&first))).unwrap().unwrap();
        assert_eq!((keep.text.as_str(), keep.damaged.as_str()), ("null\n9\nnull\nnull\n", ""));
        let now = Kept { list: 3, ..kept(&keep) };
        let more = Shard { list: 3, ..shard("1", &[(3, "5")]) };
        assert_eq!(more.keep(Some(now)).unwrap().unwrap().text, "null\n9\nnull\n5\n");
        let edited = Kept { list: 0, ..now };
        assert_eq!(more.keep(Some(edited)).unwrap_err().places, Places::parse("1"), "nothing says which list it is of");
        let empty = Shard { list: 4, ..shard("", &[]) };
        assert_eq!(empty.keep(Some(now)).unwrap().unwrap().text, "null\nnull\nnull\nnull\n");
    }

    #[test]
    fn a_configmap_that_the_next_list_does_not_use_is_emptied_and_never_made() {
        let first = shard("", &[(0, "7"), (2, "8")]).keep(None).unwrap().unwrap();
        let layout = Layout::of(&Results::default(), ItemCount::NONE).unwrap();
        let former = layout.former_shards(1, 3).remove(0);
        let keep = former.keep(Some(kept(&first))).unwrap().unwrap();
        assert_eq!((keep.text.as_str(), keep.checks.as_str(), keep.damaged.as_str()), ("", "", ""));
        assert_eq!(former.keep(Some(Kept { list: 3, ..kept(&keep) })), Ok(None), "nothing to do");
        assert_eq!(former.keep(None), Ok(None));
    }

    #[test]
    fn checksums_of_large_configmaps_are_bounded() {
        let large = Shard { lines_in_all: 51_200, ..shard("", &[(51_199, "1")]) };
        let keep = large.keep(None).unwrap().unwrap();
        assert_eq!(keep.checks.len(), 8 * BLOCKS as usize);
        let edited = keep.text.replace("\n1\n", "\n2\n");
        let stored = Shard { stored: (51_000..51_200).collect(), lines: [].into(), ..large };
        let damage = stored.keep(Some(Kept { text: &edited, ..kept(&keep) })).unwrap_err();
        assert_eq!(damage.places.to_string(), "51100-51199", "to the block");
    }
}
