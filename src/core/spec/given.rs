//! What is known of the items besides the spec, and are they still the same?

use std::sync::Arc;

use crate::api::spec::MapTaskSpec;
use crate::core::ids::ItemCount;
use crate::core::items::{ItemList, ReadList};
use crate::core::spec::lister::Lister;
use crate::core::spec::{AcceptedSpec, Refusal};

/// What is known of the items besides the spec.
#[derive(Clone, Copy, Debug)]
pub enum Given<'a> {
    /// The spec holds them.
    Inline,
    /// They were read from elsewhere.
    Read(&'a ReadList),
    /// Their number, and the hash of what they were read from: that is yet to be read again.
    Awaited(ItemCount, Option<&'a str>),
    /// This is yet to compute them.
    Listed(&'a Arc<Lister>),
}

/// The items, and their hash if they are not in the spec. `is_elsewhere`: they are not.
pub(super) fn accept_items(
    spec: &MapTaskSpec,
    is_elsewhere: bool,
    given: Given<'_>,
) -> Result<(ItemList, Option<String>), Refusal> {
    Ok(match given {
        // One stands for all: how many there will be is not known.
        Given::Listed(_) => (ItemList::awaited(ItemCount::ONE), None),
        Given::Read(list) if is_elsewhere => (list.items.clone(), Some(list.hash.clone())),
        Given::Awaited(count, hash) if is_elsewhere => (ItemList::awaited(count), hash.map(str::to_owned)),
        Given::Inline | Given::Read(_) | Given::Awaited(..) => (ItemList::accept(&spec.items)?, None),
    })
}

impl AcceptedSpec {
    /// The items of this list, if it is the one that they were read from at first.
    pub fn read_again(&self, list: &ReadList) -> Result<ItemList, String> {
        let Some((source, known)) = &self.source else { return Ok(self.blueprint.items.clone()) };
        if let Some(known) = known.as_ref().filter(|known| **known != list.hash) {
            return Err(format!(
                "{source} changed since the task was accepted, and the operator has restarted since: pending items can't \
                 start; {} ({known}), or create another MapTask",
                source.to_restore()
            ));
        }
        if list.items.count() != self.count() {
            let (has, had) = (list.items.count().get(), self.count().get());
            return Err(format!("{source}: {has} items instead of {had}"));
        }
        Ok(list.items.clone())
    }
}
