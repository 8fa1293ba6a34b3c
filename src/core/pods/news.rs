//! The order of news: is this older than what is known of the pod's name?
//!
//! Lists, watches and answers to single requests come in any order, and a name can have had another pod before. The
//! versions of all pods of a cluster are in one order, so the version decides, wherever the news comes from.

/// What news of a pod is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Something newer is known of the name.
    Stale,
    /// It is what is known.
    Known,
    /// Nothing as new is known.
    New,
}

impl News {
    /// What a pod of this version is worth, where this is the newest version that is known of its name.
    pub fn of(version: u64, known: Option<u64>) -> Self {
        match known {
            Some(known) if known > version => Self::Stale,
            Some(known) if known == version => Self::Known,
            _ => Self::New,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_of_a_name_counts_by_its_version() {
        assert_eq!(News::of(3, None), News::New);
        assert_eq!([2, 3, 4].map(|known| News::of(3, Some(known))), [News::New, News::Known, News::Stale]);
    }
}
