//! What a person told of each Mac's wired limit, and whether it still holds: macOS forgets it when the Mac restarts.
//!
//! exo does not say when a Mac restarted, only when exo did: it then has another id. So what was told is bound to the id
//! that the Mac had, and under another id it has to be told again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::exo::NodeId;

/// What was told of one Mac.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The limit (MiB).
    pub mib: u64,
    /// exo's id of the Mac for which it holds; `None` until it has been seen.
    pub node: Option<NodeId>,
    /// Its exo has started anew since: it does not count any more.
    #[serde(default)]
    pub forgotten: bool,
}

/// By the Mac's name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Limits(BTreeMap<String, Told>);

impl Limits {
    /// What the settings say, on top of what was kept: the same number is what was told before, another one is new.
    pub fn settle<'a>(&mut self, set: impl Iterator<Item = (&'a String, u64)>) {
        for (name, mib) in set {
            if self.0.get(name).is_none_or(|told| told.mib != mib) {
                self.tell(name, Some(mib));
            }
        }
    }

    /// A person says it now; `None` takes it back.
    pub fn tell(&mut self, name: &str, mib: Option<u64>) {
        match mib {
            Some(mib) => drop(self.0.insert(name.to_owned(), Told { mib, node: None, forgotten: false })),
            None => drop(self.0.remove(name)),
        }
    }

    /// A Mac is heard of under this id; whether that changed anything worth keeping.
    pub fn seen(&mut self, name: &str, node: &NodeId) -> bool {
        let Some(told) = self.0.get_mut(name) else { return false };
        match &told.node {
            Some(bound) if bound == node || told.forgotten => return false,
            Some(_) => told.forgotten = true,
            None => told.node = Some(node.clone()),
        }
        true
    }

    /// The limit that holds for a Mac (MiB).
    #[must_use]
    pub fn of(&self, name: &str) -> Option<u64> {
        self.0.get(name).filter(|told| !told.forgotten).map(|told| told.mib)
    }

    /// The limit that was told for a Mac and does not count any more (MiB).
    #[must_use]
    pub fn forgotten(&self, name: &str) -> Option<u64> {
        self.0.get(name).filter(|told| told.forgotten).map(|told| told.mib)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_holds_until_exo_starts_anew_there_and_until_it_is_told_again() {
        let mut limits = Limits::default();
        let name = "studio-2".to_owned();
        limits.settle([(&name, 114_688)].into_iter());
        assert_eq!(limits.of("studio-2"), Some(114_688));
        assert!(limits.seen("studio-2", &"a".into()) && !limits.seen("studio-2", &"a".into()));
        assert!(limits.seen("studio-2", &"b".into()));
        assert_eq!((limits.of("studio-2"), limits.forgotten("studio-2")), (None, Some(114_688)));
        // The settings say the same as before: that is not news.
        limits.settle([(&name, 114_688)].into_iter());
        assert_eq!(limits.of("studio-2"), None);
        limits.tell("studio-2", Some(114_688));
        assert!(limits.seen("studio-2", &"b".into()));
        assert_eq!((limits.of("studio-2"), limits.forgotten("studio-2")), (Some(114_688), None));
        limits.tell("studio-2", None);
        assert_eq!(limits.of("studio-2"), None);
    }

    #[test]
    fn what_is_kept_comes_back() {
        let mut limits = Limits::default();
        limits.tell("studio-2", Some(1));
        limits.seen("studio-2", &"a".into());
        let kept = serde_json::to_string(&limits).unwrap();
        assert_eq!(serde_json::from_str::<Limits>(&kept).unwrap(), limits);
    }
}
