//! What of a list has arrived from the pod that computes it: pieces in their order, each stored before the next one.

use super::hash::{Digest, hash_of_digests};

/// What the names of the `ConfigMaps` of a list begin with.
pub fn list_prefix(task: &str, attempt: u32) -> String {
    format!("{task}-items-{attempt}-")
}

/// What of a list has arrived from one pod.
#[derive(Debug)]
pub struct Gathering {
    /// The UID of the pod.
    pub pod_uid: String,
    stored: Vec<Digest>,
    /// The piece that is being stored.
    storing: Option<Digest>,
}

/// What is to be done with a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is to be stored.
    Store,
    /// It is being stored.
    Wait,
    /// Not this one now; its sender learns how many are stored.
    ReportProgress,
}

impl Gathering {
    /// Nothing, from this pod.
    pub fn new(pod_uid: String) -> Self {
        Self { pod_uid, stored: Vec::new(), storing: None }
    }

    /// Pieces that are stored, from the first on.
    pub fn stored(&self) -> u32 {
        u32::try_from(self.stored.len()).unwrap_or(u32::MAX)
    }

    /// A piece has arrived.
    pub fn take(&mut self, number: u32, digest: Digest) -> Next {
        if number != self.stored() {
            return Next::ReportProgress;
        }
        match self.storing {
            Some(storing) if storing == digest => Next::Wait,
            // Another under this number: after the one that is on its way, whatever becomes of that.
            Some(_) => Next::ReportProgress,
            None => {
                self.storing = Some(digest);
                Next::Store
            }
        }
    }

    /// The piece of this number was stored, or could not be.
    pub fn settle(&mut self, number: u32, is_stored: bool) {
        if number != self.stored() {
            return;
        }
        if let Some(digest) = self.storing.take().filter(|_| is_stored) {
            self.stored.push(digest);
        }
    }

    /// Whether this is all of a list with that many pieces and this hash.
    pub fn is_whole(&self, pieces: u32, hash: &str) -> bool {
        self.storing.is_none() && self.stored() == pieces && hash_of_digests(&self.stored) == hash
    }

    /// Asks for all of it again.
    pub fn restart(&mut self) {
        (self.stored, self.storing) = (Vec::new(), None);
    }
}

#[cfg(test)]
mod tests {
    use super::super::hash::digest;
    use super::*;

    #[test]
    fn pieces_are_stored_in_their_order_and_each_once() {
        let mut list = Gathering::new("u".to_owned());
        let (a, b) = (digest(b"a"), digest(b"b"));
        assert_eq!(list.take(1, b), Next::ReportProgress, "the first is missing");
        assert_eq!(list.take(0, a), Next::Store);
        assert_eq!(list.take(0, a), Next::Wait, "sent again");
        assert_eq!(list.take(0, b), Next::ReportProgress);
        list.settle(0, false);
        assert_eq!((list.stored(), list.take(0, a)), (0, Next::Store));
        assert!(!list.is_whole(0, &hash_of_digests(&[])), "one is on its way");
        list.settle(0, true);
        list.settle(0, true);
        assert_eq!((list.stored(), list.take(0, a)), (1, Next::ReportProgress));
        assert!(list.is_whole(1, &hash_of_digests(&[a])) && !list.is_whole(1, &hash_of_digests(&[b])));
        assert_eq!(list.take(1, b), Next::Store);
        list.settle(1, true);
        assert!(list.is_whole(2, &hash_of_digests(&[a, b])) && !list.is_whole(2, &hash_of_digests(&[b, a])));
        list.restart();
        assert_eq!(list.stored(), 0);
        assert!(list.is_whole(0, &hash_of_digests(&[])), "an empty list");
    }
}
