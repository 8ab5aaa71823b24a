//! What the desk knows of one model: what was asked of exo for it, and how that went.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::exo::{InstanceId, NodeId};
use crate::time::Moment;

/// After a failure, before the next try.
const REST: Duration = Duration::from_secs(60);
/// After this many failures in a row a person must look.
pub(super) const TRIES: u32 = 5;

/// How one wanted model stands that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    Asking,
    Posting(InstanceId),
    Ordered {
        instance: InstanceId,
        until: Moment,
    },
    Failed {
        why: String,
        until: Moment,
    },
    Stopped {
        why: String,
    },
    /// No place has room for it.
    Unfit {
        why: String,
        nodes: BTreeSet<NodeId>,
        until: Moment,
    },
    /// Others deleted it.
    Elsewhere,
}

impl Order {
    /// Whether exo is being asked, or owes what was ordered.
    pub(super) const fn is_under_way(&self) -> bool {
        matches!(self, Self::Asking | Self::Posting(_) | Self::Ordered { .. })
    }
}

/// What the desk knows of one model.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub(super) order: Option<Order>,
    /// A person asked for it just now.
    pub(super) said: bool,
    /// It is wanted placed otherwise than it is.
    pub(super) moving: bool,
    pub(super) failures: u32,
    /// The nodes that were there while it was ready.
    pub(super) ready_with: Option<BTreeSet<NodeId>>,
    /// It was there and not ready yet; why not, if exo said.
    pub(super) arriving: Option<String>,
}

impl Sheet {
    /// Whether exo is being asked for it, or owes what was ordered.
    pub(super) fn is_under_way(&self) -> bool {
        self.order.as_ref().is_some_and(Order::is_under_way)
    }

    /// The instance that exo owes.
    pub(super) fn owed(&self) -> Option<InstanceId> {
        match &self.order {
            Some(Order::Posting(instance) | Order::Ordered { instance, .. }) => Some(instance.clone()),
            _ => None,
        }
    }

    /// Takes note of a failure; the last one stops it.
    pub(super) fn fail(&mut self, why: String, now: Moment) {
        self.failures += 1;
        self.said = false;
        self.order = Some(if self.failures >= TRIES {
            Order::Stopped { why: format!("{why}; tried {TRIES} times") }
        } else {
            Order::Failed { why, until: now + REST }
        });
    }
}
